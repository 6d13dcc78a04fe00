/*
 * readable.h - whether the daemon will be able to read what the rules name, and to write
 * its store.
 */
#ifndef FILTER_READABLE_H
#define FILTER_READABLE_H

#include <stdbool.h>

struct diag;
struct ruleset;

/*
 * As root, with `set user`: tries as that user, in `set chroot`, to open the
 * rules file, what it includes, lists, databases, and the messages and zones
 * of tests; what it can't is queued in diag as an error.
 */
void readable_files(const struct ruleset *rs, struct diag *d);

/*
 * The same with the store, if rules need one in a file; as that user itself, too.  Where that
 * can't be tried (another user, none set) only a store that has no place at all is told,
 * as a warning.  starts: whoever asks will start the daemon, so that nothing is in doubt.
 */
void readable_store(const struct ruleset *rs, bool starts, struct diag *d);

#endif
