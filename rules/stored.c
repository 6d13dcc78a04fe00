/*
 * stored.c - facts that are remembered from one message to the next: rate and
 * greylist.
 *
 * Both change what they ask, so when they are asked is part of their meaning
 * (postern-rules(5), MEMORY).  A rate counts as soon as its key is known, once
 * for each expression, whether or not a rule comes to it: so the count of one
 * rule doesn't hang on what stands above.  greylist is asked last, where the
 * reading has come to its rule at RCPT and the store alone decides the
 * condition: whoever is refused anyway leaves no trace.
 *
 * How counts and triplets are kept is the filter's business, behind mail_ops.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "fold.h"

#define ROOM	256	/* where most keys are put together */

struct counted {
	bool		 done;
	enum fact_status status;
	enum error_class error;
	uint64_t	 n;
};

enum grey { GREY_OPEN, GREY_UNSET, GREY_DELAY, GREY_PASS, GREY_ERROR };

/* What the store said about the message, or about a recipient. */
struct stored {
	struct counted	*rates;		/* by the place of the expression in the program */
	enum grey	 grey;
	enum error_class error;
};

static struct stored *
stored_of(struct rules_state *st, bool per_rcpt)
{
	struct stored **at = per_rcpt ? &st->m->rcpt->stored : &st->stored, *s;

	if (*at != NULL)
		return *at;
	if ((s = arena_new_object(st->m->arena, struct stored)) == NULL ||
	    (s->rates = arena_array(st->m->arena, st->rs->prog.nrates + 1,
	    sizeof(*s->rates))) == NULL) {
		st->failed = true;
		return NULL;
	}
	return *at = s;
}

/* ---- rate ---- */

/* Appends a fact's value so that no other values look the same. */
static enum fact_status
add_value(struct rules_state *st, const struct fact_ref *ref, struct strbuf *key,
    struct answer *out)
{
	char text_room[ROOM], folded_room[ROOM];
	struct strbuf text = STRBUF_IN(text_room), folded = STRBUF_IN(folded_room);
	enum fact_status s;
	struct answer a;

	if ((s = eval_fact(st, ref, &a)) != FACT_KNOWN) {
		out->error = a.error;
		return s;
	}
	if (a.n == 0)
		return FACT_UNSET;
	type_print(ref->fact->type, &a.v[0], &text);
	fold_add(&folded, strbuf_slice(&text));
	strbuf_printf(key, "\n%zu:", folded.n);
	strbuf_add(key, folded.p, folded.n);
	key->failed |= text.failed || folded.failed;
	strbuf_free(&text);
	strbuf_free(&folded);
	return FACT_KNOWN;
}

/* The expression itself, and the values of the facts in its key. */
static enum fact_status
make_key(struct rules_state *st, const struct fact_ref *ref, struct strbuf *key,
    struct answer *out)
{
	enum fact_status s = FACT_KNOWN;

	strbuf_str(key, st->rs->prog.rates[ref->rate].key);
	for (const struct part *p = ref->key_text->parts; p != NULL && s == FACT_KNOWN; p = p->next)
		if (p->kind == PART_FACT)
			s = add_value(st, &p->fact, key, out);
	if (s == FACT_KNOWN && key->failed) {
		st->failed = true;
		out->error = ERR_STORE;
		s = FACT_ERROR;
	}
	return s;
}

static void
count(struct rules_state *st, const struct fact_ref *ref, struct counted *c)
{
	struct rate_query q = { .limit = ref->limit->value.n, .window = ref->window->value.n };
	char room[ROOM];
	struct strbuf key = STRBUF_IN(room);
	struct answer a = { .n = 0 };
	enum fact_status s;

	s = make_key(st, ref, &key, &a);
	q.key = strbuf_slice(&key);
	if (s == FACT_KNOWN && (st->m->ops == NULL || st->m->ops->rate == NULL))
		s = FACT_UNSET;
	else if (s == FACT_KNOWN) {
		a.error = ERR_STORE;
		s = st->m->ops->rate(st->m, &q, &c->n);
	}
	strbuf_free(&key);
	c->done = s != FACT_PENDING;
	c->status = s;
	c->error = a.error;
}

/* Where the answer to this expression is kept; NULL without memory. */
static struct counted *
counted_of(struct rules_state *st, const struct fact_ref *ref)
{
	struct stored *s = stored_of(st, ref->scope == P_RCPT);

	return s != NULL ? &s->rates[ref->rate] : NULL;
}

static enum fact_status
answer_rate(struct rules_state *st, const struct fact_ref *ref, struct answer *out)
{
	struct counted *c;

	if (ref->scope == P_RCPT && st->m->rcpt == NULL)
		return FACT_PENDING;
	if ((c = counted_of(st, ref)) == NULL)
		return FACT_UNSET;
	if (!c->done)
		count(st, ref, c);
	out->error = c->error;
	out->one.b = c->n > (uint64_t)ref->limit->value.n;
	out->v = &out->one;
	out->n = 1;
	return c->status;
}

/*
 * A refused recipient counts as it did when it came.  One that would be split in mode monitor
 * counts after the others, since it would come again after them.
 */
static void
count_recipients(struct rules_state *st, const struct fact_ref *ref, bool split)
{
	struct mail *m = st->m;
	struct answer a;

	for (size_t k = m->stage == S_RCPT && m->nrcpts > 0 ? m->nrcpts - 1 : 0; k < m->nrcpts; k++) {
		m->rcpt = m->rcpts[k];
		if ((m->rcpt->would == RCPT_SPLIT) == split && (ref->stage <= S_RCPT ||
		    (m->rcpt->state == RCPT_OPEN && m->rcpt->would != RCPT_REFUSED)))
			(void)eval_fact(st, ref, &a);
	}
	m->rcpt = NULL;
}

