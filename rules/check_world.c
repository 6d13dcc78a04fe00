/*
 * check_world.c - what can be known beforehand of lists in the DNS, databases,
 * sealers and their answers.
 *
 * A misspelt zone would find nobody listed, a code that no list gives would
 * never match, a country's name is not its code, and nobody states results of
 * a misspelt method: each is a rule that never fires, and nobody would notice.
 */
#include "check_types.h"

#include <string.h>

#include "arena.h"
#include "diag.h"

#define ZONE_MAX	189	/* 253 octets without the 32 digits of an IPv6 address and their dots */

/* Labels of letters, digits, - and _ with dots between them. */
static bool
is_domain(struct str s)
{
	size_t label = 0, dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			dots++;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
			if (++label > 63)
				return false;
		} else
			return false;
	}
	return label > 0 && dots > 0;
}

static bool
check_zone(struct typing *t, const struct fact_ref *ref)
{
	struct str zone = domain_normal(t->a, ref->key);
	const char *name = ref->fact->name;
	struct ipaddr ip;

	if (zone.p == NULL)
		return true;	/* the arena remembers */
	if (ipaddr_parse(ref->key, &ip) == 0)
		diag_error(t->d, ref->key_at, "'" STR_FMT "' is an address; %s asks a list by the "
		    "name of its zone, like %s[\"bl.example.org\"]", STR_ARG(ref->key), name, name);
	else if (!is_domain(zone))
		diag_error(t->d, ref->key_at, "'" STR_FMT "' is no zone of a list in the DNS; write "
		    "its name, like %s[\"bl.example.org\"]", STR_ARG(ref->key), name);
	else if (zone.n > ZONE_MAX)
		diag_error(t->d, ref->key_at, "this name of %zu octets is too long for a list in the "
		    "DNS: with what is asked for before it, 253 are the most", zone.n);
	else
		return true;
	return false;
}

/*
 * Who seals may state results of any method; but one that nobody registered
 * (IANA, Email Authentication Methods) is more likely misspelt.
 */
static void
check_method(struct typing *t, const struct fact_ref *ref)
{
	static const struct str known[] = {
		STR("arc"), STR("auth"), STR("dkim"), STR("dkim-adsp"), STR("dkim-atps"),
		STR("dmarc"), STR("dnswl"), STR("domainkeys"), STR("iprev"), STR("rrvs"),
		STR("sender-id"), STR("smime"), STR("spf"), STR("vbr"),
	};
	size_t n = sizeof(known) / sizeof(known[0]);
	struct str near;

	if (str_istarts(ref->key, STR("x-")))
		return;
	for (size_t i = 0; i < n; i++)
		if (str_ieq(ref->key, known[i]))
			return;
	near = diag_nearest(ref->key, known, n);
	if (near.p != NULL)
		diag_warning(t->d, ref->key_at, "'" STR_FMT "' is no method that is known; did you "
		    "mean '" STR_FMT "'?", STR_ARG(ref->key), STR_ARG(near));
	else
		diag_warning(t->d, ref->key_at, "'" STR_FMT "' is no method that is known: those are "
		    "arc, auth, dkim, dkim-adsp, dkim-atps, dmarc, dnswl, domainkeys, iprev, rrvs, "
		    "sender-id, smime, spf and vbr, and names of one's own begin with x-",
		    STR_ARG(ref->key));
}

bool
check_world(struct typing *t, const struct fact_ref *ref)
{
	const struct fact *f = ref->fact;

	if (f->flags & F_DNSBL)
		return check_zone(t, ref);
	if ((f->flags & F_ARC) != 0 && ref->has_key)
		check_method(t, ref);
	if ((f->flags & F_GEO) == 0 || t->geo)
		return true;
	if (!t->geo_said)
		diag_error(t->d, ref->at, "'%s' needs a database: say 'set geo-database FILE', like "
		    "/var/lib/GeoIP/GeoLite2-%s.mmdb", f->name,
		    f->type == T_NUMBER ? "ASN" : "Country");
	t->geo_said = true;
	return false;
}

/* Do two networks have an address in common? */
static bool
overlap(const struct ipnet *a, const struct ipnet *b)
{
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;

	for (unsigned i = 0; i < bits; i++)
		if (((a->addr.b[i / 8] ^ b->addr.b[i / 8]) & (0x80u >> i % 8)) != 0)
			return false;
	return true;
}

static bool
check_code(struct typing *t, const struct fact *f, enum op op, const struct operand *o)
{
	static const struct ipnet
	    codes = { { { [10] = 0xff, [11] = 0xff, [12] = 127 } }, 104 },
	    refusals = { { { [10] = 0xff, [11] = 0xff, [12] = 127, [13] = 255, [14] = 255 } }, 120 };
	struct ipnet net = { .bits = 128 };

	if (op == OP_IS)
		net.addr = o->value.ip;
	else
		net = o->value.net;
	if (!overlap(&net, &codes))
		diag_error(t->d, o->at, "'" STR_FMT "' can't be an answer of %s, whose codes are in "
		    "127.0.0.0/8", STR_ARG(o->text), f->name);
	else if (net.bits >= refusals.bits && overlap(&net, &refusals))
		diag_error(t->d, o->at, "127.255.255.x is how a list refuses to answer: an error, "
		    "for which 'set on-error dnsbl' says what is done");
	else
		return true;
	return false;
}

static bool
check_country(struct typing *t, const struct operand *o)
{
	struct str s = o->text;

	if (str_ieq(s, STR("UK")))
		diag_error(t->d, o->at, "the code of the United Kingdom is GB (ISO 3166)");
	else if (s.n != 2 || !char_is_letter(s.p[0]) || !char_is_letter(s.p[1]))
		diag_error(t->d, o->at, "'" STR_FMT "' is no code of a country; write two letters, "
		    "like DE (ISO 3166)", STR_ARG(s));
	else
		return true;
	return false;
}

bool
check_world_operand(struct typing *t, const struct fact *f, enum op op, const struct operand *o)
{
	if (op != OP_IS && op != OP_IN_SET && op != OP_IN_NET)
		return true;
	if ((f->flags & F_DNSBL) != 0 && f->type == T_ADDR)
		return check_code(t, f, op, o);
	if ((f->flags & F_GEO) != 0 && f->type == T_TEXT)
		return check_country(t, o);
	return true;
}
