/*
 * zone_read.c - reads zone files (zone.h has the format).
 *
 * It is for people who write tests, so the first wrong line stops it and is
 * told with its number; nothing is guessed.  Still it takes any octets: a
 * zone file may come with a message somebody sent in.
 *
 * Answering is zone.c's business.
 */
#include "zone_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX	200000
#define RDATA_MAX	65000

/* What is being read. */
struct reader {
	struct str	rest;		/* of the line */
	size_t		number;
	struct strbuf	*why;
	struct strbuf	rdata;
	bool		failed;
};

static const struct { const char *name; unsigned type; } types[] = {
	{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "CNAME", DNS_CNAME },
	{ "MX", DNS_MX }, { "NS", DNS_NS }, { "PTR", DNS_PTR },
	{ "SOA", DNS_SOA }, { "SPF", ZONE_TYPE_SPF }, { "TXT", DNS_TXT },
	{ "*", ZONE_TYPE_ANY },
};

static void
wrong(struct reader *r, const char *what)
{
	if (!r->failed && r->why != NULL)
		strbuf_printf(r->why, "line %zu: %s", r->number, what);
	r->failed = true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_blanks(struct reader *r)
{
	while (r->rest.n > 0 && is_blank(*r->rest.p)) {
		r->rest.p++;
		r->rest.n--;
	}
}

/* Nothing, or a comment. */
static bool
at_end(struct reader *r)
{
	skip_blanks(r);
	return r->rest.n == 0 || *r->rest.p == '#' || *r->rest.p == ';';
}

static struct str
next_word(struct reader *r)
{
	struct str w;

	skip_blanks(r);
	w = (struct str){ r->rest.p, 0 };
	while (w.n < r->rest.n && !is_blank(r->rest.p[w.n]))
		w.n++;
	r->rest.p += w.n;
	r->rest.n -= w.n;
	return w;
}

/* The octet that \DDD stands for, or -1. */
static int
decimal_escape(const char *p, size_t n)
{
	int v = 0;
	size_t i;

	if (n < 3)
		return -1;
	for (i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + p[i] - '0';
	}
	return v <= 255 ? v : -1;
}

/* A name; the root is "." or "" in quotes. */
static void
read_name(struct reader *r, struct dns_name *d, bool root)
{
	struct str w = next_word(r);
	char text[256];
	size_t i, n = 0;
	int c;

	if (root && (str_eq(w, STR(".")) || str_eq(w, STR("\"\"")))) {
		d->w[0] = 0;
		d->n = 1;
		return;
	}
	d->n = 0;
	for (i = 0; i < w.n && n < sizeof(text); i++) {
		c = (unsigned char)w.p[i];
		if (c == '\\') {
			c = decimal_escape(w.p + i + 1, w.n - i - 1);
			if (c < 0) {
				wrong(r, "a backslash in a name needs three "
				    "digits, up to 255");
				return;
			}
			i += 3;
		}
		text[n++] = (char)c;
	}
	if (i < w.n || dns_name_parse(d, (struct str){ text, n }) != 0)
		wrong(r, "this is no domain name (labels of 1 to 63 octets, "
		    "253 in all)");
}

static unsigned long
read_number(struct reader *r, unsigned long max)
{
	struct str w = next_word(r);
	unsigned long v = 0;
	size_t i;

	for (i = 0; i < w.n && w.p[i] >= '0' && w.p[i] <= '9' && v <= max; i++)
		v = v * 10 + (unsigned long)(w.p[i] - '0');
	if (w.n == 0 || i < w.n || v > max) {
		wrong(r, "expected a number here, not above the field's size");
		return 0;
	}
	return v;
}

static void
add_number(struct reader *r, unsigned long v, int octets)
{
	while (--octets >= 0)
		strbuf_putc(&r->rdata, (char)(v >> (8 * octets) & 0xff));
}

static void
read_address(struct reader *r, int family)
{
	struct str w = next_word(r);
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];

	if (w.n < sizeof(text)) {
		memcpy(text, w.p, w.n);
		text[w.n] = '\0';
		if (strlen(text) == w.n && inet_pton(family, text, a) == 1) {
			strbuf_add(&r->rdata, a, family == AF_INET ? 4 : 16);
			return;
		}
	}
	wrong(r, family == AF_INET ? "this is no IPv4 address" :
	    "this is no IPv6 address");
}

/* One string in quotes, appended; the rest begins with its first quote. */
static void
read_string(struct reader *r, struct strbuf *b)
{
	const char *p = r->rest.p;
	size_t i, n = r->rest.n;
	int c;

	for (i = 1; i < n && p[i] != '"'; i++) {
		if (p[i] != '\\') {
			strbuf_putc(b, p[i]);
			continue;
		}
		if ((c = decimal_escape(p + i + 1, n - i - 1)) >= 0) {
			strbuf_putc(b, (char)c);
			i += 3;
		} else if (i + 1 < n && (p[i + 1] < '0' || p[i + 1] > '9')) {
			strbuf_putc(b, p[++i]);
		} else {
			wrong(r, "a backslash before a digit needs three of "
			    "them, up to 255");
			return;
		}
	}
	if (i >= n) {
		wrong(r, "this text has no closing quote");
		return;
	}
	r->rest.p += i + 1;
	r->rest.n -= i + 1;
}

/* Strings, joined and cut anew into pieces of 255 octets. */
static void
read_text(struct reader *r)
{
	struct strbuf b = { 0 };
	size_t at = 0, n;

	do {
		if (at_end(r) || *r->rest.p != '"') {
			wrong(r, "text stands in double quotes");
			break;
		}
		read_string(r, &b);
	} while (!r->failed && !at_end(r));
	do {
		n = b.n - at < 255 ? b.n - at : 255;
		strbuf_putc(&r->rdata, (char)n);
		strbuf_add(&r->rdata, n > 0 ? b.p + at : "", n);
		at += n;
	} while (at < b.n);
	if (b.failed)
		r->rdata.failed = true;
	strbuf_free(&b);
}

