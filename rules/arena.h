/*
 * arena.h - regions of memory with one end of life.
 *
 * There are three kinds: a ruleset's, a connection's, a message's.  What is
 * allocated in one is freed with it; what a library owns is tied to one by
 * arena_defer().
 */
#ifndef RULES_ARENA_H
#define RULES_ARENA_H

#include <stddef.h>

struct arena;

/* An empty arena that grows by blocks, the first of `block` octets (0: 1,024), later ones larger; or NULL. */
struct arena *arena_new(size_t block);

/* Zeroed memory aligned for any type, or NULL; then arena_failed() stays true until reset. */
void *arena_alloc(struct arena *a, size_t n);

/* n objects of `size` octets, NULL on overflow too. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Has any allocation failed since the arena was made or reset? */
int arena_failed(const struct arena *a);

/*
 * Calls fn(arg) when the arena is reset or freed, last deferred first.
 * Returns 0, or -1 without memory: then fn(arg) has been called at once.
 */
int arena_defer(struct arena *a, void (*fn)(void *), void *arg);

/* Octets handed out; tests hold what a message takes to it. */
size_t arena_size(const struct arena *a);

/* Runs the deferred calls and empties the arena, which then holds no memory. */
void arena_reset(struct arena *a);

/* The same, and gives everything back.  NULL is allowed. */
void arena_free(struct arena *a);

#define arena_new_object(a, type)	((type *)arena_alloc((a), sizeof(type)))

#endif
