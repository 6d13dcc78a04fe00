/*
 * log.h - the daemon's log: plain lines, and lines of key=value.
 */
#ifndef FILTER_LOG_H
#define FILTER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/settings.h"
#include "rules/str.h"

/* Octets of a line, whatever stands in it. */
#define LOG_LINE	1000

/* As syslog(3)'s priorities. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

/*
 * From here on lines go to syslog(3), facility mail, or to stderr (where they
 * begin with "postern: ", or under systemd with the priority).  Until the first call
 * it is stderr.  Thread-safe after the first call.
 */
void log_open(enum log_to to);

/* One line; control characters and what is no UTF-8 are escaped, and it is cut at LOG_LINE. */
void log_printf(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A line of key=value, one blank between.  A value of graphic ASCII other
 * than " = \ stands as it is; any other is quoted, with \" \\ \n \r \t, and
 * \xHH for other control characters and octets that aren't UTF-8.  A value
 * is cut at the limit given to it, with "..."; a field that doesn't fit into
 * the line is cut likewise, or left out.
 */
struct log_line {
	char	text[LOG_LINE + 1];
	size_t	n;
};
void log_begin(struct log_line *l);
/* Returns false if it didn't fit whole.  limit 0: none but the line's. */
bool log_field(struct log_line *l, const char *key, struct str value, size_t limit);
bool log_number(struct log_line *l, const char *key, int64_t n);
void log_write(enum log_level level, const struct log_line *l);

#endif
