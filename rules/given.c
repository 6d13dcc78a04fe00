/*
 * given.c - what a test states instead of what a getter would find.
 *
 * Values of one fact are given one by one, in their order.  Of a thing with parts
 * (attachments, say) the first value of each fact is the first part's, the second
 * the second's; whoever states one fact of such a thing has stated all there is
 * of it, so that nothing of the message comes in between.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "facts_get.h"

static bool
is_of(const struct given *g, const struct fact *f, struct str key)
{
	return g->fact == f && str_ieq(g->key, key);
}

/* The number-th that is given of the fact, or NULL. */
static const struct given *
find(const struct mail *m, const struct fact_ref *ref, size_t number)
{
	for (size_t i = 0; i < m->ngiven; i++)
		if (is_of(&m->given[i], ref->fact, ref->key) && number-- == 0)
			return &m->given[i];
	return NULL;
}

static size_t
count(const struct mail *m, const struct fact *f, struct str key)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ngiven; i++)
		n += is_of(&m->given[i], f, key) && !m->given[i].unset;
	return n;
}

/* Recipients are named by the test itself, so what is given of them holds for each. */
static bool
has_parts(enum thing t)
{
	return t != THING_NONE && t != THING_RCPT;
}

enum fact_status
given_parts(const struct mail *m, enum thing t, size_t *n, enum error_class *error)
{
	enum fact_status s = FACT_PENDING;

	*n = 0;
	for (size_t i = 0; has_parts(t) && i < m->ngiven; i++) {
		const struct given *g = &m->given[i];
		size_t values;

		if (g->fact->thing != t)
			continue;
		if (g->failed) {
			*error = g->error;
			return FACT_ERROR;
		}
		s = FACT_KNOWN;
		if ((values = count(m, g->fact, g->key)) > *n)
			*n = values;
	}
	return s;
}

/* Of a fact that is not given itself: of a thing that is, or how many parts there are. */
static enum fact_status
beside(const struct mail *m, const struct fact *f, struct answer *out)
{
	for (enum thing t = 0; t < THING_COUNT; t++) {
		struct str name = str_of(things[t].name), full = str_of(f->name);
		bool is_count = full.n == name.n + 6 && str_istarts(full, name) &&
		    str_iends(full, STR(".count"));
		enum fact_status s;
		size_t n;

		if (f->thing != t && !is_count)
			continue;
		if ((s = given_parts(m, t, &n, &out->error)) != FACT_KNOWN)
			return s;
		return is_count ? answer_number(out, (int64_t)n) : FACT_UNSET;
	}
	return FACT_PENDING;
}

enum fact_status
given_answer(const struct mail *m, const struct fact_ref *ref, struct answer *out)
{
	const struct given *g;
	struct value *v;
	ptrdiff_t at;
	size_t n;

	if (m->ngiven == 0)
		return FACT_PENDING;
	if ((g = find(m, ref, 0)) == NULL)
		return beside(m, ref->fact, out);
	if (g->failed) {
		out->error = g->error;
		return FACT_ERROR;
	}
	if (g->unset)
		return FACT_UNSET;
	at = has_parts(ref->fact->thing) ? m->thing[ref->fact->thing] : -1;
	if (at >= 0 && (g = find(m, ref, (size_t)at)) == NULL)
		return FACT_UNSET;
	out->one = g->value;
	out->v = &out->one;
	out->n = 1;
	if (at >= 0 || (n = count(m, ref->fact, ref->key)) == 1)
		return FACT_KNOWN;
	if ((v = arena_array(m->arena, n, sizeof(*v))) == NULL)
		return FACT_KNOWN;	/* the arena remembers that it failed */
	for (size_t i = 0; i < n; i++)
		v[i] = find(m, ref, i)->value;
	out->v = v;
	out->n = n;
	return FACT_KNOWN;
}
