/*
 * parse_compare.c - comparisons: a fact, an operator, an operand.
 *
 * Whether the operator fits the type of the fact is check's business.  Most
 * of what is here is about what people write who have other languages in
 * their fingers: each such slip gets the mend instead of "syntax error".
 */
#include "parse_compare.h"

#include <stdio.h>
#include <string.h>

#include "parse_int.h"

/* Operators of elsewhere. */
static const struct {
	const char	*word, *ours;
} foreign[] = {
	{ "=", "is" }, { "==", "is" }, { "!=", "is not" }, { "<>", "is not" },
	{ "eq", "is" }, { "ne", "is not" }, { "equals", "is" },
	{ "~", "matches" }, { "=~", "matches" }, { "!~", "not matches" },
	{ "~=", "matches" }, { "match", "matches" }, { "like", "matches" },
	{ "isn't", "is not" }, { "startswith", "starts with" },
	{ "endswith", "ends with" }, { "begins", "starts with" },
	{ "includes", "contains" }, { "has", "contains" },
};

static const char *const operators[] = {
	"is", "in", "not", "matches", "contains", "starts", "ends", "and",
	"or", "then", NULL
};

static const char *
foreign_operator(const struct token *tok)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (str_eq(tok->text, str_of(foreign[i].word)))
			return foreign[i].ours;
	return NULL;
}

/* Octets at off that make an operator in other languages. */
static size_t
symbol(struct str s, size_t off)
{
	size_t i = off;

	while (i < s.n && strchr("=!~", s.p[i]) != NULL)
		i++;
	return i - off;
}

/* A word like spf=fail: its fact alone, so that the operator comes next. */
static void
cut_symbol(struct token *tok)
{
	size_t i = 0;

	while (i < tok->text.n && symbol(tok->text, i) == 0)
		i++;
	if (i > 0 && i < tok->text.n)
		tok->at.n = tok->text.n = i;
}

bool
parse_fact(struct parser *p, struct fact_ref *fact)
{
	struct token tok = parse_peek(p);

	if (tok.kind == TOK_WORD)
		cut_symbol(&tok);
	if (tok.kind == TOK_WORD && tok.text.p[0] == '$') {
		diag_error(p->d, tok.at, "a fact stands here by its name, "
		    "without $");
		return false;
	}
	/* Actions and facts share a word: score. */
	if (tok.kind != TOK_WORD || !lex_is_fact(tok.text) ||
	    (parse_is_keyword(tok.text) && !tok_is(&tok, "score"))) {
		parse_expected(p, &tok, "a fact");
		return false;
	}
	parse_take(p, &tok);
	fact->name = tok.text;
	fact->at = tok.at;
	if (!parse_key(p, fact))
		return false;
	fact->at = parse_span(p, tok.at);
	return true;
}

bool
parse_operand(struct parser *p, struct operand *o)
{
	struct token tok = parse_peek(p);

	o->at = tok.at;
	if (parse_single_quotes(p, &tok))
		return false;
	switch (tok.kind) {
	case TOK_WORD:
		parse_take(p, &tok);
		o->kind = lex_is_number(tok.text) ? OPD_NUMBER : OPD_WORD;
		o->text = tok.text;
		return true;
	case TOK_STRING:
		parse_take(p, &tok);
		o->kind = OPD_STRING;
		return parse_string(p, &tok, &o->text);
	case TOK_EMPTY:
		parse_take(p, &tok);
		o->kind = OPD_EMPTY;
		o->text = STR("");
		return true;
	default:
		break;
	}
	if (tok_is(&tok, "<"))
		diag_error(p->d, tok.at, "an address to compare with stands "
		    "without < and >");
	else if (tok_is(&tok, "["))
		diag_error(p->d, tok.at, "a value with '[' in it needs quotes");
	else if (tok_is(&tok, "{"))
		diag_error(p->d, tok.at, "several values stand after 'in': "
		    "in { ... }");
	else
		parse_expected(p, &tok, "a value");
	return false;
}

static bool
read_one(struct parser *p, struct cond *c)
{
	struct token tok = parse_peek(p);

	/* A keyword here means that the value was forgotten. */
	if (tok_is(&tok, "then") || tok_is(&tok, "and") || tok_is(&tok, "or")) {
		parse_missing(p, &tok, "a value");
		return false;
	}
	if (tok.kind == TOK_WORD && tok.text.p[0] == '/') {
		diag_error(p->d, tok.at, "a regex stands after 'matches'; for "
		    "a text that begins with / use quotes");
		return false;
	}
	c->operands = arena_new_object(p->a, struct operand);
	return c->operands != NULL && parse_operand(p, c->operands);
}

