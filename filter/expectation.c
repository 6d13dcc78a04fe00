/*
 * expectation.c - is what came out of a test what its `expect` says?
 *
 * Where it isn't, both are shown, one under the other: what was expected as it
 * would be written, and what came out in the same words, ready to be copied.
 */
#include "expectation.h"

#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/print.h"
#include "script.h"

struct asked {
	struct ruleset	*rs;
	const struct test *test;
	struct diag	*d;
};

/* The verdict for one recipient, whoever gave it. */
struct heard {
	enum verdict	verdict;
	int		code;
	int		rule;
	enum stage	stage;
};

static struct heard
heard_by(const struct outcome *o, const struct rcpt_outcome *rc)
{
	struct heard h = { o->plan.verdict, o->plan.reply.code, o->plan.rule, o->plan.stage };
	const struct rcpt_verdict *own;

	if (rc == NULL)
		return h;
	if (rc->verdict == V_REJECT || rc->verdict == V_TEMPFAIL || rc->verdict == V_SPLIT)
		return (struct heard){ rc->verdict, rc->reply.code, rc->rule, S_RCPT };
	own = rules_rcpt_verdict(session_rules(o->session), rc->rcpt);
	if (own != NULL && own->verdict == V_DISCARD && !o->early)
		return (struct heard){ V_DISCARD, 0, own->rule, own->stage };
	return h;
}

static struct str
rule_name(const struct asked *r, int index)
{
	const struct rule *rule = rules_ast(r->rs)->rules;

	while (rule != NULL && rule->index != index)
		rule = rule->next;
	return rule != NULL ? rule->name.text : STR("");
}

static void
print_heard(const struct asked *r, const struct heard *h, struct strbuf *b)
{
	strbuf_puts(b, verdict_name(h->verdict));
	if (h->code != 0)
		strbuf_printf(b, " %d", h->code);
	if (h->rule >= 0)
		strbuf_printf(b, " by " STR_FMT, STR_ARG(rule_name(r, h->rule)));
	strbuf_printf(b, " at %s", stage_name(h->stage));
}

static const enum verdict expected[] = {
	[EXPECT_ACCEPT] = V_ACCEPT, [EXPECT_REJECT] = V_REJECT,
	[EXPECT_TEMPFAIL] = V_TEMPFAIL, [EXPECT_DISCARD] = V_DISCARD,
	[EXPECT_QUARANTINE] = V_QUARANTINE, [EXPECT_SPLIT] = V_SPLIT,
};

static bool
as_expected(const struct expect *e, const struct heard *h)
{
	return h->verdict == expected[e->verdict] &&
	    (e->code == 0 || e->code == h->code) &&
	    (e->by_rule == NULL || e->by_rule->index == h->rule) &&
	    (e->stage_name.text.p == NULL || e->stage == h->stage);
}

/* The text that an expected edit would have: tests state constants. */
static struct str
literal(const struct text *t)
{
	return t != NULL && t->parts != NULL && t->parts->kind == PART_LITERAL ?
	    t->parts->text : STR("");
}

static bool
path_is(struct str value, const struct operand *path)
{
	return value.n >= 2 && path != NULL &&
	    str_ieq((struct str){ value.p + 1, value.n - 2 }, path->text);
}

static bool
edit_is(const struct edit *e, const struct action *a)
{
	switch (a->id) {
	case A_TAG_SUBJECT:
		return e->kind == EDIT_TAG_SUBJECT && str_eq(e->value, literal(a->text));
	case A_ADD_HEADER:
		return e->kind == EDIT_ADD_HEADER && str_ieq(e->name, a->header.text) &&
		    str_eq(e->value, literal(a->text));
	case A_SET_HEADER:
		return e->kind == EDIT_SET_HEADER && str_ieq(e->name, a->header.text) &&
		    str_eq(e->value, literal(a->text));
	case A_REMOVE_HEADER:
		return e->kind == EDIT_REMOVE_HEADER && str_ieq(e->name, a->header.text);
	case A_ADD_RCPT:
	case A_REDIRECT:
		return e->kind == EDIT_ADD_RCPT && path_is(e->value, a->path);
	case A_REMOVE_RCPT:
		return e->kind == EDIT_REMOVE_RCPT && (a->path == NULL || path_is(e->value, a->path));
	case A_SET_SENDER:
		return e->kind == EDIT_SET_SENDER && path_is(e->value, a->path);
	default:
		return false;
	}
}

