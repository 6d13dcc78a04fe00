/*
 * dmarc_walk.c - from a domain to the records above it and to its
 * organization: up the DNS by RFC 9989, by the public suffix list by RFC 7489.
 *
 * A walk asks for all its names at once and is read in order, from the longest
 * to the shortest: an answer, or an error, behind the place where the walk
 * stops counts for nothing.
 */
#include "dmarc_walk.h"

#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "suffixes.h"

#define WALK_LABELS	7	/* a longer name is asked itself, and then what these labels leave of it */
#define DOMAIN_MAX	253

/* ---- Names ---- */

bool
walk_is_domain(struct str s)
{
	size_t label = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_') {
			if (++label > 63)
				return false;
		} else
			return false;
	}
	return label > 0 && s.n <= DOMAIN_MAX;
}

static size_t
count_labels(struct str s)
{
	size_t n = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '.';
	return n;
}

struct str
walk_last_labels(struct str s, size_t n)
{
	size_t i = s.n;

	while (i > 0 && (s.p[i - 1] != '.' || --n > 0))
		i--;
	return (struct str){ s.p + i, s.n - i };
}

/* ---- The public suffix list ---- */

struct dmarc_engine *
dmarc_engine_new(enum dmarc_spec spec, const struct suffixes *list)
{
	struct dmarc_engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->spec = spec;
	e->list = list;
	return e;
}

void
dmarc_engine_free(struct dmarc_engine *e)
{
	free(e);
}

struct str
dmarc_registrable(const struct dmarc_engine *e, struct arena *a, struct str domain)
{
	struct str normal = domain_normal(a, domain);

	return walk_is_domain(normal) ? suffixes_registrable(e->list, a, normal) : STR_NONE;
}

struct str
walk_organization_by_list(struct walks *ws, struct str domain)
{
	struct str found = suffixes_registrable(ws->engine->list, ws->arena, domain);

	return found.p != NULL ? found : domain;
}

/* ---- Asking ---- */

struct dns_query *
walk_ask(struct walks *ws, struct str name, enum dns_type type)
{
	struct dns_query *q;

	if (name.n > DOMAIN_MAX)
		return NULL;
	if ((q = resolver_ask(ws->resolver, name, type)) == NULL)
		ws->no_memory = true;
	return q;
}

/* The names that are asked for, from the longest. */
static void
plan_walk(struct walks *ws, struct walk *w)
{
	size_t labels = count_labels(w->domain);
	struct str org;

	w->name[w->n++] = w->domain;
	if (ws->engine->spec == DMARC_RFC7489) {
		org = walk_organization_by_list(ws, w->domain);
		if (!str_eq(org, w->domain))
			w->name[w->n++] = org;
		return;
	}
	labels = labels > WALK_LABELS ? WALK_LABELS : labels - 1;
	for (; labels > 0; labels--)
		w->name[w->n++] = walk_last_labels(w->domain, labels);
}

struct walk *
walk_of(struct walks *ws, struct str domain)
{
	struct walk *w;
	struct str name;

	for (w = ws->first; w != NULL; w = w->next)
		if (str_eq(w->domain, domain))
			return w;
	if ((w = arena_new_object(ws->arena, struct walk)) == NULL) {
		ws->no_memory = true;
		return NULL;
	}
	w->domain = domain;
	w->next = ws->first;
	ws->first = w;
	plan_walk(ws, w);
	for (size_t i = 0; i < w->n; i++) {
		name = str_printf(ws->arena, "_dmarc." STR_FMT, STR_ARG(w->name[i]));
		if (name.p == NULL)
			ws->no_memory = true;
		else
			w->query[i] = walk_ask(ws, name, DNS_TXT);
	}
	return w;
}

void
walks_end(struct walks *ws)
{
	for (struct walk *w = ws->first; w != NULL; w = w->next)
		for (size_t i = 0; i < w->n; i++)
			dns_query_free(w->query[i]);
}

/* ---- Reading ---- */

/* RFC 9989, 4.10, steps 2 and 6: of several records none counts.  True if the walk ends here. */
static bool
read_records(struct walks *ws, struct walk *w, size_t i, const struct dns_answer *a)
{
	struct dmarc_record record;
	enum dmarc_record_kind kind;
	size_t found = 0;

	for (size_t k = 0; a->status == DNS_OK && k < a->n; k++) {
		kind = dmarc_record_read(a->rr[k].data, ws->engine->spec, &record);
		if (kind == DMARC_IS_OTHER)
			continue;
		found++;
		w->kind[i] = kind;
		w->record[i] = record;
	}
	if (found > 1)
		w->kind[i] = DMARC_IS_OTHER;
	/* RFC 7489, 6.6.3: several end the search, too. */
	return ws->engine->spec == DMARC_RFC7489 ? found > 0 :
	    found == 1 && w->record[i].psd != 'u';
}

void
walk_wait(struct walks *ws, struct walk *w, msec deadline)
{
	const struct dns_answer *a;

	for (size_t i = 0; i < w->n && !w->done; i++) {
		if (w->query[i] == NULL)
			continue;
		a = dns_query_wait(w->query[i], deadline);
		if (a->status == DNS_SERVFAIL || a->status == DNS_TIMEOUT) {
			w->failed = true;
			w->reason = str_printf(ws->arena, "_dmarc." STR_FMT ": %s",
			    STR_ARG(w->name[i]), dns_status_name(a->status));
			break;
		}
		if (read_records(ws, w, i, a))
			break;
	}
	w->done = true;
}

static struct str
organization_by_walk(const struct walk *w, ptrdiff_t *at)
{
	struct str org = w->domain;

	for (size_t i = 0; i < w->n; i++) {
		if (w->kind[i] == DMARC_IS_OTHER)
			continue;
		if (w->record[i].psd == 'y' && i > 0) {
			org = walk_last_labels(w->domain, count_labels(w->name[i]) + 1);
			if (*at < 0 || !str_eq(w->name[*at], org))
				*at = (ptrdiff_t)i;
			return org;
		}
		org = w->name[i];
		*at = (ptrdiff_t)i;
		if (w->record[i].psd == 'n')
			return org;
	}
	return w->failed ? STR_NONE : org;
}

struct str
walk_organization(struct walks *ws, const struct walk *w, ptrdiff_t *at)
{
	*at = -1;
	if (ws->engine->spec == DMARC_RFC9989)
		return organization_by_walk(w, at);
	if (w->kind[w->n - 1] != DMARC_IS_OTHER)
		*at = (ptrdiff_t)w->n - 1;
	return w->name[w->n - 1];
}
