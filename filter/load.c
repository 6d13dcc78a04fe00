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
#include "filter/here.h"
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

/* A rules file that is being read.  The diagnostics point into the rules, which so outlive them. */
struct loading {
	struct ruleset	*rs;
	struct generation *g;		/* NULL: there is none */
	bool		 good;		/* its tests passed, and it may become current */
	int		 code;		/* of what is queued in diag */
	struct diag	*diag;
	struct strbuf	 why;		/* what else is wrong */
};

/* -1 without memory; else l tells what came of it, until end_loading(). */
static int
begin_loading(struct loading *l, const char *path, struct engines *e, const struct generation *old)
{
	int failed;

	*l = (struct loading){ .diag = diag_new() };
	if (l->diag == NULL)
		return -1;
	if ((l->rs = rules_load_with(path, &table_db_ops, l->diag)) == NULL) {
		l->code = EX_CONFIG;
		return 0;
	}
	/* Before there are threads, since it forks. */
	if (old == NULL)
		l->code = here_check(l->rs, l->diag);
	if ((l->g = generation_new(e, l->rs, old, &l->why)) == NULL)
		return 0;
	failed = selftest_run(l->rs, &l->g->services, NULL, l->diag);
	if (failed == -1 || milter_prepare(l->g) == -1)
		strbuf_puts(&l->why, "out of memory");
	else if (failed > 0)
		l->code = EX_CONFIG;
	else
		l->good = l->code == 0;
	return 0;
}

/* The generation goes on only if it was taken away before. */
static void
end_loading(struct loading *l)
{
	strbuf_free(&l->why);
	diag_free(l->diag);
	generation_release(l->g);
	rules_release(l->rs);
}

static struct generation *
take_generation(struct loading *l)
{
	struct generation *g = l->g;

	l->g = NULL;
	return g;
}

int
load_first(const char *path, struct engines *e, struct generation **g)
{
	struct loading l;
	int code = 0, n;

	*g = NULL;
	if ((code = command_readable(path)) != EX_OK)
		return code;
	if (begin_loading(&l, path, e, NULL) == -1) {
		fprintf(stderr, "postern: out of memory\n");
		return EX_OSERR;
	}
	diag_print(l.diag, stderr, command_colour(stderr));
	n = diag_errors(l.diag);
	if (l.good)
		*g = take_generation(&l);
	else if (l.why.n > 0)
		say(&l.why);
	if (n > 0)
		fprintf(stderr, "postern: %s: not started: %d %s\n", path, n,
		    n == 1 ? "mistake to mend" : "mistakes to mend");
	if (!l.good)
		code = l.code != 0 ? l.code : EX_UNAVAILABLE;
	end_loading(&l);
	return code;
}

/* To the log; `why` keeps the first mistake, for who waits for an answer. */
static void
log_diagnostic(void *arg, enum severity severity, struct str line)
{
	struct strbuf *why = arg;

	log_printf(severity == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	    "reload: " STR_FMT, STR_ARG(line));
	if (severity == DIAG_ERROR && why->n == 0)
		strbuf_str(why, line);
}

/* Settings that a reload can't change must be as they were. */
static bool
fixed_settings_kept(const struct generation *old, const struct generation *g, struct strbuf *why)
{
	struct strbuf names = { 0 };
	int n = settings_fixed_changes(rules_settings(old->ruleset),
	    rules_settings(g->ruleset), &names);

	if (n > 0)
		strbuf_printf(why, "refused: a reload can't change " STR_FMT " (restart postern for that)",
		    STR_ARG(strbuf_slice(&names)));
	strbuf_free(&names);
	return n == 0;
}

static bool
store_opened(struct engines *e, struct generation *g, struct strbuf *why)
{
	strbuf_puts(why, "refused: ");
	if (generation_open_store(e, g, why) == -1)
		return false;
	why->n = 0;
	return true;
}

/* The last steps of a reload, which need a ruleset that is good. */
static bool
can_replace(struct loading *l, struct engines *e, const struct generation *old)
{
	return l->good && fixed_settings_kept(old, l->g, &l->why) && store_opened(e, l->g, &l->why);
}

int
load_again(const char *path, struct engines *e, struct strbuf *said)
{
	struct generation *old = generation_current(), *g = NULL;
	struct loading l;

	if (begin_loading(&l, path, e, old) == -1) {
		log_printf(LOG_LEVEL_ERROR, "reload: out of memory: the old rules go on");
		strbuf_puts(said, "out of memory");
		generation_release(old);
		return -1;
	}
	diag_each(l.diag, log_diagnostic, said);
	if (can_replace(&l, e, old)) {
		/* Only this thread swaps: the current one stays valid here. */
		generation_swap(g = take_generation(&l));
		load_log(path, g, "reloaded", said);
		if (rules_settings(g->ruleset)->log_to != rules_settings(old->ruleset)->log_to)
			log_open(rules_settings(g->ruleset)->log_to);
	} else {
		if (l.why.n > 0)
			log_printf(LOG_LEVEL_ERROR, "reload: " STR_FMT, STR_ARG(strbuf_slice(&l.why)));
		if (said->n == 0)
			strbuf_str(said, strbuf_slice(&l.why));
		load_log(path, old, "not reloaded, the old rules go on", NULL);
	}
	end_loading(&l);
	generation_release(old);
	return g != NULL ? 0 : -1;
}

void
load_log(const char *path, const struct generation *g, const char *what, struct strbuf *said)
{
	const struct ast *ast = rules_ast(g->ruleset);
	struct strbuf line = { 0 };
	char digest[13];

	generation_digest(g->ruleset, digest);
	strbuf_printf(&line, "%s: %s sha256=%s rules=%zu lists=%zu tests=%zu",
	    what, path, digest, ast->nrules, ast->nlists, ast->ntests);
	log_printf(LOG_LEVEL_NOTICE, STR_FMT, STR_ARG(strbuf_slice(&line)));
	if (said != NULL)
		strbuf_str(said, strbuf_slice(&line));
	strbuf_free(&line);
}
