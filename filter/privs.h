/*
 * privs.h - limits and privileges of the process.
 */
#ifndef FILTER_PRIVS_H
#define FILTER_PRIVS_H

#include "rules/str.h"

/* Descriptors up to the hard limit, and small stacks for threads. */
void privs_raise_limits(void);

/*
 * Makes the directory that the file will be in, for the user that we become (empty:
 * we stay who we are), if it isn't there.  Where that can't be, whoever opens the file will say so.
 */
void privs_make_directory(struct str file, struct str user);

/*
 * Could that be done here, by us?  Either may be empty.  0, or a sysexits(3) code with
 * the reason and the mend in `why`.
 */
int privs_try_user(struct str user, struct strbuf *why);
int privs_try_chroot(struct str root, struct strbuf *why);

/*
 * Changes the root, and becomes the user with its groups, for good; either
 * may be empty.  Returns 0, or a sysexits(3) code with the reason in `why`.
 */
int privs_drop(struct str user, struct str chroot_dir, struct strbuf *why);

#endif
