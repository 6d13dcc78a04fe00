/*
 * test_check.c - what the checker concludes: constants, dead rules, patterns.
 *
 * The wording of diagnostics is held by tests/lang.  Here it is that no
 * conclusion is wrong: a table of conditions, and random rules that are held
 * against what they do to random messages.
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
#include "rules/check.h"
#include "rules/check_reach.h"
#include "rules/check_walk.h"
#include "rules/diag.h"
#include "rules/mail.h"
#include "rules/literal_of.h"
#include "rules/regex.h"
#include "rules/rules.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define ROUNDS		3000
#define MESSAGES	12

/* ---- Constants ---- */

static const struct {
	const char	*cond;
	int		 constant;
} conditions[] = {
	{ "spf is pass", 0 },
	{ "spf is pass and spf is fail", -1 },
	{ "spf is not pass or spf is not fail", 1 },
	{ "spf is pass or spf is not pass", 1 },
	{ "spf is set", 0 },
	{ "spf in { none neutral pass fail softfail temperror permerror }", 0 },	/* unset */
	{ "spf is set and spf not in { none neutral pass fail softfail temperror permerror }", -1 },
	{ "spf is pass and spf.helo is fail", 0 },
	{ "not ( spf is pass or not spf is pass )", -1 },
	{ "time.weekday in { monday tuesday } and time.weekday in { sunday }", -1 },
	{ "rcpt.count < 0", -1 },
	{ "rcpt.count >= 0 and rcpt.count is not set", -1 },
	{ "rcpt.count > 3 and rcpt.count < 4", -1 },
	{ "rcpt.count > 3 and rcpt.count < 5", 0 },
	{ "date.age < 0", 0 },
	{ "date.age < -1d and date.age > 0", -1 },
	{ "size < 1K or size >= 1024", 1 },				/* never unset */
	{ "attachment.size < 1K or attachment.size >= 1024", 0 },
	{ "sender.size < 1K or sender.size >= 1024", 0 },		/* unset */
	{ "size >= 0", 1 },
	{ "rcpt is set", 1 },
	{ "sender is set", 1 },
	{ "sender is not set", -1 },
	{ "sender.domain is not set", 0 },
	{ "any rcpt is set", 0 },
	{ "time.hour > 24", -1 },
	{ "time.hour < 23", 0 },
	{ "client.port > 65535", -1 },
	{ "header.count[\"X\"] is set", 1 },
	{ "size < 1K and size >= 1024", -1 },
	{ "size is not set or size < 1K or size >= 1024", 1 },
	{ "helo is a.example and helo is b.example", -1 },
	{ "helo is a.example and helo is A.EXAMPLE", 0 },
	{ "helo is a.example and helo in { .example }", 0 },
	{ "helo is a.example and helo in { .other.example }", -1 },
	{ "helo in { .a.example } and helo in { .b.example }", -1 },
	{ "helo in { .a.example } and helo in { .x.a.example }", 0 },
	{ "helo in { .x.a.example } and not helo in { .a.example }", -1 },
	{ "helo in { .a.example } and not helo ends with .example", -1 },
	{ "helo in { .a.example } and not helo ends with x.a.example", 0 },
	{ "sender in { @a.example } and sender in { @.a.example }", -1 },
	{ "sender in { @a.example } and sender ends with b.example", -1 },
	{ "sender in { @.a.example } and sender ends with @a.example", -1 },
	{ "sender in { @.a.example } and sender ends with @b.a.example", 0 },
	{ "sender is x@a.example and sender starts with \"y\"", 0 },	/* \"\\y\"@ is y@ */
	{ "client.ip in 192.0.2.128/25 and client.ip not in 192.0.2.0/24", -1 },
	{ "client.ip in 192.0.2.0/24 and client.ip not in 192.0.2.128/25", 0 },
	{ "client.ip in 192.0.2.0/24 and not client.ip in { 192.0.2.0/25 192.0.2.128/25 }", -1 },
	{ "client.ip in 0.0.0.0/0 and client.ip not in 0.0.0.0/1 and client.ip not in 128.0.0.0/1", -1 },
	{ "client.ip in ::/0 and client.ip in 0.0.0.0/0", -1 },
	{ "client.ip is set and client.ip not in ::/0 and client.ip not in 0.0.0.0/0", -1 },
	{ "client.ip in ::/0 and client.ip not in ::/1 and client.ip not in 8000::/1", -1 },
	{ "client.ip not in ::/0 and client.ip not in 0.0.0.0/0", 0 },	/* unset */
	{ "header[\"X\"] in { a b } and not header[\"X\"] is a and not header[\"X\"] is b", -1 },
	{ "header[\"X\"] is a and not header[\"X\"] in { a b }", -1 },
	{ "every header[\"X\"] is a and header[\"X\"] is b", -1 },
	{ "every header[\"X\"] in { a b } and not header[\"X\"] is a and not header[\"X\"] is b", -1 },
	{ "helo is a.example and helo ends with .example", 0 },
	{ "helo is a.example and not helo contains ample", -1 },
	{ "helo is a.example and helo matches /x/", 0 },
	{ "helo matches /x/ and helo not matches /x/", -1 },
	{ "helo matches /x/ and helo not matches /x/i", 0 },
	{ "sender is <> and sender is a@b.example", -1 },
	{ "sender in { @b.example } and sender is a@b.example", 0 },
	{ "sender in { @b.example } and sender is <>", -1 },
	{ "client.ip is 192.0.2.1 and client.ip in 192.0.2.0/24", 0 },
	{ "client.ip is 192.0.2.1 and client.ip in 192.0.3.0/24", -1 },
	{ "client.ip in { 192.0.2.1 192.0.2.2 } and client.ip is 192.0.2.3", -1 },
	{ "header[\"X\"] is a and header[\"X\"] is b", 0 },		/* two fields */
	{ "header[\"X\"] is a and header[\"x\"] is not set", -1 },
	{ "header[\"X\"] is a and header[\"Y\"] is not set", 0 },
	{ "every subject is a and not any subject is a", -1 },
	{ "every subject is a and not every subject is a", -1 },
	{ "any rcpt has ( local is a and local is b )", -1 },
	{ "any rcpt has ( local is a ) and any rcpt has ( local is b )", 0 },
	{ "every rcpt has ( local is a or local is not a )", 0 },	/* over nothing */
	{ "dkim.signature.result is pass and dkim.signature.result is fail", 0 },
	{ "any dkim.signature has ( result is pass and result is fail )", -1 },
	{ "any dkim.signature has ( partial and not partial )", -1 },
	{ "score is set", 1 },
	{ "score is not set", -1 },
	{ "score < 5 or score > 3", 1 },
	{ "( spf is pass or helo is a.example ) and spf is fail and helo is b.example", -1 },
	{ "( spf is pass or helo is a.example ) and spf is fail", 0 },
};

