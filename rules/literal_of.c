/*
 * literal_of.c - what any match of a regular expression must hold.
 *
 * A thousand patterns are too many to try on a body one by one, a thousand
 * words can be looked for at once.  So each pattern is read for words of which
 * every match holds one: /\bv[i1]agra\b/ needs "viagra" or "v1agra".
 *
 * A pattern is a sequence of pieces.  A piece is known exactly, as a
 * small set of words, or not at all; the exact ones that follow each other make longer
 * words.  Where that ends, the words so far are one set that the pattern needs; the rarest
 * two stay.  Alternatives need one of all their words.
 *
 * Patterns against words in disguise, /v[\W_]*[i1!][\W_]*a.../, have no words.  So
 * where the first reading finds little, a second one reads what the pattern needs of
 * the subject's letters and digits alone, without repetitions: there \W and \s are
 * nothing, and l+ is l.
 *
 * Others need many characters of a kind in a row, like /[A-Z]{16}/; and of those
 * of which all this tells little, the places are told where they can be cut, for regex.c to
 * look for a part of them first.
 *
 * Whoever adds to this: a word too many only costs time, a word that a match
 * can do without loses mail's verdict.  What isn't surely understood, in
 * any version of PCRE2, ends the reading with no words at all (doubt()).
 */
#include "literal_of.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "literal_int.h"

#define RARITY_MIN	9	/* below it the words are in every other message */
#define RARITY_LEAST	7	/* what must do where nothing else is known */
#define RARITY_SURE	20	/* with less, a subject may well have them by chance */
#define RARITY_ENOUGH	36	/* from so many on, they are in hardly any */
#define RARITY_MORE	3	/* what words among letters alone must be rarer, to be looked for too */
#define RUN_RARITY_MIN	60	/* tenths of a bit */

#define SPARE_DEPTH	3	/* of groups that room is kept for */

static int
keep(struct arena *a, const struct words *w, struct literals *out)
{
	struct str *v;

	if ((v = arena_array(a, w->n, sizeof(*v))) == NULL)
		return -1;
	for (unsigned i = 0; i < w->n; i++)
		if ((v[i] = str_dup(a, (struct str){ w->v[i].p, w->v[i].n })).p == NULL)
			return -1;
	out->v = v;
	out->n = w->n;
	return 0;
}

/*
 * Room is large, and little of it is used: so it isn't cleared, and not given back
 * between thousands of patterns.
 */
static _Atomic(struct room *) spare;

static void
room_free(struct room *room)
{
	for (int i = 0; room != NULL && i < LITERAL_DEPTH; i++)
		free(room->frames[i]);
	free(room);
}

static struct room *
room_take(void)
{
	struct room *room = atomic_exchange(&spare, NULL);

	return room != NULL ? room : calloc(1, sizeof(*room));
}

static void
room_give(struct room *room)
{
	for (int i = SPARE_DEPTH; room != NULL && i < LITERAL_DEPTH; i++) {
		free(room->frames[i]);
		room->frames[i] = NULL;
	}
	room_free(atomic_exchange(&spare, room));
}

struct frame *
reader_frame(struct reader *r, int depth)
{
	struct frame *f = r->room->frames[depth];

	if (f != NULL)
		return f;
	if ((f = malloc(sizeof(*f))) == NULL) {
		r->failed = true;
		return NULL;
	}
	piece_any(&f->seq);
	piece_any(&f->item);
	piece_any(&f->all);
	return r->room->frames[depth] = f;
}

/* Reads the pattern in one of the two ways; 0, or -1 without memory. */
static int
read_pattern(struct reader *r, struct str flags, bool squeezed, struct piece *out)
{
	r->i = 0;
	r->depth = 0;
	r->ncuts = 0;
	r->stop = r->whole = false;
	r->squeezed = squeezed;
	r->icase = memchr(flags.n > 0 ? flags.p : "", 'i', flags.n) != NULL;
	r->extended = memchr(flags.n > 0 ? flags.p : "", 'x', flags.n) != NULL;
	literal_alternatives(r, out);
	if (r->stop || r->i != r->s.n)
		piece_any(out);
	return r->failed ? -1 : 0;
}

/* Keeps those words that are rare enough, and more so than others that are kept; bits: of all. */
static int
keep_needs(struct arena *a, struct piece *p, bool letters, unsigned least, unsigned *bits,
    struct needed *out)
{
	for (int i = 0; i < NEEDS && *bits < RARITY_ENOUGH; i++) {
		struct clause *c = &out->clauses[out->n];

		if (p->need[i].rarity < least ||
		    (i > 0 && words_same(&p->need[i].words, &p->need[0].words)))
			continue;
		words_reduce(&p->need[i].words);
		if (keep(a, &p->need[i].words, &c->words) != 0)
			return -1;
		c->letters = letters;
		out->n++;
		*bits += p->need[i].rarity;
	}
	return 0;
}

/* The first is the pattern itself. */
static int
keep_cuts(struct arena *a, const struct reader *r, struct needed *out)
{
	size_t *v;

	if (r->stop || r->whole || r->ncuts < 2)
		return 0;
	if ((v = arena_array(a, r->ncuts - 1, sizeof(*v))) == NULL)
		return -1;
	memcpy(v, r->cuts + 1, (r->ncuts - 1) * sizeof(*v));
	out->cuts = v;
	out->ncuts = r->ncuts - 1;
	return 0;
}

int
literal_of(struct arena *a, struct str pattern, struct str flags, bool bytes,
    struct needed *out)
{
	struct reader r = { .s = pattern, .text = !bytes };
	struct piece *plain, *letters;
	unsigned bits = 0;
	int result = -1;

	memset(out, 0, sizeof(*out));
	out->text = !bytes;
	if ((r.room = room_take()) == NULL)
		return -1;
	plain = &r.room->plain;
	letters = &r.room->letters;
	if (read_pattern(&r, flags, false, plain) != 0 ||
	    keep_needs(a, plain, false, RARITY_MIN, &bits, out) != 0)
		goto out;
	if (bits < RARITY_ENOUGH && (read_pattern(&r, flags, true, letters) != 0 ||
	    keep_needs(a, letters, true, out->n == 0 ? RARITY_LEAST :
	    plain->need[0].rarity + RARITY_MORE, &bits, out) != 0))
		goto out;
	if (bits < RARITY_ENOUGH && run_rarity(&plain->need_run) >= RUN_RARITY_MIN)
		out->run = plain->need_run;
	if (bits < RARITY_SURE && keep_cuts(a, &r, out) != 0)
		goto out;
	result = 0;
out:
	room_give(r.room);
	return result;
}
