/*
 * reload.h - a reload that is waited for.
 */
#ifndef FILTER_RELOAD_H
#define FILTER_RELOAD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "rules/str.h"

/*
 * Asks the filter that runs as `pid` to load its rules anew, waits for what comes of it and
 * says so.  Returns EX_OK, EX_CONFIG if the old rules go on, or another sysexits(3) code
 * where nothing is known.
 */
int reload_ask(pid_t pid);

/* The filter's side: tells who has sent that signal by reload_ask() what came of it, others nothing. */
void reload_answer(const siginfo_t *from, bool taken, struct str text);

#endif
