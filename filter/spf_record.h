/*
 * spf_record.h - SPF records read strictly (RFC 7208, 4.5, 4.6, 5, 6, 12).
 *
 * Pure and without memory of its own: terms are slices of the record.
 */
#ifndef FILTER_SPF_RECORD_H
#define FILTER_SPF_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/str.h"
#include "rules/types.h"

enum spf_kind {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6,
	SPF_EXISTS, SPF_REDIRECT, SPF_EXP, SPF_UNKNOWN_MODIFIER
};

struct spf_term {
	enum spf_kind	kind;
	char		qualifier;	/* + - ~ ? of a mechanism, + if none is written */
	struct str	text;		/* the whole term, as it stands in the record */
	struct str	spec;		/* domain-spec, or the modifier's value; empty: the current domain */
	struct ipaddr	ip;		/* of ip4 and ip6; IPv4 is IPv4-mapped */
	uint8_t		bits4, bits6;	/* cidr-lengths; 32 and 128 where none is written */
};

/* What a record has beside its mechanisms. */
struct spf_record {
	struct str	text;		/* the terms, without the version */
	struct str	redirect;	/* the whole modifier, n 0 if there is none */
	struct str	redirect_spec;
	struct str	exp_spec;	/* n 0: none */
};

/* Does the text of a TXT record begin with the version "v=spf1" (4.5)? */
bool spf_record_is(struct str txt);

/*
 * Reads a record, for which spf_record_is() is true, to its end.  Returns
 * NULL, or what is wrong, in words; then *where is the term.
 */
const char *spf_record_read(struct spf_record *r, struct str txt,
    struct str *where);

/*
 * The next term of *rest, which begins as r->text and moves on.  Returns 1, 0
 * at the end, or -1 with the reason in *wrong (never in a record that
 * spf_record_read() has passed).
 */
int spf_record_next(struct str *rest, struct spf_term *t, const char **wrong);

#endif
