/*
 * check.c - `postern check`: what is wrong with a rules file, before it runs.
 *
 * The very code that loads for the daemon, and the tests in the file; nothing
 * is asked of the network, and nothing of this machine but what the file's lists are,
 * unless by --here.
 */
#include "filter/commands.h"

#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

#include "filter/generation.h"
#include "filter/here.h"
#include "filter/readable.h"
#include "filter/selftest.h"
#include "filter/table_db.h"
#include "rules/ast.h"
#include "rules/diag.h"

struct options {
	const char	*path;
	bool		 verbose, strict, json, coverage, here;
};

/* -1: go on; otherwise the status to end with. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "strict", no_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "coverage", no_argument, NULL, 'C' },
		{ "here", no_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, ":c:vh", options, NULL)) != -1)
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 's':
			o->strict = true;
			break;
		case 'j':
			o->json = true;
			break;
		case 'C':
			o->coverage = true;
			break;
		case 'H':
			o->here = true;
			break;
		case 'h':
			command_help("check", stdout);
			return EX_OK;
		default:
			return command_bad_option("check", c, argv);
		}
	if (optind < argc)
		return command_usage("check", "unexpected argument '%s'; the rules file is named with -c", argv[optind]);
	return -1;
}

/* The stage at which a rule's verdict can be told; one that gives none has no such stage. */
static const char *
stage_told(const struct rule *r)
{
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		if (actions[a->id].final && !a->would)
			return stage_name(r->reply_stage);
	return "-";
}

static void
print_table(const struct ruleset *rs)
{
	const struct rule *rules = rules_ast(rs)->rules;
	int width = 4;

	for (const struct rule *r = rules; r != NULL; r = r->next)
		if ((int)utf8_count(r->name.text) > width)
			width = (int)utf8_count(r->name.text);
	printf("%-*s  %-8s %-8s %-5s %s\n", width, "rule", "known at",
	    "told at", "for", "held back by");
	for (const struct rule *r = rules; r != NULL; r = r->next)
		printf(STR_FMT "%*s  %-8s %-8s %-5s " STR_FMT "\n",
		    STR_ARG(r->name.text), width - (int)utf8_count(r->name.text), "",
		    stage_name(r->stage), stage_told(r), r->per_rcpt ? "rcpt" : "all",
		    STR_ARG(r->holder != NULL ? r->holder->name.text : STR("-")));
	printf("\nNo verdict is told before %s (set earliest-reply).\n\n",
	    rules_settings(rs)->earliest_reply == EARLIEST_CONNECT ? "connect" :
	    rules_settings(rs)->earliest_reply == EARLIEST_MAIL ? "mail" : "rcpt");
}

static void
json_rules(struct strbuf *b, const struct ruleset *rs)
{
	strbuf_puts(b, ",\"rules\":[");
	for (const struct rule *r = rules_ast(rs)->rules; r != NULL; r = r->next) {
		strbuf_puts(b, "{\"rule\":");
		strbuf_json(b, r->name.text);
		strbuf_printf(b, ",\"known\":\"%s\",\"told\":", stage_name(r->stage));
		if (stage_told(r)[0] != '-')
			strbuf_printf(b, "\"%s\"", stage_told(r));
		else
			strbuf_puts(b, "null");
		strbuf_printf(b, ",\"perRecipient\":%s,\"heldBackBy\":",
		    r->per_rcpt ? "true" : "false");
		if (r->holder != NULL)
			strbuf_json(b, r->holder->name.text);
		else
			strbuf_puts(b, "null");
		strbuf_puts(b, r->next != NULL ? "}," : "}");
	}
	strbuf_puts(b, "]");
}

/* A rule that no test makes true may say anything. */
static void
print_coverage(const struct ruleset *rs, const struct reached *reached)
{
	size_t n = 0;

	for (const struct rule *r = rules_ast(rs)->rules; r != NULL; r = r->next) {
		const struct reached *c = &reached[r->index];

		n += c->yes > 0;
		if (c->yes == 0)
			printf("rule " STR_FMT ": %s\n", STR_ARG(r->name.text), c->no > 0 ?
			    "true in no test" : "no test comes to it");
	}
	printf("%zu of %zu rules are true in some test.\n\n", n, rules_ast(rs)->nrules);
}

static void
json_coverage(struct strbuf *b, const struct ruleset *rs, const struct reached *reached)
{
	strbuf_puts(b, ",\"coverage\":[");
	for (const struct rule *r = rules_ast(rs)->rules; r != NULL; r = r->next) {
		strbuf_puts(b, "{\"rule\":");
		strbuf_json(b, r->name.text);
		strbuf_printf(b, ",\"true\":%u,\"otherwise\":%u%s", reached[r->index].yes,
		    reached[r->index].no, r->next != NULL ? "}," : "}");
	}
	strbuf_puts(b, "]");
}

