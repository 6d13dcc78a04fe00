/*
 * readable.h - whether the daemon will be able to read what the rules name.
 */
#ifndef FILTER_READABLE_H
#define FILTER_READABLE_H

struct diag;
struct ruleset;

/*
 * As root, with `set user`: tries as that user, in `set chroot`, to open the
 * rules file, what it includes, lists, databases, and the messages and zones
 * of tests; what a reload could not read is queued in diag as an error.
 * Nothing where that can't be tried: not root, no such user.
 */
void readable_check(const struct ruleset *rs, struct diag *d);

#endif
