/*
 * dkim.h - DKIM (RFC 6376, 8301, 8463) by libopendkim: each signature on its
 * own, the body streamed.
 */
#ifndef FILTER_DKIM_H
#define FILTER_DKIM_H

#include <time.h>

#include "resolver.h"
#include "rules/mail.h"

struct arena;
struct dkim_engine;
struct dkim_check;

/* Names differ from libopendkim's: dkim_header() and dkim_body() are its own. */

/* One for the daemon's life, made before threads start.  now 0: the real clock; otherwise fixed, for tests. */
struct dkim_engine *dkim_engine_new(time_t now);
void dkim_engine_free(struct dkim_engine *e);

/*
 * One message.  Call dkim_add_field() for each field, dkim_end_headers(), dkim_add_body()
 * for each chunk, dkim_finish() once; results in the arena, which also ends the check.
 * max_signatures are looked at; further ones are DKIM_R_POLICY.
 * NULL without memory.
 */
struct dkim_check *dkim_begin(struct dkim_engine *e, struct resolver *r, struct arena *a,
    struct str id, unsigned max_signatures);

/* raw: all octets after the colon (leading blank included, folds as they came). 0, or -1 without memory. */
int dkim_add_field(struct dkim_check *c, struct str name, struct str raw);

/* Are there more signatures than are looked at? */
bool dkim_has_too_many(const struct dkim_check *c);

/*
 * Key lookups begin here and never block.  authors: the domains in From, whose
 * signatures come first where there are too many; otherwise nobody looks at them.
 */
int dkim_end_headers(struct dkim_check *c, const struct str *authors, size_t nauthors);

/* False when there is no signature that could still pass: the body need not be sent. */
bool dkim_wants_body(const struct dkim_check *c);

/* Hashes the chunk as each signature wants it, which takes no key: never blocks. */
void dkim_add_body(struct dkim_check *c, struct str chunk);

/* The results, one a signature from the top; waits for the keys, until the deadline.  NULL without memory. */
const struct dkim_answer *dkim_finish(struct dkim_check *c, msec deadline);

#endif
