/*
 * compile.c - from the checked tree to what the evaluator runs on.
 *
 * Conditions become nodes with their children in the order of cost, equal
 * comparisons share one slot for their outcome, and each rule gets a summary
 * of what it can do.  What the rules can look at, and at which stages they
 * can speak, is summed up here too: it decides what the MTA is asked to send.
 */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "fold.h"
#include "print.h"

/* Comparisons seen so far, by their canonical text. */
struct seen {
	struct str	key;
	int		slot;
	struct seen    *next;
};

struct compiler {
	struct ruleset	*rs;
	struct seen    **buckets;
	size_t		 nbuckets;
	unsigned	 flags;		/* of the rule at hand */
	bool		 greylists;
	struct str	*macros;	/* needs.macros, to be filled in */
	bool		 failed;
};

static enum stage
stage_max(enum stage a, enum stage b)
{
	return a > b ? a : b;
}

static enum stage
stage_min(enum stage a, enum stage b)
{
	return a < b ? a : b;
}

/* A macro that a rule names must be asked for; each is kept once. */
static void
note_macro(struct compiler *c, struct str name)
{
	struct strings *m = &c->rs->needs.macros;
	struct str *v;

	if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = (struct str){ name.p + 1, name.n - 2 };
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i], name))
			return;
	/* Room for twice as many where a power of two is full. */
	if ((m->n & (m->n - 1)) == 0) {
		if ((v = arena_array(c->rs->arena, m->n * 2 + 1, sizeof(*v))) == NULL) {
			c->failed = true;
			return;
		}
		if (m->n > 0)
			memcpy(v, m->v, m->n * sizeof(*v));
		m->v = c->macros = v;
	}
	c->macros[m->n++] = name;
}

static void note_texts(struct compiler *c, const struct text *t);

static void
note_rate(struct compiler *c, const struct fact_ref *ref)
{
	struct rate *rate = &c->rs->prog.rates[ref->rate];
	struct strbuf key = { 0 };

	note_texts(c, ref->key_text);
	if (rate->ref != NULL)
		return;
	rate->ref = ref;
	fold_add(&key, ref->key);
	rate->key = str_dup(c->rs->arena, strbuf_slice(&key));
	c->failed |= key.failed || rate->key.p == NULL;
	strbuf_free(&key);
}

static void
note_fact(struct compiler *c, const struct fact_ref *ref)
{
	if (ref->fact == NULL)
		return;
	c->flags |= ref->fact->flags;
	if (strcmp(ref->fact->name, "macro") == 0)
		note_macro(c, ref->key);
	if (ref->fact->flags & F_RATE)
		note_rate(c, ref);
	if (ref->fact->flags & F_GREYLIST)
		c->greylists = c->rs->prog.greylists = true;
}

static void
note_texts(struct compiler *c, const struct text *t)
{
	for (; t != NULL; t = t->next)
		for (const struct part *p = t->parts; p != NULL; p = p->next)
			if (p->kind == PART_FACT)
				note_fact(c, &p->fact);
}

/* The slot of a comparison: an equal one's, if it was seen. */
static int
slot_of(struct compiler *c, const struct cond *cond, bool per_rcpt)
{
	struct program *prog = &c->rs->prog;
	struct strbuf b = { 0 };
	struct seen *s, **bucket;
	int slot = -1;

	strbuf_putc(&b, per_rcpt ? 'r' : 's');
	print_cond(cond, &b);
	if (b.failed) {
		c->failed = true;
		goto out;
	}
	bucket = &c->buckets[str_hash(strbuf_slice(&b)) % c->nbuckets];
	for (s = *bucket; s != NULL; s = s->next)
		if (str_eq(s->key, strbuf_slice(&b))) {
			slot = s->slot;
			goto out;
		}
	if ((s = malloc(sizeof(*s))) == NULL) {
		c->failed = true;
		goto out;
	}
	s->slot = (int)(per_rcpt ? prog->nown++ : prog->nshared++);
	s->next = *bucket;
	*bucket = s;
	slot = s->slot;
	s->key = (struct str){ b.p, b.n };
	return slot;	/* the key keeps the buffer */
out:
	strbuf_free(&b);
	return slot;
}

