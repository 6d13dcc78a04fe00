/*
 * table_find.c - what a list says of a value.
 *
 * A list is asked for each message and may hold millions of entries, so none
 * of its questions costs more for a longer list: networks are a
 * trie, and a domain is looked up by hashing it once from its end, asking at
 * each dot.  Patterns are tried one by one, but only those that can match
 * (prefilter.c).
 *
 * Databases have only keys as they stand, so they are asked for each form that
 * an entry could have, as Postfix does.
 */
#include "tables_int.h"

#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "fold.h"
#include "prefilter.h"
#include "regex.h"

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

uint64_t
table_hash(enum list_type type, const struct key *k)
{
	return type == LIST_STRINGS ? fold_hash(k->name) :
	    hash_address(k->local, hash_domain(k->name));
}

/* ---- Entries in memory ---- */

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

/*
 * The domain itself, else the longest parent that stands with a dot for all below
 * it.  A name that begins with a dot is none, and must not be taken for an entry.
 */
static bool
find_domain(const struct keyset *set, struct str s, struct str *text)
{
	struct key k = { STR_NONE, s };
	uint64_t h = HASH_BASIS;
	struct str one;
	bool found = false;

	for (size_t i = s.n; i > 1; i--) {
		h = hash_add(h, s.p[i - 1]);
		if (s.p[i - 1] != '.')
			continue;
		k.name = (struct str){ s.p + i - 1, s.n - i + 1 };
		if (keyset_find(set, h, same_name, &k, &one)) {
			*text = one;
			found = true;
		}
	}
	if (s.n == 0 || s.p[0] == '.')
		return found;
	k.name = s;
	if (keyset_find(set, hash_add(h, s.p[0]), same_name, &k, &one)) {
		*text = one;
		found = true;
	}
	return found;
}

static bool
find_address(const struct keyset *set, const struct mailbox *mb, struct str *text)
{
	struct key k = { mb->local, mb->domain };

	return keyset_find(set, table_hash(LIST_ADDRESSES, &k), same_name, &k, text) ||
	    find_domain(set, mb->domain, text);
}

static bool
find_here(const struct table *t, const struct value *v, bool raw, struct str *text)
{
	switch (t->type) {
	case LIST_NETS:
		return cidr_find(t->nets, &v->ip, text);
	case LIST_DOMAINS:
		return find_domain(t->keys, v->s, text);
	case LIST_ADDRESSES:
		return find_address(t->keys, &v->mb, text);
	case LIST_STRINGS:
		return keyset_find(t->keys, fold_hash(v->s), raw ? same_raw : same_text, &v->s, text);
	case LIST_PATTERNS:
	case LIST_TYPES:
		break;
	}
	return false;
}

/* ---- Databases ---- */

/* A key in the making; one that is too long is in no database. */
struct form {
	char	p[TABLE_KEY_MAX + 1];
	size_t	n;
	bool	too_long;
};

static void
form_add(struct form *f, struct str s)
{
	if (f->too_long || s.n > TABLE_KEY_MAX - f->n) {
		f->too_long = true;
		return;
	}
	if (s.n > 0)
		memcpy(f->p + f->n, s.p, s.n);
	f->n += s.n;
}

/* postmap(1) folds keys, so what is looked up is folded too. */
static void
form_fold(struct form *f, struct str s)
{
	char room[TABLE_KEY_MAX + 1];
	struct strbuf b = STRBUF_IN(room);

	fold_to(s, &b);
	f->too_long |= b.failed;
	form_add(f, strbuf_slice(&b));
	strbuf_free(&b);
}

static int
ask(const struct database *db, struct form *f, struct str *text)
{
	if (f->too_long || f->n == 0)
		return 0;
	f->p[f->n] = '\0';
	return db->ops->get(db->db, (struct str){ f->p, f->n }, text);
}

/* 192.0.2.1, 192.0.2, 192.0, 192; 2001:db8::1, 2001:db8:, 2001:db8, 2001: access(5). */
static int
ask_ip(const struct database *db, const struct ipaddr *ip, struct str *text)
{
	char stop = ipaddr_is_v4(ip) ? '.' : ':';
	struct strbuf b = { 0 };
	struct form f = { .n = 0 };
	int r;

	ipaddr_print(ip, &b);
	f.too_long = b.failed;
	form_add(&f, strbuf_slice(&b));
	strbuf_free(&b);
	while ((r = ask(db, &f, text)) == 0 && f.n > 0) {
		while (f.n > 0 && f.p[f.n - 1] != stop)
			f.n--;
		if (f.n > 0)
			f.n--;
	}
	return r;
}

/* The domain, then .parents from the longest on; each with `before` in front. */
static int
ask_domain(const struct database *db, struct str before, struct str s, struct str *text)
{
	struct form f = { .n = 0 };
	int r = 0;

	if (s.n == 0)
		return 0;
	if (s.p[0] != '.') {
		form_add(&f, before);
		form_add(&f, s);
		r = ask(db, &f, text);
	}
	for (size_t i = 1; i < s.n && r == 0; i++) {
		if (s.p[i] != '.' || i + 1 == s.n)
			continue;
		f.n = 0;
		f.too_long = false;
		form_add(&f, before);
		form_add(&f, (struct str){ s.p + i, s.n - i });
		r = ask(db, &f, text);
	}
	return r;
}

