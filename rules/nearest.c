/*
 * nearest.c - which word was meant.
 *
 * A wrong suggestion costs more than none, so a candidate must be near in
 * proportion to the length of what was typed, and what is equal to the last
 * dot doesn't count for it: "sender.x" is not near "sender.size".  Words with
 * the right parts in another shape ("spf.result", "domain.sender") come next.
 */
#include "diag.h"

#include <string.h>

#define WORD_MAX	64
#define PARTS_MAX	8

static char
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

/* Optimal string alignment: insert, delete, replace, swap neighbours. */
static size_t
distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *here = rows[2], *spare;

	for (size_t j = 0; j <= b.n; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		here[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = fold(a.p[i - 1]) == fold(b.p[j - 1]);
			size_t best = above[j - 1] + !same;

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (here[j - 1] + 1 < best)
				best = here[j - 1] + 1;
			if (i > 1 && j > 1 &&
			    fold(a.p[i - 1]) == fold(b.p[j - 2]) &&
			    fold(a.p[i - 2]) == fold(b.p[j - 1]) &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			here[j] = best;
		}
		spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[b.n];
}

/* Octets, up to and with a dot, that both begin with. */
static size_t
common_parts(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n, common = 0;

	for (size_t i = 0; i < n && fold(a.p[i]) == fold(b.p[i]); i++)
		if (a.p[i] == '.')
			common = i + 1;
	return common;
}

static size_t
allowed(size_t n)
{
	return n <= 1 ? 0 : n <= 4 ? 1 : n <= 8 ? 2 : 3;
}

static struct str
by_distance(struct str word, const struct str *candidates, size_t n)
{
	struct str best = STR_NONE, c;
	size_t least = WORD_MAX, far;

	for (size_t i = 0; i < n; i++) {
		c = candidates[i];
		if (c.n == 0 || c.n > WORD_MAX)
			continue;
		far = distance(word, c);
		if (far > allowed(word.n - common_parts(word, c)))
			continue;
		/* Among equals the one that begins alike is meant. */
		if (far < least || (far == least &&
		    fold(c.p[0]) == fold(word.p[0]) &&
		    fold(best.p[0]) != fold(word.p[0]))) {
			least = far;
			best = c;
		}
	}
	return best;
}

static size_t
split(struct str s, struct str parts[PARTS_MAX])
{
	size_t n = 0;
	const char *dot;

	for (; n < PARTS_MAX && s.n > 0; n++) {
		dot = memchr(s.p, '.', s.n);
		parts[n] = s;
		if (dot == NULL)
			return n + 1;
		parts[n].n = (size_t)(dot - s.p);
		s.n -= parts[n].n + 1;
		s.p = dot + 1;
	}
	return n;
}

/* Is each of a's parts one of b's? */
static bool
parts_within(struct str a, struct str b)
{
	struct str pa[PARTS_MAX], pb[PARTS_MAX];
	size_t na = split(a, pa), nb = split(b, pb), j;

	for (size_t i = 0; i < na; i++) {
		for (j = 0; j < nb && !str_ieq(pa[i], pb[j]); j++)
			;
		if (j == nb)
			return false;
	}
	return na > 0;
}

static struct str
by_parts(struct str word, const struct str *candidates, size_t n)
{
	struct str head = word, wider = STR_NONE, narrower = STR_NONE;
	size_t nwider = 0;

	for (size_t i = 0; i < n; i++)
		if (parts_within(word, candidates[i]) &&
		    parts_within(candidates[i], word))
			return candidates[i];
	while (head.n > 0) {
		while (head.n > 0 && head.p[head.n - 1] != '.')
			head.n--;
		head.n -= head.n > 0;
		for (size_t i = 0; i < n; i++)
			if (head.n > 0 && str_ieq(head, candidates[i]))
				return candidates[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (parts_within(word, candidates[i])) {
			wider = candidates[i];
			nwider++;
		}
		if (parts_within(candidates[i], word) &&
		    candidates[i].n > narrower.n)
			narrower = candidates[i];
	}
	return nwider == 1 ? wider : narrower;
}

struct str
diag_nearest(struct str word, const struct str *candidates, size_t n)
{
	struct str s;

	if (word.n == 0 || word.n > WORD_MAX)
		return STR_NONE;
	s = by_distance(word, candidates, n);
	return s.p != NULL ? s : by_parts(word, candidates, n);
}
