/*
 * judge.c - `postern judge`: what the rules do with a message, said without an MTA.
 *
 * Options, and on request the message's own header, make a script that is
 * played to a session as an MTA would (script.c), so that the answer is the
 * daemon's.  DNS is asked as the daemon would, or a zone file.
 */
#include "filter/judge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/commands.h"
#include "filter/generation.h"
#include "filter/table_db.h"
#include "rules/arena.h"
#include "rules/check.h"
#include "rules/diag.h"

struct options {
	const char	*path, *zone, *time;
	bool		 verbose, json, from_headers;
	struct script	 script;	/* what holds for all files */
	struct str	*rcpts;
	struct param	*macros;
};

enum {
	OPT_CLIENT = 256, OPT_NAME, OPT_HELO, OPT_SENDER, OPT_RCPT, OPT_AUTH,
	OPT_MACRO, OPT_ZONE, OPT_TIME, OPT_FROM_HEADERS, OPT_JSON
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "client", required_argument, NULL, OPT_CLIENT },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "sender", required_argument, NULL, OPT_SENDER },
	{ "rcpt", required_argument, NULL, OPT_RCPT },
	{ "auth", required_argument, NULL, OPT_AUTH },
	{ "macro", required_argument, NULL, OPT_MACRO },
	{ "zone", required_argument, NULL, OPT_ZONE },
	{ "time", required_argument, NULL, OPT_TIME },
	{ "from-headers", no_argument, NULL, OPT_FROM_HEADERS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

/* "2026-11-22 10:00", or Unix time. */
static int
read_time(const char *s, const struct tz *tz, time_t *out)
{
	char *end;
	long long n;

	if (check_time(str_of(s), tz, out) == 0)
		return 0;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || n <= 0)
		return -1;
	*out = (time_t)n;
	return 0;
}

static int
add_macro(struct options *o, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct str name;

	if (eq == NULL || eq == arg)
		return command_usage("judge", "--macro %s is no NAME=VALUE", arg);
	name = (struct str){ arg, (size_t)(eq - arg) };
	/* The model knows macros without braces. */
	if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = (struct str){ name.p + 1, name.n - 2 };
	o->macros[o->script.macros.n++] = (struct param){
		.name = name, .value = str_of(eq + 1)
	};
	return -1;
}

/* Could it stand in MAIL or RCPT?  Blanks only in a local part in quotes. */
static bool
is_path(struct str s, bool may_be_empty)
{
	bool quoted = false;

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = (struct str){ s.p + 1, s.n - 2 };
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (quoted && c == '\\' && i + 1 < s.n)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c < ' ' || c == 0x7f || (!quoted && (c == ' ' || c == '<' || c == '>')))
			return false;
	}
	return s.n > 0 || may_be_empty;
}

/* On one line, whatever is in it. */
static int
no_path(const char *option, const char *arg)
{
	struct strbuf shown = { 0 };
	int code;

	for (size_t i = 0; arg[i] != '\0' && i < 200; i++)
		strbuf_putc(&shown, (unsigned char)arg[i] < ' ' || arg[i] == 0x7f ? '?' : arg[i]);
	code = command_usage("judge", "%s '" STR_FMT "' is no address like user@example.org",
	    option, STR_ARG(strbuf_slice(&shown)));
	strbuf_free(&shown);
	return code;
}

/* One option of the dialogue; -1: go on, otherwise the status to end with. */
static int
take(struct options *o, int c, const char *arg)
{
	struct script *sc = &o->script;

	switch (c) {
	case OPT_CLIENT:
		if (ipaddr_parse(str_of(arg), &sc->ip) == -1)
			return command_usage("judge", "--client %s is no IP address", arg);
		sc->has_ip = true;
		break;
	case OPT_NAME:
		sc->name = str_of(arg);
		break;
	case OPT_HELO:
		sc->helo = str_of(arg);
		break;
	case OPT_SENDER:
		if (!is_path(str_of(arg), true))
			return no_path("--sender", arg);
		sc->sender = str_of(arg);
		sc->has_sender = true;
		break;
	case OPT_RCPT:
		if (!is_path(str_of(arg), false))
			return no_path("--rcpt", arg);
		o->rcpts[sc->rcpts.n++] = str_of(arg);
		break;
	case OPT_AUTH:
		sc->auth = str_of(arg);
		break;
	case OPT_MACRO:
		return add_macro(o, arg);
	case OPT_TIME:
		/* Which zone it is in, the rules will say. */
		o->time = arg;
		if (read_time(arg, NULL, &sc->now) == -1)
			return command_usage("judge", "--time %s is no time like \"2026-11-22 10:00\"", arg);
		break;
	}
	return -1;
}

/* -1: go on; otherwise the status to end with. */
static int
read_options(int argc, char **argv, struct options *o)
{
	int c, code;

	while ((c = getopt_long(argc, argv, ":c:vh", long_options, NULL)) != -1)
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case OPT_ZONE:
			o->zone = optarg;
			break;
		case OPT_FROM_HEADERS:
			o->from_headers = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case 'h':
			command_help("judge", stdout);
			return EX_OK;
		case '?':
		case ':':
			return command_bad_option("judge", c, argv);
		default:
			if ((code = take(o, c, optarg)) != -1)
				return code;
		}
	if (optind == argc)
		return command_usage("judge", "a message file is needed, or - for standard input");
	return -1;
}

