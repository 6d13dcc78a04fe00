/*
 * check_cover.c - rules that nothing comes to, since what they are about has
 * been taken by rules above, by one of them or by several together.
 *
 * A message is made up for which the rule is true, and the rules above are
 * asked whether one takes it.  If so, the next message must pass that rule, too.
 * This ends with a message that comes through, or with none left: then those rules
 * hide it.  So what is tried has to do with the rule, however many others there are.
 *
 * Rules that name one value of a fact are found by it; with ten thousand rules on
 * the sender each is held against those of its own.
 */
#include "check_cover.h"

#include <stdlib.h>
#include <string.h>

#include "check_claims.h"
#include "check_sure.h"
#include "check_walk.h"

#define WORK_MAX	20000000	/* comparisons, for a whole file */
#define BUCKETS		4096

/* A rule that ends the reading. */
struct above {
	const struct rule *rule;
	uint64_t	must[2];	/* facts without which it isn't true (asked_bit) */
	uint64_t	hash;		/* of a value that it needs; 0: of none */
	int64_t		size;		/* comparisons and operands */
	ptrdiff_t	next;		/* with that hash, or without; -1: the last */
	bool		forgotten;
};

struct cover {
	const struct settings *s;
	struct score_at	*scores;	/* by rule */
	struct above	*above;
	size_t		 n;
	ptrdiff_t	 first[BUCKETS], last[BUCKETS];
	ptrdiff_t	 plain, plain_last;	/* without a hash */
	int64_t		 work;
};

/* ---- The rules ---- */

/* Does the comparison need the fact to be one value?  Then *v is it. */
static bool
needs_value(const struct cond *c, const struct value **v)
{
	const struct fact *f = c->fact.fact;

	*v = c->operands != NULL ? &c->operands->value : NULL;
	return c->op == OP_IS && c->quant != Q_EVERY && (f->flags & F_OWN) == 0;
}

static uint64_t
needed_hash(const struct fact *f, const struct value *v)
{
	return type_hash(f->type, v) ^ ((uint64_t)asked_bit(f) + 1) * 0x9e3779b97f4a7c15u;
}

static void
need(struct above *a, const struct cond *c)
{
	const struct value *v;
	size_t bit;

	if (c->kind == COND_AND)
		for (const struct cond *k = c->child; k != NULL; k = k->next)
			need(a, k);
	if (c->kind != COND_CMP || c->negated)
		return;
	bit = asked_bit(c->fact.fact);
	if (!fact_is_sure(c->fact.fact) || c->quant != Q_NONE)
		a->must[bit / 64] |= UINT64_C(1) << bit % 64;
	if (a->hash == 0 && needs_value(c, &v))
		a->hash = needed_hash(c->fact.fact, v);
}

static void
link_rule(struct cover *c, size_t i)
{
	struct above *a = &c->above[i];
	ptrdiff_t *first = a->hash != 0 ? &c->first[a->hash % BUCKETS] : &c->plain;
	ptrdiff_t *last = a->hash != 0 ? &c->last[a->hash % BUCKETS] : &c->plain_last;

	if (*last == -1)
		*first = (ptrdiff_t)i;
	else
		c->above[*last].next = (ptrdiff_t)i;
	*last = (ptrdiff_t)i;
}

/* The score below a rule: a rule in error may score or not. */
static void
add_score(struct score_at *s, const struct rule *r)
{
	int64_t sum;

	if (!rule_scores(r, &sum))
		return;
	s->epoch++;
	s->errors |= r->cond != NULL ? cond_errors(r->cond) : 0;
	s->lo += sum < 0 ? sum : 0;
	s->hi += sum > 0 ? sum : 0;
}

struct cover *
cover_new(struct ast *ast, const struct settings *s)
{
	struct cover *c = calloc(1, sizeof(*c));
	struct score_at score = { 0 };

	if (c == NULL)
		return NULL;
	c->s = s;
	c->scores = calloc(ast->nrules + 1, sizeof(*c->scores));
	c->above = calloc(ast->nrules + 1, sizeof(*c->above));
	if (c->scores == NULL || c->above == NULL) {
		cover_free(c);
		return NULL;
	}
	memset(c->first, -1, sizeof(c->first));
	memset(c->last, -1, sizeof(c->last));
	c->plain = c->plain_last = -1;
	for (const struct rule *r = ast->rules; r != NULL; r = r->next) {
		c->scores[r->index] = score;
		add_score(&score, r);
		if (rule_final(r) == NULL)
			continue;
		c->above[c->n] = (struct above){ .rule = r, .next = -1 };
		if (r->cond != NULL) {
			need(&c->above[c->n], r->cond);
			c->above[c->n].size = cond_asked(r->cond).size;
		}
		link_rule(c, c->n++);
	}
	return c;
}

void
cover_free(struct cover *c)
{
	if (c == NULL)
		return;
	free(c->scores);
	free(c->above);
	free(c);
}

void
cover_forget(struct cover *c, const struct rule *r)
{
	for (size_t i = 0; i < c->n; i++)
		c->above[i].forgotten |= c->above[i].rule == r;
}

