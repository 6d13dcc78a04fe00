/*
 * tz.h - local time in a zone that the rules file names.
 */
#ifndef RULES_TZ_H
#define RULES_TZ_H

#include <time.h>

#include "str.h"

struct arena;
struct tz;

#define TZ_DIRECTORY	"/usr/share/zoneinfo"

/*
 * The zone of that name (Europe/Berlin) from the system's database, in the
 * arena; it changes no more and may be shared by threads.  NULL, and in `why`
 * the whole message.
 */
struct tz *tz_load(struct arena *a, struct str name, struct strbuf *why);

/* The same from the contents of a file (RFC 8536).  NULL if it isn't one that can be used, or without memory. */
struct tz *tz_read(struct arena *a, struct str file);

/* localtime_r(3) and mktime(3) in a zone; tz NULL: the system's.  0, or -1 if the time has no year. */
int tz_local(const struct tz *tz, time_t t, struct tm *out);
time_t tz_time(const struct tz *tz, struct tm *tm);

#endif
