/*
 * test_store.c - the store: a rate against a model that keeps every message,
 * greylisting step by step, and the back ends that need no server.
 *
 * The clock is a number here.  BENCH=1 measures operations a second.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/store.h"
#include "filter/store_record.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NOW		1771234567
#define MSEC		INT64_C(1000)

static uint64_t rng = 88172645463325252u;

static unsigned
rnd(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

/* ---- Rates ---- */

static uint64_t
rate(struct record *r, int64_t now, int64_t window)
{
	struct store_op op = { .what = STORE_OP_RATE, .now = now, .rate = { .window = window } };

	assert_int_equal(store_op_apply(&op, r), 1);
	assert_true(r->expires * 1000 > now + window * 1000);
	return op.rate.count;
}

/* Every message is kept, and those are counted whose slot touches the window. */
static void
rate_is_as_the_model_says(void **state)
{
	static const int64_t windows[] = { 1, 2, 3, 7, 59, 60, 61, 90, 119, 120, 3600, 3601, 86400, 2678400 };
	static int64_t came[3000];

	(void)state;
	for (size_t w = 0; w < COUNT(windows); w++)
		for (int round = 0; round < 6; round++) {
			int64_t window = windows[w] * MSEC, slot = rate_slot(windows[w]);
			int64_t now = NOW * MSEC + rnd(100000);
			struct record r = { .n = 0 };
			size_t n = 0;

			for (int i = 0; i < 500; i++) {
				uint64_t want = 0, least = 0, most = 0;

				now += rnd(4) == 0 ? 0 : rnd((unsigned)(window / (round * round * 7 + 1)) + 2);
				came[n++] = now;
				for (size_t k = 0; k < n; k++) {
					want += came[k] / slot >= (now - window) / slot;
					least += came[k] >= now - window;
					most += came[k] > now - window - slot;
				}
				assert_int_equal(rate(&r, now, windows[w]), want);
				/* Nobody is forgotten early, and nobody more than a sixtieth late. */
				assert_true(want >= least && want <= most);
				assert_true(slot <= window / 60 + 1);
			}
		}
}

/* What a fixed window does: three at the end of one second, three at the beginning of the next. */
static void
rate_has_no_edges(void **state)
{
	(void)state;
	for (int64_t edge = 0; edge < MSEC; edge++) {
		struct record r = { .n = 0 };
		int64_t first = NOW * MSEC + edge;

		for (int i = 1; i <= 3; i++)
			assert_int_equal(rate(&r, first, 1), i);
		assert_int_equal(rate(&r, first + 120, 1), 4);
		assert_int_equal(rate(&r, first + 999, 1), 5);
		assert_int_equal(rate(&r, first + 1000 + 18, 1), 3);
	}
}

static void
rate_begins_anew(void **state)
{
	struct record r = { .n = 0 };

	(void)state;
	for (int i = 1; i <= 200; i++)
		assert_int_equal(rate(&r, NOW * MSEC, 3600), i);
	assert_int_equal(rate(&r, (NOW + 3599) * MSEC, 3600), 201);
	assert_int_equal(rate(&r, (NOW + 3600 + 60) * MSEC, 3600), 2);
	assert_int_equal(rate(&r, (NOW + 90000) * MSEC, 3600), 1);
	/* A little back: it counts as one of the latest slot. */
	assert_int_equal(rate(&r, (NOW + 89000) * MSEC, 3600), 2);
	/* The clock was a year ahead once. */
	assert_int_equal(rate(&r, (NOW - 365 * 86400) * MSEC, 3600), 1);
	/* Another window is another rate. */
	assert_int_equal(rate(&r, (NOW - 365 * 86400) * MSEC, 60), 1);
}

