/*
 * dkim_int.h - the inside of a DKIM check, for dkim*.c.
 */
#ifndef FILTER_DKIM_INT_H
#define FILTER_DKIM_INT_H

#include "canon.h"
#include "dkim.h"
#include "signed.h"

/* What the canonical body is hashed as; signatures that want the same share one. */
struct body {
	struct body	*next;
	struct canon_body canon;
	bool		 sha1;
	unsigned char	 digest[SHA256_OCTETS];
};

struct field {
	struct signed_field f;
	struct str	 text;		/* "Name: value", folds with CRLF */
	bool		 is_signature;
	struct field	*next;
};

struct signature {
	struct dkim_signature s;
	const struct field *field;
	struct dkim_tags tags;
	struct dns_query *query;
	struct dkim_key	 key;
	bool		 open;		/* it could still pass */
	bool		 well_formed;
	bool		 by_lib;	/* libopendkim gets to see it, once its key is there */
	bool		 header_good;	/* libopendkim says so */
	bool		 untried;	/* its key is too large; the body may still show it wrong */
	struct body	*body;		/* NULL: it couldn't be verified from the start */
};

struct dkim_check {
	struct dkim_engine *engine;
	struct resolver	*resolver;
	struct arena	*arena;
	struct str	 id;
	unsigned	 max;		/* signatures that are looked at */
	struct field	*fields, *last;	/* as they came */
	size_t		 nfields, octets;
	size_t		 nfound;	/* DKIM-Signature fields */
	struct signature *sig;		/* from dkim_end_headers() on */
	size_t		 nsig;
	struct signature **chosen;	/* those that are looked at, best first */
	size_t		 nchosen;
	bool		 has_nul, too_large;
	struct body	*bodies;
	struct dkim_answer answer;
};

/* The signature has its result. */
void dkim_settle(struct signature *s, enum dkim_result r, struct str why);

/* ---- dkim_cover.c ---- */

/* Says of each signature what it covers, once the body is over.  -1 without memory. */
int dkim_cover(struct dkim_check *c);

/* ---- dkim_lib.c ---- */

/* The time that the engine goes by. */
time_t dkim_engine_clock(const struct dkim_engine *e);

/*
 * Has libopendkim verify what covers the header, of all signatures that are
 * open and by_lib; their keys are there.  Those that fail are settled.  -1 without memory.
 */
int dkim_lib_verify(struct dkim_check *c);

/* ---- dkim_own.c ---- */

/* The same for the others that are open. */
int dkim_own_verify(struct dkim_check *c);

#endif
