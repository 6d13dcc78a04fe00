/*
 * eval.c - conditions: what each may still turn out to be.
 *
 * An outcome is a set (outcome.h): a fact that isn't known leaves all of it open,
 * an error is unknown for good.  Decided outcomes are kept, those that are
 * the same for all recipients once for all of them; the rest is looked at
 * again when more is known.  Reading the rules in order is reading.c's
 * business, which recipients there are plan.c's.
 */
#include "eval.h"

#include <string.h>

#include "regex.h"
#include "tables.h"

/* What on-error says to an error of that class. */
static outcome
o_error(const struct rules_state *st, enum error_class class)
{
	return o_on_error(&st->rs->settings, class);
}

enum fact_status
eval_fact(struct rules_state *st, const struct fact_ref *ref, struct answer *out)
{
	struct fact_arg arg = { .key = ref->key };
	enum fact_status s;

	memset(out, 0, sizeof(*out));
	if (ref->stage > st->m->stage) {
		/* The header is enough to begin these lookups; they then run beside the body. */
		if ((ref->fact->flags & F_DMARC) != 0 && st->m->stage == S_HEADERS &&
		    given_answer(st->m, ref, out) == FACT_PENDING)
			(void)ref->fact->get(st->m, &arg, out);
		return FACT_PENDING;
	}
	if ((s = given_answer(st->m, ref, out)) != FACT_PENDING)
		return s;
	if (ref->fact->flags & F_STORED)
		return stored_answer(st, ref, out);
	s = ref->fact->get(st->m, &arg, out);
	if (s == FACT_PENDING && st->m->may_wait) {
		/* Against mail.h's word; nothing may hang on it for ever. */
		out->error = ERR_LOOKUP;
		return FACT_ERROR;
	}
	return s;
}

static int
compared(enum table_result r)
{
	return r == TABLE_YES ? 1 : r == TABLE_NO ? 0 :
	    r == TABLE_FAILED ? COMPARE_FAILED : COMPARE_LIMIT;
}

int
eval_compare(const struct table_view *lists, const struct cond *c, const struct value *v,
    struct captures *caps)
{
	const struct fact *f = c->fact.fact;
	const struct table *t = c->list != NULL ? table_in(lists, c->list) : NULL;
	struct str subject;

	switch (c->op) {
	case OP_TRUE:
		return v->b;
	case OP_IN_SET:
		for (const struct operand *o = c->operands; o != NULL; o = o->next)
			if (type_test(f->type, c->op, v, &o->value))
				return 1;
		return 0;
	case OP_IN_LIST:
		return t == NULL ? COMPARE_FAILED :
		    compared(table_has(t, v, f->type == T_RAW));
	case OP_MATCHES:
	case OP_MATCHES_LIST:
		subject = f->type == T_ADDRESS ? v->mb.text : v->s;
		if (c->op == OP_MATCHES)
			switch (regex_match(c->regex.re, subject, caps)) {
			case REGEX_NO:
				return 0;
			case REGEX_YES:
				return 1;
			case REGEX_LIMIT:
				return COMPARE_LIMIT;
			}
		return t == NULL ? COMPARE_FAILED : compared(table_matches(t, subject, caps));
	default:
		return type_test(f->type, c->op, v, &c->operands->value);
	}
}

/* What on-error says to a comparison that could not be made. */
static outcome
compare_error(const struct rules_state *st, int r)
{
	return o_error(st, r == COMPARE_FAILED ? ERR_LOOKUP : ERR_LIMIT);
}

/* Whether a value is what is asked for. */
static outcome
compare_value(const struct rules_state *st, const struct cond *c, const struct value *v)
{
	int r = eval_compare(st->lists, c, v, NULL);

	return r > 0 ? O_TRUE : r == 0 ? O_FALSE : compare_error(st, r);
}

static outcome
compare_any(const struct rules_state *st, const struct cond *c, const struct answer *a)
{
	outcome errors = a->truncated ? o_error(st, ERR_LIMIT) : 0;

	for (size_t i = 0; i < a->n + a->doubts; i++) {
		outcome o = compare_value(st, c, &a->v[i]);

		if (o == O_TRUE && i < a->n)
			return O_TRUE;
		if (o != O_FALSE)
			errors |= o == O_TRUE ? o_error(st, ERR_LOOKUP) : o;
	}
	/* Several classes: the strictest, as `and` has it. */
	return errors != 0 ? errors & (outcome)-errors : O_FALSE;
}

