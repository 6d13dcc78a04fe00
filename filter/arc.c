/*
 * arc.c - ARC chains: what forwarders before us stated, and whether it can be
 * believed (RFC 8617, 5.2).
 *
 * The structure is looked at as soon as the header is in; only a chain that
 * could pass makes lookups, all at once, and has the body hashed.  What a set
 * says is arc_tags.c's, canonical forms are canon.c's, signatures
 * arc_verify.c's.
 *
 * A lookup that fails makes the answer temperror, unless something else makes
 * it fail: RFC 8617, 5.2.1 counts it as fail, but a filter can still ask for
 * the message again.  Stricter than the RFC in two points: a message signature
 * whose l= leaves octets of the body unsigned doesn't pass, nor does the newest
 * one if it leaves a From field unsigned.
 */
#include "arc.h"

#include <string.h>

#include "arc_int.h"
#include "authres_parse.h"
#include "rules/arena.h"

#define HEADER_MAX	(4u << 20)	/* octets of all fields */
#define STORED_MAX	10000		/* fields */
#define OTHERS_MAX	10		/* keys that only signatures below the newest need */

static void
end_check(void *arg)
{
	struct arc_check *c = arg;

	for (unsigned i = 0; i < c->n; i++) {
		dns_query_free(c->sets[i].signature_key);
		dns_query_free(c->sets[i].seal_key);
	}
	for (size_t i = 0; i < c->nbodies; i++)
		hash_free(&c->body[i]->canon.hash);
	hash_free(&c->chain);
}

struct arc_check *
arc_begin(struct resolver *r, struct arena *a, time_t now)
{
	struct arc_check *c;

	if ((c = arena_new_object(a, struct arc_check)) == NULL ||
	    arena_defer(a, end_check, c) == -1)
		return NULL;
	c->resolver = r;
	c->arena = a;
	c->now = now != 0 ? now : time(NULL);
	return c;
}

static bool
field_kind(struct str name, enum arc_field *kind)
{
	name = str_trim(name);
	for (int k = 0; k < ARC_FIELDS; k++) {
		if (str_ieq(name, str_of(arc_field_name((enum arc_field)k)))) {
			*kind = (enum arc_field)k;
			return true;
		}
	}
	return false;
}

int
arc_add_field(struct arc_check *c, struct str name, struct str raw)
{
	struct arc_stored *f;
	enum arc_field kind;

	c->any |= field_kind(name, &kind);
	c->octets += name.n + raw.n;
	c->too_large |= c->octets > HEADER_MAX || c->nfields == STORED_MAX;
	if (c->too_large)
		return 0;
	if ((f = arena_new_object(c->arena, struct arc_stored)) == NULL)
		return -1;
	f->f.name = str_dup(c->arena, name);
	f->f.raw = str_dup(c->arena, raw);
	if (f->f.name.p == NULL || f->f.raw.p == NULL)
		return -1;
	f->f.at = c->nfields++;
	*(c->fields == NULL ? &c->fields : &c->last->next) = f;
	c->last = f;
	return 0;
}

/* ---- Structure (RFC 8617, 5.2, steps 1 to 3) ---- */

static void
settle(struct arc_check *c, enum arc_result r, struct str why)
{
	c->settled = true;
	c->answer.result = r;
	c->answer.reason = why;
}

/* "ARC-Seal 2: WHY" */
static void
settle_at(struct arc_check *c, enum arc_result r, enum arc_field f, unsigned instance,
    const char *why)
{
	settle(c, r, str_printf(c->arena, "%s %u: %s", arc_field_name(f), instance, why));
}

/* Reads the field into its place; false if the chain ends there. */
static bool
place_field(struct arc_check *c, const struct signed_field *f, enum arc_field kind)
{
	struct arc_tags t = { .instance = 0 };
	struct str payload = STR_NONE;
	struct arc_set *s;

	if (kind == ARC_RESULTS)
		t.instance = arc_read_results(f->raw, &payload);
	else if (kind == ARC_SIGNATURE)
		arc_read_signature(c->arena, f->raw, c->now, &t);
	else
		arc_read_seal(c->arena, f->raw, &t);
	if (t.instance == 0) {
		settle(c, ARC_R_FAIL, str_printf(c->arena, "%s without an instance",
		    arc_field_name(kind)));
		return false;
	}
	s = &c->sets[t.instance - 1];
	if (s->field[kind] != NULL) {
		settle_at(c, ARC_R_FAIL, kind, t.instance, "there are two");
		return false;
	}
	s->field[kind] = f;
	if (kind == ARC_RESULTS)
		s->results = payload;
	else if (kind == ARC_SIGNATURE)
		s->signature = t;
	else
		s->seal = t;
	if (t.instance > c->n)
		c->n = t.instance;
	return true;
}

