/* test_authres.c - Authentication-Results written, and forged ones known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "filter/authres.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

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
expect(const struct authres *r, const char *want)
{
	struct str got = authres_write(arena, r);

	if (!str_eq(got, str_of(want)))
		fail_msg("\"" STR_FMT "\", not \"%s\"", STR_ARG(got), want);
}

static void
writes_methods(void **state)
{
	const struct spf_answer pass = { .result = SPF_R_PASS };
	const struct spf_answer temp = { .result = SPF_R_TEMPERROR, .reason = STR("time-out") };
	const struct dkim_signature sig[] = {
		{ .result = DKIM_R_PASS, .domain = STR("example.com"), .selector = STR("s1"),
		  .algorithm = STR("rsa-sha256"), .identity = STR("@example.com"), .tag = STR("ab/d+fgh") },
		{ .result = DKIM_R_FAIL, .domain = STR("example.org"), .selector = STR("s2"),
		  .algorithm = STR("ed25519-sha256"), .identity = STR("u@x.example.org"),
		  .reason = STR("the body hash differs"), .tag = STR("abcdefgh") },
	};
	const struct dkim_answer none = { .n = 0 }, two = { sig, 2 };
	const struct dmarc_answer fail = { .result = DMARC_R_FAIL, .has_policy = true,
	    .policy = DMARC_P_REJECT, .from = STR("x.example.com"), .domain = STR("example.com") };
	const struct dmarc_answer lost = { .result = DMARC_R_TEMPERROR,
	    .from = STR("example.com"), .reason = STR("_dmarc.example.com: timeout") };
	const struct arc_answer unsealed = { .result = ARC_R_NONE };
	const struct arc_answer sealed = { .result = ARC_R_PASS, .sealer = STR("a.example"),
	    .oldest_pass = 2 };
	const struct arc_answer undecided = { .result = ARC_R_TEMPERROR,
	    .reason = STR("ARC-Seal 1: the key lookup failed") };
	struct authres r = { .authserv_id = STR("mx.example.org") };

	(void)state;
	expect(&r, "mx.example.org; none");
	r.dmarc = &fail;
	expect(&r, "mx.example.org;\n\tdmarc=fail (p=reject) header.from=x.example.com");
	r.dmarc = &lost;
	expect(&r, "mx.example.org;\n\tdmarc=temperror reason=\"_dmarc.example.com: timeout\"\n"
	    "\theader.from=example.com");
	r.dmarc = NULL;
	r.arc = &unsealed;
	expect(&r, "mx.example.org;\n\tarc=none");
	r.arc = &sealed;
	r.remote_ip = STR("2001:db8::1");
	expect(&r, "mx.example.org;\n\tarc=pass header.oldest-pass=2 smtp.remote-ip=\"2001:db8::1\"");
	/* RFC 8617, 5.2.1: to others a lookup that failed is a failure. */
	r.arc = &undecided;
	expect(&r, "mx.example.org;\n\tarc=fail reason=\"ARC-Seal 1: the key lookup failed\"\n"
	    "\tsmtp.remote-ip=\"2001:db8::1\"");
	r.arc = NULL;
	r.spf = &pass;
	r.mailfrom = STR("u@example.net");
	expect(&r, "mx.example.org;\n\tspf=pass smtp.mailfrom=u@example.net");
	r.dkim = &none;
	expect(&r, "mx.example.org;\n\tspf=pass smtp.mailfrom=u@example.net;\n\tdkim=none");
	/* The null sender is checked by its HELO, and once. */
	r.dkim = NULL;
	r.mailfrom = STR("");
	r.helo = STR("h.example.net");
	r.spf_helo = &temp;
	expect(&r, "mx.example.org;\n\tspf=pass smtp.helo=h.example.net");
	r.mailfrom = STR("example.net");
	expect(&r, "mx.example.org;\n\tspf=pass smtp.mailfrom=example.net;\n"
	    "\tspf=temperror reason=time-out smtp.helo=h.example.net");
	r.spf = r.spf_helo = NULL;
	r.dkim = &two;
	expect(&r, "mx.example.org;\n"
	    "\tdkim=pass header.d=example.com header.s=s1 header.a=rsa-sha256\n"
	    "\theader.b=\"ab/d+fgh\";\n"
	    "\tdkim=fail reason=\"the body hash differs\" header.d=example.org\n"
	    "\theader.i=u@x.example.org header.s=s2 header.a=ed25519-sha256\n"
	    "\theader.b=abcdefgh");
}

/* A pass that covers less than readers take it to. */
static void
tells_what_is_not_signed(void **state)
{
	const struct value parts[] = { { .n = PART_SUBJECT }, { .n = PART_FROM }, { .n = PART_BODY } };
	struct dkim_signature sig = { .result = DKIM_R_PASS, .domain = STR("example.com"),
	    .unsigned_parts = { parts, 1 } };
	const struct dkim_answer one = { &sig, 1 };
	struct authres r = { .authserv_id = STR("mx.example.org"), .dkim = &one };

	(void)state;
	expect(&r, "mx.example.org;\n\tdkim=pass header.d=example.com");
	sig.unsigned_parts.n = 3;
	sig.partial = true;
	expect(&r, "mx.example.org;\n\tdkim=pass (a From field is not signed) (a part of the body is not signed)\n"
	    "\theader.d=example.com");
	sig.result = DKIM_R_POLICY;
	expect(&r, "mx.example.org;\n\tdkim=policy header.d=example.com");
}

