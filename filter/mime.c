/*
 * mime.c - what a message's content is made of, within limits.
 *
 * The decoder takes octets as they come and keeps what rules can ask for: text
 * as far as the limits go, of attachments no more than their names, types and
 * sizes.  Past a limit what was found stands, and a defect of the limit's own
 * name tells that there is more, so that nothing is "not found" that wasn't
 * looked for (CUT_... in rules/facts.h).
 *
 * Why not a library: GMime 3.2.13 takes 15 MB for the 50,000 empty parts of a
 * message of 350 KB, has no limit on parts, ends the process when memory is
 * out, and leaves texts in HTML, lines, defects and RFC 2231's odd forms to be
 * done anyway; libetpan 1.9.4 decodes each part into memory as a whole.
 * ARCHITECTURE.md has the figures.
 */
#include "mime.h"

#include <stdlib.h>
#include <string.h>

#include "mime_int.h"
#include "rules/arena.h"
#include "rules/facts.h"

/* Names of files, apart from what they are names in. */
struct member {
	struct str	name;
	unsigned char	file, central;	/* where it stood, and how it's packed there: bits */
};

void
mime_options(struct mime_options *o, const struct settings *s)
{
	memset(o, 0, sizeof(*o));
	o->text = (uint64_t)s->body_limit;
	o->depth = (uint64_t)s->mime_depth;
	o->parts = (uint64_t)s->mime_parts;
	o->urls = (uint64_t)s->urls;
	o->entries = (uint64_t)s->archive_entries;
	o->nested = (uint64_t)s->archive_depth;
	o->ratio = (uint64_t)s->archive_ratio;
	o->inflated = (uint64_t)s->archive_limit;
}

/* ---- What is found ---- */

void *
vec_push(struct mime *m, struct vec *v, size_t size)
{
	size_t cap = v->cap > 0 ? v->cap + v->cap / 2 : 8;
	void *p;

	if (v->n == v->cap) {
		if ((p = reallocarray(v->p, cap, size)) == NULL) {
			m->failed = true;
			return NULL;
		}
		v->p = p;
		v->cap = cap;
	}
	p = (char *)v->p + v->n++ * size;
	return memset(p, 0, size);
}

void
mime_defect(struct mime *m, enum mime_defect d)
{
	m->c.defects |= DEFECT_BIT(d);
}

bool
mime_next_part(struct mime *m)
{
	if (m->parts++ < m->o.parts)
		return true;
	mime_defect(m, DEFECT_TOO_MANY_PARTS);
	m->stopped = true;
	return false;
}

/* Half of what came and some: so a message can't blow itself up. */
static size_t
room_for_text(const struct mime *m)
{
	uint64_t most = m->octets / 2 + 640 * 1024;

	if ((m->c.defects & DEFECT_BIT(DEFECT_TOO_MUCH_TEXT)) != 0)
		return 0;
	if (most > m->o.text)
		most = m->o.text;
	return most > m->kept ? (size_t)(most - m->kept) : 0;
}

bool
mime_keep(struct mime *m, struct strbuf *b, const char *p, size_t n)
{
	size_t room = room_for_text(m), some = n < room ? n : room;

	/* Not a part of a character. */
	while (some > 0 && some < n && ((unsigned char)p[some] & 0xc0) == 0x80)
		some--;
	strbuf_add(b, p, some);
	m->failed |= b->failed;
	m->kept += some;
	if (some < n)
		mime_defect(m, DEFECT_TOO_MUCH_TEXT);
	return some == n;
}

void
mime_add_text(struct mime *m, struct vec *to, struct strbuf *b)
{
	struct str *s = vec_push(m, to, sizeof(*s));
	char *fit;

	if (s == NULL)
		return;
	if (b->p == NULL)
		strbuf_puts(b, "");
	if (b->p == NULL) {
		m->failed = true;
		to->n--;
		return;
	}
	if ((fit = realloc(b->p, b->n + 1)) != NULL)
		b->p = fit;
	*s = strbuf_slice(b);
	*b = (struct strbuf){ 0 };
}

/* ---- What was found before ---- */

static struct str
key_of(const struct vec *v, size_t size, size_t i)
{
	struct str key;

	memcpy(&key, (const char *)v->p + i * size, sizeof(key));
	return key;
}

static size_t *
slot_of(const struct index *x, const struct vec *v, size_t size, struct str key)
{
	size_t at = (size_t)str_hash(key) & (x->n - 1);

	while (x->slots[at] != 0 && !str_eq(key_of(v, size, x->slots[at] - 1), key))
		at = (at + 1) & (x->n - 1);
	return &x->slots[at];
}

/* Its slot, which has 0, or its number from 1 on; NULL without memory. */
static size_t *
find(struct mime *m, struct index *x, const struct vec *v, size_t size, struct str key)
{
	size_t n = x->n > 0 ? 2 * x->n : 64, *slots;

	/* At most half of the slots are in use. */
	if (2 * (v->n - x->from + 1) > x->n) {
		if ((slots = calloc(n, sizeof(*slots))) == NULL) {
			m->failed = true;
			return NULL;
		}
		free(x->slots);
		x->slots = slots;
		x->n = n;
		for (size_t i = x->from; i < v->n; i++)
			*slot_of(x, v, size, key_of(v, size, i)) = i + 1;
	}
	return slot_of(x, v, size, key);
}

/* What stands there now isn't looked for any more. */
static void
begin_index(struct index *x, const struct vec *v)
{
	if (x->from != v->n && x->n > 0)
		memset(x->slots, 0, x->n * sizeof(*x->slots));
	x->from = v->n;
}