/* Each set is whole, and says of those below it what it must. */
static bool
check_set(struct arc_check *c, unsigned instance)
{
	const struct arc_set *s = &c->sets[instance - 1];

	for (int k = 0; k < ARC_FIELDS; k++) {
		if (s->field[k] == NULL) {
			settle_at(c, ARC_R_FAIL, (enum arc_field)k, instance, "it is missing");
			return false;
		}
	}
	if (s->seal.wrong != NULL)
		settle_at(c, ARC_R_FAIL, ARC_SEAL, instance, s->seal.wrong);
	else if (s->seal.cv != (instance == 1 ? ARC_CV_NONE : ARC_CV_PASS))
		settle_at(c, ARC_R_FAIL, ARC_SEAL, instance, s->seal.cv == ARC_CV_FAIL ?
		    "it says that the chain has failed" : "cv= doesn't fit");
	return !c->settled;
}

/* How many of the From fields does h= name? */
static size_t
names_from(struct str h)
{
	const char *colon;
	struct str name;
	size_t n = 0;

	while (h.n > 0) {
		colon = memchr(h.p, ':', h.n);
		name = (struct str){ h.p, colon != NULL ? (size_t)(colon - h.p) : h.n };
		n += str_ieq(str_trim(name), STR("From"));
		h.p += name.n + (colon != NULL);
		h.n -= name.n + (colon != NULL);
	}
	return n;
}

/*
 * A From on top of those that were signed is nobody's, and most readers show
 * that one; with it, sealed mail could be sent again as anybody's.
 */
static void
check_author(struct arc_check *c)
{
	size_t n = 0;

	for (const struct arc_stored *f = c->fields; f != NULL; f = f->next)
		n += str_ieq(str_trim(f->f.name), STR("From"));
	if (n > names_from(c->sets[c->n - 1].signature.h))
		settle_at(c, ARC_R_FAIL, ARC_SIGNATURE, c->n, "a From field is not signed");
}

static void
read_chain(struct arc_check *c)
{
	const struct arc_set *newest;
	enum arc_field kind;

	for (const struct arc_stored *f = c->fields; f != NULL; f = f->next)
		if (field_kind(f->f.name, &kind) && !place_field(c, &f->f, kind))
			return;
	newest = &c->sets[c->n - 1];
	if (newest->field[ARC_SEAL] != NULL && newest->seal.cv == ARC_CV_FAIL) {
		settle_at(c, ARC_R_FAIL, ARC_SEAL, c->n, "it says that the chain has failed");
		return;
	}
	for (unsigned i = 1; i <= c->n; i++)
		if (!check_set(c, i))
			return;
	if (newest->signature.wrong != NULL)
		settle_at(c, ARC_R_FAIL, ARC_SIGNATURE, c->n, newest->signature.wrong);
	else
		check_author(c);
}

/* ---- Keys and bodies ---- */

static struct dns_query *
ask_key(struct arc_check *c, const struct arc_tags *t)
{
	struct str name = str_printf(c->arena, STR_FMT "._domainkey." STR_FMT,
	    STR_ARG(t->selector), STR_ARG(t->domain));

	return name.p != NULL ? resolver_ask(c->resolver, name, DNS_TXT) : NULL;
}

/* The hash of the body that the signature needs; NULL if there would be too many. */
static struct arc_body *
body_for(struct arc_check *c, const struct arc_tags *t, bool relaxed)
{
	uint64_t limit = t->has_length ? t->length : UINT64_MAX;
	struct arc_body *b;

	for (size_t i = 0; i < c->nbodies; i++) {
		b = c->body[i];
		if (b->canon.relaxed == relaxed && b->canon.limit == limit)
			return b;
	}
	if (c->nbodies == ARC_BODIES_MAX ||
	    (b = arena_new_object(c->arena, struct arc_body)) == NULL ||
	    canon_body_begin(&b->canon, relaxed, false, limit) == -1)
		return NULL;
	c->body[c->nbodies++] = b;
	return b;
}

