/*
 * mime_leaf.c - a part that has no parts: from its octets to what rules see.
 *
 * transfer encoding -> size, libmagic, archives
 *                   -> message inside, uuencoded files in text
 *                   -> character set -> text, or HTML -> what is seen of it
 *
 * Each stage hands on what it has, so that memory is that of the text kept.
 */
#include "mime_int.h"

#include <string.h>

#include "mime_magic.h"
#include "rules/arena.h"

#define SNIFF	1024	/* octets in which HTML may name its character set (HTML, 13.2.3.2) */

static bool
wants(const struct leaf *l, unsigned what)
{
	return (l->m->o.want & what) != 0;
}

/* ---- Text ---- */

/* Appends with CR LF, and CR, as LF. */
static void
keep_lines(struct leaf *l, struct strbuf *b, const char *p, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && l->cr && i == 0)
			from = 1;	/* of a CR that was told as LF */
		else if (p[i] == '\r' || p[i] == '\0') {
			mime_keep(l->m, b, p + from, i - from);
			mime_keep(l->m, b, p[i] == '\r' ? "\n" : "\xef\xbf\xbd", p[i] == '\r' ? 1 : 3);
			if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n')
				i++;
			from = i + 1;
		}
	}
	mime_keep(l->m, b, p + from, n - from);
}

static void
put_seen(void *arg, const char *p, size_t n)
{
	struct leaf *l = arg;

	if (l->html && !l->links)
		mime_keep(l->m, &l->seen, p, n);
}

static void
put_outlook(void *arg, const char *p, size_t n)
{
	struct leaf *l = arg;

	if (l->html && !l->links)
		mime_keep(l->m, &l->outlook, p, n);
}

static void
put_url(void *arg, struct str url)
{
	struct leaf *l = arg;

	if (l->trial)
		return;
	if (url_has_host(url))
		mime_add_url(l->m, url);
	else	/* ms-word:ofe|u|https://a.example/x opens what that leads to */
		url_scan(url, mime_add_url, l->m);
}

/* Characters, as the character set makes them. */
static void
put_text(void *arg, const char *p, size_t n)
{
	struct leaf *l = arg;

	if (!l->html)
		keep_lines(l, &l->seen, p, n);
	else if (wants(l, F_HTML) && !l->links)
		keep_lines(l, &l->source, p, n);
	if (l->page != NULL)
		html_feed(l->page, p, n);
	if (n > 0)
		l->cr = p[n - 1] == '\r';
}

/* The next <meta> tag of s, which then begins behind it; comments hold none. */
static struct str
next_meta(struct str *s)
{
	struct str tag = STR_NONE;
	ptrdiff_t lt, end;

	while (tag.p == NULL && (lt = str_ifind(*s, STR("<"))) >= 0) {
		bool comment;

		s->p += lt;
		s->n -= (size_t)lt;
		comment = str_istarts(*s, STR("<!--"));
		if (!comment && str_istarts(*s, STR("<meta")))
			tag = *s;
		end = str_ifind(*s, comment ? STR("-->") : STR(">"));
		end = end >= 0 ? end + (comment ? 3 : 1) : (ptrdiff_t)s->n;
		if (tag.p != NULL)
			tag.n = (size_t)end;
		s->p += end;
		s->n -= (size_t)end;
	}
	return tag;
}

/* What <meta charset=x> or <meta ... content="text/html; charset=x"> names. */
static struct str
charset_of_meta(struct str s)
{
	struct str tag;
	ptrdiff_t at;
	size_t n = 0;

	while ((tag = next_meta(&s)).p != NULL)
		while ((at = str_ifind(tag, STR("charset"))) >= 0) {
			tag.p += (size_t)at + 7;
			tag.n -= (size_t)at + 7;
			while (tag.n > 0 && strchr(" =\"'", *tag.p) != NULL && *tag.p != '\0') {
				tag.p++;
				tag.n--;
			}
			while (n < tag.n && n < 40 && tag.p[n] > ' ' && strchr("\"';/>", tag.p[n]) == NULL)
				n++;
			if (n > 0)
				return (struct str){ tag.p, n };
		}
	return STR("");
}

