/*
 * test_zone.c - zone files: what they may say, what they answer, and that
 * the reader of DNS messages survives what a server might send.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filter/dnswire.h"
#include "filter/resolver.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static const char zone[] =
    "# a comment\n"
    "; another\n"
    "\n"
    "Example.COM A 192.0.2.1\n"
    "example.com. A 192.0.2.2   ; with a remark\r\n"
    "example.com\tMX\t10 MX.Example.com.\n"
    "example.com MX 0 .\n"
    "example.com TXT \"v=spf1 \" \"-all\"\n"
    "quoted.example.com TXT \"a\\\"b\\\\c\\065\\;#;\" # remark\n"
    "empty.example.com TXT \"\"\n"
    "two.example.com TXT \"one\"\n"
    "two.example.com TXT \"two\"\n"
    "six.example.com AAAA 2001:db8::1\n"
    "1.2.0.192.in-addr.arpa PTR Mail.Example.com\n"
    "example.com NS ns1.example.com\n"
    "example.com SOA ns1.example.com root.example.com 1 2 3 4 5\n"
    "old.example.com SPF \"v=spf1 -all\"\n"
    "alias.example.com CNAME Two.example.com\n"
    "alias2.example.com CNAME alias.example.com\n"
    "dangling.example.com CNAME nowhere.example.com\n"
    "loop1.example.com CNAME loop2.example.com\n"
    "loop2.example.com CNAME loop1.example.com\n"
    "tofail.example.com CNAME fail.example.com\n"
    "toslow.example.com CNAME slow.example.com\n"
    "fail.example.com * SERVFAIL\n"
    "fail.example.com A 192.0.2.9\n"
    "slow.example.com * TIMEOUT\n"
    "gone.example.com * NXDOMAIN\n"
    "below.gone.example.com * NXDOMAIN\n"
    "part.example.com TXT TIMEOUT\n"
    "part.example.com MX SERVFAIL\n"
    "part.example.com A 192.0.2.3\n"
    "only.example.com TXT TIMEOUT\n"
    "x.ent.example.com A 192.0.2.4\n"
    "with\\032blank.example.com A 192.0.2.5\n"
    "last.example.com A 192.0.2.6";

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	const char *data;	/* all, each behind a bar */
	const char *canonical;
} questions[] = {
	{ "example.com", DNS_A, DNS_OK, "|192.0.2.1|192.0.2.2", "example.com" },
	{ "EXAMPLE.com.", DNS_A, DNS_OK, "|192.0.2.1|192.0.2.2", "example.com" },
	{ "example.com", DNS_MX, DNS_OK, "|10 mx.example.com|0 ", NULL },
	{ "example.com", DNS_TXT, DNS_OK, "|v=spf1 -all", NULL },
	{ "example.com", DNS_NS, DNS_OK, "|ns1.example.com", NULL },
	{ "example.com", DNS_SOA, DNS_OK, "|ns1.example.com", NULL },
	{ "example.com", DNS_AAAA, DNS_NODATA, "", "example.com" },
	{ "quoted.example.com", DNS_TXT, DNS_OK, "|a\"b\\cA;#;", NULL },
	{ "empty.example.com", DNS_TXT, DNS_OK, "|", NULL },
	{ "two.example.com", DNS_TXT, DNS_OK, "|one|two", NULL },
	{ "six.example.com", DNS_AAAA, DNS_OK, "|2001:db8::1", NULL },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, DNS_OK, "|mail.example.com", NULL },
	{ "old.example.com", DNS_TXT, DNS_NODATA, "", NULL },
	{ "alias.example.com", DNS_TXT, DNS_OK, "|one|two", "two.example.com" },
	{ "alias2.example.com", DNS_TXT, DNS_OK, "|one|two", "two.example.com" },
	{ "alias2.example.com", DNS_CNAME, DNS_OK, "|alias.example.com", "alias2.example.com" },
	{ "alias2.example.com", DNS_A, DNS_NODATA, "", "two.example.com" },
	{ "dangling.example.com", DNS_A, DNS_NXDOMAIN, "", "nowhere.example.com" },
	{ "loop1.example.com", DNS_A, DNS_SERVFAIL, "", NULL },
	{ "tofail.example.com", DNS_A, DNS_SERVFAIL, "", NULL },
	{ "toslow.example.com", DNS_A, DNS_TIMEOUT, "", NULL },
	{ "fail.example.com", DNS_A, DNS_SERVFAIL, "", NULL },
	{ "fail.example.com", DNS_TXT, DNS_SERVFAIL, "", NULL },
	{ "slow.example.com", DNS_MX, DNS_TIMEOUT, "", NULL },
	{ "gone.example.com", DNS_A, DNS_NXDOMAIN, "", NULL },
	{ "part.example.com", DNS_TXT, DNS_TIMEOUT, "", NULL },
	{ "part.example.com", DNS_MX, DNS_SERVFAIL, "", NULL },
	{ "part.example.com", DNS_A, DNS_OK, "|192.0.2.3", NULL },
	{ "part.example.com", DNS_AAAA, DNS_NODATA, "", NULL },
	{ "only.example.com", DNS_A, DNS_NODATA, "", NULL },
	{ "ent.example.com", DNS_A, DNS_NODATA, "", NULL },	/* RFC 8020, 2 */
	{ "nt.example.com", DNS_A, DNS_NXDOMAIN, "", NULL },
	{ "com", DNS_A, DNS_NODATA, "", NULL },
	{ "org", DNS_A, DNS_NXDOMAIN, "", NULL },
	{ "with blank.example.com", DNS_A, DNS_OK, "|192.0.2.5", "with\\032blank.example.com" },
	{ "last.example.com", DNS_A, DNS_OK, "|192.0.2.6", NULL },
};

