/*
 * print.c - the canonical form of a rules file.
 *
 * The layout is that of the manual's examples: what belongs together on one
 * line if it fits, else broken where a reader would.  It depends on the tree
 * only, so that printing what was read from a print gives the same again.
 */
#include "print.h"

#include <string.h>

#include "actions.h"
#include "ast.h"
#include "lex.h"
#include "print_int.h"

#define LINE_COLS	78

static void print_text(const struct text *t, struct strbuf *out);

/* s with escapes, without quotes. */
static void
print_quoted(struct strbuf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' || c == '\\')
			strbuf_printf(out, "\\%c", c);
		else if (c == '\n')
			strbuf_puts(out, "\\n");
		else if (c == '\t')
			strbuf_puts(out, "\\t");
		else if (c == '$' && i + 1 < s.n && s.p[i + 1] == '{')
			strbuf_puts(out, "\\$");
		else
			strbuf_putc(out, c);
	}
}

void
print_string(struct strbuf *out, struct str s)
{
	strbuf_putc(out, '"');
	print_quoted(out, s);
	strbuf_putc(out, '"');
}

void
print_operand(struct strbuf *out, const struct operand *o)
{
	if (o->kind == OPD_EMPTY)
		strbuf_puts(out, "<>");
	else if (o->kind == OPD_STRING)
		print_string(out, o->text);
	else
		strbuf_str(out, o->text);
}

void
print_path(struct strbuf *out, const struct operand *o)
{
	if (o->kind == OPD_STRING)
		print_string(out, o->text);
	else {
		strbuf_putc(out, '<');
		strbuf_str(out, o->text);
		strbuf_putc(out, '>');
	}
}

void
print_fact(struct strbuf *out, const struct fact_ref *f)
{
	strbuf_str(out, f->name);
	if (!f->has_key)
		return;
	strbuf_putc(out, '[');
	if (f->key_text != NULL)
		print_text(f->key_text, out);
	else
		print_string(out, f->key);
	if (f->limit != NULL && f->window != NULL)
		strbuf_printf(out, ", " STR_FMT " per " STR_FMT, STR_ARG(f->limit->text),
		    STR_ARG(f->window->text));
	strbuf_putc(out, ']');
}

static void
print_regex(struct strbuf *out, const struct regex_lit *re)
{
	strbuf_putc(out, '/');
	strbuf_str(out, re->pattern);
	strbuf_putc(out, '/');
	strbuf_str(out, re->flags);
}

static void
print_operands(const struct cond *c, struct strbuf *out)
{
	strbuf_puts(out, c->op == OP_IN_SET ? " {" : "");
	for (const struct operand *o = c->operands; o != NULL; o = o->next) {
		strbuf_putc(out, ' ');
		print_operand(out, o);
	}
	strbuf_puts(out, c->op == OP_IN_SET ? " }" : "");
}

static void
print_compare(const struct cond *c, struct strbuf *out)
{
	static const char *const words[OP_COUNT] = {
		[OP_TRUE] = "",		[OP_SET] = " set",
		[OP_IS] = "",		[OP_IN_SET] = " in",
		[OP_IN_NET] = " in",	[OP_IN_LIST] = " in ",
		[OP_MATCHES] = " matches ", [OP_MATCHES_LIST] = " matches ",
		[OP_CONTAINS] = " contains", [OP_STARTS] = " starts with",
		[OP_ENDS] = " ends with", [OP_LT] = " <", [OP_LE] = " <=",
		[OP_GT] = " >",		[OP_GE] = " >=",
	};

	print_fact(out, &c->fact);
	strbuf_puts(out, c->op == OP_SET || c->op == OP_IS ? " is" : "");
	strbuf_puts(out, c->negated ? " not" : "");
	strbuf_puts(out, words[c->op]);
	if (c->op == OP_IN_LIST || c->op == OP_MATCHES_LIST)
		strbuf_str(out, c->list_name.text);
	else if (c->op == OP_MATCHES)
		print_regex(out, &c->regex);
	else
		print_operands(c, out);
}

