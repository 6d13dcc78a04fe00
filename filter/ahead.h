/*
 * ahead.h - what an MTA sent, read in one go.
 */
#ifndef FILTER_AHEAD_H
#define FILTER_AHEAD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* read(2), but takes more than was asked for, if there is, and gives it at the next call. */
ssize_t ahead_read(int fd, void *buf, size_t n);

/* Is something there that was read already, for any of these that wants to read? */
bool ahead_any(const struct pollfd *fds, nfds_t n);

/* Adds those to what poll(2) found: how many are ready then. */
int ahead_add(struct pollfd *fds, nfds_t n, int ready);

/* To be called before the descriptor is closed. */
void ahead_forget(int fd);

#endif
