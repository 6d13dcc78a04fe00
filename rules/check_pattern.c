/*
 * check_pattern.c - patterns that can take for ever.
 *
 * In (a+)+$ the same text can be cut up by the inner and the outer repetition
 * in exponentially many ways, and a text that fails at the end is tried in
 * all of them.  match-limit ends that at run time; here the author is told.
 *
 * Here the groups are found of which that may be so: repeated many times, of
 * several lengths or of alternatives that overlap (check_overlap.c), with something behind
 * them that can fail.  Whether it is so is tried by check_attack.c.  Where the pattern
 * has what isn't understood here, it passes.
 *
 * The same reading tells whether a match needs a capital letter, for names that have none.
 */
#include "check_reach.h"

#include <string.h>

#define DEPTH_MAX	100
#define MANY		10	/* turns that are as bad as any number */

struct scan {
	struct str	s;
	size_t		i;
	int		depth;
	bool		unsure;
	enum explosion	found;
	bool		no_capital;	/* whether one is needed isn't sure */
	size_t		from;		/* what stands before doesn't count */
	size_t		off, n;		/* of what was found */
};

/* What a piece of a pattern can be. */
struct piece {
	bool	skips;		/* may match nothing, whatever stands around it */
	bool	fails;		/* something must be there */
	bool	loops;		/* can be of several lengths */
	bool	capital;	/* there is a capital letter in it */
	/* A group that explodes if what follows can fail. */
	enum explosion pending;
	size_t	off, n;
};

struct quantifier {
	bool	present, possessive;
	long	min, max;	/* max -1: no bound */
};

static bool
at(const struct scan *s, const char *text)
{
	size_t n = strlen(text);

	return s->i <= s->s.n && s->s.n - s->i >= n && memcmp(s->s.p + s->i, text, n) == 0;
}

static bool
read_number(struct scan *s, long *n)
{
	bool any = false;

	for (*n = 0; s->i < s->s.n && char_is_digit(s->s.p[s->i]); s->i++) {
		*n = *n < 100000 ? *n * 10 + (s->s.p[s->i] - '0') : *n;
		any = true;
	}
	return any;
}

/* {n}, {n,}, {n,m}; anything else is literal. */
static bool
read_braces(struct scan *s, struct quantifier *q)
{
	size_t start = s->i++;

	if (read_number(s, &q->min)) {
		q->max = q->min;
		if (at(s, ",")) {
			s->i++;
			if (!read_number(s, &q->max))
				q->max = -1;
		}
		if (at(s, "}")) {
			s->i++;
			return true;
		}
	}
	s->i = start;
	return false;
}

static struct quantifier
read_quantifier(struct scan *s)
{
	struct quantifier q = { .min = 1, .max = 1 };

	if (at(s, "*") || at(s, "+") || at(s, "?")) {
		q.min = at(s, "+") ? 1 : 0;
		q.max = at(s, "?") ? 1 : -1;
		s->i++;
		q.present = true;
	} else if (at(s, "{"))
		q.present = read_braces(s, &q);
	if (q.present && (at(s, "+") || at(s, "?"))) {
		q.possessive = at(s, "+");
		s->i++;
	}
	return q;
}

static void
skip_class(struct scan *s)
{
	s->i++;
	if (at(s, "^"))
		s->i++;
	if (at(s, "]"))
		s->i++;
	while (s->i < s->s.n && !at(s, "]")) {
		if (at(s, "\\"))
			s->i += 2;
		else if (at(s, "[:")) {
			ptrdiff_t end = str_find((struct str){ s->s.p + s->i, s->s.n - s->i },
			    STR(":]"));

			s->i += end > 0 ? (size_t)end + 2 : 1;
		} else
			s->i++;
	}
	s->i++;
}

static struct piece
read_escape(struct scan *s)
{
	char c = s->i + 1 < s->s.n ? s->s.p[s->i + 1] : '\0';
	struct piece p = { .fails = true };

	s->i += 2;
	if (c == 'Q' || c == 'E' || c == 'K' || c == 'C' || c == 'c' || c == '\0')
		s->unsure = true;
	if (at(s, "{") && strchr("xpPogkN", c) != NULL) {
		while (s->i < s->s.n && !at(s, "}"))
			s->i++;
		s->i++;
	} else if (c == 'x')
		for (int k = 0; k < 2 && s->i < s->s.n &&
		    strchr("0123456789abcdefABCDEF", s->s.p[s->i]) != NULL; k++)
			s->i++;
	else if (c == 'p' || c == 'P')
		s->i++;
	else if (c == 'g' || c == 'k')
		s->unsure = true;
	return p;
}

static struct piece read_alternatives(struct scan *s);

