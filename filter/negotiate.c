/*
 * negotiate.c - what an MTA is asked for: the steps of the protocol, the
 * macros and the rights to change a message that the loaded rules can make use of.
 *
 * What nobody looks at is not sent, and where no rule can answer, the MTA
 * does not wait for one.  An MTA may offer less: then what works goes on, and
 * the log tells which rule it hurts.
 */
#include "filter/negotiate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "filter/log.h"
#include "filter/milter.h"
#include "filter/pool.h"
#include "rules/ast.h"

/*
 * The macros behind facts, by the protocol's stages.  TLS is asked for at
 * MAIL, since a client may say EHLO again; `i` everywhere, since Postfix has
 * it from the first recipient on only.  Sendmail chooses the list for the end
 * of the message by whether there is one for the end of the header.
 */
static const char *const behind_facts[] = {
	[SMFIM_CONNECT] = "{client_ptr} {client_resolve} {daemon_name} {daemon_addr} {daemon_port}",
	[SMFIM_HELO] = "",
	[SMFIM_ENVFROM] = "i {auth_type} {auth_authen} {auth_author} {tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify}",
	[SMFIM_ENVRCPT] = "i {rcpt_mailer} {rcpt_host} {rcpt_addr}",
	[SMFIM_DATA] = "i",
	[SMFIM_EOM] = "i",
	[SMFIM_EOH] = "i",
};
#define STAGES	(sizeof(behind_facts) / sizeof(behind_facts[0]))

/* The right that an action needs. */
static unsigned long
right_of(const struct rule *r, const struct action *a)
{
	if (a->would)
		return 0;
	switch (a->id) {
	case A_TAG_SUBJECT:
	case A_ADD_HEADER:
	case A_SET_HEADER:
	case A_REMOVE_HEADER:
		return SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	case A_ADD_RCPT:
		return SMFIF_ADDRCPT;
	case A_REDIRECT:
		return SMFIF_ADDRCPT | SMFIF_DELRCPT;
	case A_REMOVE_RCPT:
		return SMFIF_DELRCPT;
	case A_DISCARD:
		return r->per_rcpt ? SMFIF_DELRCPT : 0;
	case A_QUARANTINE:
		return SMFIF_QUARANTINE;
	case A_SET_SENDER:
		return SMFIF_CHGFROM;
	default:
		return 0;
	}
}

static bool
writes_authres(const struct settings *s)
{
	return !(s->authres.n == 1 && str_eq(s->authres.v[0], STR("off")));
}

static bool
evaluates_signatures(const struct settings *s)
{
	for (size_t i = 0; i < s->authres.n; i++)
		if (str_eq(s->authres.v[i], STR("dkim")) ||
		    str_eq(s->authres.v[i], STR("dmarc")) ||
		    str_eq(s->authres.v[i], STR("arc")))
			return true;
	return false;
}

static unsigned long
wanted_actions(const struct ruleset *rs)
{
	const struct settings *s = rules_settings(rs);
	unsigned long want = 0;

	if (writes_authres(s))
		want |= SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	if (s->received_spf == SET_ON)
		want |= SMFIF_ADDHDRS;
	if (s->mode == MODE_MONITOR)
		return want;
	for (const struct rule *r = rules_ast(rs)->rules; r != NULL; r = r->next)
		for (const struct action *a = r->actions; a != NULL; a = a->next)
			want |= right_of(r, a);
	return want;
}

static bool
is_rcpt_count(const struct fact_ref *f)
{
	return f->fact != NULL && strcmp(f->fact->name, "rcpt.count") == 0;
}

/* Does a condition speak of all recipients that were named? */
static bool
counts_rcpts(const struct cond *c)
{
	if (c == NULL)
		return false;
	if (c->kind == COND_HAS)
		return c->thing == THING_RCPT || counts_rcpts(c->child);
	if (c->kind == COND_CMP)
		return is_rcpt_count(&c->fact) || (c->quant != Q_NONE &&
		    c->fact.fact != NULL && c->fact.fact->scope == P_RCPT);
	for (const struct cond *k = c->child; k != NULL; k = k->next)
		if (counts_rcpts(k))
			return true;
	return false;
}

