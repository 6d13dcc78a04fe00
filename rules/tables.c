/*
 * tables.c - lists made ready to be asked.
 *
 * A list is asked for each message and may hold millions of entries, so none
 * of its questions costs more for a longer list, nor allocates: networks are a
 * trie, and a domain is looked up by hashing it once from its end, asking at
 * each dot.  Only patterns are tried one by one.
 *
 * The lines of list files are listfile.c's, literals literal.c's, the two
 * structures cidr.c's and keyset.c's.
 */
#include "tables.h"

#include <string.h>

#include "arena.h"
#include "ast.h"
#include "cidr.h"
#include "diag.h"
#include "fold.h"
#include "keyset.h"
#include "listfile.h"
#include "regex.h"
#include "settings.h"
#include "source.h"

struct pattern {
	const struct regex *re;
	struct pattern	*next;
};

struct table {
	enum list_type	 type;
	struct cidr_set	*nets;
	struct keyset	*keys;
	struct pattern	*patterns, **last;
	size_t		 npatterns;
};

/* ---- Hashes ---- */

/* A domain's hash is made from its end, so that those of all its parents come on the way. */
#define HASH_BASIS	14695981039346656037ULL
#define HASH_PRIME	1099511628211ULL

static uint64_t
hash_add(uint64_t h, char c)
{
	return (h ^ (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c)) *
	    HASH_PRIME;
}

static uint64_t
hash_domain(struct str s)
{
	uint64_t h = HASH_BASIS;

	for (size_t i = s.n; i > 0; i--)
		h = hash_add(h, s.p[i - 1]);
	return h;
}

static uint64_t
hash_address(struct str local, uint64_t domain)
{
	return local.p == NULL ? domain : domain * HASH_PRIME ^ fold_hash(local);
}

static uint64_t
hash_key(enum list_type type, const struct key *k)
{
	return type == LIST_STRINGS ? fold_hash(k->name) :
	    hash_address(k->local, hash_domain(k->name));
}

/* ---- Building ---- */

struct builder {
	struct table	*t;
	struct arena	*a;
	struct diag	*d;
	unsigned	 match_limit;
};

static enum type_id
type_of_list(enum list_type t)
{
	return t == LIST_NETS ? T_ADDR : t == LIST_DOMAINS ? T_DOMAIN :
	    t == LIST_ADDRESSES ? T_ADDRESS : T_TEXT;
}

static int
add_value(struct builder *b, struct str text, struct span at)
{
	enum list_type type = b->t->type;
	struct strbuf why = { 0 };
	struct key k = { STR_NONE, STR_NONE };
	struct value v;

	if (type_parse(type_of_list(type), OP_IN_LIST, b->a, text, &v, &why) != 0) {
		if (!arena_failed(b->a))
			diag_error(b->d, at, "%s", why.failed ? "out of memory" : why.p);
		strbuf_free(&why);
		return arena_failed(b->a) ? -1 : 0;
	}
	strbuf_free(&why);
	if (type == LIST_NETS)
		return cidr_add(b->t->nets, &v.net);
	if (type == LIST_ADDRESSES) {
		k.local = v.mb.local;
		k.name = v.mb.domain;
	} else
		k.name = v.s;
	return keyset_add(b->t->keys, hash_key(type, &k), &k);
}

static int
add_pattern(struct builder *b, struct str pattern, struct str flags, struct span at)
{
	struct pattern *p;
	struct strbuf why = { 0 };
	struct regex *re;
	size_t offset = 0;

	re = regex_compile(b->a, pattern, flags, false, b->match_limit, &offset, &why);
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
	if ((p = arena_new_object(b->a, struct pattern)) == NULL)
		return -1;
	p->re = re;
	*b->t->last = p;
	b->t->last = &p->next;
	b->t->npatterns++;
	return 0;
}

static bool
has_blank(struct str s)
{
	return memchr(s.p, ' ', s.n) != NULL || memchr(s.p, '\t', s.n) != NULL;
}

static int
add_line(void *arg, const struct listfile_entry *e)
{
	struct builder *b = arg;

	if (b->t->type == LIST_PATTERNS)
		return add_pattern(b, e->text, e->flags, e->at);
	/* Other programs' tables have a second column; local parts may have blanks. */
	if (b->t->type != LIST_STRINGS && has_blank(e->text) &&
	    memchr(e->text.p, '"', e->text.n) == NULL) {
		diag_error(b->d, e->at, "'" STR_FMT "' has more than one word; a "
		    "list file holds one entry a line", STR_ARG(e->text));
		return 0;
	}
	return add_value(b, e->text, e->at);
}

