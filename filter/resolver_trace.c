/*
 * resolver_trace.c - a record of the lookups, for people who ask why.
 *
 * `postern judge -v` plays one message at a time, so the resolver itself can
 * write down who was asked for what: SPF, DKIM, DMARC and all others need
 * know nothing of it.  The daemon never begins one.
 */
#include "resolver.h"
#include "resolver_int.h"

#include <stdlib.h>

#define LOOKUPS_MAX	1000

struct traced {
	struct dns_query *q;
	msec		 when;
	bool		 cached;
	char		 name[DNS_TEXT_MAX];
};

struct tracer {
	pthread_mutex_t	lock;
	size_t		n;
	struct traced	*v[LOOKUPS_MAX];
};

static void
forget(struct tracer *t)
{
	for (size_t i = 0; i < t->n; i++) {
		dns_query_free(t->v[i]->q);
		free(t->v[i]);
	}
	t->n = 0;
}

void
resolver_trace(struct resolver *r)
{
	struct tracer *t = atomic_load(&r->tracer);

	if (t == NULL) {
		/* Without memory nothing is shown. */
		if ((t = calloc(1, sizeof(*t))) == NULL)
			return;
		pthread_mutex_init(&t->lock, NULL);
		atomic_store(&r->tracer, t);
		return;
	}
	pthread_mutex_lock(&t->lock);
	forget(t);
	pthread_mutex_unlock(&t->lock);
}

void
trace_free(struct resolver *r)
{
	struct tracer *t = atomic_exchange(&r->tracer, NULL);

	if (t == NULL)
		return;
	forget(t);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Each lookup once, however many asked for it. */
static bool
is_known(const struct tracer *t, const struct dns_query *q)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->q == q)
			return true;
	return false;
}

void
trace_ask(struct resolver *r, struct dns_query *q, bool fresh)
{
	struct tracer *t = atomic_load(&r->tracer);
	struct traced *v;

	pthread_mutex_lock(&t->lock);
	if (t->n < LOOKUPS_MAX && !is_known(t, q) &&
	    (v = calloc(1, sizeof(*v))) != NULL) {
		table_hold(q);
		v->q = q;
		v->when = clock_msec();
		v->cached = !fresh && dns_query_poll(q) != NULL;
		dns_name_text(&q->name, v->name);
		t->v[t->n++] = v;
	}
	pthread_mutex_unlock(&t->lock);
}

bool
resolver_traced(struct resolver *r, size_t i, struct dns_lookup *out)
{
	struct tracer *t = atomic_load(&r->tracer);
	const struct traced *v;
	msec end;

	if (t == NULL)
		return false;
	pthread_mutex_lock(&t->lock);
	v = i < t->n ? t->v[i] : NULL;
	pthread_mutex_unlock(&t->lock);
	if (v == NULL)
		return false;
	out->name = str_of(v->name);
	out->type = v->q->type;
	out->answer = dns_query_poll(v->q);
	out->cached = v->cached;
	end = out->answer != NULL ? v->q->answered : clock_msec();
	if (out->answer == NULL && atomic_load(&v->q->late))
		out->answer = &dns_too_late;
	out->took = end > v->when ? end - v->when : 0;
	return true;
}