static outcome
compare_every(const struct rules_state *st, const struct cond *c, const struct answer *a)
{
	outcome o = a->n > 0 ? O_TRUE : O_FALSE;

	for (size_t i = 0; i < a->n; i++)
		o = o_and(o, compare_value(st, c, &a->v[i]));
	/* With none that is sure, one in doubt would make it true; else, false. */
	for (size_t i = a->n; i < a->n + a->doubts; i++)
		if (compare_value(st, c, &a->v[i]) != (a->n > 0 ? O_TRUE : O_FALSE))
			o = a->n > 0 ? o_and(o, o_error(st, ERR_LOOKUP)) : o_error(st, ERR_LOOKUP);
	return a->truncated && o == O_TRUE ? o_error(st, ERR_LIMIT) : o;
}

/* What one look at the fact says; `is not` and the like not yet applied. */
static outcome
compare_answer(struct rules_state *st, const struct cond *c, enum fact_status s,
    const struct answer *a)
{
	switch (s) {
	case FACT_PENDING:
		return O_PENDING;
	case FACT_UNSET:
		return O_FALSE;
	case FACT_ERROR:
		/* Values in doubt matter to what asks for them only. */
		if (a->doubts == 0 || c->op == OP_SET)
			return o_error(st, a->error);
		break;
	case FACT_KNOWN:
		break;
	}
	if (c->op == OP_SET)
		return O_TRUE;
	return c->quant == Q_EVERY ? compare_every(st, c, a) : compare_any(st, c, a);
}

/* any rcpt..., every rcpt...: over all that were shown, but those sent away to come again. */
static outcome
compare_recipients(struct rules_state *st, const struct cond *c)
{
	struct mail *m = st->m;
	struct recipient *saved = m->rcpt;
	bool any = c->quant == Q_ANY, none = true;
	outcome o = any ? O_FALSE : O_TRUE;

	if (m->stage < S_DATA)
		return O_PENDING;
	for (size_t i = 0; i < m->nrcpts; i++) {
		struct answer a;
		enum fact_status s;
		outcome one;

		if (rcpt_is_split(m->rcpts[i]))
			continue;
		none = false;
		m->rcpt = m->rcpts[i];
		s = eval_fact(st, &c->fact, &a);
		one = compare_answer(st, c, s, &a);
		o = any ? o_or(o, one) : o_and(o, one);
	}
	m->rcpt = saved;
	return none ? O_FALSE : o;
}

static void
add_score(struct rules_state *st, struct reading *rd, size_t i, struct score_range *s)
{
	int64_t score = st->rs->prog.rules[i].score;
	outcome o = eval_rule(st, rd, i);

	if (o == O_TRUE) {
		s->lo += score;
		s->hi += score;
		s->base += score;
	} else if (o != O_FALSE) {
		s->lo += score < 0 ? score : 0;
		s->hi += score > 0 ? score : 0;
	}
}

struct score_range
eval_score(struct rules_state *st, struct reading *rd, size_t i)
{
	const struct program *p = &st->rs->prog;
	struct score_range s = { 0, 0, 0 };

	for (size_t k = next_open(st, p->plain_scorers, 0); k < i; k = next_open(st, p->plain_scorers, k + 1))
		add_score(st, rd, k, &s);
	for (size_t k = 0; k < st->nhits && (size_t)st->hits[k] < i; k++)
		if (p->rules[st->hits[k]].scores)
			add_score(st, rd, (size_t)st->hits[k], &s);
	guard_open_score(st, i, &s.lo, &s.hi);
	return s;
}

/* The errors among the rules that feed the score, and whether one is open. */
static outcome
score_doubt(struct rules_state *st, struct reading *rd, size_t i)
{
	const struct program *p = &st->rs->prog;
	outcome doubt = 0;

	for (size_t k = 0; k < p->scorers.n && (size_t)p->scorers.v[k] < i; k++) {
		outcome o = eval_rule(st, rd, (size_t)p->scorers.v[k]);

		if (!o_decided(o))
			return O_PENDING;
		doubt |= o & O_ERROR;
	}
	/* Several classes: the strictest, as `and` has it. */
	return doubt & (outcome)-doubt;
}