/* A unit of the grammar: and/or only in parentheses. */
static void
print_unit(const struct cond *c, struct strbuf *out)
{
	bool group = c->kind == COND_AND || c->kind == COND_OR;

	strbuf_puts(out, group ? "(" : "");
	print_cond(c, out);
	strbuf_puts(out, group ? ")" : "");
}

void
print_cond(const struct cond *c, struct strbuf *out)
{
	static const char *const quants[] = { "", "any ", "every " };

	switch (c->kind) {
	case COND_AND: case COND_OR:
		for (const struct cond *u = c->child; u != NULL; u = u->next) {
			if (u != c->child)
				strbuf_puts(out, c->kind == COND_AND ?
				    " and " : " or ");
			print_unit(u, out);
		}
		break;
	case COND_NOT:
		strbuf_puts(out, "not ");
		print_unit(c->child, out);
		break;
	case COND_HAS:
		strbuf_puts(out, quants[c->quant]);
		strbuf_str(out, c->thing_name.text);
		strbuf_puts(out, " has ( ");
		print_cond(c->child, out);
		strbuf_puts(out, " )");
		break;
	case COND_CMP:
		strbuf_puts(out, quants[c->quant]);
		print_compare(c, out);
		break;
	}
}

static void
print_text(const struct text *t, struct strbuf *out)
{
	strbuf_putc(out, '"');
	for (const struct part *p = t->parts; p != NULL; p = p->next) {
		switch (p->kind) {
		case PART_LITERAL:
			print_quoted(out, p->text);
			break;
		case PART_FACT:
			strbuf_puts(out, "${");
			print_fact(out, &p->fact);
			strbuf_putc(out, '}');
			break;
		case PART_CAPTURE:
			strbuf_printf(out, "${%d}", p->capture);
			break;
		case PART_TABLE:
			strbuf_printf(out, "${table." STR_FMT "}", STR_ARG(p->list_name.text));
			break;
		}
	}
	strbuf_putc(out, '"');
}

/* All of an action before its reply's second line. */
static void
print_head(const struct action *act, struct strbuf *out)
{
	strbuf_puts(out, act->would ? "would " : "");
	strbuf_puts(out, actions[act->id].words);
	if (act->header.text.p != NULL) {
		strbuf_putc(out, ' ');
		strbuf_str(out, act->header.text);
	}
	/* What check.c filled in by default has no place. */
	if (act->code != 0 && act->code_at.src != NULL) {
		strbuf_printf(out, " %d", act->code);
		if (act->enhanced_at.src != NULL) {
			strbuf_putc(out, ' ');
			strbuf_str(out, act->enhanced);
		}
	}
	if (act->path != NULL) {
		strbuf_putc(out, ' ');
		print_path(out, act->path);
	}
	if (actions[act->id].args == ARG_SIGNED)
		strbuf_printf(out, " %+lld", (long long)act->score);
	if (act->text != NULL) {
		strbuf_putc(out, ' ');
		print_text(act->text, out);
	}
}

void
print_action(const struct action *act, struct strbuf *out)
{
	print_head(act, out);
	if (act->text == NULL)
		return;
	for (const struct text *t = act->text->next; t != NULL; t = t->next) {
		strbuf_putc(out, ' ');
		print_text(t, out);
	}
}

/* Characters on the last line so far. */
static size_t
print_column(const struct strbuf *out)
{
	size_t n = out->n;

	while (n > 0 && out->p[n - 1] != '\n')
		n--;
	return utf8_count((struct str){ out->p + n, out->n - n });
}

