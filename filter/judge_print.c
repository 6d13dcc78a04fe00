/*
 * judge_print.c - how `postern judge` shows what came of a message to people.
 */
#include "filter/judge.h"

#include <stdio.h>

#include "rules/ast.h"

/* Text from mail must not speak to the terminal. */
static void
put(struct str s)
{
	for (size_t i = 0; i < s.n; ) {
		size_t n = utf8_len((struct str){ s.p + i, s.n - i });
		unsigned char c = (unsigned char)s.p[i];

		if (n == 0 || (n == 1 && (c < ' ' || c == 0x7f)) ||
		    (n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)) {
			putchar('?');
			i += n > 0 ? n : 1;
			continue;
		}
		fwrite(s.p + i, 1, n, stdout);
		i += n;
	}
}

struct str
judge_rule(const struct ruleset *rs, int index)
{
	const struct rule *r = rules_ast(rs)->rules;

	if (index < 0)
		return STR_NONE;
	while (r != NULL && r->index != index)
		r = r->next;
	return r != NULL ? r->name.text : STR_NONE;
}

struct answer_given
judge_answer(const struct outcome *o, const struct rcpt_outcome *rc)
{
	struct answer_given a = {
		o->plan.verdict, o->plan.rule, o->plan.stage, &o->plan.reply
	};
	const struct rcpt_verdict *own;

	if (rc == NULL)
		return a;
	if (rc->verdict == V_REJECT || rc->verdict == V_TEMPFAIL ||
	    rc->verdict == V_SPLIT)
		return (struct answer_given){ rc->verdict, rc->rule, S_RCPT, &rc->reply };
	own = rules_rcpt_verdict(session_rules(o->session), rc->rcpt);
	if (own != NULL && own->verdict == V_DISCARD && !o->early)
		return (struct answer_given){ V_DISCARD, own->rule, own->stage, &own->reply };
	return a;
}

const struct dkim_answer *
judge_signatures(const struct judged *j)
{
	struct session *s = j->outcome->session;
	struct mail *m = session_mail_model(s);

	m->may_wait = false;
	return (session_lookups(s) & F_DKIM) != 0 ? m->ops->dkim(m) : NULL;
}

static const char *
colour_of(enum verdict v)
{
	switch (v) {
	case V_REJECT:
		return "\033[31m";
	case V_TEMPFAIL:
	case V_SPLIT:
	case V_QUARANTINE:
	case V_DISCARD:
		return "\033[33m";
	default:
		return "\033[32m";
	}
}

static bool
has_reply(const struct answer_given *a)
{
	return a->reply->nlines > 0 && (a->verdict == V_REJECT ||
	    a->verdict == V_TEMPFAIL || a->verdict == V_SPLIT);
}

/* "reject 550 5.7.1 Text by RULE at STAGE" */
static void
put_answer(const struct judged *j, const struct answer_given *a, bool text,
    bool colour)
{
	struct str rule = judge_rule(j->rules, a->rule);

	printf("%s%s%s", colour ? colour_of(a->verdict) : "",
	    a->verdict == V_NONE ? "accept" : verdict_name(a->verdict),
	    colour ? "\033[0m" : "");
	if (has_reply(a)) {
		printf(" %d " STR_FMT, a->reply->code, STR_ARG(a->reply->enhanced));
		for (size_t i = 0; text && i < a->reply->nlines; i++) {
			printf("%s", i > 0 ? " / " : " \"");
			put(a->reply->lines[i]);
		}
		printf("%s", text ? "\"" : "");
	}
	if (a->verdict == V_QUARANTINE && text && j->outcome->plan.reason.n > 0) {
		printf(" \"");
		put(j->outcome->plan.reason);
		printf("\"");
	}
	if (rule.p != NULL)
		printf(" by " STR_FMT " at %s", STR_ARG(rule), stage_name(a->stage));
	else
		printf(" since no rule says otherwise");
}

/* " by RULE, RULE": those behind the change, each once. */
static bool
put_authors(const struct judged *j, const struct change *c, bool print)
{
	const struct plan *p = &j->outcome->plan;
	int last = -1;

	for (size_t i = 0; i < p->nedits; i++) {
		if (!judge_change_of(c, &p->edits[i]) || p->edits[i].rule == last)
			continue;
		if (print) {
			printf("%s", last == -1 ? " by " : ", ");
			put(judge_rule(j->rules, p->edits[i].rule));
		}
		last = p->edits[i].rule;
	}
	return last != -1;
}

