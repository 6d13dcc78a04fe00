/*
 * spf_gate.c - what libspf2 is allowed to see of SPF records and of DNS.
 *
 * libspf2 1.2.10 overruns its buffers on records with macros
 * (CVE-2023-42118), is lenient where RFC 7208 is strict, and ends in abort()
 * on what it did not expect.  So nothing that an outsider wrote reaches it.
 * It evaluates canonical records, in which each term that asks DNS has a name
 * made up here:
 *
 *	v=spf1 include:_spf.%{d2} a:b.example//64 ip4:192.0.2.0/24 -all
 *	v=spf1 +include:t0.r0.g +a:t1.r0.g//64 ?exists:t2.r0.g -all
 *
 * and asks the gate for t0.r0.g: then the gate expands the macros of that
 * term, asks DNS, counts (4.6.4), and answers, again in names of its own.
 * What this puts right in libspf2, beside the syntax and what spf_canon.c
 * does:
 *
 * - It counts lookups for each include anew, and void ones not at all.
 * - ptr fails with an error where 5.5 says to go on, in four places: the
 *   gate answers it from the client's validated names.
 * - It has no prefix length 0: for a/0 and mx/0 the gate answers with the
 *   client's address where the name has any.
 * - 127.0.0.0/8 and ::1 pass always: for those clients every address
 *   that libspf2 sees has its first bit flipped, the client's too.
 *
 * Writing the canonical record is spf_canon.c's business, calling libspf2 and
 * what becomes of its results spf.c's.
 */
#include "spf_gate.h"

#include <stdio.h>
#include <string.h>

#include "rules/arena.h"

/* A term in a reason; records may be long. */
#define TERM_SHOWN	80

static void
fail(struct spf_gate *g, enum gate_failure f, struct str reason)
{
	size_t i;
	char *p;

	if (g->failure != GATE_OK)
		return;
	g->failure = f;
	if (reason.p == NULL || (p = arena_alloc(g->arena,
	    reason.n + 1)) == NULL) {
		g->failure = GATE_NO_MEMORY;
		return;
	}
	for (i = 0; i < reason.n; i++)
		p[i] = reason.p[i] < 0x20 || reason.p[i] > 0x7e ? '?' :
		    reason.p[i];
	g->reason = (struct str){ p, reason.n };
}

static void
fail_dns(struct spf_gate *g, struct str name, const char *type,
    const struct dns_answer *d)
{
	fail(g, GATE_TEMPERROR, str_printf(g->arena,
	    "%s of " STR_FMT ": %s" STR_FMT STR_FMT, type, STR_ARG(name),
	    dns_status_name(d->status), STR_ARG(d->reason.n > 0 ? STR(", ") :
	    STR("")), STR_ARG(d->reason)));
}

void
gate_init(struct spf_gate *g, struct job *j, struct arena *a,
    const struct spf_macro_env *env)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	memset(g, 0, sizeof(*g));
	g->job = j;
	g->arena = a;
	g->env = *env;
	g->v4 = ipaddr_is_v4(&env->ip);
	if (g->v4 ? env->ip.b[12] == 127 :
	    memcmp(env->ip.b, loopback6, sizeof(loopback6)) == 0)
		g->flip = 0x80;
}

bool
gate_name_ok(struct str name)
{
	size_t i, label = 0;

	if (name.n == 0 || name.n > SPF_NAME_MAX)
		return false;
	for (i = 0; i < name.n; i++) {
		if (name.p[i] != '.') {
			if (++label > 63)
				return false;
		} else {
			if (label == 0)
				return false;
			label = 0;
		}
	}
	return label > 0;
}

/* A lookup that will be asked for; false: GATE_NO_MEMORY is set. */
static bool
expect(struct spf_gate *g, struct str name, enum dns_type type)
{
	job_expect(g->job, name, type);
	if (job_failed(g->job)) {
		fail(g, GATE_NO_MEMORY, STR(""));
		return false;
	}
	return true;
}

/* The answer; NULL: g->failure is set, and GATE_PENDING is no failure yet. */
static const struct dns_answer *
ask(struct spf_gate *g, struct str name, enum dns_type type)
{
	const struct dns_answer *d = job_ask(g->job, name, type);

	if (d == NULL) {
		fail(g, job_failed(g->job) ? GATE_NO_MEMORY : GATE_PENDING,
		    STR(""));
		return NULL;
	}
	/* What one could do without, too, may have changed the result. */
	if (d->status == DNS_TIMEOUT && job_late(g->job)) {
		fail_dns(g, name, dns_type_name(type), d);
		return NULL;
	}
	return d;
}

