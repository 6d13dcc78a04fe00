/*
 * load.h - a rules file on its way into the daemon: read, tested, made current.
 */
#ifndef FILTER_LOAD_H
#define FILTER_LOAD_H

struct engines;
struct generation;
struct strbuf;

/*
 * The first load.  Diagnostics go to stderr as `check` shows them.
 * Returns 0 and *g, prepared but not current, or a sysexits(3) code; all has been said then.
 */
int load_first(const char *path, struct engines *e, struct generation **g);

/*
 * Loads the file beside the current generation, runs its tests and swaps it
 * in; what is wrong goes to the log, and then nothing has changed.
 * Returns 0, or -1; `said`, which must be empty, gets what came of it, in one line.
 */
int load_again(const char *path, struct engines *e, struct strbuf *said);

/* Says path, hash and counts of a generation to the log, and adds the same to `said` (may be NULL). */
void load_log(const char *path, const struct generation *g, const char *what, struct strbuf *said);

#endif