/* A key is as dear as the dearest of its facts. */
static enum cost
fact_cost(const struct fact_ref *ref)
{
	enum cost cost = ref->fact->cost;

	for (const struct part *p = ref->key_text != NULL ? ref->key_text->parts : NULL;
	    p != NULL; p = p->next)
		if (p->kind == PART_FACT && p->fact.fact->cost > cost)
			cost = p->fact.fact->cost;
	return cost;
}

/* score and matched speak of where they stand: they have no slot. */
static void
compile_leaf(struct compiler *c, struct node *n)
{
	const struct cond *cond = n->cond;
	const struct fact_ref *ref = &cond->fact;
	bool quantified = cond_is_of_all(cond);

	note_fact(c, ref);
	n->cost = fact_cost(ref);
	if (n->cost == C_MEM && (cond->op == OP_MATCHES || cond->op == OP_MATCHES_LIST))
		n->cost = C_SCAN;
	n->per_rcpt = !quantified && ref->scope == P_RCPT;
	n->first = quantified ? stage_max(ref->stage, S_DATA) : ref->stage;
	n->may_true = n->may_false = n->first;
	/* It is looked at before it can be known, so that its lookups begin. */
	if ((ref->fact->flags & F_DMARC) != 0)
		n->first = S_HEADERS;
	if (ref->fact->flags & F_OWN) {
		/* What feeds it may be known long before it surely is. */
		n->first = n->may_true = n->may_false = S_CONNECT;
		n->slot = -1;
	} else if (ref->fact->flags & F_GREYLIST)
		n->slot = -1;	/* the answer is kept with the recipient */
	else
		n->slot = slot_of(c, cond, n->per_rcpt);
	if (scans_add(c->rs->prog.scans, cond, &n->group, &n->index) != 0)
		c->failed = true;
}

static void
note_inside(struct compiler *c, const struct cond *cond)
{
	if (cond->kind == COND_CMP)
		note_fact(c, &cond->fact);
	for (const struct cond *k = cond->child; k != NULL; k = k->next)
		note_inside(c, k);
}

static void
compile_has(struct compiler *c, struct node *n)
{
	note_inside(c, n->cond->child);
	n->cost = things[n->cond->thing].cost;
	n->first = things[n->cond->thing].stage;
	n->may_true = n->may_false = n->first;
	n->slot = slot_of(c, n->cond, false);
}

/* Cheap children first, in file order among equals. */
static void
sort_kids(struct node *n)
{
	for (size_t i = 1; i < n->nkids; i++) {
		struct node *k = n->kids[i];
		size_t j = i;

		for (; j > 0 && n->kids[j - 1]->cost > k->cost; j--)
			n->kids[j] = n->kids[j - 1];
		n->kids[j] = k;
	}
}

static struct node *compile_cond(struct compiler *c, const struct cond *cond);

static void
compile_kids(struct compiler *c, struct node *n)
{
	size_t count = 0;

	for (const struct cond *k = n->cond->child; k != NULL; k = k->next)
		count++;
	if ((n->kids = arena_array(c->rs->arena, count, sizeof(*n->kids))) == NULL) {
		c->failed = true;
		return;
	}
	for (const struct cond *k = n->cond->child; k != NULL; k = k->next) {
		struct node *kid = compile_cond(c, k);
		bool both = n->kind == COND_AND, first = n->nkids == 0;

		if (kid == NULL)
			return;
		n->kids[n->nkids++] = kid;
		n->per_rcpt |= kid->per_rcpt;
		if (first || kid->first < n->first)
			n->first = kid->first;
		if (first) {
			n->may_true = kid->may_true;
			n->may_false = kid->may_false;
		} else if (both) {
			n->may_true = stage_max(n->may_true, kid->may_true);
			n->may_false = stage_min(n->may_false, kid->may_false);
		} else {
			n->may_true = stage_min(n->may_true, kid->may_true);
			n->may_false = stage_max(n->may_false, kid->may_false);
		}
		if (kid->cost > n->cost)
			n->cost = kid->cost;
	}
	if (n->kind == COND_NOT) {
		enum stage t = n->may_true;

		n->may_true = n->may_false;
		n->may_false = t;
	}
	sort_kids(n);
}

