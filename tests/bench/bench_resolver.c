/*
 * bench_resolver.c - how long the resolver takes for an answer that it remembers.
 *
 *	bench_resolver
 *
 * 1,000 names are asked of a name server on loopback, then a million questions
 * are answered from memory: by one thread, and by two at once.  A question is asking, looking at
 * the answer, and giving the query up.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/resolver.h"
#include "tests/bench/measure.h"
#include "tests/unit/dnsserver.h"

#define NAMES		1000
#define QUESTIONS	1000000

static struct resolver *resolver;
static char names[NAMES][32];

static void
die(const char *what)
{
	fprintf(stderr, "bench_resolver: %s\n", what);
	exit(1);
}

static void
warm(void)
{
	for (int i = 0; i < NAMES; i++) {
		struct dns_query *q;

		(void)snprintf(names[i], sizeof(names[i]), "host%d.example", i);
		if ((q = resolver_ask(resolver, str_of(names[i]), DNS_A)) == NULL ||
		    dns_query_wait(q, clock_msec() + 20000)->status != DNS_OK)
			die("the name server doesn't answer");
		dns_query_free(q);
	}
}

static void *
ask(void *arg)
{
	const struct dns_answer *a;
	struct dns_query *q;

	for (unsigned i = 0; i < QUESTIONS; i++) {
		q = resolver_ask(resolver, str_of(names[i * 7919u % NAMES]), DNS_A);
		if (q == NULL || (a = dns_query_poll(q)) == NULL || a->status != DNS_OK)
			die("an answer was forgotten");
		dns_query_free(q);
	}
	return arg;
}

static void
measure(const char *what, int nthreads)
{
	pthread_t thread[2];
	double from = seconds(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < nthreads; i++)
		if (pthread_create(&thread[i], NULL, ask, NULL) != 0)
			die("cannot start a thread");
	for (int i = 0; i < nthreads; i++)
		(void)pthread_join(thread[i], NULL);
	from = seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
	printf("%-28s  in %6.0f ns\n", what, from / nthreads / QUESTIONS * 1e9);
}

int
main(void)
{
	struct strbuf why = { 0 };
	struct strings servers = { 0 };
	struct str address;

	if (start_server(NULL) != 0)
		die("cannot start a name server");
	address = str_of(server.address);
	servers.v = &address;
	servers.n = 1;
	if ((resolver = resolver_new(&servers, &why)) == NULL)
		die(why.p);
	warm();
	measure("warm answer", 1);
	measure("warm answer, two threads", 2);
	resolver_free(resolver);
	(void)stop_server(NULL);
	return 0;
}
