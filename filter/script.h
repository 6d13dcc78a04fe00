/*
 * script.h - an SMTP dialogue written down, played to a session.
 *
 * judge makes one from options and a message file, a `test` of the rules file
 * is one, and replay files hold several: all are judged by the same code as
 * the daemon's mail.
 */
#ifndef FILTER_SCRIPT_H
#define FILTER_SCRIPT_H

#include "message.h"
#include "session.h"

struct script {
	bool		 has_ip, by_smtp;
	struct ipaddr	 ip;
	struct str	 name;			/* verified; p NULL for none */
	int		 port;
	struct str	 helo;			/* p NULL: none was said */
	struct str	 auth;			/* {auth_authen}; p NULL for none */
	bool		 has_sender;
	struct str	 sender;		/* with or without <> */
	struct strings	 params;
	struct strings	 rcpts;
	const struct param_list macros;		/* as the MTA would have sent them at connect, MAIL ... */
	const struct message_field *fields;
	size_t		 nfields;
	struct str	 body;
	time_t		 now;			/* 0: the real clock */
	const struct given *given;
	size_t		 ngiven;
};

/* What was said to each recipient, and to the message. */
struct outcome {
	struct session	*session;		/* still open: for trace and changes; outcome_free() ends it */
	const struct plan *refused;		/* the verdict that ended it before the end of the message, or NULL */
	const struct plan *final;		/* at the end of the message, or NULL if nobody was left */
	const struct recipient **rcpts;
	size_t		 nrcpts;
};

/* 0, or -1 without memory. */
int script_run(const struct script *sc, struct ruleset *rs, const struct services *sv, struct outcome *o);
void outcome_free(struct outcome *o);

#endif
