/*
 * dmarc.c - DMARC: whose policy applies, and whether what passed SPF or DKIM
 * belongs to the author's domain.
 *
 * Own code, since libopendmarc 1.4.2 takes a subdomain for aligned under
 * adkim=s, accepts records without a version and knows nothing of RFC 9989.
 *
 * How a domain leads to records and to an organization is dmarc_walk.c's
 * business; records are read in dmarc_record.c, the From fields in
 * dmarc_author.c.
 */
#include "dmarc.h"

#include "dmarc_walk.h"
#include "rules/arena.h"

struct author {
	struct walk	*walk;
	ptrdiff_t	 at;		/* the record that applies, or -1 */
	struct dns_query *exists;	/* does the domain?  Asked only if that matters */
	struct dmarc_answer answer;
};

struct dmarc_check {
	struct walks	 walks;
	struct author	 author[DMARC_AUTHORS];
	size_t		 n;
	const char	*wrong;		/* not every author can be told */
	bool		 discovered;
};

/* ---- Discovery ---- */

/* Which record applies (RFC 9989, 4.10.1; RFC 7489, 6.6.3). */
static void
discover(struct dmarc_check *c, struct author *a, msec deadline)
{
	struct walk *w = a->walk;

	walk_wait(&c->walks, w, deadline);
	a->at = -1;
	if (w->kind[0] != DMARC_IS_OTHER)
		a->at = 0;
	else if (!w->failed)
		(void)walk_organization(&c->walks, w, &a->at);
	if (a->at > 0 && w->kind[a->at] == DMARC_IS_POLICY &&
	    w->record[a->at].sp != w->record[a->at].np)
		a->exists = walk_ask(&c->walks, w->domain, DNS_A);
}

bool
dmarc_applies(struct dmarc_check *c, msec deadline)
{
	bool any = false;

	for (size_t i = 0; i < c->n; i++) {
		if (!c->discovered)
			discover(c, &c->author[i], deadline);
		any |= c->author[i].at >= 0;
	}
	c->discovered = true;
	return any;
}

/* ---- Alignment ---- */

/* Is s the domain, or below it? */
static bool
is_within(struct str s, struct str domain)
{
	return str_eq(s, domain) || (s.n > domain.n + 1 &&
	    s.p[s.n - domain.n - 1] == '.' && str_iends(s, domain));
}

enum alignment { APART, ALIGNED, IN_DOUBT };

/* Can the alignment of that domain depend on its own walk? */
static bool
needs_walk(const struct dmarc_check *c, struct str id, struct str author)
{
	return c->walks.engine->spec == DMARC_RFC9989 && !str_eq(id, author) &&
	    str_eq(walk_last_labels(id, 1), walk_last_labels(author, 1));
}

/* Relaxed (RFC 9989, 4.10.2): both belong to one organization. */
static enum alignment
same_organization(struct dmarc_check *c, const struct author *a, struct str id, msec deadline)
{
	struct str id_org, org;
	struct walk *w;
	ptrdiff_t at;

	org = walk_organization(&c->walks, a->walk, &at);
	if (c->walks.engine->spec == DMARC_RFC7489)
		return str_eq(org, walk_organization_by_list(&c->walks, id)) ? ALIGNED : APART;
	if (!needs_walk(c, id, a->walk->domain))
		return APART;
	if (org.p == NULL)
		return IN_DOUBT;
	/* An organization is the name or above it. */
	if (!is_within(id, org) || (w = walk_of(&c->walks, id)) == NULL)
		return APART;
	walk_wait(&c->walks, w, deadline);
	if ((id_org = walk_organization(&c->walks, w, &at)).p == NULL)
		return IN_DOUBT;
	return str_eq(org, id_org) ? ALIGNED : APART;
}

static enum alignment
align(struct dmarc_check *c, const struct author *a, bool strict, struct str domain, msec deadline)
{
	struct str id = domain_normal(c->walks.arena, domain);

	if (!walk_is_domain(id))
		return APART;
	if (str_eq(id, a->walk->domain))
		return ALIGNED;
	return strict ? APART : same_organization(c, a, id, deadline);
}

