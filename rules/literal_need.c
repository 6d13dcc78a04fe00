/*
 * literal_need.c - what is kept of the words and runs that a pattern needs.
 *
 * While literal_seq.c reads a sequence, it finds one after another; the rarest
 * words and the rarest run stay.  How rare they are is a guess, from how often
 * mail has each letter: a bad one costs time.
 */
#include "literal_int.h"

#define RUN_MAX		1000	/* octets, to keep them countable */

static void
need_copy(struct need *to, const struct need *from)
{
	to->rarity = from->rarity;
	if (from->rarity > 0)
		words_copy(&to->words, &from->words);
}

void
piece_copy(struct piece *to, const struct piece *from)
{
	words_copy(&to->exact, &from->exact);
	for (int i = 0; i < NEEDS; i++)
		need_copy(&to->need[i], &from->need[i]);
	to->run = from->run;
	to->need_run = from->need_run;
}

/* Keeps the rarest; what a group needs may be found again as its words. */
void
piece_need_rare(struct piece *p, unsigned rarity, const struct words *w)
{
	int at = NEEDS;

	for (int i = 0; i < NEEDS; i++)
		if (p->need[i].rarity == rarity && words_same(&p->need[i].words, w))
			return;
	while (at > 0 && rarity > p->need[at - 1].rarity)
		at--;
	if (at == NEEDS)
		return;
	for (int i = NEEDS - 1; i > at; i--)
		need_copy(&p->need[i], &p->need[i - 1]);
	p->need[at].rarity = rarity;
	words_copy(&p->need[at].words, w);
}

void
piece_need(struct piece *p, const struct words *w)
{
	unsigned rarity = words_rarity(w);

	if (rarity > 0)
		piece_need_rare(p, rarity, w);
}

/* ---- Runs ---- */

/* How rare it is, in tenths of a bit. */
unsigned
run_rarity(const struct run *run)
{
	unsigned tenths = 0;

	if (run->n == 0)
		return 0;
	for (unsigned share = run_share(run); share < 1000; share = share * 107 / 100 + 1)
		tenths++;
	return tenths * run->n;
}

void
need_run(struct run *need, const struct run *run)
{
	unsigned kinds = (unsigned)(__builtin_popcountll(run->ascii[0]) + __builtin_popcountll(run->ascii[1]));

	/* Single characters are for words to find, and so are those of a kind. */
	if ((run->high || (run->n > 1 && kinds > 2)) && run_rarity(run) > run_rarity(need))
		*need = *run;
}

static bool
run_same(const struct run *a, const struct run *b)
{
	return a->ascii[0] == b->ascii[0] && a->ascii[1] == b->ascii[1] && a->high == b->high;
}

/* Behind the sequence stands what is no run. */
static void
run_break(struct frame *f)
{
	need_run(&f->seq.need_run, &f->run);
	f->run.n = 0;
	f->pure = false;
}

/* Behind the sequence stands f->item, that often at least. */
void
frame_run(struct frame *f, unsigned min)
{
	struct run run = f->item.run;

	if (words_empty(&f->item.exact))
		return;		/* it takes no room */
	if (run.n == 0 || min == 0) {
		run_break(f);
		return;
	}
	run.n = run.n * min < RUN_MAX ? run.n * min : RUN_MAX;
	if (f->run.n > 0 && run_same(&f->run, &run)) {
		f->run.n = f->run.n + run.n < RUN_MAX ? f->run.n + run.n : RUN_MAX;
		return;
	}
	if (f->run.n > 0)
		run_break(f);
	f->run = run;
}

/* One or the other. */
static void
unite_runs(struct piece *all, const struct piece *one)
{
	if (all->run.n > 0 && one->run.n > 0) {
		all->run.ascii[0] |= one->run.ascii[0];
		all->run.ascii[1] |= one->run.ascii[1];
		all->run.high |= one->run.high;
		all->run.n = all->run.n < one->run.n ? all->run.n : one->run.n;
	} else
		all->run.n = 0;
	if (all->need_run.n > one->need_run.n)
		all->need_run.n = one->need_run.n;
	if (!run_same(&all->need_run, &one->need_run))
		all->need_run.n = 0;
}

void
piece_unite_needs(struct piece *all, const struct piece *one)
{
	/* Where there is but one set, it stands for the next as well. */
	if (all->need[1].rarity == 0)
		need_copy(&all->need[1], &all->need[0]);
	for (int i = 0; i < NEEDS; i++) {
		struct need *n = &all->need[i];
		const struct need *more = &one->need[one->need[i].rarity > 0 ? i : 0];

		n->rarity = n->rarity > 0 && more->rarity > 0 &&
		    words_unite(&n->words, &more->words, WORDS_MAX) ? words_rarity(&n->words) : 0;
	}
	if (all->need[0].rarity < all->need[1].rarity) {
		need_copy(&all->need[0], &all->need[1]);
		all->need[1].rarity = 0;
	}
	unite_runs(all, one);
}
