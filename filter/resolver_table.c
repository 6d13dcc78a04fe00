/*
 * resolver_table.c - the table of lookups: sharing and caching.
 *
 * A lookup stands in the table from the question on, so the same question
 * asked meanwhile finds it and shares the answer.  Finished ones stay for
 * their time to live; the table is bounded by entries and octets, and the
 * least recently used go first.  It is cut into shards with a lock each,
 * which is held for the length of a hash chain.
 *
 * Each lookup counts who holds it (users, the table, the backend, the list
 * of those to cancel) and holds the resolver's memory itself, so a caller may
 * keep an answer longer than the resolver lives.
 */
#include "resolver.h"
#include "resolver_int.h"

#include <stdlib.h>

#define SHARDS		RESOLVER_SHARDS
#define BUCKETS		RESOLVER_BUCKETS
#define ENTRIES_MAX	1024		/* answers kept by a shard */
#define OCTETS_MAX	(2 * 1024 * 1024)	/* of answers kept by a shard */
#define PENDING_MAX	4096		/* lookups under way */
#define WANTED_MSEC	30000		/* how long they are tried before somebody waits, who may wait longer */

/* How long answers are kept, in seconds. */
#define TTL_MIN		1
#define TTL_MAX		3600
#define TTL_NEGATIVE	60
#define TTL_FAILURE	5

const struct dns_answer dns_no_memory = {
	.status = DNS_SERVFAIL, .reason = REASON("no memory")
};
const struct dns_answer dns_stopped = {
	.status = DNS_TIMEOUT, .reason = REASON("the resolver was stopped")
};
static const struct dns_answer too_many = {
	.status = DNS_SERVFAIL, .reason = REASON("too many lookups under way")
};
static const struct dns_answer given_up = {
	.status = DNS_TIMEOUT, .reason = REASON("given up")
};

void
resolver_unref(struct resolver *r)
{
	int i;

	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	for (i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&r->shard[i].lock);
	pthread_rwlock_destroy(&r->life);
	free(r);
}

/* Lets go of q; true when that was the last who held it. Under the lock. */
static bool
unref(struct dns_query *q)
{
	return --q->refs == 0;
}

/* Frees an answer that was never const: it came from malloc. */
static void
answer_free(const struct dns_answer *a)
{
	union { const struct dns_answer *c; void *p; } u = { a };

	free(u.p);
}

/* Frees what unref() said true for; without the lock. */
static void
lookup_destroy(struct dns_query *q)
{
	struct resolver *r = q->resolver;

	if (q->owned)
		answer_free(atomic_load(&q->answer));
	pthread_cond_destroy(&q->done);
	free(q);
	resolver_unref(r);
}

static void
lru_remove(struct shard *s, struct dns_query *q)
{
	if (q->newer != NULL)
		q->newer->older = q->older;
	else
		s->newest = q->older;
	if (q->older != NULL)
		q->older->newer = q->newer;
	else
		s->oldest = q->newer;
	q->newer = q->older = NULL;
}

static void
lru_push(struct shard *s, struct dns_query *q)
{
	q->older = s->newest;
	q->newer = NULL;
	if (s->newest != NULL)
		s->newest->newer = q;
	else
		s->oldest = q;
	s->newest = q;
}

/* In the list of answers, not only in the table. */
static bool
is_kept(const struct dns_query *q)
{
	return q->listed && q->expires != 0;
}

/* Takes q out of the table; true when nobody else holds it. */
static bool
unlist(struct shard *s, struct dns_query *q)
{
	struct dns_query **at = &s->bucket[q->hash / SHARDS % BUCKETS];

	if (!q->listed)
		return false;
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (is_kept(q)) {
		lru_remove(s, q);
		s->entries--;
		s->octets -= q->size;
	}
	q->listed = false;
	return unref(q);
}

static struct dns_query *
find(struct shard *s, uint64_t hash, const struct dns_name *name,
    enum dns_type type)
{
	struct dns_query *q;

	for (q = s->bucket[hash / SHARDS % BUCKETS]; q != NULL; q = q->next)
		if (q->hash == hash && q->type == type &&
		    dns_name_eq(&q->name, name))
			return q;
	return NULL;
}

static struct dns_query *
lookup_new(struct resolver *r, uint64_t hash, const struct dns_name *name,
    enum dns_type type)
{
	struct dns_query *q;

