/*
 * session_world.c - what others know of a client or a sender: lists in the
 * DNS, databases of countries and networks.
 *
 * A list is asked when a rule first looks at it, each question once a message;
 * the resolver remembers answers from one message to the next.
 */
#include "session_int.h"

#include "rules/arena.h"

static struct dnsbl *
find(const struct session *s, enum dnsbl_kind kind, struct str zone)
{
	struct dnsbl *l = s->dnsbls;

	while (l != NULL && (l->kind != kind || !str_ieq(l->zone, zone)))
		l = l->next;
	return l;
}

static struct dnsbl *
begin(struct session *s, enum dnsbl_kind kind, struct str zone)
{
	struct mail *m = &s->mail;
	struct str subject = kind == DNSBL_CLIENT ? dnsbl_reverse(m->arena, &m->ip) :
	    m->sender.domain;
	struct dnsbl *l;

	if ((l = dnsbl_begin(s->sv->resolver, m->arena, kind, subject, zone)) == NULL)
		return NULL;
	l->next = s->dnsbls;
	return s->dnsbls = l;
}

const struct dnsbl_answer *
session_ask_dnsbl(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts)
{
	static const struct dnsbl_answer no_memory = { .failed = true };
	struct session *s = m->ctx;
	const struct dnsbl_answer *a;
	struct dnsbl *l;

	if ((l = find(s, kind, zone)) == NULL && (l = begin(s, kind, zone)) == NULL) {
		s->failed = true;
		return &no_memory;
	}
	a = dnsbl_answer(l, s->sv->resolver, m->arena, texts, 0);
	if (a == NULL && m->may_wait) {
		a = dnsbl_answer(l, s->sv->resolver, m->arena, texts, session_wait_begin(s));
		session_wait_end(s);
	}
	if (l->no_memory) {
		s->failed = true;
		return &no_memory;
	}
	return a;
}

const struct dnsbl *
session_dnsbls(const struct session *s)
{
	return s->dnsbls;
}

const struct geo_answer *
session_ask_geo(struct mail *m)
{
	struct session *s = m->ctx;

	if (!s->geo_done) {
		s->geo = (struct geo_answer){ .country = STR_NONE };
		if (s->sv->geo != NULL)
			geo_find(s->sv->geo, &m->ip, m->conn, &s->geo);
		s->geo_done = true;
	}
	return &s->geo;
}
