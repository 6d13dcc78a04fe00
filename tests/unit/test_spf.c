/*
 * test_spf.c - spf_check(), with libspf2 behind the gate, over a zone text.
 *
 * The suites of tests/conformance ask more; here is what they leave out:
 * which term matched, reasons, hostile records, limits, threads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "filter/spf.h"
#include "rules/arena.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define THREADS	4
#define ROUNDS	200

static struct spf_engine *engine;
static struct arena *arena;

static const char zone[] =
    "example.org TXT \"v=spf1 ip4:192.0.2.0/28 a:a.example.org "
	"mx:example.org ptr:example.org include:inc.example.org "
	"exists:%{l}.%{d} -all exp=exp.example.org\"\n"
    "example.org MX 10 mx.example.org\n"
    "exp.example.org TXT \"%{i} is none of %{d}'s; ask %{r}\"\n"
    "a.example.org A 192.0.2.16\n"
    "mx.example.org A 192.0.2.17\n"
    "18.2.0.192.in-addr.arpa PTR ptr.example.org\n"
    "18.2.0.192.in-addr.arpa PTR other.example.com\n"
    "ptr.example.org A 192.0.2.18\n"
    "inc.example.org TXT \"v=spf1 ip4:192.0.2.19 ~ip4:192.0.2.20 -all\"\n"
    "known.example.org A 127.0.0.2\n"
    "redir.example.org TXT \"v=spf1 ip4:192.0.2.1 redirect=example.org\"\n"
    "soft.example.org TXT \"v=spf1 ~all redirect=example.org\"\n"
    "nothing.example.org TXT \"v=spf1 ip4:10.0.0.0/8\"\n"
    "loop.example.org TXT \"v=spf1 include:loop.example.org -all\"\n"
    "loop2.example.org TXT \"v=spf1 redirect=loop2.example.org\"\n"
    "twice.example.org TXT \"v=spf1 -all\"\n"
    "twice.example.org TXT \"v=spf1 +all\"\n"
    "gone.example.org TXT SERVFAIL\n"
    "slow.example.org TXT TIMEOUT\n"
    "incgone.example.org TXT \"v=spf1 include:gone.example.org -all\"\n"
    "agone.example.org TXT \"v=spf1 a:dead.example.org -all\"\n"
    "mxgone.example.org TXT \"v=spf1 mx:dead.example.org -all\"\n"
    "dead.example.org * SERVFAIL\n"
    "incnone.example.org TXT \"v=spf1 include:a.example.org -all\"\n"
    "ptrother.example.org TXT \"v=spf1 ptr:ample.org ptr:x.example.org "
	"~ptr -all\"\n"
    "ptrgone.example.org TXT \"v=spf1 ptr:example.org -all\"\n"
    "99.2.0.192.in-addr.arpa * SERVFAIL\n"
    "zero.example.org TXT \"v=spf1 ip4:10.0.0.0/0 -all\"\n"
    "azero.example.org TXT \"v=spf1 a:a.example.org/0 -all\"\n"
    "local.example.org TXT \"v=spf1 ip4:127.0.0.0/30 a:l.example.org/24 "
	"-all\"\n"
    "l.example.org A 127.1.2.3\n"
    "local6.example.org TXT \"v=spf1 ip6:8000::1 a:l6.example.org -all\"\n"
    "l6.example.org AAAA ::1\n"
    "case.Example.Org TXT \"v=spf1 -all\"\n"
    "xn--bcher-kva.example TXT \"v=spf1 a:%{d}.x.example.org -all\"\n"
    "xn--bcher-kva.example.x.example.org A 192.0.2.30\n"
    "void.example.org TXT \"v=spf1 a:n1.example.org mx:n2.example.org "
	"exists:n3.example.org ip4:192.0.2.1 -all\"\n"
    "void2.example.org TXT \"v=spf1 a:n1.example.org mx:n2.example.org "
	"ip4:192.0.2.1 -all\"\n"
    "mxvoid.example.org TXT \"v=spf1 mx ip4:192.0.2.1 -all\"\n"
    "mxvoid.example.org MX 1 v1.example.org\n"
    "mxvoid.example.org MX 2 v2.example.org\n"
    "mxvoid.example.org MX 3 v3.example.org\n"
    "mxvoid.example.org MX 4 v4.example.org\n"
    "late.example.org TXT \"v=spf1 ip4:192.0.2.1 all -moo\"\n"
    /* CVE-2023-42118 and its kin: macros with long literals around them. */
    "cve1.example.org TXT \"v=spf1 a:%{d}LONG.example.org -all\"\n"
    "cve2.example.org TXT \"v=spf1 exists:LONG%{i}LONG.%{d2} -all\"\n"
    "cve3.example.org TXT \"v=spf1 include:%{l1r-}LONG%{v}.%{d} exp=%{S}LONG."
	"%{d} -all\"\n"
    "cve4.example.org TXT \"v=spf1 -all exp=cve4x.example.org\"\n"
    "cve4x.example.org TXT \"%{s}LONG%{i}LONG%{h}LONGLONG\"\n"
    "cve5.example.org TXT \"v=spf1 LONG=%{d}LONG a/24%{LONG -all\"\n"
    "cve6.example.org TXT \"v=spf1 redirect=%{h}LONGLONG.%{o}\"\n";

