/*
 * parse_action.c - what comes after `then`.
 *
 * The words of an action and what it takes come from actions.def: a row there
 * is all that a new action with known arguments needs.
 *
 * Whether a code agrees with its action is check's business.
 */
#include "parse_int.h"

#include <string.h>

#define SCORE_MAX	1000000

/* What other filters call them. */
static const struct {
	const char	*word, *ours;
} foreign[] = {
	{ "deny", "reject" }, { "refuse", "reject" }, { "bounce", "reject" },
	{ "block", "reject" }, { "allow", "accept" }, { "permit", "accept" },
	{ "ok", "accept" }, { "pass", "accept" }, { "dunno", "accept" },
	{ "defer", "tempfail" }, { "temperror", "tempfail" },
	{ "drop", "discard" }, { "delete", "discard" },
	{ "hold", "quarantine" }, { "warn", "log" },
	{ "prepend", "add header" }, { "bcc", "add rcpt" },
	{ "insert", "add header" }, { "rewrite", "redirect" },
};

static struct str
first_word(const char *words)
{
	const char *blank = strchr(words, ' ');

	return (struct str){ words,
	    blank != NULL ? (size_t)(blank - words) : strlen(words) };
}

bool
parse_is_action(struct str word)
{
	if (str_eq(word, STR("would")))
		return true;
	for (size_t i = 0; i < A_COUNT; i++)
		if (str_eq(word, first_word(actions[i].words)))
			return true;
	return false;
}

static void
unknown_action(struct parser *p, const struct token *tok)
{
	const char *words[A_COUNT + 2];
	size_t i;

	if (tok->kind != TOK_WORD) {
		parse_expected(p, tok, "an action");
		return;
	}
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (str_ieq(tok->text, str_of(foreign[i].word))) {
			diag_error(p->d, tok->at, "unknown action '" STR_FMT
			    "'; here it is '%s'", STR_ARG(tok->text),
			    foreign[i].ours);
			return;
		}
	for (i = 0; i < A_COUNT; i++) {
		struct str s = str_dup(p->a, first_word(actions[i].words));

		words[i] = s.p != NULL ? s.p : "";
	}
	words[i] = "would";
	words[i + 1] = NULL;
	diag_error(p->d, tok->at, "unknown action '" STR_FMT "'%s",
	    STR_ARG(parse_shown(tok->text)), parse_hint(p, tok->text, words));
}

/* The second words of the actions that begin with `first` do not include tok. */
static void
wrong_second(struct parser *p, struct str first, const struct token *tok)
{
	struct strbuf what = { 0 };
	struct str word;

	for (size_t i = 0; i < A_COUNT; i++) {
		word = first_word(actions[i].words);
		if (str_eq(first, word))
			strbuf_printf(&what, "%s'%s'", what.n > 0 ? " or " : "",
			    actions[i].words + word.n + 1);
	}
	strbuf_printf(&what, " after '" STR_FMT "'", STR_ARG(first));
	parse_expected(p, tok, what.failed ? "a word" : what.p);
	strbuf_free(&what);
}

/* Reads the one or two words of an action. */
static const struct action_def *
read_words(struct parser *p)
{
	struct token tok = parse_peek(p), next;
	struct str first;

	if (tok.kind != TOK_WORD || !parse_is_action(tok.text)) {
		unknown_action(p, &tok);
		return NULL;
	}
	parse_take(p, &tok);
	next = parse_peek(p);
	for (size_t i = 0; i < A_COUNT; i++) {
		first = first_word(actions[i].words);
		if (!str_eq(tok.text, first))
			continue;
		if (actions[i].words[first.n] == '\0')
			return &actions[i];
		if (tok_is(&next, actions[i].words + first.n + 1)) {
			parse_take(p, &next);
			return &actions[i];
		}
	}
	wrong_second(p, tok.text, &next);
	return NULL;
}