static void
begin_charset(struct leaf *l)
{
	struct str first = strbuf_slice(&l->first), name = l->name;
	static const struct { char bom[3]; size_t n; const char *name; } boms[] = {
		{ "\xef\xbb\xbf", 3, "utf-8" }, { "\xff\xfe", 2, "utf-16le" }, { "\xfe\xff", 2, "utf-16be" },
	};

	if (name.p == NULL)
		name = l->html ? charset_of_meta(first) : STR("");
	/* What begins UTF-32 looks like UTF-16, and a set that says it goes by its mark. */
	for (size_t i = 0; i < sizeof(boms) / sizeof(boms[0]) && !str_istarts(name, STR("utf-32")); i++)
		if (first.n >= boms[i].n && memcmp(first.p, boms[i].bom, boms[i].n) == 0) {
			name = str_of(boms[i].name);
			first.p += boms[i].n;
			first.n -= boms[i].n;
			break;
		}
	/* A page that could be read so far is not in UTF-16, whatever it says (13.2.3.2). */
	if (l->name.p == NULL && str_istarts(name, STR("utf-16")) && first.n > 1 && first.p[0] != '\0' &&
	    first.p[1] != '\0' && (unsigned char)first.p[0] < 0x80)
		name = STR("utf-8");
	/* Without a mark it is big-endian (RFC 2781, 4.3), but few write so. */
	if (l->name.p != NULL && str_ieq(name, STR("utf-16")) && first.n > 1 && first.p[0] == '\0' &&
	    first.p[1] != '\0')
		name = STR("utf-16be");
	charset_begin(&l->cs, name);
	l->cs_begun = true;
	if (l->cs.unknown && !l->links)
		l->defects |= DEFECT_BIT(DEFECT_CHARSET);
	charset_feed(&l->cs, first, put_text, l);
	strbuf_free(&l->first);
}

static void
feed_text(struct leaf *l, const char *p, size_t n)
{
	size_t sniff = l->name.p == NULL && l->html ? SNIFF : 3;

	if (!l->cs_begun) {
		size_t some = l->first.n + n < sniff ? n : sniff - l->first.n;

		strbuf_add(&l->first, p, some);
		l->m->failed |= l->first.failed;
		if (l->first.n < sniff)
			return;
		begin_charset(l);
		p += some;
		n -= some;
	}
	charset_feed(&l->cs, (struct str){ p, n }, put_text, l);
}

/* ---- Files ---- */

static void
put_chars(void *b, const char *p, size_t n)
{
	strbuf_add(b, p, n);
}

static void
add_name(struct leaf *l, const struct zip_name *n, struct str raw)
{
	struct strbuf text = { 0 };
	struct charset cs = { 0 };

	/* CP437 without the mark (APPNOTE, D.1), but many write UTF-8 all the same. */
	charset_begin(&cs, n->utf8 || utf8_valid(raw) ? STR("utf-8") : STR("cp437"));
	charset_feed(&cs, raw, put_chars, &text);
	charset_end(&cs, put_chars, &text);
	charset_close(&cs);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || text.p[i] == '\n' || text.p[i] == '\r')
			text.p[i] = ' ';
	l->m->failed |= text.failed;
	if (!text.failed) {
		struct str name = strbuf_slice(&text), saved = mime_saved_name(name);

		mime_add_name(l->m, name, n->central, n->method);
		if (saved.n > 0 && saved.n < name.n)
			mime_add_name(l->m, saved, n->central, n->method);
	}
	strbuf_free(&text);
}

