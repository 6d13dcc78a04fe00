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

#define WINDOW		256	/* octets of text at once */
#define NAME_LEN	16	/* of tags and attributes that mean something */
#define ENTITY_LEN	32

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
	struct link	link;		/* the value, if it may be one */
	char		entity[ENTITY_LEN];
	size_t		nentity;
	int		dashes;		/* of a comment's beginning */
	bool		fresh;		/* it has only begun */
	struct comment_end {
		int	dashes;
		bool	bang;
	}		end, outer;	/* outer: of one that only Outlook reads */
	char		raw[NAME_LEN];	/* the element whose end is looked for */
	size_t		matched;	/* octets of "</name" */
	char		before;		/* ' ' or '\n' that stands before the next character, or 0 */
	bool		any;
	bool		muted;		/* in a comment that only Outlook reads */
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
	if (h->muted)
		return;
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
	if (h->before != '\n' && !h->muted)
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

#define IS_WORD(c)	((c) > ' ' && (c) != 0x7f)

/* Words of ASCII and single blanks between them, which are seen as they stand. */
static size_t
plain(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (IS_WORD(p[i]) || (p[i] == ' ' && i > 0 && p[i - 1] != ' ' &&
	    i + 1 < n && IS_WORD(p[i + 1]))))
		i++;
	return i;
}

/* Whole characters of text, without '<' and '&' among them. */
static void
put_text(struct html *h, const char *p, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c;

		if ((len = plain(p + i, n - i < WINDOW ? n - i : WINDOW)) > 0) {
			put(h, p + i, len);
			continue;
		}
		len = 1;
		if ((unsigned char)p[i] < 0x80) {
			if (p[i] == '\0')
				put_char(h, 0xfffd);
			else
				put_char(h, (unsigned char)p[i]);
			continue;
		}
		if ((len = utf8_len((struct str){ p + i, n - i })) == 0) {
			len = 1;	/* not from charset.c */
			continue;
		}
		c = (unsigned char)p[i] & (0xffu >> (len + 1));
		for (size_t k = 1; k < len; k++)
			c = c << 6 | ((unsigned char)p[i + k] & 0x3f);
		put_char(h, c);
	}
}

/* ---- Tags ---- */

/* words: sorted, since there is a tag every few words of mail. */
static bool
is_one_of(const char *s, size_t n, const char *const *words)
{
	for (; n > 0 && *words != NULL && **words <= *s; words++)
		if (**words == *s && strlen(*words) == n && memcmp(s, *words, n) == 0)
			return true;
	return false;
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
	static const char *const cells[] = { "button", "img", "input", "td", "th", NULL };
	/* Their content isn't text, up to their end tag. */
	static const char *const raw[] = {
		"iframe", "noembed", "noframes", "script", "style", "template", "title", NULL
	};

	h->state = H_TEXT;
	if (is_one_of(h->tag, h->ntag, lines))
		blank(h, '\n');
	else if (is_one_of(h->tag, h->ntag, cells))
		blank(h, ' ');
	else if (!h->closing && is_one_of(h->tag, h->ntag, raw)) {
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

/* Names that are too long have lost their end, and are none that is known. */
static void
begin_value(struct html *h)
{
	h->link.kind = LINK_NONE;
	if (h->s.url != NULL && !h->closing && h->nattr < NAME_LEN)
		link_begin(&h->link, (struct str){ h->tag, h->ntag < NAME_LEN ? h->ntag : 0 },
		    (struct str){ h->attr, h->nattr });
	h->state = H_VALUE;
}

static void
end_value(struct html *h)
{
	link_end(&h->link, &h->s);
	h->state = H_IN_TAG;
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

static void
put_entity(struct html *h, uint32_t u)
{
	char buf[4];

	if (h->back == H_VALUE)
		link_put(&h->link, buf, utf8_encode(u, buf), &h->s);
	else
		put_char(h, u);
}

static void
put_plain(struct html *h, const char *p, size_t n)
{
	if (h->back == H_VALUE)
		link_put(&h->link, p, n, &h->s);
	else
		put_text(h, p, n);
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
	if (h->nentity > 1 && lower(h->entity[1]) == 'x')
		return digit || (lower(c) >= 'a' && lower(c) <= 'f');
	return digit || (h->nentity == 1 && lower(c) == 'x');
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

/* ---- Comments and raw text ---- */

static bool
comment_ends(struct comment_end *e, char c)
{
	if (c == '>' && (e->dashes >= 2 || e->bang))
		return true;
	e->bang = c == '!' && e->dashes >= 2 && !e->bang;
	e->dashes = c == '-' ? e->dashes + 1 : 0;
	return false;
}

static void
step_comment(struct html *h, char c)
{
	if (c == '[' && h->fresh && !h->muted) {
		/* <!--[if mso]> */
		h->outer = (struct comment_end){ 0, false };
		h->muted = true;
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
			link_put(&h->link, &c, 1, &h->s);
		return true;
	default:
		return step_tag(h, c);
	}
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
	put_text(h, p, i);
	if (i == all)
		return all;
	if (p[i] == '<')
		h->state = H_OPEN;
	else {
		h->nentity = 0;
		h->back = H_TEXT;
		h->state = H_ENTITY;
	}
	return i + 1;
}

/* Of a value in quotes, up to their end or '&'. */
static size_t
feed_value(struct html *h, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != h->quote && p[i] != '&')
		i++;
	link_put(&h->link, p, i, &h->s);
	return i;
}

/*
 * Outlook reads some comments, and links to what they say; other programs see
 * nothing of them, up to the first "-->", whatever that stands in.
 */
void
html_feed(struct html *h, const char *p, size_t n)
{
	bool again = false;
	size_t i = 0;

	while (i < n) {
		if (h->muted && !again && comment_ends(&h->outer, p[i])) {
			h->muted = false;
			h->state = H_TEXT;
			i++;
			continue;
		}
		again = false;
		if (h->state == H_TEXT && h->muted)
			h->state = p[i++] == '<' ? H_OPEN : H_TEXT;
		else if (h->state == H_TEXT)
			i += feed_text(h, p + i, n - i);
		else if (h->state == H_VALUE && h->quote != '\0' && !h->muted &&
		    p[i] != h->quote && p[i] != '&')
			i += feed_value(h, p + i, n - i);
		else if (step(h, p[i]))
			i++;
		else
			again = true;
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
