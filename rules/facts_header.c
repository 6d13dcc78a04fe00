/*
 * facts_header.c - getters of header fields and of the body.
 *
 * A field may come several times, and its name in any case, so all of these
 * facts are lists.  Decoded text and parsed addresses are kept beside the
 * field, since several facts are made of them.  Where the header was cut at
 * its limit, what isn't found is an error and not "no".
 *
 * Decoding is asked for through struct mail_ops.
 */
#include "facts_get.h"

#include <string.h>

#include "arena.h"
#include "date.h"

/* The first of these fields that has that name, or NULL. */
static struct header *
find_field(struct header *h, struct str name)
{
	while (h != NULL && !str_ieq(h->name, name))
		h = h->next;
	return h;
}

/* ---- Any field ---- */

static enum fact_status
texts(struct values *c, struct str name)
{
	struct mail *m = c->m;
	struct header *h;

	if (m->ops == NULL || m->ops->decode == NULL)
		return FACT_UNSET;
	for (h = find_field(m->headers, name); h != NULL; h = find_field(h->next, name)) {
		if (h->text == NULL && (h->text = m->ops->decode(m, h->raw)) == NULL)
			return FACT_ERROR;
		values_str(c, *h->text);
	}
	return FACT_KNOWN;
}

static enum fact_status
raws(struct values *c, struct str name)
{
	struct header *h;

	for (h = find_field(c->m->headers, name); h != NULL; h = find_field(h->next, name))
		values_str(c, h->raw);
	return FACT_KNOWN;
}

/* A number of fields that could be larger is no number. */
static enum fact_status
count(const struct mail *m, struct str name, struct answer *out)
{
	int64_t n = 0;

	if (m->headers_cut)
		return answer_error(out, ERR_LIMIT);
	for (struct header *h = find_field(m->headers, name); h != NULL; h = find_field(h->next, name))
		n++;
	return answer_number(out, n);
}

enum fact_status
fact_get_header_text(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return answer_values(m, texts, arg->key, m->headers_cut, out);
}

enum fact_status
fact_get_header_raw(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return answer_values(m, raws, arg->key, m->headers_cut, out);
}

enum fact_status
fact_get_header_count(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return count(m, arg->key, out);
}

enum fact_status
fact_get_received_count(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return count(m, STR("Received"), out);
}

enum fact_status
fact_get_subject(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, texts, STR("Subject"), m->headers_cut, out);
}

/* ---- Addresses ---- */

/* A property of an address; false if it has none. */
typedef bool box_part(const struct mailbox_list *l, size_t i, struct value *v);

static enum fact_status
boxes(struct values *c, struct str name, box_part *part)
{
	struct mail *m = c->m;
	struct header *h;
	struct value v;

	if (m->ops == NULL || m->ops->mailboxes == NULL)
		return FACT_UNSET;
	for (h = find_field(m->headers, name); h != NULL; h = find_field(h->next, name)) {
		if (h->boxes == NULL && (h->boxes = m->ops->mailboxes(m, h->raw)) == NULL)
			return FACT_ERROR;
		for (size_t i = 0; i < h->boxes->n; i++)
			if (part(h->boxes, i, &v))
				values_add(c, &v);
	}
	return FACT_KNOWN;
}

static bool
whole(const struct mailbox_list *l, size_t i, struct value *v)
{
	v->mb = l->v[i];
	return true;
}

static bool
local(const struct mailbox_list *l, size_t i, struct value *v)
{
	v->s = l->v[i].local;
	return v->s.p != NULL;
}

static bool
domain(const struct mailbox_list *l, size_t i, struct value *v)
{
	v->s = l->v[i].domain;
	return v->s.n > 0;
}

static bool
display_name(const struct mailbox_list *l, size_t i, struct value *v)
{
	v->s = l->names != NULL ? l->names[i] : STR_NONE;
	return v->s.p != NULL;
}

static enum fact_status
addresses(struct values *c, struct str name)
{
	return boxes(c, name, whole);
}

