/*
 * literal_of.h - the literals of a regular expression.
 */
#ifndef RULES_LITERAL_OF_H
#define RULES_LITERAL_OF_H

#include <stdbool.h>

#include "str.h"

struct arena;

/* Octets, ASCII letters in lower case, no NULs; n 0: none are known. */
struct literals {
	const struct str *v;
	size_t		 n;
};

/*
 * Finds literals of which every subject that the pattern matches holds at
 * least one, as literals_in() looks for them.  The pattern, with flags of
 * "imsx" and `bytes` as for regex_compile(), must be one that PCRE2 takes,
 * with LF as its newline.  Where anything is in doubt there are none.
 *
 * Returns 0, or -1 without memory.
 */
int literal_of(struct arena *a, struct str pattern, struct str flags, bool bytes,
    struct literals *out);

/*
 * Does the subject hold one of them, ASCII case ignored?  U+017F and U+212A
 * count as s and k, since PCRE2 takes them for that where case is ignored.
 */
bool literals_in(const struct literals *l, struct str subject);

/*
 * Whether the subject has one of those two; then out gets a copy with s and k,
 * in which literals are looked for by their octets.
 */
bool literals_folds(struct str subject);
void literals_fold(struct str subject, struct strbuf *out);

#endif
