/*
 * mime_magic.c - libmagic for many threads.
 *
 * A handle of libmagic serves one thread at a time, and takes a millisecond
 * and more to make.  So handles are made as they are needed and kept for the
 * next.  The first one is made when rules that ask for it are loaded, so that
 * a database that can't be read is told then.
 */
#include "mime_magic.h"

#include <errno.h>
#include <magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"

#define HANDLES	16	/* kept; more are made and thrown away under load */

/* No decompression, no guesses at programming languages from their words. */
#define FLAGS	(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TOKENS | MAGIC_ERROR)

/* Octets by which text is told from data; each takes it ten octets of memory. */
#define TEXT_SEEN	4096

struct magic_engine {
	pthread_mutex_t	lock;
	magic_t		spare[HANDLES];
	size_t		n;
};

static magic_t
new_handle(struct strbuf *why)
{
	magic_t h = magic_open(FLAGS);
	size_t encoding = TEXT_SEEN;

	if (h == NULL) {
		strbuf_puts(why, strerror(errno));
		return NULL;
	}
	(void)magic_setparam(h, MAGIC_PARAM_ENCODING_MAX, &encoding);
	if (magic_load(h, NULL) != 0) {
		strbuf_puts(why, magic_error(h) != NULL ? magic_error(h) : "no database");
		magic_close(h);
		return NULL;
	}
	return h;
}

struct magic_engine *
magic_engine_new(void)
{
	struct magic_engine *e = calloc(1, sizeof(*e));

	if (e != NULL)
		pthread_mutex_init(&e->lock, NULL);
	return e;
}

void
magic_engine_free(struct magic_engine *e)
{
	if (e == NULL)
		return;
	while (e->n > 0)
		magic_close(e->spare[--e->n]);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static magic_t
take(struct magic_engine *e)
{
	struct strbuf why = { 0 };
	magic_t h = NULL;

	pthread_mutex_lock(&e->lock);
	if (e->n > 0)
		h = e->spare[--e->n];
	pthread_mutex_unlock(&e->lock);
	if (h == NULL)
		h = new_handle(&why);
	strbuf_free(&why);
	return h;
}

static void
give_back(struct magic_engine *e, magic_t h)
{
	pthread_mutex_lock(&e->lock);
	if (e->n < HANDLES) {
		e->spare[e->n++] = h;
		h = NULL;
	}
	pthread_mutex_unlock(&e->lock);
	if (h != NULL)
		magic_close(h);
}

struct str
magic_type(struct magic_engine *e, struct arena *a, struct str head)
{
	struct str type = STR_NONE;
	const char *said;
	magic_t h;

	if ((h = take(e)) == NULL)
		return type;
	said = magic_buffer(h, head.p, head.n);
	if (said != NULL && strchr(said, '/') != NULL)
		type = str_dup(a, str_of(said));
	give_back(e, h);
	return type;
}

int
magic_engine_load(struct magic_engine *e, struct strbuf *why)
{
	magic_t h;

	pthread_mutex_lock(&e->lock);
	h = e->n > 0 ? e->spare[--e->n] : NULL;
	pthread_mutex_unlock(&e->lock);
	if (h == NULL && (h = new_handle(why)) == NULL)
		return -1;
	give_back(e, h);
	return 0;
}
