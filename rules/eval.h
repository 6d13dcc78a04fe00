/*
 * eval.h - the evaluator's inside: what compile.c makes, and what the files
 * share that run it.  Others include rules.h.
 */
#ifndef RULES_EVAL_H
#define RULES_EVAL_H

#include <stdatomic.h>

#include "ast.h"
#include "mail.h"
#include "outcome.h"
#include "rules.h"
#include "scans.h"

struct captures;
struct table_view;
struct rules_state;

/* A condition, its children cheapest first.  Equal comparisons share a slot. */
struct node {
	const struct cond *cond;
	enum cond_kind	kind;
	enum cost	cost;
	bool		per_rcpt;	/* false: one outcome for all recipients */
	int		slot;		/* of a CMP or HAS: where its outcome is kept; -1: not kept */
	enum stage	first;		/* before it nothing can be said */
	enum stage	may_true, may_false;	/* the first stage at which it may be so */
	size_t		nkids;
	struct node   **kids;
	const struct scan_group *group;	/* of a CMP with a pattern: those on the same fact; or NULL */
	size_t		index;		/* in the group */
};

/* A rule, as the evaluator wants it. */
struct crule {
	const struct rule *rule;
	struct node	*root;		/* NULL: always true */
	const struct action *final;	/* NULL if none ends the reading */
	int		slot;		/* of its outcome: per recipient; or shared, then it is the rule's index */
	bool		per_rcpt;	/* the condition is */
	bool		edits;		/* has edits that are not shadow */
	bool		notes;		/* has log, or shadow actions */
	bool		scores;
	bool		greylists;	/* its condition asks `greylist` */
	int64_t		score;
	unsigned	flags;		/* F_SPF ... of all that it names */
	int		 guard;		/* the table of guards that leads to it; -1: none */
};

/* Rules that one fact's value leads to (guard.c). */
struct guard_entry {
	uint64_t	hash;
	int		rule;
};
struct guard {
	const struct fact_ref *fact;
	struct guard_entry *entries;	/* by hash */
	size_t		 nentries;
	int		*rules;		/* all of them, in file order */
	size_t		 nrules;
	int64_t		*lo, *hi;	/* what the first n of them could score, at least and at most */
};
struct guard_state {
	bool		known, all;
	uint8_t		stage;		/* at which it was */
};

/* An expression with `rate`. */
struct rate {
	const struct fact_ref *ref;
	struct str	 key;		/* all of it, folded: what is counted begins with it */
};

/* Rules in file order. */
struct rule_list {
	int		*v;
	size_t		 n;
};

struct program {
	struct crule	*rules;
	size_t		 nrules;
	struct rule_list scorers;	/* rules that score */
	uint64_t	*plain_scorers;	/* those of them that no guard leads to: rule i is bit i % 64 of i / 64 */
	bool		 rcpt_scores;	/* one is judged per recipient */
	struct rule_list traced;	/* rules with edits or notes */
	uint64_t	*visit[S_COUNT]; /* rules to be looked at, but for those that guards lead to */
	size_t		 late[S_COUNT];	/* the first rule of which nothing can be said yet */
	unsigned	*asked;		/* F_SPF ... that the first n rules name */
	struct guard	*guards;
	size_t		 nguards;
	size_t		 nshared, nown;	/* slots of comparisons: shared, per recipient */
	size_t		 nown_rules;	/* slots of rules that are judged per recipient */
	struct rate	*rates;		/* each once, in file order */
	size_t		 nrates;
	bool		 greylists;	/* some rule does */
	struct scans	*scans;
};

struct ruleset {
	atomic_int	 refs;
	struct arena	*arena;
	struct ast	*ast;
	struct settings	 settings;
	struct tz	*tz;		/* NULL: the system's */
	struct needs	 needs;
	struct program	 prog;
};

/* Fills in rs->prog and rs->needs from the checked tree; 0, or -1 without memory. */
int compile(struct ruleset *rs);

/* One recipient's way through the file; r NULL: what holds for all. */
struct reading {
	struct recipient *r;
	outcome		*own;		/* comparisons about the recipient */
	outcome		*rules;		/* rules judged per recipient */
	uint8_t		*known_at;	/* their stages, for the trace */
	size_t		 pos;		/* rules before it are decided and did not end the reading */
	size_t		 end;		/* rules that the reading came to, so far */
	struct rcpt_verdict v;
	struct str	 reason;	/* of quarantine */
	struct reading	*next;
};

struct rules_state {
	const struct ruleset *rs;
	struct table_view *lists;	/* as they were when the message began; NULL: there are none */
	struct mail	*m;
	outcome		*shared;	/* comparisons */
	outcome		*rules;		/* rules */
	uint8_t		*known_at;
	struct reading	 all;		/* before there are recipients */
	struct reading	*readings, **tail;
	bool		 strictest;	/* no split any more in this transaction */
	int64_t		 nsplit;
	struct plan	 plan;
	struct stored	*stored;	/* what the store said about the message */
	struct scanned	*scanned;	/* by the groups' numbers */
	uint64_t	*open;		/* rules but for those that a scan has ruled out */
	bool		 supposing;	/* outcomes are tried, and not kept */
	struct guard_state *guards;
	int		*hits;		/* rules that guards led to, in file order */
	size_t		 nhits, hits_cap;
	bool		 erred;		/* some rule is in error */
	bool		 failed;	/* memory */
};

