/*
 * commands.c - the commands, their help, and what they have in common.
 */
#include "filter/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/reload.h"
#include "filter/run.h"
#include "filter/version.h"

static const struct command {
	const char	*name;
	int		(*run)(int, char **);
	const char	*usage, *purpose, *options;
} commands[] = {
	{ "run", command_run, "[-c FILE] [--zone FILE]",
	    "run the filter in the foreground",
	    "  -c, --config FILE   the rules (default: " DEFAULT_RULES ")\n"
	    "      --zone FILE     answer all DNS lookups from this file\n"
	    "\nSIGHUP and SIGUSR1 load the rules anew, SIGTERM ends it.\n" },
	{ "reload", command_reload, "PID",
	    "have the filter load its rules anew, and say what came of it",
	    "PID is the running filter's process. The exit status is 0 if the new rules are in\n"
	    "force, 78 if the old ones go on, and other than these where nothing is known.\n" },
	{ "check", command_check, "[-c FILE] [-v] [--here] [--strict] [--coverage] [--json]",
	    "say what is wrong with a rules file, and run its tests",
	    "  -c, --config FILE   the rules (default: " DEFAULT_RULES ")\n"
	    "  -v, --verbose       each rule's stage, and what holds it back\n"
	    "      --here          also whether this machine has all that `run` needs: user,\n"
	    "                      group, directories; as who starts it, mostly root\n"
	    "      --strict        fail on warnings, too (exit status 65)\n"
	    "      --coverage      rules that are true in none of the tests\n"
	    "      --json          for programs\n" },
	{ "judge", command_judge, "[OPTION]... MESSAGE...",
	    "say what the rules do with a message (- is standard input)",
	    "  -c, --config FILE   the rules (default: " DEFAULT_RULES ")\n"
	    "      --client IP     address of the client\n"
	    "      --name NAME     its verified name\n"
	    "      --helo NAME     what it says to HELO\n"
	    "      --sender ADDR   envelope sender; '' or '<>' for none\n"
	    "      --rcpt ADDR     recipient; give it as often as there are\n"
	    "      --auth USER     the client has logged in\n"
	    "      --macro N=V     a macro of the MTA\n"
	    "      --zone FILE     answer all DNS lookups from this file\n"
	    "      --time TIME     when it is: \"2026-11-22 10:00\", or Unix time\n"
	    "      --from-headers  client, HELO, sender and recipient from Received and\n"
	    "                      Return-Path, where no option gives them\n"
	    "  -v, --verbose       each rule: true, false or not asked, and why\n"
	    "      --json          for programs\n" },
	{ "dns", command_dns, "[-c FILE | --servers LIST | --zone FILE] [--timeout TIME] [--json] NAME TYPE",
	    "show what the filter's name servers answer",
	    "TYPE is A, AAAA, CNAME, MX, NS, PTR, SOA or TXT; an address with PTR is turned round.\n\n"
	    "  -c, --config FILE   the rules whose dns-servers and dns-timeout are used\n"
	    "                      (default: " DEFAULT_RULES ", if there are any)\n"
	    "      --servers LIST  ADDRESS or ADDRESS@PORT, with commas between\n"
	    "      --zone FILE     answer from this file\n"
	    "      --timeout TIME  seconds to wait\n"
	    "      --json          for programs\n"
	    "\nThe exit status is 0 with records, 68 without, 75 if the lookup failed.\n" },
	{ "facts", command_facts, "[--json]",
	    "list what a rule can ask", "      --json          for programs\n" },
	{ "actions", command_actions, "[--json]",
	    "list what a rule can do", "      --json          for programs\n" },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

void
command_help(const char *name, FILE *out)
{
	const struct command *c = find(name);

	fprintf(out, "usage: postern %s %s\n\n%c%s.\n\n%s", c->name, c->usage,
	    c->purpose[0] - 'a' + 'A', c->purpose + 1, c->options);
}

int
command_usage(const char *name, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "postern: %s: ", name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see `postern %s --help`)\n", name);
	return EX_USAGE;
}