static void
any_octets_are_a_record(void **state)
{
	struct record r;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct store_op op = { .what = i & 1, .now = NOW * MSEC, .greylist = { 300, 172800, 3000000, 5, false } };
		struct record two[STORE_OP_KEYS];

		if (op.what == STORE_OP_RATE)
			op.rate.window = 1 + rnd(5000);
		for (int k = 0; k < 2; k++) {
			two[k].n = rnd(RECORD_OCTETS + 1);
			for (size_t b = 0; b < two[k].n; b++)
				two[k].b[b] = (uint8_t)rnd(256);
			if (rnd(2) == 0)
				two[k].b[0] = (uint8_t)(const int[]){ 0x12, 0x21, 0x31 }[rnd(3)];
		}
		store_op_apply(&op, two);
		assert_true(two[0].n <= RECORD_OCTETS && two[1].n <= RECORD_OCTETS);
	}
	/* Longer than any, or with its slots out of order. */
	memset(&r, 0, sizeof(r));
	r.b[0] = 0x12;
	r.n = 13 + 10;
	r.b[3] = 60000 >> 8;
	r.b[4] = 60000 & 0xff;
	assert_int_equal(rate(&r, NOW * MSEC, 3600), 1);
}

/* ---- Greylisting ---- */

struct step {
	int64_t		at;		/* seconds after the first */
	char		client, triplet;
	bool		delayed;
};

static void
play(struct store *s, const struct step *steps, size_t n, int64_t whitelist_after)
{
	for (size_t i = 0; i < n; i++) {
		struct store_op op = { .what = STORE_OP_GREYLIST, .now = (NOW + steps[i].at) * MSEC,
			.greylist = { 300, 3600, 86400, whitelist_after, false } };
		char text[2] = { steps[i].client, steps[i].triplet };

		assert_int_equal(store_make_key(STORE_TRIPLET, (struct str){ text, 2 }, &op.keys[0]), 0);
		assert_int_equal(store_make_key(STORE_CLIENT, (struct str){ text, 1 }, &op.keys[1]), 0);
		assert_int_equal(store_run(s, &op, clock_msec() + 5000), 0);
		if (op.greylist.delayed != steps[i].delayed)
			fail_msg("step %zu at %lld", i, (long long)steps[i].at);
	}
}

static const struct step greylisting[] = {
	{ 0, 'a', '1', true },
	{ 10, 'a', '1', true },		/* too early */
	{ 299, 'a', '1', true },
	{ 20, 'b', '1', true },		/* another client is another triplet */
	{ 300, 'a', '1', false },	/* came again */
	{ 301, 'a', '1', false },
	{ 301, 'a', '2', true },
	{ 301 + 3900, 'a', '2', false },	/* at the last moment */
	{ 20 + 3901, 'b', '1', true },	/* too late: anew */
	{ 301 + 86400, 'a', '1', false },
	{ 301 + 86400 + 86401, 'a', '1', true },	/* forgotten */
};
static const struct step whitelisting[] = {
	{ 0, 'a', '1', true }, { 0, 'a', '2', true }, { 0, 'a', '3', true },
	{ 300, 'a', '1', false }, { 400, 'a', '1', false }, { 500, 'a', '1', false },
	{ 500, 'a', '4', true },	/* one mail that came again, however often it comes */
	{ 600, 'a', '2', false },
	{ 601, 'a', '5', false },	/* the client is known now */
	{ 601, 'b', '5', true },
	{ 600 + 86400, 'a', '6', false },
	{ 600 + 86400 + 86401, 'a', '7', true },
};
static const struct step clock_was_ahead[] = {
	{ 86400 * 365, 'a', '1', true },
	{ 0, 'a', '1', true }, { 300, 'a', '1', false },
};

static struct store *
open_memory(void)
{
	struct strbuf why = { 0 };
	struct store *s = store_open(STR("memory"), 1000, NULL, &why);

	assert_non_null(s);
	return s;
}

static void
greylist_step_by_step(void **state)
{
	struct store *s;

	(void)state;
	s = open_memory();
	play(s, greylisting, COUNT(greylisting), 0);
	store_close(s);
	s = open_memory();
	play(s, whitelisting, COUNT(whitelisting), 2);
	store_close(s);
	s = open_memory();
	play(s, clock_was_ahead, COUNT(clock_was_ahead), 0);
	store_close(s);
}

