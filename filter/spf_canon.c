/*
 * spf_canon.c - the canonical form of an SPF record, for libspf2.
 *
 * It has no macros and no domains, only literals of the gate's making, and
 * at most GATE_TERMS_MAX terms (spf_gate.c shows one):
 *
 * - libspf2 keeps 511 octets of a compiled record, and drops what comes after
 *   without a word; it counts terms in one octet.  So ip4 and ip6 terms that
 *   can't match are left out, terms behind one that must match, and terms
 *   behind the eleventh that asks DNS, which is a permerror (4.6.4).
 * - It has no prefix length 0: ip4:x/0 becomes the half of all addresses in
 *   which the client is.
 * - ptr becomes exists, as the gate answers it.
 * - redirect is a mechanism to libspf2, in its place among the others: it is
 *   put last, so that all and what else matches comes before it (6.1).
 *
 * An exists that never matches, the marker, stands before a term that asks
 * nothing, or at the end: so the gate knows which term decided.
 */
#include "spf_gate.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_text(struct gate_record *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
write_text(struct gate_record *r, const char *fmt, ...)
{
	size_t n = strlen(r->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->text + n, sizeof(r->text) - n, fmt, ap);
	va_end(ap);
}

static bool
ip_matches(const struct spf_gate *g, const struct spf_term *t)
{
	struct ipnet net = { .addr = t->ip };

	if (g->v4 != (t->kind == SPF_IP4))
		return false;
	net.bits = g->v4 ? (uint8_t)(96 + t->bits4) : t->bits6;
	return ipnet_has(&net, &g->env.ip);
}

/* An ip4 or ip6 that matches; of /0 the half in which the client is. */
static void
write_network(const struct spf_gate *g, struct gate_record *r,
    const struct spf_term *t)
{
	unsigned bits = g->v4 ? t->bits4 : t->bits6;
	struct ipaddr ip = bits == 0 ? g->env.ip : t->ip;
	char text[INET6_ADDRSTRLEN];

	ip.b[g->v4 ? 12 : 0] ^= g->flip;
	inet_ntop(g->v4 ? AF_INET : AF_INET6, ip.b + (g->v4 ? 12 : 0), text,
	    sizeof(text));
	write_text(r, " %c%s:%s/%u", t->qualifier, g->v4 ? "ip4" : "ip6", text,
	    bits == 0 ? 1 : bits);
}

static struct gate_term *
add_term(struct gate_record *r, enum spf_kind kind, struct str text,
    struct str spec)
{
	struct gate_term *t = &r->term[r->nterms++];

	t->kind = kind;
	t->text = text;
	t->spec = spec;
	t->child = -1;
	return t;
}

/* text is that of the term behind the marker, empty at the end. */
static void
add_marker(struct spf_gate *g, struct gate_record *r, struct str text)
{
	write_text(r, " ?exists:t%zu.r%zu.g", r->nterms, g->nrecords);
	add_term(r, SPF_EXISTS, text, STR(""))->marker = true;
}

/* A term that asks DNS. */
static void
add_lookup(struct spf_gate *g, struct gate_record *r, const struct spf_term *t)
{
	static const char *const names[] = {
		[SPF_INCLUDE] = "include", [SPF_A] = "a", [SPF_MX] = "mx",
		[SPF_PTR] = "exists", [SPF_EXISTS] = "exists",
	};
	unsigned bits = g->v4 ? t->bits4 : t->bits6;

	write_text(r, " %c%s:t%zu.r%zu.g", t->qualifier, names[t->kind],
	    r->nterms, g->nrecords);
	if ((t->kind == SPF_A || t->kind == SPF_MX) && bits > 0 &&
	    bits < (g->v4 ? 32 : 128))
		write_text(r, "%s/%u", g->v4 ? "" : "/", bits);
	add_term(r, t->kind, t->text, t->spec)->any = bits == 0;
}

void
gate_write_record(struct spf_gate *g, struct gate_record *r)
{
	struct str rest = r->rec.text;
	struct spf_term t;
	const char *wrong;

	write_text(r, "v=spf1");
	while (spf_record_next(&rest, &t, &wrong) > 0) {
		switch (t.kind) {
		case SPF_ALL:
			add_marker(g, r, t.text);
			write_text(r, " %call", t.qualifier);
			return;
		case SPF_IP4:
		case SPF_IP6:
			if (!ip_matches(g, &t))
				break;
			add_marker(g, r, t.text);
			write_network(g, r, &t);
			return;
		case SPF_INCLUDE:
		case SPF_A:
		case SPF_MX:
		case SPF_PTR:
		case SPF_EXISTS:
			add_lookup(g, r, &t);
			if (r->nterms > SPF_TERMS_MAX)
				return;		/* this one is too many */
			break;
		case SPF_REDIRECT:
		case SPF_EXP:
		case SPF_UNKNOWN_MODIFIER:
			break;
		}
	}
	if (r->rec.redirect.n > 0) {
		write_text(r, " redirect=t%zu.r%zu.g", r->nterms, g->nrecords);
		add_term(r, SPF_REDIRECT, r->rec.redirect,
		    r->rec.redirect_spec);
	} else {
		add_marker(g, r, STR(""));
	}
}
