/*
 * store.h - what is remembered from one message to the next, for `rate` and
 * `greylist`.
 *
 * A store keeps small records under keys of a fixed length.  Where they are kept is
 * the back end's business: a file (LMDB), a server that several filters share
 * (Redis), or memory.  What an operation does to its records is the same for all of
 * them (store_record.h).
 *
 * All functions may be called by any thread.
 */
#ifndef FILTER_STORE_H
#define FILTER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver.h"
#include "rules/str.h"

struct store;

enum store_kind { STORE_RATE, STORE_TRIPLET, STORE_CLIENT, STORE_KINDS };

#define STORE_KEY_OCTETS	20
struct store_key {
	enum store_kind	kind;
	uint8_t		b[STORE_KEY_OCTETS];
};

/* A key that nobody can make to be another's: the head of a SHA-256.  0, or -1 without memory. */
int store_make_key(enum store_kind kind, struct str text, struct store_key *key);

/* One more under a key: how many came within the window, seconds, this one counted? */
struct store_rate {
	int64_t		window;
	uint64_t	count;		/* the answer */
};

/* Somebody came: is he to be delayed? */
struct store_greylist {
	int64_t		delay, retry, lifetime;	/* seconds */
	int64_t		whitelist_after;	/* mails that came again; 0: never */
	bool		delayed;		/* the answer */
};

#define STORE_OP_KEYS	2

/* What is asked, and the answer. */
struct store_op {
	enum { STORE_OP_RATE, STORE_OP_GREYLIST } what;
	int64_t		now;		/* Unix time, ms */
	struct store_key keys[STORE_OP_KEYS];	/* rate: one; greylist: the triplet and the client */
	union {
		struct store_rate rate;
		struct store_greylist greylist;
	};
};

/*
 * url		as `set store` has it, the form already checked
 * limit	entries of each kind, for stores that are ours to bound
 * say		gets a line when the store fails, and when it is back; may be NULL
 *
 * A file that can't be used is an error, with the reason in `why`; a server that
 * is away is none.  NULL on failure.
 */
struct store *store_open(struct str url, int64_t limit, void (*say)(const char *line),
    struct strbuf *why);
/* Ends what is under way.  NULL is allowed. */
void store_close(struct store *s);

/*
 * Does it, as one: either all of it is remembered or nothing.  0, or -1 where the store
 * failed or didn't answer by the deadline (clock_msec()): then it may have
 * been done or not.
 */
int store_run(struct store *s, struct store_op *op, msec deadline);

#endif
