/*
 * fold.h - UTF-8 text compared without regard to case.
 *
 * Letters are folded by Unicode's simple case folding (CaseFolding.txt,
 * status C and S), so "Ärger" is "ÄRGER" and "σ" is "ς", but "ß" is not "SS".
 * The table is our own: neither the locale nor the C library's version decides
 * whether a rule matches.  An octet that isn't part of well-formed UTF-8 is a
 * character of its own, equal only to itself.
 *
 * Nothing here but fold_to() allocates.
 */
#ifndef RULES_FOLD_H
#define RULES_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/* The character that c is compared as. */
uint32_t fold_char(uint32_t c);

bool fold_eq(struct str a, struct str b);
bool fold_starts(struct str s, struct str prefix);
bool fold_ends(struct str s, struct str suffix);
bool fold_contains(struct str s, struct str needle);

/* Appends octets that are the same for strings that fold_eq() calls equal; not for reading. */
void fold_add(struct strbuf *out, struct str s);

/* Adds s to out with each character as it is compared: what is equal becomes the same. */
void fold_to(struct str s, struct strbuf *out);

/* Equal for strings that fold_eq() calls equal. */
uint64_t fold_hash(struct str s);

#endif