/* At a NUL the name is at its end, for some programs. */
static void
put_name(void *arg, const struct zip_name *n)
{
	const char *nul = memchr(n->raw.p, '\0', n->raw.n);

	add_name(arg, n, n->raw);
	if (nul != NULL && nul != n->raw.p)
		add_name(arg, n, (struct str){ n->raw.p, (size_t)(nul - n->raw.p) });
}

static void
feed_file(struct leaf *l, const char *p, size_t n)
{
	size_t room = l->head.n < MAGIC_HEAD ? MAGIC_HEAD - l->head.n : 0;

	/* Of a message the decoder knows more than libmagic. */
	if (l->child != NULL && !l->by_name)
		return;
	if (wants(l, F_MAGIC) && l->m->o.magic != NULL && room > 0)
		strbuf_add(&l->head, p, n < room ? n : room);
	l->m->failed |= l->head.failed;
	if (l->zip != NULL)
		zip_feed(l->zip, p, n);
}

/* The last two are what Gmail shows of mail for AMP, and a watch. */
static bool
is_html(struct str type)
{
	return str_eq(type, STR("text/html")) || str_eq(type, STR("application/xhtml+xml")) ||
	    str_eq(type, STR("text/x-amp-html")) || str_eq(type, STR("text/watch-html"));
}

static bool
is_message(struct str type)
{
	return str_eq(type, STR("message/rfc822")) || str_eq(type, STR("message/global")) ||
	    str_eq(type, STR("message/news"));
}

static void
begin_file(struct leaf *l, const struct mime_head *h)
{
	l->attachment = mime_add_attachment(l->m, h);
	if (l->attachment < 0 || !wants(l, F_ARCHIVE) || is_message(h->type))
		return;
	l->zs = (struct zip_sinks){ .name = put_name, .arg = l,
	    .nested = l->m->o.nested, .ratio = l->m->o.ratio, .budget = &l->m->inflated };
	if ((l->zip = zip_new(&l->zs)) == NULL)
		l->m->failed = true;
}

static void
end_file(struct leaf *l)
{
	struct attachment *at = &((struct attachment *)l->m->attachments.p)[l->attachment];

	at->size = l->size;
	if (l->child != NULL && !l->by_name)
		at->magic = STR("message/rfc822");
	else if (l->head.n > 0)
		at->magic = magic_type(l->m->o.magic, l->m->a, strbuf_slice(&l->head));
	if (l->zip == NULL)
		return;
	zip_end(l->zip);
	at->encrypted = l->zs.encrypted;
	l->m->c.encrypted |= l->zs.encrypted;
	l->m->failed |= l->zs.failed;
	l->m->c.defects |= l->zs.defects;
	mime_end_names(l->m);
}

/* ---- All parts ---- */

static void
put_octets(void *arg, const char *p, size_t n)
{
	struct leaf *l = arg;

	l->size += n;
	if (l->child != NULL)
		parser_feed(l->child, p, n);
	if (l->text)
		feed_text(l, p, n);
	if (l->uu != NULL)
		uu_feed(l->uu, p, n);
	if (l->attachment >= 0)
		feed_file(l, p, n);
}

/* What its name says, whatever type it claims: so do the programs that open it. */
static bool
is_named(const struct mime_head *h, const char *const *ends)
{
	for (size_t i = 0; i < h->nnames; i++)
		for (size_t k = 0; ends[k] != NULL; k++)
			if (str_iends(h->names[i], str_of(ends[k])))
				return true;
	return false;
}

static bool
opens_as_html(const struct mime_head *h)
{
	static const char *const ends[] = { ".htm", ".html", ".shtml", ".xht", ".xhtml", ".svg", NULL };

	return str_eq(h->type, STR("image/svg+xml")) || is_named(h, ends);
}

/* A mail that was saved, or a page with what belongs to it (RFC 2557). */
static bool
opens_as_message(const struct mime_head *h)
{
	static const char *const ends[] = { ".eml", ".mht", ".mhtml", NULL };

	return is_named(h, ends);
}

