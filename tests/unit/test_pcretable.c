/* test_pcretable.c - tables of Postfix's: what they match, give, and get wrong. */
#include "tests/unit/tablefile.h"

static struct table *
table_of(const char *text)
{
	return file_of(LIST_PATTERNS, ENTRY_PCRE, text, strlen(text));
}

/* What the manual of Postfix says, and its traps. */
static const struct { const char *table, *subject, *text; } cases[] = {
	{ "/^a/ yes\n", "abc", "yes" },
	{ "/^a/ yes\n", "xabc", NULL },
	{ "/^a/ yes\n", "Abc", "yes" },			/* i is on */
	{ "/^a/i yes\n", "Abc", NULL },			/* and turned off by i */
	{ "/^a/ii yes\n", "Abc", "yes" },
	{ "/a.b/ yes\n", "a\nb", "yes" },		/* s is on */
	{ "/a.b/s yes\n", "a\nb", NULL },
	{ "/^b/ yes\n", "a\nb", NULL },
	{ "/^b/m yes\n", "a\nb", "yes" },
	{ "/a b # c/x yes\n", "ab", "yes" },
	{ "/a/ first\n/b/ second\n", "ab", "first" },
	{ "/(.)-(.)/ $2${1}$(2)$$x\n", "a-b", "bab$x" },
	{ "/(a)|b/ <$1>\n", "b", "<>" },
	{ "!/a/ none\n", "b", "none" },
	{ "!/a/ none\n", "a", NULL },
	{ "! !/a/ twice\n", "a", "twice" },
	{ "|a/b| other\n", "a/b", "other" },
	{ "/a\\/b/ escaped\n", "a/b", "escaped" },
	{ "/a/\n", "a", "" },
	{ "/a/\tone\n  two\n# no\n\n\tthree # four\n/b/ five\n", "a", "one two three # four" },
	{ "/x/ no\n/a/ one\n  two\n# no\n/b/ five\n", "b", "five" },
	{ "# /a/ no\n  # still\n\n/a/ yes\n", "a", "yes" },
	{ "if /a/\n/b/ both\nendif\n/c/ c\n", "ab", "both" },
	{ "if /a/\n/b/ both\nendif\n/c/ c\n", "bc", "c" },
	{ "if !/a/\n/b/ only\nendif\n", "ab", NULL },
	{ "if !/a/\n/b/ only\nendif\n", "b", "only" },
	{ "if /a/\nif /b/\n/c/ all\nendif\n/d/ two\nendif\n/./ any\n", "abc", "all" },
	{ "if /a/\nif /b/\n/c/ all\nendif\n/d/ two\nendif\n/./ any\n", "acd", "two" },
	{ "if /a/\nif /b/\n/c/ all\nendif\n/d/ two\nendif\n/./ any\n", "bcd", "any" },
	{ "if /a/\n# why\n/b/ both\nendif\n", "ab", "both" },
	{ "if/a/\n/b/ both\nENDIF\n", "ab", "both" },
	{ "/\xc3\xa4/ umlaut\n", "\xc3\x84", "umlaut" },
};

static void
lookups(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct table *t = table_of(cases[i].table);
		struct strbuf out = { 0 };
		enum table_result r;

		assert_non_null(t);
		if (diag_errors(diag) > 0) {
			diag_print(diag, stdout, false);
			fail_msg("case %zu", i);
		}
		strbuf_add(&out, "", 0);
		r = table_match_text(t, str_of(cases[i].subject), 100, &out);
		if (r != (cases[i].text != NULL ? TABLE_YES : TABLE_NO) ||
		    (cases[i].text != NULL && strcmp(out.p, cases[i].text) != 0))
			fail_msg("case %zu: %s: %d '%s'", i, cases[i].table, r, out.p);
		assert_int_equal(table_matches(t, str_of(cases[i].subject), NULL), r);
		strbuf_free(&out);
	}
}

static void
captures(void **state)
{
	struct captures caps;
	struct strbuf out = { 0 };

	(void)state;
	assert_int_equal(table_matches(table_of("/b(.)/ x\n"), STR("abc"), &caps), TABLE_YES);
	assert_true(str_eq(caps.group[0], STR("bc")));
	caps.n = 5;
	assert_int_equal(table_matches(table_of("!/b(.)/ x\n"), STR("q"), &caps), TABLE_YES);
	assert_int_equal(caps.n, 0);
	/* What mail brings is cut, what the operator wrote isn't. */
	assert_int_equal(table_match_text(table_of("/(.*)/ a long text: $1.\n"), STR("123456789"),
	    4, &out), TABLE_YES);
	assert_string_equal(out.p, "a long text: 1234.");
	strbuf_free(&out);
}

