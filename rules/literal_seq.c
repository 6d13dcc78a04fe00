/*
 * literal_seq.c - sequences, alternatives, groups and quantifiers of a regular
 * expression.
 *
 * Exact pieces that follow each other make longer words; where that ends, the
 * words so far are a set that the pattern needs (literal_need.c).
 */
#include <stdlib.h>
#include <string.h>

#include "literal_int.h"

#define EXACT_MAX	128	/* words of an exact piece */
#define REPEAT_MAX	16

/* ---- Groups ---- */

/* (?i), (?-i:...: what is set; anything else than known letters is in doubt. */
static void
read_options(struct reader *r)
{
	bool on = true;
	int c;

	if (reader_skip(r, "^"))
		r->icase = r->extended = false;
	for (; (c = reader_peek(r, 0)) != ')' && c != ':'; r->i++)
		switch (c) {
		case '-':
			on = false;
			break;
		case 'i':
			r->icase = on;
			break;
		case 'x':
			if (reader_peek(r, 1) == 'x') {
				reader_doubt(r);
				return;
			}
			r->extended = on;
			break;
		case 'm':
		case 's':
		case 'n':
		case 'J':
		case 'U':
			break;
		default:
			reader_doubt(r);
			return;
		}
}

enum group_kind {
	GROUP_PLAIN, GROUP_AHEAD, GROUP_NEVER,
	GROUP_OPTIONS,		/* (?i): nothing in it, its options hold on */
	GROUP_CALL,		/* (?1), (?P=name): nothing in it, may match anything */
	GROUP_DOUBT
};

static enum group_kind
skip_name(struct reader *r, char end)
{
	if (!char_is_alnum(reader_peek(r, 0)) && reader_peek(r, 0) != '_')
		return GROUP_DOUBT;
	reader_skip_to(r, end);
	return GROUP_PLAIN;
}

/* What stands between ( and the group's content. */
static enum group_kind
read_group_start(struct reader *r)
{
	int c;

	if (!reader_skip(r, "?"))
		return reader_at(r, "*") ? GROUP_DOUBT : GROUP_PLAIN;
	if (reader_skip(r, ":") || reader_skip(r, ">") || reader_skip(r, "|"))
		return GROUP_PLAIN;
	if (reader_skip(r, "=") || reader_skip(r, "<="))
		return GROUP_AHEAD;
	if (reader_skip(r, "!") || reader_skip(r, "<!"))
		return GROUP_NEVER;
	if (reader_skip(r, "P=") || reader_skip(r, "P>") || reader_skip(r, "&") || reader_at(r, "R)")) {
		reader_skip_to(r, ')');
		return GROUP_CALL;
	}
	if (reader_skip(r, "P<") || reader_skip(r, "<"))
		return skip_name(r, '>');
	if (reader_skip(r, "'"))
		return skip_name(r, '\'');
	c = reader_peek(r, 0) == '-' || reader_peek(r, 0) == '+' ? reader_peek(r, 1) : reader_peek(r, 0);
	if (char_is_digit(c)) {
		reader_skip_to(r, ')');
		return GROUP_CALL;
	}
	read_options(r);
	if (r->stop)
		return GROUP_DOUBT;
	return reader_skip(r, ":") ? GROUP_PLAIN : GROUP_OPTIONS;
}

static void
read_group(struct reader *r, struct piece *p)
{
	bool icase = r->icase, extended = r->extended;
	enum group_kind kind;

	r->i++;
	kind = read_group_start(r);
	if (kind == GROUP_DOUBT)
		reader_doubt(r);
	if (kind == GROUP_CALL)
		piece_any(p);
	r->whole |= kind == GROUP_CALL || kind == GROUP_OPTIONS;
	if (kind == GROUP_OPTIONS) {
		r->i++;
		piece_empty(p);
	}
	if (r->stop || kind == GROUP_CALL || kind == GROUP_OPTIONS)
		return;
	literal_alternatives(r, p);
	if (!reader_skip(r, ")"))
		reader_doubt(r);
	r->icase = icase;
	r->extended = extended;
	/* What is only looked at takes no room, but must be there. */
	if (kind == GROUP_AHEAD) {
		words_one(&p->exact, STR(""));
		p->run.n = 0;
	}
	if (kind == GROUP_NEVER)
		piece_empty(p);
}

