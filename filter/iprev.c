/*
 * iprev.c - the client's name, confirmed forward and back (RFC 8601, 2.7.3).
 *
 * The names that the address points to are asked for their addresses, all
 * side by side; the first in the order of the alphabet that has the client's
 * own is its name.  Of many names it is the first ten in that order that are
 * looked at; so the answer hangs neither on how a server shuffles records, nor
 * on how fast it is.
 */
#include "iprev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "rules/arena.h"

struct iprev_job {
	struct job	*job;
	struct ipaddr	 ip;
	struct iprev_answer answer;
	bool		 no_memory;
};

struct str
iprev_reverse(const struct ipaddr *ip, char buf[IPREV_REVERSE_MAX])
{
	int n = 0;

	if (ipaddr_is_v4(ip)) {
		n = snprintf(buf, IPREV_REVERSE_MAX, "%d.%d.%d.%d.in-addr.arpa",
		    ip->b[15], ip->b[14], ip->b[13], ip->b[12]);
		return (struct str){ buf, (size_t)n };
	}
	for (int i = 15; i >= 0; i--)
		n += snprintf(buf + n, IPREV_REVERSE_MAX - (size_t)n, "%x.%x.",
		    ip->b[i] & 15, ip->b[i] >> 4);
	n += snprintf(buf + n, IPREV_REVERSE_MAX - (size_t)n, "ip6.arpa");
	return (struct str){ buf, (size_t)n };
}

static bool
failed(const struct dns_answer *d)
{
	return d->status == DNS_SERVFAIL || d->status == DNS_TIMEOUT;
}

/* Done, with a result and, of what failed, the reason. */
static bool
say(struct iprev_job *p, enum iprev_result result, struct str name,
    enum dns_type type, const struct dns_answer *d)
{
	struct arena *a = job_arena(p->job);

	p->answer.result = result;
	if (d == NULL)
		return true;
	p->answer.reason = dns_failure(a, name, type, d);
	p->no_memory = p->answer.reason.p == NULL;
	return true;
}

/* Is it a host's name?  What isn't could not be shown as one, either. */
static bool
is_host(struct str s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' ? label == 0 : !((c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0 && s.n <= 253;
}

static bool
has_client(const struct iprev_job *p, const struct dns_answer *d)
{
	size_t n = ipaddr_is_v4(&p->ip) ? 4 : 16;

	for (size_t i = 0; i < d->n; i++)
		if (d->rr[i].data.n == n &&
		    memcmp(d->rr[i].data.p, p->ip.b + 16 - n, n) == 0)
			return true;
	return false;
}

/* As memcmp() has it, the shorter one first. */
static int
compare(struct str x, struct str y)
{
	size_t n = x.n < y.n ? x.n : y.n;
	int d = memcmp(x.p, y.p, n);

	return d != 0 ? d : (x.n > y.n) - (x.n < y.n);
}

/* The names to look at, in their order, each once. */
static size_t
choose(const struct dns_answer *ptr, struct str name[IPREV_NAMES])
{
	size_t n = 0, at;

	for (size_t i = 0; i < ptr->n; i++) {
		struct str s = ptr->rr[i].data;

		if (!is_host(s))
			continue;
		for (at = n; at > 0 && compare(s, name[at - 1]) < 0; at--)
			;
		if (at == IPREV_NAMES || (at > 0 && compare(s, name[at - 1]) == 0))
			continue;
		n += n < IPREV_NAMES;
		memmove(&name[at + 1], &name[at], (n - 1 - at) * sizeof(*name));
		name[at] = s;
	}
	return n;
}

static bool
confirm(struct iprev_job *p, const struct dns_answer *ptr)
{
	enum dns_type type = ipaddr_is_v4(&p->ip) ? DNS_A : DNS_AAAA;
	const struct dns_answer *d, *bad = NULL;
	struct str name[IPREV_NAMES], bad_name = STR_NONE;
	size_t n = choose(ptr, name);
	bool pending = false;

	for (size_t i = 0; i < n; i++)
		job_expect(p->job, name[i], type);
	for (size_t i = 0; i < n; i++) {
		d = job_ask(p->job, name[i], type);
		if (d == NULL) {
			pending = true;
		} else if (failed(d)) {
			bad = d;
			bad_name = name[i];
		} else if (!pending && has_client(p, d)) {
			p->answer.name = str_dup(job_arena(p->job), name[i]);
			p->no_memory = p->answer.name.p == NULL;
			return say(p, IPREV_R_PASS, STR_NONE, type, NULL);
		}
	}
	if (pending)
		return false;
	/* A name that could not be asked may have been the one. */
	if (bad != NULL)
		return say(p, IPREV_R_TEMPERROR, bad_name, type, bad);
	return say(p, IPREV_R_FAIL, STR_NONE, type, NULL);
}

static bool
step(struct job *j, void *arg)
{
	struct iprev_job *p = arg;
	const struct dns_answer *d;
	char buf[IPREV_REVERSE_MAX];
	struct str reverse = iprev_reverse(&p->ip, buf);
	bool done;

	if ((d = job_ask(j, reverse, DNS_PTR)) == NULL)
		done = false;
	else if (failed(d))
		done = say(p, IPREV_R_TEMPERROR, reverse, DNS_PTR, d);
	else if (d->n == 0)
		done = say(p, IPREV_R_PERMERROR, reverse, DNS_PTR, d);
	else
		done = confirm(p, d);
	if (job_failed(j))
		p->no_memory = true;
	return done || p->no_memory;
}

struct iprev_job *
iprev_begin(struct resolver *r, const struct ipaddr *ip)
{
	struct iprev_job *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->ip = *ip;
	p->answer.name = STR_NONE;
	p->answer.reason = STR("");
	if ((p->job = job_new(r, step, p)) == NULL) {
		free(p);
		return NULL;
	}
	job_start(p->job);
	return p;
}

bool
iprev_is_done(struct iprev_job *p)
{
	return job_done(p->job);
}

const struct iprev_answer *
iprev_finish(struct iprev_job *p, msec deadline)
{
	job_finish(p->job, deadline);
	return p->no_memory ? NULL : &p->answer;
}

void
iprev_end(struct iprev_job *p)
{
	if (p == NULL)
		return;
	job_free(p->job);
	free(p);
}
