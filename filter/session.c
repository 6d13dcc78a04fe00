/*
 * session.c - one SMTP connection, as the rules see it.
 *
 * Facts come in here in the order of the dialogue and are handed to the
 * message model.  What the model asks of SPF, DKIM and the like is
 * session_ask.c's business, what is done with a plan apply.c's and judge.c's,
 * what an edit means for the fields that came changes.c's.
 */
#include "session_int.h"

#include <stdlib.h>
#include <string.h>

#include "authres.h"
#include "message.h"
#include "rules/arena.h"

/* ---- Life ---- */

/* Which methods stand in Authentication-Results whatever the rules ask. */
static void
read_authres_setting(struct session *s)
{
	const struct strings *w = &rules_settings(s->rs)->authres;

	for (size_t i = 0; i < w->n; i++) {
		if (str_ieq(w->v[i], STR("auto")))
			s->authres_auto = true;
		else if (str_ieq(w->v[i], STR("spf")))
			s->authres_methods |= F_SPF;
		else if (str_ieq(w->v[i], STR("dkim")))
			s->authres_methods |= F_DKIM;
		else if (str_ieq(w->v[i], STR("dmarc")))
			s->authres_methods |= F_DMARC;
		else if (str_ieq(w->v[i], STR("arc")))
			s->authres_methods |= F_ARC;
		else if (str_ieq(w->v[i], STR("iprev")))
			s->authres_methods |= F_IPREV;
		else if (str_ieq(w->v[i], STR("auth")))
			s->authres_auth = true;
	}
	s->authres_on = s->authres_auto || s->authres_auth || s->authres_methods != 0;
}

struct session *
session_new(struct ruleset *rs, const struct services *sv)
{
	struct session *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if (mail_init(&s->mail, &session_ops, s) == -1) {
		free(s);
		return NULL;
	}
	s->rs = rules_retain(rs);
	s->sv = sv;
	s->facts = rules_needs(rs)->facts;
	s->mail.tz = rules_time_zone(rs);
	s->mail.prefix = (uint8_t)rules_settings(rs)->greylist_prefix;
	s->mail.prefix6 = (uint8_t)rules_settings(rs)->greylist_prefix6;
	read_authres_setting(s);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_end_message(s);
	spf_end(s->spf[SPF_HELO].job);
	iprev_end(s->iprev);
	mail_free(&s->mail);
	rules_release(s->rs);
	free(s);
}

void
session_end_message(struct session *s)
{
	spf_end(s->spf[SPF_MAILFROM].job);
	s->spf[SPF_MAILFROM] = (struct spf_asked){ NULL, NULL };
	session_forget_failures(s);
	s->dkim = NULL;			/* the arena ends it */
	s->dkim_done = NULL;
	s->dmarc = NULL;
	s->dmarc_done = NULL;
	s->mime = NULL;
	s->content = NULL;
	s->dnsbls = NULL;
	s->arc = NULL;
	s->arc_done = NULL;
	s->st = NULL;
	s->waited = 0;
	s->late_fields = 0;
	s->failed = s->decided = false;
	mail_reset(&s->mail);
	strbuf_free(&s->body);
}

struct mail *
session_mail_model(struct session *s)
{
	return &s->mail;
}

struct rules_state *
session_rules(struct session *s)
{
	return s->st;
}

static const struct plan *
advance(struct session *s, enum stage stage)
{
	const struct plan *p;

	if (s->st == NULL && (s->st = rules_start(s->rs, &s->mail)) == NULL)
		return NULL;
	if ((p = rules_advance(s->st, stage)) == NULL || s->failed)
		return NULL;
	s->decided = p->decided;
	if (p->verdict == V_ACCEPT && stage != S_MESSAGE &&
	    (s->authres_on || session_received_spf(s))) {
		/* It will pass, but its trace fields are still to be seen to. */
		s->plan = *p;
		s->plan.verdict = V_NONE;
		return &s->plan;
	}
	return p;
}

/* ---- The dialogue ---- */

const struct plan *
session_connect(struct session *s, const struct ipaddr *ip, struct str name, int port, bool by_smtp)
{
	if (mail_connect(&s->mail, ip, name, port) == -1)
		return NULL;
	s->mail.by_smtp = by_smtp;
	return advance(s, S_CONNECT);
}

static void
end_spf(void *job)
{
	spf_end(job);
}

int
session_helo(struct session *s, struct str name)
{
	/* What was said of the other name is kept as long as somebody may look at it. */
	if (s->spf[SPF_HELO].job != NULL)
		(void)arena_defer(s->mail.arena, end_spf, s->spf[SPF_HELO].job);
	s->spf[SPF_HELO] = (struct spf_asked){ NULL, NULL };
	return mail_helo(&s->mail, name);
}

const struct plan *
session_sender(struct session *s, struct str path, const struct str *params, size_t nparams)
{
	time_t now = s->sv->now != 0 ? s->sv->now : time(NULL);

	if (s->mail.has_sender)
		session_end_message(s);
	if (mail_sender(&s->mail, path, params, nparams, now) == -1)
		return NULL;
	return advance(s, S_MAIL);
}