bool
parse_code(struct parser *p, const struct token *tok, int *code)
{
	struct str s = tok->text;
	size_t i;

	*code = 0;
	for (i = 0; i < s.n && i < 3 && char_is_digit(s.p[i]); i++)
		*code = *code * 10 + (s.p[i] - '0');
	if (i == 3 && s.n == 3 && *code >= 100)
		return true;
	diag_error(p->d, tok->at,
	    "a reply code is a number of three digits like 550");
	return false;
}

/* RFC 3463, 2: class "." subject "." detail, the last two of up to three digits. */
static bool
is_enhanced(struct str s)
{
	size_t digits = 0;
	int dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.') {
			if (digits == 0 || (dots == 0 && digits > 1))
				return false;
			dots++;
			digits = 0;
		} else if (s.p[i] < '0' || s.p[i] > '9' || ++digits > 3)
			return false;
	}
	return dots == 2 && digits > 0;
}

static bool
read_enhanced(struct parser *p, struct action *act)
{
	struct token tok = parse_peek(p);

	if (tok.kind != TOK_WORD || tok.text.p[0] < '0' ||
	    tok.text.p[0] > '9')
		return true;
	if (!is_enhanced(tok.text)) {
		diag_error(p->d, tok.at, "an enhanced code has three numbers, "
		    "like 5.7.1");
		return false;
	}
	parse_take(p, &tok);
	act->enhanced = tok.text;
	act->enhanced_at = tok.at;
	return true;
}

/* A forgotten quote is the likeliest reason for a word where a text should be. */
static void
no_text(struct parser *p, const struct token *tok, const char *what)
{
	if (parse_single_quotes(p, tok))
		return;
	if (tok->kind == TOK_WORD && !parse_is_keyword(tok->text))
		diag_error(p->d, tok->at, "%s needs quotes around it", what);
	else
		parse_expected(p, tok, what);
}

static bool
read_text(struct parser *p, struct text **text)
{
	struct token tok = parse_peek(p);

	if (tok.kind != TOK_STRING) {
		no_text(p, &tok, "the text");
		return false;
	}
	parse_take(p, &tok);
	return (*text = parse_text_parts(p, &tok)) != NULL;
}

/* [CODE [ENHANCED]] STRING ... */
static bool
read_reply(struct parser *p, struct action *act)
{
	struct token tok = parse_peek(p);
	struct text **end = &act->text;
	int lines = 0;

	if (tok.kind == TOK_WORD && is_enhanced(tok.text)) {
		diag_error(p->d, tok.at, "an enhanced code stands after a "
		    "code, like 550 5.7.1");
		return false;
	}
	if (tok.kind == TOK_WORD && tok.text.p[0] >= '0' &&
	    tok.text.p[0] <= '9') {
		parse_take(p, &tok);
		act->code_at = tok.at;
		if (!parse_code(p, &tok, &act->code) || !read_enhanced(p, act))
			return false;
	}
	do {
		if (++lines > PARSE_REPLY_LINES) {
			tok = parse_peek(p);
			diag_error(p->d, tok.at, "a reply has at most %d lines",
			    PARSE_REPLY_LINES);
			return false;
		}
		if (!read_text(p, end))
			return false;
		end = &(*end)->next;
		tok = parse_peek(p);
	} while (tok.kind == TOK_STRING || tok.kind == TOK_BAD);
	return true;
}

static bool
read_header(struct parser *p, struct name_ref *header)
{
	struct token tok = parse_peek(p);

	if (tok.kind != TOK_WORD) {
		if (tok.kind == TOK_STRING)
			diag_error(p->d, tok.at, "the name of a header field "
			    "stands without quotes");
		else
			parse_expected(p, &tok, "the name of a header field");
		return false;
	}
	parse_take(p, &tok);
	if (tok.text.n > 1 && tok.text.p[tok.text.n - 1] == ':') {
		diag_error(p->d, tok.at,
		    "the name of a header field stands without its colon");
		return false;
	}
	*header = (struct name_ref){ tok.at, tok.text };
	return true;
}