static int
print_json(const struct options *o, const struct ruleset *rs, const struct reached *reached,
    struct diag *d)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "{\"file\":");
	strbuf_json(&b, str_of(o->path));
	strbuf_printf(&b, ",\"errors\":%d,\"warnings\":%d,\"diagnostics\":",
	    diag_errors(d), diag_warnings(d));
	diag_json(d, &b);
	if (rs != NULL) {
		strbuf_printf(&b, ",\"lists\":%zu,\"tests\":%zu",
		    rules_ast(rs)->nlists, rules_ast(rs)->ntests);
		json_rules(&b, rs);
		if (reached != NULL)
			json_coverage(&b, rs, reached);
	}
	strbuf_puts(&b, "}\n");
	if (b.failed)
		return -1;
	fwrite(b.p, 1, b.n, stdout);
	strbuf_free(&b);
	return 0;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void
print_text(const struct options *o, const struct ruleset *rs, const struct reached *reached,
    struct diag *d)
{
	diag_print(d, stderr, command_colour(stderr));
	if (rs != NULL && o->verbose)
		print_table(rs);
	if (rs != NULL && reached != NULL)
		print_coverage(rs, reached);
	if (diag_errors(d) > 0)
		printf("%s: %d mistake%s, %d warning%s\n", o->path,
		    diag_errors(d), plural((size_t)diag_errors(d)),
		    diag_warnings(d), plural((size_t)diag_warnings(d)));
	else if (rs != NULL)
		printf("%s: %s: %zu rule%s, %zu list%s, %zu test%s passed, %d warning%s\n",
		    o->path, diag_warnings(d) > 0 ? "usable" : "good",
		    rules_ast(rs)->nrules, plural(rules_ast(rs)->nrules),
		    rules_ast(rs)->nlists, plural(rules_ast(rs)->nlists),
		    rules_ast(rs)->ntests, plural(rules_ast(rs)->ntests),
		    diag_warnings(d), plural((size_t)diag_warnings(d)));
}

static int
status_of(const struct options *o, struct diag *d)
{
	if (diag_errors(d) > 0)
		return EX_CONFIG;
	return o->strict && diag_warnings(d) > 0 ? EX_DATAERR : EX_OK;
}

/* What else `run` needs of this machine: name servers, the files behind facts. */
static void
check_services(struct engines *e, struct ruleset *rs, struct diag *d)
{
	struct strbuf why = { 0 };
	struct generation *g = generation_new(e, rs, NULL, &why);

	if (g == NULL)
		diag_error(d, (struct span){ 0 }, STR_FMT, STR_ARG(strbuf_slice(&why)));
	generation_release(g);
	strbuf_free(&why);
}

/*
 * Loads the rules, runs their tests and looks whether the daemon can read them; NULL if
 * they can't be loaded.  *reached, filled in for coverage, is the caller's to free(3).
 */
static struct ruleset *
load(const struct options *o, struct engines *e, struct reached **reached, struct diag *d)
{
	struct services sv = engines_services(e);
	struct ruleset *rs;

	if ((rs = rules_load_with(o->path, &table_db_ops, d)) == NULL)
		return NULL;
	if (o->coverage)
		*reached = calloc(rules_ast(rs)->nrules + 1, sizeof(**reached));
	if ((o->coverage && *reached == NULL) || selftest_run(rs, &sv, *reached, d) == -1)
		diag_error(d, (struct span){ 0 }, "out of memory");
	readable_files(rs, d);
	if (o->here) {
		(void)here_check(rs, d);
		check_services(e, rs, d);
	} else
		readable_store(rs, false, d);
	return rs;
}

int
command_check(int argc, char **argv)
{
	struct options o = { .path = DEFAULT_RULES };
	struct strbuf why = { 0 };
	struct reached *reached = NULL;
	struct engines *e;
	struct ruleset *rs;
	struct diag *d;
	int code;

	if ((code = read_options(argc, argv, &o)) != -1)
		return code;
	if ((code = command_readable(o.path)) != EX_OK)
		return code;
	if ((d = diag_new()) == NULL ||
	    (e = engines_new(NULL, 0, &why)) == NULL) {
		fprintf(stderr, "postern: cannot start: " STR_FMT "\n",
		    STR_ARG(d != NULL ? strbuf_slice(&why) : STR("out of memory")));
		diag_free(d);
		return EX_OSERR;
	}
	rs = load(&o, e, &reached, d);
	if (o.json)
		code = print_json(&o, rs, reached, d) == -1 ? EX_OSERR : status_of(&o, d);
	else {
		print_text(&o, rs, reached, d);
		code = status_of(&o, d);
	}
	if (rs != NULL)
		rules_release(rs);
	free(reached);
	engines_free(e);
	diag_free(d);
	return code;
}