static void
put_change(const struct judged *j, const struct change *c)
{
	struct strbuf value = { 0 };
	bool field = c->kind <= CHANGE_INSERT;

	printf("  %s ", judge_change_name(c));
	put(c->name);
	if (c->kind == CHANGE_FIELD && c->index > 1)
		printf("[%d]", c->index);
	if (c->value.p != NULL) {
		judge_unfold(c->value, &value);
		printf("%s", field ? " \"" : "");
		put(strbuf_slice(&value));
		printf("%s", field ? "\"" : "");
		strbuf_free(&value);
	}
	if (c->kind == CHANGE_INSERT)
		printf(" on top");
	put_authors(j, c, true);
	putchar('\n');
}

/* What postern does by itself (Authentication-Results) only with all. */
static void
put_changes(const struct judged *j, bool all)
{
	const struct plan *p = &j->outcome->plan;
	const struct change *c;
	size_t n;

	c = judge_changes(j, &n);
	for (size_t i = 0; i < n; i++)
		if (all || put_authors(j, &c[i], false))
			put_change(j, &c[i]);
	for (size_t i = 0; p->monitor && i < p->nedits; i++) {
		printf("  would %s ", edit_name(p->edits[i].kind));
		if (p->edits[i].kind == EDIT_TAG_SUBJECT || p->edits[i].kind >= EDIT_ADD_RCPT)
			put(p->edits[i].value);
		else
			put(p->edits[i].name);
		printf(" by ");
		put(judge_rule(j->rules, p->edits[i].rule));
		putchar('\n');
	}
}

static void
put_notes(const struct judged *j)
{
	const struct plan *p = &j->outcome->plan;

	for (size_t i = 0; i < p->nnotes; i++) {
		const struct note *n = &p->notes[i];

		printf("  %s ", n->kind == NOTE_LOG ? "log" :
		    n->kind == NOTE_WOULD ? "would" : "error in");
		put(judge_rule(j->rules, n->rule));
		printf(": ");
		put(n->text);
		printf("%s\n", n->not_asked ? " (not asked: the reply came before)" : "");
	}
}

static void
put_trace(const struct judged *j, struct recipient *r, bool colour)
{
	static const struct { const char *word, *colour; } outcomes[] = {
		[TRACE_TRUE] = { "true", "\033[32m" },
		[TRACE_FALSE] = { "false", "" },
		[TRACE_ERROR] = { "error", "\033[31m" },
		[TRACE_PENDING] = { "pending", "\033[33m" },
		[TRACE_NOT_ASKED] = { "not asked", "\033[2m" },
	};
	struct rules_state *st = session_rules(j->outcome->session);
	const struct trace_line *t;
	int width = 0;
	size_t n = 0;

	if (st == NULL || (t = rules_trace(st, r, &n)) == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if ((int)utf8_count(t[i].rule->name.text) > width)
			width = (int)utf8_count(t[i].rule->name.text);
	for (size_t i = 0; i < n; i++) {
		bool asked = t[i].outcome != TRACE_NOT_ASKED &&
		    t[i].outcome != TRACE_PENDING;

		printf("  " STR_FMT "%*s  %s%-9s%s  %-8s  ",
		    STR_ARG(t[i].rule->name.text),
		    width - (int)utf8_count(t[i].rule->name.text), "",
		    colour ? outcomes[t[i].outcome].colour : "",
		    outcomes[t[i].outcome].word, colour ? "\033[0m" : "",
		    asked ? stage_name(t[i].stage) : "");
		put(t[i].why);
		putchar('\n');
	}
}

void
judge_print_line(const struct judged *j, bool colour)
{
	const struct outcome *o = j->outcome;
	struct answer_given a = judge_answer(o, NULL);

	/* Nobody was left: what the first of them heard. */
	if (o->nobody && o->nrcpts > 0)
		a = judge_answer(o, &o->rcpts[0]);
	printf("%s: ", j->file);
	put_answer(j, &a, true, colour);
	putchar('\n');
}

static void
put_rcpt_answers(const struct judged *j, bool colour)
{
	const struct outcome *o = j->outcome;

	for (size_t i = 0; i < o->nrcpts; i++) {
		struct answer_given a = judge_answer(o, &o->rcpts[i]);

		if (o->rcpts[i].rcpt->path.n == 0)	/* none was named */
			continue;
		printf("  ");
		put(o->rcpts[i].rcpt->path);
		printf(": ");
		put_answer(j, &a, true, colour);
		putchar('\n');
	}
}

static void
put_parts(const char *what, const struct part_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s", i == 0 ? what : ",", type_of(T_PART)->words[l->v[i].n]);
}

/* "  DKIM  pass  d=example.org s=x a=rsa-sha256 2048 bits unsigned=from,body", from the top. */
static void
put_signatures(const struct judged *j)
{
	const struct dkim_answer *a = judge_signatures(j);

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct dkim_signature *s = &a->sig[i];

		printf("%s  DKIM  %-9s  d=", i == 0 ? "\n" : "", type_of(T_DKIM)->words[s->result]);
		put(s->domain);
		printf(" s=");
		put(s->selector);
		printf(" a=");
		put(s->algorithm);
		if (s->bits > 0)
			printf(" %d bits", s->bits);
		put_parts(" unsigned=", &s->unsigned_parts);
		put_parts(" oversigned=", &s->oversigned);
		if (s->reason.n > 0) {
			printf(" (");
			put(s->reason);
			putchar(')');
		}
		putchar('\n');
	}
}

