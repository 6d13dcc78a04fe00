/*
 * dmarc_author.c - whose mail it claims to be: the domains that DMARC asks about.
 *
 * RFC 9989, 5.3.1 knows what to do with one domain and leaves the rest to the
 * receiver (11.5).  Here: no author that can be read safely is a permerror;
 * of several domains each is evaluated, so that none can hide behind another;
 * more than DMARC_AUTHORS are a permerror, since nobody writes so but to wear
 * a filter out.
 */
#include "dmarc.h"

#include "rules/arena.h"

static bool
add_domain(struct dmarc_authors *out, struct str domain)
{
	for (size_t i = 0; i < out->n; i++)
		if (str_ieq(out->domain[i], domain))
			return true;
	if (out->n == DMARC_AUTHORS) {
		out->wrong = "From names too many domains";
		return false;
	}
	out->domain[out->n++] = domain;
	return true;
}

static bool
add_field(struct dmarc_authors *out, const struct mailbox_list *l)
{
	if (l->malformed || l->n == 0) {
		out->wrong = l->malformed ? "From is no list of addresses" :
		    "From has no address";
		return false;
	}
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].domain.n == 0) {
			out->wrong = "an address in From has no domain";
			return false;
		}
		if (!add_domain(out, l->v[i].domain))
			return false;
	}
	return true;
}

int
dmarc_authors_read(struct mail *m, struct dmarc_authors *out)
{
	bool any = false;

	*out = (struct dmarc_authors){ .n = 0 };
	for (size_t i = 0; i < m->nheaders; i++) {
		struct header *h = &m->headers[i];

		if (!str_ieq(h->name, STR("From")))
			continue;
		any = true;
		if (h->boxes == NULL &&
		    (h->boxes = m->ops->mailboxes(m, h->raw)) == NULL) {
			if (arena_failed(m->arena))
				return -1;
			out->wrong = "a From field is too long to read";
			return 0;
		}
		if (!add_field(out, h->boxes))
			return 0;
	}
	if (m->headers_cut)
		out->wrong = "the header is cut: there may be another From";
	else if (!any)
		out->wrong = "there is no From";
	return 0;
}
