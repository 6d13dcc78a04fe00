/*
 * facts.c - the table of facts, and what its getters share.
 *
 * The table is facts.def; the names of stages, things and error classes live
 * here since messages, traces and logs show them as the rules file has them.
 *
 * Getters: facts_envelope.c for what MTA and SMTP tell, facts_header.c for
 * header fields and body, facts_auth.c for SPF and DKIM.
 */
#include "facts.h"

#include <string.h>

#include "arena.h"
#include "facts_get.h"

#define FACT(name, type, stage, scope, cost, getter, flags, manual) \
	{ name, type, stage, scope, cost, \
	  (flags) & (F_OWN | F_STORED) ? NULL : fact_get_##getter, flags, \
	  (flags) & F_SIG ? THING_SIGNATURE : \
	  (flags) & F_ATTACHMENT ? THING_ATTACHMENT : \
	  (flags) & F_URL ? THING_URL : \
	  (scope) == P_RCPT && ((flags) & F_STORED) == 0 ? THING_RCPT : THING_NONE, manual },
const struct fact facts[] = {
#include "facts.def"
};
#undef FACT

const size_t nfacts = sizeof(facts) / sizeof(facts[0]);

/* ---- Names ---- */

static const char *const stage_names[S_COUNT] = {
	"connect", "mail", "rcpt", "data", "headers", "message"
};
const struct thing_def things[THING_COUNT] = {
	[THING_RCPT] = { "rcpt", "recipient", S_DATA, C_SCAN, ERR_LOOKUP,
	    thing_count_rcpts },
	[THING_SIGNATURE] = { "dkim.signature", "signature", S_MESSAGE, C_DNS,
	    ERR_LOOKUP, thing_count_signatures },
	[THING_ATTACHMENT] = { "attachment", "attachment", S_MESSAGE, C_SCAN,
	    ERR_LIMIT, thing_count_attachments },
	[THING_URL] = { "url", "URL", S_MESSAGE, C_SCAN, ERR_LIMIT, thing_count_urls },
};
static const char *const error_names[ERR_CLASSES] = {
	"lookup", "dnsbl", "store", "limit"
};

const char *
stage_name(enum stage s)
{
	return stage_names[s];
}

const char *
thing_name(enum thing t)
{
	return t == THING_NONE ? "" : things[t].name;
}

const char *
error_class_name(enum error_class c)
{
	return error_names[c];
}

const struct fact *
fact_find(struct str name)
{
	for (size_t i = 0; i < nfacts; i++)
		if (str_eq(name, str_of(facts[i].name)))
			return &facts[i];
	return NULL;
}

const struct fact *
fact_find_in(enum thing t, struct str name)
{
	struct str thing = str_of(thing_name(t));

	/* The thing itself, where it is a fact: any url has ( url contains "x" ... ) */
	for (size_t i = 0; t != THING_NONE && i < nfacts; i++) {
		struct str full = str_of(facts[i].name);

		if (facts[i].thing == t && str_eq(full, thing) && str_eq(name, full))
			return &facts[i];
		if (facts[i].thing == t && full.n == thing.n + 1 + name.n &&
		    full.p[thing.n] == '.' &&
		    str_eq(name, str_of(full.p + thing.n + 1)))
			return &facts[i];
	}
	return NULL;
}

/* ---- Macros ---- */

