/* test_message.c - header values decoded, addresses read, messages split. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "filter/message.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define FFFD		"\xef\xbf\xbd"

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

static void
assert_str(struct str got, const char *want, const char *of)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("%s: \"" STR_FMT "\", not \"%s\"", of, STR_ARG(got), want);
}

/* ---- Decoding ---- */

static const struct { const char *raw, *text; } decoded[] = {
	{ "", "" },
	{ " plain text ", "plain text" },
	{ " a\r\n b\n\tc", "a b\tc" },
	{ "a\r\nb\rc\nd", "a b c d" },	/* no folds: one line all the same */
	{ "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "caf\xe9 x\xff", "caf" FFFD " x" FFFD },
	{ "=?utf-8?q?caf=C3=A9?=", "caf\xc3\xa9" },
	{ "=?UTF-8?B?Y2Fmw6k=?=", "caf\xc3\xa9" },
	{ "=?utf-8*fr?q?caf=c3=a9?=", "caf\xc3\xa9" },		/* RFC 2231, 5 */
	{ "=?iso-8859-1?q?caf=E9?=", "caf\xc3\xa9" },
	{ "=?iso-8859-1?q?=80?=", "\xe2\x82\xac" },	/* as windows-1252 */
	{ "=?koi8-r?b?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	{ "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "=?gb2312?b?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "=?us-ascii?q?a=FFb?=", "a" FFFD "b" },
	{ "=?utf-8?q?a=FFb=C3?=", "a" FFFD "b" FFFD },
	{ "=?x-unknown?q?a=E9=EA?=", "a" FFFD FFFD },
	{ "=?../x?q?a=E9?=", "=?../x?q?a=E9?=" },
	{ "=?..?q?a=E9?=", "a" FFFD },
	{ "=?utf-16be?b?AEEAQg==?=", "AB" },
	{ "=?utf-16be?b?2AA=?=", FFFD FFFD },		/* half a pair */
	{ "=?utf-7?q?+AGE-?=", "a" },
	/* Adjacent words, RFC 2047, 6.2 and 8. */
	{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?a?= b", "a b" },
	{ "x =?utf-8?q?a?=", "x a" },
	{ "=?utf-8?q?a_?= =?utf-8?q?b?=", "a b" },
	{ "=?iso-8859-1?q?=E9?= =?utf-8?q?=C3=A9?=", "\xc3\xa9\xc3\xa9" },
	/* A character cut between words. */
	{ "=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "\xe2\x82\xac" },
	{ "=?utf-8?b?4oI=?= x =?utf-8?b?rA==?=", FFFD FFFD " x " FFFD },
	{ "=?gb2312?q?=C4?= =?GB2312?q?=E3?=", "\xe4\xbd\xa0" },
	/* As mail programs take them. */
	{ "a=?utf-8?q?b?=c", "abc" },
	{ "=?utf-8?q?a b?=", "a b" },
	{ "\"=?utf-8?q?a?=\"", "\"a\"" },
	/* No words. */
	{ "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "=??q?a?=", "=??q?a?=" },
	{ "=?utf-8?q?a?b?=", "=?utf-8?q?a?b?=" },
	{ "=?=?=?", "=?=?=?" },
	{ "=?utf-8?q?\?=", "" },
	{ "=?utf-8?q?a=?=", "a=" },
	{ "=?utf-8?q?a=4?=", "a=4" },
	{ "=?utf-8?b?YQ?=", "a" },
	{ "=?utf-8?b?Y?=", "" },
	{ "=?utf-8?b?Y%Q=?=", "a" },
	/* Nothing breaks out of the line. */
	{ "=?utf-8?q?a=0D=0Ab=00c?=", "a  b" FFFD "c" },
};

static void
decodes(void **state)
{
	const struct str *got;

	(void)state;
	for (size_t i = 0; i < COUNT(decoded); i++) {
		got = message_decode(arena, str_of(decoded[i].raw));
		assert_non_null(got);
		assert_str(*got, decoded[i].text, decoded[i].raw);
	}
}

/* Work and memory grow with the input only. */
static void
decodes_long_values(void **state)
{
	static const char *const parts[] = {
		"=?", "=?a?q?", "=?utf-8?q?x?=", "=?utf-8?q?x?= ", "=", "?",
		"=?gb2312?b?/w==?= =?koi8-r?q?=ff?=", "\xff", "\r\n ",
		"=?utf-7?q?+?=", "=?hz-gb-2312?q?~{?=",
	};
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		b.n = 0;
		while (b.n < 300000)
			strbuf_puts(&b, parts[i]);
		assert_non_null(message_decode(arena, strbuf_slice(&b)));
		(void)message_mailboxes(arena, strbuf_slice(&b));	/* or a limit */
		assert_true(arena_size(arena) < 20000000);
		arena_reset(arena);
	}
	strbuf_free(&b);
}

static const struct { const char *text, *raw; } encoded[] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "[EXTERNAL]", "[EXTERNAL]" },
	{ "caf\xc3\xa9", "=?utf-8?q?caf=C3=A9?=" },
	{ "[x] caf\xc3\xa9 y", "[x] =?utf-8?q?caf=C3=A9?= y" },
	{ "\xc3\xa9 \xc3\xa8", "=?utf-8?q?=C3=A9_=C3=A8?=" },
	{ "=?x?= \xc3\xa9_?", "=?utf-8?q?=3D=3Fx=3F=3D_=C3=A9=5F=3F?=" },
	{ "a\nb", "a b" },
	{ "a\xff", "=?utf-8?q?a=EF=BF=BD?=" },
};

static void
encodes(void **state)
{
	struct str raw;
	struct strbuf b = { 0 };
	size_t line;

	(void)state;
	for (size_t i = 0; i < COUNT(encoded); i++) {
		raw = message_encode(arena, str_of(encoded[i].text));
		assert_str(raw, encoded[i].raw, encoded[i].text);
	}
	/* Long text: no word above 75, and back to what it was. */
	for (size_t i = 0; i < 200; i++)
		strbuf_puts(&b, i % 3 ? "\xe2\x82\xac" : "x=");
	raw = message_encode(arena, strbuf_slice(&b));
	for (size_t i = line = 0; i < raw.n; i++) {
		line = raw.p[i] == '\n' ? 0 : line + 1;
		assert_true(line <= 76);
	}
	assert_true(str_eq(*message_decode(arena, raw), strbuf_slice(&b)));
	strbuf_free(&b);
}

/* ---- Addresses ---- */

#define BAD	"!"		/* malformed */

/* "name|text" each, after BAD where the field is malformed. */
static const struct { const char *raw, *boxes; } lists[] = {
	{ "a@example.com", "|a@example.com" },
	{ " A.B@Example.COM ", "|A.B@example.com" },
	{ "Ann <a@example.com>", "Ann|a@example.com" },
	{ "\"Ann, B.\" <a@example.com>", "Ann, B.|a@example.com" },
	{ "\"Ann \\\"B\\\"\" <a@example.com>", "Ann \"B\"|a@example.com" },
	{ "Ann B. Smith <a@example.com>", "Ann B. Smith|a@example.com" },
	{ "=?utf-8?q?Caf=C3=A9?= =?utf-8?q?_Ann?= <a@example.com>", "Caf\xc3\xa9 Ann|a@example.com" },
	{ "\"=?utf-8?q?Ann?=\" <a@example.com>", "Ann|a@example.com" },
	{ "a@example.com (Ann)", "Ann|a@example.com" },
	{ "a@example.com, Bob <b@example.org>", "|a@example.com Bob|b@example.org" },
	{ ",a@example.com,,b@example.org,", "|a@example.com |b@example.org" },
	{ "\"a b\"@example.com", "|\"a b\"@example.com" },
	{ "<@x.example,@y.example:a@example.com>", "|a@example.com" },
	{ "a (x) @ (y) example.com", "x y|a@example.com" },
	{ "a@[192.0.2.1]", "|a@[192.0.2.1]" },
	{ "a@b\xc3\xbc" "cher.example", "|a@xn--bcher-kva.example" },
	{ "staff: a@example.com, B <b@example.org>;", "|a@example.com B|b@example.org" },
	{ "undisclosed-recipients:;", "" },
	{ "g:;, a@example.com", "|a@example.com" },
	{ "Pete(A \\) chap) <pete(his)@silly.test(host)>", "Pete|pete@silly.test" },
	/* What forgers send. */
	{ "", BAD },
	{ "<>", BAD },
	{ "undisclosed", BAD },
	{ "a@", BAD },
	{ "@example.com", BAD },
	{ "<a@example.com", BAD "|a@example.com" },
	{ "a@example.com>", BAD "|a@example.com" },
	{ "a@b@example.com", BAD "|a@b |b@example.com" },
	{ "a@example..com", BAD "|a@example..com" },
	{ "a@example.com.", BAD "|a@example.com" },
	{ "x@evil.example <a@example.com>", BAD "x@evil.example|a@example.com" },
	{ "<x@evil.example> <a@example.com>", BAD "|x@evil.example |a@example.com" },
	{ "<x@evil.example> a@example.com", BAD "|x@evil.example" },
	{ "x@evil.example a@example.com", BAD "|x@evil.example |a@example.com" },
	{ "bar a@example.com", BAD "|a@example.com" },
	{ "Mail From:<a@example.com>", BAD "|a@example.com" },
	{ "a@example.com; b@example.org", BAD "|a@example.com |b@example.org" },
	{ "(a@example.com", BAD "|(a@example.com" },
	{ "\"Ann <a@example.com>", BAD "\"Ann|a@example.com" },
	{ "a@exam(x)ple.com", BAD "|a@exam" },
	{ "a@machine(x).example", BAD "x|a@machine.example" },
	{ "=?utf-8?q?a?=@example.com", BAD "|=?utf-8?q?a?=@example.com" },
	{ "a\x01@example.com", BAD "|a\x01@example.com" },
	{ "\xff@example.com", BAD "|\xff@example.com" },
	{ "g: a@example.com", BAD "|a@example.com" },
	{ "g: h: a@example.com;", BAD "|a@example.com" },
	{ "a@example.com: b@example.org;", BAD "|a@example.com |b@example.org" },
};

static void
reads_addresses(void **state)
{
	const struct mailbox_list *list;
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		list = message_mailboxes(arena, str_of(lists[i].raw));
		assert_non_null(list);
		b.n = 0;
		strbuf_puts(&b, list->malformed ? BAD : "");
		for (size_t k = 0; k < list->n; k++) {
			strbuf_puts(&b, k > 0 ? " " : "");
			strbuf_str(&b, list->names[k]);
			strbuf_putc(&b, '|');
			strbuf_str(&b, list->v[k].text);
		}
		assert_str(strbuf_slice(&b), lists[i].boxes, lists[i].raw);
	}
	strbuf_free(&b);
}

static void
splits_addresses(void **state)
{
	const struct mailbox_list *list;

	(void)state;
	list = message_mailboxes(arena, STR("\"a \\\" b\".c@Example.ORG"));
	assert_int_equal(list->n, 1);
	assert_str(list->v[0].local, "a \" b.c", "local");
	assert_str(list->v[0].domain, "example.org", "domain");
	assert_str(list->v[0].text, "\"a \\\" b\".c@example.org", "text");
	assert_null(list->names[0].p);
}

static void
limits_addresses(void **state)
{
	const struct mailbox_list *list;
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		strbuf_puts(&b, "a@b.example,\n ");
	list = message_mailboxes(arena, strbuf_slice(&b));
	assert_int_equal(list->n, 5000);
	assert_false(list->malformed);
	for (size_t i = 0; i < 6000; i++)
		strbuf_puts(&b, "a@b.example,\n ");
	assert_null(message_mailboxes(arena, strbuf_slice(&b)));
	b.n = 0;
	for (size_t i = 0; i < 60; i++)
		strbuf_puts(&b, "(");
	for (size_t i = 0; i < 60; i++)
		strbuf_puts(&b, ")");
	strbuf_puts(&b, "a@b.example");
	list = message_mailboxes(arena, strbuf_slice(&b));
	assert_int_equal(list->n, 1);
	assert_true(list->malformed);
	strbuf_free(&b);
}

/* ---- Message files ---- */

/* "name=value" each, then the body. */
static const struct { const char *text, *fields, *body; } files[] = {
	{ "", "", "" },
	{ "A: b\n\nbody\n", "A= b;", "body\n" },
	{ "A: b\r\nC:d\r\n\r\nbody\r\n", "A= b;C=d;", "body\r\n" },
	{ "A: b\r\n  c\r\n\td\r\n\r\n", "A= b\r\n  c\r\n\td;", "" },
	{ "A: b", "A= b;", "" },
	{ "A : b\nC\t :d\n", "A = b;C\t =d;", "" },
	{ "A:\nB: \n\n", "A=;B= ;", "" },
	{ "From x@y Sun Jan 1\nA: b\n\nz", "A= b;", "z" },
	{ "From : x@y\nA: b\n\nz", "From = x@y;A= b;", "z" },
	{ "A: b\nno field\nC: d\n", "A= b;", "no field\nC: d\n" },
	{ "A: b\nFrom x\n\n", "A= b;", "From x\n\n" },
	{ " fold first\nA: b\n", "", " fold first\nA: b\n" },
	{ "\nbody", "", "body" },
	{ "\r\nbody", "", "body" },
	{ "A: b\rc\n\n", "A= b\rc;", "" },
	{ ": x\n", "", ": x\n" },
};

static void
splits_files(void **state)
{
	struct message_file m;
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		assert_int_equal(message_split(arena, str_of(files[i].text), &m), 0);
		b.n = 0;
		strbuf_puts(&b, "");
		for (size_t k = 0; k < m.nfields; k++) {
			strbuf_str(&b, m.fields[k].name);
			strbuf_putc(&b, '=');
			strbuf_str(&b, m.fields[k].raw);
			strbuf_putc(&b, ';');
		}
		assert_str(strbuf_slice(&b), files[i].fields, files[i].text);
		assert_str(m.body, files[i].body, files[i].text);
	}
	strbuf_free(&b);
}

