/*
 * check_samples.c - a few values that stand for all that a fact may have.
 *
 * A condition sees no difference between most values: of numbers only the
 * neighbours of those that it names matter, of addresses where a network begins
 * and the first one behind it, of a result its words, of a name each that is
 * named, one below each suffix, and any other.
 */
#include "check_values.h"

#include <string.h>

#include "arena.h"
#include "check_sure.h"
#include "fold.h"

#define SAMPLES_MAX	4096

/* A label, and a local part, that nobody has. */
#define NOBODY		"\001"

void *
world_alloc(struct world *w, size_t n, size_t size)
{
	void *p = arena_array(w->a, n, size);

	w->failed |= p == NULL;
	return p;
}

void *
world_room(struct world *w, void *old, size_t n, size_t *cap, size_t size)
{
	void *p;

	if (n < *cap)
		return old;
	if ((p = world_alloc(w, *cap * 2 + 8, size)) == NULL)
		return NULL;
	if (n > 0)
		memcpy(p, old, n * size);
	*cap = *cap * 2 + 8;
	return p;
}

bool
fact_is_score(const struct fact *f)
{
	return (f->flags & F_OWN) != 0 && f->type == T_NUMBER;
}

static bool
is_number(enum type_id t)
{
	return t == T_NUMBER || t == T_SIZE || t == T_DURATION;
}

void
sample_add(struct world *w, struct var *v, enum sample_kind kind, const struct value *value,
    struct str end)
{
	if (v->n >= SAMPLES_MAX) {
		w->failed = true;
		return;
	}
	v->samples = world_room(w, v->samples, v->n, &v->cap, sizeof(*v->samples));
	if (w->failed)
		return;
	v->samples[v->n++] = (struct sample){ .kind = kind, .v = *value, .end = end };
}

static void
add_value(struct world *w, struct var *v, const struct value *value)
{
	struct str end = STR("");

	if (is_number(v->fact->type) && !(fact_is_score(v->fact) ? value->n >= v->score.lo &&
	    value->n <= v->score.hi : fact_may_be(v->fact, value->n)))
		return;
	/* Of addresses that are equal the local part may be written in several ways. */
	if (v->fact->type == T_ADDRESS && value->mb.domain.n > 0)
		end = str_printf(w->a, "@" STR_FMT, STR_ARG(value->mb.domain));
	sample_add(w, v, SAMPLE_VALUE, value, end);
}

static void
add_numbers(struct world *w, struct var *v, int64_t n)
{
	struct value value = { 0 };

	for (int64_t step = -1; step <= 1; step++)
		if (!__builtin_add_overflow(n, step, &value.n))
			add_value(w, v, &value);
}

/* The first address, and the first behind. */
static void
add_net(struct world *w, struct var *v, const struct ipnet *net)
{
	struct value value = { .ip = net->addr };
	unsigned carry = 1;

	add_value(w, v, &value);
	if (net->bits == 0)
		return;
	for (int i = (net->bits - 1) / 8; i >= 0 && carry != 0; i--) {
		unsigned octet = value.ip.b[i];

		octet += i == (net->bits - 1) / 8 ? 1u << (7 - (net->bits - 1) % 8) : carry;
		value.ip.b[i] = (uint8_t)octet;
		carry = octet >> 8;
	}
	if (carry == 0)
		add_value(w, v, &value);
}

/* What no network says of itself: where IPv4 begins and ends. */
static void
add_families(struct world *w, struct var *v)
{
	struct ipnet net = { .bits = IPNET_V4_BITS };
	struct value first = { 0 };

	net.addr.b[10] = net.addr.b[11] = 0xff;
	add_value(w, v, &first);
	add_net(w, v, &net);
}

/* A name below one like .example.org. */
static void
add_below(struct world *w, struct var *v, struct str dot)
{
	struct value value = { .s = str_printf(w->a, NOBODY STR_FMT, STR_ARG(dot)) };

	w->failed |= value.s.p == NULL;
	sample_add(w, v, SAMPLE_OTHER, &value, dot);
}

/* An address in @example.org or @.example.org. */
static void
add_mailbox(struct world *w, struct var *v, struct str domain)
{
	bool below = domain.n > 0 && domain.p[0] == '.';
	struct value value = { 0 };

	value.mb.local = STR(NOBODY);
	value.mb.domain = below ? str_printf(w->a, NOBODY STR_FMT, STR_ARG(domain)) : domain;
	value.mb.text = str_printf(w->a, NOBODY "@" STR_FMT, STR_ARG(value.mb.domain));
	w->failed |= value.mb.text.p == NULL || value.mb.domain.p == NULL;
	if (!w->failed)
		sample_add(w, v, SAMPLE_OTHER, &value, below ? domain :
		    (struct str){ value.mb.text.p + 1, value.mb.text.n - 1 });
}

