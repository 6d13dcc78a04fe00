/*
 * test_resolver.c - the resolver against a name server of its own: what each
 * kind of answer becomes, sharing, caching, giving up, and stopping.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "filter/resolver.h"
#include "tests/unit/dnsserver.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define SOON		(clock_msec() + 20000)	/* never waited for when all is well */

static int
start_resolver(void **state)
{
	struct str address = str_of(server.address);
	struct strings servers = { &address, 1 };
	struct strbuf why = { 0 };

	atomic_store(&server.open, false);
	if ((*state = resolver_new(&servers, &why)) == NULL)
		print_error("%s\n", why.p);
	strbuf_free(&why);
	return *state != NULL ? 0 : -1;
}

static int
stop_resolver(void **state)
{
	resolver_free(*state);
	return 0;
}

static const struct {
	const char *label;
	enum dns_type type;
	enum dns_status status;
	size_t n;
	const char *first;	/* data of the first record; how the reason of a failure begins */
	const char *canonical;
} kinds[] = {
	{ "a", DNS_A, DNS_OK, 1, "\300\0\2\1", "a.pt.example" },
	{ "a", DNS_TXT, DNS_NODATA, 0, NULL, NULL },
	{ "nx", DNS_A, DNS_NXDOMAIN, 0, NULL, NULL },
	{ "nodata", DNS_A, DNS_NODATA, 0, NULL, NULL },
	{ "servfail", DNS_TXT, DNS_SERVFAIL, 0, "SERVFAIL", NULL },
	{ "refused", DNS_TXT, DNS_SERVFAIL, 0, "REFUSED", NULL },
	{ "formerr", DNS_TXT, DNS_SERVFAIL, 0, "FORMERR", NULL },
	{ "notimp", DNS_TXT, DNS_SERVFAIL, 0, "NOTIMP", NULL },
	{ "refer", DNS_TXT, DNS_SERVFAIL, 0, "the server only refers", NULL },
	{ "torefer", DNS_TXT, DNS_SERVFAIL, 0, "the server only refers", NULL },
	{ "chain1", DNS_A, DNS_OK, 1, NULL, "chain0.pt.example" },
	{ "chain7", DNS_A, DNS_OK, 1, NULL, "chain0.pt.example" },
	{ "chain3", DNS_CNAME, DNS_OK, 1, "chain2.pt.example", "chain3.pt.example" },
	{ "tonx", DNS_A, DNS_NXDOMAIN, 0, NULL, "nx.pt.example" },
	{ "loop0", DNS_A, DNS_SERVFAIL, 0, NULL, NULL },
	{ "mx", DNS_MX, DNS_OK, 2, "mx1.pt.example", NULL },
	{ "ptr", DNS_PTR, DNS_OK, 2, "host.pt.example", NULL },
	{ "six", DNS_AAAA, DNS_OK, 1, NULL, NULL },
	{ "txt", DNS_TXT, DNS_OK, 2, "v=spf1 -all", NULL },
	{ "big", DNS_TXT, DNS_OK, 1, NULL, NULL },
	{ "huge", DNS_TXT, DNS_OK, 3, NULL, NULL },
	{ "wrongtype", DNS_TXT, DNS_NODATA, 0, NULL, NULL },
	{ "broken", DNS_A, DNS_SERVFAIL, 0, NULL, NULL },
	{ "short", DNS_A, DNS_SERVFAIL, 0, NULL, NULL },
	{ "junk", DNS_A, DNS_SERVFAIL, 0, NULL, NULL },
};

static struct dns_query *
ask(struct resolver *r, const char *label, enum dns_type type)
{
	char name[300];
	struct dns_query *q;

	snprintf(name, sizeof(name), "%s.pt.example", label);
	q = resolver_ask(r, str_of(name), type);
	assert_non_null(q);
	return q;
}

static void
test_kinds(void **state)
{
	const struct dns_answer *a;
	struct dns_query *q;
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		q = ask(*state, kinds[i].label, kinds[i].type);
		a = dns_query_wait(q, SOON);
		if (a->status != kinds[i].status || a->n != kinds[i].n)
			fail_msg("%s: %s, %zu records " STR_FMT,
			    kinds[i].label, dns_status_name(a->status), a->n,
			    STR_ARG(a->reason));
		if (kinds[i].first != NULL && a->status == DNS_SERVFAIL &&
		    !str_istarts(a->reason, str_of(kinds[i].first)))
			fail_msg("%s: the reason is " STR_FMT, kinds[i].label, STR_ARG(a->reason));
		if (kinds[i].first != NULL && kinds[i].n > 0 && kinds[i].type != DNS_A)
			assert_true(str_eq(a->rr[0].data,
			    str_of(kinds[i].first)));
		if (kinds[i].canonical != NULL)
			assert_true(str_eq(a->canonical,
			    str_of(kinds[i].canonical)));
		assert_false(a->secure);
		if (a->status == DNS_OK)
			assert_true(a->ttl > 0 && a->ttl <= 300);
		if (a->status == DNS_OK || a->status == DNS_NXDOMAIN)
			assert_true(a->packet.n > 12);
		if (a->status == DNS_SERVFAIL)
			assert_true(a->reason.n > 0);
		dns_query_free(q);
	}
}

