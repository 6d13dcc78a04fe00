/*
 * check_doubts.c - conditions that mean something, but perhaps not what was
 * meant: two comparisons that may be true of two different things, patterns that
 * can take for ever, values that no mail has, macros that no MTA sends by itself,
 * settings without effect.  What means something to other programs is check_habits.c's,
 * failed lookups are check_temperror.c's.
 */
#include "check_reach.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_walk.h"
#include "diag.h"

/* ---- Two comparisons about one thing ---- */

/* Is it about some thing or other, one part of it?  Negated it is about all of them. */
static bool
is_part_of(const struct cond *c, enum thing thing)
{
	const struct fact *f = c->fact.fact;

	return c->kind == COND_CMP && f != NULL && f->thing == thing && !c->negated &&
	    c->quant != Q_EVERY && (c->quant == Q_ANY || (f->flags & F_LIST) != 0);
}

static void
check_parts(struct diag *d, const struct cond *c)
{
	if (c->kind == COND_CMP || c->kind == COND_HAS)
		return;		/* what is inside has is about one */
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		check_parts(d, k);
	if (c->kind != COND_AND)
		return;
	for (enum thing t = 0; t < THING_COUNT; t++) {
		const struct cond *first = NULL;

		for (const struct cond *k = c->child; k != NULL; k = k->next) {
			if (!is_part_of(k, t))
				continue;
			if (first == NULL) {
				first = k;
				continue;
			}
			if (k->fact.fact == first->fact.fact)
				continue;
			diag_warning(d, k->at, "this may be true of another %s than the "
			    "comparison before; if one is meant write 'any %s has ( ... and "
			    "... )'", things[t].word, thing_name(t));
			diag_note(d, first->at, "the comparison before");
			break;
		}
	}
}

/* ---- Patterns ---- */

/* The text that reached match-limit. */
static void
tell_attack(struct diag *d, struct span at, struct str pump, struct str tail)
{
	struct strbuf a = { 0 }, b = { 0 };

	strbuf_json(&a, pump);
	strbuf_json(&b, tail);
	if (!a.failed && !b.failed)
		diag_note(d, at, "as in a text that has " STR_FMT " many times here, and then " STR_FMT,
		    STR_ARG(strbuf_slice(&a)), STR_ARG(strbuf_slice(&b)));
	strbuf_free(&a);
	strbuf_free(&b);
}

void
check_pattern(struct diag *d, struct span at, struct str pattern, struct str flags)
{
	struct strbuf pump = { 0 }, tail = { 0 };
	enum explosion how;
	size_t off, n;

	how = pattern_explodes(pattern, flags, &off, &n, &pump, &tail);
	if (how != EXPLODES_NOT) {
		at.off += 1 + off;
		at.n = n;
		diag_warning(d, at, how == EXPLODES_NESTED ?
		    "this can take very long: one text can be matched by the inner "
		    "and the outer repetition in many ways" :
		    "this can take very long: alternatives overlap, so one text can "
		    "be cut into them in many ways");
		tell_attack(d, at, strbuf_slice(&pump), strbuf_slice(&tail));
	}
	strbuf_free(&pump);
	strbuf_free(&tail);
}

static void
check_literal(struct diag *d, const struct regex_lit *re)
{
	check_pattern(d, re->at, re->pattern, re->flags);
}

/* ---- Values ---- */

/* Bob alone is an address without a domain, which hardly any mail has. */
static void
check_domainless(struct diag *d, const struct fact *f, const struct operand *o)
{
	char part[64];

	if (f->type != T_ADDRESS || o->value.mb.domain.n > 0 || o->value.mb.local.n == 0 ||
	    str_ieq(o->value.mb.local, STR("postmaster")) ||
	    str_find(o->value.mb.local, STR("@")) >= 0)
		return;
	snprintf(part, sizeof(part), "%s.local", f->name);
	if (fact_find(str_of(part)) != NULL)
		diag_warning(d, o->at, "'" STR_FMT "' has no domain: for that local part of any "
		    "write '%s is " STR_FMT "'", STR_ARG(o->text), part,
		    (int)o->at.n, o->at.src->text.p + o->at.off);
	else
		diag_warning(d, o->at, "'" STR_FMT "' has no domain: write the whole address",
		    STR_ARG(o->text));
}

/* `attachment.name is subject`: perhaps the word, perhaps the fact. */
static void
check_fact_word(struct diag *d, const struct cond *c, const struct operand *o)
{
	const struct type *type = type_of(c->fact.fact->type);
	bool dot = memchr(o->text.p, '.', o->text.n) != NULL;

	if (o->kind == OPD_WORD && (type->ops & OP_BIT(OP_CONTAINS)) != 0 &&
	    fact_find(o->text) != NULL && (dot || c->op != OP_IN_SET))
		diag_warning(d, o->at, "this is compared with the word '" STR_FMT "', not with the "
		    "fact of that name; if the word is meant write \"" STR_FMT "\"",
		    STR_ARG(o->text), STR_ARG(o->text));
}

/* Media types have a slash; and hardly a domain that one can register begins with www. */
static void
check_form(struct diag *d, const struct fact *f, const struct operand *o)
{
	static const char *const media[] = { "attachment.type", "attachment.magic" };
	struct str s = o->text;
	const char *dot;

	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
		if (strcmp(f->name, media[i]) == 0 && str_find(s, STR("/")) < 0)
			diag_warning(d, o->at, "every type has a slash, like application/pdf; for what "
			    "stands behind it write 'ends with \"/" STR_FMT "\"'", STR_ARG(s));
	if (strcmp(f->name, "url.domain") != 0 || !str_istarts(s, STR("www.")))
		return;
	dot = memchr(s.p + 4, '.', s.n - 4);
	if (dot != NULL)
		diag_warning(d, o->at, "the part that can be registered hardly ever begins with www: "
		    "write " STR_FMT ", or ask url.host", (int)(s.n - 4), s.p + 4);
}

