/*
 * test_job.c - steps that are run as answers come, against a name server that
 * answers when it is told to; and SPF and the client's name made of them.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "filter/job.h"
#include "filter/spf.h"
#include "rules/arena.h"
#include "tests/unit/dnsserver.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define SOON		(clock_msec() + 20000)	/* never waited for when all is well */
#define MANY		200

static struct resolver *resolver;

static int
start_resolver(void **state)
{
	struct str address = str_of(server.address);
	struct strings servers = { &address, 1 };
	struct strbuf why = { 0 };

	(void)state;
	atomic_store(&server.open, false);
	atomic_store(&server.through, 0);
	if ((resolver = resolver_new(&servers, &why)) == NULL)
		print_error("%s\n", why.p);
	strbuf_free(&why);
	return resolver != NULL ? 0 : -1;
}

static int
stop_resolver(void **state)
{
	(void)state;
	resolver_free(resolver);
	return 0;
}

/* Asks for one name after the other, and counts what it is told. */
struct walk {
	const char	*name[8];
	int		 answers, timeouts, none;
	atomic_int	 steps;
	atomic_int	 lacks;		/* the name whose answer the last step lacked, from 1 */
	atomic_int	 inside;	/* steps that run at the same time */
	bool		 overlap, late;
	struct str	 reason;	/* of the last time-out */
};

static bool
walk_step(struct job *j, void *arg)
{
	struct walk *w = arg;
	const struct dns_answer *a = NULL;
	bool pending = false;

	w->overlap |= atomic_fetch_add(&w->inside, 1) != 0;
	w->late = job_late(j);
	w->answers = w->timeouts = w->none = 0;
	for (int i = 0; i < 8 && w->name[i] != NULL && !pending; i++) {
		if ((a = job_ask(j, str_of(w->name[i]), DNS_A)) == NULL) {
			pending = !job_failed(j);
			atomic_store(&w->lacks, i + 1);
		} else if (a->status == DNS_TIMEOUT) {
			w->timeouts++;
			w->reason = a->reason;
		} else
			w->answers++;
		w->none += a == NULL && job_failed(j);
	}
	atomic_fetch_add(&w->steps, 1);
	atomic_fetch_sub(&w->inside, 1);
	return !pending;
}

static void
wait_done(struct job *j)
{
	msec end = SOON;

	while (!job_done(j) && clock_msec() < end)
		poll(NULL, 0, 1);
	assert_true(job_done(j));
}

/* Until a step lacks the answer to that name, from 1. */
static void
wait_lacks(struct walk *w, int name)
{
	msec end = SOON;

	while (atomic_load(&w->lacks) != name && clock_msec() < end)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(&w->lacks), name);
}

