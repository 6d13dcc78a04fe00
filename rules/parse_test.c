/*
 * parse_test.c - `test` statements: what comes in, and what is expected.
 */
#include "parse_int.h"

#include <string.h>

static const struct {
	const char	*word;
	enum item_kind	 kind;
} items[] = {
	{ "client", ITEM_CLIENT },	{ "name", ITEM_NAME },
	{ "helo", ITEM_HELO },		{ "auth", ITEM_AUTH },
	{ "message", ITEM_MESSAGE },	{ "zone", ITEM_ZONE },
	{ "time", ITEM_TIME },		{ "sender", ITEM_SENDER },
	{ "rcpt", ITEM_RCPT },		{ "header", ITEM_HEADER },
	{ "macro", ITEM_MACRO },	{ "body", ITEM_BODY },
	{ "given", ITEM_GIVEN },
};

static const char *const item_words[] = {
	"client", "name", "helo", "auth", "message", "zone", "time", "sender",
	"rcpt", "header", "macro", "body", "given", "expect", NULL
};

static const struct {
	const char	*word;
	enum expect_verdict verdict;
} verdicts[] = {
	{ "accept", EXPECT_ACCEPT },	{ "reject", EXPECT_REJECT },
	{ "tempfail", EXPECT_TEMPFAIL }, { "discard", EXPECT_DISCARD },
	{ "quarantine", EXPECT_QUARANTINE }, { "split", EXPECT_SPLIT },
};

static const char *const verdict_words[] = {
	"accept", "reject", "tempfail", "discard", "quarantine", "split",
	"tag", "add", "set", "remove", "redirect", "rcpt", NULL
};

/* The stages that a verdict can be told at. */
static const char *const stage_words[] = {
	"connect", "mail", "rcpt", "data", "message", NULL
};

static bool
read_value(struct parser *p, struct operand *value)
{
	struct token tok = parse_peek(p);

	if (tok.kind == TOK_WORD || tok.kind == TOK_STRING)
		return parse_operand(p, value);
	if (tok.kind == TOK_PUNCT)
		diag_error(p->d, tok.at, "a value with '" STR_FMT "' in it "
		    "needs quotes", STR_ARG(tok.text));
	else
		parse_expected(p, &tok, "a value");
	return false;
}

static bool
read_string(struct parser *p, struct operand *value, const char *what)
{
	struct token tok = parse_peek(p);

	if (tok.kind != TOK_STRING) {
		parse_expected(p, &tok, what);
		return false;
	}
	return parse_operand(p, value);
}

/* The name of a header field or a macro; Sendmail writes {name} for some. */
static bool
read_item_name(struct parser *p, struct item *item)
{
	struct token tok = parse_peek(p), name = tok;
	bool braces = item->kind == ITEM_MACRO && tok_is(&tok, "{");

	if (braces) {
		parse_take(p, &tok);
		name = parse_peek(p);
	}
	if (name.kind != TOK_WORD) {
		parse_expected(p, &name, item->kind == ITEM_MACRO ?
		    "the name of a macro" : "the name of a header field");
		return false;
	}
	parse_take(p, &name);
	item->name = (struct name_ref){ name.at, name.text };
	if (item->kind == ITEM_HEADER && name.text.n > 1 &&
	    name.text.p[name.text.n - 1] == ':') {
		diag_error(p->d, name.at,
		    "the name of a header field stands without its colon");
		return false;
	}
	if (braces && !parse_accept(p, "}")) {
		tok = parse_peek(p);
		parse_expected(p, &tok, "'}' after the name of a macro");
		return false;
	}
	return true;
}

/* Is that the next item, and no value? */
static bool
begins_line(const struct token *tok)
{
	for (const char *const *w = item_words; *w != NULL; w++)
		if (tok->first && tok_is(tok, *w))
			return true;
	return false;
}

