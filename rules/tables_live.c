/*
 * tables_live.c - the lists of a rules file while their files change.
 *
 * A list's table is never changed: a new one is made beside it and both live as long as
 * somebody looks at them.  The tables of all lists stand in a view; the
 * pointer to the current view is all that changes.  A message takes the view
 * once, when it begins, without a lock: the memory of views stays until the end, so
 * that one that nobody holds any more can still be told by its count.
 *
 * A file that is being written looks like a whole one at many moments.  So it
 * is read only when it has rested, not taken if it changed meanwhile, and
 * held to more than at the start (tables.c, is_whole()).  Who writes it beside and renames it
 * is always safe.
 */
#include "tables.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "diag.h"
#include "tables_int.h"

#define LARGE	100		/* entries of a list that doesn't shrink to a tenth unheard */

/* A table with its memory. */
struct snapshot {
	atomic_int	 refs;
	struct arena	*arena;
	struct table	*table;
};

struct table_view {
	struct table_view *next;	/* all that there are */
	atomic_int	 refs;
	atomic_bool	 idle;		/* let go by the last, and empty */
	size_t		 n;
	struct snapshot	*of[];		/* by list->index */
};

/* What tells one state of a file from another. */
struct mark {
	bool		there;
	dev_t		dev;
	ino_t		ino;
	off_t		size;
	struct timespec	mtime, ctime;
};

struct file {
	const char	*path;
	struct mark	 loaded;	/* as the table has it */
	struct mark	 seen;		/* as it was at the last look */
	struct mark	 refused;	/* as it was when it could not be taken */
};

struct watched {
	const struct list *list;
	struct file	*files;
	size_t		 nfiles;
};

struct tables {
	struct table_how how;
	struct table_view *_Atomic current;
	struct table_view *views;
	struct watched	*lists;		/* by list->index */
	size_t		 n;
};

/* ---- Snapshots and views ---- */

static void
snapshot_release(struct snapshot *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	arena_free(s->arena);
	free(s);
}

/* NULL without memory, which diag knows. */
static struct snapshot *
snapshot_new(const struct list *list, const struct table_how *how, struct diag *d)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s != NULL && (s->arena = arena_new(16384)) != NULL &&
	    (s->table = table_build(list, how, s->arena, d)) != NULL &&
	    !arena_failed(s->arena)) {
		atomic_init(&s->refs, 1);
		return s;
	}
	/* The diagnostics may point into its files: the list stays, without a table. */
	diag_error(d, list->at, "out of memory");
	if (s != NULL) {
		atomic_init(&s->refs, 1);
		s->table = NULL;
	}
	return s;
}

/* An empty one that nobody has yet; NULL without memory. */
static struct table_view *
view_new(struct tables *ts, size_t n)
{
	struct table_view *v;

	for (v = ts->views; v != NULL; v = v->next)
		if (atomic_load(&v->idle)) {
			atomic_store(&v->idle, false);
			return v;
		}
	if ((v = calloc(1, sizeof(*v) + n * sizeof(v->of[0]))) != NULL) {
		v->n = n;
		v->next = ts->views;
		ts->views = v;
	}
	return v;
}

/* From now on it is what messages look at; what it was before is returned. */
static struct table_view *
view_publish(struct tables *ts, struct table_view *v)
{
	atomic_store(&v->refs, 1);
	return atomic_exchange(&ts->current, v);
}

void
table_view_release(void *arg)
{
	struct table_view *v = arg;

	if (v == NULL || atomic_fetch_sub(&v->refs, 1) > 1)
		return;
	for (size_t i = 0; i < v->n; i++) {
		snapshot_release(v->of[i]);
		v->of[i] = NULL;
	}
	atomic_store(&v->idle, true);
}

struct table_view *
tables_view(struct tables *ts)
{
	struct table_view *v;
	int refs;

	/* Between the two steps it may have been let go, and even be another's: what counts is that it lives. */
	for (;;) {
		v = atomic_load(&ts->current);
		for (refs = atomic_load(&v->refs); refs > 0;)
			if (atomic_compare_exchange_weak(&v->refs, &refs, refs + 1))
				return v;
	}
}

const struct table *
table_in(const struct table_view *view, const struct list *list)
{
	return view != NULL && view->of[list->index] != NULL ?
	    view->of[list->index]->table : NULL;
}

/* ---- Files ---- */

