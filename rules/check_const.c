/*
 * check_const.c - conditions that are the same for every message.
 *
 * A condition is tried in all the worlds that matter: for each fact it asks,
 * unset, each value that a comparison names, and one that none of them names;
 * for numbers the neighbours of each bound; for a result each of its words.
 * What can't be told from the type alone (a pattern, a list, a part of a text)
 * may be either way.  That takes in more worlds than there are and none less,
 * so what is called constant is.  Errors are left out: no file is meant for
 * them.
 *
 * Conditions whose parts speak of different facts are taken apart first; what
 * is still too much to try is called neither.
 */
#include "check_walk.h"

#include <stdlib.h>
#include <string.h>

#include "check_sure.h"
#include "diag.h"
#include "print.h"

#define WORK_MAX	(1 << 18)	/* comparisons tried for one condition */
#define VARS_MAX	512
#define SAMPLES_MAX	512

enum { CAN_BE_TRUE = 1, CAN_BE_FALSE = 2, CAN_BOTH = 3 };

/* Something that is in one of n cells. */
struct var {
	struct str	key;
	const struct fact *fact;	/* NULL: either way, two cells */
	bool		many;		/* several values: only unset or not */
	struct value	*samples;	/* cells 1 ... nsamples; cell 0 is unset */
	size_t		 nsamples;
	bool		 other;		/* the last cell: a value that isn't named */
	size_t		 ncells;
	size_t		 cell;		/* in the world that is tried */
};

/* A comparison or has: what it depends on. */
struct atom {
	const struct cond *c;
	int		fact;		/* var, or -1 */
	int		free;		/* var, or -1: not needed */
	bool		never;		/* has ( ... ) over what can't be */
};

struct worlds {
	struct var     *vars;
	int		nvars, vars_cap;
	struct atom	*atoms;
	int		natoms, cap;
	bool		failed;
};

/* ---- What a condition depends on ---- */

static int
find_var(struct worlds *w, struct strbuf *key)
{
	struct var *v;

	if (key->failed) {
		w->failed = true;
		return -1;
	}
	for (int i = 0; i < w->nvars; i++)
		if (str_eq(w->vars[i].key, strbuf_slice(key))) {
			strbuf_free(key);
			return i;
		}
	if (w->nvars == w->vars_cap) {
		w->vars_cap = w->vars_cap * 2 + 8;
		v = w->nvars < VARS_MAX ?
		    realloc(w->vars, (size_t)w->vars_cap * sizeof(*v)) : NULL;
		if (v == NULL) {
			w->failed = true;
			strbuf_free(key);
			return -1;
		}
		w->vars = v;
	}
	v = &w->vars[w->nvars];
	memset(v, 0, sizeof(*v));
	v->key = strbuf_slice(key);	/* keeps the buffer */
	v->ncells = 2;
	return w->nvars++;
}

static bool
is_number(enum type_id t)
{
	return t == T_NUMBER || t == T_SIZE || t == T_DURATION;
}

static void
add_sample(struct worlds *w, struct var *v, const struct value *value)
{
	enum type_id t = v->fact->type;
	struct value *more;

	if (is_number(t) && !fact_may_be(v->fact, value->n))
		return;
	for (size_t i = 0; i < v->nsamples; i++)
		if (type_test(t, OP_IS, &v->samples[i], value))
			return;
	if (v->nsamples == SAMPLES_MAX ||
	    (more = realloc(v->samples, (v->nsamples + 1) * sizeof(*more))) == NULL) {
		w->failed = true;
		return;
	}
	v->samples = more;
	v->samples[v->nsamples++] = *value;
}

/* Does the operand of `in { }` stand for just one value?  Then *one is it. */
static bool
single_value(enum type_id t, const struct operand *o, struct value *one)
{
	*one = o->value;
	switch (t) {
	case T_ADDR:
		one->ip = o->value.net.addr;
		return o->value.net.bits == 128;
	case T_DOMAIN:
		return o->value.s.n == 0 || o->value.s.p[0] != '.';
	case T_ADDRESS:
		return o->value.mb.local.p != NULL || o->value.mb.domain.n == 0;
	default:
		return true;
	}
}

