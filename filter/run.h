/*
 * run.h - the daemon: start, reload, stop.
 */
#ifndef FILTER_RUN_H
#define FILTER_RUN_H

/*
 * Runs in the foreground until SIGTERM or SIGINT; SIGHUP and SIGUSR1 reload.
 *
 * path	of the rules file
 * zone	a zone file that answers all lookups, or NULL
 *
 * Returns a sysexits(3) code; what is wrong has been said.
 */
int run_daemon(const char *path, const char *zone);

#endif
