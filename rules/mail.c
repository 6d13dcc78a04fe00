/*
 * mail.c - fills in the message model as a dialogue goes on.
 *
 * Whatever a client sends is copied at once, since an MTA's buffers don't
 * last, into the arena of the thing it belongs to.  What can come again and
 * again in one connection (HELO, the MTA's macros) is overwritten in place, so
 * that a client who greets all day fills no memory.
 *
 * How long a header, a body or a dialogue may be in all is for the session to
 * say; when stages are reached, the evaluator's.
 */
#include "mail.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"

/* More parameters than any MTA knows; it refuses what it does not know. */
#define PARAMS_MAX	100

/* ---- Lifetimes ---- */

static void
no_things(struct mail *m)
{
	m->rcpt = NULL;
	for (int i = 0; i < THING_COUNT; i++)
		m->thing[i] = -1;
}

int
mail_init(struct mail *m, const struct mail_ops *ops, void *ctx)
{
	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->ctx = ctx;
	m->by_smtp = true;
	m->prefix = 24;
	m->prefix6 = 64;
	no_things(m);
	m->conn = arena_new(0);
	m->arena = arena_new(0);
	if (m->conn == NULL || m->arena == NULL) {
		mail_free(m);
		return -1;
	}
	return 0;
}

void
mail_free(struct mail *m)
{
	/* The message's first: what it holds may point into the connection's. */
	arena_free(m->arena);
	arena_free(m->conn);
	strbuf_free(&m->helo_store[0]);
	strbuf_free(&m->helo_store[1]);
	memset(m, 0, sizeof(*m));
}

void
mail_reset(struct mail *m)
{
	m->stage = S_CONNECT;
	m->may_wait = false;
	m->has_sender = false;
	m->sender = (struct mailbox){ 0 };
	m->sender_path = STR_NONE;
	m->params = (struct param_list){ 0 };
	m->macros = (struct param_list){ 0 };
	m->time = 0;
	m->rcpts = NULL;
	m->nrcpts = m->rcpts_cap = 0;
	m->headers = m->last_header = NULL;
	m->nheaders = 0;
	m->headers_cut = m->body_cut = false;
	m->body = NULL;
	m->header_octets = m->body_octets = 0;
	m->memos = NULL;
	no_things(m);
	arena_reset(m->arena);
}

/*
 * Room for one more of n objects: doubled in the arena, so that the copies left
 * behind are never larger than what lives.  Returns v, moved perhaps, or NULL.
 */
static void *
grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	size_t more;
	void *p;

	if (n < *cap)
		return v;
	more = *cap > 0 ? *cap * 2 : 8;
	if ((p = arena_array(a, more, size)) == NULL)
		return NULL;
	if (n > 0)
		memcpy(p, v, n * size);
	*cap = more;
	return p;
}

/* ---- Macros and parameters ---- */

static struct str
without_braces(struct str name)
{
	if (name.n >= 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		return (struct str){ name.p + 1, name.n - 2 };
	return name;
}

static struct param *
find_param(const struct param_list *list, struct str name)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i].name, name))
			return &list->v[i];
	return NULL;
}

/* A value written over the one before, if it fits. */
static int
set_value(struct arena *a, struct param *p, struct str value)
{
	size_t cap = 32;
	char *room;

	if (p->cap > 0 && value.n < p->cap) {
		/* Our own copy, const only for those who read it. */
		memcpy(&room, &p->value.p, sizeof(room));
	} else {
		while (cap <= value.n) {
			if (cap > SIZE_MAX / 2)
				return -1;
			cap *= 2;
		}
		if ((room = arena_alloc(a, cap)) == NULL)
			return -1;
		p->cap = cap;
	}
	if (value.n > 0)
		memmove(room, value.p, value.n);
	room[value.n] = '\0';
	p->value = (struct str){ room, value.n };
	return 0;
}

static int
set_param(struct arena *a, struct param_list *list, struct str name, struct str value)
{
	struct param *p, *v;

	if ((p = find_param(list, name)) == NULL) {
		if ((v = grow(a, list->v, list->n, &list->cap, sizeof(*v))) == NULL)
			return -1;
		list->v = v;
		p = &v[list->n];
		*p = (struct param){ .name = str_dup(a, name) };
		if (p->name.p == NULL || set_value(a, p, value) != 0)
			return -1;
		list->n++;
		return 0;
	}
	return set_value(a, p, value);
}

int
mail_conn_macro(struct mail *m, struct str name, struct str value)
{
	return set_param(m->conn, &m->conn_macros, without_braces(name), value);
}

int
mail_macro(struct mail *m, struct str name, struct str value)
{
	return set_param(m->arena, &m->macros, without_braces(name), value);
}

int
mail_rcpt_macro(struct mail *m, struct recipient *r, struct str name, struct str value)
{
	return set_param(m->arena, &r->macros, without_braces(name), value);
}

bool
mail_client_net(const struct mail *m, struct ipnet *net)
{
	net->addr = m->ip;
	net->bits = ipaddr_is_v4(&m->ip) ? IPNET_V4_BITS + m->prefix : m->prefix6;
	ipnet_clear(net);
	return m->has_ip;
}

