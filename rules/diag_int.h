/*
 * diag_int.h - what the files behind diag.h share.
 */
#ifndef RULES_DIAG_INT_H
#define RULES_DIAG_INT_H

#include "diag.h"

struct diag_remark {
	struct span	 at;
	struct str	 text;
	struct diag_remark *next;
};

struct diagnostic {
	enum severity	 severity;
	struct span	 at;
	struct str	 text;
	struct diag_remark *notes;
	struct diag_remark *expected, *got;	/* no places */
	size_t		 seq;		/* in which it was queued */
};

/* The queue by file and place; *v lasts until the next is queued. */
size_t diag_sorted(struct diag *d, struct diagnostic *const **v);

const char *diag_severity_name(enum severity severity);

/* s with '?' for control characters and what isn't UTF-8. */
void diag_clean(struct strbuf *out, struct str s);

/* Does the span stand in a text that can be shown? */
bool diag_has_place(struct span at);

/* The line, without its end, that the span begins on; *line is its number. */
struct str diag_line(struct span at, int *line);

/* "file:line:col: severity: text" */
void diag_first_line(struct span at, const char *severity, struct str text,
    struct strbuf *out);

#endif
