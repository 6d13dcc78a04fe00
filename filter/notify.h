/*
 * notify.h - tells systemd how the daemon is.
 */
#ifndef FILTER_NOTIFY_H
#define FILTER_NOTIFY_H

/* Connects to $NOTIFY_SOCKET, if there is one; before the root is changed. */
void notify_open(void);

/* One datagram of NAME=value lines (sd_notify(3)); nothing without the socket. */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
