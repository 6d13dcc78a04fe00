/*
 * check_constant.c - conditions that are the same for every message.
 *
 * From the inside out: a part that is constant is told where it stands, and what it
 * makes of the condition around it is kept for the passes that follow, but not
 * told again.  Where no part is constant, and no fact is asked twice,
 * neither is the whole; the others are left to the reasoner (check_search.c).
 */
#include "check.h"

#include "check_claims.h"
#include "check_sure.h"
#include "check_walk.h"
#include "diag.h"
#include "print.h"

#define WORK_MAX	20000000	/* comparisons, for a whole file; what is left is taken for no constant */
#define PAIRS_MAX	1000		/* parts of a condition that are held against each other */

struct constants {
	struct diag	*d;
	int64_t		 work;
};

/* Can the condition, and the other one (NULL: none), turn out to be that for no message? */
static bool
cannot_be(struct constants *k, outcome may, const struct cond *c, const struct cond *other, bool inside)
{
	const struct claim claims[] = { { c, may, SCORE_ANY }, { other, may, SCORE_ANY } };
	struct world *w;

	if (k->work > WORK_MAX)
		return false;
	w = claims_world(claims, other != NULL ? 2 : 1, NULL, inside, &k->work);
	world_end(w);
	return w == NULL;
}

/* ---- What needs no search ---- */

/* Is it unset in some message, and of a type of which every value can be? */
static bool
is_open(const struct cond *c)
{
	const struct fact *f = c->fact.fact;

	if (f == NULL)
		return true;	/* told already */
	switch (f->type) {
	case T_TEXT: case T_RAW: case T_DOMAIN: case T_ADDRESS: case T_ADDR:
		return !fact_is_sure(f);
	default:
		return false;
	}
}

struct named {
	uint64_t	facts[2];	/* a bit each (asked_bit) */
	bool		again;
};

static void
note_fact(void *arg, const struct fact_use *u)
{
	struct named *n = arg;
	size_t bit = asked_bit(u->ref->fact);
	uint64_t mask = UINT64_C(1) << bit % 64;

	n->again |= (n->facts[bit / 64] & mask) != 0;
	n->facts[bit / 64] |= mask;
}

/* Is a fact asked in two of its parts? */
static bool
asks_again(struct cond *c)
{
	struct named n = { { 0 }, false };

	walk_cond(c->child, note_fact, &n);
	return n.again;
}

static int
find_constant(struct constants *k, struct cond *c, bool inside, bool has_constant)
{
	if (c->kind == COND_CMP ? is_open(c) : !has_constant && (c->kind == COND_NOT ||
	    c->kind == COND_HAS || !asks_again(c)))
		return 0;
	/* Where each part may be false `and` may be; where each may be true, `or`. */
	if ((has_constant || c->kind != COND_OR) &&
	    cannot_be(k, O_TRUE, c, NULL, inside))
		return -1;
	if ((has_constant || c->kind != COND_AND) &&
	    cannot_be(k, O_FALSE, c, NULL, inside))
		return 1;
	return 0;
}

/* ---- What is said ---- */

/* For a message: the text of a condition, freed by strbuf_free(). */
static const char *
show(const struct cond *c, struct strbuf *b)
{
	struct cond one = *c;

	one.next = NULL;
	print_cond(&one, b);
	return b->failed || b->p == NULL ? "?" : b->p;
}

/* The two parts that make it constant, if two alone do. */
static bool
find_pair(struct constants *k, const struct cond *c, bool inside, const struct cond **a,
    const struct cond **b)
{
	int tried = 0;

	for (*b = c->child; *b != NULL; *b = (*b)->next)
		for (*a = c->child; *a != *b; *a = (*a)->next) {
			if (++tried > PAIRS_MAX)
				return false;
			if (cannot_be(k, c->kind == COND_AND ? O_TRUE : O_FALSE, *a, *b, inside))
				return true;
		}
	return false;
}

static void
tell(struct constants *k, const struct cond *c, bool inside)
{
	const struct cond *a, *b;
	struct strbuf sa = { 0 }, sb = { 0 };

	if ((c->kind == COND_AND || c->kind == COND_OR) && find_pair(k, c, inside, &a, &b)) {
		if (c->kind == COND_AND)
			diag_warning(k->d, b->at, "this is never true: '%s' and '%s' exclude "
			    "each other", show(a, &sa), show(b, &sb));
		else
			diag_warning(k->d, b->at, "this is always true: '%s' or '%s' holds "
			    "for every message", show(a, &sa), show(b, &sb));
		diag_note(k->d, a->at, "the other one is here");
	} else
		diag_warning(k->d, c->at, "'%s' is %s true", show(c, &sa),
		    c->constant == 1 ? "always" : "never");
	strbuf_free(&sa);
	strbuf_free(&sb);
}

/* Tells the smallest parts that are constant; true if any is. */
static bool
check_cond(struct constants *k, struct cond *c, bool inside)
{
	bool told = false;

	for (struct cond *part = c->child; part != NULL; part = part->next)
		told |= check_cond(k, part, inside || c->kind == COND_HAS);
	c->constant = find_constant(k, c, inside, told);
	if (!told && c->constant != 0)
		tell(k, c, inside);
	return told || c->constant != 0;
}

void
check_constants(struct ast *ast, struct diag *d)
{
	struct constants k = { .d = d };

	for (struct rule *r = ast->rules; r != NULL; r = r->next)
		if (r->cond != NULL)
			(void)check_cond(&k, r->cond, false);
}
