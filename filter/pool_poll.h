/*
 * pool_poll.h - libmilter's poll(2) of all sessions that wait, by epoll(7).
 */
#ifndef FILTER_POOL_POLL_H
#define FILTER_POOL_POLL_H

#include <poll.h>

typedef int poll_fn(struct pollfd *, nfds_t, int);

/*
 * As poll(2), for the one thread that polls many descriptors again and again.
 * One that was told of isn't looked at any more until it stands in the list again.
 * plain: poll(2) itself, which does it where epoll(7) can't.
 */
int pool_poll_many(struct pollfd *fds, nfds_t n, int timeout, poll_fn *plain);

/* The descriptor is about to be closed; from any thread. */
void pool_poll_forget(int fd);

#endif
