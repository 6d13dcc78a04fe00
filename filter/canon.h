/*
 * canon.h - canonical forms of header fields and bodies (RFC 6376, 3.4),
 * hashed as they are made.
 */
#ifndef FILTER_ARC_CANON_H
#define FILTER_ARC_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/str.h"

#define SHA1_OCTETS	20
#define SHA256_OCTETS	32

/* A hash under way.  hash_begin() before, hash_free() after; a zeroed one may be freed. */
struct hash {
	void		*md;
	size_t		 n;
	unsigned char	 buf[1024];
	bool		 failed;	/* no memory: it stays so */
};

/* sha1: for signatures that won't be accepted, but are told apart. */
int hash_begin(struct hash *h, bool sha1);
/* The copy goes on by itself. */
int hash_copy(struct hash *to, struct hash *from);
void hash_add(struct hash *h, const char *p, size_t n);
/* Ends it: out has SHA1_OCTETS or SHA256_OCTETS.  0, or -1 if it failed. */
int hash_end(struct hash *h, unsigned char *out);
void hash_free(struct hash *h);

/*
 * Adds a header field, without the line end behind it.
 *
 * raw		all octets after the colon
 * from, to	octets of raw that are left out: the value of b=
 */
void canon_field(struct hash *h, bool relaxed, struct str name, struct str raw,
    size_t from, size_t to);

/* A body as it comes, in chunks of any size.  Only counters are kept. */
struct canon_body {
	struct hash	hash;
	bool		relaxed;
	uint64_t	limit;		/* octets that are hashed: l=, or UINT64_MAX */
	uint64_t	octets;		/* canonical ones so far */
	uint64_t	line_ends;	/* they count if something follows */
	bool		blank;		/* relaxed: so does one blank */
	bool		cr;		/* the last octet was one: of a line end, or not */
};

int canon_body_begin(struct canon_body *b, bool relaxed, bool sha1, uint64_t limit);
void canon_body_add(struct canon_body *b, struct str chunk);
/* The hash; b->octets is then the length of the whole. */
int canon_body_end(struct canon_body *b, unsigned char *out);

#endif
