/*
 * resolver_unbound.c - libunbound behind the resolver: recursion or
 * forwarding, TCP, CNAMEs, retries and DNSSEC.
 *
 * One context with its own thread (ub_ctx_async: without that it would
 * fork), and one thread of ours that takes the answers.  Callbacks and
 * cancels happen on that thread alone, so a cancelled query's callback can't
 * come any more.  A question is sent by whoever asks.
 *
 * Validation needs a trust anchor, and servers that pass signatures on: a
 * forwarder that strips them would turn every answer bogus, and all mail
 * into temporary failures.  So the root's keys are asked for at the start,
 * and validation stays off where they don't come out secure.
 *
 * The library gives a silent server a few tries, which may be over in a third
 * of a second or after two and a half, whatever the asker's deadline is.  So
 * where nobody answered it is asked again, less and less often, as long as
 * somebody wants the answer.
 *
 * Waiting is resolver.c's business, sharing and caching are resolver_table.c's.
 */
#include "resolver.h"
#include "resolver_int.h"
#include "resolver_log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

#define ROOT_KEY	"/usr/share/dns/root.key"
#define PROBE_MSEC	1500
#define CLASS_IN	1

/* Asking again: the tries begin that far apart, doubled each time up to a limit. */
#define AGAIN_FIRST	250
#define AGAIN_MOST	2000
#define AGAIN_PER_SEC	200	/* for all names together */

struct unbound {
	struct ub_ctx	*ctx;
	pthread_t	thread;
	bool		running;
	bool		validates;
	int		wake;		/* eventfd */
	pthread_mutex_t	lock;
	bool		stop;		/* under the lock */
	struct dns_query *cancel;	/* under the lock */
	/* The thread's own. */
	struct dns_query *again;	/* to be asked again */
	msec		again_due;	/* the earliest of them */
	msec		second;		/* in which so many were asked again */
	int		in_second;
};

/* Set one by one before the first question; what it is for, where needed. */
static const struct {
	const char *name, *value;
	bool	must;		/* else an older library may lack it */
} options[] = {
	{ "do-not-query-localhost:", "no", true },
	/* Hundreds of questions may hang on dead servers at one time. */
	{ "outgoing-range:", "1024", true },
	{ "num-queries-per-thread:", "1024", true },
	{ "outgoing-num-tcp:", "32", true },
	{ "msg-cache-size:", "4m", true },
	{ "rrset-cache-size:", "8m", true },
	/* After few tries it is ours to say whether there are more. */
	{ "outbound-msg-retry:", "1", false },
	{ "max-sent-count:", "6", false },
	{ "log-servfail:", "yes", false },
	{ "val-log-squelch:", "no", false },
	/*
	 * A forwarder that is silent for dead names must not be taken for
	 * dead itself: libunbound would refuse all other names at once
	 * while it thinks so (which it does from infra-cache-max-rtt on,
	 * for infra-host-ttl).  So what it thinks is soon forgotten.
	 */
	{ "infra-cache-max-rtt:", "12000", false },
	{ "infra-host-ttl:", "0", false },
	{ "qname-minimisation:", "yes", false },
	/* With a root key it would tell the root which (RFC 8145): a question that no mail is about. */
	{ "trust-anchor-signaling:", "no", false },
	{ "rrset-roundrobin:", "no", false },
	/* Reverse names of private networks, and names of tests, are to be
	   asked: only the local servers know them.  ("nodefault" is taken
	   by 1.17 here, but does nothing.) */
	{ "unblock-lan-zones:", "yes", false },
	{ "insecure-lan-zones:", "yes", false },
	{ "local-zone:", "test. transparent", true },
	{ "local-zone:", "home.arpa. transparent", false },
	{ "domain-insecure:", "test.", false },
};

static int
failed(struct strbuf *why, const char *what, int error)
{
	strbuf_printf(why, "%s: %s", what, ub_strerror(error));
	return -1;
}

static int
set_servers(struct ub_ctx *ctx, const struct strings *servers,
    struct strbuf *why)
{
	char address[128];
	struct str s;
	size_t i;
	int error;

