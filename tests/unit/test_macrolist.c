/*
 * Lists of macros as a hostile peer sends them, read in pieces of every size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "filter/macrolist.h"

#define HEADER	5

static const struct { const char *what; char command; const char *payload; size_t n; const char *mended; } cases[] = {
	{ "pairs",		'D', "Mi\0Q1\0x\0y\0", 10, "Mi\0Q1\0x\0y\0" },
	{ "a name without value", 'D', "Mi\0Q1\0x\0", 8, "Mi\0Q1\0x " },
	{ "one name only",	'D', "Mi\0", 3, "Mi " },
	{ "no NUL at the end",	'D', "Mi\0Q1", 5, "Mi Q1" },
	{ "no string",		'D', "M", 1, "M" },
	{ "NULs only",		'D', "M\0\0\0", 4, "M\0\0 " },
	{ "the stage is none",	'D', "\0i\0Q\0", 5, "\0i\0Q\0" },
	{ "a value of 5 octets at the end", 'D', "Mi\0abcd\0", 8, "Mi\0abcd\0" },
	{ "another command",	'L', "From\0a\0b\0", 9, "From\0a\0b\0" },
};

/* As libmilter reads: the header, then the payload, `step` octets at most a call. */
static void
read_packet(struct packet_reader *r, int fd, char command, char *payload, size_t n, size_t step)
{
	char header[HEADER] = { 0, 0, 0, (char)(n + 1), command };
	char piece[HEADER];

	for (size_t i = 0, got; i < HEADER; i += got) {
		got = HEADER - i < step ? HEADER - i : step;
		memcpy(piece, header + i, got);
		packet_follow(r, fd, piece, HEADER - i, got);
	}
	for (size_t i = 0, got; i < n; i += got) {
		got = n - i < step ? n - i : step;
		packet_follow(r, fd, payload + i, n - i, got);
	}
}

static void
mends_lists(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 12; step++) {
		struct packet_reader r = { .fd = -1 };

		/* One reader for all: a thread serves many connections. */
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char payload[16];

			memcpy(payload, cases[i].payload, cases[i].n);
			read_packet(&r, 3 + (int)(i % 3), cases[i].command, payload, cases[i].n, step);
			if (memcmp(payload, cases[i].mended, cases[i].n) != 0)
				fail_msg("%s, %zu octets a read", cases[i].what, step);
		}
	}
}

/* A packet that is given up half read must not be taken for the next one's. */
static void
forgets_what_was_given_up(void **state)
{
	struct packet_reader r = { .fd = -1 };
	char header[HEADER] = { 0, 0, 0, 60, 'D' }, half[] = "Mi\0", good[] = "Mi\0Q\0", odd[] = "Mi\0";

	(void)state;
	packet_follow(&r, 3, header, HEADER, HEADER);
	packet_follow(&r, 3, half, 59, 3);
	read_packet(&r, 3, 'D', good, 5, 5);
	assert_memory_equal(good, "Mi\0Q\0", 5);
	read_packet(&r, 4, 'D', odd, 3, 1);
	assert_memory_equal(odd, "Mi ", 3);
	/* Neither a header nor a payload: left alone. */
	packet_follow(&r, 4, half, 3, 3);
	assert_memory_equal(half, "Mi\0", 3);
	read_packet(&r, 4, 'D', half, 3, 2);
	assert_memory_equal(half, "Mi ", 3);
}

/* A peer that goes away before a payload as long as a header: the next has its descriptor. */
static void
forgets_what_is_closed(void **state)
{
	struct packet_reader r = { .fd = -1 };
	char header[HEADER] = { 0, 0, 0, 6, 'H' }, odd[] = "Mi\0";

	(void)state;
	packet_follow(&r, 3, header, HEADER, HEADER);
	packet_forget(&r, 4);
	packet_forget(&r, 3);
	read_packet(&r, 3, 'D', odd, 3, 3);
	assert_memory_equal(odd, "Mi ", 3);
	assert_int_equal(r.header[4], 'D');
	/* Half a header, and half a packet of another that goes on. */
	packet_follow(&r, 3, header, HEADER, 2);
	packet_forget(&r, 3);
	memcpy(odd, "Mi", 3);
	read_packet(&r, 3, 'D', odd, 3, 5);
	assert_memory_equal(odd, "Mi ", 3);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(mends_lists),
		cmocka_unit_test(forgets_what_was_given_up),
		cmocka_unit_test(forgets_what_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
