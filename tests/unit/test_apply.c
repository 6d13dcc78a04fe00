/*
 * test_apply.c - what a plan becomes in libmilter's calls.
 *
 * libmilter's functions are defined here, so that each call can be looked at,
 * and made to fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfapi.h>

#include "filter/apply.h"
#include "filter/milter.h"
#include "rules/arena.h"
#include "rules/diag.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

/* ---- libmilter, played ---- */

static struct strbuf calls;	/* what was called, a line each */
static const char *fails;	/* the call that fails */
static struct arena *starves;	/* has no memory from there on */

static int called(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
called(const char *name, const char *fmt, ...)
{
	va_list ap;

	strbuf_printf(&calls, "%s ", name);
	va_start(ap, fmt);
	strbuf_vprintf(&calls, fmt, ap);
	va_end(ap);
	strbuf_putc(&calls, '\n');
	return fails != NULL && strcmp(fails, name) == 0 ? MI_FAILURE : MI_SUCCESS;
}

int
smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
	(void)ctx;
	return called("reply", "%s %s %s", code, enhanced, text);
}

int
smfi_setmlreply(SMFICTX *ctx, const char *code, const char *enhanced, ...)
{
	struct strbuf b = { 0 };
	const char *line;
	va_list ap;
	int r;

	(void)ctx;
	va_start(ap, enhanced);
	while ((line = va_arg(ap, const char *)) != NULL)
		strbuf_printf(&b, "|%s", line);
	va_end(ap);
	r = called("mlreply", "%s %s %s", code, enhanced, b.p);
	strbuf_free(&b);
	return r;
}

int
smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
	(void)ctx;
	return called("chgheader", "%s %d %s", name, index, value != NULL ? value : "(none)");
}

int
smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	if (starves != NULL)
		assert_null(arena_alloc(starves, SIZE_MAX / 2));
	return called("addheader", "%s:%s", name, value);
}

int
smfi_insheader(SMFICTX *ctx, int index, char *name, char *value)
{
	(void)ctx;
	return called("insheader", "%d %s:%s", index, name, value);
}

int
smfi_addrcpt(SMFICTX *ctx, char *rcpt)
{
	(void)ctx;
	return called("addrcpt", "%s", rcpt);
}

int
smfi_delrcpt(SMFICTX *ctx, char *rcpt)
{
	(void)ctx;
	return called("delrcpt", "%s", rcpt);
}

int
smfi_chgfrom(SMFICTX *ctx, char *sender, char *args)
{
	(void)ctx;
	return called("chgfrom", "%s%s", sender, args != NULL ? args : "");
}

int
smfi_quarantine(SMFICTX *ctx, char *reason)
{
	(void)ctx;
	return called("quarantine", "%s", reason);
}

/* ---- A connection with a message in it ---- */

static struct engines *engines;
static struct connection conn;

static int
begin(void **state)
{
	static const char rules[] = "set authentication-results off\n"
	    "rule a\n    if   sender is x@example.com\n    then add header X-A \"1\"\n";
	struct diag *d = diag_new();
	struct strbuf why = { 0 };
	struct ruleset *rs;

	(void)state;
	rs = rules_load_text(STR("test"), STR(rules), ".", d);
	engines = engines_new("/dev/null", 0, &why);
	memset(&conn, 0, sizeof(conn));
	if (rs == NULL || engines == NULL ||
	    (conn.gen = generation_new(engines, rs, NULL, &why)) == NULL ||
	    (conn.session = session_new(rs, &conn.gen->services)) == NULL)
		return -1;
	diag_free(d);
	rules_release(rs);
	conn.by_smtp = true;
	session_connect(conn.session, NULL, STR_NONE, 1, true);
	session_sender(conn.session, STR("<x@example.com>"), NULL, 0);
	session_rcpt(conn.session, STR("<b@example.org>"), NULL);
	fails = NULL;
	strbuf_free(&calls);
	memset(&calls, 0, sizeof(calls));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	session_free(conn.session);
	generation_release(conn.gen);
	engines_free(engines);
	strbuf_free(&calls);
	memset(&calls, 0, sizeof(calls));
	return 0;
}

static void
assert_calls(const char *want)
{
	assert_string_equal(calls.p != NULL ? calls.p : "", want);
	strbuf_free(&calls);
	memset(&calls, 0, sizeof(calls));
}