/* As smtp.mailfrom; NULL where it must be left out. */
static const struct { const char *value, *written; } values[] = {
	{ "u@example.com", "u@example.com" },
	{ "u+x=y@example.com", "u+x=y@example.com" },
	{ "example.com", "example.com" },
	{ "\"a b\"@example.com", "\"\\\"a b\\\"@example.com\"" },
	{ "a;dkim=pass@example.com", "\"a;dkim=pass@example.com\"" },
	{ "a (x)@example.com", "\"a (x)@example.com\"" },
	{ "a\\\"b@example.com", "\"a\\\\\\\"b@example.com\"" },
	{ "a..b@example.com", "\"a..b@example.com\"" },
	{ "a@b@example.com", "\"a@b@example.com\"" },
	{ "a@[192.0.2.1]", "\"a@[192.0.2.1]\"" },
	{ "a\r\nX: y@example.com", "example.com" },
	{ "\xc3\xbc@example.com", "example.com" },
	{ "\xc3\xbc@\xc3\xbc.example", NULL },
	{ "a\nb", NULL },
};

static void
writes_values_safely(void **state)
{
	const struct spf_answer fail = { .result = SPF_R_FAIL };
	struct authres r = { .authserv_id = STR("mx"), .spf = &fail };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		r.mailfrom = str_of(values[i].value);
		expect(&r, values[i].written == NULL ? "mx;\n\tspf=fail" :
		    str_printf(arena, "mx;\n\tspf=fail smtp.mailfrom=%s",
		    values[i].written).p);
	}
}

static void
limits_the_field(void **state)
{
	static char big[2000];
	static struct dkim_signature sig[500];
	const struct dkim_answer many = { sig, COUNT(sig) };
	const struct spf_answer fail = { .result = SPF_R_FAIL };
	struct authres r = { .authserv_id = STR("mx"), .spf = &fail,
	    .mailfrom = { big, sizeof(big) } };

	(void)state;
	memset(big, 'x', sizeof(big));
	expect(&r, "mx;\n\tspf=fail");
	for (size_t i = 0; i < COUNT(sig); i++)
		sig[i].domain = STR("example.com");
	r.dkim = &many;
	assert_true(authres_write(arena, &r).n < 2000);
}

/* None that counts can be pushed out of it. */
static void
puts_first_what_passed(void **state)
{
	static struct dkim_signature sig[30];
	const struct dkim_answer many = { sig, COUNT(sig) };
	struct authres r = { .authserv_id = STR("mx"), .dkim = &many };
	struct str got;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(sig); i++)
		sig[i] = (struct dkim_signature){ .result = DKIM_R_POLICY,
		    .domain = STR("unread.example"), .unread = true };
	sig[24] = (struct dkim_signature){ .result = DKIM_R_FAIL, .domain = STR("read.example") };
	sig[29] = (struct dkim_signature){ .result = DKIM_R_PASS, .domain = STR("passed.example") };
	got = authres_write(arena, &r);
	assert_true(str_istarts(got, STR("mx;\n\tdkim=pass header.d=passed.example;\n"
	    "\tdkim=fail header.d=read.example;\n\tdkim=policy header.d=unread.example;\n")));
	for (size_t i = 0; i < got.n; i++)
		n += got.p[i] == ';';
	assert_int_equal(n, 20);
}

