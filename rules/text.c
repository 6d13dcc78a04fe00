/*
 * text.c - the texts of replies, headers and log lines, with facts filled in.
 *
 * What mail brings goes in as a value, never as text to be expanded again,
 * cut at VALUE_MAX, and clean for its use: replies are printable ASCII (RFC 5321,
 * 4.2), header values and log lines UTF-8 without control characters.  A list's value
 * is the one that made the rule true, else the first; unset is empty; an
 * error is its word.  What a list says of the value that was looked up in it
 * is the operator's own text, and longer.
 */
#include "eval.h"

#include <string.h>

#include "arena.h"
#include "regex.h"
#include "tables.h"

#define VALUE_MAX	200	/* octets of one value */
#define LINE_MAX_OCTETS	900	/* of a reply; libmilter takes 980 */
#define TABLE_TEXT_MAX	LINE_MAX_OCTETS	/* a list's text is the operator's own */
#define ROOM		256	/* where most of them are put together */

static void
add_clean(struct strbuf *b, struct str s, size_t max, enum text_use use)
{
	size_t i = 0, len;

	while (i < s.n && i < max) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c < 0x7f) {
			strbuf_putc(b, (char)c);
			i++;
			continue;
		}
		len = utf8_len((struct str){ s.p + i, s.n - i });
		if (c < 0x80 || len == 0) {
			strbuf_putc(b, c < 0x80 && use != TEXT_REPLY ? ' ' : '?');
			i++;
		} else if (use == TEXT_REPLY) {
			strbuf_putc(b, '?');
			i += len;
		} else {
			if (i + len > max)
				break;
			strbuf_add(b, s.p + i, len);
			i += len;
		}
	}
}

static bool
same_fact(const struct fact_ref *a, const struct fact_ref *b)
{
	return a->fact == b->fact && str_ieq(a->key, b->key);
}

/* A comparison of this fact, not under not, that picks out one of its values. */
static const struct cond *
witness_of(const struct cond *c, const struct fact_ref *ref)
{
	if (c == NULL || c->kind == COND_NOT || c->kind == COND_HAS)
		return NULL;
	if (c->kind == COND_CMP)
		return same_fact(&c->fact, ref) && c->op != OP_SET && !c->negated ? c : NULL;
	for (const struct cond *k = c->child; k != NULL; k = k->next) {
		const struct cond *w = witness_of(k, ref);

		if (w != NULL)
			return w;
	}
	return NULL;
}

static const struct value *
value_of(const struct table_view *lists, const struct cond *cond, const struct fact_ref *ref,
    const struct answer *a)
{
	const struct cond *w;

	if (a->n == 0)
		return NULL;
	if (a->n > 1 && (w = witness_of(cond, ref)) != NULL)
		for (size_t i = 0; i < a->n; i++)
			if (eval_compare(lists, w, &a->v[i], NULL) > 0)
				return &a->v[i];
	return &a->v[0];
}

static void
add_fact(struct rules_state *st, struct reading *rd, size_t rule, const struct fact_ref *ref,
    struct strbuf *b, enum text_use use)
{
	char room[ROOM];
	struct strbuf one = STRBUF_IN(room);
	const struct value *v;
	struct answer a;

	if (ref->fact->flags & F_OWN) {
		struct score_range s = eval_score(st, rd, rule);

		if (s.lo != s.hi)
			strbuf_puts(b, "error");
		else
			strbuf_printf(b, "%lld", (long long)s.base);
		return;
	}
	switch (eval_fact(st, ref, &a)) {
	case FACT_ERROR:
		strbuf_puts(b, "error");
		return;
	case FACT_KNOWN:
		break;
	case FACT_UNSET:
	case FACT_PENDING:
		return;
	}
	if ((v = value_of(st->lists, st->rs->prog.rules[rule].rule->cond, ref, &a)) == NULL)
		return;
	type_print(ref->fact->type, v, &one);
	add_clean(b, strbuf_slice(&one), VALUE_MAX, use);
	b->failed |= one.failed;
	strbuf_free(&one);
}

