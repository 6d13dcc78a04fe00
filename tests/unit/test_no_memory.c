/*
 * test_no_memory.c - a rules file is loaded with each allocation failing in turn.
 *
 * The load fails and says so, or what was loaded is what is loaded otherwise; a warning
 * that took memory to find may be missing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/print.h"
#include "rules/rules.h"

static long left = -1;		/* allocations before the one that fails; -1: none does */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool
fails(void)
{
	if (left == -1 || left-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

static const char text[] =
    "set mixed-recipients split\n"
    "nets mynetworks = 192.0.2.0/24 2001:db8::/32\n"
    "domains ours = example.org .example.org\n"
    "addresses people = bob@example.org @example.net\n"
    "strings words = one two\n"
    "patterns bad = /(a+)+b/i /foo/\n"
    "rule own\n  if client.ip in mynetworks or auth.user is set\n  then accept\n"
    "rule rates\n  if rate[\"${client.ip}\", 100 per 1h]\n  then tempfail \"later, ${client.ip}\"\n"
    "rule same\n  if rate[\"${client.ip}\", 100 per 1h] and helo is x.example\n  then score +1\n"
    "rule two\n  if ( sender in people and sender.domain in ours ) or subject in words\n"
    "    or subject matches /^(a+)-(b+)$/\n  then log \"x\" then add header X-A \"${sender}\"\n"
    "rule parts\n  if any attachment has ( name matches bad and size > 1M ) and dkim is not pass\n"
    "  then reject 554 5.7.1 \"No\" \"${helo}\"\n"
    "rule never\n  if helo is a.example and helo is b.example\n  then score +2\n"
    "rule heavy\n  if score >= 3 and not matched[\"two\"]\n  then quarantine \"${score}\"\n"
    "rule hidden\n  if client.ip in 192.0.2.0/25\n  then discard\n"
    "rule macros\n  if macro[\"{a}\"] is b or macro[\"{c}\"] is d\n  then tag subject \"[x]\"\n"
    "test \"one\"\n  client 192.0.2.1 sender a@b.example rcpt c@d.example\n  expect accept by own\n";

static struct ruleset *
load(struct diag *d)
{
	return rules_load_text(STR("rules"), STR(text), "", d);
}

static void
test_load(void **state)
{
	struct strbuf right = { 0 };
	struct diag *d = diag_new();
	struct ruleset *rs = load(d);
	bool failed = true;
	int warnings = diag_warnings(d), refused = 0;
	long n;

	(void)state;
	if (rs == NULL) {
		diag_print(d, stderr, false);
		fail();
	}
	print_ast(rules_ast(rs), &right);
	assert_int_equal(rules_ast(rs)->nrates, 1);
	rules_release(rs);
	diag_free(d);
	for (n = 0; failed; n++) {
		struct strbuf now = { 0 };

		assert_non_null(d = diag_new());
		left = n;
		rs = load(d);
		failed = left == -1;
		left = -1;
		if (rs == NULL)
			assert_true(diag_errors(d) > 0);
		else {
			print_ast(rules_ast(rs), &now);
			assert_true(str_eq(strbuf_slice(&now), strbuf_slice(&right)));
			assert_int_equal(rules_ast(rs)->nrates, 1);
			assert_true(diag_warnings(d) <= warnings);
			rules_release(rs);
		}
		refused += rs == NULL;
		strbuf_free(&now);
		diag_free(d);
	}
	print_message("%ld allocations, without %d of them nothing is loaded\n", n, refused);
	assert_true(refused > 50);
	strbuf_free(&right);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
