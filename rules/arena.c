/*
 * arena.c - regions of memory with one end of life.
 *
 * A message makes thousands of small strings that all die together, so they
 * are cut from blocks and freed by the block.  An empty arena has none: most
 * connections are idle, and there may be thousands; so the first one is small,
 * too, and each further one twice as large up to a page.  From there on a message
 * is under way, and blocks grow four times, so that a large header is a few of them.
 * A request larger than a block gets a block of its own.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_DEFAULT	1024
#define BLOCK_MAX	65536
#define PAGE		4096

struct block {
	struct block	*next;		/* the one before it in time */
	size_t		 used, cap;
	alignas(max_align_t) unsigned char data[];
};

struct deferred {
	struct deferred	*next;
	void		(*fn)(void *);
	void		*arg;
};

struct arena {
	struct block	*head;		/* where the next object is cut from; NULL: none yet */
	struct deferred	*deferred;
	size_t		 first;		/* size of the first block */
	size_t		 block;		/* of the next */
	size_t		 handed_out;
	int		 failed;
};

static struct block *
block_new(size_t cap)
{
	struct block *b;

	if (cap > SIZE_MAX - sizeof(*b) ||
	    (b = malloc(sizeof(*b) + cap)) == NULL)
		return NULL;
	b->next = NULL;
	b->used = 0;
	b->cap = cap;
	return b;
}

struct arena *
arena_new(size_t block)
{
	struct arena *a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	a->first = a->block = block > 0 ? block : BLOCK_DEFAULT;
	return a;
}

/*
 * A block that has room for n octets.  A large object does not close the
 * block at hand, which may have plenty of room left: it goes behind it.
 */
static struct block *
block_for(struct arena *a, size_t n)
{
	struct block *b;

	if (a->head != NULL && a->head->cap - a->head->used >= n)
		return a->head;
	if ((b = block_new(n > a->block ? n : a->block)) == NULL)
		return NULL;
	if (n > a->block / 2 && a->head != NULL &&
	    a->head->cap - a->head->used > a->head->cap / 4) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	if (a->block < BLOCK_MAX)
		a->block *= a->block < PAGE ? 2 : 4;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t mask = alignof(max_align_t) - 1;
	struct block *b;
	size_t room;
	void *p;

	/* No object is of size zero, so that each has an address of its own. */
	if (n == 0)
		n = 1;
	if (n > PTRDIFF_MAX - mask) {
		a->failed = 1;
		return NULL;
	}
	room = (n + mask) & ~mask;
	if ((b = block_for(a, room)) == NULL) {
		a->failed = 1;
		return NULL;
	}
	p = b->data + b->used;
	b->used += room;
	a->handed_out += room;
	return memset(p, 0, n);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		a->failed = 1;
		return NULL;
	}
	return arena_alloc(a, n * size);
}

int
arena_failed(const struct arena *a)
{
	return a->failed;
}

int
arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct deferred *d;

	if ((d = arena_alloc(a, sizeof(*d))) == NULL) {
		fn(arg);
		return -1;
	}
	d->fn = fn;
	d->arg = arg;
	d->next = a->deferred;
	a->deferred = d;
	return 0;
}

size_t
arena_size(const struct arena *a)
{
	return a->handed_out;
}

void
arena_reset(struct arena *a)
{
	struct deferred *d;
	struct block *b, *next;

	/* Unlinked first: what is called may defer again. */
	while ((d = a->deferred) != NULL) {
		a->deferred = d->next;
		d->fn(d->arg);
	}
	for (b = a->head; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->head = NULL;
	a->block = a->first;
	a->handed_out = 0;
	a->failed = 0;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a);
}
