/*
 * store_check.c - is the store's file whole?
 *
 * LMDB maps its file and trusts it: a page that is damaged inside is the end of
 * the process at the message that comes across it, and again at the next
 * start.  So before the file is used each of its pages is read once and held
 * to all that LMDB takes for granted: where trees and nodes lie, that no page
 * belongs to two, that keys are in order, and what is said to be free.  What the records
 * say is store_record.c's business.
 *
 * Nothing is mapped here: a file that is cut short under our hands, or a disk that
 * can't be read, is an error like others.
 */
#include "filter/store_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/lmdb_page.h"

#define KEY_MAX		511
#define PAGE_LEAST	256
#define PAGE_MOST	32768
#define BEYOND		((size_t)64 << 20)	/* octets; pages freed before they were ever written */
#define INTEGER_KEYS	0x08
#define KEY_FLAGS	0x7f
#define EVEN(n)		(((n) + 1) & ~(size_t)1)

struct look {
	int		 fd;
	size_t		 psize;
	size_t		 written, all;	/* pages in the file, and as the file says */
	size_t		 txn;
	uint8_t		*seen;		/* a bit for each page */
	uint8_t		*cells;		/* of the page at hand, for each two octets: belongs to a node */
	struct strbuf	*why;
};

/* One tree, from its first key to its last. */
struct walk {
	struct look	*l;
	enum { TREE_FREE, TREE_MAIN, TREE_RECORDS } which;
	const struct lmdb_tree *tree;
	size_t		 entries;
	uint8_t		 last[KEY_MAX];
	size_t		 nlast;
	bool		 open;		/* the next key may be the last one itself */
};

static int check_tree(struct look *l, const struct lmdb_tree *tree, int which);

static int
broken(struct look *l, const char *what)
{
	strbuf_printf(l->why, "it is damaged (%s)", what);
	return -1;
}

static int
read_at(struct look *l, size_t at, void *p, size_t n)
{
	ssize_t done = pread(l->fd, p, n, (off_t)at);

	if (done == (ssize_t)n)
		return 0;
	if (done >= 0)
		return broken(l, "its end is missing");
	strbuf_puts(l->why, strerror(errno));
	return -1;
}

/* From now on the page belongs to somebody. */
static int
take(struct look *l, size_t pgno)
{
	if (pgno < 2 || pgno >= l->all)
		return broken(l, "a page is missing");
	if (l->seen[pgno / 8] & 1u << pgno % 8)
		return broken(l, "a page is used twice");
	l->seen[pgno / 8] |= (uint8_t)(1u << pgno % 8);
	return 0;
}

/* ---- What entries hold ---- */

/* Pages that were free after a transaction: their number, then each, the last one first. */
static int
check_free(struct look *l, const uint8_t *key, size_t nkey, const uint8_t *data, size_t n)
{
	size_t txn, count, pgno, before = SIZE_MAX;

	if (nkey != sizeof(txn) || n < sizeof(count))
		return broken(l, "its list of free pages");
	memcpy(&txn, key, sizeof(txn));
	memcpy(&count, data, sizeof(count));
	if (txn > l->txn || count > n / sizeof(pgno) - 1)
		return broken(l, "its list of free pages");
	for (size_t i = 0; i < count; i++, before = pgno) {
		memcpy(&pgno, data + (i + 1) * sizeof(pgno), sizeof(pgno));
		if (pgno >= before)
			return broken(l, "its list of free pages");
		if (take(l, pgno) != 0)
			return -1;
	}
	return 0;
}

/* Data on pages of their own. */
static int
check_overflow(struct walk *w, const uint8_t *key, size_t nkey, size_t pgno, size_t n)
{
	struct look *l = w->l;
	struct lmdb_page head;
	uint8_t *data;
	uint32_t pages;
	int r;

	if (take(l, pgno) != 0 || read_at(l, pgno * l->psize, &head, LMDB_HEAD) != 0)
		return -1;
	memcpy(&pages, &head.lower, sizeof(pages));
	if (head.flags != P_OVERFLOW || head.pgno != pgno || pages == 0 ||
	    pages > l->written - pgno || n > pages * l->psize - LMDB_HEAD)
		return broken(l, "an overflow page");
	for (size_t i = 1; i < pages; i++)
		if (take(l, pgno + i) != 0)
			return -1;
	if (w->which != TREE_FREE)
		return 0;
	if ((data = malloc(n + 1)) == NULL) {
		strbuf_puts(l->why, "out of memory");
		return -1;
	}
	if ((r = read_at(l, pgno * l->psize + LMDB_HEAD, data, n)) == 0)
		r = check_free(l, key, nkey, data, n);
	free(data);
	return r;
}

