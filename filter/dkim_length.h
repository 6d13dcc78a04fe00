/*
 * dkim_length.h - how long a body is in its canonical forms (RFC 6376, 3.4.3
 * and 3.4.4), for l=.
 */
#ifndef FILTER_DKIM_LENGTH_H
#define FILTER_DKIM_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/str.h"

/* A zeroed one has seen nothing. */
struct dkim_length {
	uint64_t	octets;		/* up to the last line that isn't empty */
	uint64_t	blank_lines;	/* after it: they count if another line follows */
	uint64_t	line;		/* of the line at hand */
	bool		blank;		/* relaxed: it ends in blanks so far */
	bool		cr;		/* the last octet was a CR */
};

void dkim_length_add(struct dkim_length *d, struct str chunk, bool relaxed);

/* The length, a missing line end at the end of the body added. */
uint64_t dkim_length_end(struct dkim_length *d, bool relaxed);

#endif
