/*
 * resolver_int.h - what the parts of the resolver share.  Only resolver*.c
 * include it.
 */
#ifndef FILTER_RESOLVER_INT_H
#define FILTER_RESOLVER_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "dnswire.h"

#define RESOLVER_SHARDS		16
#define RESOLVER_BUCKETS	1024	/* a shard */

struct shard;
struct tracer;
struct unbound;
struct zone;

#define REASON(text)	{ (text), sizeof(text) - 1 }

/*
 * One question, its answer once there is one, and all who are interested.
 * Fields without a remark never change, or only under the shard's lock.
 */
struct dns_query {
	struct resolver	*resolver;
	struct shard	*shard;
	struct dns_query *next;			/* in the hash chain */
	struct dns_query *newer, *older;	/* of those with an answer */
	uint64_t	hash;
	unsigned	users;			/* callers of resolver_ask() */
	unsigned	refs;			/* users, table, backend, list of those to cancel */
	bool		listed;			/* the table holds it */
	bool		inflight;		/* the backend holds it */
	bool		owned;			/* the answer is on the heap */
	pthread_cond_t	done;
	struct dns_watch *watchers;
	_Atomic(const struct dns_answer *) answer;	/* NULL: under way */
	atomic_bool	late;		/* somebody waited for it in vain */
	size_t		size;
	msec		expires;
	msec		asked, answered;	/* when; the latter is set before the answer */
	enum dns_type	type;
	int		id;			/* the backend's */
	msec		until;			/* nobody wants it longer; the shard's lock */
	msec		sent, due;		/* the backend's: when it was asked, and will be again */
	int		tries;			/* the backend's: how often again */
	struct dns_query *again_next, **again_at;	/* the backend's: those to be asked again */
	struct dns_query *to_cancel;		/* the next one; the backend's lock */
	bool		cancelling;		/* on that list */
	struct dns_name	name;
};

struct shard {
	pthread_mutex_t	lock;
	struct dns_query *bucket[RESOLVER_BUCKETS];
	struct dns_query *newest, *oldest;
	size_t		entries, octets;
};

struct resolver {
	struct zone	*zone;
	struct unbound	*unbound;
	bool		is_zone;
	bool		closing;	/* under life */
	pthread_rwlock_t life;
	atomic_uint	refs;		/* the owner, and each lookup */
	atomic_uint	pending;
	_Atomic uint64_t cached, asked;
	struct tracer	*_Atomic tracer;	/* NULL: nothing is traced */
	struct shard	shard[RESOLVER_SHARDS];
};

/*
 * The lookup in the table for a question, with one more user; *fresh says
 * that it is new, and the caller must see to its answer.  NULL without memory.
 */
struct dns_query *table_get(struct resolver *r, const struct dns_name *name,
    enum dns_type type, bool *fresh);

/* The same, but NULL where there is none. */
struct dns_query *table_find(struct resolver *r, const struct dns_name *name,
    enum dns_type type);

/*
 * Gives q its answer (on the heap if owned) and keeps it for others, if that
 * is worth it.  The caller holds a reference.
 */
void table_finish(struct dns_query *q, const struct dns_answer *a,
    size_t size, bool owned);

/* q goes to the backend, which will call lookup_done(). */
void table_inflight(struct dns_query *q);

/* Ends what is under way, for those who wait. */
void table_stop(struct resolver *r);

/* One more user of a lookup that is held. */
void table_hold(struct dns_query *q);

/* Puts a lookup on record, if there is one. */
void trace_ask(struct resolver *r, struct dns_query *q, bool fresh);
void trace_free(struct resolver *r);

/* Takes all out of the table; what the backend held is held no more. */
void table_empty(struct resolver *r);

/* Lets go of the resolver's memory. */
void resolver_unref(struct resolver *r);

extern const struct dns_answer dns_no_memory, dns_stopped, dns_too_late;

/* The backend's thread brings an answer (NULL: no memory) and lets go of q. */
void lookup_done(struct dns_query *q, struct dns_answer *a, size_t size);

/* Will somebody still want q's answer then? */
bool lookup_wanted(struct dns_query *q, msec then);

struct unbound *lookup_backend(const struct dns_query *q);

/*
 * Takes q off the list of those to cancel.  True when nobody has come to
 * want it: then it is out of the table, and the backend calls lookup_drop()
 * when its library has forgotten q.
 */
bool lookup_cancel(struct dns_query *q);
void lookup_drop(struct dns_query *q);

/* libunbound: a context, and a thread that takes its answers. */
struct unbound *unbound_new(const struct strings *servers, struct strbuf *why);

/* Ends the thread and the library's; queries under way are just forgotten. */
void unbound_free(struct unbound *u);

/* Does the context validate (DNSSEC)? */
bool unbound_validates(const struct unbound *u);

/* Sends the question.  NULL, or why not; then lookup_done() isn't called. */
const char *unbound_start(struct unbound *u, struct dns_query *q);

/* Has lookup_cancel() called soon.  Never blocks; q->cancelling is set. */
void unbound_cancel(struct unbound *u, struct dns_query *q);

#endif
