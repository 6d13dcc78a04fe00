/*
 * authres.h - Authentication-Results (RFC 8601): written, and forged ones found.
 */
#ifndef FILTER_AUTHRES_H
#define FILTER_AUTHRES_H

#include <stdbool.h>
#include "rules/mail.h"

struct arena;

/* What the field says; NULL members are left out. */
struct authres {
	struct str	authserv_id;
	const struct spf_answer *spf;		/* smtp.mailfrom */
	struct str	mailfrom;		/* local@domain or domain; empty for <>: smtp.helo is stated */
	const struct spf_answer *spf_helo;	/* smtp.helo */
	struct str	helo;
	const struct dkim_answer *dkim;
	const struct dmarc_answer *dmarc;
	const struct arc_answer *arc;
	const struct iprev_answer *iprev;
	struct str	auth_user;		/* login name; empty if the client did not authenticate */
	struct str	remote_ip;		/* the client's address, for ARC and iprev; p NULL without one */
};

/* The field's value, folded with LF and tab, without a leading blank; p NULL
   without memory.  Nothing that mail brings can break out of its place: what
   no grammar allows is quoted or replaced. No method: ends in "none". */
struct str authres_write(struct arena *a, const struct authres *r);

/* Does an incoming field's value claim to be authserv_id's (RFC 8601, 5)?
   Lenient: comments, quotes, case, versions, and broken fields whose first token, or the first
   after a semicolon, is it. */
bool authres_claims(struct str value, struct str authserv_id);

#endif
