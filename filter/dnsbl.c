/*
 * dnsbl.c - lists of addresses and domains in the DNS (RFC 5782).
 *
 * A list answers with addresses of 127.0.0.0/8 that are codes.  An answer from
 * elsewhere is nobody's listing: the zone expired and was parked, or a
 * resolver answers for names that don't exist.  And 127.255.255.x is how public
 * lists say that they don't answer whoever asks (too many questions, by way
 * of a public resolver, a misspelt zone): taken for a listing it would refuse
 * all mail, so it is an error.
 */
#include "dnsbl.h"

#include <string.h>

#include "iprev.h"
#include "rules/arena.h"

#define NAME_MAX_DNS	253
#define TEXTS_MAX	16	/* of one answer */

struct str
dnsbl_reverse(struct arena *a, const struct ipaddr *ip)
{
	char buf[IPREV_REVERSE_MAX];
	struct str s = iprev_reverse(ip, buf);

	/* Without the zone that the DNS itself has for them. */
	s.n -= ipaddr_is_v4(ip) ? strlen(".in-addr.arpa") : strlen(".ip6.arpa");
	return str_dup(a, s);
}

static void
end_lookups(void *arg)
{
	struct dnsbl *l = arg;

	dns_query_free(l->code);
	dns_query_free(l->text);
}

/* Can the DNS hold it?  A sender's domain is anything. */
static bool
is_name(struct str s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.n; i++) {
		label = s.p[i] == '.' ? 0 : label + 1;
		if (label > 63 || (label == 0 && (i == 0 || s.p[i - 1] == '.')))
			return false;
	}
	return label > 0 && s.n <= NAME_MAX_DNS;
}

struct dnsbl *
dnsbl_begin(struct resolver *r, struct arena *a, enum dnsbl_kind kind, struct str subject,
    struct str zone)
{
	struct str normal = domain_normal(a, zone);
	struct dnsbl *l;

	if (subject.p == NULL || normal.p == NULL ||
	    (l = arena_new_object(a, struct dnsbl)) == NULL ||
	    arena_defer(a, end_lookups, l) == -1)
		return NULL;
	l->kind = kind;
	l->zone = zone;
	l->answer.reason = STR("");
	l->name = str_printf(a, STR_FMT "." STR_FMT, STR_ARG(subject), STR_ARG(normal));
	if (l->name.p == NULL)
		return NULL;
	if (!is_name(l->name))
		l->done = true;
	else if ((l->code = resolver_ask(r, l->name, DNS_A)) == NULL)
		return NULL;
	return l;
}

static bool
failed(const struct dns_answer *d)
{
	return d->status == DNS_SERVFAIL || d->status == DNS_TIMEOUT;
}

static void
say_failed(struct dnsbl *l, struct arena *a, enum dns_type type, const struct dns_answer *d)
{
	l->answer.failed = true;
	l->answer.reason = dns_failure(a, l->name, type, d);
}

/* 127.255.255.x: the list's refusal. */
static bool
is_refusal(const uint8_t ip[4])
{
	return ip[0] == 127 && ip[1] == 255 && ip[2] == 255;
}

static struct ipaddr
mapped(const uint8_t ip[4])
{
	struct ipaddr a = { .b = { [10] = 0xff, [11] = 0xff } };

	memcpy(a.b + 12, ip, 4);
	return a;
}

/* A text is UTF-8 to the rules. */
static struct str
clean(struct arena *a, struct str s)
{
	char *p;

	if (utf8_valid(s))
		return str_dup(a, s);
	if ((p = arena_array(a, s.n, 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++)
		p[i] = (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
	return (struct str){ p, s.n };
}

static int
read_codes(struct dnsbl *l, struct arena *a, const struct dns_answer *d)
{
	struct value *v;
	size_t strangers = 0;

	if (failed(d)) {
		say_failed(l, a, DNS_A, d);
		return l->answer.reason.p != NULL ? 0 : -1;
	}
	if ((v = arena_array(a, d->n + 1, sizeof(*v))) == NULL)
		return -1;
	for (size_t i = 0; d->status == DNS_OK && i < d->n; i++) {
		const uint8_t *ip = (const uint8_t *)d->rr[i].data.p;

		if (d->rr[i].data.n != 4 || ip[0] != 127) {
			strangers++;
		} else if (is_refusal(ip)) {
			l->answer.failed = true;
			l->answer.reason = str_printf(a, STR_FMT ": the list refuses to answer this "
			    "resolver (127.255.255.%d)", STR_ARG(l->zone), ip[3]);
			return l->answer.reason.p != NULL ? 0 : -1;
		} else
			v[l->answer.n++].ip = mapped(ip);
	}
	l->answer.codes = v;
	if (strangers > 0)
		l->answer.reason = str_printf(a, STR_FMT ": answers outside of 127.0.0.0/8, which "
		    "are no listing, were ignored", STR_ARG(l->zone));
	return l->answer.reason.p != NULL ? 0 : -1;
}

static int
read_texts(struct dnsbl *l, struct arena *a, const struct dns_answer *d)
{
	size_t n = d->n < TEXTS_MAX ? d->n : TEXTS_MAX;
	struct str *v;

	if (failed(d)) {
		l->answer.texts_failed = true;
		say_failed(l, a, DNS_TXT, d);
		/* The listing itself stands. */
		l->answer.failed = false;
		return l->answer.reason.p != NULL ? 0 : -1;
	}
	if ((v = arena_array(a, n + 1, sizeof(*v))) == NULL)
		return -1;
	for (size_t i = 0; d->status == DNS_OK && i < n; i++)
		if ((v[l->answer.ntexts++] = clean(a, d->rr[i].data)).p == NULL)
			return -1;
	l->answer.texts = v;
	return 0;
}

/* NULL: not there yet. */
static const struct dns_answer *
wait_for(struct dns_query *q, msec deadline)
{
	return deadline > 0 ? dns_query_wait(q, deadline) : dns_query_poll(q);
}

const struct dnsbl_answer *
dnsbl_answer(struct dnsbl *l, struct resolver *r, struct arena *a, bool texts, msec deadline)
{
	const struct dns_answer *d;

	if (!l->done) {
		if ((d = wait_for(l->code, deadline)) == NULL)
			return NULL;
		l->no_memory = read_codes(l, a, d) == -1;
		l->done = true;
	}
	if (!texts || l->answer.n == 0 || l->texts_done)
		return &l->answer;
	if (l->text == NULL && (l->text = resolver_ask(r, l->name, DNS_TXT)) == NULL)
		l->no_memory = true;
	else if ((d = wait_for(l->text, deadline)) == NULL)
		return NULL;
	else if (read_texts(l, a, d) == -1)
		l->no_memory = true;
	l->texts_done = true;
	return &l->answer;
}
