/*
 * listfile.h - list files, entry by entry.
 */
#ifndef RULES_LISTFILE_H
#define RULES_LISTFILE_H

#include <stdbool.h>

#include "diag.h"
#include "str.h"

/* An entry and its place; flags and pattern where the file holds patterns. */
struct listfile_entry {
	struct span	at;
	struct str	text;		/* of a pattern: between the slashes */
	struct str	flags;
};

/*
 * Goes through the text of a list file.  fn returns -1 to stop; wrong lines
 * are queued in diag without it.  Returns what fn did last, else 0.
 */
int listfile_each(const struct source *src, bool patterns, struct diag *d,
    int (*fn)(void *arg, const struct listfile_entry *e), void *arg);

#endif