	if ((q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	if (wait_cond_init(&q->done) != 0) {
		free(q);
		return NULL;
	}
	atomic_init(&q->answer, NULL);
	q->resolver = r;
	q->shard = &r->shard[hash % SHARDS];
	q->hash = hash;
	q->name = *name;
	q->type = type;
	q->asked = clock_msec();
	q->users = q->refs = 1;
	q->until = clock_msec() + WANTED_MSEC;
	atomic_fetch_add(&r->refs, 1);
	return q;
}

/* How long to keep an answer, in seconds; 0: not at all. */
static uint32_t
keep_for(const struct dns_answer *a)
{
	uint32_t max = a->status == DNS_OK ? TTL_MAX : TTL_NEGATIVE;

	if (a->status == DNS_TIMEOUT)
		return 0;
	if (a->status == DNS_SERVFAIL)
		return TTL_FAILURE;
	return a->ttl < TTL_MIN ? TTL_MIN : a->ttl > max ? max : a->ttl;
}

/* Makes room; returns those to destroy, chained by next. */
static struct dns_query *
evict(struct shard *s)
{
	struct dns_query *gone = NULL, *q;

	while (s->entries > ENTRIES_MAX || s->octets > OCTETS_MAX) {
		q = s->oldest;
		if (unlist(s, q)) {
			q->next = gone;
			gone = q;
		}
	}
	return gone;
}

/* Sets the answer, unless there is one.  Under the lock. */
static bool
settle(struct dns_query *q, const struct dns_answer *a, bool owned)
{
	struct dns_watch *w;

	if (atomic_load(&q->answer) != NULL)
		return false;
	q->owned = owned;
	q->answered = clock_msec();
	atomic_store(&q->answer, a);
	if (q->listed)
		atomic_fetch_sub(&q->resolver->pending, 1);
	pthread_cond_broadcast(&q->done);
	while ((w = q->watchers) != NULL) {
		q->watchers = w->next;
		w->set = false;
		w->fn(w->arg);
	}
	return true;
}

/* With release, the backend's reference goes too; so q never goes before. */
static void
finish(struct dns_query *q, const struct dns_answer *a, size_t size,
    bool owned, bool release)
{
	struct dns_query *gone = NULL, *next;
	struct shard *s = q->shard;
	uint32_t keep = keep_for(a);
	bool last = false, used;

	pthread_mutex_lock(&s->lock);
	used = settle(q, a, owned);
	if (used && q->listed && keep > 0) {
		q->size = sizeof(*q) + size;
		q->expires = clock_msec() + (msec)keep * 1000;
		lru_push(s, q);
		s->entries++;
		s->octets += q->size;
		gone = evict(s);
	} else if (used)
		unlist(s, q);
	if (release) {
		q->inflight = false;
		last = unref(q);
	}
	pthread_mutex_unlock(&s->lock);
	if (!used && owned)
		answer_free(a);
	for (; gone != NULL; gone = next) {
		next = gone->next;
		lookup_destroy(gone);
	}
	if (last)
		lookup_destroy(q);
}

void
table_finish(struct dns_query *q, const struct dns_answer *a, size_t size,
    bool owned)
{
	finish(q, a, size, owned, false);
}

void
table_inflight(struct dns_query *q)
{
	pthread_mutex_lock(&q->shard->lock);
	q->inflight = true;
	q->refs++;
	pthread_mutex_unlock(&q->shard->lock);
}

void
lookup_done(struct dns_query *q, struct dns_answer *a, size_t size)
{
	if (a != NULL)
		finish(q, a, size, true, true);
	else
		finish(q, &dns_no_memory, 0, false, true);
}

bool
lookup_wanted(struct dns_query *q, msec then)
{
	bool wanted;

	pthread_mutex_lock(&q->shard->lock);
	wanted = q->users > 0 && then < q->until && atomic_load(&q->answer) == NULL;
	pthread_mutex_unlock(&q->shard->lock);
	return wanted;
}

struct unbound *
lookup_backend(const struct dns_query *q)
{
	return q->resolver->unbound;
}

bool
lookup_cancel(struct dns_query *q)
{
	struct shard *s = q->shard;
	bool unwanted, last = false;

	pthread_mutex_lock(&s->lock);
	q->cancelling = false;
	unwanted = q->users == 0 && q->inflight &&
	    atomic_load(&q->answer) == NULL;
	if (unwanted) {
		settle(q, &given_up, false);
		unlist(s, q);		/* not the last: inflight */
	}
	last = unref(q);
	pthread_mutex_unlock(&s->lock);
	if (last)
		lookup_destroy(q);
	return unwanted;
}

void
lookup_drop(struct dns_query *q)
{
	struct shard *s = q->shard;
	bool last;

	pthread_mutex_lock(&s->lock);
	q->inflight = false;
	last = unref(q);
	pthread_mutex_unlock(&s->lock);
	if (last)
		lookup_destroy(q);
}

/* A lookup that is over before it began, for one caller. */
static struct dns_query *
lookup_refused(struct resolver *r, uint64_t hash, const struct dns_name *name,
    enum dns_type type, const struct dns_answer *a)
{
	struct dns_query *q = lookup_new(r, hash, name, type);

	if (q != NULL) {
		q->answered = q->asked;
		atomic_store(&q->answer, a);
	}
	return q;
}

/* A new one, under way. */
static void
list(struct shard *s, struct dns_query *q)
{
	struct dns_query **at = &s->bucket[q->hash / SHARDS % BUCKETS];

	q->next = *at;
	*at = q;
	q->listed = true;
	q->refs++;
	atomic_fetch_add(&q->resolver->pending, 1);
}

/* Under way, or not too old: then it is used most recently. */
static bool
still_good(struct shard *s, struct dns_query *q)
{
	if (!is_kept(q))
		return true;
	if (q->expires <= clock_msec())
		return false;
	lru_remove(s, q);
	lru_push(s, q);
	return true;
}

static uint64_t
hash_of(const struct dns_name *name, enum dns_type type)
{
	return str_hash((struct str){ (const char *)name->w, name->n }) +
	    (uint64_t)type * SHARDS * 31;
}

/* The one in the table, with one more user.  One too old leaves it: *old is to be destroyed. */
static struct dns_query *
take(struct shard *s, uint64_t hash, const struct dns_name *name,
    enum dns_type type, struct dns_query **old)
{
	struct dns_query *q;

	*old = NULL;
	if ((q = find(s, hash, name, type)) == NULL)
		return NULL;
	if (still_good(s, q)) {
		q->users++;
		q->refs++;
		return q;
	}
	if (unlist(s, q))
		*old = q;
	return NULL;
}

struct dns_query *
table_get(struct resolver *r, const struct dns_name *name,
    enum dns_type type, bool *fresh)
{
	uint64_t hash = hash_of(name, type);
	struct shard *s = &r->shard[hash % SHARDS];
	struct dns_query *q, *old;

	*fresh = false;
	pthread_mutex_lock(&s->lock);
	if ((q = take(s, hash, name, type, &old)) != NULL)
		;
	else if (atomic_load(&r->pending) >= PENDING_MAX)
		q = lookup_refused(r, hash, name, type, &too_many);
	else if ((q = lookup_new(r, hash, name, type)) != NULL) {
		list(s, q);
		*fresh = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		lookup_destroy(old);
	return q;
}

struct dns_query *
table_find(struct resolver *r, const struct dns_name *name, enum dns_type type)
{
	uint64_t hash = hash_of(name, type);
	struct shard *s = &r->shard[hash % SHARDS];
	struct dns_query *q, *old;

	pthread_mutex_lock(&s->lock);
	q = take(s, hash, name, type, &old);
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		lookup_destroy(old);
	return q;
}

void
table_hold(struct dns_query *q)
{
	pthread_mutex_lock(&q->shard->lock);
	q->users++;
	q->refs++;
	pthread_mutex_unlock(&q->shard->lock);
}

void
dns_query_free(struct dns_query *q)
{
	struct shard *s;
	bool last;

	if (q == NULL)
		return;
	s = q->shard;
	pthread_mutex_lock(&s->lock);
	if (--q->users == 0 && q->inflight && !q->cancelling &&
	    atomic_load(&q->answer) == NULL) {
		q->cancelling = true;
		q->refs++;
		unbound_cancel(q->resolver->unbound, q);
	}
	last = unref(q);
	pthread_mutex_unlock(&s->lock);
	if (last)
		lookup_destroy(q);
}

static void
shard_stop(struct shard *s)
{
	struct dns_query *q;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < BUCKETS; i++)
		for (q = s->bucket[i]; q != NULL; q = q->next)
			settle(q, &dns_stopped, false);
	pthread_mutex_unlock(&s->lock);
}

static void
shard_empty(struct shard *s)
{
	struct dns_query *gone = NULL, *q;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < BUCKETS; i++) {
		while ((q = s->bucket[i]) != NULL) {
			if (q->inflight) {
				q->inflight = false;
				unref(q);	/* not the last: listed */
			}
			if (unlist(s, q)) {
				q->next = gone;
				gone = q;
			}
		}
	}
	pthread_mutex_unlock(&s->lock);
	while ((q = gone) != NULL) {
		gone = q->next;
		lookup_destroy(q);
	}
}

void
table_stop(struct resolver *r)
{
	int i;

	for (i = 0; i < SHARDS; i++)
		shard_stop(&r->shard[i]);
}

void
table_empty(struct resolver *r)
{
	int i;

	for (i = 0; i < SHARDS; i++)
		shard_empty(&r->shard[i]);
}
