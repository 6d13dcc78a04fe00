/*
 * parse.c - from text to tree: the frame of the recursive descent.
 *
 * A statement is read on its own, from its line in column 1 to the next such
 * line: whatever is wrong in one, the next begins afresh.  What all kinds of
 * statements need of tokens, names and error wording is here; each kind has
 * its own file.
 *
 * What names mean, and whether they exist, is the checks' business.
 */
#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "parse_int.h"
#include "source.h"

#define SHOWN_MAX	60

static const char *const keywords[] = {
	"set", "include", "rule", "test", "nets", "domains", "addresses",
	"strings", "patterns", "if", "then", "and", "or", "not", "any",
	"every", "has", "is", "in", "matches", "contains", "starts", "ends",
	"with", "would", "by", "at", "expect", "given", "per", "accept",
	"reject", "tempfail", "discard", "quarantine", "tag", "add", "remove",
	"redirect", "score", "log", NULL
};

/* With these something new begins: what was expected before them is missing. */
static const char *const goes_on[] = {
	"if", "then", "and", "or", "by", "at", "expect", NULL
};

static const char *const fact_names[] = {
#define FACT(name, type, stage, scope, cost, get, flags, manual) name,
#include "facts.def"
#undef FACT
	NULL
};

static bool
is_one_of(struct str s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eq(s, str_of(*words)))
			return true;
	return false;
}

bool
parse_is_keyword(struct str s)
{
	return is_one_of(s, keywords);
}

struct token
parse_peek(const struct parser *p)
{
	return lex_peek(&p->lx, LEX_PLAIN);
}

void
parse_take(struct parser *p, const struct token *tok)
{
	lex_take(&p->lx, tok);
}

bool
parse_accept(struct parser *p, const char *word)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, word))
		return false;
	parse_take(p, &tok);
	return true;
}

struct span
parse_span(const struct parser *p, struct span from)
{
	from.n = p->lx.off > from.off ? p->lx.off - from.off : from.n;
	return from;
}

bool
parse_single_quotes(struct parser *p, const struct token *tok)
{
	if (tok->kind != TOK_WORD || tok->text.p[0] != '\'')
		return false;
	diag_error(p->d, tok->at, "the quotes of a text are double: \"...\"");
	return true;
}