/* The newest signature's and the seals' must be had; the others only tell how far back it passes. */
static void
begin_lookups(struct arc_check *c)
{
	size_t others = 0;

	for (unsigned i = c->n; i > 0; i--) {
		struct arc_set *s = &c->sets[i - 1];
		const struct arc_tags *t = &s->signature;

		s->seal_key = ask_key(c, &s->seal);
		if (t->wrong != NULL)
			continue;
		others += i < c->n && !(str_ieq(t->domain, s->seal.domain) &&
		    str_ieq(t->selector, s->seal.selector));
		if (others > OTHERS_MAX)
			continue;
		s->body[0] = body_for(c, t, t->relaxed_body);
		if (!t->has_canon)
			s->body[1] = body_for(c, t, true);
		s->signature_key = ask_key(c, t);
	}
}

int
arc_end_headers(struct arc_check *c)
{
	if (!c->any) {
		settle(c, ARC_R_NONE, STR_NONE);
		return 0;
	}
	if (c->too_large) {
		settle(c, ARC_R_FAIL, STR("the header is too large"));
		return 0;
	}
	c->sets = arena_array(c->arena, ARC_SETS_MAX, sizeof(*c->sets));
	if (c->sets == NULL)
		return -1;
	read_chain(c);
	if (!c->settled)
		begin_lookups(c);
	return arena_failed(c->arena) ? -1 : 0;
}

bool
arc_wants_body(const struct arc_check *c)
{
	return !c->settled && c->nbodies > 0;
}

void
arc_add_body(struct arc_check *c, struct str chunk)
{
	if (!c->settled)
		for (size_t i = 0; i < c->nbodies; i++)
			canon_body_add(&c->body[i]->canon, chunk);
}

/* ---- Signatures (RFC 8617, 5.2, steps 4 to 6) ---- */

/* False if the chain fails at the field; a lookup that failed is remembered. */
static bool
hold(struct arc_check *c, enum arc_result r, enum arc_field f, unsigned instance,
    const char *why)
{
	if (r == ARC_R_FAIL || (r == ARC_R_TEMPERROR && !c->settled))
		settle_at(c, r, f, instance, why);
	return r != ARC_R_FAIL;
}

static void
verify_chain(struct arc_check *c, msec deadline)
{
	const char *why = NULL;
	enum arc_result r;
	unsigned i;

	r = arc_verify_signature(c, &c->sets[c->n - 1], deadline, &why);
	if (!hold(c, r, ARC_SIGNATURE, c->n, why))
		return;
	for (i = 1; i <= c->n; i++) {
		r = arc_verify_seal(c, &c->sets[i - 1], deadline, &why);
		if (!hold(c, r, ARC_SEAL, i, why))
			return;
	}
	if (c->settled)
		return;
	/* Step 5. */
	for (i = c->n - 1; i > 0; i--)
		if (arc_verify_signature(c, &c->sets[i - 1], deadline, &why) != ARC_R_PASS)
			break;
	c->answer.oldest_pass = i > 0 ? (int)i + 1 : 0;
	settle(c, ARC_R_PASS, STR_NONE);
}

/*
 * What the newest set states; a field that can't be read states nothing, nor
 * does one of another version than 1, or such a method's result (RFC 8601, 2.2 and 2.6).
 */
static void
take_results(struct arc_check *c)
{
	struct authres_field f;
	struct arc_stated *v;

	if (authres_parse(c->arena, c->sets[c->n - 1].results, &f) == -1 ||
	    f.version != 1 || (v = arena_array(c->arena, f.n + 1, sizeof(*v))) == NULL)
		return;
	c->answer.stated = v;
	for (size_t i = 0; i < f.n; i++)
		if (f.results[i].version <= 1)		/* 0: none is given */
			v[c->answer.nstated++] = (struct arc_stated){
			    f.results[i].method, f.results[i].result };
}

const struct arc_answer *
arc_finish(struct arc_check *c, msec deadline)
{
	if (!c->settled)
		verify_chain(c, deadline);
	if ((c->answer.result == ARC_R_PASS || c->answer.result == ARC_R_TEMPERROR) &&
	    c->n > 0 && c->answer.sealer.p == NULL) {
		c->answer.sealer = domain_normal(c->arena,
		    c->sets[c->n - 1].seal.domain);
		take_results(c);
	}
	return arena_failed(c->arena) ? NULL : &c->answer;
}
