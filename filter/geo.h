/*
 * geo.h - where addresses are, by databases in MaxMind's form.
 */
#ifndef FILTER_GEO_H
#define FILTER_GEO_H

#include "rules/mail.h"
#include "rules/settings.h"

struct arena;
struct geo;

/*
 * The databases that the settings name, for rules that ask for these facts (F_GEO).
 * Each is asked for what it has, the first that knows wins.  They are copied, so a
 * file may be changed meanwhile in any way.  Immutable, shared by threads.
 *
 * 0; *out may be NULL: nobody asks.  -1 on failure, with the reason in `why`.
 */
int geo_open(const struct settings *s, unsigned needs, struct geo **out, struct strbuf *why);
/* NULL is allowed. */
void geo_free(struct geo *g);

/* Fills in what is known; the country in the arena. */
void geo_find(const struct geo *g, const struct ipaddr *ip, struct arena *a,
    struct geo_answer *out);

#endif
