/*
 * fuzz_spf.c - any SPF records through the gate, with libspf2 behind it.
 *
 * The input is lines: HELO, sender, and then TXT records, handed out in turn
 * to four names that may include and redirect to each other.  A crash within
 * libspf2 is the gate's fault.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/spf.h"
#include "rules/arena.h"

#define INPUT_MAX	60000
#define TIME_MAX	60000	/* ms */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "example.org A 192.0.2.1\n"
    "example.org AAAA 2001:db8::1\n"
    "example.org MX 1 a.example.org\n"
    "example.org MX 2 b.example.org\n"
    "a.example.org A 192.0.2.2\n"
    "b.example.org AAAA 2001:db8::2\n"
    "1.2.0.192.in-addr.arpa PTR example.org\n"
    "1.2.0.192.in-addr.arpa PTR mail.example.com\n"
    "dead.example.org * SERVFAIL\n";

static const char *const names[] = {
	"example.org", "a.example.org", "b.example.org", "c.example.org",
};

static struct str
next_line(struct str *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	struct str s = { rest->p, n };

	if (end != NULL)
		n++;
	*rest = (struct str){ rest->p + n, rest->n - n };
	return s;
}

static void
add_txt(struct strbuf *zone, const char *name, struct str txt)
{
	size_t i;

	strbuf_printf(zone, "%s TXT \"", name);
	for (i = 0; i < txt.n; i++)
		strbuf_printf(zone, "\\%03u", (unsigned char)txt.p[i]);
	strbuf_puts(zone, "\"\n");
}

static void
must_be_printable(struct str s, size_t max)
{
	size_t i;

	if (s.p == NULL || s.n > max)
		abort();
	for (i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			abort();
}

static void
check(struct spf_engine *e, struct resolver *r, struct spf_query *q,
    const char *ip)
{
	struct arena *a = arena_new(0);
	const struct spf_answer *sa;

	if (a == NULL || ipaddr_parse(str_of(ip), &q->ip) != 0)
		abort();
	if ((sa = spf_check(e, r, q, clock_msec() + TIME_MAX, a)) == NULL)
		abort();
	if ((unsigned)sa->result > SPF_R_PERMERROR)
		abort();
	must_be_printable(sa->mechanism, 255);
	must_be_printable(sa->explanation, 500);
	must_be_printable(sa->reason, 500);
	if (sa->explanation.n > 0 && sa->result != SPF_R_FAIL)
		abort();
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spf_engine *engine;
	struct str rest = { (const char *)data, size };
	struct spf_query q = { .receiver = STR("mx.test") };
	struct strbuf zone = { 0 };
	struct resolver *r;
	size_t i;

	if (size > INPUT_MAX)
		return 0;
	if (engine == NULL && (engine = spf_engine_new()) == NULL)
		abort();
	strbuf_puts(&zone, fixed);
	q.helo = next_line(&rest);
	q.sender = next_line(&rest);
	for (i = 0; rest.n > 0; i++)
		add_txt(&zone, names[i % 4], next_line(&rest));
	if (q.sender.n == 0)
		q.sender = STR("user@example.org");
	if ((r = resolver_zone_text(strbuf_slice(&zone), NULL)) != NULL) {
		check(engine, r, &q, "192.0.2.1");
		check(engine, r, &q, "2001:db8::1");
		check(engine, r, &q, "127.0.0.1");
	}
	resolver_free(r);
	strbuf_free(&zone);
	return 0;
}
