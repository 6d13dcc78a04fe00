/*
 * message.c - header values to text and back (RFC 2047, 2231, 5322).
 *
 * Rules match text, so what mail brings becomes UTF-8 here, once: folds
 * undone, encoded words decoded, whatever can't be decoded U+FFFD.  A value
 * is one line: an encoded CR or LF is a blank, so that `.` in a pattern can't
 * be stopped by one, and a NUL is U+FFFD.
 *
 * Encoded words are taken wherever mail programs show them decoded: without
 * blanks around them, with blanks inside, in quoted strings.  Character sets
 * are those of a table: a stranger's name never reaches iconv_open(3).
 *
 * Why not GMime 3.2.13, tried on the same input: it writes '?' or guesses
 * Latin-1 where the language promises U+FFFD, loses a character that is cut
 * between two words, takes the octets of an unknown set away, and lets encoded
 * line ends through.  Its address parser: see message_address.c.
 *
 * Addresses are message_address.c's, message files message_file.c's.
 */
#include "message.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "rules/arena.h"

#define CHARSET_MAX	40	/* octets of a character set's name */
#define LINE_MAX_WORD	75	/* RFC 2047, 2: octets of an encoded word */

/*
 * Names as mail has them, and what glibc calls the set that mail programs
 * take it for (the Encoding standard's supersets: latin1 is windows-1252).
 */
static const struct {
	const char *name, *iconv;
} charsets[] = {
	{ "iso-8859-1", "CP1252" }, { "latin1", "CP1252" },
	{ "iso_8859-1", "CP1252" }, { "l1", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" }, { "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" }, { "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" }, { "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" }, { "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" }, { "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "ISO-8859-11" }, { "tis-620", "ISO-8859-11" },
	{ "iso-8859-13", "ISO-8859-13" }, { "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" }, { "latin-9", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-874", "CP874" }, { "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" }, { "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" }, { "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" }, { "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" }, { "windows-1258", "CP1258" },
	{ "cp1250", "CP1250" }, { "cp1251", "CP1251" },
	{ "cp1252", "CP1252" }, { "cp1253", "CP1253" },
	{ "cp1254", "CP1254" }, { "cp1255", "CP1255" },
	{ "cp1256", "CP1256" }, { "cp1257", "CP1257" },
	{ "cp437", "CP437" }, { "ibm437", "CP437" },
	{ "cp850", "CP850" }, { "ibm850", "CP850" },
	{ "cp852", "CP852" }, { "cp866", "CP866" }, { "ibm866", "CP866" },
	{ "koi8-r", "KOI8-R" }, { "koi8-u", "KOI8-U" },
	{ "macintosh", "MACINTOSH" },
	{ "gb2312", "GBK" }, { "gbk", "GBK" }, { "cp936", "GBK" },
	{ "gb18030", "GB18030" }, { "hz-gb-2312", "HZ" },
	{ "big5", "BIG5-HKSCS" }, { "big5-hkscs", "BIG5-HKSCS" },
	{ "shift_jis", "CP932" }, { "shift-jis", "CP932" },
	{ "sjis", "CP932" }, { "windows-31j", "CP932" }, { "cp932", "CP932" },
	{ "euc-jp", "EUC-JP" }, { "iso-2022-jp", "ISO-2022-JP" },
	{ "iso-2022-jp-2", "ISO-2022-JP-2" },
	{ "euc-kr", "CP949" }, { "ks_c_5601-1987", "CP949" },
	{ "ks_c_5601", "CP949" }, { "cp949", "CP949" },
	{ "iso-2022-kr", "ISO-2022-KR" }, { "euc-tw", "EUC-TW" },
	{ "utf-7", "UTF-7" }, { "utf-16", "UTF-16" },
	{ "utf-16be", "UTF-16BE" }, { "utf-16le", "UTF-16LE" },
	{ "utf-32", "UTF-32" }, { "utf-32be", "UTF-32BE" },
	{ "utf-32le", "UTF-32LE" },
};

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
	iconv_t		cd;		/* of the last set that needed one */
	const char	*cd_name;
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

static bool
ieq(struct str s, const char *lit)
{
	return str_ieq(s, str_of(lit));
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

static const char *
find_charset(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
		if (ieq(name, charsets[i].name))
			return charsets[i].iconv;
	return NULL;
}

/* The converter for a set of the table, kept while the set stays the same. */
static bool
open_charset(struct decoder *d, const char *name)
{
	if (d->cd_name == name)
		return true;
	if (d->cd_name != NULL)
		iconv_close(d->cd);
	d->cd_name = NULL;
	if ((d->cd = iconv_open("UTF-8", name)) == (iconv_t)-1)
		return false;
	d->cd_name = name;
	return true;
}

/*
 * Each turn takes input, flushes output, or skips an octet, so the work is
 * linear even with a converter that is wrong about what it did.
 */
static void
convert(struct decoder *d, struct str s)
{
	char buf[512], *in, *out;
	size_t left = s.n, room, before;

	iconv(d->cd, NULL, NULL, NULL, NULL);
	in = d->octets.p;
	while (left > 0) {
		out = buf;
		room = sizeof(buf);
		before = left;
		if (iconv(d->cd, &in, &left, &out, &room) != (size_t)-1)
			errno = 0;
		put_text(&d->out, (struct str){ buf, sizeof(buf) - room });
		if (errno == 0 && left < before)
			continue;
		if (errno == E2BIG && left < before)
			continue;
		if (left > 0) {
			put_replacement(&d->out);
			in++;
			left--;
		}
	}
	out = buf;
	room = sizeof(buf);
	iconv(d->cd, NULL, NULL, &out, &room);
	put_text(&d->out, (struct str){ buf, sizeof(buf) - room });
}

/* Writes the words held. */
static void
flush(struct decoder *d)
{
	struct str s = strbuf_slice(&d->octets), set = d->charset;
	const char *name;
	size_t i;

	if (set.p == NULL)
		return;
	d->charset = STR_NONE;
	if (ieq(set, "utf-8") || ieq(set, "utf8") || ieq(set, "us-ascii") ||
	    ieq(set, "ascii"))
		put_text(&d->out, s);
	else if (s.n > 0 && (name = find_charset(set)) != NULL &&
	    open_charset(d, name))
		convert(d, s);
	else {
		for (i = 0; i < s.n; i++) {
			if (s.p[i] >= ' ' && s.p[i] < 0x7f)
				strbuf_putc(&d->out, s.p[i]);
			else
				put_replacement(&d->out);
		}
	}
	d->octets.n = 0;
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
put_q(struct strbuf *out, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '_')
			strbuf_putc(out, ' ');
		else if (s.p[i] == '=' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 &&
		    hex(s.p[i + 2]) >= 0) {
			strbuf_putc(out, (char)(hex(s.p[i + 1]) << 4 |
			    hex(s.p[i + 2])));
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
	struct decoder d;
	struct str *text;

	if ((text = arena_new_object(a, struct str)) == NULL)
		return NULL;
	memset(&d, 0, sizeof(d));
	decode(&d, str_trim(raw));
	if (d.cd_name != NULL)
		iconv_close(d.cd);
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
	struct strbuf out = { 0 };
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
