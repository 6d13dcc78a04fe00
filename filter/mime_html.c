/*
 * mime_html.c - HTML to the text that is seen, and the URLs in it.
 *
 * Not a tree: mail has no use for one, and broken HTML is the usual one.  The
 * tokenizer is that of the HTML standard (13.2.5) in what matters for text:
 * comments, raw text of script and style, quotes of attributes, entities.  A
 * word that is cut by tags, comments or characters of no width is whole again;
 * blocks become lines, runs of blanks one blank.  Style sheets aren't read:
 * what they hide counts as seen.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

#define NAME_LEN	16	/* of tags and attributes that mean something */
#define ENTITY_LEN	32
#define URL_LEN		2048	/* longer ones are cut */

enum html_state {
	H_TEXT, H_ENTITY, H_OPEN, H_OPEN_END, H_TAG, H_IN_TAG, H_ATTR, H_AFTER_ATTR,
	H_BEFORE_VALUE, H_VALUE, H_MARKUP, H_COMMENT, H_BOGUS, H_RAW
};

struct html {
	struct html_sinks s;
	enum html_state	state, back;	/* back: where an entity stands */
	char		tag[NAME_LEN], attr[NAME_LEN];
	size_t		ntag, nattr;
	bool		closing;
	char		quote;		/* of the value, or 0 */
	bool		wanted;		/* the value may be a URL */
	char		value[URL_LEN];
	size_t		nvalue;
	char		entity[ENTITY_LEN];
	size_t		nentity;
	int		dashes;		/* of a comment's end, or its beginning */
	bool		bang;
	char		raw[NAME_LEN];	/* the element whose end is looked for */
	size_t		matched;	/* octets of "</name" */
	char		before;		/* ' ' or '\n' that stands before the next character, or 0 */
	bool		any;
	char		out[1024];
	size_t		nout;
};

struct html *
html_new(const struct html_sinks *s)
{
	struct html *h;

	if ((h = malloc(sizeof(*h))) == NULL)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->s = *s;
	return h;
}

void
html_free(struct html *h)
{
	free(h);
}

/* ---- What is seen ---- */

static void
flush(struct html *h)
{
	if (h->nout > 0)
		h->s.text(h->s.arg, h->out, h->nout);
	h->nout = 0;
}

static void
put(struct html *h, const char *p, size_t n)
{
	if (h->nout + n + 1 > sizeof(h->out))
		flush(h);
	if (h->before != 0 && h->any)
		h->out[h->nout++] = h->before;
	h->before = 0;
	h->any = true;
	memcpy(h->out + h->nout, p, n);
	h->nout += n;
}

static void
blank(struct html *h, char c)
{
	if (h->before != '\n')
		h->before = c;
}

static void
put_char(struct html *h, uint32_t c)
{
	char buf[4];

	switch (html_kind(c)) {
	case HTML_BLANK:
		blank(h, ' ');
		break;
	case HTML_SEEN:
		put(h, buf, utf8_encode(c, buf));
		break;
	case HTML_UNSEEN:
		break;
	}
}

/* Whole characters of text, without '<' and '&' among them. */
static void
put_text(struct html *h, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t from = i, len;
		uint32_t c;

		while (i < n && p[i] > ' ' && i - from < 256)
			i++;
		if (i > from) {
			put(h, p + from, i - from);
			continue;
		}
		if ((unsigned char)p[i] < 0x80) {
			if (p[i] == '\0')
				put_char(h, 0xfffd);
			else
				put_char(h, (unsigned char)p[i]);
			i++;
			continue;
		}
		len = utf8_len((struct str){ p + i, n - i });
		if (len == 0) {		/* not from charset.c */
			i++;
			continue;
		}
		c = (unsigned char)p[i] & (0xffu >> (len + 1));
		for (size_t k = 1; k < len; k++)
			c = c << 6 | ((unsigned char)p[i + k] & 0x3f);
		put_char(h, c);
		i += len;
	}
}

/* ---- Attributes ---- */

static void
put_value(struct html *h, const char *p, size_t n)
{
	if (h->wanted && h->nvalue + n <= URL_LEN) {
		memcpy(h->value + h->nvalue, p, n);
		h->nvalue += n;
	}
}

static bool
is_one_of(const char *s, size_t n, const char *const *words)
{
	/* Most differ in the first letter, and there is a tag every few words. */
	for (; n > 0 && *words != NULL; words++)
		if (**words == *s && strlen(*words) == n && memcmp(s, *words, n) == 0)
			return true;
	return false;
}

