/*
 * spf.h - SPF (RFC 7208) by libspf2, behind a gate.
 *
 * libspf2 never parses what an outsider wrote: see the head of spf.c.
 */
#ifndef FILTER_SPF_H
#define FILTER_SPF_H

#include <time.h>

#include "resolver.h"
#include "rules/mail.h"

struct arena;
struct spf_engine;
struct spf_job;

/* One for the daemon's life; thread-safe.  NULL without memory. */
struct spf_engine *spf_engine_new(void);
void spf_engine_free(struct spf_engine *e);

struct spf_query {
	struct ipaddr	ip;
	struct str	helo;		/* as the client said it */
	struct str	sender;		/* local@domain, empty for <>: then HELO is checked as postmaster@helo */
	struct str	receiver;	/* our name, for the macro r */
	time_t		now;		/* for the macro t; 0: the real clock */
};

/*
 * check_host() of RFC 7208, 4, begun beside the callbacks (job.h); never
 * blocks.  What the query points to is copied.  NULL without memory.
 */
struct spf_job *spf_begin(struct spf_engine *e, struct resolver *r, const struct spf_query *q);

/* Would spf_finish() answer at once? */
bool spf_is_done(struct spf_job *s);

/* Waits for the answer until the deadline (then temperror).  It lives until spf_end(); NULL without memory. */
const struct spf_answer *spf_finish(struct spf_job *s, msec deadline);

/* Gives it up, done or not; waits for no lookup.  NULL is allowed. */
void spf_end(struct spf_job *s);

/* All of it by this thread.  The answer lives in the arena; NULL without memory. */
const struct spf_answer *spf_check(struct spf_engine *e, struct resolver *r,
    const struct spf_query *q, msec deadline, struct arena *a);

#endif
