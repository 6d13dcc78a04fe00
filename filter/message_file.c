/*
 * message_file.c - a message file split, and what its header tells about how
 * it came (RFC 5321, 4.4).
 *
 * judge reads messages as they lie in spools, mailboxes and test suites: with
 * LF or CRLF, with or without a "From " line, with anything in the header.
 * Received fields are read as Postfix, Sendmail, Exim, qmail and Exchange
 * write them.  They are a hint for the operator who tries his rules, never
 * evidence: the daemon knows its client from the MTA.
 */
#include "message.h"

#include <string.h>

#include "rules/arena.h"

static struct str
slice(struct str s, size_t from, size_t to)
{
	return (struct str){ s.p + from, to - from };
}

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_blank(char c)
{
	return is_wsp(c) || c == '\r' || c == '\n';
}

/* The next line: its text without the line end, and where the one after it begins. */
static struct str
next_line(struct str s, size_t at, size_t *next)
{
	const char *nl = memchr(s.p + at, '\n', s.n - at);
	size_t end = nl != NULL ? (size_t)(nl - s.p) : s.n;

	*next = nl != NULL ? end + 1 : s.n;
	if (nl != NULL && end > at && s.p[end - 1] == '\r')
		end--;
	return slice(s, at, end);
}

/* Offset of the colon of a line that begins a field (RFC 5322, 2.2 and 4.5), or 0. */
static size_t
colon_of(struct str line)
{
	size_t i = 0, name;

	while (i < line.n && line.p[i] > ' ' && line.p[i] < 0x7f &&
	    line.p[i] != ':')
		i++;
	name = i;
	while (i < line.n && is_wsp(line.p[i]))
		i++;
	return name > 0 && i < line.n && line.p[i] == ':' ? i : 0;
}

/*
 * Reads the header, into fields unless NULL; the number of fields.  body gets
 * the offset of what follows.
 */
static size_t
scan_fields(struct str text, size_t at, struct message_field *fields, size_t *body)
{
	struct str line;
	size_t n = 0, next, colon;

	for (; at < text.n; at = next) {
		line = next_line(text, at, &next);
		if (line.n == 0) {
			at = next;
			break;
		}
		if (n > 0 && is_wsp(line.p[0])) {
			if (fields != NULL)
				fields[n - 1].raw.n = (size_t)(line.p + line.n -
				    fields[n - 1].raw.p);
			continue;
		}
		if ((colon = colon_of(line)) == 0)
			break;
		if (fields != NULL) {
			fields[n].name = slice(line, 0, colon);
			fields[n].raw = slice(line, colon + 1, line.n);
		}
		n++;
	}
	*body = at;
	return n;
}

int
message_split(struct arena *a, struct str text, struct message_file *out)
{
	size_t at = 0, body;

	memset(out, 0, sizeof(*out));
	out->body = slice(STR(""), 0, 0);
	if (text.n == 0)
		return 0;
	if (text.n > 5 && memcmp(text.p, "From ", 5) == 0) {
		out->mbox_from = next_line(text, 0, &at);
		/* "From : a@example.org" is a field. */
		if (colon_of(out->mbox_from) != 0) {
			out->mbox_from = STR_NONE;
			at = 0;
		}
	}
	out->nfields = scan_fields(text, at, NULL, &body);
	out->fields = arena_array(a, out->nfields + 1, sizeof(*out->fields));
	if (out->fields == NULL)
		return -1;
	scan_fields(text, at, out->fields, &body);
	out->body = slice(text, body, text.n);
	return 0;
}

/* A Received field's words and comments, one after another. */
struct trace {
	struct str	s;
	size_t		i;
};

/* The next word, or comment with its parentheses; n 0 at the end or at ;. */
static struct str
next_part(struct trace *t)
{
	size_t from, depth = 0;

	while (t->i < t->s.n && is_blank(t->s.p[t->i]))
		t->i++;
	from = t->i;
	if (from < t->s.n && t->s.p[from] == '(') {
		for (; t->i < t->s.n; t->i++) {
			if (t->s.p[t->i] == '\\' && t->i + 1 < t->s.n)
				t->i++;
			else if (t->s.p[t->i] == '(')
				depth++;
			else if (t->s.p[t->i] == ')' && --depth == 0) {
				t->i++;
				break;
			}
		}
	} else {
		while (t->i < t->s.n && !is_blank(t->s.p[t->i]) &&
		    t->s.p[t->i] != ';' && t->s.p[t->i] != '(')
			t->i++;
	}
	return slice(t->s, from, t->i);
}

