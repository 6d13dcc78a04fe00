/*
 * facts_arc.c - getters of what ARC says.
 *
 * A chain that doesn't pass states nothing: whoever wrote it may have put any
 * sealer and any results there.  So a rule that forgets to ask for `arc is
 * pass` is still right.  Where it can't be told for now, they are in doubt.
 */
#include "facts_get.h"

static const struct arc_answer *
ask_arc(struct mail *m, enum fact_status *status)
{
	const struct arc_answer *a;

	if (m->ops == NULL || m->ops->arc == NULL) {
		*status = FACT_UNSET;
		return NULL;
	}
	if ((a = m->ops->arc(m)) == NULL)
		*status = FACT_PENDING;
	return a;
}

enum fact_status
fact_get_arc_result(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct arc_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_arc(m, &s)) != NULL ? answer_number(out, a->result) : s;
}

/* Adds what the chain says, if it says so. */
static void
add_said(struct values *c, const struct arc_answer *a, const struct value *v)
{
	if (a->result == ARC_R_PASS)
		values_add(c, v);
	else if (a->result == ARC_R_TEMPERROR)
		values_doubt(c, v);
}

static enum fact_status
sealer(struct values *c, struct str key)
{
	const struct arc_answer *a;
	enum fact_status s;

	(void)key;
	if ((a = ask_arc(c->m, &s)) == NULL)
		return s;
	if (a->sealer.n > 0)
		add_said(c, a, &(struct value){ .s = a->sealer });
	return FACT_KNOWN;
}

enum fact_status
fact_get_arc_sealer(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, sealer, STR_NONE, false, out);
}

/* False for words that no RFC knows. */
static bool
read_result(struct str word, struct value *v)
{
	const char *const *words = type_of(T_RESULT)->words;

	if (str_ieq(word, STR("hardfail")))	/* RFC 5451's word */
		word = STR("fail");
	for (v->n = 0; words[v->n] != NULL; v->n++)
		if (str_ieq(word, str_of(words[v->n])))
			return true;
	return false;
}

static enum fact_status
stated(struct values *c, struct str key)
{
	const struct arc_answer *a;
	struct value v;
	enum fact_status s;

	if ((a = ask_arc(c->m, &s)) == NULL)
		return s;
	for (size_t i = 0; i < a->nstated; i++)
		if (str_ieq(a->stated[i].method, key) &&
		    read_result(a->stated[i].result, &v))
			add_said(c, a, &v);
	return FACT_KNOWN;
}

enum fact_status
fact_get_arc_stated(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return answer_values(m, stated, arg->key, false, out);
}
