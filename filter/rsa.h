/*
 * rsa.h - RSA public keys as strangers publish them, and signatures made with
 * them (PKCS #1 v1.5).
 */
#ifndef FILTER_RSA_H
#define FILTER_RSA_H

#include <stdbool.h>

#include "rules/str.h"

struct arena;

/* Slices of what was read: big-endian, without leading zeros. */
struct rsa_public {
	struct str	modulus, exponent;
};

/* Reads SubjectPublicKeyInfo, as everybody publishes it, or RSAPublicKey, as RFC 6376 says.
   False as well for an exponent that is even or 1: with that, anybody can sign. */
bool rsa_read(struct str der, struct rsa_public *k);
int rsa_bits(const struct rsa_public *k);
/* SubjectPublicKeyInfo in DER; p NULL without memory. */
struct str rsa_write(struct arena *a, const struct rsa_public *k);
/* Is that the signature of the SHA-256 digest by the key that rsa_write() wrote? */
bool rsa_verify_sha256(struct str der, struct str sig, const unsigned char *digest);

#endif
