/*
 * test_spf_memory.c - SPF where memory fails.
 *
 * libspf2 ends in abort() when an allocation of its own fails; the daemon
 * must not.  Each allocation of an evaluation fails once, one after another:
 * each time the result is the right one or NULL.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/spf.h"
#include "rules/arena.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

/* Allocations until one fails; 0: none does. */
static unsigned long countdown;

#ifndef SANITIZED
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static int
fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}
#endif

static const char zone[] =
    "example.org TXT \"v=spf1 include:a.example.org mx ptr "
	"exists:%{p}.example.org redirect=b.example.org\"\n"
    "example.org MX 1 example.org\n"
    "example.org A 192.0.2.9\n"
    "1.2.0.192.in-addr.arpa PTR example.org\n"
    "a.example.org TXT \"v=spf1 ip4:192.0.2.200 a -all\"\n"
    "a.example.org A 192.0.2.201\n"
    "b.example.org TXT \"v=spf1 a:%{d} -all exp=%{d}.x.example.org\"\n"
    "b.example.org A 192.0.2.202\n"
    "b.example.org.x.example.org TXT \"not %{i}, says %{d}\"\n";

static void
test_evaluation(void **state)
{
	struct strbuf why = { 0 };
	struct spf_engine *e;
	struct resolver *r;
	struct spf_query q = { .sender = STR("u@example.org"),
	    .helo = STR("mail.example.org") };
	const struct spf_answer *sa;
	unsigned long n;
	struct arena *a;
	bool done = false;

	(void)state;
	assert_non_null(e = spf_engine_new());
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &q.ip), 0);
	for (n = 1; !done && n < 100000; n++) {
		/* A new one: failures of memory may be in its cache. */
		assert_non_null(r = resolver_zone_text(STR(zone), &why));
		assert_non_null(a = arena_new(0));
		countdown = n;
		sa = spf_check(e, r, &q, clock_msec() + 10000, a);
		done = countdown > 0;
		countdown = 0;
		if (sa != NULL && sa->result != SPF_R_TEMPERROR) {
			assert_int_equal(sa->result, SPF_R_FAIL);
			assert_true(str_eq(sa->explanation,
			    STR("not 192.0.2.1, says b.example.org")) ||
			    sa->explanation.n == 0);
		}
		if (done)
			assert_int_equal(sa->result, SPF_R_FAIL);
		arena_free(a);
		resolver_free(r);
	}
	assert_true(done);
	assert_true(n > 50);
	spf_engine_free(e);
}

static void
test_engine(void **state)
{
	struct spf_engine *e = NULL;
	unsigned long n;

	(void)state;
	for (n = 1; e == NULL && n < 1000; n++) {
		countdown = n;
		e = spf_engine_new();
		countdown = 0;
	}
	assert_non_null(e);
	assert_true(n > 3);
	spf_engine_free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evaluation),
		cmocka_unit_test(test_engine),
	};

#ifdef SANITIZED
	(void)tests;
	puts("1..0 # SKIP the sanitizers have a malloc of their own");
	return 0;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
