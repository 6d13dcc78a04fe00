/* test_diag.c - diagnostics: order, carets, windows, JSON, nearest names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/diag.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct source
source(const char *name, struct str text, int order)
{
	return (struct source){ .name = str_of(name), .text = text,
	    .order = order };
}

static char *
printed(struct diag *d, bool colour)
{
	char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);

	assert_non_null(f);
	diag_print(d, f, colour);
	assert_int_equal(fclose(f), 0);
	return p;
}

static void
assert_printed(struct diag *d, const char *want)
{
	char *got = printed(d, false);

	assert_string_equal(got, want);
	free(got);
}

static struct span
span_of(const struct source *src, const char *part)
{
	ptrdiff_t at = str_find(src->text, str_of(part));

	assert_true(at >= 0);
	return (struct span){ src, (size_t)at, strlen(part) };
}

static void
test_example_of_the_manual(void **state)
{
	struct source src = source("rules", STR("\n\n\n\n\n\n"
	    "    if   spf.resullt is fail\n"), 0);
	struct diag *d = diag_new();

	(void)state;
	diag_error(d, span_of(&src, "spf.resullt"),
	    "unknown fact '%s'; did you mean '%s'?", "spf.resullt", "spf");
	assert_printed(d,
	    "rules:7:10: error: unknown fact 'spf.resullt'; did you mean 'spf'?\n"
	    "    7 |     if   spf.resullt is fail\n"
	    "      |          ^~~~~~~~~~~\n");
	assert_int_equal(diag_errors(d), 1);
	assert_int_equal(diag_warnings(d), 0);
	diag_free(d);
}

static void
test_order_and_notes(void **state)
{
	struct source a = source("a", STR("one\ntwo\n"), 0);
	struct source b = source("b", STR("three"), 1);
	struct source gone = source("gone", STR_NONE, 2);
	struct diag *d = diag_new();

	(void)state;
	diag_error(d, (struct span){ &gone, 0, 0 }, "cannot read");
	diag_warning(d, span_of(&b, "three"), "in b");
	diag_note(d, span_of(&a, "one"), "see %d", 1);
	diag_note(d, span_of(&a, "two"), "see %d", 2);
	diag_error(d, span_of(&a, "two"), "second in a");
	diag_error(d, span_of(&a, "two"), "third in a");
	diag_error(d, span_of(&a, "one"), "first in a");
	diag_error(d, (struct span){ NULL, 0, 0 }, "no place");
	assert_printed(d,
	    "error: no place\n"
	    "a:1:1: error: first in a\n    1 | one\n      | ^~~\n"
	    "a:2:1: error: second in a\n    2 | two\n      | ^~~\n"
	    "a:2:1: error: third in a\n    2 | two\n      | ^~~\n"
	    "b:1:1: warning: in b\n    1 | three\n      | ^~~~~\n"
	    "a:1:1: note: see 1\n    1 | one\n      | ^~~\n"
	    "a:2:1: note: see 2\n    2 | two\n      | ^~~\n"
	    "gone: error: cannot read\n");
	diag_free(d);
}

static void
test_carets(void **state)
{
	static const struct {
		struct str line;
		size_t off, n;
		int column;
		const char *shown, *marks;
	} cases[] = {
		{ STR("abc"), 0, 1, 1, "abc", "^" },
		{ STR("abc"), 3, 0, 4, "abc", "   ^" },
		{ STR("abc"), 9, 9, 4, "abc", "   ^" },
		{ STR("abc\r\nx"), 0, 99, 1, "abc", "^~~" },
		{ STR("\ta\tbc"), 3, 2, 4, "\ta\tbc", "\t \t^~" },
		{ STR("\xc3\xa9 x"), 3, 1, 3, "\xc3\xa9 x", "  ^" },
		/* Wide characters take two columns, combining ones none. */
		{ STR("\xe6\x97\xa5 x"), 4, 1, 3, "\xe6\x97\xa5 x", "   ^" },
		{ STR("e\xcc\x81 x"), 4, 1, 4, "e\xcc\x81 x", "  ^" },
		{ STR("\xe6\x97\xa5\xe6\x9c\xac"), 0, 6, 1,
		    "\xe6\x97\xa5\xe6\x9c\xac", "^~~~" },
		{ STR("\xff\x01\x1b[x"), 3, 2, 4, "???[x", "   ^~" },
		{ STR("\xc2\x9b" "x"), 2, 1, 2, "?x", " ^" },
		{ STR(""), 0, 0, 1, "", "^" },
	};
	char want[200];
	int line, column;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct source src = source("f", cases[i].line, 0);
		struct span at = { &src, cases[i].off, cases[i].n };
		struct diag *d = diag_new();

		diag_error(d, at, "x");
		snprintf(want, sizeof(want), "f:1:%d: error: x\n"
		    "    1 | %s\n      | %s\n", cases[i].column,
		    cases[i].shown, cases[i].marks);
		assert_printed(d, want);
		diag_position(at, &line, &column);
		assert_int_equal(line, 1);
		assert_int_equal(column, cases[i].column);
		diag_free(d);
	}
}