void
mime_add_url(void *arg, struct str text)
{
	struct mime *m = arg;
	struct url *u;
	size_t *slot;

	if ((m->c.defects & DEFECT_BIT(DEFECT_TOO_MANY_URLS)) != 0 ||
	    (slot = find(m, &m->by_url, &m->urls, sizeof(*u), text)) == NULL || *slot != 0)
		return;
	if (m->urls.n >= m->o.urls) {
		mime_defect(m, DEFECT_TOO_MANY_URLS);
		return;
	}
	if ((u = vec_push(m, &m->urls, sizeof(*u))) == NULL)
		return;
	*slot = m->urls.n;
	u->text = str_dup(m->a, text);
	u->host = url_host(m->a, text);
	u->domain = url_domain(m->o.suffixes, m->a, u->host);
}

ptrdiff_t
mime_add_attachment(struct mime *m, const struct mime_head *h)
{
	struct attachment *at = vec_push(m, &m->attachments, sizeof(*at));
	struct value *names = arena_array(m->a, h->nnames, sizeof(*names));

	if (at == NULL || (names == NULL && h->nnames > 0)) {
		m->failed = true;
		return -1;
	}
	for (size_t i = 0; i < h->nnames; i++)
		names[i].s = str_dup(m->a, h->names[i]);
	at->names = names;
	at->nnames = h->nnames;
	at->type = str_dup(m->a, h->type);
	begin_index(&m->by_name, &m->names);
	return (ptrdiff_t)m->attachments.n - 1;
}

/* ---- Names in archives ---- */

void
mime_add_name(struct mime *m, struct str name, bool central, unsigned method)
{
	unsigned char bit = method == 0 ? 1 : method == 8 ? 2 : method == 9 ? 4 : 8;
	struct member *v;
	size_t *slot;

	if ((slot = find(m, &m->by_name, &m->names, sizeof(*v), name)) == NULL)
		return;
	if (*slot == 0) {
		if (m->names.n >= m->o.entries) {
			mime_defect(m, DEFECT_TOO_MANY_NAMES);
			return;
		}
		if ((v = vec_push(m, &m->names, sizeof(*v))) == NULL)
			return;
		v->name = str_dup(m->a, name);
		if (v->name.p == NULL) {
			m->failed = true;
			m->names.n--;
			return;
		}
		*slot = m->names.n;
	}
	v = (struct member *)m->names.p + *slot - 1;
	*(central ? &v->central : &v->file) |= bit;
}

void
mime_end_names(struct mime *m)
{
	const struct member *v = m->names.p;
	bool any = false, same = true;

	for (size_t i = m->by_name.from; i < m->names.n; i++) {
		any |= v[i].central != 0;
		same &= v[i].central == v[i].file;
	}
	if (any && !same)
		mime_defect(m, DEFECT_ARCHIVE);
}

/* ---- The message ---- */

static void
free_texts(struct vec *v)
{
	struct str *s = v->p;

	for (size_t i = 0; i < v->n; i++)
		free((char *)(uintptr_t)s[i].p);
	free(v->p);
}

static void
mime_free(void *arg)
{
	struct mime *m = arg;

	parser_free(m->top);
	arena_free(m->scratch);
	free_texts(&m->texts);
	free_texts(&m->htmls);
	free(m->attachments.p);
	free(m->urls.p);
	free(m->names.p);
	free(m->by_url.slots);
	free(m->by_name.slots);
	free(m);
}

struct mime *
mime_new(struct arena *a, const struct mime_options *o)
{
	struct mime *m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	m->a = a;
	m->o = *o;
	m->inflated.most = o->inflated;
	m->scratch = arena_new(0);
	m->top = parser_new(m, 0);
	if (arena_defer(a, mime_free, m) == -1)
		return NULL;
	return m->scratch != NULL && m->top != NULL ? m : NULL;
}

void
mime_field(struct mime *m, struct str name, struct str raw)
{
	parser_field(m->top, name, raw);
}

void
mime_header_cut(struct mime *m)
{
	mime_defect(m, DEFECT_HEADER_CUT);
}

static void
begin_body(struct mime *m)
{
	if (!m->in_body)
		parser_body(m->top);
	m->in_body = true;
}

void
mime_feed(struct mime *m, struct str octets)
{
	begin_body(m);
	m->octets += octets.n;
	if (!m->failed)
		parser_feed(m->top, octets.p, octets.n);
}

/* The names alone, for rules. */
static bool
list_names(struct mime *m)
{
	const struct member *v = m->names.p;
	struct str *names = arena_array(m->a, m->names.n, sizeof(*names));

	if (names == NULL && m->names.n > 0)
		return false;
	for (size_t i = 0; i < m->names.n; i++)
		names[i] = v[i].name;
	m->c.archive_names = names;
	m->c.narchive_names = m->names.n;
	return true;
}

const struct content *
mime_end(struct mime *m)
{
	begin_body(m);
	if (m->top != NULL)
		parser_end(m->top);
	parser_free(m->top);
	m->top = NULL;
	arena_free(m->scratch);
	m->scratch = NULL;
	m->c.texts = m->texts.p;
	m->c.ntexts = m->texts.n;
	m->c.htmls = m->htmls.p;
	m->c.nhtmls = m->htmls.n;
	m->c.attachments = m->attachments.p;
	m->c.nattachments = m->attachments.n;
	m->c.urls = m->urls.p;
	m->c.nurls = m->urls.n;
	if (!list_names(m) || m->failed || arena_failed(m->a))
		return NULL;
	return &m->c;
}
