/*
 * pool.h - the cure of libmilter's head-of-line stall.
 */
#ifndef FILTER_POOL_H
#define FILTER_POOL_H

#include <stdbool.h>

/*
 * Finds out where libmilter lies, so that its calls can be told from others'.
 * Call it once, before smfi_main() and before any thread that may signal.
 */
void pool_init(void);

/*
 * Waits up to `ms` milliseconds for libmilter's worker pool to show itself
 * after smfi_main() has begun.  False: there is none, or it can't be seen
 * (libmilter built without it, or linked statically); then nothing is cured.
 */
bool pool_wait_found(int ms);

/*
 * Workers that aren't idle: they run a callback, send its reply, or wait for
 * the rest of a packet.  0 where no pool was found.
 */
int pool_busy(void);

/*
 * The command of the packet whose callback this thread runs: SMFIC_BODY,
 * SMFIC_BODYEOB, ...  0 where libmilter's reading isn't seen.
 */
int pool_packet(void);

#endif
