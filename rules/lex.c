/*
 * lex.c - the tokens of one statement of a rules file.
 *
 * A token is a function of its place and the mode, nothing is remembered: so
 * the parser can look at the same place in two ways, and starts afresh at any
 * statement after a mistake.  Each octet is looked at a few times at most.
 *
 * Octets that must not stand in a file at all are source.c's business, the
 * meaning of escapes parse_text.c's.
 */
#include "lex.h"

#include <string.h>

bool
lex_is_blank(char c)
{
	/* Control characters are an error that source.c has told. */
	return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool
is_word(char c)
{
	return !lex_is_blank(c) && strchr("\"(){}[],<>", c) == NULL;
}

bool
lex_is_name(struct str s)
{
	if (s.n == 0 || !char_is_letter(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!char_is_letter(s.p[i]) && !char_is_digit(s.p[i]) &&
		    s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

bool
lex_is_fact(struct str s)
{
	const char *dot;
	size_t n;

	for (;;) {
		dot = s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
		n = dot != NULL ? (size_t)(dot - s.p) : s.n;
		if (!lex_is_name((struct str){ s.p, n }))
			return false;
		if (dot == NULL)
			return true;
		s = (struct str){ dot + 1, s.n - n - 1 };
	}
}

bool
lex_is_number(struct str s)
{
	size_t i = 0, digits;

	if (s.n > 0 && (s.p[0] == '+' || s.p[0] == '-'))
		i++;
	for (digits = i; i < s.n && char_is_digit(s.p[i]); i++)
		;
	if (i == digits)
		return false;
	if (i < s.n && strchr("KMGsmhd", s.p[i]) != NULL)
		i++;
	return i == s.n;
}

bool
tok_is(const struct token *tok, const char *text)
{
	return (tok->kind == TOK_WORD || tok->kind == TOK_PUNCT) &&
	    str_eq(tok->text, str_of(text));
}

size_t
lex_line_end(struct str text, size_t off)
{
	const char *nl;

	if (off >= text.n ||
	    (nl = memchr(text.p + off, '\n', text.n - off)) == NULL)
		return text.n;
	return (size_t)(nl - text.p);
}

static bool
is_comment(struct str text, size_t off)
{
	return text.p[off] == '#' &&
	    (off == 0 || lex_is_blank(text.p[off - 1]));
}

/*
 * Skips blanks, comments and line ends from off on.  *first: a line end was
 * among them (or the text's start).  Returns false if the statement ends.
 */
static bool
skip(struct str text, size_t *off, bool *first)
{
	size_t i = *off;

	*first = i == 0 || text.p[i - 1] == '\n';
	while (i < text.n) {
		if (is_comment(text, i))
			i = lex_line_end(text, i);
		else if (text.p[i] == '\n') {
			*first = true;
			i++;
		} else if (lex_is_blank(text.p[i]))
			i++;
		else {
			/* At *off itself a statement begins, or goes on. */
			if (i != *off && text.p[i - 1] == '\n')
				return false;
			*off = i;
			return true;
		}
	}
	return false;
}

/* Does a backslash take the octet behind it along?  None does so with the line's end. */
static bool
is_escape(struct str text, size_t off)
{
	return text.p[off] == '\\' && off + 1 < text.n && text.p[off + 1] != '\n';
}

size_t
lex_expansion(struct str s)
{
	size_t i = 2;

	if (s.n < 3 || s.p[0] != '$' || s.p[1] != '{')
		return 0;
	while (i < s.n && (char_is_letter(s.p[i]) || char_is_digit(s.p[i]) ||
	    s.p[i] == '.' || s.p[i] == '-' || s.p[i] == '_'))
		i++;
	if (i + 1 < s.n && s.p[i] == '[' && s.p[i + 1] == '"') {
		for (i += 2; i < s.n && s.p[i] != '"' && s.p[i] != '\n'; i++)
			if (is_escape(s, i))
				i++;
		if (i + 1 >= s.n || s.p[i] != '"' || s.p[i + 1] != ']')
			return 0;
		i += 2;
	}
	return i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* Offset behind the string that begins at text.p[off], or 0 if it has no end on its line. */
static size_t
string_end(struct str text, size_t off)
{
	size_t i = off + 1, n;

	while (i < text.n && text.p[i] != '\n') {
		if (text.p[i] == '"')
			return i + 1;
		n = lex_expansion((struct str){ text.p + i, text.n - i });
		if (n > 0)
			i += n;
		else if (is_escape(text, i))
			i += 2;
		else
			i++;
	}
	return 0;
}

static size_t
regex_end(struct str text, size_t off)
{
	size_t i = off + 1;

	for (; i < text.n && text.p[i] != '\n'; i++) {
		if (is_escape(text, i))
			i++;
		else if (text.p[i] == '/') {
			/* Flags, and what was meant for flags. */
			for (i++; i < text.n && is_word(text.p[i]); i++)
				;
			return i;
		}
	}
	return 0;
}

/* A local part in quotes may hold blanks and >. */
static size_t
path_end(struct str text, size_t off)
{
	size_t i = off + 1;
	bool quoted = false;

	for (; i < text.n && text.p[i] != '\n'; i++) {
		if (quoted && is_escape(text, i))
			i++;
		else if (text.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && text.p[i] == '>')
			return i + 1;
		else if (!quoted && lex_is_blank(text.p[i]))
			return 0;
	}
	return 0;
}

static size_t
word_end(struct str text, size_t off)
{
	while (off < text.n && is_word(text.p[off]))
		off++;
	return off;
}

/* The kind of the token at off; *end gets the place behind it, 0 for a bad one. */
static enum token_kind
scan(struct str text, size_t off, enum lex_mode mode, size_t *end,
    const char **why)
{
	char c = text.p[off], next = off + 1 < text.n ? text.p[off + 1] : '\0';

	*why = NULL;
	if (c == '"') {
		*why = off > 0 && is_word(text.p[off - 1]) ?
		    "this quote closes no string: is the one before it "
		    "missing?" : "this string has no closing quote on its line";
		*end = string_end(text, off);
		return TOK_STRING;
	}
	if (c == '/' && mode == LEX_REGEX) {
		*why = "this regex has no closing / on its line";
		*end = regex_end(text, off);
		return TOK_REGEX;
	}
	if (c == '#') {
		*why = "a comment begins after a blank, and a word with # in "
		    "front needs quotes";
		*end = 0;
		return TOK_BAD;
	}
	if (c == '<' && next == '>') {
		*end = off + 2;
		return TOK_EMPTY;
	}
	if (c == '<' && mode == LEX_PATH) {
		*why = "this address has no closing > on its line";
		*end = path_end(text, off);
		return TOK_PATH;
	}
	if (is_word(c)) {
		*end = word_end(text, off);
		return TOK_WORD;
	}
	*end = off + ((c == '<' || c == '>') && next == '=' ? 2 : 1);
	return TOK_PUNCT;
}

struct token
lex_peek(const struct lexer *lx, enum lex_mode mode)
{
	struct str text = lx->src->text;
	struct token tok = { .kind = TOK_END };
	size_t off = lx->off, end;

	if (!skip(text, &off, &tok.first)) {
		tok.at = (struct span){ lx->src, lx->off, 0 };
		tok.text = (struct str){ text.p + lx->off, 0 };
		return tok;
	}
	tok.kind = scan(text, off, mode, &end, &tok.why);
	if (end == 0) {
		tok.kind = TOK_BAD;
		end = lex_line_end(text, off);
		if (end > off && text.p[end - 1] == '\r')
			end--;
	}
	tok.at = (struct span){ lx->src, off, end - off };
	tok.text = (struct str){ text.p + off, end - off };
	return tok;
}

void
lex_take(struct lexer *lx, const struct token *tok)
{
	lx->off = tok->at.off + tok->at.n;
}

size_t
lex_statement(struct str text, size_t off)
{
	while (off < text.n && (lex_is_blank(text.p[off]) ||
	    text.p[off] == '#'))
		off = lex_line_end(text, off) + 1;
	return off < text.n ? off : text.n;
}
