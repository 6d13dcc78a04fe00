/*
 * check_walk.h - what the passes of the checker share: an index of names, and
 * a walk over all that a rule asks.  Others include check.h.
 */
#ifndef RULES_CHECK_WALK_H
#define RULES_CHECK_WALK_H

#include "ast.h"

struct arena;
struct diag;
struct index;

/* An empty index for about n names, in the arena; NULL without memory. */
struct index *index_new(struct arena *a, size_t n);
/* What that name stands for, or NULL. */
void *index_find(const struct index *ix, struct str name);
/*
 * Enters a name, whose text stays the caller's.  Returns what it stood for
 * before, and then changes nothing, or NULL.
 */
void *index_add(struct index *ix, struct str name, void *what);

/* "unknown list 'x'; did you mean 'y'?" */
void check_unknown(struct diag *d, struct span at, const char *what,
    struct str name, const struct str *candidates, size_t n);

/* One place in which a rule names a fact. */
struct fact_use {
	struct fact_ref	*ref;
	struct cond	*cond;		/* the comparison; NULL in a text */
	enum thing	 inside;	/* of `any THING has (...)`, or THING_NONE */
};

/*
 * Calls fn for each comparison of a condition, which may be NULL, and for
 * each ${fact} of the actions' texts.
 */
void walk_cond(struct cond *c, void (*fn)(void *, const struct fact_use *), void *arg);
void walk_texts(struct action *actions, void (*fn)(void *, const struct fact_use *), void *arg);

/* The rule's final action, unless it is a shadow; or NULL. */
const struct action *rule_final(const struct rule *r);

/* Does the rule score, shadows aside?  Then *sum is what it adds. */
bool rule_scores(const struct rule *r, int64_t *sum);

/* Does this one ask for all recipients, and not for the one judged? */
bool use_is_quantified(const struct fact_use *u);

enum stage stage_later(enum stage a, enum stage b);

/* What check_constants() found of the rule's condition; 1 if it has none. */
int rule_constant(const struct rule *r);

/*
 * Can a and b never be true together?  Reasons over the types of the facts that they
 * compare.  *unsure (NULL: nobody asks) is set where that is too much to find out.
 */
bool cond_excludes(const struct cond *a, const struct cond *b, bool *unsure);

/* What a condition asks: to see cheaply whether two have to do with each other. */
struct asked {
	uint64_t	facts[2];	/* a bit each; those beyond the last share it */
	int64_t		size;		/* comparisons and operands */
	bool		score;		/* which changes from rule to rule */
};
struct asked cond_asked(struct cond *c);
/* The bit of a fact. */
size_t asked_bit(const struct fact *f);
/* Is holding these two against each other within the work that may still be done? */
bool cond_affordable(const struct asked *a, const struct asked *b, int64_t *work);

#endif
