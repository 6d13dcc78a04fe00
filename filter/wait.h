/*
 * wait.h - time, and waiting for it.
 *
 * All waiting for lookups goes through here, so that what must be done
 * meanwhile (a word to the MTA that its filter is alive) is done whoever
 * waits for what.
 */
#ifndef FILTER_WAIT_H
#define FILTER_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Monotonic clock in milliseconds, and a point of it. */
typedef int64_t msec;
msec clock_msec(void);

/* A condition that wait_on() can wait on.  0, or an error number. */
int wait_cond_init(pthread_cond_t *cond);

/*
 * Waits, with the lock held, until the condition is signalled or the deadline
 * has passed.  False: it has.  True may also be a false alarm: look again.
 */
bool wait_on(pthread_cond_t *cond, pthread_mutex_t *lock, msec deadline);

/*
 * From now on, whenever this thread waits, fn(arg) is called every `every`
 * milliseconds, counted from this call, and without the lock.  fn NULL: no
 * more.  Who sets it ends it before leaving the thread to others.
 */
void wait_each(msec every, void (*fn)(void *), void *arg);

#endif
