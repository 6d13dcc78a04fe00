/*
 * report.c - the log's line of a message or of a refused recipient.
 *
 *	queue=4bXyZ1 client=mail.example.com[192.0.2.1] helo=mail.example.com
 *	sender=<a@example.com> verdict=reject code=550 rule=spf-fail stage=rcpt
 *	time=12ms spf=fail rcpts=1 rcpt=<bob@example.org> reply="SPF: ..."
 *
 * What is always wanted comes first, what can grow long last; a field that
 * says nothing is left out.  Only results that a rule has asked for are told:
 * the log begins no lookups.
 */
#include "filter/report.h"

#include <stdio.h>
#include <string.h>

#include "filter/log.h"
#include "filter/milter.h"
#include "rules/ast.h"

#define SHOWN_RCPTS	20
#define SHORT		120	/* octets of one value from outside */
#define LONG		300	/* of recipients, edits, shadow rules, texts */
#define REPLY		160	/* of what the client is told */
#define ROOM		512	/* where a value is put together */

static const struct rule *
rule_at(const struct connection *c, int index)
{
	const struct rule *r;

	if (index < 0)
		return NULL;
	r = rules_ast(c->gen->ruleset)->rules;
	while (r != NULL && r->index != index)
		r = r->next;
	return r;
}

static void
put_client(struct log_line *l, const struct mail *m)
{
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);

	if (m->client_name.p != NULL)
		strbuf_str(&b, m->client_name);
	else
		strbuf_puts(&b, m->has_ip ? "unknown" : "local");
	if (m->has_ip) {
		strbuf_putc(&b, '[');
		ipaddr_print(&m->ip, &b);
		strbuf_putc(&b, ']');
	}
	log_field(l, "client", strbuf_slice(&b), SHORT);
	strbuf_free(&b);
}

static void
put_envelope(struct log_line *l, struct mail *m)
{
	struct str id = mail_find_macro(m, STR("i"));

	if (id.p != NULL)
		log_field(l, "queue", id, SHORT);
	put_client(l, m);
	if (m->helo_raw.p != NULL)
		log_field(l, "helo", m->helo_raw, SHORT);
	if (m->has_sender)
		log_field(l, "sender", m->sender_path, SHORT);
}

static void
put_rule(struct log_line *l, const struct connection *c, int index)
{
	const struct rule *r = rule_at(c, index);

	if (r != NULL)
		log_field(l, "rule", r->name.text, SHORT);
}

static void
put_verdict(struct log_line *l, const struct connection *c,
    const struct plan *p, struct recipient *r)
{
	const struct rcpt_verdict *rv;

	if (p == NULL || c->put_off) {
		log_field(l, "verdict", STR("tempfail"), 0);
		log_number(l, "code", 451);
		return;
	}
	if (p->monitor)
		log_field(l, "mode", STR("monitor"), 0);
	log_field(l, "verdict", str_of(p->monitor || p->verdict == V_NONE ?
	    "accept" : verdict_name(p->verdict)), 0);
	if (!p->monitor && p->reply.code != 0)
		log_number(l, "code", p->reply.code);
	if (p->verdict == V_SPLIT && r != NULL && (rv = rules_rcpt_verdict(
	    session_rules(c->session), r)) != NULL && rv->differs != NULL)
		log_field(l, "rule", rv->differs->name.text, SHORT);
	else if (!p->monitor)
		put_rule(l, c, p->rule);
	log_field(l, "stage", str_of(stage_name(p->stage)), 0);
	if (p->on_error && !p->monitor)
		log_field(l, "on-error", STR("yes"), 0);
}

/* What the client is told, and why mail is held. */
static void
put_words(struct log_line *l, const struct connection *c, const struct plan *p)
{
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);

	if (c->put_off || p->monitor)
		return;
	for (size_t i = 0; i < p->reply.nlines && b.n < REPLY; i++) {
		if (i > 0)
			strbuf_puts(&b, " / ");
		strbuf_str(&b, p->reply.lines[i]);
	}
	if (b.n > 0)
		log_field(l, "reply", strbuf_slice(&b), REPLY);
	strbuf_free(&b);
	if (p->verdict == V_QUARANTINE && p->reason.n > 0)
		log_field(l, "reason", p->reason, REPLY);
}

