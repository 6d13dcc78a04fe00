/*
 * check_types.c - a comparison fits the type of its fact.
 *
 * Operators belong to types, so what a fact may be compared with, and how a
 * literal of it is read, is asked of types.c; what is said here is which
 * comparison of the file does not fit, and what to write.  Lists are read
 * here too.  check_captures.c, check_actions.c and check_tests.c look at the
 * rest of a rule, and at tests.
 */
#include "check.h"

#include <string.h>

#include "arena.h"
#include "check_types.h"
#include "check_walk.h"
#include "diag.h"
#include "regex.h"
#include "settings.h"
#include "tables.h"

#define VALUES_MAX	64	/* of a list that the reasoner looks into */

/* "is, in, starts with": what the type takes, each word once. */
static void
list_operators(const struct type *type, struct strbuf *out)
{
	const char *last = NULL;

	for (enum op op = OP_SET; op < OP_COUNT; op++) {
		if ((type->ops & OP_BIT(op)) == 0)
			continue;
		if (last != NULL && strcmp(last, op_name(op)) == 0)
			continue;
		if (last != NULL)
			strbuf_puts(out, ", ");
		strbuf_puts(out, last = op_name(op));
	}
}

/* The fact's part that such a list holds: sender.domain for domains; url.ip beside url.host. */
static const struct fact *
part_for_list(const struct fact *f, enum list_type type)
{
	static const char *const parts[] = { ".domain", ".local", ".ip" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		char name[64];
		const struct fact *p;

		if (strlen(f->name) + strlen(parts[i]) >= sizeof(name))
			continue;
		strcpy(name, f->name);
		strcat(name, parts[i]);
		p = fact_find(str_of(name));
		if (p != NULL && type_of(p->type)->list == (int)type)
			return p;
	}
	return type == LIST_NETS ? fact_find_in(f->thing, STR("ip")) : NULL;
}

static void
wrong_operator(struct typing *t, const struct cond *c)
{
	const struct fact *f = c->fact.fact;
	const struct type *type = type_of(f->type);
	struct strbuf ops = { 0 };

	if (f->type == T_BOOL) {
		diag_error(t->d, c->op_at, "'" STR_FMT "' is true or false by itself: "
		    "write it alone, or with 'not' before it", STR_ARG(c->fact.name));
		return;
	}
	if (c->op == OP_IN_NET && (type->ops & OP_BIT(OP_MATCHES)) != 0) {
		const struct fact *part = part_for_list(f, LIST_NETS);

		diag_error(t->d, c->op_at, "'" STR_FMT "' (%s) is no address%s%s%s",
		    STR_ARG(c->fact.name), type->name, part != NULL ? "; did you mean '" :
		    "; where one stands in it, a pattern like /^192\\.0\\.2\\./ matches",
		    part != NULL ? part->name : "", part != NULL ? "'?" : "");
		return;
	}
	if ((c->op == OP_IN_LIST || c->op == OP_IN_NET) &&
	    (type->ops & OP_BIT(OP_IN_SET)) != 0) {
		bool word = c->op == OP_IN_LIST && c->list == NULL;

		diag_error(t->d, c->op_at, "'" STR_FMT "' (%s) is in no %s: write 'in { "
		    STR_FMT " }'", STR_ARG(c->fact.name), type->name,
		    c->op == OP_IN_LIST ? "list" : "network",
		    STR_ARG(word ? c->list_name.text : STR("...")));
		return;
	}
	list_operators(type, &ops);
	if (!ops.failed)
		diag_error(t->d, c->op_at, "'%s' does not go with '" STR_FMT "' (%s), "
		    "which takes: %s", op_name(c->op), STR_ARG(c->fact.name),
		    type->name, ops.p);
	strbuf_free(&ops);
}

/*
 * Is it a fact's name, where a value should stand?  One with a dot is no value
 * that anybody means; of words like `subject` that could be, check_doubts.c warns.
 */
static bool
is_fact_name(const struct fact *f, enum op op, const struct operand *o)
{
	const struct type *type = type_of(f->type);

	return o->kind == OPD_WORD && type->words == NULL && fact_find(o->text) != NULL &&
	    ((type->ops & OP_BIT(OP_CONTAINS)) == 0 ||
	    (op != OP_IN_SET && memchr(o->text.p, '.', o->text.n) != NULL));
}

/* HELO may be anything; what else is a name can't be one that no host has. */
static bool
check_host_name(struct typing *t, const struct fact *f, enum op op, const struct operand *o)
{
	if (f->type != T_DOMAIN || op != OP_IS || strcmp(f->name, "helo") == 0 ||
	    domain_is_host(o->value.s))
		return true;
	diag_error(t->d, o->at, "'" STR_FMT "' can't be a domain name: between its dots stand "
	    "letters, digits and -, which neither begins nor ends a part", STR_ARG(o->text));
	return false;
}

