/*
 * pool_park.c - threads that are kept for more work.
 *
 * libmilter's workers end as soon as two of them have nothing to do, and
 * are started anew for the next session that speaks: with many connections, of which a
 * few are busy, that is a thread a message, a tenth to a fifth of its cost.  So a thread whose
 * worker has ended waits here for a while to become the next.
 */
#include "filter/pool_park.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#define PARKED_MAX	16
#define PARK_SECONDS	10

/* Lives on its thread's stack. */
struct parked {
	pthread_cond_t	 cond;
	struct pool_work *work;
	bool		 called;
	struct parked	*next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct parked *first;		/* last in, first out: a warm stack */
static int nparked;

static void
leave(struct parked *me)
{
	struct parked **p = &first;

	while (*p != me)
		p = &(*p)->next;
	*p = me->next;
	nparked--;
}

bool
pool_park(struct pool_work *w)
{
	struct parked me = { .cond = PTHREAD_COND_INITIALIZER, .work = w };
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PARK_SECONDS;
	pthread_mutex_lock(&lock);
	if (nparked < PARKED_MAX) {
		me.next = first;
		first = &me;
		nparked++;
		while (!me.called && error == 0)
			error = pthread_cond_timedwait(&me.cond, &lock, &until);
		if (!me.called)
			leave(&me);
	}
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&me.cond);
	return me.called;
}

bool
pool_unpark(struct pool_work w)
{
	struct parked *p;

	pthread_mutex_lock(&lock);
	if ((p = first) != NULL) {
		leave(p);
		*p->work = w;
		p->called = true;
		(void)pthread_cond_signal(&p->cond);
	}
	pthread_mutex_unlock(&lock);
	return p != NULL;
}
