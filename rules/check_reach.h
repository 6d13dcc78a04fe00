/*
 * check_reach.h - the parts of check_reachability().  Others include check.h.
 */
#ifndef RULES_CHECK_REACH_H
#define RULES_CHECK_REACH_H

#include "ast.h"

struct cover;
struct diag;

/*
 * Conditions that mean something else than was perhaps meant.
 *
 * whole	the file has no errors
 */
void check_doubts(struct ast *ast, bool whole, struct diag *d);
/* What a comparison, an entry of a list of strings, a rule's texts have as other programs want it. */
void check_habits(struct diag *d, const struct cond *c);
void check_entry_stars(struct diag *d, struct span at, struct str s);
void check_text_habits(struct diag *d, const struct rule *r);
/* Rules that take a lookup that failed for a bad result, and mail for it. */
void check_temperror(struct ast *ast, struct cover *cover, struct diag *d);

enum explosion { EXPLODES_NOT, EXPLODES_NESTED, EXPLODES_OVERLAP };
/*
 * Does the pattern repeat a group that one text may fit in many ways, so that a text that
 * does not match is tried in all of them?  Then *off and *n are the place of the first, in octets,
 * and *pump, many times, and *tail are a text that reaches match-limit there.
 */
enum explosion pattern_explodes(struct str pattern, struct str flags, size_t *off, size_t *n,
    struct strbuf *pump, struct strbuf *tail);
/* May that be, from octet `from` on?  Says no where it doesn't understand the pattern. */
enum explosion pattern_can_explode(struct str pattern, size_t from, size_t *off, size_t *n);
/* Has every text that it matches a capital letter of ASCII?  Says no where that isn't sure. */
bool pattern_needs_capital(struct str pattern, struct str flags);
/* Can a group, with its parentheses, be repeated over one text in two ways? */
bool alternatives_overlap(struct str group);

#endif
