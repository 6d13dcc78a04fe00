/*
 * load.c - a load generator that speaks the milter protocol as Postfix does.
 *
 *	load [-c CONNECTIONS] [-a ACTIVE] [-n MESSAGES] [-i IDLE] [-w WAITING]
 *	    [-d DOMAINS] [-r MESSAGES] [-p PID]... SOCKET FILE...
 *
 * SOCKET is unix:PATH.  Each connection sends its share of the messages, one
 * after another, from the files in turn (CR LF line ends), in one session each
 * or, with -r, in one for so many of them; all begin at the same moment.  With -a
 * they take turns, and only so many messages are under way at once: of many clients most
 * have nothing to say at a given moment.
 * -i holds that many further sessions open and idle.  -w has as many begin with the
 * others, in front of them, with one message each, from wPID-N.example: a filter that asks for
 * that name may make them wait, and they aren't counted.  -d takes the sender's
 * domain from dN.example by turns, so that caches stay cold; -p, given once or
 * more often, names the filter's processes, whose CPU time and memory are told:
 * before it all, and when the last message that counts is done.
 *
 * SIGTERM ends it early.  Prints one line: messages, seconds, CPU ms a message, latency of the whole
 * message and of its end in µs (p50 p99 max), resident KiB before, after, and at most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define CHUNK		65535
#define NR(cmd)		(1u << (cmd))

/* RFC-less: the protocol is libmilter's own, mfdef.h of Sendmail. */
enum { NOCONN, NOHELO, NOMAIL, NORCPT, NOBODY, NOHDRS, NOEOH };
#define P_NR_HDR	0x80u
#define P_NOUNKNOWN	0x100u
#define P_NODATA	0x200u
#define P_SKIP		0x400u
#define P_RCPT_REJ	0x800u
#define P_NR_CONN	0x1000u
#define P_NR_HELO	0x2000u
#define P_NR_MAIL	0x4000u
#define P_NR_RCPT	0x8000u
#define P_NR_DATA	0x10000u
#define P_NR_EOH	0x40000u
#define P_NR_BODY	0x80000u
#define P_LEADSPC	0x100000u

struct message {
	char	*text;
	size_t	 n, body;	/* offset of the body */
};

struct connection {
	int	 fd;
	uint32_t steps;
	char	*out;		/* packets are gathered until a reply is due */
	size_t	 n, cap;
	bool	 skip, done;
};

struct latency {
	double	 whole, end;	/* µs */
};

static struct message *messages;
static int nmessages, connections = 1, active, waiting, domains;
static sem_t *turns;			/* a connection's, with -a */
static long total = 1000, a_session;	/* messages */
static atomic_long next;
static atomic_bool ended;		/* by a signal */
static pthread_barrier_t barrier;
static double *whole, *end;
static const char *path;
static pid_t pids[64];
static int npids;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
put(struct connection *c, char cmd, const void *p, size_t n)
{
	uint32_t len = htonl((uint32_t)(n + 1));

	if (c->n + n + 5 > c->cap) {
		c->cap = (c->n + n + 5) * 2;
		if ((c->out = realloc(c->out, c->cap)) == NULL)
			die("memory");
	}
	memcpy(c->out + c->n, &len, 4);
	c->out[c->n + 4] = cmd;
	if (n > 0)
		memcpy(c->out + c->n + 5, p, n);
	c->n += n + 5;
}

static void
flush(struct connection *c)
{
	for (size_t at = 0; at < c->n; ) {
		ssize_t r = write(c->fd, c->out + at, c->n - at);

		if (r <= 0)
			die("write");
		at += (size_t)r;
	}
	c->n = 0;
}

static void
get(struct connection *c, void *p, size_t n)
{
	for (size_t at = 0; at < n; ) {
		ssize_t r = read(c->fd, (char *)p + at, n - at);

		if (r <= 0)
			die("the filter closed");
		at += (size_t)r;
	}
}

