/*
 * check_names.c - what a file names exists, and exists once.
 *
 * Facts, the things of `has`, lists, rules and stages are looked up here and
 * the tree is made to point at them; a name that isn't there gets the nearest
 * one as suggestion.  Rules that could not be read (ast->broken) count as
 * there, so that one mistake is told once.  That new names are no keywords or
 * facts is the parser's; what a fact may be compared with is check_types.c's.
 */
#include "check.h"

#include <string.h>

#include "arena.h"
#include "check_walk.h"
#include "diag.h"
#include "print_int.h"

#define NEAREST_MAX	100	/* misspelt names for which all rules, or lists, are gone through */

struct names {
	struct ast	*ast;
	struct arena	*a;
	struct diag	*d;
	struct index	*rules, *lists, *tests;
	struct index	*rates;		/* expressions, in lower case: what each stands for is the first */
	struct rule	*rule;		/* at hand; NULL in tests and broken rules */
	size_t		 nearest;	/* such names so far */
};

static void
duplicate(struct names *n, const char *what, struct str name, struct span at, struct span first)
{
	diag_error(n->d, at, "there is a %s '" STR_FMT "' already", what, STR_ARG(name));
	diag_note(n->d, first, "first defined here");
}

static void
define_all(struct names *n)
{
	const struct list *first_list;
	const struct rule *first_rule;
	const struct test *first_test;
	int i = 0;

	for (struct list *l = n->ast->lists; l != NULL; l = l->next) {
		if ((first_list = index_add(n->lists, l->name.text, l)) != NULL)
			duplicate(n, "list", l->name.text, l->name.at, first_list->name.at);
	}
	for (struct rule *r = n->ast->rules; r != NULL; r = r->next) {
		r->index = i++;
		if ((first_rule = index_add(n->rules, r->name.text, r)) != NULL)
			duplicate(n, "rule", r->name.text, r->name.at, first_rule->name.at);
	}
	for (struct test *t = n->ast->tests; t != NULL; t = t->next)
		if ((first_test = index_add(n->tests, t->name, t)) != NULL)
			duplicate(n, "test", t->name, t->at, first_test->at);
}

/* A name that could not be read is an error told already. */
static bool
may_be_missing(const struct names *n, struct str name)
{
	for (const struct rule *r = n->ast->broken; r != NULL; r = r->next)
		if (str_eq(r->name.text, name))
			return true;
	return n->ast->incomplete;
}

/* Room for the names that may have been meant; NULL: nothing is to be suggested. */
static struct str *
candidates(struct names *n, size_t count)
{
	return n->nearest++ < NEAREST_MAX ? arena_array(n->a, count + 1, sizeof(struct str)) : NULL;
}

static void
unknown_rule(struct names *n, struct str name, struct span at)
{
	size_t count = 0, broken = 0;
	struct str *names;

	for (const struct rule *r = n->ast->broken; r != NULL; r = r->next)
		broken++;
	names = candidates(n, n->ast->nrules + broken);
	for (const struct rule *r = n->ast->rules; names != NULL && r != NULL; r = r->next)
		names[count++] = r->name.text;
	for (const struct rule *r = n->ast->broken; names != NULL && r != NULL; r = r->next)
		names[count++] = r->name.text;
	check_unknown(n->d, at, "rule", name, names, count);
}

static struct rule *
find_rule(struct names *n, struct str name, struct span at)
{
	struct rule *r;

	if ((r = index_find(n->rules, name)) == NULL && !may_be_missing(n, name))
		unknown_rule(n, name, at);
	return r;
}

/* matched["x"] speaks of a rule that was read before, and that let the reading go on. */
static void
resolve_matched(struct names *n, struct fact_ref *ref)
{
	const struct rule *r;

	ref->rule = -1;
	if ((r = find_rule(n, ref->key, ref->key_at)) == NULL)
		return;
	if (n->rule != NULL && r == n->rule)
		diag_error(n->d, ref->key_at, "rule '" STR_FMT "' can't ask whether it "
		    "matched itself", STR_ARG(ref->key));
	else if (n->rule != NULL && r->index > n->rule->index) {
		diag_error(n->d, ref->key_at, "rule '" STR_FMT "' stands below and is "
		    "not known yet; only rules above can be asked for", STR_ARG(ref->key));
		diag_note(n->d, r->name.at, "it stands here");
	} else if (rule_final(r) != NULL) {
		diag_error(n->d, ref->key_at, "rule '" STR_FMT "' ends the reading where "
		    "it matches, so no rule below can see it", STR_ARG(ref->key));
		diag_note(n->d, rule_final(r)->at, "it ends here");
	} else
		ref->rule = r->index;
	if (ref->rule == -1)
		ref->fact = NULL;
}

