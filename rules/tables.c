/*
 * tables.c - lists made ready to be asked.
 *
 * Each entry is read, in place or from its file, and put into the one
 * structure that its list has; databases stay what they are.
 *
 * The lines of list files are listfile.c's and pcretable.c's, literals
 * literal.c's, the structures cidr.c's and keyset.c's, what a list says of a
 * value table_find.c's; when a file is read anew, tables_live.c decides.
 */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check.h"
#include "cidr.h"
#include "diag.h"
#include "listfile.h"
#include "prefilter.h"
#include "regex.h"
#include "source.h"
#include "tables_int.h"

#define IFS_MAX	32	/* as pcretable.c has it */

/* ---- Building ---- */

struct builder {
	struct table	*t;
	const struct table_how *how;
	struct arena	*a;
	struct diag	*d;
	struct pattern	*open[IFS_MAX];	/* the ifs of a pcre table that stand open */
	int		 nopen;
	bool		 domainless;	/* was told of */
};

static enum type_id
type_of_list(enum list_type t)
{
	return t == LIST_NETS ? T_ADDR : t == LIST_DOMAINS ? T_DOMAIN :
	    t == LIST_ADDRESSES ? T_ADDRESS : T_TEXT;
}

/* Bob alone is no address of mail; one such entry is told of. */
static void
check_domain(struct builder *b, const struct mailbox *mb, struct span at)
{
	if (b->domainless || mb->domain.n > 0 || mb->local.n == 0 ||
	    str_ieq(mb->local, STR("postmaster")))
		return;
	b->domainless = true;
	diag_warning(b->d, at, "'" STR_FMT "' has no domain: write the whole address; for that "
	    "local part of any keep a list of strings and ask 'sender.local in NAME'",
	    STR_ARG(mb->local));
}

static int
add_value(struct builder *b, struct str entry, struct str text, struct span at)
{
	enum list_type type = b->t->type;
	struct strbuf why = { 0 };
	struct key k = { STR_NONE, STR_NONE };
	struct value v;
	int other;

	if (type_parse(type_of_list(type), OP_IN_LIST, b->a, entry, &v, &why) != 0) {
		if (!arena_failed(b->a))
			diag_error(b->d, at, "%s", why.failed ? "out of memory" : why.p);
		strbuf_free(&why);
		return arena_failed(b->a) ? -1 : 0;
	}
	strbuf_free(&why);
	if (type == LIST_ADDRESSES) {
		check_domain(b, &v.mb, at);
		k.local = v.mb.local;
		k.name = v.mb.domain;
	} else
		k.name = v.s;
	other = type == LIST_NETS ? cidr_put(b->t->nets, &v.net, text) :
	    keyset_put(b->t->keys, table_hash(type, &k), &k, text);
	if (other == 1)
		diag_warning(b->d, at, "'" STR_FMT "' stands in the list already, with another "
		    "text, which is the one that counts", STR_ARG(entry));
	return other == -1 ? -1 : 0;
}

/* Compiles a pattern; at is where it stands with its slashes.  -1 without memory; *out NULL if it is wrong. */
static int
make_pattern(struct builder *b, struct str pattern, struct str flags, struct span at,
    struct pattern **out)
{
	struct strbuf why = { 0 };
	struct regex *re;
	size_t offset = 0;

	*out = NULL;
	re = regex_compile(b->a, pattern, flags, false, b->how->match_limit, &offset, &why);
	if (re == NULL) {
		at.off += 1 + offset;
		at.n = 1;
		if (!arena_failed(b->a))
			diag_error(b->d, at, "bad pattern: %s",
			    why.failed ? "out of memory" : why.p);
		strbuf_free(&why);
		return arena_failed(b->a) ? -1 : 0;
	}
	strbuf_free(&why);
	if ((*out = arena_new_object(b->a, struct pattern)) == NULL)
		return -1;
	(*out)->re = re;
	return 0;
}