	if (servers == NULL || servers->n == 0) {
		error = ub_ctx_resolvconf(ctx, NULL);
		/* Without the file: this host's server, as libc has it. */
		if (error == UB_READFILE)
			error = ub_ctx_set_fwd(ctx, "127.0.0.1");
		return error == 0 ? 0 :
		    failed(why, "/etc/resolv.conf", error);
	}
	for (i = 0; i < servers->n; i++) {
		s = servers->v[i];
		if (s.n >= sizeof(address) || s.n == 0 ||
		    memchr(s.p, '\0', s.n) != NULL) {
			strbuf_printf(why, "\"" STR_FMT "\": not the address "
			    "of a name server", STR_ARG(s));
			return -1;
		}
		memcpy(address, s.p, s.n);
		address[s.n] = '\0';
		if ((error = ub_ctx_set_fwd(ctx, address)) != 0)
			return failed(why, address, error);
	}
	return 0;
}

/*
 * The library keeps a failure for five seconds, in which it would not ask
 * again; what is worth keeping our table keeps.  That can be said in a file
 * only, to which the forwarders of set_servers() are added.
 */
static void
keep_nothing(struct ub_ctx *ctx)
{
	static const char text[] = "forward-zone:\n name: \".\"\n forward-no-cache: yes\n";
	char path[40];
	int fd;

	if ((fd = memfd_create("forward-zone", MFD_CLOEXEC)) < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1)
		(void)ub_ctx_config(ctx, path);
	close(fd);
}

static struct ub_ctx *
context_new(const struct strings *servers, bool validate, struct strbuf *why)
{
	struct ub_ctx *ctx;
	size_t i;
	int error;

	if ((ctx = resolver_log_context()) == NULL) {
		strbuf_puts(why, "libunbound: cannot make a context");
		return NULL;
	}
	keep_nothing(ctx);
	if ((error = ub_ctx_async(ctx, 1)) != 0) {
		failed(why, "libunbound: threads", error);
		goto fail;
	}
	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		error = ub_ctx_set_option(ctx, options[i].name,
		    options[i].value);
		if (error != 0 && options[i].must) {
			failed(why, options[i].name, error);
			goto fail;
		}
	}
	if (validate && (error = ub_ctx_add_ta_file(ctx, ROOT_KEY)) != 0) {
		failed(why, ROOT_KEY, error);
		goto fail;
	}
	if (set_servers(ctx, servers, why) != 0)
		goto fail;
	return ctx;
fail:
	ub_ctx_delete(ctx);
	return NULL;
}

struct probe {
	bool	done, secure;
};

static void
on_probe(void *arg, int error, struct ub_result *result)
{
	struct probe *p = arg;

	p->done = true;
	p->secure = error == 0 && result->secure && result->havedata;
	ub_resolve_free(result);
}

/*
 * Asks the first question, before any thread can race for it: it starts the
 * library's thread, and tells of options that it doesn't like.  0, with
 * *secure, or -1 with the reason.
 */
static int
probe(struct ub_ctx *ctx, const char *name, int type, bool *secure,
    struct strbuf *why)
{
	struct pollfd fd = { .fd = ub_fd(ctx), .events = POLLIN };
	msec end = clock_msec() + PROBE_MSEC, left;
	struct probe p = { 0 };
	int error, id = 0;

	error = ub_resolve_async(ctx, name, type, CLASS_IN, &p, on_probe, &id);
	if (error != 0)
		return failed(why, "libunbound: cannot start", error);
	while (!p.done && (left = end - clock_msec()) > 0)
		if (poll(&fd, 1, (int)left) > 0)
			ub_process(ctx);
	if (!p.done)
		ub_cancel(ctx, id);
	*secure = p.secure;
	return 0;
}

/* The context, with validation where that works. */
static int
context_open(struct unbound *u, const struct strings *servers,
    struct strbuf *why)
{
	bool secure = false;

	if (access(ROOT_KEY, R_OK) == 0) {
		if ((u->ctx = context_new(servers, true, why)) == NULL)
			return -1;
		if (probe(u->ctx, ".", 48 /* DNSKEY */, &secure, why) != 0)
			return -1;
		u->validates = secure;
		if (secure)
			return 0;
		ub_ctx_delete(u->ctx);
	}
	if ((u->ctx = context_new(servers, false, why)) == NULL)
		return -1;
	return probe(u->ctx, "localhost", DNS_A, &secure, why);
}

