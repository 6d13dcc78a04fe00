/*
 * store_int.h - what the back ends of the store share.  Others include store.h.
 */
#ifndef FILTER_STORE_INT_H
#define FILTER_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "store.h"
#include "store_record.h"

#define STORE_WHY	200	/* octets of a reason */
#define STORE_TOLD	4	/* reasons that are told in a minute, at most */

/* What was said of late, so that a store that fails with every message doesn't fill the log. */
struct store_news {
	struct { char why[STORE_WHY]; msec at; } told[STORE_TOLD];
};

/* Is its reason new at that time, or was told a minute ago?  If so it counts as told now. */
bool store_is_news(struct store_news *n, const char *why, msec now);

/* What a store has to say.  Any thread. */
struct store_voice {
	char		*url;		/* without a password */
	void		(*say)(const char *line);
	pthread_mutex_t	 lock;		/* of news */
	struct store_news news;
	atomic_bool	 failing;
};

/* A line with the store's name in front. */
void store_tell(struct store_voice *v, const char *what);
/* It fails: says so if that is news. */
void store_fails(struct store_voice *v, const char *why);

/* A back end begins its own struct with this. */
struct store {
	const struct store_backend *backend;
	struct store_voice *voice;
};

struct store_backend {
	/* 0, or -1 and the reason in `why`. */
	int		(*run)(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY]);
	void		(*close)(struct store *s);
};

/*
 * The part of the URL behind "lmdb:" or "redis://".  The voice lives longer than the store.
 * NULL on failure, with the reason in `why`.
 */
struct store *store_lmdb_open(struct str path, int64_t limit, struct store_voice *voice,
    struct strbuf *why);
struct store *store_redis_open(struct str place, struct store_voice *voice, struct strbuf *why);
struct store *store_memory_open(int64_t limit, struct store_voice *voice, struct strbuf *why);

#endif
