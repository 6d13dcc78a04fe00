/*
 * milter.h - the filter as libmilter sees it.
 */
#ifndef FILTER_MILTER_H
#define FILTER_MILTER_H

#include <stdbool.h>

#include "generation.h"

/* One connection of the MTA, from negotiation to close. */
struct connection {
	struct generation *gen;		/* with a reference */
	struct session	*session;	/* NULL before connect, and without memory */
	unsigned long	 actions, steps; /* as agreed with the MTA */
	bool		 by_smtp;	/* false: nothing can be said before the dot */
	bool		 in_hand;	/* a message is: from MAIL to its end */
	bool		 failed;	/* memory was out where no reply could tell it */
	bool		 has_kept;
	struct plan	 kept;		/* a verdict given where no reply was possible */
	/* For the log: */
	const struct plan *said;	/* applied last; NULL: memory was out */
	bool		 put_off;	/* but the message got a tempfail of our own */
	const char	*trouble;	/* what could not be applied */
	msec		 began;		/* of the message */
};

/*
 * Registers the callbacks with libmilter.  0, or -1.
 */
int milter_register(void);

/*
 * Works out what to ask of an MTA under g's rules, and logs nothing.  Before
 * generation_swap().  0, or -1 without memory.
 */
int milter_prepare(struct generation *g);

/* Messages in hand: those that a stop waits for. */
int milter_messages(void);
/* From here on a new message is put off with 451. */
void milter_stop_soon(void);

/* Called before a callback that may wait; for where the pool can't be cured. NULL: nothing. */
void milter_set_relief(void (*fn)(void));

#endif
