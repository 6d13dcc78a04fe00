/*
 * check_temperror.c - a lookup that failed, taken for a bad result.
 *
 * `spf is not pass` is true on temperror.  A rule that refuses, holds or scores
 * mail for that does so whenever the DNS is away; unless the rule itself names
 * temperror, or rules above take that mail.  What hangs on such a result, as
 * dkim.domain does, is in error then, and needs no warning.
 */
#include "check_reach.h"

#include <stdio.h>
#include <string.h>

#include "check_cover.h"
#include "check_walk.h"
#include "diag.h"

#define HAS_MAX	16	/* of rules above that name temperror: with more nothing is said */

struct temperror {
	struct ast	*ast;
	struct cover	*cover;
	struct rule	*rule;
	struct diag	*d;
	const struct fact *result;	/* that may be temperror */
	bool		 named;		/* in the rule: somebody thought of it */
};

/* The place of a word in an enumeration, or -1. */
static int64_t
word_place(const struct type *t, const char *word)
{
	for (int64_t i = 0; t->words != NULL && t->words[i] != NULL; i++)
		if (strcmp(t->words[i], word) == 0)
			return i;
	return -1;
}

static bool
names_word(const struct cond *c, const char *word)
{
	int64_t place = word_place(type_of(c->fact.fact->type), word);

	if (place != -1 && (c->op == OP_IS || c->op == OP_IN_SET))
		for (const struct operand *o = c->operands; o != NULL; o = o->next)
			if (o->value.n == place)
				return true;
	return false;
}

/* DKIM's results, of all signatures and of each, are temperror together. */
static bool
is_same_result(const struct fact *a, const struct fact *b)
{
	return a == b || (a->type == T_DKIM && b->type == T_DKIM);
}

static void
find_named(void *arg, const struct fact_use *u)
{
	struct temperror *t = arg;
	const struct fact *f = u->ref->fact;

	if (f != NULL && is_same_result(f, t->result) && names_word(u->cond, "temperror"))
		t->named = true;
}

/* ---- Is it taken by a rule above? ---- */

static bool
is_failed_signature(const struct cond *c)
{
	return c->kind == COND_CMP && c->fact.fact != NULL && c->fact.fact->type == T_DKIM &&
	    !c->negated && names_word(c, "temperror");
}

/* What the condition asks of signatures whose result is temperror, put before *list. */
static void
collect_has(struct cond *c, struct cond *room, size_t *n, struct cond **list)
{
	for (; c != NULL; c = c->next) {
		const struct cond *k = c->child;

		if (c->kind == COND_AND || c->kind == COND_OR)
			collect_has(c->child, room, n, list);
		if (c->kind != COND_HAS || c->quant != Q_ANY || *n == HAS_MAX)
			continue;
		for (k = k->kind == COND_AND ? k->child : k; k != NULL; k = k->next)
			if (is_failed_signature(k))
				break;
		if (k == NULL)
			continue;
		room[*n] = *c;
		room[*n].next = *list;
		*list = &room[(*n)++];
	}
}

/*
 * Can the rule be true, and be come to, while the lookup has failed?  With
 * several signatures that can be said in several ways, all of which are then true.
 */
static bool
reaches_temperror(const struct temperror *t)
{
	static const char *const dkim[] = { "dkim", "dkim.signature.result" };
	struct cond room[HAS_MAX], is[2], all = { .kind = COND_AND };
	struct operand word = { .kind = OPD_WORD,
	    .value = { .n = word_place(type_of(t->result->type), "temperror") } };
	struct cover_rules by;
	size_t n = 0;

	for (size_t i = 0; i < (t->result->type == T_DKIM ? 2 : 1); i++) {
		is[i] = (struct cond){ .kind = COND_CMP, .op = OP_IS, .operands = &word,
		    .next = all.child };
		is[i].fact.fact = t->result->type == T_DKIM ? fact_find(str_of(dkim[i])) : t->result;
		is[i].fact.name = str_of(is[i].fact.fact->name);
		is[i].fact.stage = is[i].fact.fact->stage;
		all.child = &is[i];
	}
	if (t->result->type == T_DKIM)
		for (struct rule *r = t->ast->rules; r != t->rule; r = r->next)
			collect_has(r->cond, room, &n, &all.child);
	return n < HAS_MAX && !cond_excludes(t->rule->cond, &all, NULL) &&
	    cover_hides(t->cover, t->rule, &all, &by) == HIDES_NOT;
}

/* ---- What is said ---- */

static void
tell(struct temperror *t, const struct cond *c)
{
	const struct fact *f = c->fact.fact;
	const char *const *words = type_of(f->type)->words;
	struct strbuf b = { 0 };

	/* Of a signature: another one may pass. */
	if ((f->flags & F_LIST) != 0)
		strbuf_puts(&b, "put a rule above for 'any dkim.signature has ( result is temperror )'");
	else {
		strbuf_printf(&b, "write '%s in { ", f->name);
		for (; *words != NULL; words++)
			if (strcmp(*words, "temperror") != 0 && !names_word(c, *words))
				strbuf_printf(&b, "%s ", *words);
		strbuf_printf(&b, "}'%s, or put a rule above for '%s is temperror'",
		    c->negated ? "" : " without 'not'", f->name);
	}
	if (!b.failed)
		diag_warning(t->d, c->at, "this is also true on temperror, when the lookup "
		    "failed; %s", b.p);
	strbuf_free(&b);
}

static void
check_cond(struct temperror *t, struct cond *c, bool not)
{
	for (; c != NULL; c = c->next) {
		if (c->kind != COND_CMP)
			check_cond(t, c->child, not != (c->kind == COND_NOT));
		if (c->kind != COND_CMP || c->fact.fact == NULL || c->negated == not)
			continue;
		if ((c->fact.fact->flags & F_LOST) != 0 || !names_word(c, "pass") ||
		    word_place(type_of(c->fact.fact->type), "temperror") == -1)
			continue;
		t->result = c->fact.fact;
		t->named = false;
		walk_cond(t->rule->cond, find_named, t);
		if (!t->named && reaches_temperror(t))
			tell(t, c);
	}
}

/* Whom a failed lookup would hurt: mail is refused, held or given points. */
static bool
punishes(const struct rule *r)
{
	for (const struct action *a = r->actions; a != NULL; a = a->next)
		if (a->id == A_REJECT || a->id == A_DISCARD || a->id == A_QUARANTINE ||
		    (a->id == A_SCORE && a->score > 0))
			return true;
	return false;
}

void
check_temperror(struct ast *ast, struct cover *cover, struct diag *d)
{
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		struct temperror t = { .ast = ast, .cover = cover, .rule = r, .d = d };

		if (r->cond != NULL && punishes(r))
			check_cond(&t, r->cond, false);
	}
}