static struct ruleset *
load(struct str text, struct diag *d)
{
	struct ruleset *rs = rules_load_text(STR("rules"), text, "", d);

	if (rs == NULL) {
		diag_print(d, stderr, false);
		fail_msg("%.*s", (int)text.n, text.p);
	}
	return rs;
}

static void
test_constants(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(conditions); i++) {
		struct strbuf b = { 0 };
		struct diag *d = diag_new();
		struct ruleset *rs;
		int constant;

		strbuf_printf(&b, "rule r\n  if %s\n  then log \"x\"\n", conditions[i].cond);
		rs = load(strbuf_slice(&b), d);
		constant = rules_ast(rs)->rules->cond->constant;
		if (constant != conditions[i].constant)
			fail_msg("%s: %d, not %d", conditions[i].cond, constant,
			    conditions[i].constant);
		rules_release(rs);
		diag_free(d);
		strbuf_free(&b);
	}
}

/* ---- Patterns ---- */

static const struct {
	const char *pattern, *part;	/* part NULL: it is harmless */
	/* Text that takes too long: lead, 60 times pump, tail. */
	const char *lead, *pump, *tail;
} patterns[] = {
	{ "^(a+)+$", "(a+)+", "", "a", "!" },
	{ "(a*)*b", "(a*)*", "", "a", "!b" },
	{ "x(?:\\w+\\s?)+y", "(?:\\w+\\s?)+", "x", "a", "!y" },
	{ "(a|b+)+c", "(a|b+)+", "", "b", "!c" },
	{ "((a+))+b", "((a+))+", "", "a", "!b" },
	{ "(a{1,3})+$", "(a{1,3})+", "", "a", "!" },
	{ "(?<n>a+)+b", "(?<n>a+)+", "", "a", "!b" },
	{ "(?:[a-z0-9-]+\\.?)+\\.local$", "(?:[a-z0-9-]+\\.?)+", "", "a", "!.local" },
	{ "(\\s*\\w+)*;", "(\\s*\\w+)*", "", "a", "!;" },
	{ "(a+){2,}b", "(a+){2,}", "", "a", "!b" },
	{ .pattern = "(a+)+" },			/* nothing behind it can fail */
	{ .pattern = "(a+)+b*" },
	{ .pattern = "(\\.[a-z]+)+$" },		/* each turn begins with a dot */
	{ .pattern = "(?>a+)+b" },
	{ .pattern = "(a++)+b" },
	{ .pattern = "(a+)++b" },
	{ .pattern = "(\\w+\\b)+x" },
	{ .pattern = "([^,]+,)*$" },
	{ .pattern = "(a?)+b" },
	{ .pattern = "(foo|ba+r)+z" },
	{ .pattern = "[(a+)+]b" },
	{ .pattern = "\\(a+\\)+b" },
	{ .pattern = "(a+(?=x))+b" },
	{ .pattern = "(?R)+b(a+)+c" },		/* not understood */
	{ .pattern = "\\Q(a+)+\\Eb" },
	/* Alternatives. */
	{ "(a|a)*c", "(a|a)*", "", "a", "!c" },
	{ "(?:\\w|\\d)+;", "(?:\\w|\\d)+", "", "1", "!;" },
	{ "(a|ab|b)*c", "(a|ab|b)*", "", "ab", "!c" },
	{ "^(?:[a-z]|[A-Z]|[a-f0-9])+$", "(?:[a-z]|[A-Z]|[a-f0-9])+", "", "c", "!" },
	{ "(.|\\s)*x\\d", "(.|\\s)*", "", " ", "\n\nx" },
	{ "(?<n>ab|cd|abc|dcd|d)+e", "(?<n>ab|cd|abc|dcd|d)+", "", "abcd", "!e" },
	{ .pattern = "(a|ab)*c" },			/* alike at the start, but never in two ways */
	{ .pattern = "(a|b|[c-e])*f" },
	{ .pattern = "(?:.|\\n)*x" },
	{ .pattern = "(?:[^&]|&amp;)+;;" },
	{ .pattern = "(?>a|a)*c" },
	{ .pattern = "(a|a)*+c" },
	{ .pattern = "(a|a)*" },
	{ .pattern = "(a|a){1,5}c" },
	{ .pattern = "(a|a" },
	{ .pattern = "(?" },
	{ .pattern = "(|a)*b" },
	{ .pattern = "(?=a|a)+b" },
	{ .pattern = "(a|a\\b)*c" },
	{ .pattern = "(((((" },
	{ .pattern = "a)+b" },
	{ .pattern = "\\" },
	{ .pattern = "[" },
	{ .pattern = "(?" },
	{ "(a+)+{", "(a+)+", "", "a", "!{" },
	/* Well known for it. */
	{ "^([a-zA-Z]+)*$",
	    "([a-zA-Z]+)*", "", "a", "!" },
	{ "^(a|aa)+$",
	    "(a|aa)+", "", "a", "!" },
	{ "^(a|a?)+$",
	    "(a|a?)+", "", "a", "!" },
	{ "^(.*a){12}$",
	    "(.*a){12}", "", "a", "!" },
	{ "(x+x+)+y",
	    "(x+x+)+", "", "x", "!y" },
	{ "^(([a-z])+.)+[A-Z]([a-z])+$",
	    "(([a-z])+.)+", "", "a", "!" },
	{ "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
	    "(([\\-.]|[_]+)?([a-zA-Z0-9]+))*", "a", "a", "!@.ab" },
	{ "^(?:(?:\\w+)\\s*)+$",
	    "(?:(?:\\w+)\\s*)+", "", "a", "!" },
	{ "^\\s*(\\S+\\s*)+:$",
	    "(\\S+\\s*)+", "", "a", ":!" },
	{ "(.*,)*;$",
	    "(.*,)*", "", ",", ";!" },
	{ "^(\\d+\\.?)+@",
	    "(\\d+\\.?)+", "", "0", "!@" },
	{ "<(?:[^>]+|\"[^\"]*\")*>$",
	    "(?:[^>]+|\"[^\"]*\")*", "<", "a", ">!" },
	{ "^((\\w+)[-.]?)+@example\\.org$",
	    "((\\w+)[-.]?)+", "", "a", "!@example.org" },
	{ "^(?:[a-z0-9]+[-_]?)+\\.exe$",
	    "(?:[a-z0-9]+[-_]?)+", "", "a", "!.exe" },
	{ "(?:[01]+)+2",
	    "(?:[01]+)+", "", "0", "!2" },
	{ "(\\w+\\s*,?\\s*)+;",
	    "(\\w+\\s*,?\\s*)+", "", "a", "!;" },
	{ "^(?:\\s|[ \\t])*x",
	    "(?:\\s|[ \\t])*", "", " ", "!x" },
	{ "(?:a|b|ab)*c",
	    "(?:a|b|ab)*", "", "ab", "!c" },
	{ "^([0-9a-fA-F]{1,4}:?)+::$",
	    "([0-9a-fA-F]{1,4}:?)+", "", "a", "!::" },
	/* Quick, though they look like it. */
	{ .pattern = "^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$" },
	{ .pattern = "\\b(?:viagra|cialis|levitra)\\b" },
	{ .pattern = "^(?:re|fwd?|aw|wg): " },
	{ .pattern = "\\.(?:exe|scr|js|vbs)$" },
	{ .pattern = "^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$" },
	{ .pattern = "^([^,]+,)*[^,]+$" },
	{ .pattern = "(?:[a-z]+\\.)+[a-z]{2,6}$" },
	{ .pattern = "^\\[[0-9.]+\\]$" },
	{ .pattern = "<a\\s+href=\"[^\"]*\">" },
	{ .pattern = "^(\\w+\\.)*\\w+$" },
	{ .pattern = "^https?://[^/]+/(?:[^/]+/)*[^/]*$" },
	{ .pattern = "^(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)(?:\\.|$)){4}" },
	{ .pattern = "\"(?:[^\"\\\\]|\\\\.)*\"" },
	{ .pattern = "/\\*(?:[^*]|\\*(?!/))*\\*/" },
	{ .pattern = "^(?:[A-Z][a-z]+ )+[A-Z][a-z]+$" },
	{ .pattern = "(?:=[0-9A-F]{2})+" },
	{ .pattern = "^[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?$" },
	{ .pattern = "^(?:dyn|dhcp|pool|ppp)(?:[-.]\\d+)+" },
	{ .pattern = "(?>\\d+-)+x" },
	{ .pattern = "(?:\\r\\n|\\n|\\r)+x" },
	{ .pattern = "^(a+)+." },
	{ .pattern = "(\\w+\\s?)+\\w" },
	{ "(\\w+\\s?)+[a-z]", "(\\w+\\s?)+", "", "0", "!a" },
};

