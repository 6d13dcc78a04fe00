/*
 * parse_rule.c - `rule` statements.
 *
 * A mistake in the condition must not hide one in the actions, so reading
 * goes on at the next `then`.  A rule with mistakes is kept apart: nobody
 * must draw conclusions from half of it, but its name exists.
 */
#include "parse_int.h"

static const char *const if_word[] = { "if", NULL };
static const char *const then_word[] = { "then", NULL };
static const char *const nothing[] = { NULL };

/* What is left behind a whole condition or action; false: nothing of the rule can follow. */
static bool
left_over(struct parser *p, const struct token *tok, const char *what,
    const struct action *after)
{
	static const char *const starts[] = {
		"rule", "test", "include", "nets", "domains", "addresses",
		"strings", "patterns", NULL
	};
	for (const char *const *w = starts; *w != NULL; w++)
		if (tok->first && tok_is(tok, *w)) {
			diag_error(p->d, tok->at, "'%s' begins a statement, "
			    "which stands in column 1", *w);
			return false;
		}
	if (tok_is(tok, "else") || tok_is(tok, "elsif"))
		diag_error(p->d, tok->at, "there is no '" STR_FMT "': write "
		    "a further rule below", STR_ARG(tok->text));
	else if (tok_is(tok, ")"))
		diag_error(p->d, tok->at, "this ')' closes nothing");
	else if (after != NULL && (tok_is(tok, "and") || tok_is(tok, ",")))
		diag_error(p->d, tok->at, "each action has a 'then' of its "
		    "own");
	else if (after != NULL && tok->kind == TOK_STRING)
		diag_error(p->d, tok->at, "'%s' takes no %stext",
		    actions[after->id].words, after->text != NULL ?
		    "second " : "");
	else
		parse_expected(p, tok, what);
	return true;
}

/* The 'then' before an action, or its lack; false at the end of the rule. */
static bool
at_action(struct parser *p, const char *what, const struct action *after)
{
	struct token tok;

	for (;;) {
		tok = parse_peek(p);
		if (tok.kind == TOK_END)
			return false;
		if (p->braces && (tok_is(&tok, "{") || tok_is(&tok, "}"))) {
			parse_take(p, &tok);
			continue;
		}
		if (tok_is(&tok, "then")) {
			parse_take(p, &tok);
			return true;
		}
		if (tok.kind == TOK_WORD && parse_is_action(tok.text)) {
			diag_error(p->d, tok.at, "'then' is missing before '"
			    STR_FMT "'", STR_ARG(tok.text));
			return true;
		}
		if (tok_is(&tok, "if"))
			diag_error(p->d, tok.at, after != NULL ?
			    "'if' stands before the actions" :
			    "a rule has one 'if'; join conditions with 'and' "
			    "or 'or'");
		else if (parse_near(p, &tok, then_word).p != NULL) {
			parse_take(p, &tok);
			return true;
		} else if (!left_over(p, &tok, what, after)) {
			parse_resync(p, nothing, false);
			return false;
		}
		parse_take(p, &tok);
		parse_resync(p, then_word, false);
	}
}

static void
read_actions(struct parser *p, struct rule *rule)
{
	const struct action *final = NULL;
	struct action **end = &rule->actions, *act;
	const char *what = rule->cond != NULL ? "'and', 'or' or 'then'" :
	    "'if' or 'then'";
	bool told = false;

	act = NULL;
	while (at_action(p, what, act)) {
		what = "'then' or the end of the rule";
		if ((act = parse_action(p)) == NULL) {
			if (arena_failed(p->a))
				return;
			parse_resync(p, then_word, false);
			continue;
		}
		if (final != NULL && !told) {
			told = true;
			diag_error(p->d, act->at, "nothing can follow '%s', "
			    "which ends the rule", actions[final->id].words);
			diag_note(p->d, final->at, "it is here");
		}
		if (actions[act->id].final && !act->would)
			final = act;
		*end = act;
		end = &act->next;
	}
}

static bool
at_condition(struct parser *p)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, "if") && parse_near(p, &tok, if_word).p == NULL)
		return false;
	parse_take(p, &tok);
	return true;
}

/* The brace that other languages want around the rest. */
static void
skip_brace(struct parser *p)
{
	struct token tok = parse_peek(p);

	if (!tok_is(&tok, "{"))
		return;
	diag_error(p->d, tok.at, "a rule has no braces: what belongs to it is indented");
	p->braces = true;
	parse_take(p, &tok);
}

bool
parse_rule(struct parser *p, struct token start)
{
	struct rule *rule = arena_new_object(p->a, struct rule);
	int errors = diag_errors(p->d);
	bool named;

	if (rule == NULL)
		return false;
	named = parse_name(p, "a rule's name", true, &rule->name);
	rule->at = parse_span(p, start.at);
	if (!named) {
		static const char *const next[] = { "if", "then", NULL };

		parse_resync(p, next, false);
	}
	skip_brace(p);
	if (at_condition(p) && (rule->cond = parse_cond(p)) == NULL)
		parse_resync(p, then_word, false);
	read_actions(p, rule);
	rule->index = (int)p->ast->nrules;
	if (diag_errors(p->d) > errors) {
		/* Below the last one that is whole, and above the next. */
		rule->index--;
		if (named) {
			*p->broken_end = rule;
			p->broken_end = &rule->next;
		}
		return named;
	}
	p->ast->nrules++;
	*p->rule_end = rule;
	p->rule_end = &rule->next;
	return true;
}