static void
append(struct builder *b, struct pattern *p)
{
	*b->t->last = p;
	b->t->last = &p->next;
	p->index = b->t->norder++;
	b->t->npatterns += p->kind == PCRE_MATCH;
}

static int
add_pattern(struct builder *b, struct str pattern, struct str flags, struct span at)
{
	struct pattern *p;

	if (make_pattern(b, pattern, flags, at, &p) != 0)
		return -1;
	if (p != NULL)
		append(b, p);
	return 0;
}

/* ---- Plain files ---- */

/* Where one of the two stands first; not in quotes, where anything is part of an address. */
static size_t
unquoted(struct str s, char end, char other)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\' && quoted && i + 1 < s.n)
			i++;
		else if (!quoted && (s.p[i] == end || s.p[i] == other))
			break;
	return i;
}

/* Cuts a line into the entry and a text behind it. */
static struct str
cut_entry(struct str *line)
{
	size_t i = unquoted(*line, ' ', '\t');
	struct str text;

	text = str_trim((struct str){ line->p + i, line->n - i });
	line->n = i;
	return text.n > 0 ? text : STR_NONE;
}

static bool
ends_like_domain(struct str word)
{
	size_t letters = 0;

	while (letters < word.n && ((word.p[word.n - 1 - letters] | 0x20) >= 'a' &&
	    (word.p[word.n - 1 - letters] | 0x20) <= 'z'))
		letters++;
	if (letters < 2 || letters == word.n || word.p[word.n - 1 - letters] != '.')
		return false;
	for (size_t i = 0; i < word.n; i++)
		if (memchr(":/@!?\"'(", word.p[i], 9) != NULL)
			return false;
	return true;
}

/* Does what stands behind an entry look like another?  Then a line break is missing. */
static bool
looks_like_entry(enum list_type type, struct str text)
{
	struct str word = text;
	struct ipaddr ip;

	cut_entry(&word);
	switch (type) {
	case LIST_NETS:
		for (size_t i = 0; i < word.n; i++)
			if (word.p[i] == '/')
				word.n = i;
		return ipaddr_parse(word, &ip) == 0;
	case LIST_DOMAINS:
		return ends_like_domain(word);
	case LIST_ADDRESSES:
		return memchr(word.p, '@', word.n) != NULL;
	default:
		return false;
	}
}

static int
add_line(void *arg, const struct listfile_entry *e)
{
	struct builder *b = arg;
	struct str entry = e->text, text = STR_NONE;
	struct span at = e->at;

	if (b->t->type == LIST_PATTERNS) {
		check_pattern(b->d, e->at, e->text, e->flags);
		return add_pattern(b, e->text, e->flags, e->at);
	}
	if (b->t->type == LIST_STRINGS)
		return add_value(b, entry, text, at);
	text = cut_entry(&entry);
	if (unquoted(entry, ',', ',') < entry.n ||
	    (text.p != NULL && looks_like_entry(b->t->type, text))) {
		diag_error(b->d, at, "'" STR_FMT "' looks like more than one entry; a list "
		    "file holds one a line, and perhaps a text behind it", STR_ARG(e->text));
		return 0;
	}
	at.n = entry.n;
	return add_value(b, entry, text, at);
}

/* What a writer may have left half done is none that takes the place of another. */
static bool
is_whole(const struct builder *b, const struct source *src)
{
	struct str t = src->text;
	struct span end = { src, t.n, 0 };

	if (!b->how->whole || (t.n > 0 && t.p[t.n - 1] == '\n'))
		return true;
	if (t.n == 0)
		diag_error(b->d, end, "the file has become empty; a list that shall be empty "
		    "holds a comment");
	else
		diag_error(b->d, end, "the last line has no end; the file isn't written whole");
	return false;
}

