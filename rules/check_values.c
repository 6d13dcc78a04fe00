/*
 * check_values.c - what facts may be, as far as conditions can tell.
 *
 * The samples of each fact (check_samples.c) go through all comparisons with it; those
 * that pass the same ones are one class, and a class is all that a search has
 * to choose.
 *
 * What can't be told from the type alone (a pattern, a list, a part of a text that
 * isn't named) may be either way.  That takes in more messages than there are
 * and none less, so what is called impossible is.
 */
#include "check_values.h"

#include <string.h>

#include "arena.h"
#include "check_sure.h"
#include "check_walk.h"
#include "print.h"

#define TESTS_MAX	(1 << 21)	/* samples times operands of one fact */
#define ATOMS_MAX	4096		/* comparisons of all claims */

static size_t
new_slot(struct world *w, size_t ncells, struct str key)
{
	if (w->nslots == SLOTS_MAX) {
		w->failed = true;
		return 0;
	}
	w->slots[w->nslots] = (struct slot){ ncells, -1, key };
	return w->nslots++;
}

/* ---- Facts ---- */

static bool
same_key(const struct fact *f, struct str a, struct str b)
{
	return (f->flags & (F_HEADERS | F_DNSBL)) != 0 ? str_ieq(a, b) : str_eq(a, b);
}

const struct var *
world_var(const struct world *w, const struct cond *c, const struct score_at *score)
{
	const struct fact *f = c->fact.fact;

	for (size_t i = 0; i < w->nvars; i++) {
		const struct var *v = w->vars[i];

		if (v->fact == f && v->of_all == cond_is_of_all(c) && same_key(f, v->key, c->fact.key) &&
		    (!fact_is_score(f) || v->score.epoch == score->epoch))
			return v;
	}
	return NULL;
}

static unsigned
var_errors(const struct var *v)
{
	return fact_is_score(v->fact) ? v->score.errors : fact_errors(v->fact);
}

/* Of the comparison itself, whatever is compared. */
static unsigned
op_errors(enum op op)
{
	unsigned e = 0;

	if (op == OP_MATCHES || op == OP_MATCHES_LIST)
		e |= 1u << ERR_LIMIT;
	if (op == OP_IN_LIST || op == OP_MATCHES_LIST)
		e |= 1u << ERR_LOOKUP;
	return e;
}

unsigned
cond_errors(const struct cond *c)
{
	unsigned e = 0;

	/* A file with mistakes has facts and things that don't exist. */
	if (c->kind == COND_CMP)
		return c->fact.fact != NULL ? op_errors(cond_compared(c).op) | fact_errors(c->fact.fact) : 0;
	if (c->kind == COND_HAS && c->thing != THING_NONE)
		e = 1u << things[c->thing].error | 1u << ERR_LIMIT;
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		e |= cond_errors(k);
	return e;
}

static struct var *
new_var(struct world *w, const struct cond *c, const struct score_at *score)
{
	const struct fact *f = c->fact.fact;
	struct var *v = world_alloc(w, 1, sizeof(*v));

	w->vars = world_room(w, w->vars, w->nvars, &w->vars_cap, sizeof(struct var *));
	if (w->failed)
		return NULL;
	v->fact = f;
	v->key = c->fact.key;
	v->score = *score;
	v->of_all = cond_is_of_all(c);
	/* What was cut off matters where errors do: of a body, like of a list. */
	v->many = c->quant != Q_NONE || (f->flags & (w->inside ? F_MANY : F_LIST)) != 0 ||
	    (w->s != NULL && (f->flags & F_RAWBODY) != 0);
	w->vars[w->nvars++] = v;
	return v;
}

/* ---- Comparisons ---- */

