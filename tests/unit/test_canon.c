/*
 * test_canon.c - canonical bodies as they come in chunks, against the plainest
 * reading of RFC 6376, 3.4.3 and 3.4.4, of a whole body.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "filter/canon.h"

#define BODY_MAX	4000

/* The canonical form into out; its length. */
static size_t
naive(const char *body, size_t n, bool relaxed, char *out)
{
	size_t k = 0, line = 0;

	for (size_t i = 0; i < n; i++) {
		bool ends = body[i] == '\r' && i + 1 < n && body[i + 1] == '\n';
		bool blank = relaxed && (body[i] == ' ' || body[i] == '\t');

		if (ends || blank) {
			while (relaxed && k > line && out[k - 1] == ' ')
				k--;
			out[k++] = ends ? '\r' : ' ';
			if (ends)
				out[k++] = body[++i];
			line = ends ? k : line;
		} else
			out[k++] = body[i];
	}
	while (relaxed && k > line && out[k - 1] == ' ')
		k--;
	while (k >= 2 && out[k - 2] == '\r' && out[k - 1] == '\n')
		k -= 2;
	if (k > 0 || !relaxed) {
		out[k++] = '\r';
		out[k++] = '\n';
	}
	return k;
}

static size_t
make_body(char *body, unsigned *seed)
{
	static const char *const pieces[] = { " ", "  ", "\t", "\r\n", "\r\n\r\n", "\r", "\n", "a", ".",
	    "some words in a line", "\r\nthe next line, and no blank before its end\r\n",
	    "a line of a hundred octets or so, longer than what is looked at together, with single blanks\r\n",
	    "\xc3\xa4\xff", "\x01" };
	size_t n = 0, count = (size_t)rand_r(seed) % 60;
	/* Some with few blanks and some with many. */
	size_t from = (size_t)rand_r(seed) % 10;

	for (size_t i = 0; i < count; i++) {
		const char *p = pieces[from + (size_t)rand_r(seed) % (14 - from)];

		memcpy(body + n, p, strlen(p));
		n += strlen(p);
	}
	return n;
}

static void
hashes_bodies_as_a_naive_reader_does(void **state)
{
	static char body[BODY_MAX * 2], want[BODY_MAX * 4];
	unsigned char got[SHA256_OCTETS], digest[SHA256_OCTETS];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		bool relaxed = rand_r(&seed) % 2, sha1 = rand_r(&seed) % 8 == 0;
		size_t n = make_body(body, &seed), k = naive(body, n, relaxed, want);
		uint64_t limit = rand_r(&seed) % 4 == 0 ? (uint64_t)(rand_r(&seed) % 300) : UINT64_MAX;
		struct canon_body b;

		assert_int_equal(canon_body_begin(&b, relaxed, sha1, limit), 0);
		for (size_t i = 0; i < n; ) {
			size_t some = 1 + (size_t)rand_r(&seed) % (round % 2 ? 5 : 900);

			some = some < n - i ? some : n - i;
			canon_body_add(&b, (struct str){ body + i, some });
			i += some;
		}
		assert_int_equal(canon_body_end(&b, got), 0);
		hash_free(&b.hash);
		assert_int_equal(b.octets, k);
		EVP_Digest(want, limit < k ? (size_t)limit : k, digest, NULL,
		    sha1 ? EVP_sha1() : EVP_sha256(), NULL);
		assert_memory_equal(got, digest, sha1 ? SHA1_OCTETS : SHA256_OCTETS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_bodies_as_a_naive_reader_does),
	};

	return cmocka_run_group_tests_name("canon", tests, NULL, NULL);
}
