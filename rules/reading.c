/*
 * reading.c - one recipient's way through the file, from top to bottom.
 *
 * A verdict is decided once it can no longer change: its rule is true, no rule
 * above that could end the reading is open, and its text's facts are known;
 * accept and quarantine also wait for every edit above them, since those will
 * be done.  Lookups are begun for all rules that the reading may come to, and
 * waited for only where the next verdict hangs on them.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"

struct reading *
reading_new(struct rules_state *st, struct recipient *r)
{
	const struct program *p = &st->rs->prog;
	struct arena *a = st->m->arena;
	struct reading *rd;

	if ((rd = arena_new_object(a, struct reading)) == NULL ||
	    (rd->own = arena_alloc(a, p->nown + 1)) == NULL ||
	    (rd->rules = arena_alloc(a, p->nown_rules + 1)) == NULL ||
	    (rd->known_at = arena_alloc(a, p->nown_rules + 1)) == NULL)
		return NULL;
	rd->r = r;
	rd->v.rule = -1;
	return rd;
}

static enum verdict
verdict_of(const struct action *a)
{
	switch (a->id) {
	case A_REJECT:
		return V_REJECT;
	case A_TEMPFAIL:
		return V_TEMPFAIL;
	case A_DISCARD:
		return V_DISCARD;
	case A_QUARANTINE:
		return V_QUARANTINE;
	default:
		return V_ACCEPT;
	}
}

static int
fill_reply(struct rules_state *st, struct reading *rd, size_t i, const struct action *a)
{
	struct reply *r = &rd->v.reply;
	struct str *lines;
	size_t n = 0;

	for (const struct text *t = a->text; t != NULL; t = t->next)
		n++;
	if ((lines = arena_array(st->m->arena, n + 1, sizeof(*lines))) == NULL)
		return -1;
	r->code = a->code;
	r->enhanced = a->enhanced;
	r->lines = lines;
	for (const struct text *t = a->text; t != NULL; t = t->next) {
		lines[r->nlines] = text_expand(st, rd, i, t, TEXT_REPLY);
		if (lines[r->nlines++].p == NULL)
			return -1;
	}
	return 0;
}

/* What the client hears when a rule in error ends the reading. */
static int
fill_error_reply(struct rules_state *st, struct reading *rd)
{
	struct str *line;

	if ((line = arena_new_object(st->m->arena, struct str)) == NULL)
		return -1;
	*line = STR("A check could not be completed, try again later");
	rd->v.reply = (struct reply){ 451, STR("4.4.3"), line, 1 };
	return 0;
}

static void
decide(struct rules_state *st, struct reading *rd, enum verdict v, int rule)
{
	rd->v.verdict = v;
	rd->v.rule = rule;
	rd->v.stage = st->m->stage;
	st->m->may_wait = false;	/* the score is for the log, which isn't waited for here */
	rd->v.score = eval_score(st, rd, rd->end).base;
}

/* Rule i ends the reading; is all there that its verdict says? */
static bool
end_at(struct rules_state *st, struct reading *rd, size_t i, outcome o, bool edits_open)
{
	const struct action *a = st->rs->prog.rules[i].final;
	enum verdict v = verdict_of(a);

	if (o != O_TRUE) {
		v = o == O_ERR_ACCEPT ? V_ACCEPT : V_TEMPFAIL;
		if (v == V_ACCEPT && edits_open)
			return false;
		rd->v.on_error = true;
		if (v == V_TEMPFAIL && fill_error_reply(st, rd) == -1)
			st->failed = true;
	} else {
		if ((v == V_ACCEPT || v == V_QUARANTINE) && edits_open)
			return false;
		for (const struct text *t = a->text; t != NULL; t = t->next)
			if (!text_known(st, rd, i, t))
				return false;
		if (v == V_REJECT || v == V_TEMPFAIL) {
			if (fill_reply(st, rd, i, a) == -1)
				st->failed = true;
		} else if (v == V_QUARANTINE) {
			rd->reason = text_expand(st, rd, i, a->text, TEXT_LOG);
			st->failed |= rd->reason.p == NULL;
		}
	}
	rd->end = i + 1;
	decide(st, rd, v, (int)i);
	return true;
}