/* One `fact operand` of `given`. */
static bool
read_given(struct parser *p, struct item *item)
{
	struct token tok;

	if (!parse_fact(p, &item->fact))
		return false;
	tok = parse_peek(p);
	if (tok_is(&tok, "is") ||
	    (tok.kind == TOK_WORD && tok.text.p[0] == '=')) {
		diag_error(p->d, tok.at, "after 'given' stands a fact and "
		    "its value, without '%s'",
		    tok_is(&tok, "is") ? "is" : "=");
		return false;
	}
	if (begins_line(&tok)) {
		parse_missing(p, &tok, "a value");
		return false;
	}
	return parse_operand(p, &item->value);
}

static bool
read_item(struct parser *p, struct item *item)
{
	switch (item->kind) {
	case ITEM_SENDER: case ITEM_RCPT:
		return parse_path(p, &item->value);
	case ITEM_HEADER: case ITEM_MACRO:
		return read_item_name(p, item) &&
		    read_string(p, &item->value, "its value in quotes");
	case ITEM_BODY:
		return read_string(p, &item->value, "the body in quotes");
	case ITEM_GIVEN:
		return read_given(p, item);
	default:
		return read_value(p, &item->value);
	}
}

/* Reads an item, and for `given` as many as commas join. */
static bool
read_items(struct parser *p, enum item_kind kind, struct item ***end)
{
	struct token tok = parse_peek(p);
	struct item *item;

	parse_take(p, &tok);
	do {
		if ((item = arena_new_object(p->a, struct item)) == NULL)
			return false;
		item->kind = kind;
		if (!read_item(p, item))
			return false;
		item->at = parse_span(p, tok.at);
		**end = item;
		*end = &item->next;
		tok = parse_peek(p);
		if (kind == ITEM_GIVEN && tok_is(&tok, ",")) {
			parse_take(p, &tok);
			tok = parse_peek(p);
			continue;
		}
		return true;
	} while (true);
}

static bool
read_edit(struct parser *p, struct expect *e)
{
	struct token tok = parse_peek(p);

	if (!parse_is_action(tok.text) || tok.kind != TOK_WORD) {
		if (tok.kind == TOK_WORD)
			diag_error(p->d, tok.at, "expected a verdict or an "
			    "edit, not '" STR_FMT "'%s",
			    STR_ARG(parse_shown(tok.text)),
			    parse_hint(p, tok.text, verdict_words));
		else
			parse_expected(p, &tok, "a verdict or an edit");
		return false;
	}
	e->verdict = EXPECT_EDIT;
	if ((e->edit = parse_action(p)) == NULL)
		return false;
	if (e->edit->would || !(actions[e->edit->id].flags & ACT_EDIT)) {
		diag_error(p->d, tok.at, "a test expects a verdict or an edit, "
		    "not '" STR_FMT "'", STR_ARG(tok.text));
		return false;
	}
	return true;
}

static bool
read_verdict(struct parser *p, struct expect *e)
{
	struct token tok = parse_peek(p);
	size_t i, n = sizeof(verdicts) / sizeof(verdicts[0]);

	for (i = 0; i < n && !tok_is(&tok, verdicts[i].word); i++)
		;
	if (i == n)
		return read_edit(p, e);
	parse_take(p, &tok);
	/* cppcheck-suppress arrayIndexOutOfBounds ; i == n has returned */
	e->verdict = verdicts[i].verdict;
	tok = parse_peek(p);
	if (tok.kind != TOK_WORD || tok.text.p[0] < '0' || tok.text.p[0] > '9')
		return true;
	parse_take(p, &tok);
	e->code_at = tok.at;
	return parse_code(p, &tok, &e->code);
}