static enum fact_status
locals(struct values *c, struct str name)
{
	return boxes(c, name, local);
}

static enum fact_status
domains(struct values *c, struct str name)
{
	return boxes(c, name, domain);
}

static enum fact_status
names(struct values *c, struct str name)
{
	return boxes(c, name, display_name);
}

enum fact_status
fact_get_from(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, addresses, STR("From"), m->headers_cut, out);
}

enum fact_status
fact_get_from_local(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, locals, STR("From"), m->headers_cut, out);
}

enum fact_status
fact_get_from_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, domains, STR("From"), m->headers_cut, out);
}

enum fact_status
fact_get_from_name(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, names, STR("From"), m->headers_cut, out);
}

/* RFC 5322, 3.6.2 wants one From, but people and forgers write several. */
enum fact_status
fact_get_from_count(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct answer all = { .n = 0 };
	enum fact_status s;

	(void)arg;
	if (m->ops == NULL || m->ops->mailboxes == NULL)
		return FACT_UNSET;
	s = answer_values(m, addresses, STR("From"), m->headers_cut, &all);
	if (s == FACT_ERROR || all.truncated)
		return answer_error(out, ERR_LIMIT);
	return answer_number(out, (int64_t)all.n);
}

enum fact_status
fact_get_to(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, addresses, STR("To"), m->headers_cut, out);
}

enum fact_status
fact_get_cc(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, addresses, STR("Cc"), m->headers_cut, out);
}

enum fact_status
fact_get_reply_to(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, addresses, STR("Reply-To"), m->headers_cut, out);
}

enum fact_status
fact_get_reply_to_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, domains, STR("Reply-To"), m->headers_cut, out);
}

/* ---- Addresses in display names ---- */

/* Octets of names count with them, so that no letter of any script ends an address. */
static bool
is_address_char(char c)
{
	return (unsigned char)c >= 0x80 || char_is_alnum(c) || (c != '\0' && strchr("._%+-", c) != NULL);
}

/* The address around the @ at `at`; n 0 if there is none. */
static struct str
address_around(struct str s, size_t at)
{
	size_t from = at, to = at + 1;

	while (from > 0 && is_address_char(s.p[from - 1]))
		from--;
	while (to < s.n && is_address_char(s.p[to]))
		to++;
	while (to > at && strchr(".-%+_", s.p[to - 1]) != NULL)
		to--;
	if (from == at || to <= at + 2 || memchr(s.p + at + 1, '.', to - at - 1) == NULL)
		return STR_NONE;
	return (struct str){ s.p + from, to - from };
}

/* As a reader takes it: @ and dots that are wider, blanks around an @; p NULL without memory. */
static struct str
plain_name(struct arena *a, struct str s)
{
	static const struct { char wide[4], plain; } marks[] = {
		{ "\xef\xbc\xa0", '@' }, { "\xef\xb9\xab", '@' },
		{ "\xef\xbc\x8e", '.' }, { "\xe3\x80\x82", '.' }, { "\xef\xbd\xa1", '.' },
	};
	struct str out = str_dup(a, s);
	char *p = (char *)(uintptr_t)out.p;

	out.n = 0;
	for (size_t i = 0; p != NULL && i < s.n; i++) {
		char c = s.p[i];

		for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++)
			if (s.n - i > 2 && memcmp(s.p + i, marks[k].wide, 3) == 0) {
				c = marks[k].plain;
				i += 2;
				break;
			}
		while (c == '@' && out.n > 0 && p[out.n - 1] == ' ')
			out.n--;
		if (c != ' ' || out.n == 0 || p[out.n - 1] != '@')
			p[out.n++] = c;
	}
	return out;
}