static struct node *
compile_cond(struct compiler *c, const struct cond *cond)
{
	struct node *n;

	if ((n = arena_new_object(c->rs->arena, struct node)) == NULL) {
		c->failed = true;
		return NULL;
	}
	n->cond = cond;
	n->kind = cond->kind;
	n->slot = -1;
	if (cond->kind == COND_CMP)
		compile_leaf(c, n);
	else if (cond->kind == COND_HAS)
		compile_has(c, n);
	else
		compile_kids(c, n);
	return c->failed ? NULL : n;
}

static void
compile_rule(struct compiler *c, size_t i, const struct rule *r)
{
	struct ruleset *rs = c->rs;
	struct crule *cr = &rs->prog.rules[i];

	cr->rule = r;
	c->flags = 0;
	c->greylists = false;
	if (r->cond != NULL)
		cr->root = compile_cond(c, r->cond);
	cr->per_rcpt = cr->root != NULL && cr->root->per_rcpt;
	for (const struct action *a = r->actions; a != NULL; a = a->next) {
		const struct action_def *def = &actions[a->id];

		note_texts(c, a->text);
		if (a->would || a->id == A_LOG)
			cr->notes = true;
		if (a->would)
			continue;
		if (def->final)
			cr->final = a;
		if (def->flags & ACT_EDIT)
			cr->edits = rs->needs.edits = true;
		if (def->flags & ACT_SCORE) {
			cr->scores = true;
			cr->score += a->score;
		}
		if (a->id == A_QUARANTINE)
			rs->needs.quarantine = true;
		if (a->id == A_DISCARD)
			rs->needs.edits = true;	/* the recipient is removed */
	}
	cr->flags = c->flags;
	cr->greylists = c->greylists;
	rs->needs.facts |= c->flags;
	cr->slot = (int)(cr->per_rcpt ? rs->prog.nown_rules++ : i);
	if (cr->root != NULL && cr->root->group != NULL && !cr->root->cond->negated)
		scans_decide(cr->root->group, cr->root->index, i);
}

static enum stage
texts_first(const struct text *t)
{
	enum stage s = S_CONNECT;

	for (; t != NULL; t = t->next)
		for (const struct part *p = t->parts; p != NULL; p = p->next)
			if (p->kind == PART_FACT && p->fact.fact != NULL &&
			    (p->fact.fact->flags & F_OWN) == 0)
				s = stage_max(s, p->fact.stage);
	return s;
}

/* A verdict that may be had at `s` is told at the first stage from there that replies. */
static enum stage
told_at(const struct settings *set, enum stage s)
{
	static const enum stage first[] = { S_CONNECT, S_MAIL, S_RCPT };

	s = stage_max(s, first[set->earliest_reply]);
	return s == S_HEADERS ? S_MESSAGE : s;
}

/*
 * At which stages can a verdict be told?  What may be known at the earliest
 * counts, not what is surely known: a stage without reply loses the verdict.
 */
static void
find_replies(struct ruleset *rs)
{
	bool *replies = rs->needs.replies;
	enum stage above = S_CONNECT;

	replies[S_MESSAGE] = true;
	for (size_t i = 0; i < rs->prog.nrules; i++) {
		const struct crule *cr = &rs->prog.rules[i];
		enum stage t = S_CONNECT, f = S_MESSAGE, s;

		if (cr->final == NULL)
			continue;
		if (cr->root != NULL) {
			t = cr->root->may_true;
			f = cr->root->may_false;
		}
		/* An error may end the reading too, when nothing else is open. */
		s = stage_max(stage_max(stage_min(t, f), above), texts_first(cr->final->text));
		if (cr->final->id == A_DISCARD)
			s = stage_max(s, S_DATA);
		if (cr->final->id != A_ACCEPT && cr->final->id != A_QUARANTINE)
			for (enum stage e = told_at(&rs->settings, s); e < S_COUNT; e++)
				replies[e] = true;
		else	/* on-error */
			for (enum stage e = told_at(&rs->settings, stage_max(s, S_MAIL)); e < S_COUNT; e++)
				replies[e] = true;
		if (cr->rule->per_rcpt)
			replies[S_RCPT] = true;
		above = stage_max(above, f);
	}
	replies[S_HEADERS] = false;
}

/* What a lookup is begun for, even below a rule that can't be decided yet. */
static bool
looks_up(const struct crule *cr)
{
	return cr->root != NULL && cr->root->cost >= C_DNS;
}

