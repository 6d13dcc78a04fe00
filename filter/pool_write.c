/*
 * pool_write.c - what an MTA is told at once, written in one go.
 *
 * libmilter writes each edit of a message by itself, and so each is a system
 * call here and a wake-up of the MTA, which can do nothing before the verdict.
 * So edits wait for what comes after them: the verdict, or word that we are still at it.
 *
 * A connection is in one thread's hands at a time: no lock is needed here (ahead.c).
 */
#include "filter/pool_write.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfdef.h>

#define KEPT_MAX	16384	/* octets; more is written as it comes */
#define PIECES		8	/* of a packet; libmilter makes two */
#define HEADER		5	/* length and command */
#define DESCRIPTORS	65536

static struct kept {
	char	*buf;		/* NULL: nothing is kept */
	size_t	 at, n;
	size_t	 rest;		/* octets of a packet that was written in part */
} table[DESCRIPTORS];

void
pool_write_forget(int fd)
{
	if (fd < 0 || fd >= DESCRIPTORS)
		return;
	free(table[fd].buf);
	table[fd] = (struct kept){ .buf = NULL };
}

static size_t
octets_of(const struct iovec *v, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

static bool
is_edit(const struct iovec *v)
{
	static const char edits[] = { SMFIR_ADDRCPT, SMFIR_DELRCPT, SMFIR_ADDRCPT_PAR, SMFIR_REPLBODY,
	    SMFIR_CHGFROM, SMFIR_ADDHEADER, SMFIR_CHGHEADER, SMFIR_INSHEADER, SMFIR_QUARANTINE };

	return v->iov_len == HEADER &&
	    memchr(edits, ((const char *)v->iov_base)[HEADER - 1], sizeof(edits)) != NULL;
}

static bool
keep(struct kept *k, const struct iovec *v, int n, size_t octets)
{
	if (octets > KEPT_MAX - k->n || (k->buf == NULL && (k->buf = malloc(KEPT_MAX)) == NULL))
		return false;
	for (int i = 0; i < n; i++) {
		memcpy(k->buf + k->n, v[i].iov_base, v[i].iov_len);
		k->n += v[i].iov_len;
	}
	return true;
}

/* What is kept, and the packet after it; returns how much of that was written. */
static ssize_t
write_after(struct kept *k, int fd, const struct iovec *v, int n, writev_fn *plain)
{
	struct iovec all[PIECES + 1];
	ssize_t done;

	memcpy(all + 1, v, (size_t)n * sizeof(*v));
	while (k->at < k->n) {
		all[0] = (struct iovec){ .iov_base = k->buf + k->at, .iov_len = k->n - k->at };
		if ((done = plain(fd, all, n + 1)) <= 0)
			return done;
		k->at += (size_t)done;
	}
	/* With the last of it some of the packet may have gone. */
	done = (ssize_t)(k->at - k->n);
	pool_write_forget(fd);
	return done > 0 ? done : plain(fd, v, n);
}

ssize_t
pool_writev(int fd, const struct iovec *v, int n, writev_fn *plain)
{
	size_t octets = octets_of(v, n);
	struct kept *k;
	ssize_t done;

	if (fd < 0 || fd >= DESCRIPTORS || n < 1 || n > PIECES)
		return plain(fd, v, n);
	k = &table[fd];
	if (k->rest == 0 && is_edit(v) && keep(k, v, n, octets))
		return (ssize_t)octets;
	done = k->buf != NULL ? write_after(k, fd, v, n, plain) : plain(fd, v, n);
	if (done >= 0)
		k->rest = octets - (size_t)done;
	return done;
}
