/*
 * session.h - one SMTP connection: its ruleset, its message, its lookups.
 *
 * Whoever speaks to an MTA, or plays one, calls these as the dialogue goes
 * on; each returns what the rules say now.  Neither libmilter nor a log is
 * known here: milter.c and apply.c do that for the daemon, script.c for judge,
 * the tests in rules files and replay.
 *
 * The plans live until the message ends (session_end_message()).  A NULL plan
 * means that memory is out: tempfail.
 */
#ifndef FILTER_SESSION_H
#define FILTER_SESSION_H

#include <stdbool.h>
#include <time.h>

#include "dkim.h"
#include "dmarc.h"
#include "dnsbl.h"
#include "resolver.h"
#include "rules/mail.h"
#include "rules/rules.h"
#include "spf.h"

struct geo;
struct session;
struct store;
struct suffixes;

/* What all sessions share; made once, immutable but for what is thread-safe in itself. */
struct services {
	struct resolver		*resolver;
	struct spf_engine	*spf;
	struct dkim_engine	*dkim;
	struct magic_engine	*magic;		/* NULL: attachment.magic is unset */
	struct store		*store;		/* NULL: nothing is remembered, rate and greylist are unset */
	const struct dmarc_engine *dmarc;	/* as the ruleset's settings say */
	const struct geo	*geo;		/* likewise; NULL: none */
	const struct suffixes	*suffixes;	/* likewise */
	struct str		 hostname;	/* for authserv-id and SPF's r macro */
	time_t			 now;		/* 0: the real clock */
};

/* Takes a reference on the ruleset.  services stay the caller's and must outlive it.  NULL without memory. */
struct session *session_new(struct ruleset *rs, const struct services *sv);
void session_free(struct session *s);

struct mail *session_mail_model(struct session *s);
/* Of the message: for trace and log; NULL between messages. */
struct rules_state *session_rules(struct session *s);

/* ip NULL: not over IP.  name p NULL: not verified.  Macros are set before each call, by mail_conn_macro() and so on. */
const struct plan *session_connect(struct session *s, const struct ipaddr *ip, struct str name, int port, bool by_smtp);
/* No reply exists here: HELO's verdicts come at MAIL. 0, or -1 without memory. */
int session_helo(struct session *s, struct str name);
/* path with its <>; params "NAME=value".  Ends a message still open. */
const struct plan *session_sender(struct session *s, struct str path, const struct str *params, size_t nparams);
const struct plan *session_rcpt(struct session *s, struct str path, const struct param_list *macros);
const struct plan *session_data(struct session *s);
int session_header(struct session *s, struct str name, struct str raw);
/* decided: nothing that follows can change what will be said. */
const struct plan *session_end_headers(struct session *s);
/* 1: more body is welcome; 0: no rule nor signature needs more of it; -1: no memory. */
int session_body(struct session *s, struct str chunk);
const struct plan *session_end(struct session *s);

/*
 * What must be changed in the delivered message, after session_end() said
 * accept or quarantine: header edits made idempotent and resolved against the
 * fields that came, Authentication-Results first.
 */
enum change_kind {
	CHANGE_FIELD,		/* the index-th (from 1) field `name`; value p NULL: remove it */
	CHANGE_APPEND,		/* a new field at the end */
	CHANGE_INSERT,		/* a new field at the top */
	CHANGE_ADD_RCPT, CHANGE_REMOVE_RCPT,	/* value: a path, as it came or with <> */
	CHANGE_SENDER
};
struct change {
	enum change_kind kind;
	struct str	name, value;
	int		index;
	const struct edit *edit;	/* of the envelope: the first that asks for it */
};
/* In the order in which libmilter must be told: changes and removals from the highest index down, appends,
   recipients, inserts last.  n 0: none.  NULL without memory. */
const struct change *session_changes(struct session *s, const struct plan *p, size_t *n);

/* Which engines (F_SPF, F_SPFHELO, F_DKIM, F_DMARC, F_ARC, F_IPREV, F_DNSBL) the message was put to; DKIM only if there was a
   signature, ARC only if there was a chain. */
unsigned session_lookups(const struct session *s);

/* The lists in the DNS that the message was put to. */
const struct dnsbl *session_dnsbls(const struct session *s);

/* Ends the message, whatever ended it: verdict, RSET, abort, close.  Safe at any time. */
void session_end_message(struct session *s);

#endif
