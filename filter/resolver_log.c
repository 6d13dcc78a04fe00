/*
 * resolver_log.c - why libunbound gave up on a name, out of its log.
 *
 * To whoever asks, a server's own SERVFAIL and the silence of all servers are
 * the same to libunbound: one of them is an answer, the other is worth another
 * try.  Only its log tells (log-servfail), a line before each such answer:
 *
 *	... error: SERVFAIL <name. A IN>: ... upstream server timeout
 *	... error: SERVFAIL <name. A IN>: ... from 192.0.2.53 got REFUSED
 *
 * So the log goes to a stream of ours, which keeps what was said of each name.
 * It is one for the process: contexts share it, and one that is deleted takes
 * it from the others, who put it back when they miss a line.
 */
#include "resolver_log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SLOTS		8192	/* twice the lookups that there may be */
#define WHAT_MAX	300	/* "name. TYPE IN", as the log has it */

/* What was said of a question, by its hash; a newer one takes its place. */
static struct {
	uint64_t	hash;
	enum resolver_heard heard;
	int		rcode;
} slots[SLOTS];
static bool works;		/* a line has come */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* NULL: not open, or closed by libunbound, which does so when a context begins. */
static FILE *stream;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
contains(const char *p, const char *end, const char *words)
{
	return memmem(p, (size_t)(end - p), words, strlen(words)) != NULL;
}

/* Silence is what ends in a time-out, or finds each server taken for dead. */
static void
keep(struct str what, const char *reason, const char *end)
{
	static const char *const silence[] = {
		"upstream server timeout", "no server to query", "SERVFAIL in cache",
	};
	static const struct { const char *words; int rcode; } codes[] = {
		{ "got FORMERR", DNS_RCODE_FORMERR }, { "got NOTIMPL", DNS_RCODE_NOTIMP },
		{ "got REFUSED", DNS_RCODE_REFUSED },
	};
	uint64_t hash = str_hash(what);
	enum resolver_heard heard = HEARD_ANSWER;
	int rcode = DNS_RCODE_SERVFAIL;

	for (size_t i = 0; i < sizeof(silence) / sizeof(silence[0]); i++)
		if (contains(reason, end, silence[i]))
			heard = HEARD_NOBODY;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (contains(reason, end, codes[i].words))
			rcode = codes[i].rcode;
	pthread_mutex_lock(&lock);
	slots[hash % SLOTS].hash = hash;
	slots[hash % SLOTS].heard = heard;
	slots[hash % SLOTS].rcode = rcode;
	works = true;
	pthread_mutex_unlock(&lock);
}

/* libunbound writes whole lines; what isn't one of those looked for is dropped. */
static ssize_t
on_write(void *cookie, const char *buf, size_t n)
{
	static const char mark[] = "SERVFAIL <";
	const char *p, *end = buf + n, *line_end, *close;

	(void)cookie;
	for (p = buf; (p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1)) != NULL; p = line_end) {
		p += sizeof(mark) - 1;
		if ((line_end = memchr(p, '\n', (size_t)(end - p))) == NULL)
			line_end = end;
		if ((close = memmem(p, (size_t)(line_end - p), ">:", 2)) != NULL)
			keep((struct str){ p, (size_t)(close - p) }, close + 2, line_end);
	}
	return (ssize_t)n;
}

static int
on_close(void *cookie)
{
	(void)cookie;
	stream = NULL;
	return 0;
}

/* Under open_lock. */
static void
take_log(struct ub_ctx *ctx)
{
	cookie_io_functions_t io = { .write = on_write, .close = on_close };

	/* Without a stream all failures are taken for answers. */
	if (stream == NULL && (stream = fopencookie(NULL, "w", io)) != NULL)
		setvbuf(stream, NULL, _IOLBF, 0);
	ub_ctx_debugout(ctx, stream);
}

struct ub_ctx *
resolver_log_context(void)
{
	struct ub_ctx *ctx;

	pthread_mutex_lock(&open_lock);
	if ((ctx = ub_ctx_create()) != NULL)
		take_log(ctx);
	pthread_mutex_unlock(&open_lock);
	return ctx;
}

void
resolver_log_retake(struct ub_ctx *ctx)
{
	pthread_mutex_lock(&open_lock);
	take_log(ctx);
	pthread_mutex_unlock(&open_lock);
}

/* The question as the log has it: what isn't a letter, digit, - _ or * is a ?. */
static struct str
write_what(char what[WHAT_MAX], const struct dns_name *name, enum dns_type type)
{
	size_t n = 0;

	for (size_t at = 0; at + 1 < name->n; at += 1 + (size_t)name->w[at]) {
		for (size_t i = 1; i <= name->w[at]; i++) {
			char c = (char)name->w[at + i];

			what[n++] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '*' ? c : '?';
		}
		what[n++] = '.';
	}
	n += (size_t)snprintf(what + n, WHAT_MAX - n, "%s %s IN", n == 0 ? "." : "", dns_type_name(type));
	return (struct str){ what, n };
}

enum resolver_heard
resolver_log_heard(const struct dns_name *name, enum dns_type type, int *rcode)
{
	enum resolver_heard heard = HEARD_UNKNOWN;
	char what[WHAT_MAX];
	uint64_t hash = str_hash(write_what(what, name, type));

	*rcode = DNS_RCODE_SERVFAIL;
	pthread_mutex_lock(&lock);
	if (slots[hash % SLOTS].hash == hash && works) {
		heard = slots[hash % SLOTS].heard;
		*rcode = slots[hash % SLOTS].rcode;
		slots[hash % SLOTS].hash = 0;
	} else if (!works)
		heard = HEARD_ANSWER;
	pthread_mutex_unlock(&lock);
	return heard;
}