/* Are the texts of rule i's edits known?  Those of shadow actions don't count. */
static bool
edits_known(struct rules_state *st, struct reading *rd, size_t i)
{
	const struct crule *cr = &st->rs->prog.rules[i];

	for (const struct action *a = cr->rule->actions; a != NULL; a = a->next)
		if (!a->would && (actions[a->id].flags & ACT_EDIT) != 0 &&
		    a->text != NULL && !text_known(st, rd, i, a->text))
			return false;
	return true;
}

/*
 * The rules that this stage must look at, in file order: those that compile.c
 * found for it, and those that guards led to.
 */
struct walk {
	const uint64_t *visit;
	size_t	next, next_hit;
};

static struct walk
walk_from(const struct rules_state *st, size_t rule)
{
	return (struct walk){ st->rs->prog.visit[st->m->stage], rule, guard_hit_from(st, rule) };
}

/* False at the end. */
static bool
walk_next(const struct rules_state *st, struct walk *w, size_t *rule)
{
	size_t n = st->rs->prog.nrules, hit = n;

	/* Of ten thousand patterns nearly all are passed over here. */
	w->next = next_open(st, w->visit, w->next);
	if (w->next_hit < st->nhits)
		hit = (size_t)st->hits[w->next_hit];
	*rule = w->next < hit ? w->next : hit;
	w->next += w->next == *rule;
	w->next_hit += hit == *rule;
	return *rule < n;
}

bool
reading_advance(struct rules_state *st, struct reading *rd, bool wait)
{
	const struct program *p = &st->rs->prog;
	struct mail *m = st->m;
	bool last = m->stage == S_MESSAGE && wait;
	bool blocked = false, edits_open = false, solid = true;
	struct walk w;
	size_t i;

	if (rd->v.verdict != V_NONE)
		return true;
	guard_advance(st);
	w = walk_from(st, rd->pos);
	while (walk_next(st, &w, &i)) {
		const struct crule *cr = &p->rules[i];
		outcome o;

		/* Edits and log lines are no reason to wait before the end. */
		m->may_wait = wait && (cr->final != NULL || last || cr->greylists);
		o = eval_rule(st, rd, i);
		if (cr->greylists && !o_decided(o) && !blocked && rd->r != NULL) {
			o = stored_greylist(st, rd, i);
			/* Whether it is asked must not hang on how fast its lookups are. */
			blocked = !o_decided(o);
			if (blocked && wait)
				break;
		}
		if (i + 1 > rd->end && !blocked)
			rd->end = i + 1;
		if (cr->edits && (o & O_TRUE) != 0 &&
		    (!o_decided(o) || !edits_known(st, rd, i)))
			edits_open = true;
		if (cr->final != NULL && o_may_end(o)) {
			if (o_decided(o)) {
				bool done = !blocked && end_at(st, rd, i, o, edits_open);

				m->may_wait = false;
				return done;
			}
			/* Nothing below can be decided now: begin its lookups, wait for none. */
			blocked = true;
			if (wait)
				break;
		}
		solid = solid && o_decided(o) && !edits_open;
		if (solid && i < p->late[m->stage])
			rd->pos = i + 1;
	}
	m->may_wait = false;
	if (blocked || edits_open)
		return false;
	rd->end = p->nrules;
	decide(st, rd, V_ACCEPT, -1);
	return true;
}

/* ---- Do two recipients agree? ---- */

static const struct rule *differ_nodes(struct rules_state *, struct reading *, struct reading *,
    const struct node *, size_t);

