/*
 * suffixes.c - registrable domains by the public suffix list, for url.domain and
 * DMARC by RFC 7489.
 */
#include "suffixes.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/facts.h"

struct suffixes {
	psl_ctx_t	*loaded;	/* from a file */
	const psl_ctx_t	*list;
};

struct suffixes *
suffixes_new(struct str file, struct strbuf *why)
{
	struct suffixes *l = calloc(1, sizeof(*l));
	char *path = NULL;

	if (l == NULL || (file.n > 0 && (path = strndup(file.p, file.n)) == NULL)) {
		free(l);
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	if (path != NULL)
		l->list = l->loaded = psl_load_file(path);
	else
		l->list = psl_builtin();
	free(path);
	/* Any file is taken for a list; one without a suffix is none. */
	if (l->list != NULL && (l->loaded == NULL || psl_suffix_count(l->loaded) > 0))
		return l;
	if (file.n > 0)
		strbuf_printf(why, STR_FMT ": cannot be read as a public suffix list", STR_ARG(file));
	else
		strbuf_puts(why, "libpsl has no public suffix list built in; name a "
		    "file by set public-suffix-list");
	suffixes_free(l);
	return NULL;
}

int
suffixes_open(const struct settings *s, unsigned needs, struct suffixes **out, struct strbuf *why)
{
	*out = NULL;
	if (s->dmarc != DMARC_RFC7489 && (needs & F_URLS) == 0)
		return 0;
	return (*out = suffixes_new(s->public_suffix_list, why)) != NULL ? 0 : -1;
}

void
suffixes_free(struct suffixes *l)
{
	if (l == NULL)
		return;
	psl_free(l->loaded);
	free(l);
}

struct str
suffixes_registrable(const struct suffixes *l, struct arena *a, struct str name)
{
	const char *s, *found;

	if (l == NULL || (s = str_cstr(a, name)) == NULL ||
	    (found = psl_registrable_domain(l->list, s)) == NULL)
		return STR_NONE;
	return str_of(found);		/* it points into the name */
}
