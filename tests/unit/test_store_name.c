/*
 * test_store_name.c - the address of a server that a name was given for.
 *
 * getaddrinfo() is one of ours, which answers when it is told to.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "filter/store_name.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct { int error; uint32_t ip; bool hold; int asked, done; } dns;

static struct addrinfo *
address_of(uint32_t ip)
{
	struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in));
	struct sockaddr_in *sin;

	if (ai == NULL)
		return NULL;
	sin = (struct sockaddr_in *)(void *)(ai + 1);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(ip);
	ai->ai_addr = (struct sockaddr *)sin;
	ai->ai_addrlen = sizeof(*sin);
	return ai;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **found)
{
	struct in_addr in;
	int e;

	(void)service;
	if (hints->ai_flags & AI_NUMERICHOST) {
		*found = inet_aton(name, &in) ? address_of(ntohl(in.s_addr)) : NULL;
		return *found != NULL ? 0 : EAI_NONAME;
	}
	pthread_mutex_lock(&lock);
	dns.asked++;
	pthread_cond_broadcast(&changed);
	while (dns.hold)
		pthread_cond_wait(&changed, &lock);
	*found = (e = dns.error) == 0 ? address_of(dns.ip) : NULL;
	dns.done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return e;
}

void
freeaddrinfo(struct addrinfo *ai)
{
	free(ai);
}

static void
set_dns(int error, uint32_t ip, bool hold)
{
	pthread_mutex_lock(&lock);
	dns.error = error;
	dns.ip = ip;
	dns.hold = hold;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
wait_asked(int n)
{
	pthread_mutex_lock(&lock);
	while (dns.asked < n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void
expect_address(struct store_name *n, const char *want)
{
	char address[STORE_ADDRESS], why[STORE_WHY] = "";

	if (store_name_find(n, clock_msec() + 20000, address, why) == -1)
		fail_msg("%s", why);
	assert_string_equal(address, want);
}

static void
expect_none(struct store_name *n, msec wait, const char *want)
{
	char address[STORE_ADDRESS], why[STORE_WHY] = "";

	assert_int_equal(store_name_find(n, clock_msec() + wait, address, why), -1);
	if (strstr(why, want) == NULL)
		fail_msg("%s", why);
}

static void
figures_are_not_looked_up(void **state)
{
	struct store_name *n = store_name_new(STR("192.0.2.1"), 0);

	(void)state;
	dns.asked = 0;
	expect_address(n, "192.0.2.1");
	store_name_doubt(n);
	expect_address(n, "192.0.2.1");
	assert_int_equal(dns.asked, 0);
	store_name_free(n);
}

static void
what_is_not_found_is_looked_up_again(void **state)
{
	struct store_name *n = store_name_new(STR("redis.example"), 0);

	(void)state;
	set_dns(EAI_AGAIN, 0, false);
	expect_none(n, 20000, "cannot find the server redis.example: ");
	set_dns(0, 0xc0000202, false);
	expect_address(n, "192.0.2.2");
	store_name_free(n);
	/* But not at once. */
	n = store_name_new(STR("redis.example"), 1000000);
	set_dns(EAI_NONAME, 0, false);
	expect_none(n, 20000, "redis.example");
	dns.asked = 0;
	expect_none(n, 20000, "redis.example");
	assert_int_equal(dns.asked, 0);
	store_name_free(n);
}

static void
nobody_waits_longer_than_he_can(void **state)
{
	struct store_name *n = store_name_new(STR("redis.example"), 0);

	(void)state;
	dns.asked = 0;
	set_dns(0, 0xc0000203, true);
	expect_none(n, 1, "cannot find the server redis.example in time");
	expect_none(n, 1, "in time");
	wait_asked(1);
	assert_int_equal(dns.asked, 1);
	set_dns(0, 0xc0000203, false);
	expect_address(n, "192.0.2.3");
	store_name_free(n);
	/* Whoever is freed under a lookup's hands is freed by that. */
	n = store_name_new(STR("redis.example"), 0);
	set_dns(0, 0xc0000203, true);
	expect_none(n, 1, "in time");
	store_name_free(n);
	set_dns(0, 0xc0000203, false);
}

static void
a_server_that_is_gone_may_have_moved(void **state)
{
	struct store_name *n = store_name_new(STR("redis.example"), 0);
	char address[STORE_ADDRESS], why[STORE_WHY];

	(void)state;
	set_dns(0, 0xc0000204, false);
	expect_address(n, "192.0.2.4");
	set_dns(EAI_AGAIN, 0, false);
	store_name_doubt(n);
	expect_address(n, "192.0.2.4");
	set_dns(0, 0xc0000205, false);
	/* Those who come meanwhile have the old address. */
	do {
		store_name_doubt(n);
		assert_int_equal(store_name_find(n, clock_msec() + 20000, address, why), 0);
	} while (strcmp(address, "192.0.2.5") != 0);
	store_name_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_not_looked_up),
		cmocka_unit_test(what_is_not_found_is_looked_up_again),
		cmocka_unit_test(nobody_waits_longer_than_he_can),
		cmocka_unit_test(a_server_that_is_gone_may_have_moved),
	};

	return cmocka_run_group_tests_name("store_name", tests, NULL, NULL);
}
