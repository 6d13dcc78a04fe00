/*
 * facts_auth.c - getters of what SPF, DKIM and DMARC say.
 *
 * The engines are asked through struct mail_ops, which asks once and keeps
 * the answer; here it is only taken apart.  Results are words, temperror among
 * them, never errors.
 */
#include "facts_get.h"

/* ---- SPF ---- */

/* The answer, or NULL and in *status why there is none. */
static const struct spf_answer *
ask_spf(struct mail *m, enum spf_identity id, enum fact_status *status)
{
	const struct spf_answer *a;

	if (m->ops == NULL || m->ops->spf == NULL) {
		*status = FACT_UNSET;
		return NULL;
	}
	if ((a = m->ops->spf(m, id)) == NULL)
		*status = FACT_PENDING;
	return a;
}

enum fact_status
fact_get_spf_helo(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct spf_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_spf(m, SPF_HELO, &s)) != NULL ?
	    answer_number(out, a->result) : s;
}

enum fact_status
fact_get_spf_result(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct spf_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_spf(m, SPF_MAILFROM, &s)) != NULL ?
	    answer_number(out, a->result) : s;
}

enum fact_status
fact_get_spf_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct spf_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_spf(m, SPF_MAILFROM, &s)) != NULL ?
	    answer_filled(out, a->domain) : s;
}

/* Few domains explain themselves: "550 SPF: " with nothing behind it would help nobody. */
static struct str
default_explanation(struct mail *m, const struct spf_answer *a)
{
	struct strbuf ip = { 0 };
	struct str s;

	if (a->result != SPF_R_FAIL || !m->has_ip)
		return STR("");
	ipaddr_print(&m->ip, &ip);
	s = str_printf(m->arena, STR_FMT " is not allowed to send mail for " STR_FMT,
	    STR_ARG(strbuf_slice(&ip)), STR_ARG(a->domain));
	strbuf_free(&ip);
	return s;
}

enum fact_status
fact_get_spf_explanation(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct spf_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_spf(m, SPF_MAILFROM, &s)) == NULL)
		return s;
	return answer_filled(out, a->explanation.n > 0 ? a->explanation : default_explanation(m, a));
}

enum fact_status
fact_get_spf_mechanism(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct spf_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_spf(m, SPF_MAILFROM, &s)) == NULL)
		return s;
	return answer_or_lost(out, a->mechanism, a->result == SPF_R_TEMPERROR);
}

/* ---- DKIM ---- */

static const struct dkim_answer *
ask_dkim(struct mail *m, enum fact_status *status)
{
	const struct dkim_answer *a;

	if (m->ops == NULL || m->ops->dkim == NULL) {
		*status = FACT_UNSET;
		return NULL;
	}
	if ((a = m->ops->dkim(m)) == NULL)
		*status = FACT_PENDING;
	return a;
}

enum fact_status
thing_count_signatures(struct mail *m, size_t *n, bool *cut)
{
	const struct dkim_answer *a;
	enum fact_status s;

	(void)cut;
	if ((a = ask_dkim(m, &s)) == NULL)
		return s;
	*n = a->n;
	return FACT_KNOWN;
}

enum fact_status
fact_get_dkim_result(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	enum dkim_result best = DKIM_R_NONE;
	const struct dkim_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_dkim(m, &s)) == NULL)
		return s;
	for (size_t i = 0; i < a->n; i++)
		if (a->sig[i].result < best)
			best = a->sig[i].result;
	return answer_number(out, best);
}

static enum fact_status
passing_domains(struct values *c, struct str key)
{
	const struct dkim_answer *a;
	enum fact_status s;

	(void)key;
	if ((a = ask_dkim(c->m, &s)) == NULL)
		return s;
	for (size_t i = 0; i < a->n; i++)
		if (a->sig[i].result == DKIM_R_PASS)
			values_str(c, a->sig[i].domain);
	for (size_t i = 0; i < a->n; i++)
		if (a->sig[i].result == DKIM_R_TEMPERROR)
			values_doubt(c, &(struct value){ .s = a->sig[i].domain });
	return FACT_KNOWN;
}

enum fact_status
fact_get_dkim_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, passing_domains, STR_NONE, false, out);
}

/* A signature's values: in *v, or one in *one; returns how many. */
typedef size_t property(const struct dkim_signature *sig, struct value *one, const struct value **v);

static enum fact_status
all_signatures(struct values *c, property *get)
{
	const struct dkim_answer *a;
	enum fact_status s;

	if ((a = ask_dkim(c->m, &s)) == NULL)
		return s;
	for (size_t i = 0; i < a->n; i++) {
		struct value one;
		const struct value *v = &one;
		size_t n = get(&a->sig[i], &one, &v);

		for (size_t k = 0; k < n; k++)
			values_add(c, &v[k]);
	}
	return FACT_KNOWN;
}