/* Without anybody waiting for it; one step for each answer, as the gates open. */
static void
goes_on_by_itself(void **state)
{
	struct walk w = { .name = { "gate1.pt.example", "gate2.pt.example", "gate3.pt.example", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);

	(void)state;
	assert_non_null(j);
	job_start(j);
	for (int gate = 1; gate <= 3; gate++) {
		assert_false(job_done(j));
		wait_lacks(&w, gate);
		atomic_store(&server.through, gate + 1);
	}
	wait_done(j);
	assert_int_equal(w.answers, 3);
	assert_int_equal(w.steps, 4);
	assert_false(w.overlap);
	assert_false(w.late);
	job_finish(j, 0);		/* done is done */
	assert_int_equal(w.steps, 4);
	assert_int_equal(w.timeouts, 0);
	job_free(j);
	job_free(NULL);
}

/* Answers that one step lacked may come together, but wake it no more than once each. */
static bool
all_step(struct job *j, void *arg)
{
	static const char *const name[] = { "gate1.pt.example", "gate2.pt.example", "gate3.pt.example" };
	int lacking = 0;

	++*(int *)arg;
	for (size_t i = 0; i < COUNT(name); i++)
		lacking += job_ask(j, str_of(name[i]), DNS_A) == NULL;
	return lacking == 0;
}

static void
one_step_an_answer(void **state)
{
	int steps = 0;
	struct job *j = job_new(resolver, all_step, &steps);

	(void)state;
	job_start(j);
	assert_int_equal(steps, 1);
	atomic_store(&server.open, true);
	job_finish(j, SOON);
	assert_true(job_done(j));
	assert_in_range(steps, 2, 4);
	job_free(j);
}

/* The answer comes after the step has asked and before it has ended. */
static bool
overtaken_step(struct job *j, void *arg)
{
	struct dns_query *q;

	++*(int *)arg;
	if (job_ask(j, STR("gate3.pt.example"), DNS_A) != NULL)
		return true;
	atomic_store(&server.open, true);
	q = resolver_ask(resolver, STR("gate3.pt.example"), DNS_A);
	dns_query_wait(q, SOON);
	dns_query_free(q);
	return false;
}

static void
is_overtaken(void **state)
{
	int steps = 0;
	struct job *j = job_new(resolver, overtaken_step, &steps);

	(void)state;
	job_start(j);
	wait_done(j);
	assert_int_equal(steps, 2);
	job_free(j);
}

static void *
open_gate(void *arg)
{
	poll(NULL, 0, 30);
	atomic_store(&server.open, true);
	return arg;
}

static void
is_waited_for(void **state)
{
	struct walk w = { .name = { "a.pt.example", "gate.pt.example", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, open_gate, NULL), 0);
	job_finish(j, SOON);		/* never started: all by this thread */
	assert_true(job_done(j));
	assert_int_equal(w.answers, 2);
	pthread_join(t, NULL);
	job_free(j);
}

/* The server answers none of those that are waited for: only the deadline can end it. */
static void
ends_at_the_deadline(void **state)
{
	struct walk w = { .name = { "gate1.pt.example", "silent.pt.example", "nx.pt.example", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);
	uint64_t cached, before, after;
	msec deadline;

	(void)state;
	job_start(j);
	wait_lacks(&w, 1);
	atomic_store(&server.through, 2);
	wait_lacks(&w, 2);
	resolver_counts(resolver, &cached, &before);
	deadline = clock_msec() + 50;
	job_finish(j, deadline);
	assert_true(job_done(j));
	assert_true(clock_msec() >= deadline);
	assert_true(w.late);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.timeouts, 2);
	assert_true(str_eq(w.reason, STR("no answer by the deadline")));
	assert_int_equal(w.steps, 3);
	/* The last step asks nothing that nobody will wait for. */
	resolver_counts(resolver, &cached, &after);
	assert_int_equal(after, before);
	job_free(j);
}

/* What others have asked for is there for the last step, too. */
static void
knows_others_at_the_deadline(void **state)
{
	struct walk w = { .name = { "silent.pt.example", "a.pt.example", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);
	struct dns_query *q = resolver_ask(resolver, STR("a.pt.example"), DNS_A);

	(void)state;
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	job_start(j);
	job_finish(j, 0);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.timeouts, 1);
	job_free(j);
	dns_query_free(q);
}

static void
what_cannot_be_asked(void **state)
{
	struct walk w = { .name = { "a..b", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);

	(void)state;
	job_start(j);
	assert_true(job_done(j));
	assert_int_equal(w.none, 1);
	job_free(j);
}

/* To give up waits for no answer, whatever the job is doing. */
static void
gives_up(void **state)
{
	static struct walk w[MANY];
	static char name[MANY][40];
	struct job *j[MANY];
	struct dns_query *gate, *silent;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(name[i], sizeof(name[i]), "gate%d.pt.example", i / 2);
		memset(&w[i], 0, sizeof(w[i]));
		w[i].name[0] = i % 3 == 0 ? "a.pt.example" : name[i];
		w[i].name[1] = i % 5 == 0 ? "silent.pt.example" : "a.pt.example";
		assert_non_null(j[i] = job_new(resolver, walk_step, &w[i]));
		job_start(j[i]);
	}
	gate = resolver_ask(resolver, str_of(name[2]), DNS_A);
	silent = resolver_ask(resolver, STR("silent.pt.example"), DNS_A);
	for (int i = 0; i < MANY; i += 2)
		job_free(j[i]);
	assert_null(dns_query_poll(gate));
	atomic_store(&server.open, true);
	for (int i = 1; i < MANY; i += 4)
		job_free(j[i]);
	assert_null(dns_query_poll(silent));
	dns_query_free(silent);
	dns_query_free(gate);
	for (int i = 3; i < MANY; i += 4) {
		job_finish(j[i], i % 5 == 0 ? clock_msec() + 10 : SOON);
		assert_int_equal(w[i].answers + w[i].timeouts, 2);
		assert_false(w[i].overlap);
		job_free(j[i]);
	}
}

/* A resolver that is stopped answers those who wait. */
static void
survives_the_resolver(void **state)
{
	struct walk w = { .name = { "silent.pt.example", "a.pt.example", NULL } };
	struct job *j;

	assert_int_equal(start_resolver(state), 0);
	j = job_new(resolver, walk_step, &w);
	job_start(j);
	resolver_trace(resolver);
	job_finish(j, clock_msec() + 20);
	assert_int_equal(w.timeouts, 2);
	resolver_free(resolver);
	job_free(j);
}

/* What is done every now and then while this thread waits: the third time it opens a gate. */
static void
count_tick(void *arg)
{
	int *n = arg;

	if (++*n % 3 == 0)
		atomic_fetch_add(&server.through, 1);
}

static void
ticks_while_waiting(void **state)
{
	struct walk w = { .name = { "gate0.pt.example", NULL } };
	struct job *j = job_new(resolver, walk_step, &w);
	struct dns_query *q = resolver_ask(resolver, STR("gate1.pt.example"), DNS_A);
	msec began = clock_msec();
	int n = 0;

	(void)state;
	wait_each(40, count_tick, &n);
	job_finish(j, SOON);
	assert_int_equal(w.answers, 1);
	assert_true(n >= 3 && clock_msec() >= began + (msec)n * 40);
	assert_int_equal(dns_query_wait(q, SOON)->status, DNS_OK);
	assert_true(n >= 6 && clock_msec() >= began + (msec)n * 40);
	wait_each(0, NULL, NULL);
	n = 0;
	dns_query_free(q);
	q = resolver_ask(resolver, STR("silent3.pt.example"), DNS_A);
	dns_query_wait(q, clock_msec() + 100);
	assert_int_equal(n, 0);
	dns_query_free(q);
	job_free(j);
}

/* What was asked, and how long it took; the same question once. */
static void
is_on_record(void **state)
{
	struct walk w = { .name = { "a.pt.example", "a.pt.example", "nx.pt.example", "silent.pt.example", NULL } };
	struct job *j;
	struct dns_lookup l;

	(void)state;
	assert_false(resolver_traced(resolver, 0, &l));
	for (int round = 0; round < 2; round++) {
		resolver_trace(resolver);
		j = job_new(resolver, walk_step, &w);
		atomic_store(&w.lacks, 0);
		job_start(j);
		wait_lacks(&w, 4);
		job_finish(j, clock_msec() + 60);
		assert_true(resolver_traced(resolver, 0, &l));
		assert_true(str_eq(l.name, STR("a.pt.example")));
		assert_int_equal(l.type, DNS_A);
		assert_int_equal(l.answer->status, DNS_OK);
		assert_int_equal(l.cached, round == 1);
		assert_true(resolver_traced(resolver, 1, &l));
		assert_int_equal(l.answer->status, DNS_NXDOMAIN);
		assert_true(resolver_traced(resolver, 2, &l));
		assert_int_equal(l.answer->status, DNS_TIMEOUT);	/* waited for in vain */
		assert_true(l.took >= 50);
		assert_false(resolver_traced(resolver, 3, &l));
		job_free(j);
	}
}

/* ---- SPF, begun in one thread and waited for in another ---- */

static void *
finish_spf(void *arg)
{
	const struct spf_answer *a = spf_finish(arg, SOON);

	return a != NULL && a->result == SPF_R_NONE ? NULL : arg;
}

static void
spf_goes_on(void **state)
{
	struct spf_engine *e = spf_engine_new();
	struct spf_query q = { .helo = STR("h.example"), .sender = STR("u@txt.pt.example"),
	    .receiver = STR("mx.example") };
	struct spf_query late = q, mute = q;
	struct spf_job *s[20];
	const struct spf_answer *a;
	struct dns_query *silent;
	pthread_t t[COUNT(s)];
	void *wrong;

	(void)state;
	assert_non_null(e);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &q.ip), 0);
	late.ip = mute.ip = q.ip;
	late.sender = STR("u@gate.pt.example");
	mute.sender = STR("u@silent.pt.example");
	for (size_t i = 0; i < COUNT(s); i++) {
		assert_non_null(s[i] = spf_begin(e, resolver, &late));
		assert_int_equal(pthread_create(&t[i], NULL, finish_spf, s[i]), 0);
	}
	atomic_store(&server.open, true);
	for (size_t i = 0; i < COUNT(s); i++) {
		assert_int_equal(pthread_join(t[i], &wrong), 0);
		assert_null(wrong);
		spf_end(s[i]);
	}
	/* "v=spf1 " and "-all" are two strings, joined. */
	s[0] = spf_begin(e, resolver, &q);
	a = spf_finish(s[0], SOON);
	assert_int_equal(a->result, SPF_R_FAIL);
	assert_true(str_eq(a->mechanism, STR("-all")));
	spf_end(s[0]);
	s[0] = spf_begin(e, resolver, &mute);
	a = spf_finish(s[0], clock_msec() + 100);
	assert_int_equal(a->result, SPF_R_TEMPERROR);
	assert_true(str_eq(a->reason, STR("TXT of silent.pt.example: timeout, no answer by the deadline")));
	spf_end(s[0]);
	silent = resolver_ask(resolver, STR("silent.pt.example"), DNS_TXT);
	spf_end(spf_begin(e, resolver, &mute));
	assert_null(dns_query_poll(silent));	/* it waited for nothing */
	dns_query_free(silent);
	spf_engine_free(e);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, start_resolver, stop_resolver)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_by_itself),
		TEST(one_step_an_answer),
		TEST(is_overtaken),
		TEST(is_waited_for),
		TEST(ends_at_the_deadline),
		TEST(knows_others_at_the_deadline),
		TEST(what_cannot_be_asked),
		TEST(gives_up),
		cmocka_unit_test(survives_the_resolver),
		TEST(ticks_while_waiting),
		TEST(is_on_record),
		TEST(spf_goes_on),
	};

	return cmocka_run_group_tests_name("job", tests, start_server, stop_server);
}
