/*
 * milter.c - the filter as libmilter sees it.
 *
 * Each callback hands over to the session, asks apply.c what to return, and
 * gets out of the way.  libmilter calls them on any of its threads, one at a time
 * for a connection; whatever order a broken peer makes of them, each must do
 * no harm: without a session the answer is a tempfail.
 *
 * A message is in hand from MAIL to whatever ends it: our verdict, its end,
 * abort or close.  After a refusal of ours no abort follows.
 */
#include "filter/milter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "filter/apply.h"
#include "filter/milter_read.h"
#include "filter/negotiate.h"
#include "filter/pool.h"
#include "filter/report.h"
#include "rules/arena.h"

static atomic_int in_hand;
static atomic_bool stopping;
static void (*_Atomic relief)(void);

/*
 * After SMFIC_QUIT_NC comes another connection on the same context, without
 * negotiation; but what was agreed can't be left in the context, since close
 * may be the last call.  So the last few are remembered here.
 */
#define AGREED	64
static struct {
	const SMFICTX	*ctx;
	unsigned	 serial;
	unsigned long	 actions, steps;
} agreed[AGREED];
static unsigned next_agreed;
static pthread_mutex_t agreed_lock = PTHREAD_MUTEX_INITIALIZER;

int
milter_messages(void)
{
	return atomic_load(&in_hand);
}

void
milter_stop_soon(void)
{
	atomic_store(&stopping, true);
}

void
milter_set_relief(void (*fn)(void))
{
	atomic_store(&relief, fn);
}

static void
may_wait(void)
{
	void (*fn)(void) = atomic_load(&relief);

	if (fn != NULL)
		fn();
}

/*
 * Sendmail gives a filter some seconds (10 by default) to answer, and hangs
 * up.  At the end of the message it may be told that we are still alive.
 */
#define PROGRESS_MSEC	5000

static void
progress(void *ctx)
{
	(void)smfi_progress(ctx);
}

static void
remember_agreed(const SMFICTX *ctx, const struct connection *c)
{
	pthread_mutex_lock(&agreed_lock);
	agreed[next_agreed].ctx = ctx;
	agreed[next_agreed].serial = c->gen->serial;
	agreed[next_agreed].actions = c->actions;
	agreed[next_agreed].steps = c->steps;
	next_agreed = (next_agreed + 1) % AGREED;
	pthread_mutex_unlock(&agreed_lock);
}

/* Fills in c what its context agreed to last; false if that isn't known, or isn't enough. */
static bool
recall_agreed(const SMFICTX *ctx, struct connection *c)
{
	bool found = false, same = false;

	pthread_mutex_lock(&agreed_lock);
	for (unsigned i = 1; i <= AGREED && !found; i++) {
		unsigned k = (next_agreed + AGREED - i) % AGREED;

		if ((found = agreed[k].ctx == ctx)) {
			c->actions = agreed[k].actions;
			c->steps = agreed[k].steps;
			same = agreed[k].serial == c->gen->serial;
		}
	}
	pthread_mutex_unlock(&agreed_lock);
	return same || (found && negotiate_suffices(c));
}

static struct connection *
connection_of(SMFICTX *ctx)
{
	return smfi_getpriv(ctx);
}

static struct connection *
connection_new(SMFICTX *ctx)
{
	struct connection *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	if ((c->gen = generation_current()) == NULL ||
	    smfi_setpriv(ctx, c) != MI_SUCCESS) {
		generation_release(c->gen);
		free(c);
		return NULL;
	}
	return c;
}

static void
message_begin(struct connection *c)
{
	c->said = NULL;
	c->has_kept = false;
	c->trouble = NULL;
	c->failed = c->put_off = false;
	c->began = clock_msec();
	if (!c->in_hand)
		atomic_fetch_add(&in_hand, 1);
	c->in_hand = true;
}

static void
message_end(struct connection *c)
{
	if (c->session != NULL)
		session_end_message(c->session);
	c->said = NULL;
	c->has_kept = false;
	if (c->in_hand)
		atomic_fetch_sub(&in_hand, 1);
	c->in_hand = false;
}

static void
connection_free(struct connection *c)
{
	message_end(c);
	session_free(c->session);
	generation_release(c->gen);
	free(c);
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
    unsigned long f2, unsigned long f3, unsigned long *want_actions,
    unsigned long *want_steps, unsigned long *want_f2, unsigned long *want_f3)
{
	struct connection *c;

	(void)f2, (void)f3;
	if ((c = connection_of(ctx)) != NULL)	/* negotiated twice */
		connection_free(c);
	smfi_setpriv(ctx, NULL);
	if ((c = connection_new(ctx)) == NULL)
		return SMFIS_TEMPFAIL;		/* libmilter closes */
	negotiate(ctx, c, actions, steps);
	*want_actions = c->actions;
	*want_steps = c->steps;
	*want_f2 = *want_f3 = 0;
	return SMFIS_CONTINUE;
}

