/*
 * table_lmdb.h - the entries of an LMDB file.
 */
#ifndef FILTER_TABLE_LMDB_H
#define FILTER_TABLE_LMDB_H

#include "rules/str.h"

/*
 * Goes through all entries of the main database in an LMDB file that is in
 * memory whole; base is aligned for a uint64_t.  fn returns -1 to stop.  Returns 0, or -1 if
 * fn stopped or the file is broken, with the reason in why then.
 */
int table_lmdb_each(const void *base, size_t size,
    int (*fn)(void *arg, struct str key, struct str value), void *arg, struct strbuf *why);

#endif