/* `{ operand ... }` */
static bool
read_set(struct parser *p, struct cond *c)
{
	struct operand **end = &c->operands;
	struct token open = parse_peek(p), tok;
	bool comma = false;

	c->op = OP_IN_SET;
	parse_take(p, &open);
	for (;;) {
		tok = parse_peek(p);
		if (tok_is(&tok, "}"))
			break;
		if (tok_is(&tok, ",")) {
			if (!comma)
				diag_error(p->d, tok.at, "values are "
				    "separated by blanks, without commas");
			comma = true;
			parse_take(p, &tok);
			continue;
		}
		if (tok.kind == TOK_END || (tok.first &&
		    (tok_is(&tok, "then") || tok_is(&tok, "and") ||
		    tok_is(&tok, "or")))) {
			parse_missing(p, &tok, "'}'");
			diag_note(p->d, open.at, "for this '{'");
			return false;
		}
		if ((*end = arena_new_object(p->a, struct operand)) == NULL ||
		    !parse_operand(p, *end))
			return false;
		end = &(*end)->next;
	}
	if (c->operands == NULL && !comma) {
		diag_error(p->d, tok.at, "a value is missing between { and }");
		return false;
	}
	parse_take(p, &tok);
	return true;
}

/* A NET has a digit in front, or a colon or a slash in it; no NAME has. */
static bool
is_net(struct str s)
{
	return char_is_digit(s.p[0]) ||
	    memchr(s.p, ':', s.n) != NULL || memchr(s.p, '/', s.n) != NULL;
}

static bool
read_in(struct parser *p, struct cond *c)
{
	struct token tok = parse_peek(p);

	if (tok_is(&tok, "{"))
		return read_set(p, c);
	if (tok.kind == TOK_WORD && is_net(tok.text)) {
		c->op = OP_IN_NET;
		return read_one(p, c);
	}
	if (parse_single_quotes(p, &tok))
		return false;
	if (tok.kind == TOK_STRING ||
	    (tok.kind == TOK_WORD && !lex_is_name(tok.text))) {
		diag_error(p->d, tok.at, "after 'in' stands the name of a "
		    "list, a network or { ... }; for one value write 'is'");
		return false;
	}
	c->op = OP_IN_LIST;
	return parse_name(p, "a list's name", false, &c->list_name);
}

bool
parse_regex(struct parser *p, const struct token *tok, struct regex_lit *re)
{
	struct span at = tok->at;
	size_t end;

	for (end = 1; tok->text.p[end] != '/'; end++)
		if (tok->text.p[end] == '\\')
			end++;
	re->at = tok->at;
	re->pattern = (struct str){ tok->text.p + 1, end - 1 };
	re->flags = (struct str){ tok->text.p + end + 1,
	    tok->text.n - end - 1 };
	for (size_t i = 0; i < re->flags.n; i++) {
		if (strchr("imsx", re->flags.p[i]) != NULL)
			continue;
		at.off += end + 1 + i;
		at.n = 1;
		diag_error(p->d, at, "unknown flag '%c' behind the regex; "
		    "there are i, m, s and x, and a / in the pattern is "
		    "written \\/", re->flags.p[i]);
		return false;
	}
	if (re->pattern.n == 0) {
		diag_error(p->d, at, "an empty regex matches everything");
		return false;
	}
	return true;
}

static bool
read_matches(struct parser *p, struct cond *c)
{
	struct token tok = lex_peek(&p->lx, LEX_REGEX);

	if (tok.kind == TOK_REGEX) {
		parse_take(p, &tok);
		c->op = OP_MATCHES;
		return parse_regex(p, &tok, &c->regex);
	}
	if (tok.kind == TOK_STRING ||
	    (tok.kind == TOK_WORD && !lex_is_name(tok.text))) {
		diag_error(p->d, tok.at, "a regex is written between slashes, "
		    "like /wire transfer/i");
		return false;
	}
	if (tok.kind == TOK_BAD) {
		parse_expected(p, &tok, "a regex");
		return false;
	}
	c->op = OP_MATCHES_LIST;
	return parse_name(p, "a regex or a list of patterns", false,
	    &c->list_name);
}

static bool
read_is(struct parser *p, struct cond *c)
{
	struct token tok;

	c->op = OP_IS;
	c->negated = parse_accept(p, "not");
	c->op_at = parse_span(p, c->op_at);
	tok = parse_peek(p);
	if (tok_is(&tok, "set")) {
		c->op = OP_SET;
		parse_take(p, &tok);
		return true;
	}
	if (tok_is(&tok, "in") || tok_is(&tok, "matches") ||
	    tok_is(&tok, "{")) {
		diag_error(p->d, tok.at, "write '%s" STR_FMT "', without 'is'",
		    c->negated ? "not " : "",
		    STR_ARG(tok_is(&tok, "{") ? STR("in { ... }") :
		    tok.text));
		return false;
	}
	return read_one(p, c);
}

bool
parse_is_numeric(const struct token *tok)
{
	size_t sign = tok->text.n > 0 && (tok->text.p[0] == '+' || tok->text.p[0] == '-');

	return tok->kind == TOK_WORD && tok->text.n > sign &&
	    char_is_digit(tok->text.p[sign]);
}