/* What stands behind `(`: how is the group to be taken? */
static struct piece
read_group(struct scan *s)
{
	bool atomic = false, assertion = false;
	struct piece p;

	s->i++;
	if (at(s, "?#")) {
		while (s->i < s->s.n && !at(s, ")"))
			s->i++;
		s->i++;
		s->no_capital = true;		/* a quantifier behind is of what stands before */
		return (struct piece){ .skips = true };
	}
	if (at(s, "?:") || at(s, "?|"))
		s->i += 2;
	else if (at(s, "?>")) {
		atomic = true;
		s->i += 2;
	} else if (at(s, "?=") || at(s, "?!") || at(s, "?<=") || at(s, "?<!")) {
		assertion = true;
		s->i += at(s, "?<") ? 3 : 2;
	} else if (at(s, "?<") || at(s, "?P<") || at(s, "?'")) {
		s->i += at(s, "?P") ? 3 : 2;
		while (s->i < s->s.n && !at(s, ">") && !at(s, "'"))
			s->i++;
		s->i++;
	} else if (at(s, "?i:") || at(s, "?s:") || at(s, "?m:")) {
		s->no_capital |= at(s, "?i");
		s->i += 3;
	} else if (at(s, "?i)") || at(s, "?s)") || at(s, "?m)")) {
		s->no_capital |= at(s, "?i");
		s->i += 3;
		return (struct piece){ .skips = true };
	} else if (at(s, "?") || at(s, "*")) {
		s->unsure = true;
		return (struct piece){ 0 };
	}
	p = read_alternatives(s);
	s->i++;		/* ) */
	if (atomic) {
		p.loops = false;
		p.pending = EXPLODES_NOT;
	}
	if (assertion)
		p = (struct piece){ .fails = true };
	return p;
}

static struct piece
read_atom(struct scan *s)
{
	struct piece p = { .fails = true };

	if (at(s, "("))
		return read_group(s);
	if (at(s, "\\"))
		return read_escape(s);
	if (at(s, "["))
		skip_class(s);
	else {
		p.capital = s->s.p[s->i] >= 'A' && s->s.p[s->i] <= 'Z';
		s->i++;
	}
	return p;
}

/* Are there characters that the atom matches, and not only places? */
static bool
takes_room(const struct scan *s)
{
	if (at(s, "\\"))
		return s->i + 1 < s->s.n && strchr("bBAzZG", s->s.p[s->i + 1]) == NULL;
	return !at(s, "^") && !at(s, "$") && !at(s, "(?=") && !at(s, "(?!") &&
	    !at(s, "(?<=") && !at(s, "(?<!");
}

/* An atom with its quantifier. */
static struct piece
read_piece(struct scan *s)
{
	size_t start = s->i;
	bool group = at(s, "("), width = takes_room(s);
	struct piece p = read_atom(s);
	size_t end = s->i < s->s.n ? s->i : s->s.n;
	struct quantifier q = read_quantifier(s);

	if (group && (q.max == -1 || q.max >= MANY) && !q.possessive && !s->unsure && (p.loops ||
	    alternatives_overlap((struct str){ s->s.p + start, end - start }))) {
		p.pending = p.loops ? EXPLODES_NESTED : EXPLODES_OVERLAP;
		p.off = start;
		p.n = s->i - start;
	}
	if (q.possessive) {
		p.loops = false;
		p.pending = EXPLODES_NOT;
	} else if ((q.max == -1 || (q.max > 1 && q.min < q.max)) && width)
		p.loops = true;
	if (q.present && q.min == 0) {
		p.skips = true;
		p.fails = p.capital = false;
	}
	/* {,3} is a quantifier to newer versions of PCRE2. */
	if (!q.present && at(s, "{"))
		p.capital = false;
	return p;
}

/* Up to | or ) or the end. */
static struct piece
read_sequence(struct scan *s)
{
	struct piece all = { .skips = true }, p;
	size_t must = 0, loops = 0;

	while (s->i < s->s.n && !at(s, "|") && !at(s, ")") && !s->unsure && !s->found) {
		p = read_piece(s);
		if (all.pending && p.fails && all.off >= s->from) {
			s->found = all.pending;
			s->off = all.off;
			s->n = all.n;
		}
		if (p.pending) {
			all.pending = p.pending;
			all.off = p.off;
			all.n = p.n;
		}
		all.fails |= p.fails;
		all.capital |= p.capital;
		must += !p.skips;
		loops += p.loops;
	}
	all.skips = must == 0;
	all.loops = loops > 0;
	return all;
}

static struct piece
read_alternatives(struct scan *s)
{
	struct piece all = { 0 }, p;
	size_t skips = 0, alternatives = 0;

	if (++s->depth > DEPTH_MAX)
		s->unsure = true;
	all.fails = all.capital = true;
	for (;;) {
		p = read_sequence(s);
		all.skips |= p.skips;
		all.fails &= p.fails;
		all.capital &= p.capital;
		all.loops |= p.loops;
		skips += p.skips;
		alternatives++;
		if (p.pending) {
			all.pending = p.pending;
			all.off = p.off;
			all.n = p.n;
		}
		if (!at(s, "|") || s->unsure || s->found)
			break;
		s->i++;
	}
	all.loops |= skips > 0 && skips < alternatives;
	s->depth--;
	return all;
}

enum explosion
pattern_can_explode(struct str pattern, size_t from, size_t *off, size_t *n)
{
	struct scan s = { .s = pattern, .from = from };

	(void)read_alternatives(&s);
	*off = s.off;
	*n = s.n;
	return !s.unsure && s.i <= s.s.n ? s.found : EXPLODES_NOT;
}

bool
pattern_needs_capital(struct str pattern, struct str flags)
{
	struct scan s = { .s = pattern, .from = pattern.n + 1 };
	struct piece all;

	/* With x in the flags what looks like a letter may be a comment's. */
	if (str_find(flags, STR("i")) >= 0 || str_find(flags, STR("x")) >= 0)
		return false;
	all = read_alternatives(&s);
	return all.capital && !s.unsure && !s.no_capital && s.i == s.s.n;
}
