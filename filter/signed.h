/*
 * signed.h - the header as a signature of DKIM or ARC covers it, and whether
 * the signature is the key's (RFC 6376, 3.7 and 5.4.2; RFC 8463).
 */
#ifndef FILTER_SIGNED_H
#define FILTER_SIGNED_H

#include "dkim_tags.h"

struct signed_field {
	struct str	name;		/* as it came */
	struct str	raw;		/* all octets after the colon */
	size_t		at;		/* so many stand above it */
};

/* A message's fields by name, those of one name from the top. */
struct signed_index {
	const struct signed_field **v;
	size_t		 n;
	uint32_t	*taken;		/* of each name, counted at its first field */
};

/*
 * Room for up to n fields, which the caller puts into v and counts in n;
 * signed_index_sort() then.  0, or -1 without memory.
 */
int signed_index_begin(struct signed_index *x, struct arena *a, size_t n);
void signed_index_sort(struct signed_index *x);

/* A signature that covers a header. */
struct signed_by {
	const struct signed_field *self;
	struct str	h;		/* the names, with colons between */
	bool		relaxed;
	size_t		b_from, b_to;	/* where the value of b= stands in self->raw */
};

/*
 * SHA-256 of the fields that h= names, from the bottom of each name and never the
 * signature itself, then of the signature without b=.  *work grows by the octets
 * that it took, and some for each name.  0, or -1 without memory.
 */
int signed_hash(struct signed_index *x, const struct signed_by *s, size_t *work,
    unsigned char *digest);

/* Is sig the signature of that SHA-256 digest by the key (dkim_key.octets)?  alg is no SHA-1. */
bool signed_verify(enum dkim_algorithm alg, struct str key, struct str sig,
    const unsigned char *digest);

#endif
