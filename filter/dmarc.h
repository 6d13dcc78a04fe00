/*
 * dmarc.h - DMARC: RFC 9989 with its DNS tree walk, or RFC 7489 with the
 * public suffix list.
 *
 * The lookups begin when the header is known, all of them side by side; what
 * they bring is waited for at the end of the message, when SPF and DKIM have
 * said what passed.
 */
#ifndef FILTER_DMARC_H
#define FILTER_DMARC_H

#include "resolver.h"
#include "rules/mail.h"
#include "rules/settings.h"

struct arena;
struct dmarc_engine;
struct dmarc_check;
struct suffixes;

/*
 * spec	which of the two
 * list	for RFC 7489; stays the caller's, and must outlive the engine
 *
 * Immutable, shared by threads.  NULL without memory.
 */
struct dmarc_engine *dmarc_engine_new(enum dmarc_spec spec, const struct suffixes *list);
/* NULL is allowed. */
void dmarc_engine_free(struct dmarc_engine *e);

/*
 * The registrable domain by the public suffix list, in A-label form and lower
 * case; p NULL for a public suffix, and for what is no domain name.  For an
 * engine of RFC 7489.
 */
struct str dmarc_registrable(const struct dmarc_engine *e, struct arena *a, struct str domain);

/* Domains of authors that are looked at. */
#define DMARC_AUTHORS	4

/*
 * Of all From fields, each domain that could be read once.  With `wrong` there is
 * an author besides that can't be told: a permerror, unless one of these is to be
 * rejected, or could not be looked up.
 */
struct dmarc_authors {
	struct str	domain[DMARC_AUTHORS];
	size_t		n;
	const char	*wrong;		/* in words, or NULL */
};

/* After the end of the headers.  0, or -1 without memory. */
int dmarc_authors_read(struct mail *m, struct dmarc_authors *out);

/* Begins the lookups of a message; never blocks.  It ends with the arena.  NULL without memory. */
struct dmarc_check *dmarc_begin(const struct dmarc_engine *e, struct resolver *r,
    struct arena *a, const struct dmarc_authors *authors);

/* Begins what a domain that SPF or DKIM may stand for would need; never blocks. */
void dmarc_expect(struct dmarc_check *c, struct str domain);

/* Waits for the records, until the deadline.  False: there is none, and what SPF and DKIM say doesn't matter. */
bool dmarc_applies(struct dmarc_check *c, msec deadline);

/*
 * The result.  spf is that of MAIL FROM, or of HELO for a null sender; it and
 * dkim may be NULL: nothing passed.  A DNS error that could change the result
 * makes it temperror.  Lives in the arena; NULL without memory.
 */
const struct dmarc_answer *dmarc_finish(struct dmarc_check *c, const struct spf_answer *spf,
    const struct dkim_answer *dkim, msec deadline);

#endif
