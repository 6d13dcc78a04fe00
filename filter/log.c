/*
 * log.c - the daemon's log: plain lines, and lines of key=value.
 *
 * What mail brings ends up here: so nothing in a value can end the line,
 * begin another field, reach the terminal of whoever reads the log, or make a
 * line longer than syslog daemons take.  What a line says about a message is
 * report.c's business.
 */
#include "filter/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "filter/wait.h"

#define LOG_PATIENCE	1000	/* ms */

static atomic_int target = LOG_TO_STDERR;
static atomic_bool journal;	/* stderr is systemd's journal */

/* How lines come to stderr: only by the first may a call wait, if another's comes between. */
enum way { BY_POLL, BY_WRITE, BY_SEND };
static atomic_int way = BY_POLL;
static atomic_int sink = STDERR_FILENO;

/*
 * A pipe or a terminal is others' log, too, who may rely on calls that wait: what is set for one is
 * for all.  So it is opened once more, for us.
 */
static bool
open_again(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), old = atomic_load(&sink);

	if (fd == -1)
		return false;
	if (old == STDERR_FILENO)
		atomic_store(&sink, fd);
	else {
		(void)dup3(fd, old, O_CLOEXEC);		/* threads may be about to write to it */
		close(fd);
	}
	return true;
}

static void
choose_way(void)
{
	mode_t mode = 0;
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == 0)
		mode = st.st_mode;
	if (!S_ISFIFO(mode) && !S_ISCHR(mode)) {
		atomic_store(&sink, STDERR_FILENO);
		atomic_store(&way, S_ISSOCK(mode) ? BY_SEND : S_ISREG(mode) ? BY_WRITE : BY_POLL);
	} else if (open_again())
		atomic_store(&way, BY_WRITE);
	else if (atomic_load(&sink) == STDERR_FILENO)	/* a second time it may be out of reach */
		atomic_store(&way, BY_POLL);
}

void
log_open(enum log_to to)
{
	if (to == LOG_TO_SYSLOG)
		openlog("postern", LOG_PID | LOG_NDELAY, LOG_MAIL);
	atomic_store(&journal, getenv("JOURNAL_STREAM") != NULL);
	choose_way();
	atomic_store(&target, (int)to);
}

/* ---- stderr ---- */

/*
 * A log that can't be written holds no mail up: a full disk, or a pipe that nobody
 * reads.  How many lines are lost for it is said as soon as that can be said.  While all
 * is well nobody takes the lock.
 */
static struct {
	pthread_mutex_t	lock;
	atomic_uint	lost;		/* lines */
	int		error;		/* why */
	bool		cut;		/* the last one ends within its line */
} trouble = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
is_ready(int patience)
{
	struct pollfd p = { .fd = atomic_load(&sink), .events = POLLOUT };

	return poll(&p, 1, patience) != 0;
}