/* The names that are good inside `any THING has (...)`, for suggestions. */
static size_t
names_inside(enum thing inside, struct str *names)
{
	size_t n = 0, skip;

	for (size_t i = 0; i < nfacts; i++) {
		struct str name = str_of(facts[i].name);

		if (inside == THING_NONE) {
			names[n++] = name;
			continue;
		}
		skip = strlen(thing_name(inside)) + 1;
		if (facts[i].thing == inside && name.n > skip)
			names[n++] = (struct str){ name.p + skip, name.n - skip };
	}
	return n;
}

static void
unknown_fact(struct names *n, const struct fact_ref *ref, enum thing inside)
{
	struct span at = { ref->at.src, ref->at.off, ref->name.n };
	const struct fact *outside;
	struct str *names;

	for (int t = 0; inside == THING_NONE && t < THING_COUNT; t++)
		if (str_eq(ref->name, str_of(things[t].name))) {
			diag_error(n->d, at, "'%s' has parts: name one of them, or write "
			    "'any %s has ( ... )'", things[t].name, things[t].name);
			return;
		}
	if (inside != THING_NONE && (outside = fact_find(ref->name)) != NULL) {
		if (outside->thing == inside)
			diag_error(n->d, at, "inside has ( ... ) parts go by their last name: "
			    "write '%s'", strrchr(outside->name, '.') != NULL ?
			    strrchr(outside->name, '.') + 1 : outside->name);
		else
			diag_error(n->d, at, "'%s' is no part of %s; it belongs outside "
			    "of has ( ... )", outside->name, thing_name(inside));
		return;
	}
	if ((names = arena_array(n->a, nfacts, sizeof(*names))) == NULL)
		return;
	check_unknown(n->d, at, "fact", ref->name, names, names_inside(inside, names));
}

static void resolve_fact(struct names *n, struct fact_ref *ref, enum thing inside);

static struct str
span_text(struct span at)
{
	return (struct str){ at.src->text.p + at.off, at.n };
}

/* A key is made of what mail brings; what the rules make of it would go round in circles. */
static bool
resolve_key_part(struct names *n, struct part *p)
{
	const struct fact *f;

	if (p->kind == PART_CAPTURE) {
		diag_error(n->d, p->at, "a key has no captures, since no pattern has matched");
		return false;
	}
	if (p->kind == PART_TABLE) {
		diag_error(n->d, p->at, "the texts of lists can't stand in a key: name what comes "
		    "with the mail");
		return false;
	}
	if (p->kind != PART_FACT)
		return true;
	resolve_fact(n, &p->fact, THING_NONE);
	if ((f = p->fact.fact) == NULL)
		return false;
	if ((f->flags & (F_OWN | F_STORED)) != 0) {
		diag_error(n->d, p->at, "'%s' can't stand in a key: name what comes with the mail",
		    f->name);
		return false;
	}
	return true;
}

/* Equal expressions count together: each has a number. */
static void
number_rate(struct names *n, struct fact_ref *ref)
{
	struct str key = str_lower(n->a, ref->key);
	const struct fact_ref *first;

	if (key.p == NULL)
		return;		/* the arena remembers */
	if ((first = index_add(n->rates, key, ref)) != NULL)
		ref->rate = first->rate;
	else
		ref->rate = n->ast->nrates++;
}

/* Its key becomes all that is in [ ], so that equal keys are equal expressions. */
static void
resolve_rate(struct names *n, struct fact_ref *ref)
{
	struct fact_ref all = *ref;
	struct strbuf b = { 0 };
	bool right = true, names_fact = false;

	for (struct part *p = ref->key_text->parts; p != NULL; p = p->next) {
		right = resolve_key_part(n, p) && right;
		names_fact |= p->kind == PART_FACT;
	}
	if (!right) {
		ref->fact = NULL;
		return;
	}
	if (!names_fact)
		diag_warning(n->d, ref->key_at, "this key is the same for all mail, which is counted "
		    "together; to count each client by itself write \"${client.ip}\"");
	print_fact(&b, &all);
	if (b.failed)
		diag_error(n->d, ref->at, "out of memory");
	else
		ref->key = str_dup(n->a, strbuf_slice(&b));
	strbuf_free(&b);
	if (n->rule != NULL)
		number_rate(n, ref);
}

