/*
 * test_rsa.c - RSA keys in DER: what OpenSSL writes is read, what is written
 * OpenSSL reads, and nothing that is broken does harm.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "filter/rsa.h"
#include "rules/arena.h"

static struct arena *arena;

static struct str
spki_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	struct str s = str_dup(arena, (struct str){ (char *)der, (size_t)n });

	OPENSSL_free(der);
	return s;
}

static EVP_PKEY *
make_key(unsigned bits)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

static void
reads_and_writes_what_openssl_does(void **state)
{
	static const unsigned bits[] = { 512, 1024, 1031, 2048, 2047 };
	struct rsa_public k, again;

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		EVP_PKEY *key = make_key(bits[i]);
		struct str spki = spki_of(key);
		unsigned char *plain = NULL;
		int n = i2d_PublicKey(key, &plain);

		assert_true(rsa_read(spki, &k));
		assert_int_equal(rsa_bits(&k), EVP_PKEY_get_bits(key));
		assert_true(str_eq(rsa_write(arena, &k), spki));
		/* RFC 6376's own form */
		assert_true(rsa_read((struct str){ (char *)plain, (size_t)n }, &again));
		assert_true(str_eq(again.modulus, k.modulus));
		assert_true(str_eq(again.exponent, k.exponent));
		OPENSSL_free(plain);
		EVP_PKEY_free(key);
	}
}

/* Whatever octet is changed, and wherever it is cut. */
static void
survives_damage(void **state)
{
	EVP_PKEY *key = make_key(512);
	struct str spki = spki_of(key), copy;
	struct rsa_public k;
	char *p;

	(void)state;
	for (size_t i = 0; i < spki.n; i++) {
		/* Of its own size, so that a sanitizer sees what is read past its end. */
		p = malloc(i + 1);
		memcpy(p, spki.p, i);
		assert_false(rsa_read((struct str){ p, i }, &k));
		free(p);
		for (int c = 0; c < 256; c++) {
			copy = str_dup(arena, spki);
			p = (char *)(uintptr_t)copy.p;
			p[i] = (char)c;
			if (rsa_read(copy, &k)) {
				assert_true(rsa_bits(&k) > 0);
				assert_non_null(rsa_write(arena, &k).p);
			}
			arena_reset(arena);
			spki = spki_of(key);
		}
	}
	EVP_PKEY_free(key);
}

static void
verifies(void **state)
{
	EVP_PKEY *key = make_key(1024);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	unsigned char digest[32] = "the digest of some message", sig[128];
	size_t n = sizeof(sig);
	struct str spki = spki_of(key);

	(void)state;
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, digest, sizeof(digest)), 1);
	assert_true(rsa_verify_sha256(spki, (struct str){ (char *)sig, n }, digest));
	assert_false(rsa_verify_sha256(spki, (struct str){ (char *)sig, n - 1 }, digest));
	digest[3] ^= 1;
	assert_false(rsa_verify_sha256(spki, (struct str){ (char *)sig, n }, digest));
	assert_false(rsa_verify_sha256(STR("no key"), (struct str){ (char *)sig, n }, digest));
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

/* By a key with the exponent 1 everything is signed. */
static void
refuses_exponents(void **state)
{
	static const struct { const char *exponent; size_t n; bool read; } cases[] = {
		{ "\x01", 1, false }, { "\x02", 1, false }, { "\x03", 1, true },
		{ "\x01\x00", 2, false }, { "\x01\x01", 2, true },
		{ "\x01\x00\x01", 3, true }, { "\x01\x00\x02", 3, false },
	};
	EVP_PKEY *key = make_key(1024);
	struct rsa_public k, again;

	(void)state;
	assert_true(rsa_read(spki_of(key), &k));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k.exponent = (struct str){ cases[i].exponent, cases[i].n };
		assert_int_equal(rsa_read(rsa_write(arena, &k), &again), cases[i].read);
	}
	EVP_PKEY_free(key);
}

/* libopendkim gets its keys from here, and others are as OpenSSL reads them. */
static void
takes_the_place_of_openssl(void **state)
{
	EVP_PKEY *rsa = make_key(1024), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *got;
	EVP_PKEY *keys[] = { rsa, ed };

	(void)state;
	assert_ptr_equal(dlsym(RTLD_DEFAULT, "d2i_PUBKEY_bio"), (void *)(uintptr_t)d2i_PUBKEY_bio);
	for (int i = 0; i < 2; i++) {
		struct str spki = spki_of(keys[i]);
		BIO *bio = BIO_new_mem_buf(spki.p, (int)spki.n);

		got = d2i_PUBKEY_bio(bio, NULL);
		assert_non_null(got);
		assert_int_equal(EVP_PKEY_eq(got, keys[i]), 1);
		EVP_PKEY_free(got);
		BIO_free(bio);
		EVP_PKEY_free(keys[i]);
	}
}

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new(0)) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_and_writes_what_openssl_does, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(verifies, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_exponents, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_the_place_of_openssl, setup, teardown),
	};

	return cmocka_run_group_tests_name("rsa", tests, NULL, NULL);
}
