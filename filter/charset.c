/*
 * charset.c - character sets that mail names, to UTF-8.
 *
 * Names are those of a table: a stranger's name never reaches iconv_open(3).
 * What can't be decoded is U+FFFD, and told, so that nothing is lost without a
 * trace.  A text may come in pieces that cut a character.
 */
#include "charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

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
	static const char *const utf8[] = { "", "utf-8", "utf8", "us-ascii", "ascii" };

	c->unknown = c->bad = false;
	c->ncarry = 0;
	c->kind = CHARSET_UTF8;
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
		if (str_ieq(name, str_of(utf8[i])))
			return;
	c->kind = CHARSET_NONE;
	c->unknown = true;
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
		if (!str_ieq(name, str_of(charsets[i].name)))
			continue;
		if (c->cd_name != charsets[i].iconv) {
			charset_close(c);
			c->cd = iconv_open("UTF-8", charsets[i].iconv);
			if (c->cd == (void *)-1)
				return;
			c->cd_name = charsets[i].iconv;
		}
		iconv(c->cd, NULL, NULL, NULL, NULL);
		c->kind = CHARSET_ICONV;
		c->unknown = false;
		return;
	}
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
		size_t n = (unsigned char)*rest.p < 0x80 ? 1 : utf8_len(rest);

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

void
charset_feed(struct charset *c, struct str s, charset_put *put, void *arg)
{
	/* A character that was cut goes on octet by octet until it is whole. */
	while (c->ncarry > 0 && s.n > 0) {
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

void
charset_end(struct charset *c, charset_put *put, void *arg)
{
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
