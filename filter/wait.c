/*
 * wait.c - time, and waiting for it.
 *
 * What is to be done every few seconds belongs to the thread, not to what is
 * waited for: those who wait (DKIM for keys, DMARC for records) need not know
 * that an MTA wants to hear something now and then.  It lasts for one call
 * of libmilter's, since the next one may come on another thread.
 */
#include "wait.h"

#include <time.h>

static _Thread_local struct {
	void	(*fn)(void *);
	void	*arg;
	msec	 every, next;
} pulse;

msec
clock_msec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
wait_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int error;

	if ((error = pthread_condattr_init(&attr)) != 0)
		return error;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	error = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return error;
}

void
wait_each(msec every, void (*fn)(void *), void *arg)
{
	pulse.fn = fn;
	pulse.arg = arg;
	pulse.every = every;
	pulse.next = clock_msec() + every;
}

bool
wait_on(pthread_cond_t *cond, pthread_mutex_t *lock, msec deadline)
{
	msec until = deadline > 0 ? deadline : 0;
	struct timespec ts;

	if (pulse.fn != NULL && pulse.next < until)
		until = pulse.next;
	ts.tv_sec = (time_t)(until / 1000);
	ts.tv_nsec = (long)(until % 1000) * 1000000;
	if (pthread_cond_timedwait(cond, lock, &ts) == 0)
		return true;
	if (pulse.fn != NULL && clock_msec() >= pulse.next) {
		pthread_mutex_unlock(lock);
		pulse.fn(pulse.arg);
		pthread_mutex_lock(lock);
		pulse.next = clock_msec() + pulse.every;
	}
	return clock_msec() < deadline;
}
