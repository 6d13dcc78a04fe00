/*
 * spf_macro.h - macros of SPF records and explanations (RFC 7208, 7).
 *
 * Pure: what a macro stands for is handed in, nothing is looked up.
 */
#ifndef FILTER_SPF_MACRO_H
#define FILTER_SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/str.h"
#include "rules/types.h"

struct arena;

/* What the letters stand for. */
struct spf_macro_env {
	struct str	sender;		/* s, local@domain */
	struct str	local;		/* l */
	struct str	sender_domain;	/* o */
	struct str	domain;		/* d */
	struct str	helo;		/* h */
	struct str	receiver;	/* r, empty: "unknown" */
	struct str	client;		/* p, empty: "unknown" */
	struct ipaddr	ip;		/* i, v, c */
	int64_t		now;		/* t, seconds since 1970 */
};

/* Where a macro-string stands decides about c, r, t and about blanks. */
enum spf_macro_place {
	SPF_IN_TERM,		/* the argument of a mechanism or modifier */
	SPF_IN_TEXT		/* the text that exp= leads to */
};

/* Longest domain name in text form; a longer one loses labels at its left (7.3). */
#define SPF_NAME_MAX	253

/*
 * Is s a macro-string (7.1)?  NULL if so, or what is wrong with it, in words.
 */
const char *spf_macro_check(struct str s, enum spf_macro_place place);

/* The same for a domain-spec: it ends in a macro or in a top label. */
const char *spf_domain_check(struct str s);

/* Does s use the macro p?  Only then the client's names are worth a lookup. */
bool spf_macro_wants_client(struct str s);

/*
 * The domain name that a domain-spec stands for, which spf_domain_check()
 * has passed: expanded, without the last dot, at most SPF_NAME_MAX octets.
 * It need not be a name that DNS knows.  In the arena, NUL-terminated past
 * its length; p is NULL without memory.
 */
struct str spf_macro_domain(struct arena *a, struct str spec,
    const struct spf_macro_env *env);

/*
 * An explanation expanded: printable ASCII, whatever sender and HELO hold,
 * cut after max octets.  In the arena; p is NULL without memory.
 */
struct str spf_macro_text(struct arena *a, struct str text,
    const struct spf_macro_env *env, size_t max);

#endif
