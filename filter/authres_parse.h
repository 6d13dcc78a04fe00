/*
 * authres_parse.h - Authentication-Results fields read strictly (RFC 8601,
 * 2.2; RFC 8616): for what others state, as in ARC.
 */
#ifndef FILTER_AUTHRES_PARSE_H
#define FILTER_AUTHRES_PARSE_H

#include "rules/str.h"

struct arena;

/* Words as they came, comments and blanks gone, quotes undone. */
struct authres_property {
	struct str	name;		/* "smtp.mailfrom", or without a dot as some write */
	struct str	value;
};
struct authres_result {
	struct str	method, result;
	struct str	reason;		/* p NULL without one */
	unsigned	version;	/* of the method; 0 if none is given */
	const struct authres_property *props;
	size_t		nprops;
};
struct authres_field {
	struct str	id;		/* authserv-id */
	unsigned	version;
	const struct authres_result *results;
	size_t		n;		/* 0 for "none" */
};

/* Limits, beyond which a field counts as broken. */
#define AUTHRES_FIELD_MAX	65536
#define AUTHRES_RESULTS_MAX	100
#define AUTHRES_PROPERTIES_MAX	50

/*
 * Reads a field's value.  What is made lives in the arena.  0, or -1 if it
 * breaks the grammar anywhere, or without memory: then it states nothing.
 */
int authres_parse(struct arena *a, struct str value, struct authres_field *f);

/* Offset after blanks, folds and comments from `i` on; s.n + 1 if a comment isn't closed. */
size_t authres_skip(struct str s, size_t i);

#endif
