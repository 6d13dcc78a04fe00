/*
 * scans.h - the patterns that rules hold against the same fact, found in one
 * look at it.
 *
 * compile.c hands over each comparison, and the evaluator asks before it makes
 * one.  Comparisons inside has ( ... ), or about each recipient, are made
 * as they are.
 */
#ifndef RULES_SCANS_H
#define RULES_SCANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cond;
struct node;
struct rules_state;
struct scan_group;
struct scans;

/* All comparisons of a ruleset; tied to the arena, NULL without memory. */
struct scans *scans_new(struct arena *a);

/* Notes a comparison: *group NULL for one that takes no part.  0, or -1 without memory. */
int scans_add(struct scans *s, const struct cond *c, const struct scan_group **group, size_t *index);

/* The comparison is all of that rule's condition: without a match the rule is false. */
void scans_decide(const struct scan_group *g, size_t index, size_t rule);

/* All are known: builds the prefilters. */
void scans_finish(struct scans *s);

/* Groups with a prefilter. */
size_t scans_count(const struct scans *s);

/* What one message's fact holds, by the group's number; set NULL: not known yet. */
struct scanned {
	uint64_t	*set;
	bool		 truncated;	/* so was the fact */
};

/*
 * True if no value of the fact can match, which is known; then *truncated tells whether
 * the fact was cut at a limit.  The first to ask decides all rules that are ruled out, and
 * takes them from st->open.
 */
bool scans_rule_out(struct rules_state *st, const struct node *n, bool *truncated);

#endif
