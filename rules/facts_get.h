/*
 * facts_get.h - what the getters of facts share.
 *
 * Inside facts*.c only.  A getter puts its values into the answer by one of
 * these, and returns what they return.
 */
#ifndef RULES_FACTS_GET_H
#define RULES_FACTS_GET_H

#include "facts.h"
#include "mail.h"

/* One getter a row. */
#define FACT(name, type, stage, scope, cost, getter, flags, manual) \
	fact_getter fact_get_##getter;
#include "facts.def"
#undef FACT

/* The counts of things[]. */
enum fact_status thing_count_rcpts(struct mail *m, size_t *n, bool *cut);
enum fact_status thing_count_signatures(struct mail *m, size_t *n, bool *cut);
enum fact_status thing_count_attachments(struct mail *m, size_t *n, bool *cut);
enum fact_status thing_count_urls(struct mail *m, size_t *n, bool *cut);

static inline enum fact_status
answer_one(struct answer *out)
{
	out->v = &out->one;
	out->n = 1;
	return FACT_KNOWN;
}

/* A text or domain; unset if p is NULL. */
static inline enum fact_status
answer_str(struct answer *out, struct str s)
{
	if (s.p == NULL)
		return FACT_UNSET;
	out->one.s = s;
	return answer_one(out);
}

/* The same, unset if empty: what an MTA or engine leaves empty, it doesn't know. */
static inline enum fact_status
answer_filled(struct answer *out, struct str s)
{
	return s.n > 0 ? answer_str(out, s) : FACT_UNSET;
}

static inline enum fact_status
answer_number(struct answer *out, int64_t n)
{
	out->one.n = n;
	return answer_one(out);
}

static inline enum fact_status
answer_mailbox(struct answer *out, const struct mailbox *mb)
{
	out->one.mb = *mb;
	return answer_one(out);
}

static inline enum fact_status
answer_error(struct answer *out, enum error_class error)
{
	out->error = error;
	return FACT_ERROR;
}

/* The same, of what a lookup may have brought: `lost` if it failed. */
static inline enum fact_status
answer_or_lost(struct answer *out, struct str s, bool lost)
{
	return s.n == 0 && lost ? answer_error(out, ERR_LOOKUP) : answer_filled(out, s);
}

/* A number in decimal; unset if it is none. */
enum fact_status answer_decimal(struct answer *out, struct str s);

/* ---- Facts with several values ---- */

/* Most values that one fact has; beyond them the answer is truncated. */
#define VALUES_MAX	10000

struct values {
	struct mail	*m;
	struct value	*v;
	size_t		 n, cap;
	size_t		 doubts;	/* of the n, the last */
	bool		 failed, truncated;
};

void values_add(struct values *c, const struct value *v);
/* One that hangs on a lookup that failed; after all that are sure. */
void values_doubt(struct values *c, const struct value *v);
void values_str(struct values *c, struct str s);

/*
 * Adds what the fact has.  FACT_KNOWN also if that is nothing; FACT_UNSET: the
 * message can't be asked; FACT_PENDING; FACT_ERROR: a decoder's limit.
 */
typedef enum fact_status values_of(struct values *c, struct str key);

/*
 * Answers with the values that of() adds, and remembers them in the message,
 * so that a hundred rules, or recipients, make them once.  No values: unset;
 * only ones in doubt: an error.
 */
enum fact_status answer_values(struct mail *m, values_of *of, struct str key,
    bool cut, struct answer *out);

#endif
