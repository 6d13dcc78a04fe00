/*
 * dkim_length.c - counts the octets of a body as DKIM hashes it.
 *
 * libopendkim tells the length that it hashed, which l= has capped already;
 * whether a signature leaves something out needs the whole.  Only counters
 * are kept, so a body of any size costs nothing.
 */
#include "dkim_length.h"

static void
end_line(struct dkim_length *d)
{
	d->blank = false;
	if (d->line == 0) {
		d->blank_lines++;
		return;
	}
	d->octets += 2 * d->blank_lines + d->line + 2;
	d->blank_lines = 0;
	d->line = 0;
}

static void
count(struct dkim_length *d, char c, bool relaxed)
{
	if (relaxed && (c == ' ' || c == '\t')) {
		d->blank = true;
		return;
	}
	d->line += d->blank ? 2 : 1;	/* blanks before it are one */
	d->blank = false;
}

void
dkim_length_add(struct dkim_length *d, struct str chunk, bool relaxed)
{
	for (size_t i = 0; i < chunk.n; i++) {
		if (d->cr && chunk.p[i] == '\n') {
			d->cr = false;
			end_line(d);
			continue;
		}
		if (d->cr)
			count(d, '\r', relaxed);
		d->cr = chunk.p[i] == '\r';
		if (!d->cr)
			count(d, chunk.p[i], relaxed);
	}
}

uint64_t
dkim_length_end(struct dkim_length *d, bool relaxed)
{
	if (d->cr)
		count(d, '\r', relaxed);
	d->cr = false;
	if (d->line > 0)
		end_line(d);
	/* An empty body is one line end to "simple", nothing to "relaxed". */
	return d->octets == 0 && !relaxed ? 2 : d->octets;
}
