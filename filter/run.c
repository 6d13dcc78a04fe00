/*
 * run.c - the daemon: start, reload, stop.
 *
 * The first thread takes the signals, all others have them blocked; libmilter
 * runs in a second one.  libmilter's own way to stop abandons the messages in
 * hand (it ends its workers after the packet at hand), so it is never asked
 * to: the listening socket is taken away from under it, the messages
 * in hand are let go on until they are done or the time is up, and the
 * process ends.
 *
 * Everything that can fail is done before the MTA is let in, each failure
 * with one line, and nothing is left behind.
 */
#include "filter/run.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "filter/commands.h"
#include "filter/generation.h"
#include "filter/listen.h"
#include "filter/load.h"
#include "filter/log.h"
#include "filter/milter.h"
#include "filter/notify.h"
#include "filter/pool.h"
#include "filter/privs.h"
#include "filter/reload.h"
#include "filter/watch.h"

struct daemon {
	char		 path[4096];	/* absolute, so that a reload finds it */
	struct engines	*engines;
	struct listener	 listener;
	pthread_t	 milter;
};

#define QUIET	200	/* ms without anything to do before the process ends */
#define LARGE_BLOCK	(128 << 10)	/* octets, from where on each has pages of its own */

static atomic_bool milter_ended;

/* Where a callback that may wait makes a connection, if the pool isn't cured. */
static const struct listener *relief_at;

static int
say(int code, struct strbuf *why)
{
	fprintf(stderr, "postern: " STR_FMT "\n", STR_ARG(strbuf_slice(why)));
	strbuf_free(why);
	return code;
}

/* ---- Signals ---- */

static void
signals_of_ours(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR2);	/* from the libmilter thread: it has ended */
}

