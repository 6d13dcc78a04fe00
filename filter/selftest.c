/*
 * selftest.c - runs the `test` statements of a rules file.
 *
 * A test is a dialogue (script.h) with results given or a zone to ask, and
 * what is expected of it.  A lookup that has neither is the test's own error, since a
 * test that asks the network would say different things on different days.
 */
#include "selftest.h"

#include <string.h>

#include "expectation.h"
#include "geo.h"
#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/check.h"
#include "rules/diag.h"
#include "rules/source.h"
#include "script.h"
#include "suffixes.h"

struct run {
	struct ruleset	*rs;
	const struct services *sv;
	const struct test *test;
	struct diag	*d;
	struct arena	*a;
	struct script	 sc;
	struct resolver	*zone;
	struct reached	*reached;	/* by the rules' index; may be NULL */
	bool		 failed;	/* diag says why */
	bool		 no_memory;
};

static size_t
count_items(const struct test *t, enum item_kind kind)
{
	size_t n = 0;

	for (const struct item *i = t->items; i != NULL; i = i->next)
		n += i->kind == kind;
	return n;
}

static void
read_message(struct run *r, const struct item *i)
{
	char *path = source_path(r->a, i->value.at.src, i->value.text);
	struct strbuf why = { 0 };

	if (path == NULL || script_message(&r->sc, r->a, path, NULL, &why) == -1) {
		diag_error(r->d, i->value.at, "cannot read the message '%s': " STR_FMT,
		    path != NULL ? path : "", STR_ARG(strbuf_slice(&why)));
		r->failed = true;
	}
	strbuf_free(&why);
}

static void
read_zone(struct run *r, const struct item *i)
{
	char *path = source_path(r->a, i->value.at.src, i->value.text);
	struct strbuf why = { 0 };

	if (path == NULL || (r->zone = resolver_zone_file(path, &why)) == NULL) {
		diag_error(r->d, i->value.at, "cannot use the zone: " STR_FMT,
		    STR_ARG(path == NULL ? STR("no file name") : strbuf_slice(&why)));
		r->failed = true;
	}
	strbuf_free(&why);
}

static void
add_field(struct run *r, const struct item *i)
{
	struct message_field *v = (struct message_field *)(uintptr_t)r->sc.fields;

	v[r->sc.nfields].name = i->name.text;
	v[r->sc.nfields++].raw = str_printf(r->a, " " STR_FMT, STR_ARG(i->value.text));
}

static void
take_item(struct run *r, const struct item *i)
{
	struct script *sc = &r->sc;
	time_t when;

	switch (i->kind) {
	case ITEM_CLIENT:
		sc->has_ip = ipaddr_parse(i->value.text, &sc->ip) == 0;
		break;
	case ITEM_NAME:
		sc->name = i->value.text;
		break;
	case ITEM_HELO:
		sc->helo = i->value.text;
		break;
	case ITEM_AUTH:
		sc->auth = i->value.text;
		break;
	case ITEM_TIME:
		if (check_time(i->value.text, rules_time_zone(r->rs), &when) == 0)
			sc->now = when;
		break;
	case ITEM_SENDER:
		sc->sender = i->value.text;
		sc->has_sender = true;
		break;
	case ITEM_RCPT:
		((struct str *)(uintptr_t)sc->rcpts.v)[sc->rcpts.n++] = i->value.text;
		break;
	case ITEM_MACRO:
		sc->macros.v[sc->macros.n++] = (struct param){
		    .name = i->name.text, .value = i->value.text };
		break;
	case ITEM_GIVEN:
		((struct given *)(uintptr_t)sc->given)[sc->ngiven++] = (struct given){
		    i->fact.fact, i->fact.key, i->value.value, item_is_unset(i),
		    item_is_error(i), i->error };
		break;
	case ITEM_BODY:
		sc->body = i->value.text;
		break;
	case ITEM_ZONE:
		read_zone(r, i);
		break;
	case ITEM_MESSAGE:
	case ITEM_HEADER:
		break;		/* below */
	}
}