/* What no option says, from the message's own header. */
static void
take_origin(struct script *sc, struct arena *a, const struct message_file *f)
{
	struct message_origin m;
	struct str *one;

	message_origin(a, f, &m);
	if (!sc->has_ip && m.has_ip) {
		sc->has_ip = true;
		sc->ip = m.ip;
		if (sc->name.p == NULL)
			sc->name = m.client_name;
	}
	if (sc->helo.p == NULL)
		sc->helo = m.helo;
	if (!sc->has_sender && m.sender.p != NULL) {
		sc->has_sender = true;
		sc->sender = m.sender;
	}
	if (sc->rcpts.n == 0 && m.rcpt.p != NULL &&
	    (one = arena_new_object(a, struct str)) != NULL) {
		*one = m.rcpt;
		sc->rcpts = (struct strings){ one, 1 };
	}
}

static int
judge_file(const struct options *o, const char *file, struct generation *g,
    bool many, bool colour)
{
	struct script sc = o->script;
	struct arena *a = arena_new(0);
	struct strbuf why = { 0 };
	struct message_file f;
	struct outcome out;
	struct judged j = { file, &sc, g->ruleset, &out,
	    g->services.resolver, o->verbose || isatty(STDOUT_FILENO) };
	int code = EX_OK;

	if (a == NULL || script_message(&sc, a, file, &f, &why) == -1) {
		fprintf(stderr, "postern: %s: cannot read: " STR_FMT "\n", file,
		    STR_ARG(a == NULL ? STR("out of memory") : strbuf_slice(&why)));
		strbuf_free(&why);
		arena_free(a);
		return EX_NOINPUT;
	}
	if (o->from_headers)
		take_origin(&sc, a, &f);
	if (o->time != NULL)
		(void)read_time(o->time, rules_time_zone(g->ruleset), &sc.now);
	if (o->verbose || o->json)
		resolver_trace(g->services.resolver);
	if (script_run(&sc, g->ruleset, &g->services, &out) == -1) {
		fprintf(stderr, "postern: %s: out of memory\n", file);
		arena_free(a);
		return EX_OSERR;
	}
	if (o->json)
		code = judge_print_json(&j, o->verbose) == -1 ? EX_OSERR : EX_OK;
	else if (many && !o->verbose)
		judge_print_line(&j, colour);
	else
		judge_print(&j, o->verbose, colour);
	outcome_free(&out);
	arena_free(a);
	return code;
}

/* The rules and what they need; the tests in the file are check's business. */
static struct generation *
load(const struct options *o, struct engines **e, int *code)
{
	struct strbuf why = { 0 };
	struct generation *g = NULL;
	struct ruleset *rs = NULL;
	struct diag *d;

	if ((*code = command_readable(o->path)) != EX_OK)
		return NULL;
	*code = o->zone != NULL ? command_zone_status(o->zone) : EX_UNAVAILABLE;
	if ((d = diag_new()) == NULL)
		strbuf_puts(&why, "out of memory");
	else if ((*e = engines_new(o->zone, 0, &why)) != NULL) {
		*code = EX_UNAVAILABLE;
		if ((rs = rules_load_with(o->path, &table_db_ops, d)) != NULL)
			g = generation_new(*e, rs, NULL, &why);
		else
			*code = EX_CONFIG;
		if (diag_errors(d) > 0)		/* warnings are check's business */
			diag_print(d, stderr, command_colour(stderr));
	}
	if (why.n > 0)
		fprintf(stderr, "postern: " STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	diag_free(d);
	rules_release(rs);
	return g;
}

static int
judge_all(const struct options *o, int n, char **files)
{
	struct engines *e = NULL;
	struct generation *g;
	int code = EX_OK, r;

	if ((g = load(o, &e, &code)) == NULL) {
		engines_free(e);
		return code;
	}
	code = EX_OK;
	for (int i = 0; i < n; i++) {
		r = judge_file(o, files[i], g, n > 1, command_colour(stdout));
		if (r != EX_OK)
			code = r;
	}
	generation_release(g);
	engines_free(e);
	return code;
}

int
command_judge(int argc, char **argv)
{
	struct options o = {
		.path = DEFAULT_RULES,
		.script = { .by_smtp = true, .port = 25000 },	/* any port but 0 */
	};
	int code;

	/* No more of them than arguments. */
	o.rcpts = calloc((size_t)argc + 1, sizeof(*o.rcpts));
	o.macros = calloc((size_t)argc + 1, sizeof(*o.macros));
	if (o.rcpts == NULL || o.macros == NULL) {
		fprintf(stderr, "postern: out of memory\n");
		code = EX_OSERR;
	} else {
		o.script.rcpts.v = o.rcpts;
		o.script.macros.v = o.macros;
		if ((code = read_options(argc, argv, &o)) == -1)
			code = judge_all(&o, argc - optind, argv + optind);
	}
	free(o.rcpts);
	free(o.macros);
	return code;
}
