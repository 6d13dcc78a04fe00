/*
 * literal_item.c - single items of a regular expression: characters, escapes,
 * classes.
 *
 * An item is known exactly only as characters that a match has as the octets
 * that they are written with, or, where only letters and digits are looked at, as
 * characters that aren't such.  literal_of.c makes words of them.
 */
#include "literal_int.h"

#define CLASS_CHARS	12
#define OTHERS_MAX	8
#define UNKNOWN		UINT32_MAX	/* a character, but which? */

#define LONG_S		0x17f		/* s and k, where case is ignored */
#define KELVIN		0x212a

/*
 * A character as the subject must have it, into out, of 4 octets: their
 * number, or -1 if it may look otherwise, or is a NUL, which also stands for what is
 * no UTF-8 (regex.c).
 */
static int
spell(const struct reader *r, uint32_t c, char *out)
{
	/* Those two are replaced by letters in subjects. */
	if (c > 0x10ffff || c == LONG_S || c == KELVIN)
		return -1;
	if (r->squeezed && (c >= 0x80 || !char_is_alnum((int)c)))
		return 0;
	if (c > 0 && c < 0x80) {
		out[0] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		return 1;
	}
	/* In either case other letters are other octets. */
	if (!r->text || r->icase || c == 0 || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	return (int)utf8_encode(c, out);
}

/* One character more that the piece may be; false, and it may be anything, if that has no end. */
static bool
add_char(const struct reader *r, struct piece *p, uint32_t c)
{
	char octets[4];
	int n = spell(r, c, octets);

	if (n >= 0 && words_add(&p->exact, (struct str){ octets, (size_t)n }))
		return true;
	p->exact.n = 0;
	return false;
}

/* ---- Characters and escapes ---- */

/* The character as it stands. */
static uint32_t
read_plain(struct reader *r)
{
	struct str rest = { r->s.p + r->i, r->s.n - r->i };
	unsigned char c = (unsigned char)rest.p[0];
	size_t n = r->text ? utf8_len(rest) : 1;

	if (n == 0 || (r->extended && (c >= 0x80 || c == '\v'))) {
		reader_doubt(r);	/* some versions skip such a one */
		return 0;
	}
	r->i += n;
	return n == 1 ? c : utf8_decode(rest, &n);
}

/* \xhh, \x{h...}: the x is read. */
static uint32_t
read_hex(struct reader *r)
{
	bool braces = reader_skip(r, "{");
	uint32_t u = 0;
	int n;

	for (n = 0; n < (braces ? 6 : 2) && str_hex((char)reader_peek(r, 0)) >= 0; n++)
		u = u << 4 | (uint32_t)str_hex(r->s.p[r->i++]);
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

/* \1, \042: the first digit is in *u. */
static void
read_digits(struct reader *r, uint32_t *u)
{
	bool octal = *u == '0';

	*u = 0;
	for (int n = 0; octal && n < 2 && reader_peek(r, 0) >= '0' && reader_peek(r, 0) <= '7'; n++)
		*u = *u << 3 | (uint32_t)(r->s.p[r->i++] - '0');
	if (octal)
		return;
	/* A group's text or an octal number: it may go on or not. */
	r->whole = true;
	while (char_is_digit(reader_peek(r, 0)))
		r->i++;
	*u = UNKNOWN;
}

/*
 * What stands behind a backslash.  Returns true and *u for one that is a
 * character (UNKNOWN: which isn't known); false, with the letter in
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
	if (!char_is_alnum(c)) {
		r->i++;
		*u = read_plain(r);
		return true;
	}
	r->i += 2;
	*u = (uint32_t)c;
	if (char_is_digit(c)) {
		read_digits(r, u);
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
		*u = UNKNOWN;
		return true;
	case 'c':
		r->i++;
		*u = UNKNOWN;
		if (r->i > r->s.n)
			reader_doubt(r);
		return true;
	case 'p':
	case 'P':
		if (char_is_alnum(reader_peek(r, 0)))
			r->i++;
		else
			skip_argument(r);
		return false;
	case 'N':
		if (reader_at(r, "{")) {
			skip_argument(r);	/* a character, or that often */
			*u = 'X';
		}
		return false;
	case 'k':
		r->whole = true;
		skip_argument(r);
		return false;
	case 'g':
		r->whole = true;
		if (reader_peek(r, 0) == '-' || reader_peek(r, 0) == '+' || char_is_digit(reader_peek(r, 0)))
			do
				r->i++;
			while (char_is_digit(reader_peek(r, 0)));
		else
			skip_argument(r);
		return false;
	case 'G':
		r->whole = true;
		return false;
	default:
		if (strchr("dDsSwWhHvVRXCbBAZzKQE", c) == NULL)
			reader_doubt(r);
		return false;
	}
}

