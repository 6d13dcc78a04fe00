/*
 * resolver.c - the front of DNS: questions, waiting, and a small cache.
 *
 * All threads share one table of lookups, cut into shards with a lock each,
 * which is held for the length of a hash chain and never while anything is
 * asked.  A lookup stands in the table from the question on, so the same
 * question asked meanwhile finds it and shares the answer; a dns_query is
 * that lookup itself, and a hit allocates nothing.
 *
 * Libunbound caches too, but a round trip to its thread costs some 25 µs and
 * a wake-up; this cache costs neither.  It is bounded by entries and octets,
 * the least recently used go first.
 *
 * A lookup outlives the resolver while a caller holds it; so each holds the
 * resolver's memory, which goes with the last of them.
 *
 * Who answers is zone.c's or resolver_unbound.c's business.
 */
#include "resolver.h"
#include "resolver_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zone.h"

#define SHARDS		16
#define BUCKETS		1024		/* a shard */
#define ENTRIES_MAX	1024		/* answers kept by a shard */
#define OCTETS_MAX	(2 * 1024 * 1024)	/* of answers kept by a shard */
#define PENDING_MAX	4096		/* lookups under way */
#define ZONE_FILE_MAX	(64 * 1024 * 1024)

/* How long answers are kept, in seconds. */
#define TTL_MIN		1
#define TTL_MAX		3600
#define TTL_NEGATIVE	60
#define TTL_FAILURE	5

struct shard {
	pthread_mutex_t	lock;
	struct dns_query *bucket[BUCKETS];
	struct dns_query *newest, *oldest;
	size_t		entries, octets;
};

struct resolver {
	struct zone	*zone;
	struct unbound	*unbound;
	bool		is_zone;
	bool		closing;	/* under life */
	pthread_rwlock_t life;
	pthread_condattr_t monotonic;
	atomic_uint	refs;		/* the owner, and each lookup */
	atomic_uint	pending;
	_Atomic uint64_t cached, asked;
	struct shard	shard[SHARDS];
};

#define REASON(text)	{ (text), sizeof(text) - 1 }

static const struct dns_answer no_memory = {
	.status = DNS_SERVFAIL, .reason = REASON("no memory")
};
static const struct dns_answer too_many = {
	.status = DNS_SERVFAIL, .reason = REASON("too many lookups under way")
};
static const struct dns_answer too_late = {
	.status = DNS_TIMEOUT, .reason = REASON("no answer by the deadline")
};
static const struct dns_answer stopped = {
	.status = DNS_TIMEOUT, .reason = REASON("the resolver was stopped")
};

msec
clock_msec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *
dns_status_name(enum dns_status s)
{
	switch (s) {
	case DNS_OK:
		return "ok";
	case DNS_NODATA:
		return "nodata";
	case DNS_NXDOMAIN:
		return "nxdomain";
	case DNS_SERVFAIL:
		return "servfail";
	case DNS_TIMEOUT:
		return "timeout";
	}
	return "unknown";
}

static struct resolver *
resolver_alloc(struct strbuf *why)
{
	struct resolver *r;
	int i;

	if ((r = calloc(1, sizeof(*r))) == NULL) {
		strbuf_puts(why, "no memory");
		return NULL;
	}
	atomic_init(&r->refs, 1);
	pthread_rwlock_init(&r->life, NULL);
	pthread_condattr_init(&r->monotonic);
	pthread_condattr_setclock(&r->monotonic, CLOCK_MONOTONIC);
	for (i = 0; i < SHARDS; i++)
		pthread_mutex_init(&r->shard[i].lock, NULL);
	return r;
}

static void
resolver_unref(struct resolver *r)
{
	int i;

	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	for (i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&r->shard[i].lock);
	pthread_condattr_destroy(&r->monotonic);
	pthread_rwlock_destroy(&r->life);
	free(r);
}

struct resolver *
resolver_new(const struct strings *servers, struct strbuf *why)
{
	struct resolver *r;

	if ((r = resolver_alloc(why)) == NULL)
		return NULL;
	if ((r->unbound = unbound_new(servers, why)) == NULL) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

struct resolver *
resolver_zone_text(struct str text, struct strbuf *why)
{
	struct resolver *r;

	if ((r = resolver_alloc(why)) == NULL)
		return NULL;
	r->is_zone = true;
	if ((r->zone = zone_parse(text, why)) == NULL) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

struct resolver *
resolver_zone_file(const char *path, struct strbuf *why)
{
	struct strbuf text = { 0 }, error = { 0 };
	struct resolver *r = NULL;
	char buf[16384];
	size_t n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL) {
		strbuf_printf(why, "%s: %s", path, strerror(errno));
		return NULL;
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 &&
	    text.n <= ZONE_FILE_MAX)
		strbuf_add(&text, buf, n);
	if (ferror(f))
		strbuf_printf(why, "%s: cannot read: %s", path,
		    strerror(errno));
	else if (text.n > ZONE_FILE_MAX)
		strbuf_printf(why, "%s: larger than 64 megabytes", path);
	else if (text.failed)
		strbuf_printf(why, "%s: no memory", path);
	else if ((r = resolver_zone_text(strbuf_slice(&text), &error)) == NULL)
		strbuf_printf(why, "%s: " STR_FMT, path,
		    STR_ARG(strbuf_slice(&error)));
	fclose(f);
	strbuf_free(&error);
	strbuf_free(&text);
	return r;
}

bool
resolver_is_zone(const struct resolver *r)
{
	return r->is_zone;
}

bool
resolver_validates(const struct resolver *r)
{
	return r->unbound != NULL && unbound_validates(r->unbound);
}

void
resolver_counts(const struct resolver *r, uint64_t *cached, uint64_t *asked)
{
	*cached = atomic_load_explicit(&r->cached, memory_order_relaxed);
	*asked = atomic_load_explicit(&r->asked, memory_order_relaxed);
}

static void
count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
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
	if (pthread_cond_init(&q->done, &r->monotonic) != 0) {
		free(q);
		return NULL;
	}
	atomic_init(&q->answer, NULL);
	q->resolver = r;
	q->shard = &r->shard[hash % SHARDS];
	q->hash = hash;
	q->name = *name;
	q->type = type;
	q->users = q->refs = 1;
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
	if (atomic_load(&q->answer) != NULL)
		return false;
	q->owned = owned;
	atomic_store(&q->answer, a);
	if (q->listed)
		atomic_fetch_sub(&q->resolver->pending, 1);
	pthread_cond_broadcast(&q->done);
	return true;
}