struct str
mail_find_macro(const struct mail *m, struct str name)
{
	const struct param *p = NULL;

	name = without_braces(name);
	if (m->rcpt != NULL)
		p = find_param(&m->rcpt->macros, name);
	if (p == NULL)
		p = find_param(&m->macros, name);
	if (p == NULL)
		p = find_param(&m->conn_macros, name);
	return p != NULL ? p->value : STR_NONE;
}

/* ---- Connection ---- */

int
mail_connect(struct mail *m, const struct ipaddr *ip, struct str name, int port)
{
	m->has_ip = ip != NULL;
	if (ip != NULL)
		m->ip = *ip;
	m->client_port = port;
	m->client_name = STR_NONE;
	/* What MTAs say instead of a name that they did not verify. */
	if (name.n == 0 || name.p[0] == '[' || str_ieq(name, STR("unknown")))
		return 0;
	m->client_name = domain_normal(m->conn, name);
	return m->client_name.p != NULL ? 0 : -1;
}

static struct str
store(struct strbuf *b, struct str s)
{
	b->n = 0;
	strbuf_str(b, s);
	return b->failed ? STR_NONE : strbuf_slice(b);
}

int
mail_helo(struct mail *m, struct str name)
{
	struct arena *a;

	m->helo = m->helo_raw = STR_NONE;
	if ((a = arena_new(0)) == NULL)
		return -1;
	m->helo = store(&m->helo_store[0], domain_normal(a, name));
	m->helo_raw = store(&m->helo_store[1], name);
	if (arena_failed(a))
		m->helo = STR_NONE;
	arena_free(a);
	return m->helo.p != NULL && m->helo_raw.p != NULL ? 0 : -1;
}

/* ---- Message ---- */

int
mail_sender(struct mail *m, struct str path, const struct str *params, size_t n, time_t now)
{
	m->time = now;
	m->params = (struct param_list){ 0 };
	m->sender = mailbox_parse(m->arena, path_address(m->arena, path));
	m->sender_path = str_dup(m->arena, path);
	for (size_t i = 0; i < n && i < PARAMS_MAX; i++) {
		struct str name = params[i], value = STR("");
		const char *eq;

		if (name.n > 0 && (eq = memchr(name.p, '=', name.n)) != NULL) {
			value.p = eq + 1;
			value.n = name.n - (size_t)(value.p - name.p);
			name.n = (size_t)(eq - name.p);
		}
		if (set_param(m->arena, &m->params, name, value) != 0)
			return -1;
	}
	m->has_sender = true;
	return arena_failed(m->arena) ? -1 : 0;
}

/* A delimiter in front parts nothing: +x is a mailbox of that name. */
static void
split_detail(struct recipient *r, char delimiter)
{
	struct str s = r->addr.local;
	const char *p;

	r->local = s;
	r->detail = STR_NONE;
	if (delimiter == '\0' || s.n < 2 ||
	    (p = memchr(s.p + 1, delimiter, s.n - 1)) == NULL)
		return;
	r->local.n = (size_t)(p - s.p);
	r->detail = (struct str){ p + 1, s.n - r->local.n - 1 };
}

struct recipient *
mail_rcpt(struct mail *m, struct str path, char delimiter)
{
	struct recipient **v, *r;

	if (m->nrcpts == MAIL_RCPTS)
		return NULL;
	if ((v = grow(m->arena, m->rcpts, m->nrcpts, &m->rcpts_cap, sizeof(*v))) == NULL)
		return NULL;
	m->rcpts = v;
	if ((r = arena_new_object(m->arena, struct recipient)) == NULL)
		return NULL;
	r->addr = mailbox_parse(m->arena, path_address(m->arena, path));
	r->path = str_dup(m->arena, path);
	split_detail(r, delimiter);
	if (r->addr.text.p == NULL || r->addr.local.p == NULL ||
	    r->addr.domain.p == NULL || r->path.p == NULL)
		return NULL;
	v[m->nrcpts++] = r;
	return r;
}

/* Line ends that are LF alone, as most MTAs hand them on. */
static size_t
lone_newlines(struct str s)
{
	const char *p = s.p, *end = p + s.n;
	size_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n += p == s.p || p[-1] != '\r';
		p++;
	}
	return n;
}

int
mail_header(struct mail *m, struct str name, struct str raw)
{
	struct header *h;

	m->memos = NULL;
	m->header_octets += name.n + 1 + raw.n + lone_newlines(raw) + 2;
	name = str_trim(name);
	if (m->nheaders >= MAIL_HEADERS) {
		m->headers_cut = true;
		/* Forged ones are to be removed, wherever they stand. */
		if (!str_ieq(name, STR("Authentication-Results")))
			return 0;
	}
	if ((h = arena_new_object(m->arena, struct header)) == NULL)
		return -1;
	h->name = str_dup(m->arena, name);
	h->raw = str_dup(m->arena, raw);
	if (h->name.p == NULL || h->raw.p == NULL)
		return -1;
	*(m->headers == NULL ? &m->headers : &m->last_header->next) = h;
	m->last_header = h;
	m->nheaders++;
	return 0;
}
