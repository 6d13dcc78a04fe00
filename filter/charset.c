/*
 * charset.c - character sets that mail names, to UTF-8.
 *
 * Names are those of a table (charset_labels.c): a stranger's name never reaches
 * iconv_open(3).
 * What can't be decoded is U+FFFD, and told, so that nothing is lost without a
 * trace.  A text may come in pieces that cut a character.
 */
#include "charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

static void
put_replacement(struct charset *c, charset_put *put, void *arg)
{
	c->bad = true;
	put(arg, replacement, 3);
}

void
charset_begin(struct charset *c, struct str name)
{
	const char *iconv_name = charset_iconv(name);

	c->unknown = c->bad = false;
	c->ncarry = 0;
	c->kind = CHARSET_UTF8;
	c->jis = iconv_name != NULL && strcmp(iconv_name, CHARSET_JIS) == 0;
	memset(&c->jis_state, 0, sizeof(c->jis_state));
	/* Past an octet that is wrong, iconv's state depends on what it was given at once. */
	c->shifts = !c->jis && iconv_name != NULL &&
	    (strncmp(iconv_name, "ISO-2022", 8) == 0 || strcmp(iconv_name, "UTF-7") == 0);
	if (iconv_name != NULL && strcmp(iconv_name, CHARSET_UTF_8) == 0)
		return;
	c->kind = CHARSET_NONE;
	c->unknown = true;
	if (iconv_name == NULL)
		return;
	if (c->jis)
		iconv_name = "CP932";
	if (c->cd_name == NULL || strcmp(c->cd_name, iconv_name) != 0) {
		charset_close(c);
		c->cd = iconv_open("UTF-8", iconv_name);
		if (c->cd == (void *)-1)
			return;
		c->cd_name = iconv_name;
	}
	iconv(c->cd, NULL, NULL, NULL, NULL);
	c->kind = CHARSET_ICONV;
	c->unknown = false;
}

void
charset_close(struct charset *c)
{
	if (c->cd_name != NULL)
		iconv_close(c->cd);
	c->cd_name = NULL;
}

/* May more octets make a character of these? */
static bool
is_cut(struct str s)
{
	unsigned char lead = (unsigned char)s.p[0];
	size_t want = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 :
	    lead >= 0xc2 ? 2 : 0;

	if (s.n >= want || lead > 0xf4)
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Passes on what is UTF-8; returns the octets of a character cut at the end. */
static size_t
put_utf8(struct charset *c, struct str s, charset_put *put, void *arg)
{
	size_t from = 0, i = 0;

	while (i < s.n) {
		struct str rest = { s.p + i, s.n - i };
		size_t n = (unsigned char)*rest.p < 0x80 ? utf8_ascii_run(rest) : utf8_len(rest);

		if (n > 0) {
			i += n;
			continue;
		}
		if (i > from)
			put(arg, s.p + from, i - from);
		if (is_cut(rest))
			return rest.n;
		put_replacement(c, put, arg);
		from = ++i;
	}
	if (i > from)
		put(arg, s.p + from, i - from);
	return 0;
}

/*
 * Each turn takes input, flushes output, or skips an octet, so the work is
 * linear even with a converter that is wrong about what it did.  Returns what
 * is left of a character cut at the end.
 */
static size_t
put_converted(struct charset *c, struct str s, charset_put *put, void *arg)
{
	char buf[4096], *out;
	char *in = (char *)(uintptr_t)s.p;
	size_t left = s.n, room, before;

	while (left > 0) {
		out = buf;
		room = sizeof(buf);
		before = left;
		if (iconv(c->cd, &in, &left, &out, &room) != (size_t)-1)
			errno = 0;
		before -= left;
		if (room < sizeof(buf)) {
			int e = errno;

			put_utf8(c, (struct str){ buf, sizeof(buf) - room }, put, arg);
			errno = e;
		}
		if ((errno == 0 || errno == E2BIG) && before > 0)
			continue;
		if (errno == EINVAL && left < CHARSET_CARRY)
			return left;
		if (left > 0) {
			put_replacement(c, put, arg);
			in++;
			left--;
		}
	}
	return 0;
}

static size_t
put_piece(struct charset *c, struct str s, charset_put *put, void *arg)
{
	if (c->kind == CHARSET_UTF8)
		return put_utf8(c, s, put, arg);
	if (c->kind == CHARSET_ICONV)
		return put_converted(c, s, put, arg);
	for (size_t i = 0, n; i < s.n; i += n) {
		for (n = 0; i + n < s.n && (unsigned char)s.p[i + n] < 0x80; n++)
			;
		if (n > 0)
			put(arg, s.p + i, n);
		else {
			put_replacement(c, put, arg);
			n = 1;
		}
	}
	return 0;
}

/* Octets of the set that iconv is open for. */
static void
feed(struct charset *c, struct str s, charset_put *put, void *arg)
{
	/* A character that was cut goes on octet by octet until it is whole. */
	while ((c->ncarry > 0 || c->shifts) && s.n > 0) {
		size_t left;

		c->carry[c->ncarry++] = *s.p++;
		s.n--;
		left = put_piece(c, (struct str){ c->carry, c->ncarry }, put, arg);
		memmove(c->carry, c->carry + c->ncarry - left, left);
		c->ncarry = left;
	}
	if (s.n == 0)
		return;
	c->ncarry = put_piece(c, s, put, arg);
	memcpy(c->carry, s.p + s.n - c->ncarry, c->ncarry);
}

/* ---- ISO-2022-JP (RFC 1468), as browsers read it: with the letters of Windows ---- */

/* The escape sequence that ends in c is at its end, or none: out gets what is shown of it. */
static size_t
end_escape(struct charset *c, char *out)
{
	static const struct { const char *seq; char set; } known[] = {
		{ "\x1b(B", 'B' }, { "\x1b(J", 'J' }, { "\x1b(I", 'I' }, { "\x1b$@", '$' }, { "\x1b$B", '$' },
	};
	size_t n = c->jis_state.nesc;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(known[i].seq, c->jis_state.esc, n) == 0) {
			if (n == 3) {
				c->jis_state.set = known[i].set;
				c->jis_state.nesc = 0;
			}
			return 0;
		}
	/* The last octet may begin the next one. */
	c->jis_state.nesc = n > 1 && c->jis_state.esc[n - 1] == '\x1b';
	n -= c->jis_state.nesc;
	memcpy(out, c->jis_state.esc, n);
	out[0] = '\xff';
	return n;
}