static bool
read_score(struct parser *p, struct action *act)
{
	struct token tok = parse_peek(p);
	struct str s = tok.text;
	bool sign;
	int64_t n = 0;
	size_t i;

	if (tok.kind != TOK_WORD || !lex_is_number(s)) {
		parse_expected(p, &tok, "a number with its sign, like +3");
		return false;
	}
	parse_take(p, &tok);
	sign = s.p[0] == '+' || s.p[0] == '-';
	if (!sign) {
		diag_error(p->d, tok.at, "a score needs its sign: +" STR_FMT
		    " adds, -" STR_FMT " takes away",
		    STR_ARG(parse_shown(s)), STR_ARG(parse_shown(s)));
		return false;
	}
	for (i = 1; i < s.n && char_is_digit(s.p[i]); i++)
		if (n <= SCORE_MAX)
			n = n * 10 + (s.p[i] - '0');
	if (i < s.n || n > SCORE_MAX) {
		diag_error(p->d, tok.at, i < s.n ? "a score has no unit" :
		    "a score is at most 1000000");
		return false;
	}
	act->score = s.p[0] == '-' ? -n : n;
	return true;
}

/* Does a path, rather than a keyword, stand here? */
static bool
at_path(const struct parser *p)
{
	struct token tok = lex_peek(&p->lx, LEX_PATH);

	return tok.kind == TOK_PATH || tok.kind == TOK_EMPTY ||
	    tok.kind == TOK_STRING || tok.kind == TOK_BAD ||
	    (tok.kind == TOK_WORD && !parse_is_keyword(tok.text));
}

bool
parse_path(struct parser *p, struct operand *path)
{
	struct token tok = lex_peek(&p->lx, LEX_PATH);

	path->at = tok.at;
	switch (tok.kind) {
	case TOK_EMPTY:
		path->kind = OPD_EMPTY;
		path->text = STR("");
		break;
	case TOK_PATH:
		path->kind = OPD_WORD;
		path->text = (struct str){ tok.text.p + 1, tok.text.n - 2 };
		break;
	case TOK_WORD:
		if (!at_path(p)) {
			parse_expected(p, &tok, "an address");
			return false;
		}
		path->kind = OPD_WORD;
		path->text = tok.text;
		break;
	case TOK_STRING:
		path->kind = OPD_STRING;
		if (!parse_string(p, &tok, &path->text))
			return false;
		break;
	default:
		parse_expected(p, &tok, "an address");
		return false;
	}
	parse_take(p, &tok);
	return true;
}

static bool
read_path(struct parser *p, struct action *act)
{
	act->path = arena_new_object(p->a, struct operand);
	return act->path != NULL && parse_path(p, act->path);
}

static bool
read_args(struct parser *p, struct action *act, enum action_args args)
{
	switch (args) {
	case ARG_NONE:
		return true;
	case ARG_REPLY:
		return read_reply(p, act);
	case ARG_TEXT:
		return read_text(p, &act->text);
	case ARG_HEADER:
		return read_header(p, &act->header);
	case ARG_HEADER_TEXT:
		return read_header(p, &act->header) &&
		    read_text(p, &act->text);
	case ARG_PATH:
		return read_path(p, act);
	case ARG_PATH_OPTIONAL:
		return !at_path(p) || read_path(p, act);
	case ARG_SIGNED:
		return read_score(p, act);
	}
	return false;
}

struct action *
parse_action(struct parser *p)
{
	struct action *act = arena_new_object(p->a, struct action);
	struct token start = parse_peek(p), tok;
	const struct action_def *def;

	if (act == NULL)
		return NULL;
	act->would = parse_accept(p, "would");
	tok = parse_peek(p);
	if (act->would && tok_is(&tok, "would")) {
		diag_error(p->d, tok.at, "one 'would' is enough");
		return NULL;
	}
	if ((def = read_words(p)) == NULL)
		return NULL;
	act->id = def->id;
	if (!read_args(p, act, def->args))
		return NULL;
	act->at = parse_span(p, start.at);
	return act;
}