static void
add_samples(struct worlds *w, struct var *v, const struct cond *c)
{
	enum type_id t = v->fact->type;
	struct value value = { 0 };

	for (const struct operand *o = c->operands; o != NULL; o = o->next) {
		if (is_number(t)) {
			for (int64_t step = -1; step <= 1; step++)
				if (!__builtin_add_overflow(o->value.n, step, &value.n))
					add_sample(w, v, &value);
		} else if (c->op == OP_IS)
			add_sample(w, v, &o->value);
		else if (c->op == OP_IN_SET && single_value(t, o, &value))
			add_sample(w, v, &value);
	}
}

/* Types whose values are all known without being named. */
static void
add_words(struct worlds *w, struct var *v)
{
	const char *const *words = type_of(v->fact->type)->words;
	struct value value = { 0 };

	if (v->fact->type == T_BOOL)
		for (int b = 0; b < 2; b++) {
			value.b = b;
			add_sample(w, v, &value);
		}
	else if (words != NULL)
		for (; words[value.n] != NULL; value.n++)
			add_sample(w, v, &value);
	else if (is_number(v->fact->type))
		add_sample(w, v, &value);
	else
		v->other = true;
}

static int
fact_var(struct worlds *w, const struct cond *c, bool inside)
{
	const struct fact *f = c->fact.fact;
	struct strbuf key = { 0 };
	struct var *v;
	int i;

	strbuf_printf(&key, "%d %s ", (int)c->quant, f->name);
	for (size_t k = 0; k < c->fact.key.n; k++)
		strbuf_putc(&key, (char)(c->fact.key.p[k] | 0x20));
	if ((i = find_var(w, &key)) == -1)
		return -1;
	v = &w->vars[i];
	if (v->fact == NULL) {
		v->fact = f;
		v->many = c->quant != Q_NONE || ((f->flags & F_LIST) != 0 && !inside);
		if (v->many)
			v->other = true;
		else
			add_words(w, v);
	}
	if (!v->many)
		add_samples(w, v, c);
	v->ncells = 1 + v->nsamples + v->other;
	return i;
}

static int
free_var(struct worlds *w, const struct cond *c)
{
	struct cond plain = *c;
	struct strbuf key = { 0 };

	plain.negated = false;
	plain.next = NULL;
	print_cond(&plain, &key);
	return find_var(w, &key);
}

/* Is the truth of the comparison open where the fact has a value that isn't named? */
static bool
is_open(const struct var *v, const struct cond *c)
{
	struct value one;

	if (c->op == OP_SET)
		return false;
	if (v->many)
		return true;
	switch (c->op) {
	case OP_IN_NET: case OP_IN_LIST: case OP_MATCHES: case OP_MATCHES_LIST:
	case OP_CONTAINS: case OP_STARTS: case OP_ENDS:
		return true;
	case OP_IN_SET:
		for (const struct operand *o = c->operands; o != NULL; o = o->next)
			if (!single_value(v->fact->type, o, &one))
				return true;
		return false;
	default:
		return false;
	}
}

static int constant_inside(const struct cond *c, bool inside);

static void
collect(struct worlds *w, const struct cond *c, bool inside)
{
	struct atom *a, *more;

	if (c->kind != COND_CMP && c->kind != COND_HAS) {
		for (const struct cond *k = c->child; k != NULL && !w->failed; k = k->next)
			collect(w, k, inside);
		return;
	}
	if (w->natoms == w->cap) {
		w->cap = w->cap * 2 + 8;
		more = realloc(w->atoms, (size_t)w->cap * sizeof(*more));
		if (more == NULL) {
			w->failed = true;
			return;
		}
		w->atoms = more;
	}
	a = &w->atoms[w->natoms++];
	*a = (struct atom){ c, -1, -1, false };
	if (c->kind == COND_HAS) {
		a->never = constant_inside(c->child, true) == -1;
		a->free = free_var(w, c);
	} else if (c->fact.fact == NULL) {
		w->failed = true;
	} else {
		a->fact = fact_var(w, c, inside);
		if (a->fact != -1 && is_open(&w->vars[a->fact], c))
			a->free = free_var(w, c);
	}
}