static int
check_entry(struct walk *w, const struct lmdb_node *n, const uint8_t *key)
{
	size_t octets = n->lo | (size_t)n->hi << 16, pgno;
	const uint8_t *data = key + n->ksize;
	struct lmdb_tree tree;

	w->entries++;
	if ((n->flags & N_BIGDATA) != 0) {
		memcpy(&pgno, data, sizeof(pgno));
		return n->flags != N_BIGDATA ? broken(w->l, "an entry") :
		    check_overflow(w, key, n->ksize, pgno, octets);
	}
	if (w->which == TREE_FREE)
		return n->flags != 0 ? broken(w->l, "an entry") :
		    check_free(w->l, key, n->ksize, data, octets);
	if (n->flags == 0)
		return 0;
	if (n->flags != N_SUBDATA || w->which != TREE_MAIN || octets != sizeof(tree))
		return broken(w->l, "an entry");
	memcpy(&tree, data, sizeof(tree));
	return check_tree(w->l, &tree, TREE_RECORDS);
}

/* ---- Pages ---- */

static const uint8_t *
node_at(const uint8_t *page, size_t i, struct lmdb_node *n)
{
	uint16_t off;

	memcpy(&off, page + LMDB_HEAD + i * sizeof(off), sizeof(off));
	memcpy(n, page + off, sizeof(*n));
	return page + off + sizeof(*n);
}

static size_t
node_size(const struct lmdb_node *n, bool leaf)
{
	size_t data = n->lo | (size_t)n->hi << 16;

	if (!leaf)
		data = 0;
	else if (n->flags & N_BIGDATA)
		data = sizeof(size_t);
	return EVEN(sizeof(*n) + n->ksize + data);
}

/* The nodes lie close to each other from `upper` to the end of the page. */
static int
check_nodes(struct look *l, const uint8_t *page, const struct lmdb_page *head, size_t nkeys)
{
	bool leaf = head->flags == P_LEAF;
	size_t sum = 0;

	memset(l->cells, 0, l->psize / 2);
	for (size_t i = 0; i < nkeys; i++) {
		struct lmdb_node n;
		size_t size;
		uint16_t off;

		memcpy(&off, page + LMDB_HEAD + i * sizeof(off), sizeof(off));
		if (off < head->upper || off % 2 != 0 || off > l->psize - sizeof(n))
			return broken(l, "an entry lies outside of its page");
		memcpy(&n, page + off, sizeof(n));
		size = node_size(&n, leaf);
		if (size > l->psize - off || n.ksize > KEY_MAX || (n.ksize == 0 && (leaf || i > 0)))
			return broken(l, "an entry lies outside of its page");
		if (memchr(l->cells + off / 2, 1, size / 2) != NULL)
			return broken(l, "two entries lie in one place");
		memset(l->cells + off / 2, 1, size / 2);
		sum += size;
	}
	return sum == l->psize - head->upper ? 0 : broken(l, "a page");
}

/* Reads it, of the kind that it must be. */
static int
read_page(struct look *l, size_t pgno, unsigned kind, uint8_t *page, size_t *nkeys)
{
	struct lmdb_page head;

	if (take(l, pgno) != 0 || read_at(l, pgno * l->psize, page, l->psize) != 0)
		return -1;
	memcpy(&head, page, LMDB_HEAD);
	if (head.pgno != pgno || head.flags != kind)
		return broken(l, "a page is another's");
	if (head.lower < LMDB_HEAD || head.lower > head.upper || head.upper > l->psize ||
	    head.lower % 2 != 0)
		return broken(l, "a page");
	*nkeys = (head.lower - LMDB_HEAD) / sizeof(uint16_t);
	if (*nkeys < (kind == P_LEAF ? 1 : 2))
		return broken(l, "a page is empty");
	return check_nodes(l, page, &head, *nkeys);
}

static int
compare(const struct walk *w, const uint8_t *key, size_t n)
{
	size_t a, b;
	int r;

	if (w->which == TREE_FREE) {
		memcpy(&a, w->last, sizeof(a));
		memcpy(&b, key, sizeof(b));
		return a < b ? -1 : a > b;
	}
	r = memcmp(w->last, key, n < w->nlast ? n : w->nlast);
	return r != 0 ? r : w->nlast < n ? -1 : w->nlast > n;
}

/* Keys only grow; a branch's key is at most the first one below it. */
static int
check_key(struct walk *w, const uint8_t *key, size_t n, bool leaf)
{
	int r;

	if (w->which == TREE_FREE && n != sizeof(size_t))
		return broken(w->l, "its list of free pages");
	r = w->nlast == 0 ? -1 : compare(w, key, n);
	if (r > 0 || (r == 0 && !w->open))
		return broken(w->l, "its keys are out of order");
	memcpy(w->last, key, n);
	w->nlast = n;
	w->open = !leaf;
	return 0;
}