/* Void lookups are counted by terms (4.6.4). */
static void
count_void(struct spf_gate *g, struct gate_term *t)
{
	if (t->is_void)
		return;
	t->is_void = true;
	if (++g->nvoids > SPF_VOIDS_MAX)
		fail(g, GATE_PERMERROR, str_printf(g->arena,
		    "more than %d terms whose lookups find nothing",
		    SPF_VOIDS_MAX));
}

/*
 * Looks up a name for a term.  NULL: the answer is the failure, or the name
 * is none, which is as good as no data (4.3, 4.8).
 */
static const struct dns_answer *
look_up(struct spf_gate *g, struct gate_term *t, struct str name,
    enum dns_type type)
{
	const struct dns_answer *d;

	if (!gate_name_ok(name) || (d = ask(g, name, type)) == NULL)
		return NULL;
	if (d->status == DNS_SERVFAIL || d->status == DNS_TIMEOUT) {
		fail_dns(g, name, dns_type_name(type), d);
		return NULL;
	}
	if (d->n > 0)
		return d;
	count_void(g, t);
	return NULL;
}

static bool
is_client(const struct spf_gate *g, const struct dns_rr *rr)
{
	size_t n = g->v4 ? 4 : 16;

	return rr->data.n == n &&
	    memcmp(rr->data.p, g->env.ip.b + 16 - n, n) == 0;
}

/* Keeps the names of `ptr` whose addresses hold the client (5.5). */
static void
validate_names(struct spf_gate *g, const struct dns_answer *ptr)
{
	enum dns_type type = g->v4 ? DNS_A : DNS_AAAA;
	const struct dns_answer *d;
	size_t i, k, n = ptr->n < SPF_PTR_MAX ? ptr->n : SPF_PTR_MAX;

	for (i = 0; i < n; i++)
		if (gate_name_ok(ptr->rr[i].data) &&
		    !expect(g, ptr->rr[i].data, type))
			return;
	for (i = 0; i < n; i++) {
		if (!gate_name_ok(ptr->rr[i].data))
			continue;
		if ((d = ask(g, ptr->rr[i].data, type)) == NULL)
			return;
		for (k = 0; k < d->n && !is_client(g, &d->rr[k]); k++)
			;
		if (k < d->n)
			g->name[g->nnames++] = ptr->rr[i].data;
	}
}

/*
 * Finds the client's validated names, once.  An error of DNS is no failure
 * here, only fewer names (5.5).  Returns whether the client has any name at
 * all, valid or not.
 */
static bool
find_names(struct spf_gate *g)
{
	const struct dns_answer *d;
	struct str name;

	if (g->names_known)
		return g->has_names;
	g->names_known = g->has_names = true;
	name = spf_macro_domain(g->arena, STR("%{ir}.%{v}.arpa"), &g->env);
	if (name.p == NULL) {
		fail(g, GATE_NO_MEMORY, STR(""));
		return true;
	}
	if ((d = ask(g, name, DNS_PTR)) == NULL)
		return true;
	g->has_names = d->n > 0 || d->status == DNS_SERVFAIL ||
	    d->status == DNS_TIMEOUT;
	validate_names(g, d);
	return g->has_names;
}

/* Is name the domain itself (2), below it (1), or neither (0)? */
static int
kinship(struct str name, struct str domain)
{
	if (str_ieq(name, domain))
		return 2;
	return name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
	    str_iends(name, domain);
}

/* The value of the macro p: best the domain, else one below it, else any (7.3). */
static struct str
client_name(struct spf_gate *g, struct str domain)
{
	struct str best = STR("");
	size_t i;
	int k, kin = -1;

	find_names(g);
	for (i = 0; i < g->nnames; i++)
		if ((k = kinship(g->name[i], domain)) > kin) {
			best = g->name[i];
			kin = k;
		}
	return best;
}

/* The domain that a term of a record speaks of; p NULL: a failure. */
static struct str
target(struct spf_gate *g, const struct gate_record *r, struct str spec)
{
	struct spf_macro_env env = g->env;
	struct str d;

	if (spec.n == 0)
		return r->domain;
	env.domain = r->domain;
	if (spf_macro_wants_client(spec))
		env.client = client_name(g, r->domain);
	if (g->failure != GATE_OK)
		return STR_NONE;
	if ((d = spf_macro_domain(g->arena, spec, &env)).p == NULL)
		fail(g, GATE_NO_MEMORY, STR(""));
	return d;
}

