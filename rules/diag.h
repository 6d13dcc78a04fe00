/*
 * diag.h - what is wrong with a rules file, to the column.
 *
 * Every pass over the file queues its errors and warnings here, each with a
 * span of the source; one run reports them all, sorted by file and place, in
 * the form
 *
 *	rules:7:10: error: unknown fact 'spf.resullt'; did you mean 'spf'?
 *	    7 |     if   spf.resullt is fail
 *	      |          ^~~~~~~~~~~
 */
#ifndef RULES_DIAG_H
#define RULES_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "str.h"

struct arena;

/* One file's text as read; owned by the arena of the load. */
struct source {
	struct str	 name;		/* as shown to people */
	struct str	 text;		/* p NULL: the file could not be read, and no line of it can be shown */
	struct str	 dir;		/* what relative paths in it start from; "" or ends in / */
	const struct source *includer;	/* NULL for the first file */
	struct source	*next;
	int		 order;		/* the order in which sources were opened: diagnostics sort by it */
};

/* A place in a source: n octets from off.  src NULL: no place (a whole file, an option). */
struct span {
	const struct source	*src;
	size_t			 off, n;
};

enum severity { DIAG_ERROR, DIAG_WARNING };

struct diag;

/* An empty queue, or NULL.  Diagnostics live in it until diag_free(). */
struct diag *diag_new(void);
void diag_free(struct diag *d);

/*
 * Takes over the arena of a load that failed: the diagnostics point into its
 * sources.  It is freed with the queue; one load a queue.
 */
void diag_adopt(struct diag *d, struct arena *a);

/* Queue one.  The text is printf(3)'s, without a final period or newline. */
void diag_error(struct diag *d, struct span at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(struct diag *d, struct span at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A secondary place of the diagnostic queued last ("first defined here"). */
void diag_note(struct diag *d, struct span at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What should have come out, and what did, a line each: a diff under the diagnostic queued last. */
void diag_expected(struct diag *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void diag_got(struct diag *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

int diag_errors(const struct diag *d);
int diag_warnings(const struct diag *d);

/* 1-based line, and column in characters. */
void diag_position(struct span at, int *line, int *column);

/*
 * All of them, sorted, each with its source line and caret; `colour` for a
 * terminal.  Long lines are shown as a window around the caret, tabs as they
 * stand, control characters and octets that aren't UTF-8 as '?'.
 */
void diag_print(struct diag *d, FILE *out, bool colour);
/* The first line only of each ("file:line:col: error: text"), for the log. */
void diag_each(struct diag *d, void (*fn)(void *, enum severity, struct str line), void *arg);
/* An array of {file, line, column, endColumn, severity, message, notes}, and of a diff, expected and got. */
void diag_json(struct diag *d, struct strbuf *out);

/*
 * The candidate nearest to `word` by edit distance (transpositions count
 * one), or one with the same parts in it ("spf.resullt" gives "spf"); none if
 * nothing is near enough to be of help.
 */
struct str diag_nearest(struct str word, const struct str *candidates, size_t n);

#endif
