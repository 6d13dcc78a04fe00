/*
 * mime_html.c - HTML to the text that is seen, and the URLs in it.
 *
 * Not a tree: mail has no use for one, and broken HTML is the usual one.  The
 * tokenizer is that of the HTML standard (13.2.5) in what matters for text:
 * comments, raw text of script and style, quotes of attributes, entities.  A
 * word that is cut by tags, comments or characters of no width is whole again;
 * blocks become lines, runs of blanks one blank.  Style sheets aren't read:
 * what they hide counts as seen, and so does a template, which not all programs
 * know.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW		256	/* octets of text that are searched at once */
#define ENTITY_LEN	32

enum html_state {
	H_TEXT, H_ENTITY, H_OPEN, H_OPEN_END, H_TAG, H_IN_TAG, H_ATTR, H_AFTER_ATTR,
	H_BEFORE_VALUE, H_VALUE, H_MARKUP, H_COMMENT, H_BOGUS, H_RAW, H_CDATA
};

struct html {
	struct html_sinks s;
	enum html_state	state, back;	/* back: where an entity stands */
	char		tag[HTML_NAME], attr[HTML_NAME];
	size_t		ntag, nattr;
	bool		closing;
	bool		slash;		/* the last character was one that may end the tag: <svg/> */
	char		quote;		/* of the value, or 0 */
	struct link	link;		/* the value, if it may be one */
	char		entity[ENTITY_LEN];
	size_t		nentity;
	int		dashes;		/* of a comment's beginning */
	bool		fresh;		/* it has only begun */
	struct comment_end end, outer;	/* outer: of one that only Outlook reads */
	size_t		held;		/* dashes in its text, which may begin its end */
	size_t		matched;	/* octets of "[CDATA[", and brackets at its end */
	struct raw	raw;
	bool		shown;		/* its text is seen, and all that looks like a tag in it */
	bool		unsure;		/* in a <select> or the like: see begin_raw() */
	struct space	space, page_space; /* page_space: outside of `outer` */
	struct seen	page, outlook;
	struct seen	*seen;		/* outlook: in a comment that it alone reads */
};

struct html *
html_new(const struct html_sinks *s)
{
	struct html *h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->s = *s;
	h->page.to = s->text;
	h->outlook.to = s->outlook;
	h->page.arg = h->outlook.arg = s->arg;
	h->seen = &h->page;
	return h;
}

void
html_free(struct html *h)
{
	free(h);
}

static bool
in_outlook(const struct html *h)
{
	return h->seen == &h->outlook;
}

/* ---- Tags ---- */

/*
 * Where some programs see no tag, or one that is no text's, and some the beginning
 * of raw text, all that follows is shown.
 */
static void
begin_raw(struct html *h, unsigned tag)
{
	h->unsure &= (tag & TAG_SCRIPT) == 0;
	h->shown = h->unsure || (tag & TAG_SHOWN) != 0;
	raw_begin(&h->raw, (struct str){ h->tag, h->ntag }, (tag & TAG_SCRIPT) != 0);
	if (!h->shown)
		h->state = H_RAW;
}

static void
end_tag(struct html *h)
{
	unsigned tag = h->ntag < HTML_NAME ? html_tag((struct str){ h->tag, h->ntag }) : 0;
	bool foreign = space_is_foreign(&h->space);

	h->state = H_TEXT;
	if ((tag & TAG_FONT) != 0 && h->nattr > 0)
		tag |= TAG_HTML;
	space_enter(&h->space, tag, h->closing, h->slash);
	if ((tag & (TAG_LINE | TAG_CELL)) != 0)
		seen_blank(h->seen, (tag & TAG_LINE) != 0 ? '\n' : ' ');
	if ((tag & TAG_UNSURE) != 0)
		h->unsure = !h->closing;
	if ((tag & TAG_OUTLOOK_RAW) != 0 && in_outlook(h))
		tag |= TAG_RAW;
	if ((tag & (TAG_RAW | TAG_SHOWN)) != 0 && !h->closing && (!foreign || h->unsure))
		begin_raw(h, tag);
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
	if (*n < HTML_NAME - 1)
		name[*n] = mime_lower(c);
	if (*n < HTML_NAME)
		++*n;
}

