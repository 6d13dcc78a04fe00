/*
 * lex.h - the tokens of one statement of a rules file.
 *
 * What a / or a < begins depends on where it stands: a path in `set`, a regex
 * in a condition, an address after `rcpt`.  So the parser asks for the next
 * token in a mode, and may ask again in another before it takes it.
 */
#ifndef RULES_LEX_H
#define RULES_LEX_H

#include <stdbool.h>

#include "diag.h"
#include "str.h"

enum token_kind {
	TOK_END,	/* of the statement */
	TOK_WORD,
	TOK_STRING,	/* with its quotes */
	TOK_REGEX,	/* with slashes and flags */
	TOK_PATH,	/* <...>, only in LEX_PATH */
	TOK_EMPTY,	/* <> */
	TOK_PUNCT,	/* ( ) { } [ ] , < <= > >= */
	TOK_BAD		/* unterminated: the rest of the line */
};

enum lex_mode {
	LEX_PLAIN,	/* / belongs to a word */
	LEX_REGEX,	/* / begins a regex */
	LEX_PATH	/* < begins an address */
};

struct token {
	enum token_kind	kind;
	struct span	at;
	struct str	text;		/* what the span covers */
	bool		first;		/* on its line */
	const char     *why;		/* of TOK_BAD */
};

struct lexer {
	const struct source *src;
	size_t		off;		/* behind the last token that was taken */
};

/* The next token.  It stays the next one until lex_take(). */
struct token lex_peek(const struct lexer *lx, enum lex_mode mode);
void lex_take(struct lexer *lx, const struct token *tok);

/*
 * Offset of the first line from off on, itself the beginning of a line, that
 * begins a statement; text.n if there is none.
 */
size_t lex_statement(struct str text, size_t off);
/* Offset of the end of the line, or of the text. */
size_t lex_line_end(struct str text, size_t off);

bool tok_is(const struct token *tok, const char *text);

/*
 * Length of a well-formed `${...}` at s, or 0.  Quotes between its brackets
 * do not end the string around it.
 */
size_t lex_expansion(struct str s);

bool lex_is_blank(char c);
/* NAME and FACT of the grammar. */
bool lex_is_name(struct str s);
bool lex_is_fact(struct str s);
/* NUMBER of the grammar. */
bool lex_is_number(struct str s);

#endif
