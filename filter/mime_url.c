/*
 * mime_url.c - URLs in text, and the hosts that they lead to.
 *
 * The host is what a browser asks for, not what the reader thinks: user names
 * before @, %xx, backslashes, tabs and octal addresses are ways to hide it.
 */
#include "mime_int.h"

#include <arpa/inet.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/types.h"
#include "suffixes.h"

#define HOST_MAX	255
#define HOST_KEPT	1024	/* octets in which a host fits, %xx and all */

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (mime_lower(c) >= 'a' && mime_lower(c) <= 'z');
}

static bool
is_slash(char c)
{
	return c == '/' || c == '\\';
}

/* ---- In text ---- */

/* RFC 3986's characters, and those above ASCII that people write. */
static bool
is_url_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("<>\"`{}|^", c) == NULL;
}

/* Punctuation and symbols that are in no name of a host: what else is above ASCII may be. */
static bool
ends_host(uint32_t c)
{
	static const struct { uint16_t from, to; } marks[] = {
		{ 0x80, 0xa9 }, { 0xab, 0xac }, { 0xae, 0xb4 }, { 0xb6, 0xb6 }, { 0xb8, 0xb9 },
		{ 0xbb, 0xbf }, { 0xd7, 0xd7 }, { 0xf7, 0xf7 }, { 0x2010, 0x2027 },
		{ 0x2030, 0x205e }, { 0x2e00, 0x2e7f }, { 0x3001, 0x3001 }, { 0x3003, 0x3003 },
		{ 0x3008, 0x3020 }, { 0x3030, 0x3030 }, { 0x303d, 0x303d }, { 0xfe10, 0xfe1f },
		{ 0xfe30, 0xfe6f }, { 0xff01, 0xff0c }, { 0xff0f, 0xff0f }, { 0xff1a, 0xff20 },
		{ 0xff3b, 0xff40 }, { 0xff5b, 0xff60 }, { 0xff62, 0xff65 },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (c >= marks[i].from && c <= marks[i].to)
			return true;
	return false;
}

/* The full stops that browsers take for dots (UTS 46). */
static bool
is_wide_dot(uint32_t c)
{
	return c == 0x3002 || c == 0xff0e || c == 0xff61;
}

static bool
is_cjk(uint32_t c)
{
	return c >= 0x2e80 && c < 0xfe00;
}

/* Octets of a URL's character at s.p[i]; 0: there ends the URL. */
static size_t
url_char(struct str s, size_t i, bool in_host)
{
	struct str rest = { s.p + i, s.n - i };
	uint32_t c;
	size_t n;

	if (!is_url_char(s.p[i]))
		return 0;
	if ((unsigned char)s.p[i] < 0x80 || utf8_len(rest) == 0)
		return 1;
	c = utf8_decode(rest, &n);
	if (html_kind(c) == HTML_BLANK || (in_host && ends_host(c)))
		return 0;
	/* A dot between two labels, or the end of a sentence? */
	if (in_host && is_wide_dot(c) && i > 0 && (unsigned char)s.p[i - 1] < 0x80 &&
	    (i + n == s.n || !is_alnum(s.p[i + n])))
		return 0;
	return n;
}

static size_t
until(struct str s, const char *marks)
{
	size_t i = 0;

	while (i < s.n && strchr(marks, s.p[i]) == NULL)
		i++;
	return i;
}

/*
 * Characters that may be user name and host.  Several URLs may begin in one run
 * ("www.a,www.b"), and it is looked through once for all of them.
 */
struct run {
	size_t		end;
	size_t		at;		/* behind its last @; 0 without one */
};

static bool
begins_path(char c)
{
	return is_slash(c) || c == '?' || c == '#';
}

/* The run at `host`: the last one, if that goes so far. */
static void
find_run(struct str text, size_t host, struct run *r)
{
	size_t n;

	if (host < r->end)
		return;
	r->at = 0;
	for (r->end = host; r->end < text.n && !begins_path(text.p[r->end]) &&
	    (n = url_char(text, r->end, true)) > 0; r->end += n)
		if (text.p[r->end] == '@')
			r->at = r->end + 1;
}

/*
 * Where the text goes on without a blank: but for a user name no punctuation can
 * be there, and there is no top-level domain of ASCII and CJK.  host: offset;
 * returns the host's end, at most the run's.
 */
static size_t
host_end(struct str text, size_t host, const struct run *r)
{
	size_t label = host, end = r->end, n;

	if (r->at <= host)
		end = host + until((struct str){ text.p + host, end - host }, "&;,!'()*=$+");
	for (size_t i = host; i < end; i++)
		if (text.p[i] == '.')
			label = i + 1;
	if (label == host || label == end || !is_alnum(text.p[label]))
		return end;
	for (size_t i = label; i < end; i += n) {
		struct str rest = { text.p + i, end - i };

		n = 1;
		if ((unsigned char)*rest.p >= 0x80 && utf8_len(rest) > 0 && is_cjk(utf8_decode(rest, &n)))
			return i;
	}
	return end;
}

/* Where the URL ends whose "://" or "www." is at `at`. */
static size_t
ends_at(struct str text, size_t at, struct run *r)
{
	size_t host = text.p[at] == ':' ? at + 1 : at, end, n;

	while (host < text.n && is_slash(text.p[host]))
		host++;
	find_run(text, host, r);
	end = host_end(text, host, r);
	if (end == text.n || end < r->end || !begins_path(text.p[end]))
		return end;
	while (end < text.n && (n = url_char(text, end, false)) > 0)
		end += n;
	return end;
}

/* Punctuation that ends a sentence, and a bracket that was not opened before. */
static struct str
without_tail(struct str s)
{
	ptrdiff_t round = 0, square = 0;	/* more opened than closed */

	for (size_t i = 0; i < s.n; i++) {
		round += s.p[i] == '(' ? 1 : s.p[i] == ')' ? -1 : 0;
		square += s.p[i] == '[' ? 1 : s.p[i] == ']' ? -1 : 0;
	}
	for (; s.n > 0; s.n--) {
		char c = s.p[s.n - 1];

		if (c == ')' ? ++round > 0 : c == ']' ? ++square > 0 :
		    strchr(".,;:!?'*_", c) == NULL)
			break;
	}
	return s;
}

/* Where a URL begins whose "://" or "www." is at `at`; -1 if none does. */
static ptrdiff_t
begins_at(struct str text, size_t at, size_t from)
{
	static const char *const schemes[] = { "https", "http", "ftp", "file" };

	if (text.p[at] != ':') {	/* www. */
		if (at > 0 && (is_alnum(text.p[at - 1]) || strchr("@/.-=", text.p[at - 1]) != NULL))
			return -1;
		return (ptrdiff_t)at;
	}
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (at - from >= n && str_ieq((struct str){ text.p + at - n, n }, str_of(schemes[i])))
			return (ptrdiff_t)(at - n);
	}
	return -1;
}