/* The results that are known, and why lookups failed. */
struct results {
	struct log_line	*line;
	struct strbuf	 failed;
};

static void
put_result(struct results *r, const char *key, enum type_id type, int result,
    struct str reason)
{
	struct str word = str_of(type_of(type)->words[result]);

	log_field(r->line, key, word, 0);
	if (str_eq(word, STR("temperror")) && reason.n > 0)
		strbuf_printf(&r->failed, "%s%s: " STR_FMT,
		    r->failed.n > 0 ? "; " : "", key, STR_ARG(reason));
}

static void
put_dkim(struct results *r, const struct dkim_answer *dkim)
{
	enum dkim_result best = DKIM_R_NONE;
	struct str reason = STR_NONE;

	for (size_t i = 0; i < dkim->n; i++) {
		if (dkim->sig[i].result == DKIM_R_TEMPERROR && reason.p == NULL)
			reason = dkim->sig[i].reason;
		if (dkim->sig[i].result < best)
			best = dkim->sig[i].result;
	}
	put_result(r, "dkim", T_DKIM, (int)best, reason);
}

/* dnsbl=bl.example.org:127.0.0.2, and what failed or is to be mended. */
static void
put_lists(struct results *r, const struct connection *c)
{
	static const char *const keys[] = { [DNSBL_CLIENT] = "dnsbl", [DNSBL_SENDER] = "rhsbl" };

	for (int kind = 0; kind < 2; kind++) {
		char room[ROOM];
		struct strbuf b = STRBUF_IN(room);

		for (const struct dnsbl *l = session_dnsbls(c->session); l != NULL; l = l->next) {
			if ((int)l->kind != kind || !l->done)
				continue;
			for (size_t i = 0; i < l->answer.n; i++) {
				strbuf_printf(&b, "%s" STR_FMT ":", b.n > 0 ? "," : "", STR_ARG(l->zone));
				ipaddr_print(&l->answer.codes[i].ip, &b);
			}
			if (l->answer.reason.n > 0)
				strbuf_printf(&r->failed, "%s%s: " STR_FMT, r->failed.n > 0 ? "; " : "",
				    keys[kind], STR_ARG(l->answer.reason));
		}
		if (b.n > 0)
			log_field(r->line, keys[kind], strbuf_slice(&b), LONG);
		strbuf_free(&b);
	}
}

static void
put_results(struct log_line *l, const struct connection *c, struct mail *m,
    const struct plan *p)
{
	unsigned known = session_lookups(c->session);
	unsigned late = p->stage == S_MESSAGE ? known | p->asked : 0;
	struct results r = { .line = l };
	const struct iprev_answer *iprev;
	const struct spf_answer *spf;
	const struct dkim_answer *dkim;
	const struct dmarc_answer *dmarc;
	const struct arc_answer *arc;

	m->may_wait = false;
	if ((known & F_IPREV) != 0 && (iprev = m->ops->iprev(m)) != NULL)
		put_result(&r, "client.iprev", T_IPREV, (int)iprev->result, iprev->reason);
	if ((known & F_SPF) != 0 && (spf = m->ops->spf(m, SPF_MAILFROM)) != NULL)
		put_result(&r, "spf", T_SPF, (int)spf->result, spf->reason);
	if ((known & F_SPFHELO) != 0 && (spf = m->ops->spf(m, SPF_HELO)) != NULL)
		put_result(&r, "spf.helo", T_SPF, (int)spf->result, spf->reason);
	if ((late & F_DKIM) != 0 && (dkim = m->ops->dkim(m)) != NULL)
		put_dkim(&r, dkim);
	if ((late & F_DMARC) != 0 && (dmarc = m->ops->dmarc(m)) != NULL)
		put_result(&r, "dmarc", T_DMARC, (int)dmarc->result, dmarc->reason);
	if ((late & F_ARC) != 0 && (arc = m->ops->arc(m)) != NULL)
		put_result(&r, "arc", T_ARC, (int)arc->result, arc->reason);
	put_lists(&r, c);
	if (r.failed.n > 0)
		log_field(l, "dns", strbuf_slice(&r.failed), LONG);
	strbuf_free(&r.failed);
}