static void
test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct str p = str_of(patterns[i].pattern);
		struct strbuf pump = { 0 }, tail = { 0 };
		size_t off, n;
		bool found = pattern_explodes(p, STR(""), &off, &n, &pump, &tail);

		if (found != (patterns[i].part != NULL) || (found &&
		    !str_eq((struct str){ p.p + off, n }, str_of(patterns[i].part))))
			fail_msg("%s: %s", p.p, found ? "called slow" : "called harmless");
		strbuf_free(&pump);
		strbuf_free(&tail);
	}
}

static bool
is_slow(struct arena *a, bool verb, const char *pattern, struct str subject)
{
	struct strbuf p = { 0 }, why = { 0 };
	struct regex *re;
	bool slow, cut;
	size_t off;

	strbuf_printf(&p, verb ? "(?:%s)(*MARK:x)" : "%s", pattern);
	re = regex_compile(a, strbuf_slice(&p), STR(""), false, 100000, &off, &why);
	strbuf_free(&p);
	assert_non_null(re);
	slow = regex_match(re, subject, NULL) == REGEX_LIMIT;
	cut = regex_needed(re)->ncuts > 0;
	/* What was looked for first may have saved it; with a verb in it, nothing is known of a pattern. */
	return slow || (cut && is_slow(a, true, pattern, subject));
}

