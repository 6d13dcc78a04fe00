/*
 * script.c - plays a written dialogue to a session, as an MTA would.
 *
 * It stops where an MTA would stop: a refusal at connect, MAIL or DATA ends
 * it, and a message without recipients has no data.
 */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/ast.h"

/* All of a stream, with CR LF for each bare LF; -1 with errno. */
static int
read_crlf(FILE *f, struct strbuf *out)
{
	char buf[16384];
	char last = '\0';
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
		size_t from = 0;

		for (size_t i = 0; i < n; i++) {
			if (buf[i] == '\n' && last != '\r') {
				strbuf_add(out, buf + from, i - from);
				strbuf_puts(out, "\r\n");
				from = i + 1;
			}
			last = buf[i];
		}
		strbuf_add(out, buf + from, n - from);
	}
	if (out->failed)
		errno = ENOMEM;
	return ferror(f) || out->failed ? -1 : 0;
}

int
script_message(struct script *sc, struct arena *a, const char *path,
    struct message_file *f, struct strbuf *why)
{
	bool std = strcmp(path, "-") == 0;
	FILE *in = std ? stdin : fopen(path, "re");
	struct message_file own;
	struct strbuf text = { 0 };
	int r = -1;

	if (f == NULL)
		f = &own;
	if (in == NULL || read_crlf(in, &text) == -1)
		strbuf_puts(why, strerror(errno));
	else if (message_split(a, str_dup(a, strbuf_slice(&text)), f) == -1)
		strbuf_puts(why, strerror(ENOMEM));
	else
		r = 0;
	if (in != NULL && !std)
		fclose(in);
	strbuf_free(&text);
	if (r == 0) {
		sc->fields = f->fields;
		sc->nfields = f->nfields;
		sc->body = f->body;
	}
	return r;
}

/* Macros come when an MTA would send them: those of the connection, of MAIL, or of each recipient. */
static int
set_macros(struct session *s, const struct script *sc, bool conn)
{
	struct mail *m = session_mail_model(s);

	for (size_t i = 0; i < sc->macros.n; i++) {
		const struct param *p = &sc->macros.v[i];
		enum scope scope;
		enum stage stage = macro_stage(p->name, &scope);

		if (conn && stage == S_CONNECT && mail_conn_macro(m, p->name, p->value) == -1)
			return -1;
		if (!conn && stage != S_CONNECT && scope != P_RCPT &&
		    mail_macro(m, p->name, p->value) == -1)
			return -1;
	}
	if (!conn && sc->auth.p != NULL)
		return mail_macro(m, STR("auth_authen"), sc->auth);
	return 0;
}

static bool
ends(const struct plan *p)
{
	return p->verdict == V_REJECT || p->verdict == V_TEMPFAIL || p->verdict == V_DISCARD;
}

/* Keeps what was said; 1 if it ends the dialogue, -1 without memory. */
static int
said(struct outcome *o, const struct plan *p)
{
	if (p == NULL)
		return -1;
	if (!ends(p))
		return 0;
	o->plan = *p;
	o->early = true;
	return 1;
}

static struct str
with_brackets(struct arena *a, struct str path)
{
	if (path.n > 0 && path.p[0] == '<')
		return path;
	return str_printf(a, "<" STR_FMT ">", STR_ARG(path));
}

