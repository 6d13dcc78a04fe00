/*
 * literal_int.h - what literal_of.c and literal_item.c share.
 */
#ifndef RULES_LITERAL_INT_H
#define RULES_LITERAL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "str.h"
#include "words.h"

/* exact n 0: anything may stand there; need n 0: nothing must. */
struct piece {
	struct words	exact, need;
};

#define LITERAL_DEPTH	40

struct arena;
struct frame;

struct reader {
	struct str	s;
	size_t		i;
	struct arena	*arena;
	struct frame	*frames[LITERAL_DEPTH];
	int		depth;
	bool		text, icase, extended;
	bool		stop;		/* in doubt, or out of memory */
};

static inline void
reader_doubt(struct reader *r)
{
	r->stop = true;
	r->i = r->s.n;
}

/* The octet that many places on, or -1. */
static inline int
reader_peek(const struct reader *r, size_t on)
{
	return r->s.n - r->i > on ? (unsigned char)r->s.p[r->i + on] : -1;
}

static inline bool
reader_at(const struct reader *r, const char *word)
{
	size_t n = strlen(word);

	return r->s.n - r->i >= n && memcmp(r->s.p + r->i, word, n) == 0;
}

/* Past the word, if it is there. */
static inline bool
reader_skip(struct reader *r, const char *word)
{
	if (!reader_at(r, word))
		return false;
	r->i += strlen(word);
	return true;
}

/* Past the next such octet. */
static inline void
reader_skip_to(struct reader *r, char end)
{
	const char *p = memchr(r->s.p + r->i, end, r->s.n - r->i);

	if (p == NULL)
		reader_doubt(r);
	else
		r->i = (size_t)(p - r->s.p) + 1;
}

static inline bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alnum(int c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static inline void
piece_any(struct piece *p)
{
	p->exact.n = p->need.n = 0;
}

static inline void
piece_empty(struct piece *p)
{
	words_one(&p->exact, STR(""));
	p->need.n = 0;
}

/* Each reads what begins at r->i: a character, \..., [...]. */
void literal_char(struct reader *r, struct piece *p);
void literal_escape(struct reader *r, struct piece *p);
void literal_class(struct reader *r, struct piece *p);

#endif