/* What is called slow is slow. */
static void
test_attacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct arena *a = arena_new(0);
		struct strbuf b = { 0 };

		if (patterns[i].part != NULL) {
			strbuf_puts(&b, patterns[i].lead);
			for (int k = 0; k < 60; k++)
				strbuf_puts(&b, patterns[i].pump);
			strbuf_puts(&b, patterns[i].tail);
			if (!is_slow(a, false, patterns[i].pattern, strbuf_slice(&b)))
				fail_msg("%s is not slow", patterns[i].pattern);
		}
		strbuf_free(&b);
		arena_free(a);
	}
}

/* ---- Times of tests ---- */

static const struct {
	const char	*text;
	bool		 good;
	time_t		 t;
} times[] = {
	{ "2026-11-22T10:00:00Z", true, 1795341600 },
	{ "2026-11-22T10:00Z", true, 1795341600 },
	{ "2026-11-22 11:00:00+01:00", true, 1795341600 },
	{ "2026-11-22 05:00-0500", true, 1795341600 },
	{ "1970-01-01T00:00:00Z", true, 0 },
	{ "2024-02-29T00:00Z", true, 1709164800 },
	{ "2026-02-29T00:00Z", false, 0 },
	{ "2026-06-31T00:00Z", false, 0 },
	{ "2026-13-01T00:00Z", false, 0 },
	{ "2026-00-01T00:00Z", false, 0 },
	{ "2026-01-01T24:00Z", false, 0 },
	{ "2026-01-01", false, 0 },
	{ "2026-01-01T10:00Zulu", false, 0 },
	{ "yesterday", false, 0 },
	{ "", false, 0 },
};

