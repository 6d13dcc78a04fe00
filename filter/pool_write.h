/*
 * pool_write.h - what an MTA is told at once, written in one go.
 */
#ifndef FILTER_POOL_WRITE_H
#define FILTER_POOL_WRITE_H

#include <sys/types.h>
#include <sys/uio.h>

typedef ssize_t writev_fn(int, const struct iovec *, int);

/*
 * As writev(2), for libmilter's packets: edits are kept, as if they were written, until
 * something else comes, and go out before it.  plain: writev(2) itself.
 */
ssize_t pool_writev(int fd, const struct iovec *v, int n, writev_fn *plain);

/* The descriptor is about to be closed: what is kept is for nobody. */
void pool_write_forget(int fd);

#endif