/* The rules that feed a score, for both: as far as they are open. */
static bool
differ_score(struct rules_state *st, struct reading *a, struct reading *b, size_t rule)
{
	const struct program *p = &st->rs->prog;

	if (!p->rcpt_scores)
		return false;
	if (eval_score(st, a, rule).base != eval_score(st, b, rule).base)
		return true;
	for (size_t k = 0; k < p->scorers.n && (size_t)p->scorers.v[k] < rule; k++) {
		size_t i = (size_t)p->scorers.v[k];
		outcome oa = eval_rule(st, a, i), ob = eval_rule(st, b, i);

		if (o_decided(oa) && o_decided(ob) && (oa & O_ERROR) == (ob & O_ERROR))
			continue;	/* in the base, or equally in doubt */
		if (differ_nodes(st, a, b, p->rules[i].root, i) != NULL)
			return true;
	}
	return false;
}

static const struct rule *
differ_nodes(struct rules_state *st, struct reading *a, struct reading *b,
    const struct node *n, size_t rule)
{
	const struct program *p = &st->rs->prog;
	const struct rule *here = p->rules[rule].rule;
	outcome oa, ob;

	if (n == NULL)
		return NULL;
	oa = eval_node(st, a, n, rule);
	ob = eval_node(st, b, n, rule);
	if (o_decided(oa) || o_decided(ob))
		return oa == ob ? NULL : here;
	if (!n->per_rcpt)
		return NULL;
	if (n->kind == COND_CMP) {
		const struct fact_ref *ref = &n->cond->fact;

		/* Each recipient counts for himself, so what comes later tells them apart. */
		if (ref->fact->flags & F_RATE)
			return here;
		if ((ref->fact->flags & F_OWN) == 0)
			return NULL;
		if (ref->fact->type == T_BOOL)
			return differ_nodes(st, a, b, p->rules[ref->rule].root, (size_t)ref->rule);
		return differ_score(st, a, b, rule) ? here : NULL;
	}
	/* What is decided the neutral way drops out; what is left must be the same. */
	for (size_t i = 0; i < n->nkids; i++)
		if (differ_nodes(st, a, b, n->kids[i], rule) != NULL)
			return here;
	return NULL;
}

/* The next rule from i on that may still end this reading, or nrules. */
static size_t
next_live(struct rules_state *st, struct reading *rd, size_t i)
{
	const struct program *p = &st->rs->prog;

	for (; i < p->nrules; i++)
		if (p->rules[i].final != NULL && o_may_end(eval_rule(st, rd, i)))
			break;
	return i;
}

/* Does the reading surely end with an accept here? */
static bool
accepts(struct rules_state *st, struct reading *rd, size_t i)
{
	outcome o;

	if (i == st->rs->prog.nrules)
		return true;
	o = eval_rule(st, rd, i);
	return o == O_ERR_ACCEPT ||
	    (o == O_TRUE && st->rs->prog.rules[i].final->id == A_ACCEPT);
}

/*
 * The rules that may still end the one reading are compared with those of the
 * other, one by one, up to the first that surely does.  Whatever can be known
 * at RCPT is waited for where the two might differ, so that the answer does not depend
 * on how fast a name server is.
 *
 * What texts say parts nobody: after RCPT there is one reply, the first recipient's,
 * and who is sent away only to be named in it would come again for nothing.
 */
const struct rule *
reading_differs(struct rules_state *st, struct reading *a, struct reading *b)
{
	const struct program *p = &st->rs->prog;
	const struct rule *found = NULL;
	size_t i = 0, j = 0;

	st->m->may_wait = true;
	for (;; i++, j++) {
		i = next_live(st, a, i);
		j = next_live(st, b, j);
		if (accepts(st, a, i) && accepts(st, b, j))
			break;
		if (i != j) {
			found = p->rules[i < j ? i : j].rule;
			break;
		}
		if ((found = differ_nodes(st, a, b, p->rules[i].root, i)) != NULL ||
		    o_decided(eval_rule(st, a, i)))
			break;
	}
	st->m->may_wait = false;
	return found;
}
