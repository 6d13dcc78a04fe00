/* test_log.c - nothing that mail brings can break a line of the log. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "filter/log.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static const struct {
	struct str	value;
	const char	*line;
} values[] = {
	{ STR("plain"), "k=plain" },
	{ STR("<a@example.org>"), "k=<a@example.org>" },
	{ STR("a.b-c_d/e:f[1],g"), "k=a.b-c_d/e:f[1],g" },
	{ STR(""), "k=\"\"" },
	{ STR("two words"), "k=\"two words\"" },
	{ STR("a=b"), "k=\"a=b\"" },
	{ STR("say \"hi\""), "k=\"say \\\"hi\\\"\"" },
	{ STR("back\\slash"), "k=\"back\\\\slash\"" },
	{ STR("x\r\nverdict=accept"), "k=\"x\\r\\nverdict=accept\"" },
	{ STR("tab\there"), "k=\"tab\\there\"" },
	{ STR("\0\033[31m\177"), "k=\"\\x00\\x1b[31m\\x7f\"" },
	{ STR("caf\303\251"), "k=\"caf\303\251\"" },		/* UTF-8 stays */
	{ STR("caf\351"), "k=\"caf\\xe9\"" },			/* Latin-1 isn't */
	{ STR("\302\205"), "k=\"\\xc2\\x85\"" },			/* NEL, a C1 control */
	{ STR("a\342\200\256b"), "k=\"a\\xe2\\x80\\xaeb\"" },	/* right-to-left override */
	{ STR("a\342\201\246b"), "k=\"a\\xe2\\x81\\xa6b\"" },	/* isolate */
	{ STR("a\342\200\250b"), "k=\"a\\xe2\\x80\\xa8b\"" },	/* line separator */
	{ STR("a\342\202\254b"), "k=\"a\342\202\254b\"" },	/* the euro is no trick */
	{ STR("\303"), "k=\"\\xc3\"" },				/* cut off */
};

static void
escapes(void **state)
{
	struct log_line l;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		log_begin(&l);
		assert_true(log_field(&l, "k", values[i].value, 0));
		assert_string_equal(l.text, values[i].line);
		assert_int_equal(l.n, strlen(l.text));
	}
}

static void
fields_are_apart(void **state)
{
	struct log_line l;

	(void)state;
	log_begin(&l);
	log_field(&l, "a", STR("1"), 0);
	log_number(&l, "b", -2);
	log_field(&l, "c", STR("x y"), 0);
	assert_string_equal(l.text, "a=1 b=-2 c=\"x y\"");
}

static const struct {
	struct str	value;
	size_t		limit;
	const char	*line;
} limits[] = {
	{ STR("12345"), 5, "k=12345" },
	{ STR("123456"), 5, "k=\"12345...\"" },
	{ STR("1234 6"), 5, "k=\"1234 ...\"" },
	{ STR("1234\n"), 5, "k=\"1234...\"" },		/* no half of an escape */
	{ STR("1234\303\251"), 5, "k=\"1234...\"" },	/* nor of a character */
};

static void
cuts_values(void **state)
{
	struct log_line l;

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		log_begin(&l);
		assert_int_equal(log_field(&l, "k", limits[i].value, limits[i].limit), i == 0);
		assert_string_equal(l.text, limits[i].line);
	}
}

/* Whatever is put into it, in whatever order: the line holds, and quotes are closed. */
static void
line_holds(void **state)
{
	static const char *const stuff[] = { "x", "\n", "\"", "\377", " ", "\303\251" };

	(void)state;
	for (size_t kind = 0; kind < COUNT(stuff); kind++)
		for (size_t n = 900; n < 1100; n++) {
			struct strbuf big = { 0 };
			struct log_line l;
			size_t quotes = 0;

			for (size_t i = 0; i < n; i++)
				strbuf_puts(&big, stuff[kind]);
			log_begin(&l);
			log_field(&l, "first", strbuf_slice(&big), 0);
			log_field(&l, "second", strbuf_slice(&big), 0);
			log_number(&l, "third", 3);
			assert_true(l.n <= LOG_LINE);
			assert_int_equal(l.n, strlen(l.text));
			for (size_t i = 0; i < l.n; i++) {
				assert_true((unsigned char)l.text[i] >= ' ');
				if (l.text[i] == '\\')
					i++;
				else
					quotes += l.text[i] == '"';
			}
			assert_int_equal(quotes % 2, 0);
			strbuf_free(&big);
		}
}