/* What belongs to it while it's read: a message, uuencoded files, a page. */
static bool
begin_inner(struct leaf *l, const struct mime_head *h, size_t depth, bool text)
{
	struct html_sinks s = { put_seen, put_outlook, wants(l, F_URLS) ? put_url : NULL, l };
	bool message = is_message(h->type);

	l->by_name = !message && (!text || h->attached) && opens_as_message(h);
	message |= l->by_name;
	if (message && depth >= l->m->o.depth)
		mime_defect(l->m, DEFECT_TOO_DEEP);
	else if (message && (l->child = parser_new(l->m, depth + 1)) == NULL)
		return false;
	/* A preamble's would be found though nobody sees it. */
	if (text && !l->html && !h->attached && !l->trial && (l->uu = uu_new(l->m)) == NULL)
		return false;
	/* A plain text may be opened as a page as well. */
	if (l->text && (l->html ? wants(l, F_TEXT | F_URLS) : wants(l, F_URLS) && opens_as_html(h)) &&
	    (l->page = html_new(&s)) == NULL)
		return false;
	return true;
}

void
leaf_begin(struct leaf *l, struct mime *m, const struct mime_head *h, size_t depth, bool trial)
{
	bool message = is_message(h->type), text = str_istarts(h->type, STR("text/")) ||
	    (str_istarts(h->type, STR("message/")) && !message) ||
	    str_istarts(h->type, STR("multipart/"));	/* one without parts */
	bool html, shown;

	memset(l, 0, offsetof(struct leaf, dec));
	l->m = m;
	l->open = true;
	l->trial = trial;
	l->attachment = -1;
	if (h->charset.n > 0 && h->charset.n < sizeof(l->set)) {
		memcpy(l->set, h->charset.p, h->charset.n);
		l->name = (struct str){ l->set, h->charset.n };
	} else if (h->charset.n > 0)
		l->name = STR("?");	/* unknown in any case */
	html = is_html(h->type);
	shown = (text || html) && !h->attached;
	l->links = !shown && wants(l, F_URLS) && (html || opens_as_html(h));
	l->html = html || l->links;
	l->flowed = h->delsp && str_eq(h->type, STR("text/plain"));
	l->folded = str_eq(h->type, STR("text/calendar")) || str_eq(h->type, STR("text/vcard")) ||
	    str_eq(h->type, STR("text/x-vcard"));
	l->text = l->links || (shown && wants(l, F_TEXT | F_HTML | F_URLS));
	mime_decoder_begin(&l->dec, h->encoding);
	if (!text || h->attached || h->nnames > 0 || str_istarts(h->type, STR("message/")))
		begin_file(l, h);
	if (!begin_inner(l, h, depth, text))
		m->failed = true;
}

void
leaf_feed(struct leaf *l, const char *p, size_t n)
{
	if (l->open)
		mime_decoder_feed(&l->dec, (struct str){ p, n }, put_octets, l);
}

/*
 * Lines that flow, with DelSp (RFC 3676, 4): words and URLs were cut where a
 * blank stands at a line's end.  Without DelSp only blanks became line ends.
 */
static void
join_lines(struct leaf *l)
{
	size_t n = l->seen.n, out = 0, depth = 0, level, end, from;
	char *p = l->seen.p;
	bool flows = false;

	for (size_t i = 0; i < n; i = end + 1) {
		const char *nl = memchr(p + i, '\n', n - i);

		end = nl != NULL ? (size_t)(nl - p) : n;
		for (level = 0; i + level < end && p[i + level] == '>'; level++)
			;
		from = i + level;
		if (from < end && p[from] == ' ')
			from++;		/* stuffed */
		if (flows && level != depth)
			p[out++] = '\n';
		else if (flows)
			i = from;
		depth = level;
		flows = end > i && end < n && p[end - 1] == ' ' &&
		    !(end - from == 3 && memcmp(p + from, "-- ", 3) == 0);
		memmove(p + out, p + i, end - i);
		out += end - i - flows;
		if (!flows && end < n)
			p[out++] = '\n';
	}
	if (flows)
		p[out++] = '\n';
	l->m->kept -= n - out;
	l->seen.n = out;
}

