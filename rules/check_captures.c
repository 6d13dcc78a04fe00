/*
 * check_captures.c - which match ${1} speaks of.
 *
 * A text is written only where its rule is true, so a capture is well defined
 * if just one comparison can have made it, and the rule can't be true without
 * that one: not under or, not, every, nor inside has.
 */
#include "check_types.h"

#include "check_walk.h"
#include "diag.h"
#include "regex.h"

struct capturing {
	const struct cond *groups;	/* the match with groups; NULL: none */
	const struct cond *second;	/* another one */
	const struct cond *plain;	/* a match without groups, good for ${0} */
	size_t		 nplain;
	const struct cond *hidden;	/* one that can't be captured from */
	bool		 broken;	/* some regex could not be compiled */
};

static bool
is_match(const struct cond *c)
{
	return c->kind == COND_CMP && (c->op == OP_MATCHES || c->op == OP_MATCHES_LIST);
}

/* sure: the rule can't be true unless this is. */
static void
collect(const struct cond *c, bool sure, struct capturing *found)
{
	for (; c != NULL; c = c->next) {
		if (c->kind != COND_CMP) {
			collect(c->child, sure && c->kind == COND_AND, found);
			continue;
		}
		if (!is_match(c))
			continue;
		if (c->op == OP_MATCHES && c->regex.re == NULL)
			found->broken = true;
		else if (!sure || c->negated || c->quant == Q_EVERY)
			found->hidden = c;
		else if (c->op == OP_MATCHES_LIST || regex_groups(c->regex.re) == 0) {
			found->plain = c;
			found->nplain++;
		} else if (found->groups == NULL)
			found->groups = c;
		else
			found->second = c;
	}
}

static void
no_match(struct typing *t, const struct part *p, const struct capturing *found)
{
	if (found->nplain > 0 && p->capture > 0) {
		if (found->plain->op == OP_MATCHES_LIST)
			diag_error(t->d, p->at, "${%d}: the patterns of a list have groups "
			    "of their own each; only ${0}, all that matched, can be used",
			    p->capture);
		else
			diag_error(t->d, p->at, "${%d}: the pattern has no group ( ... )",
			    p->capture);
	} else if (found->nplain > 1)
		diag_error(t->d, p->at, "${%d} could mean any of %zu matches of this "
		    "rule's condition", p->capture, found->nplain);
	else if (found->hidden != NULL) {
		diag_error(t->d, p->at, "${%d}: the rule can be true without that match",
		    p->capture);
		diag_note(t->d, found->hidden->at, "a match under or, not, every or "
		    "inside has ( ... ) captures nothing");
		return;
	} else
		diag_error(t->d, p->at, "${%d} needs a condition with 'matches'", p->capture);
	if (found->nplain > 0)
		diag_note(t->d, found->plain->at, found->nplain > 1 ? "this is one of them" :
		    "matched here");
}

static void
check_capture(struct typing *t, struct rule *r, const struct part *p, const struct capturing *found)
{
	const struct cond *from = found->groups;

	if (from == NULL && p->capture == 0 && found->nplain == 1)
		from = found->plain;
	if (from == NULL) {
		no_match(t, p, found);
		return;
	}
	if (found->second != NULL) {
		diag_error(t->d, p->at, "${%d} could mean a group of either pattern; write "
		    "(?: ... ) in the one that isn't meant", p->capture);
		diag_note(t->d, found->groups->regex.at, "one is here");
		diag_note(t->d, found->second->regex.at, "the other is here");
		return;
	}
	if (p->capture > 0 && p->capture > regex_groups(from->regex.re)) {
		diag_error(t->d, p->at, "${%d}: the pattern has %d group%s only", p->capture,
		    regex_groups(from->regex.re), regex_groups(from->regex.re) == 1 ? "" : "s");
		diag_note(t->d, from->regex.at, "matched here");
		return;
	}
	r->capturing = from;
}

void
check_captures(struct typing *t, struct rule *r)
{
	struct capturing found = { 0 };

	collect(r->cond, true, &found);
	if (found.broken)
		return;		/* its groups aren't known */
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		for (const struct text *text = a->text; text != NULL; text = text->next)
			for (const struct part *p = text->parts; p != NULL; p = p->next)
				if (p->kind == PART_CAPTURE)
					check_capture(t, r, p, &found);
}