/* The records as one line of text. */
static void
show(struct strbuf *b, const struct dns_answer *a, enum dns_type type)
{
	char text[INET6_ADDRSTRLEN];
	size_t i;

	for (i = 0; i < a->n; i++) {
		strbuf_putc(b, '|');
		if (type == DNS_A || type == DNS_AAAA) {
			inet_ntop(type == DNS_A ? AF_INET : AF_INET6,
			    a->rr[i].data.p, text, sizeof(text));
			strbuf_puts(b, text);
			continue;
		}
		if (type == DNS_MX)
			strbuf_printf(b, "%u ", a->rr[i].preference);
		strbuf_str(b, a->rr[i].data);
	}
	strbuf_str(b, STR(""));
}

static struct resolver *
resolver_of(const char *text)
{
	struct strbuf why = { 0 };
	struct resolver *r = resolver_zone_text(str_of(text), &why);

	if (r == NULL)
		fail_msg("%s", why.p);
	strbuf_free(&why);
	return r;
}

static void
test_answers(void **state)
{
	const struct dns_answer *a;
	struct strbuf b = { 0 };
	struct dns_query *q;
	struct resolver *r;
	size_t i;

	(void)state;
	r = resolver_of(zone);
	assert_true(resolver_is_zone(r));
	for (i = 0; i < COUNT(questions); i++) {
		q = resolver_ask(r, str_of(questions[i].name),
		    questions[i].type);
		assert_non_null(q);
		a = dns_query_poll(q);
		assert_non_null(a);
		assert_ptr_equal(a, dns_query_wait(q, 0));
		if (a->status != questions[i].status)
			fail_msg("%s %d: %s", questions[i].name,
			    questions[i].type, dns_status_name(a->status));
		b.n = 0;
		show(&b, a, questions[i].type);
		if (!str_eq(strbuf_slice(&b), str_of(questions[i].data)))
			fail_msg("%s %d: " STR_FMT, questions[i].name,
			    questions[i].type, STR_ARG(strbuf_slice(&b)));
		if (questions[i].canonical != NULL)
			assert_true(str_eq(a->canonical,
			    str_of(questions[i].canonical)));
		assert_false(a->secure);
		if (a->status == DNS_SERVFAIL || a->status == DNS_TIMEOUT)
			assert_true(a->reason.n > 0);
		dns_query_free(q);
	}
	strbuf_free(&b);
	resolver_free(r);
}

static const struct { const char *text; int line; } wrong[] = {
	{ "example.com", 1 },
	{ "example.com A", 1 },
	{ "\nexample.com A 192.0.2.256", 2 },
	{ "example.com A 192.0.2.1 192.0.2.2", 1 },
	{ "example.com AAAA 192.0.2.1", 1 },
	{ "example.com AAAA 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", 1 },
	{ "example.com MX mx.example.com", 1 },
	{ "example.com MX 65536 mx.example.com", 1 },
	{ "example.com MX 1x mx.example.com", 1 },
	{ "example.com TXT v=spf1", 1 },
	{ "example.com TXT", 1 },
	{ "example.com TXT \"open", 1 },
	{ "example.com TXT \"open\\\"", 1 },
	{ "example.com TXT \"a\" b", 1 },
	{ "example.com TXT \"\\256\"", 1 },
	{ "example.com TXT \"\\25\"", 1 },
	{ "example.com TXT \"\\", 1 },
	{ "example.com HINFO \"x\"", 1 },
	{ "example.com * A", 1 },
	{ "example.com A NXDOMAIN", 1 },
	{ "example.com CNAME a..b", 1 },
	{ "a..b A 192.0.2.1", 1 },
	{ ". A 192.0.2.1", 1 },
	{ "a\\b A 192.0.2.1", 1 },
	{ "example.com SOA a b 1 2 3 4", 1 },
	{ "# good\nexample.com A 192.0.2.1\n\nexample.com * SERVFAIL x\n", 4 },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x"
	  " A 192.0.2.1", 1 },
};

