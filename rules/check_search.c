/*
 * check_search.c - is there a message of which all the claims hold?
 *
 * check_values.c has left a few classes of values of each fact.  They are
 * tried, one fact after the other; as soon as what is chosen settles a claim the wrong
 * way the search goes back to the last choice that had to do with it.  What is
 * still too much to try is taken for possible.
 */
#include "check_claims.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check_sure.h"
#include "check_values.h"
#include "check_walk.h"

#define WORK_MAX	(1 << 18)	/* comparisons tried for one question */

/* Slots that a contradiction hangs on. */
struct culprits {
	uint64_t	bits[SLOTS_MAX / 64];
};

struct search {
	struct world	*w;
	const struct claim *claims;
	size_t		 n;
	size_t		 next;		/* the atom that the walk has come to */
};

/* ---- What a condition may be, by what is chosen so far ---- */

static outcome
slot_outcome(const struct world *w, ptrdiff_t free, outcome errors)
{
	static const outcome plain[] = { O_FALSE, O_TRUE };
	int cell = w->slots[free].cell;

	if (cell == -1)
		return (outcome)(O_FALSE | O_TRUE | errors);
	return cell < 2 ? plain[cell] : errors;
}

static outcome
class_outcome(const struct world *w, const struct atom *a, size_t class)
{
	return a->truth[class] != 0 ? a->truth[class] : slot_outcome(w, a->free, a->errors);
}

/* Over values that are there; `cut`: there may be more. */
static outcome
among_values(const struct world *w, const struct atom *a, bool cut)
{
	const struct var *v = a->var;
	outcome o = O_FALSE, every = O_TRUE, some = O_FALSE, miss;

	if (a->c->op == OP_SET && !v->of_all)
		return O_TRUE;
	for (size_t i = 0; i < v->n; i++) {
		outcome one = class_outcome(w, a, i);
		int there = w->slots[v->classes + i].cell;

		if (there == 0)
			continue;
		o = o_or(o, there == 1 ? one : one | O_FALSE);
		every = o_and(every, there == 1 ? one : one | O_TRUE);
		some = there == 1 ? O_TRUE : o_or(some, O_FALSE | O_TRUE);
	}
	miss = O_FALSE;
	if (a->c->quant == Q_EVERY) {
		o = o_and(every, some);
		miss = O_TRUE;
	}
	return cut && (o & miss) != 0 ? (outcome)((o & ~miss) | a->missing) : o;
}

static outcome
many_outcome(const struct world *w, const struct atom *a)
{
	const struct slot *s = &w->slots[a->var->slot];
	outcome o = 0;

	for (int cell = 0; cell < (int)s->ncells; cell++) {
		if (s->cell != -1 && s->cell != cell)
			continue;
		if (cell == MANY_UNSET)
			o |= O_FALSE;
		else if (cell == MANY_ERROR)
			o |= a->missing;
		else
			o |= among_values(w, a, cell == MANY_CUT);
	}
	return o;
}

static outcome
has_outcome(const struct world *w, const struct atom *a)
{
	outcome o = slot_outcome(w, a->free, a->errors);

	return !a->never ? o : (o & O_TRUE) != 0 ? (outcome)((o & ~O_TRUE) | O_FALSE) : o;
}

static outcome
atom_outcome(const struct world *w, const struct atom *a)
{
	int cell;
	outcome o;

	if (a->var == NULL)
		o = has_outcome(w, a);
	else if (a->var->many)
		o = many_outcome(w, a);
	else if ((cell = w->slots[a->var->slot].cell) == -1)
		o = a->all;
	else
		o = class_outcome(w, a, (size_t)cell);
	return a->c->negated ? o_not(o) : o;
}

static outcome
cond_outcome(struct search *s, const struct cond *c)
{
	outcome o;

	if (c->kind == COND_CMP || c->kind == COND_HAS) {
		s->w->work++;
		return atom_outcome(s->w, &s->w->atoms[s->next++]);
	}
	o = c->kind == COND_AND ? O_TRUE : O_FALSE;
	for (const struct cond *k = c->child; k != NULL; k = k->next) {
		outcome one = cond_outcome(s, k);	/* all, to keep count of the atoms */

		o = c->kind == COND_AND ? o_and(o, one) : c->kind == COND_OR ? o_or(o, one) : o_not(one);
	}
	return o;
}

/* ---- What that hangs on ---- */

