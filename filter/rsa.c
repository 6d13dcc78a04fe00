/*
 * rsa.c - RSA public keys, read and written without OpenSSL's decoders.
 *
 * Since OpenSSL 3, d2i_PUBKEY() asks all providers for all their decoders, for
 * each key: 0.2 ms, ten times what verifying a signature takes, and libopendkim
 * calls it for each signature, too.  The few octets of DER are read here
 * instead, and d2i_PUBKEY_bio(), by which libopendkim gets its keys, is defined
 * here: a program's own definition comes before a shared library's.  What isn't
 * an RSA key it leaves to OpenSSL.
 *
 * The EVP_PKEY that holds such a key must be one of the old kind, or OpenSSL
 * would convert it; hence functions that it calls deprecated.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "rsa.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "rules/arena.h"

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_NULL = 0x05, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

/* rsaEncryption, 1.2.840.113549.1.1.1 (RFC 8017, A.1) */
static const unsigned char rsa_oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };

/* ---- Reading ---- */

/* Takes the next element off *s, if it has that tag: its content. */
static bool
element(struct str *s, unsigned char tag, struct str *content)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n, at = 2, octets;

	if (s->n < 2 || p[0] != tag)
		return false;
	n = p[1];
	if (n >= 0x80) {
		octets = n & 0x7f;
		if (octets == 0 || octets > 3 || s->n < at + octets)
			return false;
		for (n = 0; octets > 0; octets--)
			n = n << 8 | p[at++];
	}
	if (n > s->n - at)
		return false;
	*content = (struct str){ s->p + at, n };
	*s = (struct str){ s->p + at + n, s->n - at - n };
	return true;
}

/* Not zero; leading zeros are left out. */
static bool
positive(struct str *s, struct str *v)
{
	if (!element(s, DER_INTEGER, v))
		return false;
	while (v->n > 0 && v->p[0] == '\0') {
		v->p++;
		v->n--;
	}
	return v->n > 0;
}

/* RFC 8017, 3.1: odd, and 3 at least.  With 1, anybody's padded digest is a signature. */
static bool
is_exponent(struct str e)
{
	return (e.p[e.n - 1] & 1) != 0 && (e.n > 1 || e.p[0] != 1);
}

static bool
read_numbers(struct str der, struct rsa_public *k)
{
	struct str s;

	return element(&der, DER_SEQUENCE, &s) && positive(&s, &k->modulus) &&
	    positive(&s, &k->exponent) && is_exponent(k->exponent);
}

bool
rsa_read(struct str der, struct rsa_public *k)
{
	struct str whole = der, spki, algorithm, oid, bits;

	if (!element(&whole, DER_SEQUENCE, &spki))
		return false;
	if (!element(&spki, DER_SEQUENCE, &algorithm))
		return read_numbers(der, k);
	return element(&algorithm, DER_OID, &oid) && oid.n == sizeof(rsa_oid) &&
	    memcmp(oid.p, rsa_oid, sizeof(rsa_oid)) == 0 &&
	    element(&spki, DER_BITS, &bits) && bits.n > 1 && bits.p[0] == '\0' &&
	    read_numbers((struct str){ bits.p + 1, bits.n - 1 }, k);
}

int
rsa_bits(const struct rsa_public *k)
{
	int bits = 8 * (int)k->modulus.n;

	for (unsigned char top = (unsigned char)k->modulus.p[0]; (top & 0x80) == 0; top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

/* ---- Writing, from the end ---- */

/* Puts the tag and the length of what stands from p to end before p. */
static unsigned char *
wrap(unsigned char *p, const unsigned char *end, unsigned char tag)
{
	size_t n = (size_t)(end - p), octets = 0;

	if (n < 0x80) {
		*--p = (unsigned char)n;
	} else {
		for (; n > 0; n >>= 8, octets++)
			*--p = (unsigned char)n;
		*--p = (unsigned char)(0x80 | octets);
	}
	*--p = tag;
	return p;
}

static unsigned char *
put_number(unsigned char *p, struct str v)
{
	unsigned char *end = p;

	p -= v.n;
	memcpy(p, v.p, v.n);
	if ((*p & 0x80) != 0)
		*--p = 0;
	return wrap(p, end, DER_INTEGER);
}

struct str
rsa_write(struct arena *a, const struct rsa_public *k)
{
	size_t cap = k->modulus.n + k->exponent.n + 64;
	unsigned char *out = arena_alloc(a, cap), *end, *p, *algorithm;

	if (out == NULL)
		return STR_NONE;
	end = out + cap;
	p = put_number(end, k->exponent);
	p = wrap(put_number(p, k->modulus), end, DER_SEQUENCE);
	*--p = 0;		/* bits that aren't used */
	algorithm = p = wrap(p, end, DER_BITS);
	*--p = 0;
	*--p = DER_NULL;
	p -= sizeof(rsa_oid);
	memcpy(p, rsa_oid, sizeof(rsa_oid));
	*--p = sizeof(rsa_oid);
	*--p = DER_OID;
	p = wrap(wrap(p, algorithm, DER_SEQUENCE), end, DER_SEQUENCE);
	return (struct str){ (char *)p, (size_t)(end - p) };
}

/* ---- OpenSSL ---- */

static BIGNUM *
number(struct str v)
{
	return BN_bin2bn((const unsigned char *)v.p, (int)v.n, NULL);
}

static RSA *
make_rsa(struct str der)
{
	struct rsa_public k;
	BIGNUM *n, *e;
	RSA *rsa;

	if (!rsa_read(der, &k) || (rsa = RSA_new()) == NULL)
		return NULL;
	n = number(k.modulus);
	e = number(k.exponent);
	if (n != NULL && e != NULL && RSA_set0_key(rsa, n, e, NULL) == 1)
		return rsa;
	BN_free(n);
	BN_free(e);
	RSA_free(rsa);
	return NULL;
}

bool
rsa_verify_sha256(struct str der, struct str sig, const unsigned char *digest)
{
	RSA *rsa = make_rsa(der);
	bool good;

	good = rsa != NULL && RSA_verify(NID_sha256, digest, 32,
	    (const unsigned char *)sig.p, (unsigned)sig.n, rsa) == 1;
	RSA_free(rsa);
	ERR_clear_error();
	return good;
}

/* Takes OpenSSL's place: see above. */
EVP_PKEY *
d2i_PUBKEY_bio(BIO *bio, EVP_PKEY **key)
{
	char *octets = NULL;
	long n = BIO_get_mem_data(bio, &octets);
	const unsigned char *p = (const unsigned char *)octets;
	EVP_PKEY *made;
	RSA *rsa;

	if (n <= 0 || octets == NULL)
		return NULL;
	if ((rsa = make_rsa((struct str){ octets, (size_t)n })) == NULL)
		return d2i_PUBKEY(key, &p, n);
	if ((made = EVP_PKEY_new()) == NULL || EVP_PKEY_assign_RSA(made, rsa) != 1) {
		EVP_PKEY_free(made);
		RSA_free(rsa);
		return NULL;
	}
	if (key != NULL)
		*key = made;
	return made;
}
