/*
 * ast.h - a rules file as a tree, each node with its span.
 *
 * parse.c makes it; the fields under "resolved" are filled in by check.c.
 * All of it lives in the ruleset's arena, so that the trace, the printer and
 * the tests in the file can point at the source as long as the ruleset lives.
 */
#ifndef RULES_AST_H
#define RULES_AST_H

#include "actions.h"
#include "diag.h"
#include "facts.h"
#include "str.h"
#include "types.h"

struct regex;
struct tables;
struct text;

/* A word, string, number or <> of the source; text is without quotes and escapes. */
enum operand_kind { OPD_WORD, OPD_STRING, OPD_NUMBER, OPD_EMPTY };
struct operand {
	enum operand_kind kind;
	struct span	  at;
	struct str	  text;
	struct operand	 *next;
	struct value	  value;	/* resolved */
};

struct name_ref {
	struct span	at;
	struct str	text;
};

/* `spf`, `header["X"]`, `rate["${client.ip}", 100 per 1h]` */
struct fact_ref {
	struct span	at;		/* all of it */
	struct str	name;
	bool		has_key;
	struct span	key_at;
	struct str	key;		/* of rate: all that is in [ ], once resolved */
	struct text    *key_text;	/* of rate, whose key has facts in it; else NULL */
	struct operand *limit, *window;	/* NUMBER per DURATION; NULL without */
	/* resolved */
	const struct fact *fact;
	enum stage	stage;		/* fact->stage, but macros have their own, and `score`, `matched` and `rate` that of what feeds them */
	enum scope	scope;		/* likewise: P_RCPT where what feeds it is judged per recipient */
	int		rule;		/* of matched["rule"]: its index */
	size_t		rate;		/* of rate, in a rule: the place of its expression; equal ones have the same */
};

/* /re/flags */
struct regex_lit {
	struct span	at;		/* with the slashes */
	struct str	pattern;	/* as written, \/ still escaped: PCRE2 reads it as / */
	struct str	flags;		/* some of imsx */
	struct regex   *re;		/* resolved */
};

/* A STRING with ${...} in it. */
enum part_kind { PART_LITERAL, PART_FACT, PART_CAPTURE, PART_TABLE };
struct part {
	enum part_kind	kind;
	struct span	at;
	struct str	text;		/* PART_LITERAL */
	struct fact_ref	fact;		/* PART_FACT */
	int		capture;	/* PART_CAPTURE: 0 to 99 */
	struct name_ref	list_name;	/* PART_TABLE: ${table.NAME} */
	struct list    *list;		/* resolved */
	struct part    *next;
};
struct text {
	struct span	at;
	struct part    *parts;
	struct text    *next;		/* the reply's next line */
};

enum quant { Q_NONE, Q_ANY, Q_EVERY };

enum cond_kind { COND_AND, COND_OR, COND_NOT, COND_HAS, COND_CMP };
struct cond {
	enum cond_kind	kind;
	struct span	at;
	struct cond    *child;		/* AND, OR: two or more; NOT, HAS: one */
	struct cond    *next;
	int		constant;	/* resolved: 1 always true, -1 never, 0 neither, or nobody can say; errors aside */

	/* HAS and CMP */
	enum quant	quant;
	struct span	quant_at;
	/* HAS */
	struct name_ref	thing_name;
	enum thing	thing;		/* resolved */
	/* CMP */
	struct fact_ref	fact;
	enum op		op;
	bool		negated;	/* is not, not in, not matches */
	struct span	op_at;
	struct operand *operands;	/* OP_IS one (also `<>`), OP_IN_SET one or more, OP_IN_NET one, OP_CONTAINS.. OP_GE one */
	struct regex_lit regex;		/* OP_MATCHES */
	struct name_ref	list_name;	/* OP_IN_LIST, OP_MATCHES_LIST */
	struct list    *list;		/* resolved */
};

/* Is a comparison about all recipients, and not about the one that is judged? */
static inline bool
cond_is_of_all(const struct cond *c)
{
	return c->quant != Q_NONE && c->fact.fact->scope == P_RCPT;
}

struct action {
	enum action_id	id;
	struct span	at;
	bool		would;
	/* reply: 0 and empty where not written; check.c fills in the defaults */
	int		code;
	struct span	code_at;
	struct str	enhanced;
	struct span	enhanced_at;
	struct text    *text;		/* one, or a reply's lines; NULL if it takes none */
	struct name_ref	header;		/* HNAME */
	struct operand *path;		/* without <> */
	int64_t		score;
	struct action  *next;
};

