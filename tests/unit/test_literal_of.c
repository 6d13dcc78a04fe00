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
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/literal_of.h"
#include "rules/regex.h"
#include "tests/unit/randompattern.h"

#define MESSAGES	12	/* of SUITES */

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
	{ "[]-a]zz", "", "]zz,^zz,_zz,`zz,azz" },
	{ "[\\[-_]zz", "", "[zz,\\zz,]zz,^zz,_zz" },
	{ "[a\\-]zz", "", "azz,-zz" },
	{ "[-a]zz", "", "-zz,azz" },
	{ "[a-c]zz", "", "azz,bzz,czz" },
	{ "[[:alpha:]]zz", "", "zz" },
	{ "[\\x41-\\x43]zz", "", "azz,bzz,czz" },
	{ "[\\101\\0632]zz", "", "azz,3zz,2zz" },
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

static struct needed
needs(struct str pattern, const char *flags)
{
	struct needed need;
	char plain[8], *p = plain;

	for (const char *f = flags; *f != '\0'; f++)
		if (*f != 'b')
			*p++ = *f;
	*p = '\0';
	assert_int_equal(literal_of(arena, pattern, str_of(plain),
	    strchr(flags, 'b') != NULL, &need), 0);
	return need;
}

/* The first of its sets of that kind. */
static struct literals
literals(const struct needed *need, bool letters)
{
	for (unsigned i = 0; i < need->n; i++)
		if (need->clauses[i].letters == letters)
			return need->clauses[i].words;
	return (struct literals){ NULL, 0 };
}

static void
finds(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct needed need = needs(str_of(cases[i].pattern), cases[i].flags);
		struct literals l = literals(&need, false);
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

/* What is needed of letters and digits, or of a run, and a text that has it or not. */
static const struct {
	const char *pattern, *flags, *text;
	bool in;
} others[] = {
	{ "\\bv[_\\W]{0,3}i[_\\W]*[a4@]\\W?g\\s+r\\W?a", "i", "V. i--(4) G\tr A", true },
	{ "\\bv[_\\W]{0,3}i[_\\W]*[a4]\\W?g\\s+r\\W?a", "i", "v i x a g r a", false },
	{ "b\\W*i\\W*t\\W*c\\W*o\\W*i\\W*n", "i", "a bit! COIN", true },
	{ "b\\W*i\\W*t\\W*c\\W*o\\W*i\\W*n", "i", "bit of a coin", false },
	{ "w\\W*i\\W*n+\\W*i\\W*n\\W*g", "", "w-innn ing", true },
	{ "k\\W?(?:qz)+\\W*7", "", "kqzqz7", true },
	{ "(?:dear|hi) friend", "", "dear friend", true },
	/* The two that fold to letters are those, and nothing else. */
	{ "b\\W*i\\W*t\\W*c\\W*o\\W*i\\W*n", "i", "\xc5\xbf", false },
	{ "b\\W*i\\W*t\\W*c\\W*o\\W*i\\W*n", "i", "\xc5\xbf b-i-t-c-o-i-n \xe2\x84\xaa", true },
	{ "s\\W*k\\W*i\\W*m\\W*q\\W*z", "i", "\xc5\xbf.\xe2\x84\xaa-I M Q z", true },
	{ "s\\W*k\\W*i\\W*m\\W*q\\W*z", "i", "\xe2\x84\xaa.\xc5\xbf-I M Q z", false },
	{ "v[^A-Za-z0-9]i[^A-Za-z0-9]q[^A-Za-z0-9]z", "", "v\xc5\xbfi\xe2\x84\xaaq-z", true },
	{ "v[^a-z0-9]i[^a-z0-9]q[^a-z0-9]z", "i", "v-i qu.z", false },
	{ "[A-Z]{12,}", "", "some ABCDEFGHIJKL", true },
	{ "[A-Z]{12,}", "", "some ABCDEFGHIJK LMNOPQ", false },
	{ "[A-Z]{12,}", "i", "some of abcdefghijklm", true },
	{ "\\d\\d(?:\\d){4}", "", "x12345 12345", false },
	{ "\\d\\d(?:\\d){4}", "", "x123456", true },
	{ "\\d{6}", "", "\xd9\xa3\xd9\xa3\xd9\xa3", true },	/* octets are counted */
	{ "[\\x80-\\xff].?", "", "plain text", false },
	{ "[\\x80-\\xff].?", "", "t\xc3\xa4xt", true },
	{ "(?:\\d{6}|x)", "", "none", true },
	{ "(?:\\d{6})?", "", "none", true },
	{ "(?!\\d{6})", "", "none", true },
	{ "(?=\\d{6})", "", "none", false },
	{ "\\d{6}(*ACCEPT)", "", "none", true },
};

static void
letters_and_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct needed need = needs(str_of(others[i].pattern), others[i].flags);

		if (needed_in(&need, str_of(others[i].text)) != others[i].in)
			fail_msg("/%s/%s: '%s'", others[i].pattern, others[i].flags, others[i].text);
	}
}