struct str
parse_shown(struct str s)
{
	if (s.n <= SHOWN_MAX)
		return s;
	s.n = SHOWN_MAX;
	while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

struct str
parse_near(struct parser *p, const struct token *tok, const char *const *words)
{
	struct str all[16], s = STR_NONE;
	size_t n = 0;

	while (n < sizeof(all) / sizeof(all[0]) && words[n] != NULL) {
		all[n] = str_of(words[n]);
		n++;
	}
	if (tok->kind != TOK_WORD || parse_is_keyword(tok->text) ||
	    (s = diag_nearest(tok->text, all, n)).p == NULL)
		return STR_NONE;
	diag_error(p->d, tok->at, "unexpected '" STR_FMT "'; did you mean '"
	    STR_FMT "'?", STR_ARG(parse_shown(tok->text)), STR_ARG(s));
	return s;
}

void
parse_missing(struct parser *p, const struct token *tok, const char *what)
{
	if (tok->kind != TOK_END && !tok->first)
		diag_error(p->d, tok->at, "%s is missing before '" STR_FMT "'",
		    what, STR_ARG(parse_shown(tok->text)));
	else
		diag_error(p->d, (struct span){ p->lx.src, p->lx.off, 0 },
		    "%s is missing here", what);
}

void
parse_expected(struct parser *p, const struct token *tok, const char *what)
{
	struct str shown = parse_shown(tok->text);

	if (tok->kind == TOK_WORD && is_one_of(tok->text, goes_on)) {
		parse_missing(p, tok, what);
		return;
	}
	switch (tok->kind) {
	case TOK_BAD:
		diag_error(p->d, tok->at, "%s", tok->why);
		break;
	case TOK_END:
		parse_missing(p, tok, what);
		break;
	case TOK_STRING:
		diag_error(p->d, tok->at, "expected %s, not a string", what);
		break;
	case TOK_REGEX:
		diag_error(p->d, tok->at, "expected %s, not a regex", what);
		break;
	default:
		diag_error(p->d, tok->at, "expected %s, not '" STR_FMT "%s'",
		    what, STR_ARG(shown), shown.n < tok->text.n ? "..." : "");
	}
}

const char *
parse_hint(struct parser *p, struct str word, const char *const *words)
{
	struct str all[64], s;
	size_t n = 0;

	while (n < sizeof(all) / sizeof(all[0]) && words[n] != NULL) {
		all[n] = str_of(words[n]);
		n++;
	}
	s = diag_nearest(word, all, n);
	if (s.p == NULL)
		return "";
	s = str_printf(p->a, "; did you mean '" STR_FMT "'?", STR_ARG(s));
	return s.p != NULL ? s.p : "";
}

static bool
check_name(struct parser *p, struct span at, struct str s, const char *what)
{
	size_t i = 0;

	while (i < s.n && lex_is_name((struct str){ s.p, i + 1 }))
		i++;
	if (i < s.n) {
		at.off += i;
		at.n = 1;
		diag_error(p->d, at, i == 0 ? "%s begins with a letter" :
		    "%s has only letters, digits, - and _", what);
		return false;
	}
	if (s.n > PARSE_NAME_MAX) {
		diag_error(p->d, at, "%s has at most %d characters, this one "
		    "%zu", what, PARSE_NAME_MAX, s.n);
		return false;
	}
	return true;
}

bool
parse_name(struct parser *p, const char *what, bool new, struct name_ref *name)
{
	struct token tok = parse_peek(p);
	struct lexer before = p->lx;
	const char *equals;

	if (tok.kind != TOK_WORD) {
		parse_expected(p, &tok, what);
		return false;
	}
	/* The = of a list needs no blanks around it. */
	if (new && (equals = memchr(tok.text.p, '=', tok.text.n)) != NULL)
		tok.at.n = tok.text.n = (size_t)(equals - tok.text.p);
	if (tok.text.n == 0) {
		diag_error(p->d, tok.at, "%s is missing before '='", what);
		return false;
	}
	parse_take(p, &tok);
	if (!check_name(p, tok.at, tok.text, what))
		return false;
	if (is_one_of(tok.text, goes_on) && (tok.first || !new)) {
		p->lx = before;
		parse_missing(p, &tok, what);
		return false;
	}
	if (is_one_of(tok.text, keywords) ||
	    (new && is_one_of(tok.text, fact_names))) {
		diag_error(p->d, tok.at, "'" STR_FMT "' is a %s of the "
		    "language and can't be %s", STR_ARG(tok.text),
		    is_one_of(tok.text, keywords) ? "word" : "fact", what);
		return false;
	}
	name->at = tok.at;
	name->text = tok.text;
	return true;
}

void
parse_resync(struct parser *p, const char *const *words, bool first)
{
	struct token tok;

	for (;;) {
		tok = parse_peek(p);
		if (tok.kind == TOK_END || (tok.kind == TOK_WORD &&
		    (tok.first || !first) && is_one_of(tok.text, words)))
			return;
		parse_take(p, &tok);
	}
}

static const struct {
	const char	*word;
	bool		(*read)(struct parser *p, struct token start);
} statements[] = {
	{ "set", parse_set },		{ "include", parse_include },
	{ "rule", parse_rule },		{ "test", parse_test },
	{ "nets", parse_list },		{ "domains", parse_list },
	{ "addresses", parse_list },	{ "strings", parse_list },
	{ "patterns", parse_list },
};

static bool
read_as(struct parser *p, struct token tok)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (tok_is(&tok, statements[i].word)) {
			parse_take(p, &tok);
			p->depth = 0;
			if (!statements[i].read(p, tok))
				p->ast->incomplete = true;
			return true;
		}
	return false;
}

/* A misspelled one is read as what was meant, so that its mistakes are told too. */
static void
unknown_statement(struct parser *p, struct token tok)
{
	static const char *const inside[] = {
		"if", "then", "and", "or", "not", "expect", "client", "name",
		"helo", "auth", "message", "zone", "time", "sender", "rcpt",
		"header", "macro", "body", "given", NULL
	};
	struct str s = parse_shown(tok.text), near, words[16];
	size_t n = sizeof(statements) / sizeof(statements[0]);

	if (tok.kind != TOK_WORD) {
		parse_expected(p, &tok, "a statement");
		p->ast->incomplete = true;
		return;
	}
	if (is_one_of(tok.text, inside)) {
		diag_error(p->d, tok.at, "'" STR_FMT "' goes on with a "
		    "statement: put blanks before it", STR_ARG(s));
		return;
	}
	for (size_t i = 0; i < n; i++)
		words[i] = str_of(statements[i].word);
	near = diag_nearest(tok.text, words, n);
	if (near.p == NULL) {
		diag_error(p->d, tok.at, "unknown statement '" STR_FMT "%s'",
		    STR_ARG(s), s.n < tok.text.n ? "..." : "");
		/* Its names may be what others refer to. */
		p->ast->incomplete = true;
		return;
	}
	diag_error(p->d, tok.at, "unknown statement '" STR_FMT "'; did you "
	    "mean '" STR_FMT "'?", STR_ARG(s), STR_ARG(near));
	/* Whether its file is there is another question. */
	if (str_eq(near, STR("include"))) {
		p->ast->incomplete = true;
		return;
	}
	tok.text = near;
	(void)read_as(p, tok);
}