static void
put_points(void *arg, const struct rule *rule, int64_t points)
{
	struct strbuf *b = arg;

	if (b->n < LONG)
		strbuf_printf(b, "%s" STR_FMT " %+lld", b->n > 0 ? ", " : "",
		    STR_ARG(rule->name.text), (long long)points);
}

/* The score, and the rules that it comes from: of the recipient who has the most. */
static void
put_score(struct log_line *l, const struct connection *c, const struct mail *m,
    const struct plan *p, const struct recipient *one)
{
	const struct rules_state *st = session_rules(c->session);
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);

	if (!p->has_score || st == NULL)
		return;
	log_number(l, "score", p->score);
	for (size_t i = 0; i < m->nrcpts && one == NULL; i++) {
		const struct rcpt_verdict *rv = m->rcpts[i]->state != RCPT_OPEN ? NULL :
		    rules_rcpt_verdict(session_rules(c->session), m->rcpts[i]);

		if (rv != NULL && rv->score == p->score)
			one = m->rcpts[i];
	}
	rules_scored(st, one, put_points, &b);
	if (b.n > 0)
		log_field(l, "scored", strbuf_slice(&b), LONG);
	strbuf_free(&b);
}

static void
put_rcpts(struct log_line *l, const struct mail *m, const struct recipient *one)
{
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);
	size_t n = 0;

	if (one != NULL) {
		log_field(l, "rcpt", one->path, SHORT);
		return;
	}
	for (size_t i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i]->state != RCPT_OPEN)
			continue;
		/* What doesn't fit is counted; no address is shown in part. */
		if (n++ < SHOWN_RCPTS && b.n + m->rcpts[i]->path.n < LONG) {
			if (b.n > 0)
				strbuf_putc(&b, ',');
			strbuf_str(&b, m->rcpts[i]->path);
		}
	}
	if (n == 0)
		return;
	log_number(l, "rcpts", (int64_t)n);
	log_field(l, "rcpt", strbuf_slice(&b), LONG);
	strbuf_free(&b);
}

/*
 * Recipients for whom the rules alone said something else than what became of
 * the message: dropped, or overruled by another recipient's verdict.
 */
static void
put_others(struct log_line *l, const struct connection *c, const struct mail *m,
    const struct plan *p)
{
	const struct rcpt_verdict *rv;
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);
	const struct rule *r;

	for (size_t i = 0; i < m->nrcpts && b.n < LONG; i++) {
		if (!rcpt_is_left(m->rcpts[i]) ||
		    (rv = rules_rcpt_verdict(session_rules(c->session),
		    m->rcpts[i])) == NULL || rv->verdict == V_NONE ||
		    (rv->verdict == p->verdict && rv->rule == p->rule))
			continue;
		r = rule_at(c, rv->rule);
		strbuf_printf(&b, "%s%s " STR_FMT "%s" STR_FMT,
		    b.n > 0 ? ", " : "", verdict_name(rv->verdict),
		    STR_ARG(m->rcpts[i]->path), r != NULL ? " by " : "",
		    STR_ARG(r != NULL ? r->name.text : STR("")));
	}
	if (b.n > 0)
		log_field(l, "differing", strbuf_slice(&b), LONG);
	strbuf_free(&b);
}

