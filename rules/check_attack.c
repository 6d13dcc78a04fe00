/*
 * check_attack.c - a text on which a pattern takes for ever, found by trying.
 *
 * check_pattern.c says which group may be repeated in many ways over one text, but not
 * whether what follows ever fails: (a+)+. has always found its match before.  So
 * nothing is said before a text has brought the group, and what stands behind
 * it, to match-limit.  It is made of what stands in the group, many times, and an end that does not
 * fit.
 */
#include "check_reach.h"

#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "regex.h"

#define TIMES		60
#define LIMIT		100000		/* steps; the setting's default */
#define TRIES		16		/* groups of one pattern */
#define PUMPS_MAX	48
#define PUMP_MAX	24

struct attack {
	struct arena	*a;
	struct regex	*re;
	char		 pumps[PUMPS_MAX][PUMP_MAX + 1];
	size_t		 npumps;
	char		 rest[64];	/* what the end of the pattern needs, roughly */
};

static bool
is_meta(char c)
{
	return strchr("\\^$.[]|()?*+{}", c) != NULL;
}

/* What group and sequence take: up to the | or ) that ends them. */
static size_t
sequence_end(struct str p, size_t i)
{
	int depth = 0;

	for (; i < p.n; i++) {
		if (p.p[i] == '\\')
			i++;
		else if (p.p[i] == '[') {
			for (i += 2; i < p.n && p.p[i] != ']'; i++)
				i += p.p[i] == '\\';
		} else if (p.p[i] == '(')
			depth++;
		else if ((p.p[i] == ')' && depth-- == 0) || (p.p[i] == '|' && depth == 0))
			return i;
	}
	return p.n;
}

static void
add_pump(struct attack *at, const char *a, const char *b)
{
	if (at->npumps < PUMPS_MAX && strlen(a) + strlen(b) <= PUMP_MAX && *a != '\0')
		snprintf(at->pumps[at->npumps++], PUMP_MAX + 1, "%s%s", a, b);
}

/* Words of the group that stand for themselves, each and by twos. */
static void
add_words(struct attack *at, struct str group)
{
	char words[6][PUMP_MAX / 2 + 1] = { "" };
	size_t n = 0, len = 0;

	for (size_t i = 0; i < group.n && n < 6; i++) {
		char c = group.p[i];

		if (c == '\\' && i + 1 < group.n)
			c = group.p[++i] == 'n' ? '\n' : group.p[i] == 'r' ? '\r' :
			    group.p[i] == 't' ? '\t' : group.p[i];
		else if (is_meta(c)) {
			n += len > 0;
			len = 0;
			continue;
		}
		if (len < PUMP_MAX / 2)
			words[n][len++] = c;
	}
	for (size_t i = 0; i < 6 && words[i][0] != '\0'; i++)
		add_pump(at, words[i], "");
	for (size_t i = 0; i < 6 && words[i][0] != '\0'; i++)
		for (size_t k = 0; k < 6 && words[k][0] != '\0'; k++)
			if (i != k)
				add_pump(at, words[i], words[k]);
}

/* Its characters, and some that classes hold. */
static void
add_chars(struct attack *at, struct str group)
{
	static const char usual[] = "a0A -.,_/\t\n";

	for (size_t i = 0; i < sizeof(usual) - 1; i++)
		add_pump(at, (char[]){ usual[i], '\0' }, "");
	for (size_t i = 0; i < group.n && at->npumps < PUMPS_MAX / 2; i++)
		if (!is_meta(group.p[i]) && strchr(usual, group.p[i]) == NULL &&
		    (unsigned char)group.p[i] < 128)
			add_pump(at, (char[]){ group.p[i], '\0' }, "");
}

static bool
is_endless(const struct attack *at, const char *pump, const char *tail, const char *more)
{
	struct strbuf b = { 0 };
	bool endless;

	for (int i = 0; i < TIMES; i++)
		strbuf_puts(&b, pump);
	strbuf_puts(&b, tail);
	strbuf_puts(&b, more);
	endless = !b.failed && regex_match(at->re, strbuf_slice(&b), NULL) == REGEX_LIMIT;
	strbuf_free(&b);
	return endless;
}

static bool
try_all(const struct attack *at, struct strbuf *pump, struct strbuf *tail)
{
	const char *const tails[][2] = {
		{ "!", "" }, { "\n\n", "" }, { "!", at->rest }, { "\n\n", at->rest }, { at->rest, "!" },
		{ at->rest, "\n\n" },
	};

	for (size_t i = 0; i < at->npumps; i++)
		for (size_t k = 0; k < sizeof(tails) / sizeof(tails[0]); k++)
			if (is_endless(at, at->pumps[i], tails[k][0], tails[k][1])) {
				strbuf_puts(pump, at->pumps[i]);
				strbuf_printf(tail, "%s%s", tails[k][0], tails[k][1]);
				return true;
			}
	return false;
}

static bool
attack(struct str pattern, struct str flags, size_t off, size_t n, struct strbuf *pump,
    struct strbuf *tail)
{
	struct attack at = { .a = arena_new(0) };
	struct str group = { pattern.p + off, n }, inner = group, rest;
	struct strbuf why = { 0 };
	size_t end = sequence_end(pattern, off + n), len = 0, where;
	bool works = false;

	rest = (struct str){ group.p + n, end - off - n };
	for (size_t i = 0; i < rest.n && len + 1 < sizeof(at.rest); i++)
		if (!is_meta(rest.p[i]) || (i == 0 && rest.p[i] == '{') ||
		    (i > 0 && strchr("\\[", rest.p[i - 1]) != NULL))
			at.rest[len++] = rest.p[i];
	if (at.a != NULL) {
		struct str whole = str_printf(at.a, "^(?:" STR_FMT STR_FMT ")", STR_ARG(group),
		    STR_ARG(rest));

		if (whole.p != NULL)
			at.re = regex_compile(at.a, whole, flags, false, LIMIT, &where, &why);
	}
	if (str_istarts(group, STR("(?:")))
		inner = (struct str){ group.p + 3, n - 3 };
	if (at.re != NULL) {
		add_chars(&at, inner);
		add_words(&at, inner);
		works = try_all(&at, pump, tail);
	}
	strbuf_free(&why);
	arena_free(at.a);
	return works;
}

enum explosion
pattern_explodes(struct str pattern, struct str flags, size_t *off, size_t *n, struct strbuf *pump,
    struct strbuf *tail)
{
	enum explosion how;
	size_t from = 0;

	for (int i = 0; i < TRIES; i++) {
		if ((how = pattern_can_explode(pattern, from, off, n)) == EXPLODES_NOT)
			break;
		if (attack(pattern, flags, *off, *n, pump, tail))
			return how;
		from = *off + 1;
	}
	return EXPLODES_NOT;
}
