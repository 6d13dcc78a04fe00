/*
 * words.h - small sets of words, of which a pattern needs one.
 *
 * Words are octets with ASCII letters in lower case.  A set is bounded, so that
 * no pattern can make it large: what doesn't fit is refused, and the caller
 * does with less.
 */
#ifndef RULES_WORDS_H
#define RULES_WORDS_H

#include <stdbool.h>

#include "str.h"

#define WORD_MAX	32	/* octets of a word */
#define WORDS_MAX	256	/* words of a set */

struct word {
	unsigned char	n;
	char		p[WORD_MAX];
};

/* n 0: nothing is known. */
struct words {
	unsigned	n;
	struct word	v[WORDS_MAX];
};

/* A set of just that word; more than WORD_MAX octets are cut off. */
void words_one(struct words *w, struct str s);
void words_copy(struct words *to, const struct words *from);

/* Adds a word unless it is there; false if there is no room. */
bool words_add(struct words *w, struct str s);
/* Adds all of `more`, up to max words; false, and w no longer of use, if they don't fit. */
bool words_unite(struct words *w, const struct words *more, unsigned max);

/*
 * Each word of w with each of `more` behind it, at most max words.  False, and
 * w as it was, if there would be more, or longer ones.
 */
bool words_cross(struct words *w, const struct words *more, unsigned max);

/* Leaves of equal octets that follow each other the first, and of equal words one. */
void words_squeeze(struct words *w);

/* The same words in the same order? */
bool words_same(const struct words *a, const struct words *b);

/* Is "" all that there is in it? */
bool words_empty(const struct words *w);

/* Leaves out words that end in another: what is behind them is behind the other. */
void words_endings(struct words *w);

/* Leaves out words that hold another: where they are, the other is. */
void words_reduce(struct words *w);

/*
 * How rarely mail has any of the words, in bits, roughly: a wrong guess costs
 * nothing but time.  0 if one is empty or the set is.
 */
unsigned words_rarity(const struct words *w);

#endif
