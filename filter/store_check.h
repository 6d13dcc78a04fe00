/*
 * store_check.h - is the store's file whole?
 */
#ifndef FILTER_STORE_CHECK_H
#define FILTER_STORE_CHECK_H

#include <stdbool.h>

#include "rules/str.h"

/*
 * Looks over an LMDB file in which nobody writes meanwhile: the meta pages, and if `trees`
 * all that they lead to.  An empty file, and one of a later version of LMDB, is
 * not ours to judge.  0, or -1 with the reason in `why`.
 */
int store_check(int fd, bool trees, struct strbuf *why);

#endif