/* A session for a connection that begins; -1 without memory. */
static int
session_begin(SMFICTX *ctx, struct connection *c)
{
	message_end(c);
	session_free(c->session);
	c->session = session_new(c->gen->ruleset, &c->gen->services);
	if (c->session == NULL)
		return -1;
	return milter_read_macros(ctx, c, SMFIM_CONNECT);
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, struct sockaddr *sa)
{
	struct connection *c = connection_of(ctx);
	const struct ipaddr *ip;
	const struct plan *p;
	struct ipaddr addr;
	int port, status;

	if (c == NULL && ((c = connection_new(ctx)) == NULL ||
	    !recall_agreed(ctx, c)))
		return SMFIS_TEMPFAIL;
	ip = milter_client_address(sa, &addr, &port);
	c->by_smtp = ip != NULL && port != 0;
	if (session_begin(ctx, c) == -1)
		return apply_stage(ctx, c, NULL, SMFIP_NR_CONN);
	p = session_connect(c->session, ip, milter_client_name(ctx, host), port, c->by_smtp);
	status = apply_stage(ctx, c, p, SMFIP_NR_CONN);
	if (apply_ends_message(status))
		report(c, NULL);
	return status;
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	struct connection *c = connection_of(ctx);

	if (c == NULL || c->session == NULL)
		return SMFIS_CONTINUE;		/* MAIL will be refused */
	if (session_helo(c->session, str_of(name != NULL ? name : "")) == -1) {
		session_free(c->session);
		c->session = NULL;
	}
	return apply_quiet(c, SMFIP_NR_HELO);
}

