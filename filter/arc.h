/*
 * arc.h - ARC chains (RFC 8617): validated, the body streamed.
 */
#ifndef FILTER_ARC_H
#define FILTER_ARC_H

#include <time.h>

#include "resolver.h"
#include "rules/mail.h"

struct arena;
struct arc_check;

/*
 * One message.  Call arc_add_field() for each field, from the top,
 * arc_end_headers(), arc_add_body() for each chunk, arc_finish() once; results
 * in the arena, which also ends the check.  now 0: the real clock.  NULL without memory.
 */
struct arc_check *arc_begin(struct resolver *r, struct arena *a, time_t now);

/* raw: all octets after the colon, as for dkim_add_field(). 0, or -1 without memory. */
int arc_add_field(struct arc_check *c, struct str name, struct str raw);

/* Looks at the chain's structure and begins to look up keys; never blocks. */
int arc_end_headers(struct arc_check *c);

/* False when the answer is known already: the body need not be sent. */
bool arc_wants_body(const struct arc_check *c);

/* Never blocks: the body is hashed without the keys. */
void arc_add_body(struct arc_check *c, struct str chunk);

/* Waits for the keys, until the deadline.  NULL without memory. */
const struct arc_answer *arc_finish(struct arc_check *c, msec deadline);

#endif