/* Header items come on top of those of a message file, each at the end. */
static void
take_header(struct run *r)
{
	size_t n = count_items(r->test, ITEM_HEADER), had;
	struct message_field *v;

	for (const struct item *i = r->test->items; i != NULL; i = i->next)
		if (i->kind == ITEM_MESSAGE)
			read_message(r, i);
	had = r->sc.nfields;
	if ((v = arena_array(r->a, had + n + 1, sizeof(*v))) == NULL) {
		r->no_memory = true;
		return;
	}
	if (had > 0)
		memcpy(v, r->sc.fields, had * sizeof(*v));
	r->sc.fields = v;
	for (const struct item *i = r->test->items; i != NULL; i = i->next)
		if (i->kind == ITEM_HEADER)
			add_field(r, i);
}

static void
make_script(struct run *r)
{
	const struct test *t = r->test;
	struct script *sc = &r->sc;

	sc->by_smtp = sc->enforced = true;
	sc->port = 25000;	/* any but 0, which means that the mail didn't come by SMTP */
	sc->rcpts.v = arena_array(r->a, count_items(t, ITEM_RCPT) + 1, sizeof(struct str));
	sc->macros.v = arena_array(r->a, count_items(t, ITEM_MACRO) + 1, sizeof(struct param));
	sc->given = arena_array(r->a, count_items(t, ITEM_GIVEN) + 1, sizeof(struct given));
	if (sc->rcpts.v == NULL || sc->macros.v == NULL || sc->given == NULL) {
		r->no_memory = true;
		return;
	}
	take_header(r);
	for (const struct item *i = t->items; i != NULL && !r->no_memory; i = i->next)
		take_item(r, i);
}

/* ---- Running ---- */

static bool
is_given(const struct run *r, const char *fact)
{
	for (size_t i = 0; i < r->sc.ngiven; i++)
		if (str_eq(str_of(r->sc.given[i].fact->name), str_of(fact)))
			return true;
	return false;
}

static bool
is_given_of_list(const struct run *r, const char *fact, struct str zone)
{
	for (size_t i = 0; i < r->sc.ngiven; i++)
		if (str_eq(str_of(r->sc.given[i].fact->name), str_of(fact)) &&
		    str_ieq(r->sc.given[i].key, zone))
			return true;
	return false;
}

/* dnsbl["bl.example.org"], or its text where its codes are given. */
static const char *
missing_list(const struct run *r, const struct outcome *o)
{
	for (const struct dnsbl *l = session_dnsbls(o->session); l != NULL; l = l->next) {
		const char *codes = l->kind == DNSBL_CLIENT ? "dnsbl" : "rhsbl";
		const char *text = l->kind == DNSBL_CLIENT ? "dnsbl.text" : "rhsbl.text";
		bool given = is_given_of_list(r, codes, l->zone);
		struct str s;

		if (given && is_given_of_list(r, text, l->zone))
			continue;
		s = str_printf(r->a, "%s[\"" STR_FMT "\"]", given ? text : codes, STR_ARG(l->zone));
		return s.p != NULL ? str_cstr(r->a, s) : NULL;
	}
	return NULL;
}

static const char *
missing_lookup(const struct run *r, const struct outcome *o)
{
	unsigned asked = session_lookups(o->session) & o->plan.asked;

	if (r->zone != NULL || asked == 0)
		return NULL;
	if (asked & F_IPREV)
		return is_given(r, "client.iprev") ? "client.confirmed-name" : "client.iprev";
	if (asked & F_DNSBL)
		return missing_list(r, o);
	return asked & F_DMARC ? "dmarc" : asked & F_ARC ? "arc" : asked & F_DKIM ? "dkim" : asked & F_SPF ? "spf" : "spf.helo";
}

static void
count_rules(struct run *r, const struct outcome *o, struct recipient *rcpt)
{
	struct rules_state *st = session_rules(o->session);
	const struct trace_line *t = NULL;
	size_t n = 0;

	if (st == NULL || (t = rules_trace(st, rcpt, &n)) == NULL) {
		r->no_memory |= st != NULL;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		r->reached[t[i].rule->index].yes += t[i].outcome == TRACE_TRUE;
		r->reached[t[i].rule->index].no += t[i].outcome == TRACE_FALSE ||
		    t[i].outcome == TRACE_ERROR;
	}
}

