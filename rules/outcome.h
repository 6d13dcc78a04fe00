/*
 * outcome.h - what a condition may turn out to be.
 *
 * The evaluator counts with it while facts are pending (eval.h), and the checker
 * while it tries what facts may be (check_claims.h).
 */
#ifndef RULES_OUTCOME_H
#define RULES_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "facts.h"

struct settings;

/*
 * The outcomes that a condition may still have, as a set of bits.  One bit:
 * decided.  An error carries what on-error says to its class.  The bits stand
 * in the order in which `and` prefers them, so that and, or and not are
 * arithmetic on sets; or is and's mirror (De Morgan).
 */
typedef uint8_t outcome;
#define O_FALSE		0x01
#define O_ERR_TEMPFAIL	0x02
#define O_ERR_ACCEPT	0x04
#define O_ERR_SKIP	0x08
#define O_TRUE		0x10
#define O_ERROR		(O_ERR_TEMPFAIL | O_ERR_ACCEPT | O_ERR_SKIP)
#define O_PENDING	0x1f

static inline bool
o_decided(outcome o)
{
	return (o & (o - 1)) == 0;
}

/* With one of these the rule's final action is taken, by itself or by on-error. */
#define O_ENDS		(O_TRUE | O_ERR_TEMPFAIL | O_ERR_ACCEPT)

static inline bool
o_may_end(outcome o)
{
	return (o & O_ENDS) != 0;
}

outcome o_and(outcome a, outcome b);
outcome o_or(outcome a, outcome b);
outcome o_not(outcome a);
/* What on-error says to an error of that class. */
outcome o_on_error(const struct settings *s, enum error_class class);

#endif