/* The words that a set of the program's rules takes. */
static inline size_t
rule_words(const struct program *p)
{
	return (p->nrules + 63) / 64;
}

/* The next rule from i on that is in the set and open, or the number of rules. */
static inline size_t
next_open(const struct rules_state *st, const uint64_t *set, size_t i)
{
	size_t n = st->rs->prog.nrules, w = i / 64;
	uint64_t rest;

	if (i >= n)
		return n;
	for (rest = set[w] & st->open[w] & ~UINT64_C(0) << (i % 64); rest == 0; rest = set[w] & st->open[w])
		if (++w == rule_words(&st->rs->prog))
			return n;
	return w * 64 + (size_t)__builtin_ctzll(rest);
}

/* What the rule of that index is for this reading; looks at no more than it must. */
outcome eval_rule(struct rules_state *st, struct reading *rd, size_t i);
/* Keeps what rule i has turned out to be. */
outcome eval_settle(struct rules_state *st, struct reading *rd, size_t i, outcome o);
/* A condition inside, for agreement and the trace. */
outcome eval_node(struct rules_state *st, struct reading *rd, const struct node *n, size_t rule);

/* Bounds of the score before rule i; base: what decided rules gave. */
struct score_range {
	int64_t		lo, hi, base;
};
struct score_range eval_score(struct rules_state *st, struct reading *rd, size_t i);

/* What is given of a fact (given.c); FACT_PENDING: nothing. */
enum fact_status given_answer(const struct mail *m, const struct fact_ref *ref, struct answer *out);
/* How many parts of a thing are given; FACT_PENDING: nothing of it, FACT_ERROR: with its class. */
enum fact_status given_parts(const struct mail *m, enum thing t, size_t *n, enum error_class *error);
/* A fact's answer, `given` first; FACT_PENDING before its stage. */
enum fact_status eval_fact(struct rules_state *st, const struct fact_ref *ref, struct answer *out);

/* ---- notes.c, edits.c ---- */

/* Fills in the plan's notes and scores: of one reading, or (NULL) of all recipients that are left. */
void plan_notes(struct rules_state *st, struct reading *only);
/* Fills in the plan's edits: of all recipients that are left. */
void plan_edits(struct rules_state *st);

/* ---- guard.c ---- */

/* Finds the guards of a compiled program; 0, or -1 without memory. */
int guard_build(struct ruleset *rs);
/* Asks the guards whose facts are known by now. */
void guard_advance(struct rules_state *st);
/* Is the rule false by its guard?  *stage: at which that was known. */
bool guard_excludes(struct rules_state *st, size_t rule, enum stage *stage);
/* The first of st->hits that is not above the rule. */
size_t guard_hit_from(const struct rules_state *st, size_t rule);
/* Adds what the rules above could score whose guards aren't known yet. */
void guard_open_score(const struct rules_state *st, size_t rule, int64_t *lo, int64_t *hi);

/* ---- stored.c ---- */

/* What the store says of `rate` or `greylist`, asked once. */
enum fact_status stored_answer(struct rules_state *st, const struct fact_ref *ref, struct answer *out);
/* Counts the message under each key that is known by now. */
void stored_count(struct rules_state *st);
/*
 * The reading has come to rule i, which asks `greylist`, and its condition is open: asks
 * the store if nothing else is, and returns what the condition is then.
 */
outcome stored_greylist(struct rules_state *st, struct reading *rd, size_t i);
/* The recipient's RCPT is over: what wasn't asked for then is unset. */
void stored_close(struct rules_state *st, struct recipient *r);
/* For the trace: " (101 in 1h)"; nothing where nothing was counted. */
void stored_print(struct rules_state *st, const struct fact_ref *ref, struct strbuf *b);

/* One comparison on one value, with the lists of that view: 1, 0, or COMPARE_ errors. */
#define COMPARE_LIMIT	(-1)	/* a limit was reached */
#define COMPARE_FAILED	(-2)	/* a list could not be read */
int eval_compare(const struct table_view *lists, const struct cond *c, const struct value *v,
    struct captures *caps);

/* Goes on with a reading as far as facts allow; true once its verdict is decided. */
bool reading_advance(struct rules_state *st, struct reading *rd, bool wait);
struct reading *reading_new(struct rules_state *st, struct recipient *r);
/*
 * The rule by which two readings differ, as far as content could make them
 * differ in the end, or NULL if they agree.
 */
const struct rule *reading_differs(struct rules_state *st, struct reading *a, struct reading *b);

/* The comparison that made an error of this decided outcome, or NULL; likewise the one that decided it. */
const struct cond *trace_culprit(struct rules_state *st, struct reading *rd, size_t rule);

/* A text with its facts filled in. */
enum text_use { TEXT_REPLY, TEXT_HEADER, TEXT_LOG };
/* Are all its facts known? */
bool text_known(struct rules_state *st, struct reading *rd, size_t rule, const struct text *t);
struct str text_expand(struct rules_state *st, struct reading *rd, size_t rule,
    const struct text *t, enum text_use use);

#endif