/* Reads up to the reply that ends a step, and returns it. */
static char
reply(struct connection *c, uint32_t *steps)
{
	static __thread char buf[1 << 20];
	uint32_t len;

	flush(c);
	for (;;) {
		get(c, &len, 4);
		len = ntohl(len);
		if (len == 0 || len > sizeof(buf))
			die("a reply's length");
		get(c, buf, len);
		if (buf[0] == 'O' && steps != NULL) {
			memcpy(steps, buf + 9, 4);
			*steps = ntohl(*steps);
		}
		if (strchr("cartdysOqf4", buf[0]) != NULL && buf[0] != 'q')
			return buf[0];
	}
}

static void
step(struct connection *c, uint32_t no_reply)
{
	char r;

	if (c->steps & no_reply)
		return;
	r = reply(c, NULL);
	if (r == 's')
		c->skip = true;
	else if (r != 'c')
		c->done = true;
}

static void
pairs(struct connection *c, char stage, const char *const *v, int n)
{
	char buf[2048];
	size_t at = 0;

	buf[at++] = stage;
	for (int i = 0; i < n; i++) {
		size_t l = strlen(v[i]) + 1;

		memcpy(buf + at, v[i], l);
		at += l;
	}
	put(c, 'D', buf, at);
}

static void
open_connection(struct connection *c)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const uint32_t offer[3] = { htonl(6), htonl(0x1ff), htonl(0x1fffff) };
	static const char conn[] = "client.example.com\0" "4\x30\x39" "203.0.113.5";
	static const char *const macros[] = { "j", "mx.example.org", "{daemon_name}", "mx",
		"{daemon_addr}", "192.0.2.25", "v", "Postfix 3.7" };

	memset(c, 0, sizeof(*c));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
	    connect(c->fd, (struct sockaddr *)&un, sizeof(un)) == -1)
		die(path);
	put(c, 'O', offer, sizeof(offer));
	if (reply(c, &c->steps) != 'O')
		die("negotiation");
	pairs(c, 'C', macros, 8);
	if ((c->steps & NR(NOCONN)) == 0) {
		put(c, 'C', conn, sizeof(conn));
		step(c, P_NR_CONN);
	}
	if ((c->steps & NR(NOHELO)) == 0) {
		put(c, 'H', "client.example.com", 19);
		step(c, P_NR_HELO);
	}
}

static void
send_header(struct connection *c, const struct message *m)
{
	char field[CHUNK];

	for (size_t at = 0; at < m->body && !c->done; ) {
		const char *p = m->text + at, *colon;
		size_t n = 0, k = 0, name;

		/* A field goes on while its next line begins with a blank. */
		for (;;) {
			const char *nl = memchr(p + n, '\n', m->body - at - n);

			n = nl != NULL ? (size_t)(nl - p) + 1 : m->body - at;
			if (at + n >= m->body || (p[n] != ' ' && p[n] != '\t'))
				break;
		}
		at += n;
		if ((colon = memchr(p, ':', n)) == NULL || n > sizeof(field) - 2)
			continue;
		name = (size_t)(colon - p);
		memcpy(field, p, name);
		field[name] = '\0';
		k = name + 1;
		for (size_t i = name + 1; i < n; i++)
			if (p[i] != '\r' && !(p[i] == '\n' && i + 1 == n))
				field[k++] = p[i];
		field[k++] = '\0';
		if ((c->steps & P_LEADSPC) == 0 && field[name + 1] == ' ') {
			memmove(field + name + 1, field + name + 2, k - name - 2);
			k--;
		}
		put(c, 'L', field, k);
		step(c, P_NR_HDR);
	}
}

