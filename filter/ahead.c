/*
 * ahead.c - what an MTA sent, read in one go.
 *
 * An MTA that needs no reply sends a whole message at once, in some twenty
 * packets.  libmilter takes each by two calls of read(2), and asks poll(2)
 * before either and after both: a hundred system calls a message, which cost
 * more than SPF or the rules do.  So what is there is read ahead by the first
 * of them, into a buffer that lives only until it is used up; an idle
 * connection has none.  pool.c's read(), poll() and close(), which stand between
 * libmilter and libc, come here.
 *
 * A connection is in one thread's hands at a time, and libmilter's mutex is
 * taken whenever it goes from one to another: no lock is needed here.
 */
#include "filter/ahead.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define AHEAD		16384	/* octets; what is asked for in larger pieces isn't copied */
#define DESCRIPTORS	65536	/* those above are read as libmilter asks */

static struct ahead {
	char	*buf;		/* NULL: nothing was read ahead */
	size_t	 at, end;
} table[DESCRIPTORS];

static struct ahead *
ahead_of(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? &table[fd] : NULL;
}

void
ahead_forget(int fd)
{
	struct ahead *a = ahead_of(fd);

	if (a == NULL || a->buf == NULL)
		return;
	free(a->buf);
	a->buf = NULL;
}

static ssize_t
take(struct ahead *a, int fd, void *buf, size_t n)
{
	if (n > a->end - a->at)
		n = a->end - a->at;
	memcpy(buf, a->buf + a->at, n);
	a->at += n;
	if (a->at == a->end)
		ahead_forget(fd);
	return (ssize_t)n;
}

ssize_t
ahead_read(int fd, void *buf, size_t n)
{
	struct ahead *a = ahead_of(fd);
	struct iovec v[2] = { { .iov_base = buf, .iov_len = n } };
	ssize_t got;

	if (a != NULL && a->buf != NULL)
		return take(a, fd, buf, n);
	/* One octet: libmilter's own pipe. */
	if (a == NULL || n <= 1 || n >= AHEAD || (a->buf = malloc(AHEAD)) == NULL)
		return readv(fd, v, 1);
	v[1] = (struct iovec){ .iov_base = a->buf, .iov_len = AHEAD };
	if ((got = readv(fd, v, 2)) <= (ssize_t)n) {
		ahead_forget(fd);
		return got;
	}
	a->at = 0;
	a->end = (size_t)got - n;
	return (ssize_t)n;
}

static bool
is_there(const struct pollfd *p)
{
	const struct ahead *a = ahead_of(p->fd);

	return a != NULL && a->buf != NULL && (p->events & POLLIN) != 0;
}

bool
ahead_any(const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (is_there(&fds[i]))
			return true;
	return false;
}

int
ahead_add(struct pollfd *fds, nfds_t n, int ready)
{
	for (nfds_t i = 0; i < n; i++) {
		if (!is_there(&fds[i]))
			continue;
		ready += fds[i].revents == 0;
		fds[i].revents |= POLLIN;
	}
	return ready;
}
