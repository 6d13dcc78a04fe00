/*
 * session.c - one SMTP connection, as the rules see it.
 *
 * Facts come in here in the order of the dialogue and are handed to the
 * message model; what needs a lookup or a signature is asked of the engines
 * when a rule first looks at it, begun as early and waited for as late as can
 * be.  What is done with a plan is apply.c's and judge.c's business, what an
 * edit means for the fields that came is changes.c's.
 */
#include "session_int.h"

#include <stdlib.h>
#include <string.h>

#include "authres.h"
#include "message.h"
#include "rules/arena.h"

/* ---- Waiting ---- */

/*
 * All lookups of a message share one allowance of waiting before the dot, and have it anew
 * after it: the MTA hangs up on a filter that keeps it waiting.
 */
static msec
wait_begin(struct session *s)
{
	msec left = rules_settings(s->rs)->dns_timeout * 1000 - s->waited;

	s->wait_from = clock_msec();
	return s->wait_from + (left > 0 ? left : 0);
}

static void
wait_end(struct session *s)
{
	s->waited += clock_msec() - s->wait_from;
}

/* ---- What the rules ask for ---- */

static struct spf_query
spf_query_of(const struct session *s, enum spf_identity id)
{
	const struct mail *m = &s->mail;
	struct spf_query q = {
		.ip = m->ip,
		.helo = m->helo_raw,
		.receiver = s->sv->hostname,
	};

	if (id == SPF_MAILFROM)
		q.sender = m->sender.text;
	return q;
}

static void
begin_spf(struct session *s, enum spf_identity id)
{
	struct spf_query q;

	if (s->spf[id] != NULL || s->spf_begun[id] != NULL || !s->mail.has_ip ||
	    s->mail.helo_raw.p == NULL)
		return;
	q = spf_query_of(s, id);
	s->spf_begun[id] = spf_begin(s->sv->resolver, &q);
}

static const struct spf_answer *
ask_spf(struct mail *m, enum spf_identity id)
{
	static const struct spf_answer none = { .result = SPF_R_NONE };
	struct session *s = m->ctx;
	struct spf_query q;
	msec deadline;

	if (s->spf[id] != NULL)
		return s->spf[id];
	if (!m->has_ip || m->helo_raw.p == NULL)
		return &none;
	if (!m->may_wait && !resolver_is_zone(s->sv->resolver)) {
		begin_spf(s, id);
		return NULL;
	}
	q = spf_query_of(s, id);
	deadline = wait_begin(s);
	s->spf[id] = spf_check(s->sv->spf, s->sv->resolver, &q, deadline,
	    id == SPF_HELO ? m->conn : m->arena);
	wait_end(s);
	if (s->spf[id] == NULL)
		s->failed = true;
	return s->spf[id];
}

static const struct dkim_answer *
ask_dkim(struct mail *m)
{
	static const struct dkim_answer unsigned_mail = { .n = 0 };
	struct session *s = m->ctx;
	msec deadline;

	if (s->dkim_done != NULL)
		return s->dkim_done;
	if (s->dkim == NULL)
		return &unsigned_mail;
	if (m->stage < S_MESSAGE || (!m->may_wait && !resolver_is_zone(s->sv->resolver)))
		return NULL;
	deadline = wait_begin(s);
	s->dkim_done = dkim_finish(s->dkim, deadline);
	wait_end(s);
	if (s->dkim_done == NULL)
		s->failed = true;
	return s->dkim_done;
}

/*
 * Begins the lookups for the author's domain, and for that of the sender,
 * which SPF may stand for.
 */
static int
begin_dmarc(struct session *s)
{
	struct mail *m = &s->mail;
	struct dmarc_authors authors;

	if (dmarc_authors_read(m, &authors) == -1 || (s->dmarc = dmarc_begin(
	    s->sv->dmarc, s->sv->resolver, m->arena, &authors)) == NULL) {
		s->failed = true;
		return -1;
	}
	dmarc_expect(s->dmarc, m->sender.domain);
	begin_spf(s, SPF_MAILFROM);
	return 0;
}

