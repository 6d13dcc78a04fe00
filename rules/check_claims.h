/*
 * check_claims.h - can several things be true of one message?  The reasoner of
 * the passes that find contradictions and rules that nothing comes to.
 */
#ifndef RULES_CHECK_CLAIMS_H
#define RULES_CHECK_CLAIMS_H

#include <stddef.h>

#include "outcome.h"

struct cond;
struct settings;
struct world;

/* What is known of the score where a condition stands. */
struct score_at {
	size_t		epoch;		/* rules above that score: conditions with as many compare the same */
	int64_t		lo, hi;
	unsigned	errors;		/* that rules above may be in: cond_errors() */
};
#define SCORE_ANY	((struct score_at){ 0, INT64_MIN, INT64_MAX, 0 })

/* That a condition turns out to be one of these. */
struct claim {
	const struct cond *cond;	/* its `next` is not looked at */
	outcome		 may;
	struct score_at	 score;
};

/*
 * Can all the claims hold for one message?  If so, or if nobody can say,
 * returns what facts are then; NULL if not, for sure.  Reasons over the types
 * of the facts.
 *
 * s		what on-error says; NULL: errors are left out of account
 * inside	the conditions stand in a has ( ... ), where each part is one value
 * work		what was done is added, in comparisons
 */
struct world *claims_world(const struct claim *claims, size_t n, const struct settings *s,
    bool inside, int64_t *work);
void world_end(struct world *w);

/* The classes of errors that a condition may be in, as fact_errors(). */
unsigned cond_errors(const struct cond *c);

/* Was the search given up? */
bool world_is_doubtful(const struct world *w);
/* What a condition may be in that world; of facts that it leaves open the likeliest. */
outcome world_outcome(const struct world *w, const struct cond *c,
    const struct score_at *score);
/*
 * Calls fn for each value that a fact has in that world, and with NULL for a
 * fact of which it only says that there is one.
 */
void world_values(const struct world *w,
    void (*fn)(void *, const struct fact *, const struct value *), void *arg);

#endif