static const struct { const char *received, *ip, *helo, *name, *rcpt; } origins[] = {
	/* Postfix */
	{ "from mail.example.com (mx.example.com [192.0.2.1])\n by x (Postfix) with ESMTP id 1\n for <bob@example.org>; Mon",
	    "192.0.2.1", "mail.example.com", "mx.example.com", "bob@example.org" },
	{ "from h (unknown [IPv6:2001:db8::1]) by x", "2001:db8::1", "h", "", "" },
	{ "from h (a.example [192.0.2.1]) (using TLSv1.3 (256/256 bits)) (No client certificate) by x",
	    "192.0.2.1", "h", "a.example", "" },
	/* Sendmail */
	{ "from h.example (root@a.example [192.0.2.1] (may be forged)) by x", "192.0.2.1", "h.example", "a.example", "" },
	{ "from [192.0.2.7] ([192.0.2.7]) by x", "192.0.2.7", "[192.0.2.7]", "", "" },
	/* Exim */
	{ "from a.example ([192.0.2.1]:2525 helo=h.example) by x with esmtp (Exim 4.96) (envelope-from <u@v>) id 1 for bob@example.org",
	    "192.0.2.1", "h.example", "", "bob@example.org" },
	{ "from [192.0.2.1] (helo=h.example) by x", "192.0.2.1", "h.example", "", "" },
	/* qmail */
	{ "from unknown (HELO h.example) (192.0.2.1) by x with SMTP", "192.0.2.1", "h.example", "", "" },
	{ "from a.example (HELO h.example) (user@192.0.2.1)\n  by x", "192.0.2.1", "h.example", "", "" },
	/* Exchange */
	{ "from H.example (192.0.2.1) by X (192.0.2.2) with Microsoft SMTP", "192.0.2.1", "H.example", "", "" },
	{ "from H.example (2001:db8::1) by X", "2001:db8::1", "H.example", "", "" },
	/* None */
	{ "by x (Postfix, from userid 1000) id 1", "", "", "", "" },
	{ "from localhost by x with LMTP id 1 for <bob@example.org>", "", "", "", "" },
	{ "from ((((", "", "", "", "" },
	{ "from", "", "", "", "" },
	{ "from h ([999.0.2.1]) by x", "", "", "", "" },
};