/* ---- Back ends ---- */

static char dir[] = "/tmp/postern-store-XXXXXX";
static char url[80], path[64];

static struct store *
open_lmdb(int64_t limit)
{
	struct strbuf why = { 0 };
	struct store *s = store_open(str_of(url), limit, NULL, &why);

	if (s == NULL)
		fail_msg("%s", why.p);
	return s;
}

static uint64_t
count_key(struct store *s, unsigned key, int64_t now)
{
	struct store_op op = { .what = STORE_OP_RATE, .now = now * MSEC, .rate = { .window = 3600 } };

	assert_int_equal(store_make_key(STORE_RATE, (struct str){ (char *)&key, sizeof(key) }, &op.keys[0]), 0);
	assert_int_equal(store_run(s, &op, clock_msec() + 10000), 0);
	return op.rate.count;
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/store", dir);
	snprintf(url, sizeof(url), "lmdb:%s", path);
	return 0;
}

static int
remove_dir(void **state)
{
	char lock[80];

	(void)state;
	snprintf(lock, sizeof(lock), "%s-lock", path);
	unlink(lock);
	unlink(path);
	return rmdir(dir);
}

static void
lmdb_remembers(void **state)
{
	time_t now = time(NULL);	/* what is over is swept by the real clock */
	struct store *s = open_lmdb(1000);

	(void)state;
	for (uint64_t i = 1; i <= 50; i++) {
		assert_int_equal(count_key(s, 1, now), i);
		assert_int_equal(count_key(s, 2, now + (int64_t)i), i);
	}
	store_close(s);
	s = open_lmdb(1000);
	assert_int_equal(count_key(s, 1, now), 51);
	assert_int_equal(count_key(s, 3, now), 1);
	store_close(s);
}

static void
lmdb_greylists(void **state)
{
	struct store *s;

	(void)state;
	unlink(path);
	/* Its times lie in the past or near future: nothing of it may be swept. */
	s = open_lmdb(1000);
	if (time(NULL) < NOW) {
		play(s, greylisting, 7, 0);
		play(s, whitelisting + 8, 1, 0);
	}
	store_close(s);
}

/* Those go first that would expire first, and the number stays below the limit. */
static void
keeps_its_limit(struct store *s, size_t limit)
{
	time_t now = time(NULL);
	size_t known = 0;

	for (unsigned i = 0; i < 5000; i++)
		count_key(s, 1000 + i, now + i);
	for (unsigned i = 0; i < 5000; i++)
		known += i >= 5000 - limit / 2 && count_key(s, 1000 + i, now + 5000) == 2;
	assert_int_equal(known, limit / 2);
	assert_int_equal(count_key(s, 1000, now + 5000), 1);
}

static void
stores_keep_their_limits(void **state)
{
	struct store *s = open_memory();
	struct stat st;

	(void)state;
	keeps_its_limit(s, 1000);
	store_close(s);
	unlink(path);
	s = open_lmdb(1000);
	keeps_its_limit(s, 1000);
	store_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 4 << 20);
}

/* What is over goes, also of a large number at once. */
static void
lmdb_sweeps(void **state)
{
	time_t now = time(NULL);
	struct store *s;
	struct stat before, after;

	(void)state;
	unlink(path);
	s = open_lmdb(100000);
	for (unsigned i = 0; i < 3000; i++)
		count_key(s, i, now - 100000);
	assert_int_equal(stat(path, &before), 0);
	for (int round = 0; round < 5; round++)
		for (unsigned i = 0; i < 600; i++)
			count_key(s, 10000 + i + 600 * (unsigned)round, now - 100000);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_size <= before.st_size + (1 << 20));
	store_close(s);
}

