/*
 * dmarc_walk.h - what the parts of DMARC share: names, and the walk up the DNS
 * from one of them.  Only dmarc*.c include it.
 */
#ifndef FILTER_DMARC_WALK_H
#define FILTER_DMARC_WALK_H

#include "dmarc.h"
#include "dmarc_record.h"

#define WALK_QUERIES	8	/* RFC 9989, 4.10 */

struct dmarc_engine {
	enum dmarc_spec	 spec;
	const struct suffixes *list;	/* for RFC 7489 */
};

/* One domain on its way up. */
struct walk {
	struct walk	*next;
	struct str	 domain;
	size_t		 n;
	struct str	 name[WALK_QUERIES];	/* ends of domain; by RFC 7489 itself and its organization's */
	struct dns_query *query[WALK_QUERIES];	/* NULL: longer than any in the DNS */
	bool		 done;			/* what follows is known */
	enum dmarc_record_kind kind[WALK_QUERIES];
	struct dmarc_record record[WALK_QUERIES];
	bool		 failed;		/* a lookup did, before the end of the walk */
	struct str	 reason;
};

/* Walks are kept by domain, since the author's and that of a signer share most of their names. */
struct walks {
	const struct dmarc_engine *engine;
	struct resolver	*resolver;
	struct arena	*arena;
	struct walk	*first;
	bool		 no_memory;
};

/* A name that the DNS can hold, normal, of the characters that domains of mail have? */
bool walk_is_domain(struct str s);

/* The last n labels; all if there are no more. */
struct str walk_last_labels(struct str s, size_t n);

/* A lookup begun; NULL for a name that is too long, or without memory (no_memory). */
struct dns_query *walk_ask(struct walks *ws, struct str name, enum dns_type type);

/* The walk of a domain, begun if it isn't yet; never blocks.  NULL without memory. */
struct walk *walk_of(struct walks *ws, struct str domain);

/* Waits for its end. */
void walk_wait(struct walks *ws, struct walk *w, msec deadline);

/*
 * RFC 9989, 4.10.2: the organization's domain after walk_wait(), and in *at
 * the record that speaks for the whole of it, or for the public suffix above;
 * -1: there is none.  p NULL where a lookup failed.  By RFC 7489 the list has
 * it, and *at is a record of the organization's.
 */
struct str walk_organization(struct walks *ws, const struct walk *w, ptrdiff_t *at);

/* RFC 7489, 3.2: the registrable domain, or the name itself where it is a public suffix. */
struct str walk_organization_by_list(struct walks *ws, struct str domain);

/* Frees the lookups. */
void walks_end(struct walks *ws);

#endif
