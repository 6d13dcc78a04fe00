/*
 * iprev.h - the client's name, confirmed forward and back (RFC 8601, 2.7.3).
 */
#ifndef FILTER_IPREV_H
#define FILTER_IPREV_H

#include "resolver.h"
#include "rules/mail.h"

/* As many as in RFC 7208, 5.5; of more, the first ones in the alphabet are looked at. */
#define IPREV_NAMES	10

struct iprev_job;

/* Begins the lookups; never blocks.  NULL without memory. */
struct iprev_job *iprev_begin(struct resolver *r, const struct ipaddr *ip);

/* Would iprev_finish() answer at once? */
bool iprev_is_done(struct iprev_job *p);

/* Waits for the answer until the deadline.  It lives until iprev_end(); NULL without memory. */
const struct iprev_answer *iprev_finish(struct iprev_job *p, msec deadline);

/* Gives it up, done or not; waits for no lookup.  NULL is allowed. */
void iprev_end(struct iprev_job *p);

/* The name that an address has in the DNS's tree of addresses, in buf. */
#define IPREV_REVERSE_MAX	80
struct str iprev_reverse(const struct ipaddr *ip, char buf[IPREV_REVERSE_MAX]);

#endif
