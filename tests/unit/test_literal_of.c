/*
 * test_literal_of.c - the literals of patterns: which they are, and that no
 * subject matches without one.
 *
 * The random part makes LITERAL_CASES patterns (default 30,000) from LITERAL_SEED.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/literal_of.h"
#include "rules/regex.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new(0)) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* Blanks between the words; b among the flags: for bytes. */
static const struct {
	const char *pattern, *flags, *words;
} cases[] = {
	{ "viagra", "", "viagra" },
	{ "ViAgRa", "i", "viagra" },
	{ "\\bv[i1]agra\\b", "i", "viagra,v1agra" },
	{ "flavou?r", "", "flavour,flavor" },
	{ "short.*muchlonger", "", "muchlonger" },
	{ "(?:cheap|buy) pills", "", "cheap pills,buy pills" },
	{ "viagra|cialis", "", "viagra,cialis" },
	{ "viagra|", "", "" },
	{ "viagra|.", "", "" },
	{ "(viagra)?", "", "" },
	{ "(viagra)*x", "", "" },
	{ "(viagra){0}zz", "", "zz" },
	{ "(viagra){0,2}zz", "", "zz" },
	{ "(viagra)+", "", "viagra" },
	{ "xy+z", "", "xy,yz" },		/* replaced below: either is enough, one is chosen */
	{ "q{3}", "", "qqq" },
	{ "jq{2,}", "", "jqq" },
	{ "\\Qa.b\\E+\\d", "", "a.b" },
	{ "\\Qzz\\E", "", "zz" },
	{ "z\\Ez", "", "" },
	{ "zz\\Q", "", "" },
	{ "zz\\Q\\E", "", "" },
	{ "foo bar", "x", "foobar" },
	{ "foo\\ bar # baz", "x", "foo bar" },
	{ "foo# baz\nbar", "x", "foobar" },
	{ "(?x) foo bar ", "", "foobar" },
	{ "(?x: foo ) bar", "", "foo bar" },
	{ "(?#viagra)cialis", "", "cialis" },
	{ "cialis(?#s)?", "", "ciali" },
	{ "(?=viagra)", "", "viagra" },
	{ "(?<=viagra)x", "", "viagra" },
	{ "(?!viagra)", "", "" },
	{ "(?<!viagra)", "", "" },
	{ "(?!viagra)cialis", "", "cialis" },
	{ "(?>viagra)", "", "viagra" },
	{ "(?<n>viagra)\\k<n>", "", "viagra" },
	{ "(?P<n>viagra)(?P=n)", "", "viagra" },
	{ "(?'n'viagra)\\k'n'", "", "viagra" },
	{ "(?|viagra|cialis)\\1", "", "viagra,cialis" },
	{ "(viagra)?(?(1)cialis)", "", "" },
	{ "(?(DEFINE)(?<n>viagra))zz(?&n)", "", "" },
	{ "zz(?R)?", "", "zz" },
	{ "zz(?:(?1)|viagra)(cialis)", "", "cialis" },
	{ "(*ACCEPT)viagra", "", "" },
	{ "viagra(*ACCEPT)", "", "" },
	{ "(*pla:viagra)", "", "" },
	{ "a(?i)viagra", "", "aviagra" },
	{ "(?^i:viagra)", "", "viagra" },
	{ "via\\x67ra\\x{21}", "", "viagra!" },
	{ "viagra\\K", "", "viagra" },
	{ "viagra\\.com\\/", "", "viagra.com/" },
	{ "v\\dagra", "", "agra" },
	{ "via\\1gra()", "", "via" },
	{ "via\\12gra\\n", "", "gra\n" },
	{ "zz\\x00qq\\N{U+41}", "", "zz,qq" },
	{ "zz\\o{101}j", "", "zz" },
	{ "zz\\cAj", "", "zz" },
	{ "zz\\p{L}\\PLj", "", "zz" },
	{ "x{,3}qq", "", "" },			/* another thing from PCRE2 10.43 on */
	{ "x{qq}", "", "x{qq}" },
	{ "zz{1}", "", "zz" },
	{ "[[]zz", "", "[zz" },
	{ "[]]zz", "", "]zz" },
	{ "[^a]zz", "", "zz" },
	{ "[]-a]zz", "", "zz" },
	{ "[\\[-a]zz", "", "zz" },
	{ "[a\\-]zz", "", "azz,-zz" },
	{ "[-a]zz", "", "-zz,azz" },
	{ "[a-c]zz", "", "azz,bzz,czz" },
	{ "[[:alpha:]]zz", "", "zz" },
	{ "[\\x41-\\x43]zz", "", "zz" },
	{ "[\\d-x]zz", "", "zz" },
	{ "[\\Qa]\\E]zz", "", "" },
	{ "[[:<:]]viagra", "", "" },
	{ "^viagra$", "m", "viagra" },
	/* Letters that look otherwise in the other case are not known. */
	{ "\xc3\xa4rger", "", "\xc3\xa4rger" },
	{ "\xc3\xa4rger", "i", "rger" },
	{ "\xc3\xa4rger", "b", "rger" },
	{ "kiss", "i", "kiss" },
	{ "ki\xc5\xbfs", "", "ki" },
	/* What every message has tells nothing. */
	{ "http://", "", "" },
	{ "e", "", "" },
	{ "(?:https?|ftp)://", "", "" },
};