static void
test_times(void **state)
{
	time_t t;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		bool good = check_time(str_of(times[i].text), NULL, &t) == 0;

		if (good != times[i].good || (good && t != times[i].t))
			fail_msg("%s: %s, %lld", times[i].text, good ? "read" : "refused",
			    good ? (long long)t : 0);
	}
}

/* ---- Random rules ---- */

static const char *const atoms[] = {
	"spf is pass", "spf is not fail", "spf in { fail softfail }", "spf not in { pass none }",
	"spf is set", "helo is a.example", "helo in { .example b.test }", "helo is not set",
	"helo matches /a/", "helo not matches /a/", "helo contains b", "helo ends with .example",
	"sender is <>", "sender in { @a.example }", "sender is x@a.example", "sender is set",
	"sender.domain is a.example", "client.ip is 192.0.2.1", "client.ip in 192.0.2.0/30",
	"client.ip in { 192.0.2.1 192.0.2.9 }", "rcpt.count > 1", "rcpt.count <= 1",
	"rcpt.count is 2", "header[\"X\"] is one", "header[\"X\"] is not one",
	"any header[\"X\"] is two", "every header[\"X\"] is one", "header[\"X\"] is set",
	"header.count[\"X\"] > 1", "score >= 2", "score < 2", "score is 3", "matched[\"pre\"]",
	"any rcpt has ( local is bob and domain is a.example )",
	"every rcpt has ( domain in { .example } )", "any rcpt.local is bob",
	"every rcpt.local is bob",
};

static unsigned long seed;

