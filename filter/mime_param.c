/*
 * mime_param.c - parameters of Content-Type and -Disposition (RFC 2045, 5.1,
 * and RFC 2231), as they are and not only as they should be.
 *
 * One that is given twice, in sections that don't fit, or with escapes that
 * programs read in two ways, has several texts, and each of them is told.  What
 * they mean is mime_field.c's.
 */
#include "mime_param.h"

#include "rules/arena.h"

void
field_skip_blank(struct field_reader *r)
{
	int depth = 0;

	for (; r->i < r->s.n; r->i++) {
		char c = r->s.p[r->i];

		if (c == '(' && !r->no_comments)
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			r->i++;
		else if (depth == 0 && !field_is_blank(c))
			return;
		else if (depth > 0 && c == ';')
			r->odd_comment = true;
	}
	r->odd_comment |= depth > 0;
}

struct str
field_until(struct field_reader *r, const char *stops)
{
	size_t from = r->i;

	while (r->i < r->s.n && (r->s.p[r->i] == '\0' ||
	    strchr(stops, r->s.p[r->i]) == NULL))
		r->i++;
	return str_trim((struct str){ r->s.p + from, r->i - from });
}

/*
 * The quoted string from the quote on.  C:\temp\x is meant as it stands, and
 * so it is shown by some; others take \t for t (RFC 5322, 3.2.4).  Without an end
 * it goes on to the field's, or to the next semicolon.
 */
static void
quoted(struct field_reader *r, struct mime_param *p)
{
	size_t from = ++r->i, n = 0, m = 0;
	char *value, *other;

	while (r->i < r->s.n && r->s.p[r->i] != '"')
		r->i += r->s.p[r->i] == '\\' ? 2 : 1;
	if (r->i >= r->s.n) {
		r->i = from;
		p->others[1] = field_until(r, ";");
		r->i = r->s.n;
		*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	}
	if ((value = arena_alloc(r->a, 2 * (r->i - from) + 1)) == NULL) {
		r->failed = true;
		return;
	}
	other = value + (r->i - from);
	for (size_t k = from; k < r->i; k++) {
		char c = r->s.p[k];

		if (c == '\\' && k + 1 < r->i) {
			c = r->s.p[++k];
			if (c != '"' && c != '\\')
				value[n++] = '\\';
		}
		if (c != '\r' && c != '\n')
			value[n++] = other[m++] = c;
	}
	p->value = (struct str){ value, n };
	if (m != n)
		p->others[0] = (struct str){ other, m };
	r->i++;
}

/* "name*1*" is the second section of name, with charset or %xx (RFC 2231, 3 and 4). */
static void
read_name(struct mime_param *p, struct str name)
{
	const char *star = name.n > 0 ? memchr(name.p, '*', name.n) : NULL;
	struct str rest;

	p->section = -1;
	p->name = name;
	if (star == NULL)
		return;
	p->name = str_trim((struct str){ name.p, (size_t)(star - name.p) });
	rest = (struct str){ star + 1, (size_t)(name.p + name.n - star) - 1 };
	if (rest.n == 0) {
		p->extended = true;
		return;
	}
	for (p->section = 0; rest.n > 0 && *rest.p >= '0' && *rest.p <= '9' &&
	    p->section < 1000; rest.p++, rest.n--)
		p->section = p->section * 10 + *rest.p - '0';
	p->extended = rest.n > 0 && *rest.p == '*';
}

/* What stands behind the quoted string belongs to it, for some. */
static void
after_quoted(struct field_reader *r, struct mime_param *p)
{
	struct str rest;
	struct strbuf all = { 0 };

	field_skip_blank(r);
	rest = field_until(r, ";");
	if (rest.n == 0)
		return;
	*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	strbuf_str(&all, p->value);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] != '"')
			strbuf_putc(&all, rest.p[i]);
	p->others[1] = str_dup(r->a, strbuf_slice(&all));
	r->failed |= all.failed || p->others[1].p == NULL;
	strbuf_free(&all);
}

/*
 * Unquoted blanks are common, and most programs take them, but for some the value
 * is one token (RFC 2045, 5.1), which matters if it has an ending; and what looks
 * like a comment may be none.
 */
static void
unquoted(struct field_reader *r, struct mime_param *p)
{
	const char *comment;
	size_t token = 0;

	p->value = field_until(r, ";");
	while (token < p->value.n && field_is_token(p->value.p[token]))
		token++;
	if (token < p->value.n && memchr(p->value.p, '.', token) != NULL)
		p->others[1] = (struct str){ p->value.p, token };
	comment = p->value.n > 0 ? memmem(p->value.p, p->value.n, " (", 2) : NULL;
	if (comment != NULL) {
		p->others[0] = p->value;
		p->value.n = (size_t)(comment - p->value.p);
	}
}

/* Do programs differ in which of two that have a name they take? */
static bool
is_ambiguous(const struct mime_param *a, const struct mime_param *b)
{
	if (!str_ieq(a->name, b->name))
		return false;
	if (a->section >= 0 && b->section >= 0)
		return a->section == b->section;
	if (str_ieq(a->name, STR("boundary")))
		return true;
	/* Plain beside one of the other two is what RFC 6266 advises, for file names. */
	if (a->section < 0 && b->section < 0)
		return a->extended == b->extended;
	return a->section < 0 ? a->extended : b->extended;
}