static void
read_statement(struct parser *p)
{
	struct token tok = parse_peek(p);

	if (p->braces && tok_is(&tok, "}"))
		return;
	if (!read_as(p, tok))
		unknown_statement(p, tok);
}

/* An indented line above the first statement goes on with nothing. */
static void
check_orphans(struct parser *p, size_t first)
{
	struct token tok;

	p->lx.off = 0;
	tok = parse_peek(p);
	if (tok.kind == TOK_END || tok.at.off >= first)
		return;
	diag_error(p->d, tok.at, "this line is indented, but there is no "
	    "statement above it to go on with");
}

void
parse_source(struct parser *p, const struct parse_file *file)
{
	const struct parse_file *outer = p->file;
	struct lexer lx = p->lx;
	struct str text = file->src->text;
	size_t off;

	p->file = file;
	p->lx = (struct lexer){ file->src, 0 };
	off = lex_statement(text, 0);
	check_orphans(p, off);
	while (off < text.n && !arena_failed(p->a)) {
		p->lx.off = off;
		read_statement(p);
		off = lex_statement(text, lex_line_end(text, off) + 1);
	}
	p->file = outer;
	p->lx = lx;
}

/*
 * Loading a file without anything in it would let all mail pass: it has only
 * become so half-way through being saved.
 */
static void
check_not_empty(const struct source *src, struct diag *d)
{
	if (lex_statement(src->text, 0) == src->text.n && diag_errors(d) == 0)
		diag_error(d, (struct span){ src, 0, 0 }, "no statement in this file; was it "
		    "saved whole?");
}

static struct ast *
parse(struct source *src, const struct stat *st, struct arena *a,
    struct diag *d)
{
	struct parser p = { .a = a, .d = d };
	struct parse_file file = { .src = src };

	if ((p.ast = arena_new_object(a, struct ast)) == NULL)
		return NULL;
	if (st != NULL) {
		file.dev = st->st_dev;
		file.ino = st->st_ino;
	}
	p.ast->sources = src;
	p.src_end = &src->next;
	p.nsources = 1;
	p.set_end = &p.ast->sets;
	p.list_end = &p.ast->lists;
	p.rule_end = &p.ast->rules;
	p.broken_end = &p.ast->broken;
	p.test_end = &p.ast->tests;
	if (src->text.n == 0 || source_check(src, d)) {
		parse_source(&p, &file);
		check_not_empty(src, d);
	} else
		p.ast->incomplete = true;
	return p.ast;
}

static struct ast *
finish(struct ast *ast, struct arena *a, struct diag *d)
{
	if (!arena_failed(a))
		return ast;
	diag_error(d, (struct span){ NULL, 0, 0 },
	    "out of memory while reading the rules");
	return NULL;
}

struct ast *
parse_file(const char *path, struct arena *a, struct diag *d)
{
	struct source *src;
	struct ast *ast = NULL;
	struct stat st;

	src = source_read(a, path, SOURCE_FILE_MAX, (struct span){ NULL, 0, 0 },
	    d);
	if (src != NULL && src->text.p == NULL)
		return NULL;
	if (src != NULL)
		ast = parse(src, stat(path, &st) == 0 ? &st : NULL, a, d);
	return finish(ast, a, d);
}

struct ast *
parse_text(struct str name, struct str text, const char *dir, struct arena *a,
    struct diag *d)
{
	struct source *src = source_text(a, name, text, dir);

	if (src != NULL && text.n > SOURCE_FILE_MAX) {
		src->text = STR_NONE;
		diag_error(d, (struct span){ src, 0, 0 },
		    "the rules have %zu octets, at most 16M are read", text.n);
		return NULL;
	}
	return finish(src != NULL ? parse(src, NULL, a, d) : NULL, a, d);
}
