/*
 * check_values.h - what facts may be, as far as conditions can tell: shared by
 * check_values.c, check_samples.c and check_search.c.  Others include check_claims.h.
 */
#ifndef RULES_CHECK_VALUES_H
#define RULES_CHECK_VALUES_H

#include "ast.h"
#include "check_claims.h"

#define SLOTS_MAX	512

/* What is chosen in a world: one of ncells. */
struct slot {
	size_t		ncells;
	int		cell;		/* -1: open */
	struct str	key;		/* of a comparison: how it reads */
};

/* A value, or what stands for all those that no comparison names. */
enum sample_kind { SAMPLE_UNSET, SAMPLE_ERROR, SAMPLE_VALUE, SAMPLE_OTHER };
struct sample {
	enum sample_kind kind;
	struct value	v;
	struct str	end;		/* SAMPLE_OTHER: what all of them end with */
};

/*
 * A fact, or a fact with a key.  One value: its slot chooses among the classes.
 * Several: the slot says whether they can be had (enum many_cell), and each
 * class has a slot of its own: is there such a value?
 */
enum many_cell { MANY_UNSET, MANY_SET, MANY_ERROR, MANY_CUT, MANY_CELLS };
struct var {
	struct str	key;
	const struct fact *fact;
	struct score_at	score;		/* of `score` */
	bool		many, of_all;	/* of_all: of each of the recipients */
	struct sample	*samples;	/* once classified: one of each class */
	size_t		n, cap;
	size_t		slot, classes;	/* classes: the first class's slot, if many */
	size_t		natoms;
};

/* A comparison, or has ( ... ). */
struct atom {
	const struct cond *c;
	struct var	*var;		/* NULL: has */
	size_t		column;		/* which of the var's atoms it is */
	outcome		*truth;		/* by class; 0: as `free` says */
	outcome		all;		/* any of them */
	ptrdiff_t	free;		/* slot of what types can't tell; -1: there is none */
	outcome		errors;		/* that it may end in with values at hand */
	outcome		missing;	/* what an error of the fact itself is */
	bool		never;		/* has ( ... ) over what can't be */
};

struct world {
	struct arena	*a;
	const struct settings *s;	/* NULL: errors are left out of account */
	bool		inside;
	struct var	**vars;
	struct atom	*atoms;
	struct slot	slots[SLOTS_MAX];
	size_t		nvars, vars_cap, natoms, atoms_cap, nslots;
	int64_t		work;
	bool		failed;		/* too much, or no memory: nothing can be said */
};

/* Takes all comparisons of a condition in, in their order. */
void world_collect(struct world *w, const struct cond *c, const struct score_at *score);
/* Sorts the values of each fact into classes, and makes the slots. */
void world_classify(struct world *w);

/* Zeroed memory; w->failed without. */
void *world_alloc(struct world *w, size_t n, size_t size);
/* The array with room for one more. */
void *world_room(struct world *w, void *old, size_t n, size_t *cap, size_t size);
bool fact_is_score(const struct fact *f);

/* ---- check_samples.c ---- */

void sample_add(struct world *w, struct var *v, enum sample_kind kind, const struct value *value,
    struct str end);
/* What the value of a comparison tells apart. */
void samples_named(struct world *w, struct var *v, enum op op, const struct value *value);
/* What can be without being named. */
void samples_unnamed(struct world *w, struct var *v);
/* What the comparison stands for, as far as the reasoner goes: a short list in place is a set. */
struct compared {
	enum op		op;
	const struct operand *operands;
};
struct compared cond_compared(const struct cond *c);
/* What the comparison, not negated, says of the sample; 0: types can't tell. */
outcome sample_test(const struct cond *c, const struct sample *s);
/* The fact as a condition names it, and NULL if no condition of the world did. */
const struct var *world_var(const struct world *w, const struct cond *c,
    const struct score_at *score);
/* The slot of a comparison that reads so, or -1. */
ptrdiff_t world_free(const struct world *w, const struct cond *c);

#endif
