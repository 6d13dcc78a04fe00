/* test_str.c - slices, the builder of strings, JSON and UTF-8. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/str.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static void
test_compare(void **state)
{
	static const struct {
		struct str a, b;
		bool eq, ieq;
		int cmp;
	} cases[] = {
		{ STR(""), STR(""), true, true, 0 },
		{ STR(""), { NULL, 0 }, true, true, 0 },
		{ STR("abc"), STR("abc"), true, true, 0 },
		{ STR("aBc"), STR("AbC"), false, true, 1 },
		{ STR("abc"), STR("abcd"), false, false, -1 },
		{ STR("b"), STR("abcd"), false, false, 1 },
		{ STR("a\0b"), STR("a\0c"), false, false, -1 },
		{ STR("a\0B"), STR("a\0b"), false, true, -1 },
		/* Only ASCII letters fold: @ and ` differ by the same bit. */
		{ STR("@["), STR("`{"), false, false, -1 },
		{ STR("\xc3\x84"), STR("\xc3\xa4"), false, false, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int c = str_cmp(cases[i].a, cases[i].b);

		assert_int_equal(str_eq(cases[i].a, cases[i].b), cases[i].eq);
		assert_int_equal(str_ieq(cases[i].a, cases[i].b),
		    cases[i].ieq);
		assert_int_equal((c > 0) - (c < 0), cases[i].cmp);
		if (cases[i].ieq)
			assert_true(str_ihash(cases[i].a) ==
			    str_ihash(cases[i].b));
		if (cases[i].eq)
			assert_true(str_hash(cases[i].a) ==
			    str_hash(cases[i].b));
	}
	assert_true(str_hash(STR("abc")) != str_hash(STR("abd")));
	assert_true(str_hash(STR("")) == 14695981039346656037ULL);
	assert_true(str_hash(STR("a")) == 0xaf63dc4c8601ec8cULL);
}

static void
test_find(void **state)
{
	static const struct {
		struct str s, needle;
		ptrdiff_t at, iat;
	} cases[] = {
		{ STR(""), STR(""), 0, 0 },
		{ STR("abc"), STR(""), 0, 0 },
		{ STR(""), STR("a"), -1, -1 },
		{ STR("abcabc"), STR("c"), 2, 2 },
		{ STR("aaab"), STR("aab"), 1, 1 },
		{ STR("xAaB"), STR("aab"), -1, 1 },
		{ STR("a\0b"), STR("\0b"), 1, 1 },
		{ STR("abc"), STR("abcd"), -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(str_find(cases[i].s, cases[i].needle),
		    cases[i].at);
		assert_int_equal(str_ifind(cases[i].s, cases[i].needle),
		    cases[i].iat);
	}
	assert_true(str_istarts(STR("Subject: x"), STR("subject:")));
	assert_false(str_istarts(STR("Sub"), STR("subject")));
	assert_true(str_iends(STR("mail.Example"), STR(".eXample")));
	assert_false(str_iends(STR("e"), STR(".example")));
	assert_true(str_iends(STR("x"), STR("")));
}

/* Long subjects are searched by another way: both must agree. */
static void
test_find_in_long_subjects(void **state)
{
	char text[1000];
	struct str s = { text, sizeof(text) };
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = "aAbB"[seed >> 16 & 3];
	}
	for (size_t at = 0; at < 990; at += 7)
		for (size_t n = 1; n <= 10; n++) {
			struct str needle = { text + at, n };
			ptrdiff_t hit = str_ifind(s, needle), i;

			for (i = 0; !str_ieq((struct str){ text + i, n },
			    needle); i++)
				;
			assert_int_equal(hit, i);
		}
	assert_int_equal(str_ifind(s, STR("abc")), -1);
}

static void
test_trim(void **state)
{
	(void)state;
	assert_true(str_eq(str_trim(STR(" \t\r\n a b \r\n")), STR("a b")));
	assert_int_equal(str_trim(STR(" \t ")).n, 0);
	assert_int_equal(str_trim(STR_NONE).n, 0);
	assert_true(str_eq(str_trim(STR("a\v")), STR("a\v")));
}

static void
test_copies(void **state)
{
	struct arena *a = arena_new(0);
	struct str s;
	char *c;

	(void)state;
	s = str_dup(a, STR("a\0b"));
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	s = str_dup(a, STR_NONE);
	assert_non_null(s.p);
	assert_int_equal(s.p[0], '\0');
	s = str_lower(a, STR("MiX\xc3\x84"));
	assert_true(str_eq(s, STR("mix\xc3\x84")));
	assert_null(str_cstr(a, STR("a\0b")));
	c = str_cstr(a, (struct str){ "abc", 2 });
	assert_string_equal(c, "ab");
	s = str_printf(a, "%s-%d-" STR_FMT, "x", 42, STR_ARG(STR("yz")));
	assert_true(str_eq(s, STR("x-42-yz")));
	assert_int_equal(s.p[s.n], '\0');
	for (int n = 254; n < 259; n++) {
		s = str_printf(a, "%*d", n, 7);
		assert_int_equal(s.n, n);
		assert_int_equal(s.p[n - 1], '7');
		assert_int_equal(s.p[n], '\0');
	}
	arena_free(a);
}

