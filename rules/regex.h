/*
 * regex.h - regular expressions: PCRE2 compiled, limited, matched.
 *
 * The only file that includes PCRE2's header is regex.c.  Code is shared by
 * all threads; match data and JIT stacks belong to the thread that matches.
 */
#ifndef RULES_REGEX_H
#define RULES_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

struct arena;
struct needed;
struct regex;

#define REGEX_CAPTURES	100

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };

struct captures {
	int		n;		/* groups that are set, with 0 the whole match */
	struct str	group[REGEX_CAPTURES];	/* p NULL: did not take part */
};

/*
 * Compiles for UTF-8 text (`bytes`: for octets as they are), flags some of
 * "imsx"; the code is tied to the arena.  In text \w, \d, \s, \b and [:classes:]
 * go by Unicode, and what isn't UTF-8 in a subject matches nothing.  On error
 * returns NULL, *offset is the place in the pattern in octets, counted on over
 * the slash into the flags, and why PCRE2's words (or "out of memory").
 */
struct regex *regex_compile(struct arena *a, struct str pattern, struct str flags,
    bool bytes, unsigned match_limit, size_t *offset, struct strbuf *why);

/* Number of capturing groups. */
int regex_groups(const struct regex *re);

/* What a subject must hold to match (literal_of.h). */
const struct needed *regex_needed(const struct regex *re);

/*
 * Searches the subject; caps may be NULL.  Groups point into the subject.
 *
 * REGEX_LIMIT: nobody can say, since a limit was reached: that of steps from
 * one starting point (match_limit, less for subjects of more than 80K octets,
 * or without JIT 5K), of the JIT's stack or the interpreter's heap, or a second
 * of processor time for the whole search.  Without what a match needs
 * (regex_needed()) it is REGEX_NO all the same.  A pattern that can begin anywhere is first
 * searched by a later part of it, which has the same limits of its own.
 */
enum regex_result regex_match(const struct regex *re, struct str subject, struct captures *caps);

#endif