/* Reads a file of the list; *out NULL: it can't be used, which diag knows. -1 without memory. */
static int
read_source(struct builder *b, const struct entry *e, struct source **out)
{
	struct source *src;
	const char *path;

	*out = NULL;
	if ((path = table_path(e, b->a)) == NULL ||
	    (src = source_read(b->a, path, TABLE_FILE_MAX, e->at, b->d)) == NULL)
		return -1;
	src->includer = e->at.src;
	/* List files are reported on behind the rules files. */
	src->order = 1 << 20 | (int)(e->at.off & 0xfffff);
	if (src->text.p == NULL || !is_whole(b, src) || !source_check(src, b->d))
		return arena_failed(b->a) ? -1 : 0;
	*out = src;
	return 0;
}

static int
add_file(struct builder *b, const struct entry *e)
{
	struct source *src;

	if (read_source(b, e, &src) != 0)
		return -1;
	return src == NULL ? 0 :
	    listfile_each(src, b->t->type == LIST_PATTERNS, b->d, add_line, b);
}

/* ---- Tables of Postfix's ---- */

static int
last_group(const struct pcre_text *t, const struct pcre_text **which)
{
	int last = 0;

	for (; t != NULL; t = t->next)
		if (t->group > last) {
			last = t->group;
			*which = t;
		}
	return last;
}

static int
add_pcre_line(void *arg, const struct pcre_line *l)
{
	struct builder *b = arg;
	const struct pcre_text *which = NULL;
	struct pattern *p;

	if (l->kind == PCRE_ENDIF) {
		if ((p = arena_new_object(b->a, struct pattern)) == NULL)
			return -1;
		if (b->nopen > 0)
			b->open[--b->nopen]->endif = p;
	} else if (make_pattern(b, l->pattern, l->flags, l->at, &p) != 0)
		return -1;
	if (p == NULL)
		return 0;
	if (p->re != NULL)
		check_pattern(b->d, l->at, l->pattern, l->flags);
	p->kind = l->kind;
	p->negated = l->negated;
	p->text = l->text;
	if (l->kind == PCRE_IF && b->nopen < IFS_MAX)
		b->open[b->nopen++] = p;
	if (last_group(l->text, &which) > (p->re != NULL ? regex_groups(p->re) : 0))
		diag_error(b->d, which->at, "$%d: the pattern has %d group%s only", which->group,
		    regex_groups(p->re), regex_groups(p->re) == 1 ? "" : "s");
	append(b, p);
	return 0;
}

static int
add_pcre(struct builder *b, const struct entry *e)
{
	struct source *src;

	if (b->t->type != LIST_PATTERNS) {
		diag_error(b->d, e->at, "a pcre table holds patterns, this list %s: write "
		    "'patterns NAME = pcre ...' and ask it by 'matches NAME'",
		    list_type_name(b->t->type));
		return 0;
	}
	if (read_source(b, e, &src) != 0)
		return -1;
	b->nopen = 0;
	if (src != NULL && pcretable_each(src, b->a, b->d, add_pcre_line, b) != 0)
		return -1;
	/* Only where there was a mistake; nothing may be left to lead nowhere. */
	while (b->nopen > 0) {
		b->nopen--;
		b->open[b->nopen]->endif = b->open[b->nopen];
	}
	return 0;
}

static void
close_database(void *arg)
{
	struct database *db = arg;

	db->ops->close(db->db);
}

static int
add_database(struct builder *b, const struct entry *e)
{
	const struct table_ops *ops = b->how->ops;
	struct strbuf why = { 0 };
	struct database *db;
	const char *path;

	if (b->t->type == LIST_PATTERNS) {
		diag_error(b->d, e->at, "a database holds no patterns; a table of Postfix's with "
		    "patterns is named by 'pcre'");
		return 0;
	}
	if (ops == NULL) {
		diag_error(b->d, e->at, "databases can't be read here");
		return 0;
	}
	if ((path = table_path(e, b->a)) == NULL ||
	    (db = arena_new_object(b->a, struct database)) == NULL)
		return -1;
	db->ops = ops;
	db->db = ops->open(e->kind == ENTRY_CDB ? TABLE_CDB : TABLE_LMDB, path, &why);
	if (db->db == NULL)
		diag_error(b->d, e->at, "cannot read %s: %s", path,
		    why.failed || why.p == NULL ? "out of memory" : why.p);
	strbuf_free(&why);
	if (db->db == NULL)
		return 0;
	if (arena_defer(b->a, close_database, db) != 0)
		return -1;
	*b->t->last_db = db;
	b->t->last_db = &db->next;
	return 0;
}