/*
 * From RCPT on lookups for a key are waited for, so that the count doesn't
 * hang on how fast a name server is.
 */
void
stored_count(struct rules_state *st)
{
	const struct program *p = &st->rs->prog;
	struct mail *m = st->m;
	struct answer a;

	m->may_wait = m->stage >= S_RCPT;
	for (size_t i = 0; i < p->nrates; i++) {
		const struct fact_ref *ref = p->rates[i].ref;

		if (ref->stage > m->stage)
			continue;
		if (ref->scope != P_RCPT) {
			(void)eval_fact(st, ref, &a);
			continue;
		}
		count_recipients(st, ref, false);
		count_recipients(st, ref, true);
	}
	m->may_wait = false;
}

void
stored_print(struct rules_state *st, const struct fact_ref *ref, struct strbuf *b)
{
	const struct counted *c;

	if ((ref->fact->flags & F_RATE) == 0 ||
	    (ref->scope == P_RCPT && st->m->rcpt == NULL) ||
	    (c = counted_of(st, ref)) == NULL || !c->done || c->status != FACT_KNOWN)
		return;
	strbuf_printf(b, " (%llu in " STR_FMT ")", (unsigned long long)c->n,
	    STR_ARG(ref->window->text));
}

/* ---- greylist ---- */

static enum fact_status
answer_greylist(struct rules_state *st, struct answer *out)
{
	struct stored *s;

	if (st->m->rcpt == NULL)
		return FACT_PENDING;
	if ((s = stored_of(st, true)) == NULL)
		return FACT_UNSET;
	out->error = s->error;
	out->one.b = s->grey == GREY_DELAY;
	out->v = &out->one;
	out->n = 1;
	return s->grey == GREY_OPEN ? FACT_PENDING : s->grey == GREY_UNSET ? FACT_UNSET :
	    s->grey == GREY_ERROR ? FACT_ERROR : FACT_KNOWN;
}

enum fact_status
stored_answer(struct rules_state *st, const struct fact_ref *ref, struct answer *out)
{
	if (ref->fact->flags & F_RATE)
		return answer_rate(st, ref, out);
	return answer_greylist(st, out);
}

/* Has the sender's domain vouched for the client?  Then *domain is that domain. */
static enum fact_status
vouched(struct rules_state *st, struct str *domain)
{
	struct fact_ref ref = { .fact = fact_find(STR("spf")), .stage = S_MAIL, .scope = P_MSG };
	const struct mail *m = st->m;
	enum fact_status s;
	struct answer a;

	*domain = STR_NONE;
	if (st->rs->settings.greylist_spf != SET_ON)
		return FACT_UNSET;
	s = eval_fact(st, &ref, &a);
	if (s == FACT_KNOWN && a.v->n == SPF_R_PASS)
		*domain = m->sender.domain.n > 0 ? m->sender.domain : m->helo;
	return s;
}

static void
ask_greylist(struct rules_state *st, struct recipient *r, struct stored *s)
{
	struct mail *m = st->m;
	struct greylist_query q = { .rcpt = r };
	bool delay = false;

	/* Who can't try again, or came from nowhere, isn't delayed. */
	if (!m->by_smtp || !m->has_ip || m->ops == NULL || m->ops->greylist == NULL) {
		s->grey = GREY_UNSET;
		return;
	}
	if (vouched(st, &q.spf_domain) == FACT_PENDING)
		return;
	switch (m->ops->greylist(m, &q, &delay)) {
	case FACT_KNOWN:
		s->grey = delay ? GREY_DELAY : GREY_PASS;
		break;
	case FACT_UNSET:
	case FACT_PENDING:
		s->grey = GREY_UNSET;
		break;
	case FACT_ERROR:
		s->grey = GREY_ERROR;
		s->error = ERR_STORE;
		break;
	}
}

static outcome
suppose(struct rules_state *st, struct reading *rd, size_t i, struct stored *s, enum grey grey)
{
	outcome o;

	s->grey = grey;
	st->supposing = true;
	o = eval_rule(st, rd, i);
	st->supposing = false;
	s->grey = GREY_OPEN;
	return o;
}

outcome
stored_greylist(struct rules_state *st, struct reading *rd, size_t i)
{
	struct recipient *saved = st->m->rcpt;
	outcome delayed, passed;
	struct stored *s;

	if (rd->r == NULL)
		return O_PENDING;
	st->m->rcpt = rd->r;
	s = stored_of(st, true);
	st->m->rcpt = saved;
	if (s == NULL || s->grey != GREY_OPEN)
		return eval_rule(st, rd, i);
	delayed = suppose(st, rd, i, s, GREY_DELAY);
	passed = suppose(st, rd, i, s, GREY_PASS);
	if (!o_decided(delayed) || !o_decided(passed))
		return O_PENDING;
	/* Beside an error it isn't asked, either: what isn't known doesn't mend what failed. */
	if (delayed == passed || (delayed != O_TRUE && passed != O_TRUE))
		return eval_settle(st, rd, i, delayed & O_ERROR ? delayed : passed);
	st->m->rcpt = rd->r;
	ask_greylist(st, rd->r, s);
	st->m->rcpt = saved;
	return eval_rule(st, rd, i);
}

void
stored_close(struct rules_state *st, struct recipient *r)
{
	struct recipient *saved = st->m->rcpt;
	struct stored *s;

	if (!st->rs->prog.greylists)
		return;
	st->m->rcpt = r;
	if ((s = stored_of(st, true)) != NULL && s->grey == GREY_OPEN)
		s->grey = GREY_UNSET;
	st->m->rcpt = saved;
}
