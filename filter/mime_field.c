/*
 * mime_field.c - Content-Type, -Transfer-Encoding and -Disposition (RFC 2045,
 * 2183, 2231), as they are and not only as they should be.
 *
 * Mail programs differ in what they make of a broken parameter or of a name
 * that is given twice, and who sends malware knows it.  So every name that some
 * program may show is kept, the one that most show first.
 */
#include "mime_int.h"

#include <string.h>

#include "message.h"
#include "rules/arena.h"

#define PARAMS	64	/* of one field; further ones aren't read */
#define TOKEN	127	/* RFC 6838, 4.2: octets of type and of subtype */

struct mime_param {
	struct str	name, value;	/* value without quotes and escapes */
	int		section;	/* of RFC 2231, or -1 */
	bool		extended;	/* charset and %xx */
};

struct field_reader {
	struct arena	*a;
	struct str	 s;
	size_t		 i;
	struct mime_param v[PARAMS];
	size_t		 n;
	uint32_t	*defects;
	bool		 failed;
};

enum mime_header
mime_header_of(struct str name)
{
	static const char *const names[MH_COUNT] = {
		[MH_TYPE] = "Content-Type",
		[MH_ENCODING] = "Content-Transfer-Encoding",
		[MH_DISPOSITION] = "Content-Disposition",
	};

	for (enum mime_header h = 0; h < MH_COUNT; h++)
		if (str_ieq(name, str_of(names[h])))
			return h;
	return MH_COUNT;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks and comments. */
static void
skip_blank(struct field_reader *r)
{
	int depth = 0;

	for (; r->i < r->s.n; r->i++) {
		char c = r->s.p[r->i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			r->i++;
		else if (depth == 0 && !is_blank(c))
			return;
	}
}

/* As far as none of the stops. */
static struct str
until(struct field_reader *r, const char *stops)
{
	size_t from = r->i;

	while (r->i < r->s.n && (r->s.p[r->i] == '\0' ||
	    strchr(stops, r->s.p[r->i]) == NULL))
		r->i++;
	return str_trim((struct str){ r->s.p + from, r->i - from });
}

static struct str
quoted(struct field_reader *r)
{
	size_t from = ++r->i, n = 0;
	char *p;

	while (r->i < r->s.n && r->s.p[r->i] != '"')
		r->i += r->s.p[r->i] == '\\' ? 2 : 1;
	if (r->i >= r->s.n) {
		r->i = r->s.n;
		*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	}
	if ((p = arena_alloc(r->a, r->i - from + 1)) == NULL) {
		r->failed = true;
		return STR_NONE;
	}
	for (size_t k = from; k < r->i; k++) {
		/* C:\temp\x is meant as it stands. */
		if (r->s.p[k] == '\\' && k + 1 < r->i && (r->s.p[k + 1] == '"' || r->s.p[k + 1] == '\\'))
			k++;
		else if (r->s.p[k] == '\r' || r->s.p[k] == '\n')
			continue;
		p[n++] = r->s.p[k];
	}
	r->i++;
	return (struct str){ p, n };
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
	p->name.n = (size_t)(star - name.p);
	rest = (struct str){ star + 1, name.n - p->name.n - 1 };
	if (rest.n == 0) {
		p->extended = true;
		return;
	}
	for (p->section = 0; rest.n > 0 && *rest.p >= '0' && *rest.p <= '9' &&
	    p->section < 1000; rest.p++, rest.n--)
		p->section = p->section * 10 + *rest.p - '0';
	p->extended = rest.n > 0 && *rest.p == '*';
}

/* Past the value the field goes on at the next semicolon. */
static void
read_params(struct field_reader *r)
{
	while (r->i < r->s.n && r->n < PARAMS && !r->failed) {
		struct mime_param *p = &r->v[r->n];
		struct str name;
		char *comment;

		skip_blank(r);
		if (r->i < r->s.n && r->s.p[r->i] == ';') {
			r->i++;
			continue;
		}
		name = until(r, "=;");
		memset(p, 0, sizeof(*p));
		if (r->i >= r->s.n || r->s.p[r->i] != '=') {
			if (name.n > 0)
				*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
			continue;
		}
		r->i++;
		skip_blank(r);
		read_name(p, name);
		if (r->i < r->s.n && r->s.p[r->i] == '"') {
			p->value = quoted(r);
			skip_blank(r);
			if (until(r, ";").n > 0)
				*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
		} else {
			/* Unquoted blanks are common, and clients take them. */
			p->value = until(r, ";");
			comment = p->value.n > 0 ? memmem(p->value.p, p->value.n, " (", 2) : NULL;
			if (comment != NULL)
				p->value.n = (size_t)(comment - p->value.p);
		}
		r->n++;
	}
}

static const struct mime_param *
find_param(const struct field_reader *r, const char *name, int section, bool extended)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].section == section && (section >= 0 ||
		    r->v[i].extended == extended) && str_ieq(r->v[i].name, str_of(name)))
			return &r->v[i];
	return NULL;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
