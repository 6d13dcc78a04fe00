/*
 * mime_magic.h - what kind of file it is, by libmagic.
 */
#ifndef FILTER_MIME_MAGIC_H
#define FILTER_MIME_MAGIC_H

#include "rules/str.h"

struct arena;
struct magic_engine;

/* Thread-safe.  NULL without memory. */
struct magic_engine *magic_engine_new(void);
/* Loads the system's database, if that isn't done.  0, or -1 with the reason in why. */
int magic_engine_load(struct magic_engine *e, struct strbuf *why);
void magic_engine_free(struct magic_engine *e);

/* The type of a file that begins so, like application/zip; p NULL where libmagic has no answer. */
struct str magic_type(struct magic_engine *e, struct arena *a, struct str head);

#endif
