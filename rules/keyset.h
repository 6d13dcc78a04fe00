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
 * Adds a key, unless the same octets are in already.  Returns 0, or -1 without
 * memory.  Not while others look.
 */
int keyset_add(struct keyset *set, uint64_t hash, const struct key *k);

/*
 * The same with a text, which isn't copied; that of a key that is in already stays, and
 * if it is another one 1 is returned.
 */
int keyset_put(struct keyset *set, uint64_t hash, const struct key *k, struct str text);

/* Is there a key with that hash for which same(key, arg) holds? */
bool keyset_has(const struct keyset *set, uint64_t hash,
    bool (*same)(const struct key *k, const void *arg), const void *arg);

/* The same; *text is that key's, p NULL if it has none. */
bool keyset_find(const struct keyset *set, uint64_t hash,
    bool (*same)(const struct key *k, const void *arg), const void *arg, struct str *text);

size_t keyset_size(const struct keyset *set);

#endif