/* One call, so that lines of several processes and threads don't mix.  -1 and EAGAIN: it would wait. */
static ssize_t
write_once(const char *text, size_t n)
{
	enum way how = (enum way)atomic_load(&way);

	if (how == BY_SEND)
		return send(STDERR_FILENO, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (how == BY_POLL && !is_ready(0)) {
		errno = EAGAIN;
		return -1;
	}
	return write(atomic_load(&sink), text, n);
}

/* 0, or an errno.  patience: ms. */
static int
write_whole(const char *text, size_t n, int patience, bool *cut)
{
	ssize_t done = write_once(text, n);

	if (done == -1 && errno == EAGAIN && patience > 0) {
		msec now = clock_msec(), end = now + patience;

		for (; done == -1 && errno == EAGAIN && now < end; now = clock_msec()) {
			(void)is_ready((int)(end - now));
			done = write_once(text, n);
		}
	}
	if (done == -1)
		return errno;
	*cut = done > 0 && text[done - 1] != '\n';
	return (size_t)done == n ? 0 : ENOSPC;
}

/* *cut: does the log end within a line?  Before, and then after it. */
static int
write_line(enum log_level level, const char *text, int patience, bool *cut)
{
	const char *nl = *cut ? "\n" : "";
	char line[LOG_LINE + 32];
	int n;

	if (atomic_load(&journal))
		n = snprintf(line, sizeof(line), "%s<%d>%s\n", nl, (int)level, text);
	else
		n = snprintf(line, sizeof(line), "%spostern: %s\n", nl, text);
	return n > 0 ? write_whole(line, (size_t)n, patience, cut) : 0;
}

/* Says what was lost, and this line after it; nobody waits for each line anew. */
static int
write_after(enum log_level level, const char *text)
{
	unsigned lost = atomic_load(&trouble.lost);
	char told[128];
	int error;

	if (lost > 0) {
		snprintf(told, sizeof(told), "%u lines of the log were lost: %s", lost,
		    trouble.error == EAGAIN ? "nobody read it" : strerror(trouble.error));
		if ((error = write_line(LOG_LEVEL_ERROR, told, 0, &trouble.cut)) != 0)
			return error;
		atomic_store(&trouble.lost, 0);
	}
	return write_line(level, text, 0, &trouble.cut);
}

static void
put_stderr(enum log_level level, const char *text)
{
	bool well = atomic_load(&trouble.lost) == 0, cut = false;
	int error = well ? write_line(level, text, LOG_PATIENCE, &cut) : 0;

	if (well && error == 0)
		return;
	pthread_mutex_lock(&trouble.lock);
	trouble.cut |= cut;
	if (!well)
		error = write_after(level, text);
	if (error != 0) {
		trouble.error = error;
		atomic_fetch_add(&trouble.lost, 1);
	}
	pthread_mutex_unlock(&trouble.lock);
}

static void
put(enum log_level level, const char *text)
{
	if (atomic_load(&target) == LOG_TO_SYSLOG)
		syslog((int)level, "%s", text);
	else
		put_stderr(level, text);
}

/*
 * Marks that turn the direction of text, and line separators: a log reader
 * must not be shown something else than what is there.
 */
static bool
is_deceptive(struct str c)
{
	unsigned char b[4] = { 0 };

	memcpy(b, c.p, c.n);
	if (c.n == 2)
		return b[0] == 0xc2 && b[1] < 0xa0;		/* C1 */
	if (c.n == 3 && b[0] == 0xe2)
		return (b[1] == 0x80 && ((b[2] >= 0xa8 && b[2] <= 0xae) ||
		    b[2] == 0x8e || b[2] == 0x8f)) ||
		    (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9);
	return false;
}

/* The character at s as the log shows it, into out (at most 16 octets); its octets in s in *took. */
static size_t
escape(struct str s, char *out, size_t *took)
{
	static const char special[] = "\n\r\t\"\\", letter[] = "nrt\"\\";
	unsigned char c = (unsigned char)s.p[0];
	const char *at;
	size_t n = utf8_len(s), used = 0;

	*took = n > 0 ? n : 1;
	if (c != '\0' && (at = strchr(special, c)) != NULL) {
		out[0] = '\\';
		out[1] = letter[at - special];
		return 2;
	}
	if (n > 0 && c >= 0x20 && c != 0x7f &&
	    !is_deceptive((struct str){ s.p, n })) {
		memcpy(out, s.p, n);
		return n;
	}
	for (size_t i = 0; i < *took; i++)
		used += (size_t)sprintf(out + used, "\\x%02x",
		    (unsigned char)s.p[i]);
	return used;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f ||
		    strchr("\"=\\", s.p[i]) != NULL)
			return false;
	return s.n > 0;
}

void
log_begin(struct log_line *l)
{
	l->n = 0;
	l->text[0] = '\0';
}

/* Octets that are left. */
static size_t
room_in(const struct log_line *l)
{
	return LOG_LINE - l->n;
}

static void
add(struct log_line *l, const char *p, size_t n)
{
	memcpy(l->text + l->n, p, n);
	l->n += n;
	l->text[l->n] = '\0';
}

/* " key=", if it and `more` octets fit. */
static bool
add_key(struct log_line *l, const char *key, size_t more)
{
	size_t n = strlen(key);

	if (room_in(l) < n + 2 + more)
		return false;
	if (l->n > 0)
		add(l, " ", 1);
	add(l, key, n);
	add(l, "=", 1);
	return true;
}

bool
log_field(struct log_line *l, const char *key, struct str value, size_t limit)
{
	static const char dots[] = "...";
	char c[16];
	size_t took, n, start;

	if (limit == 0 || limit > LOG_LINE)
		limit = LOG_LINE;
	if (is_plain(value) && value.n <= limit && value.n > 0 &&
	    room_in(l) >= strlen(key) + 2 + value.n) {
		add_key(l, key, value.n);
		add(l, value.p, value.n);
		return true;
	}
	/* Quotes, one character at least, and the dots. */
	if (!add_key(l, key, 2 + sizeof(c) + sizeof(dots)))
		return false;
	add(l, "\"", 1);
	for (start = l->n; value.n > 0; value.p += took, value.n -= took) {
		n = escape(value, c, &took);
		if (l->n - start + n > limit ||
		    room_in(l) < n + sizeof(dots)) {
			add(l, dots, sizeof(dots) - 1);
			break;
		}
		add(l, c, n);
	}
	add(l, "\"", 1);
	return value.n == 0;
}

bool
log_number(struct log_line *l, const char *key, int64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)n);

	return log_field(l, key, (struct str){ text, (size_t)len }, 0);
}

void
log_write(enum log_level level, const struct log_line *l)
{
	put(level, l->text);
}

void
log_printf(enum log_level level, const char *fmt, ...)
{
	struct strbuf raw = { 0 };
	struct log_line l;
	struct str rest;
	char c[16];
	size_t n, took;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&raw, fmt, ap);
	va_end(ap);
	log_begin(&l);
	rest = strbuf_slice(&raw);
	for (; rest.n > 0; rest.p += took, rest.n -= took) {
		n = escape(rest, c, &took);
		if (took == 1 && (*rest.p == '"' || *rest.p == '\\')) {
			c[0] = *rest.p;		/* nothing is quoted here */
			n = 1;
		}
		if (room_in(&l) < n)
			break;
		add(&l, c, n);
	}
	put(level, raw.failed ? fmt : l.text);
	strbuf_free(&raw);
}