/* ---- Quantifiers ---- */

struct quantifier {
	unsigned	min, max;	/* max REPEAT_MAX + 1: that or more */
};

static unsigned
read_number(struct reader *r)
{
	unsigned n = 0;

	for (; char_is_digit(reader_peek(r, 0)); r->i++)
		if (n <= REPEAT_MAX)
			n = n * 10 + (unsigned)(r->s.p[r->i] - '0');
	return n <= REPEAT_MAX ? n : REPEAT_MAX + 1;
}

/* Comments, and with x blanks; also between an item and its quantifier. */
static void
skip_ignored(struct reader *r)
{
	for (;;) {
		int c = reader_peek(r, 0);

		if (reader_at(r, "(?#"))
			reader_skip_to(r, ')');
		else if (r->extended && c == '#') {
			const char *nl = memchr(r->s.p + r->i, '\n', r->s.n - r->i);

			r->i = nl != NULL ? (size_t)(nl - r->s.p) + 1 : r->s.n;
		} else if (r->extended && c > 0 && strchr(" \t\n\f\r", c) != NULL)
			r->i++;
		else
			return;
	}
}

/* A { that is no quantifier here may be one in another version. */
static bool
read_braces(struct reader *r, struct quantifier *q)
{
	int next = reader_peek(r, 1);

	if (next != ',' && next != ' ' && next != '\t' && !char_is_digit(next))
		return false;
	r->i++;
	if (!char_is_digit(next)) {
		reader_doubt(r);
		return false;
	}
	q->min = q->max = read_number(r);
	if (reader_skip(r, ","))
		q->max = char_is_digit(reader_peek(r, 0)) ? read_number(r) : REPEAT_MAX + 1;
	if (!reader_skip(r, "}"))
		reader_doubt(r);
	return true;
}

static struct quantifier
read_quantifier(struct reader *r)
{
	struct quantifier q = { 1, 1 };

	skip_ignored(r);
	if (reader_at(r, "*") || reader_at(r, "+") || reader_at(r, "?")) {
		q.min = reader_at(r, "+") ? 1 : 0;
		q.max = reader_at(r, "?") ? 1 : REPEAT_MAX + 1;
		r->i++;
	} else if (!reader_at(r, "{") || !read_braces(r, &q))
		return q;
	if (reader_at(r, "+") || reader_at(r, "?"))
		r->i++;		/* possessive or lazy: the same words */
	return q;
}

/* ---- Sequences and alternatives ---- */

/* The words so far are as long as they get. */
static void
close_words(struct piece *seq, const struct words *next)
{
	piece_need(seq, &seq->exact);
	words_copy(&seq->exact, next);
}

static bool
cross(const struct reader *r, struct piece *seq, const struct words *exact)
{
	if (!words_cross(&seq->exact, exact, EXACT_MAX))
		return false;
	if (r->squeezed)
		words_squeeze(&seq->exact);
	return true;
}

/* Puts an item behind a sequence; true if what is exact of it begins anew. */
static bool
append(const struct reader *r, struct piece *seq, const struct words *exact)
{
	static const struct words empty = { 1, { { 0, "" } } };

	if (exact->n == 0) {
		close_words(seq, &empty);
		return true;
	}
	if (words_empty(exact))
		return false;
	if (cross(r, seq, exact))
		return false;
	/* What begins further behind has fewer ways to begin. */
	piece_need(seq, &seq->exact);
	words_endings(&seq->exact);
	if (!cross(r, seq, exact))
		words_copy(&seq->exact, exact);
	return true;
}

/* Are many of it the same as one?  Squeezed, so is a letter. */
static bool
is_idempotent(const struct reader *r, const struct words *w)
{
	return words_empty(w) || (r->squeezed && w->n == 1 && w->v[0].n == 1);
}

/* Behind a sequence an item that often; true if the sequence isn't exact any more. */
static bool
append_repeated(const struct reader *r, struct piece *seq, struct piece *item,
    struct quantifier q)
{
	bool broken = false;

