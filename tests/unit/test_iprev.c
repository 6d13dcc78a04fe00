/*
 * test_iprev.c - the client's name confirmed forward and back: each result of
 * RFC 8601, 2.7.3, of both families; and the fields that tell of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "filter/authres.h"
#include "filter/iprev.h"
#include "filter/received_spf.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NEST		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

static const char zone[] =
    "1.2.0.192.in-addr.arpa PTR Mail.Example.com\n"
    "mail.example.com A 192.0.2.1\n"
    "2.2.0.192.in-addr.arpa PTR mail.example.com\n"		/* another's name */
    "3.2.0.192.in-addr.arpa PTR gone.example.com\n"
    "4.2.0.192.in-addr.arpa PTR six.example.com\n"		/* of the other family */
    "six.example.com AAAA 2001:db8::1\n"
    "six.example.com A 192.0.2.77\n"
    "5.2.0.192.in-addr.arpa PTR z.example.com\n"			/* two that are right */
    "5.2.0.192.in-addr.arpa PTR b.example.com\n"
    "5.2.0.192.in-addr.arpa PTR a.example.com\n"
    "a.example.com A 192.0.2.99\n"
    "b.example.com A 192.0.2.98\n"
    "b.example.com A 192.0.2.5\n"
    "z.example.com A 192.0.2.5\n"
    "6.2.0.192.in-addr.arpa * SERVFAIL\n"
    "7.2.0.192.in-addr.arpa * TIMEOUT\n"
    "8.2.0.192.in-addr.arpa PTR lost.example.com\n"
    "8.2.0.192.in-addr.arpa PTR other.example.com\n"
    "lost.example.com * SERVFAIL\n"
    "other.example.com A 192.0.2.200\n"
    "9.2.0.192.in-addr.arpa PTR lost.example.com\n"		/* one fails, one is right */
    "9.2.0.192.in-addr.arpa PTR nine.example.com\n"
    "nine.example.com A 192.0.2.9\n"
    "10.2.0.192.in-addr.arpa CNAME 10.net.example.com\n"		/* RFC 2317 */
    "10.net.example.com PTR ten.example.com\n"
    "ten.example.com CNAME real.example.com\n"
    "real.example.com A 192.0.2.10\n"
    "11.2.0.192.in-addr.arpa TXT \"no name\"\n"
    "12.2.0.192.in-addr.arpa PTR a\\032b\\010c.example.com\n"	/* no host's name */
    "13.2.0.192.in-addr.arpa PTR under_score.example.com\n"
    "under_score.example.com A 192.0.2.13\n"
    "1.0.0.0." NEST " PTR six.example.com\n"
    "2.0.0.0." NEST " PTR six.example.com\n";

static const struct {
	const char *ip;
	enum iprev_result result;
	const char *name, *reason;
} cases[] = {
	{ "192.0.2.1", IPREV_R_PASS, "mail.example.com", "" },
	{ "192.0.2.2", IPREV_R_FAIL, NULL, "" },
	{ "192.0.2.3", IPREV_R_FAIL, NULL, "" },
	{ "192.0.2.4", IPREV_R_FAIL, NULL, "" },
	{ "192.0.2.5", IPREV_R_PASS, "b.example.com", "" },
	{ "192.0.2.6", IPREV_R_TEMPERROR, NULL, "PTR of 6.2.0.192.in-addr.arpa: servfail, the zone file says SERVFAIL" },
	{ "192.0.2.7", IPREV_R_TEMPERROR, NULL, "PTR of 7.2.0.192.in-addr.arpa: timeout, the zone file says TIMEOUT" },
	{ "192.0.2.8", IPREV_R_TEMPERROR, NULL, "A of lost.example.com: servfail, the zone file says SERVFAIL" },
	{ "192.0.2.9", IPREV_R_PASS, "nine.example.com", "" },
	{ "192.0.2.10", IPREV_R_PASS, "ten.example.com", "" },
	{ "192.0.2.11", IPREV_R_PERMERROR, NULL, "PTR of 11.2.0.192.in-addr.arpa: nodata" },
	{ "192.0.2.12", IPREV_R_FAIL, NULL, "" },
	{ "192.0.2.13", IPREV_R_PASS, "under_score.example.com", "" },
	{ "192.0.2.14", IPREV_R_PERMERROR, NULL, "PTR of 14.2.0.192.in-addr.arpa: nxdomain" },
	{ "::ffff:192.0.2.1", IPREV_R_PASS, "mail.example.com", "" },
	{ "2001:db8::1", IPREV_R_PASS, "six.example.com", "" },
	{ "2001:db8::2", IPREV_R_FAIL, NULL, "" },
	{ "2001:db8::3", IPREV_R_PERMERROR, NULL, NULL },
};

