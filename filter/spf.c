/*
 * spf.c - SPF (RFC 7208) by libspf2, behind a gate.
 *
 * libspf2 decides which term of a record matches; what it may see of records
 * and of DNS is made by spf_gate.c, whose head says why.  This file is the
 * only one that knows libspf2: it hands over the gate's answers, and what
 * libspf2 says becomes a result, a reason and the term that matched.
 *
 * libspf2 calls abort() where memory fails it, after its error handler has
 * been called.  Ours doesn't return: it jumps back to run().  What libspf2
 * had allocated until then is lost, the daemon isn't.
 *
 * One SPF_server_t serves all threads: it is only read.  The evaluation under
 * way is found by a thread-local pointer, for libspf2's callback has no
 * argument of the request's; it is set only while run() is on the stack.
 */
#include "spf.h"

#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/nameser.h>
#include <spf2/spf.h>

#include "rules/arena.h"
#include "spf_gate.h"

#define EXPLANATION_MAX	500
#define MECHANISM_MAX	255	/* shown of the term that matched */
#define REASON_MAX	500
#define WORK		12288	/* octets that most evaluations take, with two records */

/* The gate has limits of its own. */
#define NO_LIMIT	1000000

struct spf_engine {
	SPF_dns_server_t dns;
	SPF_server_t	*server;
};

struct evaluation {
	struct spf_gate	gate;
	jmp_buf		way_out;
};

enum way_out { WAY_START = 0, WAY_NO_MEMORY, WAY_ERROR };

/* Who is asked about: the domain, and the sender that macros see. */
struct identity {
	struct str	local, domain;	/* domain as it came */
	struct str	normal;		/* lower case, A-labels */
	const char	*wrong;		/* the domain is none that could have a record */
};

static _Thread_local struct evaluation *current;

static void on_error(const char *, int, const char *)
    __attribute__((noreturn));

static void
on_error(const char *file, int line, const char *message)
{
	(void)file;
	(void)line;
	(void)message;
	if (current == NULL)
		abort();
	longjmp(current->way_out, WAY_ERROR);
}

static void *
must(void *p)
{
	if (p == NULL)
		longjmp(current->way_out, WAY_NO_MEMORY);
	return p;
}

/* Room for one more record of at least n octets. */
static SPF_dns_rr_data_t *
add_record(SPF_dns_rr_t *rr, size_t n)
{
	if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, n) != SPF_E_SUCCESS) {
		SPF_dns_rr_free(rr);
		must(NULL);
	}
	return rr->rr[rr->num_rr++];
}

static void
add_address(SPF_dns_rr_t *rr, const struct spf_gate *g, bool v4,
    const struct dns_rr *from)
{
	SPF_dns_rr_data_t *d = add_record(rr, sizeof(*d));
	size_t n = v4 ? 4 : 16;
	uint8_t b[16];

	if (from == NULL)
		memcpy(b, g->env.ip.b + 16 - n, n);
	else if (from->data.n == n)
		memcpy(b, from->data.p, n);
	else
		memset(b, 0, n);
	b[0] ^= g->flip;
	if (v4)
		memcpy(&d->a, b, n);
	else
		memcpy(&d->aaaa, b, n);
}

static void
add_text(SPF_dns_rr_t *rr, const char *text)
{
	size_t n = strlen(text) + 1;

	memcpy(add_record(rr, n)->txt, text, n);
}

static SPF_dns_rr_t *
on_lookup(SPF_dns_server_t *dns, const char *domain, ns_type type, int cache)
{
	struct spf_gate *g = &current->gate;
	struct gate_answer answer;
	SPF_dns_rr_t *rr;
	size_t i;

	(void)cache;
	gate_ask(g, domain, type == ns_t_a ? GATE_A : type == ns_t_aaaa ?
	    GATE_AAAA : type == ns_t_mx ? GATE_MX : GATE_RECORD, &answer);
	rr = must(SPF_dns_rr_new_init(dns, domain, type, 0, NETDB_SUCCESS));
	/*
	 * A record is answered always, and to the question for type 99 that
	 * libspf2 asks first: TRY_AGAIN there is no failure to it.
	 */
	if (answer.text != NULL && type != ns_t_a && type != ns_t_aaaa &&
	    type != ns_t_mx) {
		add_text(rr, answer.text);
	} else if (answer.status == GATE_FAILS) {
		rr->herrno = TRY_AGAIN;
	} else if (answer.status == GATE_HAS_NONE) {
		rr->herrno = NO_DATA;
	} else {
		for (i = 0; i < answer.n; i++)
			if (type == ns_t_mx)
				add_text(rr, answer.mx[i]);
			else
				add_address(rr, g, type == ns_t_a,
				    answer.addr != NULL ? &answer.addr[i] :
				    NULL);
	}
	return rr;
}