enum stage
macro_stage(struct str name, enum scope *scope)
{
	static const struct {
		const char	*prefix;
		bool		 whole;
		enum stage	 stage;
		enum scope	 scope;
	} known[] = {
		{ "client_",	false,	S_CONNECT,	P_CONN },
		{ "daemon_",	false,	S_CONNECT,	P_CONN },
		{ "if_",	false,	S_CONNECT,	P_CONN },
		{ "j",		true,	S_CONNECT,	P_CONN },
		{ "_",		true,	S_CONNECT,	P_CONN },
		{ "v",		true,	S_CONNECT,	P_CONN },
		{ "tls_",	false,	S_MAIL,		P_CONN },
		{ "cipher",	false,	S_MAIL,		P_CONN },
		{ "cert_",	false,	S_MAIL,		P_CONN },
		{ "verify",	true,	S_MAIL,		P_CONN },
		{ "rcpt_",	false,	S_RCPT,		P_RCPT },
		{ "i",		true,	S_DATA,		P_MSG },
		{ "nrcpts",	true,	S_DATA,		P_MSG },
		{ "nbadrcpts",	true,	S_DATA,		P_MSG },
		{ "msg_id",	true,	S_MESSAGE,	P_MSG },
	};

	if (name.n >= 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = (struct str){ name.p + 1, name.n - 2 };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].prefix);

		if (name.n >= n && memcmp(name.p, known[i].prefix, n) == 0 &&
		    (name.n == n || !known[i].whole)) {
			*scope = known[i].scope;
			return known[i].stage;
		}
	}
	*scope = P_MSG;
	return S_MAIL;
}

/* ---- Answers ---- */

enum fact_status
answer_decimal(struct answer *out, struct str s)
{
	int64_t n = 0;

	s = str_trim(s);
	if (s.n == 0)
		return FACT_UNSET;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9' ||
		    __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s.p[i] - '0', &n))
			return FACT_UNSET;
	return answer_number(out, n);
}

void
values_add(struct values *c, const struct value *v)
{
	size_t cap = c->cap > 0 ? c->cap * 2 : 4;
	struct value *more;

	if (c->n == VALUES_MAX)
		c->truncated = true;
	if (c->truncated || c->failed)
		return;
	if (c->n == c->cap) {
		if ((more = arena_array(c->m->arena, cap, sizeof(*more))) == NULL) {
			c->failed = true;
			return;
		}
		if (c->n > 0)
			memcpy(more, c->v, c->n * sizeof(*more));
		c->v = more;
		c->cap = cap;
	}
	c->v[c->n++] = *v;
}

void
values_doubt(struct values *c, const struct value *v)
{
	size_t n = c->n;

	values_add(c, v);
	c->doubts += c->n - n;
}

void
values_str(struct values *c, struct str s)
{
	struct value v = { .s = s };

	values_add(c, &v);
}

/* What a fact had when it was asked for first. */
struct memo {
	values_of	*of;
	struct str	 key;
	enum fact_status status;
	struct answer	 answer;
	struct memo	*next;
};

static void
remember(struct mail *m, values_of *of, struct str key, enum fact_status s,
    const struct answer *a)
{
	struct memo *memo = arena_new_object(m->arena, struct memo);

	/* Without memory it is made anew next time. */
	if (memo == NULL)
		return;
	*memo = (struct memo){ of, key, s, *a, m->memos };
	m->memos = memo;
}

enum fact_status
answer_values(struct mail *m, values_of *of, struct str key, bool cut, struct answer *out)
{
	struct values c = { .m = m, .truncated = false };
	enum fact_status s;

	for (const struct memo *p = m->memos; p != NULL; p = p->next)
		if (p->of == of && str_ieq(p->key, key)) {
			*out = p->answer;
			return p->status;
		}
	s = of(&c, key);
	if (s == FACT_PENDING)
		return s;
	if (s == FACT_ERROR || c.failed)
		s = answer_error(out, ERR_LIMIT);
	else if (s == FACT_KNOWN && c.n == 0)
		/* What was cut off may have held it. */
		s = cut || c.truncated ? answer_error(out, ERR_LIMIT) : FACT_UNSET;
	else if (s == FACT_KNOWN) {
		out->v = c.v;
		out->n = c.n - c.doubts;
		out->doubts = c.doubts;
		out->truncated = cut || c.truncated;
		if (out->n == 0)
			s = answer_error(out, ERR_LOOKUP);
	}
	remember(m, of, key, s, out);
	return s;
}
