/*
 * randompattern.h - random regular expressions, each with a text that it may
 * match.
 */
#ifndef TESTS_RANDOMPATTERN_H
#define TESTS_RANDOMPATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "rules/str.h"

#ifndef COUNT
#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#endif

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

#define PICK(a)	((a)[below(COUNT(a))])

/* What each may match, or may not. */
static const struct {
	const char *pattern, *text;
} atoms[] = {
	{ "q", "q" }, { "z", "Z" }, { "k", "\xe2\x84\xaa" }, { "s", "\xc5\xbf" }, { "K", "k" },
	{ "S", "s" },
	{ "Q", "Q" }, { "7", "7" }, { " ", " " }, { "\\ ", " " }, { "\xc5\xbf", "\xc5\xbf" },
	{ "\xc5\xbf", "s" },
	{ "\xe2\x84\xaa", "K" }, { "\xc3\xa4", "\xc3\xa4" }, { "\xc3\x84", "\xc3\xa4" },
	{ "_", "_" },
	{ "qz", "qz" }, { "zsk", "zsk" }, { "7q", "7q" }, { "\\x71", "q" }, { "\\x{17f}", "S" },
	{ "\\x53", "s" },
	{ "\\bq", "q" }, { "\\w", "j" }, { "\\w", "\xc3\xa4" }, { "\\W", "!" },
	{ "\\W", "\xe2\x80\xa6" }, { "\\W", "\xff" },
	{ "\\d", "7" }, { "\\d", "\xd9\xa3" }, { ".", "j" }, { ".", "s" }, { "^", "" },
	{ "$", "" }, { "\\s", " " },
	{ "\\s", "\n" }, { "\\s", "\xc2\xa0" }, { "\\K", "" }, { "\\D", "k" }, { "\\S", "7" },
	{ "\\h", "\t" }, { "\\v", "\n" },
	{ "\\H", "s" }, { "\\V", "K" }, { "\\N", "q" }, { "\\R", "\r\n" }, { "\\X", "\xc3\xa4" },
	{ "[qz]", "z" }, { "[^q]", "s" }, { "[^q]", "\xc5\xbf" }, { "[s7]", "\xc5\xbf" },
	{ "[k-s]", "\xe2\x84\xaa" }, { "[q-]", "-" },
	{ "[]z]", "]" }, { "[\\]\\-z]", "-" }, { "[[:alpha:]k]", "j" }, { "[\\w-z]", "-" },
	{ "[ q]", " " }, { "[\\x71z]", "q" },
	{ "[_\\W]", "_" }, { "[_\\W]", "@" }, { "[a4\xc3\xa0-\xc3\xa6@]", "@" },
	{ "[a4\xc3\xa0-\xc3\xa6@]", "\xc3\x84" }, { "[i1!|l]", "!" },
	{ "[\\x80-\\xff]", "\xc3\xa4" }, { "[\\x{100}-\\x{200}]", "s" }, { "[\\x00- ]", "\xff" },
	{ "[\\0- ]", " " }, { "[\\160-\\163]", "r" },
	{ "[0-9]", "5" }, { "[^a-z]", "Q" }, { "[^a-z]", "\xe2\x84\xaa" },
	{ "[^a-z0-9]", "\xc5\xbf" }, { "[^a-zA-Z0-9]", "\xe2\x84\xaa" }, { "[^\\w\\s]", "\xc5\xbf" },
	{ "[^s0-9]", "\xc5\xbf" }, { "[^a-jl-zA-JL-Z0-9]", "\xe2\x84\xaa" }, { "[A-Z]", "K" },
	{ "[^\\W_]", "j" }, { "[^\\s\\d]", "-" }, { "[!-/]", "-" },
	{ "[\\d\\s]", "\t" }, { "[\\b]", "\b" }, { "[a-\\x7f]", "s" }, { "[--/]", "." },
	{ "[^]z]", "k" }, { "[\\xc5]", "\xc5" }, { "\\xbf", "\xbf" },
	{ "\\Qqz\\E", "qz" }, { "\\Qz.s\\E", "z.s" }, { "\\Q(\\E", "(" }, { "#q\n", "" },
	{ "(?#z)", "" }, { "\\1", "" }, { "\\2", "q" },
	{ "\\g{-1}", "q" }, { "\\11", "\t" }, { "\\07", "\a" }, { "\\Q", "" }, { "\\E", "" },
	{ "{", "{" }, { "{q", "{q" },
	{ "}", "}" }, { "]", "]" }, { "\\{", "{" }, { "(?i)", "" }, { "(?-i)", "" },
	{ "(?x)", "" }, { "(?i-x)", "" }, { "(?^)", "" }, { "(?s)", "" },
	{ "\\t", "\t" }, { "\\x20", " " }, { "(?1)", "q" }, { "(?R)?", "" }, { "\\G", "" },
	{ "(*COMMIT)", "" }, { "(*THEN)", "" }, { "(*SKIP)", "" },
};
static const struct {
	const char *pattern;
	unsigned min, max;
} quantifiers[] = {
	{ "?", 0, 1 }, { "*", 0, 3 }, { "+", 1, 3 }, { "??", 0, 1 }, { "*?", 0, 2 },
	{ "+?", 1, 2 }, { "?+", 0, 1 }, { "*+", 0, 9 },
	{ "++", 1, 9 }, { "{2}", 2, 2 }, { "{0}", 0, 0 }, { "{0,1}", 0, 1 }, { "{1,}", 1, 4 },
	{ "{1,2}", 1, 2 }, { "{2}+", 2, 2 },
	{ "{3,4}?", 3, 4 }, { " ?", 0, 1 }, { "{0,3}", 0, 3 }, { "{9}", 9, 9 }, { "{6,}", 6, 8 },
	{ "{17,20}", 17, 20 },
};
static const char *const openings[] = {
	"(", "(?:", "(?i:", "(?-i:", "(?x:", "(?>", "(?|", "(?<n>", "(?P<m>", "(?=", "(?!", "(?<=", "(?<!", "(?^:", "(?:", "(",
};

