/*
 * plan.c - from readings to what is said: the stages of a transaction and its
 * recipients.
 *
 * Each recipient has a reading of its own; what is the same for all is looked
 * at once (eval.c).  Here they meet: who is refused, who is sent away to come
 * again (split), what the message as a whole gets, which edits are done.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "print.h"
#include "tables.h"

struct rules_state *
rules_start(const struct ruleset *rs, struct mail *m)
{
	const struct program *p = &rs->prog;
	struct rules_state *st;
	struct reading *all;

	if ((st = arena_new_object(m->arena, struct rules_state)) == NULL)
		return NULL;
	st->rs = rs;
	st->m = m;
	if (rs->ast->nlists > 0) {
		st->lists = tables_view(rs->ast->tables);
		if (arena_defer(m->arena, table_view_release, st->lists) != 0)
			return NULL;
	}
	st->shared = arena_alloc(m->arena, p->nshared + 1);
	st->rules = arena_alloc(m->arena, p->nrules + 1);
	st->known_at = arena_alloc(m->arena, p->nrules + 1);
	st->guards = arena_array(m->arena, p->nguards + 1, sizeof(*st->guards));
	if (st->shared == NULL || st->rules == NULL || st->known_at == NULL ||
	    st->guards == NULL || (all = reading_new(st, NULL)) == NULL)
		return NULL;
	st->all = *all;
	st->tail = &st->readings;
	return st;
}

const char *
verdict_name(enum verdict v)
{
	static const char *const names[] = {
		"none", "accept", "quarantine", "discard", "tempfail", "reject", "split"
	};

	return names[v];
}

/* Does the reading ask for changes to the message, or for lines in the log? */
static bool
leaves_traces(struct rules_state *st, struct reading *rd)
{
	const struct rule_list *l = &st->rs->prog.traced;

	for (size_t k = 0; k < l->n && (size_t)l->v[k] < rd->end; k++)
		if (eval_rule(st, rd, (size_t)l->v[k]) != O_FALSE)
			return true;
	return false;
}

static void
say(struct rules_state *st, const struct reading *rd)
{
	struct plan *plan = &st->plan;

	plan->verdict = rd->v.verdict;
	plan->rule = rd->v.rule;
	plan->on_error = rd->v.on_error;
	plan->reply = rd->v.reply;
	plan->reason = rd->reason;
}

/* ---- Notes for the log ---- */

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

static void
note_error(struct rules_state *st, struct reading *rd, size_t i, size_t *cap)
{
	const struct cond *c = trace_culprit(st, rd, i);
	struct strbuf b = { 0 };

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
	outcome o = eval_rule(st, rd, i);

	if (o == O_FALSE)
		return false;
	if (o_decided(o) && o != O_TRUE) {
		note_error(st, rd, i, cap);
		return true;
	}
	if (!cr->notes)
		return false;
	for (const struct action *a = cr->rule->actions; a != NULL; a = a->next) {
		struct note n = { .rule = (int)i, .not_asked = o != O_TRUE };

		if (!a->would && a->id != A_LOG)
			continue;
		n.kind = a->would ? NOTE_WOULD : NOTE_LOG;
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

/* Of one reading, or (NULL) of all recipients that are left. */
static void
collect_notes(struct rules_state *st, struct reading *only)
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
	st->plan.score = 0;
	for (struct reading *rd = only != NULL ? only : st->readings; rd != NULL;
	    rd = only != NULL ? NULL : rd->next)
		if ((only != NULL || rd->r->state == RCPT_OPEN) &&
		    (st->plan.score == 0 || rd->v.score > st->plan.score))
			st->plan.score = rd->v.score;
}

/* ---- Edits ---- */

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
static void
collect_edits(struct rules_state *st)
{
	const struct program *p = &st->rs->prog;
	struct edits e = { .st = st };

	for (size_t k = 0; k < p->traced.n; k++) {
		size_t i = (size_t)p->traced.v[k];
		const struct crule *cr = &p->rules[i];

		if (!cr->edits)
			continue;
		for (const struct action *a = cr->rule->actions; a != NULL; a = a->next) {
			if (a->would || (actions[a->id].flags & ACT_EDIT) == 0)
				continue;
			for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
				if (rd->r->state == RCPT_OPEN && rd->v.verdict != V_DISCARD &&
				    i < rd->end && eval_rule(st, rd, i) == O_TRUE)
					edit_action(&e, rd, i, a);
		}
	}
	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rd->r->state == RCPT_OPEN && rd->v.verdict == V_DISCARD)
			add_edit(&e, EDIT_REMOVE_RCPT, STR(""), rd->r->path, (size_t)rd->v.rule);
	st->plan.edits = e.v;
	st->plan.nedits = e.n;
}