/*
 * What one method says for a domain: passed is set where it authenticates
 * the author, doubt where an error keeps that from being known.
 */
static void
weigh(struct dmarc_check *c, const struct author *a, bool strict, bool pass,
    struct str domain, bool *passed, bool *doubt, msec deadline)
{
	switch (align(c, a, strict, domain, deadline)) {
	case ALIGNED:
		*passed |= pass;
		*doubt |= !pass;
		break;
	case IN_DOUBT:
		*doubt = true;
		break;
	case APART:
		break;
	}
}

/* ---- The result ---- */

static void
judge_alignment(struct dmarc_check *c, struct author *a, const struct spf_answer *spf,
    const struct dkim_answer *dkim, msec deadline)
{
	const struct dmarc_record *r = &a->walk->record[a->at];
	struct dmarc_answer *out = &a->answer;

	if (spf != NULL && (spf->result == SPF_R_PASS || spf->result == SPF_R_TEMPERROR))
		weigh(c, a, r->strict_spf, spf->result == SPF_R_PASS, spf->domain,
		    &out->spf_aligned, &out->spf_doubt, deadline);
	for (size_t i = 0; dkim != NULL && i < dkim->n; i++) {
		const struct dkim_signature *s = &dkim->sig[i];

		/* A From that isn't signed may be anybody's. */
		if ((s->result == DKIM_R_PASS || s->result == DKIM_R_TEMPERROR) &&
		    !signature_leaves(s, PART_FROM))
			weigh(c, a, r->strict_dkim, s->result == DKIM_R_PASS, s->domain,
			    &out->dkim_aligned, &out->dkim_doubt, deadline);
	}
	if (out->spf_aligned || out->dkim_aligned)
		out->result = DMARC_R_PASS;
	else if (out->spf_doubt || out->dkim_doubt) {
		out->result = DMARC_R_TEMPERROR;
		out->reason = a->walk->failed ? a->walk->reason :
		    STR("a lookup for SPF, DKIM or alignment failed");
	} else
		out->result = DMARC_R_FAIL;
}

/* The policy of the record for this domain; false where a DNS error keeps it from being known. */
static bool
choose_policy(struct author *a, msec deadline)
{
	const struct dmarc_record *r = &a->walk->record[a->at];
	const struct dns_answer *exists;

	a->answer.policy = a->at == 0 ? r->p : r->sp;
	if (a->exists == NULL)
		return true;
	exists = dns_query_wait(a->exists, deadline);
	if (exists->status == DNS_SERVFAIL || exists->status == DNS_TIMEOUT)
		return false;
	/*
	 * RFC 9989, 3.2.13: what has no records itself may have names below it.  One with a CNAME
	 * exists: it is the CNAME's target that doesn't (RFC 6604, 3).
	 */
	if (exists->status == DNS_NXDOMAIN && str_ieq(exists->canonical, a->walk->domain))
		a->answer.policy = r->np;
	return true;
}

static void
judge_author(struct dmarc_check *c, struct author *a, const struct spf_answer *spf,
    const struct dkim_answer *dkim, msec deadline)
{
	struct dmarc_answer *out = &a->answer;
	struct walk *w = a->walk;

	*out = (struct dmarc_answer){ .result = DMARC_R_NONE, .from = w->domain };
	if (a->at < 0) {
		if (w->failed) {
			out->result = DMARC_R_TEMPERROR;
			out->reason = w->reason;
		}
		return;
	}
	out->domain = w->name[a->at];
	if (w->kind[a->at] == DMARC_IS_BROKEN) {
		out->result = DMARC_R_PERMERROR;
		out->reason = str_printf(c->walks.arena, "_dmarc." STR_FMT ": %s",
		    STR_ARG(out->domain), w->record[a->at].defect);
		return;
	}
	/*
	 * RFC 7489, 6.6.4: pct leaves a part of what fails to the next lower policy.  Which messages
	 * those are must not be chance here, so it is none or, with pct=0, all of them.
	 */
	out->testing = w->record[a->at].testing || w->record[a->at].pct_zero;
	out->has_policy = choose_policy(a, deadline);
	/* RFC 9989, 4.7. */
	out->asks = out->testing && out->policy != DMARC_P_NONE ? out->policy - 1 : out->policy;
	judge_alignment(c, a, spf, dkim, deadline);
	if (!out->has_policy && out->result == DMARC_R_FAIL) {
		out->result = DMARC_R_TEMPERROR;
		out->reason = str_printf(c->walks.arena, STR_FMT ": cannot tell whether it exists",
		    STR_ARG(w->domain));
	}
}

