/*
 * dnswire.c - reads and writes DNS messages (RFC 1035, 4.1).
 *
 * Both backends of the resolver end in a message: libunbound's answer packet,
 * and the one that zone.c writes.  So there is one reader, which trusts
 * nothing: any octet may come from an attacker's name server.  Limits:
 * a message's records, a chain's CNAMEs, and the text that names expand to
 * (a few octets of compressed MX become 253 each).
 *
 * Asking and waiting are resolver.c's business, caching is resolver_table.c's.
 */
#include "dnswire.h"

#include <stdlib.h>
#include <string.h>

#define HEADER		12
#define RECORDS_MAX	1024	/* in the answer section */
#define TEXT_TOTAL_MAX	(256 * 1024)
#define CHAIN_MAX	16	/* CNAMEs in a row */
#define CLASS_IN	1

struct record {
	size_t		owner;		/* offsets into the message */
	size_t		rdata;
	size_t		rdlen;
	uint32_t	ttl;
	unsigned	type;
};

struct message {
	const uint8_t	*p;
	size_t		 n;
	struct record	*rec;
	size_t		 nrec;
	uint32_t	 ttl;		/* the smallest of those used */
	bool		 used;		/* ttl holds one */
	const char	*wrong;		/* why it can't be used, or NULL */
};

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t
fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

int
dns_name_parse(struct dns_name *d, struct str text)
{
	size_t i, label = 0;		/* where the label's length goes */
	size_t n = text.n;

	d->n = 0;
	if (n > 0 && text.p[n - 1] == '.')
		n--;
	if (n == 0 || n > 253)
		return -1;
	for (i = 0; i <= n; i++) {
		if (i < n && text.p[i] != '.') {
			d->w[i + 1] = fold((uint8_t)text.p[i]);
			continue;
		}
		if (i == label || i - label > 63)
			return -1;
		d->w[label] = (uint8_t)(i - label);
		label = i + 1;
	}
	d->w[n + 1] = 0;
	d->n = n + 2;
	return 0;
}

int
dns_name_read(struct dns_name *d, const uint8_t *msg, size_t n, size_t *off)
{
	size_t at = *off, limit = n, end = 0, len, i;

	d->n = 0;
	for (;;) {
		if (at >= n)
			return -1;
		len = msg[at];
		if (len >= 0xc0) {
			if (at + 1 >= n)
				return -1;
			if (end == 0)
				end = at + 2;
			/* Each pointer must lead further back than the last:
			   so there are no loops. */
			limit = at < limit ? at : limit;
			at = get16(msg + at) & 0x3fff;
			if (at >= limit)
				return -1;
			limit = at;
			continue;
		}
		if (len > 63 || at + 1 + len > n || d->n + 1 + len > 255)
			return -1;
		d->w[d->n++] = (uint8_t)len;
		for (i = 0; i < len; i++)
			d->w[d->n++] = fold(msg[at + 1 + i]);
		at += 1 + len;
		if (len == 0)
			break;
	}
	*off = end != 0 ? end : at;
	return 0;
}

size_t
dns_name_text(const struct dns_name *d, char text[DNS_TEXT_MAX])
{
	size_t at = 0, end, n = 0;
	uint8_t c;

	while (at < d->n && d->w[at] != 0) {
		end = at + 1 + d->w[at];
		if (n > 0)
			text[n++] = '.';
		while (++at < end) {
			c = d->w[at];
			if (c > ' ' && c < 0x7f && c != '\\' && c != '.') {
				text[n++] = (char)c;
				continue;
			}
			text[n++] = '\\';
			text[n++] = (char)('0' + c / 100);
			text[n++] = (char)('0' + c / 10 % 10);
			text[n++] = (char)('0' + c % 10);
		}
	}
	text[n] = '\0';
	return n;
}

bool
dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->n == b->n && memcmp(a->w, b->w, a->n) == 0;
}