static ptrdiff_t
open_slot(const struct world *w, const struct atom *a)
{
	const struct var *v = a->var;

	if (v != NULL && w->slots[v->slot].cell == -1)
		return (ptrdiff_t)v->slot;
	if (v != NULL && v->many && w->slots[v->slot].cell != MANY_UNSET &&
	    w->slots[v->slot].cell != MANY_ERROR)
		for (size_t i = 0; i < v->n; i++)
			if (w->slots[v->classes + i].cell == -1)
				return (ptrdiff_t)(v->classes + i);
	return a->free != -1 && w->slots[a->free].cell == -1 ? a->free : -1;
}

static void
blame(struct culprits *by, size_t slot)
{
	by->bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

static bool
is_blamed(const struct culprits *by, size_t slot)
{
	return (by->bits[slot / 64] >> slot % 64 & 1) != 0;
}

static void
blame_atom(const struct world *w, const struct atom *a, struct culprits *by)
{
	const struct var *v = a->var;

	if (v != NULL && w->slots[v->slot].cell != -1)
		blame(by, v->slot);
	for (size_t i = 0; v != NULL && v->many && i < v->n; i++)
		if (w->slots[v->classes + i].cell != -1)
			blame(by, v->classes + i);
	if (a->free != -1 && w->slots[a->free].cell != -1)
		blame(by, (size_t)a->free);
}

static size_t
count_atoms(const struct cond *c)
{
	size_t n = c->kind == COND_CMP || c->kind == COND_HAS ? 1 : 0;

	for (const struct cond *k = n == 0 ? c->child : NULL; k != NULL; k = k->next)
		n += count_atoms(k);
	return n;
}

/* Where one part settles `and` or `or` by itself, that one; else all of it. */
static void
blame_cond(struct search *s, const struct cond *c, struct culprits *by)
{
	outcome settles = c->kind == COND_AND ? O_FALSE : c->kind == COND_OR ? O_TRUE : 0;
	size_t from = s->next;

	if (c->kind == COND_CMP || c->kind == COND_HAS) {
		blame_atom(s->w, &s->w->atoms[s->next++], by);
		return;
	}
	for (const struct cond *k = c->child; settles != 0 && k != NULL; k = k->next) {
		size_t at = s->next;

		if (cond_outcome(s, k) == settles) {
			s->next = at;
			blame_cond(s, k, by);
			s->next = from + count_atoms(c);
			return;
		}
	}
	s->next = from;
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		blame_cond(s, k, by);
}

/* The first slot that is open in what isn't settled; -1 if all of it is. */
static ptrdiff_t
choose(struct search *s, const struct cond *c)
{
	size_t from = s->next;
	ptrdiff_t slot = -1;

	if (o_decided(cond_outcome(s, c)))
		return -1;
	if (c->kind == COND_CMP || c->kind == COND_HAS)
		return open_slot(s->w, &s->w->atoms[from]);
	s->next = from;
	for (const struct cond *k = c->child; k != NULL && slot == -1; k = k->next)
		slot = choose(s, k);
	s->next = from + count_atoms(c);
	return slot;
}

/* ---- The search ---- */

/* True if a claim can't hold any more; or *slot is what is to be chosen next, -1 if all hold. */
static bool
look(struct search *s, ptrdiff_t *slot, struct culprits *by)
{
	*slot = -1;
	s->next = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct claim *c = &s->claims[i];
		size_t from = s->next;
		outcome o = cond_outcome(s, c->cond);

		if ((o & c->may) == 0) {
			s->next = from;
			blame_cond(s, c->cond, by);
			return true;
		}
		if ((o & ~c->may) != 0 && *slot == -1) {
			s->next = from;
			*slot = choose(s, c->cond);
			s->next = from + count_atoms(c->cond);
		}
	}
	return false;
}

static bool
search(struct search *s, struct culprits *by)
{
	struct culprits all = { { 0 } };
	struct slot *slot;
	ptrdiff_t at;

	if (s->w->work > WORK_MAX) {
		s->w->failed = true;
		return true;
	}
	if (look(s, &at, by))
		return false;
	if (at == -1)
		return true;
	slot = &s->w->slots[at];
	for (slot->cell = (int)slot->ncells - 1; slot->cell >= 0; slot->cell--) {
		struct culprits one = { { 0 } };

		if (search(s, &one))
			return true;
		if (!is_blamed(&one, (size_t)at)) {
			slot->cell = -1;
			*by = one;
			return false;
		}
		for (size_t i = 0; i < SLOTS_MAX / 64; i++)
			all.bits[i] |= one.bits[i];
	}
	all.bits[at / 64] &= ~(UINT64_C(1) << at % 64);
	*by = all;
	return false;		/* the cell is open again */
}

