/* test_regex.c - matches, captures, compile errors, limits, threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/regex.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define LIMIT		100000

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new(0)) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct regex *
compile(const char *pattern, const char *flags, bool bytes)
{
	struct strbuf why = { 0 };
	size_t offset;
	struct regex *re = regex_compile(arena, str_of(pattern), str_of(flags), bytes,
	    LIMIT, &offset, &why);

	if (re == NULL)
		fail_msg("%s: %s at %zu", pattern, why.p, offset);
	strbuf_free(&why);
	return re;
}

static const struct {
	const char	*pattern, *flags, *subject;
	bool		bytes;
	enum regex_result result;
	const char	*group;		/* the last that is set */
} cases[] = {
	{ "b+", "", "abbc", 0, REGEX_YES, "bb" },
	{ "B+", "", "abbc", 0, REGEX_NO, NULL },
	{ "B+", "i", "abbc", 0, REGEX_YES, "bb" },
	{ "^b", "", "a\nb", 0, REGEX_NO, NULL },
	{ "^b", "m", "a\nb", 0, REGEX_YES, "b" },
	{ "a.b", "", "a\nb", 0, REGEX_NO, NULL },
	{ "a.b", "s", "a\nb", 0, REGEX_YES, "a\nb" },
	{ "a b # comment", "x", "ab", 0, REGEX_YES, "ab" },
	{ "\\/a", "", "x/a", 0, REGEX_YES, "/a" },
	{ "(a)|(b)", "", "b", 0, REGEX_YES, "b" },
	{ "", "", "", 0, REGEX_YES, "" },
	{ "\xc3\xa4rger", "i", "viel \xc3\x84RGER", 0, REGEX_YES, "\xc3\x84RGER" },
	{ "^.$", "", "\xc3\xa4", 0, REGEX_YES, "\xc3\xa4" },
	{ "^.$", "", "\xc3\xa4", 1, REGEX_NO, NULL },
	{ "^\\xc3\\xa4$", "", "\xc3\xa4", 1, REGEX_YES, "\xc3\xa4" },
	{ "^\\w+$", "", "\xc3\xa4z", 0, REGEX_YES, "\xc3\xa4z" },
	/* What isn't UTF-8 matches nothing, but does not hide the rest. */
	{ "spam", "", "\xff\xfespam\xc3", 0, REGEX_YES, "spam" },
	{ "a.b", "", "a\xff" "b", 0, REGEX_NO, NULL },
	{ "a.b", "", "a\xff" "b", 1, REGEX_YES, "a\xff" "b" },
};

static void
matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct regex *re = compile(cases[i].pattern, cases[i].flags, cases[i].bytes);
		struct captures caps;

		if (regex_match(re, str_of(cases[i].subject), &caps) != cases[i].result)
			fail_msg("/%s/%s on %s", cases[i].pattern, cases[i].flags,
			    cases[i].subject);
		assert_int_equal(regex_match(re, str_of(cases[i].subject), NULL),
		    cases[i].result);
		if (cases[i].result != REGEX_YES) {
			assert_int_equal(caps.n, 0);
			continue;
		}
		assert_true(str_eq(caps.group[caps.n - 1], str_of(cases[i].group)));
	}
}

static void
captures_groups(void **state)
{
	struct captures caps;
	struct regex *re;
	char many[1024] = "";

	(void)state;
	re = compile("(a)?(b)(c)?", "", false);
	assert_int_equal(regex_groups(re), 3);
	assert_int_equal(regex_match(re, STR("xb"), &caps), REGEX_YES);
	assert_int_equal(caps.n, 3);
	assert_null(caps.group[1].p);
	assert_true(str_eq(caps.group[2], STR("b")));
	assert_int_equal(regex_match(re, STR_NONE, &caps), REGEX_NO);

	/* More groups than places: the first hundred. */
	for (int i = 0; i < 150; i++)
		strcat(many, "(a)");
	re = compile(many, "", false);
	memset(many, 'a', 150);
	assert_int_equal(regex_match(re, (struct str){ many, 150 }, &caps), REGEX_YES);
	assert_int_equal(caps.n, REGEX_CAPTURES);

	/* NULs are octets as any. */
	re = compile("b$", "", false);
	assert_int_equal(regex_match(re, (struct str){ "a\0b", 3 }, &caps), REGEX_YES);
}

static const struct { const char *pattern, *flags; bool bytes; size_t offset; const char *why; } wrong[] = {
	{ "a(b", "", 0, 3, "missing closing parenthesis" },
	{ "a[z-a]", "", 0, 4, "range out of order in character class" },
	{ "*a", "", 0, 0, "quantifier does not follow a repeatable item" },
	{ "abc", "ig", 0, 5, "unknown flag 'g'; there are i, m, s and x" },
	{ "abc", "ii", 0, 5, "doubled flag 'i'; there are i, m, s and x" },
	{ "ab\xff", "", 0, 2, "UTF-8 error: illegal byte (0xfe or 0xff)" },
	{ "a\\C", "", 0, 3, "using \\C is disabled by the application" },
	{ "(*UTF)a", "", 1, 6, "using UTF is disabled by the application" },
};

static void
explains(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct strbuf why = { 0 };
		size_t offset = 99;

		assert_null(regex_compile(arena, str_of(wrong[i].pattern),
		    str_of(wrong[i].flags), wrong[i].bytes, LIMIT, &offset, &why));
		assert_string_equal(why.p, wrong[i].why);
		assert_int_equal(offset, wrong[i].offset);
		strbuf_free(&why);
	}
}

