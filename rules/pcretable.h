/*
 * pcretable.h - tables in the form of Postfix's pcre_table(5), line by line.
 */
#ifndef RULES_PCRETABLE_H
#define RULES_PCRETABLE_H

#include <stdbool.h>

#include "diag.h"
#include "str.h"

struct arena;
struct captures;

enum pcre_kind { PCRE_MATCH, PCRE_IF, PCRE_ENDIF };

/* A text with $1 in it. */
struct pcre_text {
	struct str	 literal;
	int		 group;		/* the capture that follows the literal, or -1 */
	struct span	 at;		/* of the capture */
	struct pcre_text *next;
};

/* `/pattern/flags text`, `if /pattern/flags` or `endif`, !/pattern/ negated. */
struct pcre_line {
	enum pcre_kind	kind;
	bool		negated;
	struct str	pattern;	/* as it stands between the slashes */
	struct str	flags;		/* in force: i and s unless they were taken off */
	struct span	at;		/* of the pattern with its slashes, or of the word */
	const struct pcre_text *text;	/* NULL if it is empty */
};

/*
 * Goes through the text of a table.  Patterns, flags and texts are as Postfix
 * reads them: any punctuation may stand for the slashes, i and s are on and
 * each flag turns its own round, a line that begins with a blank goes on with
 * the one above, and $1, ${1}, $(1) are captures and $$ a dollar.
 *
 * fn returns -1 to stop.  Wrong lines are queued in diag without it, an `if`
 * without `endif` too.  Returns -1 without memory or if fn did, else 0.
 */
int pcretable_each(const struct source *src, struct arena *a, struct diag *d,
    int (*fn)(void *arg, const struct pcre_line *line), void *arg);

/* The text with the captures filled in, each cut at max octets. */
void pcre_text_expand(const struct pcre_text *t, const struct captures *caps,
    size_t max, struct strbuf *out);

#endif