static bool
read_stage(struct parser *p, struct name_ref *stage)
{
	struct token tok = parse_peek(p);

	if (tok.kind != TOK_WORD) {
		parse_expected(p, &tok, "a stage");
		return false;
	}
	parse_take(p, &tok);
	*stage = (struct name_ref){ tok.at, tok.text };
	for (const char *const *w = stage_words; *w != NULL; w++)
		if (tok_is(&tok, *w))
			return true;
	diag_error(p->d, tok.at, "expected a stage (connect, mail, rcpt, data "
	    "or message), not '" STR_FMT "'%s", STR_ARG(parse_shown(tok.text)),
	    parse_hint(p, tok.text, stage_words));
	return false;
}

static struct expect *
read_expect(struct parser *p)
{
	struct expect *e = arena_new_object(p->a, struct expect);
	struct token start = parse_peek(p);

	if (e == NULL)
		return NULL;
	parse_take(p, &start);
	if (parse_accept(p, "rcpt")) {
		e->rcpt = arena_new_object(p->a, struct operand);
		if (e->rcpt == NULL || !parse_path(p, e->rcpt))
			return NULL;
	}
	if (!read_verdict(p, e))
		return NULL;
	if (parse_accept(p, "by") &&
	    !parse_name(p, "a rule's name", false, &e->by))
		return NULL;
	if (parse_accept(p, "at") && !read_stage(p, &e->stage_name))
		return NULL;
	e->at = parse_span(p, start.at);
	return e;
}

/* What is no item: tells what is wrong with it. */
static void
unknown_item(struct parser *p, const struct token *tok)
{
	if (tok->kind == TOK_WORD && tok->first &&
	    (tok_is(tok, "rule") || tok_is(tok, "test") ||
	    tok_is(tok, "include")))
		diag_error(p->d, tok->at, "'" STR_FMT "' begins a statement, "
		    "which stands in column 1", STR_ARG(tok->text));
	else if (tok->kind == TOK_WORD)
		diag_error(p->d, tok->at, "a test has no '" STR_FMT "'%s",
		    STR_ARG(parse_shown(tok->text)),
		    parse_hint(p, tok->text, item_words));
	else
		parse_expected(p, tok, "an item of the test, like 'client'");
}

/* One item or expect; false after a mistake. */
static bool
read_line(struct parser *p, struct test *t, struct item ***iend,
    struct expect ***eend)
{
	struct token tok = parse_peek(p);
	size_t i, n = sizeof(items) / sizeof(items[0]);

	if (tok_is(&tok, "expect")) {
		if ((**eend = read_expect(p)) == NULL)
			return false;
		*eend = &(**eend)->next;
		return true;
	}
	for (i = 0; i < n && !tok_is(&tok, items[i].word); i++)
		;
	if (i == n) {
		unknown_item(p, &tok);
		parse_take(p, &tok);
		return false;
	}
	if (t->expects != NULL) {
		diag_error(p->d, tok.at, "'%s' stands above the first "
		    "'expect'", items[i].word);
		parse_take(p, &tok);
		return false;
	}
	return read_items(p, items[i].kind, iend);
}

bool
parse_test(struct parser *p, struct token start)
{
	struct test *t = arena_new_object(p->a, struct test);
	struct token tok = parse_peek(p);
	int errors = diag_errors(p->d);
	struct item **iend;
	struct expect **eend;

	if (t == NULL)
		return false;
	if (tok.kind != TOK_STRING) {
		parse_expected(p, &tok, "the test's name in quotes");
		return true;
	}
	parse_take(p, &tok);
	t->at = parse_span(p, start.at);
	if (!parse_string(p, &tok, &t->name))
		return true;
	iend = &t->items;
	eend = &t->expects;
	while ((tok = parse_peek(p)).kind != TOK_END && !arena_failed(p->a))
		if (!read_line(p, t, &iend, &eend))
			parse_resync(p, item_words, true);
	if (t->expects == NULL && diag_errors(p->d) == errors)
		diag_error(p->d, tok.at, "an 'expect' is missing here: this "
		    "test can't fail");
	if (diag_errors(p->d) > errors)
		return true;
	p->ast->ntests++;
	*p->test_end = t;
	p->test_end = &t->next;
	return true;
}