	if (q.max > 0 && is_idempotent(r, &item->exact)) {
		q.min = q.min > 0;
		q.max = 1;
	}
	if (q.min == 0) {
		if (q.max != 1 || item->exact.n == 0 ||
		    !words_add(&item->exact, STR("")) || item->exact.n > EXACT_MAX)
			item->exact.n = 0;
		return append(r, seq, &item->exact);
	}
	for (int i = 0; i < NEEDS; i++)
		piece_need_rare(seq, item->need[i].rarity, &item->need[i].words);
	need_run(&seq->need_run, &item->need_run);
	broken = append(r, seq, &item->exact);
	if (item->exact.n == 0)
		return true;
	for (unsigned k = 1; k < q.min; k++)
		broken |= append(r, seq, &item->exact);
	if (q.max == q.min && q.min <= REPEAT_MAX)
		return broken;
	/* The last of them stands before what follows. */
	close_words(seq, &item->exact);
	return true;
}

static void
read_item(struct reader *r, struct piece *p)
{
	switch (reader_peek(r, 0)) {
	case '(':
		read_group(r, p);
		return;
	case '[':
		literal_class(r, p);
		return;
	case '\\':
		literal_escape(r, p);
		return;
	case '.':
		r->i++;
		piece_any(p);
		return;
	case '^':
	case '$':
		r->i++;
		piece_empty(p);
		return;
	case '*':
	case '+':
	case '?':
		reader_doubt(r);
		return;
	case '{':
		if (char_is_digit(reader_peek(r, 1)) || reader_peek(r, 1) == ',' || reader_peek(r, 1) == ' ')
			reader_doubt(r);
		break;
	}
	if (!r->stop)
		literal_char(r, p);
}

/* \Q...\E: all but the last character, which may have a quantifier. */
static void
read_quoted(struct reader *r, struct frame *f, bool *broken)
{
	bool extended = r->extended;

	r->i += 2;
	if (r->i == r->s.n || reader_at(r, "\\E"))
		reader_doubt(r);
	r->extended = false;
	while (!r->stop && reader_peek(r, 0) >= 0) {
		literal_char(r, &f->item);
		if (r->i == r->s.n || reader_skip(r, "\\E"))
			break;
		*broken |= append(r, &f->seq, &f->item.exact);
		frame_run(f, 1);
	}
	r->extended = extended;
}

/* Up to | or ) or the end, into f->seq. */
static void
read_sequence(struct reader *r, struct frame *f)
{
	struct quantifier q;
	bool broken = false;

	piece_empty(&f->seq);
	f->run.n = 0;
	f->pure = true;
	for (;;) {
		skip_ignored(r);
		if (r->stop || r->i == r->s.n || reader_at(r, "|") || reader_at(r, ")"))
			break;
		if (r->depth == 1 && r->ncuts < CUTS_MAX)
			r->cuts[r->ncuts++] = r->i;
		if (reader_at(r, "\\Q"))
			read_quoted(r, f, &broken);
		else
			read_item(r, &f->item);
		if (r->stop)
			break;
		q = read_quantifier(r);
		frame_run(f, q.min);
		broken |= append_repeated(r, &f->seq, &f->item, q);
	}
	piece_need(&f->seq, &f->seq.exact);
	need_run(&f->seq.need_run, &f->run);
	if (f->pure)
		f->seq.run = f->run;
	if (broken)
		f->seq.exact.n = 0;
}

static void
unite(struct piece *all, const struct piece *one)
{
	if (all->exact.n > 0 && (one->exact.n == 0 ||
	    !words_unite(&all->exact, &one->exact, EXACT_MAX)))
		all->exact.n = 0;
	piece_unite_needs(all, one);
}

void
literal_alternatives(struct reader *r, struct piece *out)
{
	struct frame *f;

	if (r->depth == LITERAL_DEPTH) {
		reader_doubt(r);
		return;
	}
	if ((f = reader_frame(r, r->depth)) == NULL) {
		reader_doubt(r);
		return;
	}
	r->depth++;
	read_sequence(r, f);
	piece_copy(&f->all, &f->seq);
	while (!r->stop && reader_skip(r, "|")) {
		r->whole |= r->depth == 1;
		read_sequence(r, f);
		unite(&f->all, &f->seq);
	}
	r->depth--;
	if (!r->stop)
		piece_copy(out, &f->all);
}
