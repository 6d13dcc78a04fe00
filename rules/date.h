/*
 * date.h - the date and time of a message (RFC 5322, 3.3 and 4.3).
 */
#ifndef RULES_DATE_H
#define RULES_DATE_H

#include <stdint.h>

#include "str.h"

/*
 * Reads a Date field's value, folds and comments in it, in the old forms too:
 * two-digit years, no seconds, zones by letters (those that RFC 5322 gives no
 * meaning, and a missing one, are taken as UTC).  The day of the week is not
 * held against the date.  *t gets seconds since 1970.
 *
 * Returns 0, or -1 if it isn't a date from year 1 to 9999.
 */
int date_parse(struct str s, int64_t *t);

#endif
