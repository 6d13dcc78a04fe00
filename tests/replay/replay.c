/*
 * replay.c - whole SMTP sessions, written down with what must be said at each
 * step, played to the code that judges mail.
 *
 *	build/tests/replay/replay FILE...
 *
 * A file has the rules and, if lookups are made, a zone, each indented below
 * its word; then a step a line.  `=>` is what must be said: nothing more than
 * `go on` for 250, or a verdict with its code and the rule that gave it.
 *
 *	rules
 *	    rule x
 *	        if subject contains "x" then reject 554 "no"
 *	connect 192.0.2.1
 *	helo mail.example
 *	mail <a@s.example>		=> go on
 *	rcpt <bob@r.example>		=> go on
 *	data				=> go on
 *	header Subject: x
 *	body text
 *	end				=> reject 554 by x
 *	told no				(a line of the reply to that step, or the reason to hold)
 *	change append X-Tag: yes	(after end: each change, in order)
 *	changes				(and no more)
 *	note would shadow		(what the log is given, by which rule)
 *	score 5
 *
 * More steps: name (verified, before connect), auth, macro NAME VALUE, rset, nosmtp,
 * close (another connection follows), later SECONDS (before mail); the store is empty
 * at first, and in memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/session.h"
#include "filter/store.h"
#include "filter/suffixes.h"
#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"

struct player {
	const char	*file;
	int		 line;
	struct services	 sv;
	struct suffixes	*suffixes;
	struct ruleset	*rs;
	struct session	*s;
	struct arena	*a;
	const struct plan *last;
	const struct change *changes;
	size_t		 nchanges, next_change;
	struct str	 name;
	bool		 nosmtp, headers_ended, failed;
};

static void
fail(struct player *p, const char *expected, const char *got)
{
	printf("# %s:%d: expected '%s', got '%s'\n", p->file, p->line, expected, got);
	p->failed = true;
}

static struct str
rule_name(const struct player *p, int index)
{
	const struct rule *r = rules_ast(p->rs)->rules;

	while (r != NULL && r->index != index)
		r = r->next;
	return r != NULL ? r->name.text : STR("default");
}

static void
expect(struct player *p, const struct plan *plan, const char *want)
{
	struct strbuf b = { 0 };

	p->last = plan;
	if (want == NULL)
		return;
	if (plan == NULL)
		strbuf_puts(&b, "out of memory");
	else if (plan->verdict == V_NONE)
		strbuf_puts(&b, "go on");
	else {
		strbuf_puts(&b, verdict_name(plan->verdict));
		if (plan->reply.code != 0)
			strbuf_printf(&b, " %d", plan->reply.code);
		strbuf_printf(&b, " by " STR_FMT, STR_ARG(rule_name(p, plan->rule)));
		if (plan->on_error)
			strbuf_puts(&b, " on-error");
		if (plan->monitor)
			strbuf_puts(&b, " monitor");
	}
	if (strcmp(b.p, want) != 0)
		fail(p, want, b.p);
	strbuf_free(&b);
}

static void
expect_told(struct player *p, const char *want)
{
	for (size_t i = 0; p->last != NULL && i < p->last->reply.nlines; i++)
		if (str_eq(p->last->reply.lines[i], str_of(want)))
			return;
	if (p->last == NULL || !str_eq(p->last->reason, str_of(want)))
		fail(p, want, "another text");
}

static void
expect_change(struct player *p, const char *want)
{
	static const char *const words[] = {
		"field", "append", "insert", "add-rcpt", "remove-rcpt", "sender"
	};
	struct strbuf b = { 0 };
	const struct change *c;

	if (p->next_change >= p->nchanges) {
		fail(p, want, "no further change");
		return;
	}
	c = &p->changes[p->next_change++];
	if (c->kind == CHANGE_FIELD && c->value.p == NULL)
		strbuf_printf(&b, "remove " STR_FMT " %d", STR_ARG(c->name), c->index);
	else if (c->kind == CHANGE_FIELD)
		strbuf_printf(&b, "field " STR_FMT " %d: " STR_FMT, STR_ARG(c->name), c->index,
		    STR_ARG(c->value));
	else if (c->name.p != NULL)
		strbuf_printf(&b, "%s " STR_FMT ": " STR_FMT, words[c->kind], STR_ARG(c->name),
		    STR_ARG(c->value));
	else
		strbuf_printf(&b, "%s " STR_FMT, words[c->kind], STR_ARG(c->value));
	for (size_t i = 0; i < b.n; i++)	/* folded, it still is one line here */
		if (b.p[i] == '\n' || b.p[i] == '\t')
			b.p[i] = ' ';
	if (strcmp(b.p, want) != 0)
		fail(p, want, b.p);
	strbuf_free(&b);
}

