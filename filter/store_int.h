/*
 * store_int.h - what the back ends of the store share.  Others include store.h.
 */
#ifndef FILTER_STORE_INT_H
#define FILTER_STORE_INT_H

#include <stdatomic.h>

#include "store.h"
#include "store_record.h"

#define STORE_WHY	200	/* octets of a reason */

/* A back end begins its own struct with this. */
struct store {
	const struct store_backend *backend;
	char		*url;		/* without a password */
	void		(*say)(const char *line);
	atomic_bool	 failing;
};

struct store_backend {
	/* 0, or -1 and the reason in `why`. */
	int		(*run)(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY]);
	void		(*close)(struct store *s);
};

/* The part of the URL behind "lmdb:" or "redis://".  NULL on failure, with the reason in `why`. */
struct store *store_lmdb_open(struct str path, int64_t limit, struct strbuf *why);
struct store *store_redis_open(struct str place, struct strbuf *why);
struct store *store_memory_open(int64_t limit, struct strbuf *why);

#endif