/* "  dnsbl  bl.example.org  127.0.0.2", "not listed", or "error", and why. */
static void
put_lists(const struct judged *j)
{
	const struct dnsbl *first = session_dnsbls(j->outcome->session);

	for (const struct dnsbl *l = first; l != NULL; l = l->next) {
		struct strbuf codes = { 0 };

		for (size_t i = 0; i < l->answer.n; i++) {
			strbuf_puts(&codes, i > 0 ? "," : "");
			ipaddr_print(&l->answer.codes[i].ip, &codes);
		}
		printf("%s  %s  ", l == first ? "\n" : "", judge_list_kind(l));
		put(l->zone);
		printf("  ");
		if (!l->done)
			printf("not asked to the end");
		else if (l->answer.failed)
			printf("error");
		else
			put(l->answer.n > 0 ? strbuf_slice(&codes) : STR("not listed"));
		if (l->answer.reason.n > 0) {
			printf(" (");
			put(l->answer.reason);
			putchar(')');
		}
		putchar('\n');
		strbuf_free(&codes);
	}
}

/* "  TXT  example.org  ok  12 ms", in the order of asking. */
static void
put_lookups(const struct judged *j, bool colour)
{
	struct dns_lookup l;
	int width = 0;

	for (size_t i = 0; resolver_traced(j->resolver, i, &l); i++)
		if ((int)l.name.n > width && l.name.n <= 60)
			width = (int)l.name.n;
	for (size_t i = 0; resolver_traced(j->resolver, i, &l); i++) {
		bool bad = l.answer != NULL && (l.answer->status == DNS_SERVFAIL ||
		    l.answer->status == DNS_TIMEOUT);

		printf("%s  %-5s ", i == 0 ? "\n" : "", dns_type_name(l.type));
		put(l.name);
		printf("%*s  %s%-8s%s  ", l.name.n < (size_t)width ?
		    width - (int)l.name.n : 0, "", colour && bad ? "\033[31m" : "",
		    l.answer == NULL ? "unneeded" : dns_status_name(l.answer->status),
		    colour && bad ? "\033[0m" : "");
		if (l.cached)
			printf("known\n");
		else
			printf("%lld ms\n", (long long)l.took);
	}
}

/* A message alone has no envelope, and what rules say of one is easily mistaken. */
static void
put_not_given(const struct judged *j)
{
	const struct script *sc = j->script;
	const struct { const char *option; bool given; } v[] = {
		{ "--client", sc->has_ip }, { "--helo", sc->helo.p != NULL },
		{ "--sender", sc->has_sender }, { "--rcpt", sc->rcpts.n > 0 },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (!v[i].given) {
			printf("%s%s", any ? ", " : "  (not given: ", v[i].option);
			any = true;
		}
	if (any)
		printf("%s)\n", sc->has_sender ? "" : "; the sender is <>");
}

void
judge_print(const struct judged *j, bool trace, bool colour)
{
	const struct outcome *o = j->outcome;

	judge_print_line(j, colour);
	if (j->hints)
		put_not_given(j);
	put_rcpt_answers(j, colour);
	if (o->plan.monitor)
		printf("  (mode monitor: the mail would pass unchanged)\n");
	if (o->plan.has_score)
		printf("  score %lld\n", (long long)o->plan.score);
	put_changes(j, trace);
	put_notes(j);
	if (!trace)
		return;
	if (o->nrcpts == 0) {
		printf("\n");
		put_trace(j, NULL, colour);
	}
	for (size_t i = 0; i < o->nrcpts; i++) {
		printf("\n");
		if (o->nrcpts > 1) {
			put(o->rcpts[i].rcpt->path);
			printf("\n");
		}
		put_trace(j, o->rcpts[i].rcpt, colour);
	}
	put_signatures(j);
	put_lists(j);
	put_lookups(j, colour);
}
