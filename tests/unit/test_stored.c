/*
 * test_stored.c - when rate counts and greylist asks: each case is a file, a
 * message for two recipients, and what the store was asked for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/diag.h"
#include "rules/mail.h"
#include "rules/rules.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define RATE(key, limit) "rate[\"" key "\", " limit " per 1h]"
#define GREY "rule g\n if greylist then tempfail \"g\"\n"

/* ---- A store that keeps a list of what it was asked ---- */

static struct strbuf asked;
static struct { char key[200]; uint64_t n; } counts[20];
static size_t ncounts;
static bool failing, delaying;

/* Keys are for the store's eyes only; here the values in them are shown. */
static enum fact_status
fake_rate(struct mail *m, const struct rate_query *q, uint64_t *count)
{
	struct strbuf shown = { 0 };
	size_t i = 0;

	(void)m;
	while (i < q->key.n && q->key.p[i] != '\n')
		i++;
	for (; i < q->key.n; i++)
		strbuf_putc(&shown, q->key.p[i] == '\n' ? ' ' : q->key.p[i]);
	strbuf_printf(&asked, "rate/%d%s;", (int)q->limit, shown.n > 0 ? shown.p : "");
	strbuf_free(&shown);
	assert_true(q->window == 3600 && q->key.n < sizeof(counts[0].key));
	for (i = 0; i < ncounts; i++)
		if (strlen(counts[i].key) == q->key.n && memcmp(counts[i].key, q->key.p, q->key.n) == 0)
			break;
	if (i == ncounts) {
		assert_true(ncounts < COUNT(counts));
		memcpy(counts[i].key, q->key.p, q->key.n);
		counts[i].key[q->key.n] = '\0';
		counts[ncounts++].n = 0;
	}
	*count = ++counts[i].n;
	return failing ? FACT_ERROR : FACT_KNOWN;
}

static enum fact_status
fake_greylist(struct mail *m, const struct greylist_query *q, bool *delay)
{
	(void)m;
	strbuf_printf(&asked, "grey " STR_FMT "%s" STR_FMT ";", STR_ARG(q->rcpt->local),
	    q->spf_domain.p != NULL ? " by " : "", STR_ARG(q->spf_domain));
	*delay = delaying;
	return failing ? FACT_ERROR : FACT_KNOWN;
}

static const struct spf_answer *
fake_spf(struct mail *m, enum spf_identity id)
{
	static const struct spf_answer pass = { .result = SPF_R_PASS };

	(void)id;
	return m->may_wait ? &pass : NULL;
}

static const struct str *
fake_decode(struct mail *m, struct str raw)
{
	struct str *s = arena_new_object(m->arena, struct str);

	*s = str_trim(raw);
	return s->n > 0 && s->p[0] == '!' ? NULL : s;
}

static const struct mail_ops ops = {
	.spf = fake_spf, .decode = fake_decode, .rate = fake_rate, .greylist = fake_greylist
};

/* ---- Messages ---- */

struct message {
	struct mail	m;
	struct strbuf	body;
	const struct plan *rcpt[2], *end;
	enum verdict	first;		/* for the first recipient, at RCPT */
};

/* From x@S.example, by smtp, for bob and carol, with a subject. */
static void
send_mail(struct message *g, const struct ruleset *rs, const char *sender, bool by_smtp)
{
	struct rules_state *st;
	struct ipaddr ip;

	memset(g, 0, sizeof(*g));
	assert_int_equal(mail_init(&g->m, &ops, NULL), 0);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	assert_int_equal(mail_connect(&g->m, &ip, STR_NONE, 25), 0);
	g->m.by_smtp = by_smtp;
	assert_non_null(st = rules_start(rs, &g->m));
	assert_non_null(rules_advance(st, S_CONNECT));
	mail_helo(&g->m, STR("h.example"));
	mail_sender(&g->m, str_of(sender), NULL, 0, 1771234567);
	g->end = rules_advance(st, S_MAIL);
	if (g->end->verdict != V_NONE)
		return;
	for (int i = 0; i < 2; i++) {
		mail_rcpt(&g->m, i == 0 ? STR("<bob@r.example>") : STR("<Carol@R.example>"), '+');
		g->end = rules_advance(st, S_RCPT);
		if (i == 0)
			g->first = g->end->verdict;
	}
	g->end = rules_advance(st, S_DATA);
	mail_header(&g->m, STR("Subject"), STR(" x"));
	mail_header(&g->m, STR("X-Bad"), STR(" !"));
	rules_advance(st, S_HEADERS);
	g->m.body = &g->body;
	g->end = rules_advance(st, S_MESSAGE);
}

static struct ruleset *
load(const char *text)
{
	struct diag *d = diag_new();
	struct ruleset *rs = rules_load_text(STR("case"), str_of(text), ".", d);

	if (rs == NULL)
		diag_print(d, stderr, false);
	assert_non_null(rs);
	diag_free(d);
	return rs;
}

