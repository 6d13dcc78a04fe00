/*
 * cidr.h - sets of networks.
 */
#ifndef RULES_CIDR_H
#define RULES_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "types.h"

struct cidr_set;

/* An empty set, or NULL. */
struct cidr_set *cidr_new(void);
/* NULL is allowed; takes void * for arena_defer(). */
void cidr_free(void *set);

/*
 * Adds a network without host bits, with its text (STR_NONE: none), which isn't copied.
 * That of a network that is there already stays, and if it is another one 1 is returned.
 * Returns 0 else, or -1 without memory.  Not while others look.
 */
int cidr_put(struct cidr_set *set, const struct ipnet *net, struct str text);

/*
 * Puts together in memory what a question comes by, once all networks are in; without memory
 * for a copy nothing is changed.  Not while others look.
 */
void cidr_pack(struct cidr_set *set);

/*
 * Is the address in any of the networks, by ipnet_has()?  At most 128 steps
 * down, however many networks there are.  Threads may share the set.
 */
bool cidr_has(const struct cidr_set *set, const struct ipaddr *ip);

/* The same; *text is that of the narrowest such network, p NULL if it has none. */
bool cidr_find(const struct cidr_set *set, const struct ipaddr *ip, struct str *text);

/* Different networks in the set. */
size_t cidr_size(const struct cidr_set *set);

#endif