/* Names that are too long have lost their end, and are none that is known. */
static void
begin_value(struct html *h)
{
	h->link.kind = LINK_NONE;
	if (h->s.url != NULL && !h->closing && h->nattr < HTML_NAME)
		link_begin(&h->link, (struct str){ h->tag, h->ntag < HTML_NAME ? h->ntag : 0 },
		    (struct str){ h->attr, h->nattr });
	h->state = H_VALUE;
}

static void
end_value(struct html *h)
{
	link_end(&h->link, &h->s);
	h->state = H_IN_TAG;
}

/* Is that the end tag of what is nothing but text?  Otherwise it is text, too. */
static bool
ends_shown(struct html *h)
{
	/* Nothing ends <plaintext>. */
	h->shown = h->unsure || *h->raw.name == 'p' || h->ntag != h->raw.n ||
	    memcmp(h->tag, h->raw.name, h->ntag) != 0;
	if (!h->shown)
		return true;
	h->state = H_TEXT;
	seen_text(h->seen, "</", 2);
	seen_text(h->seen, h->tag, h->ntag < HTML_NAME ? h->ntag : HTML_NAME - 1);
	return false;
}

/* False: c is to be looked at again. */
static bool
step_tag(struct html *h, char c)
{
	switch (h->state) {
	case H_TAG:
		if (h->shown && (html_is_space(c) || c == '/' || c == '>') && !ends_shown(h))
			return false;
		if (c == '>')
			end_tag(h);
		else if (html_is_space(c) || c == '/')
			h->state = H_IN_TAG;
		else
			add_to_name(h->tag, &h->ntag, c);
		break;
	case H_IN_TAG:
		if (c == '>')
			end_tag(h);
		else if (!html_is_space(c) && c != '/') {
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
		else if (html_is_space(c))
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
		if (html_is_space(c))
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

static void
put_entity(struct html *h, uint32_t u)
{
	char buf[4];

	if (h->back == H_VALUE)
		link_put(&h->link, buf, utf8_encode(u, buf), &h->s);
	else
		seen_char(h->seen, u);
}

static void
put_plain(struct html *h, const char *p, size_t n)
{
	if (h->back == H_VALUE)
		link_put(&h->link, p, n, &h->s);
	else
		seen_text(h->seen, p, n);
}

/*
 * What was collected after '&' is over before c.  Numbers and some names need
 * no semicolon, the names not even an end in text; but in a URL "&copy=1" is a
 * parameter (13.2.5.73).
 */
static void
end_entity(struct html *h, char c)
{
	struct str name = { h->entity, h->nentity };
	bool bare = c != ';' && (name.n == 0 || *name.p != '#');
	size_t n = bare ? html_entity_bare(name) : name.n;
	uint32_t u = 0;

	if (!bare || h->back != H_VALUE || (n == name.n && c != '='))
		u = html_entity((struct str){ name.p, n });
	/* &ampx; */
	if (u == 0 && !bare && h->back != H_VALUE && (n = html_entity_bare(name)) > 0)
		u = html_entity((struct str){ name.p, n });
	h->state = h->back;
	if (u != 0)
		put_entity(h, u);
	else {
		put_plain(h, "&", 1);
		n = 0;
	}
	put_plain(h, name.p + n, name.n - n);
	if (c == ';' && (u == 0 || n < name.n))
		put_plain(h, ";", 1);
}

/* Can c be the next of "#123" or "#x7f", or of a name? */
static bool
goes_on(const struct html *h, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (h->nentity == 0)
		return c == '#' || digit || is_alpha(c);
	if (h->entity[0] != '#')
		return digit || is_alpha(c);
	if (h->nentity > 1 && mime_lower(h->entity[1]) == 'x')
		return digit || (mime_lower(c) >= 'a' && mime_lower(c) <= 'f');
	return digit || (h->nentity == 1 && mime_lower(c) == 'x');
}

/* False: c is no part of it, and is to be looked at again. */
static bool
step_entity(struct html *h, char c)
{
	size_t n = h->nentity;

	if (goes_on(h, c)) {
		/* However many zeros a number begins with. */
		if (n > 1 && h->entity[n - 1] == '0' && strchr("#xX", h->entity[n - 2]) != NULL)
			h->nentity--;
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

/* ---- Comments and raw text: their ends are mime_raw.c's ---- */

static void
step_comment(struct html *h, char c)
{
	if (c == '[' && h->fresh && !in_outlook(h)) {
		/* <!--[if mso]> */
		h->outer = (struct comment_end){ 0, false };
		h->seen = &h->outlook;
		h->page_space = h->space;
		h->space = (struct space){ 0, false };
		h->state = H_BOGUS;
	} else if (comment_ends(&h->end, c))
		h->state = H_TEXT;
	h->fresh = false;
}

/* "<!" and what follows; "<!--" is a comment, all else ends at '>'. */
static void
step_markup(struct html *h, char c)
{
	if (c == '-' && ++h->dashes == 2) {
		h->state = H_COMMENT;
		h->end = (struct comment_end){ 2, false };	/* <!--> is one, whole */
		h->fresh = true;
	} else if (c == '>')
		h->state = H_TEXT;
	else if (space_is_foreign(&h->space) && !in_outlook(h) && h->dashes == 0 &&
	    c == "[CDATA["[h->matched]) {
		if (++h->matched == 7)
			h->state = H_CDATA;	/* its matched: brackets */
	} else if (c != '-')
		h->state = H_BOGUS;
}

static void
step_raw(struct html *h, char c)
{
	if (!raw_ends(&h->raw, c))
		return;
	h->ntag = 0;
	h->closing = true;
	h->state = c == '>' ? H_TEXT : H_IN_TAG;
}

/* ---- All of it ---- */

/* False: c is to be looked at again. */
static bool
step_open(struct html *h, char c)
{
	bool end = h->state == H_OPEN_END;

	h->ntag = h->nattr = 0;
	h->closing = end;
	if (is_alpha(c) && (end || !h->shown)) {
		add_to_name(h->tag, &h->ntag, c);
		h->state = H_TAG;
	} else if (!end && c == '/')
		h->state = H_OPEN_END;
	else if (h->shown) {
		h->state = H_TEXT;
		seen_text(h->seen, "</", end ? 2 : 1);
		return false;
	} else if (!end && c == '!') {
		h->dashes = 0;
		h->matched = 0;
		h->state = H_MARKUP;
	} else if (end || c == '?')
		h->state = c == '>' ? H_TEXT : H_BOGUS;
	else {
		/* Not a tag. */
		h->state = H_TEXT;
		seen_char(h->seen, '<');
		return false;
	}
	return true;
}

/* One character; false if it is to be looked at again. */
static bool
step(struct html *h, char c)
{
	bool done;

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
		if (h->quote != '\0' ? c == h->quote : html_is_space(c) || c == '>') {
			end_value(h);
			return h->quote != '\0' || c != '>';
		}
		if (c == '&') {
			h->nentity = 0;
			h->back = H_VALUE;
			h->state = H_ENTITY;
		} else
			link_put(&h->link, &c, 1, &h->s);
		return true;
	default:
		done = step_tag(h, c);
		h->slash = c == '/' && h->state == H_IN_TAG;
		return done;
	}
}

/* At '<' or '&'. */
static void
leave_text(struct html *h, char c)
{
	h->nentity = 0;
	h->back = H_TEXT;
	h->state = c == '<' ? H_OPEN : H_ENTITY;
}

/*
 * Of text, up to '<' or '&'; returns what was taken.  A window at a time, since
 * where there are many '&' all of it would be searched for '<' after each.
 */
static size_t
feed_text(struct html *h, const char *p, size_t n)
{
	const char *at;
	size_t all = n < WINDOW ? n : WINDOW, i;

	for (i = 0; i < 3 && all < n && ((unsigned char)p[all] & 0xc0) == 0x80; i++)
		all--;		/* no character is cut */
	i = (at = memchr(p, '<', all)) != NULL ? (size_t)(at - p) : all;
	i = (at = memchr(p, '&', i)) != NULL ? (size_t)(at - p) : i;
	seen_text(h->seen, p, i);
	if (i == all)
		return all;
	leave_text(h, p[i]);
	return i + 1;
}

/* The same where only Outlook reads. */
static size_t
feed_outlook(struct html *h, const char *p, size_t n)
{
	size_t i = 0;

	if (*p == '-') {
		h->held++;
		return 1;
	}
	for (; h->held > 0; h->held--)
		seen_char(h->seen, '-');
	while (i < n && p[i] != '<' && p[i] != '&' && p[i] != '-' && p[i] != '!' && p[i] != '>')
		i++;
	seen_text(h->seen, p, i);
	if (i > 0)
		return i;
	if (*p == '<' || *p == '&')
		leave_text(h, *p);
	else
		seen_text(h->seen, p, 1);
	return 1;
}

/* Of text in SVG up to "]]>", whatever looks like a tag in it. */
static size_t
feed_cdata(struct html *h, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != ']' && p[i] != '>')
		i++;
	if (i == 0 && *p == ']') {
		h->matched++;
		return 1;
	}
	if (i == 0 && h->matched >= 7 + 2)
		h->state = H_TEXT;
	else
		seen_text(h->seen, p, i > 0 ? i : 1);
	h->matched = 7;
	return i > 0 ? i : 1;
}

/* Of a value in quotes, up to their end or '&'; of one that leads nowhere, all of it. */
static size_t
feed_value(struct html *h, const char *p, size_t n)
{
	size_t all = n < WINDOW ? n : WINDOW;
	const char *at = memchr(p, h->quote, all);

	n = at != NULL ? (size_t)(at - p) : all;
	if (h->link.kind == LINK_NONE)
		return n;
	n = (at = memchr(p, '&', n)) != NULL ? (size_t)(at - p) : n;
	link_put(&h->link, p, n, &h->s);
	return n;
}

/* Returns what was taken; 0: the first is to be looked at again. */
static size_t
feed_page(struct html *h, const char *p, size_t n)
{
	size_t taken = 0;

	switch (h->state) {
	case H_TEXT:
		return feed_text(h, p, n);
	case H_CDATA:
		return feed_cdata(h, p, n);
	case H_VALUE:
		taken = h->quote != '\0' ? feed_value(h, p, n) : 0;
		break;
	case H_RAW:
		taken = raw_skip(&h->raw, p, n);
		break;
	default:
		break;
	}
	return taken > 0 ? taken : step(h, *p);
}

/*
 * Outlook reads some comments and shows what they say; other programs see
 * nothing of them, up to the first "-->", whatever that stands in.  So it is a
 * text of its own, which cuts no word of the page's.  again: *p was looked at before.
 */
static size_t
feed_comment(struct html *h, const char *p, size_t n, bool again)
{
	if (!again && comment_ends(&h->outer, *p)) {
		seen_blank(h->seen, '\n');
		h->seen = &h->page;
		h->space = h->page_space;
		h->shown = false;
		h->held = 0;
		h->state = H_TEXT;
		return 1;
	}
	return h->state == H_TEXT ? feed_outlook(h, p, n) : step(h, *p);
}

void
html_feed(struct html *h, const char *p, size_t n)
{
	bool again = false;

	for (size_t i = 0, taken; i < n; i += taken) {
		if (in_outlook(h))
			taken = feed_comment(h, p + i, n - i, again);
		else
			taken = feed_page(h, p + i, n - i);
		again = taken == 0;
	}
	seen_flush(&h->page);
	seen_flush(&h->outlook);
}

void
html_end(struct html *h)
{
	if (h->state == H_ENTITY)
		end_entity(h, '\0');
	if (h->state == H_OPEN)
		seen_char(h->seen, '<');
	seen_flush(&h->page);
	seen_flush(&h->outlook);
}