/* `if` and its condition, broken before each and/or if one line is too short. */
static void
print_if(const struct cond *c, struct strbuf *out)
{
	struct strbuf line = { 0 };
	bool list = c->kind == COND_AND || c->kind == COND_OR;

	print_cond(c, &line);
	out->failed |= line.failed;
	strbuf_puts(out, "    if   ");
	if (!list || utf8_count(strbuf_slice(&line)) + 9 <= LINE_COLS)
		strbuf_str(out, strbuf_slice(&line));
	else
		for (const struct cond *u = c->child; u != NULL; u = u->next) {
			if (u != c->child)
				strbuf_puts(out, c->kind == COND_AND ?
				    "\n     and " : "\n      or ");
			print_unit(u, out);
		}
	strbuf_putc(out, '\n');
	strbuf_free(&line);
}

static void
print_then(const struct action *act, struct strbuf *out)
{
	struct strbuf line = { 0 };

	print_action(act, &line);
	out->failed |= line.failed;
	strbuf_puts(out, "    then ");
	if (utf8_count(strbuf_slice(&line)) + 9 <= LINE_COLS ||
	    act->text == NULL || act->text->next == NULL)
		strbuf_str(out, strbuf_slice(&line));
	else {
		print_head(act, out);
		for (const struct text *t = act->text->next; t != NULL;
		    t = t->next) {
			strbuf_puts(out, "\n             ");
			print_text(t, out);
		}
	}
	strbuf_putc(out, '\n');
	strbuf_free(&line);
}

static void
print_rule(const struct rule *r, struct strbuf *out)
{
	strbuf_puts(out, "rule ");
	strbuf_str(out, r->name.text);
	strbuf_putc(out, '\n');
	if (r->cond != NULL)
		print_if(r->cond, out);
	for (const struct action *act = r->actions; act != NULL;
	    act = act->next)
		print_then(act, out);
}

static void
print_set(const struct set *s, struct strbuf *out)
{
	strbuf_printf(out, "set %-19.*s", STR_ARG(s->name.text));
	for (const struct operand *o = s->values; o != NULL; o = o->next) {
		strbuf_putc(out, ' ');
		print_operand(out, o);
	}
	strbuf_putc(out, '\n');
}

static void
print_entry(const struct entry *e, struct strbuf *out)
{
	switch (e->kind) {
	case ENTRY_WORD:
		strbuf_str(out, e->text);
		break;
	case ENTRY_STRING:
		print_string(out, e->text);
		break;
	case ENTRY_REGEX:
		print_regex(out, &e->regex);
		break;
	case ENTRY_FILE:
	case ENTRY_CDB:
	case ENTRY_LMDB:
	case ENTRY_PCRE:
		strbuf_printf(out, "%s ", entry_kind_name(e->kind));
		print_string(out, e->text);
		break;
	}
}

static void
print_list(const struct list *l, struct strbuf *out)
{
	struct strbuf entry = { 0 };

	strbuf_printf(out, "%-9s %-11.*s =", list_type_name(l->type),
	    STR_ARG(l->name.text));
	for (const struct entry *e = l->entries; e != NULL; e = e->next) {
		entry.n = 0;
		print_entry(e, &entry);
		if (e != l->entries && print_column(out) + 1 +
		    utf8_count(strbuf_slice(&entry)) > LINE_COLS)
			strbuf_puts(out, "\n   ");
		strbuf_putc(out, ' ');
		strbuf_str(out, strbuf_slice(&entry));
	}
	strbuf_putc(out, '\n');
	out->failed |= entry.failed;
	strbuf_free(&entry);
}

void
print_ast(const struct ast *ast, struct strbuf *out)
{
	const char *blank = "";

	for (const struct set *s = ast->sets; s != NULL; s = s->next) {
		print_set(s, out);
		blank = "\n";
	}
	strbuf_puts(out, ast->lists != NULL ? blank : "");
	for (const struct list *l = ast->lists; l != NULL; l = l->next) {
		print_list(l, out);
		blank = "\n";
	}
	for (const struct rule *r = ast->rules; r != NULL; r = r->next) {
		strbuf_puts(out, blank);
		print_rule(r, out);
		blank = "\n";
	}
	for (const struct test *t = ast->tests; t != NULL; t = t->next) {
		strbuf_puts(out, blank);
		print_test(out, t);
		blank = "\n";
	}
}
