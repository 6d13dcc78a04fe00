/*
 * arc_tags.h - what the three fields of an ARC set say (RFC 8617, 4.1).
 */
#ifndef FILTER_ARC_TAGS_H
#define FILTER_ARC_TAGS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dkim_tags.h"

/* ARC-Authentication-Results, ARC-Message-Signature, ARC-Seal. */
enum arc_field { ARC_RESULTS, ARC_SIGNATURE, ARC_SEAL, ARC_FIELDS };
const char *arc_field_name(enum arc_field f);

/* RFC 8617, 4.2.1 */
#define ARC_SETS_MAX	50

enum arc_cv { ARC_CV_NONE, ARC_CV_FAIL, ARC_CV_PASS };

/* One field.  Strings in the arena or slices of what was read. */
struct arc_tags {
	unsigned	instance;	/* 1 to ARC_SETS_MAX; 0: it has none */
	const char	*wrong;		/* what makes it worthless, or NULL */
	struct str	domain, selector;
	enum dkim_algorithm alg;
	struct str	signature;	/* b=, decoded */
	size_t		b_from, b_to;	/* where its value stands in the raw field */
	enum arc_cv	cv;		/* of a seal */
	struct str	h;		/* of a message signature, as are those below */
	struct str	body_hash;	/* 32 octets */
	bool		has_canon;	/* c= */
	bool		relaxed_header, relaxed_body, has_length;
	uint64_t	length;		/* l= */
};

/* `now` is for x= and t= of a message signature, as in DKIM. */
void arc_read_seal(struct arena *a, struct str raw, struct arc_tags *t);
void arc_read_signature(struct arena *a, struct str raw, time_t now, struct arc_tags *t);

/* The instance of ARC-Authentication-Results, or 0; *payload is what follows. */
unsigned arc_read_results(struct str raw, struct str *payload);

#endif