static bool
read_order(struct parser *p, struct cond *c, const struct token *tok)
{
	struct token number;

	c->op = tok_is(tok, "<") ? OP_LT : tok_is(tok, "<=") ? OP_LE :
	    tok_is(tok, ">") ? OP_GT : OP_GE;
	number = parse_peek(p);
	if (tok_is(&number, "=")) {
		diag_error(p->d, tok->at, "'" STR_FMT " =' is written '"
		    STR_FMT "='", STR_ARG(tok->text), STR_ARG(tok->text));
		return false;
	}
	if (!parse_is_numeric(&number)) {
		parse_expected(p, &number, "a number");
		return false;
	}
	return read_one(p, c);
}

/* `starts with`, `ends with` */
static bool
read_with(struct parser *p, struct cond *c, enum op op)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, "with")) {
		parse_expected(p, &tok, "'with'");
		return false;
	}
	parse_take(p, &tok);
	c->op = op;
	c->op_at = parse_span(p, c->op_at);
	return read_one(p, c);
}

/* Reads on with the operator that was meant, so that more mistakes are told. */
static bool
read_foreign(struct parser *p, struct cond *c, struct token tok,
    const char *ours)
{
	struct token next;

	parse_take(p, &tok);
	next = parse_peek(p);
	if (tok_is(&tok, "=") && tok_is(&next, ">")) {
		parse_take(p, &next);
		ours = ">=";
	}
	diag_error(p->d, tok.at, "'" STR_FMT "%s' is written '%s'",
	    STR_ARG(tok.text), ours[0] == '>' ? ">" : "", ours);
	c->negated = strstr(ours, "not") != NULL;
	if (strstr(ours, "matches") != NULL)
		return read_matches(p, c);
	c->op = strstr(ours, "is") == ours ? OP_IS :
	    strcmp(ours, "contains") == 0 ? OP_CONTAINS :
	    strcmp(ours, "starts with") == 0 ? OP_STARTS :
	    strcmp(ours, "ends with") == 0 ? OP_ENDS : OP_GE;
	return read_one(p, c);
}

/* The fact stands alone: it should be a boolean, and the condition go on. */
static bool
read_nothing(struct parser *p, struct cond *c, struct token tok)
{
	const char *ours, *hint;
	size_t n = tok.kind == TOK_WORD ? symbol(tok.text, 0) : 0;

	if (n > 0)
		tok.at.n = tok.text.n = n;
	ours = foreign_operator(&tok);
	if (n > 0 && ours == NULL)
		ours = "is";
	if (ours != NULL && (tok.kind == TOK_WORD || tok.kind == TOK_EMPTY))
		return read_foreign(p, c, tok, ours);
	c->op = OP_TRUE;
	c->op_at = c->fact.at;
	if (tok.kind == TOK_END || tok_is(&tok, ")") || tok_is(&tok, "&&") ||
	    tok_is(&tok, "||") || tok_is(&tok, "&") || tok_is(&tok, "|") ||
	    tok_is(&tok, "AND") || tok_is(&tok, "OR") ||
	    (tok.kind == TOK_WORD && parse_is_keyword(tok.text)))
		return true;
	if (tok.kind != TOK_WORD) {
		parse_expected(p, &tok, "an operator");
		return false;
	}
	hint = parse_hint(p, tok.text, operators);
	if (*hint != '\0')
		diag_error(p->d, tok.at, "unknown operator '" STR_FMT "'%s",
		    STR_ARG(parse_shown(tok.text)), hint);
	else
		diag_error(p->d, tok.at, "an operator, like 'is' or 'in', is "
		    "missing before '" STR_FMT "'",
		    STR_ARG(parse_shown(tok.text)));
	return false;
}

static bool
read_operator(struct parser *p, struct cond *c)
{
	struct token tok = parse_peek(p), next;
	bool not = tok_is(&tok, "not");

	c->op_at = tok.at;
	if (not) {
		parse_take(p, &tok);
		c->negated = true;
		next = parse_peek(p);
	} else
		next = tok;
	if (tok_is(&next, "in") || tok_is(&next, "matches")) {
		parse_take(p, &next);
		c->op_at = parse_span(p, c->op_at);
		return tok_is(&next, "in") ? read_in(p, c) :
		    read_matches(p, c);
	}
	if (not) {
		diag_error(p->d, tok.at, tok_is(&next, "is") ?
		    "write 'is not'" : "here stands 'is not', 'not in' or "
		    "'not matches'; or put 'not' before the fact");
		return false;
	}
	if (tok.kind == TOK_PUNCT && (tok.text.p[0] == '<' ||
	    tok.text.p[0] == '>')) {
		parse_take(p, &tok);
		return read_order(p, c, &tok);
	}
	if (!tok_is(&tok, "is") && !tok_is(&tok, "contains") &&
	    !tok_is(&tok, "starts") && !tok_is(&tok, "ends"))
		return read_nothing(p, c, tok);
	parse_take(p, &tok);
	if (tok_is(&tok, "is"))
		return read_is(p, c);
	if (tok_is(&tok, "contains")) {
		c->op = OP_CONTAINS;
		return read_one(p, c);
	}
	return read_with(p, c, tok_is(&tok, "starts") ? OP_STARTS : OP_ENDS);
}

bool
compare_rest(struct parser *p, struct cond *c)
{
	if (!read_operator(p, c))
		return false;
	c->at = parse_span(p, c->at);
	return true;
}
