/*
 * facts_client.c - getters of the client's network, and of its name as postern itself
 * finds it.
 *
 * The MTA's own word on the client is facts_envelope.c's.
 */
#include "facts_get.h"

#include <string.h>

enum fact_status
fact_get_client_network(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct ipnet net;
	struct strbuf b = { 0 };

	(void)arg;
	if (!mail_client_net(m, &net))
		return FACT_UNSET;
	ipaddr_print(&net.addr, &b);
	strbuf_printf(&b, "/%d", ipaddr_is_v4(&m->ip) ? net.bits - IPNET_V4_BITS : net.bits);
	if (!b.failed && b.n < sizeof(m->network))
		memcpy(m->network, b.p, b.n + 1);
	strbuf_free(&b);
	return answer_filled(out, str_of(m->network));
}

static const struct iprev_answer *
ask_iprev(struct mail *m, enum fact_status *status)
{
	const struct iprev_answer *a;

	*status = FACT_UNSET;
	if (!m->has_ip || m->ops == NULL || m->ops->iprev == NULL)
		return NULL;
	if ((a = m->ops->iprev(m)) == NULL)
		*status = FACT_PENDING;
	return a;
}

enum fact_status
fact_get_client_iprev(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct iprev_answer *a;
	enum fact_status s;

	(void)arg;
	return (a = ask_iprev(m, &s)) != NULL ? answer_number(out, a->result) : s;
}

/* A lookup that failed doesn't mean that the client has no name. */
enum fact_status
fact_get_client_confirmed(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	const struct iprev_answer *a;
	enum fact_status s;

	(void)arg;
	if (m->client_name.n > 0)
		return answer_str(out, m->client_name);
	if ((a = ask_iprev(m, &s)) == NULL)
		return s;
	if (a->result == IPREV_R_TEMPERROR)
		return answer_error(out, ERR_LOOKUP);
	return answer_filled(out, a->name);
}