/* The one SPF record among the TXT records of a domain; -1: a failure. */
static int
choose_record(struct spf_gate *g, struct str domain,
    const struct dns_answer *d, struct str *txt)
{
	size_t i, n = 0;

	for (i = 0; i < d->n; i++)
		if (spf_record_is(d->rr[i].data)) {
			*txt = d->rr[i].data;
			n++;
		}
	if (n == 1)
		return 0;
	if (n == 0)
		fail(g, GATE_NONE, str_printf(g->arena,
		    STR_FMT " has no SPF record", STR_ARG(domain)));
	else
		fail(g, GATE_PERMERROR, str_printf(g->arena,
		    STR_FMT " has %zu SPF records", STR_ARG(domain), n));
	return -1;
}

int
gate_load(struct spf_gate *g, struct str domain)
{
	const struct dns_answer *d;
	struct gate_record *r;
	struct str txt, where;
	const char *wrong;

	if (!gate_name_ok(domain)) {
		fail(g, GATE_NONE, STR("the domain is no domain name"));
		return -1;
	}
	if ((d = ask(g, domain, DNS_TXT)) == NULL)
		return -1;
	if (d->status == DNS_SERVFAIL || d->status == DNS_TIMEOUT) {
		fail_dns(g, domain, "TXT", d);
		return -1;
	}
	if (choose_record(g, domain, d, &txt) != 0)
		return -1;
	if (g->nrecords == SPF_RECORDS_MAX ||
	    (r = arena_new_object(g->arena, struct gate_record)) == NULL) {
		fail(g, GATE_NO_MEMORY, STR(""));
		return -1;
	}
	r->domain = domain;
	r->last = -1;
	if ((wrong = spf_record_read(&r->rec, txt, &where)) != NULL) {
		if (where.n > TERM_SHOWN)
			where.n = TERM_SHOWN;
		fail(g, GATE_PERMERROR, str_printf(g->arena, "record of "
		    STR_FMT ": %s: " STR_FMT, STR_ARG(domain), wrong,
		    STR_ARG(where)));
		return -1;
	}
	gate_write_record(g, r);
	g->record[g->nrecords] = r;
	return (int)g->nrecords++;
}

/*
 * The answers.
 */

/* Reads "tT.rR.g", "xX.tT.rR.g" of an MX, or the root; false: no such name. */
static bool
read_name(const struct spf_gate *g, const char *name, int *rec, int *term,
    int *mx)
{
	*rec = *term = *mx = -1;
	if (strcmp(name, GATE_ROOT) == 0)
		*rec = 0;
	else if (sscanf(name, "x%2d.t%2d.r%2d.g", mx, term, rec) != 3 &&
	    (*mx = -1, sscanf(name, "t%2d.r%2d.g", term, rec)) != 2)
		return false;
	return *rec >= 0 && (size_t)*rec < g->nrecords &&
	    *term < (int)g->record[*rec]->nterms && (*mx < 0 ||
	    (size_t)*mx < g->record[*rec]->term[*term].nmx);
}

static void
has_addresses(struct gate_answer *answer, const struct gate_term *t,
    const struct dns_answer *d)
{
	answer->status = GATE_HAS_DATA;
	answer->n = t->any ? 1 : d->n;
	answer->addr = t->any ? NULL : d->rr;
}

/* Exchangers by names of our own; their addresses are asked for at once. */
static void
answer_mx(struct spf_gate *g, const struct gate_record *r, int rec, int term,
    struct gate_answer *answer)
{
	struct gate_term *t = &g->record[rec]->term[term];
	const struct dns_answer *d;
	struct str domain = target(g, r, t->spec);
	size_t i;

	if (domain.p == NULL ||
	    (d = look_up(g, t, domain, DNS_MX)) == NULL)
		return;
	if (d->n > SPF_MX_MAX) {
		fail(g, GATE_PERMERROR, str_printf(g->arena,
		    STR_FMT " has more than %d MX records", STR_ARG(domain),
		    SPF_MX_MAX));
		return;
	}
	for (i = 0; i < d->n; i++) {
		if (!gate_name_ok(d->rr[i].data))
			continue;	/* RFC 7505: "." is no host */
		if (!expect(g, d->rr[i].data, g->v4 ? DNS_A : DNS_AAAA))
			return;
		snprintf(answer->mx[t->nmx], GATE_NAME_MAX,
		    "x%zu.t%d.r%d.g", t->nmx, term, rec);
		t->mx[t->nmx++] = d->rr[i].data;
	}
	answer->n = t->nmx;
	answer->status = t->nmx > 0 ? GATE_HAS_DATA : GATE_HAS_NONE;
}

static void
answer_ptr(struct spf_gate *g, const struct gate_record *r,
    struct gate_term *t, struct gate_answer *answer)
{
	struct str domain = target(g, r, t->spec);
	size_t i;

	if (domain.p == NULL)
		return;
	if (!find_names(g))
		count_void(g, t);
	for (i = 0; i < g->nnames; i++)
		if (kinship(g->name[i], domain) > 0) {
			answer->status = GATE_HAS_DATA;
			answer->n = 1;
		}
}