static struct str
reads(struct world *w, const struct cond *c)
{
	struct cond plain = *c;
	struct strbuf b = { 0 };
	struct str s;

	plain.negated = false;
	plain.next = NULL;
	print_cond(&plain, &b);
	w->failed |= b.failed;
	s = str_dup(w->a, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

ptrdiff_t
world_free(const struct world *w, const struct cond *c)
{
	struct cond plain = *c;
	struct strbuf b = { 0 };
	ptrdiff_t found = -1;

	plain.negated = false;
	plain.next = NULL;
	print_cond(&plain, &b);
	for (size_t i = 0; i < w->nslots && found == -1 && !b.failed; i++)
		if (w->slots[i].key.p != NULL && str_eq(w->slots[i].key, strbuf_slice(&b)))
			found = (ptrdiff_t)i;
	strbuf_free(&b);
	return found;
}

/* What the errors of these classes are to the reading. */
static outcome
errors_of(const struct world *w, unsigned classes)
{
	outcome o = 0;

	for (int i = 0; w->s != NULL && i < ERR_CLASSES; i++)
		if ((classes & (1u << i)) != 0)
			o |= o_on_error(w->s, (enum error_class)i);
	return o;
}

/* A slot for what a type can't tell: false, true, in error. */
static void
make_free(struct world *w, struct atom *a)
{
	a->free = world_free(w, a->c);
	if (a->free == -1)
		a->free = (ptrdiff_t)new_slot(w, a->errors != 0 ? 3 : 2, reads(w, a->c));
}

void
world_collect(struct world *w, const struct cond *c, const struct score_at *score)
{
	struct compared with;
	struct atom *a;

	if (c->kind != COND_CMP && c->kind != COND_HAS) {
		for (const struct cond *k = c->child; k != NULL && !w->failed; k = k->next)
			world_collect(w, k, score);
		return;
	}
	/* Each fact takes a slot at least. */
	w->failed |= w->natoms == ATOMS_MAX || w->nvars > SLOTS_MAX;
	w->atoms = world_room(w, w->atoms, w->natoms, &w->atoms_cap, sizeof(*w->atoms));
	if (w->failed)
		return;
	a = &w->atoms[w->natoms++];
	*a = (struct atom){ .c = c, .free = -1 };
	if (c->kind == COND_HAS) {
		a->never = c->child->constant == -1;
		a->errors = errors_of(w, cond_errors(c));
		make_free(w, a);
		return;
	}
	if (c->fact.fact == NULL) {
		w->failed = true;
		return;
	}
	a->var = (struct var *)(uintptr_t)world_var(w, c, score);
	if (a->var == NULL)
		a->var = new_var(w, c, score);
	if (a->var == NULL)
		return;
	a->column = a->var->natoms++;
	a->missing = errors_of(w, var_errors(a->var));
	with = cond_compared(c);
	a->errors = errors_of(w, op_errors(with.op));
	for (const struct operand *o = with.operands; o != NULL && !w->failed; o = o->next)
		if (c->op != OP_CONTAINS && c->op != OP_STARTS && c->op != OP_ENDS)
			samples_named(w, a->var, with.op, &o->value);
}

/* ---- Classes ---- */

/* The columns of a fact: what each of its comparisons says of each sample. */
static void
fill_columns(struct world *w, const struct var *v, outcome *columns)
{
	size_t tests = 0;

	for (size_t i = 0; i < w->natoms; i++) {
		if (w->atoms[i].var != v)
			continue;
		for (const struct operand *o = cond_compared(w->atoms[i].c).operands; o != NULL;
		    o = o->next)
			tests += v->n;
		if (tests > TESTS_MAX) {
			w->failed = true;
			return;
		}
		for (size_t k = 0; k < v->n; k++)
			columns[k * v->natoms + w->atoms[i].column] =
			    v->samples[k].kind == SAMPLE_ERROR ? w->atoms[i].missing :
			    sample_test(w->atoms[i].c, &v->samples[k]);
	}
	w->work += (int64_t)tests;
}

/* Keeps one sample of each class; an error is one by itself. */
static void
merge(struct world *w, struct var *v, outcome *columns)
{
	size_t nslots = 16, *slots, kept = 0, width = v->natoms;

	while (nslots < v->n * 2)
		nslots *= 2;
	if ((slots = world_alloc(w, nslots, sizeof(*slots))) == NULL)
		return;
	for (size_t i = 0; i < v->n; i++) {
		outcome *mine = columns + i * width;
		size_t at = str_hash((struct str){ (const char *)mine, width }) & (nslots - 1);

		while (slots[at] != 0 && (memcmp(columns + (slots[at] - 1) * width, mine, width) != 0 ||
		    (v->samples[slots[at] - 1].kind == SAMPLE_ERROR) != (v->samples[i].kind == SAMPLE_ERROR)))
			at = (at + 1) & (nslots - 1);
		if (slots[at] != 0)
			continue;
		memmove(columns + kept * width, mine, width);
		v->samples[kept] = v->samples[i];
		slots[at] = ++kept;
	}
	v->n = kept;
}

static void
make_slots(struct world *w, struct var *v)
{
	bool errs = w->s != NULL && var_errors(v) != 0;

	v->slot = new_slot(w, !v->many ? v->n : errs ? MANY_CELLS : MANY_SET + 1, STR_NONE);
	for (size_t i = 0; v->many && i < v->n && !w->failed; i++) {
		size_t s = new_slot(w, 2, STR_NONE);

		if (i == 0)
			v->classes = s;
	}
}

static void
classify(struct world *w, struct var *v)
{
	struct value none = { 0 };
	outcome *columns;

	/* In this order: the search tries the last first, which few rules are about. */
	if (!v->many && w->s != NULL && var_errors(v) != 0)
		sample_add(w, v, SAMPLE_ERROR, &none, STR_NONE);
	samples_unnamed(w, v);
	if (v->many ? v->of_all : !fact_is_sure(v->fact))
		sample_add(w, v, SAMPLE_UNSET, &none, STR_NONE);
	if (w->failed || (columns = world_alloc(w, v->n * v->natoms, sizeof(*columns))) == NULL)
		return;
	fill_columns(w, v, columns);
	if (!w->failed)
		merge(w, v, columns);
	for (size_t i = 0; i < w->natoms && !w->failed; i++) {
		struct atom *a = &w->atoms[i];

		if (a->var != v || (a->truth = world_alloc(w, v->n, sizeof(*a->truth))) == NULL)
			continue;
		for (size_t k = 0; k < v->n; k++) {
			a->truth[k] = columns[k * v->natoms + a->column];
			if (a->truth[k] == 0 && a->free == -1)
				make_free(w, a);
			a->all |= a->truth[k] != 0 ? a->truth[k] :
			    (outcome)(O_FALSE | O_TRUE | a->errors);
		}
	}
	if (!w->failed)
		make_slots(w, v);
}

void
world_classify(struct world *w)
{
	for (size_t i = 0; i < w->nvars && !w->failed; i++)
		classify(w, w->vars[i]);
}
