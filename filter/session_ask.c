/*
 * session_ask.c - what a message is asked for that takes time: SPF, DKIM,
 * DMARC, ARC, the client's name.
 *
 * Each is asked of its engine when a rule first looks at it, begun as early
 * and waited for as late as can be; all run side by side, and what is there
 * already is never waited for.  What no rule and no setting asks for isn't
 * begun.
 */
#include "session_int.h"

#include "authres.h"
#include "message.h"
#include "rules/arena.h"

/* ---- Waiting ---- */

#define EARLY_MAX	8000	/* ms; Sendmail waits 10 s for a reply, but for the one to the dot */

/*
 * All lookups of a message share one allowance of waiting, and have it anew at the end of
 * the message (session_end()), where the MTA is told that we are still there.  Before it
 * hangs up on a filter that keeps it waiting: so there it is EARLY_MAX at the most, whatever
 * is set.  Between DATA and the end of the message nothing is waited for.
 */
msec
session_wait_begin(struct session *s)
{
	msec all = rules_settings(s->rs)->dns_timeout * 1000, left;

	if (s->mail.stage < S_MESSAGE && all > EARLY_MAX)
		all = EARLY_MAX;
	left = all - s->waited;

	s->wait_from = clock_msec();
	return s->wait_from + (left > 0 ? left : 0);
}

void
session_wait_end(struct session *s)
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
		.now = s->sv->now,
	};

	if (id == SPF_MAILFROM)
		q.sender = m->sender.text;
	return q;
}

/*
 * Is there a name to check?  A client may leave HELO out where the MTA lets it:
 * then the sender is checked all the same, and <> has no name (RFC 7208, 2.3 and 2.4).
 */
static bool
has_identity(const struct mail *m, enum spf_identity id)
{
	return m->has_ip && (m->helo_raw.p != NULL ||
	    (id == SPF_MAILFROM && m->sender.text.n > 0));
}

static void
begin_spf(struct session *s, enum spf_identity id)
{
	struct spf_asked *a = &s->spf[id];
	struct spf_query q;

	if (a->job != NULL || !has_identity(&s->mail, id))
		return;
	q = spf_query_of(s, id);
	if ((a->job = spf_begin(s->sv->spf, s->sv->resolver, &q)) == NULL)
		s->failed = true;
}

static const struct spf_answer *
ask_spf(struct mail *m, enum spf_identity id)
{
	static const struct spf_answer none = { .result = SPF_R_NONE };
	struct session *s = m->ctx;
	struct spf_asked *a = &s->spf[id];
	msec deadline;

	if (a->answer != NULL)
		return a->answer;
	if (!has_identity(m, id))
		return &none;
	begin_spf(s, id);
	if (a->job == NULL || (!m->may_wait && !spf_is_done(a->job)))
		return NULL;
	deadline = session_wait_begin(s);
	a->answer = spf_finish(a->job, deadline);
	session_wait_end(s);
	if (a->answer == NULL)
		s->failed = true;
	return a->answer;
}

static void
begin_iprev(struct session *s)
{
	if (s->iprev == NULL && s->mail.has_ip &&
	    (s->iprev = iprev_begin(s->sv->resolver, &s->mail.ip)) == NULL)
		s->failed = true;
}

static const struct iprev_answer *
ask_iprev(struct mail *m)
{
	struct session *s = m->ctx;
	msec deadline;

	if (s->iprev_done != NULL)
		return s->iprev_done;
	begin_iprev(s);
	if (s->iprev == NULL || (!m->may_wait && !iprev_is_done(s->iprev)))
		return NULL;
	deadline = session_wait_begin(s);
	s->iprev_done = iprev_finish(s->iprev, deadline);
	session_wait_end(s);
	if (s->iprev_done == NULL)
		s->failed = true;
	return s->iprev_done;
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
	deadline = session_wait_begin(s);
	s->dkim_done = dkim_finish(s->dkim, deadline);
	session_wait_end(s);
	if (s->dkim_done == NULL)
		s->failed = true;
	return s->dkim_done;
}

/*
 * Begins the lookups for the author's domain, and for that of the sender,
 * which SPF may stand for.
 */
int
session_begin_dmarc(struct session *s)
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
	if (m->stage < S_HEADERS || (s->dmarc == NULL && session_begin_dmarc(s) == -1))
		return NULL;
	if (m->stage < S_MESSAGE || (!m->may_wait && !resolver_is_zone(s->sv->resolver)))
		return NULL;
	deadline = session_wait_begin(s);
	applies = dmarc_applies(s->dmarc, deadline);
	session_wait_end(s);
	if (applies && ((dkim = ask_dkim(m)) == NULL || (spf = ask_spf(m, SPF_MAILFROM)) == NULL))
		return NULL;
	deadline = session_wait_begin(s);
	s->dmarc_done = dmarc_finish(s->dmarc, spf, dkim, deadline);
	session_wait_end(s);
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
	deadline = session_wait_begin(s);
	s->arc_done = arc_finish(s->arc, deadline);
	session_wait_end(s);
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

const struct mail_ops session_ops = {
	.spf = ask_spf,
	.dkim = ask_dkim,
	.decode = ask_decode,
	.mailboxes = ask_mailboxes,
	.dmarc = ask_dmarc,
	.content = body_content,
	.arc = ask_arc,
	.iprev = ask_iprev,
	.dnsbl = session_ask_dnsbl,
	.geo = session_ask_geo,
	.rate = session_ask_rate,
	.greylist = session_ask_greylist,
};

/* ---- What is told of every message ---- */

bool
session_received_spf(const struct session *s)
{
	return rules_settings(s->rs)->received_spf == SET_ON;
}

void
session_begin_methods(struct session *s)
{
	unsigned want = s->authres_methods;

	if (session_received_spf(s))
		want |= F_SPF;
	if (want & F_SPF)
		begin_spf(s, SPF_MAILFROM);
	if (want & F_IPREV)
		begin_iprev(s);
}

void
session_forget_failures(struct session *s)
{
	struct spf_asked *helo = &s->spf[SPF_HELO];

	if (helo->answer != NULL && helo->answer->result == SPF_R_TEMPERROR) {
		spf_end(helo->job);
		*helo = (struct spf_asked){ NULL, NULL };
	}
	if (s->iprev_done != NULL && s->iprev_done->result == IPREV_R_TEMPERROR) {
		iprev_end(s->iprev);
		s->iprev = NULL;
		s->iprev_done = NULL;
	}
}

unsigned
session_lookups(const struct session *s)
{
	unsigned asked = 0;

	if (s->spf[SPF_MAILFROM].answer != NULL)
		asked |= F_SPF;
	if (s->spf[SPF_HELO].answer != NULL)
		asked |= F_SPFHELO;
	if (s->iprev_done != NULL)
		asked |= F_IPREV;
	if (s->dkim_done != NULL && s->dkim_done->n > 0)
		asked |= F_DKIM;
	if (s->dmarc_done != NULL)
		asked |= F_DMARC;
	if (s->arc_done != NULL && s->arc_done->result != ARC_R_NONE)
		asked |= F_ARC;
	if (s->dnsbls != NULL)
		asked |= F_DNSBL;
	return asked;
}