static struct literals
literals(struct str pattern, const char *flags)
{
	struct literals l;
	char plain[8], *p = plain;

	for (const char *f = flags; *f != '\0'; f++)
		if (*f != 'b')
			*p++ = *f;
	*p = '\0';
	assert_int_equal(literal_of(arena, pattern, str_of(plain),
	    strchr(flags, 'b') != NULL, &l), 0);
	return l;
}

static void
finds(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct literals l = literals(str_of(cases[i].pattern), cases[i].flags);
		struct str want = str_of(cases[i].words);
		size_t found = 0, n = 0;

		for (size_t from = 0, k = 0; k <= want.n && want.n > 0; k++) {
			if (k < want.n && want.p[k] != ',')
				continue;
			for (size_t w = 0; w < l.n; w++)
				found += str_eq(l.v[w], (struct str){ want.p + from, k - from });
			from = k + 1;
			n++;
		}
		/* Of words that follow each other one is enough. */
		if (strcmp(cases[i].words, "xy,yz") == 0 || strcmp(cases[i].words, "zz,qq") == 0)
			n = 1;
		if (found != n || l.n != n) {
			print_error("/%s/%s: not '%s' but %zu, with '" STR_FMT "'\n", cases[i].pattern,
			    cases[i].flags, cases[i].words, l.n, STR_ARG(l.n > 0 ? l.v[0] : STR("")));
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* No character but those two is an ASCII letter in the other case. */
static void
folds(void **state)
{
	static char all[4 * 0x110000];
	struct strbuf why = { 0 };
	size_t n = 0, offset;

	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		if (c < 0x800)
			all[n++] = (char)(0xc0 | c >> 6);
		else {
			if (c < 0x10000)
				all[n++] = (char)(0xe0 | c >> 12);
			else {
				all[n++] = (char)(0xf0 | c >> 18);
				all[n++] = (char)(0x80 | (c >> 12 & 0x3f));
			}
			all[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		}
		all[n++] = (char)(0x80 | (c & 0x3f));
	}
	for (char letter = 'a'; letter <= 'z'; letter++) {
		struct regex *re = regex_compile(arena, (struct str){ &letter, 1 }, STR("i"),
		    false, 100000, &offset, &why);
		struct str *v = arena_new_object(arena, struct str);
		struct literals l = { v, 1 };

		*v = (struct str){ &letter, 1 };
		assert_non_null(re);
		assert_int_equal(regex_match(re, (struct str){ all, n }, NULL) == REGEX_YES,
		    letter == 's' || letter == 'k');
		assert_int_equal(literals_in(&l, (struct str){ all, n }),
		    letter == 's' || letter == 'k');
	}
	strbuf_free(&why);
}

/* ---- Random patterns and subjects ---- */

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

#define PICK(a)	((a)[below(COUNT(a))])

static const char *const atoms[] = {
	"q", "z", "k", "s", "K", "S", "Q", "7", " ", "\\ ", "\xc5\xbf", "\xe2\x84\xaa", "\xc3\xa4", "\xc3\x84", "_",
	"qz", "zsk", "7q", "\\x71", "\\x{17f}", "\\x53", "\\bq", "\\w", "\\W", "\\d", ".", "^", "$", "\\s", "\\K",
	"[qz]", "[^q]", "[s7]", "[k-s]", "[q-]", "[]z]", "[\\]\\-z]", "[[:alpha:]k]", "[\\w-z]", "[ q]", "[\\x71z]",
	"\\Qqz\\E", "\\Qz.s\\E", "\\Q(\\E", "#q\n", "(?#z)", "\\1", "\\2", "\\g{-1}", "\\11", "\\07", "\\N", "\\R", "\\X",
	"\\Q", "\\E", "{", "{q", "}", "]", "\\{", "(?i)", "(?-i)", "(?x)", "(?i-x)", "(?^)", "(?s)", "\\t", "\\x20", "\\h",
};
static const char *const quantifiers[] = {
	"?", "*", "+", "??", "*?", "+?", "?+", "*+", "++", "{2}", "{0}", "{0,1}", "{1,}", "{1,2}", "{2}+", "{3,4}?", " ?",
};
static const char *const openings[] = {
	"(", "(?:", "(?i:", "(?-i:", "(?x:", "(?>", "(?|", "(?<n>", "(?P<m>", "(?=", "(?!", "(?<=", "(?<!", "(?^:", "(?:", "(",
};

static void
random_pattern(struct strbuf *b, int depth)
{
	for (unsigned k = 1 + below(4); k > 0; k--) {
		unsigned what = below(12);

		if (what == 0 && depth < 4) {
			strbuf_puts(b, PICK(openings));
			random_pattern(b, depth + 1);
			strbuf_putc(b, ')');
		} else if (what == 1 && depth < 4) {
			strbuf_puts(b, "(?:");
			random_pattern(b, depth + 1);
			strbuf_putc(b, '|');
			random_pattern(b, depth + 1);
			strbuf_putc(b, ')');
		} else if (what == 2 && depth < 4 && below(8) == 0) {
			strbuf_puts(b, below(2) ? "(?(1)" : "(?(?=q)");
			random_pattern(b, depth + 1);
			strbuf_puts(b, below(2) ? "|z)" : ")");
		} else
			strbuf_puts(b, PICK(atoms));
		if (below(4) == 0)
			strbuf_puts(b, PICK(quantifiers));
	}
	if (below(6) == 0)
		strbuf_putc(b, '|');
	if (below(6) == 0)
		random_pattern(b, depth + 2);
}

static void
random_subject(struct strbuf *b)
{
	static const char *const parts[] = {
		"q", "z", "k", "s", "K", "S", "Q", "Z", "7", " ", "\xc5\xbf", "\xe2\x84\xaa", "\xc3\xa4", "\xc3\x84", "_",
		"qz", "zsk", "7q", "QZ", "(", "z.s", "#q", "{", "]", "-", "\n", "\t", "\xc5", "\xff", "\xe2\x84",
	};

	b->n = 0;
	strbuf_puts(b, "");
	for (unsigned k = below(12); k > 0; k--)
		strbuf_puts(b, PICK(parts));
}

static const char *const flag_sets[] = { "", "i", "x", "ix", "s", "is", "b", "bi" };

/* 1: it matched some subject, has literals, and each such subject had one. */
static int
hold_to(struct str pattern, const char *flags, struct strbuf *subject, unsigned tries)
{
	struct strbuf why = { 0 };
	char plain[4], *p = plain;
	struct regex *re;
	size_t offset;
	int hits = 0;

	for (const char *f = flags; *f != '\0'; f++)
		if (*f != 'b')
			*p++ = *f;
	*p = '\0';
	re = regex_compile(arena, pattern, str_of(plain), flags[0] == 'b', 1000, &offset, &why);
	strbuf_free(&why);
	if (re == NULL || regex_literals(re)->n == 0)
		return 0;
	for (unsigned k = 0; k < tries; k++) {
		random_subject(subject);
		if (regex_match(re, strbuf_slice(subject), NULL) != REGEX_YES)
			continue;
		hits++;
		if (!literals_in(regex_literals(re), strbuf_slice(subject)))
			fail_msg("/" STR_FMT "/%s matches '%s' without '" STR_FMT "'...",
			    STR_ARG(pattern), flags, subject->p,
			    STR_ARG(regex_literals(re)->v[0]));
	}
	return hits > 0;
}

static void
holds_at_random(void **state)
{
	const char *env = getenv("LITERAL_CASES"), *from = getenv("LITERAL_SEED");
	long cases_wanted = env != NULL ? strtol(env, NULL, 10) : 30000, useful = 0;
	struct strbuf pattern = { 0 }, subject = { 0 };

	(void)state;
	seed = from != NULL ? strtoull(from, NULL, 10) : 5;
	for (long i = 0; i < cases_wanted; i++) {
		pattern.n = 0;
		random_pattern(&pattern, 0);
		useful += hold_to(strbuf_slice(&pattern), PICK(flag_sets), &subject, 30);
		if (i % 1000 == 0)
			arena_reset(arena);
	}
	print_message("# %ld of %ld patterns matched with literals\n", useful, cases_wanted);
	assert_true(useful > cases_wanted / 100);
	strbuf_free(&pattern);
	strbuf_free(&subject);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds, setup, teardown),
		cmocka_unit_test_setup_teardown(folds, setup, teardown),
		cmocka_unit_test_setup_teardown(holds_at_random, setup, teardown),
	};

	return cmocka_run_group_tests_name("literal_of", tests, NULL, NULL);
}