static int
play_rcpts(const struct script *sc, struct outcome *o)
{
	static const struct str unknown = { "", 0 };
	struct mail *m = session_mail_model(o->session);
	struct param_list rm = { 0 };
	size_t n = sc->rcpts.n > 0 ? sc->rcpts.n : 1;
	int left = 0;

	if ((o->rcpts = arena_array(m->arena, n, sizeof(*o->rcpts))) == NULL ||
	    (rm.v = arena_array(m->arena, sc->macros.n + 1, sizeof(*rm.v))) == NULL)
		return -1;
	for (size_t i = 0; i < sc->macros.n; i++) {
		enum scope scope;

		macro_stage(sc->macros.v[i].name, &scope);
		if (scope == P_RCPT)
			rm.v[rm.n++] = sc->macros.v[i];
	}
	for (size_t i = 0; i < n; i++) {
		struct str path = sc->rcpts.n > 0 ? with_brackets(m->arena, sc->rcpts.v[i]) : unknown;
		const struct plan *p = session_rcpt(o->session, path, &rm);
		struct rcpt_outcome *r = &o->rcpts[o->nrcpts++];

		if (p == NULL)
			return -1;
		*r = (struct rcpt_outcome){ m->rcpts[m->nrcpts - 1], p->verdict, p->rule, p->reply };
		if (p->verdict == V_NONE || p->verdict == V_ACCEPT)
			left++;
		else
			o->plan = *p;
	}
	return left;
}

/* In mode monitor nothing was said at RCPT: what would have been is known now. */
static void
fill_monitored(struct outcome *o)
{
	for (size_t i = 0; i < o->nrcpts; i++) {
		struct rcpt_outcome *r = &o->rcpts[i];
		const struct rcpt_verdict *rv = rules_rcpt_verdict(session_rules(o->session), r->rcpt);

		if (rv == NULL || rcpt_is_left(r->rcpt))
			continue;
		*r = rv->differs != NULL ?
		    (struct rcpt_outcome){ r->rcpt, V_SPLIT, rv->differs->index, *rules_split_reply() } :
		    (struct rcpt_outcome){ r->rcpt, rv->verdict, rv->rule, rv->reply };
	}
}

static int
play_message(const struct script *sc, struct outcome *o)
{
	const struct plan *p;
	int r;

	if ((r = said(o, session_data(o->session))) != 0)
		return r;
	for (size_t i = 0; i < sc->nfields; i++)
		if (session_header(o->session, sc->fields[i].name, sc->fields[i].raw) == -1)
			return -1;
	if (session_end_headers(o->session) == NULL)
		return -1;
	if (sc->body.n > 0 && session_body(o->session, sc->body) == -1)
		return -1;
	if ((p = session_end(o->session)) == NULL)
		return -1;
	o->plan = *p;
	if (p->monitor)
		fill_monitored(o);
	return 0;
}

static int
play(const struct script *sc, struct outcome *o)
{
	struct session *s = o->session;
	struct mail *m = session_mail_model(s);
	struct str sender;
	int r;

	m->given = sc->given;
	m->ngiven = sc->ngiven;
	m->enforced = sc->enforced;
	if (set_macros(s, sc, true) == -1)
		return -1;
	r = said(o, session_connect(s, sc->has_ip ? &sc->ip : NULL, sc->name, sc->port, sc->by_smtp));
	if (r != 0)
		return r;
	if (sc->helo.p != NULL && session_helo(s, sc->helo) == -1)
		return -1;
	if (set_macros(s, sc, false) == -1)
		return -1;
	sender = with_brackets(m->arena, sc->sender);
	if ((r = said(o, session_sender(s, sender, sc->params.v, sc->params.n))) != 0)
		return r;
	if ((r = play_rcpts(sc, o)) <= 0) {
		o->nobody = o->early = r == 0;
		return r;
	}
	return play_message(sc, o);
}

int
script_run(const struct script *sc, struct ruleset *rs, const struct services *sv, struct outcome *o)
{
	struct services own = *sv;

	memset(o, 0, sizeof(*o));
	o->plan.rule = -1;
	if ((o->services = malloc(sizeof(*o->services))) == NULL)
		return -1;
	if (sc->now != 0)
		own.now = sc->now;
	*o->services = own;
	if ((o->session = session_new(rs, o->services)) == NULL || play(sc, o) == -1) {
		outcome_free(o);
		return -1;
	}
	return 0;
}

void
outcome_free(struct outcome *o)
{
	session_free(o->session);
	free(o->services);
	memset(o, 0, sizeof(*o));
}