static void
test_data(void **state)
{
	const struct dns_answer *a;
	struct dns_query *q;
	int tcp;

	q = ask(*state, "a", DNS_A);
	a = dns_query_wait(q, SOON);
	assert_int_equal(a->rr[0].data.n, 4);
	assert_memory_equal(a->rr[0].data.p, "\300\0\2\1", 4);
	dns_query_free(q);
	q = ask(*state, "mx", DNS_MX);
	a = dns_query_wait(q, SOON);
	assert_int_equal(a->rr[0].preference, 10);
	assert_int_equal(a->rr[1].preference, 256);
	dns_query_free(q);
	q = ask(*state, "ptr", DNS_PTR);
	a = dns_query_wait(q, SOON);
	assert_true(str_eq(a->rr[1].data, STR("x\\032y.\\010z.pt.example")));
	dns_query_free(q);
	q = ask(*state, "txt", DNS_TXT);
	a = dns_query_wait(q, SOON);
	assert_true(str_eq(a->rr[1].data, (struct str){ "a\0b", 3 }));
	dns_query_free(q);
	tcp = atomic_load(&server.by_tcp);
	q = ask(*state, "big", DNS_TXT);
	a = dns_query_wait(q, SOON);
	assert_int_equal(a->rr[0].data.n, BIG);
	assert_int_equal(atomic_load(&server.by_tcp), tcp + 1);
	dns_query_free(q);
}

/* Octets that a library might take for syntax reach the server as they are. */
static void
test_odd_names(void **state)
{
	static const struct str names[] = {
		{ "a b.pt.example", 14 }, { "a\\b.pt.example", 14 },
		{ "\303\274.pt.example", 13 }, { "a\0b.pt.example", 14 },
		{ "a\\046b.pt.example", 17 }, { "\".pt.example", 12 },
		{ "a@b;$(x.pt.example", 18 },
	};
	const struct dns_answer *a;
	struct dns_query *q;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		q = resolver_ask(*state, names[i], DNS_A);
		assert_non_null(q);
		a = dns_query_wait(q, SOON);
		if (a->status != DNS_OK)
			fail_msg("name %zu: %s " STR_FMT, i,
			    dns_status_name(a->status), STR_ARG(a->reason));
		dns_query_free(q);
	}
}

/* Names that libunbound answers by itself unless told otherwise. */
static void
test_local_names(void **state)
{
	static const char *const names[] = {
		"a.test", "1.0.0.10.in-addr.arpa", "1.0.168.192.in-addr.arpa",
		"1.2.0.192.in-addr.arpa", "1.0.16.172.in-addr.arpa",
		"1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	};
	struct dns_query *q;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		q = resolver_ask(*state, str_of(names[i]), DNS_A);
		if (dns_query_wait(q, SOON)->status != DNS_OK)
			fail_msg("%s", names[i]);
		dns_query_free(q);
	}
}

static void
test_cache(void **state)
{
	static const struct { const char *label; enum dns_type type; } t[] = {
		{ "a", DNS_A }, { "nx", DNS_A }, { "nodata", DNS_A },
		{ "servfail", DNS_TXT },
	};
	const struct dns_answer *a;
	struct dns_query *one, *two;
	uint64_t cached, asked, before;
	int questions;
	size_t i;

	for (i = 0; i < COUNT(t); i++) {
		resolver_counts(*state, &before, &asked);
		one = ask(*state, t[i].label, t[i].type);
		a = dns_query_wait(one, SOON);
		questions = atomic_load(&server.questions);
		two = ask(*state, t[i].label, t[i].type);
		assert_ptr_equal(dns_query_poll(two), a);
		assert_int_equal(atomic_load(&server.questions), questions);
		resolver_counts(*state, &cached, &asked);
		assert_int_equal(cached, before + 1);
		assert_int_equal(asked, i + 1);
		dns_query_free(one);
		dns_query_free(two);
	}
}

/* No answer by the deadline; then one that comes later is had later. */
static void
test_deadline(void **state)
{
	struct dns_query *q, *again;

	q = ask(*state, "gate", DNS_A);
	assert_null(dns_query_poll(q));
	assert_int_equal(dns_query_wait(q, 0)->status, DNS_TIMEOUT);
	assert_int_equal(dns_query_wait(q, -5)->status, DNS_TIMEOUT);
	assert_int_equal(dns_query_wait(q, clock_msec() + 100)->status,
	    DNS_TIMEOUT);
	assert_true(dns_query_wait(q, 0)->reason.n > 0);
	atomic_store(&server.open, true);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	/* It wasn't kept as a time-out. */
	again = ask(*state, "gate", DNS_A);
	assert_int_equal(dns_query_wait(again, SOON)->status, DNS_OK);
	dns_query_free(again);
	dns_query_free(q);
}

