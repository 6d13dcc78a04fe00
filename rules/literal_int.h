/*
 * literal_int.h - what the files of literal_of.c share.
 */
#ifndef RULES_LITERAL_INT_H
#define RULES_LITERAL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "literal_of.h"
#include "str.h"
#include "words.h"

/* Some that a match needs one of, and how rare they are. */
struct need {
	unsigned	rarity;
	struct words	words;
};

#define NEEDS	2	/* the rarest, and the next */

/* exact n 0: anything may stand there; need and run: rarity or n 0: nothing must. */
struct piece {
	struct words	exact;
	struct need	need[NEEDS];
	struct run	run;		/* all of it is such a run, of no fewer octets; n 0: it isn't */
	struct run	need_run;
};

#define LITERAL_DEPTH	40

/* What a group is read with; kept for the next of that depth. */
struct frame {
	struct piece	seq, item, all;
	struct run	run;		/* what the sequence ends with; n 0: no run */
	bool		pure;		/* and it is nothing else */
};

/* Memory to read patterns with, which the next one uses again. */
struct room {
	struct piece	plain, letters;	/* what was found */
	struct frame	*frames[LITERAL_DEPTH];
};

struct reader {
	struct str	s;
	size_t		i;
	struct room	*room;
	int		depth;
	bool		text, icase, extended;
	bool		squeezed;	/* words are what letters_squeeze() leaves of them */
	bool		stop;		/* in doubt, or out of memory */
	bool		failed;		/* out of memory */
	bool		whole;		/* it makes sense as a whole only */
	size_t		cuts[CUTS_MAX];	/* where the items of a pattern without | begin */
	unsigned	ncuts;
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

static inline void
piece_any(struct piece *p)
{
	p->exact.n = 0;
	p->run = p->need_run = (struct run){ .n = 0 };
	for (int i = 0; i < NEEDS; i++)
		p->need[i].rarity = 0;
}

static inline void
piece_empty(struct piece *p)
{
	piece_any(p);
	words_one(&p->exact, STR(""));
}

/* Room for a group of that depth, made once; NULL without memory. */
struct frame *reader_frame(struct reader *r, int depth);

/* Up to ) or the end. */
void literal_alternatives(struct reader *r, struct piece *out);

/* ---- literal_need.c ---- */

void piece_copy(struct piece *to, const struct piece *from);

/* The piece needs one of those words, too; rarity: words_rarity() of them. */
void piece_need(struct piece *p, const struct words *w);
void piece_need_rare(struct piece *p, unsigned rarity, const struct words *w);

/* How rare it is, in tenths of a bit; and the rarer of the two into need. */
unsigned run_rarity(const struct run *run);
void need_run(struct run *need, const struct run *run);

/* Behind f->seq stands f->item, that often at least. */
void frame_run(struct frame *f, unsigned min);

/* One or the other: what both need. */
void piece_unite_needs(struct piece *all, const struct piece *one);

/* ---- literal_item.c ---- */

/* Each reads what begins at r->i, a character, \..., [...], and says what it may be. */
void literal_char(struct reader *r, struct piece *p);
void literal_escape(struct reader *r, struct piece *p);
void literal_class(struct reader *r, struct piece *p);

#endif