static enum stage
first_of(const struct crule *cr)
{
	return cr->root != NULL ? cr->root->first : S_CONNECT;
}

static void
add_rule(uint64_t *set, size_t i)
{
	set[i / 64] |= UINT64_C(1) << (i % 64);
}

/*
 * The rules that a reading must look at in a stage: those of which something
 * may be known by then, unless a guard leads to them; and of the others those
 * that could change what follows, up to the first that could end the reading,
 * since nothing below it can be decided.
 */
static int
list_visits(struct ruleset *rs, enum stage s)
{
	struct program *p = &rs->prog;
	bool walled = false;

	if ((p->visit[s] = arena_array(rs->arena, rule_words(p) + 1, sizeof(uint64_t))) == NULL)
		return -1;
	p->late[s] = p->nrules;
	for (size_t i = 0; i < p->nrules; i++) {
		const struct crule *cr = &p->rules[i];
		bool early = first_of(cr) <= s;
		bool visit = early ? cr->guard < 0 && (!walled || looks_up(cr)) :
		    !walled && (cr->final != NULL || cr->edits);

		if (!early && p->late[s] == p->nrules)
			p->late[s] = i;
		if (visit)
			add_rule(p->visit[s], i);
		walled = walled || (!early && cr->final != NULL);
	}
	return 0;
}

static int
list_rules(struct ruleset *rs)
{
	struct program *p = &rs->prog;
	size_t room = p->nrules + 1;

	p->scorers.v = arena_array(rs->arena, room, sizeof(int));
	p->plain_scorers = arena_array(rs->arena, rule_words(p) + 1, sizeof(uint64_t));
	p->traced.v = arena_array(rs->arena, room, sizeof(int));
	p->asked = arena_array(rs->arena, room, sizeof(*p->asked));
	if (p->scorers.v == NULL || p->plain_scorers == NULL || p->traced.v == NULL ||
	    p->asked == NULL || guard_build(rs) == -1)
		return -1;
	for (size_t i = 0; i < p->nrules; i++) {
		const struct crule *cr = &p->rules[i];

		p->asked[i + 1] = p->asked[i] | (cr->flags &
		    (F_SPF | F_SPFHELO | F_DKIM | F_DMARC | F_ARC | F_IPREV | F_DNSBL));
		if (cr->edits || cr->notes)
			p->traced.v[p->traced.n++] = (int)i;
		if (!cr->scores)
			continue;
		p->scorers.v[p->scorers.n++] = (int)i;
		p->rcpt_scores |= cr->per_rcpt;
		if (cr->guard < 0)
			add_rule(p->plain_scorers, i);
	}
	for (enum stage s = S_CONNECT; s < S_COUNT; s++)
		if (list_visits(rs, s) == -1)
			return -1;
	return 0;
}

int
compile(struct ruleset *rs)
{
	struct compiler c = { .rs = rs, .nbuckets = 4096 + 2 * rs->ast->nrules };
	struct program *prog = &rs->prog;
	size_t i = 0;

	prog->rules = arena_array(rs->arena, rs->ast->nrules + 1, sizeof(*prog->rules));
	prog->nrates = rs->ast->nrates;
	prog->rates = arena_array(rs->arena, prog->nrates + 1, sizeof(*prog->rates));
	prog->scans = scans_new(rs->arena);
	c.buckets = calloc(c.nbuckets, sizeof(struct seen *));
	if (prog->rules == NULL || prog->rates == NULL || prog->scans == NULL || c.buckets == NULL)
		c.failed = true;
	for (const struct rule *r = rs->ast->rules; r != NULL && !c.failed; r = r->next) {
		compile_rule(&c, i, r);
		prog->nrules = ++i;
	}
	if (!c.failed && list_rules(rs) == -1)
		c.failed = true;
	if (!c.failed) {
		find_replies(rs);
		scans_finish(prog->scans);
	}
	for (size_t b = 0; c.buckets != NULL && b < c.nbuckets; b++)
		for (struct seen *s = c.buckets[b], *next; s != NULL; s = next) {
			next = s->next;
			free((char *)(uintptr_t)s->key.p);
			free(s);
		}
	free(c.buckets);
	return c.failed ? -1 : 0;
}