/* ---- One world ---- */

static bool
try_value(const struct var *v, const struct cond *c, bool either)
{
	const struct value *s = &v->samples[v->cell - 1];

	switch (c->op) {
	case OP_TRUE:
		return s->b;
	case OP_IN_LIST: case OP_MATCHES: case OP_MATCHES_LIST:
		return either;
	default:
		for (const struct operand *o = c->operands; o != NULL; o = o->next)
			if (type_test(v->fact->type, c->op, s, &o->value))
				return true;
		return false;
	}
}

static bool
try_atom(const struct worlds *w, const struct atom *a)
{
	bool either = a->free != -1 && w->vars[a->free].cell == 1, yes;
	const struct var *v;

	if (a->c->kind == COND_HAS)
		return !a->never && either;
	v = &w->vars[a->fact];
	if (v->cell == 0)
		yes = false;			/* unset */
	else if (a->c->op == OP_SET)
		yes = true;
	else if (v->cell <= v->nsamples)
		yes = try_value(v, a->c, either);
	else
		yes = either;
	return yes != a->c->negated;
}

static bool
try_cond(const struct worlds *w, const struct cond *c, int *next)
{
	bool yes;

	if (c->kind == COND_CMP || c->kind == COND_HAS)
		return try_atom(w, &w->atoms[(*next)++]);
	yes = c->kind == COND_AND;
	for (const struct cond *k = c->child; k != NULL; k = k->next) {
		bool one = try_cond(w, k, next);	/* all, to keep count of the atoms */

		yes = c->kind == COND_AND ? yes && one : c->kind == COND_OR ? yes || one : !one;
	}
	return yes;
}

/* ---- All worlds ---- */

/* Cell 0, unset, is left out where there always is a value. */
static size_t
first_cell(const struct var *v)
{
	return v->fact != NULL && !v->many && fact_is_sure(v->fact) ? 1 : 0;
}

static bool
is_too_much(const struct worlds *w)
{
	size_t work = (size_t)w->natoms;

	for (int i = 0; i < w->nvars; i++)
		if (__builtin_mul_overflow(work, w->vars[i].ncells - first_cell(&w->vars[i]),
		    &work) || work > WORK_MAX)
			return true;
	return false;
}

static bool
next_world(struct worlds *w)
{
	for (int i = 0; i < w->nvars; i++) {
		struct var *v = &w->vars[i];

		if (++v->cell < v->ncells)
			return true;
		v->cell = first_cell(v);
	}
	return false;
}

/* What n conditions joined by `kind` can be; bits of CAN_BOTH. */
static int
try_all(struct worlds *w, enum cond_kind kind, const struct cond *const *parts, size_t n)
{
	int can = 0;

	for (int i = 0; i < w->nvars; i++)
		w->vars[i].cell = first_cell(&w->vars[i]);
	do {
		bool yes = kind == COND_AND;
		int next = 0;

		for (size_t i = 0; i < n; i++) {
			bool one = try_cond(w, parts[i], &next);

			yes = kind == COND_AND ? yes && one : yes || one;
		}
		can |= yes ? CAN_BE_TRUE : CAN_BE_FALSE;
	} while (can != CAN_BOTH && next_world(w));
	return can;
}

static void
worlds_free(struct worlds *w)
{
	for (int i = 0; i < w->nvars; i++) {
		free((char *)(uintptr_t)w->vars[i].key.p);
		free(w->vars[i].samples);
	}
	free(w->vars);
	free(w->atoms);
}