/* ---- Sets of characters ---- */

/* What one character may be. */
struct class {
	bool		ascii[0x80];
	uint32_t	other[OTHERS_MAX];	/* beyond ASCII, */
	unsigned	nothers;
	bool		others;			/* or not known which of them */
	bool		any;			/* nothing is known */
	bool		s, k;			/* U+017F, U+212A are surely in it */
	bool		or_s, or_k;		/* and may be in what is not in it */
};

static bool
is_blank(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_word(int c)
{
	return char_is_alnum(c) || c == '_';
}

/* From one character to another. */
static void
class_range(const struct reader *r, struct class *k, uint32_t from, uint32_t to)
{
	if (to == UNKNOWN || from > to) {
		k->any = true;
		return;
	}
	for (; from <= to && from < 0x80; from++)
		k->ascii[from] = true;
	if (from > to)
		return;
	/* These two are s and k to PCRE2 where case is ignored. */
	k->any |= (from <= LONG_S && to >= LONG_S) || (from <= KELVIN && to >= KELVIN);
	if (from == to && k->nothers < OTHERS_MAX && !r->icase)
		k->other[k->nothers++] = from;
	else
		k->others = true;
}

/* \s and the like; false for a letter that is no set. */
static bool
class_escape(struct class *k, uint32_t letter)
{
	bool inverse = false;

	switch (letter) {
	case 'S':
	case 'D':
	case 'W':
	case 'H':
	case 'V':
	case 'N':
		inverse = true;
		break;
	case 's':
	case 'd':
	case 'w':
	case 'h':
	case 'v':
	case 'R':
		break;
	default:
		return false;
	}
	for (int c = 0; c < 0x80; c++) {
		bool in;

		switch (letter | 0x20) {
		case 's':
			in = is_blank(c);
			break;
		case 'd':
			in = char_is_digit(c);
			break;
		case 'w':
			in = is_word(c);
			break;
		case 'h':
			in = c == ' ' || c == '\t';
			break;
		case 'n':
			in = c == '\n';
			break;
		default:	/* v, r */
			in = c >= '\n' && c <= '\r';
			break;
		}
		k->ascii[c] |= in != inverse;
	}
	k->others = true;
	/* Those two are letters. */
	k->s |= strchr("wSDHVN", (int)letter) != NULL;
	k->k = k->s;
	return true;
}

/*
 * The octets that it is written with.  What is no UTF-8 may be a NUL to PCRE2
 * (regex.c), and s and k two other characters.
 */
static void
class_run(const struct reader *r, const struct class *k, struct run *run)
{
	*run = (struct run){ .high = k->others || k->nothers > 0 || k->ascii[0], .n = 1 };
	for (unsigned c = 0; c < 0x80; c++) {
		if (!k->ascii[c])
			continue;
		run_add(run, c);
		if (!r->icase || (c | 0x20) < 'a' || (c | 0x20) > 'z')
			continue;
		run_add(run, c ^ 0x20);
		run->high |= (c | 0x20) == 's' || (c | 0x20) == 'k';
	}
}

/* A word for each; where that isn't known, or too many, the piece may be anything. */
static void
class_piece(const struct reader *r, const struct class *k, struct piece *p)
{
	unsigned n = 0;

	piece_any(p);
	if (k->any)
		return;
	class_run(r, k, &p->run);
	if (k->others && !r->squeezed)
		return;
	for (uint32_t c = 0; c < 0x80; c++)
		n += k->ascii[c] && (!r->squeezed || char_is_alnum((int)c));
	if (n > CLASS_CHARS)
		return;
	for (uint32_t c = 0; c < 0x80; c++)
		if (k->ascii[c] && !add_char(r, p, c))
			return;
	for (unsigned i = 0; i < k->nothers; i++)
		if (!add_char(r, p, k->other[i]))
			return;
	if (k->others && (!words_add(&p->exact, STR("")) ||
	    (k->or_s && !words_add(&p->exact, STR("s"))) ||
	    (k->or_k && !words_add(&p->exact, STR("k")))))
		p->exact.n = 0;
}

static void
char_piece(const struct reader *r, uint32_t c, struct piece *p)
{
	struct class k = { .any = c == UNKNOWN };

	if (c != UNKNOWN)
		class_range(r, &k, c, c);
	class_piece(r, &k, p);
}

void
literal_char(struct reader *r, struct piece *p)
{
	char_piece(r, read_plain(r), p);
}

void
literal_escape(struct reader *r, struct piece *p)
{
	struct class k = { .any = false };
	uint32_t u = 0;

	piece_any(p);
	if (read_escape(r, &u))
		char_piece(r, u, p);
	else if (u == 'Q' || u == 'E')
		reader_doubt(r);
	else if (strchr("bBAZzGK", (int)u) != NULL)
		piece_empty(p);
	else if (class_escape(&k, u))
		class_piece(r, &k, p);
}

/* [:alpha:] */
static void
read_posix(struct reader *r, struct class *k)
{
	size_t n = 2;

	n += reader_peek(r, n) == '^';
	while (char_is_alnum(reader_peek(r, n)))
		n++;
	if (reader_peek(r, 1) != ':' || reader_peek(r, n) != ':' || reader_peek(r, n + 1) != ']') {
		reader_doubt(r);
		return;
	}
	r->i += n + 2;
	k->any = true;
}

/* A character of a class, or a set in it: then UNKNOWN. */
static uint32_t
read_member(struct reader *r, struct class *k)
{
	int next = reader_peek(r, 1);
	uint32_t u = 0;

	if (reader_peek(r, 0) == '[' && (next == ':' || next == '.' || next == '=')) {
		read_posix(r, k);
		return UNKNOWN;
	}
	if (reader_peek(r, 0) != '\\')
		return read_plain(r);
	if (next == 'c')
		reader_doubt(r);
	else if (next == 'b') {
		r->i += 2;
		return '\b';
	} else if (next >= '0' && next <= '7') {
		r->i++;
		for (int n = 0; n < 3 && reader_peek(r, 0) >= '0' && reader_peek(r, 0) <= '7'; n++)
			u = u << 3 | (uint32_t)(r->s.p[r->i++] - '0');
		return u;
	} else if (read_escape(r, &u)) {
		k->any |= u == UNKNOWN;
		return u;
	} else if (u == 'Q' || u == 'E')
		reader_doubt(r);
	else if (!class_escape(k, u))
		k->any = true;
	return UNKNOWN;
}

static void
read_class_item(struct reader *r, struct class *k)
{
	uint32_t from = read_member(r, k), to = from;

	if (r->stop)
		return;
	if (reader_peek(r, 0) == '-' && reader_peek(r, 1) >= 0 && reader_peek(r, 1) != ']') {
		/* A range; or a hyphen behind a set, which is left for the next. */
		if (from == UNKNOWN || from == '-') {
			k->any = true;
			return;
		}
		r->i++;
		to = read_member(r, k);
	}
	if (!r->stop && from != UNKNOWN)
		class_range(r, k, from, to);
}

/* All but what is in it; case ignored, that is in it in both. */
static void
class_invert(const struct reader *r, struct class *k)
{
	for (int c = 'a'; r->icase && c <= 'z'; c++)
		k->ascii[c] = k->ascii[c ^ 0x20] = k->ascii[c] || k->ascii[c ^ 0x20];
	k->or_s = r->text && !k->s && !(r->icase && k->ascii['s']);
	k->or_k = r->text && !k->k && !(r->icase && k->ascii['k']);
	for (int c = 0; c < 0x80; c++)
		k->ascii[c] = !k->ascii[c];
	k->others = true;
}

void
literal_class(struct reader *r, struct piece *p)
{
	struct class k = { .any = false };
	bool extended = r->extended, inverse;

	r->i++;
	r->extended = false;	/* blanks stand for themselves in a class */
	inverse = reader_skip(r, "^");
	if (reader_at(r, "]"))
		read_class_item(r, &k);
	while (!r->stop && reader_peek(r, 0) >= 0 && reader_peek(r, 0) != ']')
		read_class_item(r, &k);
	r->extended = extended;
	if (!reader_skip(r, "]"))
		reader_doubt(r);
	if (inverse)
		class_invert(r, &k);
	class_piece(r, &k, p);
}