static void
block_signals(void)
{
	sigset_t set;

	signals_of_ours(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a limit on files is an error of write(2) */
}

static void *
milter_thread(void *arg)
{
	(void)arg;
	smfi_main();
	atomic_store(&milter_ended, true);
	kill(getpid(), SIGUSR2);
	return NULL;
}

/* ---- Start ---- */

static int
absolute(const char *path, char *out, size_t size)
{
	char dir[2048];
	int n;

	if (path[0] == '/')
		n = snprintf(out, size, "%s", path);
	else if (getcwd(dir, sizeof(dir)) != NULL)
		n = snprintf(out, size, "%s/%s", dir, path);
	else
		return -1;
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

/*
 * A new connection, closed at once, makes libmilter begin one more worker,
 * which then serves whoever waits.
 */
static void
relieve(void)
{
	int fd = socket(relief_at->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return;
	(void)connect(fd, (const struct sockaddr *)&relief_at->addr, relief_at->addrlen);
	close(fd);
}

/* Hands the open socket to libmilter, or, where it can't take one, the place. */
static int
give_socket(struct listener *l, struct str spec, mode_t mode, struct strbuf *why)
{
	char fd[32];
	mode_t mask;
	int r;

	snprintf(fd, sizeof(fd), "fd:%d", l->fd);
	if (smfi_setconn(fd) == MI_SUCCESS && smfi_opensocket(false) == MI_SUCCESS)
		return 0;
	if (str_istarts(spec, STR("fd:"))) {
		strbuf_puts(why, "this libmilter does not take `set listen fd:N` (use a unix or inet socket)");
		return EX_UNAVAILABLE;
	}
	/* Debian's patch is missing: libmilter must bind it again. */
	close(l->fd);
	if (l->file != -1)
		close(l->file);
	if (l->path[0] != '\0')
		unlink(l->path);
	mask = umask(~mode & 0777);
	r = smfi_setconn(l->conn) == MI_SUCCESS && smfi_opensocket(true) == MI_SUCCESS;
	umask(mask);
	l->fd = l->file = -1;
	if (!r)
		strbuf_printf(why, "libmilter cannot listen on %s", l->conn);
	return r ? 0 : EX_UNAVAILABLE;
}

/* Socket, libmilter, limits, privileges: in this order. */
static int
prepare(struct daemon *d, const struct ruleset *rs, struct strbuf *why)
{
	const struct settings *s = rules_settings(rs);
	int code;

	privs_raise_limits();
	code = listen_open(s->listen, (mode_t)s->socket_mode, s->socket_group,
	    &d->listener, why);
	if (code != 0)
		return code;
	if (milter_register() == -1) {
		strbuf_puts(why, "libmilter refuses to be set up (out of memory)");
		return EX_OSERR;
	}
	if ((code = give_socket(&d->listener, s->listen, (mode_t)s->socket_mode, why)) != 0)
		return code;
	log_open(s->log_to);
	notify_open();
	/* Behind a new root the operator makes it. */
	if ((rules_needs(rs)->facts & F_STORED) != 0 && s->chroot.n == 0 &&
	    str_istarts(s->store, STR("lmdb:")))
		privs_make_directory((struct str){ s->store.p + 5, s->store.n - 5 }, s->user);
	tzset();		/* its file may be out of reach soon */
	if ((code = privs_drop(s->user, s->chroot, why)) != 0) {
		log_open(LOG_TO_STDERR);
		return code;
	}
	if (access(d->path, R_OK) == -1)
		log_printf(LOG_LEVEL_WARNING, "%s: can't be read any more after user or chroot were changed (%s): a reload will fail",
		    d->path, strerror(errno));
	return 0;
}

static int
start_milter(struct daemon *d, struct strbuf *why)
{
	int error;

	if ((error = pthread_create(&d->milter, NULL, milter_thread, NULL)) != 0) {
		strbuf_printf(why, "cannot start a thread: %s", strerror(error));
		return EX_OSERR;
	}
	if (pool_wait_found(1000)) {
		log_printf(LOG_LEVEL_INFO, "messages wait for the DNS beside each other: none keeps another waiting");
		return 0;
	}
	log_printf(LOG_LEVEL_WARNING, "this libmilter works in a way that is not known here: whenever a message waits for the DNS, postern connects to its own socket for a moment, so that the others go on");
	relief_at = &d->listener;
	milter_set_relief(relieve);
	return 0;
}

/* ---- Reload ---- */

static void
reload(struct daemon *d, const siginfo_t *from)
{
	struct strbuf said = { 0 };
	struct timespec now;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	r = load_again(d->path, d->engines, &said);
	if (r == 0)
		notify("READY=1\nSTATUS=Rules of %s", d->path);
	else
		notify("READY=1\nSTATUS=Not reloaded, the old rules go on: " STR_FMT, STR_ARG(strbuf_slice(&said)));
	reload_answer(from, r == 0, strbuf_slice(&said));
	strbuf_free(&said);
}

/* ---- Stop ---- */

static void
pause_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000 };

	nanosleep(&t, NULL);
}

/*
 * Waits for the messages in hand, and for their last replies: a worker that
 * has sent one becomes idle.  It must have been quiet for a moment, since a
 * MAIL may lie unread in a socket, and without the pool a reply may.
 */
static bool
finish_messages(msec deadline)
{
	int quiet = 0;

	while (quiet < QUIET && clock_msec() < deadline) {
		pause_ms(10);
		quiet = milter_messages() > 0 || pool_busy() > 0 ? 0 : quiet + 10;
	}
	return milter_messages() == 0;
}

/* Workers may still hold what exit(3) would take apart. */
static _Noreturn void
leave(int code)
{
	fflush(NULL);
	_exit(code);
}

static _Noreturn void
stop(struct daemon *d, int signo)
{
	struct generation *g = generation_current();
	int64_t seconds = rules_settings(g->ruleset)->stop_timeout;

	generation_release(g);
	notify("STOPPING=1");
	log_printf(LOG_LEVEL_NOTICE, "stopping on SIG%s: %d messages in hand",
	    signo == SIGINT ? "INT" : "TERM", milter_messages());
	milter_stop_soon();
	watch_end();
	if (listen_end(&d->listener) == -1)
		log_printf(LOG_LEVEL_WARNING, "the socket can't be closed to newcomers: %s", strerror(errno));
	if (!finish_messages(clock_msec() + seconds * 1000))
		log_printf(LOG_LEVEL_WARNING, "stopped after %llds with %d messages unfinished",
		    (long long)seconds, milter_messages());
	else
		log_printf(LOG_LEVEL_NOTICE, "stopped");
	leave(EX_OK);
}

static _Noreturn void
serve(struct daemon *d)
{
	siginfo_t from;
	sigset_t set;
	int signo;

	signals_of_ours(&set);
	for (;;) {
		signo = sigwaitinfo(&set, &from);
		if (atomic_load(&milter_ended)) {
			log_printf(LOG_LEVEL_ERROR, "libmilter has ended: its socket failed, or there was no thread or memory to be had (it tells syslog which)");
			listen_close(&d->listener);
			leave(EX_OSERR);
		}
		if (signo == SIGHUP || signo == SIGUSR1)
			reload(d, &from);
		else if (signo == SIGTERM || signo == SIGINT)
			stop(d, signo);
	}
}

static void
log_store(const char *line)
{
	log_printf(LOG_LEVEL_WARNING, "%s", line);
}

int
run_daemon(const char *path, const char *zone)
{
	static struct daemon d;		/* threads of libmilter's look at it until the end */
	struct strbuf why = { 0 };
	struct generation *g = NULL;
	int code;

	d.listener.fd = d.listener.file = -1;
	if (absolute(path, d.path, sizeof(d.path)) == -1) {
		strbuf_printf(&why, "%s: the path is too long", path);
		return say(EX_USAGE, &why);
	}
	block_signals();
	/* Fixed: once a large body was freed, glibc would keep such blocks in its heaps, and copy them to grow. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	pool_init();		/* before there are other threads */
	if ((d.engines = engines_new(zone, 0, &why)) == NULL)
		return say(zone != NULL ? command_zone_status(zone) : EX_UNAVAILABLE, &why);
	if ((code = load_first(d.path, d.engines, &g)) != 0) {
		engines_free(d.engines);
		return code;
	}
	code = prepare(&d, g->ruleset, &why);
	engines_say(d.engines, log_store);
	if (code == 0 && generation_open_store(d.engines, g, &why) == -1)
		code = EX_CANTCREAT;
	generation_swap(g);
	if (code == 0)
		code = start_milter(&d, &why);
	if (code != 0) {
		listen_close(&d.listener);
		generation_swap(NULL);
		engines_free(d.engines);
		return say(code, &why);
	}
	if ((code = watch_start(&d.listener)) != 0)
		log_printf(LOG_LEVEL_WARNING, "changed list files won't be noticed before a reload, and a removed socket not at all: %s", strerror(code));
	load_log(d.path, g, "started", NULL);
	notify("READY=1\nSTATUS=Rules of %s", d.path);
	serve(&d);
}