static size_t
below(size_t n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (size_t)(seed >> 33) % n;
}

static void
random_cond(struct strbuf *b, int depth)
{
	size_t kind = depth == 0 ? 0 : below(4), n = 2 + below(2);

	if (kind < 2) {
		strbuf_puts(b, below(4) == 0 ? "not " : "");
		strbuf_puts(b, atoms[below(COUNT(atoms))]);
		return;
	}
	strbuf_puts(b, below(3) == 0 ? "not ( " : "( ");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_puts(b, kind == 2 ? " and " : " or ");
		random_cond(b, depth - 1);
	}
	strbuf_puts(b, " )");
}

static const char *
one_of(const char *const *words, size_t n)
{
	return words[below(n)];
}

static void
random_message(struct mail *m, struct given *spf)
{
	static const char *const helos[] = { "a.example", "b.test", "c.b.example", "x" };
	static const char *const senders[] = { "<>", "<x@a.example>", "<y@a.example>", "<x@b.test>" };
	static const char *const rcpts[] = { "<bob@a.example>", "<bob@b.test>", "<eve@a.example>" };
	static const char *const values[] = { " one", " two", " three" };
	struct ipaddr ip;
	char text[] = "192.0.2.0";

	text[8] = (char)('0' + below(10));
	assert_int_equal(ipaddr_parse(str_of(text), &ip), 0);
	assert_int_equal(mail_connect(m, below(5) == 0 ? NULL : &ip, STR("unknown"), 25), 0);
	if (below(5) != 0)
		assert_int_equal(mail_helo(m, str_of(one_of(helos, COUNT(helos)))), 0);
	assert_int_equal(mail_sender(m, str_of(one_of(senders, COUNT(senders))), NULL, 0, 1), 0);
	for (size_t n = 1 + below(3); n > 0; n--)
		assert_non_null(mail_rcpt(m, str_of(one_of(rcpts, COUNT(rcpts))), '+'));
	for (size_t n = below(3); n > 0; n--)
		assert_int_equal(mail_header(m, STR("X"), str_of(one_of(values, COUNT(values)))), 0);
	*spf = (struct given){ .fact = fact_find(STR("spf")), .key = STR("") };
	spf->value.n = (int64_t)below(7);
	m->given = spf;
	m->ngiven = below(6) == 0 ? 0 : 1;
}

/* Which rule takes a random message? */
static int
taken_by(const struct ruleset *rs)
{
	struct rules_state *st;
	const struct plan *plan;
	struct given spf;
	struct mail m;
	int rule;

	assert_int_equal(mail_init(&m, NULL, NULL), 0);
	random_message(&m, &spf);
	assert_non_null(st = rules_start(rs, &m));
	assert_non_null(plan = rules_advance(st, S_MESSAGE));
	rule = plan->rule;
	mail_free(&m);
	return rule;
}

static void
note_unreached(void *arg, enum severity severity, struct str line)
{
	(void)severity;
	if (str_find(line, STR("'second' can never be reached")) >= 0 ||
	    str_find(line, STR("'second' and")) >= 0)
		*(bool *)arg = true;
}

static void
test_random_rules(void **state)
{
	int constants = 0, unreached = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct strbuf b = { 0 };
		struct diag *d = diag_new();
		struct ruleset *rs;
		const struct rule *r;
		bool dead = false;
		int first, second;

		seed = (unsigned long)i;
		strbuf_puts(&b, "rule pre\n  if helo contains b\n  then score +3\nrule first\n  if ");
		random_cond(&b, 2);
		strbuf_puts(&b, "\n  then reject \"1\"\nrule second\n  if ");
		random_cond(&b, 2);
		strbuf_puts(&b, "\n  then reject \"2\"\n");
		rs = load(strbuf_slice(&b), d);
		r = rules_ast(rs)->rules->next;
		first = r->cond->constant;
		second = r->next->cond->constant;
		diag_each(d, note_unreached, &dead);
		constants += first != 0;
		unreached += dead;
		for (int k = 0; k < MESSAGES; k++) {
			int by = taken_by(rs);

			if ((first == 1 && by != 1) || (first == -1 && by == 1) ||
			    (second == -1 && by == 2) || (second == 1 && by == -1) ||
			    (dead && by == 2))
				fail_msg("seed %d: constants %d %d, %s, but rule %d\n%.*s", i,
				    first, second, dead ? "dead" : "alive", by, (int)b.n, b.p);
		}
		rules_release(rs);
		diag_free(d);
		strbuf_free(&b);
	}
	/* Otherwise this test shows nothing. */
	assert_true(constants > ROUNDS / 50);
	assert_true(unreached > ROUNDS / 100);
}

