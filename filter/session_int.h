/*
 * session_int.h - a session's inside, for session*.c and changes.c.
 */
#ifndef FILTER_SESSION_INT_H
#define FILTER_SESSION_INT_H

#include "arc.h"
#include "geo.h"
#include "iprev.h"
#include "session.h"

/* SPF of one identity: begun, and answered. */
struct spf_asked {
	struct spf_job	*job;
	const struct spf_answer *answer;	/* the job's */
};

/* Authentication-Results past header-limit: so many, and so much of each. */
#define LATE_FIELDS	10000
#define LATE_OCTETS	4096

struct session {
	struct ruleset	*rs;
	const struct services *sv;
	struct mail	 mail;
	struct rules_state *st;
	unsigned	 facts;			/* that rules can look at: F_SPF ... */
	bool		 failed;		/* an engine had no memory */
	bool		 decided;		/* nothing that comes can change what will be said */
	struct plan	 plan;			/* a plan that was changed on its way out */

	struct spf_asked spf[2];		/* by enum spf_identity */
	struct iprev_job *iprev;		/* the connection's, as is that of HELO */
	const struct iprev_answer *iprev_done;
	struct dkim_check *dkim;
	const struct dkim_answer *dkim_done;
	struct dmarc_check *dmarc;
	const struct dmarc_answer *dmarc_done;
	struct arc_check *arc;
	const struct arc_answer *arc_done;
	struct dnsbl	*dnsbls;		/* that were asked; the message's */
	struct geo_answer geo;			/* the connection's, if geo_done */
	bool		 geo_done;
	msec		 waited, wait_from;

	bool		 authres_on, authres_auto, authres_auth;
	unsigned	 authres_methods;
	size_t		 late_fields;		/* kept past header-limit */
	struct strbuf	 body;
	struct mime	*mime;			/* the body is being decoded */
	const struct content *content;
};

/* session_body.c: keeps of the body what rules can look at; -1 without memory. */
int body_add(struct session *s, struct str chunk);
/* For struct mail_ops. */
const struct content *body_content(struct mail *m);

/* ---- envelope.c ---- */

/* What the MTA is to be told of the plan's edits of the envelope; NULL without memory. */
const struct change *envelope_changes(struct session *s, const struct plan *p, size_t *n);
/* Do the edits leave the message without a recipient?  By which rule, if so.  Without memory s->failed. */
bool envelope_leaves_nobody(struct session *s, const struct plan *p, int *rule);

/* ---- session_store.c ---- */

enum fact_status session_ask_rate(struct mail *m, const struct rate_query *q, uint64_t *count);
enum fact_status session_ask_greylist(struct mail *m, const struct greylist_query *q, bool *delay);

/* ---- session_world.c ---- */

const struct dnsbl_answer *session_ask_dnsbl(struct mail *m, enum dnsbl_kind kind,
    struct str zone, bool texts);
const struct geo_answer *session_ask_geo(struct mail *m);

/* ---- session_ask.c ---- */

extern const struct mail_ops session_ops;

/* Waiting begins: the deadline.  Then it ends. */
msec session_wait_begin(struct session *s);
void session_wait_end(struct session *s);

/* Begins what the settings want of a message that has a recipient; never blocks. */
void session_begin_methods(struct session *s);

/* What failed of the connection's lookups is tried anew for its next message. */
void session_forget_failures(struct session *s);

/* Begins what DMARC will need; never blocks.  -1 without memory. */
int session_begin_dmarc(struct session *s);

/* Does every message get a Received-SPF? */
bool session_received_spf(const struct session *s);

#endif
