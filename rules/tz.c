/*
 * tz.c - local time in a zone that the rules file names.
 *
 * The C library knows one zone at a time, that of the environment, and
 * changing it while other threads ask for the time is a race.  So the file
 * of the zone (RFC 8536) is read here: its list of changes, and the rule in
 * its last line for all years after them.
 *
 * Leap seconds are none of POSIX time; files that count them are refused.
 */
#include "tz.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "diag.h"

#define FILE_MAX	(1 << 20)
#define HEADER		44
#define NEAR_MAX	1000
#define DAY		86400

/* When summer time begins or ends: a day of the year, and seconds of that day. */
enum day_kind { DAY_JULIAN, DAY_ZERO, DAY_MONTH };
struct change {
	enum day_kind	kind;
	int		month, week, day;	/* day alone but for DAY_MONTH */
	long		time;
};

struct tz {
	size_t		 n;
	const int64_t	*at;		/* changes, in their order */
	const int32_t	*offset;	/* from each on */
	int32_t		 first;		/* before them */
	/* After them. */
	bool		 has_rule, has_summer;
	long		 winter, summer;	/* offsets */
	struct change	 begin, end;
};

/* ---- Days ---- */

/* Days from 1970-01-01 to the first of a year. */
static int64_t
days_before_year(int64_t y)
{
	int64_t p = y - 1;

	return 365 * (y - 1970) + (p / 4 - 492) - (p / 100 - 19) + (p / 400 - 4);
}

static bool
is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Day of the year, from 0, of the first of a month. */
static int
days_before_month(int64_t year, int month)
{
	static const int days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

	return days[month - 1] + (month > 2 && is_leap(year));
}

/* Local seconds from 1970 at which the change comes in that year. */
static int64_t
change_in(const struct change *c, int64_t year)
{
	int64_t jan1 = days_before_year(year), day;
	int first, wday, length;

	switch (c->kind) {
	case DAY_JULIAN:	/* 1 to 365; February has 28 days always */
		day = jan1 + c->day - 1 + (c->day > 59 && is_leap(year));
		break;
	case DAY_ZERO:
		day = jan1 + c->day;
		break;
	default:		/* the week'th such weekday of the month, the last for 5 */
		first = days_before_month(year, c->month);
		length = c->month == 12 ? 31 : days_before_month(year, c->month + 1) - first;
		wday = (int)(((jan1 + first + 4) % 7 + 7) % 7);
		day = (c->day - wday + 7) % 7 + 7 * (c->week - 1);
		if (day >= length)
			day -= 7;
		day += jan1 + first;
		break;
	}
	return day * DAY + c->time;
}

static int64_t
year_of(int64_t t)
{
	struct tm tm;
	time_t s = (time_t)t;

	return gmtime_r(&s, &tm) != NULL ? tm.tm_year + INT64_C(1900) : 1970;
}

