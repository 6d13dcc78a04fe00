/*
 * reload.h - a reload that is waited for.
 */
#ifndef FILTER_RELOAD_H
#define FILTER_RELOAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "rules/str.h"

/*
 * Asks the filter that runs as `pid` to load its rules anew, waits for what comes of it and
 * says so.  Returns EX_OK, EX_CONFIG if the old rules go on, or another sysexits(3) code
 * where nothing is known.
 */
int reload_ask(pid_t pid);

/* The filter's side: tells `asker`, if it waits, what came of the signal that it sent. */
void reload_answer(pid_t asker, bool taken, struct str text);

#endif
