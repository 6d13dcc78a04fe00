/*
 * test_store_file.c - the store's file: whole ones are taken whatever was
 * done to them, damaged ones are refused or do no harm, and one that changes behind
 * our back is noticed.
 *
 * A damage that gets through ends this program, as it would end the filter.
 * TRIALS=n says how many files are damaged.
 */
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "filter/store.h"
#include "filter/store_check.h"
#include "filter/store_int.h"

static uint64_t rng = 88172645463325252u;

static unsigned
rnd(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

static char dir[40];
static char url[80], path[64], lock[80];
static char said[4096];

static void
hear(const char *line)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

static int
make_dir(void **state)
{
	(void)state;
	/* Each answer is on the disk first: thousands are faster where there is none. */
	snprintf(dir, sizeof(dir), "%s/postern-store-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/store", dir);
	snprintf(url, sizeof(url), "lmdb:%s", path);
	snprintf(lock, sizeof(lock), "%s-lock", path);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(lock);
	unlink(path);
	return rmdir(dir);
}

static struct store *
open_store(int64_t limit, struct strbuf *why)
{
	said[0] = '\0';
	return store_open(str_of(url), limit, hear, why);
}

static struct store *
open_good(int64_t limit)
{
	struct strbuf why = { 0 };
	struct store *s = open_store(limit, &why);

	if (s == NULL)
		fail_msg("%s", why.p);
	return s;
}

/* The count, or 0 where the store failed. */
static uint64_t
count(struct store *s, unsigned key, int64_t now)
{
	struct store_op op = { .what = STORE_OP_RATE, .now = now * 1000, .rate = { .window = 3600 } };

	assert_int_equal(store_make_key(STORE_RATE, (struct str){ (char *)&key, sizeof(key) }, &op.keys[0]), 0);
	return store_run(s, &op, clock_msec() + 10000) == 0 ? op.rate.count : 0;
}

static void
greylist(struct store *s, unsigned key, int64_t now)
{
	struct store_op op = { .what = STORE_OP_GREYLIST, .now = now * 1000,
		.greylist = { 300, 3600, 86400, 5, false } };

	key /= 3;
	store_make_key(STORE_TRIPLET, (struct str){ (char *)&key, sizeof(key) }, &op.keys[0]);
	key /= 5;
	store_make_key(STORE_CLIENT, (struct str){ (char *)&key, sizeof(key) }, &op.keys[1]);
	(void)store_run(s, &op, clock_msec() + 10000);
}

static void
expect_whole(void)
{
	struct strbuf why = { 0 };
	int fd = open(path, O_RDONLY);

	assert_true(fd != -1);
	if (store_check(fd, true, &why) != 0)
		fail_msg("a whole file: %s", why.p);
	close(fd);
}

/* ---- Whole files ---- */

/* Nobody else writes: the file is looked over after each step. */
static void
whatever_is_done_to_it_it_is_whole(void **state)
{
	static const int64_t ahead[] = { 0, 100, -5000, 400000, -400000 };
	time_t now = time(NULL);
	struct store *s;

	(void)state;
	for (int round = 0; round < 12; round++) {
		s = open_good(round % 3 == 0 ? 1000 : 100000);
		expect_whole();
		for (unsigned i = 0; i < 400; i++) {
			int64_t at = now + ahead[rnd(5)] + rnd(3000);

			if (rnd(2) == 0)
				(void)count(s, rnd(5000), at);
			else
				greylist(s, rnd(5000), at);
			if (i % 40 == 0)
				expect_whole();
		}
		store_close(s);
		expect_whole();
	}
	unlink(path);
}

/* ---- Damaged files ---- */

static uint8_t *whole, *damaged;
static size_t size;

/* A file with branches, and with more free pages than one page holds. */
static void
fill(void)
{
	time_t now = time(NULL);
	struct store *s = open_good(1000000);
	FILE *f;

	for (unsigned i = 0; i < 15000; i++)
		assert_true(count(s, i, now + i) > 0);
	for (unsigned i = 0; i < 1500; i++)
		greylist(s, i, now);
	store_close(s);
	/* Two thousand at once, over all pages. */
	s = open_good(13000);
	assert_true(count(s, 0, now) > 0);
	store_close(s);
	assert_non_null(f = fopen(path, "r"));
	fseek(f, 0, SEEK_END);
	size = (size_t)ftell(f);
	rewind(f);
	whole = malloc(size);
	damaged = malloc(size);
	assert_int_equal(fread(whole, 1, size, f), size);
	fclose(f);
}

static size_t
some_page(void)
{
	return rnd((unsigned)(size / 4096)) * (size_t)4096;
}

/* The head of a page, or where its nodes begin, is where it hurts. */
static size_t
somewhere(void)
{
	switch (rnd(4)) {
	case 0:
		return some_page() + rnd(64);
	case 1:
		return some_page() + 4096 - 2 * (1 + rnd(200));
	default:
		return rnd((unsigned)size);
	}
}

static size_t
damage(void)
{
	size_t n = size;

	memcpy(damaged, whole, size);
	switch (rnd(7)) {
	case 0:
		return rnd((unsigned)size + 1);		/* cut short */
	case 1:
		memset(damaged + some_page(), rnd(2) ? 0 : 0xff, 4096);
		break;
	case 2:
		memmove(damaged + some_page(), damaged + some_page(), 4096);
		break;
	case 3:
		for (int i = 0; i < 200; i++)
			damaged[somewhere()] = (uint8_t)rnd(256);
		break;
	case 4:
		for (unsigned i = 8192; i < size; i++)
			damaged[i] = (uint8_t)rnd(256);
		break;
	case 5:		/* the meta pages */
		damaged[rnd(2) * 4096 + rnd(160)] = (uint8_t)rnd(256);
		break;
	default:
		for (unsigned i = 1 + rnd(3); i > 0; i--)
			damaged[somewhere()] ^= (uint8_t)(1u << rnd(8));
		break;
	}
	return n;
}

static void
try_damaged(int *refused)
{
	time_t now = time(NULL);
	size_t n = damage();
	struct strbuf why = { 0 };
	struct store *s;
	FILE *f;

	unlink(lock);
	assert_non_null(f = fopen(path, "w"));
	assert_int_equal(fwrite(damaged, 1, n, f), n);
	fclose(f);
	if ((s = open_store(1000000, &why)) == NULL) {
		++*refused;
		assert_non_null(strstr(why.p, path));
		if (strstr(why.p, "remove it, and it is made anew") == NULL)
			fail_msg("no advice: %s", why.p);
	} else {
		for (unsigned i = 0; i < 60; i++)
			(void)count(s, rnd(6000), now + 10);
		for (unsigned i = 0; i < 30; i++)
			greylist(s, rnd(1500), now + 400);
		store_close(s);
	}
	strbuf_free(&why);
}

static void
damaged_files_end_nothing(void **state)
{
	int trials = getenv("TRIALS") != NULL ? atoi(getenv("TRIALS")) : 400, refused = 0;

	(void)state;
	unlink(path);
	fill();
	for (int i = 0; i < trials; i++)
		try_damaged(&refused);
	/* Others were hit where nothing lies, or within a record. */
	assert_true(refused > trials / 3);
	print_message("%d of %d damaged files refused\n", refused, trials);
	free(whole);
	free(damaged);
	unlink(path);
}

/* ---- Files that change behind our back ---- */

static void
expect_said(const char *what)
{
	if (strstr(said, what) == NULL)
		fail_msg("'%s' is not in: %s", what, said);
	said[0] = '\0';
}

static void
changes_are_noticed(void **state)
{
	time_t now = time(NULL);
	struct store *s;
	char other[80];
	struct stat st;

	(void)state;
	unlink(path);
	s = open_good(1000);
	assert_int_equal(count(s, 1, now), 1);
	assert_int_equal(count(s, 1, now), 2);
	assert_string_equal(said, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Removed: what was in it is forgotten now, not at the next start. */
	unlink(path);
	assert_int_equal(count(s, 1, now), 1);
	expect_said("its file was removed: it is made anew\n");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(count(s, 1, now), 2);
	assert_string_equal(said, "");
	store_close(s);
	/* Replaced. */
	snprintf(other, sizeof(other), "%s-other", path);
	assert_int_equal(rename(path, other), 0);
	s = open_good(1000);
	assert_int_equal(count(s, 1, now), 1);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(count(s, 1, now), 3);
	expect_said("its file was replaced: it is opened anew\n");
	/* Cut short: an error until it is removed, as the line says. */
	for (unsigned i = 0; i < 100; i++)
		assert_true(count(s, i, now) > 0);
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(count(s, 1, now), 0);
	expect_said("its file was cut short: it is opened anew\n");
	assert_int_equal(count(s, 1, now), 0);
	unlink(path);
	/* It is tried once a second. */
	for (msec end = clock_msec() + 20000; count(s, 1, now) == 0; poll(NULL, 0, 10))
		if (clock_msec() > end)
			fail_msg("it is not made anew; said: %s", said);
	expect_said("works again\n");
	store_close(s);
	unlink(path);
}

/* ---- What is said ---- */

static void
reasons_are_told_when_they_are_news(void **state)
{
	struct store_news n = { 0 };

	(void)state;
	assert_true(store_is_news(&n, "refused", 1000));
	for (msec t = 1000; t < 61000; t += 500)
		assert_false(store_is_news(&n, "refused", t));
	/* Another reason is told at once, and the old one not again since. */
	assert_true(store_is_news(&n, "no password", 30000));
	assert_false(store_is_news(&n, "refused", 30001));
	/* Again after a minute. */
	assert_true(store_is_news(&n, "refused", 61000));
	assert_false(store_is_news(&n, "refused", 61001));
	assert_false(store_is_news(&n, "no password", 89999));
	assert_true(store_is_news(&n, "no password", 90000));
	/* Four in a minute are enough. */
	assert_true(store_is_news(&n, "three", 90001));
	assert_true(store_is_news(&n, "four", 90002));
	assert_false(store_is_news(&n, "five", 90003));
	assert_true(store_is_news(&n, "five", 121000));
	assert_false(store_is_news(&n, "six", 121001));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_done_to_it_it_is_whole),
		cmocka_unit_test(damaged_files_end_nothing),
		cmocka_unit_test(changes_are_noticed),
		cmocka_unit_test(reasons_are_told_when_they_are_news),
	};

	return cmocka_run_group_tests_name("store_file", tests, make_dir, remove_dir);
}
