/*
 * test_capital.c - patterns that are said to need a capital letter match nothing without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/arena.h"
#include "rules/check_reach.h"
#include "rules/regex.h"
#include "tests/unit/randompattern.h"

#define PATTERNS	40000
#define SUBJECTS	6

static void
try_pattern(struct arena *a, struct str pattern, struct str text, int *needing)
{
	static const char *const flags[] = { "", "s", "m", "i", "x" };
	struct str f = str_of(PICK(flags));
	struct strbuf why = { 0 }, subject = { 0 };
	size_t offset;
	struct regex *re = regex_compile(a, pattern, f, false, 100000, &offset, &why);

	strbuf_free(&why);
	if (re == NULL || !pattern_needs_capital(pattern, f))
		return;
	++*needing;
	for (int i = 0; i < SUBJECTS; i++) {
		struct str s;

		random_subject(&subject, text);
		s = str_lower(a, strbuf_slice(&subject));
		if (regex_match(re, s, NULL) == REGEX_YES)
			fail_msg("/%.*s/%s matches %.*s", (int)pattern.n, pattern.p, f.p, (int)s.n, s.p);
	}
	strbuf_free(&subject);
}

static void
test_random_patterns(void **state)
{
	int needing = 0;

	(void)state;
	for (uint64_t i = 0; i < PATTERNS; i++) {
		struct strbuf pattern = { 0 }, text = { 0 };
		struct arena *a = arena_new(0);

		seed = i;
		assert_non_null(a);
		strbuf_puts(&text, "");
		random_pattern(&pattern, &text, 0);
		try_pattern(a, strbuf_slice(&pattern), strbuf_slice(&text), &needing);
		strbuf_free(&pattern);
		strbuf_free(&text);
		arena_free(a);
	}
	/* Otherwise this test shows nothing. */
	assert_true(needing > PATTERNS / 100);
	print_message("%d of %d patterns need a capital\n", needing, PATTERNS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