/* At the end of the headers it begins; SPF and DKIM are asked only where there is a policy. */
static const struct dmarc_answer *
ask_dmarc(struct mail *m)
{
	struct session *s = m->ctx;
	const struct spf_answer *spf = NULL;
	const struct dkim_answer *dkim = NULL;
	msec deadline;
	bool applies;

	if (s->dmarc_done != NULL)
		return s->dmarc_done;
	if (m->stage < S_HEADERS || (s->dmarc == NULL && begin_dmarc(s) == -1))
		return NULL;
	if (m->stage < S_MESSAGE || (!m->may_wait && !resolver_is_zone(s->sv->resolver)))
		return NULL;
	deadline = wait_begin(s);
	applies = dmarc_applies(s->dmarc, deadline);
	wait_end(s);
	if (applies && ((dkim = ask_dkim(m)) == NULL || (spf = ask_spf(m, SPF_MAILFROM)) == NULL))
		return NULL;
	deadline = wait_begin(s);
	s->dmarc_done = dmarc_finish(s->dmarc, spf, dkim, deadline);
	wait_end(s);
	if (s->dmarc_done == NULL)
		s->failed = true;
	return s->dmarc_done;
}

static const struct arc_answer *
ask_arc(struct mail *m)
{
	static const struct arc_answer no_header = { .result = ARC_R_NONE };
	struct session *s = m->ctx;
	msec deadline;

	if (s->arc_done != NULL)
		return s->arc_done;
	if (s->arc == NULL)
		return &no_header;
	if (m->stage < S_MESSAGE || (!m->may_wait && !resolver_is_zone(s->sv->resolver)))
		return NULL;
	deadline = wait_begin(s);
	s->arc_done = arc_finish(s->arc, deadline);
	wait_end(s);
	if (s->arc_done == NULL)
		s->failed = true;
	return s->arc_done;
}

static const struct str *
ask_decode(struct mail *m, struct str raw)
{
	return message_decode(m->arena, raw);
}

static const struct mailbox_list *
ask_mailboxes(struct mail *m, struct str raw)
{
	return message_mailboxes(m->arena, raw);
}

static const struct mail_ops ops = {
	.spf = ask_spf,
	.dkim = ask_dkim,
	.decode = ask_decode,
	.mailboxes = ask_mailboxes,
	.dmarc = ask_dmarc,
	.arc = ask_arc,
};

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
	}
	s->authres_on = s->authres_auto || s->authres_methods != 0;
}

struct session *
session_new(struct ruleset *rs, const struct services *sv)
{
	struct session *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	if (mail_init(&s->mail, &ops, s) == -1) {
		free(s);
		return NULL;
	}
	s->rs = rules_retain(rs);
	s->sv = sv;
	s->facts = rules_needs(rs)->facts;
	read_authres_setting(s);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_end_message(s);
	dns_query_free(s->spf_begun[SPF_HELO]);
	mail_free(&s->mail);
	rules_release(s->rs);
	free(s);
}

void
session_end_message(struct session *s)
{
	dns_query_free(s->spf_begun[SPF_MAILFROM]);
	s->spf_begun[SPF_MAILFROM] = NULL;
	s->spf[SPF_MAILFROM] = NULL;
	s->dkim = NULL;			/* the arena ends it */
	s->dkim_done = NULL;
	s->dmarc = NULL;
	s->dmarc_done = NULL;
	s->arc = NULL;
	s->arc_done = NULL;
	s->st = NULL;
	s->waited = 0;
	s->late_octets = 0;
	s->failed = s->decided = false;
	mail_reset(&s->mail);
	strbuf_free(&s->body);
}

struct mail *
session_mail_model(struct session *s)
{
	return &s->mail;
}

