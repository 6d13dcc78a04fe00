/*
 * mime_tag.c - HTML's elements, as far as they matter for the text.
 *
 * What no row tells of is part of the line that it stands in.
 */
#include "mime_int.h"

#include <stdlib.h>

static const struct row {
	const char	*name;
	unsigned	tag;
} rows[] = {
	{ "address", TAG_LINE }, { "annotation-xml", TAG_POINT }, { "article", TAG_LINE },
	{ "aside", TAG_LINE }, { "b", TAG_HTML }, { "big", TAG_HTML },
	{ "blockquote", TAG_LINE | TAG_HTML }, { "body", TAG_LINE | TAG_HTML },
	{ "br", TAG_LINE | TAG_HTML }, { "button", TAG_CELL }, { "caption", TAG_LINE },
	{ "center", TAG_LINE | TAG_HTML }, { "code", TAG_HTML }, { "dd", TAG_LINE | TAG_HTML },
	{ "desc", TAG_POINT }, { "details", TAG_LINE }, { "dialog", TAG_LINE },
	{ "dir", TAG_LINE }, { "div", TAG_LINE | TAG_HTML }, { "dl", TAG_LINE | TAG_HTML },
	{ "dt", TAG_LINE | TAG_HTML }, { "em", TAG_HTML }, { "embed", TAG_HTML },
	{ "fieldset", TAG_LINE }, { "figcaption", TAG_LINE }, { "figure", TAG_LINE },
	{ "font", TAG_HTML }, { "footer", TAG_LINE }, { "foreignobject", TAG_POINT },
	{ "form", TAG_LINE }, { "h1", TAG_LINE | TAG_HTML }, { "h2", TAG_LINE | TAG_HTML },
	{ "h3", TAG_LINE | TAG_HTML }, { "h4", TAG_LINE | TAG_HTML },
	{ "h5", TAG_LINE | TAG_HTML }, { "h6", TAG_LINE | TAG_HTML }, { "head", TAG_HTML },
	{ "header", TAG_LINE }, { "hr", TAG_LINE | TAG_HTML }, { "i", TAG_HTML },
	{ "iframe", TAG_RAW }, { "img", TAG_CELL | TAG_HTML }, { "input", TAG_CELL },
	{ "legend", TAG_LINE }, { "li", TAG_LINE | TAG_HTML },
	{ "listing", TAG_LINE | TAG_HTML }, { "main", TAG_LINE }, { "math", TAG_FOREIGN },
	{ "menu", TAG_LINE | TAG_HTML }, { "meta", TAG_HTML }, { "mi", TAG_POINT },
	{ "mn", TAG_POINT }, { "mo", TAG_POINT }, { "ms", TAG_POINT }, { "mtext", TAG_POINT },
	{ "nav", TAG_LINE }, { "nobr", TAG_HTML }, { "noembed", TAG_RAW },
	{ "noframes", TAG_RAW }, { "ol", TAG_LINE | TAG_HTML }, { "option", TAG_LINE },
	{ "p", TAG_LINE | TAG_HTML }, { "plaintext", TAG_LINE | TAG_SHOWN },
	{ "pre", TAG_LINE | TAG_HTML }, { "ruby", TAG_HTML }, { "s", TAG_HTML },
	{ "script", TAG_RAW }, { "section", TAG_LINE }, { "small", TAG_HTML },
	{ "span", TAG_HTML }, { "strike", TAG_HTML }, { "strong", TAG_HTML },
	{ "style", TAG_RAW }, { "sub", TAG_HTML }, { "summary", TAG_LINE },
	{ "sup", TAG_HTML }, { "svg", TAG_FOREIGN }, { "table", TAG_LINE | TAG_HTML },
	{ "tbody", TAG_LINE }, { "td", TAG_CELL }, { "textarea", TAG_CELL | TAG_SHOWN },
	{ "tfoot", TAG_LINE }, { "th", TAG_CELL }, { "thead", TAG_LINE },
	{ "title", TAG_RAW | TAG_POINT }, { "tr", TAG_LINE }, { "tt", TAG_HTML },
	{ "u", TAG_HTML }, { "ul", TAG_LINE | TAG_HTML }, { "var", TAG_HTML },
	{ "xml", TAG_OUTLOOK_RAW }, { "xmp", TAG_LINE | TAG_SHOWN },
};

static int
compare(const void *key, const void *row)
{
	const struct str *k = key;
	const struct row *r = row;

	return str_cmp(*k, str_of(r->name));
}

unsigned
html_tag(struct str name)
{
	const struct row *r = bsearch(&name, rows, sizeof(rows) / sizeof(rows[0]),
	    sizeof(rows[0]), compare);

	return r != NULL ? r->tag : 0;
}