static void
test_wrong_lines(void **state)
{
	struct strbuf why = { 0 };
	struct resolver *r;
	char line[32];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(wrong); i++) {
		why.n = 0;
		r = resolver_zone_text(str_of(wrong[i].text), &why);
		if (r != NULL)
			fail_msg("taken: %s", wrong[i].text);
		snprintf(line, sizeof(line), "line %d: ", wrong[i].line);
		if (strncmp(why.p, line, strlen(line)) != 0)
			fail_msg("%s: %s", wrong[i].text, why.p);
	}
	strbuf_free(&why);
}

static void
test_file(void **state)
{
	struct strbuf why = { 0 };

	(void)state;
	assert_null(resolver_zone_file("/nonexistent/zone", &why));
	assert_non_null(strstr(why.p, "/nonexistent/zone: No such file"));
	why.n = 0;
	assert_null(resolver_zone_file("/", &why));
	assert_true(why.n > 0);
	strbuf_free(&why);
}

static void
test_names(void **state)
{
	char label[64], name[256];
	struct dns_query *q;
	struct resolver *r;
	size_t i;

	(void)state;
	r = resolver_of("");
	assert_null(resolver_ask(r, STR(""), DNS_A));
	assert_null(resolver_ask(r, STR("."), DNS_A));
	assert_null(resolver_ask(r, STR(".a"), DNS_A));
	assert_null(resolver_ask(r, STR("a..b"), DNS_A));
	assert_null(resolver_ask(r, STR("a.."), DNS_A));
	memset(label, 'x', sizeof(label));
	assert_null(resolver_ask(r, (struct str){ label, 64 }, DNS_A));
	q = resolver_ask(r, (struct str){ label, 63 }, DNS_A);
	assert_non_null(q);
	assert_int_equal(dns_query_poll(q)->status, DNS_NXDOMAIN);
	dns_query_free(q);
	for (i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'x' : '.';
	q = resolver_ask(r, (struct str){ name, 253 }, DNS_A);
	assert_non_null(q);
	assert_int_equal(dns_query_poll(q)->canonical.n, 253);
	dns_query_free(q);
	assert_null(resolver_ask(r, (struct str){ name, 255 }, DNS_A));
	q = resolver_ask(r, (struct str){ "a\0b", 3 }, DNS_A);
	assert_non_null(q);
	assert_true(str_eq(dns_query_poll(q)->canonical, STR("a\\000b")));
	dns_query_free(q);
	resolver_free(r);
}

/* A long text: cut into strings of 255 octets on the wire, joined again. */
static void
test_long_text(void **state)
{
	const struct dns_answer *a;
	struct strbuf b = { 0 };
	struct dns_query *q;
	struct resolver *r;
	size_t i;

	(void)state;
	strbuf_puts(&b, "big.example TXT \"");
	for (i = 0; i < 5000; i++)
		strbuf_putc(&b, (char)('a' + i % 26));
	strbuf_puts(&b, "\"");
	r = resolver_of(b.p);
	q = resolver_ask(r, STR("big.example"), DNS_TXT);
	a = dns_query_poll(q);
	assert_int_equal(a->n, 1);
	assert_int_equal(a->rr[0].data.n, 5000);
	assert_memory_equal(a->rr[0].data.p, b.p + 17, 5000);
	/* Header, question, owner, ten octets, 20 lengths and the text. */
	assert_int_equal(a->packet.n, 12 + 13 + 4 + 13 + 10 + 20 + 5000);
	assert_int_equal((unsigned char)a->packet.p[3] & 0xf, 0);
	assert_int_equal(a->packet.p[7], 1);
	dns_query_free(q);
	resolver_free(r);
	strbuf_free(&b);
}

static void
test_cache_counts(void **state)
{
	struct dns_query *one, *two;
	uint64_t cached, asked;
	struct resolver *r;

	(void)state;
	r = resolver_of(zone);
	one = resolver_ask(r, STR("example.com"), DNS_A);
	two = resolver_ask(r, STR("Example.com."), DNS_A);
	assert_ptr_equal(dns_query_poll(one), dns_query_poll(two));
	resolver_counts(r, &cached, &asked);
	assert_int_equal(cached, 1);
	assert_int_equal(asked, 1);
	/* An answer outlives its resolver. */
	resolver_free(r);
	dns_query_free(one);
	assert_int_equal(dns_query_poll(two)->n, 2);
	dns_query_free(two);
}

/* More names than the cache holds: old ones go, all are right. */
static void
test_eviction(void **state)
{
	const struct dns_answer *a;
	struct dns_query *q, *held;
	struct resolver *r;
	char name[64];
	int i;

	(void)state;
	r = resolver_of("a.example TXT \"x\"\n");
	held = resolver_ask(r, STR("a.example"), DNS_TXT);
	for (i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		q = resolver_ask(r, str_of(name), DNS_TXT);
		a = dns_query_poll(q);
		assert_int_equal(a->status, DNS_NXDOMAIN);
		dns_query_free(q);
	}
	assert_true(str_eq(dns_query_poll(held)->rr[0].data, STR("x")));
	dns_query_free(held);
	resolver_free(r);
}

/* Answers that no honest server sends, after a good question for "a". */
#define HEADER(an)	"\0\0\x81\x80\0\1\0" an "\0\0\0\0" "\1a\0" "\0\x10\0\1"
#define BYTES(s)	(s), sizeof(s) - 1

static const struct {
	const char *octets;
	size_t n;
	enum dns_type type;
	enum dns_status status;
} packets[] = {
	{ BYTES(""), DNS_TXT, DNS_SERVFAIL },
	{ BYTES("\0\0\x81\x80\0\0\0\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES("\0\0\x81\x80\0\0\0\0\0\0\0\0"), DNS_TXT, DNS_NODATA },
	{ BYTES("\0\0\x81\x83\0\0\0\0\0\0\0\0"), DNS_TXT, DNS_NXDOMAIN },
	{ BYTES("\0\0\x81\x82\0\0\0\0\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES("\0\0\x81\x85\0\0\0\0\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES("\0\0\x81\x8f\0\0\0\0\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
	/* good, by a pointer */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x10\0\1\0\0\0\1\0\4\1x\1y"), DNS_TXT, DNS_OK },
	/* no record where one is announced */
	{ BYTES(HEADER("\1")), DNS_TXT, DNS_SERVFAIL },
	/* a pointer to itself, one forward, half a one */
	{ BYTES(HEADER("\1") "\xc0\x13\0\x10\0\1\0\0\0\1\0\2\1x"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES(HEADER("\1") "\xc0\x20\0\x10\0\1\0\0\0\1\0\2\1x"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES(HEADER("\1") "\xc0"), DNS_TXT, DNS_SERVFAIL },
	/* label types of long ago */
	{ BYTES(HEADER("\1") "\x41x\0\0\x10\0\1\0\0\0\1\0\2\1x"), DNS_TXT, DNS_SERVFAIL },
	/* a string longer than its record, a record longer than the message */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x10\0\1\0\0\0\1\0\2\2x"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x10\0\1\0\0\0\1\0\5\1x\1y"), DNS_TXT, DNS_SERVFAIL },
	/* no string at all is an empty text */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x10\0\1\0\0\0\1\0\0"), DNS_TXT, DNS_OK },
	/* another type, another name, another class */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1x\1y"), DNS_TXT, DNS_NODATA },
	{ BYTES(HEADER("\1") "\1b\0\0\x10\0\1\0\0\0\1\0\2\1x"), DNS_TXT, DNS_NODATA },
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x10\0\3\0\0\0\1\0\2\1x"), DNS_TXT, DNS_NODATA },
	/* an address of five octets */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\1\0\1\0\0\0\1\0\5\1x\1yz"), DNS_A, DNS_SERVFAIL },
	/* a CNAME to itself, and one that is cut */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES(HEADER("\1") "\xc0\x0c\0\5\0\1\0\0\0\1\0\1\1x\0"), DNS_TXT, DNS_SERVFAIL },
	/* an MX without a name */
	{ BYTES(HEADER("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\1\0\2\0\1"), DNS_MX, DNS_SERVFAIL },
	/* 65,535 records, none there */
	{ BYTES("\0\0\x81\x80\0\0\xff\xff\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
	{ BYTES("\0\0\x81\x80\xff\xff\0\0\0\0\0\0"), DNS_TXT, DNS_SERVFAIL },
};

static void
test_hostile_packets(void **state)
{
	struct dns_answer *a;
	struct dns_name name;
	uint8_t *copy;
	size_t i, size;

	(void)state;
	assert_int_equal(dns_name_parse(&name, STR("a")), 0);
	for (i = 0; i < COUNT(packets); i++) {
		/* A copy of the exact length, for the memory checkers. */
		copy = malloc(packets[i].n + 1);
		assert_non_null(copy);
		memcpy(copy + 1, packets[i].octets, packets[i].n);
		a = dns_answer_read(copy + 1, packets[i].n, &name,
		    packets[i].type, true, &size);
		assert_non_null(a);
		if (a->status != packets[i].status)
			fail_msg("packet %zu: %s (" STR_FMT ")", i,
			    dns_status_name(a->status), STR_ARG(a->reason));
		assert_int_equal(a->secure, a->status != DNS_SERVFAIL);
		free(a);
		free(copy);
	}
}

/* A few octets a record that stand for 253 each: refused, not expanded. */
static void
test_compression_bomb(void **state)
{
	static const char rr[] = "\xc0\x0c\0\x0f\0\1\0\0\0\1\0\4\0\1\xc0\x0c";
	struct dns_answer *a;
	struct strbuf b = { 0 };
	struct dns_name name;
	char text[253];
	size_t i, size;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? '\1' : '.';	/* \001 in text form */
	assert_int_equal(dns_name_parse(&name,
	    (struct str){ text, sizeof(text) }), 0);
	dns_message_begin(&b, &name, DNS_MX, DNS_RCODE_OK);
	for (i = 0; i < 1024; i++)
		strbuf_add(&b, rr, sizeof(rr) - 1);
	assert_false(b.failed);
	b.p[6] = 4;		/* 1,024 records */
	a = dns_answer_read((const uint8_t *)b.p, b.n, &name, DNS_MX, false,
	    &size);
	assert_int_equal(a->status, DNS_SERVFAIL);
	assert_true(str_eq(a->reason, STR("the answer is too large")));
	free(a);
	b.p[6] = 0;
	b.p[7] = 100;		/* so many are read */
	a = dns_answer_read((const uint8_t *)b.p, b.n, &name, DNS_MX, false,
	    &size);
	assert_int_equal(a->status, DNS_OK);
	assert_int_equal(a->n, 100);
	assert_int_equal(a->rr[99].data.n, 127 * 4 + 126);
	free(a);
	strbuf_free(&b);
}

/* The negative answer's time to live is that of its SOA (RFC 2308, 5). */
static void
test_negative_ttl(void **state)
{
	static const char soa[] = HEADER("\0") "\0\0\6\0\1\0\0\0\x40\0\x16"
	    "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x30";
	struct strbuf b = { 0 };
	struct dns_answer *a;
	struct dns_name name;
	size_t size;

	(void)state;
	assert_int_equal(dns_name_parse(&name, STR("a")), 0);
	strbuf_add(&b, soa, sizeof(soa) - 1);
	b.p[9] = 1;
	a = dns_answer_read((const uint8_t *)b.p, b.n, &name, DNS_TXT, false,
	    &size);
	assert_int_equal(a->status, DNS_NODATA);
	assert_int_equal(a->ttl, 0x30);
	free(a);
	strbuf_free(&b);
}

/* Every zone file of the suites loads. */
static int
load_all(const char *dir)
{
	struct strbuf path = { 0 }, why = { 0 };
	struct resolver *r;
	struct dirent *e;
	int n = 0;
	DIR *d;

	if ((d = opendir(dir)) == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (*e->d_name == '.')
			continue;
		path.n = why.n = 0;
		strbuf_printf(&path, "%s/%s/zone", dir, e->d_name);
		if ((r = resolver_zone_file(path.p, &why)) == NULL)
			fail_msg("%s", why.p);
		resolver_free(r);
		n++;
	}
	closedir(d);
	strbuf_free(&path);
	strbuf_free(&why);
	return n;
}

static void
test_suites(void **state)
{
	static const char *const folders[] = {
		"dkim/generated", "dkim/imported", "e2e"
	};
	const char *suites = getenv("SUITES");
	struct strbuf dir = { 0 };
	bool found = false;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(folders); i++) {
		dir.n = 0;
		strbuf_printf(&dir, "%s/%s",
		    suites != NULL ? suites : "../shared/suites", folders[i]);
		if (load_all(dir.p) < 0)
			print_message("# skipped: no %s\n", dir.p);
		else
			found = true;
	}
	strbuf_free(&dir);
	if (!found)
		skip();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_cache_counts),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_hostile_packets),
		cmocka_unit_test(test_compression_bomb),
		cmocka_unit_test(test_negative_ttl),
		cmocka_unit_test(test_suites),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