struct asker {
	pthread_t	thread;
	struct resolver	*r;
	int		number, wrong;
};

static void *
ask_gate(void *arg)
{
	struct asker *me = arg;
	struct dns_query *q = ask(me->r, "gate", DNS_A);

	me->wrong = dns_query_wait(q, SOON)->status != DNS_OK;
	dns_query_free(q);
	return NULL;
}

static void
test_sharing(void **state)
{
	struct asker askers[8] = { { 0 } };
	uint64_t cached, asked;
	size_t i;

	for (i = 0; i < COUNT(askers); i++) {
		askers[i].r = *state;
		assert_int_equal(pthread_create(&askers[i].thread, NULL,
		    ask_gate, &askers[i]), 0);
	}
	do
		resolver_counts(*state, &cached, &asked);
	while (cached + asked < COUNT(askers) && poll(NULL, 0, 1) == 0);
	assert_int_equal(asked, 1);
	atomic_store(&server.open, true);
	for (i = 0; i < COUNT(askers); i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
}

static void *
ask_many(void *arg)
{
	static const char *const labels[] = { "a", "nx", "chain2", "txt", "mx" };
	static const enum dns_status expect[] = {
		DNS_OK, DNS_NXDOMAIN, DNS_OK, DNS_NODATA, DNS_NODATA
	};
	struct asker *me = arg;
	struct dns_query *q;
	char label[32];
	int i, k;

	for (i = 0; i < 1000; i++) {
		k = (i + me->number) % 5;
		if (i % 3 == 0) {
			q = ask(me->r, labels[k], k < 3 ? DNS_A : DNS_AAAA);
			me->wrong += dns_query_wait(q, SOON)->status !=
			    expect[k];
		} else {
			snprintf(label, sizeof(label), "n%d",
			    (i * 7 + me->number) % 1500);
			q = ask(me->r, label, DNS_A);
			/* Every seventh is given up at once. */
			if (i % 7 != 0)
				me->wrong += dns_query_wait(q, SOON)->status !=
				    DNS_OK;
		}
		dns_query_free(q);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct asker askers[8] = { { 0 } };
	size_t i;

	for (i = 0; i < COUNT(askers); i++) {
		askers[i].r = *state;
		askers[i].number = (int)i;
		assert_int_equal(pthread_create(&askers[i].thread, NULL,
		    ask_many, &askers[i]), 0);
	}
	for (i = 0; i < COUNT(askers); i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
}

static void
ask_live(struct resolver *r, const char *prefix, int n)
{
	enum dns_status status;
	struct dns_query *q;
	char label[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(label, sizeof(label), "%s%d", prefix, i);
		q = ask(r, label, DNS_A);
		status = dns_query_wait(q, SOON)->status;
		if (status != DNS_OK)
			fail_msg("%s: %s", label, dns_status_name(status));
		dns_query_free(q);
	}
}

/* Hundreds of questions that nobody answers don't hold up the others. */
static void
test_stall(void **state)
{
	struct dns_query *dead[300];
	char label[32];
	size_t i;

	for (i = 0; i < COUNT(dead); i++) {
		snprintf(label, sizeof(label), "silent%zu", i);
		dead[i] = ask(*state, label, DNS_TXT);
	}
	ask_live(*state, "during", 50);
	for (i = 0; i < COUNT(dead); i++)
		dns_query_free(dead[i]);
	ask_live(*state, "after", 50);
}

/* Time for the server to ignore a question more often than the library asks by itself. */
static void
wait_gated(int more)
{
	int n = atomic_load(&server.gated) + more;
	msec end = SOON;

	while (atomic_load(&server.gated) < n && clock_msec() < end)
		poll(NULL, 0, 1);
	assert_true(atomic_load(&server.gated) >= n);
}

/*
 * As long as somebody wants it, a name is asked for, though the library has
 * given it up, and takes the server for dead by then.
 */
static void
test_persistence(void **state)
{
	struct dns_query *dead[100], *q = ask(*state, "gate", DNS_A), *answered;
	msec before;
	char label[32];
	size_t i;

	for (i = 0; i < COUNT(dead); i++) {
		snprintf(label, sizeof(label), "silent-p%zu", i);
		dead[i] = ask(*state, label, DNS_TXT);
	}
	wait_gated(4);
	/* A server's own failure is an answer, and isn't asked for again. */
	before = clock_msec();
	answered = ask(*state, "servfail", DNS_A);
	assert_int_equal(dns_query_wait(answered, SOON)->status, DNS_SERVFAIL);
	assert_true(clock_msec() - before < 5000);
	dns_query_free(answered);
	assert_null(dns_query_poll(q));
	/* Some of these wait for their next turn: given up, and asked anew. */
	for (i = 0; i < COUNT(dead); i += 2) {
		dns_query_free(dead[i]);
		snprintf(label, sizeof(label), "silent-p%zu", i);
		dead[i] = ask(*state, label, DNS_TXT);
	}
	atomic_store(&server.open, true);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	for (i = 0; i < COUNT(dead); i++) {
		assert_int_equal(dns_query_wait(dead[i], clock_msec())->status,
		    DNS_TIMEOUT);
		dns_query_free(dead[i]);
	}
	dns_query_free(q);
	ask_live(*state, "blame", 20);
}

/* Contexts share the library's log; one that ends must not take it from another. */
static void
test_two(void **state)
{
	struct resolver *other = NULL;
	struct dns_query *q;

	(void)state;
	assert_int_equal(start_resolver((void **)&other), 0);
	q = ask(*state, "servfail", DNS_A);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_SERVFAIL);
	dns_query_free(q);
	resolver_free(other);
	q = ask(*state, "servfail", DNS_MX);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_SERVFAIL);
	dns_query_free(q);
	q = ask(*state, "gate-two", DNS_A);
	wait_gated(1);
	atomic_store(&server.open, true);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	dns_query_free(q);
}

/* Given up and asked again, while the library still knows the first. */
static void
test_give_up(void **state)
{
	struct dns_query *q;
	int i;

	for (i = 0; i < 200; i++)
		dns_query_free(ask(*state, "gate", DNS_A));
	q = ask(*state, "gate", DNS_A);
	atomic_store(&server.open, true);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	dns_query_free(q);
	dns_query_free(NULL);
}

static void *
wait_for_stop(void *arg)
{
	struct asker *me = arg;
	struct dns_query *q = ask(me->r, me->number % 2 == 0 ?
	    "silent1" : "silent2", DNS_TXT);

	atomic_fetch_add(&server.questions, 1);
	me->wrong = dns_query_wait(q, SOON)->status != DNS_TIMEOUT;
	dns_query_free(q);
	return NULL;
}

/* Stopping while others wait, and while lookups are held or given up. */
static void
test_stop(void **state)
{
	struct asker askers[8] = { { 0 } };
	struct dns_query *held, *done;
	uint64_t cached, asked;
	size_t i;

	(void)state;
	assert_int_equal(start_resolver((void **)&askers[0].r), 0);
	held = ask(askers[0].r, "silent3", DNS_A);
	done = ask(askers[0].r, "a", DNS_A);
	assert_int_equal(dns_query_wait(done, SOON)->status, DNS_OK);
	for (i = 0; i < 50; i++)
		dns_query_free(ask(askers[0].r, "silent4", DNS_A));
	resolver_counts(askers[0].r, &cached, &asked);
	i = (size_t)(cached + asked);
	for (size_t k = 0; k < COUNT(askers); k++) {
		askers[k].r = askers[0].r;
		askers[k].number = (int)k;
		assert_int_equal(pthread_create(&askers[k].thread, NULL,
		    wait_for_stop, &askers[k]), 0);
	}
	do
		resolver_counts(askers[0].r, &cached, &asked);
	while (cached + asked < i + COUNT(askers) && poll(NULL, 0, 1) == 0);
	resolver_free(askers[0].r);
	for (i = 0; i < COUNT(askers); i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
	assert_int_equal(dns_query_poll(held)->status, DNS_TIMEOUT);
	assert_int_equal(dns_query_wait(held, SOON)->status, DNS_TIMEOUT);
	assert_int_equal(dns_query_poll(done)->n, 1);
	dns_query_free(held);
	dns_query_free(done);
}

static void
test_bad_server(void **state)
{
	static const char *const bad[] = { "", "localhost", "1.2.3" };
	struct strbuf why = { 0 };
	struct strings servers = { NULL, 1 };
	struct str s;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		s = str_of(bad[i]);
		servers.v = &s;
		why.n = 0;
		assert_null(resolver_new(&servers, &why));
		assert_true(why.n > 0);
	}
	strbuf_free(&why);
	resolver_free(NULL);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, start_resolver, stop_resolver)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds),
		TEST(test_data),
		TEST(test_odd_names),
		TEST(test_local_names),
		TEST(test_cache),
		TEST(test_deadline),
		TEST(test_sharing),
		TEST(test_threads),
		TEST(test_stall),
		TEST(test_persistence),
		TEST(test_two),
		TEST(test_give_up),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_bad_server),
	};

	return cmocka_run_group_tests_name("resolver", tests, start_server,
	    stop_server);
}