static struct mark
mark_of(const char *path)
{
	struct mark m;
	struct stat st;

	memset(&m, 0, sizeof(m));
	if (stat(path, &st) == -1)
		return m;
	m.there = true;
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.size = st.st_size;
	m.mtime = st.st_mtim;
	m.ctime = st.st_ctim;
	return m;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
same_mark(const struct mark *a, const struct mark *b)
{
	return a->there == b->there && a->dev == b->dev && a->ino == b->ino &&
	    a->size == b->size && same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

static int
watch(struct watched *w, const struct list *list, struct arena *a)
{
	size_t n = 0;

	w->list = list;
	for (const struct entry *e = list->entries; e != NULL; e = e->next)
		n += entry_kind_name(e->kind) != NULL;
	if ((w->files = arena_array(a, n, sizeof(*w->files))) == NULL)
		return n == 0 ? 0 : -1;
	for (const struct entry *e = list->entries; e != NULL; e = e->next) {
		struct file *f = &w->files[w->nfiles];

		/* What is no path is an error that tables.c tells. */
		if (entry_kind_name(e->kind) == NULL || (f->path = table_path(e, a)) == NULL)
			continue;
		f->loaded = f->seen = f->refused = mark_of(f->path);
		w->nfiles++;
	}
	return arena_failed(a) ? -1 : 0;
}

/* ---- All lists ---- */

static void
tables_free(void *arg)
{
	struct tables *ts = arg;
	struct table_view *v;

	table_view_release(ts->current);
	while ((v = ts->views) != NULL) {
		ts->views = v->next;
		free(v);
	}
}

struct tables *
tables_new(struct ast *ast, const struct table_ops *ops, unsigned match_limit, struct arena *a,
    struct diag *d)
{
	struct tables *ts = arena_new_object(a, struct tables);
	struct table_view *v;
	size_t i = 0;

	if (ts == NULL || (ts->lists = arena_array(a, ast->nlists + 1, sizeof(*ts->lists))) == NULL ||
	    arena_defer(a, tables_free, ts) != 0 || (v = view_new(ts, ast->nlists)) == NULL)
		return NULL;
	ts->how = (struct table_how){ .ops = ops, .match_limit = match_limit };
	(void)view_publish(ts, v);
	for (struct list *l = ast->lists; l != NULL && i < ast->nlists; l = l->next, i++) {
		l->index = i;
		/* First, so that what changes meanwhile is seen later. */
		if (watch(&ts->lists[i], l, a) != 0)
			return NULL;
		v->of[i] = snapshot_new(l, &ts->how, d);
	}
	ts->n = i;
	return ts;
}

/* ---- Changes ---- */

/* Has a file changed since the table was made, and rests now, and wasn't refused as it is? */
static bool
is_due(struct watched *w)
{
	bool changed = false, moving = false, refused = true;

	for (size_t i = 0; i < w->nfiles; i++) {
		struct file *f = &w->files[i];
		struct mark now = mark_of(f->path);

		changed |= !same_mark(&now, &f->loaded);
		moving |= !same_mark(&now, &f->seen);
		refused &= same_mark(&now, &f->refused);
		f->seen = now;
	}
	return changed && !moving && !refused;
}

static bool
has_moved(struct watched *w)
{
	bool moved = false;

	for (size_t i = 0; i < w->nfiles; i++) {
		struct mark now = mark_of(w->files[i].path);

		moved |= !same_mark(&now, &w->files[i].seen);
		w->files[i].seen = now;
	}
	return moved;
}

/* What one look has brought. */
struct change {
	struct table_news news;
	struct snapshot	*snapshot;
};

/* It may be meant, so the list is taken; but mostly it is a file cut off between two lines. */
static void
doubt_shrunk(const struct tables *ts, const struct list *list, const struct change *c)
{
	const struct snapshot *old = atomic_load(&ts->current)->of[list->index];
	size_t was = old != NULL && old->table != NULL ? table_size(old->table) : 0;

	if (was >= LARGE && c->news.size < was / 10)
		diag_warning(c->news.diag, list->at, "'" STR_FMT "' has shrunk from %zu entries to %zu; "
		    "are its files whole?", STR_ARG(list->name.text), was, c->news.size);
}

/* False: there is nothing to tell, since a file changed under our hands or memory is out. */
static bool
read_again(struct tables *ts, struct watched *w, struct change *c)
{
	struct table_how how = ts->how;

	if ((c->news.diag = diag_new()) == NULL)
		return false;
	how.whole = true;
	c->snapshot = snapshot_new(w->list, &how, c->news.diag);
	if (has_moved(w) || c->snapshot == NULL) {
		diag_free(c->news.diag);
		snapshot_release(c->snapshot);
		return false;
	}
	c->news.list = w->list;
	c->news.replaced = diag_errors(c->news.diag) == 0;
	c->news.size = c->news.replaced ? table_size(c->snapshot->table) : 0;
	if (c->news.replaced)
		doubt_shrunk(ts, w->list, c);
	for (size_t i = 0; i < w->nfiles; i++) {
		w->files[i].refused = w->files[i].seen;
		if (c->news.replaced)
			w->files[i].loaded = w->files[i].seen;
	}
	return true;
}

/* Puts what is right in the place of what was; false without memory. */
static bool
replace(struct tables *ts, const struct change *changes, size_t n)
{
	struct table_view *old = atomic_load(&ts->current), *v = view_new(ts, ts->n);

	if (v == NULL)
		return false;
	for (size_t i = 0; i < ts->n; i++)
		v->of[i] = old->of[i];
	for (size_t i = 0; i < n; i++)
		if (changes[i].news.replaced)
			v->of[changes[i].news.list->index] = changes[i].snapshot;
	for (size_t i = 0; i < ts->n; i++)
		if (v->of[i] != NULL)
			atomic_fetch_add_explicit(&v->of[i]->refs, 1, memory_order_relaxed);
	table_view_release(view_publish(ts, v));
	return true;
}

void
tables_refresh(struct tables *ts, void (*fn)(void *arg, const struct table_news *news), void *arg)
{
	struct change *changes = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ts->n; i++) {
		if (!is_due(&ts->lists[i]))
			continue;
		if (changes == NULL && (changes = calloc(ts->n, sizeof(*changes))) == NULL)
			return;
		n += read_again(ts, &ts->lists[i], &changes[n]);
	}
	if (n > 0 && !replace(ts, changes, n))
		for (size_t i = 0; i < n; i++) {
			diag_error(changes[i].news.diag, changes[i].news.list->at, "out of memory");
			changes[i].news.replaced = false;
		}
	for (size_t i = 0; i < n; i++) {
		fn(arg, &changes[i].news);
		diag_free(changes[i].news.diag);
		snapshot_release(changes[i].snapshot);
	}
	free(changes);
}