static void
begin_value(struct html *h)
{
	static const char *const urls[] = {
		"href", "src", "action", "formaction", "background", "poster",
		"data", "cite", "xlink:href", NULL
	};

	h->nvalue = 0;
	h->wanted = h->s.url != NULL && !h->closing && is_one_of(h->attr, h->nattr, urls);
	h->state = H_VALUE;
}

static void
end_value(struct html *h)
{
	struct str url = { h->value, h->nvalue };

	if (h->wanted && (url = str_trim(url)).n > 0)
		h->s.url(h->s.arg, url);
	h->wanted = false;
	h->state = H_IN_TAG;
}

/* ---- Tags ---- */

/* Elements whose content isn't text, up to their end tag. */
static bool
is_raw(const struct html *h)
{
	static const char *const raw[] = {
		"script", "style", "title", "iframe", "noembed", "noframes",
		"template", NULL
	};

	return is_one_of(h->tag, h->ntag, raw);
}

static void
end_tag(struct html *h)
{
	static const char *const lines[] = {
		"address", "article", "aside", "blockquote", "body", "br", "caption",
		"center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
		"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
		"h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main",
		"menu", "nav", "ol", "option", "p", "pre", "section", "summary",
		"table", "tbody", "tfoot", "thead", "tr", "ul", NULL
	};
	static const char *const cells[] = { "td", "th", "img", "input", "button", NULL };

	h->state = H_TEXT;
	if (is_one_of(h->tag, h->ntag, lines))
		blank(h, '\n');
	else if (is_one_of(h->tag, h->ntag, cells))
		blank(h, ' ');
	else if (!h->closing && is_raw(h)) {
		memcpy(h->raw, h->tag, h->ntag);
		h->raw[h->ntag] = '\0';
		h->matched = 0;
		h->state = H_RAW;
	}
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A name that is too long means nothing here. */
static void
add_to_name(char *name, size_t *n, char c)
{
	if (*n < NAME_LEN - 1)
		name[*n] = lower(c);
	if (*n < NAME_LEN)
		++*n;
}

/* False: c is to be looked at again. */
static bool
step_tag(struct html *h, char c)
{
	switch (h->state) {
	case H_TAG:
		if (c == '>')
			end_tag(h);
		else if (is_space(c) || c == '/')
			h->state = H_IN_TAG;
		else
			add_to_name(h->tag, &h->ntag, c);
		break;
	case H_IN_TAG:
		if (c == '>')
			end_tag(h);
		else if (!is_space(c) && c != '/') {
			h->nattr = 0;
			add_to_name(h->attr, &h->nattr, c);
			h->state = H_ATTR;
		}
		break;
	case H_ATTR:
	case H_AFTER_ATTR:
		if (c == '>')
			end_tag(h);
		else if (c == '=')
			h->state = H_BEFORE_VALUE;
		else if (is_space(c))
			h->state = H_AFTER_ATTR;
		else if (c == '/')
			h->state = H_IN_TAG;
		else {
			if (h->state == H_AFTER_ATTR)
				h->nattr = 0;
			add_to_name(h->attr, &h->nattr, c);
			h->state = H_ATTR;
		}
		break;
	case H_BEFORE_VALUE:
		if (is_space(c))
			break;
		if (c == '>') {
			end_tag(h);
			break;
		}
		begin_value(h);
		h->quote = c == '"' || c == '\'' ? c : '\0';
		return h->quote != '\0';
	default:
		break;
	}
	return true;
}

/* ---- Entities ---- */

/* What was collected after '&' is over before c. */
static void
end_entity(struct html *h, char c)
{
	struct str name = { h->entity, h->nentity };
	bool in_value = h->back == H_VALUE;
	uint32_t u = html_entity(name);
	char buf[4];

	/* In a URL "&copy=1" is a parameter (13.2.5.73). */
	if (in_value && c != ';' && (c == '=' || name.n == 0 || name.p[0] != '#'))
		u = 0;
	h->state = h->back;
	if (u != 0) {
		if (in_value)
			put_value(h, buf, utf8_encode(u, buf));
		else
			put_char(h, u);
	} else if (in_value) {
		put_value(h, "&", 1);
		put_value(h, name.p, name.n);
		if (c == ';')
			put_value(h, ";", 1);
	} else {
		put(h, "&", 1);
		put_text(h, name.p, name.n);
		if (c == ';')
			put(h, ";", 1);
	}
}

/* False: c is no part of it, and is to be looked at again. */
static bool
step_entity(struct html *h, char c)
{
	if (is_alpha(c) || (c >= '0' && c <= '9') || (c == '#' && h->nentity == 0)) {
		if (h->nentity < ENTITY_LEN) {
			h->entity[h->nentity++] = c;
			return true;
		}
		end_entity(h, '\0');
		return false;
	}
	end_entity(h, c);
	return c == ';';
}

/* ---- Comments and raw text ---- */

static void
step_comment(struct html *h, char c)
{
	if (c == '>' && (h->dashes >= 2 || h->bang))
		h->state = H_TEXT;
	else if (c == '-') {
		h->dashes++;
		h->bang = false;
	} else {
		h->bang = c == '!' && h->dashes >= 2 && !h->bang;
		h->dashes = 0;
	}
}

/* "<!" and what follows; "<!--" is a comment, all else ends at '>'. */
static void
step_markup(struct html *h, char c)
{
	if (c == '-' && ++h->dashes == 2) {
		h->state = H_COMMENT;	/* <!--> is one, whole */
		h->bang = false;
	} else if (c == '>')
		h->state = H_TEXT;
	else if (c != '-')
		h->state = H_BOGUS;
}

static void
step_raw(struct html *h, char c)
{
	size_t n = strlen(h->raw) + 2;

	if (h->matched == n && (is_space(c) || c == '/' || c == '>')) {
		h->ntag = 0;
		h->closing = true;
		h->state = c == '>' ? H_TEXT : H_IN_TAG;
		return;
	}
	if (h->matched < n && (h->matched == 0 ? c == '<' : h->matched == 1 ? c == '/' :
	    lower(c) == h->raw[h->matched - 2]))
		h->matched++;
	else
		h->matched = c == '<';
}

/* ---- All of it ---- */

/* False: c is to be looked at again. */
static bool
step_open(struct html *h, char c)
{
	bool end = h->state == H_OPEN_END;

	h->ntag = h->nattr = 0;
	h->closing = end;
	if (is_alpha(c)) {
		add_to_name(h->tag, &h->ntag, c);
		h->state = H_TAG;
	} else if (!end && c == '/')
		h->state = H_OPEN_END;
	else if (!end && c == '!') {
		h->dashes = 0;
		h->state = H_MARKUP;
	} else if (end || c == '?')
		h->state = c == '>' ? H_TEXT : H_BOGUS;
	else {
		/* Not a tag. */
		h->state = H_TEXT;
		put(h, "<", 1);
		return false;
	}
	return true;
}

/* One character; false if it is to be looked at again. */
static bool
step(struct html *h, char c)
{
	switch (h->state) {
	case H_ENTITY:
		return step_entity(h, c);
	case H_OPEN:
	case H_OPEN_END:
		return step_open(h, c);
	case H_MARKUP:
		step_markup(h, c);
		return true;
	case H_COMMENT:
		step_comment(h, c);
		return true;
	case H_BOGUS:
		if (c == '>')
			h->state = H_TEXT;
		return true;
	case H_RAW:
		step_raw(h, c);
		return true;
	case H_VALUE:
		if (h->quote != '\0' ? c == h->quote : is_space(c) || c == '>') {
			end_value(h);
			return h->quote != '\0' || c != '>';
		}
		if (c == '&') {
			h->nentity = 0;
			h->back = H_VALUE;
			h->state = H_ENTITY;
		} else
			put_value(h, &c, 1);
		return true;
	default:
		return step_tag(h, c);
	}
}

void
html_feed(struct html *h, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (h->state == H_TEXT) {
			size_t from = i;

			while (i < n && p[i] != '<' && p[i] != '&')
				i++;
			put_text(h, p + from, i - from);
			if (i == n)
				break;
			if (p[i] == '<')
				h->state = H_OPEN;
			else {
				h->nentity = 0;
				h->back = H_TEXT;
				h->state = H_ENTITY;
			}
			i++;
		} else if (step(h, p[i]))
			i++;
	}
	flush(h);
}

void
html_end(struct html *h)
{
	if (h->state == H_ENTITY)
		end_entity(h, '\0');
	if (h->state == H_OPEN)
		put(h, "<", 1);
	flush(h);
}