static outcome
compare_range(struct rules_state *st, struct reading *rd, const struct cond *c, size_t rule)
{
	struct score_range s = eval_score(st, rd, rule);
	bool hit = false, miss = false;

	if (c->op == OP_SET)
		return O_TRUE;
	/* A comparison with a number changes at most at the number itself. */
	for (const struct operand *o = c->operands; o != NULL; o = o->next) {
		/* Any number far outside is like the next one. */
		int64_t n = o->value.n < s.lo ? s.lo - 1 : o->value.n > s.hi ? s.hi + 1 : o->value.n;
		const int64_t at[] = { s.lo, s.hi, n - 1, n, n + 1 };

		for (size_t k = 0; k < sizeof(at) / sizeof(at[0]); k++) {
			struct value v = { .n = at[k] };

			if (at[k] < s.lo || at[k] > s.hi)
				continue;
			if (eval_compare(st->lists, c, &v, NULL) > 0)
				hit = true;
			else
				miss = true;
		}
	}
	if (hit && miss)
		return score_doubt(st, rd, rule);
	return hit ? O_TRUE : O_FALSE;
}

/* Lookups of the rules above are waited for only if the threshold hangs on them. */
static outcome
compare_score(struct rules_state *st, struct reading *rd, const struct cond *c, size_t rule)
{
	bool wait = st->m->may_wait;
	outcome o;

	st->m->may_wait = false;
	o = compare_range(st, rd, c, rule);
	st->m->may_wait = wait;
	return wait && !o_decided(o) ? compare_range(st, rd, c, rule) : o;
}

static outcome eval_inside(struct rules_state *st, const struct cond *c);

static outcome
eval_leaf(struct rules_state *st, struct reading *rd, const struct node *n, size_t rule)
{
	const struct cond *c = n->cond;
	bool truncated;
	outcome o;

	if (c->fact.fact->flags & F_OWN) {
		if (c->fact.fact->type == T_BOOL)
			o = eval_rule(st, rd, (size_t)c->fact.rule);
		else
			o = compare_score(st, rd, c, rule);
	} else if (cond_is_of_all(c))
		o = compare_recipients(st, c);
	else if (scans_rule_out(st, n, &truncated))
		/* As compare_answer() has it where no value matches. */
		o = truncated && c->quant != Q_EVERY ? o_error(st, ERR_LIMIT) : O_FALSE;
	else {
		struct answer a;
		enum fact_status s = eval_fact(st, &c->fact, &a);

		o = compare_answer(st, c, s, &a);
	}
	return c->negated ? o_not(o) : o;
}

static outcome
eval_has(struct rules_state *st, const struct cond *c)
{
	struct mail *m = st->m;
	struct recipient *saved = m->rcpt;
	bool any = c->quant != Q_EVERY, none = true;
	outcome o = any ? O_FALSE : O_TRUE;
	enum error_class error = things[c->thing].error;
	enum fact_status s;
	bool cut = false;
	size_t n = 0;

	if (m->stage < things[c->thing].stage)
		return O_PENDING;
	if ((s = given_parts(m, c->thing, &n, &error)) == FACT_PENDING)
		s = things[c->thing].count(m, &n, &cut);
	switch (s) {
	case FACT_PENDING:
		return m->may_wait ? o_error(st, error) : O_PENDING;
	case FACT_ERROR:
		return o_error(st, error);
	case FACT_KNOWN:
	case FACT_UNSET:
		break;
	}
	for (size_t i = 0; i < n; i++) {
		outcome one;

		if (c->thing == THING_RCPT) {
			if (rcpt_is_split(m->rcpts[i]))
				continue;
			m->rcpt = m->rcpts[i];
		}
		none = false;
		m->thing[c->thing] = (ptrdiff_t)i;
		one = eval_inside(st, c->child);
		o = any ? o_or(o, one) : o_and(o, one);
	}
	m->thing[c->thing] = -1;
	m->rcpt = saved;
	/* What was cut off may have been the one, or the one that isn't so. */
	if (cut && o == (any ? O_FALSE : O_TRUE))
		return o_error(st, ERR_LIMIT);
	return none ? O_FALSE : o;
}

