/*
 * arc_verify.c - the signatures of an ARC set (RFC 8617, 5.1.1; RFC 6376,
 * 3.7; RFC 8463), with OpenSSL.
 *
 * What costs is bounded: a seal covers all sets below it, so their hash is
 * carried on from set to set; fields are found by name in a sorted list; and
 * message signatures below the newest end where WORK_MAX octets were hashed.
 */
#include "arc_int.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "rsa.h"
#include "rules/arena.h"

#define KEY_BITS_MIN	1024		/* RFC 8301, 3.2 */
#define WORK_MAX	(32u << 20)
#define NAME_WORK	100		/* a name in h= costs as much as hashing these */

/* ---- Keys and signatures ---- */

/* RFC 8463, 3: PureEdDSA over the hash. */
static bool
verify_ed25519(struct str raw, struct str sig, const unsigned char *digest)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)raw.p, raw.n);
	EVP_MD_CTX *ctx = key != NULL ? EVP_MD_CTX_new() : NULL;
	bool good;

	good = ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, digest,
	    SHA256_OCTETS) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

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
	r = dkim_read_key(c->arena, dns_query_wait(q, deadline), &tags, &key, &text);
	if (r != DKIM_R_PASS) {
		*why = text.p != NULL ? text.p : "there is no key";
		return r == DKIM_R_TEMPERROR ? ARC_R_TEMPERROR : ARC_R_FAIL;
	}
	if (t->alg == DKIM_A_RSA_SHA256 && key.bits < KEY_BITS_MIN) {
		*why = "the key is too small";
		return ARC_R_FAIL;
	}
	good = t->alg == DKIM_A_ED25519 ?
	    verify_ed25519(key.octets, t->signature, digest) :
	    rsa_verify_sha256(key.octets, t->signature, digest);
	ERR_clear_error();
	*why = good ? NULL : "the signature doesn't verify";
	return good ? ARC_R_PASS : ARC_R_FAIL;
}

/* ---- The header as a message signature covers it ---- */

static int
compare_names(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		if (x >= 'A' && x <= 'Z')
			x |= 0x20;
		if (y >= 'A' && y <= 'Z')
			y |= 0x20;
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static int
compare_fields(const void *a, const void *b)
{
	const struct arc_stored *x = *(const struct arc_stored *const *)a;
	const struct arc_stored *y = *(const struct arc_stored *const *)b;
	int r = compare_names(str_trim(x->name), str_trim(y->name));

	return r != 0 ? r : (x > y) - (x < y);
}

static bool
sort_fields(struct arc_check *c)
{
	if (c->sorted != NULL)
		return true;
	c->sorted = arena_array(c->arena, c->nfields + 1, sizeof(*c->sorted));
	if (c->sorted == NULL)
		return false;
	for (size_t i = 0; i < c->nfields; i++)
		c->sorted[i] = &c->fields[i];
	qsort(c->sorted, c->nfields, sizeof(*c->sorted), compare_fields);
	return true;
}

/* The first field whose name isn't below `name` (`after`: is above it). */
static size_t
search(const struct arc_check *c, struct str name, bool after)
{
	size_t lo = 0, hi = c->nfields;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = compare_names(str_trim(c->sorted[mid]->name), name);

		if (r < 0 || (after && r == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The next of the fields of that name, from the bottom; not the signature itself. */
static const struct arc_stored *
next_field(const struct arc_check *c, uint32_t *taken, struct str name,
    const struct arc_stored *self)
{
	size_t from = search(c, name, false), to = search(c, name, true);

	while (from < to && taken[from] < to - from) {
		const struct arc_stored *f = c->sorted[to - 1 - taken[from]++];

		if (f != self)
			return f;
	}
	return NULL;
}

/* RFC 6376, 5.4.2: the fields that h= names, then the signature without b=. */
static bool
hash_header(struct arc_check *c, const struct arc_set *s, unsigned char *digest)
{
	const struct arc_stored *self = s->field[ARC_SIGNATURE], *f;
	const struct arc_tags *t = &s->signature;
	struct str rest = t->h, name;
	struct hash h = { .n = 0 };
	const char *colon;
	uint32_t *taken;
	bool good;

	taken = arena_array(c->arena, c->nfields + 1, sizeof(*taken));
	if (taken == NULL || !sort_fields(c) || hash_begin(&h, false) == -1) {
		hash_free(&h);
		return false;
	}
	while (rest.n > 0) {
		colon = memchr(rest.p, ':', rest.n);
		name = (struct str){ rest.p, colon != NULL ? (size_t)(colon - rest.p) : rest.n };
		rest = (struct str){ rest.p + name.n + (colon != NULL),
		    rest.n - name.n - (colon != NULL) };
		name = str_trim(name);
		c->work += NAME_WORK;
		if (name.n == 0 || (f = next_field(c, taken, name, self)) == NULL)
			continue;
		canon_field(&h, t->relaxed_header, f->name, f->raw, 0, 0);
		hash_add(&h, "\r\n", 2);
		c->work += f->name.n + f->raw.n;
	}
	canon_field(&h, t->relaxed_header, self->name, self->raw, t->b_from, t->b_to);
	good = hash_end(&h, digest) == 0;
	hash_free(&h);
	return good;
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
	if (!hash_header(c, s, digest)) {
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
	const struct arc_stored *self = s->field[ARC_SEAL];
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
