/*
 * signed.c - the header as a signature of DKIM or ARC covers it, and the
 * signature itself, with OpenSSL.
 *
 * Fields are found by name in a sorted list, so that thousands of names in h=
 * among thousands of fields cost no more than their octets.
 *
 * What a signature says was read before (dkim_tags.c, arc_tags.c), keys too
 * (dkim_key.c); how much work is too much is for the caller to say.
 */
#include "signed.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "rsa.h"
#include "rules/arena.h"

#define NAME_WORK	100	/* a name in h= costs as much as hashing these */

/* ---- Fields by name ---- */

int
signed_index_begin(struct signed_index *x, struct arena *a, size_t n)
{
	x->n = 0;
	x->v = arena_array(a, n + 1, sizeof(*x->v));
	x->taken = arena_array(a, n + 1, sizeof(*x->taken));
	return x->v != NULL && x->taken != NULL ? 0 : -1;
}

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
	const struct signed_field *x = *(const struct signed_field *const *)a;
	const struct signed_field *y = *(const struct signed_field *const *)b;
	int r = compare_names(str_trim(x->name), str_trim(y->name));

	return r != 0 ? r : (x->at > y->at) - (x->at < y->at);
}

void
signed_index_sort(struct signed_index *x)
{
	if (x->n > 0)
		qsort(x->v, x->n, sizeof(*x->v), compare_fields);
}

/* The first field whose name isn't below `name` (`after`: is above it). */
static size_t
search(const struct signed_index *x, struct str name, bool after)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = compare_names(str_trim(x->v[mid]->name), name);

		if (r < 0 || (after && r == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The next of the fields of that name, from the bottom; NULL if there is none. */
static const struct signed_field *
next_field(struct signed_index *x, struct str name, const struct signed_field *self)
{
	size_t from = search(x, name, false), to = search(x, name, true);

	while (from < to && x->taken[from] < to - from) {
		const struct signed_field *f = x->v[to - 1 - x->taken[from]++];

		if (f != self)
			return f;
	}
	return NULL;
}

int
signed_hash(struct signed_index *x, const struct signed_by *s, size_t *work,
    unsigned char *digest)
{
	const struct signed_field *f;
	struct str rest = s->h, name;
	struct hash h = { .n = 0 };
	int r;

	memset(x->taken, 0, (x->n + 1) * sizeof(*x->taken));
	(void)hash_begin(&h, false);
	while (dkim_next_name(&rest, &name)) {
		*work += NAME_WORK;
		if (name.n == 0 || (f = next_field(x, name, s->self)) == NULL)
			continue;
		canon_field(&h, s->relaxed, f->name, f->raw, 0, 0);
		hash_add(&h, "\r\n", 2);
		*work += f->name.n + f->raw.n;
	}
	canon_field(&h, s->relaxed, s->self->name, s->self->raw, s->b_from, s->b_to);
	r = hash_end(&h, digest);
	hash_free(&h);
	return r;
}

/* ---- Signatures ---- */

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

bool
signed_verify(enum dkim_algorithm alg, struct str key, struct str sig,
    const unsigned char *digest)
{
	bool good = alg == DKIM_A_ED25519 ? verify_ed25519(key, sig, digest) :
	    rsa_verify_sha256(key, sig, digest);

	ERR_clear_error();
	return good;
}
