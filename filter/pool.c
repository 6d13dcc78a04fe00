/*
 * pool.c - the cure of libmilter's head-of-line stall.
 *
 * libmilter's pool signals its one condition for each session that has
 * something to say, and trusts that some idle worker will come.  It does not
 * count them: a burst of sessions larger than the number of idle workers is
 * queued behind those workers, and if their callbacks wait for DNS, all wait.
 *
 * So the executable puts itself between: it defines the three functions that
 * the pool is made of, which come before libc's for every shared object, and
 * passes on whatever is not libmilter's.  Idle workers wait in a list, each
 * on a condition of its own with libmilter's mutex; a signal takes one of them
 * off, or, if none is left, starts one more worker.  So no two sessions are
 * ever promised to one worker.
 *
 * The worker is known by being the routine that libmilter starts more than
 * once with a NULL argument.  List and counts need no lock of their own where
 * libmilter's mutex is held, which it is around each wait and each signal.
 * Workers that end become the next ones (pool_park.c); so pthread_detach(), too.
 *
 * sigwait() stands here for the same reason: libmilter waits in a thread for
 * SIGHUP, SIGTERM and SIGINT, and takes all of them for "stop".  Its thread
 * gets none; run.c takes the signals.  And read(), writev(), poll() and close(),
 * since libmilter reads and writes in small pieces, trusts what it reads, and polls
 * all that wait for each that doesn't: ahead.c, pool_write.c, macrolist.c and
 * pool_poll.c mend that.
 */
#undef _FORTIFY_SOURCE		/* read() and poll() are defined here: no inlines of them */

