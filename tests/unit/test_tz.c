/*
 * test_tz.c - local time against the C library's, zone by zone, and files that
 * are none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/tz.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define HALF_HOUR	1800

static struct arena *a;

static int
setup(void **state)
{
	(void)state;
	return (a = arena_new(0)) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

/* Summer on both sides of the equator, odd offsets, none, rules that changed, and negative summer time. */
static const char *const zones[] = {
	"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns",
	"America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Asia/Gaza",
	"Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Pacific/Kiritimati",
	"Africa/Casablanca", "America/Nuuk", "Antarctica/Troll", "Etc/GMT+12",
};

static const struct tz *
load(const char *name)
{
	struct strbuf why = { 0 };
	struct tz *tz = tz_load(a, str_of(name), &why);

	if (tz == NULL)
		fail_msg("%s: " STR_FMT, name, STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	return tz;
}

static void
same(const char *zone, const struct tz *tz, time_t t)
{
	struct tm want, got;

	assert_non_null(localtime_r(&t, &want));
	assert_int_equal(tz_local(tz, t, &got), 0);
	if (want.tm_hour != got.tm_hour || want.tm_min != got.tm_min ||
	    want.tm_wday != got.tm_wday || want.tm_mday != got.tm_mday || want.tm_year != got.tm_year)
		fail_msg("%s at %lld: %02d:%02d on %d, not %02d:%02d on %d", zone, (long long)t,
		    got.tm_hour, got.tm_min, got.tm_mday, want.tm_hour, want.tm_min, want.tm_mday);
}

/* Each five hours and a half of some years, and the New Years up to 2150. */
static void
as_the_library(void **state)
{
	static const int years[] = { 1970, 1985, 2007, 2026, 2036, 2040, 2100 };

	(void)state;
	for (size_t i = 0; i < COUNT(zones); i++) {
		const struct tz *tz = load(zones[i]);

		assert_int_equal(setenv("TZ", zones[i], 1), 0);
		tzset();
		for (size_t k = 0; k < COUNT(years); k++) {
			struct tm tm = { .tm_year = years[k] - 1900, .tm_mday = 1 };
			time_t from = timegm(&tm);

			for (time_t t = from; t < from + 366 * 86400; t += 11 * HALF_HOUR)
				same(zones[i], tz, t);
		}
		for (int year = 1902; year < 2150; year++) {
			struct tm tm = { .tm_year = year - 1900, .tm_mday = 1 };
			time_t at = timegm(&tm);

			for (time_t t = at - 30 * HALF_HOUR; t <= at + 30 * HALF_HOUR; t += HALF_HOUR)
				same(zones[i], tz, t - 1);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void
to_the_second(void **state)
{
	static const struct { const char *zone; time_t t; int hour, wday; } cases[] = {
		{ "Europe/Berlin", 1774745999, 1, 0 },	/* 2026-03-29 00:59:59 UTC */
		{ "Europe/Berlin", 1774746000, 3, 0 },
		{ "Europe/Berlin", 1792889999, 2, 0 },	/* 2026-10-25 00:59:59 UTC */
		{ "Europe/Berlin", 1792890000, 2, 0 },
		{ "Europe/Berlin", 1792893600, 3, 0 },
		{ "Pacific/Kiritimati", 1792893600, 16, 0 },
	};
	struct tm tm;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(tz_local(load(cases[i].zone), cases[i].t, &tm), 0);
		assert_int_equal(tm.tm_hour, cases[i].hour);
		assert_int_equal(tm.tm_wday, cases[i].wday);
	}
	assert_int_equal(tz_local(load("UTC"), (time_t)INT64_MAX, &tm), -1);
	assert_int_equal(tz_local(load("Europe/Berlin"), (time_t)INT64_MIN, &tm), -1);
}

/* There and back again, but in the hour that is twice. */
static void
back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(zones); i++) {
		const struct tz *tz = load(zones[i]);

		for (time_t t = 1767225600; t < 1767225600 + 366 * 86400; t += 7 * HALF_HOUR) {
			struct tm tm;
			time_t got;

			assert_int_equal(tz_local(tz, t, &tm), 0);
			got = tz_time(tz, &tm);
			if (got != t && labs((long)(got - t)) > 2 * 3600)
				fail_msg("%s: %lld became %lld", zones[i], (long long)t, (long long)got);
		}
	}
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 22, .tm_hour = 10 };
	assert_int_equal(tz_time(load("Asia/Kolkata"), &tm), 1795321800);
}

static void
wrong_names(void **state)
{
	static const struct { const char *name, *say; } cases[] = {
		{ "Europe/Belin", "did you mean 'Europe/Berlin'?" },
		{ "europe/berlin", "write one like Europe/Berlin" },
		{ "", "there is no time zone" }, { "/etc/passwd", "there is no time zone" },
		{ "../../../etc/passwd", "there is no time zone" }, { "Europe", "there is no time zone" },
		{ "tzdata.zi", "there is no time zone" }, { "leap-seconds", "there is no time zone" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct strbuf why = { 0 };

		assert_null(tz_load(a, str_of(cases[i].name), &why));
		strbuf_putc(&why, '\0');
		if (strstr(why.p, cases[i].say) == NULL)
			fail_msg("'%s': %s", cases[i].name, why.p);
		strbuf_free(&why);
	}
}

static struct str
contents(const char *path)
{
	static char buf[65536];
	FILE *f = fopen(path, "r");
	struct str s = { buf, 0 };

	assert_non_null(f);
	s.n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return s;
}

/* Cut and changed octets: something is said of them, and nothing is read beyond. */
static void
broken_files(void **state)
{
	struct str s = contents(TZ_DIRECTORY "/Europe/Berlin");
	struct tm tm;

	(void)state;
	assert_non_null(tz_read(a, s));
	for (size_t n = 0; n < s.n; n++) {
		char *copy = malloc(n > 0 ? n : 1);

		memcpy(copy, s.p, n);
		assert_null(tz_read(a, (struct str){ copy, n }));
		free(copy);
	}
	for (size_t i = 0; i < s.n; i++)
		for (int bit = 0; bit < 8; bit += 7) {
			char *copy = malloc(s.n);
			const struct tz *tz;

			memcpy(copy, s.p, s.n);
			copy[i] = (char)(copy[i] ^ (1 << bit));
			if ((tz = tz_read(a, (struct str){ copy, s.n })) != NULL)
				for (time_t t = -5000000000; t < 9000000000; t += 333333333)
					(void)tz_local(tz, t, &tm);
			free(copy);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_the_library, setup, teardown),
		cmocka_unit_test_setup_teardown(to_the_second, setup, teardown),
		cmocka_unit_test_setup_teardown(back, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_names, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_files, setup, teardown),
	};

	return cmocka_run_group_tests_name("tz", tests, NULL, NULL);
}
