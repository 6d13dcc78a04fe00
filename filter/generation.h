/*
 * generation.h - a ruleset together with what its messages need: swapped as
 * one at a reload, kept by each connection that began with it.
 */
#ifndef FILTER_GENERATION_H
#define FILTER_GENERATION_H

#include <stdatomic.h>
#include <time.h>

#include "session.h"

struct diag;
struct strbuf;

/* The engines that last as long as the process. */
struct engines;

struct generation {
	struct ruleset	*ruleset;
	struct services	 services;
	unsigned	 serial;	/* 1, 2 ... */
	struct shared_resolver *resolver;
	struct stores	*stores;	/* where services.store comes from */
	/* What the MTA is asked for; milter_prepare() fills it in. */
	unsigned long	 actions, steps;
	char		*macros[7];	/* names for each stage of the protocol, blank between */
	atomic_ulong	 missed;	/* actions that some MTA did not offer: said once */
};

/*
 * zone		file that answers all lookups, or NULL
 * now		0: the real clock
 *
 * NULL on failure, with the reason in `why`.
 */
struct engines *engines_new(const char *zone, time_t now, struct strbuf *why);
void engines_free(struct engines *e);
/* Services without a resolver and DMARC, as the tests in a rules file take them. */
struct services engines_services(const struct engines *e);

/*
 * Takes a reference on the ruleset of its own.  The resolver is that of `old` (may
 * be NULL) if the name servers are the same.  One reference; NULL on failure, with
 * the reason in `why`.
 */
struct generation *generation_new(struct engines *e, struct ruleset *rs,
    const struct generation *old, struct strbuf *why);

/* Who is told when the store fails, and when it works again. */
void engines_say(struct engines *e, void (*say)(const char *line));
/*
 * Opens the store, if the rules ask for it; without this its facts are
 * unset.  As the user that will go on using it.  0, or -1 with the reason in `why`.
 */
int generation_open_store(struct engines *e, struct generation *g, struct strbuf *why);

/* NULL is allowed. */
void generation_release(struct generation *g);

/*
 * Gives the system back what was freed of the heap, where the C library can: after something
 * large.  Takes some milliseconds; does not stop other threads meanwhile.
 */
void generation_trim(void);

/* The one that new connections get, with a reference; NULL before the first. */
struct generation *generation_current(void);
/* Makes g, whose reference it takes over, the current one.  NULL: none. */
void generation_swap(struct generation *g);

/*
 * First 12 hexadecimal digits of the SHA-256 of all sources' texts in the
 * order in which they were read; "-" if it can't be had.
 */
void generation_digest(const struct ruleset *rs, char out[13]);

#endif