static void
put_notes(struct log_line *l, const struct connection *c, const struct plan *p)
{
	static const struct { int kind; const char *key; } kinds[] = {
		{ NOTE_ERROR, "error" }, { NOTE_WOULD, "would" }, { NOTE_LOG, "log" },
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		char room[ROOM];
		struct strbuf b = STRBUF_IN(room);

		for (size_t i = 0; i < p->nnotes && b.n < LONG; i++) {
			const struct rule *r;

			if ((int)p->notes[i].kind != kinds[k].kind)
				continue;
			r = rule_at(c, p->notes[i].rule);
			strbuf_printf(&b, "%s" STR_FMT ": " STR_FMT "%s",
			    b.n > 0 ? "; " : "",
			    STR_ARG(r != NULL ? r->name.text : STR("?")),
			    STR_ARG(p->notes[i].text),
			    p->notes[i].not_asked ? " (not asked)" : "");
		}
		if (b.n > 0)
			log_field(l, kinds[k].key, strbuf_slice(&b), LONG);
		strbuf_free(&b);
	}
}

/* Does the rule send its recipient's mail elsewhere (path NULL), or to path? */
static bool
redirects(const struct rule *r, const struct str *path)
{
	const struct action *a = r != NULL ? r->actions : NULL;

	for (; a != NULL; a = a->next)
		if (a->id == A_REDIRECT && !a->would && (path == NULL ||
		    str_find(*path, a->path->text) == 1))
			return true;
	return false;
}

/* "tag subject by external, redirect <x@example.org> by vip" */
static void
list_edits(struct strbuf *b, const struct connection *c, const struct plan *p)
{
	const char *between = "";

	for (size_t i = 0; i < p->nedits && b->n < LONG; i++) {
		const struct edit *e = &p->edits[i];
		const struct rule *r = rule_at(c, e->rule);
		bool redirect = e->kind == EDIT_ADD_RCPT && redirects(r, &e->value);

		if (e->kind == EDIT_REMOVE_RCPT && redirects(r, NULL))
			continue;
		strbuf_printf(b, "%s%s", between,
		    redirect ? "redirect" : edit_name(e->kind));
		if (e->kind >= EDIT_ADD_RCPT)
			strbuf_printf(b, " " STR_FMT, STR_ARG(e->value));
		else if (e->kind != EDIT_TAG_SUBJECT)
			strbuf_printf(b, " " STR_FMT, STR_ARG(e->name));
		if (r != NULL)
			strbuf_printf(b, " by " STR_FMT, STR_ARG(r->name.text));
		between = ", ";
	}
}

static void
put_edits(struct log_line *l, const struct connection *c, const struct plan *p)
{
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);

	list_edits(&b, c, p);
	if (b.n > 0)
		log_field(l, "edits", strbuf_slice(&b), LONG);
	strbuf_free(&b);
}

/* ---- Mode monitor ---- */

/* What would have become of some recipients. */
struct fate {
	enum verdict	verdict;
	int		code, rule;
	const struct rule *differs;	/* split by it first */
	bool		together;	/* they are told at the end, all the same */
	size_t		n;
	struct strbuf	rcpts;
};
#define FATES	16
#define NAMED	3	/* recipients of each */

static struct fate
fate_of(const struct plan *p, const struct recipient *r, const struct rcpt_verdict *rv)
{
	if (rv == NULL || rcpt_is_left(r))
		return (struct fate){ .verdict = p->verdict, .code = p->reply.code, .rule = p->rule,
		    .together = true };
	return (struct fate){ .verdict = rv->verdict, .code = rv->reply.code, .rule = rv->rule,
	    .differs = rv->differs };
}

/* Those that the rules drop stand among the edits, where there are any. */
static bool
is_dropped(const struct plan *p, const struct recipient *r, const struct rcpt_verdict *rv)
{
	return rv != NULL && rv->verdict == V_DISCARD && rcpt_is_left(r) &&
	    (p->verdict == V_ACCEPT || p->verdict == V_QUARANTINE);
}