static bool
capture_from_values(struct rules_state *st, const struct cond *c, struct captures *caps)
{
	struct answer a;

	if (eval_fact(st, &c->fact, &a) == FACT_KNOWN)
		for (size_t i = 0; i < a.n; i++)
			if (eval_compare(st->lists, c, &a.v[i], caps) > 0)
				return true;
	return false;
}

/* From the first that matches, of those that the comparison is about. */
static bool
capture(struct rules_state *st, const struct cond *c, struct captures *caps)
{
	struct mail *m = st->m;
	struct recipient *saved = m->rcpt;
	bool found = false;

	if (!cond_is_of_all(c))
		return capture_from_values(st, c, caps);
	for (size_t i = 0; i < m->nrcpts && !found; i++) {
		if (rcpt_is_split(m->rcpts[i]))
			continue;
		m->rcpt = m->rcpts[i];
		found = capture_from_values(st, c, caps);
	}
	m->rcpt = saved;
	return found;
}

static void
add_capture(struct rules_state *st, size_t rule, int n, struct strbuf *b, enum text_use use)
{
	const struct cond *c = st->rs->prog.rules[rule].rule->capturing;
	struct captures *caps;

	if (c == NULL)
		return;
	if ((caps = arena_new_object(st->m->arena, struct captures)) == NULL) {
		b->failed = true;
		return;
	}
	if (capture(st, c, caps) && n < caps->n)
		add_clean(b, caps->group[n], VALUE_MAX, use);
}

/* ---- ${table.NAME} ---- */

static enum fact_status
text_of_values(struct rules_state *st, const struct cond *c, struct strbuf *out)
{
	const struct table *t = table_in(st->lists, c->list);
	enum type_id type = c->fact.fact->type;
	enum fact_status s, result = FACT_UNSET;
	struct answer a;

	if ((s = eval_fact(st, &c->fact, &a)) != FACT_KNOWN)
		return s;
	for (size_t i = 0; i < a.n; i++) {
		enum table_result r = TABLE_FAILED;

		if (t != NULL && c->op == OP_IN_LIST)
			r = table_text(t, &a.v[i], type == T_RAW, out);
		else if (t != NULL)
			r = table_match_text(t, type == T_ADDRESS ? a.v[i].mb.text : a.v[i].s,
			    VALUE_MAX, out);
		if (r == TABLE_YES)
			return FACT_KNOWN;
		if (r != TABLE_NO)
			result = FACT_ERROR;
	}
	return result;
}

static enum fact_status
text_of_recipients(struct rules_state *st, const struct cond *c, struct strbuf *out)
{
	struct mail *m = st->m;
	struct recipient *saved = m->rcpt;
	enum fact_status s = FACT_UNSET, one;

	if (m->stage < S_DATA)
		return FACT_PENDING;
	for (size_t i = 0; i < m->nrcpts && s != FACT_KNOWN && s != FACT_PENDING; i++) {
		if (rcpt_is_split(m->rcpts[i]))
			continue;
		m->rcpt = m->rcpts[i];
		if ((one = text_of_values(st, c, out)) != FACT_UNSET)
			s = one;
	}
	m->rcpt = saved;
	return s;
}

/*
 * The text that the list gives, added to out: that of the first comparison with it that holds,
 * whatever stands around it.  What is open before it must be known first.
 */
static enum fact_status
table_text_of(struct rules_state *st, struct reading *rd, const struct cond *c,
    const struct list *list, struct strbuf *out)
{
	enum fact_status s = FACT_UNSET, one;

	if (c == NULL || c->kind == COND_HAS)
		return FACT_UNSET;
	if (c->kind == COND_CMP) {
		if (c->list != list)
			return FACT_UNSET;
		if (cond_is_of_all(c))
			return text_of_recipients(st, c, out);
		return c->fact.scope == P_RCPT && rd->r == NULL ? FACT_PENDING :
		    text_of_values(st, c, out);
	}
	for (const struct cond *k = c->child; k != NULL; k = k->next) {
		one = table_text_of(st, rd, k, list, out);
		if (one == FACT_KNOWN || one == FACT_PENDING)
			return one;
		if (one == FACT_ERROR)
			s = one;
	}
	return s;
}

