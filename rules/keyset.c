/*
 * keyset.c - open addressing with linear probing.
 *
 * A slot holds 32 bits of the hash beside the index of its key, so that a miss
 * rarely touches a key.  At most half the slots are taken.  Entries are the
 * operator's; what strangers send is only looked up, so nobody can build
 * collisions.
 */
#include "keyset.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	uint32_t	tag;
	uint32_t	index;		/* of the key, from 1; 0: free */
};

struct item {
	struct key	key;
	uint64_t	hash;
};

struct keyset {
	struct item	*item;
	size_t		 n, cap;
	struct slot	*slot;
	size_t		 nslots;	/* a power of two */
	struct str	*text;		/* of each item; NULL as long as none has one */
};

struct keyset *
keyset_new(void)
{
	return calloc(1, sizeof(struct keyset));
}

void
keyset_free(void *p)
{
	struct keyset *set = p;

	if (set == NULL)
		return;
	free(set->item);
	free(set->text);
	free(set->slot);
	free(set);
}

/* FNV's lower bits are poor: spread all over all. */
static uint64_t
spread(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

static void
put(struct keyset *set, uint64_t hash, size_t index)
{
	size_t i = hash & (set->nslots - 1);

	while (set->slot[i].index != 0)
		i = (i + 1) & (set->nslots - 1);
	set->slot[i] = (struct slot){ (uint32_t)(hash >> 32), (uint32_t)index };
}

/* Room for one more key, with half the slots free. */
static int
reserve(struct keyset *set)
{
	size_t cap = set->cap > 0 ? set->cap * 2 : 16;
	struct item *more;
	struct slot *slot;
	struct str *text;

	if (set->n < set->cap)
		return 0;
	if (cap > UINT32_MAX || cap > SIZE_MAX / sizeof(*more) ||
	    (more = realloc(set->item, cap * sizeof(*more))) == NULL)
		return -1;
	set->item = more;
	if (set->text != NULL) {
		if ((text = realloc(set->text, cap * sizeof(*text))) == NULL)
			return -1;
		memset(text + set->cap, 0, (cap - set->cap) * sizeof(*text));
		set->text = text;
	}
	if ((slot = calloc(cap * 2, sizeof(*slot))) == NULL)
		return -1;
	free(set->slot);
	set->slot = slot;
	set->nslots = cap * 2;
	set->cap = cap;
	for (size_t i = 0; i < set->n; i++)
		put(set, set->item[i].hash, i + 1);
	return 0;
}

/* The item's place from 1, or 0. */
static size_t
find(const struct keyset *set, uint64_t hash,
    bool (*same)(const struct key *k, const void *arg), const void *arg)
{
	size_t i = hash & (set->nslots - 1);

	for (; set->slot[i].index != 0; i = (i + 1) & (set->nslots - 1)) {
		const struct item *it = &set->item[set->slot[i].index - 1];

		if (set->slot[i].tag == hash >> 32 && same(&it->key, arg))
			return set->slot[i].index;
	}
	return 0;
}

static bool
same_octets(const struct key *k, const void *arg)
{
	const struct key *other = arg;

	return str_eq(k->name, other->name) && str_eq(k->local, other->local) &&
	    (k->local.p == NULL) == (other->local.p == NULL);
}

int
keyset_put(struct keyset *set, uint64_t hash, const struct key *k, struct str text)
{
	size_t at;

	hash = spread(hash);
	if (set->n > 0 && (at = find(set, hash, same_octets, k)) != 0)
		return set->text != NULL && text.p != NULL && set->text[at - 1].p != NULL &&
		    !str_eq(text, set->text[at - 1]);
	if (reserve(set) != 0)
		return -1;
	if (text.p != NULL && set->text == NULL &&
	    (set->text = calloc(set->cap, sizeof(*set->text))) == NULL)
		return -1;
	if (set->text != NULL)
		set->text[set->n] = text;
	set->item[set->n++] = (struct item){ *k, hash };
	put(set, hash, set->n);
	return 0;
}

bool
keyset_find(const struct keyset *set, uint64_t hash,
    bool (*same)(const struct key *k, const void *arg), const void *arg, struct str *text)
{
	size_t i = set->n > 0 ? find(set, spread(hash), same, arg) : 0;

	*text = i > 0 && set->text != NULL ? set->text[i - 1] : STR_NONE;
	return i > 0;
}

size_t
keyset_size(const struct keyset *set)
{
	return set->n;
}