/* Moves *off behind a record and describes it. */
static int
record_read(const struct message *m, size_t *off, struct record *r)
{
	struct dns_name skipped;

	r->owner = *off;
	if (dns_name_read(&skipped, m->p, m->n, off) != 0 ||
	    m->n - *off < 10)
		return -1;
	r->type = get16(m->p + *off);
	if (get16(m->p + *off + 2) != CLASS_IN)
		r->type = 0;
	r->ttl = get32(m->p + *off + 4);
	if (r->ttl > INT32_MAX)		/* RFC 2181, 8 */
		r->ttl = 0;
	r->rdlen = get16(m->p + *off + 8);
	r->rdata = *off + 10;
	if (m->n - r->rdata < r->rdlen)
		return -1;
	*off = r->rdata + r->rdlen;
	return 0;
}

/*
 * Finds all records of the answer section.  0, or -1 without memory; a
 * message that can't be read has `wrong` set.
 */
static int
message_index(struct message *m, size_t *authority)
{
	size_t off = HEADER, i, n;
	struct dns_name skipped;

	n = get16(m->p + 6);
	for (i = get16(m->p + 4); i > 0; i--) {
		if (dns_name_read(&skipped, m->p, m->n, &off) != 0 ||
		    m->n - off < 4) {
			m->wrong = "the answer's question is broken";
			return 0;
		}
		off += 4;
	}
	if (n > RECORDS_MAX) {
		m->wrong = "too many records in the answer";
		return 0;
	}
	if (n > 0 && (m->rec = calloc(n, sizeof(*m->rec))) == NULL)
		return -1;
	for (m->nrec = 0; m->nrec < n; m->nrec++) {
		if (record_read(m, &off, &m->rec[m->nrec]) != 0) {
			m->wrong = "a record of the answer is broken";
			return 0;
		}
	}
	*authority = off;
	return 0;
}

static bool
owned_by(const struct message *m, const struct record *r,
    const struct dns_name *name)
{
	struct dns_name owner;
	size_t off = r->owner;

	return dns_name_read(&owner, m->p, m->n, &off) == 0 &&
	    dns_name_eq(&owner, name);
}

static void
use_ttl(struct message *m, uint32_t ttl)
{
	if (!m->used || ttl < m->ttl)
		m->ttl = ttl;
	m->used = true;
}

/* A name that fills its rdata, from `skip` on, to the octet. */
static int
rdata_name(const struct message *m, const struct record *r, size_t skip,
    struct dns_name *d)
{
	size_t off = r->rdata + skip;

	if (skip >= r->rdlen ||
	    dns_name_read(d, m->p, m->n, &off) != 0)
		return -1;
	return off <= r->rdata + r->rdlen ? 0 : -1;
}

/* Goes from name to the end of its chain of CNAMEs. */
static void
follow(struct message *m, struct dns_name *name)
{
	size_t i;
	int steps;

	for (steps = 0; ; steps++) {
		for (i = 0; i < m->nrec; i++)
			if (m->rec[i].type == DNS_CNAME &&
			    owned_by(m, &m->rec[i], name))
				break;
		if (i == m->nrec)
			return;
		if (steps == CHAIN_MAX) {
			m->wrong = "a loop of CNAMEs, or too many of them";
			return;
		}
		use_ttl(m, m->rec[i].ttl);
		if (rdata_name(m, &m->rec[i], 0, name) != 0) {
			m->wrong = "a CNAME of the answer is broken";
			return;
		}
	}
}

/*
 * One record's data.  Writes it to out unless that is NULL, and returns its
 * length, or -1 if it is no data of this type.
 */
static ptrdiff_t
rdata_text(const struct message *m, const struct record *r, char *out)
{
	const uint8_t *p = m->p + r->rdata;
	char text[DNS_TEXT_MAX];
	struct dns_name d;
	size_t i, n = 0;

	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		if (r->rdlen != (r->type == DNS_A ? 4 : 16))
			return -1;
		if (out != NULL)
			memcpy(out, p, r->rdlen);
		return (ptrdiff_t)r->rdlen;
	case DNS_TXT:
		for (i = 0; i < r->rdlen; i += 1 + (size_t)p[i]) {
			if (i + 1 + p[i] > r->rdlen)
				return -1;
			if (out != NULL)
				memcpy(out + n, p + i + 1, p[i]);
			n += p[i];
		}
		return (ptrdiff_t)n;
	default:	/* SOA: the name of the primary server */
		if (rdata_name(m, r, r->type == DNS_MX ? 2 : 0, &d) != 0)
			return -1;
		n = dns_name_text(&d, text);
		if (out != NULL)
			memcpy(out, text, n);
		return (ptrdiff_t)n;
	}
}

