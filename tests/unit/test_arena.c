/* test_arena.c - regions of memory: alignment, zeroes, deferred calls, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdalign.h>
#include <string.h>

#include "rules/arena.h"

static void
test_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 8, 63, 64, 65, 4095, 100000 };
	struct arena *a = arena_new(64);
	unsigned char *p, *before = NULL;

	(void)state;
	assert_non_null(a);
	for (int round = 0; round < 50; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			p = arena_alloc(a, sizes[i]);
			assert_non_null(p);
			assert_ptr_not_equal(p, before);
			assert_int_equal((uintptr_t)p % alignof(max_align_t),
			    0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xa5, sizes[i]);
			before = p;
		}
	arena_free(a);
}

/* What was handed out stays as it was written, whatever is handed out next. */
static void
test_objects_do_not_overlap(void **state)
{
	struct arena *a = arena_new(128);
	unsigned char *p[300];

	(void)state;
	assert_non_null(a);
	for (size_t i = 0; i < 300; i++) {
		p[i] = arena_alloc(a, i);
		memset(p[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[i][k], i & 0xff);
	arena_free(a);
}

static void
test_reset_zeroes_again(void **state)
{
	struct arena *a = arena_new(256);
	unsigned char *p;

	(void)state;
	assert_non_null(a);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(arena_size(a), 0);
		p = arena_alloc(a, 200);
		for (size_t k = 0; k < 200; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, 200);
		assert_non_null(arena_alloc(a, 5000));
		assert_true(arena_size(a) >= 5200);
		arena_reset(a);
	}
	arena_free(a);
}

static void
test_impossible_sizes(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_non_null(a);
	assert_int_equal(arena_failed(a), 0);
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_true(arena_failed(a));
	assert_non_null(arena_alloc(a, 1));
	assert_true(arena_failed(a));		/* until reset */
	arena_reset(a);
	assert_int_equal(arena_failed(a), 0);
	assert_null(arena_array(a, SIZE_MAX / 4, 8));
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_null(arena_alloc(a, SIZE_MAX - 64));
	assert_non_null(arena_array(a, 0, 8));
	arena_free(a);
}

static char order[16];

static void
note(void *arg)
{
	strncat(order, arg, 1);
}

static struct arena *again;

static void
defer_once_more(void *arg)
{
	static char last[] = "z";

	note(arg);
	assert_int_equal(arena_defer(again, note, last), 0);
}

static void
test_deferred_calls(void **state)
{
	static char x[] = "a", y[] = "b", z[] = "c";
	struct arena *a = arena_new(0);

	(void)state;
	assert_non_null(a);
	order[0] = '\0';
	assert_int_equal(arena_defer(a, note, x), 0);
	assert_int_equal(arena_defer(a, note, y), 0);
	arena_reset(a);
	assert_string_equal(order, "ba");
	arena_reset(a);
	assert_string_equal(order, "ba");
	again = a;
	assert_int_equal(arena_defer(a, defer_once_more, z), 0);
	arena_free(a);
	assert_string_equal(order, "bacz");
	arena_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_and_aligned),
		cmocka_unit_test(test_objects_do_not_overlap),
		cmocka_unit_test(test_reset_zeroes_again),
		cmocka_unit_test(test_impossible_sizes),
		cmocka_unit_test(test_deferred_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
