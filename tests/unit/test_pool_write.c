/*
 * test_pool_write.c - whatever is kept and however little is written at once, the MTA
 * gets the same octets in the same order, and all of them once a verdict is out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "filter/pool_write.h"
#include "rules/str.h"

#define FD	7		/* of nothing: the octets stay here */

static struct strbuf got;
static int writes;
static bool reluctant;		/* writes a part, or is interrupted */

static ssize_t
write_some(int fd, const struct iovec *v, int n)
{
	size_t before = got.n, all = 0, most = SIZE_MAX;

	assert_int_equal(fd, FD);
	writes++;
	if (reluctant && rand() % 8 == 0) {
		errno = EINTR;
		return -1;
	}
	for (int i = 0; i < n; i++)
		all += v[i].iov_len;
	/* What is left over may look like a header. */
	if (reluctant)
		most = all > 5 && rand() % 3 == 0 ? all - 5 : 1 + (size_t)rand() % 3000;
	for (int i = 0; i < n && got.n - before < most; i++)
		strbuf_add(&got, v[i].iov_base, v[i].iov_len < most - (got.n - before) ?
		    v[i].iov_len : most - (got.n - before));
	return (ssize_t)(got.n - before);
}

/* A packet as libmilter writes it: again, with what is left, until all is gone. */
static void
send_packet(char command, const char *data, size_t n, struct strbuf *want)
{
	uint32_t length = htonl((uint32_t)n + 1);
	char header[5];
	struct iovec v[2] = { { header, 5 }, { (void *)(uintptr_t)data, n } };
	int i = 0, nv = n > 0 ? 2 : 1;

	memcpy(header, &length, 4);
	header[4] = command;
	strbuf_add(want, header, 5);
	strbuf_add(want, data, n);
	while (i < nv) {
		ssize_t done = pool_writev(FD, v + i, nv - i, write_some);

		if (done == -1)
			continue;
		for (; i < nv && (size_t)done >= v[i].iov_len; i++)
			done -= (ssize_t)v[i].iov_len;
		if (i < nv) {
			v[i].iov_base = (char *)v[i].iov_base + done;
			v[i].iov_len -= (size_t)done;
		}
	}
}

static void
same_octets(void **state)
{
	/* Of edits, verdicts and others; data that looks like a header of an edit, too. */
	static const char commands[] = "+-2behimqacdfprty", edits[] = "+-2behimq";
	static char data[40000];
	struct strbuf want = { 0 };

	(void)state;
	srand(815);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 5 == 4 ? 'h' : (char)i;
	for (int round = 0; round < 20000; round++) {
		static const size_t most[] = { 1, 6, 200, 6000, sizeof(data) };
		char c = commands[(size_t)rand() % (sizeof(commands) - 1)];

		reluctant = rand() % 2 == 0;
		send_packet(c, data, (size_t)rand() % most[rand() % 5], &want);
		if (strchr(edits, c) == NULL) {
			assert_true(str_eq(strbuf_slice(&got), strbuf_slice(&want)));
			got.n = want.n = 0;
		}
	}
	strbuf_free(&want);
	strbuf_free(&got);
	pool_write_forget(FD);
}

/* Three edits and the verdict are one write; what a closed connection had kept is for nobody. */
static void
one_write(void **state)
{
	struct strbuf want = { 0 };

	(void)state;
	reluctant = false;
	writes = 0;
	for (int i = 0; i < 3; i++)
		send_packet('h', "X-A\0b", 6, &want);
	assert_int_equal(writes, 0);
	send_packet('a', "", 0, &want);
	assert_int_equal(writes, 1);
	assert_true(str_eq(strbuf_slice(&got), strbuf_slice(&want)));
	send_packet('h', "X-A\0b", 6, &want);
	pool_write_forget(FD);
	got.n = want.n = 0;
	send_packet('a', "", 0, &want);
	assert_true(str_eq(strbuf_slice(&got), strbuf_slice(&want)));
	strbuf_free(&want);
	strbuf_free(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_octets),
		cmocka_unit_test(one_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