/* MAIL's parameters, and then what the rules say; NULL without memory. */
static const struct plan *
mail_from(SMFICTX *ctx, struct connection *c, char **argv)
{
	struct arena *a = session_mail_model(c->session)->arena;
	struct str *params;
	size_t n = 0;

	if (milter_read_macros(ctx, c, SMFIM_ENVFROM) == -1)
		return NULL;
	while (argv[0] != NULL && argv[n + 1] != NULL)
		n++;
	if ((params = arena_array(a, n + 1, sizeof(*params))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		params[i] = str_of(argv[i + 1]);
	return session_sender(c->session,
	    str_of(argv[0] != NULL ? argv[0] : "<>"), params, n);
}

static sfsistat
on_envfrom(SMFICTX *ctx, char **argv)
{
	struct connection *c = connection_of(ctx);
	const struct plan *p;
	int status;

	if (c == NULL || c->session == NULL)
		return SMFIS_TEMPFAIL;
	message_end(c);
	if (atomic_load(&stopping) && c->by_smtp &&
	    apply_quiet(c, SMFIP_NR_MAIL) == SMFIS_CONTINUE)
		return apply_tempfail(ctx, "4.3.2", "Mail filter is being restarted, try again");
	message_begin(c);
	may_wait();
	p = mail_from(ctx, c, argv);
	status = apply_stage(ctx, c, p, SMFIP_NR_MAIL);
	if (apply_ends_message(status)) {
		report(c, NULL);
		message_end(c);
	}
	return status;
}

/* With SMFIP_RCPT_REJ: the MTA only shows it, having refused it by itself. */
static bool
is_refused_by_mta(SMFICTX *ctx, const struct connection *c)
{
	char name[] = "{rcpt_mailer}";
	const char *mailer;

	return (c->steps & SMFIP_RCPT_REJ) != 0 &&
	    (mailer = smfi_getsymval(ctx, name)) != NULL &&
	    strcmp(mailer, "error") == 0;
}

/* What the rules say to a recipient; NULL without memory. */
static const struct plan *
rcpt_to(SMFICTX *ctx, struct connection *c, struct str path)
{
	struct param_list macros = { 0 };

	if (milter_rcpt_macros(ctx, c, &macros) == -1)
		return NULL;
	return session_rcpt(c->session, path, &macros);
}

/* It counts among those that were named, and nothing is said. */
static sfsistat
refused_rcpt(struct connection *c, struct str path)
{
	struct str delimiter = rules_settings(c->gen->ruleset)->recipient_delimiter;
	struct mail *m = session_mail_model(c->session);
	struct recipient *r;

	if (m->nrcpts >= MAIL_RCPTS)
		return apply_quiet(c, SMFIP_NR_RCPT);
	if ((r = mail_rcpt(m, path, delimiter.n > 0 ? delimiter.p[0] : '\0')) == NULL)
		c->failed = true;
	else
		r->state = RCPT_REFUSED;
	return apply_quiet(c, SMFIP_NR_RCPT);
}

static sfsistat
on_envrcpt(SMFICTX *ctx, char **argv)
{
	struct connection *c = connection_of(ctx);
	const struct plan *p;
	struct mail *m;
	int status;

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	if (is_refused_by_mta(ctx, c))
		return refused_rcpt(c, str_of(argv[0] != NULL ? argv[0] : ""));
	m = session_mail_model(c->session);
	if (m->nrcpts >= MAIL_RCPTS && apply_quiet(c, SMFIP_NR_RCPT) == SMFIS_CONTINUE)
		return apply_tempfail(ctx, "4.5.3", "Too many recipients");
	may_wait();
	p = rcpt_to(ctx, c, str_of(argv[0] != NULL ? argv[0] : ""));
	status = apply_stage(ctx, c, p, SMFIP_NR_RCPT);
	if (apply_ends_message(status))
		report(c, p != NULL && m->nrcpts > 0 ? m->rcpts[m->nrcpts - 1] : NULL);
	return status;
}

static sfsistat
on_data(SMFICTX *ctx)
{
	struct connection *c = connection_of(ctx);
	const struct plan *p;
	int status;

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	may_wait();
	p = milter_read_macros(ctx, c, SMFIM_DATA) == -1 ? NULL :
	    session_data(c->session);
	status = apply_stage(ctx, c, p, SMFIP_NR_DATA);
	if (apply_ends_message(status)) {
		report(c, NULL);
		message_end(c);
	}
	return status;
}

/* VRFY, NOOP and the like are the MTA's business. */
static sfsistat
on_unknown(SMFICTX *ctx, const char *command)
{
	struct connection *c = connection_of(ctx);

	(void)command;
	return c != NULL ? apply_quiet(c, SMFIP_NR_UNKN) : SMFIS_CONTINUE;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct connection *c = connection_of(ctx);
	struct str raw = str_of(value != NULL ? value : "");

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	/* Without leading blanks the MTA has taken one away. */
	if ((c->steps & SMFIP_HDR_LEADSPC) == 0)
		raw = str_printf(session_mail_model(c->session)->arena,
		    " %s", raw.p);
	if (raw.p == NULL || session_header(c->session,
	    str_of(name != NULL ? name : ""), raw) == -1)
		c->failed = true;
	return apply_quiet(c, SMFIP_NR_HDR);
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	struct connection *c = connection_of(ctx);

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	may_wait();
	if (milter_read_macros(ctx, c, SMFIM_EOH) == -1 ||
	    session_end_headers(c->session) == NULL)
		c->failed = true;
	return apply_quiet(c, SMFIP_NR_EOH);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t n)
{
	struct connection *c = connection_of(ctx);
	int r;

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	may_wait();
	r = session_body(c->session, (struct str){ (const char *)chunk, n });
	if (r == -1)
		c->failed = true;
	/* With the end of the message libmilter takes no answer but "go on". */
	if (pool_packet() != SMFIC_BODY)
		return SMFIS_CONTINUE;
	if (r == 0 && (c->steps & (SMFIP_SKIP | SMFIP_NR_BODY)) == SMFIP_SKIP)
		return SMFIS_SKIP;
	return apply_quiet(c, SMFIP_NR_BODY);
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	struct connection *c = connection_of(ctx);
	const struct plan *p;
	int status;

	if (c == NULL || c->session == NULL || !c->in_hand)
		return SMFIS_TEMPFAIL;
	may_wait();
	wait_each(PROGRESS_MSEC, progress, ctx);
	p = milter_read_macros(ctx, c, SMFIM_EOM) == -1 ? NULL :
	    session_end(c->session);
	status = apply_end(ctx, c, p);
	wait_each(0, NULL, NULL);
	report(c, NULL);
	message_end(c);
	return status;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct connection *c = connection_of(ctx);

	if (c != NULL)
		message_end(c);
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct connection *c = connection_of(ctx);

	if (c == NULL)
		return SMFIS_CONTINUE;
	remember_agreed(ctx, c);
	smfi_setpriv(ctx, NULL);
	connection_free(c);
	return SMFIS_CONTINUE;
}

int
milter_register(void)
{
	static char name[] = "postern";
	struct smfiDesc d = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = 0,	/* negotiation says */
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envfrom,
		.xxfi_envrcpt = on_envrcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	/* Postfix sends header fields longer than the default of 65,535. */
	(void)smfi_setmaxdatasize(1 << 20);
	return smfi_register(d) == MI_SUCCESS ? 0 : -1;
}