/* Shift_JIS of an octet, and of those held before it; '\xff' stands for what is none. */
static size_t
shift(struct charset *c, unsigned char o, char *out)
{
	unsigned char first = c->jis_state.first;
	char set = c->jis_state.set;
	size_t n = 0;

	c->jis_state.first = 0;
	if (first != 0 && o > ' ' && o < 0x7f) {
		out[0] = (char)(((first - 1) >> 1) + (first <= 0x5e ? 0x71 : 0xb1));
		out[1] = (char)(first % 2 == 1 ? o + 0x1f + (o >= 0x60) : o + 0x7e);
		return 2;
	}
	if (first != 0)
		out[n++] = '\xff';
	if (o == 0x1b || c->jis_state.nesc > 0) {
		c->jis_state.esc[c->jis_state.nesc++] = (char)o;
		return n + end_escape(c, out + n);
	}
	if (set == '$' && o > ' ' && o < 0x7f)
		c->jis_state.first = o;
	else if (o >= 0x80 || o == 0x7f)
		out[n++] = '\xff';
	else
		out[n++] = set == 'I' && o > ' ' && o < 0x60 ? (char)(o | 0x80) : (char)o;
	return n;
}

static void
feed_jis(struct charset *c, struct str s, charset_put *put, void *arg)
{
	char buf[1024];
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool yen = c->jis_state.set == 'J' && c->jis_state.nesc == 0 &&
		    (s.p[i] == '\\' || s.p[i] == '~');

		if (!yen)
			n += shift(c, (unsigned char)s.p[i], buf + n);
		if (n + 8 > sizeof(buf) || yen || i + 1 == s.n) {
			feed(c, (struct str){ buf, n }, put, arg);
			n = 0;
		}
		/* Where JIS X 0201 isn't ASCII. */
		if (yen)
			put(arg, s.p[i] == '~' ? "\xe2\x80\xbe" : "\xc2\xa5", s.p[i] == '~' ? 3 : 2);
	}
}

void
charset_feed(struct charset *c, struct str s, charset_put *put, void *arg)
{
	if (c->jis)
		feed_jis(c, s, put, arg);
	else
		feed(c, s, put, arg);
}

void
charset_end(struct charset *c, charset_put *put, void *arg)
{
	if (c->jis_state.first != 0 || c->jis_state.nesc > 0)
		put_replacement(c, put, arg);
	for (; c->ncarry > 0; c->ncarry--)
		put_replacement(c, put, arg);
	if (c->kind == CHARSET_ICONV) {
		char buf[64], *out = buf;
		size_t room = sizeof(buf);

		/* Some sets keep a character back that a mark might follow. */
		iconv(c->cd, NULL, NULL, &out, &room);
		put_utf8(c, (struct str){ buf, sizeof(buf) - room }, put, arg);
	}
}
