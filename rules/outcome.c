/*
 * outcome.c - and, or and not for sets of outcomes.
 */
#include "outcome.h"

#include "settings.h"

/* All outcomes that stand in and's order not behind the last of the set. */
static outcome
up_to_last(outcome o)
{
	outcome m = o;

	m |= m >> 1;
	m |= m >> 2;
	m |= m >> 4;
	return m;
}

/* The lesser of any two: a's that some of b's don't undercut, and the reverse. */
outcome
o_and(outcome a, outcome b)
{
	return (outcome)((a & up_to_last(b)) | (b & up_to_last(a)));
}

outcome
o_not(outcome a)
{
	outcome r = a & O_ERROR;

	if (a & O_TRUE)
		r |= O_FALSE;
	if (a & O_FALSE)
		r |= O_TRUE;
	return r;
}

outcome
o_or(outcome a, outcome b)
{
	return o_not(o_and(o_not(a), o_not(b)));
}

outcome
o_on_error(const struct settings *s, enum error_class class)
{
	switch (s->on_error.of[class]) {
	case ON_ERROR_ACCEPT:
		return O_ERR_ACCEPT;
	case ON_ERROR_SKIP:
		return O_ERR_SKIP;
	case ON_ERROR_TEMPFAIL:
		break;
	}
	return O_ERR_TEMPFAIL;
}
