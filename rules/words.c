/*
 * words.c - small sets of words, and how rare they are in mail.
 *
 * literal_of.c puts the words that a pattern needs together with these; it
 * must choose between several sets, and a good one is found in few messages.
 */
#include "words.h"

#include <string.h>

static struct str
slice(const struct word *w)
{
	return (struct str){ w->p, w->n };
}

void
words_one(struct words *w, struct str s)
{
	w->n = 0;
	(void)words_add(w, s);
}

void
words_copy(struct words *to, const struct words *from)
{
	to->n = from->n;
	memcpy(to->v, from->v, from->n * sizeof(from->v[0]));
}

bool
words_add(struct words *w, struct str s)
{
	if (s.n > WORD_MAX)
		s.n = WORD_MAX;
	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(slice(&w->v[i]), s))
			return true;
	if (w->n == WORDS_MAX)
		return false;
	w->v[w->n].n = (unsigned char)s.n;
	if (s.n > 0)
		memcpy(w->v[w->n].p, s.p, s.n);
	w->n++;
	return true;
}

bool
words_unite(struct words *w, const struct words *more, unsigned max)
{
	for (unsigned i = 0; i < more->n; i++)
		if (!words_add(w, slice(&more->v[i])))
			return false;
	return w->n <= max;
}

static unsigned
longest(const struct words *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		if (w->v[i].n > n)
			n = w->v[i].n;
	return n;
}

bool
words_cross(struct words *w, const struct words *more, unsigned max)
{
	unsigned before = w->n;

	if (before * more->n > max || longest(w) + longest(more) > WORD_MAX)
		return false;
	/* From the last copy to the first, which are the words themselves. */
	for (unsigned k = more->n; k-- > 0; )
		for (unsigned i = 0; i < before; i++) {
			struct word *to = &w->v[k * before + i];

			*to = w->v[i];
			memcpy(to->p + to->n, more->v[k].p, more->v[k].n);
			to->n = (unsigned char)(to->n + more->v[k].n);
		}
	w->n = before * more->n;
	return true;
}

void
words_squeeze(struct words *w)
{
	unsigned n = w->n;

	w->n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct word *from = &w->v[i], to = { .n = 0 };

		for (unsigned k = 0; k < from->n; k++)
			if (to.n == 0 || to.p[to.n - 1] != from->p[k])
				to.p[to.n++] = from->p[k];
		(void)words_add(w, slice(&to));
	}
}

bool
words_same(const struct words *a, const struct words *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!str_eq(slice(&a->v[i]), slice(&b->v[i])))
			return false;
	return true;
}

bool
words_empty(const struct words *w)
{
	return w->n == 1 && w->v[0].n == 0;
}

static bool
ends_in(struct str s, struct str end)
{
	return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool
holds(struct str s, struct str part)
{
	return str_find(s, part) >= 0;
}

/* Leaves out words to which another one is so; of equal ones the first stays. */
static void
leave_out(struct words *w, bool (*is)(struct str, struct str))
{
	for (unsigned i = 0; i < w->n; ) {
		bool needed = true;

		for (unsigned k = 0; k < w->n && needed; k++)
			if (k != i && is(slice(&w->v[i]), slice(&w->v[k])))
				needed = w->v[k].n == w->v[i].n && k > i;
		if (needed)
			i++;
		else {
			w->n--;
			memmove(w->v + i, w->v + i + 1, (w->n - i) * sizeof(w->v[0]));
		}
	}
}

void
words_endings(struct words *w)
{
	leave_out(w, ends_in);
}

void
words_reduce(struct words *w)
{
	leave_out(w, holds);
}

/* ---- How rare ---- */

/* What nearly every message has somewhere; one piece a line. */
static const char common[] =
    "http://www.\nhttps://www.\n.com/\n.net/\n.org/\n.html\nmailto:\n<a href=\"\n<img src=\"\n"
    "<font color=\"#\n<font size=\"\n<table border=\"0\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\"\n"
    "<td align=\"center\" valign=\"top\"\n style=\"\n</span>\n</font>\n<div class=\"\n"
    "content-type: text/html; charset=\ncontent-transfer-encoding: quoted-printable\n"
    "text/plain\nmultipart/\nboundary=\"\nreceived: from \n by \n with esmtp id \nmessage-id: <\n"
    "subject: re: \nimage/\n0000\n----\n====\n    \n____\n****\n....\n=20\n=3d\n&nbsp;\n"
    " the \n and \n you \n your \n this \n that \n for \n from \n with \n have \n will \n are \n"
    " not \n can \n our \n all \n was \n please \n email \n mail \ning \ntion\nation \nment \n";

#define COMMON_BITS	8
#define SCALE		56

/* Bits that one character tells: -log2 of how often it comes, roughly. */
static unsigned
bits(unsigned char c)
{
	if (c == ' ' || c == 'e' || c == 't')
		return 3;
	if (c >= 0x80 || strchr("vkxjqz", c) != NULL)
		return 7;
	if (strchr("aoinsrhl", c) != NULL)
		return 4;
	if (c >= 'a' && c <= 'z')
		return 5;
	return (c >= '0' && c <= '9') || strchr(".,-/:<>=\"", c) != NULL ? 5 : 7;
}

static unsigned
rarity(struct str s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += bits((unsigned char)s.p[i]);
	return sum > COMMON_BITS && str_find(STR(common), s) >= 0 ? COMMON_BITS : sum;
}

unsigned
words_rarity(const struct words *w)
{
	uint64_t often = 0;	/* how often any of them comes, in units of 2^-SCALE */

	for (unsigned i = 0; i < w->n; i++) {
		unsigned r = rarity(slice(&w->v[i]));

		often += r < SCALE ? UINT64_C(1) << (SCALE - r) : 1;
	}
	if (often == 0 || often >> SCALE != 0)
		return 0;
	return SCALE - (63 - (unsigned)__builtin_clzll(often));
}
