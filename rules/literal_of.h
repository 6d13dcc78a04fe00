/*
 * literal_of.h - what a match of a regular expression needs.
 */
#ifndef RULES_LITERAL_OF_H
#define RULES_LITERAL_OF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct arena;

/* Octets, ASCII letters in lower case, no NULs; n 0: none are known. */
struct literals {
	const struct str *v;
	size_t		 n;
};

/* Octets of a kind that follow each other: n or more; n 0: no such. */
struct run {
	uint64_t	ascii[2];
	bool		high;		/* all others, too */
	unsigned	n;
};

/* Takes an octet into its kind. */
static inline void
run_add(struct run *run, unsigned c)
{
	if (c < 0x80)
		run->ascii[c / 64] |= UINT64_C(1) << (c % 64);
	else
		run->high = true;
}

/* Literals of which a pattern needs one. */
struct clause {
	struct literals	words;
	bool		letters;	/* in what letters_squeeze() leaves */
};

#define CLAUSES_MAX	4
#define CUTS_MAX	64

/*
 * What a pattern needs: each of these, and the run.  Where that says little, the
 * pattern from each of its cuts on (offsets in it), which are the later part of it, its
 * tails: what is matched by the pattern has a match of each.
 */
struct needed {
	struct clause	clauses[CLAUSES_MAX];
	unsigned	n;
	struct run	run;
	bool		text;		/* words are looked for in what literals_fold() makes of a subject */
	const size_t	*cuts;
	unsigned	ncuts;
};

/* Of a thousand octets of mail, how many are of those, roughly. */
unsigned run_share(const struct run *run);

/*
 * Finds what every subject that the pattern matches holds, as needed_in() looks
 * for it.  The pattern, with flags of
 * "imsx" and `bytes` as for regex_compile(), must be one that PCRE2 takes,
 * with LF as its newline.  Where anything is in doubt it is nothing.
 *
 * Returns 0, or -1 without memory.
 */
int literal_of(struct arena *a, struct str pattern, struct str flags, bool bytes,
    struct needed *out);

static inline bool
needed_nothing(const struct needed *n)
{
	return n->n == 0 && n->run.n == 0;
}

/*
 * Does the subject hold all of it, ASCII case ignored?  In text U+017F and U+212A
 * count as s and k, since PCRE2 takes them for that where case is ignored.
 */
bool needed_in(const struct needed *n, struct str subject);

/* Octets of copies of a subject that stand on the stack. */
#define LITERALS_ROOM	1024

/*
 * Whether the subject has one of those two; then out gets a copy with s and k,
 * in which literals are looked for by their octets.
 */
bool literals_folds(struct str subject);
void literals_fold(struct str subject, struct strbuf *out);

/*
 * Writes the subject's ASCII letters, in lower case, and digits, of equal ones
 * that follow each other the first, to out, which has room for all; their number.  So
 * "V-i.a-g  G.R.A" is "viagra".
 */
size_t letters_squeeze(struct str subject, char *out);

/* The octets that the subject has, as a run. */
struct run octets_of(struct str subject);

/* Is there such a run in a subject that has these octets? */
bool run_in(const struct run *run, struct str subject, const struct run *has);

#endif