static void
test_builder(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_add(&b, NULL, 0);
	assert_non_null(b.p);
	assert_int_equal(b.p[0], '\0');
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "%d,", i);
	assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(b.p[b.n], '\0');
	assert_int_equal(strlen(b.p), b.n);
	strbuf_str(&b, STR("\0"));
	strbuf_putc(&b, 'x');
	strbuf_puts(&b, "yz");
	assert_memory_equal(b.p + b.n - 4, "\0xyz", 5);
	assert_false(b.failed);
	strbuf_add(&b, "x", SIZE_MAX - 1);
	assert_true(b.failed);
	strbuf_puts(&b, "more");
	assert_memory_equal(b.p + b.n - 4, "\0xyz", 5);
	strbuf_free(&b);
	assert_null(b.p);
}

/* One that begins in an array of its owner's stays there while it fits. */
static void
test_builder_in_array(void **state)
{
	char room[8];
	struct strbuf b = STRBUF_IN(room);

	(void)state;
	strbuf_free(&b);
	b = (struct strbuf)STRBUF_IN(room);
	strbuf_puts(&b, "abc");
	strbuf_printf(&b, "%d", 4567);
	assert_ptr_equal(b.p, room);
	assert_string_equal(room, "abc4567");
	strbuf_printf(&b, "%s", "8");
	assert_ptr_not_equal(b.p, room);
	assert_string_equal(b.p, "abc45678");
	assert_int_equal(b.n, 8);
	strbuf_printf(&b, "%0200d", 1);
	assert_int_equal(b.n, 208);
	assert_int_equal(strlen(b.p), b.n);
	strbuf_free(&b);
	assert_null(b.p);
	/* What has no room leaves it as it is. */
	b = (struct strbuf)STRBUF_IN(room);
	strbuf_puts(&b, "abc");
	strbuf_add(&b, "x", SIZE_MAX - 1);
	assert_true(b.failed);
	assert_string_equal(room, "abc");
	strbuf_free(&b);
}

static void
test_json(void **state)
{
	static const struct {
		struct str s;
		const char *json;
	} cases[] = {
		{ STR(""), "\"\"" },
		{ STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
		{ STR("\n\t\r\b\0\x1f\x7f"),
		    "\"\\n\\t\\r\\u0008\\u0000\\u001f\\u007f\"" },
		{ STR("\xc3\xa9\xf0\x9f\x93\xa7"),
		    "\"\xc3\xa9\xf0\x9f\x93\xa7\"" },
		{ STR("\xff" "a\xc3"), "\"\xef\xbf\xbd" "a\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct strbuf b = { 0 };

		strbuf_json(&b, cases[i].s);
		assert_string_equal(b.p, cases[i].json);
		strbuf_free(&b);
	}
}

static void
test_utf8(void **state)
{
	static const struct {
		struct str s;
		size_t len, count;
		bool valid;
	} cases[] = {
		{ STR(""), 0, 0, true },
		{ STR("a"), 1, 1, true },
		{ STR("\0"), 1, 1, true },
		{ STR("\xc2\x80"), 2, 1, true },
		{ STR("\xe2\x82\xac" "x"), 3, 2, true },
		{ STR("\xf0\x9f\x93\xa7"), 4, 1, true },
		{ STR("\xf4\x8f\xbf\xbf"), 4, 1, true },
		{ STR("\x80"), 0, 1, false },
		{ STR("\xc0\x80"), 0, 2, false },		/* overlong */
		{ STR("\xc1\xbf"), 0, 2, false },
		{ STR("\xe0\x80\x80"), 0, 3, false },
		{ STR("\xf0\x80\x80\x80"), 0, 4, false },
		{ STR("\xed\xa0\x80"), 0, 3, false },		/* surrogate */
		{ STR("\xf4\x90\x80\x80"), 0, 4, false },	/* above U+10FFFF */
		{ STR("\xf5\x80\x80\x80"), 0, 4, false },
		{ STR("\xe2\x82"), 0, 2, false },		/* cut off */
		{ STR("\xe2" "a"), 0, 2, false },
		{ STR("a\xff" "b"), 1, 3, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(utf8_len(cases[i].s), cases[i].len);
		assert_int_equal(utf8_count(cases[i].s), cases[i].count);
		assert_int_equal(utf8_valid(cases[i].s), cases[i].valid);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_in_long_subjects),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_builder_in_array),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