static const struct {
	const char *ip, *helo, *sender;
	enum spf_result result;
	const char *mechanism, *explanation;
} cases[] = {
#define FROM(ip, user, result, mech, exp) \
	{ ip, "mail.example.com", user, result, mech, exp }
	FROM("192.0.2.1", "u@example.org", SPF_R_PASS, "ip4:192.0.2.0/28", ""),
	FROM("::ffff:192.0.2.1", "u@example.org", SPF_R_PASS,
	    "ip4:192.0.2.0/28", ""),
	FROM("192.0.2.16", "u@example.org", SPF_R_PASS, "a:a.example.org", ""),
	FROM("192.0.2.17", "u@example.org", SPF_R_PASS, "mx:example.org", ""),
	FROM("192.0.2.18", "u@example.org", SPF_R_PASS, "ptr:example.org", ""),
	FROM("192.0.2.19", "u@example.org", SPF_R_PASS,
	    "include:inc.example.org", ""),
	FROM("192.0.2.20", "known@example.org", SPF_R_PASS,
	    "exists:%{l}.%{d}", ""),
	FROM("192.0.2.20", "u@example.org", SPF_R_FAIL, "-all",
	    "192.0.2.20 is none of example.org's; ask mx.test"),
	FROM("192.0.2.16", "u@redir.example.org", SPF_R_PASS,
	    "a:a.example.org", ""),
	FROM("198.51.100.1", "u@redir.example.org", SPF_R_FAIL, "-all",
	    "198.51.100.1 is none of example.org's; ask mx.test"),
	FROM("192.0.2.1", "u@soft.example.org", SPF_R_SOFTFAIL, "~all", ""),
	FROM("192.0.2.1", "u@nothing.example.org", SPF_R_NEUTRAL, "", ""),
	FROM("192.0.2.1", "u@example.com", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@a.example.org", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@loop.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@loop2.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@twice.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@gone.example.org", SPF_R_TEMPERROR, "", ""),
	FROM("192.0.2.1", "u@slow.example.org", SPF_R_TEMPERROR, "", ""),
	FROM("192.0.2.1", "u@incgone.example.org", SPF_R_TEMPERROR, "", ""),
	FROM("192.0.2.1", "u@agone.example.org", SPF_R_TEMPERROR, "", ""),
	FROM("192.0.2.1", "u@mxgone.example.org", SPF_R_TEMPERROR, "", ""),
	FROM("192.0.2.1", "u@incnone.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.99", "u@ptrgone.example.org", SPF_R_FAIL, "-all", ""),
	/* Neither a part of a label nor a name below the client's. */
	FROM("192.0.2.18", "u@ptrother.example.org", SPF_R_FAIL, "-all", ""),
	FROM("192.0.2.1", "u@zero.example.org", SPF_R_PASS, "ip4:10.0.0.0/0",
	    ""),
	FROM("2001:db8::1", "u@zero.example.org", SPF_R_FAIL, "-all", ""),
	FROM("203.0.113.1", "u@azero.example.org", SPF_R_PASS,
	    "a:a.example.org/0", ""),
	FROM("127.0.0.1", "u@local.example.org", SPF_R_PASS,
	    "ip4:127.0.0.0/30", ""),
	FROM("127.1.2.9", "u@local.example.org", SPF_R_PASS,
	    "a:l.example.org/24", ""),
	FROM("127.9.9.9", "u@local.example.org", SPF_R_FAIL, "-all", ""),
	FROM("255.0.0.1", "u@local.example.org", SPF_R_FAIL, "-all", ""),
	FROM("127.0.0.1", "u@nothing.example.org", SPF_R_NEUTRAL, "", ""),
	FROM("::1", "u@local6.example.org", SPF_R_PASS, "a:l6.example.org",
	    ""),
	FROM("8000::1", "u@local6.example.org", SPF_R_PASS, "ip6:8000::1",
	    ""),
	FROM("192.0.2.1", "u@CASE.EXAMPLE.ORG", SPF_R_FAIL, "-all", ""),
	FROM("192.0.2.1", "u@case.example.org.", SPF_R_FAIL, "-all", ""),
	FROM("192.0.2.30", "u@xn--bcher-kva.example", SPF_R_PASS,
	    "a:%{d}.x.example.org", ""),
	FROM("192.0.2.30", "u@b\xc3\xbc""cher.example", SPF_R_PASS,
	    "a:%{d}.x.example.org", ""),
	FROM("192.0.2.1", "u@void.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@void2.example.org", SPF_R_PASS, "ip4:192.0.2.1",
	    ""),
	FROM("192.0.2.1", "u@mxvoid.example.org", SPF_R_PASS,
	    "ip4:192.0.2.1", ""),
	FROM("192.0.2.1", "u@late.example.org", SPF_R_PERMERROR, "", ""),
	/* No domain that could have a record. */
	FROM("192.0.2.1", "u@localhost", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@a..example.org", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@[192.0.2.1]", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@192.0.2.1", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "@", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "root", SPF_R_NONE, "", ""),
	FROM("192.0.2.1", "u@\xff\xfe.example.org", SPF_R_NONE, "", ""),
	/* The null sender: HELO. */
	{ "192.0.2.16", "example.org", "", SPF_R_PASS, "a:a.example.org", "" },
	{ "192.0.2.16", "Example.Org.", "", SPF_R_PASS, "a:a.example.org", "" },
	{ "192.0.2.16", "[192.0.2.16]", "", SPF_R_NONE, "", "" },
	{ "192.0.2.16", "", "", SPF_R_NONE, "", "" },
	/* An address within quotes is no domain. */
	FROM("192.0.2.1", "\"u@example.com\"@example.org", SPF_R_PASS,
	    "ip4:192.0.2.0/28", ""),
	FROM("192.0.2.1", "u@cve1.example.org", SPF_R_FAIL, "-all", ""),
	FROM("192.0.2.1", "u@cve2.example.org", SPF_R_FAIL, "-all", ""),
	FROM("192.0.2.1", "u@cve3.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@cve5.example.org", SPF_R_PERMERROR, "", ""),
	FROM("192.0.2.1", "u@cve6.example.org", SPF_R_PERMERROR, "", ""),
};

/* LONG in the zone becomes 300 letters. */
static void
add_lengthened(struct strbuf *b, const char *p)
{
	int i;

	while (*p != '\0') {
		if (strncmp(p, "LONG", 4) == 0) {
			for (i = 0; i < 300; i++)
				strbuf_putc(b, 'A');
			p += 4;
		} else {
			strbuf_putc(b, *p++);
		}
	}
}

static struct resolver *
resolver_of(const char *text)
{
	struct strbuf b = { 0 }, why = { 0 };
	struct resolver *r;

	add_lengthened(&b, text);
	if ((r = resolver_zone_text(strbuf_slice(&b), &why)) == NULL)
		fail_msg("zone: %s", why.p);
	strbuf_free(&b);
	strbuf_free(&why);
	return r;
}

static const struct spf_answer *
check(struct resolver *r, struct arena *a, const char *ip, const char *helo,
    const char *sender)
{
	struct spf_query q = { .helo = str_of(helo), .sender = str_of(sender),
	    .receiver = STR("mx.test") };

	if (ipaddr_parse(str_of(ip), &q.ip) != 0)
		return NULL;
	return spf_check(engine, r, &q, clock_msec() + 10000, a);
}

static void
test_cases(void **state)
{
	struct resolver *r = resolver_of(zone);
	const struct spf_answer *sa;
	bool error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		sa = check(r, arena, cases[i].ip, cases[i].helo,
		    cases[i].sender);
		assert_non_null(sa);
		error = cases[i].result == SPF_R_TEMPERROR ||
		    cases[i].result == SPF_R_PERMERROR;
		if (sa->result != cases[i].result ||
		    !str_eq(sa->mechanism, str_of(cases[i].mechanism)) ||
		    !str_eq(sa->explanation, str_of(cases[i].explanation)) ||
		    (error && sa->reason.n == 0))
			fail_msg("%s from %s: %s, \"" STR_FMT "\", \"" STR_FMT
			    "\" (" STR_FMT ")", cases[i].sender, cases[i].ip,
			    type_of(T_SPF)->words[sa->result],
			    STR_ARG(sa->mechanism), STR_ARG(sa->explanation),
			    STR_ARG(sa->reason));
	}
	resolver_free(r);
}