int
check_operand(struct typing *t, const struct fact *f, enum op op, struct operand *o)
{
	struct strbuf why = { 0 };
	int wrong;

	if (o->kind == OPD_EMPTY && f->type != T_ADDRESS) {
		diag_error(t->d, o->at, "<> is the empty address, but '%s' is of type %s%s",
		    f->name, type_of(f->type)->name,
		    f->type == T_TEXT || f->type == T_RAW ? "; write \"\"" :
		    str_istarts(str_of(f->name), STR("sender.")) ? "; write 'sender is <>'" : "");
		return -1;
	}
	if (is_fact_name(f, op, o)) {
		bool word = (type_of(f->type)->ops & OP_BIT(OP_CONTAINS)) != 0;

		diag_error(t->d, o->at, "'" STR_FMT "' is a fact, and facts aren't compared with "
		    "each other%s" STR_FMT "%s", STR_ARG(o->text), word ?
		    "; for the value itself write \"" : "", STR_ARG(word ? o->text : STR("")),
		    word ? "\"" : "");
		return -1;
	}
	wrong = type_parse(f->type, op, t->a, o->text, &o->value, &why);
	if (wrong)
		diag_error(t->d, o->at, "%s", why.failed ? "out of memory" : why.p);
	strbuf_free(&why);
	if (!wrong && (!check_host_name(t, f, op, o) || !check_world_operand(t, f, op, o)))
		wrong = -1;
	return wrong;
}

static bool
check_list(struct typing *t, const struct cond *c)
{
	const struct list *l = c->list;
	const struct fact *f = c->fact.fact, *part;
	int want = type_of(f->type)->list;

	if (l == NULL)
		return true;	/* names said so */
	if (c->op == OP_MATCHES_LIST && l->type != LIST_PATTERNS)
		diag_error(t->d, c->list_name.at, "list '" STR_FMT "' holds %s, not "
		    "patterns: write 'in " STR_FMT "'", STR_ARG(l->name.text),
		    list_type_name(l->type), STR_ARG(l->name.text));
	else if (c->op == OP_IN_LIST && l->type == LIST_PATTERNS)
		diag_error(t->d, c->list_name.at, "list '" STR_FMT "' holds patterns: "
		    "write 'matches " STR_FMT "'", STR_ARG(l->name.text),
		    STR_ARG(l->name.text));
	else if (c->op == OP_IN_LIST && want != (int)l->type) {
		part = part_for_list(f, l->type);
		diag_error(t->d, c->list_name.at, "list '" STR_FMT "' holds %s, but '"
		    STR_FMT "' (%s) is looked up in %s%s%s%s", STR_ARG(l->name.text),
		    list_type_name(l->type), STR_ARG(c->fact.name),
		    type_of(f->type)->name, list_type_name((enum list_type)want),
		    part != NULL ? "; did you mean '" : "",
		    part != NULL ? part->name : "", part != NULL ? "'?" : "");
	} else
		return true;
	return false;
}

/*
 * What a short list in place holds is as well known as what stands in { }; a longer one,
 * like one from a file, holds what it may.
 */
static void
read_values(struct typing *t, struct list *l)
{
	static const enum type_id of[LIST_TYPES] = { T_ADDR, T_DOMAIN, T_ADDRESS, T_TEXT, T_COUNT };
	struct operand *values = NULL, **end = &values;
	struct strbuf why = { 0 };
	size_t n = 0;

	for (const struct entry *e = l->entries; e != NULL; e = e->next) {
		struct operand *o = *end = arena_new_object(t->a, struct operand);

		if (o == NULL || (e->kind != ENTRY_WORD && e->kind != ENTRY_STRING) ||
		    ++n > VALUES_MAX ||
		    type_parse(of[l->type], OP_IN_LIST, t->a, e->text, &o->value, &why) != 0)
			break;
		o->at = e->at;
		o->text = e->text;
		end = &o->next;
		if (e->next == NULL)
			l->values = values;
	}
	strbuf_free(&why);
}

static bool
check_regex(struct typing *t, struct cond *c)
{
	struct regex_lit *lit = &c->regex;
	struct strbuf why = { 0 };
	struct span at = lit->at;
	size_t offset = 0;

	lit->re = regex_compile(t->a, lit->pattern, lit->flags,
	    c->fact.fact->type == T_RAW, (unsigned)t->s->match_limit, &offset, &why);
	if (lit->re == NULL) {
		/* One past the end is the closing slash. */
		at.off += 1 + (offset <= lit->pattern.n ? offset : lit->pattern.n);
		at.n = 1;
		diag_error(t->d, at, "bad pattern: %s", why.failed ? "out of memory" : why.p);
	}
	strbuf_free(&why);
	return lit->re != NULL;
}