/* What runs into a limit has no answer, with JIT and without. */
static void
limits(void **state)
{
	static const char *const patterns[] = { "^(a+)+$", "(*NO_JIT)^(a+)+$" };
	static char subject[200000];
	struct captures caps;

	(void)state;
	memset(subject, 'a', sizeof(subject));
	subject[40] = 'b';
	for (size_t i = 0; i < COUNT(patterns); i++)
		assert_int_equal(regex_match(compile(patterns[i], "", false),
		    (struct str){ subject, 41 }, &caps), REGEX_LIMIT);
	/* The JIT's stack, PCRE2_ERROR_JIT_STACKLIMIT. */
	subject[40] = 'a';
	assert_int_equal(regex_match(compile("^((a)|b)*$", "", false),
	    (struct str){ subject, 800 }, &caps), REGEX_YES);
	assert_int_equal(regex_match(compile("^((a)|b)*$", "", false),
	    (struct str){ subject, sizeof(subject) }, &caps), REGEX_LIMIT);
	assert_int_equal(regex_match(compile("(*NO_JIT)^((a)|b)*$", "", false),
	    (struct str){ subject, sizeof(subject) }, &caps), REGEX_LIMIT);
	/* After a limit the thread matches as before. */
	assert_int_equal(regex_match(compile("a", "", false), STR("a"), &caps), REGEX_YES);
}

/* Long subjects are searched in parts; a match is found wherever it lies. */
static void
finds_in_long_subjects(void **state)
{
	static const char *const patterns[] = {
		"(?<=x)\xc3\xa9+Z", "(*NO_JIT)(?<=x)\xc3\xa9+Z",
		"(?i)(?<=X)\xc3\x89{2}z", "(*NO_JIT)(?i)(?<=X)\xc3\x89{2}z",
	};
	static char subject[200001];
	const size_t sizes[] = { 5000, 200000 };
	struct captures caps;

	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++)
		for (size_t k = 0; k < COUNT(sizes); k++) {
			struct regex *re = compile(patterns[i], "", false);
			size_t n = sizes[k], step = n / 13;

			for (size_t at = k; at + 6 <= n; at += step) {
				for (size_t b = 0; b < n; b++)
					subject[b] = b % 2 == 0 ? '\xc3' : '\xa9';
				/* At odd places an octet is left alone, and is no UTF-8. */
				memcpy(subject + at, "x\xc3\xa9\xc3\xa9Z", 6);
				assert_int_equal(regex_match(re,
				    (struct str){ subject, n }, &caps), REGEX_YES);
				assert_int_equal(caps.group[0].p - subject, at + 1);
				assert_int_equal(caps.group[0].n, 5);
				subject[at + 5] = 'y';
				assert_int_equal(regex_match(re,
				    (struct str){ subject, n }, &caps), REGEX_NO);
			}
		}
	/* \G is the start of the subject, not of a part. */
	memset(subject, 'a', sizeof(subject));
	subject[0] = 'x';
	assert_int_equal(regex_match(compile("(*NO_JIT)b|\\Ga", "", false),
	    (struct str){ subject, sizeof(subject) }, NULL), REGEX_NO);
	/* The empty match at the end. */
	assert_int_equal(regex_match(compile("(*NO_JIT)\\z", "", false),
	    (struct str){ subject, sizeof(subject) }, &caps), REGEX_YES);
	assert_true(caps.group[0].p == subject + sizeof(subject));
}

/* Wherever the parts meet. */
static void
finds_everywhere(void **state)
{
	struct regex *re = compile("(*NO_JIT)x[yz]", "", false);
	char subject[5000];

	(void)state;
	for (size_t at = 0; at + 2 <= sizeof(subject); at++) {
		memset(subject, 'a', sizeof(subject));
		memcpy(subject + at, "xz", 2);
		assert_int_equal(regex_match(re, (struct str){ subject, sizeof(subject) },
		    NULL), REGEX_YES);
	}
}

/* What would take minutes, since each of many starts looks at all that follows. */
static void
gives_up_in_time(void **state)
{
	static char subject[500000];
	struct regex *re = compile("(?<!b)a++\\d?;", "", false);

	(void)state;
	memset(subject, 'a', sizeof(subject));
	subject[sizeof(subject) - 2] = '!';
	subject[sizeof(subject) - 1] = ';';
	assert_int_equal(regex_match(re, (struct str){ subject, sizeof(subject) }, NULL),
	    REGEX_LIMIT);
	/* Without the octet that a match needs, nobody has to look. */
	assert_int_equal(regex_match(re, (struct str){ subject, sizeof(subject) - 2 }, NULL),
	    REGEX_NO);
	/* Nor can it match without "ab;", however long that takes to see. */
	assert_int_equal(regex_match(compile("(?<!b)a++b;", "", false),
	    (struct str){ subject, sizeof(subject) }, NULL), REGEX_NO);
}

static void *
match_many(void *re)
{
	struct captures caps;
	intptr_t good = 0;

	for (int i = 0; i < 1000; i++)
		good += regex_match(re, STR("xxabcab"), &caps) == REGEX_YES &&
		    caps.group[1].n == 1;
	return (void *)good;
}

static void
shared_by_threads(void **state)
{
	struct regex *re = compile("(a)b(?=$)", "", false);
	pthread_t thread[8];
	void *good;

	(void)state;
	for (size_t i = 0; i < COUNT(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, match_many, re), 0);
	for (size_t i = 0; i < COUNT(thread); i++) {
		assert_int_equal(pthread_join(thread[i], &good), 0);
		assert_int_equal((intptr_t)good, 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(matches, setup, teardown),
		cmocka_unit_test_setup_teardown(captures_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(explains, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_in_long_subjects, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_up_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_by_threads, setup, teardown),
	};

	return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
