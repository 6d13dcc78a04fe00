/*
 * check.h - everything about a tree that can be wrong or doubtful.
 *
 * Each pass answers one question and fills in the "resolved" fields that the
 * next ones read.  They run in this order; all but the first assume that
 * those before found what they could, and keep quiet about what hangs on an
 * earlier mistake.
 */
#ifndef RULES_CHECK_H
#define RULES_CHECK_H

#include <time.h>

#include "diag.h"
#include "str.h"

struct arena;
struct ast;
struct settings;
struct table_ops;
struct tz;

/* Facts, lists, rules, things exist and are unique; later rules aren't named. */
void check_names(struct ast *ast, struct arena *a, struct diag *d);
/* Operators fit types; operands, regexes, codes, header names and paths are right; list files are read. */
void check_types(struct ast *ast, const struct settings *s, const struct tz *tz,
    const struct table_ops *ops, struct arena *a, struct diag *d);
/* What the tests give that no rule asks for. */
void check_givens(struct ast *ast, struct diag *d);
/* Conditions that are the same for every message. */
void check_constants(struct ast *ast, struct diag *d);
/* The stage of each rule, and what holds it back. */
void check_stages(struct ast *ast, struct diag *d);
/* Which rules are judged per recipient; what must not be in those. */
void check_recipients(struct ast *ast, struct diag *d);
/* Dead rules, doubtful conditions, thresholds out of reach, unused lists. */
void check_reachability(struct ast *ast, const struct settings *s, struct diag *d);

/* Can a text make the pattern, at its place with its slashes, take very long?  Says so. */
void check_pattern(struct diag *d, struct span at, struct str pattern, struct str flags);

/*
 * Reads the `time` of a test: "2026-11-22 10:00", seconds and a zone as in
 * RFC 3339 if wanted; without one it is of tz, or the system's.  0, or -1 if
 * it is none.
 */
int check_time(struct str s, const struct tz *tz, time_t *out);

#endif