/* ---- The last line: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool
take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

static bool
read_int(struct str *s, int max, int *out)
{
	size_t digits = 0;

	for (*out = 0; s->n > 0 && char_is_digit(s->p[0]) && digits < 4; digits++) {
		*out = *out * 10 + (s->p[0] - '0');
		*s = (struct str){ s->p + 1, s->n - 1 };
	}
	return digits > 0 && *out <= max;
}

/* Letters, or anything in < >. */
static bool
skip_name(struct str *s)
{
	size_t n = 0;

	if (take(s, '<')) {
		while (s->n > 0 && !take(s, '>')) {
			*s = (struct str){ s->p + 1, s->n - 1 };
			n++;
		}
		return n > 0;
	}
	for (; s->n > 0 && ((s->p[0] >= 'a' && s->p[0] <= 'z') ||
	    (s->p[0] >= 'A' && s->p[0] <= 'Z')); n++)
		*s = (struct str){ s->p + 1, s->n - 1 };
	return n >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool
read_time(struct str *s, long *out)
{
	bool minus = take(s, '-');
	int h, m = 0, sec = 0;

	if (!minus)
		(void)take(s, '+');
	if (!read_int(s, 167, &h) || (take(s, ':') && (!read_int(s, 59, &m) ||
	    (take(s, ':') && !read_int(s, 59, &sec)))))
		return false;
	*out = h * 3600L + m * 60 + sec;
	if (minus)
		*out = -*out;
	return true;
}

static bool
read_change(struct str *s, struct change *c)
{
	c->kind = DAY_ZERO;
	c->time = 2 * 3600;
	if (take(s, 'M')) {
		c->kind = DAY_MONTH;
		if (!read_int(s, 12, &c->month) || c->month == 0 || !take(s, '.') ||
		    !read_int(s, 5, &c->week) || c->week == 0 || !take(s, '.') ||
		    !read_int(s, 6, &c->day))
			return false;
	} else {
		if (take(s, 'J'))
			c->kind = DAY_JULIAN;
		if (!read_int(s, 365, &c->day) || (c->kind == DAY_JULIAN && c->day == 0))
			return false;
	}
	return !take(s, '/') || read_time(s, &c->time);
}

/* Offsets are written the other way round: what is to be added for UTC. */
static bool
read_rule(struct tz *tz, struct str s)
{
	if (s.n == 0)
		return true;
	if (!skip_name(&s) || !read_time(&s, &tz->winter))
		return false;
	tz->winter = -tz->winter;
	tz->has_rule = true;
	if (s.n == 0)
		return true;
	if (!skip_name(&s))
		return false;
	tz->has_summer = true;
	tz->summer = tz->winter + 3600;
	if (s.n > 0 && s.p[0] != ',') {
		if (!read_time(&s, &tz->summer))
			return false;
		tz->summer = -tz->summer;
	}
	return take(&s, ',') && read_change(&s, &tz->begin) && take(&s, ',') &&
	    read_change(&s, &tz->end) && s.n == 0;
}

static long
offset_by_rule(const struct tz *tz, int64_t t)
{
	int64_t year, begin, end;
	bool summer;

	if (!tz->has_summer)
		return tz->winter;
	year = year_of(t + tz->winter);
	begin = change_in(&tz->begin, year) - tz->winter;
	end = change_in(&tz->end, year) - tz->summer;
	/* South of the equator summer has New Year in it. */
	summer = begin < end ? t >= begin && t < end : t >= begin || t < end;
	return summer ? tz->summer : tz->winter;
}

/* ---- The file ---- */

static int64_t
big_endian(const char *p, int n)
{
	uint64_t v = (unsigned char)p[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return (int64_t)v;
}

/* The counts of a header, in its order. */
enum { ISUT, ISSTD, LEAP, TIMES, TYPES, CHARS, COUNTS };

/* Octets of the block behind a header, or -1 if there is none. */
static int64_t
read_header(struct str s, int64_t count[COUNTS], int time_size)
{
	if (s.n < HEADER || memcmp(s.p, "TZif", 4) != 0)
		return -1;
	for (int i = 0; i < COUNTS; i++) {
		count[i] = big_endian(s.p + 20 + 4 * i, 4);
		if (count[i] < 0 || count[i] > FILE_MAX)
			return -1;
	}
	return count[TIMES] * (time_size + 1) + count[TYPES] * 6 + count[CHARS] +
	    count[LEAP] * (time_size + 4) + count[ISSTD] + count[ISUT];
}

static int
read_changes(struct tz *tz, struct arena *a, const char *p, const int64_t count[COUNTS])
{
	const char *types = p + count[TIMES] * 9, *index = p + count[TIMES] * 8;
	int64_t *at;
	int32_t *offset;

	tz->n = (size_t)count[TIMES];
	if ((at = arena_array(a, tz->n + 1, sizeof(*at))) == NULL ||
	    (offset = arena_array(a, tz->n + 1, sizeof(*offset))) == NULL)
		return -1;
	tz->at = at;
	tz->offset = offset;
	tz->first = (int32_t)big_endian(types, 4);
	for (size_t i = 0; i < tz->n; i++) {
		unsigned type = (unsigned char)index[i];

		at[i] = big_endian(p + 8 * i, 8);
		if (type >= count[TYPES] || (i > 0 && at[i] <= at[i - 1]))
			return -1;
		offset[i] = (int32_t)big_endian(types + 6 * type, 4);
		if (offset[i] < -2 * DAY || offset[i] > 2 * DAY)
			return -1;
	}
	return 0;
}

struct tz *
tz_read(struct arena *a, struct str file)
{
	int64_t count[COUNTS], size = read_header(file, count, 4);
	struct str s = file;
	struct tz *tz;

	/* What the first version has is said again behind it, with years beyond 2038. */
	if (size < 0 || (int64_t)s.n < HEADER + size || s.p[4] < '2')
		return NULL;
	s = (struct str){ s.p + HEADER + size, s.n - HEADER - (size_t)size };
	size = read_header(s, count, 8);
	if (size < 0 || (int64_t)s.n < HEADER + size + 2 || count[TYPES] == 0 || count[LEAP] != 0 ||
	    (tz = arena_new_object(a, struct tz)) == NULL ||
	    read_changes(tz, a, s.p + HEADER, count) == -1)
		return NULL;
	s = (struct str){ s.p + HEADER + size, s.n - HEADER - (size_t)size };
	if (s.p[0] != '\n' || s.p[s.n - 1] != '\n' ||
	    !read_rule(tz, (struct str){ s.p + 1, s.n - 2 }))
		return NULL;
	return tz;
}

/* A zone with a similar name, in the same part of the world. */
static struct str
nearest(struct arena *a, struct str name)
{
	size_t n = 0, area = name.n;
	struct str names[NEAR_MAX];
	char path[512];
	struct dirent *e;
	DIR *dir;

	while (area > 0 && name.p[area - 1] != '/')
		area--;
	snprintf(path, sizeof(path), TZ_DIRECTORY "/" STR_FMT, (int)area, name.p);
	if ((dir = opendir(path)) == NULL)
		return STR_NONE;
	while (n < NEAR_MAX && (e = readdir(dir)) != NULL)
		if (e->d_name[0] >= 'A' && e->d_name[0] <= 'Z' && (names[n] = str_printf(a,
		    STR_FMT "%s", (int)area, name.p, e->d_name)).p != NULL)
			n++;
	closedir(dir);
	return diag_nearest(name, names, n);
}

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || (s.p[i] < '0' && strchr("+-/", s.p[i]) == NULL) || s.p[i] > 'z')
			return false;
	return s.n > 0 && s.n < 200 && s.p[0] != '/' && str_find(s, STR("..")) < 0;
}