/* ---- Lists ---- */

const char *
table_path(const struct entry *e, struct arena *a)
{
	const char *suffix = e->kind == ENTRY_CDB ? ".cdb" : e->kind == ENTRY_LMDB ? ".lmdb" : "";
	struct str path = e->text;

	if (e->kind == ENTRY_WORD || e->kind == ENTRY_STRING || e->kind == ENTRY_REGEX)
		return NULL;
	/* postmap(1) puts it behind the name that it is told. */
	if (!str_iends(path, str_of(suffix)))
		path = str_printf(a, STR_FMT "%s", STR_ARG(path), suffix);
	return path.p != NULL ? source_path(a, e->at.src, path) : NULL;
}

static int
add_entry(struct builder *b, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_REGEX:
		return add_pattern(b, e->regex.pattern, e->regex.flags, e->regex.at);
	case ENTRY_WORD:
	case ENTRY_STRING:
		return add_value(b, e->text, STR_NONE, e->at);
	default:
		break;
	}
	if (e->text.n == 0 || memchr(e->text.p, '\0', e->text.n) != NULL) {
		diag_error(b->d, e->at, "'%s' needs the path of a %s", entry_kind_name(e->kind),
		    e->kind == ENTRY_FILE ? "list file" : "table");
		return 0;
	}
	return e->kind == ENTRY_FILE ? add_file(b, e) : e->kind == ENTRY_PCRE ? add_pcre(b, e) :
	    add_database(b, e);
}

/* An if must be come to whatever its pattern says, and so must what holds where it doesn't match. */
static int
order_patterns(struct table *t, struct arena *a)
{
	const struct regex **v;

	t->order = arena_array(a, t->norder, sizeof(*t->order));
	v = calloc(t->norder, sizeof(*v));
	if (t->order == NULL || v == NULL) {
		free((void *)(uintptr_t)v);
		return -1;
	}
	for (const struct pattern *p = t->patterns; p != NULL; p = p->next) {
		t->order[p->index] = p;
		v[p->index] = p->negated || p->kind != PCRE_MATCH ? NULL : p->re;
	}
	t->prefilter = prefilter_new(a, v, t->norder);
	free((void *)(uintptr_t)v);
	return 0;
}

struct table *
table_build(const struct list *list, const struct table_how *how, struct arena *a,
    struct diag *d)
{
	struct builder b = { .how = how, .a = a, .d = d };
	struct table *t = arena_new_object(a, struct table);

	if (t == NULL)
		return NULL;
	b.t = t;
	t->type = list->type;
	t->last = &t->patterns;
	t->last_db = &t->dbs;
	if (list->type == LIST_NETS) {
		if ((t->nets = cidr_new()) == NULL ||
		    arena_defer(a, cidr_free, t->nets) != 0)
			return NULL;
	} else if (list->type != LIST_PATTERNS) {
		if ((t->keys = keyset_new()) == NULL ||
		    arena_defer(a, keyset_free, t->keys) != 0)
			return NULL;
	}
	for (const struct entry *e = list->entries; e != NULL; e = e->next)
		if (add_entry(&b, e) != 0)
			return NULL;
	if (t->norder > 0 && order_patterns(t, a) != 0)
		return NULL;
	if (t->nets != NULL)
		cidr_pack(t->nets);
	return t;
}