/*
 * How long a negative answer may be kept (RFC 2308, 5).  What names servers and
 * has no SOA is none, but a referral to them (2.2): from a server that doesn't
 * ask others, so that nothing is known of the name.
 */
static void
read_authority(struct message *m, size_t off, bool may_refer)
{
	struct dns_name skipped;
	bool refers = false;
	struct record r;
	size_t i, at;

	for (i = get16(m->p + 8); i > 0; i--) {
		if (record_read(m, &off, &r) != 0)
			break;
		refers |= r.type == DNS_NS;
		if (r.type != DNS_SOA)
			continue;
		at = r.rdata;
		if (dns_name_read(&skipped, m->p, m->n, &at) != 0 ||
		    dns_name_read(&skipped, m->p, m->n, &at) != 0 ||
		    at + 20 != r.rdata + r.rdlen)
			return;
		use_ttl(m, r.ttl);
		use_ttl(m, get32(m->p + at + 16));
		return;
	}
	if (refers && may_refer)
		m->wrong = "the server only refers to others: it does not ask them";
}

struct dns_answer *
dns_answer_empty(enum dns_status status, const char *reason, size_t *size)
{
	size_t n = strlen(reason) + 1;
	struct dns_answer *a;
	char *text;

	*size = sizeof(*a) + n;
	if ((a = calloc(1, *size)) == NULL)
		return NULL;
	text = (char *)(a + 1);
	memcpy(text, reason, n);
	a->status = status;
	a->reason = (struct str){ text, n - 1 };
	return a;
}

/* The records to give, marked by their type staying; text is their length. */
static size_t
select_records(struct message *m, const struct dns_name *name,
    enum dns_type type, size_t *text)
{
	size_t i, count = 0;
	ptrdiff_t n;

	*text = 0;
	for (i = 0; i < m->nrec; i++) {
		if (m->rec[i].type != (unsigned)type ||
		    !owned_by(m, &m->rec[i], name)) {
			m->rec[i].type = 0;
			continue;
		}
		if ((n = rdata_text(m, &m->rec[i], NULL)) < 0) {
			m->wrong = "a record's data is not of its type";
			return 0;
		}
		if ((*text += (size_t)n) > TEXT_TOTAL_MAX) {
			m->wrong = "the answer is too large";
			return 0;
		}
		use_ttl(m, m->rec[i].ttl);
		count++;
	}
	return count;
}

/* Puts the whole answer into one block: struct, records, data, packet. */
static struct dns_answer *
answer_build(const struct message *m, const struct dns_name *canonical,
    size_t count, size_t text, size_t *size)
{
	char name[DNS_TEXT_MAX], *p;
	struct dns_answer *a;
	struct dns_rr *rr;
	size_t i, n;

	n = dns_name_text(canonical, name);
	*size = sizeof(*a) + count * sizeof(*rr) + n + 1 + text + m->n;
	if ((a = calloc(1, *size)) == NULL)
		return NULL;
	rr = (struct dns_rr *)(a + 1);
	p = (char *)(rr + count);
	a->n = count;
	a->rr = rr;
	a->ttl = m->used ? m->ttl : 0;
	a->canonical = (struct str){ p, n };
	memcpy(p, name, n);
	p += n + 1;
	for (i = 0; i < m->nrec; i++) {
		if (m->rec[i].type == 0)
			continue;
		rr->data = (struct str){ p, (size_t)rdata_text(m, &m->rec[i], p) };
		if (m->rec[i].type == DNS_MX)
			rr->preference = (uint16_t)get16(m->p + m->rec[i].rdata);
		p += rr->data.n;
		rr++;
	}
	a->packet = (struct str){ p, m->n };
	memcpy(p, m->p, m->n);
	return a;
}

