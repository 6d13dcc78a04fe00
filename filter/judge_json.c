/*
 * judge_json.c - what came of a message, for programs: one JSON object on a line.
 */
#include "filter/judge.h"

#include <stdio.h>

#include "rules/ast.h"

static void
key(struct strbuf *b, const char *name)
{
	strbuf_printf(b, "%s\"%s\":", b->n > 0 && b->p[b->n - 1] != '{' ? "," : "", name);
}

/* A string, or null. */
static void
text(struct strbuf *b, const char *name, struct str s)
{
	key(b, name);
	if (s.p != NULL)
		strbuf_json(b, s);
	else
		strbuf_puts(b, "null");
}

static void
put_answer(struct strbuf *b, const struct judged *j, const struct answer_given *a)
{
	text(b, "verdict", str_of(a->verdict == V_NONE ? "accept" : verdict_name(a->verdict)));
	if (a->reply->code != 0) {
		key(b, "code");
		strbuf_printf(b, "%d", a->reply->code);
		text(b, "enhanced", a->reply->enhanced);
		key(b, "reply");
		strbuf_puts(b, "[");
		for (size_t i = 0; i < a->reply->nlines; i++) {
			strbuf_puts(b, i > 0 ? "," : "");
			strbuf_json(b, a->reply->lines[i]);
		}
		strbuf_puts(b, "]");
	}
	text(b, "rule", judge_rule(j->rules, a->rule));
	text(b, "stage", str_of(stage_name(a->stage)));
}