int
command_bad_option(const char *name, int c, char **argv)
{
	const char *option = argv[optind - 1];

	if (c == ':')
		return command_usage(name, "%s needs a value", option);
	/* Of a long option that is known optopt is its number: it was given a value. */
	if (strncmp(option, "--", 2) == 0)
		return optopt != 0 ?
		    command_usage(name, "option %.*s takes no value", (int)strcspn(option, "="), option) :
		    command_usage(name, "unknown option %s", option);
	return command_usage(name, "unknown option -%c", optopt);
}

int
command_zone_status(const char *zone)
{
	struct stat st;

	return access(zone, R_OK) == 0 && stat(zone, &st) == 0 && !S_ISDIR(st.st_mode) ?
	    EX_DATAERR : EX_NOINPUT;
}

bool
command_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return (no == NULL || *no == '\0') && isatty(fileno(out));
}

int
command_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "zone", required_argument, NULL, 'z' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *path = DEFAULT_RULES, *zone = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":c:h", options, NULL)) != -1)
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'z':
			zone = optarg;
			break;
		case 'h':
			command_help("run", stdout);
			return EX_OK;
		default:
			return command_bad_option("run", c, argv);
		}
	if (optind < argc)
		return command_usage("run", "unexpected argument '%s'", argv[optind]);
	return run_daemon(path, zone);
}

int
command_reload(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	char *end;
	long pid;
	int c;

	if ((c = getopt_long(argc, argv, ":h", options, NULL)) == 'h') {
		command_help("reload", stdout);
		return EX_OK;
	}
	if (c != -1)
		return command_bad_option("reload", c, argv);
	if (optind + 1 != argc)
		return command_usage("reload", "the process id of the running filter is needed");
	pid = strtol(argv[optind], &end, 10);
	if (*end != '\0' || pid < 1 || pid > INT_MAX)
		return command_usage("reload", "'%s' is no process id", argv[optind]);
	return reload_ask((pid_t)pid);
}

int
command_readable(const char *path)
{
	struct stat st;
	int error = 0;

	if (stat(path, &st) == -1 || access(path, R_OK) == -1)
		error = errno;
	else if (S_ISDIR(st.st_mode))
		error = EISDIR;
	if (error == 0)
		return EX_OK;
	if (error == EISDIR) {
		fprintf(stderr, "postern: %s: it is a directory (name the rules file in it, like %s%srules)\n",
		    path, path, path[strlen(path) - 1] == '/' ? "" : "/");
		return EX_NOINPUT;
	}
	fprintf(stderr, "postern: %s: cannot read: %s (%s)\n", path,
	    strerror(error), error == EACCES ?
	    "postern must be able to read it and enter its directories" :
	    "name the rules file with -c");
	return EX_NOINPUT;
}

static void
help(FILE *out)
{
	fprintf(out, "usage: postern COMMAND [OPTION]...\n\n"
	    "A policy milter for Postfix and Sendmail.\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].purpose);
	fprintf(out, "\n`postern COMMAND --help` tells more, `postern --version` its version;\n"
	    "the manual is postern(8), the language's postern-rules(5).\n");
}

/* What is said in the end must have been said: a full disk is an error. */
static int
finish(int code)
{
	if ((fflush(stdout) == EOF || ferror(stdout)) && code == EX_OK) {
		fprintf(stderr, "postern: cannot write to standard output (is the disk full, or the pipe closed?)\n");
		return EX_IOERR;
	}
	return code;
}

/*
 * Else a closed one would become the store's file or the MTA's socket, and the log be written there.
 * Open for reading only, so that writing goes on being an error.
 */
static void
keep_standard_descriptors(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

int
command_main(int argc, char **argv)
{
	const struct command *c;

	keep_standard_descriptors();
	if (argc < 2) {
		help(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return finish(EX_OK);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		version_print(stdout);
		return finish(EX_OK);
	}
	if ((c = find(argv[1])) == NULL) {
		fprintf(stderr, "postern: unknown command '%s' (see `postern --help`)\n", argv[1]);
		return EX_USAGE;
	}
	opterr = 0;
	return finish(c->run(argc - 1, argv + 1));
}