static void
send_message(struct connection *c, const struct message *m, const char *from, struct latency *took)
{
	static const char *const data[] = { "i", "4Xyz12" };
	double t = now_us(), e;

	c->skip = c->done = false;
	if ((c->steps & NR(NOMAIL)) == 0) {
		pairs(c, 'M', data, 2);
		put(c, 'M', from, strlen(from) + 1);
		step(c, P_NR_MAIL);
	}
	if ((c->steps & NR(NORCPT)) == 0 && !c->done) {
		put(c, 'R', "<bob@example.org>", 18);
		step(c, P_NR_RCPT);
	}
	if ((c->steps & P_NODATA) == 0 && !c->done) {
		pairs(c, 'T', data, 2);
		put(c, 'T', "", 0);
		step(c, P_NR_DATA);
	}
	if ((c->steps & NR(NOHDRS)) == 0 && !c->done)
		send_header(c, m);
	if ((c->steps & NR(NOEOH)) == 0 && !c->done) {
		put(c, 'N', "", 0);
		step(c, P_NR_EOH);
	}
	for (size_t at = m->body; (c->steps & NR(NOBODY)) == 0 && !c->done && !c->skip && at < m->n; ) {
		size_t n = m->n - at < CHUNK ? m->n - at : CHUNK;

		put(c, 'B', m->text + at, n);
		step(c, P_NR_BODY);
		at += n;
	}
	e = now_us();
	if (!c->done) {
		pairs(c, 'E', data, 2);
		put(c, 'E', "", 0);
		(void)reply(c, NULL);
	}
	took->end = now_us() - e;
	took->whole = now_us() - t;
	put(c, 'A', "", 0);
}

static void
close_connection(struct connection *c)
{
	put(c, 'Q', "", 0);
	flush(c);
	close(c->fd);
	free(c->out);
}

/* The number of the connection's next message; false: that was the last. */
static bool
begin_message(int k, long *i)
{
	while (active > 0 && sem_wait(&turns[k]) == -1)
		;
	return !atomic_load(&ended) && (*i = atomic_fetch_add(&next, 1)) < total;
}

static void
pass_turn(int k)
{
	if (active > 0)
		(void)sem_post(&turns[(k + active) % connections]);
}

static void *
run(void *arg)
{
	int k = (int)((sem_t *)arg - turns);
	char from[64] = "<alice@example.com>";
	struct connection c;
	struct latency took;
	long i, sent = 0;

	open_connection(&c);
	(void)pthread_barrier_wait(&barrier);
	while (begin_message(k, &i)) {
		if (a_session > 0 && sent > 0 && sent % a_session == 0) {
			close_connection(&c);
			open_connection(&c);
		}
		if (domains > 0)
			snprintf(from, sizeof(from), "<x@d%ld.example>", i % domains);
		send_message(&c, &messages[i % nmessages], from, &took);
		whole[i] = took.whole;
		end[i] = took.end;
		sent++;
		pass_turn(k);
	}
	pass_turn(k);
	close_connection(&c);
	return NULL;
}

static void *
run_waiting(void *arg)
{
	static atomic_int serial;
	struct connection c;
	struct latency took;
	char from[64];

	(void)arg;
	snprintf(from, sizeof(from), "<x@w%ld-%d.example>", (long)getpid(),
	    atomic_fetch_add(&serial, 1));
	open_connection(&c);
	(void)pthread_barrier_wait(&barrier);
	send_message(&c, &messages[0], from, &took);
	close_connection(&c);
	return NULL;
}

static void
on_term(int signo)
{
	(void)signo;
	atomic_store(&ended, true);
}

static void
load_message(struct message *m, const char *file)
{
	FILE *f = fopen(file, "rb");
	size_t cap = 1 << 16;
	const char *b;

	if (f == NULL || (m->text = malloc(cap)) == NULL)
		die(file);
	while ((m->n += fread(m->text + m->n, 1, cap - m->n, f)) == cap)
		if ((m->text = realloc(m->text, cap *= 2)) == NULL)
			die("memory");
	fclose(f);
	b = memmem(m->text, m->n, "\r\n\r\n", 4);
	m->body = b != NULL ? (size_t)(b - m->text) + 2 : m->n;
	if (b != NULL) {	/* the empty line is neither's */
		memmove(m->text + m->body, b + 4, m->n - m->body - 2);
		m->n -= 2;
	}
}