static struct dns_answer *
answer_of(struct message *m, struct dns_name *name, enum dns_type type,
    size_t *size)
{
	struct dns_answer *a;
	size_t authority = 0, count = 0, text = 0;
	int rcode = m->p[3] & 0xf;

	if (message_index(m, &authority) != 0)
		return NULL;
	if (m->wrong == NULL && type != DNS_CNAME)
		follow(m, name);
	if (m->wrong == NULL)
		count = select_records(m, name, type, &text);
	if (m->wrong == NULL && count == 0)
		read_authority(m, authority, rcode == DNS_RCODE_OK);
	if (m->wrong != NULL)
		return dns_answer_empty(DNS_SERVFAIL, m->wrong, size);
	if ((a = answer_build(m, name, count, text, size)) == NULL)
		return NULL;
	if (count > 0)
		a->status = DNS_OK;
	else
		a->status = rcode == DNS_RCODE_NXDOMAIN ?
		    DNS_NXDOMAIN : DNS_NODATA;
	return a;
}

const char *
dns_rcode_reason(int rcode)
{
	static const char *const names[] = {
		[DNS_RCODE_FORMERR] = "FORMERR: the server did not understand the question",
		[DNS_RCODE_SERVFAIL] = "SERVFAIL from the server",
		[DNS_RCODE_NOTIMP] = "NOTIMP: the server does not know such questions",
		[DNS_RCODE_REFUSED] = "REFUSED by the server",
	};

	return rcode >= 0 && (size_t)rcode < sizeof(names) / sizeof(*names) &&
	    names[rcode] != NULL ? names[rcode] : "an unknown response code from the server";
}

struct dns_answer *
dns_answer_read(const uint8_t *msg, size_t n, const struct dns_name *name,
    enum dns_type type, bool secure, size_t *size)
{
	struct message m = { .p = msg, .n = n };
	struct dns_name last = *name;
	struct dns_answer *a;
	int rcode;

	if (n < HEADER)
		return dns_answer_empty(DNS_SERVFAIL,
		    "the answer is shorter than its header", size);
	rcode = msg[3] & 0xf;
	if (rcode != DNS_RCODE_OK && rcode != DNS_RCODE_NXDOMAIN)
		return dns_answer_empty(DNS_SERVFAIL,
		    dns_rcode_reason(rcode), size);
	a = answer_of(&m, &last, type, size);
	if (a != NULL && a->status != DNS_SERVFAIL)
		a->secure = secure;
	free(m.rec);
	return a;
}

static void
put16(struct strbuf *b, unsigned v)
{
	strbuf_putc(b, (char)(v >> 8 & 0xff));
	strbuf_putc(b, (char)(v & 0xff));
}

void
dns_message_begin(struct strbuf *b, const struct dns_name *name,
    enum dns_type type, int rcode)
{
	put16(b, 0);
	put16(b, 0x8180u | (unsigned)rcode);	/* QR, RD, RA */
	put16(b, 1);
	put16(b, 0);
	put16(b, 0);
	put16(b, 0);
	strbuf_add(b, name->w, name->n);
	put16(b, (unsigned)type);
	put16(b, CLASS_IN);
}

void
dns_message_rcode(struct strbuf *b, int rcode)
{
	if (!b->failed)
		b->p[3] = (char)(((uint8_t)b->p[3] & 0xf0) | rcode);
}

void
dns_message_add(struct strbuf *b, const struct dns_name *owner, unsigned type,
    uint32_t ttl, struct str rdata)
{
	unsigned count;

	strbuf_add(b, owner->w, owner->n);
	put16(b, type);
	put16(b, CLASS_IN);
	put16(b, ttl >> 16);
	put16(b, ttl & 0xffff);
	put16(b, (unsigned)rdata.n);
	strbuf_add(b, rdata.p, rdata.n);
	if (b->failed)
		return;
	count = ((unsigned)(uint8_t)b->p[6] << 8 | (uint8_t)b->p[7]) + 1;
	b->p[6] = (char)(count >> 8 & 0xff);
	b->p[7] = (char)(count & 0xff);
}
