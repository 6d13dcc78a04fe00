/*
 * dkim_own.c - signatures that libopendkim judges wrongly, verified without it.
 *
 * dkim_tags.c and dkim_key.c tell which (dkim_tags.beyond, a key without a record):
 *  - h= names DKIM-Signature.  It counts the signature itself among those fields,
 *    and gives all up if one of the others can't be read; but fields are taken
 *    from the bottom (RFC 6376, 5.4.2), and the signature is none of them (3.5),
 *    so what somebody puts on top changes nothing
 *  - a tag's name ends in b, or a blank stands before the = of b=: it leaves out
 *    the value of the one, and not that of the other
 *  - h= is longer than 4,096 octets, or the key's record than 1,024: it cuts them
 *  - there is UTF-8 in it (RFC 8616)
 */
#include "dkim_int.h"

#include "rules/arena.h"

#define WORK_MAX	(32u << 20)	/* octets hashed, all of these signatures */
#define SIGNATURE_MAX	2048		/* octets of b=: a key of 16,384 bits */

static bool
is_own(const struct signature *s)
{
	return s->open && !s->by_lib;
}

static int
make_index(struct dkim_check *c, struct signed_index *x)
{
	if (signed_index_begin(x, c->arena, c->nfields) == -1)
		return -1;
	for (const struct field *f = c->fields; f != NULL; f = f->next)
		x->v[x->n++] = &f->f;
	signed_index_sort(x);
	return 0;
}

/* The value of b=; that it is base64 is known. */
static struct str
signature_of(struct dkim_check *c, const struct signature *s, unsigned char *out, size_t cap)
{
	struct str b64 = dkim_collapse(c->arena, (struct str){
	    s->field->f.raw.p + s->tags.b_from, s->tags.b_to - s->tags.b_from });
	int n = b64.p != NULL ? dkim_decode_base64(c->arena, b64, out, cap) : -1;

	return (struct str){ (char *)out, n > 0 ? (size_t)n : 0 };
}

static int
verify(struct dkim_check *c, struct signed_index *x, struct signature *s, size_t *work)
{
	struct signed_by by = { .self = &s->field->f, .h = s->tags.names,
	    .relaxed = s->tags.relaxed_header, .b_from = s->tags.b_from,
	    .b_to = s->tags.b_to };
	unsigned char digest[SHA256_OCTETS], sig[SIGNATURE_MAX];

	/* It would not pass anyway. */
	if (s->tags.alg == DKIM_A_RSA_SHA1) {
		dkim_settle(s, DKIM_R_POLICY, STR("rsa-sha1 is not accepted"));
		return 0;
	}
	if (*work > WORK_MAX) {
		dkim_settle(s, DKIM_R_POLICY, STR("signs too much"));
		return 0;
	}
	if (signed_hash(x, &by, work, digest) == -1)
		return -1;
	if (!signed_verify(s->tags.alg, s->key.octets,
	    signature_of(c, s, sig, sizeof(sig)), digest))
		dkim_settle(s, DKIM_R_FAIL, STR("the signature doesn't verify"));
	return 0;
}

int
dkim_own_verify(struct dkim_check *c)
{
	struct signed_index x = { .v = NULL };
	size_t work = 0;

	for (size_t i = 0; i < c->nchosen; i++) {
		if (!is_own(c->chosen[i]))
			continue;
		if (x.v == NULL && make_index(c, &x) == -1)
			return -1;
		if (verify(c, &x, c->chosen[i], &work) == -1)
			return -1;
	}
	return arena_failed(c->arena) ? -1 : 0;
}