static void
read_rdata_name(struct reader *r)
{
	struct dns_name d;

	read_name(r, &d, true);
	strbuf_add(&r->rdata, d.w, d.n);
}

static void
read_rdata(struct reader *r, unsigned type)
{
	int i;

	switch (type) {
	case DNS_A:
		read_address(r, AF_INET);
		break;
	case DNS_AAAA:
		read_address(r, AF_INET6);
		break;
	case DNS_TXT:
	case ZONE_TYPE_SPF:
		read_text(r);
		break;
	case DNS_MX:
		add_number(r, read_number(r, 65535), 2);
		read_rdata_name(r);
		break;
	case DNS_SOA:
		read_rdata_name(r);
		read_rdata_name(r);
		for (i = 0; i < 5; i++)
			add_number(r, read_number(r, UINT32_MAX), 4);
		break;
	case ZONE_TYPE_ANY:
		wrong(r, "after * stands SERVFAIL, TIMEOUT or NXDOMAIN");
		break;
	default:
		read_rdata_name(r);
	}
}

static unsigned
read_type(struct reader *r)
{
	struct str w = next_word(r);
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (str_ieq(w, str_of(types[i].name)))
			return types[i].type;
	wrong(r, w.n == 0 ? "a type is missing after the name" :
	    "this type is not known here (A, AAAA, CNAME, MX, NS, PTR, SOA, "
	    "SPF, TXT or *)");
	return 0;
}

/* Does a failure stand where the data would be? */
static enum dns_status
read_failure(struct reader *r, unsigned type)
{
	struct reader ahead = *r;
	struct str w = next_word(&ahead);
	enum dns_status s;

	if (str_eq(w, STR("SERVFAIL")))
		s = DNS_SERVFAIL;
	else if (str_eq(w, STR("TIMEOUT")))
		s = DNS_TIMEOUT;
	else if (str_eq(w, STR("NXDOMAIN")) && type == ZONE_TYPE_ANY)
		s = DNS_NXDOMAIN;
	else
		return DNS_OK;
	*r = ahead;
	return s;
}

static int
line_cmp(const void *va, const void *vb)
{
	const struct zone_line *a = va, *b = vb;
	int c = zone_key_cmp(&a->key, &b->key);

	if (c != 0)
		return c;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int
line_add(struct zone_line **v, size_t *n, size_t *room, const struct zone_line *l)
{
	struct zone_line *grown;
	size_t more;

	if (*n == *room) {
		more = *room == 0 ? 16 : *room * 2;
		if ((grown = realloc(*v, more * sizeof(*grown))) == NULL)
			return -1;
		*v = grown;
		*room = more;
	}
	(*v)[(*n)++] = *l;
	return 0;
}

/* Keeps the line; its rdata moves out of the reader. */
static void
keep(struct zone *z, struct reader *r, struct zone_line *l)
{
	bool record = l->failure == DNS_OK;
	int failed;

	if (r->rdata.n > RDATA_MAX) {
		wrong(r, "this record is too long");
		return;
	}
	if (!r->rdata.failed) {
		l->number = r->number;
		l->rdata = (uint8_t *)r->rdata.p;
		l->rdlen = r->rdata.n;
		failed = record ?
		    line_add(&z->record, &z->nrecords, &z->room[0], l) :
		    line_add(&z->failure, &z->nfailures, &z->room[1], l);
		if (failed == 0) {
			r->rdata = (struct strbuf){ 0 };
			return;
		}
	}
	wrong(r, "no memory");
}

static void
read_line(struct zone *z, struct reader *r)
{
	struct zone_line l = { 0 };
	struct dns_name d;

	if (at_end(r))
		return;
	read_name(r, &d, false);
	if (r->failed)
		return;
	zone_key_of(&l.key, &d);
	l.type = read_type(r);
	if (r->failed)
		return;
	if ((l.failure = read_failure(r, l.type)) == DNS_OK)
		read_rdata(r, l.type);
	if (!r->failed && !at_end(r))
		wrong(r, "there is more after the record's data");
	if (!r->failed)
		keep(z, r, &l);
	strbuf_free(&r->rdata);
	r->rdata = (struct strbuf){ 0 };
}

struct zone *
zone_parse(struct str text, struct strbuf *why)
{
	struct reader r = { .why = why };
	const char *end;
	struct zone *z;

	if ((z = calloc(1, sizeof(*z))) == NULL) {
		wrong(&r, "no memory");
		return NULL;
	}
	while (text.n > 0 && !r.failed) {
		r.number++;
		if ((end = memchr(text.p, '\n', text.n)) == NULL)
			end = text.p + text.n;
		r.rest = (struct str){ text.p, (size_t)(end - text.p) };
		text.n -= r.rest.n + (r.rest.n < text.n);
		text.p = end + (text.n > 0);
		if (r.rest.n > 0 && r.rest.p[r.rest.n - 1] == '\r')
			r.rest.n--;
		if (r.number > LINES_MAX)
			wrong(&r, "too many lines");
		else
			read_line(z, &r);
	}
	if (r.failed) {
		zone_free(z);
		return NULL;
	}
	if (z->nrecords > 0)
		qsort(z->record, z->nrecords, sizeof(*z->record), line_cmp);
	if (z->nfailures > 0)
		qsort(z->failure, z->nfailures, sizeof(*z->failure), line_cmp);
	return z;
}