static void
print_edit(const struct edit *e, struct strbuf *b)
{
	static const char *const words[] = {
		"tag subject", "add header", "set header", "remove header",
		"add rcpt", "remove rcpt", "set sender"
	};

	strbuf_puts(b, words[e->kind]);
	if (e->kind != EDIT_TAG_SUBJECT && e->name.n > 0)
		strbuf_printf(b, " " STR_FMT, STR_ARG(e->name));
	if (e->kind <= EDIT_SET_HEADER) {
		strbuf_putc(b, ' ');
		strbuf_json(b, e->value);
	} else if (e->kind != EDIT_REMOVE_HEADER)
		strbuf_printf(b, " " STR_FMT, STR_ARG(e->value));
}

static void
show_wanted(struct diag *d, const struct expect *e)
{
	struct strbuf b = { 0 };

	print_expect(e, &b);
	diag_expected(d, STR_FMT, STR_ARG(strbuf_slice(&b)));
	strbuf_free(&b);
}

static void
show_edits(struct diag *d, const struct outcome *o)
{
	if (o->plan.nedits == 0)
		diag_got(d, "no edit");
	for (size_t i = 0; i < o->plan.nedits; i++) {
		struct strbuf b = { 0 };

		print_edit(&o->plan.edits[i], &b);
		diag_got(d, "expect " STR_FMT, STR_ARG(strbuf_slice(&b)));
		strbuf_free(&b);
	}
}

static bool
edit_made(const struct asked *r, const struct outcome *o, const struct expect *e)
{
	for (size_t i = 0; i < o->plan.nedits; i++)
		if (edit_is(&o->plan.edits[i], e->edit) && (e->by_rule == NULL ||
		    e->by_rule->index == o->plan.edits[i].rule))
			return true;
	diag_error(r->d, e->at, "test \"" STR_FMT "\" failed: this edit was not made",
	    STR_ARG(r->test->name));
	show_wanted(r->d, e);
	show_edits(r->d, o);
	return false;
}

static const struct rcpt_outcome *
find_rcpt(const struct outcome *o, const struct operand *path)
{
	for (size_t i = 0; i < o->nrcpts; i++) {
		struct str p = o->rcpts[i].rcpt->path;

		if (path_is(p, path))
			return &o->rcpts[i];
	}
	return NULL;
}

static void
show_verdict(const struct asked *r, const struct expect *e, const struct heard *h)
{
	struct strbuf got = { 0 };

	print_heard(r, h, &got);
	diag_error(r->d, e->at, "test \"" STR_FMT "\" failed: the verdict was " STR_FMT,
	    STR_ARG(r->test->name), STR_ARG(strbuf_slice(&got)));
	show_wanted(r->d, e);
	if (e->rcpt != NULL)
		diag_got(r->d, "expect rcpt <" STR_FMT "> " STR_FMT, STR_ARG(e->rcpt->text),
		    STR_ARG(strbuf_slice(&got)));
	else
		diag_got(r->d, "expect " STR_FMT, STR_ARG(strbuf_slice(&got)));
	strbuf_free(&got);
}

bool
expectation_met(const struct expect *e, const struct test *t, const struct outcome *o,
    struct ruleset *rs, struct diag *d)
{
	struct asked r = { rs, t, d };
	const struct rcpt_outcome *rc = NULL;
	struct heard h;

	if (e->verdict == EXPECT_EDIT)
		return edit_made(&r, o, e);
	if (e->rcpt != NULL) {
		if ((rc = find_rcpt(o, e->rcpt)) == NULL && !o->early) {
			diag_error(d, e->rcpt->at, "the test has no recipient <" STR_FMT ">",
			    STR_ARG(e->rcpt->text));
			return false;
		}
	} else if (o->nrcpts == 1)
		rc = &o->rcpts[0];
	h = heard_by(o, rc);
	if (as_expected(e, &h))
		return true;
	show_verdict(&r, e, &h);
	return false;
}
