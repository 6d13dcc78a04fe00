/*
 * fuzz_url.c - any octets as text with URLs, and as a URL: a host is a name or
 * an address, never more than 255 octets of either.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/mime_int.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

/* The list in libpsl; kept for all inputs. */
static const struct suffixes *
suffixes(void)
{
	static struct suffixes *list;
	struct strbuf why = { 0 };

	if (list == NULL)
		must((list = suffixes_new(STR(""), &why)) != NULL);
	return list;
}

struct search {
	struct arena	*a;
	struct str	 text;
	const char	*end;		/* of the last one */
};

static void
read_url(struct arena *a, struct str url)
{
	struct str host = url_host(a, url), domain;

	if (host.p == NULL)
		return;
	must(url_has_host(url));
	must(host.n > 0 && host.n <= 4 * 255);
	for (size_t i = 0; i < host.n; i++)
		must((unsigned char)host.p[i] > ' ' && strchr("/\\@?#", host.p[i]) == NULL);
	domain = url_domain(suffixes(), a, host);
	must(domain.n > 0 && domain.n <= host.n && str_iends(host, domain));
}

static void
found(void *arg, struct str url)
{
	struct search *s = arg;

	must(url.n > 0 && url.n <= URL_MAX);
	/* One that was too long isn't in the text as it is. */
	if (url.p >= s->text.p && url.p + url.n <= s->text.p + s->text.n) {
		must(s->end == NULL || url.p >= s->end);
		s->end = url.p + url.n;
	}
	read_url(s->a, url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct search s = { arena_new(0), text, NULL };

	url_scan(text, found, &s);
	read_url(s.a, text);
	arena_free(s.a);
	return 0;
}