/* Does any rule? Then those count, too, that the MTA itself has refused. */
static bool
wants_refused_rcpts(const struct ruleset *rs)
{
	for (const struct rule *r = rules_ast(rs)->rules; r != NULL; r = r->next) {
		if (counts_rcpts(r->cond))
			return true;
		for (const struct action *a = r->actions; a != NULL; a = a->next)
			for (const struct text *t = a->text; t != NULL; t = t->next)
				for (const struct part *p = t->parts; p != NULL; p = p->next)
					if (p->kind == PART_FACT && is_rcpt_count(&p->fact))
						return true;
	}
	return false;
}

/* What is looked at of a message, by rules or for Authentication-Results. */
static unsigned
looked_at(const struct ruleset *rs)
{
	return rules_needs(rs)->facts |
	    (evaluates_signatures(rules_settings(rs)) ? F_DKIM : 0);
}

/*
 * Steps not to be sent, and those that need no reply.  A reply to a chunk of
 * body can only be that no more is wanted.  Where signatures are looked at,
 * nearly every body is wanted to its end, and to wait for each reply costs
 * more than the few bodies that needn't have been sent.
 */
static unsigned long
wanted_steps(const struct ruleset *rs)
{
	const struct settings *s = rules_settings(rs);
	const struct needs *n = rules_needs(rs);
	unsigned looked = looked_at(rs);
	unsigned long want = SMFIP_NOUNKNOWN | SMFIP_NR_HELO | SMFIP_NR_HDR |
	    SMFIP_NR_EOH | SMFIP_SKIP | SMFIP_HDR_LEADSPC;

	if ((looked & (F_DKIM | F_ARC | F_RAWBODY | F_SIZE | F_CONTENT)) == 0)
		want |= SMFIP_NOBODY;
	if ((looked & (F_DKIM | F_ARC)) != 0)
		want |= SMFIP_NR_BODY;
	if ((looked & (F_HEADERS | F_DKIM | F_ARC | F_SIZE | F_CONTENT)) == 0 && !n->edits &&
	    !writes_authres(s))
		want |= SMFIP_NOHDRS | SMFIP_NOEOH;
	if (!n->replies[S_CONNECT])
		want |= SMFIP_NR_CONN;
	if (!n->replies[S_MAIL])
		want |= SMFIP_NR_MAIL;
	if (!n->replies[S_RCPT])
		want |= SMFIP_NR_RCPT;
	if (!n->replies[S_DATA])
		want |= SMFIP_NODATA;
	if (wants_refused_rcpts(rs))
		want |= SMFIP_RCPT_REJ;
	return want;
}

/* Is the name a word of the list? */
static bool
has_word(struct str rest, struct str name)
{
	while (rest.n > 0) {
		ptrdiff_t blank = str_find(rest, STR(" "));
		size_t n = blank < 0 ? rest.n : (size_t)blank;

		if (str_eq((struct str){ rest.p, n }, name))
			return true;
		n += n < rest.n;
		rest = (struct str){ rest.p + n, rest.n - n };
	}
	return false;
}

/* Is that the protocol's stage at which a macro is asked for? */
static bool
is_asked_at(struct str name, size_t where)
{
	enum scope scope;

	switch (macro_stage(name, &scope)) {
	case S_CONNECT:
		return where == SMFIM_CONNECT;
	case S_MAIL:
		return where == SMFIM_ENVFROM;
	case S_RCPT:
		return where == SMFIM_ENVRCPT;
	case S_DATA:
		return where == SMFIM_DATA || where == SMFIM_EOH ||
		    where == SMFIM_EOM;
	default:
		return where == SMFIM_EOH || where == SMFIM_EOM;
	}
}

static void
add_macro(struct strbuf *list, struct str name)
{
	bool braces = name.n > 1 && name.p[0] != '{';
	struct str had = strbuf_slice(list);
	struct strbuf word = { 0 };

	strbuf_printf(&word, "%s" STR_FMT "%s", braces ? "{" : "",
	    STR_ARG(name), braces ? "}" : "");
	if (!has_word(had, strbuf_slice(&word)))
		strbuf_printf(list, "%s" STR_FMT, had.n > 0 ? " " : "",
		    STR_ARG(strbuf_slice(&word)));
	strbuf_free(&word);
}