/* Keeps it if anybody asks for it. */
static void
keep_param(struct field_reader *r, const struct mime_param *p)
{
	static const char *const known[] = {
		"boundary", "charset", "delsp", "filename", "name"
	};
	size_t k = 0;

	while (k < sizeof(known) / sizeof(known[0]) && !str_ieq(p->name, str_of(known[k])))
		k++;
	if (k == sizeof(known) / sizeof(known[0]))
		return;
	if (r->n == MIME_PARAMS) {
		*r->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		if (is_ambiguous(&r->v[i], p))
			*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	r->v[r->n++] = *p;
}

/* Past the value the field goes on at the next semicolon. */
static void
read_params(struct field_reader *r)
{
	while (r->i < r->s.n && !r->failed) {
		struct mime_param p = { .section = -1 };
		struct str name;

		field_skip_blank(r);
		if (r->i < r->s.n && r->s.p[r->i] == ';') {
			r->i++;
			continue;
		}
		name = field_until(r, r->no_comments ? "=;" : "=;(");
		field_skip_blank(r);
		if (r->i >= r->s.n || r->s.p[r->i] != '=') {
			if (name.n > 0)
				*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
			(void)field_until(r, ";");
			continue;
		}
		r->i++;
		field_skip_blank(r);
		read_name(&p, name);
		if (r->i < r->s.n && r->s.p[r->i] == '"') {
			quoted(r, &p);
			after_quoted(r, &p);
		} else
			unquoted(r, &p);
		keep_param(r, &p);
	}
}

/* Not all programs know comments: what one holds counts, too. */
void
field_params(struct field_reader *r)
{
	size_t from = r->i;

	r->odd_comment = false;
	read_params(r);
	if (!r->odd_comment)
		return;
	r->i = from;
	r->no_comments = true;
	read_params(r);
	r->no_comments = false;
}

static void
put_percent(struct strbuf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && str_hex(s.p[i + 1]) >= 0 && str_hex(s.p[i + 2]) >= 0) {
			strbuf_putc(b, (char)(str_hex(s.p[i + 1]) << 4 | str_hex(s.p[i + 2])));
			i += 2;
		} else
			strbuf_putc(b, s.p[i]);
	}
}

static void
put_chars(void *b, const char *p, size_t n)
{
	strbuf_add(b, p, n);
}

/* charset'language'text; all of it where the quotes are missing. */
static struct str
take_charset(struct str *value)
{
	const char *q = value->n > 0 ? memchr(value->p, '\'', value->n) : NULL, *q2;
	struct str charset;

	if (q == NULL)
		return STR("");
	charset = (struct str){ value->p, (size_t)(q - value->p) };
	q2 = memchr(q + 1, '\'', value->n - charset.n - 1);
	if (q2 == NULL)
		return STR("");
	value->n -= (size_t)(q2 + 1 - value->p);
	value->p = q2 + 1;
	return charset;
}

/* ---- What it may be ---- */

enum pick { PICK_FIRST, PICK_LAST };	/* of sections that are given twice */

/* The section of that number, or with gaps the next that there is. */
static const struct mime_param *
find_section(const struct field_reader *r, const char *name, int section, enum pick pick, bool gaps)
{
	const struct mime_param *found = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct mime_param *p = &r->v[i];

		if (p->section < section || !str_ieq(p->name, str_of(name)) ||
		    (!gaps && p->section != section))
			continue;
		if (found == NULL || p->section < found->section ||
		    (p->section == found->section && pick == PICK_LAST))
			found = p;
	}
	return found;
}

/* One piece; the first names the character set of all. */
static void
add_piece(struct strbuf *octets, const struct mime_param *p, struct str *charset)
{
	struct str v = p->value;

	if (p->extended && charset != NULL)
		*charset = take_charset(&v);
	if (p->extended)
		put_percent(octets, v);
	else
		strbuf_str(octets, v);
}

static struct str
decoded(struct field_reader *r, struct strbuf *octets, struct str charset)
{
	struct strbuf text = { 0 };
	struct charset cs = { 0 };
	struct str out;

	charset_begin(&cs, charset);
	charset_feed(&cs, strbuf_slice(octets), put_chars, &text);
	charset_end(&cs, put_chars, &text);
	charset_close(&cs);
	out = str_dup(r->a, strbuf_slice(&text));
	r->failed |= octets->failed || text.failed || out.p == NULL;
	strbuf_free(octets);
	strbuf_free(&text);
	return out;
}

/* The parameter from its sections; p NULL without any. */
static struct str
join(struct field_reader *r, const char *name, enum pick pick, bool gaps)
{
	const struct mime_param *p = find_section(r, name, 0, pick, gaps);
	struct strbuf octets = { 0 };
	struct str charset = STR("");

	if (p == NULL)
		return STR_NONE;
	add_piece(&octets, p, &charset);
	while ((p = find_section(r, name, p->section + 1, pick, gaps)) != NULL)
		add_piece(&octets, p, NULL);
	return decoded(r, &octets, charset);
}

void
field_each(struct field_reader *r, const char *name, take_text *take, struct mime_head *h)
{
	bool any = find_section(r, name, 0, PICK_FIRST, true) != NULL;

	if (any) {
		take(r, h, join(r, name, PICK_FIRST, false));
		take(r, h, join(r, name, PICK_LAST, false));
		take(r, h, join(r, name, PICK_FIRST, true));
	}
	for (int extended = 1; extended >= 0; extended--)
		for (size_t i = 0; i < r->n; i++) {
			const struct mime_param *p = &r->v[i];
			struct strbuf octets = { 0 };
			struct str charset = STR("");

			if (p->section >= 0 || p->extended != extended || !str_ieq(p->name, str_of(name)))
				continue;
			if (!extended) {
				take(r, h, p->value);
				take(r, h, p->others[0]);
				take(r, h, p->others[1]);
				continue;
			}
			add_piece(&octets, p, &charset);
			take(r, h, decoded(r, &octets, charset));
		}
}

