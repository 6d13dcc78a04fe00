/*
 * check_reach.c - what can never be: constant conditions, rules that no
 * message comes to, thresholds that no score reaches, lists that nobody asks.
 *
 * Each is a sign that something else was meant, so each is a warning, and
 * each must be right: what can't be told for sure isn't told.  Where a file
 * has errors its rules aren't what they will be, and only what a condition
 * says by itself is looked at.
 *
 * check_const.c does the reasoning; conditions that mean something, but
 * perhaps not what was meant, are check_doubts.c's.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "check_reach.h"
#include "check_walk.h"
#include "diag.h"
#include "print.h"

/* ---- Constant conditions ---- */

/* For a message: the text of a condition, freed by strbuf_free(). */
static const char *
show(const struct cond *c, struct strbuf *b)
{
	struct cond one = *c;

	one.next = NULL;
	print_cond(&one, b);
	return b->failed || b->p == NULL ? "?" : b->p;
}

/* One of a and b always holds. */
static bool
exhausts(const struct cond *a, const struct cond *b, bool inside)
{
	struct cond first = *a, second = *b;
	struct cond either = { .kind = COND_OR, .child = &first };

	second.next = NULL;
	first.next = &second;
	return cond_constant(&either, inside) == 1;
}

/* The two parts that make it constant, if two alone do. */
static bool
find_pair(const struct cond *c, bool inside, const struct cond **a, const struct cond **b)
{
	int tried = 0;

	for (*b = c->child; *b != NULL; *b = (*b)->next)
		for (*a = c->child; *a != *b; *a = (*a)->next) {
			if (++tried > 1000)
				return false;
			if (c->kind == COND_AND ? cond_excludes(*a, *b, false, inside) :
			    exhausts(*a, *b, inside))
				return true;
		}
	return false;
}

static void
tell_constant(struct diag *d, const struct cond *c, int constant, bool inside)
{
	const struct cond *a, *b;
	struct strbuf sa = { 0 }, sb = { 0 };

	if ((c->kind == COND_AND || c->kind == COND_OR) && find_pair(c, inside, &a, &b)) {
		if (c->kind == COND_AND)
			diag_warning(d, b->at, "this is never true: '%s' and '%s' exclude "
			    "each other", show(a, &sa), show(b, &sb));
		else
			diag_warning(d, b->at, "this is always true: '%s' or '%s' holds "
			    "for every message", show(a, &sa), show(b, &sb));
		diag_note(d, a->at, "the other one is here");
	} else
		diag_warning(d, c->at, "'%s' is %s true", show(c, &sa),
		    constant == 1 ? "always" : "never");
	strbuf_free(&sa);
	strbuf_free(&sb);
}

/* Tells the smallest parts that are constant; true if any is. */
static bool
check_constant(struct diag *d, const struct cond *c, bool inside)
{
	bool told = false;
	int constant;

	for (const struct cond *k = c->child; k != NULL; k = k->next)
		told |= check_constant(d, k, inside || c->kind == COND_HAS);
	if (told || (constant = cond_constant(c, inside)) == 0)
		return told;
	tell_constant(d, c, constant, inside);
	return true;
}

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
add_score(struct range *range, const struct rule *r, int constant)
{
	int64_t sum = 0;
	bool scores = false;

	for (const struct action *a = r->actions; a != NULL; a = a->next) {
		if ((actions[a->id].flags & ACT_SCORE) == 0)
			continue;
		if (a->would) {
			range->shadow = true;
			continue;
		}
		sum += a->score;
		scores = true;
	}
	if (!scores || constant == -1)
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
		add_score(&range, r, cond_constant(r->cond, false));
	}
}

/* ---- Rules that are never reached ---- */

/* A rule that ends the reading, for those below it. */
struct above {
	const struct rule *rule;
	struct asked	asked;
	uint64_t	hash;		/* of its condition as it prints */
};

static struct above
above_of(struct rule *r)
{
	struct above a = { .rule = r, .asked = cond_asked(r->cond) };
	struct strbuf b = { 0 };

	(void)show(r->cond, &b);
	a.hash = str_hash(strbuf_slice(&b));
	strbuf_free(&b);
	return a;
}

static bool
reads_alike(const struct cond *a, const struct cond *b)
{
	struct strbuf sa = { 0 }, sb = { 0 };
	bool same;

	(void)show(a, &sa);
	(void)show(b, &sb);
	same = !sa.failed && !sb.failed && str_eq(strbuf_slice(&sa), strbuf_slice(&sb));
	strbuf_free(&sa);
	strbuf_free(&sb);
	return same;
}

static void
tell_unreached(struct diag *d, const struct rule *r, const struct rule *why, bool all)
{
	int below = 0;

	for (const struct rule *k = r->next; all && k != NULL; k = k->next)
		below++;
	if (below > 0)
		diag_warning(d, r->name.at, "'" STR_FMT "' and %d rule%s below it can never "
		    "be reached: '" STR_FMT "' above takes every message", STR_ARG(r->name.text),
		    below, below == 1 ? "" : "s", STR_ARG(why->name.text));
	else if (all)
		diag_warning(d, r->name.at, "'" STR_FMT "' can never be reached: '" STR_FMT
		    "' above takes every message", STR_ARG(r->name.text),
		    STR_ARG(why->name.text));
	else
		diag_warning(d, r->name.at, "'" STR_FMT "' can never be reached: where it "
		    "is true, '" STR_FMT "' above has ended the reading",
		    STR_ARG(r->name.text), STR_ARG(why->name.text));
	diag_note(d, rule_final(why)->at, "it ends here");
}

/* Is there a final rule above that is true wherever this one is? */
static const struct rule *
find_cover(const struct above *me, const struct above *above, size_t n, int64_t *work)
{
	for (size_t i = 0; i < n; i++) {
		const struct above *e = &above[i];

		if ((e->asked.facts[0] & ~me->asked.facts[0]) != 0 ||
		    (e->asked.facts[1] & ~me->asked.facts[1]) != 0)
			continue;
		if (e->hash == me->hash && reads_alike(e->rule->cond, me->rule->cond))
			return e->rule;
		if (cond_affordable(&e->asked, &me->asked, work) &&
		    cond_excludes(me->rule->cond, e->rule->cond, true, false))
			return e->rule;
	}
	return NULL;
}

static void
check_unreached(struct ast *ast, struct diag *d)
{
	struct above *above = calloc(ast->nrules + 1, sizeof(*above));
	const struct rule *why;
	int64_t work = 0;
	size_t n = 0;

	if (above == NULL) {
		diag_error(d, (struct span){ 0 }, "out of memory");
		return;
	}
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		int constant = cond_constant(r->cond, false);

		if (constant == 1 && rule_final(r) != NULL) {
			if (r->next != NULL)
				tell_unreached(d, r->next, r, true);
			break;
		}
		if (constant != 0)
			continue;
		above[n] = above_of(r);
		if ((why = find_cover(&above[n], above, n, &work)) != NULL)
			tell_unreached(d, r, why, false);
		else if (rule_final(r) != NULL && !above[n].asked.score)
			n++;	/* the score changes: what is true of it here need not be below */
	}
	free(above);
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
check_reachability(struct ast *ast, struct diag *d)
{
	bool whole = diag_errors(d) == 0;

	for (struct rule *r = ast->rules; r != NULL; r = r->next)
		if (r->cond != NULL)
			(void)check_constant(d, r->cond, false);
	check_doubts(ast, d, whole);
	if (!whole)
		return;
	check_scores(ast, d);
	check_unreached(ast, d);
	check_unused(ast, d);
}
