/* test_cidr.c - the trie of networks, against a table and against a plain search. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/cidr.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct ipaddr
address(const char *text)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(str_of(text), &ip), 0);
	return ip;
}

static const struct { const char *net; unsigned bits; const char *addr; int hit; } cases[] = {
	{ "192.0.2.0", 120, "192.0.2.255", 1 },
	{ "192.0.2.0", 120, "192.0.3.0", 0 },
	{ "192.0.2.0", 120, "::ffff:192.0.2.1", 1 },	/* mapped is the same host */
	{ "192.0.2.1", 128, "192.0.2.1", 1 },
	{ "192.0.2.1", 128, "192.0.2.0", 0 },
	{ "0.0.0.0", 96, "255.255.255.255", 1 },
	{ "0.0.0.0", 96, "2001:db8::1", 0 },
	{ "::", 0, "2001:db8::1", 1 },
	{ "::", 0, "192.0.2.1", 0 },			/* all of IPv6, not of IPv4 */
	{ "2001:db8::", 32, "2001:db9::1", 0 },
	{ "2001:db8::", 32, "2001:db8:ffff::1", 1 },
	{ "8000::", 1, "ffff::", 1 },
	{ "8000::", 1, "7fff::", 0 },
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cidr_set *set = cidr_new();
		struct ipnet net = { address(cases[i].net), (uint8_t)cases[i].bits };
		struct ipaddr ip = address(cases[i].addr);

		assert_non_null(set);
		assert_false(cidr_has(set, &ip));
		assert_int_equal(cidr_put(set, &net, STR_NONE), 0);
		assert_int_equal(cidr_put(set, &net, STR_NONE), 0);
		assert_int_equal(cidr_size(set), 1);
		if (cidr_has(set, &ip) != cases[i].hit)
			fail_msg("%s/%u has %s is not %d", cases[i].net,
			    cases[i].bits, cases[i].addr, cases[i].hit);
		cidr_free(set);
	}
}

/* Few different bits, so that networks meet, hold each other and part late. */
static struct ipaddr
random_address(void)
{
	struct ipaddr ip;

	for (int i = 0; i < 16; i++)
		ip.b[i] = rand() % 4 != 0 ? 0 : (uint8_t)(rand() % 3 * 0x81);
	if (rand() % 2 != 0) {
		memset(ip.b, 0, 10);
		ip.b[10] = ip.b[11] = 0xff;
	}
	return ip;
}

static struct ipnet
random_net(void)
{
	struct ipnet net = { random_address(), (uint8_t)(rand() % 129) };

	for (unsigned i = net.bits; i < 128; i++)
		net.addr.b[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	return net;
}

static void
against_plain_search(void **state)
{
	enum { NETS = 60 };
	struct ipnet net[NETS];

	(void)state;
	for (unsigned seed = 1; seed <= 2000; seed++) {
		struct cidr_set *set = cidr_new();
		size_t n, different = 0;

		srand(seed);
		n = (size_t)rand() % NETS;
		for (size_t i = 0; i < n; i++) {
			bool again = false;

			net[i] = random_net();
			for (size_t k = 0; k < i; k++)
				again |= net[k].bits == net[i].bits &&
				    memcmp(&net[k].addr, &net[i].addr, 16) == 0;
			different += !again;
			assert_int_equal(cidr_put(set, &net[i], STR_NONE), 0);
			if (seed % 3 == 0 && i == n / 2)
				cidr_pack(set);
		}
		if (seed % 2 == 0)
			cidr_pack(set);
		assert_int_equal(cidr_size(set), different);
		for (int q = 0; q < 100; q++) {
			struct ipaddr ip = random_address();
			bool hit = false;

			for (size_t i = 0; i < n; i++)
				hit |= ipnet_has(&net[i], &ip);
			if (cidr_has(set, &ip) != hit)
				fail_msg("seed %u, question %d", seed, q);
		}
		cidr_free(set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(against_plain_search),
	};

	return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