/* Does the entry of a set stand for more than one value? */
static bool
is_pattern(enum type_id t, const struct value *v)
{
	return t == T_DOMAIN ? v->s.n > 0 && v->s.p[0] == '.' :
	    t == T_ADDRESS && v->mb.local.p == NULL && v->mb.domain.n > 0;
}

struct compared
cond_compared(const struct cond *c)
{
	if (c->op == OP_IN_LIST && c->list != NULL && c->list->values != NULL)
		return (struct compared){ OP_IN_SET, c->list->values };
	return (struct compared){ c->op, c->operands };
}

void
samples_named(struct world *w, struct var *v, enum op op, const struct value *value)
{
	enum type_id t = v->fact->type;

	if (is_number(t))
		add_numbers(w, v, value->n);
	else if (t == T_ADDR && op == OP_IS)
		add_net(w, v, &(struct ipnet){ value->ip, 128 });
	else if (t == T_ADDR)
		add_net(w, v, &value->net);
	else if (op == OP_IS || (op == OP_IN_SET && !is_pattern(t, value)))
		add_value(w, v, value);
	else if (op == OP_IN_SET && t == T_DOMAIN)
		add_below(w, v, value->s);
	else if (op == OP_IN_SET)
		add_mailbox(w, v, value->mb.domain);
}

void
samples_unnamed(struct world *w, struct var *v)
{
	const char *const *words = type_of(v->fact->type)->words;
	struct value value = { 0 };

	switch (v->fact->type) {
	case T_BOOL:
		for (int b = 0; b < 2; b++) {
			value.b = b;
			add_value(w, v, &value);
		}
		break;
	case T_NUMBER: case T_SIZE: case T_DURATION:
		add_value(w, v, &value);
		if (fact_is_score(v->fact)) {
			add_numbers(w, v, v->score.lo);
			add_numbers(w, v, v->score.hi);
		}
		break;
	case T_ADDR:
		add_families(w, v);
		break;
	case T_ADDRESS:
		value.mb = (struct mailbox){ STR(NOBODY "@" NOBODY), STR(NOBODY), STR(NOBODY) };
		sample_add(w, v, SAMPLE_OTHER, &value, STR(""));
		break;
	case T_DOMAIN: case T_TEXT: case T_RAW:
		value.s = STR(NOBODY);
		sample_add(w, v, SAMPLE_OTHER, &value, STR(""));
		break;
	default:
		for (; words[value.n] != NULL; value.n++)
			add_value(w, v, &value);
	}
}

/* Of values of which only the end is known. */
static outcome
test_end(struct str end, enum op op, struct str t)
{
	if (op == OP_CONTAINS)
		return end.n > 0 && fold_contains(end, t) ? O_TRUE : 0;
	if (op != OP_ENDS)
		return 0;
	return end.n > 0 && fold_ends(end, t) ? O_TRUE : fold_ends(t, end) ? 0 : O_FALSE;
}

outcome
sample_test(const struct cond *c, const struct sample *s)
{
	struct compared with = cond_compared(c);
	enum type_id t = c->fact.fact->type;

	if (s->kind == SAMPLE_UNSET)
		return O_FALSE;
	if (c->op == OP_SET)
		return O_TRUE;
	if (c->op == OP_TRUE)
		return s->v.b ? O_TRUE : O_FALSE;
	if (with.op == OP_IN_LIST || c->op == OP_MATCHES || c->op == OP_MATCHES_LIST)
		return 0;
	if ((c->op == OP_CONTAINS || c->op == OP_STARTS || c->op == OP_ENDS) &&
	    (s->kind == SAMPLE_OTHER || (t == T_ADDRESS && s->v.mb.text.n > 0)))
		return test_end(s->end, c->op, t == T_ADDRESS ? c->operands->value.mb.text :
		    c->operands->value.s);
	if (s->kind == SAMPLE_OTHER && c->op == OP_IS)
		return O_FALSE;
	for (const struct operand *o = with.operands; o != NULL; o = o->next)
		if ((s->kind == SAMPLE_VALUE || is_pattern(t, &o->value)) &&
		    type_test(t, with.op, &s->v, &o->value))
			return O_TRUE;
	return O_FALSE;
}