/* All of a file that isn't too large, in the arena; p NULL with errno. */
static struct str
read_file(struct arena *a, const char *path)
{
	struct str s = STR_NONE;
	FILE *f = fopen(path, "re");
	char *p;

	if (f == NULL)
		return s;
	if ((p = arena_array(a, FILE_MAX, 1)) == NULL) {
		errno = ENOMEM;
	} else {
		errno = 0;
		s = (struct str){ p, fread(p, 1, FILE_MAX, f) };
		if (ferror(f))
			s = STR_NONE;
	}
	fclose(f);
	return s;
}

struct tz *
tz_load(struct arena *a, struct str name, struct strbuf *why)
{
	struct arena *own = arena_new(0);
	struct str file = STR_NONE, near = STR_NONE;
	struct tz *tz = NULL;
	char path[512];

	if (own == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	errno = EINVAL;
	if (is_name(name)) {
		snprintf(path, sizeof(path), TZ_DIRECTORY "/" STR_FMT, STR_ARG(name));
		file = read_file(own, path);
	}
	if (file.p != NULL && (tz = tz_read(a, file)) == NULL)
		strbuf_printf(why, "%s is no time zone that can be used", path);
	else if (file.p == NULL) {
		strbuf_printf(why, "there is no time zone '" STR_FMT "' in " TZ_DIRECTORY, STR_ARG(name));
		if (is_name(name))
			near = nearest(own, name);
		if (near.p != NULL)
			strbuf_printf(why, "; did you mean '" STR_FMT "'?", STR_ARG(near));
		else
			strbuf_puts(why, "; write one like Europe/Berlin or UTC");
	}
	arena_free(own);
	return tz;
}

/* ---- Time ---- */

/* Seconds that the zone is ahead of UTC at t. */
static long
offset_at(const struct tz *tz, time_t t)
{
	size_t lo = 0, hi = tz->n;

	if (tz->n == 0)
		return tz->has_rule ? offset_by_rule(tz, t) : tz->first;
	if (t < tz->at[0])
		return tz->first;
	if (t >= tz->at[tz->n - 1])
		return tz->has_rule ? offset_by_rule(tz, t) : tz->offset[tz->n - 1];
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (tz->at[mid] <= t)
			lo = mid;
		else
			hi = mid;
	}
	return tz->offset[lo];
}

int
tz_local(const struct tz *tz, time_t t, struct tm *out)
{
	if (tz == NULL)
		return localtime_r(&t, out) != NULL ? 0 : -1;
	if (t > INT64_MAX - 2 * DAY || t < INT64_MIN + 2 * DAY)
		return -1;
	t += offset_at(tz, t);
	return gmtime_r(&t, out) != NULL ? 0 : -1;
}

time_t
tz_time(const struct tz *tz, struct tm *tm)
{
	time_t local, t;

	if (tz == NULL)
		return mktime(tm);
	local = timegm(tm);
	/* The offset at the time that is looked for: twice is enough, but in the hour that is left out in spring. */
	t = local - offset_at(tz, local);
	return local - offset_at(tz, t);
}
