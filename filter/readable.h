/*
 * readable.h - whether the daemon will be able to read what the rules name, and to write
 * its store.
 */
#ifndef FILTER_READABLE_H
#define FILTER_READABLE_H

struct diag;
struct ruleset;

/*
 * As root, with `set user`: tries as that user, in `set chroot`, to open the
 * rules file, what it includes, lists, databases, and the messages and zones
 * of tests, and to write the store; what it can't is queued in diag as an error.
 * As that user itself: the store alone.  Where that can't be tried (another user, none
 * set) only a store that has no place at all is told, as a warning.
 */
void readable_check(const struct ruleset *rs, struct diag *d);

#endif
