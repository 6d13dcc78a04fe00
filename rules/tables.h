/*
 * tables.h - lists, from the rules file and from files, ready to be asked.
 *
 * nets become a trie over 128 bits (longest prefix), domains, addresses and strings
 * hash sets, patterns a list of regexes.  Built at load, then only read.
 */
#ifndef RULES_TABLES_H
#define RULES_TABLES_H

#include "str.h"
#include "types.h"

struct arena;
struct captures;
struct diag;
struct list;
struct settings;
struct table;

enum table_result { TABLE_NO, TABLE_YES, TABLE_ERROR };

/*
 * Builds the table of a list, reading the files that it names; each wrong
 * entry is queued in diag with its own file, line and caret.
 * Returns NULL without memory; otherwise a table of the right entries.
 *
 * List files hold one entry a line, as it stands, without quotes; a # at the
 * start of a line or after a blank begins a comment.  Files of patterns hold
 * one /regex/flags a line, which ends at the line's last slash.  Relative paths
 * start from the directory of the rules file that names them.  Patterns are
 * compiled for text, whatever fact is matched.
 */
struct table *table_build(const struct list *list, const struct settings *s,
    struct arena *a, struct diag *d);

/* nets: v->ip.  domains: v->s, entries exact or ".below".  strings: v->s, case ignored (`raw`: not).
   addresses: v->mb, entries u@d, @d, @.d.  Costs do not grow with the number of entries. */
enum table_result table_has(const struct table *t, const struct value *v, bool raw);

/* patterns: does any match?  caps of the first in order that does; may be NULL. TABLE_ERROR: none did, and one was at its limit. */
enum table_result table_matches(const struct table *t, struct str subject, struct captures *caps);

/* Different entries: networks, keys, or patterns. */
size_t table_size(const struct table *t);

#endif