static int
try_together(enum cond_kind kind, const struct cond *const *parts, size_t n, bool inside)
{
	struct worlds w = { 0 };
	int can = CAN_BOTH;

	for (size_t i = 0; i < n && !w.failed; i++)
		collect(&w, parts[i], inside);
	if (!w.failed && !is_too_much(&w))
		can = try_all(&w, kind, parts, n);
	worlds_free(&w);
	return can;
}

static int outcomes(const struct cond *c, bool inside);

/* Part i depends on that var: everybody of the later group joins the earlier. */
static void
join(const int *var, size_t i, size_t *owner, size_t *group)
{
	size_t a, b;

	if (*var == -1)
		return;
	if (owner[*var] == 0) {
		owner[*var] = i + 1;
		return;
	}
	a = group[owner[*var] - 1];
	b = group[i];
	for (size_t j = 0; j <= i; j++)
		if (group[j] == a || group[j] == b)
			group[j] = a < b ? a : b;
}

/* Which parts depend on something in common?  group[i]: the first of i's. */
static bool
group_parts(const struct cond *const *parts, size_t n, bool inside, size_t *group)
{
	struct worlds w = { 0 };
	size_t *owner = NULL;	/* of a var: 1 + the first part that depends on it */
	int *upto = calloc(n, sizeof(*upto)), k = 0;
	bool done = false;

	for (size_t i = 0; upto != NULL && i < n && !w.failed; i++) {
		collect(&w, parts[i], inside);
		upto[i] = w.natoms;
		group[i] = i;
	}
	if (upto == NULL || w.failed ||
	    (owner = calloc((size_t)w.nvars + 1, sizeof(*owner))) == NULL)
		goto out;
	for (size_t i = 0; i < n; i++)
		for (; k < upto[i]; k++) {
			join(&w.atoms[k].fact, i, owner, group);
			join(&w.atoms[k].free, i, owner, group);
		}
	done = true;
out:
	worlds_free(&w);
	free(owner);
	free(upto);
	return done;
}

static int
outcomes_of_parts(const struct cond *c, size_t n, bool inside)
{
	const struct cond **parts = calloc(n, 2 * sizeof(*parts)), **some;
	size_t *group = calloc(n, sizeof(*group)), i = 0, m;
	/* Of and: true if all groups can be, false if one can. */
	int all = c->kind == COND_AND ? CAN_BE_TRUE : CAN_BE_FALSE, one = CAN_BOTH & ~all;
	int can = all;

	if (parts == NULL || group == NULL) {
		can = CAN_BOTH;
		goto out;
	}
	some = parts + n;
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		parts[i++] = k;
	if (!group_parts(parts, n, inside, group)) {
		can = CAN_BOTH;
		goto out;
	}
	for (i = 0; i < n; i++) {
		int these;

		if (group[i] != i)
			continue;
		m = 0;
		for (size_t j = i; j < n; j++)
			if (group[j] == i)
				some[m++] = parts[j];
		these = m == 1 ? outcomes(some[0], inside) :
		    try_together(c->kind, some, m, inside);
		can = (can & these & all) | ((can | these) & one);
	}
out:
	free(parts);
	free(group);
	return can;
}

static int
outcomes(const struct cond *c, bool inside)
{
	size_t n = 0;
	int can;

	if (c->kind == COND_NOT) {
		can = outcomes(c->child, inside);
		return (can & CAN_BE_TRUE ? CAN_BE_FALSE : 0) |
		    (can & CAN_BE_FALSE ? CAN_BE_TRUE : 0);
	}
	if (c->kind == COND_CMP || c->kind == COND_HAS)
		return try_together(COND_AND, &c, 1, inside);
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		n++;
	return outcomes_of_parts(c, n, inside);
}

static int
constant_inside(const struct cond *c, bool inside)
{
	int can = outcomes(c, inside);

	return can == CAN_BE_TRUE ? 1 : can == CAN_BE_FALSE ? -1 : 0;
}

int
cond_constant(const struct cond *c, bool inside)
{
	return c == NULL ? 1 : constant_inside(c, inside);
}