static void
test_domain(void **state)
{
	struct resolver *r = resolver_of(zone);

	(void)state;
	assert_true(str_eq(check(r, arena, "192.0.2.1", "x",
	    "u@B\xc3\x9c""cher.Example")->domain,
	    STR("xn--bcher-kva.example")));
	assert_true(str_eq(check(r, arena, "192.0.2.1", "Mail.Example.Org",
	    "")->domain, STR("mail.example.org")));
	resolver_free(r);
}

/* CVE-2023-42118: an explanation that overran libspf2's buffers. */
static void
test_long_explanation(void **state)
{
	struct resolver *r = resolver_of(zone);
	const struct spf_answer *sa;

	(void)state;
	sa = check(r, arena, "192.0.2.1", "h", "u@cve4.example.org");
	assert_int_equal(sa->result, SPF_R_FAIL);
	assert_int_equal(sa->explanation.n, 500);
	assert_true(str_istarts(sa->explanation, STR("u@cve4.example.orgAAA")));
	resolver_free(r);
}

/* A zone of one big record, made of `times` copies of a term. */
static struct resolver *
resolver_of_terms(const char *term, size_t times, const char *end)
{
	struct strbuf b = { 0 };
	struct resolver *r;

	strbuf_puts(&b, "a.example.org A 192.0.2.1\n"
	    "big.example.org A 192.0.2.77\n"
	    "big.example.org MX 5 big.example.org\n"
	    "big.example.org TXT \"v=spf1 ");
	while (times-- > 0)
		strbuf_puts(&b, term);
	strbuf_puts(&b, end);
	strbuf_puts(&b, "\"\n");
	assert_false(b.failed);
	r = resolver_of(b.p);
	strbuf_free(&b);
	return r;
}