static int walk_page(struct walk *w, size_t pgno, unsigned depth);

static int
walk_nodes(struct walk *w, const uint8_t *page, size_t nkeys, unsigned depth, bool leaf)
{
	int r = 0;

	for (size_t i = 0; i < nkeys && r == 0; i++) {
		struct lmdb_node n;
		const uint8_t *key = node_at(page, i, &n);

		if ((leaf || i > 0) && check_key(w, key, n.ksize, leaf) != 0)
			return -1;
		r = leaf ? check_entry(w, &n, key) : walk_page(w, lmdb_node_page(&n), depth + 1);
	}
	return r;
}

static int
walk_page(struct walk *w, size_t pgno, unsigned depth)
{
	struct look *l = w->l;
	bool leaf = depth == w->tree->depth;
	uint8_t *page;
	size_t nkeys;
	int r;

	if ((page = malloc(l->psize)) == NULL) {
		strbuf_puts(l->why, "out of memory");
		return -1;
	}
	if ((r = read_page(l, pgno, leaf ? P_LEAF : P_BRANCH, page, &nkeys)) == 0)
		r = walk_nodes(w, page, nkeys, depth, leaf);
	free(page);
	return r;
}

/* ---- Trees ---- */

static int
check_tree(struct look *l, const struct lmdb_tree *tree, int which)
{
	struct walk w = { .l = l, .which = which, .tree = tree };

	if ((tree->flags & KEY_FLAGS) != (which == TREE_FREE ? INTEGER_KEYS : 0) ||
	    tree->depth >= LMDB_DEPTH_MAX)
		return broken(l, "a tree");
	if (tree->root == LMDB_NO_PAGE)
		return tree->entries == 0 ? 0 : broken(l, "a tree is missing");
	if (tree->depth == 0)
		return broken(l, "a tree");
	if (walk_page(&w, tree->root, 1) != 0)
		return -1;
	return w.entries == tree->entries ? 0 : broken(l, "entries are missing");
}

static int
check_trees(struct look *l, const struct lmdb_meta *m)
{
	int r = -1;

	l->seen = calloc(l->all / 8 + 1, 1);
	l->cells = malloc(l->psize / 2);
	if (l->seen == NULL || l->cells == NULL)
		strbuf_puts(l->why, "out of memory");
	else if ((r = check_tree(l, &m->free, TREE_FREE)) == 0)
		r = check_tree(l, &m->main, TREE_MAIN);
	free(l->seen);
	free(l->cells);
	return r;
}

/* ---- The meta pages ---- */

static int
read_meta(struct look *l, size_t at, size_t pgno, struct lmdb_meta *m)
{
	uint8_t octets[LMDB_HEAD + sizeof(*m)];
	struct lmdb_page head;

	if (read_at(l, at, octets, sizeof(octets)) != 0)
		return -1;
	memcpy(&head, octets, LMDB_HEAD);
	memcpy(m, octets + LMDB_HEAD, sizeof(*m));
	return head.flags == P_META && head.pgno == pgno && m->magic == LMDB_MAGIC ? 0 :
	    broken(l, pgno == 0 ? "its first page is another's" : "its second page is another's");
}

/* The one that counts: the second after an odd transaction. */
static int
check_metas(struct look *l, size_t size, struct lmdb_meta *m)
{
	struct lmdb_meta second;
	bool later;

	if (read_meta(l, 0, 0, m) != 0)
		return -1;
	if (m->version != LMDB_VERSION)
		return 0;
	l->psize = m->free.pad;
	if (l->psize < PAGE_LEAST || l->psize > PAGE_MOST || (l->psize & (l->psize - 1)) != 0)
		return broken(l, "its first page");
	if (read_meta(l, l->psize, 1, &second) != 0)
		return -1;
	if (second.version != LMDB_VERSION || second.free.pad != l->psize)
		return broken(l, "its second page");
	later = second.txn > m->txn;
	if (later)
		*m = second;
	l->txn = m->txn;
	l->written = size / l->psize;
	l->all = m->last + 1;
	if ((l->txn & 1) != later)
		return broken(l, "its beginning");
	if (m->last < 1 || m->last >= l->written + BEYOND / l->psize)
		return broken(l, "its end is missing");
	return 0;
}

int
store_check(int fd, bool trees, struct strbuf *why)
{
	struct look l = { .fd = fd, .why = why };
	struct lmdb_meta m;
	struct stat st;

	if (fstat(fd, &st) == -1) {
		strbuf_puts(why, strerror(errno));
		return -1;
	}
	if (st.st_size == 0)
		return 0;
	if (check_metas(&l, (size_t)st.st_size, &m) != 0)
		return -1;
	return trees && m.version == LMDB_VERSION ? check_trees(&l, &m) : 0;
}