static void
add_table(struct rules_state *st, struct reading *rd, size_t rule, const struct part *p,
    struct strbuf *b, enum text_use use)
{
	char room[ROOM];
	struct strbuf one = STRBUF_IN(room);

	switch (table_text_of(st, rd, st->rs->prog.rules[rule].rule->cond, p->list, &one)) {
	case FACT_KNOWN:
		if (one.n > 0)
			add_clean(b, strbuf_slice(&one), TABLE_TEXT_MAX, use);
		break;
	case FACT_ERROR:
		strbuf_puts(b, "error");
		break;
	case FACT_UNSET:
	case FACT_PENDING:
		break;
	}
	b->failed |= one.failed;
	strbuf_free(&one);
}

static bool
table_known(struct rules_state *st, struct reading *rd, size_t rule, const struct part *p)
{
	char room[ROOM];
	struct strbuf unused = STRBUF_IN(room);
	enum fact_status s;

	s = table_text_of(st, rd, st->rs->prog.rules[rule].rule->cond, p->list, &unused);
	strbuf_free(&unused);
	return s != FACT_PENDING;
}

/* ---- Whole texts ---- */

static bool
fact_known(struct rules_state *st, struct reading *rd, size_t rule, const struct fact_ref *ref)
{
	struct answer a;

	if (ref->fact->flags & F_OWN) {
		const struct program *p = &st->rs->prog;

		for (size_t k = 0; k < p->scorers.n && (size_t)p->scorers.v[k] < rule; k++)
			if (!o_decided(eval_rule(st, rd, (size_t)p->scorers.v[k])))
				return false;
		return true;
	}
	return eval_fact(st, ref, &a) != FACT_PENDING;
}

static bool
part_known(struct rules_state *st, struct reading *rd, size_t rule, const struct part *p)
{
	const struct cond *c = st->rs->prog.rules[rule].rule->capturing;

	switch (p->kind) {
	case PART_FACT:
		return (p->fact.scope != P_RCPT || rd->r != NULL) &&
		    fact_known(st, rd, rule, &p->fact);
	case PART_CAPTURE:
		return c == NULL || fact_known(st, rd, rule, &c->fact);
	case PART_TABLE:
		return table_known(st, rd, rule, p);
	case PART_LITERAL:
		break;
	}
	return true;
}

bool
text_known(struct rules_state *st, struct reading *rd, size_t rule, const struct text *t)
{
	struct recipient *saved = st->m->rcpt;
	bool known = true;

	st->m->rcpt = rd->r;
	/* Not only up to the first that isn't: all lookups are to run at the same time. */
	for (const struct part *p = t->parts; p != NULL; p = p->next)
		if (!part_known(st, rd, rule, p))
			known = false;
	st->m->rcpt = saved;
	return known;
}

struct str
text_expand(struct rules_state *st, struct reading *rd, size_t rule, const struct text *t,
    enum text_use use)
{
	struct recipient *saved = st->m->rcpt;
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);
	struct str s = STR_NONE;

	st->m->rcpt = rd->r;
	for (const struct part *p = t->parts; p != NULL; p = p->next)
		switch (p->kind) {
		case PART_LITERAL:
			add_clean(&b, p->text, SIZE_MAX, use);
			break;
		case PART_FACT:
			add_fact(st, rd, rule, &p->fact, &b, use);
			break;
		case PART_CAPTURE:
			add_capture(st, rule, p->capture, &b, use);
			break;
		case PART_TABLE:
			add_table(st, rd, rule, p, &b, use);
			break;
		}
	st->m->rcpt = saved;
	if (use == TEXT_REPLY && b.n > LINE_MAX_OCTETS)
		b.n = LINE_MAX_OCTETS;
	if (!b.failed)
		s = str_dup(st->m->arena, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}