/* Recipients by what would have become of them; returns how many kinds there are. */
static size_t
collect_fates(const struct connection *c, const struct mail *m, const struct plan *p, struct fate *v)
{
	size_t n = 0, k;

	for (size_t i = 0; i < m->nrcpts; i++) {
		struct recipient *r = m->rcpts[i];
		const struct rcpt_verdict *rv;
		struct fate f;

		if (r->state != RCPT_OPEN ||
		    is_dropped(p, r, rv = rules_rcpt_verdict(session_rules(c->session), r)))
			continue;
		f = fate_of(p, r, rv);
		for (k = 0; k < n && (v[k].verdict != f.verdict || v[k].rule != f.rule ||
		    v[k].differs != f.differs || v[k].together != f.together); k++)
			;
		if (k == FATES)
			continue;
		if (k == n)
			v[n++] = f;
		if (v[k].n++ < NAMED)
			strbuf_printf(&v[k].rcpts, "%s" STR_FMT, v[k].n > 1 ? "," : "", STR_ARG(r->path));
	}
	return n;
}

static void
print_fate(struct strbuf *b, const struct connection *c, const struct plan *p,
    const struct fate *f, bool alone)
{
	const struct rule *r = rule_at(c, f->rule);

	if (f->differs != NULL)
		strbuf_printf(b, "split by " STR_FMT ", then ", STR_ARG(f->differs->name.text));
	strbuf_puts(b, verdict_name(f->verdict));
	if (f->code != 0)
		strbuf_printf(b, " %d", f->code);
	if (r != NULL)
		strbuf_printf(b, " by " STR_FMT, STR_ARG(r->name.text));
	if (!alone)
		strbuf_printf(b, " for " STR_FMT, STR_ARG(strbuf_slice(&f->rcpts)));
	if (!alone && f->n > NAMED)
		strbuf_printf(b, " and %zu more", f->n - NAMED);
	if (f->together && p->nedits > 0) {
		strbuf_puts(b, ": ");
		list_edits(b, c, p);
	}
}

/* What the file would have done: "reject 550 by spf-fail for <b@example.org>; accept by role for ..." */
static void
put_monitor(struct log_line *l, const struct connection *c, const struct mail *m,
    const struct plan *p)
{
	struct fate fates[FATES] = { { .n = 0 } };
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);
	size_t n = collect_fates(c, m, p, fates);

	/* No recipient, or all dropped. */
	if (n == 0) {
		fates[0] = fate_of(p, NULL, NULL);
		print_fate(&b, c, p, &fates[0], true);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_puts(&b, "; ");
		print_fate(&b, c, p, &fates[i], n == 1);
		strbuf_free(&fates[i].rcpts);
	}
	log_field(l, "would", strbuf_slice(&b), LONG);
	strbuf_free(&b);
}

void
report(const struct connection *c, struct recipient *r)
{
	const struct plan *p = c->said;
	struct log_line l;
	struct mail *m;
	char time[32];

	if (c->session == NULL) {
		log_printf(LOG_LEVEL_ERROR, "out of memory: a connection is put off");
		return;
	}
	m = session_mail_model(c->session);
	log_begin(&l);
	put_envelope(&l, m);
	put_verdict(&l, c, p, r);
	if (c->in_hand) {
		snprintf(time, sizeof(time), "%lldms",
		    (long long)(clock_msec() - c->began));
		log_field(&l, "time", str_of(time), 0);
	}
	if (c->trouble != NULL)
		log_field(&l, "trouble", str_of(c->trouble), 0);
	if (p != NULL)
		put_results(&l, c, m, p);
	if (p != NULL)
		put_score(&l, c, m, p, r);
	put_rcpts(&l, m, r);
	if (p != NULL)
		put_words(&l, c, p);
	if (p != NULL && !p->monitor && !c->put_off)
		put_edits(&l, c, p);
	if (p != NULL && r == NULL && p->stage == S_MESSAGE)
		put_others(&l, c, m, p);
	if (p != NULL && p->monitor)
		put_monitor(&l, c, m, p);
	if (p != NULL)
		put_notes(&l, c, p);
	log_write(LOG_LEVEL_INFO, &l);
}
