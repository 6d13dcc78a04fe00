/*
 * reload.c - a reload that is waited for: `postern reload PID`.
 *
 * A signal gives no answer, so kill(1) says that all is well when the old
 * rules go on.  Who sends it from here binds a socket whose name is made of his process id and
 * a number that goes with the signal (sigqueue(3)), and the daemon sends the outcome
 * there: nothing to be configured, no file, no right needed but that to signal.
 * The name is an abstract one (unix(7)), which a changed root can't hide.
 *
 * The number is random, or others could take the name before; and the answer is taken from that
 * process only, since anybody may send to such a name.
 */
#include "filter/reload.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/wait.h"

#define ASK_AGAIN	5000	/* ms: of two signals at once the daemon sees one */
#define TIMEOUT		60000

static socklen_t
name_of(pid_t asker, int number, struct sockaddr_un *un)
{
	int n;

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "postern-reload-%ld-%08x",
	    (long)asker, (unsigned)number);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

void
reload_answer(const siginfo_t *from, bool taken, struct str text)
{
	struct sockaddr_un un;
	char what[1024];
	socklen_t len;
	int fd, n;

	if (from->si_code != SI_QUEUE || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	len = name_of(from->si_pid, from->si_value.sival_int, &un);
	n = snprintf(what, sizeof(what), "%c" STR_FMT, taken ? '+' : '-', STR_ARG(text));
	(void)sendto(fd, what, n < (int)sizeof(what) ? (size_t)n : sizeof(what) - 1,
	    MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&un, len);
	close(fd);
}

static int
open_answers(int *number)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	struct sockaddr_un un;
	socklen_t len;

	if (getrandom(number, sizeof(*number), 0) != sizeof(*number))
		*number = 0;
	len = name_of(getpid(), *number, &un);
	if (fd != -1 && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
	    bind(fd, (const struct sockaddr *)&un, len) == 0)
		return fd;
	fprintf(stderr, "postern: cannot wait for an answer: %s\n", strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* What `pid` has sent, with '\0' behind it; 0: nothing of its own. */
static size_t
take_answer(int fd, pid_t pid, char *text, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { text, size - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, 0);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	struct ucred who;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	text[n] = '\0';
	return who.pid == pid ? (size_t)n : 0;
}

/* SIGHUP ends what doesn't expect it. */
static bool
is_postern(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	if ((f = fopen(path, "r")) == NULL)
		return true;		/* the signal will tell */
	if (fgets(name, sizeof(name), f) == NULL)
		name[0] = '\0';
	fclose(f);
	return strncmp(name, "postern", 7) == 0;
}

static int
signal_it(pid_t pid, int number)
{
	union sigval value = { .sival_int = number };

	if (!is_postern(pid)) {
		fprintf(stderr, "postern: process %ld is no postern: it gets no signal\n", (long)pid);
		return EX_UNAVAILABLE;
	}
	if (sigqueue(pid, SIGHUP, value) == 0)
		return EX_OK;
	fprintf(stderr, "postern: cannot signal process %ld: %s\n", (long)pid, strerror(errno));
	return errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

static int
say(const char *answer)
{
	if (answer[0] == '+') {
		printf("%s\n", answer + 1);
		return EX_OK;
	}
	fprintf(stderr, "postern: not reloaded, the old rules go on: %s\n", answer + 1);
	return EX_CONFIG;
}

static int
wait_for(int fd, int number, pid_t pid)
{
	msec now = clock_msec(), end = now + TIMEOUT, again = now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[1024];
	int code;

	for (; now < end; now = clock_msec()) {
		if (now >= again) {
			if ((code = signal_it(pid, number)) != EX_OK)
				return code;
			again = now + ASK_AGAIN;
		}
		if (poll(&p, 1, (int)(again - now)) > 0 && take_answer(fd, pid, text, sizeof(text)) > 0)
			return say(text);
	}
	fprintf(stderr, "postern: process %ld has not answered in %d s: its log tells what it does\n",
	    (long)pid, TIMEOUT / 1000);
	return EX_TEMPFAIL;
}

int
reload_ask(pid_t pid)
{
	int number, fd = open_answers(&number), code;

	if (fd == -1)
		return EX_OSERR;
	code = wait_for(fd, number, pid);
	close(fd);
	return code;
}
