/*
 * selftest.h - the `test` statements of a rules file, run by the code that
 * judges mail.
 */
#ifndef FILTER_SELFTEST_H
#define FILTER_SELFTEST_H

#include "session.h"

struct diag;

/*
 * Runs every test of the ruleset; what did not come out as expected is queued
 * in diag as an error at the `expect`, with what happened instead.  No test asks
 * the network: a lookup needs `given` or a zone.  Only hostname of services is used.
 *
 * Returns the number of tests that failed, or -1 without memory.
 */
int selftest_run(struct ruleset *rs, const struct services *sv, struct diag *d);

#endif