const struct plan *
session_rcpt(struct session *s, struct str path, const struct param_list *macros)
{
	struct str delimiter = rules_settings(s->rs)->recipient_delimiter;
	const struct plan *p;
	struct recipient *r;

	if ((r = mail_rcpt(&s->mail, path, delimiter.n > 0 ? delimiter.p[0] : '\0')) == NULL)
		return NULL;
	for (size_t i = 0; macros != NULL && i < macros->n; i++)
		if (mail_rcpt_macro(&s->mail, r, macros->v[i].name, macros->v[i].value) == -1)
			return NULL;
	if ((p = advance(s, S_RCPT)) != NULL &&
	    (p->verdict == V_NONE || p->verdict == V_ACCEPT))
		session_begin_methods(s);
	return p;
}

const struct plan *
session_data(struct session *s)
{
	return advance(s, S_DATA);
}

/* Can a rule, or what is set for Authentication-Results, ask for one of these? */
static bool
wants(const struct session *s, unsigned methods)
{
	return ((s->facts | s->authres_methods) & methods) != 0;
}

int
session_header(struct session *s, struct str name, struct str raw)
{
	struct mail *m = &s->mail;
	uint64_t limit = (uint64_t)rules_settings(s->rs)->header_limit;
	size_t octets = name.n + raw.n + 3;	/* ":" and CRLF */
	bool ours = str_ieq(str_trim(name), STR("Authentication-Results"));

	if (wants(s, F_DKIM | F_DMARC)) {
		if (s->dkim == NULL && (s->dkim = dkim_begin(s->sv->dkim, s->sv->resolver,
		    m->arena, mail_find_macro(m, STR("i")),
		    (unsigned)rules_settings(s->rs)->dkim_signatures)) == NULL)
			return -1;
		if (dkim_add_field(s->dkim, name, raw) == -1)
			return -1;
	}
	if (wants(s, F_ARC)) {
		if (s->arc == NULL && (s->arc = arc_begin(s->sv->resolver, m->arena,
		    s->sv->now)) == NULL)
			return -1;
		if (arc_add_field(s->arc, name, raw) == -1)
			return -1;
	}
	/* Past the limit only what could be forged is kept: each, so that their numbers are right. */
	if (m->header_octets + octets > limit) {
		m->headers_cut = true;
		if (!ours) {
			m->header_octets += octets;
			return 0;
		}
		if (++s->late_fields > LATE_FIELDS)
			return -1;
		if (raw.n > LATE_OCTETS)
			raw.n = LATE_OCTETS;
	}
	return mail_header(m, name, raw);
}

const struct plan *
session_end_headers(struct session *s)
{
	struct dmarc_authors authors = { .n = 0 };

	if (s->dkim != NULL && ((dkim_has_too_many(s->dkim) &&
	    dmarc_authors_read(&s->mail, &authors) == -1) ||
	    dkim_end_headers(s->dkim, authors.domain, authors.n) == -1))
		return NULL;
	if (s->arc != NULL && arc_end_headers(s->arc) == -1)
		return NULL;
	/* What the field will tell is asked for, whatever the rules come to. */
	if (((s->authres_methods & F_DMARC) != 0 || (s->authres_auto && !s->decided &&
	    (s->facts & F_DMARC) != 0)) && session_begin_dmarc(s) == -1)
		return NULL;
	return advance(s, S_HEADERS);
}

/* Who could still look at more of the body? */
static bool
wants_body(const struct session *s)
{
	const struct mail *m = &s->mail;

	if (s->dkim != NULL && dkim_wants_body(s->dkim) && (!s->decided || s->authres_on))
		return true;
	if (s->arc != NULL && arc_wants_body(s->arc) && (!s->decided || s->authres_on))
		return true;
	if (s->decided)
		return false;
	return (s->facts & (F_SIZE | F_CONTENT)) != 0 || ((s->facts & F_RAWBODY) != 0 && !m->body_cut);
}

int
session_body(struct session *s, struct str chunk)
{
	s->mail.body_octets += chunk.n;
	if (s->dkim != NULL)
		dkim_add_body(s->dkim, chunk);
	if (s->arc != NULL)
		arc_add_body(s->arc, chunk);
	if (body_add(s, chunk) == -1)
		return -1;
	return wants_body(s);
}

const struct plan *
session_end(struct session *s)
{
	const struct plan *p;
	int rule = -1;

	s->waited = 0;
	if ((s->facts & F_RAWBODY) != 0 && s->mail.body == NULL)
		s->mail.body = &s->body;
	p = advance(s, S_MESSAGE);
	if (p == NULL || p->nedits == 0)
		return p;
	if (!envelope_leaves_nobody(s, p, &rule))
		return s->failed ? NULL : p;
	/* What nobody is to get is discarded, and said so. */
	s->plan = *p;
	s->plan.verdict = V_DISCARD;
	s->plan.rule = rule;
	s->plan.nedits = 0;
	return &s->plan;
}