#include "filter/pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "filter/ahead.h"
#include "filter/macrolist.h"
#include "filter/pool_park.h"
#include "filter/pool_poll.h"
#include "filter/pool_write.h"

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int detach_fn(pthread_t);
typedef int timedwait_fn(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
typedef int signal_fn(pthread_cond_t *);
typedef ssize_t read_fn(int, void *, size_t);
typedef int close_fn(int);

/* An idle worker; lives on its stack while it waits. */
struct idler {
	pthread_cond_t	 cond;
	bool		 called;
	struct idler	*next;
};

/* libmilter's mapping; empty until pool_init() has found it. */
static uintptr_t lib_low, lib_high;

static struct idler *idlers;		/* under libmilter's mutex */

/* The routines that libmilter starts: its controller, workers, signal thread. */
#define ROUTINES	8
static struct {
	void *(*_Atomic routine)(void *);
	atomic_int	 started;	/* with NULL */
	atomic_int	 alive;
} routines[ROUTINES];
static atomic_int worker = -1;		/* its place in routines */
static atomic_int waiting;

/* pthread_detach() fails in this thread: leave_session(). */
static _Thread_local bool undetachable;

/* What libmilter reads in this thread. */
static _Thread_local struct packet_reader reader;

/* Under a sanitizer that is linked statically, its functions come first. */
extern create_fn __interceptor_pthread_create __attribute__((weak));
extern detach_fn __interceptor_pthread_detach __attribute__((weak));
extern timedwait_fn __interceptor_pthread_cond_timedwait __attribute__((weak));
extern signal_fn __interceptor_pthread_cond_signal __attribute__((weak));
extern read_fn __interceptor_read __attribute__((weak));
extern poll_fn __interceptor_poll __attribute__((weak));
extern writev_fn __interceptor_writev __attribute__((weak));
extern close_fn __interceptor_close __attribute__((weak));

/*
 * The function that ours hides.  glibc has conditions in two versions, of
 * which dlsym() may give the old one.
 */
static void *
hidden(const char *name)
{
	void *p;

	if ((p = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2")) == NULL &&
	    (p = dlsym(RTLD_NEXT, name)) == NULL)
		abort();	/* there is no thread without it */
	return p;
}

/* An object pointer holds a function's address: POSIX, dlsym(). */
#define REAL(type, name) do {						\
	static _Atomic(type *) known;					\
	type *f = atomic_load_explicit(&known, memory_order_relaxed);	\
									\
	if (f == NULL) {						\
		if (__interceptor_##name != NULL)			\
			f = __interceptor_##name;			\
		else							\
			*(void **)&f = hidden(#name);			\
		atomic_store_explicit(&known, f, memory_order_relaxed);	\
	}								\
	return f;							\
} while (0)

static create_fn *
real_create(void)
{
	REAL(create_fn, pthread_create);
}

static detach_fn *
real_detach(void)
{
	REAL(detach_fn, pthread_detach);
}

static timedwait_fn *
real_timedwait(void)
{
	REAL(timedwait_fn, pthread_cond_timedwait);
}

static signal_fn *
real_signal(void)
{
	REAL(signal_fn, pthread_cond_signal);
}

static read_fn *
real_read(void)
{
	REAL(read_fn, read);
}

static poll_fn *
real_poll(void)
{
	REAL(poll_fn, poll);
}

static writev_fn *
real_writev(void)
{
	REAL(writev_fn, writev);
}

static close_fn *
real_close(void)
{
	REAL(close_fn, close);
}

static bool
is_libmilter(uintptr_t p)
{
	return p >= lib_low && p < lib_high;
}

static int
find_mapping(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t want = *(const uintptr_t *)arg, low = UINTPTR_MAX, high = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t to = from + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (from < low)
			low = from;
		if (to > high)
			high = to;
	}
	if (want < low || want >= high)
		return 0;
	/* Our own mapping: linked statically, not to be told from ourselves. */
	if ((uintptr_t)&lib_low < low || (uintptr_t)&lib_low >= high) {
		lib_low = low;
		lib_high = high;
	}
	return 1;
}

void
pool_init(void)
{
	uintptr_t p = (uintptr_t)dlsym(RTLD_DEFAULT, "smfi_main");

	if (p != 0 && lib_high == 0)
		dl_iterate_phdr(find_mapping, &p);
}

static bool
found(void)
{
	return atomic_load(&worker) >= 0;
}

bool
pool_wait_found(int ms)
{
	struct timespec step = { 0, 2000000 };

	for (; !found() && ms > 0; ms -= 2)
		nanosleep(&step, NULL);
	return found();
}

int
pool_busy(void)
{
	int w = atomic_load(&worker);

	return w < 0 ? 0 :
	    atomic_load(&routines[w].alive) - atomic_load(&waiting);
}

int
pool_packet(void)
{
	return reader.header[4];
}

/* The routine's place, made at its first start; -1 if there are too many. */
static int
place_of(void *(*routine)(void *))
{
	for (int i = 0; i < ROUTINES; i++) {
		void *(*seen)(void *) = NULL;

		if (atomic_compare_exchange_strong(&routines[i].routine,
		    &seen, routine) || seen == routine)
			return i;
	}
	return -1;
}

static void *
started(void *arg)
{
	struct pool_work w = *(struct pool_work *)arg;
	void *r;

	free(arg);
	do {
		r = atomic_load(&routines[w.place].routine)(w.arg);
		atomic_fetch_sub(&routines[w.place].alive, 1);
	} while (w.place == atomic_load(&worker) && pool_park(&w));
	return r;
}

/* Has one more of libmilter's workers run, in a thread that was one before; libmilter doesn't use its name. */
static bool
create_again(int place, void *arg)
{
	if (place != atomic_load(&worker))
		return false;
	atomic_fetch_add(&routines[place].alive, 1);
	if (pool_unpark((struct pool_work){ place, arg }))
		return true;
	atomic_fetch_sub(&routines[place].alive, 1);
	return false;
}

/*
 * There is no thread for a session, and libmilter would never look at it
 * again.  But a worker that can't be detached leaves its session, before all
 * else, to the next worker that looks for one: so be one for that moment.
 */
static bool
leave_session(int place, void *ctx)
{
	if (ctx == NULL || place != atomic_load(&worker))
		return false;
	undetachable = true;
	(void)atomic_load(&routines[place].routine)(ctx);
	undetachable = false;
	return true;
}

/* Starts one of libmilter's threads, and learns from it. */
static int
create_counted(pthread_t *t, const pthread_attr_t *attr, int place, void *arg)
{
	struct pool_work *s;
	int error;

	if (create_again(place, arg))
		return 0;
	if ((s = malloc(sizeof(*s))) == NULL)
		return leave_session(place, arg) ? 0 : EAGAIN;
	*s = (struct pool_work){ place, arg };
	if (arg == NULL &&
	    atomic_fetch_add(&routines[place].started, 1) == 1 &&
	    atomic_load(&worker) < 0)
		atomic_store(&worker, place);
	atomic_fetch_add(&routines[place].alive, 1);
	if ((error = real_create()(t, attr, started, s)) != 0) {
		atomic_fetch_sub(&routines[place].alive, 1);
		free(s);
	}
	return error != 0 && leave_session(place, arg) ? 0 : error;
}

int
pthread_create(pthread_t *restrict t, const pthread_attr_t *restrict attr,
    void *(*routine)(void *), void *restrict arg)
{
	int place;

	if (!is_libmilter((uintptr_t)routine) ||
	    (place = place_of(routine)) < 0)
		return real_create()(t, attr, routine, arg);
	return create_counted(t, attr, place, arg);
}

/* A worker detaches itself, which a thread can do only once. */
int
pthread_detach(pthread_t t)
{
	static _Thread_local bool detached;

	if (is_libmilter((uintptr_t)__builtin_return_address(0)) && pthread_equal(t, pthread_self())) {
		if (undetachable)
			return EAGAIN;
		if (detached)
			return 0;
		detached = true;
	}
	return real_detach()(t);
}

static void
forget(struct idler *me)
{
	struct idler **p = &idlers;

	while (*p != NULL && *p != me)
		p = &(*p)->next;
	if (*p == me)
		*p = me->next;
}

int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
    pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	struct idler me = { .called = false };
	int error = 0;

	if (!is_libmilter((uintptr_t)cond))
		return real_timedwait()(cond, mutex, until);
	if ((error = pthread_cond_init(&me.cond, NULL)) != 0)
		return error;
	/* Last in, first out: a warm stack, and those not needed time out. */
	me.next = idlers;
	idlers = &me;
	atomic_fetch_add(&waiting, 1);
	while (!me.called && error == 0)
		error = real_timedwait()(&me.cond, mutex, until);
	atomic_fetch_sub(&waiting, 1);
	if (!me.called)
		forget(&me);
	else
		error = 0;
	pthread_cond_destroy(&me.cond);
	return error;
}

int
pthread_cond_signal(pthread_cond_t *cond)
{
	struct idler *first;
	pthread_t t;

	if (!is_libmilter((uintptr_t)cond))
		return real_signal()(cond);
	if ((first = idlers) != NULL) {
		idlers = first->next;
		first->called = true;
		return real_signal()(&first->cond);
	}
	/* Failing is not final: a worker that finishes looks for work, too. */
	return found() ?
	    create_counted(&t, NULL, atomic_load(&worker), NULL) : 0;
}

int
sigwait(const sigset_t *restrict set, int *restrict signo)
{
	int n;

	if (is_libmilter((uintptr_t)__builtin_return_address(0)))
		for (;;)
			pause();
	while ((n = sigwaitinfo(set, NULL)) == -1)
		if (errno != EINTR)
			return errno;
	*signo = n;
	return 0;
}

ssize_t
read(int fd, void *buf, size_t n)
{
	ssize_t got;

	if (!is_libmilter((uintptr_t)__builtin_return_address(0)))
		return real_read()(fd, buf, n);
	if ((got = ahead_read(fd, buf, n)) > 0)
		packet_follow(&reader, fd, buf, n, (size_t)got);
	return got;
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	return is_libmilter((uintptr_t)__builtin_return_address(0)) ?
	    pool_writev(fd, v, n, real_writev()) : real_writev()(fd, v, n);
}

/* By another name here, since glibc's declaration says that it only writes to fds. */
int pool_poll(struct pollfd *fds, nfds_t n, int timeout) __asm__("poll");

int
pool_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	bool ahead;
	int ready = 0;

	if (!is_libmilter((uintptr_t)__builtin_return_address(0)))
		return real_poll()(fds, n, timeout);
	ahead = ahead_any(fds, n);
	if (n > 1)
		ready = pool_poll_many(fds, n, ahead ? 0 : timeout, real_poll());
	else if (!ahead)
		ready = real_poll()(fds, n, timeout);
	else
		fds[0].revents = 0;
	return ready != -1 && ahead ? ahead_add(fds, n, ready) : ready;
}

int
close(int fd)
{
	if (is_libmilter((uintptr_t)__builtin_return_address(0))) {
		ahead_forget(fd);
		pool_write_forget(fd);
		packet_forget(&reader, fd);
		pool_poll_forget(fd);
	}
	return real_close()(fd);
}
