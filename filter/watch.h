/*
 * watch.h - lists whose files change while the daemon runs.
 */
#ifndef FILTER_WATCH_H
#define FILTER_WATCH_H

/*
 * Starts the thread that looks once a second whether files of the current
 * generation's lists have changed; it never ends.  0, or an errno.
 */
int watch_start(void);

#endif