int
milter_prepare(struct generation *g)
{
	const struct needs *n = rules_needs(g->ruleset);

	g->actions = wanted_actions(g->ruleset);
	g->steps = wanted_steps(g->ruleset);
	for (size_t i = 0; i < STAGES; i++) {
		struct strbuf list = { 0 };

		strbuf_puts(&list, behind_facts[i]);
		for (size_t k = 0; k < n->macros.n; k++)
			if (is_asked_at(n->macros.v[k], i))
				add_macro(&list, n->macros.v[k]);
		if (list.failed) {
			strbuf_free(&list);
			return -1;
		}
		g->macros[i] = list.p;
	}
	return 0;
}

/* Says which rule first needs a right that the MTA doesn't give. */
static void
log_missing(const struct generation *g, unsigned long right, const char *name)
{
	for (const struct rule *r = rules_ast(g->ruleset)->rules; r != NULL;
	    r = r->next)
		for (const struct action *a = r->actions; a != NULL; a = a->next)
			if ((right_of(r, a) & right) != 0) {
				log_printf(LOG_LEVEL_WARNING, "the MTA does not let filters %s: rule %.*s can't (see milter_protocol in Postfix, InputMailFilters in Sendmail)",
				    name, STR_ARG(r->name.text));
				return;
			}
	log_printf(LOG_LEVEL_WARNING, "the MTA does not let filters %s: no Authentication-Results or Received-SPF", name);
}

static void
check_missing(struct generation *g, unsigned long offered)
{
	static const struct { unsigned long right; const char *name; } rights[] = {
		{ SMFIF_ADDHDRS, "add header fields" },
		{ SMFIF_CHGHDRS, "change header fields" },
		{ SMFIF_ADDRCPT, "add recipients" },
		{ SMFIF_DELRCPT, "remove recipients" },
		{ SMFIF_QUARANTINE, "quarantine messages" },
		{ SMFIF_CHGFROM, "change the sender" },
	};
	unsigned long missing = g->actions & ~offered, said;

	if (missing == 0)
		return;
	said = atomic_fetch_or(&g->missed, missing);
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if ((missing & ~said & rights[i].right) != 0)
			log_missing(g, rights[i].right, rights[i].name);
}

/* libmilter keeps the MTA from waiting for these by itself. */
#define FAKED_STEPS	(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | \
	SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN | SMFIP_NR_HDR | \
	SMFIP_NR_EOH | SMFIP_NR_BODY)

/* A bit of no action, for g->missed. */
#define MISSED_LEADSPC	0x80000000UL

void
negotiate(SMFICTX *ctx, struct connection *c, unsigned long offered_actions,
    unsigned long offered_steps)
{
	struct generation *g = c->gen;

	/* libmilter shows the oldest protocol's sets where an MTA offers nothing. */
	if (offered_actions == SMFI_V1_ACTS)
		offered_actions = 0;
	if ((offered_steps & SMFI_CURR_PROT & ~FAKED_STEPS) == SMFI_V1_PROT)
		offered_steps &= FAKED_STEPS;
	c->actions = g->actions & offered_actions;
	c->steps = g->steps & offered_steps;
	/* on_body() has to know what a chunk came with. */
	if (pool_packet() != SMFIC_OPTNEG)
		c->steps &= ~SMFIP_NR_BODY;
	check_missing(g, offered_actions);
	if ((c->steps & SMFIP_HDR_LEADSPC) == 0 &&
	    (looked_at(g->ruleset) & (F_DKIM | F_ARC)) != 0 &&
	    (atomic_fetch_or(&g->missed, MISSED_LEADSPC) & MISSED_LEADSPC) == 0)
		log_printf(LOG_LEVEL_WARNING, "the MTA drops the blank before header values: DKIM and ARC signatures with simple canonicalization may fail");
	if ((offered_actions & SMFIF_SETSYMLIST) == 0)
		return;
	c->actions |= SMFIF_SETSYMLIST;
	for (size_t i = 0; i < STAGES; i++)
		if (g->macros[i] != NULL && g->macros[i][0] != '\0')
			(void)smfi_setsymlist(ctx, (int)i, g->macros[i]);
}

int
negotiate_suffices(const struct connection *c)
{
	const unsigned long no = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL |
	    SMFIP_NORCPT | SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NOEOH |
	    SMFIP_NODATA | SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_RCPT;

	return (c->steps & no & ~c->gen->steps) == 0 &&
	    (c->gen->actions & ~c->actions) == 0;
}