static void random_pattern(struct strbuf *b, struct strbuf *text, int depth);

/* An item, and a text that it may match. */
static void
random_item(struct strbuf *b, struct strbuf *text, int depth)
{
	struct strbuf other = { 0 };
	unsigned what = below(12);

	if (what == 0 && depth < 4) {
		const char *open = PICK(openings);

		strbuf_puts(b, open);
		random_pattern(b, strchr(open, '!') != NULL ? &other : text, depth + 1);
		strbuf_putc(b, ')');
	} else if (what == 1 && depth < 4) {
		bool first = below(2) != 0;

		strbuf_puts(b, "(?:");
		random_pattern(b, first ? text : &other, depth + 1);
		strbuf_putc(b, '|');
		random_pattern(b, first ? &other : text, depth + 1);
		strbuf_putc(b, ')');
	} else if (what == 2 && depth < 4 && below(8) == 0) {
		strbuf_puts(b, below(2) ? "(?(1)" : "(?(?=q)");
		random_pattern(b, text, depth + 1);
		strbuf_puts(b, below(2) ? "|z)" : ")");
	} else {
		unsigned k = below(COUNT(atoms));

		strbuf_puts(b, atoms[k].pattern);
		strbuf_puts(text, atoms[k].text);
	}
	strbuf_free(&other);
}

static void
random_pattern(struct strbuf *b, struct strbuf *text, int depth)
{
	for (unsigned k = 1 + below(5); k > 0; k--) {
		struct strbuf one = { 0 };
		unsigned times = 1;

		random_item(b, &one, depth);
		if (below(3) == 0) {
			unsigned q = below(COUNT(quantifiers));

			strbuf_puts(b, quantifiers[q].pattern);
			times = quantifiers[q].min + below(quantifiers[q].max - quantifiers[q].min + 1);
		}
		for (; times > 0; times--)
			strbuf_str(text, strbuf_slice(&one));
		strbuf_free(&one);
	}
	if (below(8) == 0)
		strbuf_putc(b, '|');
	if (below(8) == 0) {
		struct strbuf other = { 0 };

		random_pattern(b, &other, depth + 2);
		strbuf_free(&other);
	}
}

static void
random_parts(struct strbuf *b, unsigned most)
{
	static const char *const parts[] = {
		"q", "z", "k", "s", "K", "S", "Q", "Z", "7", " ", "\xc5\xbf", "\xe2\x84\xaa", "\xc3\xa4", "\xc3\x84", "_",
		"qz", "zsk", "7q", "QZ", "(", "z.s", "#q", "{", "]", "-", "\n", "\t", "\xc5", "\xff", "\xe2\x84", "a", "4", "@",
	};

	for (unsigned k = below(most); k > 0; k--)
		strbuf_puts(b, PICK(parts));
}

/* Mostly the text that was made with the pattern, with letters in either case. */
static void
random_subject(struct strbuf *b, struct str text)
{
	unsigned how = below(4);

	b->n = 0;
	strbuf_puts(b, "");
	random_parts(b, how == 0 ? 12 : 3);
	for (size_t i = 0; how > 0 && i < text.n; i++) {
		char c = text.p[i];

		if (how > 1 && below(8) == 0 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			c ^= 0x20;
		strbuf_putc(b, c);
	}
	random_parts(b, 3);
}

#endif