static struct regex *
regex_of(struct str pattern, const char *flags)
{
	struct strbuf why = { 0 };
	char plain[8], *p = plain;
	struct regex *re;
	size_t offset;

	for (const char *f = flags; *f != '\0'; f++)
		if (*f != 'b')
			*p++ = *f;
	*p = '\0';
	re = regex_compile(arena, pattern, str_of(plain), flags[0] == 'b', 1000, &offset, &why);
	strbuf_free(&why);
	return re;
}

/* Cut in two, these would be others; the last two can be cut. */
static const struct {
	const char *pattern, *text;
	bool cut;
} cuts[] = {
	{ ".{3}(e)(v)n\\1", "xyzevne", false },
	{ ".{3}(e)(v)n\\g{1}", "xyzevne", false },
	{ ".{3}(?<a>e)(v)n\\k<a>", "xyzevne", false },
	{ ".{3}(e)(v)n(?1)", "xyzevne", false },
	{ ".{3}(?i)evN", "xyzEVn", false },
	{ ".{3}e|vq.?", "xyze", false },
	{ "\\G.{3}evn", "xyzevn", false },
	{ ".{3}e(*ACCEPT)vn", "xyze", false },
	{ ".{3}(?=e)(?:e|v)n?v", "xyzev", true },
	{ "\\b[_\\W]{0,3}[a4]e(?<=e).{3}n", " ae123n", true },
};

static void
cut_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cuts); i++) {
		struct regex *re = regex_of(str_of(cuts[i].pattern), "");

		assert_non_null(re);
		if ((regex_needed(re)->ncuts > 0) != cuts[i].cut ||
		    regex_match(re, str_of(cuts[i].text), NULL) != REGEX_YES)
			fail_msg("/%s/: '%s'", cuts[i].pattern, cuts[i].text);
	}
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
		struct needed need = { { { { v, 1 }, false } }, .n = 1, .text = true };

		*v = (struct str){ &letter, 1 };
		assert_non_null(re);
		assert_int_equal(regex_match(re, (struct str){ all, n }, NULL) == REGEX_YES,
		    letter == 's' || letter == 'k');
		assert_int_equal(needed_in(&need, (struct str){ all, n }),
		    letter == 's' || letter == 'k');
	}
	strbuf_free(&why);
}

/* ---- Random patterns and subjects ---- */

static const char *const flag_sets[] = { "", "i", "x", "ix", "s", "is", "b", "bi" };

/* The same pattern, of which nothing is known. */
static struct regex *
opaque(struct str pattern, const char *flags)
{
	struct strbuf b = { 0 };
	struct regex *re;

	strbuf_puts(&b, "(?:");
	strbuf_str(&b, pattern);
	strbuf_puts(&b, strchr(flags, 'x') != NULL ? "\n)(*MARK:x)" : ")(*MARK:x)");
	re = regex_of(strbuf_slice(&b), flags);
	strbuf_free(&b);
	if (re != NULL) {
		assert_true(needed_nothing(regex_needed(re)));
		assert_int_equal(regex_needed(re)->ncuts, 0);
	}
	return re;
}

/* 1: it matched some subject, is known to need something or by its later part, and each such subject had it. */
static int
hold_to(struct str pattern, struct str text, const char *flags, struct strbuf *subject, unsigned tries)
{
	struct regex *re = regex_of(pattern, flags), *plain;
	int hits = 0;

	if (re == NULL || (needed_nothing(regex_needed(re)) && regex_needed(re)->ncuts == 0) ||
	    (plain = opaque(pattern, flags)) == NULL)
		return 0;
	for (unsigned k = 0; k < tries; k++) {
		enum regex_result r;

		random_subject(subject, text);
		if (regex_match(plain, strbuf_slice(subject), NULL) != REGEX_YES)
			continue;
		hits++;
		r = regex_match(re, strbuf_slice(subject), NULL);
		if (r == REGEX_NO || !needed_in(regex_needed(re), strbuf_slice(subject)))
			fail_msg("/" STR_FMT "/%s matches '%s', but %s", STR_ARG(pattern), flags, subject->p,
			    r == REGEX_NO ? "that isn't found" : "it lacks what that needs");
	}
	return hits > 0;
}

