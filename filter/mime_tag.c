/*
 * mime_tag.c - HTML's elements, as far as they matter for the text.
 *
 * What no row tells of is part of the line that it stands in.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

static const struct row {
	const char	*name;
	unsigned	tag;
} rows[] = {
	{ "address", TAG_LINE }, { "annotation-xml", TAG_UNSURE },
	{ "article", TAG_LINE }, { "aside", TAG_LINE }, { "b", TAG_HTML },
	{ "big", TAG_HTML }, { "blockquote", TAG_LINE | TAG_HTML },
	{ "body", TAG_LINE | TAG_HTML }, { "br", TAG_LINE | TAG_HTML },
	{ "button", TAG_CELL }, { "caption", TAG_LINE },
	{ "center", TAG_LINE | TAG_HTML }, { "code", TAG_HTML },
	{ "dd", TAG_LINE | TAG_HTML }, { "desc", TAG_SVG_POINT },
	{ "details", TAG_LINE }, { "dialog", TAG_LINE }, { "dir", TAG_LINE },
	{ "div", TAG_LINE | TAG_HTML }, { "dl", TAG_LINE | TAG_HTML },
	{ "dt", TAG_LINE | TAG_HTML }, { "em", TAG_HTML },
	{ "embed", TAG_HTML }, { "fieldset", TAG_LINE },
	{ "figcaption", TAG_LINE }, { "figure", TAG_LINE },
	{ "font", TAG_FONT }, { "footer", TAG_LINE },
	{ "foreignobject", TAG_SVG_POINT }, { "form", TAG_LINE },
	{ "h1", TAG_LINE | TAG_HTML }, { "h2", TAG_LINE | TAG_HTML },
	{ "h3", TAG_LINE | TAG_HTML }, { "h4", TAG_LINE | TAG_HTML },
	{ "h5", TAG_LINE | TAG_HTML }, { "h6", TAG_LINE | TAG_HTML },
	{ "head", TAG_HTML }, { "header", TAG_LINE },
	{ "hr", TAG_LINE | TAG_HTML }, { "i", TAG_HTML }, { "iframe", TAG_RAW },
	{ "img", TAG_CELL | TAG_HTML }, { "input", TAG_CELL },
	{ "legend", TAG_LINE }, { "li", TAG_LINE | TAG_HTML },
	{ "listing", TAG_LINE | TAG_HTML }, { "main", TAG_LINE },
	{ "math", TAG_MATH }, { "menu", TAG_LINE | TAG_HTML },
	{ "meta", TAG_HTML }, { "mi", TAG_MATH_POINT },
	{ "mn", TAG_MATH_POINT }, { "mo", TAG_MATH_POINT },
	{ "ms", TAG_MATH_POINT }, { "mtext", TAG_MATH_POINT },
	{ "nav", TAG_LINE }, { "nobr", TAG_HTML }, { "noembed", TAG_RAW },
	{ "noframes", TAG_RAW }, { "ol", TAG_LINE | TAG_HTML },
	{ "option", TAG_LINE }, { "p", TAG_LINE | TAG_HTML },
	{ "plaintext", TAG_LINE | TAG_SHOWN }, { "pre", TAG_LINE | TAG_HTML },
	{ "ruby", TAG_HTML }, { "s", TAG_HTML },
	{ "script", TAG_RAW | TAG_SCRIPT }, { "section", TAG_LINE },
	{ "select", TAG_UNSURE }, { "small", TAG_HTML }, { "span", TAG_HTML },
	{ "strike", TAG_HTML }, { "strong", TAG_HTML }, { "style", TAG_RAW },
	{ "sub", TAG_HTML }, { "summary", TAG_LINE }, { "sup", TAG_HTML },
	{ "svg", TAG_SVG }, { "table", TAG_LINE | TAG_HTML },
	{ "tbody", TAG_LINE }, { "td", TAG_CELL },
	{ "textarea", TAG_CELL | TAG_SHOWN }, { "tfoot", TAG_LINE },
	{ "th", TAG_CELL }, { "thead", TAG_LINE },
	{ "title", TAG_RAW | TAG_SVG_POINT }, { "tr", TAG_LINE },
	{ "tt", TAG_HTML }, { "u", TAG_HTML }, { "ul", TAG_LINE | TAG_HTML },
	{ "var", TAG_HTML }, { "xml", TAG_OUTLOOK_RAW },
	{ "xmp", TAG_LINE | TAG_SHOWN },
};

static int
compare(const void *key, const void *row)
{
	const struct str *k = key;
	const struct row *r = row;
	int d = (unsigned char)k->p[0] - (unsigned char)r->name[0];

	/* There is a tag every few words of mail, and mostly the first letter tells. */
	return d != 0 ? d : str_cmp(*k, str_of(r->name));
}

unsigned
html_tag(struct str name)
{
	const struct row *r = name.n == 0 ? NULL : bsearch(&name, rows,
	    sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare);

	return r != NULL ? r->tag : 0;
}

/*
 * In SVG and MathML style and title are elements like others; but where HTML may
 * stand in them, and after a tag that can be only HTML's, they are raw text again
 * (HTML, 13.2.6.5).
 */
void
space_enter(struct space *s, unsigned tag, bool closing, bool slash)
{
	unsigned in = tag & (TAG_SVG | TAG_MATH);
	bool point = (tag & (s->in == TAG_SVG ? TAG_SVG_POINT : TAG_MATH_POINT)) != 0;

	if (in != 0 && (closing ? in == s->in : !slash))
		*s = (struct space){ closing ? 0 : in, false };
	else if (point && (closing || !slash))
		s->point = !closing;
	else if ((tag & TAG_HTML) != 0 && !s->point && !closing)
		s->in = 0;
}

bool
space_is_foreign(const struct space *s)
{
	return s->in != 0 && !s->point;
}

static bool
ends_in(const struct script *s, const char *what)
{
	return memcmp(s->last + sizeof(s->last) - strlen(what), what, strlen(what)) == 0;
}

/* HTML, 13.2.5.20 to 31 */
void
script_step(struct script *s, char c)
{
	bool over = c != '\0' && strchr(" \t\n\r\f/>", c) != NULL;

	if (s->escapes == 1 && over && ends_in(s, "<script"))
		s->escapes = 2;
	else if (s->escapes == 2 && over && ends_in(s, "</script"))
		s->escapes = 1;
	memmove(s->last, s->last + 1, sizeof(s->last) - 1);
	s->last[sizeof(s->last) - 1] = mime_lower(c);
	if (s->escapes == 0 && ends_in(s, "<!--"))
		s->escapes = 1;
	else if (s->escapes > 0 && ends_in(s, "-->"))
		s->escapes = 0;
}