static int
ask_address(const struct database *db, const struct mailbox *mb, struct str *text)
{
	struct form f = { .n = 0 };
	int r;

	if (mb->local.n == 0 && mb->domain.n == 0)
		form_add(&f, STR("<>"));
	else
		form_fold(&f, mb->local);
	if (mb->domain.n > 0) {
		form_add(&f, STR("@"));
		form_add(&f, mb->domain);
	}
	r = ask(db, &f, text);
	return r != 0 ? r : ask_domain(db, STR("@"), mb->domain, text);
}

static int
ask_database(const struct table *t, const struct database *db, const struct value *v, bool raw,
    struct str *text)
{
	struct form f = { .n = 0 };

	switch (t->type) {
	case LIST_NETS:
		return ask_ip(db, &v->ip, text);
	case LIST_DOMAINS:
		return ask_domain(db, STR(""), v->s, text);
	case LIST_ADDRESSES:
		return ask_address(db, &v->mb, text);
	case LIST_STRINGS:
		if (raw)
			form_add(&f, v->s);
		else
			form_fold(&f, v->s);
		return ask(db, &f, text);
	case LIST_PATTERNS:
	case LIST_TYPES:
		break;
	}
	return 0;
}

/* ---- Both ---- */

static enum table_result
find(const struct table *t, const struct value *v, bool raw, struct str *text)
{
	enum table_result result = TABLE_NO;

	*text = STR_NONE;
	if (find_here(t, v, raw, text))
		return TABLE_YES;
	for (const struct database *db = t->dbs; db != NULL; db = db->next) {
		int r = ask_database(t, db, v, raw, text);

		if (r > 0)
			return TABLE_YES;
		if (r < 0)
			result = TABLE_FAILED;
	}
	return result;
}

enum table_result
table_has(const struct table *t, const struct value *v, bool raw)
{
	struct str text;

	if (t->type == LIST_NETS && cidr_has(t->nets, &v->ip))
		return TABLE_YES;
	return find(t, v, raw, &text);
}

enum table_result
table_text(const struct table *t, const struct value *v, bool raw, struct strbuf *out)
{
	struct str text;
	enum table_result r = find(t, v, raw, &text);

	if (r == TABLE_YES && text.p != NULL)
		strbuf_str(out, text);
	return r;
}

/* ---- Patterns ---- */

#define SET_WORDS	256	/* candidates on the stack */

/* The first candidate (set NULL: all are) that holds, in *found; those that an if rules out aren't tried. */
static enum table_result
match_candidates(const struct table *t, const uint64_t *set, struct str subject,
    struct captures *caps, const struct pattern **found)
{
	enum table_result result = TABLE_NO;

	for (size_t i = 0; i < t->norder; i++) {
		const struct pattern *p;
		enum regex_result r;

		if (set != NULL && (i = prefilter_next(set, i, t->norder)) == t->norder)
			break;
		p = t->order[i];
		if (p->re == NULL)
			continue;
		r = regex_match(p->re, subject, p->negated || p->kind == PCRE_IF ? NULL : caps);
		if (r == REGEX_LIMIT)
			result = TABLE_LIMIT;
		else if ((r == REGEX_YES) != p->negated) {
			if (p->kind == PCRE_IF)
				continue;
			if (p->negated && caps != NULL)
				caps->n = 0;
			*found = p;
			return TABLE_YES;
		}
		if (p->kind == PCRE_IF)
			i = p->endif->index;
	}
	return result;
}

static enum table_result
match(const struct table *t, struct str subject, struct captures *caps,
    const struct pattern **found)
{
	size_t words = t->prefilter != NULL ? prefilter_words(t->prefilter) : 0;
	uint64_t few[SET_WORDS], *set = NULL;
	enum table_result result;

	if (words > SET_WORDS)
		set = calloc(words, sizeof(*set));
	else if (words > 0)
		set = memset(few, 0, words * sizeof(*set));
	if (set != NULL)
		prefilter_scan(t->prefilter, subject, set);
	result = match_candidates(t, set, subject, caps, found);
	if (set != few)
		free(set);
	return result;
}

enum table_result
table_matches(const struct table *t, struct str subject, struct captures *caps)
{
	const struct pattern *found;

	return match(t, subject, caps, &found);
}

enum table_result
table_match_text(const struct table *t, struct str subject, size_t max, struct strbuf *out)
{
	const struct pattern *found = NULL;
	struct captures caps;
	enum table_result r = match(t, subject, &caps, &found);

	if (r == TABLE_YES)
		pcre_text_expand(found->text, &caps, max, out);
	return r;
}

size_t
table_size(const struct table *t)
{
	size_t n = t->nets != NULL ? cidr_size(t->nets) :
	    t->keys != NULL ? keyset_size(t->keys) : t->npatterns;

	for (const struct database *db = t->dbs; db != NULL; db = db->next)
		n += db->ops->size(db->db);
	return n;
}