put_percent(struct strbuf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			strbuf_putc(b, (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])));
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

/* The parameter by RFC 2231, in one piece or several; p NULL without one. */
static struct str
param_2231(struct field_reader *r, const char *name)
{
	const struct mime_param *p = find_param(r, name, 0, false);
	struct strbuf octets = { 0 }, text = { 0 };
	struct charset cs = { 0 };
	struct str charset = STR(""), out;

	if (p == NULL && (p = find_param(r, name, -1, true)) == NULL)
		return STR_NONE;
	for (int k = p->section; p != NULL; p = k < 0 ? NULL : find_param(r, name, ++k, false)) {
		struct str v = p->value;

		if (p->extended && k <= 0)
			charset = take_charset(&v);
		if (p->extended)
			put_percent(&octets, v);
		else
			strbuf_str(&octets, v);
	}
	charset_begin(&cs, charset);
	charset_feed(&cs, strbuf_slice(&octets), put_chars, &text);
	charset_end(&cs, put_chars, &text);
	charset_close(&cs);
	out = str_dup(r->a, strbuf_slice(&text));
	r->failed |= octets.failed || text.failed || out.p == NULL;
	strbuf_free(&octets);
	strbuf_free(&text);
	return out;
}

/* The plain one, with the encoded words that have no business there. */
static struct str
param_plain(struct field_reader *r, const char *name)
{
	const struct mime_param *p = find_param(r, name, -1, false);
	const struct str *text;

	if (p == NULL)
		return STR_NONE;
	if ((text = message_decode(r->a, p->value)) == NULL) {
		r->failed = true;
		return STR_NONE;
	}
	return *text;
}

static void
add_name(struct field_reader *r, struct mime_head *h, struct str name)
{
	const struct str *line;

	if (name.n == 0)
		return;
	/* One line without NUL, whatever %xx brought. */
	if ((line = message_decode(r->a, name)) == NULL) {
		r->failed = true;
		return;
	}
	for (size_t i = 0; i < h->nnames; i++)
		if (str_eq(h->names[i], *line))
			return;
	if (h->nnames < MIME_NAMES && line->n > 0)
		h->names[h->nnames++] = *line;
}

static void
begin(struct field_reader *r, struct str raw)
{
	r->s = raw;
	r->i = r->n = 0;
}

/* A token in lower case; what is no parameter stops at a blank, for `text/html charset=x`. */
static struct str
token(struct field_reader *r)
{
	struct str t, low;
	size_t from, slash;

	skip_blank(r);
	from = r->i;
	t = until(r, ";(");
	if (memchr(t.p, '=', t.n) != NULL) {
		r->i = from;
		t = until(r, "/;(");
		slash = r->i;
		while (++r->i < r->s.n && is_blank(r->s.p[r->i]))
			;
		(void)until(r, " \t\r\n;(");
		t = slash < r->s.n ? (struct str){ r->s.p + from, r->i - from } : t;
		*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	}
	if (t.n > 2 * TOKEN + 1)
		t.n = 2 * TOKEN + 1;
	low = str_lower(r->a, t);
	r->failed |= low.p == NULL;
	return low;
}

