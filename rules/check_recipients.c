/*
 * check_recipients.c - which rules are judged for each recipient.
 *
 * A rule that names the recipient, or a score or match that such a rule
 * feeds, may say one thing of Bob and another of Carol.  Such a rule can't
 * end the session: 421 and 521 would speak for all (postern-rules(5), RECIPIENTS).
 */
#include "check.h"

#include "check_walk.h"
#include "diag.h"

/* The first place that makes a rule one for each recipient. */
static void
find_recipient(void *arg, const struct fact_use *u)
{
	const struct fact_ref **first = arg;

	if (*first == NULL && u->ref->fact != NULL && u->ref->scope == P_RCPT)
		*first = u->ref;
}

void
check_recipients(struct ast *ast, struct diag *d)
{
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		const struct fact_ref *first = NULL;
		const struct action *final = rule_final(r);

		walk_cond(r->cond, find_recipient, &first);
		walk_texts(r->actions, find_recipient, &first);
		r->per_rcpt = first != NULL;
		if (first == NULL || final == NULL ||
		    (final->code != 421 && final->code != 521))
			continue;
		diag_error(d, final->code_at, "%d ends the session for all, but this rule is "
		    "judged for each recipient", final->code);
		diag_note(d, first->at, "'" STR_FMT "' makes it so", STR_ARG(first->name));
	}
}
