/*
 * rules.h - a rules file, loaded, and what it says about a message.
 *
 * A ruleset is immutable after load and reference-counted, so that a reload
 * swaps it whole while connections keep the one that they began with.
 * Evaluation yields a plan, which others apply: the daemon through libmilter,
 * judge and the tests by printing it.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "settings.h"
#include "str.h"

struct arena;
struct ast;
struct diag;
struct mail;
struct recipient;
struct rule;
struct ruleset;
struct rules_state;
struct table_news;
struct table_ops;

/* ---- Loading ---- */

/*
 * Reads, checks and compiles a file; every mistake goes to diag.  Returns a
 * ruleset with one reference, or NULL if there were errors.  The tests in the
 * file are not run: selftest_run() of the filter does that.
 */
struct ruleset *rules_load(const char *path, struct diag *d);
/* The same with lists from databases, which ops reads; NULL: they are an error. */
struct ruleset *rules_load_with(const char *path, const struct table_ops *ops, struct diag *d);
/* The same from memory; includes are relative to dir. */
struct ruleset *rules_load_text(struct str name, struct str text, const char *dir, struct diag *d);
struct ruleset *rules_load_text_with(struct str name, struct str text, const char *dir,
    const struct table_ops *ops, struct diag *d);

/*
 * Takes lists from files that have changed, as tables_refresh() has it; a message that has
 * begun keeps what it began with.  One thread at a time.
 */
void rules_refresh_lists(struct ruleset *rs,
    void (*fn)(void *arg, const struct table_news *news), void *arg);

/* Thread-safe. */
struct ruleset *rules_retain(struct ruleset *rs);
void rules_release(struct ruleset *rs);

const struct settings *rules_settings(const struct ruleset *rs);
/* `set time-zone`, for struct mail; NULL: the system's. */
const struct tz *rules_time_zone(const struct ruleset *rs);
const struct ast *rules_ast(const struct ruleset *rs);

/* What a ruleset can look at: the rest need not be sent, stored or asked. */
struct needs {
	unsigned	facts;		/* F_SPF, F_DKIM, F_HEADERS ... of all rules */
	bool		edits;		/* some rule changes headers, recipients or the sender */
	bool		quarantine;
	/* Can a verdict be told at that stage?  Where not, no reply is needed. */
	bool		replies[S_COUNT];
	/* Macros that rules name, beside those behind facts, each once. */
	struct strings	macros;
};
const struct needs *rules_needs(const struct ruleset *rs);

/* ---- Evaluating ---- */

enum verdict {
	V_NONE,			/* undecided: go on */
	V_ACCEPT, V_QUARANTINE, V_DISCARD, V_TEMPFAIL, V_REJECT,
	V_SPLIT			/* 452: this recipient in another transaction */
};
const char *verdict_name(enum verdict v);

struct reply {
	int		code;		/* 4xx or 5xx */
	struct str	enhanced;	/* "5.7.1" */
	const struct str *lines;	/* printable ASCII, each at most 900 octets */
	size_t		nlines;		/* at most 32 */
};

enum edit_kind {
	EDIT_TAG_SUBJECT,	/* value: the tag */
	EDIT_ADD_HEADER, EDIT_SET_HEADER, EDIT_REMOVE_HEADER,
	EDIT_ADD_RCPT, EDIT_REMOVE_RCPT,	/* value: the address with <> */
	EDIT_SET_SENDER
};
const char *edit_name(enum edit_kind k);	/* "tag subject" */
struct edit {
	enum edit_kind	kind;
	struct str	name;		/* of a header field */
	struct str	value;
	int		rule;
};

/* One rule's line for the log. */
struct note {
	enum { NOTE_LOG, NOTE_WOULD, NOTE_ERROR } kind;
	int		rule;
	bool		not_asked;	/* an early reply came before the rule was decided */
	struct str	text;		/* log: the text; would: the action as written; error: the fact that failed */
};

/*
 * What to do now.  In the message's arena, valid until mail_reset().
 *
 * At S_RCPT it is about the recipient that mail_rcpt() made last, at other
 * stages about all that are left.  verdict is V_NONE as long as nothing is to
 * be said at this stage; `decided` tells that nothing that may still come can
 * change what will be said, so that the rest needs not be sent.
 */
struct plan {
	enum verdict	verdict;
	bool		decided;
	int		rule;		/* that gave the verdict; -1: none did */
	bool		on_error;	/* the rule is in error, on-error decided */
	bool		monitor;	/* mode monitor: nothing of this is applied, verdict is what would have been */
	enum stage	stage;
	struct reply	reply;		/* of reject, tempfail, split */
	struct str	reason;		/* of quarantine */
	/* Only at S_MESSAGE, with accept or quarantine: */
	const struct edit *edits;	/* in file order; idempotence is the applier's, who sees the headers */
	size_t		nedits;
	/* At S_MESSAGE, and with a verdict that ends the message: for the log. */
	const struct note *notes;
	size_t		nnotes;
	bool		has_score;	/* some rule scores */
	int64_t		score;		/* the highest of the recipients' */
	unsigned	asked;		/* F_SPF, F_SPFHELO, F_DKIM, F_DMARC, F_ARC, F_IPREV, F_DNSBL: named by rules that the reading came to */
};

/*
 * Begins a message.  Call it when a connection begins and after each
 * mail_reset(); the state lives in the message's arena, holds no reference on the
 * ruleset, and sees the lists as they are now to its end.
 * NULL without memory.
 */
struct rules_state *rules_start(const struct ruleset *rs, struct mail *m);

/*
 * The facts of `stage` are in the mail: what is to be said?  Called at each
 * stage at most once (S_RCPT: once a recipient, right after mail_rcpt()), in
 * their order; stages may be left out.  Sets m->stage, and the recipients'
 * states.  With `final` at S_MESSAGE there is always a verdict.
 * Returns NULL without memory: tempfail the message.
 */
const struct plan *rules_advance(struct rules_state *st, enum stage stage);

/* What was decided about one recipient by its own reading, made now if need be; verdict V_NONE: nothing yet. */
struct rcpt_verdict {
	enum verdict	verdict;
	int		rule;
	bool		on_error;
	enum stage	stage;		/* at which it was decided */
	struct reply	reply;
	int64_t		score;
	const struct rule *differs;	/* of one that is split, or would be in mode monitor: the rule that tells it from the first */
};
const struct rcpt_verdict *rules_rcpt_verdict(struct rules_state *st, struct recipient *r);
/* What a recipient hears that is split. */
const struct reply *rules_split_reply(void);

/* ---- Explaining ---- */

/* Tells of each rule that has given points to that recipient (NULL: to all), in file order, without asking anything anew. */
void rules_scored(const struct rules_state *st, const struct recipient *r,
    void (*fn)(void *arg, const struct rule *rule, int64_t points), void *arg);

/*
 * The trace of a finished (or running) evaluation for one recipient (NULL:
 * what holds for all): each rule once.
 */
enum traced { TRACE_TRUE, TRACE_FALSE, TRACE_ERROR, TRACE_PENDING, TRACE_NOT_ASKED };
struct trace_line {
	const struct rule *rule;
	enum traced	outcome;
	enum stage	stage;		/* at which it was known */
	struct str	why;		/* "spf is pass", "subject is unset"; the comparison that decided */
};
/* Lines are in the arena of the message; *n of them, NULL without memory. */
const struct trace_line *rules_trace(struct rules_state *st, struct recipient *r, size_t *n);

#endif
