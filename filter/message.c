/*
 * message.c - header values to text and back (RFC 2047, 2231, 5322).
 *
 * Rules match text, so what mail brings becomes UTF-8 here, once: folds
 * undone, encoded words decoded, whatever can't be decoded U+FFFD.  A value
 * is one line: an encoded CR or LF is a blank, so that `.` in a pattern can't
 * be stopped by one, and a NUL is U+FFFD.
 *
 * Encoded words are taken wherever mail programs show them decoded: without
 * blanks around them, with blanks inside, in quoted strings.
 *
 * Why not GMime 3.2.13, tried on the same input: it writes '?' or guesses
 * Latin-1 where the language promises U+FFFD, loses a character that is cut
 * between two words, takes the octets of an unknown set away, and lets encoded
 * line ends through.  Its address parser: see message_address.c.
 *
 * Character sets are charset.c's, addresses message_address.c's, message files
 * message_file.c's.
 */
#include "message.h"

#include <string.h>

#include "charset.h"
#include "rules/arena.h"

#define CHARSET_MAX	40	/* octets of a character set's name */
#define LINE_MAX_WORD	75	/* RFC 2047, 2: octets of an encoded word */
#define ROOM		512	/* octets of most values; longer ones take memory */

/* An encoded word found: slices of the value, and where it ends. */
struct word {
	struct str	charset, text;
	char		encoding;	/* 'q' or 'b' */
	size_t		end;
};

/* A decoding under way. */
struct decoder {
	struct strbuf	out;
	struct strbuf	octets;		/* of adjacent words of one set */
	struct str	charset;	/* theirs; p NULL: none are held */
	struct charset	cs;
};

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_blank(char c)
{
	return is_wsp(c) || c == '\r' || c == '\n';
}

static struct str
slice(struct str s, size_t from, size_t to)
{
	return (struct str){ s.p + from, to - from };
}

static void
put_replacement(struct strbuf *out)
{
	strbuf_puts(out, "\xef\xbf\xbd");
}

/* Appends octets that claim to be UTF-8. */
static void
put_text(struct strbuf *out, struct str s)
{
	size_t i, n;

	for (i = 0; i < s.n; i += n) {
		for (n = 0; i + n < s.n && s.p[i + n] >= ' ' && s.p[i + n] < 0x7f; n++)
			;
		if (n == 0)
			n = utf8_len(slice(s, i, s.n));
		if (n == 0 || s.p[i] == '\0') {
			put_replacement(out);
			n = 1;
		} else if (s.p[i] == '\r' || s.p[i] == '\n')
			strbuf_putc(out, ' ');
		else
			strbuf_add(out, s.p + i, n);
	}
}

static void
put_chars(void *arg, const char *p, size_t n)
{
	put_text(arg, (struct str){ p, n });
}

/* Writes the words held. */
static void
flush(struct decoder *d)
{
	if (d->charset.p == NULL)
		return;
	charset_begin(&d->cs, d->charset);
	charset_feed(&d->cs, strbuf_slice(&d->octets), put_chars, &d->out);
	charset_end(&d->cs, put_chars, &d->out);
	d->charset = STR_NONE;
	d->octets.n = 0;
}

static void
put_q(struct strbuf *out, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '_')
			strbuf_putc(out, ' ');
		else if (s.p[i] == '=' && i + 2 < s.n && str_hex(s.p[i + 1]) >= 0 &&
		    str_hex(s.p[i + 2]) >= 0) {
			strbuf_putc(out, (char)(str_hex(s.p[i + 1]) << 4 |
			    str_hex(s.p[i + 2])));
			i += 2;
		} else if (s.p[i] != '\r' && s.p[i] != '\n')
			strbuf_putc(out, s.p[i]);
	}
}

static int
base64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void
put_b(struct strbuf *out, struct str s)
{
	unsigned acc = 0;
	int bits = 0, v;
	size_t i;

	for (i = 0; i < s.n && s.p[i] != '='; i++) {
		if ((v = base64(s.p[i])) < 0)
			continue;
		acc = acc << 6 | (unsigned)v;
		if ((bits += 6) >= 8)
			strbuf_putc(out, (char)(acc >> (bits -= 8) & 0xff));
	}
}

static bool
is_token(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\"/[]?=", c) == NULL;
}

/*
 * The encoded word that begins at s.p[at] (RFC 2047, 2; RFC 2231, 5 for the
 * language).  Its text ends at the first '?', so a failed try costs no more
 * than the way to there, and no other try goes that way again.
 */
static bool
find_word(struct str s, size_t at, struct word *w)
{
	size_t i = at + 2, from = i, to;
	const char *mark;

	if (at + 8 > s.n || s.p[at] != '=' || s.p[at + 1] != '?')
		return false;
	while (i < s.n && is_token(s.p[i]) && s.p[i] != '*')
		i++;
	to = i;
	while (i < s.n && i - from < 2 * CHARSET_MAX && is_token(s.p[i]))
		i++;
	if (to == from || to - from > CHARSET_MAX || i + 3 >= s.n ||
	    s.p[i] != '?' || s.p[i + 2] != '?')
		return false;
	w->charset = slice(s, from, to);
	w->encoding = (char)(s.p[i + 1] | 0x20);
	if (w->encoding != 'q' && w->encoding != 'b')
		return false;
	from = i + 3;
	mark = memchr(s.p + from, '?', s.n - from);
	if (mark == NULL || (to = (size_t)(mark - s.p)) + 1 >= s.n ||
	    s.p[to + 1] != '=')
		return false;
	w->text = slice(s, from, to);
	w->end = to + 2;
	return true;
}

