/*
 * mime_field.c - Content-Type, -Transfer-Encoding and -Disposition (RFC 2045,
 * 2183, 2231), as they are and not only as they should be.
 *
 * Mail programs differ in what they make of a broken parameter or of a name
 * that is given twice, and who sends malware knows it.  So every name that some
 * program may show is kept, the one that most show first, and every boundary
 * that some program may go by.
 */
#include "mime_param.h"

#include <string.h>

#include "message.h"
#include "rules/arena.h"

#define TOKEN	127	/* RFC 6838, 4.2: octets of type and of subtype */

enum mime_header
mime_header_of(struct str name)
{
	static const char *const names[MH_COUNT] = {
		[MH_TYPE] = "Content-Type",
		[MH_ENCODING] = "Content-Transfer-Encoding",
		[MH_DISPOSITION] = "Content-Disposition",
		[MH_NAME] = "Content-Name",
	};

	for (enum mime_header h = 0; h < MH_COUNT; h++)
		if (str_ieq(name, str_of(names[h])))
			return h;
	return MH_COUNT;
}

struct str
mime_saved_name(struct str name)
{
	while (name.n > 0 && (name.p[name.n - 1] == '.' || name.p[name.n - 1] == ' '))
		name.n--;
	return name;
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
keep_name(struct field_reader *r, struct mime_head *h, struct str name)
{
	for (size_t i = 0; i < h->nnames; i++)
		if (str_eq(h->names[i], name))
			return;
	if (h->nnames == MIME_NAMES)
		*r->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	else if (name.n > 0)
		h->names[h->nnames++] = name;
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
	keep_name(r, h, cut);
	keep_name(r, h, mime_saved_name(cut));
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
take_delsp(struct field_reader *r, struct mime_head *h, struct str text)
{
	(void)r;
	h->delsp |= str_ieq(text, STR("yes"));
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

	field_skip_blank(r);
	from = r->i;
	t = field_until(r, ";(");
	equals = t.n > 0 ? memchr(t.p, '=', t.n) : NULL;
	if (equals != NULL) {
		size_t word = (size_t)(equals - t.p);

		while (word > 0 && field_is_blank(t.p[word - 1]))
			word--;
		while (word > 0 && !field_is_blank(t.p[word - 1]) && t.p[word - 1] != '/')
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
	while (*i < t.n && (unsigned char)t.p[*i] < 0x80 && field_is_token(t.p[*i]))
		p[n++] = t.p[(*i)++];
	return n;
}

static void
skip_blanks(struct str t, size_t *i)
{
	while (*i < t.n && field_is_blank(t.p[*i]))
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
	field_params(r);
	field_each(r, "boundary", take_boundary, h);
	field_each(r, "charset", take_charset_name, h);
	field_each(r, "delsp", take_delsp, h);
	field_each(r, "name", take_name, h);
	field_each(r, "filename", take_name, h);
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
	field_params(r);
	field_each(r, "filename", take_name, h);
	field_each(r, "name", take_name, h);
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
	struct field_reader r;
	bool first = true;

	memset(&r, 0, offsetof(struct field_reader, v));
	r.a = a;
	r.defects = defects;
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
	for (size_t i = 0; i < n; i++)
		if (v[i].which == MH_NAME)
			take_name(&r, h, str_trim(v[i].value));
	if (h->type.p == NULL)
		h->type = default_type;
	limit_names(&r, v, n, h);
	return !r.failed;
}