static struct str lines[40];

static struct plan
plan(enum verdict v, enum stage stage, int code, size_t nlines)
{
	struct plan p = {
		.verdict = v, .stage = stage, .rule = 0, .decided = true,
		.reply = { code, code >= 500 ? STR("5.7.1") : STR("4.7.1"), lines, nlines },
	};

	return p;
}

/* ---- Tests ---- */

static const struct {
	enum verdict	verdict;
	enum stage	stage;
	int		code;
	bool		nr, smtp;
	int		status;
	const char	*calls;
} stages[] = {
	{ V_NONE, S_MAIL, 0, false, true, SMFIS_CONTINUE, "" },
	{ V_NONE, S_MAIL, 0, true, true, SMFIS_NOREPLY, "" },
	{ V_REJECT, S_CONNECT, 550, false, true, SMFIS_REJECT, "" },	/* the MTA's words */
	{ V_REJECT, S_MAIL, 550, false, true, SMFIS_REJECT, "reply 550 5.7.1 No\n" },
	{ V_REJECT, S_RCPT, 550, false, true, SMFIS_REJECT, "reply 550 5.7.1 No\n" },
	{ V_TEMPFAIL, S_RCPT, 421, false, true, SMFIS_TEMPFAIL, "reply 421 4.7.1 No\n" },
	{ V_SPLIT, S_RCPT, 452, false, true, SMFIS_TEMPFAIL, "reply 452 4.7.1 No\n" },
	{ V_DISCARD, S_RCPT, 0, false, true, SMFIS_CONTINUE, "" },	/* would take the whole message */
	{ V_DISCARD, S_DATA, 0, false, true, SMFIS_DISCARD, "" },
	{ V_ACCEPT, S_CONNECT, 0, false, true, SMFIS_CONTINUE, "" },	/* would take the session */
	{ V_ACCEPT, S_MAIL, 0, false, true, SMFIS_ACCEPT, "" },
	{ V_ACCEPT, S_RCPT, 0, false, true, SMFIS_CONTINUE, "" },	/* would take the others, too */
	{ V_QUARANTINE, S_DATA, 0, false, true, SMFIS_CONTINUE, "" },
	{ V_REJECT, S_RCPT, 550, true, true, SMFIS_NOREPLY, "" },	/* kept */
	{ V_REJECT, S_RCPT, 550, false, false, SMFIS_CONTINUE, "" },	/* not by SMTP: kept */
};

static void
before_the_end(void **state)
{
	lines[0] = STR("No");
	for (size_t i = 0; i < COUNT(stages); i++) {
		struct plan p = plan(stages[i].verdict, stages[i].stage, stages[i].code, 1);

		assert_int_equal(begin(state), 0);
		conn.steps = stages[i].nr ? SMFIP_NR_RCPT | SMFIP_NR_MAIL : 0;
		conn.by_smtp = stages[i].smtp;
		assert_int_equal(apply_stage(NULL, &conn, &p, SMFIP_NR_RCPT), stages[i].status);
		assert_calls(stages[i].calls);
		assert_int_equal(conn.has_kept, stages[i].verdict == V_REJECT &&
		    (stages[i].nr || !stages[i].smtp));
		end(state);
	}
}

/* A verdict that could not be told where it was given is told at the dot. */
static void
kept_until_the_dot(void **state)
{
	struct plan p = plan(V_REJECT, S_RCPT, 550, 1), last = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	lines[0] = STR("No");
	conn.steps = SMFIP_NR_RCPT;
	assert_int_equal(apply_stage(NULL, &conn, &p, SMFIP_NR_RCPT), SMFIS_NOREPLY);
	assert_int_equal(apply_end(NULL, &conn, &last), SMFIS_REJECT);
	assert_calls("reply 550 5.7.1 No\n");
}

static void
monitor_does_nothing(void **state)
{
	struct plan p = plan(V_REJECT, S_RCPT, 550, 1);

	(void)state;
	p.monitor = true;
	assert_int_equal(apply_stage(NULL, &conn, &p, SMFIP_NR_RCPT), SMFIS_CONTINUE);
	p.stage = S_MESSAGE;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	p.verdict = V_QUARANTINE;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	assert_calls("");
}