/* ---- Files that are too much to reason about ---- */

/* Rules whose sets are so long that the reasoner gives up after some hundred. */
static void
long_sets(struct strbuf *b)
{
	strbuf_puts(b, "rule top\n  if spf is temperror\n  then tempfail \"later\"\n");
	for (int i = 0; i < 600; i++) {
		strbuf_printf(b, "rule r%d\n  if spf is not pass and helo in {", i);
		for (int k = 0; k < 200; k++)
			strbuf_printf(b, " h%d.example", i * 200 + k);
		strbuf_puts(b, " }\n  then reject \"no\"\n");
	}
}

/* Each rule is excluded by all that stand above and are known later. */
static void
many_pairs(struct strbuf *b)
{
	for (int i = 0; i < 700; i++)
		strbuf_printf(b, "rule a%d\n  if from.domain is f%d.example and client.ip not in 10.0.0.0/8\n"
		    "  then accept\nrule r%d\n  if client.ip is 10.0.%d.%d\n  then reject \"no\"\n",
		    i, i, i, i / 256, i % 256);
}

/* The last of them takes all that the rule below would. */
static void
many_signatures(struct strbuf *b)
{
	for (int i = 0; i < 20; i++)
		strbuf_printf(b, "rule s%d\n  if any dkim.signature has ( result is temperror and domain is "
		    "d%d.example )\n  then log \"x\"\n", i, i);
	strbuf_puts(b, "rule all\n  if any dkim.signature has ( result is temperror )\n  then accept\n"
	    "rule below\n  if dkim.signature.result is not pass\n  then reject \"no\"\n");
}

static void
count_line(void *arg, enum severity severity, struct str line)
{
	(void)severity;
	(void)line;
	++*(int *)arg;
}

/* What can't be found out isn't said. */
static void
test_too_much(void **state)
{
	static void (*const make[])(struct strbuf *) = { long_sets, many_pairs, many_signatures };

	(void)state;
	for (size_t i = 0; i < COUNT(make); i++) {
		struct strbuf b = { 0 };
		struct diag *d = diag_new();
		struct ruleset *rs;
		int said = 0;

		make[i](&b);
		rs = load(strbuf_slice(&b), d);
		diag_each(d, count_line, &said);
		if (said > 0) {
			diag_print(d, stderr, false);
			fail_msg("file %zu: %d warnings", i, said);
		}
		rules_release(rs);
		diag_free(d);
		strbuf_free(&b);
	}
}

static void
count_meant(void *arg, enum severity severity, struct str line)
{
	(void)severity;
	*(int *)arg += str_find(line, STR("did you mean 'known'?")) >= 0;
}

/* Not each of ten thousand wrong names is held against ten thousand right ones. */
static void
test_too_many_names(void **state)
{
	struct strbuf b = { 0 };
	struct diag *d = diag_new();
	int meant = 0;

	(void)state;
	strbuf_puts(&b, "rule known\n  if helo is x\n  then log \"x\"\n");
	for (int i = 0; i < 150; i++)
		strbuf_printf(&b, "rule r%d\n  if matched[\"knwon\"]\n  then log \"x\"\n", i);
	assert_null(rules_load_text(STR("rules"), strbuf_slice(&b), "", d));
	assert_int_equal(diag_errors(d), 150);
	diag_each(d, count_meant, &meant);
	assert_int_equal(meant, 100);
	diag_free(d);
	strbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_random_rules),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_too_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
