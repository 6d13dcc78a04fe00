/*
 * check_overlap.c - alternatives that one text can be cut into in two ways.
 *
 * (a|ab|b)* takes "ab" as one turn or as two, so a text of n of them can be cut up in
 * 2^n ways, as with a repetition repeated (check_pattern.c).  (a|ab)* can not, though its
 * alternatives begin alike: what is asked is whether they are a code, by the method
 * of Sardinas and Patterson, with sets of characters in the place of letters.
 *
 * Only alternatives of plain characters and classes are understood, by
 * their ASCII characters, as without flags: who is called ambiguous here is so.
 */
#include "check_reach.h"

#include <stdint.h>
#include <string.h>

#define WORDS_MAX	16
#define WORD_MAX	24

struct chars {
	uint64_t	lo, hi;
};

struct code {
	struct chars	set[WORDS_MAX][WORD_MAX];
	size_t		len[WORDS_MAX];
	size_t		n;
	/* What one of two readings is ahead by: the rest of that word. */
	bool		seen[WORDS_MAX][WORD_MAX];
};

static void
add(struct chars *s, unsigned c)
{
	*(c < 64 ? &s->lo : &s->hi) |= (uint64_t)1 << c % 64;
}

static void
add_range(struct chars *s, unsigned from, unsigned to)
{
	for (; from <= to && from < 128; from++)
		add(s, from);
}

static void
invert(struct chars *s)
{
	s->lo = ~s->lo;
	s->hi = ~s->hi;
}

static bool
meet(const struct chars *a, const struct chars *b)
{
	return (a->lo & b->lo) != 0 || (a->hi & b->hi) != 0;
}

/* \d and the like, or a character that stands for itself; false: something else. */
static bool
read_escaped(char c, struct chars *s, int *literal)
{
	struct chars e = { 0 };

	*literal = -1;
	switch (c) {
	case 'w': case 'W':
		add_range(&e, 'a', 'z');
		add_range(&e, 'A', 'Z');
		add(&e, '_');
		/* FALLTHROUGH */
	case 'd': case 'D':
		add_range(&e, '0', '9');
		break;
	case 's': case 'S':
		add_range(&e, 9, 13);
		add(&e, ' ');
		break;
	case 'n': case 'r': case 't':
		*literal = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
		break;
	default:
		if (strchr(".-/\\*+?()[]{}|^$@:,;=!\"'%&~<>#_", c) == NULL || c == '\0')
			return false;
		*literal = c;
	}
	if (*literal >= 0)
		add(&e, (unsigned)*literal);
	if (c == 'W' || c == 'D' || c == 'S')
		invert(&e);
	s->lo |= e.lo;
	s->hi |= e.hi;
	return true;
}

/* One member of a class; *c is it, or -1 if it is several. */
static bool
read_member(struct str p, size_t *i, struct chars *s, int *c)
{
	if (*i >= p.n || (unsigned char)p.p[*i] >= 128)
		return false;
	if (p.p[*i] == '[')
		return false;
	if (p.p[*i] != '\\') {
		*c = p.p[(*i)++];
		add(s, (unsigned)*c);
		return true;
	}
	*i += 2;
	return *i <= p.n && read_escaped(p.p[*i - 1], s, c);
}

static bool
read_class(struct str p, size_t *i, struct chars *s)
{
	bool inverse = *i + 1 < p.n && p.p[*i + 1] == '^';
	int from, to;

	*i += inverse ? 2 : 1;
	if (*i < p.n && p.p[*i] == ']')
		return false;
	while (*i < p.n && p.p[*i] != ']') {
		if (!read_member(p, i, s, &from))
			return false;
		if (*i + 1 >= p.n || p.p[*i] != '-' || p.p[*i + 1] == ']')
			continue;
		++*i;
		if (from < 0 || !read_member(p, i, s, &to) || to < from)
			return false;
		add_range(s, (unsigned)from, (unsigned)to);
	}
	if (inverse)
		invert(s);
	return (*i)++ < p.n;
}

static bool
read_char(struct str p, size_t *i, struct chars *s)
{
	int literal;

	switch (p.p[*i]) {
	case '[':
		return read_class(p, i, s);
	case '\\':
		*i += 2;
		return *i <= p.n && read_escaped(p.p[*i - 1], s, &literal);
	case '.':
		add(s, '\n');
		invert(s);
		break;
	/* Quantifiers, groups, places; and what the flag x leaves out. */
	case '?': case '*': case '+': case '{': case '(': case ')': case '^': case '$':
	case ' ': case '\t': case '\n': case '#':
		return false;
	default:
		if ((unsigned char)p.p[*i] >= 128)
			return false;
		add(s, (unsigned)p.p[*i]);
	}
	++*i;
	return true;
}

static bool
read_words(struct str p, struct code *code)
{
	size_t k = 0;

	code->n = 1;
	for (size_t i = 0; i < p.n; ) {
		if (p.p[i] == '|') {
			if (code->n == WORDS_MAX || code->len[k] == 0)
				return false;
			k = code->n++;
			i++;
		} else if (code->len[k] == WORD_MAX ||
		    !read_char(p, &i, &code->set[k][code->len[k]++]))
			return false;
	}
	return code->len[k] > 0;
}

/*
 * One reading is ahead by the word `i` from `at` on, and the other takes `j`: can both
 * be of one text?  2: they are even; 1: one is ahead, by the rest that is now seen.
 */
static int
follow(struct code *code, size_t i, size_t at, size_t j)
{
	size_t ahead = code->len[i] - at, n = code->len[j];

	for (size_t k = 0; k < ahead && k < n; k++)
		if (!meet(&code->set[i][at + k], &code->set[j][k]))
			return 0;
	if (ahead == n)
		return 2;
	if (ahead > n)
		code->seen[i][at + n] = true;
	else
		code->seen[j][ahead] = true;
	return 1;
}

static bool
two_ways(struct code *code)
{
	bool done[WORDS_MAX][WORD_MAX] = { { false } }, more = true;

	for (size_t i = 0; i < code->n; i++)
		for (size_t j = i + 1; j < code->n; j++)
			if (follow(code, i, 0, j) == 2)
				return true;
	while (more) {
		more = false;
		for (size_t i = 0; i < code->n; i++)
			for (size_t at = 1; at < code->len[i]; at++) {
				if (!code->seen[i][at] || done[i][at])
					continue;
				done[i][at] = more = true;
				for (size_t j = 0; j < code->n; j++)
					if (follow(code, i, at, j) == 2)
						return true;
			}
	}
	return false;
}

bool
alternatives_overlap(struct str group)
{
	struct code code = { .n = 0 };
	size_t i = 1;

	if (group.n < 4)
		return false;
	if (group.p[1] == '?') {
		if (group.p[2] == ':')
			i = 3;
		else {
			while (i < group.n && group.p[i] != '>')
				i++;
			i++;
			if (group.n < 5 || group.p[2] != '<' || group.p[3] == '=' ||
			    group.p[3] == '!' || i >= group.n)
				return false;
		}
	}
	return i < group.n && read_words((struct str){ group.p + i, group.n - i - 1 }, &code) &&
	    two_ways(&code);
}