/* ---- Who takes a message? ---- */

struct hunt {
	struct cover	*c;
	const struct rule *r;
	const struct world *w;
	const struct cover_rules *known;	/* they are passed already */
	uint64_t	 set[2];	/* facts that the message has */
	const struct rule *taker;	/* the topmost that was found */
};

static bool
is_known(const struct cover_rules *known, const struct rule *r)
{
	for (size_t i = 0; i < known->n; i++)
		if (known->v[i] == r)
			return true;
	return false;
}

static bool
takes(struct hunt *h, const struct above *a)
{
	outcome o;

	if (a->forgotten || is_known(h->known, a->rule))
		return false;
	h->c->work += 16 + a->size;
	o = a->rule->cond == NULL ? O_TRUE :
	    world_outcome(h->w, a->rule->cond, &h->c->scores[a->rule->index]);
	return o_may_end(o);
}

static void
hunt_among(struct hunt *h, ptrdiff_t i, uint64_t hash)
{
	int last = h->taker != NULL ? h->taker->index : h->r->index;

	for (; i != -1 && h->c->above[i].rule->index < last; i = h->c->above[i].next) {
		const struct above *a = &h->c->above[i];

		h->c->work++;
		if (a->hash == hash && ((a->must[0] & ~h->set[0]) | (a->must[1] & ~h->set[1])) == 0 &&
		    takes(h, a)) {
			h->taker = a->rule;
			return;
		}
	}
}

static void
note_fact(void *arg, const struct fact *f, const struct value *v)
{
	struct hunt *h = arg;
	size_t bit = asked_bit(f);

	(void)v;
	h->set[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void
hunt_value(void *arg, const struct fact *f, const struct value *v)
{
	struct hunt *h = arg;
	uint64_t hash;

	if (v == NULL)
		return;
	hash = needed_hash(f, v);
	hunt_among(h, h->c->first[hash % BUCKETS], hash);
}

/* A rule above r that takes that message; NULL: it comes through. */
static const struct rule *
find_taker(struct cover *c, const struct rule *r, const struct world *w,
    const struct cover_rules *known)
{
	struct hunt h = { .c = c, .r = r, .w = w, .known = known };

	world_values(w, note_fact, &h);
	world_values(w, hunt_value, &h);
	hunt_among(&h, c->plain, 0);
	return h.taker;
}

/* ---- What hides a rule ---- */

/* A message for which r (NULL: any) is true and that those rules pass; NULL: there is none. */
static struct world *
find_message(struct cover *c, const struct rule *r, const struct cond *also,
    const struct cover_rules *pass)
{
	struct claim claims[COVER_MAX + 2];
	size_t n = 0;

	if (r != NULL && r->cond != NULL)
		claims[n++] = (struct claim){ r->cond, O_ENDS, c->scores[r->index] };
	if (also != NULL)
		claims[n++] = (struct claim){ also, O_TRUE, r != NULL ? c->scores[r->index] : SCORE_ANY };
	for (size_t i = 0; i < pass->n; i++) {
		if (pass->v[i]->cond == NULL)
			return NULL;
		claims[n++] = (struct claim){ pass->v[i]->cond, O_FALSE | O_ERR_SKIP,
		    c->scores[pass->v[i]->index] };
	}
	return claims_world(claims, n, c->s, false, &c->work);
}

/* Leaves out rules that it doesn't take. */
static void
make_small(struct cover *c, const struct rule *r, const struct cond *also, struct cover_rules *by)
{
	for (size_t i = by->n; i-- > 0 && by->n > 1; ) {
		struct cover_rules less = *by;
		struct world *w;

		memmove(less.v + i, less.v + i + 1, (less.n - i - 1) * sizeof(less.v[0]));
		less.n--;
		if ((w = find_message(c, r, also, &less)) == NULL)
			*by = less;
		world_end(w);
	}
}

static int
by_index(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;

	return (*x)->index - (*y)->index;
}

static bool
is_all(struct cover *c, const struct cover_rules *by)
{
	struct world *w = find_message(c, NULL, NULL, by);

	world_end(w);
	return w == NULL;
}

enum hiding
cover_hides(struct cover *c, const struct rule *r, const struct cond *also, struct cover_rules *by)
{
	const struct rule *taker = NULL;

	*by = (struct cover_rules){ .n = 0 };
	while (c->work < WORK_MAX) {
		struct world *w = find_message(c, r, also, by);

		if (w == NULL && by->n == 0)
			return HIDES_NOT;	/* true of no message anyhow, which is told where it stands */
		if (w == NULL) {
			make_small(c, r, also, by);
			qsort(by->v, by->n, sizeof(by->v[0]), by_index);
			by->all = is_all(c, by);
			return HIDES;
		}
		if (world_is_doubtful(w)) {
			world_end(w);
			break;
		}
		taker = find_taker(c, r, w, by);
		world_end(w);
		if (taker == NULL)
			return HIDES_NOT;
		if (by->n == COVER_MAX)
			break;
		by->v[by->n++] = taker;
	}
	return HIDES_PERHAPS;
}
