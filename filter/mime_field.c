/*
 * mime_field.c - Content-Type, -Transfer-Encoding and -Disposition (RFC 2045,
 * 2183, 2231), as they are and not only as they should be.
 *
 * Mail programs differ in what they make of a broken parameter or of a name
 * that is given twice, and who sends malware knows it.  So every name that some
 * program may show is kept, the one that most show first, and every boundary
 * that some program may go by.
 */
#include "mime_int.h"

#include <string.h>

#include "message.h"
#include "rules/arena.h"

#define TOKEN	127	/* RFC 6838, 4.2: octets of type and of subtype */

struct mime_param {
	struct str	name;
	struct str	value;		/* without quotes and escapes */
	struct str	other;		/* as other programs read it; p NULL where all agree */
	int		section;	/* of RFC 2231, or -1 */
	bool		extended;	/* charset and %xx */
};

struct field_reader {
	struct arena	*a;
	struct str	 s;
	size_t		 i;
	struct mime_param v[MIME_PARAMS];
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

/*
 * The quoted string from the quote on.  C:\temp\x is meant as it stands, and
 * so it is shown by some; others take \t for t (RFC 5322, 3.2.4).
 */
static void
quoted(struct field_reader *r, struct mime_param *p)
{
	size_t from = ++r->i, n = 0, m = 0;
	char *value, *other;

	while (r->i < r->s.n && r->s.p[r->i] != '"')
		r->i += r->s.p[r->i] == '\\' ? 2 : 1;
	if (r->i >= r->s.n) {
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
		p->other = (struct str){ other, m };
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

/* What stands behind the quoted string belongs to it, for some. */
static void
after_quoted(struct field_reader *r, struct mime_param *p)
{
	struct str rest;
	struct strbuf all = { 0 };

	skip_blank(r);
	rest = until(r, ";");
	if (rest.n == 0)
		return;
	*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	strbuf_str(&all, p->value);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] != '"')
			strbuf_putc(&all, rest.p[i]);
	p->other = str_dup(r->a, strbuf_slice(&all));
	r->failed |= all.failed || p->other.p == NULL;
	strbuf_free(&all);
}

/* Unquoted blanks are common, and clients take them; what looks like a comment may be none. */
static void
unquoted(struct field_reader *r, struct mime_param *p)
{
	const char *comment;

	p->value = until(r, ";");
	comment = p->value.n > 0 ? memmem(p->value.p, p->value.n, " (", 2) : NULL;
	if (comment != NULL) {
		p->other = p->value;
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
	static const char *const known[] = { "boundary", "charset", "filename", "name" };
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

		skip_blank(r);
		if (r->i < r->s.n && r->s.p[r->i] == ';') {
			r->i++;
			continue;
		}
		name = until(r, "=;(");
		skip_blank(r);
		if (r->i >= r->s.n || r->s.p[r->i] != '=') {
			if (name.n > 0)
				*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
			(void)until(r, ";");
			continue;
		}
		r->i++;
		skip_blank(r);
		read_name(&p, name);
		if (r->i < r->s.n && r->s.p[r->i] == '"') {
			quoted(r, &p);
			after_quoted(r, &p);
		} else
			unquoted(r, &p);
		keep_param(r, &p);
	}
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

/* ---- What a parameter may be ---- */

enum pick { PICK_FIRST, PICK_LAST };	/* of sections that are given twice */

/* Where one of its texts goes. */
typedef void take_text(struct field_reader *r, struct mime_head *h, struct str text);

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

/* All that the parameter may be, what most programs take first. */
static void
each_text(struct field_reader *r, const char *name, take_text *take, struct mime_head *h)
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
				take(r, h, p->other);
				continue;
			}
			add_piece(&octets, p, &charset);
			take(r, h, decoded(r, &octets, charset));
		}
}

/* Its end tells what it is. */
static struct str
cut_name(struct field_reader *r, struct str name, size_t most)
{
	if (name.n <= most)
		return name;
	*r->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	name.p += name.n - most;
	name.n = most;
	while (name.n > 0 && ((unsigned char)*name.p & 0xc0) == 0x80) {
		name.p++;
		name.n--;
	}
	return name;
}

static void
take_name(struct field_reader *r, struct mime_head *h, struct str name)
{
	const char *nul = name.n > 0 ? memchr(name.p, '\0', name.n) : NULL;
	const struct str *line;
	struct str cut;

	if (name.n == 0)
		return;
	/* At a NUL it ends, for some. */
	if (nul != NULL)
		take_name(r, h, (struct str){ name.p, (size_t)(nul - name.p) });
	/* One line without NUL, whatever %xx brought, and without the encoded words that have
	   no business there. */
	if ((line = message_decode(r->a, name)) == NULL) {
		r->failed = true;
		return;
	}
	cut = cut_name(r, *line, MIME_NAME);
	for (size_t i = 0; i < h->nnames; i++)
		if (str_eq(h->names[i], cut))
			return;
	if (h->nnames == MIME_NAMES)
		*r->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	else if (cut.n > 0)
		h->names[h->nnames++] = cut;
}

static void
take_boundary(struct field_reader *r, struct mime_head *h, struct str text)
{
	for (size_t i = 0; i < h->nboundaries; i++)
		if (str_eq(h->boundaries[i], text))
			return;
	if (h->nboundaries == MIME_BOUNDARIES)
		*r->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	else if (text.n > 0)
		h->boundaries[h->nboundaries++] = text;
}

