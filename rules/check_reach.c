/*
 * check_reach.c - what can never be: rules that no message comes to,
 * thresholds that no score reaches, lists that nobody asks.
 *
 * Each is a sign that something else was meant, so each is a warning, and
 * each must be right: what can't be told for sure isn't told.  Where a file
 * has errors its rules aren't what they will be, and only what a condition
 * says by itself is looked at.
 *
 * check_search.c does the reasoning, check_cover.c what rules do to each other; conditions
 * that are constant by themselves are check_constant.c's, those that mean something, but
 * perhaps not what was meant, check_doubts.c's and check_temperror.c's.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "check_cover.h"
#include "check_reach.h"
#include "check_walk.h"
#include "diag.h"

#define NAMES_MAX	6	/* rules that are named in one message */

/* ---- Scores ---- */

struct range {
	int64_t	lo, hi;
	bool	any, shadow;	/* rules that score, really or as shadow */
};

static void
check_threshold(struct diag *d, const struct cond *c, const struct range *r)
{
	int64_t n = c->operands->value.n;
	bool never, always;
	char reach[64];

	switch (c->op) {
	case OP_LT:
		never = r->lo >= n, always = r->hi < n;
		break;
	case OP_LE:
		never = r->lo > n, always = r->hi <= n;
		break;
	case OP_GT:
		never = r->hi <= n, always = r->lo > n;
		break;
	case OP_GE:
		never = r->hi < n, always = r->lo >= n;
		break;
	case OP_IS:
		never = n < r->lo || n > r->hi, always = n == r->lo && n == r->hi;
		break;
	default:
		return;
	}
	if (!never && !always)
		return;
	if (!r->any) {
		diag_warning(d, c->at, "no rule above scores%s, so the score is 0 here and "
		    "this is %s true", r->shadow ? " (shadow rules don't)" : "",
		    (always != c->negated) ? "always" : "never");
		return;
	}
	if (r->lo == r->hi)
		(void)snprintf(reach, sizeof(reach), "always %lld", (long long)r->lo);
	else
		(void)snprintf(reach, sizeof(reach), "from %lld to %lld",
		    (long long)r->lo, (long long)r->hi);
	diag_warning(d, c->at, "the rules above score %s in all%s, so this is %s true",
	    reach, r->shadow ? " (shadow rules don't count)" : "",
	    (always != c->negated) ? "always" : "never");
}

struct thresholds {
	struct diag	*d;
	const struct range *range;
};

static void
threshold(void *arg, const struct fact_use *u)
{
	const struct thresholds *t = arg;

	if (u->ref->fact != NULL && (u->ref->fact->flags & F_OWN) != 0 &&
	    u->ref->fact->type == T_NUMBER && u->cond->operands != NULL)
		check_threshold(t->d, u->cond, t->range);
}

static void
add_score(struct range *range, const struct rule *r)
{
	int constant = rule_constant(r);
	int64_t sum;

	for (const struct action *a = r->actions; a != NULL; a = a->next)
		range->shadow |= (actions[a->id].flags & ACT_SCORE) != 0 && a->would;
	if (!rule_scores(r, &sum) || constant == -1)
		return;
	range->any = true;
	if (sum < 0 || constant == 1)
		range->lo += sum;
	if (sum > 0 || constant == 1)
		range->hi += sum;
}

static void
check_scores(struct ast *ast, struct diag *d)
{
	struct range range = { 0 };

	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		struct thresholds t = { d, &range };

		walk_cond(r->cond, threshold, &t);
		add_score(&range, r);
	}
}

/* ---- Rules that are never reached ---- */

/* "'a'", "'a' and 'b'", "one of 'a', 'b' and 'c'" */
static const char *
name_rules(struct strbuf *b, const struct cover_rules *by)
{
	size_t shown = by->n > NAMES_MAX ? NAMES_MAX - 1 : by->n;

	for (size_t i = 0; i < shown; i++)
		strbuf_printf(b, "%s'" STR_FMT "'", i == 0 ? "" : i + 1 < by->n ? ", " : " and ",
		    STR_ARG(by->v[i]->name.text));
	if (shown < by->n)
		strbuf_printf(b, " and %zu more", by->n - shown);
	return b->failed ? "?" : b->p;
}

static void
tell_unreached(struct diag *d, const struct rule *r, const struct cover_rules *by)
{
	struct strbuf names = { 0 }, below = { 0 };
	int n = 0;

	for (const struct rule *k = r->next; by->all && k != NULL; k = k->next)
		n++;
	if (n > 0)
		strbuf_printf(&below, " and %d rule%s below it", n, n == 1 ? "" : "s");
	(void)name_rules(&names, by);
	if (by->all)
		diag_warning(d, r->name.at, "'" STR_FMT "'" STR_FMT " can never be reached: " STR_FMT
		    " above take%s every message", STR_ARG(r->name.text), STR_ARG(strbuf_slice(&below)),
		    STR_ARG(strbuf_slice(&names)), by->n == 1 ? "s" : "");
	else
		diag_warning(d, r->name.at, "'" STR_FMT "' can never be reached: where it is true, "
		    "%s" STR_FMT " above has ended the reading", STR_ARG(r->name.text),
		    by->n == 1 ? "" : "one of ", STR_ARG(strbuf_slice(&names)));
	for (size_t i = 0; i < by->n && i < NAMES_MAX; i++)
		diag_note(d, rule_final(by->v[i])->at, "it ends here");
	strbuf_free(&names);
	strbuf_free(&below);
}

static void
check_unreached(struct ast *ast, struct cover *cover, struct diag *d)
{
	struct cover_rules by;

	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		if (rule_constant(r) == -1) {
			cover_forget(cover, r);		/* that was said */
			continue;
		}
		if (cover_hides(cover, r, NULL, &by) != HIDES)
			continue;
		tell_unreached(d, r, &by);
		if (by.all)
			break;
		cover_forget(cover, r);
	}
}

/* ---- Lists ---- */

static void
check_unused(struct ast *ast, struct diag *d)
{
	for (const struct list *l = ast->lists; l != NULL; l = l->next)
		if (!l->used)
			diag_warning(d, l->name.at, "list '" STR_FMT "' is never used",
			    STR_ARG(l->name.text));
}

void
check_reachability(struct ast *ast, const struct settings *s, struct diag *d)
{
	bool whole = diag_errors(d) == 0;
	struct cover *cover = NULL;

	if (whole && (cover = cover_new(ast, s)) == NULL)
		diag_error(d, (struct span){ 0 }, "out of memory");
	check_doubts(ast, cover != NULL, d);
	if (cover == NULL)
		return;
	/* Rules are held against each other: all must be known. */
	check_temperror(ast, cover, d);
	check_scores(ast, d);
	check_unreached(ast, cover, d);
	check_unused(ast, d);
	cover_free(cover);
}
