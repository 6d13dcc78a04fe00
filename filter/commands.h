/*
 * commands.h - what an operator can ask postern to do.
 */
#ifndef FILTER_COMMANDS_H
#define FILTER_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/* Set by the build to the configured place. */
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#define DEFAULT_RULES	SYSCONFDIR "/postern/rules"

/* All of main(): finds the command, and ends with its status. */
int command_main(int argc, char **argv);

/* Each gets the arguments from its own name on, and returns a sysexits(3) code. */
int command_run(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_check(int argc, char **argv);
int command_judge(int argc, char **argv);
int command_dns(int argc, char **argv);
int command_facts(int argc, char **argv);
int command_actions(int argc, char **argv);

/* Prints a command's usage to out. */
void command_help(const char *name, FILE *out);

/* Says that an option or argument is wrong, and where help is; EX_USAGE. */
int command_usage(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* getopt_long() has said '?' or ':' about argv[optind - 1]: the same. */
int command_bad_option(const char *name, int c, char **argv);

/* Can a rules file be read?  EX_OK, or says why not: EX_NOINPUT. */
int command_readable(const char *path);

/* The status to end with where a zone file could not be taken: EX_DATAERR, or EX_NOINPUT. */
int command_zone_status(const char *zone);

/* Colour is for people: a terminal, and no $NO_COLOR. */
bool command_colour(FILE *out);

#endif
