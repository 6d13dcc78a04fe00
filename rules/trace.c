/*
 * trace.c - why: each rule, what became of it, at which stage, and the
 * comparison that decided it.
 *
 * Nothing is recorded for it while mail is judged but the stage at which a rule
 * was known: the rest is looked up again, from what is kept anyway.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "print.h"
#include "print_int.h"

/*
 * The comparison below n that is to blame for its outcome: under `and` one
 * that is false, or the first that is what the whole is; under `or` likewise.
 */
static const struct node *
culprit(struct rules_state *st, struct reading *rd, const struct node *n, size_t rule)
{
	outcome o;

	if (n == NULL || n->kind == COND_CMP || n->kind == COND_HAS)
		return n;
	if (n->kind == COND_NOT)
		return culprit(st, rd, n->kids[0], rule);
	o = eval_node(st, rd, n, rule);
	for (size_t i = 0; i < n->nkids; i++)
		if (eval_node(st, rd, n->kids[i], rule) == o)
			return culprit(st, rd, n->kids[i], rule);
	return culprit(st, rd, n->kids[n->nkids - 1], rule);
}

const struct cond *
trace_culprit(struct rules_state *st, struct reading *rd, size_t rule)
{
	const struct node *n = culprit(st, rd, st->rs->prog.rules[rule].root, rule);

	return n != NULL ? n->cond : NULL;
}

static void
print_values(enum type_id type, const struct answer *a, struct strbuf *b)
{
	size_t shown = a->n < 3 ? a->n : 3;

	if (a->n == 0)
		strbuf_puts(b, "empty");
	for (size_t i = 0; i < shown; i++) {
		struct strbuf one = { 0 };
		struct str s;

		strbuf_puts(b, i > 0 ? ", " : "");
		type_print(type, &a->v[i], &one);
		s = strbuf_slice(&one);
		if (type == T_TEXT || type == T_RAW)
			strbuf_json(b, (struct str){ s.p, s.n < 60 ? s.n : 60 });
		else
			strbuf_str(b, s);
		if (type == T_ADDRESS && s.n == 0)
			strbuf_puts(b, "<>");
		b->failed |= one.failed;
		strbuf_free(&one);
	}
	if (a->n > shown)
		strbuf_printf(b, " and %zu more", a->n - shown);
}

/* The facts are known, and still nobody can say: what was in the way? */
static void
print_failure(const struct rules_state *st, const struct cond *c, const struct answer *a,
    struct strbuf *b)
{
	for (size_t i = 0; i < a->n + a->doubts; i++)
		switch (eval_compare(st->lists, c, &a->v[i], NULL)) {
		case COMPARE_LIMIT:
			strbuf_puts(b, ": match-limit reached");
			return;
		case COMPARE_FAILED:
			strbuf_puts(b, ": the list could not be read");
			return;
		}
}

static void
print_why(struct rules_state *st, struct reading *rd, const struct cond *c, size_t rule,
    bool failed, struct strbuf *b)
{
	const struct fact_ref *ref = &c->fact;
	struct answer a;

	if (c->kind == COND_HAS || cond_is_of_all(c)) {
		print_cond(c, b);
		return;
	}
	if (ref->key_text != NULL)
		print_fact(b, ref);
	else
		strbuf_puts(b, ref->fact->name);
	if (ref->has_key && ref->key_text == NULL) {
		strbuf_putc(b, '[');
		strbuf_json(b, ref->key);
		strbuf_putc(b, ']');
	}
	if (ref->fact->flags & F_OWN) {
		struct score_range s;

		if (ref->fact->type == T_BOOL) {
			outcome o = eval_rule(st, rd, (size_t)ref->rule);

			strbuf_puts(b, o == O_TRUE ? " is true" : o == O_FALSE ? " is false" :
			    o_decided(o) ? " is in error" : " is not known");
			return;
		}
		s = eval_score(st, rd, rule);
		if (s.lo == s.hi)
			strbuf_printf(b, " is %lld", (long long)s.lo);
		else
			strbuf_printf(b, " is between %lld and %lld", (long long)s.lo, (long long)s.hi);
		return;
	}
	switch (eval_fact(st, ref, &a)) {
	case FACT_PENDING:
		strbuf_puts(b, " is not known yet");
		break;
	case FACT_UNSET:
		strbuf_puts(b, " is unset");
		break;
	case FACT_ERROR:
		strbuf_printf(b, " is in error (%s)", error_class_name(a.error));
		break;
	case FACT_KNOWN:
		strbuf_puts(b, " is ");
		print_values(ref->fact->type, &a, b);
		stored_print(st, ref, b);
		if (failed)
			print_failure(st, c, &a, b);
		break;
	}
}

static void
trace_rule(struct rules_state *st, struct reading *rd, size_t i, struct trace_line *t)
{
	const struct crule *cr = &st->rs->prog.rules[i];
	struct recipient *saved = st->m->rcpt;
	const struct cond *c;
	outcome o;

	t->rule = cr->rule;
	t->outcome = TRACE_NOT_ASKED;
	t->why = STR("");
	if (i >= rd->end)
		return;
	o = eval_rule(st, rd, i);
	t->outcome = o == O_TRUE ? TRACE_TRUE : o == O_FALSE ? TRACE_FALSE :
	    o_decided(o) ? TRACE_ERROR : TRACE_PENDING;
	t->stage = o_decided(o) ?
	    (enum stage)(cr->per_rcpt ? rd->known_at : st->known_at)[cr->slot] : st->m->stage;
	st->m->rcpt = rd->r;
	if ((c = trace_culprit(st, rd, i)) != NULL) {
		struct strbuf b = { 0 };

		print_why(st, rd, c, i, t->outcome == TRACE_ERROR, &b);
		t->why = b.failed || b.p == NULL ? STR("") : str_dup(st->m->arena, strbuf_slice(&b));
		strbuf_free(&b);
	}
	st->m->rcpt = saved;
}

const struct trace_line *
rules_trace(struct rules_state *st, struct recipient *r, size_t *n)
{
	const struct program *p = &st->rs->prog;
	struct reading *rd = r != NULL ? r->reading : &st->all;
	struct trace_line *t;

	*n = 0;
	if (rd == NULL || (t = arena_array(st->m->arena, p->nrules + 1, sizeof(*t))) == NULL)
		return NULL;
	for (size_t i = 0; i < p->nrules; i++)
		trace_rule(st, rd, i, &t[i]);
	*n = p->nrules;
	return t;
}

void
rules_scored(const struct rules_state *st, const struct recipient *r,
    void (*fn)(void *arg, const struct rule *rule, int64_t points), void *arg)
{
	const struct program *p = &st->rs->prog;
	const struct reading *rd = r != NULL ? r->reading : &st->all;

	for (size_t k = 0; rd != NULL && k < p->scorers.n; k++) {
		size_t i = (size_t)p->scorers.v[k];
		const struct crule *cr = &p->rules[i];

		if (i < rd->end && (cr->per_rcpt ? rd->rules : st->rules)[cr->slot] == O_TRUE)
			fn(arg, cr->rule, cr->score);
	}
}
