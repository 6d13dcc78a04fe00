/*
 * date.c - reads the Date field, as RFC 5322 writes it and as mailers do.
 *
 * Spam and old software write dates that no grammar has foreseen.  What stands
 * for one instant is taken; what could mean two is refused, since the fact is
 * better unset than wrong.
 */
#include "date.h"

#include <stdbool.h>

struct scanner {
	struct str	s;
	size_t		at;
};

static char
peek(const struct scanner *sc)
{
	return sc->at < sc->s.n ? sc->s.p[sc->at] : '\0';
}

/* Blanks, folds and comments, which nest (RFC 5322, 3.2.2). */
static void
skip_blanks(struct scanner *sc)
{
	int depth = 0;

	for (; sc->at < sc->s.n; sc->at++) {
		char c = sc->s.p[sc->at];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			sc->at++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return;
	}
	sc->at = sc->s.n;
}

static struct str
take_word(struct scanner *sc)
{
	struct str w = { sc->s.p + sc->at, 0 };

	for (; char_is_letter(peek(sc)); sc->at++)
		w.n++;
	skip_blanks(sc);
	return w;
}

/* A number of least to most digits, which it counts; -1 if there is none. */
static int
take_number(struct scanner *sc, int least, int most, int *digits)
{
	int n = 0, count = 0;

	for (; char_is_digit(peek(sc)) && count < most; sc->at++, count++)
		n = n * 10 + (peek(sc) - '0');
	if (count < least || char_is_digit(peek(sc)))
		return -1;
	if (digits != NULL)
		*digits = count;
	return n;
}

static bool
take_char(struct scanner *sc, char c)
{
	skip_blanks(sc);
	if (peek(sc) != c)
		return false;
	sc->at++;
	skip_blanks(sc);
	return true;
}

/* 1 to 12, 0 for a word that is no month. */
static int
month_of(struct str w)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (w.n < 3)
		return 0;
	for (int i = 0; i < 12; i++)
		if (str_ieq((struct str){ w.p, 3 }, (struct str){ names + 3 * i, 3 }))
			return i + 1;
	return 0;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01, by the calendar of today. */
static int64_t
days_since_epoch(int year, int month, int day)
{
	int64_t y = year - 1, days;

	days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
	for (int i = 1; i < month; i++)
		days += days_in(year, i);
	return days + day - 1;
}

/* "01 Jan 2026" */
static bool
take_day(struct scanner *sc, int64_t *days)
{
	int day, month, year, digits;

	if ((day = take_number(sc, 1, 2, NULL)) < 0)
		return false;
	(void)take_char(sc, '-');		/* 01-Jan-2026 */
	if ((month = month_of(take_word(sc))) == 0)
		return false;
	(void)take_char(sc, '-');
	if ((year = take_number(sc, 2, 4, &digits)) < 0)
		return false;
	skip_blanks(sc);
	/* RFC 5322, 4.3 */
	if (digits == 2)
		year += year < 50 ? 2000 : 1900;
	else if (digits == 3)
		year += 1900;
	if (year < 1 || day < 1 || day > days_in(year, month))
		return false;
	*days = days_since_epoch(year, month, day);
	return true;
}

/* "12:34:56"; a leap second is taken as the one before. */
static bool
take_time(struct scanner *sc, int64_t *seconds)
{
	int hour, minute, second = 0;

	if ((hour = take_number(sc, 1, 2, NULL)) < 0 || hour > 23 ||
	    !take_char(sc, ':') ||
	    (minute = take_number(sc, 1, 2, NULL)) < 0 || minute > 59)
		return false;
	if (take_char(sc, ':') &&
	    ((second = take_number(sc, 1, 2, NULL)) < 0 || second > 60))
		return false;
	skip_blanks(sc);
	*seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
	return true;
}

/* "+0100", "EST", or nothing; seconds to take away. */
static bool
take_zone(struct scanner *sc, int64_t *offset)
{
	static const struct { struct str name; int hours; } zones[] = {
		{ { "EDT", 3 }, -4 }, { { "EST", 3 }, -5 }, { { "CDT", 3 }, -5 },
		{ { "CST", 3 }, -6 }, { { "MDT", 3 }, -6 }, { { "MST", 3 }, -7 },
		{ { "PDT", 3 }, -7 }, { { "PST", 3 }, -8 },
	};
	char sign = peek(sc);
	struct str w;
	int n;

	*offset = 0;
	if (sign == '+' || sign == '-') {
		sc->at++;
		if ((n = take_number(sc, 4, 4, NULL)) < 0 || n % 100 > 59)
			return false;
		*offset = (n / 100 * 3600 + n % 100 * 60) * (sign == '-' ? -1 : 1);
		skip_blanks(sc);
		return true;
	}
	w = take_word(sc);
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (str_ieq(w, zones[i].name))
			*offset = zones[i].hours * 3600;
	return true;
}

int
date_parse(struct str s, int64_t *t)
{
	struct scanner sc = { s, 0 };
	int64_t days, seconds, offset;

	skip_blanks(&sc);
	if (char_is_letter(peek(&sc))) {
		(void)take_word(&sc);
		(void)take_char(&sc, ',');
	}
	if (!take_day(&sc, &days) || !take_time(&sc, &seconds) ||
	    !take_zone(&sc, &offset))
		return -1;
	if (sc.at != s.n)
		return -1;
	*t = days * 86400 + seconds - offset;
	return 0;
}