/* ---- All recipients together ---- */

static int
severity(enum verdict v)
{
	switch (v) {
	case V_REJECT:
		return 3;
	case V_TEMPFAIL:
		return 2;
	case V_QUARANTINE:
		return 1;
	default:
		return 0;
	}
}

/*
 * The reading that speaks for all, once that can no longer change; NULL: not yet.
 * A discarded recipient has no voice, unless there is no other.
 */
static struct reading *
combine(struct rules_state *st)
{
	bool mildest = st->rs->settings.mixed_recipients == MIXED_EXEMPT_WINS;
	struct reading *best = NULL, *discarded = NULL;
	bool open = false;

	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next) {
		int more;

		if (rd->r->state != RCPT_OPEN)
			continue;
		if (rd->v.verdict == V_NONE) {
			open = true;
			continue;
		}
		if (rd->v.verdict == V_DISCARD) {
			if (discarded == NULL)
				discarded = rd;
			continue;
		}
		/* Nothing is stricter: those that are open can only matter if they come first. */
		if (!mildest && !open && rd->v.verdict == V_REJECT &&
		    (best == NULL || severity(best->v.verdict) < 3))
			return rd;
		more = best == NULL ? 1 : severity(rd->v.verdict) - severity(best->v.verdict);
		if (best == NULL || (mildest ? more < 0 : more > 0))
			best = rd;
	}
	if (open)
		return NULL;
	return best != NULL ? best : discarded;
}

static void
advance_all(struct rules_state *st, bool wait)
{
	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rd->r->state == RCPT_OPEN)
			reading_advance(st, rd, wait);
}

static struct reading *
add_reading(struct rules_state *st, struct recipient *r)
{
	struct reading *rd;

	if ((rd = reading_new(st, r)) == NULL) {
		st->failed = true;
		return NULL;
	}
	*st->tail = rd;
	st->tail = &rd->next;
	return rd;
}

/* Recipients that came without a stage of their own (a test, a replay of the whole). */
static void
add_missing(struct rules_state *st)
{
	for (size_t i = 0; i < st->m->nrcpts; i++)
		if (st->m->rcpts[i]->state == RCPT_OPEN && reading_of(st, st->m->rcpts[i]) == NULL)
			add_reading(st, st->m->rcpts[i]);
}

/* ---- Stages ---- */

static bool
may_say(const struct rules_state *st)
{
	const struct settings *set = &st->rs->settings;
	enum stage s = st->m->stage;

	if (s == S_MESSAGE)
		return true;
	if (!st->m->by_smtp || set->mode == MODE_MONITOR || s == S_HEADERS)
		return false;
	if (s == S_CONNECT)
		return set->earliest_reply == EARLIEST_CONNECT;
	if (s == S_MAIL)
		return set->earliest_reply <= EARLIEST_MAIL;
	return true;
}

/* Connect and MAIL: only what holds for every recipient. */
static void
advance_envelope(struct rules_state *st)
{
	struct reading *rd = &st->all;
	bool done = reading_advance(st, rd, false);
	enum verdict v;

	if (!done && may_say(st))
		done = reading_advance(st, rd, true);
	if (!done)
		return;
	v = rd->v.verdict;
	st->plan.decided = true;
	if (!may_say(st))
		return;
	/* An accept waits for DATA, as a discard does: the log wants the recipients. */
	if (v == V_REJECT || v == V_TEMPFAIL) {
		say(st, rd);
		collect_notes(st, rd);
	}
}

static bool
may_split(const struct rules_state *st)
{
	const struct settings *set = &st->rs->settings;

	return set->mixed_recipients == MIXED_SPLIT && !st->strictest &&
	    set->mode != MODE_MONITOR && st->m->by_smtp &&
	    st->nsplit < set->split_limit &&
	    mail_find_macro(st->m, STR("auth_authen")).n == 0;
}

