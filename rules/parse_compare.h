/*
 * parse_compare.h - comparisons, for parse_cond.c.
 */
#ifndef RULES_PARSE_COMPARE_H
#define RULES_PARSE_COMPARE_H

#include <stdbool.h>

struct cond;
struct parser;
struct token;

/* What follows the fact of a comparison: operator and operand, or nothing. */
bool compare_rest(struct parser *p, struct cond *c);

/*
 * Reports a word that stands where a condition should go on or end, if it can
 * be told what was meant with it.
 */
bool compare_stray(struct parser *p, const struct token *tok);

#endif