static void
check_values(struct diag *d, const struct cond *c)
{
	for (const struct operand *o = c->operands; o != NULL; o = o->next)
		check_fact_word(d, c, o);
	if (c->op != OP_IS && c->op != OP_IN_SET)
		return;
	for (const struct operand *o = c->operands; o != NULL; o = o->next) {
		check_domainless(d, c->fact.fact, o);
		check_form(d, c->fact.fact, o);
	}
}

/* ---- Facts ---- */

static bool
is_sent_by_itself(struct str name)
{
	/* What Postfix (README_FILES/MILTER_README) and Sendmail (op.me) know. */
	static const char *const known[] = {
		"i", "j", "_", "v", "r", "s", "b", "addr_type", "alg_bits", "auth_authen",
		"auth_author", "auth_ssf", "auth_type", "bodytype", "cert_fp", "cert_issuer",
		"cert_md5", "cert_subject", "cipher", "cipher_bits", "client_addr",
		"client_connections", "client_name", "client_port", "client_ptr",
		"client_rate", "client_resolve", "cn_issuer", "cn_subject", "currHeader",
		"daemon_addr", "daemon_family", "daemon_flags", "daemon_info", "daemon_name",
		"daemon_port", "deliveryMode", "dsn_envid", "dsn_notify", "dsn_ret", "envid",
		"hdrlen", "hdr_name", "if_addr", "if_addr_out", "if_family", "if_name",
		"load_avg", "mail_addr", "mail_host", "mail_mailer", "mail_from", "msg_id",
		"msg_size", "nbadrcpts", "nrcpts", "ntries", "opMode", "queue_interval",
		"rcpt_addr", "rcpt_host", "rcpt_mailer", "server_addr", "server_name",
		"tls_version", "total_rate", "verify",
	};

	if (name.n >= 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = (struct str){ name.p + 1, name.n - 2 };
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_eq(name, str_of(known[i])))
			return true;
	return name.n == 1;		/* Sendmail's own */
}

static void
check_use(void *arg, const struct fact_use *u)
{
	struct diag *d = arg;

	if (u->ref->fact != NULL && strcmp(u->ref->fact->name, "macro") == 0 &&
	    !is_sent_by_itself(u->ref->key))
		diag_warning(d, u->ref->key_at, "no MTA has a macro '" STR_FMT "' of its own: "
		    "Postfix needs it in milter_macro_defaults, Sendmail in its configuration",
		    STR_ARG(u->ref->key));
	if (u->cond != NULL && u->cond->op == OP_MATCHES)
		check_literal(d, &u->cond->regex);
	if (u->cond != NULL && u->ref->fact != NULL) {
		check_values(d, u->cond);
		check_habits(d, u->cond);
	}
}

/* ---- Settings ---- */

static const struct set *
find_set(const struct ast *ast, const char *name)
{
	for (const struct set *s = ast->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, str_of(name)))
			return s;
	return NULL;
}

/* A milter's port asks nobody who he is: it is open to the world only where that is written. */
static void
check_open_port(const struct operand *socket, struct diag *d)
{
	struct str s = socket->text;

	if (str_find(s, STR("@")) < 0)
		diag_warning(d, socket->at, "without an address this port is open to everybody who reaches the "
		    "machine: write " STR_FMT "@%s, or " STR_FMT "@%s if all addresses are meant", STR_ARG(s),
		    str_istarts(s, STR("inet6")) ? "::1" : "127.0.0.1", STR_ARG(s),
		    str_istarts(s, STR("inet6")) ? "::" : "0.0.0.0");
}

static void
check_settings(struct ast *ast, struct diag *d)
{
	static const char *const of_unix[] = { "socket-mode", "socket-group" };
	const struct set *mixed = find_set(ast, "mixed-recipients");
	const struct set *listen = find_set(ast, "listen"), *s;

	s = find_set(ast, "split-limit");
	if (s != NULL && mixed != NULL && mixed->values != NULL &&
	    !str_eq(mixed->values->text, STR("split"))) {
		diag_warning(d, s->name.at, "split-limit has no effect, since "
		    "mixed-recipients is " STR_FMT, STR_ARG(mixed->values->text));
		diag_note(d, mixed->name.at, "set here");
	}
	if (listen == NULL || listen->values == NULL ||
	    !str_istarts(listen->values->text, STR("inet")))
		return;
	check_open_port(listen->values, d);
	for (size_t i = 0; i < sizeof(of_unix) / sizeof(*of_unix); i++)
		if ((s = find_set(ast, of_unix[i])) != NULL) {
			diag_warning(d, s->name.at, "%s has no effect, since the socket is "
			    "no unix socket", of_unix[i]);
			diag_note(d, listen->name.at, "set here");
		}
}

void
check_doubts(struct ast *ast, bool whole, struct diag *d)
{
	for (struct rule *r = ast->rules; r != NULL; r = r->next) {
		walk_cond(r->cond, check_use, d);
		walk_texts(r->actions, check_use, d);
		check_text_habits(d, r);
		if (r->cond != NULL)
			check_parts(d, r->cond);
	}
	for (const struct list *l = ast->lists; l != NULL; l = l->next)
		for (const struct entry *e = l->entries; e != NULL; e = e->next)
			if (e->kind == ENTRY_REGEX)
				check_literal(d, &e->regex);
			else if (entry_kind_name(e->kind) == NULL && l->type == LIST_STRINGS)
				check_entry_stars(d, e->at, e->text);
	if (whole)
		check_settings(ast, d);
}
