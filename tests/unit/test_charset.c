/*
 * test_charset.c - character sets by the names that mail has for them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "filter/charset.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define FFFD		"\xef\xbf\xbd"

static void
put(void *arg, const char *p, size_t n)
{
	assert_true(utf8_valid((struct str){ p, n }));
	strbuf_add(arg, p, n);
}

static struct charset
convert(const char *name, const char *octets, size_t piece, struct strbuf *out)
{
	size_t n = strlen(octets);
	struct charset c = { 0 };

	out->n = 0;
	strbuf_puts(out, "");
	charset_begin(&c, str_of(name));
	for (size_t i = 0; i < n; i += piece)
		charset_feed(&c, (struct str){ octets + i, n - i < piece ? n - i : piece }, put, out);
	charset_end(&c, put, out);
	charset_close(&c);
	return c;
}

/* The labels of the Encoding standard (4.2), but for those of HZ and x-user-defined. */
static void
labels(void **state)
{
	static const char *const known[] = {
		"unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "utf-8", "utf8",
		"x-unicode20utf8", "866", "cp866", "csibm866", "ibm866", "csisolatin2",
		"iso-8859-2", "iso-ir-101", "iso8859-2", "iso88592", "iso_8859-2",
		"iso_8859-2:1987", "l2", "latin2", "csisolatin3", "iso-8859-3", "iso-ir-109",
		"iso8859-3", "iso88593", "iso_8859-3", "iso_8859-3:1988", "l3", "latin3",
		"csisolatin4", "iso-8859-4", "iso-ir-110", "iso8859-4", "iso88594", "iso_8859-4",
		"iso_8859-4:1988", "l4", "latin4", "csisolatincyrillic", "cyrillic", "iso-8859-5",
		"iso-ir-144", "iso8859-5", "iso88595", "iso_8859-5", "iso_8859-5:1988", "arabic",
		"asmo-708", "csiso88596e", "csiso88596i", "csisolatinarabic", "ecma-114",
		"iso-8859-6", "iso-8859-6-e", "iso-8859-6-i", "iso-ir-127", "iso8859-6",
		"iso88596", "iso_8859-6", "iso_8859-6:1987", "csisolatingreek", "ecma-118",
		"elot_928", "greek", "greek8", "iso-8859-7", "iso-ir-126", "iso8859-7",
		"iso88597", "iso_8859-7", "iso_8859-7:1987", "sun_eu_greek", "csiso88598e",
		"csisolatinhebrew", "hebrew", "iso-8859-8", "iso-8859-8-e", "iso-ir-138",
		"iso8859-8", "iso88598", "iso_8859-8", "iso_8859-8:1988", "visual", "csiso88598i",
		"iso-8859-8-i", "logical", "csisolatin6", "iso-8859-10", "iso-ir-157",
		"iso8859-10", "iso885910", "l6", "latin6", "iso-8859-13", "iso8859-13",
		"iso885913", "iso-8859-14", "iso8859-14", "iso885914", "csisolatin9",
		"iso-8859-15", "iso8859-15", "iso885915", "iso_8859-15", "l9", "iso-8859-16",
		"cskoi8r", "koi", "koi8", "koi8-r", "koi8_r", "koi8-ru", "koi8-u", "csmacintosh",
		"mac", "macintosh", "x-mac-roman", "dos-874", "iso-8859-11", "iso8859-11",
		"iso885911", "tis-620", "windows-874", "cp1250", "windows-1250", "x-cp1250",
		"cp1251", "windows-1251", "x-cp1251", "ansi_x3.4-1968", "ascii", "cp1252",
		"cp819", "csisolatin1", "ibm819", "iso-8859-1", "iso-ir-100", "iso8859-1",
		"iso88591", "iso_8859-1", "iso_8859-1:1987", "l1", "latin1", "us-ascii",
		"windows-1252", "x-cp1252", "cp1253", "windows-1253", "x-cp1253", "cp1254",
		"csisolatin5", "iso-8859-9", "iso-ir-148", "iso8859-9", "iso88599", "iso_8859-9",
		"iso_8859-9:1989", "l5", "latin5", "windows-1254", "x-cp1254", "cp1255",
		"windows-1255", "x-cp1255", "cp1256", "windows-1256", "x-cp1256", "cp1257",
		"windows-1257", "x-cp1257", "cp1258", "windows-1258", "x-cp1258",
		"x-mac-cyrillic", "x-mac-ukrainian", "chinese", "csgb2312", "csiso58gb231280",
		"gb2312", "gb_2312", "gb_2312-80", "gbk", "iso-ir-58", "x-gbk", "gb18030", "big5",
		"big5-hkscs", "cn-big5", "csbig5", "x-x-big5", "cseucpkdfmtjapanese", "euc-jp",
		"x-euc-jp", "csiso2022jp", "iso-2022-jp", "csshiftjis", "ms932", "ms_kanji",
		"shift-jis", "shift_jis", "sjis", "windows-31j", "x-sjis", "cseuckr",
		"csksc56011987", "euc-kr", "iso-ir-149", "korean", "ks_c_5601-1987",
		"ks_c_5601-1989", "ksc5601", "ksc_5601", "windows-949", "csiso2022kr",
		"iso-2022-cn", "iso-2022-cn-ext", "iso-2022-kr", "unicodefffe", "utf-16be",
		"csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "utf-16",
		"utf-16le",
		/* Beside them. */
		"", " UTF-8 ", "Latin-1", "CP936", "cp950", "utf-7", "unicode-1-1-utf-7", "cp65001",
		"cp437", "tis620", "viscii", "iso-2022-jp-2", "utf-32", "cp855", "euc-tw", "eucjp",
	};
	struct charset c = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		charset_begin(&c, str_of(known[i]));
		if (c.unknown)
			fail_msg("%s is not known", known[i]);
	}
	charset_begin(&c, STR("hz-gb-2312"));
	assert_true(c.unknown);
	charset_begin(&c, STR("klingon"));
	assert_true(c.unknown);
	charset_begin(&c, STR("utf-8\0x"));
	assert_true(c.unknown);
	charset_begin(&c, STR("utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8"));
	assert_true(c.unknown);
	charset_close(&c);
}