/* The id is mx.example.org. */
static const struct { const char *value; bool claims; } fields[] = {
	{ "mx.example.org; spf=pass", true },
	{ "mx.example.org", true },
	{ " MX.Example.ORG 1; none", true },
	{ "mx.example.org.; none", true },
	{ "(c (d)) mx.example.org(e);none", true },
	{ "\"mx.example.org\"; none", true },
	{ "\"mx.exam\\ple.org\"; none", true },
	{ "mx . example (x) .org; none", true },
	{ "mx.example.org\n\t; none", true },
	{ "; mx.example.org; none", true },
	{ "(mx.example.org; none", true },	/* never closed: who knows */
	{ "\"mx.example.org; none", true },
	{ "xmx.example.org; none", false },
	{ "mx.example.orgx; none", false },
	{ "mx.example.org.evil.example; none", false },
	{ "a.mx.example.org; none", false },
	{ "mx.example; none", false },
	{ "other.example; spf=pass smtp.mailfrom=mx.example.org", false },
	{ "other.example (mx.example.org)", false },
	{ "(mx.example.org) other.example", false },
	{ "mx.example.org/1; none", true },
	{ "mx.example.org:25; none", true },
	{ "<mx.example.org>; none", true },
	{ "'mx.example.org'; none", true },
	{ "\xc2\xa0mx.example.org; none", true },
	{ "\xe2\x80\x83mx.example.org; none", true },
	{ "\xe3\x80\x80mx\xe2\x80\x8b.example.org\xe2\x81\xa0; none", true },
	{ "\xe2\x80\x90mx.example.org; none", false },
	{ "\xef\xbb\xbfmx.example.org; none", true },
	{ "mx.example.org\xc2\xa0; none", true },
	{ "mx.example.org\xef\xbb\xbf; none", true },
	{ "mx\xef\xbc\x8e" "example.org; none", true },	/* a wide dot */
	{ "mx.ex\xc3\xa4mple.org; none", false },
	/* Whatever else some reader may see in it. */
	{ "\r\n mx.example.org;\r\n\tspf=pass", true },
	{ "mx.example.org spf=pass", true },
	{ "mx.example.org dkim=pass; spf=pass", true },
	{ "mx.example.org, spf=pass", true },
	{ "mx.example.org=1; spf=pass", true },
	{ "mx.example.org@; spf=pass", true },
	{ "mx.example.org[192.0.2.1]; spf=pass", true },
	{ "mx.example.org|spf=pass", true },
	{ "mx.example.org..; spf=pass", true },
	{ "mx.example.org (v) 1; spf=pass", true },
	{ "mx.example.org 99; spf=pass", true },
	{ "\"mx.example.org.\" 1; spf=pass", true },
	{ "\"mx\".example.org; spf=pass", true },
	{ "mx.\"example.org\"; spf=pass", true },
	{ "\" mx.example.org \"; spf=pass", true },
	{ "\"\"mx.example.org; spf=pass", true },
	{ "[mx.example.org]; spf=pass", true },
	{ ": mx.example.org; spf=pass", true },
	{ ". mx.example.org; spf=pass", true },
	{ "@mx.example.org; spf=pass", true },
	{ "(a\\)b) mx.example.org; spf=pass", true },
	{ "()\t(\n )mx.example.org(); spf=pass", true },
	{ "i=1; mx.example.org; spf=pass", true },
	{ "v=1; mx.example.org; spf=pass", true },
	{ "none; mx.example.org; spf=pass", true },
	{ "other.example; mx.example.org; spf=pass", true },
	{ "other.example; spf=pass; (x) \"mx.example.org\" 1; spf=pass", true },
	{ "\"other.example; mx.example.org; spf=pass", true },
	{ "=?utf-8?q?mx.example.org?=; spf=pass", false },
	{ "other.example; spf=pass reason=\"a; mx.example.org b\"", false },
	{ "other.example (a; mx.example.org b); spf=pass", false },
	{ "other.example; mx=pass; none=mx.example.org", false },
	{ "other.example; spf=pass smtp.helo=mx.example.org; dkim=none", false },
	{ "other.example; mx.example.org.uk; none", false },
	{ "mx.example.org-x; none", false },
	{ "mx.example.org_; none", false },
	{ "mx.example.org.a; none", false },
	{ "mx example.org", false },
	{ "", false },
	{ " \n ", false },
};

static void
knows_forged_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++)
		if (authres_claims(str_of(fields[i].value),
		    STR("mx.example.org")) != fields[i].claims)
			fail_msg("\"%s\"", fields[i].value);
	assert_true(authres_claims(STR("mx.example.org\0.evil.example; x"),
	    STR("mx.example.org")));
	assert_false(authres_claims(STR("anything"), STR("")));
}

static void
knows_names_in_other_scripts(void **state)
{
	static const struct { const char *value; bool claims; } names[] = {
		{ "mx.b\xc3\xbc" "cher.example; none", true },
		{ "MX.B\xc3\x9c" "CHER.example 1; none", true },
		{ "\"mx.b\xc3\xbc" "cher.example\"; none", true },
		{ "mx . b\xc3\xbc" "cher (x) . example; none", true },
		{ "mx.b\xc3\xbc" "cher.example./1; none", true },
		{ "mx.XN--bcher-kva.example; none", true },
		{ "mx.b\xc3\xbc" "cher.example.net; none", false },
		{ "mx.bucher.example; none", false },
		{ "\xc3\xbc; none", false },
		{ "\xff\xfe; none", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (authres_claims(str_of(names[i].value),
		    STR("mx.xn--bcher-kva.example")) != names[i].claims)
			fail_msg("\"%s\"", names[i].value);
}

/* Each of them would be looked for to the end: 40 s for this one. */
static void
takes_unclosed_comments_for_ours(void **state)
{
	struct strbuf b = { .n = 0 };
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 150000; i++)
		strbuf_puts(&b, ";(");
	assert_true(authres_claims(strbuf_slice(&b), STR("mx.example.org")));
	assert_true(clock() - start < CLOCKS_PER_SEC);
	strbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_what_is_not_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_values_safely, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_the_field, setup, teardown),
		cmocka_unit_test_setup_teardown(puts_first_what_passed, setup, teardown),
		cmocka_unit_test_setup_teardown(knows_forged_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(knows_names_in_other_scripts, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_unclosed_comments_for_ours, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
