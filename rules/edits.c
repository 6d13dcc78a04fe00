/*
 * edits.c - the edits that the readings ask for, in file order.
 *
 * Header edits and new recipients are the message's: done if any recipient
 * that is left asks for them.  What they mean for the fields that came is the
 * applier's business.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"

const char *
edit_name(enum edit_kind k)
{
	static const char *const names[] = {
		[EDIT_TAG_SUBJECT] = "tag subject", [EDIT_ADD_HEADER] = "add header",
		[EDIT_SET_HEADER] = "set header", [EDIT_REMOVE_HEADER] = "remove header",
		[EDIT_ADD_RCPT] = "add rcpt", [EDIT_REMOVE_RCPT] = "remove rcpt",
		[EDIT_SET_SENDER] = "set sender",
	};

	return names[k];
}

struct edits {
	struct rules_state *st;
	struct edit	*v;
	size_t		 n, cap;
};

static void
add_edit(struct edits *e, enum edit_kind kind, struct str name, struct str value, size_t rule)
{
	struct edit *v;

	if (value.p == NULL) {
		e->st->failed = true;
		return;
	}
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].kind == kind && e->v[i].rule == (int)rule &&
		    str_ieq(e->v[i].name, name) && str_eq(e->v[i].value, value))
			return;		/* another recipient asked for the same */
	if (e->n == e->cap) {
		e->cap = e->cap * 2 + 8;
		if ((v = arena_array(e->st->m->arena, e->cap, sizeof(*v))) == NULL) {
			e->st->failed = true;
			return;
		}
		if (e->n > 0)
			memcpy(v, e->v, e->n * sizeof(*v));
		e->v = v;
	}
	e->v[e->n++] = (struct edit){ kind, name, value, (int)rule };
}

static struct str
bracketed(struct rules_state *st, struct str path)
{
	return str_printf(st->m->arena, "<" STR_FMT ">", STR_ARG(path));
}

static void
edit_action(struct edits *e, struct reading *rd, size_t i, const struct action *a)
{
	struct rules_state *st = e->st;
	struct str text = STR(""), path = STR_NONE;

	if (a->text != NULL)
		text = text_expand(st, rd, i, a->text, TEXT_HEADER);
	if (a->path != NULL)
		path = bracketed(st, a->path->text);
	switch (a->id) {
	case A_TAG_SUBJECT:
		add_edit(e, EDIT_TAG_SUBJECT, STR("Subject"), text, i);
		break;
	case A_ADD_HEADER:
		add_edit(e, EDIT_ADD_HEADER, a->header.text, text, i);
		break;
	case A_SET_HEADER:
		add_edit(e, EDIT_SET_HEADER, a->header.text, text, i);
		break;
	case A_REMOVE_HEADER:
		add_edit(e, EDIT_REMOVE_HEADER, a->header.text, text, i);
		break;
	case A_ADD_RCPT:
		add_edit(e, EDIT_ADD_RCPT, STR(""), path, i);
		break;
	case A_REMOVE_RCPT:
		add_edit(e, EDIT_REMOVE_RCPT, STR(""), a->path != NULL ? path : rd->r->path, i);
		break;
	case A_REDIRECT:
		add_edit(e, EDIT_REMOVE_RCPT, STR(""), rd->r->path, i);
		add_edit(e, EDIT_ADD_RCPT, STR(""), path, i);
		break;
	case A_SET_SENDER:
		add_edit(e, EDIT_SET_SENDER, STR(""), path, i);
		break;
	default:
		break;
	}
}

/* In file order, for each recipient that is left and whose reading came there. */
void
plan_edits(struct rules_state *st)
{
	const struct program *p = &st->rs->prog;
	struct edits e = { .st = st };

	/* A reading that ended in a refusal did not wait for them; where a milder one wins they count. */
	st->m->may_wait = true;
	for (size_t k = 0; k < p->traced.n; k++) {
		size_t i = (size_t)p->traced.v[k];
		const struct crule *cr = &p->rules[i];

		if (!cr->edits)
			continue;
		for (const struct action *a = cr->rule->actions; a != NULL; a = a->next) {
			if (a->would || (actions[a->id].flags & ACT_EDIT) == 0)
				continue;
			for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
				if (rcpt_is_left(rd->r) && rd->v.verdict != V_DISCARD &&
				    i < rd->end && eval_rule(st, rd, i) == O_TRUE)
					edit_action(&e, rd, i, a);
		}
	}
	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rcpt_is_left(rd->r) && rd->v.verdict == V_DISCARD)
			add_edit(&e, EDIT_REMOVE_RCPT, STR(""), rd->r->path, (size_t)rd->v.rule);
	st->m->may_wait = false;
	st->plan.edits = e.v;
	st->plan.nedits = e.n;
}