static struct resolver *
resolver_of(const char *text)
{
	struct strbuf why = { 0 };
	struct resolver *r = resolver_zone_text(str_of(text), &why);

	if (r == NULL)
		fail_msg("%s", why.p);
	return r;
}

static void
results(void **state)
{
	struct resolver *r = resolver_of(zone);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct iprev_answer *a;
		struct iprev_job *p;
		struct ipaddr ip;

		assert_int_equal(ipaddr_parse(str_of(cases[i].ip), &ip), 0);
		assert_non_null(p = iprev_begin(r, &ip));
		assert_true(iprev_is_done(p));
		assert_non_null(a = iprev_finish(p, 0));
		if (a->result != cases[i].result)
			fail_msg("%s: %s", cases[i].ip, type_of(T_IPREV)->words[a->result]);
		assert_int_equal(a->name.p != NULL, cases[i].name != NULL);
		if (cases[i].name != NULL && !str_eq(a->name, str_of(cases[i].name)))
			fail_msg("%s: " STR_FMT, cases[i].ip, STR_ARG(a->name));
		if (cases[i].reason != NULL && !str_eq(a->reason, str_of(cases[i].reason)))
			fail_msg("%s: " STR_FMT, cases[i].ip, STR_ARG(a->reason));
		iprev_end(p);
	}
	iprev_end(NULL);
	resolver_free(r);
}

/* Which of many names are looked at is not for the server's order to say. */
static void
order_of_many(void **state)
{
	const struct iprev_answer *a;
	struct iprev_job *p;
	struct ipaddr ip;

	(void)state;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	for (int from = 0; from < 12; from++) {
		struct strbuf text = { 0 };
		struct resolver *r;

		/* 12 names twice over, first that of a number, then those after it. */
		for (int i = 0; i < 24; i++)
			strbuf_printf(&text, "1.2.0.192.in-addr.arpa PTR n%02d.example.com\n",
			    (from + i) % 12);
		strbuf_puts(&text, "n09.example.com A 192.0.2.1\nn10.example.com A 192.0.2.1\n");
		r = resolver_of(text.p);
		p = iprev_begin(r, &ip);
		a = iprev_finish(p, 0);
		assert_int_equal(a->result, IPREV_R_PASS);
		assert_true(str_eq(a->name, STR("n09.example.com")));
		iprev_end(p);
		resolver_free(r);
		strbuf_free(&text);
	}
}

/* Who has a thousand names doesn't make us ask for all of them. */
static void
many_names(void **state)
{
	struct strbuf text = { 0 };
	const struct iprev_answer *a;
	uint64_t cached, asked;
	struct iprev_job *p;
	struct resolver *r;
	struct ipaddr ip;

	(void)state;
	for (int i = 0; i < 200; i++)
		strbuf_printf(&text, "1.2.0.192.in-addr.arpa PTR n%d.example.com\n"
		    "n%d.example.com A 192.0.2.200\n", i, i);
	r = resolver_of(text.p);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	p = iprev_begin(r, &ip);
	a = iprev_finish(p, 0);
	assert_int_equal(a->result, IPREV_R_FAIL);
	resolver_counts(r, &cached, &asked);
	assert_int_equal(asked, 1 + IPREV_NAMES);
	iprev_end(p);
	resolver_free(r);
	strbuf_free(&text);
}

/* ---- The fields ---- */

