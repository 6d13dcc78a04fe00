/*
 * test_listen.c - the socket that the MTA connects to: what its connections are like.
 *
 * Which places are taken, and what is said of those that aren't, is tests/wire/life.py's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "filter/listen.h"

/* A connection to it, as libmilter accepts it: do its packets wait for the MTA's acknowledgement? */
static bool
sends_at_once(const struct listener *l)
{
	int there = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), here, on = 0;
	socklen_t len = sizeof(on);

	assert_int_equal(connect(there, (const struct sockaddr *)&l->addr, l->addrlen), 0);
	assert_true((here = accept(l->fd, NULL, NULL)) != -1);
	assert_int_equal(getsockopt(here, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	close(here);
	close(there);
	return on != 0;
}

/* A listening socket of the system's choice; its port in *port. */
static int
any_port(int *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static void
assert_sends_at_once(const char *kind, int number, const char *rest)
{
	struct strbuf why = { 0 };
	struct listener l;
	char spec[64];

	snprintf(spec, sizeof(spec), "%s:%d%s", kind, number, rest);
	assert_int_equal(listen_open((struct str){ spec, strlen(spec) }, 0, STR(""), &l, &why), 0);
	assert_true(sends_at_once(&l));
	listen_close(&l);
	strbuf_free(&why);
}

/* Several edits are several packets; none of them waits for the one before. */
static void
edits_do_not_wait(void **state)
{
	int port;

	(void)state;
	close(any_port(&port));
	assert_sends_at_once("inet", port, "@127.0.0.1");
	assert_sends_at_once("fd", any_port(&port), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_do_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