static void
answer_include(struct spf_gate *g, const struct gate_record *r,
    struct gate_term *t, struct gate_answer *answer)
{
	struct str domain = target(g, r, t->spec);
	enum gate_failure before = g->failure;

	if (domain.p == NULL)
		return;
	t->child = gate_load(g, domain);
	if (t->child < 0) {
		/* 5.2, 6.1: to include or redirect to nothing is an error. */
		if (before == GATE_OK && g->failure == GATE_NONE)
			g->failure = GATE_PERMERROR;
		return;
	}
	answer->status = GATE_HAS_DATA;
	answer->text = g->record[t->child]->text;
}

/* A term is reached: the limit of 4.6.4 counts, then its own lookup. */
static void
answer_term(struct spf_gate *g, int rec, int term, enum gate_type type,
    struct gate_answer *answer)
{
	struct gate_record *r = g->record[rec];
	struct gate_term *t = &r->term[term];
	const struct dns_answer *d;
	struct str domain;

	r->last = term;
	if (t->marker)
		return;
	if (++g->nlookups > SPF_TERMS_MAX) {
		fail(g, GATE_PERMERROR, str_printf(g->arena,
		    "more than %d terms that ask DNS", SPF_TERMS_MAX));
		return;
	}
	switch (t->kind) {
	case SPF_INCLUDE:
	case SPF_REDIRECT:
		answer_include(g, r, t, answer);
		break;
	case SPF_MX:
		answer_mx(g, r, rec, term, answer);
		break;
	case SPF_PTR:
		answer_ptr(g, r, t, answer);
		break;
	default:
		if ((domain = target(g, r, t->spec)).p != NULL &&
		    (d = look_up(g, t, domain, type == GATE_AAAA ? DNS_AAAA :
		    DNS_A)) != NULL)
			has_addresses(answer, t, d);
	}
}

void
gate_ask(struct spf_gate *g, const char *name, enum gate_type type,
    struct gate_answer *answer)
{
	const struct dns_answer *d;
	struct gate_term *t;
	int rec, term, mx;

	memset(answer, 0, sizeof(*answer));
	answer->status = GATE_HAS_NONE;
	if (g->failure == GATE_OK) {
		if (!read_name(g, name, &rec, &term, &mx)) {
			fail(g, GATE_PERMERROR, STR("libspf2 asks for a name "
			    "that the gate did not give it"));
		} else if (term < 0) {
			answer->status = GATE_HAS_DATA;
			answer->text = g->record[rec]->text;
		} else if (mx < 0) {
			answer_term(g, rec, term, type, answer);
		} else {
			t = &g->record[rec]->term[term];
			if ((d = look_up(g, t, t->mx[mx], type == GATE_AAAA ?
			    DNS_AAAA : DNS_A)) != NULL)
				has_addresses(answer, t, d);
		}
	}
	if (g->failure == GATE_OK)
		return;
	memset(answer, 0, sizeof(*answer));
	answer->status = GATE_FAILS;
	answer->text = "v=spf1 ?all";	/* a record is the one thing that must not fail */
}

const struct gate_record *
gate_decider(const struct spf_gate *g)
{
	const struct gate_record *r = g->record[0];
	const struct gate_term *t;

	while (r->last >= 0) {
		t = &r->term[r->last];
		if (t->kind != SPF_REDIRECT || t->child < 0)
			break;
		r = g->record[t->child];
	}
	return r;
}

struct str
gate_matched(const struct spf_gate *g)
{
	const struct gate_record *r = gate_decider(g);

	return r->last >= 0 ? r->term[r->last].text : STR("");
}

struct str
gate_explanation(struct spf_gate *g, size_t max)
{
	const struct gate_record *r = gate_decider(g);
	struct spf_macro_env env = g->env;
	const struct dns_answer *d;
	struct str domain;

	if (r->rec.exp_spec.n == 0)
		return STR("");
	if ((domain = target(g, r, r->rec.exp_spec)).p == NULL)
		return g->failure == GATE_NO_MEMORY ? STR_NONE : STR("");
	if (!gate_name_ok(domain))
		return STR("");
	if ((d = ask(g, domain, DNS_TXT)) == NULL)
		return g->failure == GATE_NO_MEMORY ? STR_NONE : STR("");
	if (d->n != 1 || spf_macro_check(d->rr[0].data, SPF_IN_TEXT) != NULL)
		return STR("");
	env.domain = r->domain;
	if (spf_macro_wants_client(d->rr[0].data))
		env.client = client_name(g, r->domain);
	return spf_macro_text(g->arena, d->rr[0].data, &env, max);
}
