/*
 * zone.c - answers from a zone file: canned DNS for tests, judge and replay.
 *
 * An answer is written as a DNS message and read back by dnswire.c, so that
 * it goes the way of a real one.
 *
 * Reading the file is zone_read.c's business.
 */
#include "zone_int.h"

#include <stdlib.h>
#include <string.h>

#define ZONE_TTL	3600
#define CHAIN_MAX	20	/* more than dnswire.c follows: it finds loops */

void
zone_key_of(struct zone_key *k, const struct dns_name *d)
{
	size_t at, len;

	k->n = d->n - 1;
	for (at = 0; at < k->n; at += len) {
		len = 1 + (size_t)d->w[at];
		memcpy(k->b + k->n - at - len, d->w + at, len);
	}
}

int
zone_key_cmp(const struct zone_key *a, const struct zone_key *b)
{
	int c = memcmp(a->b, b->b, a->n < b->n ? a->n : b->n);

	if (c != 0)
		return c;
	return a->n < b->n ? -1 : a->n > b->n;
}

static void
lines_free(struct zone_line *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(v[i].rdata);
	free(v);
}

void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	lines_free(z->record, z->nrecords);
	lines_free(z->failure, z->nfailures);
	free(z);
}

/* The first line that doesn't sort before the name, and the end of all. */
static const struct zone_line *
lower_bound(const struct zone_line *v, size_t n, const struct zone_key *k,
    const struct zone_line **end)
{
	size_t half;

	*end = n > 0 ? v + n : v;
	while (n > 0) {
		half = n / 2;
		if (zone_key_cmp(&v[half].key, k) < 0) {
			v += half + 1;
			n -= half + 1;
		} else
			n = half;
	}
	return v;
}

static bool
is_at_or_below(const struct zone_key *a, const struct zone_key *top)
{
	return a->n >= top->n && memcmp(a->b, top->b, top->n) == 0;
}

static bool
same_key(const struct zone_key *a, const struct zone_key *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

/*
 * What the file says instead of records; or DNS_NODATA where it does so for
 * another type, since then the name exists.
 */
static enum dns_status
failure_of(const struct zone *z, const struct zone_key *k, unsigned type)
{
	enum dns_status other = DNS_OK;
	const struct zone_line *l, *end;

	l = lower_bound(z->failure, z->nfailures, k, &end);
	for (; l < end && same_key(&l->key, k); l++)
		if (l->type == type || l->type == ZONE_TYPE_ANY)
			return l->failure;
		else
			other = DNS_NODATA;
	return other;
}

/*
 * Adds the records of one name.  *alias is the CNAME's target where there is
 * one and nothing of the type; the status is that of the name without it.
 */
static enum dns_status
answer_name(const struct zone *z, const struct dns_name *name, unsigned type,
    struct strbuf *msg, struct dns_name *alias)
{
	const struct zone_line *l, *end, *cname = NULL;
	enum dns_status status;
	struct zone_key k;

	alias->n = 0;
	zone_key_of(&k, name);
	status = failure_of(z, &k, type);
	if (status != DNS_OK && status != DNS_NODATA)
		return status;
	l = lower_bound(z->record, z->nrecords, &k, &end);
	if (status == DNS_OK)
		status = l < end && is_at_or_below(&l->key, &k) ?
		    DNS_NODATA : DNS_NXDOMAIN;
	for (; l < end && same_key(&l->key, &k); l++) {
		if (l->type == DNS_CNAME && cname == NULL)
			cname = l;
		if (l->type != type)
			continue;
		dns_message_add(msg, name, type, ZONE_TTL,
		    (struct str){ (const char *)l->rdata, l->rdlen });
		status = DNS_OK;
	}
	if (status == DNS_OK || cname == NULL)
		return status;
	dns_message_add(msg, name, DNS_CNAME, ZONE_TTL,
	    (struct str){ (const char *)cname->rdata, cname->rdlen });
	memcpy(alias->w, cname->rdata, cname->rdlen);
	alias->n = cname->rdlen;
	return DNS_NODATA;
}

struct dns_answer *
zone_answer(const struct zone *z, const struct dns_name *name,
    enum dns_type type, size_t *size)
{
	struct dns_name at = *name, alias;
	struct strbuf msg = { 0 };
	struct dns_answer *a = NULL;
	enum dns_status status;
	int steps = 0;

	dns_message_begin(&msg, name, type, DNS_RCODE_OK);
	do {
		status = answer_name(z, &at, (unsigned)type, &msg, &alias);
		at = alias;
	} while (alias.n > 1 && ++steps < CHAIN_MAX);
	if (status == DNS_TIMEOUT)
		a = dns_answer_empty(status, "the zone file says TIMEOUT", size);
	else if (status == DNS_SERVFAIL)
		a = dns_answer_empty(status, "the zone file says SERVFAIL", size);
	else if (!msg.failed) {
		if (status == DNS_NXDOMAIN)
			dns_message_rcode(&msg, DNS_RCODE_NXDOMAIN);
		a = dns_answer_read((const uint8_t *)msg.p, msg.n, name, type,
		    false, size);
	}
	strbuf_free(&msg);
	return a;
}