static void
expect(struct str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("\"" STR_FMT "\", not \"%s\"", STR_ARG(got), want);
}

static void
authentication_results(void **state)
{
	const struct iprev_answer pass = { .result = IPREV_R_PASS, .name = STR("mail.example.com") };
	const struct iprev_answer lost = { .result = IPREV_R_TEMPERROR,
	    .reason = STR("A of lost.example.com: timeout") };
	struct authres r = { .authserv_id = STR("mx"), .iprev = &pass, .remote_ip = STR("192.0.2.1") };
	struct arena *a = arena_new(0);

	(void)state;
	expect(authres_write(a, &r), "mx;\n\tiprev=pass policy.iprev=192.0.2.1");
	r.remote_ip = STR("2001:db8::1");
	r.iprev = &lost;
	expect(authres_write(a, &r), "mx;\n\tiprev=temperror reason=\"A of lost.example.com: timeout\"\n"
	    "\tpolicy.iprev=\"2001:db8::1\"");
	r.auth_user = STR("alice");
	r.iprev = NULL;
	expect(authres_write(a, &r), "mx;\n\tauth=pass smtp.auth=alice");
	r.auth_user = STR("alice@example.com");
	expect(authres_write(a, &r), "mx;\n\tauth=pass smtp.auth=alice@example.com");
	r.auth_user = STR("a; dkim=pass\"");
	expect(authres_write(a, &r), "mx;\n\tauth=pass smtp.auth=\"a; dkim=pass\\\"\"");
	r.auth_user = STR("a\r\nX: y");
	expect(authres_write(a, &r), "mx;\n\tauth=pass");
	arena_free(a);
}

static void
received_spf(void **state)
{
	struct spf_answer spf = { .result = SPF_R_PASS, .domain = STR("example.com"),
	    .mechanism = STR("ip4:192.0.2.0/24"), .reason = STR("") };
	struct received_spf r = { .spf = &spf, .sender = STR("a@example.com"),
	    .helo = STR("mail.example.com"), .receiver = STR("mx.example.org") };
	struct arena *a = arena_new(0);

	(void)state;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &r.client), 0);
	expect(received_spf_write(a, &r),
	    "pass (domain of example.com designates it as permitted sender: 192.0.2.1)\n"
	    "\tidentity=mailfrom; client-ip=192.0.2.1; helo=mail.example.com;\n"
	    "\tenvelope-from=\"a@example.com\"; receiver=mx.example.org;\n"
	    "\tmechanism=\"ip4:192.0.2.0/24\"");
	/* What the sender chose stays where it is put. */
	spf = (struct spf_answer){ .result = SPF_R_TEMPERROR, .domain = STR("x).example"),
	    .mechanism = STR(""), .reason = STR("TXT of x: \"timeout\"") };
	r.sender = STR("\"a\\\" ; b\"@x).example");
	r.helo = STR("h\r\nX: y");
	r.receiver = STR("");
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &r.client), 0);
	expect(received_spf_write(a, &r),
	    "temperror\n\tidentity=mailfrom; client-ip=\"2001:db8::1\";\n"
	    "\tenvelope-from=\"\\\"a\\\\\\\" ; b\\\"@x).example\"; "
	    "problem=\"TXT of x: \\\"timeout\\\"\"");
	/* The null sender. */
	spf = (struct spf_answer){ .result = SPF_R_NONE, .domain = STR("h.example"),
	    .mechanism = STR(""), .reason = STR("h.example has no SPF record") };
	r.sender = STR("");
	r.helo = STR("h.example");
	expect(received_spf_write(a, &r),
	    "none (domain of h.example has no SPF record)\n"
	    "\tidentity=helo; client-ip=\"2001:db8::1\"; helo=h.example;\n"
	    "\tproblem=\"h.example has no SPF record\"");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(order_of_many),
		cmocka_unit_test(many_names),
		cmocka_unit_test(authentication_results),
		cmocka_unit_test(received_spf),
	};

	return cmocka_run_group_tests_name("iprev", tests, NULL, NULL);
}