/* At its limit a pattern says nothing; an if that does hides what is inside. */
static void
limits(void **state)
{
	struct str subject = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");

	(void)state;
	assert_int_equal(table_matches(table_of("/^(a+)+$/ x\n"), subject, NULL), TABLE_LIMIT);
	assert_int_equal(table_matches(table_of("!/^(a+)+$/ x\n"), subject, NULL), TABLE_LIMIT);
	assert_int_equal(table_matches(table_of("/^(a+)+$/ x\n/b/ y\n"), subject, NULL), TABLE_YES);
	assert_int_equal(table_matches(table_of("if /^(a+)+$/\n/b/ y\nendif\n"), subject, NULL),
	    TABLE_LIMIT);
}

static const struct { const char *table, *diagnostics; } wrong[] = {
	{ "abc def\n", "1:1: error: a line is /pattern/flags and a text, if /pattern/flags, or endif\n" },
	{ "/abc def\n", "1:1: error: this pattern has no closing /\n" },
	{ "/abc\\/ def\n", "1:1: error: this pattern has no closing /\n" },
	{ "/a/ ok\n/a(b/ x\n", "2:5: error: bad pattern: missing closing parenthesis\n" },
	{ "/a/g x\n", "1:4: error: unknown flag 'g'; there are i, m, s and x, and a text stands behind a blank\n" },
	{ "/a/U x\n", "1:4: error: the flag 'U' is not taken; say it in the pattern: \\A for A, \\z for E, (?U) for U, nothing for X\n" },
	{ "/a/ $1\n", "1:5: error: $1: the pattern has 0 groups only\n" },
	{ "/(a)/ $1 ${2} $3\n", "1:15: error: $3: the pattern has 1 group only\n" },
	{ "/a/ costs $x\n", "1:11: error: after $ stands the number of a group, like $1 or ${1}; a $ itself is written $$\n" },
	{ "/a/ ${1\n", "1:5: error: after $ stands the number of a group, like $1 or ${1}; a $ itself is written $$\n" },
	{ "/(a)/ $100\n", "1:7: error: after $ stands the number of a group, like $1 or ${1}; a $ itself is written $$\n" },
	{ "!/(a)/ $1\n", "1:8: error: what does not match a pattern has no groups\n" },
	{ "endif\n", "1:1: error: this endif has no if\n" },
	{ "if /a/\n/b/ x\n", "1:1: error: this if has no endif; was the file saved whole?\n" },
	{ "if /a/ x\nendif\n", "1:8: error: behind if and its pattern stands nothing\n" },
	{ "if /a(/\n/b/ x\nendif\n", "1:7: error: bad pattern: missing closing parenthesis\n" },
	{ "if /a/\nendif x\n", "2:7: error: behind endif stands nothing\n" },
	{ " /a/ x\n", "1:2: error: a line that begins with a blank goes on with the line above, and there is none\n" },
	{ "/a/ x", "1:6: warning: no newline at the end of the file; was it saved whole?\n" },
};

struct lines {
	struct strbuf	text;
};

static void
add_line(void *arg, enum severity sev, struct str line)
{
	struct lines *l = arg;
	size_t skip = strlen(dir) + strlen("/list:");

	(void)sev;
	strbuf_add(&l->text, line.p + skip, line.n - skip);
	strbuf_putc(&l->text, '\n');
}

static void
wrong_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct lines l = { .text = { 0 } };
		struct table *t;

		diag_free(diag);
		assert_non_null(diag = diag_new());
		assert_non_null(t = table_of(wrong[i].table));
		diag_each(diag, add_line, &l);
		assert_string_equal(l.text.p != NULL ? l.text.p : "", wrong[i].diagnostics);
		strbuf_free(&l.text);
		/* What could be read can be asked. */
		(void)table_matches(t, STR("ab"), NULL);
	}
}

static void
deep(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	for (int i = 0; i < 40; i++)
		strbuf_puts(&b, "if /a/\n");
	strbuf_puts(&b, "/b/ x\n");
	for (int i = 0; i < 40; i++)
		strbuf_puts(&b, "endif\n");
	(void)table_matches(table_of(b.p), STR("ab"), NULL);
	assert_true(diag_errors(diag) > 0);
	strbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(captures, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(deep, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
