/*
 * resolver.c - the front of DNS: questions, and waiting for answers.
 *
 * A dns_query is the lookup itself, shared by all who ask the same at the
 * same time and kept for those who ask later; so a hit allocates nothing and
 * wakes nobody.  Libunbound caches too, but a round trip to its thread costs
 * some 25 µs; this one's hits cost less than one.
 *
 * Sharing and caching are resolver_table.c's business; who answers is
 * zone.c's or resolver_unbound.c's.
 */
#include "resolver.h"
#include "resolver_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "zone.h"

#define ZONE_FILE_MAX	(64 * 1024 * 1024)

const struct dns_answer dns_too_late = {
	.status = DNS_TIMEOUT, .reason = REASON("no answer by the deadline")
};

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

const char *
dns_type_name(enum dns_type t)
{
	switch (t) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
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
	for (i = 0; i < RESOLVER_SHARDS; i++)
		pthread_mutex_init(&r->shard[i].lock, NULL);
	return r;
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

static void
answer_from_zone(struct resolver *r, struct dns_query *q)
{
	struct dns_answer *a;
	size_t size = 0;

	if ((a = zone_answer(r->zone, &q->name, q->type, &size)) != NULL)
		table_finish(q, a, size, true);
	else
		table_finish(q, &dns_no_memory, 0, false);
}

static void
ask_unbound(struct resolver *r, struct dns_query *q)
{
	const char *failure;
	struct dns_answer *a;
	size_t size = 0;

	/* Before it is sent: the answer may come at once. */
	table_inflight(q);
	if ((failure = unbound_start(r->unbound, q)) == NULL)
		return;
	a = dns_answer_empty(DNS_SERVFAIL, failure, &size);
	lookup_done(q, a, size);
}

struct dns_query *
resolver_ask(struct resolver *r, struct str name, enum dns_type type)
{
	struct dns_query *q;
	struct dns_name d;
	bool fresh;

	if (dns_name_parse(&d, name) != 0 ||
	    (q = table_get(r, &d, type, &fresh)) == NULL)
		return NULL;
	if (atomic_load_explicit(&r->tracer, memory_order_relaxed) != NULL)
		trace_ask(r, q, fresh);
	if (!fresh) {
		count(&r->cached);
		return q;
	}
	count(&r->asked);
	pthread_rwlock_rdlock(&r->life);
	if (r->closing)
		table_finish(q, &dns_stopped, 0, false);
	else if (r->is_zone)
		answer_from_zone(r, q);
	else
		ask_unbound(r, q);
	pthread_rwlock_unlock(&r->life);
	return q;
}

struct dns_query *
resolver_find(struct resolver *r, struct str name, enum dns_type type)
{
	struct dns_query *q;
	struct dns_name d;

	if (dns_name_parse(&d, name) != 0 || (q = table_find(r, &d, type)) == NULL)
		return NULL;
	if (atomic_load_explicit(&r->tracer, memory_order_relaxed) != NULL)
		trace_ask(r, q, false);
	count(&r->cached);
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

	if ((a = dns_query_poll(q)) != NULL)
		return a;
	pthread_mutex_lock(&q->shard->lock);
	if (deadline > q->until)
		q->until = deadline;
	while ((a = dns_query_poll(q)) == NULL)
		if (!wait_on(&q->done, &q->shard->lock, deadline))
			break;
	pthread_mutex_unlock(&q->shard->lock);
	if (a == NULL && (a = dns_query_poll(q)) == NULL) {
		atomic_store_explicit(&q->late, true, memory_order_relaxed);
		a = &dns_too_late;
	}
	return a;
}

struct str
dns_failure(struct arena *a, struct str name, enum dns_type type, const struct dns_answer *d)
{
	return str_printf(a, "%s of " STR_FMT ": %s%s" STR_FMT, dns_type_name(type),
	    STR_ARG(name), dns_status_name(d->status), d->reason.n > 0 ? ", " : "",
	    STR_ARG(d->reason));
}

struct str
dns_query_failure(struct arena *a, const struct dns_query *q, const struct dns_answer *d)
{
	char name[DNS_TEXT_MAX];

	dns_name_text(&q->name, name);
	return dns_failure(a, str_of(name), q->type, d);
}

const struct dns_answer *
dns_query_watch(struct dns_query *q, struct dns_watch *w)
{
	const struct dns_answer *a;

	pthread_mutex_lock(&q->shard->lock);
	if ((a = dns_query_poll(q)) == NULL && !w->set) {
		w->set = true;
		w->next = q->watchers;
		q->watchers = w;
	}
	pthread_mutex_unlock(&q->shard->lock);
	return a;
}

void
dns_query_unwatch(struct dns_query *q, struct dns_watch *w)
{
	struct dns_watch **p;

	pthread_mutex_lock(&q->shard->lock);
	for (p = &q->watchers; *p != NULL; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			w->set = false;
			break;
		}
	pthread_mutex_unlock(&q->shard->lock);
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	pthread_rwlock_wrlock(&r->life);
	r->closing = true;
	pthread_rwlock_unlock(&r->life);
	trace_free(r);
	table_stop(r);
	unbound_free(r->unbound);
	zone_free(r->zone);
	table_empty(r);
	resolver_unref(r);
}
