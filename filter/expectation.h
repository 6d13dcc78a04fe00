/*
 * expectation.h - the `expect` of a test against what came out.
 */
#ifndef FILTER_EXPECTATION_H
#define FILTER_EXPECTATION_H

#include <stdbool.h>

struct diag;
struct expect;
struct outcome;
struct ruleset;
struct test;

/* If it is not met: false, with an error at the `expect` that shows both. */
bool expectation_met(const struct expect *e, const struct test *t, const struct outcome *o,
    struct ruleset *rs, struct diag *d);

#endif
