/*
 * check_cover.h - can the reading come to a rule, and it be true?
 */
#ifndef RULES_CHECK_COVER_H
#define RULES_CHECK_COVER_H

#include "ast.h"

struct cover;
struct settings;

/* Of the rules of that file; NULL without memory. */
struct cover *cover_new(struct ast *ast, const struct settings *s);
void cover_free(struct cover *c);

/* Rules that together end every reading that could have come to another one. */
#define COVER_MAX	24
struct cover_rules {
	const struct rule *v[COVER_MAX];	/* in file order; no more than it takes */
	size_t		 n;
	bool		 all;		/* they take every message */
};

enum hiding { HIDES_NOT, HIDES, HIDES_PERHAPS };
/*
 * Do rules above r end the reading of each message for which r, and what `also` says,
 * would be true?  Perhaps: that is too much to find out.
 *
 * also		NULL: nothing
 */
enum hiding cover_hides(struct cover *c, const struct rule *r, const struct cond *also,
    struct cover_rules *by);
/* Don't name that rule any more: nothing comes to it. */
void cover_forget(struct cover *c, const struct rule *r);

#endif