/* What Outlook alone shows stands behind what all show. */
static void
add_outlook(struct leaf *l)
{
	struct str more = strbuf_slice(&l->outlook);

	if (more.n == 0)
		return;
	l->m->kept -= more.n;
	if (l->seen.n > 0)
		mime_keep(l->m, &l->seen, "\n", 1);
	mime_keep(l->m, &l->seen, more.p, more.n);
	strbuf_free(&l->outlook);
}

/* Folds and escapes undone (RFC 5545, 3.1 and 3.3.11; RFC 6350, 3.2 and 3.4). */
static void
unfold(struct leaf *l)
{
	size_t n = l->seen.n, out = 0;
	char *p = l->seen.p;

	for (size_t i = 0; i < n; i++) {
		char next = i + 1 < n ? p[i + 1] : '\0';

		if (p[i] == '\n' && (next == ' ' || next == '\t'))
			i++;
		else if (p[i] == '\\' && next != '\0' && strchr("nN,;\\", next) != NULL) {
			p[out++] = (next | 0x20) == 'n' ? '\n' : next;
			i++;
		} else
			p[out++] = p[i];
	}
	l->m->kept -= n - out;
	l->seen.n = out;
}

static void
end_text(struct leaf *l)
{
	struct mime *m = l->m;

	if (!l->cs_begun)
		begin_charset(l);
	charset_end(&l->cs, put_text, l);
	if (l->cs.bad && !l->links)
		l->defects |= DEFECT_BIT(DEFECT_CHARSET);
	if (l->page != NULL)
		html_end(l->page);
	if (l->links)
		return;
	add_outlook(l);
	if (l->folded)
		unfold(l);
	if (wants(l, F_URLS))
		url_scan(strbuf_slice(&l->seen), mime_add_url, m);
	if (l->flowed) {
		/* Not all programs do. */
		join_lines(l);
		if (wants(l, F_URLS))
			url_scan(strbuf_slice(&l->seen), mime_add_url, m);
	}
	if (wants(l, F_TEXT) && (l->seen.n > 0 || !l->html))
		mime_add_text(m, &m->texts, &l->seen);
	if (wants(l, F_HTML) && l->html)
		mime_add_text(m, &m->htmls, &l->source);
}

/* Whatever it ended by. */
static void
release(struct leaf *l)
{
	struct mime *m = l->m;

	m->kept -= l->seen.n + l->outlook.n + l->source.n;	/* of what wasn't taken over */
	charset_close(&l->cs);
	strbuf_free(&l->first);
	strbuf_free(&l->seen);
	strbuf_free(&l->outlook);
	strbuf_free(&l->source);
	strbuf_free(&l->head);
	html_free(l->page);
	zip_free(l->zip);
	parser_free(l->child);
	uu_free(l->uu);
	memset(l, 0, sizeof(*l));
}

void
leaf_end(struct leaf *l)
{
	if (!l->open)
		return;
	l->trial = false;
	mime_decoder_end(&l->dec, put_octets, l);
	if (l->dec.bad)
		l->defects |= DEFECT_BIT(l->dec.enc == ENC_QP ? DEFECT_QUOTED_PRINTABLE :
		    l->dec.enc == ENC_UU ? DEFECT_ENCODING : DEFECT_BASE64);
	if (l->child != NULL)
		parser_end(l->child);
	if (l->uu != NULL)
		uu_end(l->uu);
	if (l->text)
		end_text(l);
	if (l->attachment >= 0)
		end_file(l);
	l->m->c.defects |= l->defects;
	release(l);
}

void
leaf_drop(struct leaf *l)
{
	if (l->open)
		release(l);
}
