/*
 * tables_int.h - a table's inside, for those who build and ask it.
 */
#ifndef RULES_TABLES_INT_H
#define RULES_TABLES_INT_H

#include "ast.h"
#include "keyset.h"
#include "pcretable.h"
#include "tables.h"

struct prefilter;

struct pattern {
	size_t		index;		/* in table.order */
	enum pcre_kind	kind;		/* an if, too, is a pattern; lines in place are PCRE_MATCH */
	bool		negated;
	const struct regex *re;		/* NULL: of an endif */
	const struct pcre_text *text;
	const struct pattern *endif;	/* of an if */
	struct pattern	*next;
};

struct database {
	const struct table_ops *ops;
	void		*db;
	struct database	*next;
};

struct table {
	enum list_type	 type;
	struct cidr_set	*nets;
	struct keyset	*keys;
	struct pattern	*patterns, **last;
	size_t		 npatterns;	/* but ifs and endifs */
	const struct pattern **order;	/* all of them */
	size_t		 norder;
	struct prefilter *prefilter;	/* NULL: each is a candidate */
	struct database	*dbs, **last_db;
};

/* Where in the set of keys an entry is. */
uint64_t table_hash(enum list_type type, const struct key *k);

/* The file of an entry as the system opens it, NULL for other entries; in the arena. */
const char *table_path(const struct entry *e, struct arena *a);

#endif