/* What became of each rule for each recipient, by the trace that judge -v shows. */
static void
count_reached(struct run *r, const struct outcome *o)
{
	if (r->reached == NULL)
		return;
	if (o->nrcpts == 0)
		count_rules(r, o, NULL);
	for (size_t i = 0; i < o->nrcpts; i++)
		count_rules(r, o, o->rcpts[i].rcpt);
}

static void
run_one(struct run *r)
{
	struct services sv = *r->sv;
	struct strbuf why = { 0 };
	struct resolver *empty = NULL;
	struct outcome o;
	const char *missing;

	make_script(r);
	if (r->failed || r->no_memory)
		return;
	if (r->zone == NULL && (empty = resolver_zone_text(STR(""), &why)) == NULL) {
		r->no_memory = true;
		strbuf_free(&why);
		return;
	}
	sv.resolver = r->zone != NULL ? r->zone : empty;
	sv.now = r->sc.now;
	if (script_run(&r->sc, r->rs, &sv, &o) == -1) {
		r->no_memory = true;
	} else {
		if ((missing = missing_lookup(r, &o)) != NULL) {
			diag_error(r->d, r->test->at, "test \"" STR_FMT "\" comes to a lookup of "
			    "'%s'; say `given %s ...`, or name a `zone`",
			    STR_ARG(r->test->name), missing, missing);
			r->failed = true;
		} else
			for (const struct expect *e = r->test->expects; e != NULL; e = e->next)
				r->failed |= !expectation_met(e, r->test, &o, r->rs, r->d);
		count_reached(r, &o);
		outcome_free(&o);
	}
	resolver_free(empty);
	strbuf_free(&why);
}

static int
run_all(struct ruleset *rs, const struct services *sv, struct reached *reached,
    struct diag *d)
{
	int failed = 0;

	for (const struct test *t = rules_ast(rs)->tests; t != NULL; t = t->next) {
		struct run r = { .rs = rs, .sv = sv, .test = t, .d = d, .reached = reached };

		if ((r.a = arena_new(0)) == NULL)
			return -1;
		run_one(&r);
		resolver_free(r.zone);
		arena_free(r.a);
		if (r.no_memory)
			return -1;
		failed += r.failed;
	}
	return failed;
}

/* Where that is set. */
static struct span
set_at(const struct ruleset *rs, const char *name)
{
	for (const struct set *s = rules_ast(rs)->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, str_of(name)))
			return s->at;
	return (struct span){ 0 };
}

int
selftest_run(struct ruleset *rs, const struct services *sv, struct reached *reached,
    struct diag *d)
{
	const struct settings *s = rules_settings(rs);
	struct services own = *sv;
	struct dmarc_engine *dmarc = NULL;
	struct suffixes *suffixes = NULL;
	struct geo *geo = NULL;
	struct strbuf why = { 0 };
	int failed = 1;

	if (suffixes_open(s, rules_needs(rs)->facts, &suffixes, &why) == -1)
		diag_error(d, set_at(rs, "public-suffix-list"), STR_FMT, STR_ARG(strbuf_slice(&why)));
	else if ((dmarc = dmarc_engine_new((enum dmarc_spec)s->dmarc, suffixes)) == NULL)
		failed = -1;
	else if (geo_open(s, rules_needs(rs)->facts, &geo, &why) == -1)
		diag_error(d, set_at(rs, "geo-database"), STR_FMT, STR_ARG(strbuf_slice(&why)));
	else {
		own.dmarc = dmarc;
		own.suffixes = suffixes;
		own.geo = geo;
		failed = run_all(rs, &own, reached, d);
	}
	dmarc_engine_free(dmarc);
	suffixes_free(suffixes);
	geo_free(geo);
	strbuf_free(&why);
	return failed;
}
