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
 * cover	NULL: the file has errors, so that rules can't be held against each other
 */
void check_doubts(struct ast *ast, struct cover *cover, struct diag *d);

/*
 * Does the pattern repeat a repetition, or alternatives that overlap, so that a text that
 * does not match is tried in exponentially many ways?  Then *off and *n are the
 * place, in octets.  Says no where it isn't sure.
 */
enum explosion { EXPLODES_NOT, EXPLODES_NESTED, EXPLODES_OVERLAP };
enum explosion pattern_can_explode(struct str pattern, size_t *off, size_t *n);
/* Can a group, with its parentheses, be repeated over one text in two ways? */
bool alternatives_overlap(struct str group);

#endif
