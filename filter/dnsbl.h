/*
 * dnsbl.h - lists of addresses and domains in the DNS (RFC 5782).
 */
#ifndef FILTER_DNSBL_H
#define FILTER_DNSBL_H

#include "resolver.h"
#include "rules/mail.h"

struct arena;

/* One list asked about one thing; all of a message in a chain. */
struct dnsbl {
	enum dnsbl_kind	kind;
	struct str	zone;		/* as the rules have it */
	struct dnsbl_answer answer;	/* once done */
	bool		done, texts_done;
	bool		no_memory;	/* then the answer is worth nothing */
	struct dns_query *code, *text;	/* the lookups */
	struct str	name;		/* what is asked for */
	struct dnsbl   *next;
};

/*
 * Begins a lookup; never blocks.  subject is what stands before the zone: an
 * address reversed, or a domain.  What can't be a name in the DNS is not listed.
 * It ends with the arena; NULL without memory.
 */
struct dnsbl *dnsbl_begin(struct resolver *r, struct arena *a, enum dnsbl_kind kind,
    struct str subject, struct str zone);

/* A client's address as a list has it: 4.3.2.1, or the 32 digits of IPv6 (RFC 5782, 2.1 and 2.4); p NULL without memory. */
struct str dnsbl_reverse(struct arena *a, const struct ipaddr *ip);

/*
 * The answer, with its texts if they are wanted: they are asked for when that
 * is said first.  Waits until the deadline, or not at all with deadline 0;
 * NULL: not there yet.  What does not come in time has failed.
 */
const struct dnsbl_answer *dnsbl_answer(struct dnsbl *l, struct resolver *r, struct arena *a,
    bool texts, msec deadline);

#endif