const struct ruleset *
session_ruleset(const struct session *s)
{
	return s->rs;
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
	if (p->verdict == V_ACCEPT && stage != S_MESSAGE && s->authres_on) {
		/* It will pass, but its Authentication-Results are still to be seen to. */
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

int
session_helo(struct session *s, struct str name)
{
	dns_query_free(s->spf_begun[SPF_HELO]);
	s->spf_begun[SPF_HELO] = NULL;
	s->spf[SPF_HELO] = NULL;
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
	struct recipient *r;

	if ((r = mail_rcpt(&s->mail, path, delimiter.n > 0 ? delimiter.p[0] : '\0')) == NULL)
		return NULL;
	for (size_t i = 0; macros != NULL && i < macros->n; i++)
		if (mail_rcpt_macro(&s->mail, r, macros->v[i].name, macros->v[i].value) == -1)
			return NULL;
	return advance(s, S_RCPT);
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
	bool ours = str_ieq(name, STR("Authentication-Results"));

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
	/* Past the limit only what could be forged is kept, as much of it again. */
	if (m->header_octets + octets > limit) {
		m->headers_cut = true;
		if (!ours || s->late_octets + octets > limit) {
			m->header_octets += octets;
			return 0;
		}
		s->late_octets += octets;
	}
	return mail_header(m, name, raw);
}

const struct plan *
session_end_headers(struct session *s)
{
	s->waited = 0;
	if (s->dkim != NULL && dkim_end_headers(s->dkim) == -1)
		return NULL;
	if (s->arc != NULL && arc_end_headers(s->arc) == -1)
		return NULL;
	/* What the field will tell is asked for, whatever the rules come to. */
	if (((s->authres_methods & F_DMARC) != 0 || (s->authres_auto && !s->decided &&
	    (s->facts & F_DMARC) != 0)) && begin_dmarc(s) == -1)
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
	return (s->facts & F_SIZE) != 0 || ((s->facts & F_RAWBODY) != 0 && !m->body_cut);
}

static int
store_body(struct session *s, struct str chunk)
{
	struct mail *m = &s->mail;
	uint64_t limit = (uint64_t)rules_settings(s->rs)->body_limit;
	size_t room = limit > s->body.n ? (size_t)(limit - s->body.n) : 0;

	if (chunk.n > room)
		m->body_cut = true;
	strbuf_add(&s->body, chunk.p, chunk.n < room ? chunk.n : room);
	m->body = &s->body;
	return s->body.failed ? -1 : 0;
}

int
session_body(struct session *s, struct str chunk)
{
	int r = 0;

	s->mail.body_octets += chunk.n;
	if (s->dkim != NULL && dkim_wants_body(s->dkim)) {
		msec deadline = wait_begin(s);

		r = dkim_add_body(s->dkim, chunk, deadline);
		wait_end(s);
	}
	if (s->arc != NULL)
		arc_add_body(s->arc, chunk);
	if (r == 0 && (s->facts & F_RAWBODY) != 0 && !s->decided)
		r = store_body(s, chunk);
	if (r == -1)
		return -1;
	return wants_body(s);
}

const struct plan *
session_end(struct session *s)
{
	if ((s->facts & F_RAWBODY) != 0 && s->mail.body == NULL)
		s->mail.body = &s->body;
	return advance(s, S_MESSAGE);
}

unsigned
session_lookups(const struct session *s)
{
	unsigned asked = 0;

	if (s->spf[SPF_MAILFROM] != NULL)
		asked |= F_SPF;
	if (s->spf[SPF_HELO] != NULL)
		asked |= F_SPFHELO;
	if (s->dkim_done != NULL && s->dkim_done->n > 0)
		asked |= F_DKIM;
	if (s->dmarc_done != NULL)
		asked |= F_DMARC;
	if (s->arc_done != NULL && s->arc_done->result != ARC_R_NONE)
		asked |= F_ARC;
	return asked;
}