/* "text / html" is what programs take for text/html; p NULL for no type at all. */
static struct str
type_of_token(struct str t)
{
	char *p = (char *)(uintptr_t)t.p;	/* it is str_lower()'s copy */
	size_t n = 0;
	const char *slash;

	for (size_t i = 0; i < t.n; i++) {
		if (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n')
			continue;
		if ((unsigned char)p[i] < 0x21 || (unsigned char)p[i] > 0x7e)
			return STR_NONE;
		p[n++] = p[i];
	}
	slash = n > 0 ? memchr(p, '/', n) : NULL;
	if (slash == NULL || slash == p || slash == p + n - 1)
		return STR_NONE;
	return (struct str){ p, n };
}

static void
read_type(struct field_reader *r, struct str raw, struct str default_type, struct mime_head *h)
{
	h->type = default_type;
	if (raw.p == NULL)
		return;
	begin(r, raw);
	h->type = type_of_token(token(r));
	if (h->type.p == NULL) {
		*r->defects |= DEFECT_BIT(DEFECT_CONTENT_TYPE);
		h->type = STR("text/plain");	/* RFC 2045, 5.2 */
	}
	read_params(r);
	h->boundary = param_2231(r, "boundary");
	if (h->boundary.p == NULL) {
		const struct mime_param *p = find_param(r, "boundary", -1, false);

		h->boundary = p != NULL ? p->value : STR_NONE;
	}
	h->charset = param_2231(r, "charset");
	if (h->charset.p == NULL)
		h->charset = str_trim(param_plain(r, "charset"));
	add_name(r, h, param_2231(r, "name"));
	add_name(r, h, param_plain(r, "name"));
}

static void
read_disposition(struct field_reader *r, struct str raw, struct mime_head *h)
{
	if (raw.p == NULL)
		return;
	begin(r, raw);
	h->attached = str_eq(token(r), STR("attachment"));
	read_params(r);
	add_name(r, h, param_2231(r, "filename"));
	add_name(r, h, param_plain(r, "filename"));
}

static void
read_encoding(struct field_reader *r, struct str raw, struct mime_head *h)
{
	static const struct { const char *name; enum mime_encoding enc; } known[] = {
		{ "", ENC_IDENTITY }, { "7bit", ENC_IDENTITY }, { "8bit", ENC_IDENTITY },
		{ "binary", ENC_IDENTITY }, { "base64", ENC_BASE64 },
		{ "quoted-printable", ENC_QP }, { "x-uuencode", ENC_UU },
		{ "uuencode", ENC_UU }, { "x-uue", ENC_UU }, { "uue", ENC_UU },
	};
	struct str t;

	h->encoding = ENC_IDENTITY;
	if (raw.p == NULL)
		return;
	begin(r, raw);
	t = token(r);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(t, str_of(known[i].name))) {
			h->encoding = known[i].enc;
			return;
		}
	h->encoding = ENC_UNKNOWN;
	*r->defects |= DEFECT_BIT(DEFECT_ENCODING);
}

bool
mime_head_read(struct arena *a, const struct str *raw, struct str default_type,
    struct mime_head *h, uint32_t *defects)
{
	struct field_reader r = { .a = a, .defects = defects };

	memset(h, 0, sizeof(*h));
	/* The disposition's name comes first: so most programs have it. */
	read_disposition(&r, raw[MH_DISPOSITION], h);
	read_type(&r, raw[MH_TYPE], default_type, h);
	read_encoding(&r, raw[MH_ENCODING], h);
	return !r.failed;
}
