/*
 * dmarc_author.c - whose mail it claims to be: the domains that DMARC asks about.
 *
 * RFC 9989, 5.3.1 knows what to do with one domain and leaves the rest to the
 * receiver (11.5).  Here: an author that can't be read safely is a permerror;
 * of several domains each is evaluated, so that none can hide behind another,
 * nor behind what can't be read; more than DMARC_AUTHORS are such a permerror,
 * too, since nobody writes so but to wear a filter out.  One that fails and
 * asks to reject is worse than that, all else isn't: who could not be told may
 * have asked for it.
 */
#include "dmarc.h"

#include "dmarc_walk.h"
#include "rules/arena.h"

/* The first reason stays. */
static void
note(struct dmarc_authors *out, const char *wrong)
{
	if (out->wrong == NULL)
		out->wrong = wrong;
}

/* What is no name takes no place of one that is; final dots are no part of it. */
static void
add_domain(struct dmarc_authors *out, struct str domain)
{
	while (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (!walk_is_domain(domain)) {
		note(out, domain.n > 0 ? "a domain in From is no domain name" :
		    "an address in From has no domain");
		return;
	}
	for (size_t i = 0; i < out->n; i++)
		if (str_ieq(out->domain[i], domain))
			return;
	if (out->n == DMARC_AUTHORS)
		note(out, "From names too many domains");
	else
		out->domain[out->n++] = domain;
}

static void
add_field(struct dmarc_authors *out, const struct mailbox_list *l)
{
	if (l->malformed)
		note(out, "From is no list of addresses");
	else if (l->n == 0)
		note(out, "From has no address");
	for (size_t i = 0; i < l->n; i++)
		add_domain(out, l->v[i].domain);
}

int
dmarc_authors_read(struct mail *m, struct dmarc_authors *out)
{
	bool any = false;

	*out = (struct dmarc_authors){ .n = 0 };
	for (struct header *h = m->headers; h != NULL; h = h->next) {
		if (!str_ieq(h->name, STR("From")))
			continue;
		any = true;
		if (h->boxes == NULL &&
		    (h->boxes = m->ops->mailboxes(m, h->raw)) == NULL) {
			if (arena_failed(m->arena))
				return -1;
			note(out, "a From field is too long to read");
			continue;
		}
		add_field(out, h->boxes);
	}
	if (m->headers_cut)
		note(out, "the header is cut: there may be another From");
	else if (!any)
		note(out, "there is no From");
	return 0;
}