static void
test_window(void **state)
{
	char text[5000];
	struct source src = source("f", (struct str){ text, sizeof(text) }, 0);
	static const size_t places[] = { 0, 49, 50, 60, 2500, 4890, 4999, 5000 };
	const char *line, *marks, *caret;

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct diag *d = diag_new();
		char *got;

		memset(text, 'a', sizeof(text));
		if (places[i] < sizeof(text))
			text[places[i]] = 'X';
		diag_error(d, (struct span){ &src, places[i], 300 }, "x");
		got = printed(d, false);
		line = strchr(got, '\n') + 1;
		marks = strchr(line, '\n') + 1;
		caret = strchr(marks, '^');
		assert_non_null(caret);
		assert_true(strlen(marks) < 130);
		assert_true(marks - line < 130);
		if (places[i] < sizeof(text))
			assert_int_equal(line[caret - marks], 'X');
		else
			assert_int_equal(line[caret - marks], '\n');
		free(got);
		diag_free(d);
	}
}

/* Octets that continue nothing must not widen the window to all of the line. */
static void
test_window_of_broken_utf8(void **state)
{
	char text[5000];
	struct source src = source("f", (struct str){ text, sizeof(text) }, 0);
	struct diag *d = diag_new();
	char *got;

	(void)state;
	memset(text, '\x80', sizeof(text));
	diag_error(d, (struct span){ &src, 3000, 1 }, "x");
	got = printed(d, false);
	assert_true(strlen(got) < 1000);
	free(got);
	diag_free(d);
}

static void
test_messages_are_harmless(void **state)
{
	struct source src = source("f\033[1m", STR("x"), 0);
	struct diag *d = diag_new();
	char big[5000], *got;

	(void)state;
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	diag_error(d, (struct span){ &src, 0, 1 }, "a\nb\033]0;c\a\xff");
	diag_error(d, (struct span){ &src, 0, 1 }, "%s", big);
	got = printed(d, false);
	assert_non_null(strstr(got, "f?[1m:1:1: error: a?b?]0;c??\n"));
	assert_true(strlen(got) < 1300);
	assert_null(strchr(got, '\033'));
	free(got);
	diag_free(d);
}

static void
test_many(void **state)
{
	struct source src = source("f", STR("x\n"), 0);
	struct diag *d = diag_new();
	char *got;
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 5000; i++)
		diag_warning(d, (struct span){ &src, 0, 1 }, "w");
	diag_error(d, (struct span){ &src, 0, 1 }, "the error");
	diag_note(d, (struct span){ &src, 0, 1 }, "its note");
	assert_int_equal(diag_errors(d), 1);
	assert_int_equal(diag_warnings(d), 5000);
	got = printed(d, false);
	for (const char *p = got; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 301);
	assert_non_null(strstr(got,
	    "and 1 more error and 4900 more warnings\n"));
	free(got);
	diag_free(d);
}

