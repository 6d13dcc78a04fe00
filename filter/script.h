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
	bool		 enforced;		/* in mode monitor, too: what is tested are the rules */
	struct ipaddr	 ip;
	struct str	 name;			/* verified; p NULL for none */
	int		 port;
	struct str	 helo;			/* p NULL: none was said */
	struct str	 auth;			/* {auth_authen}; p NULL for none */
	bool		 has_sender;
	struct str	 sender;		/* with or without <> */
	struct strings	 params;
	struct strings	 rcpts;			/* none: one that nothing is known of */
	struct param_list macros;		/* as the MTA would have sent them at connect, MAIL ... */
	const struct message_field *fields;
	size_t		 nfields;
	struct str	 body;
	time_t		 now;			/* 0: the real clock */
	const struct given *given;
	size_t		 ngiven;
};

/*
 * Reads a message file ("-": standard input) into fields and body, its line
 * ends made CR LF as they are in SMTP, and f (which may be NULL) as
 * message_split() leaves it.  What it reads lives in the arena.
 * Returns 0, or -1 with the reason in why.
 */
int script_message(struct script *sc, struct arena *a, const char *path,
    struct message_file *f, struct strbuf *why);

/* What was said to a recipient at RCPT, in mode monitor what would have been; verdict V_NONE: 250. */
struct rcpt_outcome {
	struct recipient *rcpt;
	enum verdict	verdict;
	int		rule;
	struct reply	reply;
};

/* What was said to each recipient, and to the message. */
struct outcome {
	struct services	*services;		/* with the script's clock */
	struct session	*session;		/* still open: for trace and changes; outcome_free() ends it */
	struct plan	 plan;			/* what was said last to the message: its verdict, unless nobody was left */
	bool		 early;			/* it was said before the end of the message */
	bool		 nobody;		/* every recipient was refused or split */
	struct rcpt_outcome *rcpts;
	size_t		 nrcpts;
};

/* 0, or -1 without memory. */
int script_run(const struct script *sc, struct ruleset *rs, const struct services *sv, struct outcome *o);
void outcome_free(struct outcome *o);

#endif
