/*
 * keyset.h - hash sets of domains, addresses and strings.
 *
 * A key is a domain with perhaps a local part, or a string; whoever asks
 * brings the hash and decides what is the same.  Keys aren't copied.
 */
#ifndef RULES_KEYSET_H
#define RULES_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct key {
	struct str	local;		/* p NULL: any; of strings always */
	struct str	name;		/* domain, .domain, or the string */
};

struct keyset;

/* An empty set, or NULL. */
struct keyset *keyset_new(void);
/* NULL is allowed; takes void * for arena_defer(). */
void keyset_free(void *set);

/*
 * Adds a key with its text (STR_NONE: none), unless the same octets are in already; then
 * its text stays, and if that is another one 1 is returned.  Nothing is copied.  Returns 0
 * else, or -1 without memory.  Not while others look.
 */
int keyset_put(struct keyset *set, uint64_t hash, const struct key *k, struct str text);

/*
 * Is there a key with that hash for which same(key, arg) holds?  *text is that key's, p
 * NULL if it has none.
 */
bool keyset_find(const struct keyset *set, uint64_t hash,
    bool (*same)(const struct key *k, const void *arg), const void *arg, struct str *text);

size_t keyset_size(const struct keyset *set);

#endif
