/*
 * pool_park.h - threads that are kept for more work.
 */
#ifndef FILTER_POOL_PARK_H
#define FILTER_POOL_PARK_H

#include <stdbool.h>

/* What a thread runs. */
struct pool_work {
	int	 place;		/* of its routine, pool.c's */
	void	*arg;
};

/*
 * Waits in a thread that has nothing more to do.  True: there is work in *w
 * again.  False: there was none for a while, or enough wait; it is to end.
 */
bool pool_park(struct pool_work *w);

/* Has a thread that waits do it; false: none does. */
bool pool_unpark(struct pool_work w);

#endif
