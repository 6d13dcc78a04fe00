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
 * Sharing, waiting and caching are resolver.c's business.
 */
#include "resolver.h"
#include "resolver_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#define ROOT_KEY	"/usr/share/dns/root.key"
#define PROBE_MSEC	1500
#define CLASS_IN	1

struct unbound {
	struct ub_ctx	*ctx;
	pthread_t	thread;
	bool		running;
	bool		validates;
	int		wake;		/* eventfd */
	pthread_mutex_t	lock;
	bool		stop;		/* under the lock */
	struct dns_query *cancel;	/* under the lock */
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
	/* Give up after a few seconds: the MTA waits. */
	{ "outbound-msg-retry:", "2", false },
	{ "max-sent-count:", "6", false },
	/*
	 * A forwarder that is silent for dead names must not be taken for
	 * dead itself: libunbound would refuse all other names at once
	 * while it thinks so (which it does from infra-cache-max-rtt on,
	 * for infra-host-ttl).  So what it thinks is soon forgotten.
	 */
	{ "infra-cache-max-rtt:", "12000", false },
	{ "infra-host-ttl:", "0", false },
	{ "qname-minimisation:", "yes", false },
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

static struct ub_ctx *
context_new(const struct strings *servers, bool validate, struct strbuf *why)
{
	struct ub_ctx *ctx;
	size_t i;
	int error;

	if ((ctx = ub_ctx_create()) == NULL) {
		strbuf_puts(why, "libunbound: cannot make a context");
		return NULL;
	}
	ub_ctx_debugout(ctx, NULL);
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

static struct dns_answer *
answer_of(const struct dns_query *q, const struct ub_result *res,
    size_t *size)
{
	if (res->bogus)
		return dns_answer_empty(DNS_SERVFAIL, res->why_bogus != NULL ?
		    res->why_bogus : "the answer is bogus (DNSSEC)", size);
	if (res->answer_packet == NULL || res->answer_len <= 0)
		return dns_answer_empty(DNS_SERVFAIL,
		    "no server gave a usable answer (SERVFAIL)", size);
	return dns_answer_read(res->answer_packet, (size_t)res->answer_len,
	    &q->name, q->type, res->secure, size);
}

static void
on_answer(void *arg, int error, struct ub_result *result)
{
	struct dns_query *q = arg;
	struct dns_answer *a;
	size_t size = 0;

	if (error != 0)
		a = dns_answer_empty(DNS_SERVFAIL, ub_strerror(error), &size);
	else
		a = answer_of(q, result, &size);
	ub_resolve_free(result);
	lookup_done(q, a, size);
}

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
	uint64_t n;

	do {
		if (poll(fd, 2, -1) < 0)
			continue;
		if (fd[1].revents != 0 && read(u->wake, &n, sizeof(n)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			break;
		if (fd[0].revents != 0)
			ub_process(u->ctx);
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
