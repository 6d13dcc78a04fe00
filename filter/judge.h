/*
 * judge.h - how `postern judge` shows what came of a message.
 */
#ifndef FILTER_JUDGE_H
#define FILTER_JUDGE_H

#include <stdbool.h>

#include "script.h"

struct judged {
	const char	*file;
	const struct script *script;
	const struct ruleset *rules;
	struct outcome	*outcome;
	struct resolver	*resolver;	/* has traced the message's lookups, where they are shown */
	bool		hints;		/* to whoever reads: which options were not given */
};

/* The verdict for one recipient, whoever gave it. */
struct answer_given {
	enum verdict	verdict;
	int		rule;
	enum stage	stage;
	const struct reply *reply;	/* lines only with reject, tempfail, split */
};
struct answer_given judge_answer(const struct outcome *o, const struct rcpt_outcome *rc);

/* A rule's name, or none. */
struct str judge_rule(const struct ruleset *rs, int index);

/* The message's DKIM signatures; NULL if nobody asked what they are worth. */
const struct dkim_answer *judge_signatures(const struct judged *j);

/* What would become of the delivered message; *n 0: nothing, or it is not delivered. */
const struct change *judge_changes(const struct judged *j, size_t *n);
const char *judge_change_name(const struct change *c);	/* "set header" */
/* Does a rule's edit lie behind that change? */
bool judge_change_of(const struct change *c, const struct edit *e);
const char *judge_list_kind(const struct dnsbl *l);	/* the fact's name */
/* A field's value on one line. */
void judge_unfold(struct str s, struct strbuf *out);

/* Several lines; trace: each rule, too. */
void judge_print(const struct judged *j, bool trace, bool colour);
/* One line for a file of many. */
void judge_print_line(const struct judged *j, bool colour);
/* One JSON object on a line; -1 without memory. */
int judge_print_json(const struct judged *j, bool trace);

#endif