static const struct {
	const char	*rules, *sender;
	const char	*asked;
	enum verdict	 first, end;
} cases[] = {
	/* Whether or not its rule is reached, and once for each expression. */
	{ "rule a\n if client.ip is set then accept\nrule b\n if " RATE("${client.ip}", "5") " then reject \"x\"\n",
	  "<x@s.example>", "rate/5 9:192.0.2.1;", V_NONE, V_ACCEPT },
	{ "rule b\n if " RATE("${client.ip}", "5") " then score +1\nrule c\n if " RATE("${client.ip}", "5") " then score +1\n",
	  "<x@s.example>", "rate/5 9:192.0.2.1;", V_NONE, V_ACCEPT },
	{ "rule b\n if " RATE("${client.ip}", "5") " then score +1\nrule c\n if " RATE("${client.ip}", "6") " then score +1\n",
	  "<x@s.example>", "rate/5 9:192.0.2.1;rate/6 9:192.0.2.1;", V_NONE, V_ACCEPT },
	/* In a condition that is decided without it. */
	{ "rule b\n if client.ip is 192.0.2.9 and " RATE("${sender}", "1") " then reject \"x\"\n",
	  "<X@S.example>", "rate/1 11:x@s.example;", V_NONE, V_ACCEPT },
	/* For each recipient, if it names one; the second is the second of the domain. */
	{ "rule b\n if " RATE("${rcpt.domain}", "1") " then tempfail \"x\"\n",
	  "<x@s.example>", "rate/1 9:r.example;rate/1 9:r.example;", V_NONE, V_ACCEPT },
	{ "rule b\n if " RATE("${rcpt}", "1") " then tempfail \"x\"\n",
	  "<x@s.example>", "rate/1 13:bob@r.example;rate/1 15:carol@r.example;", V_NONE, V_ACCEPT },
	/* Unset isn't counted, empty is. */
	{ "rule b\n if " RATE("${auth.user}", "1") " then reject \"x\"\n", "<x@s.example>", "", V_NONE, V_ACCEPT },
	{ "rule b\n if " RATE("${sender}", "1") " then reject \"x\"\n", "<>", "rate/1 2:<>;", V_NONE, V_ACCEPT },
	/* The key is known when its facts are. */
	{ "rule b\n if " RATE("${spf} ${client.ip}", "1") " then reject \"x\"\n",
	  "<x@s.example>", "rate/1 4:pass 9:192.0.2.1;", V_NONE, V_ACCEPT },
	{ "rule a\n if rcpt.local is bob then reject \"x\"\nrule b\n if " RATE("${subject}", "1") " then reject \"x\"\n",
	  "<x@s.example>", "rate/1 1:x;", V_REJECT, V_ACCEPT },
	/* An error in the key is the rate's. */
	{ "set on-error limit tempfail\nrule b\n if " RATE("${header[\"X-Bad\"]}", "1") " then reject \"x\"\n",
	  "<x@s.example>", "", V_NONE, V_TEMPFAIL },

	/* greylist is asked where the reading comes to it, once a recipient. */
	{ GREY, "<x@s.example>", "grey bob by s.example;grey Carol by s.example;", V_TEMPFAIL, V_NONE },
	{ GREY, "<>", "grey bob by h.example;grey Carol by h.example;", V_TEMPFAIL, V_NONE },
	{ "set greylist-spf off\n" GREY, "<x@s.example>", "grey bob;grey Carol;", V_TEMPFAIL, V_NONE },
	{ "rule a\n if rcpt.local is bob then accept\n" GREY, "<x@s.example>", "grey Carol by s.example;", V_NONE, V_ACCEPT },
	{ "rule s\n if greylist then score +1\n" GREY, "<x@s.example>",
	  "grey bob by s.example;grey Carol by s.example;", V_TEMPFAIL, V_NONE },
	/* All else must be true: a lookup is waited for, a false part spares it. */
	{ "rule g\n if greylist and spf is fail then tempfail \"g\"\n", "<x@s.example>", "", V_NONE, V_ACCEPT },
	{ "rule g\n if greylist and spf is pass and rcpt.local is bob then tempfail \"g\"\n",
	  "<x@s.example>", "grey bob by s.example;", V_TEMPFAIL, V_ACCEPT },
	{ "rule g\n if greylist or client.ip is set then tempfail \"g\"\n", "<x@s.example>", "", V_TEMPFAIL, V_NONE },
	{ "rule g\n if not greylist then accept\nrule h\n if client.ip is set then reject \"h\"\n",
	  "<x@s.example>", "grey bob by s.example;grey Carol by s.example;", V_REJECT, V_NONE },
	{ "rule s\n if spf is pass and greylist then score +2\nrule h\n if score > 1 then reject \"h\"\n",
	  "<x@s.example>", "grey bob by s.example;grey Carol by s.example;", V_REJECT, V_NONE },
	{ "rule m\n if greylist\nrule h\n if matched[\"m\"] and spf is pass then reject \"h\"\n",
	  "<x@s.example>", "grey bob by s.example;grey Carol by s.example;", V_REJECT, V_NONE },
	/* At RCPT or not at all. */
	{ "rule a\n if subject is y then reject \"a\"\n" GREY, "<x@s.example>", "", V_NONE, V_ACCEPT },
	/* In monitor mode it learns, and delays nobody. */
	{ "set mode monitor\nrule g\n if spf is pass and greylist then tempfail \"g\"\n", "<x@s.example>",
	  "grey bob by s.example;grey Carol by s.example;", V_NONE, V_TEMPFAIL },
	{ "rule g\n if greylist then would tempfail \"g\"\n", "<x@s.example>",
	  "grey bob by s.example;grey Carol by s.example;", V_NONE, V_ACCEPT },
};

