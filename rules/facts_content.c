/*
 * facts_content.c - getters of what the body holds: texts, attachments,
 * archives, URLs, defects.
 *
 * The body is decoded when the first of them is asked, through struct
 * mail_ops.  Where a limit cut it, what isn't found is an error and not "no";
 * only mime.defect is never one, so that rules can ask for the limits.
 */
#include "facts_get.h"

static const struct content *
ask(struct mail *m, struct answer *out, enum fact_status *status)
{
	const struct content *c;

	*status = FACT_UNSET;
	if (m->ops == NULL || m->ops->content == NULL)
		return NULL;
	if ((c = m->ops->content(m)) == NULL)
		*status = answer_error(out, ERR_LIMIT);
	return c;
}

/* Is it past one of these limits (CUT_...)? */
static bool
is_cut(const struct content *c, uint32_t limits)
{
	return (c->defects & limits) != 0;
}

/* ---- Lists of text ---- */

static enum fact_status
strings(struct values *out, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		values_str(out, v[i]);
	return FACT_KNOWN;
}

/* A getter of one of the content's lists, and the limits that cut it. */
#define LIST(fact, list, limits) \
static enum fact_status \
all_##list(struct values *out, struct str key) \
{ \
	const struct content *c = out->m->ops->content(out->m); \
\
	(void)key; \
	return strings(out, c->list, c->n##list); \
} \
\
enum fact_status \
fact_get_##fact(struct mail *m, const struct fact_arg *arg, struct answer *out) \
{ \
	const struct content *c; \
	enum fact_status s; \
\
	(void)arg; \
	if ((c = ask(m, out, &s)) == NULL) \
		return s; \
	return answer_values(m, all_##list, STR_NONE, is_cut(c, limits), out); \
}

LIST(body, texts, CUT_TEXTS)
LIST(html, htmls, CUT_TEXTS)
LIST(archive_name, archive_names, CUT_ARCHIVES)

enum fact_status
fact_get_archive_encrypted(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct content *c;
	enum fact_status s;

	(void)arg;
	if ((c = ask(m, out, &s)) == NULL)
		return s;
	if (!c->encrypted && is_cut(c, CUT_ARCHIVES))
		return answer_error(out, ERR_LIMIT);
	out->one.b = c->encrypted;
	return answer_one(out);
}

/* ---- Attachments ---- */

enum fact_status
thing_count_attachments(struct mail *m, size_t *n, bool *cut)
{
	const struct content *c;
	struct answer out;
	enum fact_status s;

	if ((c = ask(m, &out, &s)) == NULL)
		return s;
	*n = c->nattachments;
	*cut = is_cut(c, CUT_PARTS);
	return FACT_KNOWN;
}

/* An attachment's values: in *v, or one in *one; returns how many. */
typedef size_t property(const struct attachment *a, struct value *one, const struct value **v);

static enum fact_status
all_attachments(struct values *out, property *get)
{
	const struct content *c = out->m->ops->content(out->m);

	for (size_t i = 0; i < c->nattachments; i++) {
		struct value one;
		const struct value *v = &one;
		size_t n = get(&c->attachments[i], &one, &v);

		for (size_t k = 0; k < n; k++)
			values_add(out, &v[k]);
	}
	return FACT_KNOWN;
}

/* Inside has() of the attachment at hand, otherwise of all, as far as the limits. */
static enum fact_status
attachments(struct mail *m, property *get, values_of *all, uint32_t limits, struct answer *out)
{
	ptrdiff_t at = m->thing[THING_ATTACHMENT];
	const struct content *c;
	enum fact_status s;

	if ((c = ask(m, out, &s)) == NULL)
		return s;
	if (at < 0)
		return answer_values(m, all, STR_NONE, is_cut(c, limits), out);
	if ((size_t)at >= c->nattachments)
		return FACT_UNSET;
	out->v = &out->one;
	out->n = get(&c->attachments[at], &out->one, &out->v);
	out->truncated = is_cut(c, limits & ~CUT_PARTS);
	if (out->n == 0 && out->truncated)
		return answer_error(out, ERR_LIMIT);
	return out->n > 0 ? FACT_KNOWN : FACT_UNSET;
}

static size_t
get_name(const struct attachment *a, struct value *one, const struct value **v)
{
	(void)one;
	*v = a->names;
	return a->nnames;
}

static size_t
get_type(const struct attachment *a, struct value *one, const struct value **v)
{
	(void)v;
	one->s = a->type;
	return 1;
}

static size_t
get_magic(const struct attachment *a, struct value *one, const struct value **v)
{
	(void)v;
	one->s = a->magic;
	return a->magic.p != NULL;
}

static size_t
get_size(const struct attachment *a, struct value *one, const struct value **v)
{
	(void)v;
	one->n = (int64_t)a->size;
	return 1;
}

static size_t
get_encrypted(const struct attachment *a, struct value *one, const struct value **v)
{
	(void)v;
	one->b = a->encrypted;
	return 1;
}

/* A getter, and the values of all attachments that it is remembered by. */
#define ATTACHMENT(what, limits) \
static enum fact_status \
all_##what(struct values *out, struct str key) \
{ \
	(void)key; \
	return all_attachments(out, get_##what); \
} \
\
enum fact_status \
fact_get_attachment_##what(struct mail *m, const struct fact_arg *arg, struct answer *out) \
{ \
	(void)arg; \
	return attachments(m, get_##what, all_##what, limits, out); \
}

ATTACHMENT(name, CUT_NAMES)
ATTACHMENT(type, CUT_PARTS)
ATTACHMENT(magic, CUT_PARTS)
ATTACHMENT(size, CUT_PARTS)
ATTACHMENT(encrypted, CUT_ARCHIVES)

enum fact_status
fact_get_attachment_count(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct content *c;
	enum fact_status s;

	(void)arg;
	if ((c = ask(m, out, &s)) == NULL)
		return s;
	if (is_cut(c, CUT_PARTS))
		return answer_error(out, ERR_LIMIT);
	return answer_number(out, (int64_t)c->nattachments);
}

/* ---- URLs ---- */

enum fact_status
thing_count_urls(struct mail *m, size_t *n, bool *cut)
{
	const struct content *c;
	struct answer out;
	enum fact_status s;

	if ((c = ask(m, &out, &s)) == NULL)
		return s;
	*n = c->nurls;
	*cut = is_cut(c, CUT_URLS);
	return FACT_KNOWN;
}

/* False: it has none. */
typedef bool url_part(const struct url *u, struct value *v);

static enum fact_status
all_urls(struct values *out, url_part *get)
{
	const struct content *c = out->m->ops->content(out->m);
	struct value v;

	for (size_t i = 0; i < c->nurls; i++)
		if (get(&c->urls[i], &v))
			values_add(out, &v);
	return FACT_KNOWN;
}

static enum fact_status
urls(struct mail *m, url_part *get, values_of *all, struct answer *out)
{
	ptrdiff_t at = m->thing[THING_URL];
	const struct content *c;
	enum fact_status s;

	if ((c = ask(m, out, &s)) == NULL)
		return s;
	if (at < 0)
		return answer_values(m, all, STR_NONE, is_cut(c, CUT_URLS), out);
	if ((size_t)at >= c->nurls || !get(&c->urls[at], &out->one))
		return FACT_UNSET;
	return answer_one(out);
}

static bool
get_url(const struct url *u, struct value *v)
{
	v->s = u->text;
	return v->s.n > 0;
}

static bool
get_url_host(const struct url *u, struct value *v)
{
	v->s = u->host;
	return v->s.n > 0;
}

static bool
get_url_domain(const struct url *u, struct value *v)
{
	v->s = u->domain;
	return v->s.n > 0;
}

/* A host in brackets is IPv6; one in digits became dotted when it was read. */
static bool
get_url_ip(const struct url *u, struct value *v)
{
	struct str s = u->host;

	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = (struct str){ s.p + 1, s.n - 2 };
	return s.n > 0 && ipaddr_parse(s, &v->ip) == 0;
}

/* A getter of a part of each URL. */
#define URL_PART(fact) \
static enum fact_status \
all_##fact(struct values *out, struct str key) \
{ \
	(void)key; \
	return all_urls(out, get_##fact); \
} \
\
enum fact_status \
fact_get_##fact(struct mail *m, const struct fact_arg *arg, struct answer *out) \
{ \
	(void)arg; \
	return urls(m, get_##fact, all_##fact, out); \
}

URL_PART(url)
URL_PART(url_host)
URL_PART(url_ip)
URL_PART(url_domain)

/* ---- Defects ---- */

static enum fact_status
defects(struct values *v, struct str key)
{
	const struct content *c = v->m->ops->content(v->m);

	(void)key;
	for (int d = 0; d < DEFECTS; d++)
		if ((c->defects & DEFECT_BIT(d)) != 0)
			values_add(v, &(struct value){ .n = d });
	return FACT_KNOWN;
}

enum fact_status
fact_get_mime_defect(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct content *c;
	enum fact_status s;

	(void)arg;
	if ((c = ask(m, out, &s)) == NULL)
		return s;
	return answer_values(m, defects, STR_NONE, false, out);
}