/* Adjacent words of one set are one text: a character may be cut between them. */
static void
take_word(struct decoder *d, const struct word *w)
{
	if (d->charset.p != NULL && !str_ieq(d->charset, w->charset))
		flush(d);
	d->charset = w->charset;
	if (w->encoding == 'q')
		put_q(&d->octets, w->text);
	else
		put_b(&d->octets, w->text);
}

static void
decode(struct decoder *d, struct str s)
{
	struct word w;
	size_t i = 0, j;

	while (i < s.n) {
		if (s.p[i] == '=' && find_word(s, i, &w)) {
			take_word(d, &w);
			i = w.end;
			continue;
		}
		if (is_blank(s.p[i])) {
			for (j = i; j < s.n && is_blank(s.p[j]); j++)
				;
			/* Blanks between two words aren't text (6.2). */
			if (d->charset.p != NULL && find_word(s, j, &w)) {
				i = j;
				continue;
			}
			flush(d);
			for (; i < j; i++) {
				/* A fold's line end goes, its blank stays. */
				if (is_wsp(s.p[i]))
					strbuf_putc(&d->out, s.p[i]);
				else if (i + 1 < j ? s.p[i + 1] != '\n' &&
				    !is_wsp(s.p[i + 1]) : true)
					strbuf_putc(&d->out, ' ');
			}
			continue;
		}
		flush(d);
		for (j = i + 1; j < s.n && s.p[j] != '=' && !is_blank(s.p[j]);
		    j++)
			;
		put_text(&d->out, slice(s, i, j));
		i = j;
	}
	flush(d);
}

const struct str *
message_decode(struct arena *a, struct str raw)
{
	char room[ROOM], octets[ROOM];
	struct decoder d = { .out = STRBUF_IN(room), .octets = STRBUF_IN(octets) };
	struct str *text;

	if ((text = arena_new_object(a, struct str)) == NULL)
		return NULL;
	decode(&d, str_trim(raw));
	charset_close(&d.cs);
	*text = STR_NONE;
	if (!d.out.failed && !d.octets.failed)
		*text = str_dup(a, str_trim(strbuf_slice(&d.out)));
	strbuf_free(&d.out);
	strbuf_free(&d.octets);
	return text->p != NULL ? text : NULL;
}

/* Does the word need encoding?  What looks encoded but isn't does, too. */
static bool
needs_encoding(struct str w)
{
	size_t i;

	for (i = 0; i < w.n; i++)
		if ((unsigned char)w.p[i] >= 0x7f || (w.p[i] > 0 &&
		    w.p[i] < ' ' && !is_blank(w.p[i])) || w.p[i] == '\0')
			return true;
	return w.n > 1 && w.p[0] == '=' && w.p[1] == '?';
}

/* One run of text as encoded words, each whole in itself (RFC 2047, 5). */
static void
put_encoded(struct strbuf *out, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i, n, k, used = 0, cost;
	struct str c;

	for (i = 0; i < s.n; i += n) {
		n = utf8_len(slice(s, i, s.n));
		c = n > 0 ? slice(s, i, i + n) : STR("\xef\xbf\xbd");
		n = n > 0 ? n : 1;
		cost = c.n == 1 && strchr("=?_", c.p[0]) == NULL &&
		    c.p[0] >= ' ' && c.p[0] < 0x7f ? 1 : 3 * c.n;
		if (used == 0 || used + cost + 2 > LINE_MAX_WORD) {
			strbuf_puts(out, used == 0 ? "=?utf-8?q?" :
			    "?=\n =?utf-8?q?");
			used = strlen("=?utf-8?q?");
		}
		used += cost;
		for (k = 0; k < c.n; k++) {
			if (c.p[k] == ' ' || is_blank(c.p[k]))
				strbuf_putc(out, '_');
			else if (cost == 1)
				strbuf_putc(out, c.p[k]);
			else {
				strbuf_putc(out, '=');
				strbuf_putc(out, digits[(c.p[k] >> 4) & 15]);
				strbuf_putc(out, digits[c.p[k] & 15]);
			}
		}
	}
	strbuf_puts(out, "?=");
}

struct str
message_encode(struct arena *a, struct str utf8)
{
	char room[ROOM];
	struct strbuf out = STRBUF_IN(room);
	struct str s = utf8, result = STR_NONE;
	size_t i = 0, end, j, k;

	while (i < s.n) {
		for (j = i; j < s.n && !is_blank(s.p[j]); j++)
			;
		if (!needs_encoding(slice(s, i, j))) {
			strbuf_str(&out, slice(s, i, j));
			for (i = j; i < s.n && is_blank(s.p[i]); i++)
				strbuf_putc(&out, ' ');
			continue;
		}
		/* Blanks between encoded words are lost, so they go inside. */
		for (end = j; end < s.n; end = k) {
			for (j = end; j < s.n && is_blank(s.p[j]); j++)
				;
			for (k = j; k < s.n && !is_blank(s.p[k]); k++)
				;
			if (!needs_encoding(slice(s, j, k)))
				break;
		}
		put_encoded(&out, slice(s, i, end));
		i = end;
	}
	if (!out.failed)
		result = str_dup(a, strbuf_slice(&out));
	strbuf_free(&out);
	return result;
}