static const struct {
	const char *term;
	size_t times;
	const char *end;
	enum spf_result result;
	const char *mechanism;
} big[] = {
	/* libspf2 alone keeps 63 of these, and loses the last without a word. */
	{ "ip4:10.0.0.1 ",	1000, "ip4:192.0.2.1 -all", SPF_R_PASS,
	    "ip4:192.0.2.1" },
	{ "ip6:2001:db8::1 ",	1000, "~ip4:192.0.2.1 -all", SPF_R_SOFTFAIL,
	    "~ip4:192.0.2.1" },
	{ "ip4:10.0.0.1 ",	4000, "?all", SPF_R_NEUTRAL, "?all" },
	{ "a ",			10, "ip4:192.0.2.1", SPF_R_PASS,
	    "ip4:192.0.2.1" },
	{ "a ",			1000, "ip4:192.0.2.1", SPF_R_PERMERROR, "" },
	{ "a ",			11, "ip4:192.0.2.1", SPF_R_PERMERROR, "" },
	{ "mx ",		11, "ip4:192.0.2.1", SPF_R_PERMERROR, "" },
	{ "ptr ",		11, "ip4:192.0.2.1", SPF_R_PERMERROR, "" },
	{ "moo=%{d} ",		5000, "ip4:192.0.2.1", SPF_R_PASS,
	    "ip4:192.0.2.1" },
	{ "all ",		15000, "", SPF_R_PASS, "all" },
	{ "%{d}",		15000, "", SPF_R_PERMERROR, "" },
	{ "a:",			1, "LONGLONGLONGLONG.example.org -all",
	    SPF_R_FAIL, "-all" },
	{ "include:%{d}",	1, "LONGLONG.example.org", SPF_R_PERMERROR,
	    "" },
	{ "                ",	3900, "-all", SPF_R_FAIL, "-all" },
};