static void
texts(void **state)
{
	static const struct { const char *name, *octets, *text; bool bad; } v[] = {
		{ "iso8859-1", "\xe4\x80", "\xc3\xa4\xe2\x82\xac", false },
		{ "latin2", "\xb1", "\xc4\x85", false },
		{ "koi8_r", "\xf0", "\xd0\x9f", false },
		{ "x-gbk", "\xc4\xe3", "\xe4\xbd\xa0", false },
		{ "gb2312", "\x81\x30\x84\x36", "\xc2\xa5", false },	/* as GB 18030 */
		{ "euc-jp", "\xad\xa1\xa1\xc1", "\xe2\x91\xa0\xef\xbd\x9e", false },
		{ "sjis", "\x87\x40\x81\x60", "\xe2\x91\xa0\xef\xbd\x9e", false },
		/* A run of base64 that is cut: glibc's state hangs on what it was given at once. */
		{ "utf-7", "+bKFBrEek36pn\r", "\xe6\xb2\xa1\xe4\x86\xac\xe4\x9e\xa4" FFFD FFFD FFFD, true },
		{ "klingon", "a\xe4", "a" FFFD, true },
		{ "ascii", "a\xe4", "a" FFFD, true },
		/* RFC 1468 */
		{ "iso-2022-jp", "a\x1b$BF|K\\\x1b(Bb", "a\xe6\x97\xa5\xe6\x9c\xac" "b", false },
		{ "csISO2022JP", "\x1b$@F|\n\x1b(J", "\xe6\x97\xa5\n", false },
		{ "iso-2022-jp", "\x1b$B-!!A\x1b(B", "\xe2\x91\xa0\xef\xbd\x9e", false },
		{ "iso-2022-jp", "\x1b$Bt!!!\x1b(B", "\xe5\xa0\xaf\xe3\x80\x80", false },
		{ "iso-2022-jp", "\x1b(J\\~a\x1b(B\\~", "\xc2\xa5\xe2\x80\xbe" "a\\~", false },
		{ "iso-2022-jp", "\x1b(I16\x1b(B16", "\xef\xbd\xb1\xef\xbd\xb6" "16", false },
		{ "iso-2022-jp", "a\x1b(Zb\x1b\x1b$BF|\x1b(\x1b(Bc", "a" FFFD "(Zb" FFFD "\xe6\x97\xa5" FFFD "(c", true },
		{ "iso-2022-jp", "\x1b$BF\x1b(Ba", FFFD "a", true },
		{ "iso-2022-jp", "\x1b$BF\nF|", FFFD "\n\xe6\x97\xa5", true },
		{ "iso-2022-jp", "a\xe4\x7f", "a" FFFD FFFD, true },
		{ "iso-2022-jp", "a\x1b$", "a" FFFD, true },
		{ "iso-2022-jp", "\x1b$BF", FFFD, true },
	};
	struct strbuf out = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++)
		for (size_t piece = 1; piece < 8; piece++) {
			struct charset c = convert(v[i].name, v[i].octets, piece, &out);

			if (strcmp(out.p, v[i].text) != 0 || c.bad != v[i].bad)
				fail_msg("%zu: %s in pieces of %zu: %s%s", i, v[i].name, piece, out.p, c.bad ? " (bad)" : "");
		}
	strbuf_free(&out);
}

/* What isn't ASCII is found wherever it stands: it is looked for by several octets at once. */
static void
wherever(void **state)
{
	struct strbuf out = { 0 };
	char octets[64], text[64];

	(void)state;
	for (int n = 0; n < 24; n++)
		for (size_t piece = 1; piece < 64; piece += 31) {
			snprintf(octets, sizeof(octets), "%.*s\xc3\xa9\xff%.*s\x80", n, "abcdefghijklmnopqrstuvwxyz", n,
			    "abcdefghijklmnopqrstuvwxyz");
			snprintf(text, sizeof(text), "%.*s\xc3\xa9" FFFD "%.*s" FFFD, n, "abcdefghijklmnopqrstuvwxyz", n,
			    "abcdefghijklmnopqrstuvwxyz");
			assert_true(convert("utf-8", octets, piece, &out).bad);
			assert_int_equal(out.n, strlen(text));
			assert_memory_equal(out.p, text, out.n);
		}
	strbuf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(texts),
		cmocka_unit_test(wherever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
