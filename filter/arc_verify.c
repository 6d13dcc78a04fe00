/*
 * arc_verify.c - the signatures of an ARC set (RFC 8617, 5.1.1; RFC 6376, 3.7).
 *
 * What costs is bounded: a seal covers all sets below it, so their hash is
 * carried on from set to set; and message signatures below the newest end where
 * WORK_MAX octets were hashed.  What a header is hashed as is signed.c's.
 */
#include "arc_int.h"

#include <string.h>

#include "rules/arena.h"

#define KEY_BITS_MIN	1024		/* RFC 8301, 3.2 */
#define WORK_MAX	(32u << 20)

/* ---- Keys and signatures ---- */

static enum arc_result
verify(struct arc_check *c, const struct arc_tags *t, struct dns_query *q,
    const unsigned char *digest, msec deadline, const char **why)
{
	struct dkim_tags tags = { .alg = t->alg, .exact = true };
	struct str text = STR_NONE;
	struct dkim_key key;
	enum dkim_result r;
	bool good;

	if (q == NULL) {
		*why = "the key's name is no name";
		return ARC_R_FAIL;
	}
	r = dkim_read_key(c->arena, q, deadline, &tags, &key, &text);
	if (r != DKIM_R_PASS) {
		*why = text.p != NULL ? text.p : "there is no key";
		return r == DKIM_R_TEMPERROR ? ARC_R_TEMPERROR : ARC_R_FAIL;
	}
	if (t->alg == DKIM_A_RSA_SHA256 && key.bits < KEY_BITS_MIN) {
		*why = "the key is too small";
		return ARC_R_FAIL;
	}
	good = signed_verify(t->alg, key.octets, t->signature, digest);
	*why = good ? NULL : "the signature doesn't verify";
	return good ? ARC_R_PASS : ARC_R_FAIL;
}

/* ---- Message signatures ---- */

static int
hash_header(struct arc_check *c, const struct arc_set *s, unsigned char *digest)
{
	const struct arc_tags *t = &s->signature;
	struct signed_by by = { .self = s->field[ARC_SIGNATURE], .h = t->h,
	    .relaxed = t->relaxed_header, .b_from = t->b_from, .b_to = t->b_to };

	if (c->index.v == NULL) {
		if (signed_index_begin(&c->index, c->arena, c->nfields) == -1)
			return -1;
		for (const struct arc_stored *f = c->fields; f != NULL; f = f->next)
			c->index.v[c->index.n++] = &f->f;
		signed_index_sort(&c->index);
	}
	return signed_hash(&c->index, &by, &c->work, digest);
}

/* With the canonical forms that the tags name. */
static enum arc_result
verify_as(struct arc_check *c, const struct arc_set *s, struct arc_body *b, msec deadline,
    const char **why)
{
	const struct arc_tags *t = &s->signature;
	unsigned char digest[SHA256_OCTETS];

	*why = b == NULL || c->work > WORK_MAX ? "not looked at" : NULL;
	if (*why != NULL)
		return ARC_R_FAIL;
	if (!b->ended && canon_body_end(&b->canon, b->digest) == -1) {
		*why = "out of memory";
		return ARC_R_TEMPERROR;
	}
	b->ended = true;
	if (memcmp(b->digest, t->body_hash.p, SHA256_OCTETS) != 0)
		*why = "the body hash differs";
	else if (t->has_length && t->length != b->canon.octets)
		*why = "l= is not the body's length";
	if (*why != NULL)
		return ARC_R_FAIL;
	if (hash_header(c, s, digest) == -1) {
		*why = "out of memory";
		return ARC_R_TEMPERROR;
	}
	return verify(c, t, s->signature_key, digest, deadline, why);
}

/*
 * Without c= it should be simple (RFC 6376, 3.5), but sealers and the suite
 * of ARC's authors mean relaxed by it; what either signed was signed.
 */
enum arc_result
arc_verify_signature(struct arc_check *c, struct arc_set *s, msec deadline, const char **why)
{
	enum arc_result r;

	if (s->signature.wrong != NULL) {
		*why = s->signature.wrong;
		return ARC_R_FAIL;
	}
	r = verify_as(c, s, s->body[0], deadline, why);
	if (s->signature.has_canon || r != ARC_R_FAIL)
		return r;
	s->signature.relaxed_header = s->signature.relaxed_body = true;
	return verify_as(c, s, s->body[1], deadline, why);
}

/* ---- Seals ---- */

static void
add_field(struct hash *h, const struct arc_set *s, enum arc_field f)
{
	canon_field(h, true, s->field[f]->name, s->field[f]->raw, 0, 0);
	hash_add(h, "\r\n", 2);
}

enum arc_result
arc_verify_seal(struct arc_check *c, struct arc_set *s, msec deadline, const char **why)
{
	const struct signed_field *self = s->field[ARC_SEAL];
	unsigned char digest[SHA256_OCTETS];
	struct hash h = { .n = 0 };
	bool good;

	if (c->chain.md == NULL)
		(void)hash_begin(&c->chain, false);
	add_field(&c->chain, s, ARC_RESULTS);
	add_field(&c->chain, s, ARC_SIGNATURE);
	if ((good = hash_copy(&h, &c->chain) == 0)) {
		canon_field(&h, true, self->name, self->raw, s->seal.b_from,
		    s->seal.b_to);
		good = hash_end(&h, digest) == 0;
	}
	hash_free(&h);
	add_field(&c->chain, s, ARC_SEAL);
	if (!good) {
		*why = "out of memory";
		return ARC_R_TEMPERROR;
	}
	return verify(c, &s->seal, s->seal_key, digest, deadline, why);
}
