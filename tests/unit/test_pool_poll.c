/*
 * test_pool_poll.c - what poll(2) tells, pool_poll_many() tells: of each that
 * stands in the list, as long as it does, whatever was told of it before and whose
 * descriptor it was.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/pool_park.h"
#include "filter/pool_poll.h"

#define MOST	60

static int here[MOST], there[MOST];	/* two ends of each */
static size_t pending[MOST];		/* octets that wait to be read here */

static void
begin(int i)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	here[i] = ends[0];
	there[i] = ends[1];
	pending[i] = 0;
}

static void
end(int i)
{
	pool_poll_forget(here[i]);
	close(here[i]);
	close(there[i]);
}

/* poll(2) and ours, of the same list. */
static void
assert_same(struct pollfd *fds, nfds_t n)
{
	struct pollfd plain[MOST];
	int r;

	memcpy(plain, fds, n * sizeof(*fds));
	r = poll(plain, n, 0);
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = POLLNVAL;	/* of last time */
	assert_int_equal(pool_poll_many(fds, n, 0, poll), r);
	for (nfds_t i = 0; i < n; i++)
		assert_int_equal(fds[i].revents, plain[i].revents);
}

static void
do_something(int i)
{
	char c = 0;

	switch (rand() % 4) {
	case 0:
		assert_int_equal(write(there[i], "x", 1), 1);
		pending[i]++;
		break;
	case 1:
		if (pending[i] > 0) {
			assert_int_equal(read(here[i], &c, 1), 1);
			pending[i]--;
		}
		break;
	case 2:
		end(i);
		begin(i);
		break;
	}
}

/* At random: long lists and short ones, some left out, in any order, some changed between. */
static void
as_poll(void **state)
{
	struct pollfd fds[MOST], swap;

	(void)state;
	srand(4711);
	for (int i = 0; i < MOST; i++)
		begin(i);
	for (int round = 0; round < 5000; round++) {
		int share = 1 + rand() % 10;
		nfds_t n = 0;

		for (int k = rand() % 8; k > 0; k--)
			do_something(rand() % MOST);
		for (int i = 0; i < MOST; i++)
			if (rand() % 10 < share)
				fds[n++] = (struct pollfd){ here[i], POLLIN | POLLPRI, 0 };
		for (nfds_t i = 1; i < n && round % 2 == 0; i++) {
			nfds_t k = (nfds_t)rand() % (i + 1);

			swap = fds[i];
			fds[i] = fds[k];
			fds[k] = swap;
		}
		assert_same(fds, n);
	}
	for (int i = 0; i < MOST; i++)
		end(i);
}

/* Armed, never told of, closed; and then it is another's. */
static void
descriptor_used_again(void **state)
{
	struct pollfd fds[MOST];
	int old;

	(void)state;
	for (int i = 0; i < MOST; i++) {
		begin(i);
		fds[i] = (struct pollfd){ here[i], POLLIN, 0 };
	}
	assert_int_equal(pool_poll_many(fds, MOST, 0, poll), 0);
	old = here[30];
	end(30);
	begin(30);
	assert_int_equal(here[30], old);
	assert_int_equal(write(there[30], "x", 1), 1);
	assert_int_equal(pool_poll_many(fds, MOST, 10000, poll), 1);
	assert_int_equal(fds[30].revents, POLLIN);
	for (int i = 0; i < MOST; i++)
		end(i);
}

static int
not_plain(struct pollfd *fds, nfds_t n, int timeout)
{
	(void)fds, (void)n, (void)timeout;
	fail_msg("poll(2) itself is asked");
	return -1;
}

/*
 * Told of while a worker has its session, which it closes in that moment: the
 * mark is set after close() took it away.  The rest must not suffer for it.
 */
static void
told_when_closed(void **state)
{
	struct pollfd fds[MOST];
	int old;

	(void)state;
	for (int i = 0; i < MOST; i++) {
		begin(i);
		fds[i] = (struct pollfd){ here[i], POLLIN, 0 };
	}
	assert_int_equal(write(there[30], "x", 1), 1);
	assert_int_equal(pool_poll_many(fds, MOST, 10000, not_plain), 1);
	old = here[30];
	close(here[30]);
	close(there[30]);
	begin(30);
	assert_int_equal(here[30], old);
	assert_int_equal(pool_poll_many(fds, MOST, 0, not_plain), 0);
	assert_int_equal(write(there[30], "x", 1), 1);
	assert_int_equal(pool_poll_many(fds, MOST, 10000, not_plain), 1);
	assert_int_equal(fds[30].revents, POLLIN);
	for (int i = 0; i < MOST; i++)
		end(i);
}

/* ---- Threads that are kept ---- */

struct order {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	int		done, ended;
};

static void *
worker(void *arg)
{
	struct order *o = arg;
	struct pool_work w;

	while (pool_park(&w)) {
		o = w.arg;
		pthread_mutex_lock(&o->lock);
		o->done += w.place;
		pthread_cond_signal(&o->changed);
		pthread_mutex_unlock(&o->lock);
		if (w.place == 100)
			break;
	}
	o = arg;
	pthread_mutex_lock(&o->lock);
	o->ended++;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* Work is done once, by one that waits; who is one too many ends. */
static void
kept_threads(void **state)
{
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	pthread_t t[40];
	int kept;

	(void)state;
	assert_false(pool_unpark((struct pool_work){ 1, &o }));
	for (int i = 0; i < 40; i++)
		assert_int_equal(pthread_create(&t[i], NULL, worker, &o), 0);
	pthread_mutex_lock(&o.lock);
	while (o.ended < 24)		/* the rest is kept */
		pthread_cond_wait(&o.changed, &o.lock);
	kept = 40 - o.ended;
	pthread_mutex_unlock(&o.lock);
	for (int i = 0; i < 1000; ) {
		i += pool_unpark((struct pool_work){ 1, &o });
		sched_yield();
	}
	pthread_mutex_lock(&o.lock);
	while (o.done < 1000)
		pthread_cond_wait(&o.changed, &o.lock);
	assert_int_equal(o.done, 1000);
	pthread_mutex_unlock(&o.lock);
	for (int i = 0; i < kept; ) {
		i += pool_unpark((struct pool_work){ 100, &o });
		sched_yield();
	}
	for (int i = 0; i < 40; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(o.done, 1000 + 100 * kept);
	assert_int_equal(o.ended, 40);
	assert_false(pool_unpark((struct pool_work){ 1, &o }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_poll),
		cmocka_unit_test(descriptor_used_again),
		cmocka_unit_test(told_when_closed),
		cmocka_unit_test(kept_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
