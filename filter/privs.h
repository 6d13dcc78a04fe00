/*
 * privs.h - limits and privileges of the process.
 */
#ifndef FILTER_PRIVS_H
#define FILTER_PRIVS_H

#include "rules/str.h"

/* Descriptors up to the hard limit, and small stacks for threads. */
void privs_raise_limits(void);

/*
 * Changes the root, and becomes the user with its groups, for good; either
 * may be empty.  Returns 0, or a sysexits(3) code with the reason in `why`.
 */
int privs_drop(struct str user, struct str chroot_dir, struct strbuf *why);

#endif