/* rcode: the server's own, where the library makes all failures SERVFAIL. */
static struct dns_answer *
answer_of(const struct dns_query *q, const struct ub_result *res, int rcode,
    size_t *size)
{
	if (res->bogus)
		return dns_answer_empty(DNS_SERVFAIL, res->why_bogus != NULL ?
		    res->why_bogus : "the answer is bogus (DNSSEC)", size);
	if (rcode != DNS_RCODE_SERVFAIL)
		return dns_answer_empty(DNS_SERVFAIL, dns_rcode_reason(rcode), size);
	if (res->answer_packet == NULL || res->answer_len <= 0)
		return dns_answer_empty(DNS_SERVFAIL,
		    "no server gave a usable answer (SERVFAIL)", size);
	return dns_answer_read(res->answer_packet, (size_t)res->answer_len,
	    &q->name, q->type, res->secure, size);
}

/* ---- Asking again ---- */

static void
again_put(struct unbound *u, struct dns_query *q)
{
	q->again_next = u->again;
	q->again_at = &u->again;
	if (u->again != NULL)
		u->again->again_at = &q->again_next;
	u->again = q;
	if (u->again_due == 0 || q->due < u->again_due)
		u->again_due = q->due;
}

static void
again_take(struct dns_query *q)
{
	*q->again_at = q->again_next;
	if (q->again_next != NULL)
		q->again_next->again_at = q->again_at;
	q->again_next = NULL;
	q->again_at = NULL;
}

/* No server answered; a server's own SERVFAIL is an answer, and *rcode what it was. */
static bool
nobody_answered(struct unbound *u, const struct dns_query *q, const struct ub_result *res,
    int *rcode)
{
	*rcode = DNS_RCODE_SERVFAIL;
	if (res->bogus || (res->rcode != DNS_RCODE_SERVFAIL && res->answer_len > 0))
		return false;
	switch (resolver_log_heard(&q->name, q->type, rcode)) {
	case HEARD_NOBODY:
		return true;
	case HEARD_ANSWER:
		break;
	case HEARD_UNKNOWN:
		/* Another context that ended took the log away, or the library had too much to do. */
		resolver_log_retake(u->ctx);
		return true;
	}
	return false;
}

/* Puts q among those to be asked again; false if nobody would hear the answer. */
static bool
try_again(struct unbound *u, struct dns_query *q)
{
	msec gap = q->tries < 4 ? AGAIN_FIRST << q->tries : AGAIN_MOST;
	msec now = clock_msec();

	if (gap > AGAIN_MOST)
		gap = AGAIN_MOST;
	q->due = q->sent + gap > now ? q->sent + gap : now;
	if (!lookup_wanted(q, q->due))
		return false;
	q->tries++;
	again_put(u, q);
	return true;
}

static void
on_answer(void *arg, int error, struct ub_result *result)
{
	struct dns_query *q = arg;
	struct dns_answer *a;
	size_t size = 0;
	int rcode;

	if (error != 0)
		a = dns_answer_empty(DNS_SERVFAIL, ub_strerror(error), &size);
	else if (!nobody_answered(lookup_backend(q), q, result, &rcode))
		a = answer_of(q, result, rcode, &size);
	else if (!try_again(lookup_backend(q), q))
		a = dns_answer_empty(DNS_TIMEOUT, "no server answered", &size);
	else {
		ub_resolve_free(result);
		return;
	}
	ub_resolve_free(result);
	lookup_done(q, a, size);
}

/* So many in a second, however many names are dead. */
static bool
may_ask(struct unbound *u, msec now)
{
	if (now - u->second >= 1000) {
		u->second = now;
		u->in_second = 0;
	}
	return u->in_second++ < AGAIN_PER_SEC;
}

static void
ask_again(struct unbound *u, struct dns_query *q, msec now)
{
	struct dns_answer *a = NULL;
	const char *failure;
	size_t size = 0;

	if (!lookup_wanted(q, now))
		a = dns_answer_empty(DNS_TIMEOUT, "no server answered", &size);
	else if ((failure = unbound_start(u, q)) == NULL)
		return;
	else
		a = dns_answer_empty(DNS_SERVFAIL, failure, &size);
	lookup_done(q, a, size);
}

