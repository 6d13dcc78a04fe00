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
	st->scanned = arena_array(m->arena, scans_count(p->scans) + 1, sizeof(*st->scanned));
	st->open = arena_array(m->arena, rule_words(p) + 1, sizeof(*st->open));
	st->guards = arena_array(m->arena, p->nguards + 1, sizeof(*st->guards));
	if (st->shared == NULL || st->rules == NULL || st->known_at == NULL ||
	    st->scanned == NULL || st->open == NULL || st->guards == NULL || (all = reading_new(st, NULL)) == NULL)
		return NULL;
	memset(st->open, 0xff, rule_words(p) * sizeof(*st->open));
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

/* In mode monitor: would there be nobody left at the end? */
static bool
all_apart(const struct rules_state *st)
{
	for (const struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rcpt_is_left(rd->r))
			return false;
	return true;
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
	bool open = false, apart = all_apart(st);

	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next) {
		int more;

		if (rd->r->state != RCPT_OPEN || rcpt_is_left(rd->r) == apart)
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
		if (!mildest && !open && rd->v.verdict == V_REJECT)
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
	return r->reading = rd;
}

/* Recipients that came without a stage of their own (a test, a replay of the whole). */
static void
add_missing(struct rules_state *st)
{
	for (size_t i = 0; i < st->m->nrcpts; i++)
		if (st->m->rcpts[i]->state == RCPT_OPEN && st->m->rcpts[i]->reading == NULL)
			add_reading(st, st->m->rcpts[i]);
}

/* ---- Stages ---- */

/* Tests in rules files are of what the rules say, whether or not they are obeyed yet. */
static bool
only_monitors(const struct rules_state *st)
{
	return st->rs->settings.mode == MODE_MONITOR && !st->m->enforced;
}

static bool
may_say(const struct rules_state *st)
{
	const struct settings *set = &st->rs->settings;
	enum stage s = st->m->stage;

	if (s == S_MESSAGE)
		return true;
	if (!st->m->by_smtp || only_monitors(st) || s == S_HEADERS)
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
		plan_notes(st, rd);
	}
}

static bool
may_split(const struct rules_state *st)
{
	const struct settings *set = &st->rs->settings;

	return set->mixed_recipients == MIXED_SPLIT && !st->strictest && st->m->by_smtp &&
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
		if (rcpt_is_left(first->r) && first->v.verdict != V_DISCARD)
			break;
	if (first == NULL || first == rd)
		return NULL;
	return reading_differs(st, first, rd);
}

const struct reply *
rules_split_reply(void)
{
	static const char text[] = "Other rules apply to this recipient, send it in a transaction of its own";
	static const struct str line = { text, sizeof(text) - 1 };
	static const struct reply reply = { 452, { "4.5.3", 5 }, &line, 1 };

	return &reply;
}

static void
split(struct rules_state *st, struct reading *rd, const struct rule *differs)
{
	rd->r->state = RCPT_SPLIT;
	rd->v.verdict = V_SPLIT;
	rd->v.stage = S_RCPT;
	rd->v.rule = differs->index;
	rd->v.reply = *rules_split_reply();
	say(st, rd);
}

/*
 * In mode monitor nothing is said, but what would be is found out in the same way, waiting
 * as long: the log tells which recipients would have been refused or split here.
 */
static void
advance_rcpt(struct rules_state *st)
{
	bool monitor = only_monitors(st), says = st->m->by_smtp;
	struct mail *m = st->m;
	const struct rule *differs;
	struct reading *rd;
	bool done;

	if (m->nrcpts == 0 || (rd = add_reading(st, m->rcpts[m->nrcpts - 1])) == NULL)
		return;
	done = reading_advance(st, rd, false);
	/* Of mail that came otherwise the rules with greylist are settled here as well. */
	if (!done && (says || st->rs->prog.greylists))
		done = reading_advance(st, rd, true);
	stored_close(st, rd->r);
	if (done && says &&
	    (rd->v.verdict == V_REJECT || rd->v.verdict == V_TEMPFAIL)) {
		if (monitor) {
			rd->r->would = RCPT_REFUSED;
			return;
		}
		rd->r->state = RCPT_REFUSED;
		say(st, rd);
		plan_notes(st, rd);
		return;
	}
	if (!may_split(st)) {
		st->strictest = true;
		return;
	}
	if ((differs = must_split(st, rd)) == NULL)
		return;
	st->nsplit++;
	rd->v.differs = differs;
	if (monitor)
		rd->r->would = RCPT_SPLIT;
	else
		split(st, rd, differs);
}