static void
reply_lines(void **state)
{
	struct plan p = plan(V_REJECT, S_MESSAGE, 550, 1);
	char percents[901];

	(void)state;
	lines[0] = STR("50% off \001 caf\303\251");
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_REJECT);
	assert_calls("reply 550 5.7.1 50%% off ? caf??\n");
	lines[0] = STR("one");
	lines[1] = STR("");
	lines[2] = STR("three");
	p.reply.nlines = 3;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_REJECT);
	assert_calls("mlreply 550 5.7.1 |one| |three\n");
	for (size_t i = 0; i < COUNT(lines); i++)
		lines[i] = STR("x");
	p.reply.nlines = COUNT(lines);		/* more than libmilter takes */
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_REJECT);
	assert_calls("mlreply 550 5.7.1 |x|x|x|x|x|x|x|x|x|x|x|x|x|x|x|x"
	    "|x|x|x|x|x|x|x|x|x|x|x|x|x|x|x|x\n");
	/* Doubled, it would be too long: cut between two, never in the middle of a pair. */
	memset(percents, '%', sizeof(percents));
	lines[0] = (struct str){ percents, 901 };
	p.reply.nlines = 1;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_REJECT);
	assert_int_equal(calls.n, strlen("reply 550 5.7.1 \n") + 980);
	assert_calls(calls.p);
}

static void
changes(void **state)
{
	struct edit edits[] = {
		{ EDIT_ADD_HEADER, STR("X-B"), STR("two"), 0 },
		{ EDIT_SET_HEADER, STR("Subject"), STR("new"), 0 },
		{ EDIT_REMOVE_HEADER, STR("X-Old"), STR_NONE, 0 },
		{ EDIT_ADD_RCPT, STR_NONE, STR("<c@example.org>"), 0 },
		{ EDIT_REMOVE_RCPT, STR_NONE, STR("<b@example.org>"), 0 },
		{ EDIT_SET_SENDER, STR_NONE, STR("<>"), 0 },
	};
	struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	session_data(conn.session);
	session_header(conn.session, STR("Subject"), STR(" old"));
	session_header(conn.session, STR("X-Old"), STR(" 1"));
	session_header(conn.session, STR("X-Old"), STR(" 2"));
	p.edits = edits;
	p.nedits = COUNT(edits);
	conn.steps = SMFIP_HDR_LEADSPC;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	assert_calls("chgheader X-Old 2 (none)\nchgheader X-Old 1 (none)\n"
	    "chgheader Subject 1  new\naddheader X-B: two\n"
	    "addrcpt <c@example.org>\ndelrcpt <b@example.org>\nchgfrom <>\n");
	conn.steps = 0;
	p.verdict = V_QUARANTINE;
	p.nedits = 1;
	p.reason = STR("held");
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	assert_calls("addheader X-B:two\nquarantine held\n");
	p.reason = STR_NONE;		/* libmilter refuses an empty one */
	p.nedits = 0;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	assert_calls("quarantine held by policy\n");
}

/* Postfix and Sendmail keep different things of a path: each must find its recipient. */
static void
removed_paths(void **state)
{
	static const struct { const char *path, *calls; } paths[] = {
		{ "<b@example.org>", "delrcpt <b@example.org>\n" },
		{ "b@example.org", "delrcpt b@example.org\n" },
		{ "<@relay.example:B@example.org>", "delrcpt <@relay.example:B@example.org>\n"
		    "delrcpt <B@example.org>\n" },
		{ "<@x:@y:b@example.org>", "delrcpt <@x:@y:b@example.org>\n"
		    "delrcpt <@y:b@example.org>\ndelrcpt <b@example.org>\n" },
		{ "<\"B\" <b@example.org>>", "delrcpt <\"B\" <b@example.org>>\n"
		    "delrcpt <b@example.org>\n" },
		{ "<\"@x:b\"@example.org>", "delrcpt <\"@x:b\"@example.org>\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct str path = str_of(paths[i].path);
		struct edit edit = { EDIT_REMOVE_RCPT, STR_NONE, path, 0 };
		struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

		p.edits = &edit;
		p.nedits = 1;
		session_sender(conn.session, STR("<a@example.org>"), NULL, 0);
		session_rcpt(conn.session, path, NULL);
		session_data(conn.session);
		assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
		assert_calls(paths[i].calls);
	}
}

/* Each layer is a question to the MTA: nobody has hundreds. */
static void
path_of_many_layers(void **state)
{
	struct strbuf b = { 0 };
	struct edit edit = { EDIT_REMOVE_RCPT, STR_NONE, STR_NONE, 0 };
	struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	strbuf_putc(&b, '<');
	for (int i = 0; i < 100; i++)
		strbuf_puts(&b, "@x:");
	strbuf_puts(&b, "b@example.org>");
	edit.value = strbuf_slice(&b);
	p.edits = &edit;
	p.nedits = 1;
	session_sender(conn.session, STR("<a@example.org>"), NULL, 0);
	session_rcpt(conn.session, edit.value, NULL);
	session_data(conn.session);
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_TEMPFAIL);
	strbuf_free(&b);
}

