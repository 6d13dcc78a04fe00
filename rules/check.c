/*
 * check.c - what the passes of the checker share.
 *
 * The passes themselves are check_names.c (what exists), check_types.c (what
 * fits), check_constant.c (what is always so), check_stages.c (when it is known),
 * check_recipients.c (whose it is) and check_reach.c (what can never be).  Here are only their common tools.
 */
#include "check_values.h"
#include "check_walk.h"

#include <string.h>

#include "arena.h"
#include "diag.h"

#define PAIR_WORK_MAX	50000000	/* for holding rules against each other */

/* Open addressing; slots hold 1 + the place in names. */
struct index {
	struct arena	*a;
	struct str	*names;
	void	       **what;
	size_t		*slots;
	size_t		 n, cap, nslots;	/* nslots: a power of two above 2 * cap */
};

static int
index_size(struct index *ix, size_t cap)
{
	struct str *names;
	void **what;
	size_t nslots = 16, *slots;

	while (nslots < cap * 2 + 2)
		nslots *= 2;
	names = arena_array(ix->a, cap, sizeof(*names));
	what = arena_array(ix->a, cap, sizeof(*what));
	slots = arena_array(ix->a, nslots, sizeof(*slots));
	if (names == NULL || what == NULL || slots == NULL)
		return -1;
	if (ix->n > 0) {
		memcpy(names, ix->names, ix->n * sizeof(*names));
		memcpy(what, ix->what, ix->n * sizeof(*what));
	}
	ix->names = names;
	ix->what = what;
	ix->slots = slots;
	ix->cap = cap;
	ix->nslots = nslots;
	for (size_t i = 0; i < ix->n; i++) {
		size_t s = str_hash(names[i]) & (nslots - 1);

		while (ix->slots[s] != 0)
			s = (s + 1) & (nslots - 1);
		ix->slots[s] = i + 1;
	}
	return 0;
}

struct index *
index_new(struct arena *a, size_t n)
{
	struct index *ix;

	if ((ix = arena_new_object(a, struct index)) == NULL)
		return NULL;
	ix->a = a;
	return index_size(ix, n > 8 ? n : 8) == 0 ? ix : NULL;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t
index_slot(const struct index *ix, struct str name)
{
	size_t s = str_hash(name) & (ix->nslots - 1);

	while (ix->slots[s] != 0 && !str_eq(ix->names[ix->slots[s] - 1], name))
		s = (s + 1) & (ix->nslots - 1);
	return s;
}

void *
index_find(const struct index *ix, struct str name)
{
	size_t at = ix->slots[index_slot(ix, name)];

	return at == 0 ? NULL : ix->what[at - 1];
}

void *
index_add(struct index *ix, struct str name, void *what)
{
	size_t s = index_slot(ix, name);

	if (ix->slots[s] != 0)
		return ix->what[ix->slots[s] - 1];
	if (ix->n == ix->cap) {
		/* Without memory the load fails anyway: the arena remembers. */
		if (index_size(ix, ix->cap * 2) == -1)
			return NULL;
		s = index_slot(ix, name);
	}
	ix->names[ix->n] = name;
	ix->what[ix->n] = what;
	ix->slots[s] = ++ix->n;
	return NULL;
}

void
check_unknown(struct diag *d, struct span at, const char *what,
    struct str name, const struct str *candidates, size_t n)
{
	struct str near = diag_nearest(name, candidates, n);

	if (near.p != NULL)
		diag_error(d, at, "unknown %s '" STR_FMT "'; did you mean '" STR_FMT "'?",
		    what, STR_ARG(name), STR_ARG(near));
	else
		diag_error(d, at, "unknown %s '" STR_FMT "'", what, STR_ARG(name));
}

static void
walk_inside(struct cond *c, enum thing inside,
    void (*fn)(void *, const struct fact_use *), void *arg)
{
	for (; c != NULL; c = c->next) {
		if (c->kind == COND_CMP)
			fn(arg, &(struct fact_use){ &c->fact, c, inside });
		else if (c->kind == COND_HAS)
			walk_inside(c->child, c->thing, fn, arg);
		else
			walk_inside(c->child, inside, fn, arg);
	}
}

void
walk_cond(struct cond *c, void (*fn)(void *, const struct fact_use *), void *arg)
{
	if (c != NULL)
		walk_inside(c, THING_NONE, fn, arg);
}

void
walk_texts(struct action *act, void (*fn)(void *, const struct fact_use *), void *arg)
{
	for (; act != NULL; act = act->next)
		for (struct text *t = act->text; t != NULL; t = t->next)
			for (struct part *p = t->parts; p != NULL; p = p->next)
				if (p->kind == PART_FACT)
					fn(arg, &(struct fact_use){ &p->fact, NULL, THING_NONE });
}

const struct action *
rule_final(const struct rule *r)
{
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		if (actions[a->id].final && !a->would)
			return a;
	return NULL;
}

bool
rule_scores(const struct rule *r, int64_t *sum)
{
	bool scores = false;

	*sum = 0;
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		if ((actions[a->id].flags & ACT_SCORE) != 0 && !a->would) {
			*sum += a->score;
			scores = true;
		}
	return scores;
}

int
rule_constant(const struct rule *r)
{
	return r->cond != NULL ? r->cond->constant : 1;
}

bool
use_is_quantified(const struct fact_use *u)
{
	return u->inside != THING_NONE ||
	    (u->cond != NULL && u->cond->quant != Q_NONE);
}

enum stage
stage_later(enum stage a, enum stage b)
{
	return a > b ? a : b;
}

size_t
asked_bit(const struct fact *f)
{
	size_t i = f != NULL ? (size_t)(f - facts) : 127;

	return i < 127 ? i : 127;
}

static void
ask(void *arg, const struct fact_use *u)
{
	struct asked *a = arg;
	const struct fact *f = u->ref->fact;
	size_t i = asked_bit(f);

	a->facts[i / 64] |= UINT64_C(1) << (i % 64);
	a->size++;
	for (const struct operand *o = cond_compared(u->cond).operands; o != NULL; o = o->next)
		a->size++;
	a->score |= f != NULL && (f->flags & F_OWN) != 0 && f->type == T_NUMBER;
}

struct asked
cond_asked(struct cond *c)
{
	struct asked a = { 0 };

	walk_cond(c, ask, &a);
	return a;
}

bool
cond_affordable(const struct asked *a, const struct asked *b, int64_t *work)
{
	if (*work > PAIR_WORK_MAX)
		return false;
	*work += 500 + (a->size + b->size) * (a->size + b->size);
	return true;
}
