/*
 * facts_world.c - getters of what others know of a client or a sender: lists
 * in the DNS, databases of countries and networks; and what the clock says.
 *
 * A list that fails is an error of its own class, since most sites would
 * rather take mail than wait for somebody else's server.
 */
#include "facts_get.h"
#include "tz.h"

/* ---- Lists in the DNS ---- */

static const struct dnsbl_answer *
ask_list(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts,
    struct answer *out, enum fact_status *status)
{
	const struct dnsbl_answer *a;

	*status = FACT_UNSET;
	if (m->ops == NULL || m->ops->dnsbl == NULL)
		return NULL;
	if (kind == DNSBL_CLIENT && !m->has_ip)
		return NULL;
	/* An address literal has no domain that a list could know. */
	if (kind == DNSBL_SENDER && (m->sender.domain.n == 0 || m->sender.domain.p[0] == '['))
		return NULL;
	if ((a = m->ops->dnsbl(m, kind, zone, texts)) == NULL)
		*status = FACT_PENDING;
	else if (!a->failed && !(texts && a->texts_failed))
		return a;
	else
		*status = answer_error(out, ERR_DNSBL);
	return NULL;
}

static enum fact_status
codes(struct mail *m, enum dnsbl_kind kind, struct str zone, struct answer *out)
{
	const struct dnsbl_answer *a;
	enum fact_status s;

	if ((a = ask_list(m, kind, zone, false, out, &s)) == NULL)
		return s;
	out->v = a->codes;
	out->n = a->n;
	return a->n > 0 ? FACT_KNOWN : FACT_UNSET;
}

static enum fact_status
client_texts(struct values *c, struct str zone)
{
	const struct dnsbl_answer *a = c->m->ops->dnsbl(c->m, DNSBL_CLIENT, zone, true);

	for (size_t i = 0; i < a->ntexts; i++)
		values_str(c, a->texts[i]);
	return FACT_KNOWN;
}

static enum fact_status
sender_texts(struct values *c, struct str zone)
{
	const struct dnsbl_answer *a = c->m->ops->dnsbl(c->m, DNSBL_SENDER, zone, true);

	for (size_t i = 0; i < a->ntexts; i++)
		values_str(c, a->texts[i]);
	return FACT_KNOWN;
}

enum fact_status
fact_get_dnsbl(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return codes(m, DNSBL_CLIENT, arg->key, out);
}

enum fact_status
fact_get_rhsbl(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return codes(m, DNSBL_SENDER, arg->key, out);
}

enum fact_status
fact_get_dnsbl_text(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	enum fact_status s;

	return ask_list(m, DNSBL_CLIENT, arg->key, true, out, &s) == NULL ? s :
	    answer_values(m, client_texts, arg->key, false, out);
}

enum fact_status
fact_get_rhsbl_text(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	enum fact_status s;

	return ask_list(m, DNSBL_SENDER, arg->key, true, out, &s) == NULL ? s :
	    answer_values(m, sender_texts, arg->key, false, out);
}

/* ---- Databases ---- */

static const struct geo_answer *
ask_geo(struct mail *m)
{
	return m->has_ip && m->ops != NULL && m->ops->geo != NULL ? m->ops->geo(m) : NULL;
}

enum fact_status
fact_get_geo_country(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct geo_answer *a = ask_geo(m);

	(void)arg;
	return a != NULL ? answer_filled(out, a->country) : FACT_UNSET;
}

enum fact_status
fact_get_geo_asn(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct geo_answer *a = ask_geo(m);

	(void)arg;
	return a != NULL && a->asn > 0 ? answer_number(out, a->asn) : FACT_UNSET;
}

/* ---- The clock ---- */

enum fact_status
fact_get_time_hour(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct tm tm;

	(void)arg;
	return tz_local(m->tz, m->time, &tm) == 0 ? answer_number(out, tm.tm_hour) : FACT_UNSET;
}

/* Monday is the first of T_WEEKDAY's words. */
enum fact_status
fact_get_time_weekday(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct tm tm;

	(void)arg;
	return tz_local(m->tz, m->time, &tm) == 0 ?
	    answer_number(out, (tm.tm_wday + 6) % 7) : FACT_UNSET;
}