static void
take_charset_name(struct field_reader *r, struct mime_head *h, struct str text)
{
	const struct str *line;

	if (h->charset.p != NULL || text.p == NULL)
		return;
	if ((line = message_decode(r->a, text)) == NULL)
		r->failed = true;
	else
		h->charset = *line;
}

static void
begin(struct field_reader *r, struct str raw)
{
	r->s = raw;
	r->i = r->n = 0;
}

/*
 * What stands before the parameters, in lower case.  In `text/html charset=x`,
 * which has no semicolon, that is what stands before the word at the "=".
 */
static struct str
token(struct field_reader *r)
{
	struct str t, low;
	const char *equals;
	size_t from;

	skip_blank(r);
	from = r->i;
	t = until(r, ";(");
	equals = t.n > 0 ? memchr(t.p, '=', t.n) : NULL;
	if (equals != NULL) {
		size_t word = (size_t)(equals - t.p);

		while (word > 0 && is_blank(t.p[word - 1]))
			word--;
		while (word > 0 && !is_blank(t.p[word - 1]) && t.p[word - 1] != '/')
			word--;
		/* text/html=x names no parameter. */
		if (word > 0 && t.p[word - 1] == '/')
			word = (size_t)(equals - t.p);
		t.n = word;
		r->i = from + word;
		*r->defects |= DEFECT_BIT(DEFECT_PARAMETER);
	}
	t = str_trim(t);
	if (t.n > 2 * TOKEN + 1)
		t.n = 2 * TOKEN + 1;
	low = str_lower(r->a, t);
	r->failed |= low.p == NULL;
	return low;
}

/* Copies octets of a token (RFC 2045, 5.1) to p + n; returns the end. */
static size_t
copy_token(char *p, size_t n, struct str t, size_t *i)
{
	while (*i < t.n && t.p[*i] > ' ' && t.p[*i] < 0x7f && strchr("()<>@,;:\\\"/[]?=", t.p[*i]) == NULL)
		p[n++] = t.p[(*i)++];
	return n;
}

static void
skip_blanks(struct str t, size_t *i)
{
	while (*i < t.n && is_blank(t.p[*i]))
		++*i;
}

/*
 * "text / html" is what programs take for text/html, and so is text/html in
 * quotes, or with more behind it; p NULL for no type at all.
 */
static struct str
type_of_token(struct field_reader *r, struct str t)
{
	char *p = (char *)(uintptr_t)t.p;	/* it is str_lower()'s copy */
	size_t i = t.n > 0 && *p == '"' ? 1 : 0, n, slash;
	bool odd = i > 0;

	n = copy_token(p, 0, t, &i);
	skip_blanks(t, &i);
	if (n == 0 || i >= t.n || t.p[i] != '/')
		return STR_NONE;
	i++;
	slash = n;
	p[n++] = '/';
	skip_blanks(t, &i);
	n = copy_token(p, n, t, &i);
	if (odd || i < t.n)
		*r->defects |= DEFECT_BIT(DEFECT_CONTENT_TYPE);
	return n > slash + 1 ? (struct str){ p, n } : STR_NONE;
}

/* Of several the first counts; but parts are looked for if any has a boundary. */
static void
read_type(struct field_reader *r, struct str raw, struct mime_head *h)
{
	struct str type;

	begin(r, raw);
	type = type_of_token(r, token(r));
	if (type.p == NULL) {
		*r->defects |= DEFECT_BIT(DEFECT_CONTENT_TYPE);
		type = STR("text/plain");	/* RFC 2045, 5.2 */
	}
	read_params(r);
	each_text(r, "boundary", take_boundary, h);
	each_text(r, "charset", take_charset_name, h);
	each_text(r, "name", take_name, h);
	if (h->type.p == NULL || (h->nboundaries > 0 && str_istarts(type, STR("multipart/")) &&
	    !str_istarts(h->type, STR("multipart/"))))
		h->type = type;
}

static void
read_disposition(struct field_reader *r, struct str raw, bool first, struct mime_head *h)
{
	struct str t;

	begin(r, raw);
	t = token(r);
	if (first)
		h->attached = str_eq(t, STR("attachment"));
	read_params(r);
	each_text(r, "filename", take_name, h);
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

/* No more octets of names than the header has, since one may be read in several ways. */
static void
limit_names(struct field_reader *r, const struct mime_raw *v, size_t n, struct mime_head *h)
{
	size_t room = 128, kept = 0;

	for (size_t i = 0; i < n; i++)
		room += v[i].value.n;
	for (size_t i = 0; i < h->nnames; i++) {
		struct str name = cut_name(r, h->names[i], room);

		room -= name.n;
		if (name.n > 0)
			h->names[kept++] = name;
	}
	h->nnames = kept;
}

bool
mime_head_read(struct arena *a, const struct mime_raw *v, size_t n, struct str default_type,
    struct mime_head *h, uint32_t *defects)
{
	struct field_reader r = { .a = a, .defects = defects };
	bool first = true;

	memset(h, 0, sizeof(*h));
	h->encoding = ENC_IDENTITY;
	/* The disposition's name comes first: so most programs have it. */
	for (size_t i = 0; i < n; i++)
		if (v[i].which == MH_DISPOSITION) {
			read_disposition(&r, v[i].value, first, h);
			first = false;
		}
	first = true;
	for (size_t i = 0; i < n; i++)
		if (v[i].which == MH_TYPE)
			read_type(&r, v[i].value, h);
		else if (v[i].which == MH_ENCODING && first) {
			read_encoding(&r, v[i].value, h);
			first = false;
		}
	if (h->type.p == NULL)
		h->type = default_type;
	limit_names(&r, v, n, h);
	return !r.failed;
}
