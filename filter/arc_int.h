/*
 * arc_int.h - a check's inside, for arc.c and arc_verify.c.
 */
#ifndef FILTER_ARC_INT_H
#define FILTER_ARC_INT_H

#include "arc.h"
#include "canon.h"
#include "arc_tags.h"
#include "signed.h"

/* What the canonical body is hashed as; signatures that want the same share one. */
struct arc_body {
	struct canon_body canon;
	bool		ended;
	unsigned char	digest[SHA256_OCTETS];
};
#define ARC_BODIES_MAX	4

struct arc_set {
	const struct signed_field *field[ARC_FIELDS];
	struct str	results;	/* what ARC-Authentication-Results holds after i= */
	struct arc_tags	signature, seal;
	struct dns_query *signature_key, *seal_key;
	/* Of the signature; NULL: it isn't looked at.  The second is relaxed, for one without c=. */
	struct arc_body	*body[2];
};

struct arc_stored {
	struct signed_field f;
	struct arc_stored *next;
};

struct arc_check {
	struct resolver	*resolver;
	struct arena	*arena;
	time_t		 now;
	struct arc_stored *fields, *last; /* as they came */
	size_t		 nfields, octets;
	bool		 any;		/* there is a field of ARC's */
	bool		 too_large;
	struct signed_index index;	/* made when a signature needs it */
	struct arc_set	*sets;		/* instance i is sets[i - 1] */
	unsigned	 n;
	struct arc_body	*body[ARC_BODIES_MAX];
	size_t		 nbodies;
	struct hash	 chain;		/* the sets so far, for the seals above them */
	size_t		 work;		/* octets hashed for message signatures */
	bool		 settled;	/* the answer is known */
	struct arc_answer answer;
};

/* Pass, fail or temperror; *why is a constant. */
enum arc_result arc_verify_signature(struct arc_check *c, struct arc_set *s,
    msec deadline, const char **why);

/* The seal of the set; to be called for each set in turn, from the first. */
enum arc_result arc_verify_seal(struct arc_check *c, struct arc_set *s,
    msec deadline, const char **why);

#endif
