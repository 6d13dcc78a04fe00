/*
 * source.h - a file's text, read whole and looked over.
 */
#ifndef RULES_SOURCE_H
#define RULES_SOURCE_H

#include <stdbool.h>

#include "diag.h"
#include "str.h"

struct arena;

/* A rules file is written by people; a list file may be longer. */
#define SOURCE_FILE_MAX		(16u << 20)
#define SOURCE_LINE_MAX		(1u << 20)

/*
 * Reads a file into a source that shows as `path`.  What can't be read is
 * queued in diag, at `at` if that is a place, and the source's text.p is
 * NULL.  max: octets that the file may have.
 *
 * Returns NULL only without memory.
 */
struct source *source_read(struct arena *a, const char *path, size_t max,
    struct span at, struct diag *d);

/* A source of text at hand. */
struct source *source_text(struct arena *a, struct str name, struct str text,
    const char *dir);

/*
 * Reports what is wrong with the text before its meaning is looked at: NULs,
 * control characters, what is not UTF-8 (comments may be anything), overlong
 * lines; with a warning a byte order mark (which is taken off), CR LF, no
 * newline at the end.  False: the text is none to be read further.
 */
bool source_check(struct source *src, struct diag *d);

/*
 * The path as the system opens it: relative ones start from the directory of
 * the source that names them.  NULL without memory or with a NUL in it.
 */
char *source_path(struct arena *a, const struct source *src, struct str path);

#endif