static int
add_file(struct builder *b, const struct entry *e)
{
	struct source *src;
	char *path;

	if (e->text.n == 0 || memchr(e->text.p, '\0', e->text.n) != NULL) {
		diag_error(b->d, e->at, "'file' needs the path of a list file");
		return 0;
	}
	if ((path = source_path(b->a, e->at.src, e->text)) == NULL ||
	    (src = source_read(b->a, path, LISTFILE_MAX, e->at, b->d)) == NULL)
		return -1;
	src->includer = e->at.src;
	/* List files are reported on behind the rules files. */
	src->order = 1 << 20 | (int)(e->at.off & 0xfffff);
	if (src->text.p == NULL || !source_check(src, b->d))
		return arena_failed(b->a) ? -1 : 0;
	return listfile_each(src, b->t->type == LIST_PATTERNS, b->d, add_line, b);
}

static int
add_entry(struct builder *b, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_FILE:
		return add_file(b, e);
	case ENTRY_REGEX:
		return add_pattern(b, e->regex.pattern, e->regex.flags, e->regex.at);
	case ENTRY_WORD:
	case ENTRY_STRING:
		break;
	}
	return add_value(b, e->text, e->at);
}

struct table *
table_build(const struct list *list, const struct settings *s, struct arena *a,
    struct diag *d)
{
	struct builder b = { .a = a, .d = d, .match_limit = (unsigned)s->match_limit };
	struct table *t = arena_new_object(a, struct table);

	if (t == NULL)
		return NULL;
	b.t = t;
	t->type = list->type;
	t->last = &t->patterns;
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
	return t;
}

/* ---- Asking ---- */

static bool
same_name(const struct key *k, const void *arg)
{
	const struct key *asked = arg;

	return str_ieq(k->name, asked->name) &&
	    (k->local.p == NULL) == (asked->local.p == NULL) &&
	    fold_eq(k->local, asked->local);
}

static bool
same_text(const struct key *k, const void *arg)
{
	const struct str *s = arg;

	return fold_eq(k->name, *s);
}

static bool
same_raw(const struct key *k, const void *arg)
{
	const struct str *s = arg;

	return str_eq(k->name, *s);
}

/* The domain itself, or a parent that stands with a dot for all below it. */
static bool
has_domain(const struct keyset *set, struct str s)
{
	struct key k = { STR_NONE, s };
	uint64_t h = HASH_BASIS;

	for (size_t i = s.n; i > 1; i--) {
		h = hash_add(h, s.p[i - 1]);
		if (s.p[i - 1] != '.')
			continue;
		k.name = (struct str){ s.p + i - 1, s.n - i + 1 };
		if (keyset_has(set, h, same_name, &k))
			return true;
	}
	/* A name that begins with a dot is none, and must not be taken for an entry. */
	if (s.n == 0 || s.p[0] == '.')
		return false;
	k.name = s;
	return keyset_has(set, hash_add(h, s.p[0]), same_name, &k);
}

static bool
has_address(const struct keyset *set, const struct mailbox *mb)
{
	struct key k = { mb->local, mb->domain };

	return has_domain(set, mb->domain) ||
	    keyset_has(set, hash_key(LIST_ADDRESSES, &k), same_name, &k);
}

static bool
has_string(const struct keyset *set, struct str s, bool raw)
{
	return keyset_has(set, fold_hash(s), raw ? same_raw : same_text, &s);
}

enum table_result
table_has(const struct table *t, const struct value *v, bool raw)
{
	bool yes = false;

	switch (t->type) {
	case LIST_NETS:
		yes = cidr_has(t->nets, &v->ip);
		break;
	case LIST_DOMAINS:
		yes = has_domain(t->keys, v->s);
		break;
	case LIST_ADDRESSES:
		yes = has_address(t->keys, &v->mb);
		break;
	case LIST_STRINGS:
		yes = has_string(t->keys, v->s, raw);
		break;
	case LIST_PATTERNS:
	case LIST_TYPES:
		break;
	}
	return yes ? TABLE_YES : TABLE_NO;
}

enum table_result
table_matches(const struct table *t, struct str subject, struct captures *caps)
{
	enum table_result result = TABLE_NO;

	for (const struct pattern *p = t->patterns; p != NULL; p = p->next)
		switch (regex_match(p->re, subject, caps)) {
		case REGEX_YES:
			return TABLE_YES;
		case REGEX_LIMIT:
			result = TABLE_ERROR;
			break;
		case REGEX_NO:
			break;
		}
	return result;
}

size_t
table_size(const struct table *t)
{
	return t->nets != NULL ? cidr_size(t->nets) :
	    t->keys != NULL ? keyset_size(t->keys) : t->npatterns;
}
