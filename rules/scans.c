/*
 * scans.c - one look at a fact for all patterns that rules hold against it.
 *
 * Rules ask `subject matches /.../` one by one, each of them once.  When the
 * first of a group is asked and the fact is known, its values are scanned for
 * the literals of all (prefilter.c), and what was found stays with the message.  A
 * comparison that isn't among the candidates needs neither the fact nor PCRE2.
 *
 * A fact that is known stays what it is to the end of the message, which
 * the outcomes that the evaluator keeps rest on, too.
 */
#include "scans.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "eval.h"
#include "prefilter.h"

#define BUCKETS	256

struct scan_group {
	const struct fact_ref *ref;
	const struct regex **patterns;	/* NULL once the prefilter is built */
	ptrdiff_t	*rules;		/* that a pattern decides alone; -1: none */
	size_t		 n, cap;
	struct prefilter *pf;		/* NULL: too few patterns, or no libhs */
	size_t		 number;
	struct scan_group *next;	/* of the bucket */
};

struct scans {
	struct arena	*arena;
	size_t		 n;
	struct scan_group *buckets[BUCKETS];
};

static void
free_groups(void *arg)
{
	struct scans *s = arg;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct scan_group *g = s->buckets[i]; g != NULL; g = g->next) {
			free((void *)(uintptr_t)g->patterns);
			free(g->rules);
		}
}

struct scans *
scans_new(struct arena *a)
{
	struct scans *s = arena_new_object(a, struct scans);

	if (s == NULL || arena_defer(a, free_groups, s) != 0)
		return NULL;
	s->arena = a;
	return s;
}

static struct scan_group *
group_of(struct scans *s, const struct fact_ref *ref)
{
	size_t at = (size_t)(str_ihash(ref->key) ^ (uintptr_t)ref->fact >> 4) % BUCKETS;
	struct scan_group *g;

	for (g = s->buckets[at]; g != NULL; g = g->next)
		if (g->ref->fact == ref->fact && str_ieq(g->ref->key, ref->key))
			return g;
	if ((g = arena_new_object(s->arena, struct scan_group)) == NULL)
		return NULL;
	g->ref = ref;
	g->next = s->buckets[at];
	s->buckets[at] = g;
	return g;
}

static int
grow(struct scan_group *g)
{
	size_t cap = g->cap * 2 + 16;
	const struct regex **patterns = realloc((void *)(uintptr_t)g->patterns, cap * sizeof(*patterns));
	ptrdiff_t *rules;

	if (patterns == NULL)
		return -1;
	g->patterns = patterns;
	if ((rules = realloc(g->rules, cap * sizeof(*rules))) == NULL)
		return -1;
	g->rules = rules;
	g->cap = cap;
	return 0;
}

int
scans_add(struct scans *s, const struct cond *c, const struct scan_group **group, size_t *index)
{
	struct scan_group *g;

	*group = NULL;
	if (c->op != OP_MATCHES || c->regex.re == NULL || c->fact.scope == P_RCPT ||
	    c->fact.fact->scope == P_RCPT || (c->fact.fact->flags & (F_OWN | F_STORED)) != 0)
		return 0;
	if ((g = group_of(s, &c->fact)) == NULL)
		return -1;
	if (g->n == g->cap && grow(g) != 0)
		return -1;
	*group = g;
	*index = g->n;
	g->rules[g->n] = -1;
	g->patterns[g->n++] = c->regex.re;
	return 0;
}

void
scans_decide(const struct scan_group *g, size_t index, size_t rule)
{
	g->rules[index] = (ptrdiff_t)rule;
}

void
scans_finish(struct scans *s)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct scan_group *g = s->buckets[i]; g != NULL; g = g->next) {
			if ((g->pf = prefilter_new(s->arena, g->patterns, g->n)) != NULL)
				g->number = s->n++;
			free((void *)(uintptr_t)g->patterns);
			g->patterns = NULL;
		}
}

size_t
scans_count(const struct scans *s)
{
	return s->n;
}

/* Of ten thousand rules nearly all end here, before they are looked at. */
static void
decide_rules(struct rules_state *st, const struct scan_group *g, const struct scanned *sc)
{
	for (size_t i = 0; i < g->n; i++) {
		ptrdiff_t rule = g->rules[i];

		if (rule < 0 || prefilter_has(sc->set, i))
			continue;
		st->open[rule / 64] &= ~(UINT64_C(1) << (rule % 64));
		st->rules[rule] = O_FALSE;
		st->known_at[rule] = (uint8_t)st->m->stage;
	}
}

/* The candidates in all values of the fact; NULL if it isn't known for sure, or without memory. */
static const struct scanned *
scan(struct rules_state *st, const struct scan_group *g)
{
	struct scanned *sc = &st->scanned[g->number];
	bool boxes = g->ref->fact->type == T_ADDRESS;
	enum fact_status s;
	struct answer a;
	uint64_t *set;

	if (sc->set != NULL)
		return sc;
	s = eval_fact(st, g->ref, &a);
	if ((s != FACT_KNOWN && s != FACT_UNSET) || a.doubts > 0)
		return NULL;
	if ((set = arena_array(st->m->arena, prefilter_words(g->pf), sizeof(*set))) == NULL)
		return NULL;
	for (size_t i = 0; s == FACT_KNOWN && i < a.n; i++)
		prefilter_scan(g->pf, boxes ? a.v[i].mb.text : a.v[i].s, set);
	sc->set = set;
	sc->truncated = s == FACT_KNOWN && a.truncated;
	if (!sc->truncated)
		decide_rules(st, g, sc);
	return sc;
}

bool
scans_rule_out(struct rules_state *st, const struct node *n, bool *truncated)
{
	const struct scanned *sc;

	if (n->group == NULL || n->group->pf == NULL ||
	    (sc = scan(st, n->group)) == NULL || prefilter_has(sc->set, n->index))
		return false;
	*truncated = sc->truncated;
	return true;
}
