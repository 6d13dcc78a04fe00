/*
 * watch.h - files that change while the daemon runs: those of lists, and its socket.
 */
#ifndef FILTER_WATCH_H
#define FILTER_WATCH_H

struct listener;

/*
 * Starts the thread that looks once a second whether files of the current
 * generation's lists have changed, whether the socket is still there, and whether there are
 * descriptors left; it never ends.  The listener must last as long.  0, or an errno.
 */
int watch_start(const struct listener *l);

/* The socket will be removed, and nothing is to be said of that. */
void watch_end(void);

#endif
