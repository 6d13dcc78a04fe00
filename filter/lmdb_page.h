/*
 * lmdb_page.h - how an LMDB file is laid out, for those that look it over before it is trusted.
 *
 * The layout is that of LMDB 0.9 (data version 1) as this machine's liblmdb
 * writes it, in its byte order and word size: two meta pages of which the
 * later transaction counts, then branch, leaf and overflow pages.
 */
#ifndef FILTER_LMDB_PAGE_H
#define FILTER_LMDB_PAGE_H

#include <stddef.h>
#include <stdint.h>

#define LMDB_MAGIC	0xBEEFC0DEu
#define LMDB_VERSION	1
#define LMDB_DEPTH_MAX	32
#define LMDB_NO_PAGE	SIZE_MAX

enum { P_BRANCH = 0x01, P_LEAF = 0x02, P_OVERFLOW = 0x04, P_META = 0x08 };
enum { N_BIGDATA = 0x01, N_SUBDATA = 0x02, N_DUPDATA = 0x04 };

struct lmdb_page {
	size_t		 pgno;
	uint16_t	 pad, flags;
	uint16_t	 lower, upper;	/* of an overflow page: its number of pages in both */
};

/* What stands in the file of it; nodes' offsets or data come behind. */
#define LMDB_HEAD	(offsetof(struct lmdb_page, upper) + sizeof(uint16_t))

struct lmdb_tree {
	uint32_t	 pad;		/* of the first tree: the size of a page */
	uint16_t	 flags, depth;
	size_t		 branches, leaves, overflows, entries, root;
};

struct lmdb_meta {
	uint32_t	 magic, version;
	size_t		 address, mapsize;
	struct lmdb_tree free, main;
	size_t		 last, txn;
};

/* lo and hi: the length of a leaf's data; with flags the number of a branch's page. */
struct lmdb_node {
	uint16_t	 lo, hi, flags, ksize;
};

static inline size_t
lmdb_node_page(const struct lmdb_node *n)
{
	size_t pgno = n->lo | (size_t)n->hi << 16;

	return sizeof(size_t) > 4 ? pgno | (size_t)n->flags << 16 << 16 : pgno;
}

#endif