static enum fact_status
name_addresses(struct values *c, struct str name)
{
	struct mail *m = c->m;
	struct header *h;

	if (m->ops == NULL || m->ops->mailboxes == NULL)
		return FACT_UNSET;
	for (h = find_field(m->headers, name); h != NULL; h = find_field(h->next, name)) {
		if (h->boxes == NULL && (h->boxes = m->ops->mailboxes(m, h->raw)) == NULL)
			return FACT_ERROR;
		for (size_t i = 0; i < h->boxes->n && h->boxes->names != NULL; i++) {
			struct str s = h->boxes->names[i];

			if (s.n > 0 && (s = plain_name(m->arena, s)).p == NULL)
				return FACT_ERROR;
			for (size_t k = 0; k < s.n; k++) {
				struct value v;

				if (s.p[k] != '@' || (v.s = address_around(s, k)).n == 0)
					continue;
				v.mb = mailbox_parse(m->arena, v.s);
				if (v.mb.text.p == NULL)
					return FACT_ERROR;
				if (!str_ieq(v.mb.text, h->boxes->v[i].text))
					values_add(c, &v);
			}
		}
	}
	return FACT_KNOWN;
}

enum fact_status
fact_get_from_name_address(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, name_addresses, STR("From"), m->headers_cut, out);
}

/* ---- Identifiers ---- */

/*
 * The first part from < to > outside comments and quotes, with both; p NULL
 * if there is none.
 */
static struct str
in_angles(struct str s)
{
	const char *end;
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && (quoted || depth > 0))
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '<' && depth == 0) {
			end = memchr(s.p + i, '>', s.n - i);
			return end == NULL ? STR_NONE : (struct str){ s.p + i,
			    (size_t)(end - s.p) - i + 1 };
		}
	}
	return STR_NONE;
}

/* A copy without the folds that an identifier may have in it. */
static struct str
unfold(struct arena *a, struct str s)
{
	size_t n = 0;
	char *p;

	if (memchr(s.p, '\n', s.n) == NULL && memchr(s.p, '\r', s.n) == NULL)
		return s;
	if ((p = arena_alloc(a, s.n + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			p[n++] = s.p[i];
	return (struct str){ p, n };
}

/* RFC 5322, 3.6.4.  What is none, without its <>, is shown as it came. */
static enum fact_status
message_ids(struct values *c, struct str name)
{
	struct header *h;
	struct str id;

	for (h = find_field(c->m->headers, name); h != NULL; h = find_field(h->next, name)) {
		if ((id = in_angles(h->raw)).p == NULL)
			id = str_trim(h->raw);
		if ((id = unfold(c->m->arena, id)).p == NULL)
			return FACT_ERROR;
		values_str(c, id);
	}
	return FACT_KNOWN;
}

/* RFC 2919, 3: a phrase may come first. */
static enum fact_status
list_ids(struct values *c, struct str name)
{
	struct header *h;
	struct str id;

	for (h = find_field(c->m->headers, name); h != NULL; h = find_field(h->next, name)) {
		if ((id = in_angles(h->raw)).p == NULL)
			continue;
		id = str_trim((struct str){ id.p + 1, id.n - 2 });
		if ((id = unfold(c->m->arena, id)).p == NULL)
			return FACT_ERROR;
		values_str(c, id);
	}
	return FACT_KNOWN;
}

enum fact_status
fact_get_message_id(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, message_ids, STR("Message-ID"), m->headers_cut, out);
}

enum fact_status
fact_get_list_id(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, list_ids, STR("List-Id"), m->headers_cut, out);
}

/* The topmost Date; RFC 5322, 3.6 allows one. */
enum fact_status
fact_get_date_age(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct header *h;
	int64_t t;

	(void)arg;
	if ((h = find_field(m->headers, STR("Date"))) == NULL)
		return m->headers_cut ? answer_error(out, ERR_LIMIT) : FACT_UNSET;
	if (date_parse(h->raw, &t) != 0)
		return FACT_UNSET;
	return answer_number(out, (int64_t)m->time - t);
}

/* ---- The body and all ---- */

enum fact_status
fact_get_raw_body(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	if (m->body == NULL)
		return FACT_UNSET;
	out->truncated = m->body_cut;
	return answer_str(out, m->body->p != NULL ? strbuf_slice(m->body) : STR(""));
}

enum fact_status
fact_get_message_size(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_number(out, (int64_t)(m->header_octets + m->body_octets));
}