/* Inside has(): the same comparisons, about one part, kept nowhere. */
static outcome
eval_inside(struct rules_state *st, const struct cond *c)
{
	outcome o;

	switch (c->kind) {
	case COND_NOT:
		return o_not(eval_inside(st, c->child));
	case COND_HAS:
		return eval_has(st, c);
	case COND_CMP: {
		struct answer a;
		enum fact_status s = eval_fact(st, &c->fact, &a);

		o = compare_answer(st, c, s, &a);
		return c->negated ? o_not(o) : o;
	}
	case COND_AND:
	case COND_OR:
		break;
	}
	o = c->kind == COND_AND ? O_TRUE : O_FALSE;
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		o = c->kind == COND_AND ? o_and(o, eval_inside(st, k)) : o_or(o, eval_inside(st, k));
	return o;
}

static outcome
eval_kids(struct rules_state *st, struct reading *rd, const struct node *n, size_t rule)
{
	bool both = n->kind == COND_AND;
	outcome o = both ? O_TRUE : O_FALSE;

	for (size_t i = 0; i < n->nkids; i++) {
		outcome k = eval_node(st, rd, n->kids[i], rule);

		o = both ? o_and(o, k) : o_or(o, k);
		/* Nothing can turn it any more: what is dearer isn't asked. */
		if (o == (both ? O_FALSE : O_TRUE))
			break;
	}
	return o;
}

outcome
eval_node(struct rules_state *st, struct reading *rd, const struct node *n, size_t rule)
{
	outcome *keep = NULL, o;
	struct recipient *saved = st->m->rcpt;

	if (st->m->stage < n->first)
		return O_PENDING;
	if (n->slot >= 0) {
		keep = n->per_rcpt ? &rd->own[n->slot] : &st->shared[n->slot];
		if (*keep != 0 && o_decided(*keep))
			return *keep;
	}
	switch (n->kind) {
	case COND_NOT:
		return o_not(eval_node(st, rd, n->kids[0], rule));
	case COND_AND:
	case COND_OR:
		return eval_kids(st, rd, n, rule);
	case COND_HAS:
		o = eval_has(st, n->cond);
		if (n->cond->negated)
			o = o_not(o);
		break;
	case COND_CMP:
		if (n->per_rcpt && rd->r == NULL)
			return O_PENDING;
		st->m->rcpt = rd->r;
		o = eval_leaf(st, rd, n, rule);
		st->m->rcpt = saved;
		break;
	default:
		return O_PENDING;
	}
	if (keep != NULL && !st->supposing)
		*keep = o;
	return o;
}

outcome
eval_settle(struct rules_state *st, struct reading *rd, size_t i, outcome o)
{
	const struct crule *cr = &st->rs->prog.rules[i];

	*(cr->per_rcpt ? &rd->rules[cr->slot] : &st->rules[cr->slot]) = o;
	if (o_decided(o)) {
		(cr->per_rcpt ? rd->known_at : st->known_at)[cr->slot] = (uint8_t)st->m->stage;
		st->erred |= (o & O_ERROR) != 0;
	}
	return o;
}

outcome
eval_rule(struct rules_state *st, struct reading *rd, size_t i)
{
	const struct crule *cr = &st->rs->prog.rules[i];
	enum stage stage;
	outcome *keep, o;

	keep = cr->per_rcpt ? &rd->rules[cr->slot] : &st->rules[cr->slot];
	if (*keep != 0 && o_decided(*keep))
		return *keep;
	if (guard_excludes(st, i, &stage)) {
		*keep = O_FALSE;
		(cr->per_rcpt ? rd->known_at : st->known_at)[cr->slot] = (uint8_t)stage;
		return O_FALSE;
	}
	o = cr->root != NULL ? eval_node(st, rd, cr->root, i) : O_TRUE;
	if (st->supposing)
		return o;
	return eval_settle(st, rd, i, o);
}
