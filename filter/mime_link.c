/*
 * mime_link.c - URLs in the attributes of HTML.
 *
 * They are what a browser makes of them (URL standard, 4.4): without tabs and
 * line ends, which hide a scheme from whoever looks for one, and without blanks
 * and control characters around.
 */
#include "mime_int.h"

#include <string.h>

void
link_begin(struct link *l, struct str tag, struct str attr)
{
	static const struct { const char *attr, *tag; enum link_kind kind; } links[] = {
		{ "href", NULL, LINK_URL }, { "src", NULL, LINK_URL },
		{ "action", NULL, LINK_URL }, { "formaction", NULL, LINK_URL },
		{ "background", NULL, LINK_URL }, { "poster", NULL, LINK_URL },
		{ "data", NULL, LINK_URL }, { "cite", NULL, LINK_URL },
		{ "xlink:href", NULL, LINK_URL }, { "longdesc", NULL, LINK_URL },
		{ "srcset", NULL, LINK_SET }, { "imagesrcset", NULL, LINK_SET },
		{ "content", "meta", LINK_REFRESH },
	};

	l->kind = LINK_NONE;
	for (size_t i = 0; attr.n > 0 && i < sizeof(links) / sizeof(links[0]); i++)
		/* Most differ in the first letter. */
		if (*attr.p == *links[i].attr && str_eq(attr, str_of(links[i].attr)) &&
		    (links[i].tag == NULL || str_eq(tag, str_of(links[i].tag)))) {
			l->kind = links[i].kind;
			l->skip = l->kind == LINK_REFRESH;
			l->time = l->gap = false;
			l->quote = '\0';
			l->url.full = false;
			l->url.n = 0;
			return;
		}
}

static void
tell(struct link *l, const struct html_sinks *s)
{
	struct str url = { l->url.p, l->url.n };

	while (url.n > 0 && (unsigned char)url.p[url.n - 1] <= ' ')
		url.n--;
	if (url.n > 0)
		s->url(s->arg, url);
	l->url.n = 0;
	l->url.full = false;
}

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* `a.png 1x, b.png 2x` (HTML, 4.8.4.2) */
static void
put_in_set(struct link *l, char c, const struct html_sinks *s)
{
	bool comma = c == ',';

	if (l->skip)
		l->skip = !comma;
	else if (!is_blank(c) && !(comma && l->url.n == 0))
		url_add(&l->url, &c, 1);
	else if (l->url.n > 0) {
		l->skip = l->url.p[l->url.n - 1] != ',';
		while (l->url.p[l->url.n - 1] == ',')
			l->url.n--;
		tell(l, s);
	}
}

/* The time: a URL comes behind a mark, or behind a blank. */
static void
put_in_time(struct link *l, char c)
{
	bool number = c == '.' || (c >= '0' && c <= '9');

	if (c == ';' || c == ',')
		l->skip = false;
	else if (is_blank(c))
		l->gap = l->time;
	else if (number && !l->gap)
		l->time = true;
	else if (l->gap)
		l->skip = false;
	else
		l->kind = LINK_NONE;
}

/* `5; url='x'`: the time is needed, what else stands before x isn't (HTML, 4.2.5.3). */
static void
put_in_refresh(struct link *l, char c)
{
	bool before = l->skip;

	if (before)
		put_in_time(l, c);
	if (l->skip || (before && (c == ';' || c == ',')) || l->kind == LINK_NONE)
		return;
	if (c == '=' && str_ieq(str_trim((struct str){ l->url.p, l->url.n }), STR("url")))
		l->url.n = 0;
	else if (l->url.n == 0 && l->quote == '\0' && (c == '"' || c == '\''))
		l->quote = c;
	else if (l->quote != '\0' && c == l->quote)
		l->url.full = true;
	else if (l->url.n > 0 || !is_blank(c))
		url_add(&l->url, &c, 1);
}

static bool
is_dropped(char c)
{
	return c == '\t' || c == '\r' || c == '\n';
}

static void
put_in_url(struct link *l, const char *p, size_t n)
{
	for (size_t i = 0, from; i < n; i++) {
		while (i < n && (is_dropped(p[i]) || (l->url.n == 0 && is_blank(p[i]))))
			i++;
		for (from = i; i < n && !is_dropped(p[i]); i++)
			;
		url_add(&l->url, p + from, i - from);
	}
}

void
link_put(struct link *l, const char *p, size_t n, const struct html_sinks *s)
{
	if (l->kind == LINK_URL)
		put_in_url(l, p, n);
	for (size_t i = 0; i < n && l->kind > LINK_URL; i++)
		if (l->kind == LINK_SET)
			put_in_set(l, p[i], s);
		else if (!is_dropped(p[i]))
			put_in_refresh(l, p[i]);
}

void
link_end(struct link *l, const struct html_sinks *s)
{
	if (l->kind == LINK_SET)
		while (l->url.n > 0 && l->url.p[l->url.n - 1] == ',')
			l->url.n--;
	if (l->kind != LINK_NONE)
		tell(l, s);
	l->kind = LINK_NONE;
}
