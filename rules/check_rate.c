/*
 * check_rate.c - the key and the limit of rate["${client.ip}", 100 per 1h].
 */
#include "check_types.h"

#include "diag.h"

#define LIMIT_MAX	1000000000
#define WINDOW_MAX	(31 * 86400)

static bool
read_number(struct typing *t, enum type_id type, struct operand *o)
{
	struct strbuf why = { 0 };
	bool right = type_parse(type, OP_IS, t->a, o->text, &o->value, &why) == 0;

	if (!right)
		diag_error(t->d, o->at, "%s", why.failed ? "out of memory" : why.p);
	strbuf_free(&why);
	return right;
}

bool
check_rate(struct typing *t, const struct fact_ref *ref)
{
	struct operand *limit = ref->limit, *window = ref->window;

	for (const struct part *p = ref->key_text->parts; p != NULL; p = p->next)
		if (p->kind == PART_FACT && !check_key(t, &p->fact))
			return false;
	if (!read_number(t, T_NUMBER, limit) || !read_number(t, T_DURATION, window))
		return false;
	if (limit->value.n < 1 || limit->value.n > LIMIT_MAX) {
		diag_error(t->d, limit->at, "a limit is from 1 to %d messages", LIMIT_MAX);
		return false;
	}
	if (window->value.n < 1 || window->value.n > WINDOW_MAX) {
		diag_error(t->d, window->at, "the time of a limit is from 1s to 31d");
		return false;
	}
	return true;
}