/*
 * How bad it is; RFC 9989, 11.5: of several authors the strictest policy among
 * those that fail.  An author that could not be told, or looked up, may have
 * been one who asks to reject.
 */
#define UNTOLD	5

static int
badness(const struct dmarc_answer *a)
{
	switch (a->result) {
	case DMARC_R_FAIL:
		return a->asks == DMARC_P_REJECT ? 7 : 3 + (int)a->asks;
	case DMARC_R_TEMPERROR:
		return 6;
	case DMARC_R_PERMERROR:
		return 2;
	case DMARC_R_NONE:
		return 1;
	case DMARC_R_PASS:
		break;
	}
	return 0;
}

const struct dmarc_answer *
dmarc_finish(struct dmarc_check *c, const struct spf_answer *spf,
    const struct dkim_answer *dkim, msec deadline)
{
	struct dmarc_answer *worst = NULL;
	int bad, most = -1;

	(void)dmarc_applies(c, deadline);
	if (c->wrong != NULL || c->n == 0) {
		if ((worst = arena_new_object(c->walks.arena, struct dmarc_answer)) == NULL)
			return NULL;
		*worst = (struct dmarc_answer){ .result = DMARC_R_PERMERROR,
		    .reason = str_of(c->wrong != NULL ? c->wrong : "there is no author") };
		most = UNTOLD;
	}
	/* What the signers' domains need goes out together. */
	for (size_t i = 0; dkim != NULL && i < dkim->n; i++)
		if (dkim->sig[i].result == DKIM_R_PASS)
			dmarc_expect(c, dkim->sig[i].domain);
	for (size_t i = 0; i < c->n; i++) {
		judge_author(c, &c->author[i], spf, dkim, deadline);
		if ((bad = badness(&c->author[i].answer)) > most) {
			most = bad;
			worst = &c->author[i].answer;
		}
	}
	return c->walks.no_memory || arena_failed(c->walks.arena) ? NULL : worst;
}

/* ---- Beginning ---- */

void
dmarc_expect(struct dmarc_check *c, struct str domain)
{
	struct str id = domain_normal(c->walks.arena, domain);

	if (!walk_is_domain(id))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (needs_walk(c, id, c->author[i].walk->domain))
			(void)walk_of(&c->walks, id);
}

static void
end_check(void *arg)
{
	struct dmarc_check *c = arg;

	walks_end(&c->walks);
	for (size_t i = 0; i < c->n; i++)
		dns_query_free(c->author[i].exists);
}

struct dmarc_check *
dmarc_begin(const struct dmarc_engine *e, struct resolver *r, struct arena *a,
    const struct dmarc_authors *authors)
{
	struct dmarc_check *c;
	struct str domain;

	if ((c = arena_new_object(a, struct dmarc_check)) == NULL ||
	    arena_defer(a, end_check, c) == -1)
		return NULL;
	c->walks = (struct walks){ .engine = e, .resolver = r, .arena = a };
	c->wrong = authors->wrong;
	for (size_t i = 0; i < authors->n; i++) {
		domain = domain_normal(a, authors->domain[i]);
		if (!walk_is_domain(domain))
			c->wrong = "a domain in From is no domain name";
		else if ((c->author[c->n].walk = walk_of(&c->walks, domain)) == NULL)
			return NULL;
		else
			c->n++;
	}
	return c->walks.no_memory ? NULL : c;
}
