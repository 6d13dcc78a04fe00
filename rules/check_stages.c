/*
 * check_stages.c - when a rule is known, and what holds it back.
 *
 * File order is law and a stage only an optimisation: a refusal can be told
 * as soon as its own facts are known and no final rule above can still fire.
 * So one late rule near the top keeps all that is cheap below it from being
 * told before the message came; who didn't mean that is told here.
 *
 * `score` and `matched` are known when what feeds them is.  The one error here is
 * greylist in a rule that is known too late to ask it; what is held back is told of
 * files without errors only.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_walk.h"
#include "diag.h"

/* What of a rule is known when. */
struct known {
	enum stage	cond;
	enum stage	final;		/* with the texts of its final action */
	enum stage	edits;		/* with the texts of its edits */
	enum stage	ends;		/* at which it may end the reading; S_CONNECT if it doesn't */
	bool		per_rcpt;
	bool		greylist;	/* asked in the condition */
	bool		unsure;		/* whether it must wait for its holder */
	struct asked	asked;
	int		held;		/* rules that it holds back */
};

struct stages {
	struct ast	*ast;
	struct diag	*d;
	struct known	*of;		/* by rule index */
	const struct rule **above;	/* those above that end the reading or edit */
	size_t		 nabove;
	int64_t		 work;		/* done in holding rules against each other */
	enum stage	 score;		/* of the rules above that score */
	bool		 score_per_rcpt;

	enum stage	 at;		/* of what is being walked */
	bool		 per_rcpt, greylist;
};

static void place_fact(void *arg, const struct fact_use *u);

/* A key is known, and anybody's, when and as its facts are. */
static void
place_key(struct stages *s, struct fact_ref *ref)
{
	for (struct part *p = ref->key_text->parts; p != NULL; p = p->next) {
		if (p->kind != PART_FACT)
			continue;
		place_fact(s, &(struct fact_use){ &p->fact, NULL, THING_NONE });
		ref->stage = stage_later(ref->stage, p->fact.stage);
		if (p->fact.scope == P_RCPT)
			ref->scope = P_RCPT;
	}
}

static void
place_fact(void *arg, const struct fact_use *u)
{
	struct stages *s = arg;
	struct fact_ref *ref = u->ref;
	const struct fact *f = ref->fact;

	if (f == NULL)
		return;
	ref->stage = f->stage;
	ref->scope = f->scope;
	if (f->scope == P_RCPT && use_is_quantified(u)) {
		ref->stage = stage_later(f->stage, S_DATA);
		ref->scope = P_MSG;
	} else if (strcmp(f->name, "macro") == 0) {
		ref->stage = macro_stage(ref->key, &ref->scope);
	} else if (strcmp(f->name, "score") == 0) {
		ref->stage = s->score;
		ref->scope = s->score_per_rcpt ? P_RCPT : P_MSG;
	} else if (strcmp(f->name, "matched") == 0 && ref->rule >= 0) {
		ref->stage = s->of[ref->rule].cond;
		ref->scope = s->of[ref->rule].per_rcpt ? P_RCPT : P_MSG;
	}
	if (f->flags & F_RATE)
		place_key(s, ref);
	s->at = stage_later(s->at, ref->stage);
	s->per_rcpt |= ref->scope == P_RCPT;
	s->greylist |= (f->flags & F_GREYLIST) != 0;
}

/* The latest of `from` and the facts of one action's texts. */
static enum stage
place_texts(struct stages *s, struct action *a, enum stage from)
{
	struct action one = *a;

	one.next = NULL;
	s->at = from;
	walk_texts(&one, place_fact, s);
	return s->at;
}

static void
place_rule(struct stages *s, struct rule *r)
{
	struct known *k = &s->of[r->index];
	bool scores = false;

	s->at = S_CONNECT;
	s->per_rcpt = s->greylist = false;
	walk_cond(r->cond, place_fact, s);
	k->greylist = s->greylist;
	k->cond = k->final = k->edits = s->at;
	for (struct action *a = r->actions; a != NULL; a = a->next) {
		enum stage at = place_texts(s, a, k->cond);

		/* No one waits for what is only logged. */
		if (a->would)
			continue;
		if (actions[a->id].final)
			k->final = at;
		else if (actions[a->id].flags & ACT_EDIT)
			k->edits = stage_later(k->edits, at);
		else if (actions[a->id].flags & ACT_SCORE)
			scores = true;
	}
	k->per_rcpt = s->per_rcpt;
	k->ends = rule_final(r) != NULL ? k->cond : S_CONNECT;
	r->stage = stage_later(k->final, k->edits);
	if (scores) {
		s->score = stage_later(s->score, k->cond);
		s->score_per_rcpt |= k->per_rcpt;
	}
}

/*
 * Must r wait until `other` is known?  Not where r can only be true if what
 * is known early makes `other` false.  *unsure: whether that is so nobody can say.
 */
static bool
must_wait(struct stages *s, const struct rule *r, const struct rule *other, bool *unsure)
{
	const struct asked *a = &s->of[r->index].asked, *b = &s->of[other->index].asked;
	bool related = (a->facts[0] & b->facts[0]) != 0 || (a->facts[1] & b->facts[1]) != 0;

	*unsure = false;
	if (r->cond == NULL || other->cond == NULL || !related)
		return true;
	*unsure = (a->score && b->score) || !cond_affordable(a, b, &s->work);
	return *unsure || !cond_excludes(r->cond, other->cond, unsure);
}

