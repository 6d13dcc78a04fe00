/*
 * notes.c - what the log will say of a message: texts of log actions, shadow
 * rules that matched, rules in error, scores, and which checks were asked for.
 *
 * The readings have it all; here each rule is told once, for the recipients
 * that are left or for the one that was refused.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "print.h"

static void
add_note(struct rules_state *st, size_t *cap, struct note note)
{
	struct plan *plan = &st->plan;
	struct note *v = (struct note *)(uintptr_t)plan->notes;

	if (note.text.p == NULL)
		return;		/* memory: the line is lost, the message isn't */
	if (plan->nnotes == *cap) {
		if ((v = arena_array(st->m->arena, *cap + 16, sizeof(*v))) == NULL)
			return;
		if (plan->nnotes > 0)
			memcpy(v, plan->notes, plan->nnotes * sizeof(*v));
		*cap += 16;
		plan->notes = v;
	}
	v[plan->nnotes++] = note;
}

static struct str
printed_action(struct rules_state *st, const struct action *a)
{
	struct strbuf b = { 0 };
	struct str s = STR_NONE;
	struct action plain = *a;

	plain.would = false;
	plain.next = NULL;
	print_action(&plain, &b);
	if (!b.failed && b.p != NULL)
		s = str_dup(st->m->arena, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

/* What failed: where the rule looks at another one, in that. */
static void
note_error(struct rules_state *st, struct reading *rd, size_t i, size_t *cap)
{
	const struct cond *c = trace_culprit(st, rd, i);
	struct strbuf b = { 0 };

	while (c != NULL && c->kind == COND_CMP && (c->fact.fact->flags & F_OWN) != 0 &&
	    c->fact.fact->type == T_BOOL)
		c = trace_culprit(st, rd, (size_t)c->fact.rule);
	if (c != NULL)
		print_cond(c, &b);
	if (!b.failed && b.p != NULL)
		add_note(st, cap, (struct note){ .kind = NOTE_ERROR, .rule = (int)i,
		    .text = str_dup(st->m->arena, strbuf_slice(&b)) });
	strbuf_free(&b);
}

/* The notes of rule i as this reading saw it; false if it had none to give. */
static bool
note_rule(struct rules_state *st, struct reading *rd, size_t i, size_t *cap)
{
	const struct crule *cr = &st->rs->prog.rules[i];
	outcome o;

	/* A rule that only names a condition says nothing by itself. */
	if (cr->rule->actions == NULL || (o = eval_rule(st, rd, i)) == O_FALSE)
		return false;
	if (o_decided(o) && o != O_TRUE) {
		note_error(st, rd, i, cap);
		return true;
	}
	if (!cr->notes)
		return false;
	for (const struct action *a = cr->rule->actions; a != NULL; a = a->next) {
		struct note n = { .rule = (int)i };

		if (!a->would && a->id != A_LOG)
			continue;
		n.kind = a->would ? NOTE_WOULD : NOTE_LOG;
		n.not_asked = o != O_TRUE || (!a->would && !text_known(st, rd, i, a->text));
		if (a->would)
			n.text = printed_action(st, a);
		else if (n.not_asked)
			n.text = STR("");
		else
			n.text = text_expand(st, rd, i, a->text, TEXT_LOG);
		add_note(st, cap, n);
	}
	return true;
}

/* Rule i's notes, once, as the first of the readings that came to it has them. */
static void
note_first(struct rules_state *st, struct reading *only, size_t i, size_t *cap)
{
	struct reading *rd = only != NULL ? only : st->readings;

	for (; rd != NULL; rd = only != NULL ? NULL : rd->next)
		if ((only != NULL || rd->r->state == RCPT_OPEN) && i < rd->end &&
		    note_rule(st, rd, i, cap))
			return;
}

/* The highest score of a reading, or (NULL) of the recipients that are left. */
static void
collect_score(struct rules_state *st, struct reading *only)
{
	bool first = true;

	for (struct reading *rd = only != NULL ? only : st->readings; rd != NULL;
	    rd = only != NULL ? NULL : rd->next) {
		if (only == NULL && rd->r->state != RCPT_OPEN)
			continue;
		/* More may be known than when the verdict was decided. */
		rd->v.score = eval_score(st, rd, rd->end).base;
		if (first || rd->v.score > st->plan.score)
			st->plan.score = rd->v.score;
		first = false;
	}
}

/* Of one reading, or (NULL) of all recipients that are left. */
void
plan_notes(struct rules_state *st, struct reading *only)
{
	const struct program *p = &st->rs->prog;
	size_t cap = 0, end = only != NULL ? only->end : 0;

	st->plan.has_score = p->scorers.n > 0;
	for (struct reading *rd = st->readings; only == NULL && rd != NULL; rd = rd->next)
		if (rd->r->state == RCPT_OPEN && rd->end > end)
			end = rd->end;
	st->plan.asked = p->asked[end];
	/* Errors may be anywhere; without one, only rules with notes are looked at. */
	if (st->erred)
		for (size_t i = 0; i < end; i++)
			note_first(st, only, i, &cap);
	else
		for (size_t k = 0; k < p->traced.n && (size_t)p->traced.v[k] < end; k++)
			note_first(st, only, (size_t)p->traced.v[k], &cap);
	collect_score(st, only);
}
