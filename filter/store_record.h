/*
 * store_record.h - the records of the store, and what an operation does to
 * them: the same for every back end, and without a clock of its own.
 *
 * A rate cuts time into slots of a sixtieth of its window, rounded up to
 * milliseconds, and counts the messages of each.  In the window are all slots that
 * touch it: a message counts for at least the window, and is forgotten at most one
 * slot later.  For a key time never goes back: a message that comes with an earlier time
 * counts as one of the latest slot.
 */
#ifndef FILTER_STORE_RECORD_H
#define FILTER_STORE_RECORD_H

#include "store.h"

#define RATE_SLOTS	60	/* a window; it touches one more */
#define RECORD_OCTETS	(16 + 5 * (RATE_SLOTS + 2))

struct record {
	size_t		n;		/* octets; 0: there is none */
	uint8_t		b[RECORD_OCTETS];
	int64_t		expires;	/* Unix time; set when it is written */
};

/* How many keys the operation has. */
size_t store_op_keys(const struct store_op *op);

/*
 * Does the operation on the records of its keys, which may hold any octets:
 * what is no record counts as none.  Returns bit i set where records[i] has
 * changed.
 */
unsigned store_op_apply(struct store_op *op, struct record records[STORE_OP_KEYS]);

/* Milliseconds of a slot of that window, which is in seconds. */
int64_t rate_slot(int64_t window);

#endif