/* Looks at each text, so that all lookups are begun before one is waited for. */
static bool
log_texts_known(struct rules_state *st, struct reading *rd, size_t i)
{
	bool known = true;

	for (const struct action *a = st->rs->prog.rules[i].rule->actions; a != NULL; a = a->next)
		if (!a->would && a->text != NULL && !text_known(st, rd, i, a->text))
			known = false;
	return known;
}

/*
 * Is all that the log will say of this reading known, too?  Shadow rules, log texts and
 * scores delay no early reply, but what they look at goes on being sent.
 */
static bool
is_settled(struct rules_state *st, struct reading *rd)
{
	const struct program *p = &st->rs->prog;
	bool settled = true;

	for (size_t k = 0; k < p->traced.n && (size_t)p->traced.v[k] < rd->end; k++) {
		outcome o = eval_rule(st, rd, (size_t)p->traced.v[k]);

		if (!o_decided(o) || (o == O_TRUE && !log_texts_known(st, rd, (size_t)p->traced.v[k])))
			settled = false;
	}
	for (size_t k = 0; k < p->scorers.n && (size_t)p->scorers.v[k] < rd->end; k++)
		if (!o_decided(eval_rule(st, rd, (size_t)p->scorers.v[k])))
			settled = false;
	return settled;
}

static bool
all_settled(struct rules_state *st)
{
	bool settled = true;

	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rd->r->state == RCPT_OPEN && !is_settled(st, rd))
			settled = false;
	return settled;
}

/*
 * The message is over: what the log will say of it is waited for like what decides, so that
 * the log tells of a rule the same however fast a name server is.  Until here nobody waited
 * for it.
 */
static void
settle(struct rules_state *st)
{
	advance_all(st, true);
	if (all_settled(st))
		return;
	st->m->may_wait = true;
	(void)all_settled(st);
	st->m->may_wait = false;
}

/* Do all pass without a change and without a line in the log? */
static bool
all_plain(struct rules_state *st)
{
	for (struct reading *rd = st->readings; rd != NULL; rd = rd->next)
		if (rd->r->state == RCPT_OPEN &&
		    (rd->v.verdict != V_ACCEPT || leaves_traces(st, rd)))
			return false;
	return true;
}

static void
advance_message(struct rules_state *st)
{
	bool last = st->m->stage == S_MESSAGE;
	struct reading *rd;

	add_missing(st);
	guard_advance(st);		/* readings that are decided don't, but their scores go on */
	advance_all(st, false);
	if ((rd = combine(st)) == NULL && may_say(st)) {
		advance_all(st, true);
		rd = combine(st);
	}
	if (rd == NULL)
		return;
	st->plan.decided = all_settled(st);
	if (!may_say(st))
		return;
	/* To hold it is for the end to say, and so is to pass it, if anything else is to be done. */
	if (!last && (rd->v.verdict == V_QUARANTINE ||
	    (rd->v.verdict == V_ACCEPT && (!st->plan.decided || !all_plain(st)))))
		return;
	if (last)
		settle(st);
	say(st, rd);
	plan_notes(st, NULL);
	if (last && (rd->v.verdict == V_ACCEPT || rd->v.verdict == V_QUARANTINE))
		plan_edits(st);
}

const struct plan *
rules_advance(struct rules_state *st, enum stage stage)
{
	memset(&st->plan, 0, sizeof(st->plan));
	st->plan.rule = -1;
	st->plan.stage = stage;
	st->plan.monitor = only_monitors(st);
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
	struct reading *rd = r->reading;

	if (rd == NULL && (rd = add_reading(st, r)) == NULL)
		return NULL;
	if (rd->v.verdict == V_NONE)
		reading_advance(st, rd, true);
	return &rd->v;
}