/* CPU seconds of the processes, and their resident KiB now and at most. */
static double
processes(long *rss, long *peak)
{
	double cpu = 0;

	*rss = *peak = 0;
	for (int i = 0; i < npids; i++) {
		char name[64], line[1024];
		struct timespec t;
		clockid_t clock;
		long kib;
		FILE *f;

		if ((errno = clock_getcpuclockid(pids[i], &clock)) != 0 ||
		    clock_gettime(clock, &t) == -1)
			die("the filter's process");
		cpu += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
		snprintf(name, sizeof(name), "/proc/%ld/status", (long)pids[i]);
		if ((f = fopen(name, "r")) == NULL)
			die(name);
		while (fgets(line, sizeof(line), f) != NULL) {
			if (sscanf(line, "VmRSS: %ld", &kib) == 1)
				*rss += kib;
			if (sscanf(line, "VmHWM: %ld", &kib) == 1)
				*peak += kib;
		}
		fclose(f);
	}
	return cpu;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_latency(const char *name, double *v, long n)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	printf(" %s_p50=%.0f %s_p99=%.0f %s_max=%.0f", name, v[n / 2], name,
	    v[n * 99 / 100], name, v[n - 1]);
}

int
main(int argc, char **argv)
{
	int opt, idle = 0;
	long before, rss, peak, sent;
	double cpu, t;
	pthread_t *threads;

	while ((opt = getopt(argc, argv, "c:a:n:i:w:d:r:p:")) != -1)
		switch (opt) {
		case 'c':
			connections = atoi(optarg);
			break;
		case 'a':
			active = atoi(optarg);
			break;
		case 'n':
			total = atol(optarg);
			break;
		case 'i':
			idle = atoi(optarg);
			break;
		case 'w':
			waiting = atoi(optarg);
			break;
		case 'r':
			a_session = atol(optarg);
			break;
		case 'd':
			domains = atoi(optarg);
			break;
		case 'p':
			if (npids < (int)(sizeof(pids) / sizeof(pids[0])))
				pids[npids++] = (pid_t)atol(optarg);
			break;
		default:
			return EX_USAGE;
		}
	if (argc - optind < 2 || strncmp(argv[optind], "unix:", 5) != 0) {
		fprintf(stderr, "usage: load [-c N] [-a N] [-n N] [-i N] [-w N] [-d N] [-r N] [-p PID]... unix:PATH FILE...\n");
		return EX_USAGE;
	}
	path = argv[optind] + 5;
	nmessages = argc - optind - 1;
	messages = calloc((size_t)nmessages, sizeof(*messages));
	whole = calloc((size_t)total, sizeof(*whole));
	end = calloc((size_t)total, sizeof(*end));
	if (connections < 1 || active < 0 || active > connections || waiting < 0 || total < 1)
		return EX_USAGE;
	threads = calloc((size_t)(waiting + connections), sizeof(*threads));
	turns = calloc((size_t)connections, sizeof(*turns));
	if (messages == NULL || whole == NULL || end == NULL || threads == NULL || turns == NULL ||
	    pthread_barrier_init(&barrier, NULL, (unsigned)(waiting + connections) + 1) != 0)
		die("memory");
	for (int i = 0; i < nmessages; i++)
		load_message(&messages[i], argv[optind + 1 + i]);
	for (int i = 0; i < idle; i++) {
		struct connection c;

		open_connection(&c);
		flush(&c);
		free(c.out);
	}
	signal(SIGTERM, on_term);
	for (int i = 0; i < connections; i++)
		(void)sem_init(&turns[i], 0, i < active);
	for (int i = 0; i < waiting + connections; i++)
		if (pthread_create(&threads[i], NULL, i < waiting ? run_waiting : run,
		    i < waiting ? NULL : &turns[i - waiting]) != 0)
			die("a thread");
	cpu = processes(&before, &peak);
	(void)pthread_barrier_wait(&barrier);
	t = now_us();
	for (int i = waiting; i < waiting + connections; i++)
		pthread_join(threads[i], NULL);
	t = now_us() - t;
	cpu = processes(&rss, &peak) - cpu;
	for (int i = 0; i < waiting; i++)
		pthread_join(threads[i], NULL);
	if ((sent = atomic_load(&next)) > total)
		sent = total;
	if (sent == 0)
		return EX_TEMPFAIL;
	printf("messages=%ld seconds=%.3f cpu_ms=%.4f", sent, t / 1e6, cpu * 1000 / (double)sent);
	print_latency("whole", whole, sent);
	print_latency("end", end, sent);
	printf(" before=%ld rss=%ld peak=%ld\n", before, rss, peak);
	return 0;
}