static void
test_big(void **state)
{
	const struct spf_answer *sa;
	struct resolver *r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(big); i++) {
		r = resolver_of_terms(big[i].term, big[i].times, big[i].end);
		sa = check(r, arena, "192.0.2.1", "h", "u@big.example.org");
		assert_non_null(sa);
		if (sa->result != big[i].result ||
		    !str_eq(sa->mechanism, str_of(big[i].mechanism)))
			fail_msg("%s: %s, \"" STR_FMT "\" (" STR_FMT ")",
			    big[i].term, type_of(T_SPF)->words[sa->result],
			    STR_ARG(sa->mechanism), STR_ARG(sa->reason));
		assert_true(sa->reason.n <= 500);
		resolver_free(r);
	}
}

/* 4.6.4: ten MX records are looked at, eleven are an error. */
static void
test_mx_limit(void **state)
{
	struct strbuf b = { 0 };
	struct resolver *r;
	int i, n;

	(void)state;
	for (n = 10; n <= 11; n++) {
		strbuf_printf(&b, "m%d.example.org TXT \"v=spf1 mx -all\"\n", n);
		for (i = 1; i <= n; i++)
			strbuf_printf(&b, "m%d.example.org MX %d "
			    "h%d.example.org\nh%d.example.org A 192.0.2.%d\n",
			    n, i, i, i, i);
	}
	r = resolver_of(b.p);
	assert_int_equal(check(r, arena, "192.0.2.10", "h",
	    "u@m10.example.org")->result, SPF_R_PASS);
	assert_int_equal(check(r, arena, "192.0.2.20", "h",
	    "u@m10.example.org")->result, SPF_R_FAIL);
	assert_int_equal(check(r, arena, "192.0.2.1", "h",
	    "u@m11.example.org")->result, SPF_R_PERMERROR);
	resolver_free(r);
	strbuf_free(&b);
}