static void
lmdb_refuses_what_is_no_store(void **state)
{
	static const char junk[20000] = "no store";
	struct strbuf why = { 0 };
	FILE *f;

	(void)state;
	unlink(path);
	assert_non_null(f = fopen(path, "w"));
	fwrite(junk, 1, sizeof(junk), f);
	fclose(f);
	assert_null(store_open(str_of(url), 1000, NULL, &why));
	assert_non_null(strstr(why.p, "cannot use the store"));
	assert_non_null(strstr(why.p, "made anew"));
	why.n = 0;
	unlink(path);
	assert_null(store_open(STR("lmdb:/nonexistent/deeper/store"), 1000, NULL, &why));
	assert_non_null(strstr(why.p, "No such file"));
	strbuf_free(&why);
	/* A store that lost its end. */
	{
		struct store *s = open_lmdb(10000);

		for (unsigned i = 0; i < 2000; i++)
			count_key(s, i, time(NULL));
		store_close(s);
	}
	assert_int_equal(truncate(path, 3 * 4096), 0);
	memset(&why, 0, sizeof(why));
	assert_null(store_open(str_of(url), 1000, NULL, &why));
	assert_non_null(strstr(why.p, "made anew"));
	strbuf_free(&why);
	unlink(path);
}

/* ---- Threads ---- */

#define THREADS	8

struct worker {
	struct store	*s;
	unsigned	 n, keys;
	pthread_t	 thread;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n; i++)
		count_key(w->s, i % w->keys, NOW + 365 * 86400 * 10);
	return NULL;
}

static double
together(struct store *s, unsigned n, unsigned keys)
{
	struct worker w[THREADS];
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .s = s, .n = n, .keys = keys };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return THREADS * n / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

static void
threads_count_together(void **state)
{
	bool bench = getenv("BENCH") != NULL;
	unsigned n = bench ? 5000 : 200;
	const char *redis = getenv("BENCH_REDIS");
	struct strbuf why = { 0 };
	struct store *s;
	double speed;

	(void)state;
	s = open_memory();
	speed = together(s, n, 10);
	assert_int_equal(count_key(s, 3, NOW + 365 * 86400 * 10), THREADS * n / 10 + 1);
	store_close(s);
	if (bench)
		print_message("memory: %.0f/s\n", speed);
	unlink(path);
	s = open_lmdb(100000);
	speed = together(s, n, 10);
	assert_int_equal(count_key(s, 3, NOW + 365 * 86400 * 10), THREADS * n / 10 + 1);
	if (bench) {
		print_message("lmdb, 10 keys: %.0f/s\n", speed);
		print_message("lmdb, 5000 keys: %.0f/s\n", together(s, n, 5000));
	}
	store_close(s);
	if (redis == NULL || (s = store_open(str_of(redis), 0, NULL, &why)) == NULL)
		return;
	print_message("redis, 10 keys: %.0f/s\n", together(s, n, 10));
	print_message("redis, 5000 keys: %.0f/s\n", together(s, n, 5000));
	store_close(s);
}

/* Whoever can't wait gets no answer, and the store goes on. */
static void
deadlines_are_kept(void **state)
{
	struct store_op op = { .what = STORE_OP_RATE, .now = NOW * MSEC, .rate = { .window = 3600 } };
	struct store *s = open_lmdb(1000);

	(void)state;
	store_make_key(STORE_RATE, STR("x"), &op.keys[0]);
	for (int i = 0; i < 200; i++)
		(void)store_run(s, &op, clock_msec() - 1);
	assert_true(count_key(s, 77, time(NULL)) == 1);
	store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_as_the_model_says),
		cmocka_unit_test(rate_has_no_edges),
		cmocka_unit_test(rate_begins_anew),
		cmocka_unit_test(any_octets_are_a_record),
		cmocka_unit_test(greylist_step_by_step),
		cmocka_unit_test(lmdb_remembers),
		cmocka_unit_test(lmdb_greylists),
		cmocka_unit_test(stores_keep_their_limits),
		cmocka_unit_test(lmdb_sweeps),
		cmocka_unit_test(lmdb_refuses_what_is_no_store),
		cmocka_unit_test(threads_count_together),
		cmocka_unit_test(deadlines_are_kept),
	};

	return cmocka_run_group_tests_name("store", tests, make_dir, remove_dir);
}