struct world *
claims_world(const struct claim *claims, size_t n, const struct settings *s, bool inside,
    int64_t *work)
{
	static struct world nothing = { .failed = true };
	struct culprits by = { { 0 } };
	struct arena *a = arena_new(8192);
	struct world *w = a != NULL ? arena_new_object(a, struct world) : NULL;
	struct search search_of = { w, claims, n, 0 };

	if (w == NULL) {
		arena_free(a);
		return &nothing;
	}
	w->a = a;
	w->s = s;
	w->inside = inside;
	for (size_t i = 0; i < n && !w->failed; i++)
		world_collect(w, claims[i].cond, &claims[i].score);
	if (!w->failed)
		world_classify(w);
	if (w->failed || search(&search_of, &by)) {
		*work += w->work + 100;
		return w;
	}
	*work += w->work + 100;
	arena_free(a);
	return NULL;
}

void
world_end(struct world *w)
{
	if (w != NULL && w->a != NULL)
		arena_free(w->a);
}

bool
world_is_doubtful(const struct world *w)
{
	return w->failed;
}

/* ---- The message that was found ---- */

static outcome
free_outcome(const struct world *w, const struct cond *c)
{
	ptrdiff_t free = world_free(w, c);

	return free == -1 || w->slots[free].cell == -1 ? O_FALSE | O_TRUE :
	    slot_outcome(w, free, O_ERROR);
}

static outcome
compare(const struct world *w, const struct cond *c, const struct score_at *score)
{
	const struct var *v = c->fact.fact != NULL ? world_var(w, c, score) : NULL;
	int cell = v != NULL ? w->slots[v->slot].cell : -1;
	outcome o = O_FALSE, one;

	if (v == NULL)
		return c->fact.fact == NULL || fact_is_sure(c->fact.fact) ? O_FALSE | O_TRUE : O_FALSE;
	if (cell == -1)
		return O_FALSE | O_TRUE;
	if (!v->many) {
		if (v->samples[cell].kind == SAMPLE_ERROR)
			return O_ERROR;
		o = sample_test(c, &v->samples[cell]);
		return o != 0 ? o : free_outcome(w, c);
	}
	if (cell == MANY_UNSET)
		return O_FALSE;
	if (cell == MANY_ERROR || c->quant == Q_EVERY)
		return O_PENDING;
	if (c->op == OP_SET)
		return O_TRUE;
	for (size_t i = 0; i < v->n; i++)
		if (w->slots[v->classes + i].cell == 1) {
			one = sample_test(c, &v->samples[i]);
			o = o_or(o, one != 0 ? one : free_outcome(w, c));
		}
	return o;
}

outcome
world_outcome(const struct world *w, const struct cond *c, const struct score_at *score)
{
	outcome o, one;

	if (c->kind == COND_HAS)
		return free_outcome(w, c);
	if (c->kind == COND_CMP) {
		o = compare(w, c, score);
		return c->negated ? o_not(o) : o;
	}
	o = c->kind == COND_AND ? O_TRUE : O_FALSE;
	for (const struct cond *k = c->child; k != NULL; k = k->next) {
		one = world_outcome(w, k, score);
		o = c->kind == COND_AND ? o_and(o, one) : c->kind == COND_OR ? o_or(o, one) : o_not(one);
	}
	return o;
}

void
world_values(const struct world *w,
    void (*fn)(void *, const struct fact *, const struct value *), void *arg)
{
	for (size_t i = 0; i < w->nvars; i++) {
		const struct var *v = w->vars[i];
		int cell = w->slots[v->slot].cell;

		if (!v->many && cell != -1 && v->samples[cell].kind != SAMPLE_UNSET)
			fn(arg, v->fact, v->samples[cell].kind == SAMPLE_VALUE ? &v->samples[cell].v : NULL);
		for (size_t k = 0; v->many && cell >= MANY_SET && k < v->n; k++)
			if (w->slots[v->classes + k].cell == 1)
				fn(arg, v->fact, v->samples[k].kind == SAMPLE_VALUE ? &v->samples[k].v : NULL);
	}
}

bool
cond_excludes(const struct cond *a, const struct cond *b, bool *unsure)
{
	const struct claim both[] = { { a, O_TRUE, SCORE_ANY }, { b, O_TRUE, SCORE_ANY } };
	int64_t work = 0;
	struct world *w = claims_world(both, 2, NULL, false, &work);

	if (w != NULL && unsure != NULL)
		*unsure |= world_is_doubtful(w);
	world_end(w);
	return w == NULL;
}
