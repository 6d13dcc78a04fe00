/*
 * actions.h - the table of actions: what a rule may do.
 */
#ifndef RULES_ACTIONS_H
#define RULES_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum action_id {
#define ACTION(word, id, args, final, flags, manual) id,
#include "actions.def"
#undef ACTION
	A_COUNT
};

enum action_args {
	ARG_NONE, ARG_REPLY, ARG_TEXT, ARG_HEADER, ARG_HEADER_TEXT,
	ARG_PATH, ARG_PATH_OPTIONAL, ARG_SIGNED
};

enum {
	ACT_EDIT  = 1 << 0,	/* collected, done at the end of the message */
	ACT_SCORE = 1 << 1,
	ACT_RCPT  = 1 << 2	/* concerns the recipient that is judged */
};

struct action_def {
	const char	*words;		/* one or two, with one blank */
	enum action_id	 id;
	enum action_args args;
	bool		 final;		/* ends the reading */
	unsigned	 flags;
	const char	*manual;
};

/* Indexed by enum action_id. */
extern const struct action_def actions[A_COUNT];

/* The arguments as the manual writes them: "[CODE [ENHANCED]] \"TEXT\" ...". */
const char *action_args_manual(enum action_args args);

#endif