static void
reset(void)
{
	asked.n = 0;
	ncounts = 0;
	failing = false;
	delaying = true;
}

static void
asks_when_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ruleset *rs = load(cases[i].rules);
		struct message g;

		reset();
		send_mail(&g, rs, cases[i].sender, true);
		if (!str_eq(strbuf_slice(&asked), str_of(cases[i].asked)))
			fail_msg("%s\nasked: " STR_FMT "\nnot: %s", cases[i].rules,
			    STR_ARG(strbuf_slice(&asked)), cases[i].asked);
		if (g.first != cases[i].first || (cases[i].end != V_NONE && g.end->verdict != cases[i].end))
			fail_msg("%s\n%s at rcpt, %s at the end", cases[i].rules,
			    verdict_name(g.first), verdict_name(g.end->verdict));
		mail_free(&g.m);
		rules_release(rs);
	}
}

static void
over_the_limit(void **state)
{
	struct ruleset *rs = load("rule r\n if " RATE("${client.ip}", "3") " then tempfail \"r\"\n");
	struct message g;

	(void)state;
	reset();
	for (int i = 1; i <= 5; i++) {
		send_mail(&g, rs, "<x@s.example>", true);
		assert_int_equal(g.first, i > 3 ? V_TEMPFAIL : V_NONE);
		mail_free(&g.m);
	}
	rules_release(rs);
}

/* Local mail can't come again; it is not delayed. */
static void
local_mail(void **state)
{
	struct ruleset *rs = load(GREY);
	struct message g;

	(void)state;
	reset();
	send_mail(&g, rs, "<x@s.example>", false);
	assert_int_equal(asked.n, 0);
	assert_int_equal(g.end->verdict, V_ACCEPT);
	mail_free(&g.m);
	rules_release(rs);
}

static void
a_store_that_fails(void **state)
{
	static const struct { const char *rules; enum verdict first; bool on_error; } errors[] = {
		{ GREY, V_TEMPFAIL, true },
		{ "set on-error store skip\n" GREY, V_NONE, false },
		{ "set on-error store accept\n" GREY "rule x\n if client.ip is set then reject \"x\"\n", V_NONE, false },
		{ "rule r\n if " RATE("${client.ip}", "3") " then reject \"r\"\n", V_TEMPFAIL, true },
		{ "rule r\n if " RATE("${client.ip}", "3") " and rcpt.local is nobody then reject \"r\"\n", V_NONE, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct ruleset *rs = load(errors[i].rules);
		struct message g;

		reset();
		failing = true;
		send_mail(&g, rs, "<x@s.example>", true);
		assert_int_equal(g.first, errors[i].first);
		mail_free(&g.m);
		rules_release(rs);
	}
}

/* Beside an error greylist isn't asked: the error stands. */
static void
beside_an_error(void **state)
{
	struct ruleset *rs = load("set on-error store skip\nrule g\n if greylist and " RATE("${client.ip}", "3")
	    " then reject \"g\"\nrule h\n if greylist then tempfail \"h\"\n");
	struct message g;

	(void)state;
	reset();
	failing = true;
	send_mail(&g, rs, "<x@s.example>", true);
	assert_string_equal(asked.p, "rate/3 9:192.0.2.1;grey bob by s.example;grey Carol by s.example;");
	assert_int_equal(g.first, V_NONE);
	mail_free(&g.m);
	rules_release(rs);
	strbuf_free(&asked);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_when_it_should),
		cmocka_unit_test(over_the_limit),
		cmocka_unit_test(local_mail),
		cmocka_unit_test(a_store_that_fails),
		cmocka_unit_test(beside_an_error),
	};

	return cmocka_run_group_tests_name("stored", tests, NULL, NULL);
}