static void
collect(void *arg, enum severity severity, struct str line)
{
	strbuf_printf(arg, "%d " STR_FMT "|", severity == DIAG_ERROR,
	    STR_ARG(line));
}

static void
test_lines_and_json(void **state)
{
	struct source src = source("a\"b", STR("one two\n"), 0);
	struct diag *d = diag_new();
	struct strbuf b = { 0 };

	(void)state;
	diag_json(d, &b);
	assert_string_equal(b.p, "[]\n");
	b.n = 0;
	diag_warning(d, span_of(&src, "two"), "say \"%s\"", "x");
	diag_note(d, span_of(&src, "one"), "note");
	diag_error(d, (struct span){ NULL, 0, 0 }, "none");
	diag_json(d, &b);
	assert_string_equal(b.p, "[\n"
	    "{\"file\":null,\"line\":null,\"column\":null,\"endColumn\":null,"
	    "\"severity\":\"error\",\"message\":\"none\",\"notes\":[]},\n"
	    "{\"file\":\"a\\\"b\",\"line\":1,\"column\":5,\"endColumn\":8,"
	    "\"severity\":\"warning\",\"message\":\"say \\\"x\\\"\",\"notes\":"
	    "[{\"file\":\"a\\\"b\",\"line\":1,\"column\":1,\"endColumn\":4,"
	    "\"message\":\"note\"}]}\n]\n");
	b.n = 0;
	diag_each(d, collect, &b);
	assert_string_equal(b.p,
	    "1 error: none|0 a\"b:1:5: warning: say \"x\"|");
	strbuf_free(&b);
	diag_free(d);
}

static void
test_nearest(void **state)
{
	static const struct str names[] = {
		STR("spf"), STR("spf.domain"), STR("spf.helo"), STR("sender"),
		STR("sender.domain"), STR("sender.size"), STR("from"),
		STR("from.domain"), STR("rcpt"), STR("client.ip"),
		STR("dkim"), STR("dkim.signature.result"), STR("header"),
		STR("raw.header"), STR("reply-to"),
	};
	static const struct {
		const char *word, *near;
	} cases[] = {
		{ "spf.resullt", "spf" }, { "spf.domian", "spf.domain" },
		{ "sedner", "sender" }, { "SENDER", "sender" },
		{ "sender.x", "sender" }, { "sender.siez", "sender.size" },
		{ "domain.sender", "sender.domain" },
		{ "envelope.from", "from" }, { "clientip", "client.ip" },
		{ "client_ip", "client.ip" }, { "reply_to", "reply-to" },
		{ "header.raw", "raw.header" }, { "dkim.result", "dkim" },
		{ "signature.result", "dkim.signature.result" },
		{ "x", "" }, { "", "" }, { "unrelated", "" },
		{ "recipient.address.that.goes.on.and.on.and.on.and.on.and.on"
		  ".and.on", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str got = diag_nearest(str_of(cases[i].word), names,
		    COUNT(names));

		if (!str_eq(got, str_of(cases[i].near)))
			fail_msg("%s: got '" STR_FMT "', not '%s'",
			    cases[i].word, STR_ARG(got), cases[i].near);
	}
}

static void
test_colour(void **state)
{
	struct source src = source("f", STR("x"), 0);
	struct diag *d = diag_new();
	char *got;

	(void)state;
	diag_error(d, (struct span){ &src, 0, 1 }, "y");
	got = printed(d, true);
	assert_string_equal(got, "\033[1mf:1:1: \033[0m\033[1;31merror:\033[0m "
	    "\033[1my\033[0m\n    1 | x\n      | \033[1;32m^\033[0m\n");
	free(got);
	diag_free(d);
	diag_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_the_manual),
		cmocka_unit_test(test_order_and_notes),
		cmocka_unit_test(test_carets),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_of_broken_utf8),
		cmocka_unit_test(test_messages_are_harmless),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_lines_and_json),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