static bool
is_mark(struct str text, size_t i)
{
	struct str rest = { text.p + i, text.n - i };

	return str_istarts(rest, text.p[i] == ':' ? STR("://") : STR("www."));
}

/* One that is too long is found without a part of its user name. */
static void
tell(struct str url, void (*found)(void *arg, struct str url), void *arg)
{
	struct url_buf b;

	if (url.n <= URL_MAX) {
		found(arg, url);
		return;
	}
	b.n = 0;
	b.full = false;
	url_add(&b, url.p, url.n);
	found(arg, (struct str){ b.p, b.n });
}

void
url_scan(struct str text, void (*found)(void *arg, struct str url), void *arg)
{
	size_t i = 0, done = 0;
	struct run run = { 0, 0 };

	while (i + 4 <= text.n) {
		ptrdiff_t begin;
		struct str url;
		size_t end;

		if ((text.p[i] != ':' && (text.p[i] | 0x20) != 'w') || !is_mark(text, i) ||
		    (begin = begins_at(text, i, done)) < 0) {
			i++;
			continue;
		}
		end = ends_at(text, i, &run);
		url = without_tail((struct str){ text.p + begin, end - (size_t)begin });
		if (url.n > i - (size_t)begin + 4)
			tell(url, found, arg);
		i = done = end;
	}
}

/* ---- Hosts ---- */

