/*
 * judge_changes.c - what would become of the delivered message.
 *
 * Not what rules ask for but what the MTA would be told: a subject that has
 * its tag already is not tagged again, and fields that rules don't name are
 * added and removed, too (Authentication-Results).  So the same code is asked
 * as for the daemon, and the rules behind a change are found by its name.
 */
#include "filter/judge.h"

#include "rules/ast.h"

const struct change *
judge_changes(const struct judged *j, size_t *n)
{
	const struct outcome *o = j->outcome;
	const struct plan *p = &o->plan;

	*n = 0;
	if (o->early || o->nobody || (p->verdict != V_NONE && p->verdict != V_ACCEPT &&
	    p->verdict != V_QUARANTINE))
		return NULL;
	return session_changes(o->session, p, n);
}

const char *
judge_change_name(const struct change *c)
{
	switch (c->kind) {
	case CHANGE_FIELD:
		return c->value.p == NULL ? "remove header" : "set header";
	case CHANGE_APPEND:
	case CHANGE_INSERT:
		return "add header";
	case CHANGE_ADD_RCPT:
		return "add rcpt";
	case CHANGE_REMOVE_RCPT:
		return "remove rcpt";
	case CHANGE_SENDER:
		return "set sender";
	}
	return "";
}

const char *
judge_list_kind(const struct dnsbl *l)
{
	return l->kind == DNSBL_CLIENT ? "dnsbl" : "rhsbl";
}

bool
judge_change_of(const struct change *c, const struct edit *e)
{
	switch (c->kind) {
	case CHANGE_FIELD:
	case CHANGE_APPEND:
	case CHANGE_INSERT:
		return e->kind <= EDIT_REMOVE_HEADER && str_ieq(e->name, c->name);
	case CHANGE_ADD_RCPT:
	case CHANGE_REMOVE_RCPT:
		return e->kind == c->edit->kind && str_ieq(e->value, c->edit->value);
	case CHANGE_SENDER:
		return e->kind == EDIT_SET_SENDER;
	}
	return false;
}

void
judge_unfold(struct str s, struct strbuf *out)
{
	s = str_trim(s);
	for (size_t i = 0; i < s.n; i++) {
		size_t end = i;

		while (end < s.n && (s.p[end] == '\r' || s.p[end] == '\n'))
			end++;
		if (end == i) {
			strbuf_putc(out, s.p[i]);
			continue;
		}
		while (end < s.n && (s.p[end] == ' ' || s.p[end] == '\t'))
			end++;
		strbuf_putc(out, ' ');
		i = end - 1;
	}
}
