/*
 * parse_compare.h - comparisons, for parse_cond.c.
 */
#ifndef RULES_PARSE_COMPARE_H
#define RULES_PARSE_COMPARE_H

#include <stdbool.h>

struct cond;
struct parser;

/* What follows the fact of a comparison: operator and operand, or nothing. */
bool compare_rest(struct parser *p, struct cond *c);

#endif
