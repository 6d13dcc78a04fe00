/*
 * test_pool.c - sessions that wait must not keep others from being served.
 *
 * A filter of our own under libmilter: MAIL from <slow> waits until the test
 * lets it go, MAIL from <quick> answers at once.  Each burst comes in one go, so
 * that there are more sessions than idle workers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "filter/pool.h"

#define SESSIONS	50
#define TIMEOUT		10000	/* ms; a stall lasts until the slow ones are let go */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static bool may_go;
static int slow_waiting;
static char path[64];

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	(void)ctx;
	if (strcmp(argv[0], "<slow>") != 0)
		return SMFIS_CONTINUE;
	pthread_mutex_lock(&lock);
	slow_waiting++;
	while (!may_go)
		pthread_cond_wait(&let_go, &lock);
	slow_waiting--;
	pthread_mutex_unlock(&lock);
	return SMFIS_CONTINUE;
}

static void *
filter(void *arg)
{
	(void)arg;
	smfi_main();
	return NULL;
}

static int
start_filter(void **state)
{
	static char name[] = "test", conn[96];
	struct smfiDesc d = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION,
		.xxfi_envfrom = on_mail,
	};
	pthread_t t;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/postern-pool-%d", (int)getpid());
	snprintf(conn, sizeof(conn), "unix:%s", path);
	if (smfi_register(d) != MI_SUCCESS || smfi_setconn(conn) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS)
		return -1;
	pool_init();
	return pthread_create(&t, NULL, filter, NULL);
}

static int
end_filter(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void
send_packet(int fd, char code, const void *data, size_t n)
{
	unsigned char b[256];
	uint32_t len = htonl((uint32_t)n + 1);

	memcpy(b, &len, 4);
	b[4] = (unsigned char)code;
	memcpy(b + 5, data, n);
	assert_int_equal(write(fd, b, n + 5), (ssize_t)(n + 5));
}

/* The next packet's code, or 0 if none comes in time. */
static char
read_packet(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char head[5], rest[256];
	uint32_t n;

	if (poll(&p, 1, timeout) != 1 ||
	    recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
		return 0;
	memcpy(&n, head, 4);
	n = ntohl(n) - 1;
	if (n > sizeof(rest) ||
	    (n > 0 && recv(fd, rest, n, MSG_WAITALL) != (ssize_t)n))
		return 0;
	return (char)head[4];
}

/* A session up to MAIL. */
static int
open_session(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	uint32_t offer[3] = { htonl(6), htonl(0x1ff), htonl(0x1fffff) };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(un.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	send_packet(fd, 'O', offer, sizeof(offer));
	assert_int_equal(read_packet(fd, TIMEOUT), 'O');
	return fd;
}

static void
say_mail(int fd, bool slow)
{
	send_packet(fd, 'M', slow ? "<slow>" : "<quick>", slow ? 7 : 8);
}

static void
set_may_go(bool may)
{
	pthread_mutex_lock(&lock);
	may_go = may;
	pthread_cond_broadcast(&let_go);
	pthread_mutex_unlock(&lock);
}

static int
count_waiting(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = slow_waiting;
	pthread_mutex_unlock(&lock);
	return n;
}

/* 50 slow and 50 quick ones, as they come: the quick ones needn't wait. */
static void
quick_ones_pass(void **state)
{
	int slow[SESSIONS], quick[SESSIONS], answered = 0;

	(void)state;
	assert_true(pool_wait_found(TIMEOUT));
	for (int round = 0; round < 3; round++) {
		answered = 0;
		set_may_go(false);
		for (int i = 0; i < SESSIONS; i++) {
			slow[i] = open_session();
			quick[i] = open_session();
		}
		for (int i = 0; i < SESSIONS; i++) {
			say_mail(slow[i], true);
			say_mail(quick[i], false);
		}
		for (int i = 0; i < SESSIONS; i++)
			answered += read_packet(quick[i], TIMEOUT) == 'c';
		assert_int_equal(answered, SESSIONS);
		for (int ms = 0; count_waiting() < SESSIONS && ms < TIMEOUT; ms++)
			usleep(1000);
		assert_int_equal(count_waiting(), SESSIONS);
		assert_true(pool_busy() >= SESSIONS);
		set_may_go(true);
		for (int i = 0; i < SESSIONS; i++) {
			assert_int_equal(read_packet(slow[i], TIMEOUT), 'c');
			close(slow[i]);
			close(quick[i]);
		}
	}
}

/* Peers that send half a packet hold a worker each, and nobody else. */
static void
half_packets(void **state)
{
	int half[SESSIONS], whole;

	(void)state;
	for (int i = 0; i < SESSIONS; i++) {
		half[i] = open_session();
		assert_int_equal(write(half[i], "\0\0\0\x20M<ha", 8), 8);
	}
	whole = open_session();
	say_mail(whole, false);
	assert_int_equal(read_packet(whole, TIMEOUT), 'c');
	for (int i = 0; i < SESSIONS; i++)
		close(half[i]);
	close(whole);
}

/* When all has been said, nobody is busy: what a stop waits for. */
static void
becomes_idle(void **state)
{
	(void)state;
	for (int ms = 0; pool_busy() > 0 && ms < TIMEOUT; ms++)
		usleep(1000);
	assert_int_equal(pool_busy(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quick_ones_pass),
		cmocka_unit_test(half_packets),
		cmocka_unit_test(becomes_idle),
	};

	return cmocka_run_group_tests(tests, start_filter, end_filter);
}
