/*
 * stores.c - the stores that are open.
 *
 * A reload may leave the store as it is, or change it and change it back while
 * messages of the rules in between are still in hand.  A file must not be
 * opened twice by one process (LMDB's locks), so all that are open stand in a
 * list, which is looked at before one is opened or closed.
 */
#include "filter/stores.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct open_store {
	struct store	*store;
	char		*url;
	int		 refs;
	struct open_store *next;
};

struct stores {
	pthread_mutex_t	 lock;		/* of what follows */
	struct open_store *first;
	void		(*say)(const char *line);
};

struct stores *
stores_new(void)
{
	struct stores *st = calloc(1, sizeof(*st));

	if (st != NULL)
		pthread_mutex_init(&st->lock, NULL);
	return st;
}

void
stores_free(struct stores *st)
{
	if (st == NULL)
		return;
	pthread_mutex_destroy(&st->lock);
	free(st);
}

void
stores_say(struct stores *st, void (*say)(const char *line))
{
	pthread_mutex_lock(&st->lock);
	st->say = say;
	pthread_mutex_unlock(&st->lock);
}

static struct open_store *
open_one(struct stores *st, struct str url, int64_t limit, struct strbuf *why)
{
	struct open_store *o = calloc(1, sizeof(*o));
	char *name = strndup(url.p, url.n);

	if (o == NULL || name == NULL)
		strbuf_puts(why, "out of memory");
	else if ((o->store = store_open(url, limit, st->say, why)) != NULL) {
		o->url = name;
		o->next = st->first;
		st->first = o;
		return o;
	}
	free(o);
	free(name);
	return NULL;
}

struct store *
stores_get(struct stores *st, struct str url, int64_t limit, struct strbuf *why)
{
	struct open_store *o;

	pthread_mutex_lock(&st->lock);
	for (o = st->first; o != NULL && !str_eq(str_of(o->url), url); o = o->next)
		;
	if (o == NULL)
		o = open_one(st, url, limit, why);
	if (o != NULL)
		o->refs++;
	pthread_mutex_unlock(&st->lock);
	return o != NULL ? o->store : NULL;
}

void
stores_put(struct stores *st, struct store *s)
{
	struct open_store **at, *o;

	if (s == NULL)
		return;
	pthread_mutex_lock(&st->lock);
	for (at = &st->first; *at != NULL && (*at)->store != s; at = &(*at)->next)
		;
	if ((o = *at) != NULL && --o->refs == 0) {
		*at = o->next;
		store_close(s);
		free(o->url);
		free(o);
	}
	pthread_mutex_unlock(&st->lock);
}
