/*
 * pool_poll.c - libmilter's poll(2) of all sessions that wait, by epoll(7).
 *
 * libmilter's controller hands poll(2) the sockets of all sessions that wait
 * for their MTA, all of them anew for each that has something to say: of 2,000
 * connections, eight of them busy, that was two thirds of a message's cost.  So the kernel keeps the list.
 * A socket is armed for one event (EPOLLONESHOT), and again when a worker has given its
 * session back: in between nobody wants to hear of it.
 *
 * Only the controller asks; what it shares with others is a mark for each
 * descriptor, which close() takes away.  A session that isn't in the controller's
 * list is in a worker's hands, so that they never mean the same one at the same time.
 */
#include "filter/pool_poll.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define FEW		16	/* descriptors that poll(2) is quicker for */
#define EVENTS		256	/* the rest is told the next time */
#define DESCRIPTORS	65536

enum mark { UNKNOWN, TOLD, ARMED };

static _Atomic(unsigned char) marks[DESCRIPTORS];
static uint32_t places[DESCRIPTORS];	/* in the list, of those that are armed */

void
pool_poll_forget(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		atomic_store_explicit(&marks[fd], UNKNOWN, memory_order_relaxed);
}

/* The kernel may have lost one that was told of: closed in another thread before its mark was set. */
static bool
arm(int ep, const struct pollfd *p, enum mark mark)
{
	struct epoll_event e = { .events = (uint32_t)p->events | EPOLLONESHOT,
	    .data.fd = p->fd };

	if ((mark != TOLD || epoll_ctl(ep, EPOLL_CTL_MOD, p->fd, &e) == -1) &&
	    epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &e) == -1)
		return false;
	atomic_store_explicit(&marks[p->fd], ARMED, memory_order_relaxed);
	return true;
}

static bool
arm_all(int ep, struct pollfd *fds, nfds_t n)
{
	enum mark mark;

	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].fd < 0 || fds[i].fd >= DESCRIPTORS)
			return false;
		mark = atomic_load(&marks[fds[i].fd]);
		if (mark != ARMED && !arm(ep, &fds[i], mark))
			return false;
		places[fds[i].fd] = (uint32_t)i;
		fds[i].revents = 0;
	}
	return true;
}

int
pool_poll_many(struct pollfd *fds, nfds_t n, int timeout, poll_fn *plain)
{
	static int ep = -1;
	struct epoll_event events[EVENTS];
	int got, ready = 0;

	if (n <= FEW || (ep == -1 && (ep = epoll_create1(EPOLL_CLOEXEC)) == -1) ||
	    !arm_all(ep, fds, n))
		return plain(fds, n, timeout);
	if ((got = epoll_wait(ep, events, EVENTS, timeout)) == -1)
		return -1;
	for (int i = 0; i < got; i++) {
		int fd = events[i].data.fd;
		uint32_t at = places[fd];

		atomic_store_explicit(&marks[fd], TOLD, memory_order_relaxed);
		/* It is not in the list if poll(2) told of it meanwhile. */
		if (at >= n || fds[at].fd != fd)
			continue;
		fds[at].revents = (short)events[i].events;
		ready++;
	}
	return ready;
}