/*
 * A verdict waits for its own facts, for the rules above that may end the
 * reading and, if edits are done with it, for those that edit.
 */
static void
place_reply(struct stages *s, struct rule *r)
{
	const struct action *final = rule_final(r);
	struct known *k = &s->of[r->index];
	bool with_edits, unsure;

	r->reply_stage = r->stage;
	r->holder = NULL;
	if (final == NULL)
		return;
	with_edits = final->id == A_ACCEPT || final->id == A_QUARANTINE;
	r->reply_stage = with_edits ? stage_later(k->final, k->edits) : k->final;
	/* Nothing is later than the message. */
	for (size_t i = 0; i < s->nabove && r->reply_stage < S_MESSAGE; i++) {
		const struct rule *other = s->above[i];
		const struct known *o = &s->of[other->index];
		enum stage at = o->ends;

		if (with_edits)
			at = stage_later(at, o->edits);
		if (at > r->reply_stage && must_wait(s, r, other, &unsure)) {
			r->reply_stage = at;
			r->holder = other;
			k->unsure = unsure;
		}
	}
	if (final->id == A_DISCARD)
		r->reply_stage = stage_later(r->reply_stage, S_DATA);
	if (r->reply_stage == S_HEADERS)	/* nobody can reply there */
		r->reply_stage = S_MESSAGE;
}

/* greylist is asked at RCPT or not at all. */
static void
check_greylist(struct stages *s, const struct rule *r)
{
	const struct known *k = &s->of[r->index];
	bool unsure;

	if (k->cond > S_RCPT) {
		diag_error(s->d, r->name.at, "'" STR_FMT "' asks greylist, which is asked at rcpt, "
		    "but the rest of its condition is known at %s only",
		    STR_ARG(r->name.text), stage_name(k->cond));
		return;
	}
	for (size_t i = 0; i < s->nabove; i++) {
		const struct rule *other = s->above[i];

		if (rule_final(other) == NULL || s->of[other->index].cond <= S_RCPT ||
		    !must_wait(s, r, other, &unsure) || unsure)
			continue;
		diag_warning(s->d, r->name.at, "'" STR_FMT "' asks greylist, which is asked at rcpt, "
		    "and delays nobody where '" STR_FMT "' above is not decided by then; put it "
		    "above that rule", STR_ARG(r->name.text), STR_ARG(other->name.text));
		diag_note(s->d, other->name.at, "this rule is known at %s",
		    stage_name(s->of[other->index].cond));
		return;
	}
}

static bool
is_held_back(const struct stages *s, const struct rule *r)
{
	const struct action *final = rule_final(r);
	const struct known *k = &s->of[r->index];

	return final != NULL && actions[final->id].args == ARG_REPLY && !k->greylist &&
	    rule_constant(r) != -1 && r->holder != NULL && !k->unsure &&
	    r->stage <= S_RCPT && r->reply_stage > S_DATA;
}

/* One late rule is one mistake, however many it holds back. */
static void
tell_held(struct stages *s, const struct rule *catch_all)
{
	for (const struct rule *r = s->ast->rules; r != NULL && r != catch_all; r = r->next)
		if (is_held_back(s, r))
			s->of[r->holder->index].held++;
	for (const struct rule *r = s->ast->rules; r != NULL && r != catch_all; r = r->next) {
		struct known *k;
		char more[48] = "";

		if (!is_held_back(s, r) || (k = &s->of[r->holder->index])->held == 0)
			continue;
		if (k->held > 1)
			(void)snprintf(more, sizeof(more), " (and %d more rule%s)",
			    k->held - 1, k->held == 2 ? "" : "s");
		diag_warning(s->d, r->name.at, "'" STR_FMT "'%s is known at %s, but not told "
		    "before the end of the message, since '" STR_FMT "' stands above; put it "
		    "above that rule to refuse early", STR_ARG(r->name.text), more,
		    stage_name(r->stage), STR_ARG(r->holder->name.text));
		diag_note(s->d, r->holder->name.at, "this rule is known at %s",
		    stage_name(k->cond));
		k->held = 0;
	}
}

static bool
has_edits(const struct rule *r)
{
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		if (!a->would && (actions[a->id].flags & ACT_EDIT) != 0)
			return true;
	return false;
}

void
check_stages(struct ast *ast, struct diag *d)
{
	struct stages s = { .ast = ast, .d = d };
	const struct rule *catch_all = NULL;

	s.of = calloc(ast->nrules + 1, sizeof(*s.of));
	s.above = calloc(ast->nrules + 1, sizeof(*s.above));
	if (s.of == NULL || s.above == NULL) {
		diag_error(d, (struct span){ 0 }, "out of memory");
		goto out;
	}
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		struct known *k = &s.of[r->index];

		k->asked = cond_asked(r->cond);
		place_rule(&s, r);
		place_reply(&s, r);
		if (k->greylist)
			check_greylist(&s, r);
		if (rule_constant(r) == -1)
			continue;
		if (rule_final(r) != NULL || has_edits(r))
			s.above[s.nabove++] = r;
		if (rule_final(r) != NULL && rule_constant(r) == 1 && catch_all == NULL)
			catch_all = r;
	}
	if (diag_errors(d) == 0)
		tell_held(&s, catch_all != NULL ? catch_all->next : NULL);
out:
	free(s.of);
	free(s.above);
}