static void
finds_origins(void **state)
{
	struct message_file m;
	struct message_origin o;
	struct strbuf ip = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(origins); i++) {
		const char *of = origins[i].received;

		assert_int_equal(message_split(arena, str_printf(arena,
		    "Return-Path: <s@example.net>\nReceived: %s\n\n", of), &m), 0);
		message_origin(arena, &m, &o);
		ip.n = 0;
		strbuf_puts(&ip, "");
		if (o.has_ip)
			ipaddr_print(&o.ip, &ip);
		assert_str(strbuf_slice(&ip), origins[i].ip, of);
		assert_str(o.helo, origins[i].helo, of);
		assert_str(o.client_name, origins[i].name, of);
		assert_str(o.rcpt, origins[i].rcpt, of);
		assert_str(o.sender, "s@example.net", of);
	}
	strbuf_free(&ip);
	/* The topmost that names an address; <> is a sender. */
	assert_int_equal(message_split(arena, STR("Return-Path\t : <>\n"
	    "Received: by x (Postfix, from userid 1)\n"
	    "Received : from a ([192.0.2.1])\n"
	    "Received: from b ([192.0.2.2])\n\n"), &m), 0);
	message_origin(arena, &m, &o);
	assert_str(o.helo, "a", "topmost");
	assert_non_null(o.sender.p);
	assert_int_equal(o.sender.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decodes, setup, teardown),
		cmocka_unit_test_setup_teardown(decodes_long_values, setup, teardown),
		cmocka_unit_test_setup_teardown(encodes, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(splits_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(splits_files, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_origins, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
