/*
 * test_cover.c - what the checker says of random rules, held against every message.
 *
 * Rules files over two or three facts, each of which has few values that matter,
 * unset and in error among them.  The real evaluator judges all combinations:
 * a condition called always true is never false, one called never true is never
 * true, two that exclude each other never meet, and no reading comes to a
 * rule that can never be reached and finds it true.
 *
 *	COVER_CASES=100000 COVER_SEED=7 build/tests/unit/test_cover
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/check_walk.h"
#include "rules/diag.h"
#include "rules/eval.h"
#include "rules/mail.h"
#include "rules/rules.h"

#define MAX_RULES	8
#define MAX_FACTS	3

/* ---- Facts, what is asked of them, and what they may be ---- */

enum comes { FROM_GIVEN, FROM_HEADER, FROM_DNSBL, FROM_RCPTS, FROM_BODY };

/* Values of headers and recipients stand between |; ! is an error, ~ cuts the rest off. */
static const struct domain {
	enum comes	 source;
	const char	*fact;
	const char	*atoms[16], *values[18];
} domains[] = {
	{ FROM_GIVEN, "spf", { "spf is pass", "spf is not pass", "spf in { fail softfail }",
	    "spf is set",
	    "spf not in { pass none temperror }",
	    "spf in { none neutral temperror permerror }", "spf is fail" },
	    { "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror" } },
	{ FROM_GIVEN, "client.ip", { "client.ip in 0.0.0.0/1", "client.ip in 128.0.0.0/1",
	    "client.ip in ::/0",
	    "client.ip in 0.0.0.0/0", "client.ip in ::/1", "client.ip in 8000::/1",
	    "client.ip in 192.0.2.0/24",
	    "client.ip not in 192.0.2.0/25", "client.ip in { 192.0.2.0/25 192.0.2.128/25 }",
	    "client.ip is 192.0.2.1", "client.ip is not 2001:db8::1",
	    "client.ip in 2001:db8::/32",
	    "client.ip is set", "client.ip in { 2001:db8::/33 2001:db8:8000::/33 }",
	    "client.ip in ours" },
	    { "0.0.0.0", "127.255.255.255", "128.0.0.0", "192.0.2.0", "192.0.2.1", "192.0.2.2",
	    "192.0.2.127",
	    "192.0.2.128", "192.0.3.0", "255.255.255.255", "::", "7fff::1", "8000::",
	    "2001:db8::", "2001:db8::1",
	    "2001:db8:8000::", "2001:db9::" } },
	{ FROM_GIVEN, "helo", { "helo is a.example", "helo in { .a.example }",
	    "helo in { .b.a.example b.example }",
	    "helo ends with .example", "helo contains a", "helo starts with b",
	    "helo matches /b/",
	    "helo is not set", "helo not in { a.example b.example }", "helo not matches /b/",
	    "helo in known" },
	    { "a.example", "b.example", "b.a.example", "c.b.a.example", "x.a.example", "a",
	    "b", "c", "" } },
	{ FROM_GIVEN, "sender.size", { "sender.size < 5", "sender.size >= 5",
	    "sender.size > 7", "sender.size is 6",
	    "sender.size in { 0 5 }", "sender.size <= 0", "sender.size is not set",
	    "sender.size > 0" },
	    { "0", "1", "4", "5", "6", "7", "8", "100" } },
	{ FROM_GIVEN, "time.hour", { "time.hour < 12", "time.hour >= 12", "time.hour is 23",
	    "time.hour > 0",
	    "time.hour in { 0 1 }", "time.hour <= 23" }, { "0", "1", "2", "11", "12", "22",
	    "23" } },
	{ FROM_GIVEN, "sender", { "sender is <>", "sender in { @a.example }",
	    "sender in { @.a.example }",
	    "sender is x@a.example", "sender contains x", "sender ends with a.example",
	    "sender is not y@b.example",
	    "sender ends with @a.example", "sender is set",
	    "sender in { @a.example @.a.example <> }", "sender in people" },
	    { "<>", "x@a.example", "\"x\"@a.example", "y@a.example", "x@c.a.example",
	    "y@b.example", "x", "z@d.test" } },
	{ FROM_GIVEN, "auth.user", { "auth.user is set", "auth.user is bob",
	    "auth.user is not set",
	    "auth.user in { bob eve }", "auth.user starts with b",
	    "auth.user in users", "auth.user not in users" }, { "bob", "eve", "BOB",
	    "bert", "" } },
	{ FROM_HEADER, "header", { "header[\"X\"] is one", "any header[\"x\"] is two",
	    "every header[\"X\"] is one",
	    "header[\"X\"] is set", "header[\"X\"] in { one two }",
	    "every header[\"X\"] in { one two }",
	    "header[\"X\"] is not one", "header[\"X\"] not in { one two }",
	    "header[\"X\"] contains w",
	    "header[\"X\"] matches /t/", "every header[\"X\"] matches /e/",
	    "header.count[\"X\"] > 1",
	    "header.count[\"X\"] < 1", "header.count[\"X\"] is 1" },
	    { "", "one", "two", "three", "one|two", "two|three", "one|two|three", "!", "one|!",
	    "one|~", "~", "four" } },
	{ FROM_DNSBL, "dnsbl", { "dnsbl[\"bl.example\"] is set",
	    "dnsbl[\"bl.example\"] is 127.0.0.2",
	    "dnsbl[\"bl.example\"] in 127.0.0.4/30", "dnsbl[\"bl.example\"] is not set",
	    "not dnsbl[\"bl.example\"] in 127.0.0.0/8" }, { "", "2", "24", "!" } },
	{ FROM_RCPTS, "rcpt", { "rcpt.local is bob", "any rcpt.local is bob",
	    "every rcpt.local is bob",
	    "rcpt.domain is a.example", "any rcpt.detail is d", "every rcpt.detail is d",
	    "every rcpt.detail is set",
	    "rcpt.detail is not set", "any rcpt has ( local is bob and domain is a.example )",
	    "every rcpt has ( domain is a.example )", "rcpt in { @a.example bob@b.example }",
	    "rcpt is bob@a.example",
	    "rcpt.count > 1", "rcpt.count <= 1", "any rcpt.detail is set" },
	    { "bob@a.example", "bob@b.example", "eve@a.example", "eve+d@b.example",
	    "bob+d@a.example",
	    "bob@a.example|eve@b.example", "bob+d@a.example|bob@b.example",
	    "eve+d@a.example|bob+d@a.example" } },
	{ FROM_BODY, "raw.body", { "raw.body is set", "raw.body contains ab", "raw.body is ab",
	    "raw.body ends with b",
	    "raw.body not matches /a/", "raw.body is not abc" }, { "", "ab", "abc", "b", "ab~",
	    "b~" } },
};
#define DOMAINS	(sizeof(domains) / sizeof(domains[0]))