/* Octets of "scheme:", or 0. */
static size_t
scheme_len(struct str s)
{
	size_t i = 0;

	while (i < s.n && (is_alnum(s.p[i]) || (i > 0 && strchr("+-.", s.p[i]) != NULL && s.p[i] != '\0')))
		i++;
	return i > 0 && i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

/* Where the host stands, with its user name: offsets of its front, and its end; false: nowhere. */
static bool
find_authority(struct str s, size_t *begin, size_t *end)
{
	static const char *const schemes[] = { "http:", "https:", "ftp:", "file:", "mailto:", "" };
	struct str scheme = { s.p, scheme_len(s) };
	size_t n = sizeof(schemes) / sizeof(schemes[0]), i, slashes;
	bool mail = str_ieq(scheme, STR("mailto:"));

	for (i = 0; i < n && !str_ieq(scheme, str_of(schemes[i])); i++)
		;
	/* Browsers take any number of slashes, of either kind. */
	for (*begin = scheme.n; *begin < s.n && is_slash(s.p[*begin]); ++*begin)
		;
	slashes = *begin - scheme.n;
	if (i == n || (scheme.n == 0 && slashes < 2 && !str_istarts(s, STR("www."))))
		return false;
	/* file:///x is a file of the reader's, file:////x/y one on another host. */
	if (str_ieq(scheme, STR("file:")) && (slashes < 2 || slashes == 3))
		return false;
	for (*end = *begin; *end < s.n && !is_slash(s.p[*end]) && s.p[*end] != '?' &&
	    s.p[*end] != '#' && !(mail && s.p[*end] == ','); ++*end)
		;
	return true;
}

/* What stands where the host does, its user name gone; p NULL for a URL without one. */
static struct str
authority(struct str s)
{
	size_t begin, end;

	if (!find_authority(s, &begin, &end))
		return STR_NONE;
	for (size_t i = end; i > begin; i--)
		if (s.p[i - 1] == '@')
			return (struct str){ s.p + i, end - i };
	return str_istarts(s, STR("mailto:")) ? STR_NONE : (struct str){ s.p + begin, end - begin };
}

/* Room is made by leaving out a part of the user name, or slashes; false: nothing can go. */
static bool
shorten(struct url_buf *b)
{
	struct str s = { b->p, b->n };
	size_t to = scheme_len(s) + 2, from, end;

	if (!find_authority(s, &from, &end) || end < s.n)
		return false;
	if (from + HOST_KEPT < s.n)
		from = s.n - HOST_KEPT;
	b->p[to - 2] = b->p[to - 1] = '/';
	memmove(b->p + to, b->p + from, s.n - from);
	b->n = to + s.n - from;
	return true;
}

void
url_add(struct url_buf *b, const char *p, size_t n)
{
	while (n > 0 && !b->full) {
		size_t some = URL_MAX - b->n < n ? URL_MAX - b->n : n;

		memcpy(b->p + b->n, p, some);
		b->n += some;
		p += some;
		n -= some;
		if (n > 0 && !shorten(b))
			b->full = true;
	}
}

bool
url_has_host(struct str url)
{
	return authority(url).n > 0;
}

/* %xx undone; what can't be in a name ends the attempt. */
static size_t
plain_host(struct str s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%' && i + 2 < s.n && str_hex(s.p[i + 1]) >= 0 && str_hex(s.p[i + 2]) >= 0) {
			c = (char)(str_hex(s.p[i + 1]) << 4 | str_hex(s.p[i + 2]));
			i += 2;
		}
		if (c == '\t' || c == '\r' || c == '\n')
			continue;
		if ((unsigned char)c <= ' ' || c == 0x7f || strchr("<>\"%/\\^|`{}@#?:[]", c) != NULL ||
		    n == HOST_MAX)
			return 0;
		out[n++] = c;
	}
	out[n] = '\0';
	return n;
}

static bool
all_of(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
			return false;
	return s.n > 0;
}

/* 0x7f.1, 017700000001 and 2130706433 are addresses, too. */
static bool
is_number(struct str host)
{
	const char *dot = memrchr(host.p, '.', host.n);
	struct str last = host;

	if (dot != NULL)
		last = (struct str){ dot + 1, (size_t)(host.p + host.n - dot) - 1 };
	if (str_istarts(last, STR("0x")))
		return all_of((struct str){ last.p + 2, last.n - 2 }, "0123456789abcdef");
	return all_of(last, "0123456789");
}

/* [2001:db8::1] */
static struct str
literal_host(struct arena *a, struct str s)
{
	const char *end = memchr(s.p, ']', s.n);
	struct strbuf text = { 0 };
	struct str host = STR_NONE;
	struct ipaddr ip;

	if (end == NULL || ipaddr_parse((struct str){ s.p + 1, (size_t)(end - s.p) - 1 }, &ip) != 0)
		return host;
	ipaddr_print(&ip, &text);
	if (!text.failed)
		host = str_dup(a, strbuf_slice(&text));
	strbuf_free(&text);
	return host;
}

struct str
url_host(struct arena *a, struct str url)
{
	struct str s = authority(url), normal;
	char host[HOST_MAX + 1], text[INET_ADDRSTRLEN];
	struct in_addr ip;
	const char *end;
	size_t n;

	if (s.n == 0)
		return STR_NONE;
	if (s.p[0] == '[')
		return literal_host(a, s);
	if ((end = memchr(s.p, ':', s.n)) != NULL)
		s.n = (size_t)(end - s.p);
	if ((n = plain_host(s, host)) == 0 || !utf8_valid((struct str){ host, n }))
		return STR_NONE;
	while (n > 0 && host[n - 1] == '.')
		host[--n] = '\0';
	normal = n > 0 ? domain_normal(a, (struct str){ host, n }) : STR_NONE;
	/* The mapping leaves nothing of a soft hyphen. */
	while (normal.n > 0 && normal.p[normal.n - 1] == '.')
		normal.n--;
	if (normal.n == 0)
		return STR_NONE;
	/* It makes digits of others', too. */
	if (is_number(normal) && normal.n < sizeof(host)) {
		memcpy(host, normal.p, normal.n);
		host[normal.n] = '\0';
		if (inet_aton(host, &ip) != 0 && inet_ntop(AF_INET, &ip, text, sizeof(text)) != NULL)
			return str_dup(a, str_of(text));
	}
	return normal;
}

struct str
url_domain(const struct suffixes *list, struct arena *a, struct str host)
{
	struct str found;
	struct ipaddr ip;

	if (host.n == 0 || ipaddr_parse(host, &ip) == 0)
		return host;
	found = suffixes_registrable(list, a, host);
	return found.p != NULL ? found : host;
}
