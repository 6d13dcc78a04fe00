/*
 * check_reach.h - the parts of check_reachability().  Others include check.h.
 */
#ifndef RULES_CHECK_REACH_H
#define RULES_CHECK_REACH_H

#include "ast.h"

struct diag;

/*
 * Conditions that mean something else than was perhaps meant.
 *
 * whole	the file has no errors, so that rules can be held against each other
 */
void check_doubts(struct ast *ast, struct diag *d, bool whole);

/*
 * Does the pattern repeat a repetition, so that a text that does not match is
 * tried in exponentially many ways?  Then *off and *n are the place, in
 * octets.  Says no where it isn't sure.
 */
bool pattern_can_explode(struct str pattern, size_t *off, size_t *n);

#endif
