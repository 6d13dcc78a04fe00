/*
 * tables.h - lists, from the rules file, from files and from databases, ready
 * to be asked; and how they change while messages are judged.
 *
 * A table is built once and then only read: nets become a trie over 128 bits
 * (longest prefix), domains, addresses and strings hash sets, patterns a list
 * of regexes.  When a file has changed a new table is built beside the old
 * one.  The tables of all lists are held together by a view, and a message
 * keeps the view that it began with, so no verdict rests on two versions.
 */
#ifndef RULES_TABLES_H
#define RULES_TABLES_H

#include "str.h"
#include "types.h"

struct arena;
struct ast;
struct captures;
struct diag;
struct list;
struct source;
struct table;
struct tables;
struct table_view;

enum table_result {
	TABLE_NO, TABLE_YES,
	TABLE_LIMIT,		/* a pattern was at its limit */
	TABLE_FAILED		/* a database could not be read */
};

/* Databases in the form that postmap(1) writes. */
enum table_db { TABLE_CDB, TABLE_LMDB };

/*
 * Who reads databases.  A database that is open stays as it was then, whatever
 * becomes of its file, and any number of threads may ask it.
 */
struct table_ops {
	/* NULL, with the reason in why, for what is no whole database. */
	void *(*open)(enum table_db kind, const char *path, struct strbuf *why);
	/*
	 * 1 and *text, which lasts as long as db; 0: no such key; -1: it can't be
	 * read.  key.p[key.n] is a NUL; keys with and without it are found.
	 */
	int (*get)(void *db, struct str key, struct str *text);
	size_t (*size)(void *db);	/* keys */
	void (*close)(void *db);
};

struct table_how {
	const struct table_ops *ops;	/* NULL: databases are an error */
	unsigned	match_limit;
	bool		whole;		/* what may be a file half written is an error, too */
};

/* The largest file of a list, and key that is looked up in databases. */
#define TABLE_FILE_MAX	(1u << 30)
#define TABLE_KEY_MAX	1024

/*
 * Builds the table of a list in the arena, reading the files that it names;
 * each wrong entry is queued in diag with its own file, line and caret.
 * Returns NULL without memory; otherwise a table of the right entries.
 *
 * List files hold one entry a line, as it stands, without quotes; a # at the
 * start of a line or after a blank begins a comment.  Behind an entry of nets,
 * domains and addresses may stand a text.  Files of patterns hold
 * one /regex/flags a line, which ends at the line's last slash.  Relative paths
 * start from the directory of the rules file that names them.  Patterns are
 * compiled for text, whatever fact is matched.
 */
struct table *table_build(const struct list *list, const struct table_how *how,
    struct arena *a, struct diag *d);

/*
 * nets: v->ip.  domains: v->s, entries exact or ".below".  strings: v->s, case
 * ignored (`raw`: not).  addresses: v->mb, entries u@d, @d, @.d.  Costs do not
 * grow with the number of entries.
 */
enum table_result table_has(const struct table *t, const struct value *v, bool raw);

/* patterns: does any match?  caps of the first in order that does; may be NULL. TABLE_LIMIT: none did, and one was at its limit. */
enum table_result table_matches(const struct table *t, struct str subject, struct captures *caps);

/*
 * The same, with the text that the list gives added to out: that of the
 * narrowest entry (the address before its domain, the longer domain and prefix
 * before the shorter), of the pattern that matches first; entries in place and from plain files
 * before databases, those in their order.  What is captured is cut at max octets.
 */
enum table_result table_text(const struct table *t, const struct value *v, bool raw, struct strbuf *out);
enum table_result table_match_text(const struct table *t, struct str subject, size_t max, struct strbuf *out);

/* Entries: different networks, keys, or patterns, and the keys of databases. */
size_t table_size(const struct table *t);

/* ---- All lists of a rules file ---- */

/*
 * Builds the tables of all lists and numbers the lists.  Tied to the arena; ops
 * must outlive it.  NULL without memory.
 */
struct tables *tables_new(struct ast *ast, const struct table_ops *ops, unsigned match_limit,
    struct arena *a, struct diag *d);

/* The tables as they are now, with a reference; thread-safe. */
struct table_view *tables_view(struct tables *ts);
void table_view_release(void *view);
/* NULL for a list that no memory was left for. */
const struct table *table_in(const struct table_view *view, const struct list *list);

/* What became of a list whose files have changed. */
struct table_news {
	const struct list *list;
	bool		 replaced;	/* false: the old one goes on */
	size_t		 size;		/* as table_size() */
	struct diag	*diag;		/* what is wrong, or doubtful */
};

/*
 * Looks whether files have changed and builds the tables of their lists anew;
 * those without a mistake take the place of the old ones, together.  A file is
 * read once it has rested from one call to the next, and a broken one not again before it
 * changes.  One thread at a time.  fn hears of each list that was read, after
 * the change.
 */
void tables_refresh(struct tables *ts, void (*fn)(void *arg, const struct table_news *news),
    void *arg);

#endif