/* "would RULE", "log RULE", "error RULE": what the log was given, and not as not asked. */
static void
expect_note(struct player *p, const char *want)
{
	static const char *const words[] = {
		[NOTE_LOG] = "log", [NOTE_WOULD] = "would", [NOTE_ERROR] = "error"
	};
	char note[256];

	for (size_t i = 0; p->last != NULL && i < p->last->nnotes; i++) {
		const struct note *n = &p->last->notes[i];

		snprintf(note, sizeof(note), "%s " STR_FMT "%s", words[n->kind],
		    STR_ARG(rule_name(p, n->rule)), n->not_asked ? " not-asked" : "");
		if (strcmp(note, want) == 0)
			return;
	}
	fail(p, want, "no such note");
}

static void
end(struct player *p, const char *want)
{
	if (!p->headers_ended && session_end_headers(p->s) == NULL)
		fail(p, "go on", "out of memory");
	expect(p, session_end(p->s), want);
	p->changes = NULL;
	p->nchanges = p->next_change = 0;
	if (p->last != NULL && (p->last->verdict == V_ACCEPT || p->last->verdict == V_QUARANTINE))
		p->changes = session_changes(p->s, p->last, &p->nchanges);
}

static void
step(struct player *p, const char *verb, char *arg, const char *want)
{
	struct mail *m = session_mail_model(p->s);
	struct str s = str_of(arg);
	char *value;

	if (strcmp(verb, "name") == 0)
		p->name = str_dup(p->a, s);
	else if (strcmp(verb, "nosmtp") == 0)
		p->nosmtp = true;
	else if (strcmp(verb, "close") == 0) {
		session_free(p->s);
		if ((p->s = session_new(p->rs, &p->sv)) == NULL)
			abort();
	}
	else if (strcmp(verb, "connect") == 0) {
		struct ipaddr ip;
		bool has = ipaddr_parse(s, &ip) == 0;

		expect(p, session_connect(p->s, has ? &ip : NULL, p->name, 2525, !p->nosmtp), want);
	} else if (strcmp(verb, "helo") == 0)
		session_helo(p->s, s);
	else if (strcmp(verb, "auth") == 0)
		mail_macro(m, STR("auth_authen"), s);
	else if (strcmp(verb, "macro") == 0) {
		value = strchr(arg, ' ');
		*value++ = '\0';
		mail_macro(m, str_of(arg), str_of(value));
	} else if (strcmp(verb, "mail") == 0) {
		p->headers_ended = false;
		expect(p, session_sender(p->s, s, NULL, 0), want);
	} else if (strcmp(verb, "rcpt") == 0)
		expect(p, session_rcpt(p->s, s, NULL), want);
	else if (strcmp(verb, "data") == 0)
		expect(p, session_data(p->s), want);
	else if (strcmp(verb, "header") == 0) {
		if ((value = strchr(arg, ':')) == NULL)
			fail(p, "NAME: VALUE", arg);
		else
			session_header(p->s, (struct str){ arg, (size_t)(value - arg) }, str_of(value + 1));
	} else if (strcmp(verb, "eoh") == 0) {
		p->headers_ended = true;
		expect(p, session_end_headers(p->s), want);
	} else if (strcmp(verb, "body") == 0) {
		if (!p->headers_ended)
			session_end_headers(p->s);
		p->headers_ended = true;
		session_body(p->s, str_printf(p->a, "%s\r\n", arg));
	} else if (strcmp(verb, "end") == 0)
		end(p, want);
	else if (strcmp(verb, "change") == 0)
		expect_change(p, arg);
	else if (strcmp(verb, "told") == 0)
		expect_told(p, arg);
	else if (strcmp(verb, "note") == 0)
		expect_note(p, arg);
	else if (strcmp(verb, "score") == 0) {
		if (p->last == NULL || p->last->score != atoi(arg))
			fail(p, arg, "another score");
	} else if (strcmp(verb, "changes") == 0) {
		if (p->next_change != p->nchanges)
			fail(p, "no further change", "more");
	} else if (strcmp(verb, "rset") == 0)
		session_end_message(p->s);
	else if (strcmp(verb, "later") == 0)
		p->sv.now += atol(arg);
	else
		fail(p, "a step", verb);
}