/* What log_printf() writes to a pipe in the place of stderr. */
static void
plain_lines(void **state)
{
	char got[2048];
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	log_printf(LOG_LEVEL_INFO, "rules:1: %s \"quoted\" \\ 100%%", "a\nb\033");
	n = read(ends[0], got, sizeof(got) - 1);
	log_printf(LOG_LEVEL_INFO, "%01500d", 7);
	dup2(saved, STDERR_FILENO);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "postern: rules:1: a\\nb\\x1b \"quoted\" \\ 100%\n");
	n = read(ends[0], got, sizeof(got) - 1);
	assert_int_equal(n, strlen("postern: ") + LOG_LINE + 1);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

/* What stands in the pipe, as a string. */
static const char *
taken(int fd)
{
	static char got[70000];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

/* A full disk, and a pipe that nobody reads: nobody waits for ever, and what was lost is said. */
static void
lost_lines(void **state)
{
	static const char full[] = "postern: 3 lines of the log were lost: No space left on device\npostern: four\n";
	int ends[2], saved = dup(STDERR_FILENO), device = open("/dev/full", O_WRONLY);
	const char *got;
	size_t n = 0;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(pipe(ends), 0);
	assert_true(device != -1);
	dup2(device, STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	for (int i = 0; i < 3; i++)
		log_printf(LOG_LEVEL_INFO, "lost");
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	log_printf(LOG_LEVEL_INFO, "four");
	assert_string_equal(taken(ends[0]), full);
	/* It holds 64 KB, and comes to its end here. */
	for (int i = 0; i < 200; i++)
		log_printf(LOG_LEVEL_INFO, "%0900d", i);
	for (got = taken(ends[0]); *got != '\0'; got++)
		n += *got == '\n';
	assert_in_range(n, 1, 199);
	log_printf(LOG_LEVEL_INFO, "again");
	got = taken(ends[0]);
	dup2(saved, STDERR_FILENO);
	assert_int_equal(strtoul(got + strlen("postern: "), NULL, 10), 200 - n);
	assert_non_null(strstr(got, " lines of the log were lost: nobody read it\npostern: again\n"));
	close(ends[0]);
	close(ends[1]);
	close(device);
	close(saved);
}

/* The same of a socket, as the journal's is: records, so that each line is seen. */
static void
lost_in_socket(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	unsigned n = 0;
	char got[1024], *rest;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	for (int i = 0; i < 2000; i++)
		log_printf(LOG_LEVEL_INFO, "%0900d", i);
	for (; recv(ends[0], got, sizeof(got), MSG_DONTWAIT) > 0; n++)
		assert_int_equal(strtoul(got + strlen("postern: "), NULL, 10), n);
	assert_in_range(n, 1, 1999);
	log_printf(LOG_LEVEL_INFO, "again");
	dup2(saved, STDERR_FILENO);
	assert_true(recv(ends[0], got, sizeof(got), MSG_DONTWAIT) > 0);
	assert_int_equal(strtoul(got + strlen("postern: "), &rest, 10), 2000 - n);
	assert_memory_equal(rest, " lines of the log were lost: nobody read it\n", 44);
	assert_int_equal(recv(ends[0], got, sizeof(got), MSG_DONTWAIT), strlen("postern: again\n"));
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

#define WRITERS	32

static void *
write_one(void *arg)
{
	pthread_barrier_wait(arg);
	log_printf(LOG_LEVEL_INFO, "%0900d", 1);
	return NULL;
}

/* Room for a few lines in a pipe that nobody reads any more: none of all that want it waits for ever. */
static void
many_writers(void **state)
{
	static const char page[4096];
	pthread_t threads[WRITERS];
	pthread_barrier_t all;
	struct timespec until;
	char got[sizeof(page)];
	int ends[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	pthread_barrier_init(&all, NULL, WRITERS + 1);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_one, &all), 0);
	pthread_barrier_wait(&all);
	sched_yield();
	assert_int_equal(read(ends[0], got, sizeof(got)), sizeof(got));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_timedjoin_np(threads[i], NULL, &until), 0);
	pthread_barrier_destroy(&all);
	/* What was lost is told with the next line. */
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_TO_STDERR);
	log_printf(LOG_LEVEL_INFO, "after");
	assert_non_null(strstr(taken(ends[0]), " lines of the log were lost: nobody read it\npostern: after\n"));
	dup2(saved, STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(fields_are_apart),
		cmocka_unit_test(cuts_values),
		cmocka_unit_test(line_holds),
		cmocka_unit_test(plain_lines),
		cmocka_unit_test(lost_lines),
		cmocka_unit_test(lost_in_socket),
		cmocka_unit_test(many_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
