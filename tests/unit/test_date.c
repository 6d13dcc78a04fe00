/* test_date.c - dates as RFC 5322 and as mailers write them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules/date.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NONE		INT64_MIN

static const struct { const char *text; int64_t t; } cases[] = {
	{ "Thu, 01 Jan 1970 00:00:00 +0000", 0 },
	{ " Fri, 21 Nov 1997 09:55:06 -0600", 880127706 },		/* RFC 5322, A.1.1 */
	{ "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557 },		/* A.1.2 */
	{ "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
	  "               -0330 (Newfoundland Time)", -27723480 },	/* A.5 */
	{ "21 Nov 97 09:55:06 GMT", 880106106 },			/* A.6.2 */
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706 },	/* A.6.3 */
	{ "21 nov 1997 9:5:6 EST", 880121106 },
	{ "21 Nov 1997 09:55:06 Z", 880106106 },
	{ "21 Nov 1997 09:55:06", 880106106 },
	{ "21 Nov 1997 09:55:06 MEZ (no such zone)", 880106106 },
	{ "21-Nov-1997 09:55:06 +0000", 880106106 },
	{ "Friday, 21 November 1997 09:55:06 +0000", 880106106 },
	{ "1 Jan 100 00:00 +0000", 946684800 },			/* year 2000 */
	{ "29 Feb 2000 00:00:00 +0000", 951782400 },
	{ "31 Dec 2016 23:59:60 +0000", 1483228799 },
	{ "(a (nested \\) comment)) 1 Jan 1970 00:00:01 +0000", 1 },
	{ "31 Dec 9999 23:59:59 +0000", 253402300799 },

	{ "", NONE },
	{ "yesterday", NONE },
	{ "29 Feb 2100 00:00:00 +0000", NONE },
	{ "31 Apr 2020 00:00:00 +0000", NONE },
	{ "0 Jan 2020 00:00:00 +0000", NONE },
	{ "1 Foo 2020 00:00:00 +0000", NONE },
	{ "1 Jan 2020 24:00:00 +0000", NONE },
	{ "1 Jan 2020 00:60:00 +0000", NONE },
	{ "1 Jan 2020 00:00:61 +0000", NONE },
	{ "1 Jan 2020 00:00:00 +000", NONE },
	{ "1 Jan 2020 00:00:00 +00000", NONE },
	{ "1 Jan 2020 00:00:00 +0060", NONE },
	{ "1 Jan 2020 00:00:00 +0000 x", NONE },
	{ "1 Jan 20200 00:00:00 +0000", NONE },
	{ "1 Jan 2020 000:00:00 +0000", NONE },
	{ "1 Jan 2020", NONE },
	{ "2020-01-01T00:00:00Z", NONE },
	{ "01/02/2020 00:00:00", NONE },
	{ "1 Jan 2020 00:00:00 (unclosed", 1577836800 },
};

static void
reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t t = NONE;

		if (date_parse(str_of(cases[i].text), &t) != 0)
			t = NONE;
		if (t != cases[i].t)
			fail_msg("%s: %lld, not %lld", cases[i].text, (long long)t,
			    (long long)cases[i].t);
	}
}

/* Against the C library, for any day. */
static void
agrees(void **state)
{
	char text[64];

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		time_t t = (time_t)((int64_t)rand() * 97 % 250000000000 - 62000000000);
		struct tm tm;
		int64_t got;

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(text, sizeof(text), "%d %b ", &tm) > 0);
		(void)snprintf(text + 7, sizeof(text) - 7, "%04d %02d:%02d:%02d +0000",
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_int_equal(date_parse(str_of(text), &got), 0);
		assert_int_equal(got, t);
	}
}

static void
survives(void **state)
{
	static const char alphabet[] = "0123456789 :+-,()\\JanfebMon";
	char text[40];
	int64_t t;

	(void)state;
	srand(2);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)rand() % sizeof(text);

		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		(void)date_parse((struct str){ text, n }, &t);
	}
	assert_int_equal(date_parse(STR_NONE, &t), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(agrees),
		cmocka_unit_test(survives),
	};

	return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