/*
 * libspf2 asks for the host's name into 64 octets, or fewer than the kernel
 * allows, and gives up for good where that fails.
 */
static bool
host_name_fits(void)
{
	char name[HOST_NAME_MAX];

	return gethostname(name, sizeof(name)) == 0;
}

static bool
start_server(struct spf_engine *e)
{
	struct evaluation fence;
	SPF_response_t *response = NULL;

	current = &fence;
	if (setjmp(fence.way_out) != WAY_START ||
	    (e->server = SPF_server_new_dns(&e->dns, 0)) == NULL ||
	    SPF_server_set_explanation(e->server, "-", &response) !=
	    SPF_E_SUCCESS) {
		current = NULL;
		return false;
	}
	current = NULL;
	if (response != NULL)
		SPF_response_free(response);
	SPF_server_set_max_dns_mech(e->server, NO_LIMIT);
	SPF_server_set_max_dns_mx(e->server, NO_LIMIT);
	SPF_server_set_max_dns_ptr(e->server, NO_LIMIT);
	return true;
}

struct spf_engine *
spf_engine_new(void)
{
	struct spf_engine *e;

	if (!host_name_fits() || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	SPF_error_handler = on_error;
	SPF_warning_handler = NULL;
	SPF_info_handler = NULL;	/* these would go to stdout */
	SPF_debug_handler = NULL;
	e->dns.lookup = on_lookup;
	e->dns.name = "gate";
	if (!start_server(e)) {
		spf_engine_free(e);
		return NULL;
	}
	return e;
}

void
spf_engine_free(struct spf_engine *e)
{
	if (e == NULL)
		return;
	if (e->server != NULL)
		SPF_server_free(e->server);
	free(e);
}

static bool
set_client(SPF_request_t *request, const struct spf_gate *g)
{
	struct in_addr a4;
	struct in6_addr a6;
	uint8_t b[16];

	memcpy(b, g->env.ip.b, sizeof(b));
	b[g->v4 ? 12 : 0] ^= g->flip;
	memcpy(&a4, b + 12, sizeof(a4));
	memcpy(&a6, b, sizeof(a6));
	return (g->v4 ? SPF_request_set_ipv4(request, a4) :
	    SPF_request_set_ipv6(request, a6)) == SPF_E_SUCCESS;
}

/*
 * What libspf2 says, where the gate saw no failure.  Errors of records and of
 * DNS are the gate's to find: what else libspf2 calls an error is its own
 * trouble, mostly memory (which it calls a wrong record), so never permerror.
 */
static enum spf_result
result_of(struct spf_gate *g, const SPF_response_t *response)
{
	switch (response->result) {
	case SPF_RESULT_PASS:
		return SPF_R_PASS;
	case SPF_RESULT_FAIL:
		return SPF_R_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return SPF_R_SOFTFAIL;
	case SPF_RESULT_NEUTRAL:
		return SPF_R_NEUTRAL;
	default:
		break;
	}
	g->reason = STR("libspf2 gave up");
	g->failure = response->err == SPF_E_NO_MEMORY ? GATE_NO_MEMORY :
	    GATE_TEMPERROR;
	return SPF_R_TEMPERROR;
}

/* Evaluates the first record; where g->failure is set it decides instead. */
static enum spf_result
run(struct spf_engine *e, struct evaluation *ev)
{
	struct spf_gate *g = &ev->gate;
	SPF_request_t *request = SPF_request_new(e->server);
	SPF_response_t *response = NULL;
	enum spf_result result = SPF_R_TEMPERROR;
	int way;

	if (request == NULL) {
		g->failure = GATE_NO_MEMORY;
		return result;
	}
	current = ev;
	way = setjmp(ev->way_out);
	if (way == WAY_NO_MEMORY) {
		g->failure = GATE_NO_MEMORY;
	} else if (way == WAY_ERROR) {
		g->failure = GATE_TEMPERROR;
		g->reason = STR("libspf2 gave up");
	} else if (!set_client(request, g) ||
	    SPF_request_set_helo_dom(request, "h.g") != SPF_E_SUCCESS ||
	    SPF_request_set_env_from(request, "s@" GATE_ROOT) != 0) {
		g->failure = GATE_NO_MEMORY;
	} else {
		SPF_request_query_mailfrom(request, &response);
		if (response == NULL) {
			g->failure = GATE_NO_MEMORY;
		} else {
			if (g->failure == GATE_OK)
				result = result_of(g, response);
			SPF_response_free(response);
		}
	}
	current = NULL;
	SPF_request_free(request);
	return result;
}

/* Visible ASCII without what only address syntax has; two labels at least (4.3). */
static const char *
check_domain(struct str d)
{
	size_t i, dots = 0, top = 0;
	bool digits = true;

	if (!gate_name_ok(d))
		return "the domain is no domain name";
	for (i = 0; i < d.n; i++) {
		if (d.p[i] <= ' ' || d.p[i] > '~' ||
		    strchr("()<>[]@,;:\\\"", d.p[i]) != NULL)
			return "the domain is no domain name";
		if (d.p[i] == '.') {
			dots++;
			top = i + 1;
		}
	}
	for (i = top; i < d.n; i++)
		digits = digits && d.p[i] >= '0' && d.p[i] <= '9';
	if (dots == 0 || digits)
		return "the domain is not fully qualified";
	return NULL;
}

/* 2.3, 2.4, 4.3.  -1 without memory. */
static int
identify(struct identity *id, const struct spf_query *q, struct arena *a)
{
	size_t at = q->sender.n, i;

	id->local = STR("postmaster");
	if (q->sender.n == 0) {
		id->domain = q->helo;
	} else {
		while (at > 0 && q->sender.p[at - 1] != '@')
			at--;
		if (at > 1)
			id->local = (struct str){ q->sender.p, at - 1 };
		/* Without an @ it has no local part (4.3). */
		id->domain = (struct str){ q->sender.p + at,
		    q->sender.n - at };
	}
	if (id->domain.n > 0 && id->domain.p[id->domain.n - 1] == '.')
		id->domain.n--;
	if (id->domain.p == NULL)
		id->domain = STR("");
	if ((id->normal = domain_normal(a, id->domain)).p == NULL)
		return -1;
	id->wrong = check_domain(id->normal);
	for (i = 0; i < id->domain.n; i++)
		if ((unsigned char)id->domain.p[i] > 0x7f) {
			id->domain = id->normal;
			break;
		}
	return 0;
}

/* Copies s, at most max octets of it, into the answer; false without memory. */
static bool
keep(struct arena *a, struct str *to, struct str s, size_t max)
{
	if (s.n > max)
		s.n = max;
	*to = str_dup(a, s);
	return to->p != NULL;
}

/* 1, 0 where an answer is under way, or -1 without memory. */
static int
evaluate(struct spf_engine *e, struct evaluation *ev, struct spf_answer *sa)
{
	struct spf_gate *g = &ev->gate;

	if (gate_load(g, g->env.domain) >= 0)
		sa->result = run(e, ev);
	switch (g->failure) {
	case GATE_NO_MEMORY:
		return -1;
	case GATE_PENDING:
		return 0;
	case GATE_NONE:
		sa->result = SPF_R_NONE;
		break;
	case GATE_TEMPERROR:
		sa->result = SPF_R_TEMPERROR;
		break;
	case GATE_PERMERROR:
		sa->result = SPF_R_PERMERROR;
		break;
	case GATE_OK:
		sa->mechanism = gate_matched(g);
		if (sa->result == SPF_R_FAIL)
			sa->explanation = gate_explanation(g, EXPLANATION_MAX);
		if (g->failure == GATE_PENDING)
			return 0;
		if (sa->explanation.p == NULL)
			return -1;
	}
	sa->reason = g->reason;
	return 1;
}

struct spf_job {
	struct spf_engine *engine;
	struct job	*job;
	struct spf_macro_env env;
	const char	*wrong;		/* with the domain */
	struct spf_answer answer;
	bool		 no_memory;
};

static bool
step(struct job *j, void *arg)
{
	struct spf_job *s = arg;
	struct spf_answer *sa = &s->answer, found = { 0 };
	struct arena *work = arena_new(WORK), *a = job_arena(j);
	struct evaluation ev;
	int rc = -1;

	found.mechanism = found.explanation = found.reason = STR("");
	if (work != NULL) {
		gate_init(&ev.gate, j, work, &s->env);
		rc = evaluate(s->engine, &ev, &found);
	}
	if (rc == 1) {
		sa->result = found.result;
		if (!keep(a, &sa->mechanism, found.mechanism, MECHANISM_MAX) ||
		    !keep(a, &sa->explanation, found.explanation, EXPLANATION_MAX) ||
		    !keep(a, &sa->reason, found.reason, REASON_MAX))
			rc = -1;
	}
	arena_free(work);
	s->no_memory = rc == -1;
	return rc != 0;
}

/* The query in the job's own memory; -1 if there is not enough of it. */
static int
take_query(struct spf_job *s, const struct spf_query *q)
{
	struct arena *a = job_arena(s->job);
	struct spf_query own = *q;
	struct identity id;

	if (!keep(a, &own.helo, q->helo.p != NULL ? q->helo : STR(""), q->helo.n) ||
	    !keep(a, &own.sender, q->sender.p != NULL ? q->sender : STR(""), q->sender.n) ||
	    !keep(a, &own.receiver, q->receiver.p != NULL ? q->receiver : STR(""),
	    q->receiver.n) || identify(&id, &own, a) != 0)
		return -1;
	s->wrong = id.wrong;
	s->env.ip = own.ip;
	s->env.local = id.local;
	s->env.domain = s->env.sender_domain = id.domain;
	s->env.sender = str_printf(a, STR_FMT "@" STR_FMT, STR_ARG(id.local),
	    STR_ARG(id.domain));
	s->env.helo = own.helo;
	s->env.receiver = own.receiver;
	s->env.now = q->now != 0 ? q->now : time(NULL);
	s->answer.domain = id.normal;
	s->answer.mechanism = s->answer.explanation = s->answer.reason = STR("");
	return s->env.sender.p != NULL ? 0 : -1;
}

static struct spf_job *
spf_job_new(struct spf_engine *e, struct resolver *r, const struct spf_query *q)
{
	struct spf_job *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->engine = e;
	if ((s->job = job_new(r, step, s)) == NULL || take_query(s, q) == -1) {
		spf_end(s);
		return NULL;
	}
	if (s->wrong != NULL) {
		s->answer.result = SPF_R_NONE;
		s->answer.reason = str_of(s->wrong);
	}
	return s;
}

struct spf_job *
spf_begin(struct spf_engine *e, struct resolver *r, const struct spf_query *q)
{
	struct spf_job *s;

	if ((s = spf_job_new(e, r, q)) != NULL && s->wrong == NULL)
		job_start(s->job);
	return s;
}

bool
spf_is_done(struct spf_job *s)
{
	return s->wrong != NULL || job_done(s->job);
}

const struct spf_answer *
spf_finish(struct spf_job *s, msec deadline)
{
	if (s->wrong == NULL)
		job_finish(s->job, deadline);
	return s->no_memory ? NULL : &s->answer;
}

void
spf_end(struct spf_job *s)
{
	if (s == NULL)
		return;
	job_free(s->job);
	free(s);
}

const struct spf_answer *
spf_check(struct spf_engine *e, struct resolver *r, const struct spf_query *q,
    msec deadline, struct arena *a)
{
	struct spf_answer *sa = arena_new_object(a, struct spf_answer);
	const struct spf_answer *found = NULL;
	struct spf_job *s;

	if (sa == NULL || (s = spf_job_new(e, r, q)) == NULL)
		return NULL;
	if ((found = spf_finish(s, deadline)) != NULL) {
		sa->result = found->result;
		if (!keep(a, &sa->domain, found->domain, found->domain.n) ||
		    !keep(a, &sa->mechanism, found->mechanism, MECHANISM_MAX) ||
		    !keep(a, &sa->explanation, found->explanation, EXPLANATION_MAX) ||
		    !keep(a, &sa->reason, found->reason, REASON_MAX))
			found = NULL;
	}
	spf_end(s);
	return found != NULL ? sa : NULL;
}