/* Must this recipient come again?  Then the rule by which it differs from the first. */
static const struct rule *
must_split(struct rules_state *st, struct reading *rd)
{
	struct reading *first;

	if (st->rs->settings.mixed_recipients != MIXED_SPLIT || rd->v.verdict == V_DISCARD)
		return NULL;
	for (first = st->readings; first != NULL && first != rd; first = first->next)
		if (first->r->state == RCPT_OPEN && first->v.verdict != V_DISCARD)
			break;
	if (first == NULL || first == rd)
		return NULL;
	return reading_differs(st, first, rd);
}

static void
split(struct rules_state *st, struct reading *rd, const struct rule *differs)
{
	struct str *line;

	if ((line = arena_new_object(st->m->arena, struct str)) == NULL) {
		st->failed = true;
		return;
	}
	*line = STR("Other rules apply to this recipient, send it in a transaction of its own");
	st->nsplit++;
	rd->r->state = RCPT_SPLIT;
	rd->v.verdict = V_SPLIT;
	rd->v.stage = S_RCPT;
	rd->v.rule = differs->index;
	rd->v.differs = differs;
	rd->v.reply = (struct reply){ 452, STR("4.5.3"), line, 1 };
	say(st, rd);
}

static void
advance_rcpt(struct rules_state *st)
{
	struct mail *m = st->m;
	const struct rule *differs;
	struct reading *rd;
	bool done;

	if (m->nrcpts == 0 || (rd = add_reading(st, m->rcpts[m->nrcpts - 1])) == NULL)
		return;
	done = reading_advance(st, rd, false);
	/* In monitor mode, too, greylist is asked, so that it has learnt when it matters. */
	if (!done && (may_say(st) || (st->rs->prog.greylists && m->by_smtp)))
		done = reading_advance(st, rd, true);
	stored_close(st, rd->r);
	if (done && may_say(st) &&
	    (rd->v.verdict == V_REJECT || rd->v.verdict == V_TEMPFAIL)) {
		rd->r->state = RCPT_REFUSED;
		say(st, rd);
		collect_notes(st, rd);
		return;
	}
	if (!may_split(st)) {
		st->strictest = true;
		return;
	}
	if ((differs = must_split(st, rd)) != NULL)
		split(st, rd, differs);
}

static void
advance_message(struct rules_state *st)
{
	bool last = st->m->stage == S_MESSAGE;
	struct reading *rd;

	add_missing(st);
	advance_all(st, false);
	if ((rd = combine(st)) == NULL && may_say(st)) {
		advance_all(st, true);
		rd = combine(st);
	}
	if (rd == NULL)
		return;
	st->plan.decided = true;
	if (!may_say(st))
		return;
	if (!last && (rd->v.verdict == V_QUARANTINE ||
	    (rd->v.verdict == V_ACCEPT && (st->plan.nedits > 0 || leaves_traces(st, rd)))))
		return;
	if (!last && rd->v.verdict == V_ACCEPT)
		for (struct reading *o = st->readings; o != NULL; o = o->next)
			if (o->r->state == RCPT_OPEN && (o->v.verdict != V_ACCEPT || leaves_traces(st, o)))
				return;
	say(st, rd);
	collect_notes(st, NULL);
	if (last && (rd->v.verdict == V_ACCEPT || rd->v.verdict == V_QUARANTINE))
		collect_edits(st);
}

const struct plan *
rules_advance(struct rules_state *st, enum stage stage)
{
	memset(&st->plan, 0, sizeof(st->plan));
	st->plan.rule = -1;
	st->plan.stage = stage;
	st->plan.monitor = st->rs->settings.mode == MODE_MONITOR;
	st->m->stage = stage;
	stored_count(st);
	switch (stage) {
	case S_CONNECT:
	case S_MAIL:
		advance_envelope(st);
		break;
	case S_RCPT:
		advance_rcpt(st);
		break;
	default:
		advance_message(st);
		break;
	}
	return st->failed || arena_failed(st->m->arena) ? NULL : &st->plan;
}

const struct rcpt_verdict *
rules_rcpt_verdict(struct rules_state *st, struct recipient *r)
{
	struct reading *rd = reading_of(st, r);

	if (rd == NULL && (rd = add_reading(st, r)) == NULL)
		return NULL;
	if (rd->v.verdict == V_NONE)
		reading_advance(st, rd, true);
	return &rd->v;
}
