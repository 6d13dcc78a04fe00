/*
 * cidr.c - is an address in one of many networks?
 *
 * A list of networks is asked for each connection and may hold millions, so it
 * is a path-compressed binary trie over 128-bit keys, built once and then only
 * read.  IPv4 lives at ::ffff:0:0/96, so one trie serves both.  Nodes lie in
 * one array and point by index: half the size, and one thing to free; once
 * all are in, each way down lies together, since memory is what a question waits for.
 *
 * Reading list files is tables.c's business; reading addresses is literal.c's.
 */
#include "cidr.h"

#include <stdint.h>
#include <stdlib.h>

struct key {
	uint64_t	hi, lo;
};

struct node {
	struct key	key;
	uint32_t	child[2];	/* index, 0: none */
	uint8_t		bits;		/* of the key that count */
	bool		member;		/* a network of the set, not only a fork */
	uint32_t	text;		/* its place among the texts, from 1; 0: none */
};

struct cidr_set {
	struct node	*node;		/* node[0] is nobody */
	uint32_t	 n, cap, root;
	size_t		 size;
	struct str	*texts;
	size_t		 ntexts, textcap;
};

struct cidr_set *
cidr_new(void)
{
	struct cidr_set *set;

	if ((set = calloc(1, sizeof(*set))) != NULL)
		set->n = 1;
	return set;
}

void
cidr_free(void *p)
{
	struct cidr_set *set = p;

	if (set == NULL)
		return;
	free(set->node);
	free(set->texts);
	free(set);
}

static struct key
key_of(const struct ipaddr *ip)
{
	struct key k = { 0, 0 };

	for (int i = 0; i < 8; i++) {
		k.hi = k.hi << 8 | ip->b[i];
		k.lo = k.lo << 8 | ip->b[8 + i];
	}
	return k;
}

/* The i-th bit, from the left. */
static unsigned
bit(struct key k, unsigned i)
{
	return i < 64 ? k.hi >> (63 - i) & 1 : k.lo >> (127 - i) & 1;
}

/* Bits that two keys have in common from the left. */
static unsigned
common_bits(struct key a, struct key b)
{
	if (a.hi != b.hi)
		return (unsigned)__builtin_clzll(a.hi ^ b.hi);
	return a.lo != b.lo ? 64 + (unsigned)__builtin_clzll(a.lo ^ b.lo) : 128;
}

/* Room for the two nodes that one more network can need. */
static int
reserve(struct cidr_set *set)
{
	struct node *more;
	size_t cap = set->cap > 0 ? (size_t)set->cap * 2 : 64;

	if (set->n + 2 <= set->cap)
		return 0;
	if (cap > UINT32_MAX || cap > SIZE_MAX / sizeof(*more) ||
	    (more = realloc(set->node, cap * sizeof(*more))) == NULL)
		return -1;
	set->node = more;
	set->cap = (uint32_t)cap;
	return 0;
}

static uint32_t
new_node(struct cidr_set *set, struct key key, unsigned bits, uint32_t text, bool member)
{
	set->node[set->n] = (struct node){ .key = key, .bits = (uint8_t)bits,
	    .member = member, .text = member ? text : 0 };
	set->size += member;
	return set->n++;
}

/* Keeps a text; its place from 1, 0 for none, or -1 without memory. */
static int64_t
keep_text(struct cidr_set *set, struct str text)
{
	size_t cap = set->textcap > 0 ? set->textcap * 2 : 64;
	struct str *more;

	if (text.p == NULL)
		return 0;
	if (set->ntexts == set->textcap) {
		if (cap > UINT32_MAX || (more = realloc(set->texts, cap * sizeof(*more))) == NULL)
			return -1;
		set->texts = more;
		set->textcap = cap;
	}
	set->texts[set->ntexts++] = text;
	return (int64_t)set->ntexts;
}

int
cidr_put(struct cidr_set *set, const struct ipnet *net, struct str text)
{
	int64_t kept = keep_text(set, text);
	struct key key = key_of(&net->addr);
	unsigned bits = net->bits, same = 0;
	uint32_t *link = &set->root, fork;
	struct node *at;

	if (kept == -1 || reserve(set) != 0)
		return -1;
	while (*link != 0) {
		at = &set->node[*link];
		same = common_bits(at->key, key);
		if (same > bits)
			same = bits;
		if (same < at->bits)
			break;
		if (bits == at->bits) {
			if (at->member && at->text != 0 && text.p != NULL)
				return !str_eq(text, set->texts[at->text - 1]);
			if (!at->member)
				at->text = (uint32_t)kept;
			set->size += !at->member;
			at->member = true;
			return 0;
		}
		link = &at->child[bit(key, at->bits)];
	}
	if (*link == 0) {
		*link = new_node(set, key, bits, (uint32_t)kept, true);
		return 0;
	}
	/* The path to *link parts from ours after `same` bits. */
	fork = new_node(set, key, same, (uint32_t)kept, same == bits);
	at = &set->node[fork];
	at->child[bit(set->node[*link].key, same)] = *link;
	if (same < bits)
		at->child[bit(key, same)] = new_node(set, key, bits, (uint32_t)kept, true);
	*link = fork;
	return 0;
}

/* Copies the nodes from i on behind the n that are in `to`, each before those below it; returns where i is now. */
static uint32_t
pack(const struct node *from, uint32_t i, struct node *to, uint32_t *n)
{
	uint32_t at = *n;

	to[at] = from[i];
	++*n;
	for (int side = 0; side < 2; side++)
		if (from[i].child[side] != 0)
			to[at].child[side] = pack(from, from[i].child[side], to, n);
	return at;
}

void
cidr_pack(struct cidr_set *set)
{
	struct node *to;
	uint32_t n = 1;

	if (set->root == 0 || (to = malloc(set->n * sizeof(*to))) == NULL)
		return;
	set->root = pack(set->node, set->root, to, &n);
	free(set->node);
	set->node = to;
	set->cap = set->n;
}

/* The narrowest network, or the first on the way down that holds the address. */
static const struct node *
find(const struct cidr_set *set, const struct ipaddr *ip, bool narrowest)
{
	const struct node *found = NULL;
	struct key key = key_of(ip);
	unsigned least = ipaddr_is_v4(ip) ? IPNET_V4_BITS : 0;
	const struct node *at;

	for (uint32_t i = set->root; i != 0; i = at->child[bit(key, at->bits)]) {
		at = &set->node[i];
		if (common_bits(at->key, key) < at->bits)
			break;
		if (at->member && at->bits >= least)
			found = at;
		if (at->bits == 128 || (found != NULL && !narrowest))
			break;
	}
	return found;
}

bool
cidr_has(const struct cidr_set *set, const struct ipaddr *ip)
{
	return find(set, ip, false) != NULL;
}

bool
cidr_find(const struct cidr_set *set, const struct ipaddr *ip, struct str *text)
{
	const struct node *at = find(set, ip, true);

	*text = at != NULL && at->text > 0 ? set->texts[at->text - 1] : STR_NONE;
	return at != NULL;
}

size_t
cidr_size(const struct cidr_set *set)
{
	return set->size;
}