/* `any` and `every` stand before what has several values, and not with a negation. */
static bool
check_quantifier(struct typing *t, const struct cond *c, enum thing inside)
{
	const struct fact *f = c->fact.fact;
	const char *word = c->quant == Q_ANY ? "any" : "every";
	struct str written = c->fact.name;	/* points into the source, key behind it */

	if (c->quant == Q_NONE)
		return true;
	if (inside != THING_NONE) {
		diag_error(t->d, c->quant_at, "inside has ( ... ) it is one %s that is "
		    "looked at: leave out '%s'", thing_name(inside), word);
		return false;
	}
	if ((f->flags & F_LIST) == 0 && (f->scope != P_RCPT || (f->flags & F_STORED) != 0)) {
		diag_error(t->d, c->quant_at, "'" STR_FMT "' has one value only: leave "
		    "out '%s'", STR_ARG(c->fact.name), word);
		return false;
	}
	if (c->negated) {
		written.n = c->fact.at.n;
		diag_error(t->d, c->op_at, "'%s' with a negated comparison reads two ways; "
		    "write 'not any " STR_FMT " %s ...' or 'not every " STR_FMT " %s ...'",
		    word, STR_ARG(written), op_name(c->op), STR_ARG(written), op_name(c->op));
		return false;
	}
	return true;
}

static bool
check_operator(struct typing *t, const struct cond *c)
{
	const struct type *type = type_of(c->fact.fact->type);
	const char *name = c->fact.fact->name;

	if (c->op == OP_TRUE && c->fact.fact->type != T_BOOL) {
		if (type->words != NULL)
			diag_error(t->d, c->fact.at, "'%s' must be compared with something, "
			    "like 'is %s'", name, type->words[0]);
		else
			diag_error(t->d, c->fact.at, "'%s' must be compared with something; "
			    "whether it is there is asked by 'is set'", name);
		return false;
	}
	if ((type->ops & OP_BIT(c->op)) == 0) {
		wrong_operator(t, c);
		return false;
	}
	return true;
}

static bool
check_operands(struct typing *t, struct cond *c)
{
	bool right = true;

	for (struct operand *o = c->operands; o != NULL; o = o->next)
		right = check_operand(t, c->fact.fact, c->op, o) == 0 && right;
	if (c->op == OP_MATCHES)
		right = check_regex(t, c);
	else if (c->op == OP_IN_LIST || c->op == OP_MATCHES_LIST)
		right = check_list(t, c);
	return right;
}

static void
check_compare(struct typing *t, struct cond *c, enum thing inside)
{
	if (c->fact.fact == NULL)
		return;		/* names said so */
	if (!check_key(t, &c->fact) || !check_quantifier(t, c, inside) ||
	    !check_operator(t, c) || !check_operands(t, c))
		c->fact.fact = NULL;	/* the passes below don't reason about it */
}

static void
check_cond(struct typing *t, struct cond *c, enum thing inside)
{
	for (; c != NULL; c = c->next) {
		if (c->kind == COND_CMP)
			check_compare(t, c, inside);
		else
			check_cond(t, c->child, c->kind == COND_HAS ? c->thing : inside);
	}
}

static void
check_text_fact(void *arg, const struct fact_use *u)
{
	if (u->ref->fact != NULL && !check_key(arg, u->ref))
		u->ref->fact = NULL;
}

void
check_types(struct ast *ast, const struct settings *s, const struct tz *tz,
    const struct table_ops *ops, struct arena *a, struct diag *d)
{
	struct typing t = { .s = s, .a = a, .d = d, .tz = tz };

	for (const struct set *set = ast->sets; set != NULL; set = set->next)
		t.geo |= str_eq(set->name.text, STR("geo-database"));
	ast->tables = tables_new(ast, ops, (unsigned)s->match_limit, a, d);
	if (ast->tables == NULL)
		diag_error(d, (struct span){ 0 }, "out of memory");
	for (struct list *l = ast->lists; l != NULL; l = l->next)
		read_values(&t, l);
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		check_cond(&t, r->cond, THING_NONE);
		walk_texts(r->actions, check_text_fact, &t);
		check_captures(&t, r);
		check_actions(&t, r);
	}
	/* What could be read of them may have further mistakes. */
	for (struct rule *r = ast->broken; r != NULL; r = r->next) {
		check_cond(&t, r->cond, THING_NONE);
		walk_texts(r->actions, check_text_fact, &t);
		check_actions(&t, r);
	}
	for (struct test *test = ast->tests; test != NULL; test = test->next)
		check_test(&t, test);
}