/*
 * Gives q its answer and keeps it for others, if that is worth it.  The
 * caller holds a reference, so q never goes here; with `release` it is the
 * backend's, and is let go.
 */
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
lookup_done(struct dns_query *q, struct dns_answer *a, size_t size)
{
	if (a != NULL)
		finish(q, a, size, true, true);
	else
		finish(q, &no_memory, 0, false, true);
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
		settle(q, &too_late, false);
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

	if (q != NULL)
		atomic_store(&q->answer, a);
	return q;
}

/* Sends the question to whoever answers. */
static void
start(struct resolver *r, struct dns_query *q)
{
	const char *failure = NULL;
	struct dns_answer *a = NULL;
	size_t size = 0;

	count(&r->asked);
	pthread_rwlock_rdlock(&r->life);
	if (r->closing) {
		finish(q, &stopped, 0, false, false);
	} else if (r->is_zone) {
		if ((a = zone_answer(r->zone, &q->name, q->type, &size)) != NULL)
			finish(q, a, size, true, false);
		else
			finish(q, &no_memory, 0, false, false);
	} else {
		/* Before it is sent: the answer may come at once. */
		pthread_mutex_lock(&q->shard->lock);
		q->inflight = true;
		q->refs++;
		pthread_mutex_unlock(&q->shard->lock);
		if ((failure = unbound_start(r->unbound, q)) != NULL)
			lookup_done(q, dns_answer_empty(DNS_SERVFAIL, failure,
			    &size), size);
	}
	pthread_rwlock_unlock(&r->life);
}

struct dns_query *
resolver_ask(struct resolver *r, struct str name, enum dns_type type)
{
	struct dns_query *q, *old = NULL;
	struct dns_name d;
	struct shard *s;
	uint64_t hash;

	if (dns_name_parse(&d, name) != 0)
		return NULL;
	hash = str_hash((struct str){ (const char *)d.w, d.n }) +
	    (uint64_t)type * SHARDS * 31;
	s = &r->shard[hash % SHARDS];
	pthread_mutex_lock(&s->lock);
	if ((q = find(s, hash, &d, type)) != NULL) {
		if (!is_kept(q) || q->expires > clock_msec()) {
			q->users++;
			q->refs++;
			if (is_kept(q)) {
				lru_remove(s, q);
				lru_push(s, q);
			}
			pthread_mutex_unlock(&s->lock);
			count(&r->cached);
			return q;
		}
		if (unlist(s, q))
			old = q;
	}
	if (atomic_load(&r->pending) >= PENDING_MAX)
		q = lookup_refused(r, hash, &d, type, &too_many);
	else if ((q = lookup_new(r, hash, &d, type)) != NULL) {
		q->next = s->bucket[hash / SHARDS % BUCKETS];
		s->bucket[hash / SHARDS % BUCKETS] = q;
		q->listed = true;
		q->refs++;
		atomic_fetch_add(&r->pending, 1);
	}
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		lookup_destroy(old);
	if (q != NULL && atomic_load(&q->answer) == NULL)
		start(r, q);
	return q;
}

const struct dns_answer *
dns_query_poll(struct dns_query *q)
{
	return atomic_load_explicit(&q->answer, memory_order_acquire);
}

const struct dns_answer *
dns_query_wait(struct dns_query *q, msec deadline)
{
	const struct dns_answer *a;
	struct timespec ts;

	if ((a = dns_query_poll(q)) != NULL)
		return a;
	if (deadline < 0)
		deadline = 0;
	ts.tv_sec = (time_t)(deadline / 1000);
	ts.tv_nsec = (long)(deadline % 1000) * 1000000;
	pthread_mutex_lock(&q->shard->lock);
	while ((a = dns_query_poll(q)) == NULL)
		if (pthread_cond_timedwait(&q->done, &q->shard->lock,
		    &ts) != 0 && clock_msec() >= deadline)
			break;
	pthread_mutex_unlock(&q->shard->lock);
	if (a == NULL && (a = dns_query_poll(q)) == NULL)
		a = &too_late;
	return a;
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

/* Ends what is under way in a shard, for those who wait. */
static void
shard_stop(struct shard *s)
{
	struct dns_query *q;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < BUCKETS; i++)
		for (q = s->bucket[i]; q != NULL; q = q->next)
			settle(q, &stopped, false);
	pthread_mutex_unlock(&s->lock);
}

/* Takes all out of the table; what the backend held is held no more. */
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
resolver_free(struct resolver *r)
{
	int i;

	if (r == NULL)
		return;
	pthread_rwlock_wrlock(&r->life);
	r->closing = true;
	pthread_rwlock_unlock(&r->life);
	for (i = 0; i < SHARDS; i++)
		shard_stop(&r->shard[i]);
	unbound_free(r->unbound);
	zone_free(r->zone);
	for (i = 0; i < SHARDS; i++)
		shard_empty(&r->shard[i]);
	resolver_unref(r);
}
