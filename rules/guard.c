/*
 * guard.c - rules that a message can't touch are not looked at.
 *
 * Of ten thousand rules `if sender is X and ...` a message touches the few
 * that name its sender.  Such a comparison guards its rule: false, it makes
 * the rule false, whatever the rest says.  All guards that ask the same fact
 * form one table from values to rules; the fact's value is looked up in it
 * once, and the rules that it doesn't lead to are false without a look.
 *
 * A guard is a comparison for equality (is, in { }) that stands alone or under
 * `and` at the top of a condition, costs no lookup, and is known no later than
 * anything else in it: so the rule could not have been decided before.  Where the
 * fact is in error, every rule of the table is looked at.  Hashes may clash:
 * a rule that is led to is evaluated like any other.
 */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define GUARD_RULES	2	/* one is as quick without */
#define GUARD_TABLES	64

/* Does the operand stand for one value, and not for a net or all of a domain? */
static bool
is_exact(enum type_id type, enum op op, const struct operand *o)
{
	switch (type) {
	case T_ADDR:
		return op == OP_IS;
	case T_DOMAIN:
		return o->text.n > 0 && o->text.p[0] != '.';
	case T_ADDRESS:
		return o->text.n > 0 && o->text.p[0] != '@' && o->value.mb.local.n > 0;
	case T_BOOL:
		return false;
	default:
		return true;
	}
}

static bool
may_guard(const struct node *n, enum stage first)
{
	const struct cond *c = n->cond;
	const struct fact *f;

	if (n->kind != COND_CMP || c->negated || c->quant == Q_EVERY ||
	    (c->op != OP_IS && c->op != OP_IN_SET))
		return false;
	f = c->fact.fact;
	if (f->get == NULL || f->cost == C_DNS || f->scope == P_RCPT ||
	    (f->flags & F_OWN) != 0 || c->fact.stage != first)
		return false;
	for (const struct operand *o = c->operands; o != NULL; o = o->next)
		if (!is_exact(f->type, c->op, o))
			return false;
	return true;
}

/* The comparison that guards the rule, or NULL. */
static const struct cond *
guard_of(const struct crule *cr)
{
	const struct node *root = cr->root;

	if (root == NULL)
		return NULL;
	if (may_guard(root, root->first))
		return root->cond;
	if (root->kind == COND_AND)
		for (size_t i = 0; i < root->nkids; i++)
			if (may_guard(root->kids[i], root->first))
				return root->kids[i]->cond;
	return NULL;
}

static struct guard *
table_of(struct program *p, const struct fact_ref *ref)
{
	for (size_t i = 0; i < p->nguards; i++)
		if (p->guards[i].fact->fact == ref->fact && str_ieq(p->guards[i].fact->key, ref->key))
			return &p->guards[i];
	if (p->nguards == GUARD_TABLES)
		return NULL;
	p->guards[p->nguards].fact = ref;
	return &p->guards[p->nguards++];
}

static int
by_hash(const void *a, const void *b)
{
	const struct guard_entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->rule - y->rule;
}

/* Room for the entries and rules that were counted. */
static int
make_tables(struct ruleset *rs)
{
	struct program *p = &rs->prog;
	size_t kept = 0;

	for (size_t i = 0; i < p->nguards; i++) {
		struct guard *g = &p->guards[i];

		if (g->nrules < GUARD_RULES)
			continue;
		g->entries = arena_array(rs->arena, g->nentries, sizeof(*g->entries));
		g->rules = arena_array(rs->arena, g->nrules, sizeof(*g->rules));
		g->lo = arena_array(rs->arena, g->nrules + 1, sizeof(*g->lo));
		g->hi = arena_array(rs->arena, g->nrules + 1, sizeof(*g->hi));
		if (g->entries == NULL || g->rules == NULL || g->lo == NULL || g->hi == NULL)
			return -1;
		g->nentries = g->nrules = 0;
		p->guards[kept++] = *g;
	}
	p->nguards = kept;
	return 0;
}

static void
add_rule(struct guard *g, struct crule *cr, int rule, const struct cond *c)
{
	enum type_id type = c->fact.fact->type;
	size_t n = g->nrules++;

	g->rules[n] = rule;
	g->lo[n + 1] = g->lo[n] + (cr->scores && cr->score < 0 ? cr->score : 0);
	g->hi[n + 1] = g->hi[n] + (cr->scores && cr->score > 0 ? cr->score : 0);
	for (const struct operand *o = c->operands; o != NULL; o = o->next)
		g->entries[g->nentries++] = (struct guard_entry){ type_hash(type, &o->value), rule };
}