struct rule {
	struct span	at;		/* first line */
	struct name_ref	name;
	struct cond    *cond;		/* NULL: always */
	struct action  *actions;
	struct rule    *next;
	/* resolved */
	int		index;		/* 0 ... in file order */
	bool		per_rcpt;	/* judged for each recipient */
	enum stage	stage;		/* at which condition and texts are surely known */
	enum stage	reply_stage;	/* at which its verdict can be given: holder counted in */
	const struct rule *holder;	/* the rule above that holds it back, or NULL */
	const struct cond *capturing;	/* the comparison whose match ${n} means, or NULL if no text has ${n} */
};

enum list_type { LIST_NETS, LIST_DOMAINS, LIST_ADDRESSES, LIST_STRINGS, LIST_PATTERNS, LIST_TYPES };
const char *list_type_name(enum list_type t);

enum entry_kind {
	ENTRY_WORD, ENTRY_STRING, ENTRY_REGEX,
	ENTRY_FILE, ENTRY_CDB, ENTRY_LMDB, ENTRY_PCRE	/* text is a path */
};
const char *entry_kind_name(enum entry_kind k);	/* "file" ... "pcre"; NULL for entries in place */
struct entry {
	enum entry_kind	kind;
	struct span	at;
	struct str	text;		/* of files: the path, as written */
	struct regex_lit regex;
	struct entry   *next;
};
struct list {
	enum list_type	type;
	struct span	at;
	struct name_ref	name;
	struct entry   *entries;
	struct list    *next;
	/* resolved */
	bool		used;
	struct operand *values;		/* of a short one that is all in place, as if it stood in { } */
	size_t		index;		/* of its table in a view */
};

struct set {
	struct span	at;
	struct name_ref	name;
	struct operand *values;		/* one or more words or strings */
	struct set     *next;
};

/* client, name, helo, auth, message, zone, time: value; sender, rcpt: path;
   header, macro: name and value; body: value; given: a fact and its value. */
enum item_kind {
	ITEM_CLIENT, ITEM_NAME, ITEM_HELO, ITEM_AUTH, ITEM_MESSAGE, ITEM_ZONE,
	ITEM_TIME, ITEM_SENDER, ITEM_RCPT, ITEM_HEADER, ITEM_MACRO, ITEM_BODY,
	ITEM_GIVEN
};
struct item {
	enum item_kind	kind;
	struct span	at;
	struct name_ref	name;		/* ITEM_HEADER, ITEM_MACRO */
	struct operand	value;		/* paths without <> */
	struct fact_ref	fact;		/* ITEM_GIVEN */
	struct item    *next;
	/* resolved */
	enum error_class error;		/* of `given FACT error` */
};

/* `given FACT unset`, `given FACT error`, without quotes. */
static inline bool
item_is_unset(const struct item *i)
{
	return i->kind == ITEM_GIVEN && i->value.kind == OPD_WORD && str_eq(i->value.text, STR("unset"));
}

static inline bool
item_is_error(const struct item *i)
{
	return i->kind == ITEM_GIVEN && i->value.kind == OPD_WORD && str_eq(i->value.text, STR("error"));
}

enum expect_verdict {
	EXPECT_ACCEPT, EXPECT_REJECT, EXPECT_TEMPFAIL, EXPECT_DISCARD,
	EXPECT_QUARANTINE, EXPECT_SPLIT, EXPECT_EDIT
};
struct expect {
	struct span	at;
	struct operand *rcpt;		/* path, or NULL */
	enum expect_verdict verdict;
	struct action  *edit;		/* EXPECT_EDIT */
	int		code;		/* 0: any */
	struct span	code_at;
	struct name_ref	by;		/* text.p NULL: any */
	struct name_ref	stage_name;	/* text.p NULL: any */
	struct expect  *next;
	/* resolved */
	const struct rule *by_rule;
	enum stage	stage;
};
struct test {
	struct span	at;
	struct str	name;
	struct item    *items;
	struct expect  *expects;
	struct test    *next;
};

struct ast {
	struct source  *sources;	/* in the order read; the first is the file itself */
	struct set     *sets;
	struct list    *lists;
	struct rule    *rules;
	struct test    *tests;
	size_t		nrules, nlists, ntests;
	size_t		nrates;		/* expressions with `rate`, each once; resolved */
	struct tables  *tables;		/* what the lists hold; resolved */
	/*
	 * Rules with mistakes that diag knows of.  Their names exist, and what
	 * could be read of them is checked for more; nothing is concluded from
	 * what they lack.
	 */
	struct rule    *broken;
	/* A file or a statement's name could not be read: any name may be missing. */
	bool		incomplete;
};

#endif
