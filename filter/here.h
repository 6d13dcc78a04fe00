/*
 * here.h - does this machine have what the settings name?
 */
#ifndef FILTER_HERE_H
#define FILTER_HERE_H

struct diag;
struct ruleset;

/*
 * Tries whether the daemon could be started here, by us: its user, root, group and socket,
 * and a place for its store.  All that is missing is queued in diag, each as an error at its setting.
 * What may be so because it runs already (a socket in use) is not told; a directory that
 * the socket's group can't enter is a warning.
 *
 * Returns 0, or a sysexits(3) code: EX_CONFIG if there is something that no second try
 * would mend, else that of the first finding.
 */
int here_check(const struct ruleset *rs, struct diag *d);

#endif