/* A chain of includes: the tenth still counts, the eleventh is an error. */
static void
test_include_chain(void **state)
{
	struct strbuf b = { 0 };
	struct resolver *r;
	int i;

	(void)state;
	for (i = 0; i < 11; i++)
		strbuf_printf(&b, "i%d.example.org TXT \"v=spf1 "
		    "include:i%d.example.org -all\"\n", i, i + 1);
	strbuf_puts(&b, "i11.example.org TXT \"v=spf1 +all\"\n");
	r = resolver_of(b.p);
	assert_int_equal(check(r, arena, "192.0.2.1", "h",
	    "u@i1.example.org")->result, SPF_R_PASS);
	assert_int_equal(check(r, arena, "192.0.2.1", "h",
	    "u@i0.example.org")->result, SPF_R_PERMERROR);
	resolver_free(r);
	strbuf_free(&b);
}

/* A time that is over is a temperror, nothing else. */
static void
test_deadline(void **state)
{
	struct resolver *r = resolver_of("slow.example.org TXT \"v=spf1 "
	    "ptr:example.org a:x.example.org +all\"\n"
	    "x.example.org * TIMEOUT\n"
	    "1.2.0.192.in-addr.arpa * TIMEOUT\n");
	struct spf_query q = { .sender = STR("u@slow.example.org") };
	const struct spf_answer *sa;

	(void)state;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &q.ip), 0);
	sa = spf_check(engine, r, &q, clock_msec() - 1, arena);
	assert_int_equal(sa->result, SPF_R_TEMPERROR);
	sa = spf_check(engine, r, &q, clock_msec() + 10000, arena);
	assert_int_equal(sa->result, SPF_R_TEMPERROR);
	assert_true(str_find(sa->reason, STR("x.example.org")) >= 0);
	resolver_free(r);
}

static void
test_begin(void **state)
{
	struct resolver *r = resolver_of(zone);
	struct spf_query q = { .helo = STR("mail.example.org"),
	    .sender = STR("u@B\xc3\x9c""cher.Example") };
	static const struct { const char *sender; enum spf_result result; } begun[] = {
		{ "u@B\xc3\x9c""cher.Example", SPF_R_FAIL },
		{ "u@localhost", SPF_R_NONE },
		{ "", SPF_R_NONE },
	};
	struct spf_job *s;
	size_t i;

	(void)state;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &q.ip), 0);
	for (i = 0; i < COUNT(begun); i++) {
		q.sender = str_of(begun[i].sender);
		if (q.sender.n == 0)
			q.helo = STR_NONE;
		assert_non_null(s = spf_begin(engine, r, &q));
		assert_true(spf_is_done(s));	/* a zone takes no time */
		assert_int_equal(spf_finish(s, 0)->result, begun[i].result);
		spf_end(s);
	}
	spf_end(NULL);
	resolver_free(r);
}

static void *
run_cases(void *arg)
{
	struct arena *a = arena_new(0);
	const struct spf_answer *sa;
	intptr_t wrong = 0;
	size_t i, k;

	for (k = 0; a != NULL && k < ROUNDS; k++) {
		for (i = 0; i < COUNT(cases); i++) {
			sa = check(arg, a, cases[i].ip, cases[i].helo,
			    cases[i].sender);
			wrong += sa == NULL || sa->result != cases[i].result ||
			    !str_eq(sa->mechanism,
			    str_of(cases[i].mechanism));
		}
		arena_reset(a);
	}
	arena_free(a);
	return (void *)wrong;
}

static void
test_threads(void **state)
{
	struct resolver *r = resolver_of(zone);
	pthread_t thread[THREADS];
	void *wrong;
	size_t i;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_cases,
		    r), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
	resolver_free(r);
}

static int
set_up(void **state)
{
	(void)state;
	engine = spf_engine_new();
	arena = arena_new(0);
	return engine == NULL || arena == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	spf_engine_free(engine);
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_long_explanation),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_mx_limit),
		cmocka_unit_test(test_include_chain),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