/* Inside has() of the signature at hand, otherwise of all. */
static enum fact_status
signatures(struct mail *m, property *get, values_of *all, struct answer *out)
{
	const struct dkim_answer *a;
	ptrdiff_t at = m->thing[THING_SIGNATURE];
	enum fact_status s;

	if (at < 0)
		return answer_values(m, all, STR_NONE, false, out);
	if ((a = ask_dkim(m, &s)) == NULL)
		return s;
	if ((size_t)at >= a->n)
		return FACT_UNSET;
	out->v = &out->one;
	out->n = get(&a->sig[at], &out->one, &out->v);
	return out->n > 0 ? FACT_KNOWN : FACT_UNSET;
}

static size_t
get_result(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->n = sig->result;
	return 1;
}

static size_t
get_domain(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->s = sig->domain;
	return sig->domain.n > 0;
}

static size_t
get_selector(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->s = sig->selector;
	return sig->selector.n > 0;
}

static size_t
get_algorithm(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->s = sig->algorithm;
	return sig->algorithm.n > 0;
}

static size_t
get_bits(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->n = sig->bits;
	return sig->bits > 0;
}

static size_t
get_partial(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->b = sig->partial;
	return 1;
}

static size_t
get_unsigned(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)one;
	*v = sig->unsigned_parts.v;
	return sig->unsigned_parts.n;
}

static size_t
get_oversigned(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)one;
	*v = sig->oversigned.v;
	return sig->oversigned.n;
}

static size_t
get_reason(const struct dkim_signature *sig, struct value *one, const struct value **v)
{
	(void)v;
	one->s = sig->reason;
	return sig->reason.n > 0;
}

/* A getter, and the values of all signatures that it is remembered by. */
#define SIGNATURE(what) \
static enum fact_status \
all_##what(struct values *c, struct str key) \
{ \
	(void)key; \
	return all_signatures(c, get_##what); \
} \
\
enum fact_status \
fact_get_sig_##what(struct mail *m, const struct fact_arg *arg, struct answer *out) \
{ \
	(void)arg; \
	return signatures(m, get_##what, all_##what, out); \
}

SIGNATURE(result)
SIGNATURE(domain)
SIGNATURE(selector)
SIGNATURE(algorithm)
SIGNATURE(bits)
SIGNATURE(partial)
SIGNATURE(unsigned)
SIGNATURE(oversigned)
SIGNATURE(reason)

/* ---- DMARC ---- */

static const struct dmarc_answer *
ask_dmarc(struct mail *m, enum fact_status *status)
{
	const struct dmarc_answer *a;

	if (m->ops == NULL || m->ops->dmarc == NULL) {
		*status = FACT_UNSET;
		return NULL;
	}
	if ((a = m->ops->dmarc(m)) == NULL)
		*status = FACT_PENDING;
	return a;
}

enum fact_status
fact_get_dmarc_result(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct dmarc_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_dmarc(m, &s)) != NULL ? answer_number(out, a->result) : s;
}

enum fact_status
fact_get_dmarc_policy(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct dmarc_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_dmarc(m, &s)) == NULL)
		return s;
	if (a->has_policy)
		return answer_number(out, a->asks);
	return a->result == DMARC_R_TEMPERROR ? answer_error(out, ERR_LOOKUP) : FACT_UNSET;
}

enum fact_status
fact_get_dmarc_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct dmarc_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_dmarc(m, &s)) == NULL)
		return s;
	return answer_or_lost(out, a->domain, a->result == DMARC_R_TEMPERROR);
}

enum fact_status
fact_get_dmarc_testing(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct dmarc_answer *a;
	enum fact_status s;

	(void)arg;
	if ((a = ask_dmarc(m, &s)) == NULL)
		return s;
	out->one.b = a->testing;
	return answer_one(out);
}

static enum fact_status
aligned(struct values *c, struct str key)
{
	static const struct value by[] = { { .n = DMARC_BY_SPF }, { .n = DMARC_BY_DKIM } };
	const struct dmarc_answer *a;
	enum fact_status s;
	bool lost;

	(void)key;
	if ((a = ask_dmarc(c->m, &s)) == NULL)
		return s;
	lost = a->result == DMARC_R_TEMPERROR;
	if (a->spf_aligned)
		values_add(c, &by[DMARC_BY_SPF]);
	if (a->dkim_aligned)
		values_add(c, &by[DMARC_BY_DKIM]);
	if (!a->spf_aligned && (a->spf_doubt || lost))
		values_doubt(c, &by[DMARC_BY_SPF]);
	if (!a->dkim_aligned && (a->dkim_doubt || lost))
		values_doubt(c, &by[DMARC_BY_DKIM]);
	return FACT_KNOWN;
}

enum fact_status
fact_get_dmarc_aligned(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_values(m, aligned, STR_NONE, false, out);
}