/* What the MTA doesn't do must not become something milder. */
static void
refused_changes(void **state)
{
	struct edit edits[] = {
		{ EDIT_ADD_HEADER, STR("X-B"), STR("two"), 0 },
		{ EDIT_ADD_RCPT, STR_NONE, STR("<c@example.org>"), 0 },
		{ EDIT_REMOVE_RCPT, STR_NONE, STR("<b@example.org>"), 0 },
	};
	struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	p.edits = edits;
	p.nedits = 3;
	fails = "addheader";
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_ACCEPT);
	assert_non_null(conn.trouble);
	assert_false(conn.put_off);
	assert_calls("addheader X-B:two\naddrcpt <c@example.org>\ndelrcpt <b@example.org>\n");
	fails = "addrcpt";		/* the old one must not be removed then */
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_TEMPFAIL);
	assert_true(conn.put_off);
	assert_calls("addheader X-B:two\naddrcpt <c@example.org>\n"
	    "reply 451 4.3.0 Mail filter cannot change this message, try again later\n");
	fails = "quarantine";
	p.verdict = V_QUARANTINE;
	p.nedits = 0;
	p.reason = STR("held");
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_TEMPFAIL);
	assert_calls("quarantine held\n"
	    "reply 451 4.3.0 Mail filter cannot hold this message, try again later\n");
}

/* Half of the changes would be another message. */
static void
changes_without_memory(void **state)
{
	struct edit edit = { EDIT_ADD_HEADER, STR("X-B"), STR("two"), 0 };
	struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	p.edits = &edit;
	p.nedits = 1;
	fails = "addheader";
	starves = session_mail_model(conn.session)->arena;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_TEMPFAIL);
	starves = NULL;
	assert_true(conn.put_off);
	assert_calls("addheader X-B:two\n"
	    "reply 451 4.3.0 Mail filter cannot change this message, try again later\n");
}

static void
without_memory(void **state)
{
	struct plan p = plan(V_ACCEPT, S_MESSAGE, 0, 0);

	(void)state;
	conn.steps = SMFIP_NR_MAIL;
	assert_int_equal(apply_stage(NULL, &conn, NULL, SMFIP_NR_MAIL), SMFIS_NOREPLY);
	/* It could not be told there, so it is at the next that can. */
	p.stage = S_RCPT;
	assert_int_equal(apply_stage(NULL, &conn, &p, SMFIP_NR_RCPT), SMFIS_TEMPFAIL);
	p.stage = S_MESSAGE;
	assert_int_equal(apply_end(NULL, &conn, &p), SMFIS_TEMPFAIL);
	assert_true(conn.put_off);
	assert_calls("reply 451 4.3.0 Mail filter is short of memory, try again later\n"
	    "reply 451 4.3.0 Mail filter is short of memory, try again later\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_end),
		cmocka_unit_test_setup_teardown(kept_until_the_dot, begin, end),
		cmocka_unit_test_setup_teardown(monitor_does_nothing, begin, end),
		cmocka_unit_test_setup_teardown(reply_lines, begin, end),
		cmocka_unit_test_setup_teardown(removed_paths, begin, end),
		cmocka_unit_test_setup_teardown(path_of_many_layers, begin, end),
		cmocka_unit_test_setup_teardown(changes, begin, end),
		cmocka_unit_test_setup_teardown(refused_changes, begin, end),
		cmocka_unit_test_setup_teardown(changes_without_memory, begin, end),
		cmocka_unit_test_setup_teardown(without_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
