/*
 * literal_item.c - single items of a regular expression: characters, escapes,
 * classes.
 *
 * An item is known exactly only as characters that a match has as the octets
 * that they are written with.  literal_of.c makes words of them.
 */
#include "literal_int.h"

#define CLASS_CHARS	12

/*
 * A character as the subject must have it; 0 octets if it may look otherwise,
 * or is a NUL, which also stands for what is no UTF-8 (regex.c).
 */
static size_t
spell(const struct reader *r, uint32_t c, char out[4])
{
	if (c == 0 || c > 0x10ffff)
		return 0;
	if (c < 0x80) {
		out[0] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		return 1;
	}
	/* In either case other letters are other octets; the two that fold to s and k are replaced in subjects. */
	if (!r->text || r->icase || c == 0x17f || c == 0x212a || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void
one_char(const struct reader *r, struct piece *p, uint32_t c)
{
	char octets[4];
	size_t n = spell(r, c, octets);

	piece_any(p);
	if (n > 0)
		words_one(&p->exact, (struct str){ octets, n });
}

/* ---- Characters and escapes ---- */

/* The character as it stands. */
static uint32_t
read_plain(struct reader *r)
{
	struct str rest = { r->s.p + r->i, r->s.n - r->i };
	unsigned char c = (unsigned char)rest.p[0];
	size_t n = r->text ? utf8_len(rest) : 1;
	uint32_t u;

	if (n == 0 || (r->extended && (c >= 0x80 || c == '\v'))) {
		reader_doubt(r);	/* some versions skip such a one */
		return 0;
	}
	r->i += n;
	if (n == 1)
		return c;
	u = c & (0x7fu >> n);
	for (size_t k = 1; k < n; k++)
		u = u << 6 | ((unsigned char)rest.p[k] & 0x3f);
	return u;
}

static int
hex(int c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xhh, \x{h...}: the x is read. */
static uint32_t
read_hex(struct reader *r)
{
	bool braces = reader_skip(r, "{");
	uint32_t u = 0;
	int n;

	for (n = 0; n < (braces ? 6 : 2) && reader_peek(r, 0) >= 0 && hex(reader_peek(r, 0)) >= 0; n++)
		u = u << 4 | (uint32_t)hex(r->s.p[r->i++]);
	if (braces && (n == 0 || !reader_skip(r, "}")))
		reader_doubt(r);
	return u;
}

/* The name or number behind \g, \k, \o, \N, \p and \P. */
static void
skip_argument(struct reader *r)
{
	if (reader_skip(r, "{"))
		reader_skip_to(r, '}');
	else if (reader_skip(r, "<"))
		reader_skip_to(r, '>');
	else if (reader_skip(r, "'"))
		reader_skip_to(r, '\'');
	else
		reader_doubt(r);
}

/*
 * What stands behind a backslash.  Returns true and *u for one that is a
 * character (of value 0: it isn't known which); false, with the letter in
 * *u, for what is another thing, and nothing of its arguments is left.
 */
static bool
read_escape(struct reader *r, uint32_t *u)
{
	int c = reader_peek(r, 1);
	static const char from[] = "aefnrt", to[] = "\a\033\f\n\r\t";
	const char *p;

	if (c < 0) {
		reader_doubt(r);
		return true;
	}
	if (!is_alnum(c)) {
		r->i++;
		*u = read_plain(r);
		return true;
	}
	r->i += 2;
	*u = (uint32_t)c;
	if (is_digit(c)) {
		/* A group's text or an octal number: it may go on or not. */
		while (is_digit(reader_peek(r, 0)))
			r->i++;
		*u = 0;
		return true;
	}
	if ((p = strchr(from, c)) != NULL) {
		*u = (unsigned char)to[p - from];
		return true;
	}
	switch (c) {
	case 'x':
		*u = read_hex(r);
		return true;
	case 'o':
		skip_argument(r);
		*u = 0;
		return true;
	case 'c':
		r->i++;
		*u = 0;
		if (r->i > r->s.n)
			reader_doubt(r);
		return true;
	case 'p':
	case 'P':
		if (is_alnum(reader_peek(r, 0)))
			r->i++;
		else
			skip_argument(r);
		return false;
	case 'N':
		if (reader_at(r, "{"))
			skip_argument(r);
		return false;
	case 'k':
		skip_argument(r);
		return false;
	case 'g':
		if (reader_peek(r, 0) == '-' || reader_peek(r, 0) == '+' || is_digit(reader_peek(r, 0)))
			do
				r->i++;
			while (is_digit(reader_peek(r, 0)));
		else
			skip_argument(r);
		return false;
	default:
		if (strchr("dDsSwWhHvVRXCbBAZzGKQE", c) == NULL)
			reader_doubt(r);
		return false;
	}
}

void
literal_char(struct reader *r, struct piece *p)
{
	one_char(r, p, read_plain(r));
}

void
literal_escape(struct reader *r, struct piece *p)
{
	uint32_t u = 0;

	if (read_escape(r, &u))
		one_char(r, p, u);
	else if (u == 'Q' || u == 'E')
		reader_doubt(r);
	else if (strchr("bBAZzGK", (int)u) != NULL)
		piece_empty(p);
	else
		piece_any(p);
}

/* ---- Classes ---- */

struct class {
	uint32_t	c[CLASS_CHARS];
	unsigned	n;
	bool		any;		/* too many, or not known which */
};

static void
class_add(struct class *k, uint32_t c)
{
	if (k->n == CLASS_CHARS || c == 0)
		k->any = true;
	else
		k->c[k->n++] = c;
}

/* a-z: only between letters and digits that are written as such. */
static bool
read_range(struct reader *r, struct class *k)
{
	int from = reader_peek(r, 0), to = reader_peek(r, 2);

	if (!is_alnum(from) || reader_peek(r, 1) != '-' || !is_alnum(to))
		return false;
	r->i += 3;
	if (to - from >= CLASS_CHARS)
		k->any = true;
	else
		for (int c = from; c <= to; c++)
			class_add(k, (uint32_t)c);
	return true;
}

static void
read_posix(struct reader *r, struct class *k)
{
	size_t n = 2;

	n += reader_peek(r, n) == '^';
	while (is_alnum(reader_peek(r, n)))
		n++;
	if (reader_peek(r, 1) != ':' || reader_peek(r, n) != ':' || reader_peek(r, n + 1) != ']') {
		reader_doubt(r);
		return;
	}
	r->i += n + 2;
	k->any = true;
}

static void
read_class_item(struct reader *r, struct class *k)
{
	uint32_t u = 0;
	int next = reader_peek(r, 1);

	if (reader_peek(r, 0) == '[' && (next == ':' || next == '.' || next == '='))
		read_posix(r, k);
	else if (reader_peek(r, 0) == '\\') {
		if (next == 'c')
			reader_doubt(r);
		else if (read_escape(r, &u))
			class_add(k, u);
		else if (u == 'Q' || u == 'E')
			reader_doubt(r);
		else
			k->any = true;
	} else if (!read_range(r, k)) {
		/* A hyphen inside makes a range of something. */
		k->any |= next == '-' && reader_peek(r, 2) != ']';
		class_add(k, read_plain(r));
	}
}

void
literal_class(struct reader *r, struct piece *p)
{
	struct class k = { .n = 0 };
	bool extended = r->extended;
	size_t first;

	r->i++;
	r->extended = false;	/* blanks stand for themselves in a class */
	k.any = reader_skip(r, "^");
	first = r->i;
	if (reader_skip(r, "]"))
		class_add(&k, ']');
	while (!r->stop && reader_peek(r, 0) >= 0 && reader_peek(r, 0) != ']') {
		/* Behind an escape or another range, too. */
		k.any |= reader_peek(r, 0) == '-' && r->i > first && reader_peek(r, 1) != ']';
		read_class_item(r, &k);
	}
	r->extended = extended;
	if (!reader_skip(r, "]"))
		reader_doubt(r);
	piece_any(p);
	for (unsigned i = 0; i < k.n && !k.any; i++) {
		char octets[4];
		size_t n = spell(r, k.c[i], octets);

		if (n == 0 || !words_add(&p->exact, (struct str){ octets, n })) {
			piece_any(p);
			break;
		}
	}
}