/* Asks those whose time has come. */
static void
ask_all_again(struct unbound *u)
{
	struct dns_query *q, *next;
	msec now = clock_msec();

	if (u->again_due == 0 || now < u->again_due)
		return;
	u->again_due = 0;
	for (q = u->again; q != NULL; q = next) {
		next = q->again_next;
		if (q->due <= now && !may_ask(u, now))
			q->due = u->second + 1000;
		if (q->due <= now) {
			again_take(q);
			ask_again(u, q, now);
		} else if (u->again_due == 0 || q->due < u->again_due)
			u->again_due = q->due;
	}
}

/* ---- The thread ---- */

/* Cancels all on the list; false when the thread is to end. */
static bool
cancel_listed(struct unbound *u)
{
	struct dns_query *q, *next;
	bool stop;
	int id;

	pthread_mutex_lock(&u->lock);
	q = u->cancel;
	u->cancel = NULL;
	stop = u->stop;
	pthread_mutex_unlock(&u->lock);
	for (; q != NULL; q = next) {
		next = q->to_cancel;
		id = q->id;
		if (lookup_cancel(q)) {
			if (q->again_at != NULL)
				again_take(q);
			else
				ub_cancel(u->ctx, id);
			lookup_drop(q);
		}
	}
	return !stop;
}

static void *
dispatch(void *arg)
{
	struct unbound *u = arg;
	struct pollfd fd[2] = {
		{ .fd = ub_fd(u->ctx), .events = POLLIN },
		{ .fd = u->wake, .events = POLLIN },
	};
	msec left;
	uint64_t n;

	do {
		left = u->again_due == 0 ? -1 : u->again_due - clock_msec();
		if (u->again_due != 0 && left < 0)
			left = 0;
		if (poll(fd, 2, (int)left) < 0)
			continue;
		if (fd[1].revents != 0 && read(u->wake, &n, sizeof(n)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			break;
		if (fd[0].revents != 0)
			ub_process(u->ctx);
		ask_all_again(u);
	} while (cancel_listed(u));
	return NULL;
}

static void
wake(struct unbound *u)
{
	uint64_t one = 1;

	/* Only a full counter can refuse, and then it is awake. */
	while (write(u->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

struct unbound *
unbound_new(const struct strings *servers, struct strbuf *why)
{
	struct unbound *u;
	int error;

	if ((u = calloc(1, sizeof(*u))) == NULL) {
		strbuf_puts(why, "no memory");
		return NULL;
	}
	pthread_mutex_init(&u->lock, NULL);
	if ((u->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		strbuf_printf(why, "eventfd: %s", strerror(errno));
		unbound_free(u);
		return NULL;
	}
	if (context_open(u, servers, why) != 0) {
		unbound_free(u);
		return NULL;
	}
	if ((error = pthread_create(&u->thread, NULL, dispatch, u)) != 0) {
		strbuf_printf(why, "pthread_create: %s", strerror(error));
		unbound_free(u);
		return NULL;
	}
	u->running = true;
	return u;
}

void
unbound_free(struct unbound *u)
{
	if (u == NULL)
		return;
	if (u->running) {
		pthread_mutex_lock(&u->lock);
		u->stop = true;
		pthread_mutex_unlock(&u->lock);
		wake(u);
		pthread_join(u->thread, NULL);
		cancel_listed(u);
	}
	if (u->ctx != NULL)
		ub_ctx_delete(u->ctx);
	if (u->wake >= 0)
		close(u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

bool
unbound_validates(const struct unbound *u)
{
	return u->validates;
}

/* What libunbound reads as this very name: \DDD, not only for dots. */
const char *
unbound_start(struct unbound *u, struct dns_query *q)
{
	char name[DNS_TEXT_MAX];
	int error;

	dns_name_text(&q->name, name);
	q->sent = clock_msec();
	error = ub_resolve_async(u->ctx, name, (int)q->type, CLASS_IN, q,
	    on_answer, &q->id);
	return error == 0 ? NULL : ub_strerror(error);
}

void
unbound_cancel(struct unbound *u, struct dns_query *q)
{
	bool first;

	pthread_mutex_lock(&u->lock);
	first = u->cancel == NULL;
	q->to_cancel = u->cancel;
	u->cancel = q;
	pthread_mutex_unlock(&u->lock);
	if (first)
		wake(u);
}
