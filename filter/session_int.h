/*
 * session_int.h - a session's inside, for session.c and changes.c.
 */
#ifndef FILTER_SESSION_INT_H
#define FILTER_SESSION_INT_H

#include "arc.h"
#include "session.h"

struct session {
	struct ruleset	*rs;
	const struct services *sv;
	struct mail	 mail;
	struct rules_state *st;
	unsigned	 facts;			/* that rules can look at: F_SPF ... */
	bool		 failed;		/* an engine had no memory */
	bool		 decided;		/* nothing that comes can change what will be said */
	struct plan	 plan;			/* a plan that was changed on its way out */

	const struct spf_answer *spf[2];	/* by enum spf_identity */
	struct dns_query *spf_begun[2];
	struct dkim_check *dkim;
	const struct dkim_answer *dkim_done;
	struct dmarc_check *dmarc;
	const struct dmarc_answer *dmarc_done;
	struct arc_check *arc;
	const struct arc_answer *arc_done;
	msec		 waited, wait_from;

	bool		 authres_on, authres_auto;
	unsigned	 authres_methods;
	size_t		 late_octets;		/* of fields kept past header-limit */
	struct strbuf	 body;
};

#endif
