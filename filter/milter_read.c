/*
 * milter_read.c - what libmilter hands over, as the message model wants it:
 * macros, the client's address and name.
 */
#include "filter/milter_read.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>

#include "filter/milter.h"
#include "rules/arena.h"

/* Calls fn for each macro that was asked for at that stage and that the MTA sent. */
static int
each_macro(SMFICTX *ctx, struct connection *c, int stage,
    int (*fn)(struct connection *, struct str, struct str, void *), void *arg)
{
	char name[256];
	const char *p = c->gen->macros[stage];

	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, " ");
		char *value;

		if (n < sizeof(name)) {
			memcpy(name, p, n);
			name[n] = '\0';
			value = smfi_getsymval(ctx, name);
			if (value != NULL && fn(c, (struct str){ name, n },
			    str_of(value), arg) == -1)
				return -1;
		}
		p += n + strspn(p + n, " ");
	}
	return 0;
}

static int
set_conn_macro(struct connection *c, struct str name, struct str value, void *arg)
{
	(void)arg;
	return mail_conn_macro(session_mail_model(c->session), name, value);
}

static int
set_macro(struct connection *c, struct str name, struct str value, void *arg)
{
	(void)arg;
	return mail_macro(session_mail_model(c->session), name, value);
}

/* Copies: libmilter's own stay valid only until the MTA sends the next. */
static int
add_macro(struct connection *c, struct str name, struct str value, void *arg)
{
	struct arena *a = session_mail_model(c->session)->arena;
	struct param_list *list = arg;

	if (list->n == list->cap) {
		size_t cap = list->cap > 0 ? 2 * list->cap : 8;
		struct param *v = arena_array(a, cap, sizeof(*v));

		if (v == NULL)
			return -1;
		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof(*v));
		list->v = v;
		list->cap = cap;
	}
	list->v[list->n].name = str_dup(a, name);
	list->v[list->n].value = str_dup(a, value);
	if (list->v[list->n].name.p == NULL || list->v[list->n].value.p == NULL)
		return -1;
	list->n++;
	return 0;
}

int
milter_read_macros(SMFICTX *ctx, struct connection *c, int stage)
{
	return each_macro(ctx, c, stage,
	    stage == SMFIM_CONNECT ? set_conn_macro : set_macro, NULL);
}

int
milter_rcpt_macros(SMFICTX *ctx, struct connection *c, struct param_list *list)
{
	return each_macro(ctx, c, SMFIM_ENVRCPT, add_macro, list);
}

struct str
milter_client_name(SMFICTX *ctx, const char *host)
{
	char name[] = "{client_resolve}";
	const char *resolved = smfi_getsymval(ctx, name);	/* Sendmail's */

	if (host == NULL || host[0] == '\0' || host[0] == '[' ||
	    strcasecmp(host, "unknown") == 0 ||
	    (resolved != NULL && strcmp(resolved, "OK") != 0))
		return STR_NONE;
	return str_of(host);
}

const struct ipaddr *
milter_client_address(const struct sockaddr *sa, struct ipaddr *ip, int *port)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	*port = 0;
	memset(ip, 0, sizeof(*ip));
	if (sa == NULL)
		return NULL;
	if (sa->sa_family == AF_INET) {
		ip->b[10] = ip->b[11] = 0xff;
		memcpy(ip->b + 12, &in->sin_addr, 4);
		*port = ntohs(in->sin_port);
		return ip;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(ip->b, &in6->sin6_addr, 16);
		*port = ntohs(in6->sin6_port);
		return ip;
	}
	return NULL;
}