static void
resolve_fact(struct names *n, struct fact_ref *ref, enum thing inside)
{
	const struct fact *f;

	ref->rule = -1;
	f = inside == THING_NONE ? fact_find(ref->name) : fact_find_in(inside, ref->name);
	if (f == NULL) {
		unknown_fact(n, ref, inside);
		return;
	}
	if ((f->flags & F_KEY) != 0 && !ref->has_key) {
		diag_error(n->d, ref->at, "'%s' needs to be told which: %s[\"%s]",
		    f->name, f->name, f->flags & F_RATE ? "${client.ip}\", 100 per 1h" :
		    "NAME\"");
		return;
	}
	if ((f->flags & F_KEY) == 0 && ref->has_key) {
		diag_error(n->d, ref->key_at, "'%s' takes no name in [ ]", f->name);
		return;
	}
	if ((ref->limit != NULL) != ((f->flags & F_RATE) != 0)) {
		if (ref->limit != NULL)
			diag_error(n->d, ref->limit->at, "'%s' has no limit", f->name);
		else
			diag_error(n->d, ref->at, "'%s' needs to be told how many in which "
			    "time: %s[" STR_FMT ", 100 per 1h]", f->name, f->name,
			    STR_ARG(span_text(ref->key_at)));
		return;
	}
	ref->fact = f;
	if (strcmp(f->name, "matched") == 0)
		resolve_matched(n, ref);
	else if (f->flags & F_RATE)
		resolve_rate(n, ref);
}

/* want: its type, or -1 for any. */
static void
suggest_list(struct names *n, struct span at, struct str name, int want)
{
	struct str *names = candidates(n, n->ast->nlists);
	size_t count = 0;

	for (const struct list *l = n->ast->lists; names != NULL && l != NULL; l = l->next)
		if (want == -1 || (int)l->type == want)
			names[count++] = l->name.text;
	check_unknown(n->d, at, "list", name, names, count);
}

static void
unknown_list(struct names *n, const struct cond *c)
{
	const struct type *t = c->fact.fact != NULL ? type_of(c->fact.fact->type) : NULL;
	int want = c->op == OP_MATCHES_LIST ? LIST_PATTERNS : t != NULL ? t->list : -1;
	struct str name = c->list_name.text;

	/* That nothing of the type is in lists is said elsewhere. */
	if (may_be_missing(n, name) || (t != NULL && t->list == -1))
		return;
	suggest_list(n, c->list_name.at, name, want);
}

static void
resolve_thing(struct names *n, struct cond *c, enum thing inside)
{
	struct str names[THING_COUNT];

	for (int t = 0; t < THING_COUNT; t++)
		names[t] = str_of(thing_name((enum thing)t));
	c->thing = THING_NONE;
	if (inside != THING_NONE) {
		diag_error(n->d, c->at, "a has ( ... ) can't stand inside another; "
		    "join them by 'and' side by side");
		return;
	}
	for (int t = 0; t < THING_COUNT; t++)
		if (str_eq(c->thing_name.text, names[t]))
			c->thing = (enum thing)t;
	if (c->thing != THING_NONE)
		return;
	if (diag_nearest(c->thing_name.text, names, THING_COUNT).p != NULL)
		check_unknown(n->d, c->thing_name.at, "thing", c->thing_name.text,
		    names, THING_COUNT);
	else
		diag_error(n->d, c->thing_name.at, "unknown thing '" STR_FMT "'; there are "
		    "%s, %s, %s and %s", STR_ARG(c->thing_name.text), thing_name(THING_RCPT),
		    thing_name(THING_SIGNATURE), thing_name(THING_ATTACHMENT),
		    thing_name(THING_URL));
}

static void
resolve_cond(struct names *n, struct cond *c, enum thing inside)
{
	for (; c != NULL; c = c->next) {
		if (c->kind == COND_HAS) {
			resolve_thing(n, c, inside);
			/* What isn't known to be a part of something can't be judged. */
			if (c->thing != THING_NONE)
				resolve_cond(n, c->child, c->thing);
		} else if (c->kind != COND_CMP)
			resolve_cond(n, c->child, inside);
		else {
			resolve_fact(n, &c->fact, inside);
			if (c->op != OP_IN_LIST && c->op != OP_MATCHES_LIST)
				continue;
			if ((c->list = index_find(n->lists, c->list_name.text)) != NULL)
				c->list->used = true;
			else
				unknown_list(n, c);
		}
	}
}

