/*
 * selftest.h - the `test` statements of a rules file, run by the code that
 * judges mail.
 */
#ifndef FILTER_SELFTEST_H
#define FILTER_SELFTEST_H

#include "session.h"

struct diag;

/* In how many readings of all tests a rule was true, and came out otherwise. */
struct reached {
	unsigned	yes, no;
};

/*
 * Runs every test of the ruleset; what did not come out as expected is queued
 * in diag as an error at the `expect`, with what happened instead.  No test asks
 * the network: a lookup needs `given` or a zone.  Only hostname of services is used.
 * reached, of as many elements as there are rules, is added to; NULL: not asked.
 *
 * Returns the number of tests that failed, or -1 without memory.
 */
int selftest_run(struct ruleset *rs, const struct services *sv, struct reached *reached,
    struct diag *d);

#endif