static void
put_trace(struct strbuf *b, const struct judged *j, struct recipient *r)
{
	static const char *const outcomes[] = {
		[TRACE_TRUE] = "true", [TRACE_FALSE] = "false",
		[TRACE_ERROR] = "error", [TRACE_PENDING] = "pending",
		[TRACE_NOT_ASKED] = "not asked",
	};
	struct rules_state *st = session_rules(j->outcome->session);
	const struct trace_line *t = NULL;
	size_t n = 0;

	if (st != NULL)
		t = rules_trace(st, r, &n);
	key(b, "trace");
	strbuf_puts(b, "[");
	for (size_t i = 0; t != NULL && i < n; i++) {
		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "rule", t[i].rule->name.text);
		text(b, "outcome", str_of(outcomes[t[i].outcome]));
		text(b, "stage", str_of(stage_name(t[i].stage)));
		text(b, "why", t[i].why);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static void
put_rcpts(struct strbuf *b, const struct judged *j, bool trace)
{
	const struct outcome *o = j->outcome;

	key(b, "recipients");
	strbuf_puts(b, "[");
	for (size_t i = 0; i < o->nrcpts; i++) {
		struct answer_given a = judge_answer(o, &o->rcpts[i]);

		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "rcpt", o->rcpts[i].rcpt->path);
		put_answer(b, j, &a);
		if (trace)
			put_trace(b, j, o->rcpts[i].rcpt);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

/* What the rules ask for. */
static void
put_edits(struct strbuf *b, const struct judged *j)
{
	const struct plan *p = &j->outcome->plan;

	key(b, "edits");
	strbuf_puts(b, "[");
	for (size_t i = 0; i < p->nedits; i++) {
		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "edit", str_of(edit_name(p->edits[i].kind)));
		text(b, "name", p->edits[i].name);
		text(b, "value", p->edits[i].value);
		text(b, "rule", judge_rule(j->rules, p->edits[i].rule));
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

/* What comes of it, and what postern does by itself. */
static void
put_changes(struct strbuf *b, const struct judged *j)
{
	const struct change *c;
	size_t n;

	c = judge_changes(j, &n);
	key(b, "changes");
	strbuf_puts(b, "[");
	for (size_t i = 0; i < n; i++) {
		struct strbuf value = { 0 };

		judge_unfold(c[i].value, &value);
		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "change", str_of(judge_change_name(&c[i])));
		text(b, "name", c[i].name);
		text(b, "value", c[i].value.p != NULL ? strbuf_slice(&value) : STR_NONE);
		key(b, "index");
		strbuf_printf(b, "%d}", c[i].index);
		b->failed |= value.failed;
		strbuf_free(&value);
	}
	strbuf_puts(b, "]");
}

static void
put_notes(struct strbuf *b, const struct judged *j)
{
	static const char *const kinds[] = {
		[NOTE_LOG] = "log", [NOTE_WOULD] = "would", [NOTE_ERROR] = "error",
	};
	const struct plan *p = &j->outcome->plan;

	key(b, "notes");
	strbuf_puts(b, "[");
	for (size_t i = 0; i < p->nnotes; i++) {
		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "kind", str_of(kinds[p->notes[i].kind]));
		text(b, "rule", judge_rule(j->rules, p->notes[i].rule));
		text(b, "text", p->notes[i].text);
		key(b, "asked");
		strbuf_puts(b, p->notes[i].not_asked ? "false}" : "true}");
	}
	strbuf_puts(b, "]");
}

static void
put_parts(struct strbuf *b, const char *name, const struct part_list *l)
{
	key(b, name);
	strbuf_puts(b, "[");
	for (size_t i = 0; i < l->n; i++)
		strbuf_printf(b, "%s\"%s\"", i > 0 ? "," : "", type_of(T_PART)->words[l->v[i].n]);
	strbuf_puts(b, "]");
}

static void
put_signatures(struct strbuf *b, const struct dkim_answer *a)
{
	key(b, "signatures");
	strbuf_puts(b, "[");
	for (size_t i = 0; i < a->n; i++) {
		const struct dkim_signature *s = &a->sig[i];

		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "result", str_of(type_of(T_DKIM)->words[s->result]));
		text(b, "domain", s->domain);
		text(b, "selector", s->selector);
		text(b, "algorithm", s->algorithm);
		key(b, "bits");
		strbuf_printf(b, "%d", s->bits);
		put_parts(b, "unsigned", &s->unsigned_parts);
		put_parts(b, "oversigned", &s->oversigned);
		text(b, "reason", s->reason);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

/* What lists in the DNS said, and why one is in error. */
static void
put_lists(struct strbuf *b, const struct judged *j)
{
	const struct dnsbl *first = session_dnsbls(j->outcome->session);

	key(b, "lists");
	strbuf_puts(b, "[");
	for (const struct dnsbl *l = first; l != NULL; l = l->next) {
		strbuf_puts(b, l == first ? "{" : ",{");
		text(b, "kind", str_of(judge_list_kind(l)));
		text(b, "zone", l->zone);
		key(b, "codes");
		strbuf_puts(b, "[");
		for (size_t i = 0; i < l->answer.n; i++) {
			strbuf_puts(b, i > 0 ? ",\"" : "\"");
			ipaddr_print(&l->answer.codes[i].ip, b);
			strbuf_puts(b, "\"");
		}
		strbuf_puts(b, "]");
		key(b, "error");
		strbuf_puts(b, l->answer.failed ? "true" : "false");
		text(b, "reason", l->answer.reason);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static void
put_lookups(struct strbuf *b, const struct judged *j)
{
	struct dns_lookup l;

	key(b, "lookups");
	strbuf_puts(b, "[");
	for (size_t i = 0; resolver_traced(j->resolver, i, &l); i++) {
		strbuf_puts(b, i > 0 ? ",{" : "{");
		text(b, "name", l.name);
		text(b, "type", str_of(dns_type_name(l.type)));
		text(b, "status", l.answer == NULL ? STR("unneeded") :
		    str_of(dns_status_name(l.answer->status)));
		key(b, "ms");
		strbuf_printf(b, "%lld", (long long)l.took);
		key(b, "cached");
		strbuf_puts(b, l.cached ? "true}" : "false}");
	}
	strbuf_puts(b, "]");
}

int
judge_print_json(const struct judged *j, bool trace)
{
	const struct outcome *o = j->outcome;
	struct answer_given a = judge_answer(o, NULL);
	struct strbuf b = { 0 };
	int r = -1;

	if (o->nobody && o->nrcpts > 0)
		a = judge_answer(o, &o->rcpts[0]);
	strbuf_puts(&b, "{");
	text(&b, "file", str_of(j->file));
	put_answer(&b, j, &a);
	if (a.verdict == V_QUARANTINE)
		text(&b, "reason", o->plan.reason);
	if (o->plan.monitor) {
		key(&b, "monitor");
		strbuf_puts(&b, "true");
	}
	if (o->plan.has_score) {
		key(&b, "score");
		strbuf_printf(&b, "%lld", (long long)o->plan.score);
	}
	put_rcpts(&b, j, trace);
	if (trace && o->nrcpts == 0)
		put_trace(&b, j, NULL);
	put_edits(&b, j);
	put_changes(&b, j);
	put_notes(&b, j);
	if (trace && judge_signatures(j) != NULL)
		put_signatures(&b, judge_signatures(j));
	put_lists(&b, j);
	put_lookups(&b, j);
	strbuf_puts(&b, "}\n");
	if (!b.failed) {
		fwrite(b.p, 1, b.n, stdout);
		r = 0;
	}
	strbuf_free(&b);
	return r;
}
