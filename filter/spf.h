/*
 * spf.h - SPF (RFC 7208) by libspf2, behind a gate.
 *
 * libspf2 never parses what an outsider wrote: see the head of spf.c.
 */
#ifndef FILTER_SPF_H
#define FILTER_SPF_H

#include "resolver.h"
#include "rules/mail.h"

struct arena;
struct spf_engine;

/* One for the daemon's life; thread-safe.  NULL without memory. */
struct spf_engine *spf_engine_new(void);
void spf_engine_free(struct spf_engine *e);

struct spf_query {
	struct ipaddr	ip;
	struct str	helo;		/* as the client said it */
	struct str	sender;		/* local@domain, empty for <>: then HELO is checked as postmaster@helo */
	struct str	receiver;	/* our name, for the macro r */
};

/* Begins the lookup that the check will need first; never blocks.  Free it with dns_query_free(); NULL: nothing to ask. */
struct dns_query *spf_begin(struct resolver *r, const struct spf_query *q);

/*
 * check_host() of RFC 7208, 4.  Blocks until the answer or the deadline (then
 * temperror).  The answer lives in the arena; NULL without memory.
 */
const struct spf_answer *spf_check(struct spf_engine *e, struct resolver *r,
    const struct spf_query *q, msec deadline, struct arena *a);

#endif
