/*
 * apply.c - from a plan to libmilter's calls and return codes.
 *
 * The rules decide without regard to what a milter can say where; here stand
 * the ways of the protocol and of the two MTAs: no reply text at connect, no
 * discard before DATA, accept for the whole message only, each % doubled
 * (Postfix drops a single one, Sendmail throws the text away).
 *
 * What a plan promises and the MTA does not do must not turn into something milder:
 * a message that could not be held or whose recipients could not be changed is
 * put off.
 */
#include "filter/apply.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libmilter/mfapi.h>

#include "filter/log.h"
#include "filter/milter.h"
#include "rules/arena.h"
#include "rules/types.h"

#define REPLY_LINES	32	/* smfi_setmlreply() */
#define REPLY_OCTETS	980	/* of a line, with doubled % */
#define LAYERS_MAX	20	/* routes and names around an address */

/* The line with each % doubled, cut at what libmilter takes; NULL without memory. */
static char *
reply_line(struct arena *a, struct str line)
{
	char *out = arena_alloc(a, REPLY_OCTETS + 1);
	size_t n = 0;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (n + 1 + (c == '%') > REPLY_OCTETS)
			break;
		if (c == '%')
			out[n++] = '%';
		out[n++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	if (n == 0)		/* both MTAs take a line without text amiss */
		out[n++] = ' ';
	return out;
}

/* At most 32 lines, the rest NULL, as the variable arguments want them. */
static void
set_lines(SMFICTX *ctx, char *code, char *enhanced, char *l[REPLY_LINES])
{
	int r;

	if (l[0] == NULL || l[1] == NULL)
		r = smfi_setreply(ctx, code, enhanced, l[0]);
	else
		r = smfi_setmlreply(ctx, code, enhanced,
		    l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7],
		    l[8], l[9], l[10], l[11], l[12], l[13], l[14], l[15],
		    l[16], l[17], l[18], l[19], l[20], l[21], l[22], l[23],
		    l[24], l[25], l[26], l[27], l[28], l[29], l[30], l[31],
		    (char *)NULL);
	if (r != MI_SUCCESS)
		log_printf(LOG_LEVEL_ERROR, "libmilter refuses the reply %s %s %s",
		    code, enhanced != NULL ? enhanced : "",
		    l[0] != NULL ? l[0] : "");
}

static void
set_reply(SMFICTX *ctx, struct connection *c, const struct reply *r)
{
	struct arena *a = session_mail_model(c->session)->arena;
	char code[8], *lines[REPLY_LINES] = { NULL }, *enhanced;

	snprintf(code, sizeof(code), "%03d", r->code);
	enhanced = r->enhanced.n > 0 ? str_cstr(a, r->enhanced) : NULL;
	for (size_t i = 0; i < r->nlines && i < REPLY_LINES; i++)
		if ((lines[i] = reply_line(a, r->lines[i])) == NULL)
			break;
	set_lines(ctx, code, enhanced, lines);
}

int
apply_tempfail(SMFICTX *ctx, const char *enhanced, const char *text)
{
	char code[] = "451", xcode[16], line[200];

	snprintf(xcode, sizeof(xcode), "%s", enhanced);
	snprintf(line, sizeof(line), "%s", text);
	(void)smfi_setreply(ctx, code, xcode, line);
	return SMFIS_TEMPFAIL;
}

/* The message is put off, whatever the rules said. */
static int
put_off(SMFICTX *ctx, struct connection *c, const char *trouble,
    const char *text)
{
	c->put_off = true;
	if (trouble != NULL)
		c->trouble = trouble;
	return apply_tempfail(ctx, "4.3.0", text);
}

static int
out_of_memory(SMFICTX *ctx, struct connection *c)
{
	return put_off(ctx, c, "out of memory",
	    "Mail filter is short of memory, try again later");
}

