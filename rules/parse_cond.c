/*
 * parse_cond.c - conditions: and, or, not, has, parentheses.
 *
 * `and` beside `or` without parentheses has two readings, and people differ
 * in which is theirs: it is an error here, not a precedence.
 *
 * Comparisons are parse_compare.c's.
 */
#include "parse_int.h"

#include "parse_compare.h"

static struct cond *read_unit(struct parser *p);

/* How the connectives of other languages are written in this one, or NULL. */
static const char *
foreign_connective(const struct token *tok)
{
	if (tok_is(tok, "&&") || tok_is(tok, "&") || tok_is(tok, "AND"))
		return "and";
	if (tok_is(tok, "||") || tok_is(tok, "|") || tok_is(tok, "OR"))
		return "or";
	return NULL;
}

/*
 * The connective that stands next, `foreign` ones told and taken for what
 * they mean; NULL if there is none.
 */
static const char *
connective(struct parser *p, struct token *tok)
{
	static const char *const words[] = { "and", "or", NULL };
	const char *word;
	struct str near;

	*tok = parse_peek(p);
	if (tok_is(tok, "and"))
		return "and";
	if (tok_is(tok, "or"))
		return "or";
	if ((near = parse_near(p, tok, words)).p != NULL)
		return near.p[0] == 'a' ? "and" : "or";
	if ((word = foreign_connective(tok)) != NULL)
		diag_error(p->d, tok->at, "'" STR_FMT "' is written '%s'",
		    STR_ARG(tok->text), word);
	return word;
}

struct cond *
parse_cond(struct parser *p)
{
	struct cond *c, *all = NULL, **end;
	struct token tok, first_tok;
	const char *word, *first = NULL;
	bool mixed = false;

	if ((c = read_unit(p)) == NULL)
		return NULL;
	end = &c->next;
	while ((word = connective(p, &tok)) != NULL) {
		parse_take(p, &tok);
		if (all == NULL) {
			all = arena_new_object(p->a, struct cond);
			if (all == NULL)
				return NULL;
			all->kind = word[0] == 'a' ? COND_AND : COND_OR;
			all->child = c;
			all->at = c->at;
			first = word;
			first_tok = tok;
		} else if (word[0] != first[0] && !mixed) {
			mixed = true;
			diag_error(p->d, tok.at, "'%s' mixed with '%s': say "
			    "with parentheses which belong together", word,
			    first);
			diag_note(p->d, first_tok.at, "the '%s' is here",
			    first);
		}
		if ((*end = read_unit(p)) == NULL)
			return NULL;
		end = &(*end)->next;
	}
	if (all == NULL)
		return c;
	all->at = parse_span(p, all->at);
	return all;
}

/* `( cond )` */
static struct cond *
read_group(struct parser *p)
{
	struct token open = parse_peek(p), tok;
	struct cond *c;

	parse_take(p, &open);
	if ((c = parse_cond(p)) == NULL)
		return NULL;
	tok = parse_peek(p);
	if (tok_is(&tok, ")")) {
		parse_take(p, &tok);
		return c;
	}
	if (tok.kind == TOK_BAD)
		parse_expected(p, &tok, "')'");
	else {
		parse_missing(p, &tok, "')'");
		diag_note(p->d, open.at, "for this '('");
	}
	return NULL;
}

static struct cond *
read_not(struct parser *p, struct token tok)
{
	struct cond *c = arena_new_object(p->a, struct cond);

	parse_take(p, &tok);
	if (c == NULL || (c->child = read_unit(p)) == NULL)
		return NULL;
	c->kind = COND_NOT;
	c->at = parse_span(p, tok.at);
	return c;
}

/* What follows `any THING has`. */
static struct cond *
read_has(struct parser *p, struct cond *c)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, "(")) {
		parse_missing(p, &tok, "'('");
		return NULL;
	}
	c->kind = COND_HAS;
	if ((c->child = read_group(p)) == NULL)
		return NULL;
	c->at = parse_span(p, c->quant_at);
	return c;
}

/* Does ( stand behind tok? */
static bool
opens_group(const struct parser *p, struct token tok)
{
	struct lexer lx = p->lx;

	lex_take(&lx, &tok);
	tok = lex_peek(&lx, LEX_PLAIN);
	return tok_is(&tok, "(");
}

/* A comparison, or `any THING has ( ... )`, with or without quantifier. */
static struct cond *
read_compare(struct parser *p)
{
	struct cond *c = arena_new_object(p->a, struct cond);
	struct token tok = parse_peek(p);

	if (c == NULL)
		return NULL;
	c->kind = COND_CMP;
	c->at = tok.at;
	if (tok_is(&tok, "any") || tok_is(&tok, "every")) {
		c->quant = tok_is(&tok, "any") ? Q_ANY : Q_EVERY;
		c->quant_at = tok.at;
		parse_take(p, &tok);
	}
	if (!parse_fact(p, &c->fact))
		return NULL;
	tok = parse_peek(p);
	if (!tok_is(&tok, "has") ||
	    (c->quant == Q_NONE && !opens_group(p, tok)))
		return compare_rest(p, c) ? c : NULL;
	if (c->quant == Q_NONE || c->fact.has_key) {
		diag_error(p->d, c->fact.at, c->fact.has_key ?
		    "before 'has' stands a thing without a key" :
		    "write 'any " STR_FMT " has ( ... )', or 'every'",
		    STR_ARG(parse_shown(c->fact.name)));
		return NULL;
	}
	parse_take(p, &tok);
	c->thing_name = (struct name_ref){ c->fact.at, c->fact.name };
	c->fact = (struct fact_ref){ .at = c->at };
	return read_has(p, c);
}

static struct cond *
read_unit(struct parser *p)
{
	struct token tok = parse_peek(p);
	struct cond *c;

	if (p->depth >= PARSE_DEPTH_MAX) {
		diag_error(p->d, tok.at, "this condition is nested more than "
		    "%d deep; give a part of it a rule of its own and ask "
		    "for matched[\"...\"]", PARSE_DEPTH_MAX);
		return NULL;
	}
	p->depth++;
	if (tok_is(&tok, "NOT") ||
	    (tok.kind == TOK_WORD && tok.text.p[0] == '!')) {
		if (tok.text.p[0] == '!')
			tok.at.n = tok.text.n = 1;
		diag_error(p->d, tok.at, "'" STR_FMT "' is written 'not'",
		    STR_ARG(tok.text));
		c = read_not(p, tok);
	} else if (tok_is(&tok, "not"))
		c = read_not(p, tok);
	else if (tok_is(&tok, "("))
		c = read_group(p);
	else
		c = read_compare(p);
	p->depth--;
	return c;
}
