/*
 * resolver.h - DNS for SPF, DKIM and all that follows: one resolver, cached,
 * with deadlines.
 *
 * Either the real one (libunbound; the system's servers or those given), or a
 * zone file alone, so that tests and judge need no network.  Shared by all
 * threads.  A lookup is begun early, and waited for as late as possible.
 */
#ifndef FILTER_RESOLVER_H
#define FILTER_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rules/settings.h"
#include "rules/str.h"
#include "wait.h"

struct resolver;

enum dns_status {
	DNS_OK,			/* records of the type asked for */
	DNS_NODATA,		/* the name exists, but has none */
	DNS_NXDOMAIN,
	DNS_SERVFAIL,		/* any other failure, bogus DNSSEC too */
	DNS_TIMEOUT		/* no answer by the deadline */
};
const char *dns_status_name(enum dns_status s);

/* RFC 1035, 3.2.2; RFC 3596. */
enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28 };
const char *dns_type_name(enum dns_type t);	/* "A", "TXT" ... */

/* rdata of one record: A 4, AAAA 16 octets; TXT: strings joined without a
   blank; PTR, CNAME, NS, MX: the name in text form, lower case, without the last dot. */
struct dns_rr {
	struct str	data;
	uint16_t	preference;	/* MX */
};

/* Reference-counted, immutable. */
struct dns_answer {
	enum dns_status	status;
	bool		secure;		/* DNSSEC validated */
	uint32_t	ttl;
	struct str	canonical;	/* after CNAMEs */
	size_t		n;
	const struct dns_rr *rr;
	struct str	packet;		/* the answer at wire level, as a DNS message (for libopendkim) */
	struct str	reason;		/* of SERVFAIL and time-out, in words */
};

/*
 * servers	ADDRESS or ADDRESS@PORT; n 0: the system's (/etc/resolv.conf)
 * why		the reason on failure
 *
 * NULL on failure.
 */
struct resolver *resolver_new(const struct strings *servers, struct strbuf *why);

/* From a zone file (format: tests/README) or its text; a wrong line is an
   error with its number.  TIMEOUT entries answer DNS_TIMEOUT at once. */
struct resolver *resolver_zone_file(const char *path, struct strbuf *why);
struct resolver *resolver_zone_text(struct str text, struct strbuf *why);

/* Waits for nothing: lookups under way end as DNS_TIMEOUT.  NULL is allowed. */
void resolver_free(struct resolver *r);

/* A lookup under way or finished.  Same name and type at the same time share one. */
struct dns_query;

/* Begins, or finds in the cache; never blocks.  NULL without memory or for a
   name that is no domain name (RFC 1035: 63 octets a label, 253 in all). */
struct dns_query *resolver_ask(struct resolver *r, struct str name, enum dns_type type);

/* The same, but begins nothing: NULL, too, unless it is under way or in the cache. */
struct dns_query *resolver_find(struct resolver *r, struct str name, enum dns_type type);

/* The answer if it is there, or NULL; never blocks.  Valid until dns_query_free(). */
const struct dns_answer *dns_query_poll(struct dns_query *q);

/* Waits until the answer is there or the deadline has passed (then an answer DNS_TIMEOUT). */
const struct dns_answer *dns_query_wait(struct dns_query *q, msec deadline);

/*
 * Why an answer is a failure: "TXT of example.org: timeout, no answer by the deadline", in
 * the arena.  p NULL without memory.
 */
struct arena;
struct str dns_failure(struct arena *a, struct str name, enum dns_type type,
    const struct dns_answer *d);
/* The same of a query's answer. */
struct str dns_query_failure(struct arena *a, const struct dns_query *q,
    const struct dns_answer *d);

/* Gives up a query, finished or not.  NULL is allowed. */
void dns_query_free(struct dns_query *q);

/*
 * Who wants to be told of an answer instead of waiting for it.  fn is called
 * once, by the thread that brings the answer and under a lock of the
 * resolver's, so it may call nothing of this header.
 */
struct dns_watch {
	void	(*fn)(void *arg);
	void	*arg;
	struct dns_watch *next;		/* the resolver's own */
	bool	 set;			/* fn is still to be called */
};

/* The answer if it is there; NULL: fn will be called. w stays where it is until then, or until unwatched. */
const struct dns_answer *dns_query_watch(struct dns_query *q, struct dns_watch *w);

/* After this fn isn't called any more.  w may be one that never was set. */
void dns_query_unwatch(struct dns_query *q, struct dns_watch *w);

/*
 * A record of all that is asked for, to show it: for one message at a time,
 * not for a daemon.  resolver_trace() begins a new one; what is traced is
 * valid until the next, or resolver_free().
 */
struct dns_lookup {
	struct str	name;
	enum dns_type	type;
	const struct dns_answer *answer;	/* NULL: none so far, and nobody has waited for it in vain */
	msec		took;			/* so far */
	bool		cached;			/* it was there when asked for */
};
void resolver_trace(struct resolver *r);
/* Number i from 0, in the order of asking; false: there are no more. */
bool resolver_traced(struct resolver *r, size_t i, struct dns_lookup *out);

/* Lookups answered from memory, and asked from servers, since start. */
void resolver_counts(const struct resolver *r, uint64_t *cached, uint64_t *asked);

/* Is this resolver a zone file? */
bool resolver_is_zone(const struct resolver *r);

/* Does it validate (DNSSEC), so that an answer can be secure? */
bool resolver_validates(const struct resolver *r);

#endif
