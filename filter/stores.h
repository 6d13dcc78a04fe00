/*
 * stores.h - the stores that are open, each once: generations of rules that
 * name the same one share it.
 */
#ifndef FILTER_STORES_H
#define FILTER_STORES_H

#include "store.h"

struct stores;

/* NULL without memory. */
struct stores *stores_new(void);
/* None of them may be in use any more.  NULL is allowed. */
void stores_free(struct stores *st);

/* Who is told when a store fails, and when it works again (store_open()). */
void stores_say(struct stores *st, void (*say)(const char *line));

/* The store of that URL, opened if it isn't.  NULL on failure, with the reason in `why`. */
struct store *stores_get(struct stores *st, struct str url, int64_t limit, struct strbuf *why);
/* Gives it back; the last one closes it.  NULL is allowed. */
void stores_put(struct stores *st, struct store *s);

#endif
