/*
 * table_lmdb.c - the entries of an LMDB file.
 *
 * liblmdb maps the file and trusts it: one that was cut off ends the process
 * by SIGBUS, one with a wrong page number or length by SIGSEGV or an
 * assertion, and its pages change while somebody writes.  A filter that dies of a
 * list half copied is worse than none.  So the file is read into memory and
 * its tree gone through here once, with every page number, offset and length
 * held against the file's size.
 *
 * Sorted duplicates and named databases, which postmap doesn't write, are refused.
 */
#include "filter/table_lmdb.h"

#include <string.h>

#include "filter/lmdb_page.h"

struct walk {
	const char	*base;
	size_t		 size, psize, npages;
	size_t		 visited;
	int (*fn)(void *arg, struct str key, struct str value);
	void		*arg;
	struct strbuf	*why;
};

static int
broken(struct walk *w, const char *what)
{
	strbuf_printf(w->why, "it is no whole LMDB file (%s)", what);
	return -1;
}

/* A page of the right kind, or NULL.  No page is looked at twice as often as there are pages. */
static const char *
page_at(struct walk *w, size_t pgno, unsigned kind, struct lmdb_page *head)
{
	if (pgno < 2 || pgno >= w->npages || ++w->visited > w->npages)
		return NULL;
	memcpy(head, w->base + pgno * w->psize, LMDB_HEAD);
	return (head->flags & kind) != 0 && head->pgno == pgno ?
	    w->base + pgno * w->psize : NULL;
}

/* The value of a node whose data stand on pages of their own. */
static int
overflow(struct walk *w, const char *at, size_t n, struct str *value)
{
	struct lmdb_page head;
	const char *page;
	uint32_t pages;
	size_t pgno;

	memcpy(&pgno, at, sizeof(pgno));
	if ((page = page_at(w, pgno, P_OVERFLOW, &head)) == NULL)
		return broken(w, "an overflow page is missing");
	memcpy(&pages, page + offsetof(struct lmdb_page, lower), sizeof(pages));
	if (pages > w->npages - pgno || n > pages * w->psize - LMDB_HEAD || pages == 0)
		return broken(w, "an overflow page is too short");
	*value = (struct str){ page + LMDB_HEAD, n };
	return 0;
}

/* The i-th node of a page, with its key; NULL if it doesn't lie in the page. */
static const char *
node_at(const struct walk *w, const char *page, size_t i, struct lmdb_node *n)
{
	uint16_t off;

	memcpy(&off, page + LMDB_HEAD + i * sizeof(off), sizeof(off));
	if (off < LMDB_HEAD || off > w->psize - sizeof(*n))
		return NULL;
	memcpy(n, page + off, sizeof(*n));
	return n->ksize <= w->psize - off - sizeof(*n) ? page + off + sizeof(*n) : NULL;
}

static int
walk_leaf(struct walk *w, const char *page, size_t nkeys)
{
	for (size_t i = 0; i < nkeys; i++) {
		struct lmdb_node n;
		const char *key = node_at(w, page, i, &n), *data;
		struct str value;

		if (key == NULL)
			return broken(w, "an entry lies outside of its page");
		if ((n.flags & (N_SUBDATA | N_DUPDATA)) != 0)
			return broken(w, "it holds more than keys and values");
		data = key + n.ksize;
		value = (struct str){ data, n.lo | (size_t)n.hi << 16 };
		if ((n.flags & N_BIGDATA) != 0) {
			if ((size_t)(page + w->psize - data) < sizeof(size_t))
				return broken(w, "an entry lies outside of its page");
			if (overflow(w, data, value.n, &value) != 0)
				return -1;
		} else if (value.n > (size_t)(page + w->psize - data))
			return broken(w, "an entry lies outside of its page");
		if (w->fn(w->arg, (struct str){ key, n.ksize }, value) != 0)
			return -1;
	}
	return 0;
}

static int
walk_page(struct walk *w, size_t pgno, int depth)
{
	struct lmdb_page head;
	const char *page;
	size_t nkeys;

	if (depth == LMDB_DEPTH_MAX || (page = page_at(w, pgno, P_BRANCH | P_LEAF, &head)) == NULL)
		return broken(w, "a page is missing");
	nkeys = head.lower < LMDB_HEAD ? 0 : (head.lower - LMDB_HEAD) / sizeof(uint16_t);
	if (head.lower < LMDB_HEAD || head.lower > w->psize)
		return broken(w, "a page is damaged");
	if ((head.flags & P_LEAF) != 0)
		return walk_leaf(w, page, nkeys);
	for (size_t i = 0; i < nkeys; i++) {
		struct lmdb_node n;

		if (node_at(w, page, i, &n) == NULL)
			return broken(w, "an entry lies outside of its page");
		if (walk_page(w, lmdb_node_page(&n), depth + 1) != 0)
			return -1;
	}
	return 0;
}

/* The meta page whose transaction was finished last. */
static int
read_meta(struct walk *w, struct lmdb_meta *m)
{
	struct lmdb_page head;
	struct lmdb_meta other;

	if (w->size < LMDB_HEAD + sizeof(*m))
		return broken(w, "it has no beginning");
	memcpy(&head, w->base, LMDB_HEAD);
	memcpy(m, w->base + LMDB_HEAD, sizeof(*m));
	if (head.flags != P_META || m->magic != LMDB_MAGIC || m->version != LMDB_VERSION)
		return broken(w, "its first page is another's, or of another kind of machine");
	w->psize = m->free.pad;
	if (w->psize < 256 || w->psize > 65536 || (w->psize & (w->psize - 1)) != 0 ||
	    w->size < 2 * w->psize)
		return broken(w, "its second page is missing");
	memcpy(&head, w->base + w->psize, LMDB_HEAD);
	memcpy(&other, w->base + w->psize + LMDB_HEAD, sizeof(other));
	if (head.flags != P_META || other.magic != LMDB_MAGIC || other.version != LMDB_VERSION)
		return broken(w, "its second page is another's");
	if (other.txn > m->txn)
		*m = other;
	w->npages = w->size / w->psize;
	return m->last < w->npages ? 0 : broken(w, "its end is missing");
}

int
table_lmdb_each(const void *base, size_t size,
    int (*fn)(void *arg, struct str key, struct str value), void *arg, struct strbuf *why)
{
	struct walk w = { .base = base, .size = size, .fn = fn, .arg = arg, .why = why };
	struct lmdb_meta m;

	if (read_meta(&w, &m) != 0)
		return -1;
	if (m.main.root == LMDB_NO_PAGE)
		return 0;	/* it is empty */
	return walk_page(&w, m.main.root, 0);
}
