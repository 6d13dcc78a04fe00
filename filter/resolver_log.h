/*
 * resolver_log.h - why libunbound gave up on a name.  Only resolver*.c include it.
 */
#ifndef FILTER_RESOLVER_LOG_H
#define FILTER_RESOLVER_LOG_H

#include <unbound.h>

#include "dnswire.h"

/* A new context whose log comes here; it must say log-servfail: yes.  NULL without memory. */
struct ub_ctx *resolver_log_context(void);

/* Takes the log back for a context that lives. */
void resolver_log_retake(struct ub_ctx *ctx);

enum resolver_heard {
	HEARD_UNKNOWN,		/* this once no line came */
	HEARD_NOBODY,		/* no server answered */
	HEARD_ANSWER		/* some server did, and that was no good; or this library never tells */
};

/*
 * What was behind the SERVFAIL that just came for a question; it is said once.  *rcode is
 * what the last server said, DNS_RCODE_SERVFAIL where that isn't told.
 */
enum resolver_heard resolver_log_heard(const struct dns_name *name, enum dns_type type, int *rcode);

#endif
