/*
 * prefilter.h - which of many patterns can match a subject at all.
 *
 * From a scan for what all patterns need (literal_of.h) at once comes a
 * set of candidates; regex_match() decides about each of those, and would say
 * REGEX_NO of all others.  So what a rule sees is the same with and without.
 *
 * The only file that includes libhs's header is prefilter.c.
 */
#ifndef RULES_PREFILTER_H
#define RULES_PREFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct arena;
struct prefilter;
struct regex;

/*
 * For patterns 0 to n - 1; NULL stands for one that is always a candidate, as
 * is one of which nothing is known.  Tied to the arena, thread-safe.
 *
 * NULL where it is of no use: for few patterns, without libhs or a CPU that
 * it runs on, without memory.  Then each pattern is a candidate.
 */
struct prefilter *prefilter_new(struct arena *a, const struct regex *const *patterns, size_t n);

/* Words of a set of candidates: pattern i is bit i % 64 of word i / 64. */
size_t prefilter_words(const struct prefilter *pf);

/* Adds the candidates in the subject to the set. */
void prefilter_scan(const struct prefilter *pf, struct str subject, uint64_t *set);

static inline bool
prefilter_has(const uint64_t *set, size_t i)
{
	return (set[i / 64] >> (i % 64) & 1) != 0;
}

/* The first candidate from i on, or n if there is none before n. */
size_t prefilter_next(const uint64_t *set, size_t i, size_t n);

/* For tests: whether any are made from now on (first: true). */
void prefilter_enable(bool on);

#endif
