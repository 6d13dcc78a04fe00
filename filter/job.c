/*
 * job.c - work that asks DNS in several steps, beside the callbacks.
 *
 * A job is idle while it lacks an answer, ready when one has come, running,
 * or done.  Ready ones stand in one queue, which two threads work off; if the
 * owner is waiting already, it does so itself, and no other thread is woken.
 * The threads are begun with the first job that needs them; if they can't be,
 * the owners still do all the work.
 *
 * Locks are taken in one order: a shard of the resolver's, then ours.  The
 * resolver calls wake() with its lock held; so nothing of the resolver's is
 * called here under our lock.
 */
#include "job.h"

#include <signal.h>
#include <stdlib.h>

#include "rules/arena.h"

#define WORKERS		2
#define LOOKUPS_MAX	256	/* of one job */

struct lookup {
	struct lookup	*next;
	struct dns_query *q;
	struct str	 name;
	enum dns_type	 type;
	struct dns_watch watch;
};

enum state { IDLE, READY, RUNNING, DONE };

struct job {
	struct resolver	*resolver;
	struct arena	*arena;
	job_step	*step;
	void		*arg;
	/* The steps': */
	struct lookup	*lookups;
	size_t		 nlookups;
	bool		 failed, late;
	/* Under the lock: */
	enum state	 state;
	bool		 again;		/* an answer came while it was running */
	bool		 awaited;	/* the owner will run it */
	bool		 queued;
	struct job	*next;
	pthread_cond_t	 changed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static int nworkers;

static const struct dns_answer too_late = {
	.status = DNS_TIMEOUT, .reason = { "no answer by the deadline", 25 }
};

/* ---- All of these under the lock ---- */

static void
enqueue(struct job *j)
{
	j->next = NULL;
	*last = j;
	last = &j->next;
	j->queued = true;
	pthread_cond_signal(&work);
}

static void
dequeue(struct job *j)
{
	struct job **p = &first;

	if (!j->queued)
		return;
	while (*p != j)
		p = &(*p)->next;
	if ((*p = j->next) == NULL)
		last = p;
	j->queued = false;
}

static void
make_ready(struct job *j)
{
	j->state = READY;
	if (j->awaited)
		pthread_cond_signal(&j->changed);
	else
		enqueue(j);
}

/* Runs a step, for which the lock is given back meanwhile. */
static void
run(struct job *j)
{
	bool done;

	dequeue(j);
	j->state = RUNNING;
	j->again = false;
	pthread_mutex_unlock(&lock);
	done = j->step(j, j->arg);
	pthread_mutex_lock(&lock);
	j->state = IDLE;
	if (done || j->late || j->failed)
		j->state = DONE;
	else if (j->again)
		make_ready(j);
	pthread_cond_broadcast(&j->changed);
}

/* ---- Answers ---- */

static void
wake(void *arg)
{
	struct job *j = arg;

	pthread_mutex_lock(&lock);
	if (j->state == IDLE)
		make_ready(j);
	else if (j->state == RUNNING)
		j->again = true;
	pthread_mutex_unlock(&lock);
}

/* NULL: failed; or, in the last step, not asked before and not in the cache. */
static struct lookup *
find(struct job *j, struct str name, enum dns_type type)
{
	struct dns_query *q = NULL;
	struct lookup *l;

	for (l = j->lookups; l != NULL; l = l->next)
		if (l->type == type && str_ieq(l->name, name))
			return l;
	/* An answer to a question asked now would come to nobody, or just in time: by chance. */
	if (j->late && (q = resolver_find(j->resolver, name, type)) == NULL)
		return NULL;
	if (j->nlookups == LOOKUPS_MAX ||
	    (l = arena_new_object(j->arena, struct lookup)) == NULL ||
	    (l->name = str_dup(j->arena, name)).p == NULL ||
	    (l->q = q != NULL ? q : resolver_ask(j->resolver, name, type)) == NULL) {
		dns_query_free(q);
		j->failed = true;
		return NULL;
	}
	l->type = type;
	l->watch.fn = wake;
	l->watch.arg = j;
	l->next = j->lookups;
	j->lookups = l;
	j->nlookups++;
	return l;
}

const struct dns_answer *
job_ask(struct job *j, struct str name, enum dns_type type)
{
	const struct dns_answer *a;
	struct lookup *l;

	if (j->failed)
		return NULL;
	if ((l = find(j, name, type)) == NULL)
		return j->failed ? NULL : &too_late;
	if ((a = dns_query_poll(l->q)) != NULL)
		return a;
	if (j->late)
		return dns_query_wait(l->q, 0);
	return dns_query_watch(l->q, &l->watch);
}

void
job_expect(struct job *j, struct str name, enum dns_type type)
{
	if (!j->failed)
		find(j, name, type);
}

bool
job_failed(const struct job *j)
{
	return j->failed;
}

bool
job_late(const struct job *j)
{
	return j->late;
}

/* ---- Workers ---- */

static void *
worker(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		if (first != NULL)
			run(first);
		else
			pthread_cond_wait(&work, &lock);
	}
	return NULL;
}

/* Signals are the first thread's business. */
static void
start_workers(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t t;

	if (nworkers == WORKERS || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (nworkers < WORKERS && pthread_create(&t, &attr, worker, NULL) == 0)
		nworkers++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

/* ---- The owner's ---- */

struct job *
job_new(struct resolver *r, job_step *step, void *arg)
{
	struct job *j;

	if ((j = calloc(1, sizeof(*j))) == NULL)
		return NULL;
	if ((j->arena = arena_new(1024)) == NULL ||
	    wait_cond_init(&j->changed) != 0) {
		arena_free(j->arena);
		free(j);
		return NULL;
	}
	j->resolver = r;
	j->step = step;
	j->arg = arg;
	j->state = READY;
	return j;
}

struct arena *
job_arena(struct job *j)
{
	return j->arena;
}

void
job_start(struct job *j)
{
	pthread_mutex_lock(&lock);
	run(j);
	if (j->state != DONE)
		start_workers();
	pthread_mutex_unlock(&lock);
}

bool
job_done(struct job *j)
{
	bool done;

	pthread_mutex_lock(&lock);
	done = j->state == DONE;
	pthread_mutex_unlock(&lock);
	return done;
}

/* Until no other thread runs it: a step is short. */
static void
let_run(struct job *j)
{
	while (j->state == RUNNING)
		pthread_cond_wait(&j->changed, &lock);
}

void
job_finish(struct job *j, msec deadline)
{
	bool in_time = true;

	pthread_mutex_lock(&lock);
	j->awaited = true;
	while (in_time && j->state != DONE)
		if (j->state == READY)
			run(j);
		else
			in_time = wait_on(&j->changed, &lock, deadline);
	let_run(j);
	if (j->state != DONE) {
		j->late = true;
		run(j);
	}
	j->awaited = false;
	pthread_mutex_unlock(&lock);
}

void
job_free(struct job *j)
{
	struct lookup *l;

	if (j == NULL)
		return;
	pthread_mutex_lock(&lock);
	dequeue(j);
	let_run(j);
	dequeue(j);		/* an answer may have come meanwhile */
	j->state = DONE;
	pthread_mutex_unlock(&lock);
	for (l = j->lookups; l != NULL; l = l->next) {
		dns_query_unwatch(l->q, &l->watch);
		dns_query_free(l->q);
	}
	pthread_cond_destroy(&j->changed);
	arena_free(j->arena);
	free(j);
}