static void
resolve_text(void *arg, const struct fact_use *u)
{
	struct names *n = arg;
	const struct fact *f;

	resolve_fact(n, u->ref, THING_NONE);
	if ((f = u->ref->fact) != NULL && (f->flags & F_STORED) != 0) {
		diag_error(n->d, u->ref->at, "'%s' is asked in conditions only, since asking "
		    "changes it", f->name);
		u->ref->fact = NULL;
	}
}

/* How a condition asks a list: outside of has ( ... ), only inside, or not at all. */
enum asks { ASKS_NOT, ASKS_INSIDE, ASKS };

static enum asks
asks_list(const struct cond *c, const struct list *list)
{
	enum asks best = ASKS_NOT, one;

	for (; c != NULL; c = c->next) {
		if (c->kind == COND_CMP)
			one = c->list == list ? ASKS : ASKS_NOT;
		else
			one = asks_list(c->child, list);
		if (c->kind == COND_HAS && one == ASKS)
			one = ASKS_INSIDE;
		if (one > best)
			best = one;
	}
	return best;
}

static bool
has_texts(const struct list *l)
{
	for (const struct entry *e = l->entries; e != NULL; e = e->next)
		if (entry_kind_name(e->kind) != NULL && (e->kind != ENTRY_FILE ||
		    (l->type != LIST_STRINGS && l->type != LIST_PATTERNS)))
			return true;
	return false;
}

/* ${table.NAME}: a list that this rule asks, and that has texts. */
static void
resolve_table(struct names *n, const struct rule *r, struct part *p, bool broken)
{
	struct str name = p->list_name.text;
	struct span at = p->list_name.at;
	enum asks asks;

	if ((p->list = index_find(n->lists, name)) == NULL) {
		if (!may_be_missing(n, name))
			suggest_list(n, at, name, -1);
		return;
	}
	if (broken)
		return;
	asks = asks_list(r->cond, p->list);
	if (asks != ASKS)
		diag_error(n->d, at, asks == ASKS_NOT ? "the condition of this rule does not ask "
		    "list '" STR_FMT "'" : "list '" STR_FMT "' gives no text where it is asked "
		    "inside has ( ... )", STR_ARG(name));
	else if (!has_texts(p->list))
		diag_warning(n->d, at, "list '" STR_FMT "' has no texts: they stand in cdb, lmdb "
		    "and pcre tables, and in files of nets, domains and addresses", STR_ARG(name));
}

static void
resolve_tables(struct names *n, struct rule *r, bool broken)
{
	for (struct action *a = r->actions; a != NULL; a = a->next)
		for (struct text *t = a->text; t != NULL; t = t->next)
			for (struct part *p = t->parts; p != NULL; p = p->next)
				if (p->kind == PART_TABLE)
					resolve_table(n, r, p, broken);
}

static void
resolve_expect(struct names *n, struct expect *e)
{
	if (e->by.text.p != NULL)
		e->by_rule = find_rule(n, e->by.text, e->by.at);
	/* The parser took no other words. */
	for (enum stage s = S_CONNECT; s < S_COUNT; s++)
		if (str_eq(str_of(stage_name(s)), e->stage_name.text))
			e->stage = s;
}

/* Where among the others a broken rule stands isn't kept. */
static void
resolve_rules(struct names *n, struct rule *rules, bool broken)
{
	for (struct rule *r = rules; r != NULL; r = r->next) {
		n->rule = broken ? NULL : r;
		resolve_cond(n, r->cond, THING_NONE);
		walk_texts(r->actions, resolve_text, n);
		resolve_tables(n, r, broken);
	}
	n->rule = NULL;
}

void
check_names(struct ast *ast, struct arena *a, struct diag *d)
{
	struct names n = { .ast = ast, .a = a, .d = d };

	n.rules = index_new(a, ast->nrules);
	n.lists = index_new(a, ast->nlists);
	n.tests = index_new(a, ast->ntests);
	n.rates = index_new(a, 0);
	if (n.rules == NULL || n.lists == NULL || n.tests == NULL || n.rates == NULL)
		return;		/* the arena remembers */
	define_all(&n);
	resolve_rules(&n, ast->rules, false);
	resolve_rules(&n, ast->broken, true);
	for (struct test *t = ast->tests; t != NULL; t = t->next) {
		for (struct item *i = t->items; i != NULL; i = i->next)
			if (i->kind == ITEM_GIVEN)
				resolve_fact(&n, &i->fact, THING_NONE);
		for (struct expect *e = t->expects; e != NULL; e = e->next)
			resolve_expect(&n, e);
	}
}