static char *
trim(char *s)
{
	size_t n;

	while (*s == ' ' || *s == '\t')
		s++;
	for (n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL; n--)
		s[n - 1] = '\0';
	return s;
}

/* The indented lines after a word, less their first four blanks. */
static bool
read_block(FILE *f, struct player *p, struct strbuf *out, char *line, size_t size)
{
	while (fgets(line, (int)size, f) != NULL) {
		p->line++;
		if (strncmp(line, "    ", 4) == 0)
			strbuf_puts(out, line + 4);
		else if (*trim(line) != '\0' && line[0] != '#')
			return true;
		else
			strbuf_putc(out, '\n');
	}
	return false;
}

static bool
load(struct player *p, struct strbuf *rules, struct strbuf *zone)
{
	struct diag *d = diag_new();
	struct strbuf why = { 0 };

	p->rs = rules_load_text(str_of(p->file), strbuf_slice(rules), ".", d);
	if (p->rs == NULL)
		diag_print(d, stdout, false);
	diag_free(d);
	p->sv.resolver = resolver_zone_text(zone->p != NULL ? strbuf_slice(zone) : STR(""), &why);
	if (p->sv.resolver == NULL)
		printf("# %s: zone: %s\n", p->file, why.p);
	if (p->rs != NULL && suffixes_open(rules_settings(p->rs), rules_needs(p->rs)->facts, &p->suffixes, &why) == -1)
		printf("# %s: %s\n", p->file, why.p);
	p->sv.suffixes = p->suffixes;
	if (p->rs != NULL)
		p->sv.dmarc = dmarc_engine_new((enum dmarc_spec)rules_settings(p->rs)->dmarc, p->sv.suffixes);
	p->sv.hostname = STR("mx.example.org");
	p->sv.now = 1780000000;
	p->sv.store = store_open(STR("memory"), 1000, NULL, &why);
	strbuf_free(&why);
	return p->rs != NULL && p->sv.store != NULL && p->sv.resolver != NULL && p->sv.dmarc != NULL &&
	    (p->s = session_new(p->rs, &p->sv)) != NULL;
}

static bool
play(const char *file, struct player *p)
{
	FILE *f = fopen(file, "r");
	struct strbuf rules = { 0 }, zone = { 0 };
	char line[4096];
	bool more;

	if (f == NULL) {
		printf("# %s: %s\n", file, strerror(errno));
		return false;
	}
	while ((more = fgets(line, sizeof(line), f) != NULL)) {
		p->line++;
		if (*trim(line) == '\0' || line[0] == '#')
			continue;
again:
		if (strncmp(line, "rules", 5) == 0 && (more = read_block(f, p, &rules, line, sizeof(line))))
			goto again;
		if (strncmp(line, "zone", 4) == 0 && (more = read_block(f, p, &zone, line, sizeof(line))))
			goto again;
		break;
	}
	if (!more || !load(p, &rules, &zone))
		p->failed = true;
	while (!p->failed && more) {
		char *verb = trim(line), *arg, *want = strstr(verb, "=>");

		if (want != NULL) {
			*want = '\0';
			want = trim(want + 2);
			trim(verb);
		}
		arg = verb + strcspn(verb, " \t");
		if (*arg != '\0')
			*arg++ = '\0';
		if (*verb != '\0' && *verb != '#')
			step(p, verb, strcmp(verb, "header") == 0 ? arg : trim(arg), want);
		more = fgets(line, sizeof(line), f) != NULL;
		p->line++;
	}
	fclose(f);
	strbuf_free(&rules);
	strbuf_free(&zone);
	return !p->failed;
}

int
main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		struct player p = { .file = argv[i], .a = arena_new(0), .name = STR_NONE };
		bool ok;

		p.sv.spf = spf_engine_new();
		p.sv.dkim = dkim_engine_new(0);
		ok = play(argv[i], &p);
		printf("%s %d - %s\n", ok ? "ok" : "not ok", i, argv[i]);
		bad += !ok;
		session_free(p.s);
		store_close(p.sv.store);
		rules_release(p.rs);
		resolver_free(p.sv.resolver);
		spf_engine_free(p.sv.spf);
		dkim_engine_free(p.sv.dkim);
		dmarc_engine_free((struct dmarc_engine *)(uintptr_t)p.sv.dmarc);
		suffixes_free(p.suffixes);
		arena_free(p.a);
	}
	printf("1..%d\n", argc - 1);
	return bad > 0;
}
