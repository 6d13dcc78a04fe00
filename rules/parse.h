/*
 * parse.h - from text to tree.
 */
#ifndef RULES_PARSE_H
#define RULES_PARSE_H

#include <stddef.h>

#include "str.h"

struct arena;
struct ast;
struct diag;

/*
 * Reads a file and all that it includes.  Every mistake goes to diag; the
 * parser finds its feet at the next statement, so one run tells them all.
 * Relative paths, in include and file entries, are relative to the file that
 * names them.
 *
 * Returns the tree, in the arena, also after mistakes (what could not be read
 * is left out), or NULL if the file itself can't be read or memory is out
 * (diag says which).
 */
struct ast *parse_file(const char *path, struct arena *a, struct diag *d);

/* The same from memory, under that name; includes are relative to dir. */
struct ast *parse_text(struct str name, struct str text, const char *dir,
    struct arena *a, struct diag *d);

#endif
