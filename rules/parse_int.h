/*
 * parse_int.h - what the files of the parser share.
 *
 * A function that reads something reports what is wrong with it and then
 * returns NULL or false; its caller passes that on to the statement, or finds
 * the next place where reading makes sense with parse_resync().
 */
#ifndef RULES_PARSE_INT_H
#define RULES_PARSE_INT_H

#include <stdbool.h>

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "lex.h"
#include "str.h"

#define PARSE_DEPTH_MAX		100	/* parentheses and nots in each other */
#define PARSE_NAME_MAX		64	/* octets */
#define PARSE_INCLUDE_DEPTH	16
#define PARSE_SOURCES_MAX	1000
#define PARSE_REPLY_LINES	32	/* what libmilter takes */

/* A file under way, and those that included it. */
struct parse_file {
	const struct source *src;
	unsigned long long dev, ino;	/* 0, 0: from memory */
	const struct parse_file *includer;
	int		 depth;
};

struct parser {
	struct arena	*a;
	struct diag	*d;
	struct ast	*ast;
	struct lexer	 lx;
	const struct parse_file *file;
	int		 depth;
	bool		 braces;	/* around a rule, and told: what closes them is no news */
	/* Where the next of each kind is hung. */
	struct source  **src_end;
	struct set     **set_end;
	struct list    **list_end;
	struct rule    **rule_end;
	struct rule    **broken_end;
	struct test    **test_end;
	int		 nsources;
};

/* ---- parse.c: tokens and words ---- */

struct token parse_peek(const struct parser *p);
void parse_take(struct parser *p, const struct token *tok);
/* Takes the token if it is that word. */
bool parse_accept(struct parser *p, const char *word);
/* From the begin of `from` to the last token taken. */
struct span parse_span(const struct parser *p, struct span from);

/* "expected WHAT, not 'foo'", or "WHAT is missing", or why the token is bad. */
void parse_expected(struct parser *p, const struct token *tok, const char *what);
/* "WHAT is missing before 'foo'", or, at the end of a line, "here". */
void parse_missing(struct parser *p, const struct token *tok, const char *what);
/* The word that a misspelled one is near to, which is reported; p NULL if there is none. */
struct str parse_near(struct parser *p, const struct token *tok, const char *const *words);
/* "; did you mean 'x'?" or "", in a buffer of the arena. */
const char *parse_hint(struct parser *p, struct str word, const char *const *words);
/* Says so where a word is a text in single quotes. */
bool parse_single_quotes(struct parser *p, const struct token *tok);
/* For messages: not longer than is good to read. */
struct str parse_shown(struct str s);

/* A NAME; `what` for the error: "a rule's name".  New names must not be keywords or facts. */
bool parse_name(struct parser *p, const char *what, bool new, struct name_ref *name);
bool parse_is_keyword(struct str s);

/* Skips to a word of the NULL-terminated list (first on its line, if so asked), or the end. */
void parse_resync(struct parser *p, const char *const *words, bool first);

/* ---- parse_list.c ---- */
bool parse_set(struct parser *p, struct token start);
bool parse_list(struct parser *p, struct token start);

/* ---- parse_rule.c ---- */
bool parse_rule(struct parser *p, struct token start);

/* ---- parse_cond.c ---- */
struct cond *parse_cond(struct parser *p);
bool parse_fact(struct parser *p, struct fact_ref *fact);
bool parse_operand(struct parser *p, struct operand *o);
/* A word that begins as numbers do; whether it is one, and of what, types say. */
bool parse_is_numeric(const struct token *tok);
/* The two halves of a TOK_REGEX. */
bool parse_regex(struct parser *p, const struct token *tok, struct regex_lit *re);

/* ---- parse_key.c ---- */
/* The key of a fact, and its limit, if there is one. */
bool parse_key(struct parser *p, struct fact_ref *fact);

/* ---- parse_action.c ---- */
struct action *parse_action(struct parser *p);
/* Is it the first word of an action? */
bool parse_is_action(struct str word);
/* A path, without <>. */
bool parse_path(struct parser *p, struct operand *path);
/* A word of three digits. */
bool parse_code(struct parser *p, const struct token *tok, int *code);

/* ---- parse_text.c ---- */
/* A TOK_STRING without quotes and escapes, where ${...} makes no sense. */
bool parse_string(struct parser *p, const struct token *tok, struct str *s);
/* A TOK_STRING with ${...}. */
struct text *parse_text_parts(struct parser *p, const struct token *tok);

/* ---- parse_test.c ---- */
bool parse_test(struct parser *p, struct token start);

/* ---- include.c ---- */
bool parse_include(struct parser *p, struct token start);
/* Reads all statements of a source. */
void parse_source(struct parser *p, const struct parse_file *file);

#endif