/* An address with or without [], IPv6:, a port, or user@ before it. */
static bool
read_ip(struct str s, struct ipaddr *ip)
{
	const char *p;

	if (s.n > 0 && (p = memchr(s.p, '@', s.n)) != NULL)
		s = slice(s, (size_t)(p + 1 - s.p), s.n);
	if (s.n > 0 && s.p[0] == '[') {
		if ((p = memchr(s.p, ']', s.n)) == NULL)
			return false;
		s = slice(s, 1, (size_t)(p - s.p));
	}
	return s.n > 0 && ipaddr_parse(s, ip) == 0;
}

static void
set_ip(struct message_origin *o, struct str word)
{
	if (!o->has_ip && read_ip(word, &o->ip))
		o->has_ip = true;
}

/*
 * A comment after the from clause: "name [ip]" (Postfix, Sendmail), "[ip]
 * helo=x" (Exim), "HELO x" and "user@ip" (qmail), "ip" (Exchange).
 */
static void
read_tcp_info(struct arena *a, struct str comment, struct message_origin *o)
{
	struct trace t = { slice(comment, 1, comment.n > 1 ? comment.n - 1 : 1), 0 };
	struct str w, name = STR_NONE;
	bool first = true, helo = false;

	while ((w = next_part(&t)).n > 0) {
		if (helo)
			o->helo = str_dup(a, w);
		else if (str_istarts(w, STR("helo=")))
			o->helo = str_dup(a, slice(w, 5, w.n));
		else if (str_istarts(w, STR("envelope-from")))
			break;
		else if (w.p[0] == '[' || first)
			set_ip(o, w);
		if (first && !o->has_ip && memchr(w.p, '.', w.n) != NULL)
			name = w;
		helo = first && str_ieq(w, STR("helo"));
		first = false;
	}
	/* Only a name beside an address is the client's. */
	if (name.p != NULL && o->has_ip && o->client_name.p == NULL) {
		const char *at = memchr(name.p, '@', name.n);

		if (at != NULL)
			name = slice(name, (size_t)(at + 1 - name.p), name.n);
		o->client_name = str_lower(a, name);
	}
}

static struct str
without_brackets(struct arena *a, struct str s)
{
	s = str_trim(s);
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = slice(s, 1, s.n - 1);
	return str_dup(a, s);
}

/* "from HELO (...) (...) by ... for <rcpt>"; false if no address is in it. */
static bool
read_received(struct arena *a, struct str raw, struct message_origin *o)
{
	struct trace t = { raw, 0 };
	struct message_origin r = { 0 };
	struct str w;
	bool from = true;

	if (!str_ieq(next_part(&t), STR("from")))
		return false;
	w = next_part(&t);
	set_ip(&r, w);
	if (w.n > 0 && w.p[0] != '(')
		r.helo = str_dup(a, w);
	else
		t.i = (size_t)(w.p - raw.p);
	while ((w = next_part(&t)).n > 0) {
		if (w.p[0] == '(' && from)
			read_tcp_info(a, w, &r);
		else if (str_ieq(w, STR("by")))
			from = false;
		else if (str_ieq(w, STR("for")))
			r.rcpt = without_brackets(a, next_part(&t));
	}
	if (!r.has_ip)
		return false;
	r.sender = o->sender;
	*o = r;
	return true;
}

void
message_origin(struct arena *a, const struct message_file *f, struct message_origin *o)
{
	const struct message_field *h;
	bool found = false;
	size_t i;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < f->nfields; i++) {
		h = &f->fields[i];
		if (o->sender.p == NULL && str_ieq(str_trim(h->name), STR("Return-Path")))
			o->sender = without_brackets(a, h->raw);
		/* Fields of local delivery lie above: they name no address. */
		if (!found && str_ieq(str_trim(h->name), STR("Received")))
			found = read_received(a, h->raw, o);
	}
}