int
apply_quiet(const struct connection *c, unsigned long no_reply)
{
	return (c->steps & no_reply) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

bool
apply_ends_message(int status)
{
	return status == SMFIS_REJECT || status == SMFIS_TEMPFAIL ||
	    status == SMFIS_DISCARD || status == SMFIS_ACCEPT;
}

/* A verdict where a reply can be given. */
static int
say(SMFICTX *ctx, struct connection *c, const struct plan *p, int quiet)
{
	switch (p->verdict) {
	case V_REJECT:
	case V_TEMPFAIL:
	case V_SPLIT:
		if (p->stage != S_CONNECT)	/* there the words are the MTA's */
			set_reply(ctx, c, &p->reply);
		return p->verdict == V_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
	case V_DISCARD:
		return p->stage >= S_DATA ? SMFIS_DISCARD : quiet;
	case V_ACCEPT:
		/* It takes the whole message, and no edit can follow. */
		return p->decided && (p->stage == S_MAIL || p->stage == S_DATA) ?
		    SMFIS_ACCEPT : quiet;
	default:
		return quiet;
	}
}

int
apply_stage(SMFICTX *ctx, struct connection *c, const struct plan *p,
    unsigned long no_reply)
{
	int quiet = apply_quiet(c, no_reply);
	bool can_say = quiet == SMFIS_CONTINUE && c->by_smtp;

	c->said = p;
	if (p == NULL)
		c->failed = true;
	if (c->failed)
		return can_say ? out_of_memory(ctx, c) : quiet;
	if (p->monitor || p->verdict == V_NONE)
		return quiet;
	if (can_say)
		return say(ctx, c, p, quiet);
	if (p->verdict != V_ACCEPT && p->verdict != V_SPLIT &&
	    (!c->has_kept || p->verdict > c->kept.verdict)) {
		c->kept = *p;
		c->has_kept = true;
	}
	return quiet;
}

/* Whole in one C string, or NULL: libmilter knows no lengths. */
static char *
c_value(struct connection *c, struct str v, bool blank)
{
	struct arena *a = session_mail_model(c->session)->arena;

	if (blank && (c->steps & SMFIP_HDR_LEADSPC) != 0)
		v = str_printf(a, " " STR_FMT, STR_ARG(v));
	return v.p == NULL ? NULL : str_cstr(a, v);
}

/*
 * Sendmail reads the path as it read the client's, so it knows the recipient by
 * the path as it came.  Postfix keeps what is left of it without the first
 * route or display name, but takes none off ours; so it is told all that there may be.
 * Neither minds a recipient that it doesn't have.  A path of more layers than
 * anybody means puts the message off.
 */
static int
remove_rcpt(SMFICTX *ctx, struct connection *c, struct str path)
{
	struct arena *a = session_mail_model(c->session)->arena;
	struct str layer = path, told = path;
	char *value;

	for (int n = 0; n < LAYERS_MAX; n++) {
		if ((value = c_value(c, told, false)) == NULL ||
		    smfi_delrcpt(ctx, value) != MI_SUCCESS)
			return MI_FAILURE;
		do {
			if (!path_unwrap(a, &layer))
				return MI_SUCCESS;
			told = str_printf(a, "<" STR_FMT ">", STR_ARG(layer));
		} while (str_eq(told, path));
	}
	return MI_FAILURE;
}

/* One change; 0, or -1 if the MTA or libmilter refuses it. */
static int
change(SMFICTX *ctx, struct connection *c, const struct change *ch)
{
	bool field = ch->kind == CHANGE_FIELD || ch->kind == CHANGE_APPEND ||
	    ch->kind == CHANGE_INSERT;
	char *name = field ? c_value(c, ch->name, false) : NULL;
	char *value = ch->value.p != NULL ? c_value(c, ch->value, field) : NULL;
	int r = MI_FAILURE;

	if ((field && name == NULL) || (ch->value.p != NULL && value == NULL))
		return -1;
	switch (ch->kind) {
	case CHANGE_FIELD:
		r = smfi_chgheader(ctx, name, ch->index, value);
		break;
	case CHANGE_APPEND:
		r = smfi_addheader(ctx, name, value);
		break;
	case CHANGE_INSERT:
		r = smfi_insheader(ctx, ch->index, name, value);
		break;
	case CHANGE_ADD_RCPT:
		r = smfi_addrcpt(ctx, value);
		break;
	case CHANGE_REMOVE_RCPT:
		r = remove_rcpt(ctx, c, ch->value);
		break;
	case CHANGE_SENDER:
		r = smfi_chgfrom(ctx, value, NULL);
		break;
	}
	return r == MI_SUCCESS ? 0 : -1;
}

/* All changes; -1 if one failed that mail would be lost or misled by. */
static int
change_message(SMFICTX *ctx, struct connection *c, const struct plan *p)
{
	const struct change *ch;
	size_t n;

	if ((ch = session_changes(c->session, p, &n)) == NULL) {
		c->trouble = "no memory for the changes";
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (change(ctx, c, &ch[i]) == 0)
			continue;
		if (arena_failed(session_mail_model(c->session)->arena)) {
			c->trouble = "no memory for the changes";
			return -1;
		}
		switch (ch[i].kind) {
		case CHANGE_FIELD:
		case CHANGE_APPEND:
		case CHANGE_INSERT:
			c->trouble = "the MTA refused a change of the header";
			break;
		default:
			c->trouble = "the MTA refused a change of the envelope";
			return -1;
		}
	}
	return 0;
}

static int
hold(SMFICTX *ctx, struct connection *c, const struct plan *p)
{
	char *reason = p->reason.n > 0 ? c_value(c, p->reason, false) : NULL;
	char plain[] = "held by policy";

	if (smfi_quarantine(ctx, reason != NULL ? reason : plain) == MI_SUCCESS)
		return SMFIS_ACCEPT;
	return put_off(ctx, c, "the MTA does not hold messages for filters",
	    "Mail filter cannot hold this message, try again later");
}

int
apply_end(SMFICTX *ctx, struct connection *c, const struct plan *p)
{
	c->said = p;
	if (p == NULL || c->failed)
		return out_of_memory(ctx, c);
	if (c->has_kept && !p->monitor &&
	    (p->verdict == V_NONE || p->verdict == V_ACCEPT))
		c->said = p = &c->kept;
	if (!p->monitor && p->verdict != V_ACCEPT && p->verdict != V_QUARANTINE &&
	    p->verdict != V_NONE)
		return say(ctx, c, p, SMFIS_CONTINUE);
	if (change_message(ctx, c, p) == -1)
		return put_off(ctx, c, NULL,
		    "Mail filter cannot change this message, try again later");
	if (!p->monitor && p->verdict == V_QUARANTINE)
		return hold(ctx, c, p);
	return SMFIS_ACCEPT;
}
