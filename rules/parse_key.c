/*
 * parse_key.c - what stands in [ ] behind a fact: header["X"],
 * rate["${client.ip}", 100 per 1h].
 *
 * The key of `rate` is a text in which facts are filled in; all others are
 * names.  Which facts take a key, and which a limit, is check's business.
 */
#include "parse_int.h"

/* What people write for `100 per 1h`. */
static bool
foreign_limit(struct parser *p, const struct token *tok)
{
	ptrdiff_t slash = str_find(tok->text, STR("/"));

	if (tok->kind != TOK_WORD || slash < 1)
		return false;
	diag_error(p->d, tok->at, "a limit is written like '" STR_FMT " per 1h'",
	    (int)slash, tok->text.p);
	return true;
}

static bool
read_number(struct parser *p, const char *what, struct operand **o)
{
	struct token tok = parse_peek(p);

	if (foreign_limit(p, &tok))
		return false;
	if (!parse_is_numeric(&tok)) {
		parse_expected(p, &tok, what);
		return false;
	}
	*o = arena_new_object(p->a, struct operand);
	return *o != NULL && parse_operand(p, *o);
}

/* NUMBER "per" DURATION */
static bool
read_limit(struct parser *p, struct fact_ref *fact)
{
	struct token tok;

	if (!read_number(p, "a number, like 100 per 1h", &fact->limit))
		return false;
	tok = parse_peek(p);
	if (!tok_is(&tok, "per")) {
		parse_expected(p, &tok, "'per' and a duration, like 100 per 1h");
		return false;
	}
	parse_take(p, &tok);
	return read_number(p, "a duration, like 1h", &fact->window);
}

/* A word without the single quotes that somebody put around it. */
static struct str
without_quotes(struct str s)
{
	if (s.n > 2 && s.p[0] == '\'' && s.p[s.n - 1] == '\'')
		return (struct str){ s.p + 1, s.n - 2 };
	return s;
}

static bool
read_text(struct parser *p, const struct token *tok, struct fact_ref *fact)
{
	if (!str_eq(fact->name, STR("rate")))
		return parse_string(p, tok, &fact->key);
	fact->key = (struct str){ tok->text.p + 1, tok->text.n - 2 };
	return (fact->key_text = parse_text_parts(p, tok)) != NULL;
}

bool
parse_key(struct parser *p, struct fact_ref *fact)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, "["))
		return true;
	parse_take(p, &tok);
	tok = parse_peek(p);
	if (tok.kind != TOK_STRING) {
		if (tok.kind == TOK_WORD)
			diag_error(p->d, tok.at, "the key needs double quotes: [\""
			    STR_FMT "\"]", STR_ARG(parse_shown(without_quotes(tok.text))));
		else
			parse_expected(p, &tok, "a key in quotes");
		return false;
	}
	parse_take(p, &tok);
	fact->has_key = true;
	fact->key_at = tok.at;
	if (!read_text(p, &tok, fact))
		return false;
	tok = parse_peek(p);
	if (tok_is(&tok, ",")) {
		parse_take(p, &tok);
		if (!read_limit(p, fact))
			return false;
		tok = parse_peek(p);
	}
	if (!tok_is(&tok, "]")) {
		parse_expected(p, &tok, fact->limit != NULL ?
		    "']' after the limit" : "']' after the key");
		return false;
	}
	parse_take(p, &tok);
	return true;
}