int
guard_build(struct ruleset *rs)
{
	struct program *p = &rs->prog;

	if ((p->guards = arena_array(rs->arena, GUARD_TABLES, sizeof(*p->guards))) == NULL)
		return -1;
	for (size_t i = 0; i < p->nrules; i++) {
		const struct cond *c = guard_of(&p->rules[i]);
		struct guard *g;

		p->rules[i].guard = -1;
		if (c == NULL || (g = table_of(p, &c->fact)) == NULL)
			continue;
		g->nrules++;
		for (const struct operand *o = c->operands; o != NULL; o = o->next)
			g->nentries++;
	}
	if (make_tables(rs) == -1)
		return -1;
	for (size_t i = 0; i < p->nrules; i++) {
		const struct cond *c = guard_of(&p->rules[i]);

		for (size_t k = 0; c != NULL && k < p->nguards; k++) {
			struct guard *g = &p->guards[k];

			if (g->fact->fact != c->fact.fact || !str_ieq(g->fact->key, c->fact.key))
				continue;
			p->rules[i].guard = (int)k;
			add_rule(g, &p->rules[i], (int)i, c);
		}
	}
	for (size_t k = 0; k < p->nguards; k++)
		qsort(p->guards[k].entries, p->guards[k].nentries, sizeof(struct guard_entry), by_hash);
	return 0;
}

/* ---- At run time ---- */

static size_t
hit_place(const struct rules_state *st, int rule)
{
	size_t lo = 0, hi = st->nhits;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (st->hits[mid] < rule)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t
guard_hit_from(const struct rules_state *st, size_t rule)
{
	return hit_place(st, (int)rule);
}

static void
add_hit(struct rules_state *st, int rule)
{
	size_t at = hit_place(st, rule);
	int *v;

	if (at < st->nhits && st->hits[at] == rule)
		return;
	if (st->nhits == st->hits_cap) {
		size_t cap = st->hits_cap * 2 + 16;

		if ((v = arena_array(st->m->arena, cap, sizeof(*v))) == NULL) {
			st->failed = true;
			return;
		}
		if (st->nhits > 0)
			memcpy(v, st->hits, st->nhits * sizeof(*v));
		st->hits = v;
		st->hits_cap = cap;
	}
	memmove(st->hits + at + 1, st->hits + at, (st->nhits - at) * sizeof(*st->hits));
	st->hits[at] = rule;
	st->nhits++;
}

static void
add_hits_of(struct rules_state *st, const struct guard *g, uint64_t hash)
{
	size_t lo = 0, hi = g->nentries;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (g->entries[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < g->nentries && g->entries[lo].hash == hash; lo++)
		add_hit(st, g->entries[lo].rule);
}

/* Asks a table's fact, if it is known by now. */
static void
look(struct rules_state *st, const struct guard *g, struct guard_state *gs)
{
	struct answer a;
	enum fact_status s = eval_fact(st, g->fact, &a);

	if (s == FACT_PENDING)
		return;
	gs->known = true;
	gs->stage = (uint8_t)st->m->stage;
	if (s == FACT_ERROR || a.truncated || a.doubts > 0) {
		gs->all = true;
		for (size_t i = 0; i < g->nrules; i++)
			add_hit(st, g->rules[i]);
		return;
	}
	for (size_t i = 0; s == FACT_KNOWN && i < a.n; i++)
		add_hits_of(st, g, type_hash(g->fact->fact->type, &a.v[i]));
}

void
guard_advance(struct rules_state *st)
{
	const struct program *p = &st->rs->prog;

	for (size_t i = 0; i < p->nguards; i++)
		if (!st->guards[i].known && p->guards[i].fact->stage <= st->m->stage)
			look(st, &p->guards[i], &st->guards[i]);
}

bool
guard_excludes(struct rules_state *st, size_t rule, enum stage *stage)
{
	const struct crule *cr = &st->rs->prog.rules[rule];
	const struct guard_state *gs;
	size_t at;

	if (cr->guard < 0 || !(gs = &st->guards[cr->guard])->known)
		return false;
	*stage = (enum stage)gs->stage;
	at = hit_place(st, (int)rule);
	return at == st->nhits || st->hits[at] != (int)rule;
}

void
guard_open_score(const struct rules_state *st, size_t rule, int64_t *lo, int64_t *hi)
{
	const struct program *p = &st->rs->prog;

	for (size_t k = 0; k < p->nguards; k++) {
		const struct guard *g = &p->guards[k];
		size_t a = 0, b = g->nrules;

		if (st->guards[k].known)
			continue;
		while (a < b) {		/* how many of its rules stand above */
			size_t mid = (a + b) / 2;

			if (g->rules[mid] < (int)rule)
				a = mid + 1;
			else
				b = mid;
		}
		*lo += g->lo[a];
		*hi += g->hi[a];
	}
}
