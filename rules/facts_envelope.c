/*
 * facts_envelope.c - getters of what the MTA and the SMTP dialogue tell.
 *
 * Much of it comes as macros, whose names Postfix and Sendmail share.  A macro
 * that is sent empty says that there is nothing to say, so its fact is unset.
 */
#include "facts_get.h"

static enum fact_status
from_macro(const struct mail *m, const char *name, struct answer *out)
{
	return answer_filled(out, mail_find_macro(m, str_of(name)));
}

/* ---- Connection ---- */

enum fact_status
fact_get_client_ip(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	if (!m->has_ip)
		return FACT_UNSET;
	out->one.ip = m->ip;
	return answer_one(out);
}

enum fact_status
fact_get_client_name(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_filled(out, m->client_name);
}

enum fact_status
fact_get_client_ptr(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	struct str s = mail_find_macro(m, STR("client_ptr"));

	(void)arg;
	/* Postfix says "unknown" where there is no name; domains have no brackets. */
	if (s.n == 0 || s.p[0] == '[' || str_ieq(s, STR("unknown")))
		return FACT_UNSET;
	return answer_str(out, domain_normal(m->arena, s));
}

enum fact_status
fact_get_client_port(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->client_port > 0 ? answer_number(out, m->client_port) : FACT_UNSET;
}

enum fact_status
fact_get_daemon_name(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "daemon_name", out);
}

/* An address, in brackets or not. */
static enum fact_status
answer_ip(struct answer *out, struct str s)
{
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = (struct str){ s.p + 1, s.n - 2 };
	if (ipaddr_parse(s, &out->one.ip) != 0)
		return FACT_UNSET;
	return answer_one(out);
}

enum fact_status
fact_get_daemon_ip(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_ip(out, mail_find_macro(m, STR("daemon_addr")));
}

enum fact_status
fact_get_daemon_port(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_decimal(out, mail_find_macro(m, STR("daemon_port")));
}

enum fact_status
fact_get_tls_version(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "tls_version", out);
}

enum fact_status
fact_get_tls_cipher(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "cipher", out);
}

enum fact_status
fact_get_tls_bits(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_decimal(out, mail_find_macro(m, STR("cipher_bits")));
}

enum fact_status
fact_get_tls_verify(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "verify", out);
}

enum fact_status
fact_get_tls_subject(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "cert_subject", out);
}

enum fact_status
fact_get_tls_issuer(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "cert_issuer", out);
}

enum fact_status
fact_get_helo_name(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_str(out, m->helo);
}

/* RFC 5321, 4.1.3: only in brackets it is an address. */
enum fact_status
fact_get_helo_ip(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->helo.n > 0 && m->helo.p[0] == '[' ? answer_ip(out, m->helo) :
	    FACT_UNSET;
}

/* ---- Sender ---- */

enum fact_status
fact_get_sender(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->has_sender ? answer_mailbox(out, &m->sender) : FACT_UNSET;
}

enum fact_status
fact_get_sender_local(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->sender.text.n > 0 ? answer_str(out, m->sender.local) : FACT_UNSET;
}

enum fact_status
fact_get_sender_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_filled(out, m->sender.domain);
}

static struct str
find_parameter(const struct mail *m, struct str name)
{
	for (size_t i = 0; i < m->params.n; i++)
		if (str_ieq(m->params.v[i].name, name))
			return m->params.v[i].value;
	return STR_NONE;
}

enum fact_status
fact_get_sender_size(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return answer_decimal(out, find_parameter(m, STR("SIZE")));
}

enum fact_status
fact_get_sender_param(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return answer_str(out, find_parameter(m, arg->key));
}

enum fact_status
fact_get_auth_user(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "auth_authen", out);
}

enum fact_status
fact_get_auth_method(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "auth_type", out);
}

enum fact_status
fact_get_auth_author(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "auth_author", out);
}

/* ---- Recipient ---- */

enum fact_status
fact_get_rcpt(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? answer_mailbox(out, &m->rcpt->addr) : FACT_UNSET;
}

enum fact_status
fact_get_rcpt_local(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? answer_str(out, m->rcpt->local) : FACT_UNSET;
}

enum fact_status
fact_get_rcpt_domain(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? answer_filled(out, m->rcpt->addr.domain) : FACT_UNSET;
}

enum fact_status
fact_get_rcpt_detail(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? answer_str(out, m->rcpt->detail) : FACT_UNSET;
}

enum fact_status
fact_get_rcpt_host(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? from_macro(m, "rcpt_host", out) : FACT_UNSET;
}

enum fact_status
fact_get_rcpt_mailer(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return m->rcpt != NULL ? from_macro(m, "rcpt_mailer", out) : FACT_UNSET;
}

/* What is put off to a transaction of its own is no part of this one. */
enum fact_status
thing_count_rcpts(struct mail *m, size_t *n, bool *cut)
{
	(void)cut;
	*n = m->nrcpts;
	return FACT_KNOWN;
}

enum fact_status
fact_get_rcpt_count(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	int64_t n = 0;

	(void)arg;
	for (size_t i = 0; i < m->nrcpts; i++)
		n += !rcpt_is_split(m->rcpts[i]);
	return answer_number(out, n);
}

/* ---- The transaction ---- */

enum fact_status
fact_get_queue_id(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	(void)arg;
	return from_macro(m, "i", out);
}

enum fact_status
fact_get_macro(struct mail *m, const struct fact_arg *arg, struct answer *out)
{
	return answer_str(out, mail_find_macro(m, arg->key));
}
