/*
 * suffixes.h - the public suffix list: which domains belong to one owner.
 */
#ifndef FILTER_SUFFIXES_H
#define FILTER_SUFFIXES_H

#include "rules/settings.h"
#include "rules/str.h"

struct arena;
struct suffixes;

/*
 * file	n 0: the list built into libpsl
 *
 * Immutable, shared by threads.  NULL if there is none or it can't be read, with the reason
 * in `why`.
 */
struct suffixes *suffixes_new(struct str file, struct strbuf *why);
/*
 * What the settings name, for DMARC by RFC 7489 and rules that ask for these facts
 * (F_URLS).  0; *out may be NULL: nobody asks.  -1 on failure, with the reason in `why`.
 */
int suffixes_open(const struct settings *s, unsigned needs, struct suffixes **out,
    struct strbuf *why);
/* NULL is allowed. */
void suffixes_free(struct suffixes *l);

/*
 * The registrable domain of a normal name (domain_normal()), in the arena: the public suffix
 * and one label more.  p NULL for a public suffix, without a list or memory.
 */
struct str suffixes_registrable(const struct suffixes *l, struct arena *a, struct str name);

#endif