static uint64_t rng;

static unsigned
rnd(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

static unsigned
count(const char *const *texts, unsigned max)
{
	unsigned n = 0;

	while (n < max && texts[n] != NULL)
		n++;
	return n;
}

/* ---- Random rules ---- */

struct file {
	const struct domain *of[MAX_FACTS];
	unsigned	n;
	struct strbuf	text;
};

static void
random_cond(struct file *f, int rule, int depth)
{
	const struct domain *d = f->of[rnd(f->n)];
	unsigned kind = depth == 0 ? 0 : rnd(4), n = 2 + rnd(2);

	if (kind < 2 && rnd(12) == 0)
		strbuf_printf(&f->text, "score %s %d", (const char *[]){ ">=", "<",
		    "is" }[rnd(3)], (int)rnd(5) - 1);
	else if (kind < 2 && rule > 0 && rnd(12) == 0)
		strbuf_printf(&f->text, "matched[\"log%u\"]", rnd(2));
	else if (kind < 2)
		strbuf_printf(&f->text, "%s%s", rnd(5) == 0 ? "not " : "",
		    d->atoms[rnd(count(d->atoms, 16))]);
	if (kind < 2)
		return;
	strbuf_puts(&f->text, rnd(4) == 0 ? "not ( " : "( ");
	for (unsigned i = 0; i < n; i++) {
		strbuf_puts(&f->text, i == 0 ? "" : kind == 2 ? " and " : " or ");
		random_cond(f, rule, depth - 1);
	}
	strbuf_puts(&f->text, " )");
}

static void
random_file(struct file *f)
{
	static const char *const acts[] = { "reject \"no\"", "accept", "tempfail \"later\"",
	    "reject \"no\"",
		"discard", "score +2", "score -1", "log \"x\"" };
	static const char *const policies[] = { "tempfail", "accept", "skip" };

	f->text = (struct strbuf){ 0 };
	f->n = 1 + rnd(MAX_FACTS);
	for (unsigned i = 0; i < f->n; i++)
		f->of[i] = &domains[rnd(DOMAINS)];
	strbuf_printf(&f->text,
	    "set on-error limit %s\nset on-error dnsbl %s\nset on-error lookup %s\n"
	    "nets ours = 192.0.2.0/24\ndomains known = .example\n"
	    "addresses people = @.a.example y@b.example\nstrings users = Bob bert\n",
	    policies[rnd(3)], policies[rnd(3)], policies[rnd(3)]);
	for (int i = 0; i < 2; i++) {
		strbuf_printf(&f->text, "rule log%d\n  if ", i);
		random_cond(f, 0, 1);
		strbuf_puts(&f->text, "\n  then log \"x\"\n");
	}
	for (int i = 2, n = 3 + (int)rnd(MAX_RULES - 4); i < n; i++) {
		strbuf_printf(&f->text, "rule r%d\n", i);
		if (rnd(16) != 0) {
			strbuf_puts(&f->text, "  if ");
			random_cond(f, i, rnd(3) == 0 ? 2 : 1);
			strbuf_puts(&f->text, "\n");
		}
		strbuf_printf(&f->text, "  then %s\n", acts[rnd(8)]);
	}
}

/* ---- Messages ---- */

struct world {
	struct given	 given[MAX_FACTS];
	size_t		 ngiven;
	struct value	 codes[2];
	struct dnsbl_answer dnsbl;
	struct strbuf	 body;
	const char	*rcpts;
};

static const struct dnsbl_answer *
fake_dnsbl(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts)
{
	(void)kind;
	(void)zone;
	(void)texts;
	return &((struct world *)m->ctx)->dnsbl;
}

static const struct str *
fake_decode(struct mail *m, struct str raw)
{
	struct str *s = arena_new_object(m->arena, struct str);

	*s = str_trim(raw);
	return str_eq(*s, STR("!")) ? NULL : s;
}

static const struct mail_ops ops = { .decode = fake_decode, .dnsbl = fake_dnsbl };

/* Each part of "a|b|~". */
static void
each_part(const char *values, void (*fn)(struct mail *, struct str), struct mail *m)
{
	for (const char *p = values; *p != '\0'; ) {
		size_t n = strcspn(p, "|");

		fn(m, (struct str){ p, n });
		p += n + (p[n] == '|');
	}
}

static void
put_field(struct mail *m, struct str value)
{
	if (str_eq(value, STR("~")))
		m->headers_cut = true;
	else
		assert_int_equal(mail_header(m, STR("X"), value), 0);
}

static void
put_rcpt(struct mail *m, struct str value)
{
	assert_non_null(mail_rcpt(m, value, '+'));
}

static void
put_dnsbl(struct world *w, const char *value)
{
	w->dnsbl = (struct dnsbl_answer){ .codes = w->codes, .failed = *value == '!' };
	for (; *value != '\0' && *value != '!'; value++) {
		char text[] = "127.0.0.0";

		text[8] = *value;
		assert_int_equal(ipaddr_parse(str_of(text), &w->codes[w->dnsbl.n++].ip), 0);
	}
}

/* The value of that number; behind the last: unset. */
static void
put(struct mail *m, struct world *w, const struct domain *d, unsigned value)
{
	const char *text = d->values[value];
	struct given *g;

	switch (d->source) {
	case FROM_GIVEN:
		g = &w->given[w->ngiven++];
		*g = (struct given){ .fact = fact_find(str_of(d->fact)), .key = STR(""),
		    .unset = text == NULL };
		if (text != NULL && strcmp(text, "<>") != 0 && *text != '\0')
			assert_int_equal(type_parse(g->fact->type, OP_IS, m->arena,
			    str_of(text), &g->value,
			    &(struct strbuf){ 0 }), 0);
		break;
	case FROM_HEADER:
		each_part(text, put_field, m);
		break;
	case FROM_DNSBL:
		put_dnsbl(w, text);
		break;
	case FROM_RCPTS:
		w->rcpts = text;
		break;
	case FROM_BODY:
		if (text == NULL)
			break;
		m->body_cut = strchr(text, '~') != NULL;
		strbuf_str(&w->body, (struct str){ text, strcspn(text, "~") });
		m->body = &w->body;
	}
}

/* Has the fact no value that it might be without? */
static bool
is_sure(const struct domain *d)
{
	return strcmp(d->fact, "time.hour") == 0 || strcmp(d->fact, "sender") == 0 || (d->source != FROM_GIVEN && d->source != FROM_BODY);
}

/* ---- What was said ---- */

struct said {
	const struct ast *ast;
	int		constant[MAX_RULES];
	bool		exclude[MAX_RULES][MAX_RULES];
	bool		unreached[MAX_RULES];
	int		below;		/* no reading comes to rules from here on */
	int		n;
};

static void
note(void *arg, enum severity severity, struct str line)
{
	struct said *s = arg;
	ptrdiff_t at;

	if (severity != DIAG_WARNING || str_find(line, STR(" can never be reached")) < 0)
		return;
	for (const struct rule *r = s->ast->rules; r != NULL; r = r->next) {
		char name[40];

		snprintf(name, sizeof(name), "warning: '%.*s'", (int)r->name.text.n,
		    r->name.text.p);
		if ((at = str_find(line, str_of(name))) < 0)
			continue;
		s->unreached[r->index] = true;
		if (str_find(line, STR("every message")) >= 0)
			s->below = r->index;
	}
}

static bool
asks_score(const struct rule *r)
{
	return r->cond != NULL && cond_asked(r->cond).score;
}

static void
ask(struct said *s, const struct ruleset *rs, struct diag *d)
{
	memset(s, 0, sizeof(*s));
	s->ast = rules_ast(rs);
	s->below = MAX_RULES;
	diag_each(d, note, s);
	for (const struct rule *r = s->ast->rules; r != NULL; r = r->next) {
		s->constant[r->index] = rule_constant(r);
		s->n++;
		for (const struct rule *k = r->next; r->cond != NULL && k != NULL; k = k->next)
			s->exclude[r->index][k->index] = k->cond != NULL && !(asks_score(r) && asks_score(k)) &&
			    cond_excludes(r->cond, k->cond, NULL);
	}
}

/* NULL, or what is wrong about it for that reading. */
static const char *
hold_against(const struct said *s, const outcome *o, const struct ruleset *rs, bool *reached)
{
	bool ended = false;

	for (int i = 0; i < s->n; i++) {
		if (!o_decided(o[i]))
			return "a rule is open";
		if ((s->constant[i] == 1 && o[i] == O_FALSE) || (s->constant[i] == -1 && o[i] == O_TRUE))
			return "a constant isn't";
		for (int k = i + 1; k < s->n; k++)
			if (s->exclude[i][k] && o[i] == O_TRUE && o[k] == O_TRUE)
				return "two that exclude each other meet";
		if (!ended && i >= s->below)
			return "a reading comes below what takes every message";
		if (!ended && s->unreached[i] && o_may_end(o[i]))
			return "a rule that can't be reached is";
		reached[i] |= !ended && o_may_end(o[i]);
		ended |= rs->prog.rules[i].final != NULL && o_may_end(o[i]);
	}
	return NULL;
}

static const char *
judge(const struct file *f, const unsigned *values, const struct ruleset *rs,
    const struct said *s,
    bool *reached)
{
	struct world w = { .rcpts = "bob@a.example" };
	const char *why = NULL;
	struct rules_state *st;
	outcome o[MAX_RULES];
	struct mail m;

	assert_int_equal(mail_init(&m, &ops, &w), 0);
	assert_int_equal(mail_connect(&m, &(struct ipaddr){ { 0 } }, STR("unknown"), 25), 0);
	assert_int_equal(mail_sender(&m, STR("<z@z.example>"), NULL, 0, 1), 0);
	for (unsigned i = 0; i < f->n; i++) {
		bool again = false;

		for (unsigned k = 0; k < i; k++)
			again |= f->of[k] == f->of[i];
		if (!again)
			put(&m, &w, f->of[i], values[i]);
	}
	each_part(w.rcpts, put_rcpt, &m);
	m.given = w.given;
	m.ngiven = w.ngiven;
	assert_non_null(st = rules_start(rs, &m));
	assert_non_null(rules_advance(st, S_MESSAGE));
	m.may_wait = true;
	for (size_t i = 0; i < m.nrcpts && why == NULL; i++) {
		for (int k = 0; k < s->n; k++)
			o[k] = eval_rule(st, m.rcpts[i]->reading, (size_t)k);
		why = hold_against(s, o, rs, reached);
	}
	mail_free(&m);
	strbuf_free(&w.body);
	return why;
}

/* Goes through all messages. */
static const char *
judge_all(const struct file *f, const struct ruleset *rs, const struct said *s, bool *reached)
{
	unsigned values[MAX_FACTS] = { 0 }, max[MAX_FACTS];
	const char *why;
	unsigned i;

	for (i = 0; i < f->n; i++)
		max[i] = count(f->of[i]->values, 18) + !is_sure(f->of[i]);
	do {
		if ((why = judge(f, values, rs, s, reached)) != NULL)
			return why;
		for (i = 0; i < f->n && ++values[i] == max[i]; i++)
			values[i] = 0;
	} while (i < f->n);
	return NULL;
}

static void
test_random_files(void **state)
{
	const char *e = getenv("COVER_CASES");
	long cases = e != NULL ? atol(e) : 600, told = 0, dead = 0, several = 0;
	uint64_t seed = (e = getenv("COVER_SEED")) != NULL ? strtoull(e, NULL, 10) : 1;

	(void)state;
	for (long i = 0; i < cases; i++) {
		bool reached[MAX_RULES] = { false };
		struct diag *d = diag_new();
		struct ruleset *rs;
		struct said s;
		struct file f;
		const char *why;

		rng = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u + 1;
		for (int k = 0; k < 8; k++)
			rnd(2);
		random_file(&f);
		rs = rules_load_text(STR("random"), strbuf_slice(&f.text), "", d);
		if (rs == NULL) {
			diag_print(d, stderr, false);
			fail_msg("%.*s", (int)f.text.n, f.text.p);
		}
		ask(&s, rs, d);
		if ((why = judge_all(&f, rs, &s, reached)) != NULL) {
			diag_print(d, stderr, false);
			fail_msg("COVER_SEED=%llu: %s\n%.*s",
			    (unsigned long long)(seed + (uint64_t)i), why,
			    (int)f.text.n, f.text.p);
		}
		for (int k = 2; k < s.n; k++) {
			dead += !reached[k];
			told += s.unreached[k] || s.constant[k] == -1 || k >= s.below;
			several += s.unreached[k];
			if (getenv("COVER_MISSED") != NULL && !reached[k] && !s.unreached[k] && s.constant[k] != -1 && k < s.below)
				print_message("missed r%d\n%.*s\n", k, (int)f.text.n, f.text.p);
		}
		rules_release(rs);
		diag_free(d);
		strbuf_free(&f.text);
	}
	print_message("%ld of %ld rules that no message was true of were told, %ld as never reached\n", told, dead, several);
	/* Otherwise this test shows nothing; and not all that is so can be told. */
	assert_true(several > cases / 20);
	assert_true(told > dead / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_files),
	};

	return cmocka_run_group_tests_name("cover", tests, NULL, NULL);
}
