/*
 * load.c - a rules file on its way into the daemon.
 *
 * The same steps at start and at reload: read and checked, its tests run,
 * name servers and needs worked out.  Only when all of that went well, it becomes
 * current, in one assignment; until then the old rules know nothing of it.
 */
#include "filter/load.h"

#include <stdio.h>
#include <sysexits.h>

#include "filter/commands.h"
#include "filter/generation.h"
#include "filter/log.h"
#include "filter/milter.h"
#include "filter/selftest.h"
#include "filter/table_db.h"
#include "rules/ast.h"
#include "rules/diag.h"

static void
say(const struct strbuf *why)
{
	fprintf(stderr, "postern: " STR_FMT "\n", STR_ARG(strbuf_slice(why)));
}

/*
 * A generation of these rules, with *good if its tests passed and it may become current;
 * NULL if there is none.  The diagnostics or `why` tell what is wrong, and the
 * diagnostics point into the rules: say them before releasing it.
 */
static struct generation *
build(const char *path, struct engines *e, const struct generation *old,
    struct diag *d, struct strbuf *why, bool *good)
{
	struct generation *g;
	struct ruleset *rs;
	int failed;

	*good = false;
	if ((rs = rules_load_with(path, &table_db_ops, d)) == NULL ||
	    (g = generation_new(e, rs, old, why)) == NULL)
		return NULL;
	failed = selftest_run(g->ruleset, &g->services, NULL, d);
	*good = failed == 0 && milter_prepare(g) == 0;
	if (failed <= 0 && !*good)
		strbuf_puts(why, "out of memory");
	return g;
}

static struct generation *
drop(struct generation *g)
{
	generation_release(g);
	return NULL;
}

int
load_first(const char *path, struct engines *e, struct generation **g)
{
	struct strbuf why = { 0 };
	struct diag *d;
	bool good;
	int code = 0;

	if ((code = command_readable(path)) != EX_OK)
		return code;
	if ((d = diag_new()) == NULL) {
		fprintf(stderr, "postern: out of memory\n");
		return EX_OSERR;
	}
	*g = build(path, e, NULL, d, &why, &good);
	diag_print(d, stderr, command_colour(stderr));
	if (!good) {
		*g = drop(*g);
		if (why.n > 0)
			say(&why);
		else
			fprintf(stderr, "postern: %s: not started: %d %s\n",
			    path, diag_errors(d), diag_errors(d) == 1 ?
			    "mistake to mend" : "mistakes to mend");
		code = why.n > 0 ? EX_UNAVAILABLE : EX_CONFIG;
	}
	strbuf_free(&why);
	diag_free(d);
	return code;
}

static void
log_diagnostic(void *arg, enum severity severity, struct str line)
{
	(void)arg;
	log_printf(severity == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	    "reload: " STR_FMT, STR_ARG(line));
}

/* Settings that a reload can't change must be as they were. */
static bool
fixed_settings_kept(const struct generation *old, const struct generation *g)
{
	struct strbuf names = { 0 };
	int n = settings_fixed_changes(rules_settings(old->ruleset),
	    rules_settings(g->ruleset), &names);

	if (n > 0)
		log_printf(LOG_LEVEL_ERROR, "reload: refused: a reload can't change " STR_FMT " (restart postern for that)",
		    STR_ARG(strbuf_slice(&names)));
	strbuf_free(&names);
	return n == 0;
}

static bool
store_opened(struct engines *e, struct generation *g)
{
	struct strbuf why = { 0 };
	int r = generation_open_store(e, g, &why);

	if (r == -1)
		log_printf(LOG_LEVEL_ERROR, "reload: refused: " STR_FMT, STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	return r == 0;
}

int
load_again(const char *path, struct engines *e)
{
	struct generation *old = generation_current(), *g;
	struct strbuf why = { 0 };
	struct diag *d;
	bool good;

	if ((d = diag_new()) == NULL) {
		log_printf(LOG_LEVEL_ERROR, "reload: out of memory: the old rules go on");
		generation_release(old);
		return -1;
	}
	g = build(path, e, old, d, &why, &good);
	diag_each(d, log_diagnostic, NULL);
	if (why.n > 0)
		log_printf(LOG_LEVEL_ERROR, "reload: " STR_FMT, STR_ARG(strbuf_slice(&why)));
	if (good && fixed_settings_kept(old, g) && store_opened(e, g)) {
		/* Only this thread swaps: the current one stays valid here. */
		generation_swap(g);
		load_log(path, g, "reloaded");
		if (rules_settings(g->ruleset)->log_to != rules_settings(old->ruleset)->log_to)
			log_open(rules_settings(g->ruleset)->log_to);
	} else {
		load_log(path, old, "not reloaded, the old rules go on");
		g = drop(g);
	}
	strbuf_free(&why);
	diag_free(d);
	generation_release(old);
	return g != NULL ? 0 : -1;
}

void
load_log(const char *path, const struct generation *g, const char *what)
{
	const struct ast *ast = rules_ast(g->ruleset);
	char digest[13];

	generation_digest(g->ruleset, digest);
	log_printf(LOG_LEVEL_NOTICE, "%s: %s sha256=%s rules=%zu lists=%zu tests=%zu",
	    what, path, digest, ast->nrules, ast->nlists, ast->ntests);
}