static void
holds_at_random(void **state)
{
	const char *env = getenv("LITERAL_CASES"), *from = getenv("LITERAL_SEED");
	long cases_wanted = env != NULL ? strtol(env, NULL, 10) : 30000, useful = 0;
	struct strbuf pattern = { 0 }, text = { 0 }, subject = { 0 };

	(void)state;
	seed = from != NULL ? strtoull(from, NULL, 10) : 5;
	for (long i = 0; i < cases_wanted; i++) {
		pattern.n = text.n = 0;
		random_pattern(&pattern, &text, 0);
		strbuf_puts(&text, "");
		useful += hold_to(strbuf_slice(&pattern), strbuf_slice(&text), PICK(flag_sets), &subject, 20);
		if (i % 1000 == 0)
			arena_reset(arena);
	}
	print_message("# %ld of %ld patterns matched what they need\n", useful, cases_wanted);
	assert_true(useful > cases_wanted / 20);
	strbuf_free(&pattern);
	strbuf_free(&text);
	strbuf_free(&subject);
}

/* ---- SUITES ---- */

static struct str
read_file(const char *path)
{
	struct strbuf b = { 0 };
	char buf[65536];
	FILE *f = fopen(path, "r");
	struct str s;
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	s = str_dup(arena, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

/* Holds what is known of the pattern against mail; one that is looked for by its later part counts. */
static unsigned
hold_to_mail(char *line, const struct str *mail, size_t n)
{
	char *rest = line, *scope = strsep(&rest, "\t"), *flags = strsep(&rest, "\t"),
	    *pattern = strsep(&rest, "\t");
	struct regex *re, *plain;

	if (scope[0] == '#' || pattern == NULL || strlen(flags) > 4 ||
	    (re = regex_of(str_of(pattern), flags)) == NULL || regex_needed(re)->ncuts == 0 ||
	    (plain = opaque(str_of(pattern), flags)) == NULL)
		return 0;
	for (size_t i = 0; i < n; i++) {
		enum regex_result r = regex_match(plain, mail[i], NULL);

		if (r == REGEX_YES && (regex_match(re, mail[i], NULL) == REGEX_NO ||
		    !needed_in(regex_needed(re), mail[i])))
			fail_msg("/%s/%s: message %zu isn't found", pattern, flags, i);
	}
	return 1;
}

static void
suites(void **state)
{
	const char *dir = getenv("SUITES") != NULL ? getenv("SUITES") : "../shared/suites";
	struct strbuf path = { 0 };
	struct str mail[MESSAGES];
	unsigned held = 0;
	glob_t rules, eml;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	(void)state;
	strbuf_printf(&path, "%s/rules/*.tsv", dir);
	if (glob(path.p, 0, NULL, &rules) != 0) {
		print_message("# skipped: no %s\n", path.p);
		strbuf_free(&path);
		return;
	}
	path.n = 0;
	strbuf_printf(&path, "%s/mail/spam/*.eml", dir);
	assert_int_equal(glob(path.p, 0, NULL, &eml), 0);
	assert_true(eml.gl_pathc >= MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++)
		mail[i] = read_file(eml.gl_pathv[eml.gl_pathc / MESSAGES * i]);
	for (size_t f = 0; f < rules.gl_pathc; f++) {
		FILE *in = fopen(rules.gl_pathv[f], "r");

		assert_non_null(in);
		while ((n = getline(&line, &cap, in)) > 0) {
			line[n - (line[n - 1] == '\n')] = '\0';
			held += hold_to_mail(line, mail, MESSAGES);
		}
		fclose(in);
	}
	print_message("# %u patterns\n", held);
	free(line);
	globfree(&rules);
	globfree(&eml);
	strbuf_free(&path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds, setup, teardown),
		cmocka_unit_test_setup_teardown(folds, setup, teardown),
		cmocka_unit_test_setup_teardown(letters_and_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_or_not, setup, teardown),
		cmocka_unit_test_setup_teardown(holds_at_random, setup, teardown),
		cmocka_unit_test_setup_teardown(suites, setup, teardown),
	};

	return cmocka_run_group_tests_name("literal_of", tests, NULL, NULL);
}
