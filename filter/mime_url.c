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

#define URL_MAX		2048	/* octets of one found in text */
#define HOST_MAX	255

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* ---- In text ---- */

/* RFC 3986's characters, and those above ASCII that people write. */
static bool
is_url_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("<>\"`{}|^", c) == NULL;
}

/* Octets of a URL's character at the front of s; 0: there ends the URL. */
static size_t
url_char(struct str s)
{
	size_t n;

	if (!is_url_char(s.p[0]))
		return 0;
	if ((unsigned char)s.p[0] < 0x80 || utf8_len(s) == 0)
		return 1;
	return html_kind(utf8_decode(s, &n)) == HTML_BLANK ? 0 : n;
}

/* Punctuation that ends a sentence, and a bracket that was opened before. */
static struct str
without_tail(struct str s)
{
	while (s.n > 0) {
		char c = s.p[s.n - 1];

		if (c == ')' || c == ']') {
			char open = c == ')' ? '(' : '[';
			ptrdiff_t level = 0;

			for (size_t i = 0; i < s.n; i++)
				level += s.p[i] == open ? 1 : s.p[i] == c ? -1 : 0;
			if (level >= 0)
				break;
		} else if (strchr(".,;:!?'*_", c) == NULL)
			break;
		s.n--;
	}
	return s;
}

/* Where a URL begins whose "://" or "www." is at `at`; -1 if none does. */
static ptrdiff_t
begins_at(struct str text, size_t at, size_t from)
{
	static const char *const schemes[] = { "https", "http", "ftp" };

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

void
url_scan(struct str text, void (*found)(void *arg, struct str url), void *arg)
{
	size_t i = 0, done = 0;

	while (i + 4 <= text.n) {
		ptrdiff_t begin;
		struct str url;
		size_t end, n;

		if ((text.p[i] != ':' && (text.p[i] | 0x20) != 'w') || !is_mark(text, i) ||
		    (begin = begins_at(text, i, done)) < 0) {
			i++;
			continue;
		}
		for (end = i; end < text.n; end += n)
			if ((n = url_char((struct str){ text.p + end, text.n - end })) == 0)
				break;
		url = (struct str){ text.p + begin, end - (size_t)begin };
		if (url.n > URL_MAX)
			url.n = URL_MAX;
		url = without_tail(url);
		if (url.n > i - (size_t)begin + 4)
			found(arg, url);
		i = done = end;
	}
}

/* ---- Hosts ---- */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Octets of "scheme:", or 0. */
static size_t
scheme_len(struct str s)
{
	size_t i = 0;

	while (i < s.n && (is_alnum(s.p[i]) || (i > 0 && strchr("+-.", s.p[i]) != NULL && s.p[i] != '\0')))
		i++;
	return i > 0 && i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

static bool
is_slash(char c)
{
	return c == '/' || c == '\\';
}

/* What stands where the host does, its user name gone; p NULL for a URL without one. */
static struct str
authority(struct str s)
{
	struct str scheme = { s.p, scheme_len(s) };
	size_t from = scheme.n, end;
	bool mail = str_ieq(scheme, STR("mailto:"));

	if (!mail && scheme.n > 0 && !str_ieq(scheme, STR("http:")) &&
	    !str_ieq(scheme, STR("https:")) && !str_ieq(scheme, STR("ftp:")))
		return STR_NONE;
	if (scheme.n == 0 && !str_istarts(s, STR("www.")) &&
	    (s.n < 2 || !is_slash(s.p[0]) || !is_slash(s.p[1])))
		return STR_NONE;
	/* Browsers take any number of slashes, of either kind. */
	while (from < s.n && is_slash(s.p[from]))
		from++;
	for (end = from; end < s.n && !is_slash(s.p[end]) && s.p[end] != '?' && s.p[end] != '#' &&
	    !(mail && s.p[end] == ','); end++)
		;
	for (size_t i = end; i > from; i--)
		if (s.p[i - 1] == '@')
			return (struct str){ s.p + i, end - i };
	return mail ? STR_NONE : (struct str){ s.p + from, end - from };
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

		if (c == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
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

/* 0x7f.1, 017700000001 and 2130706433 are addresses, too. */
static bool
is_number(const char *host, size_t n)
{
	const char *last = memrchr(host, '.', n);

	last = last != NULL ? last + 1 : host;
	if (*last == '\0')
		return false;
	if (last[0] == '0' && (last[1] | 0x20) == 'x')
		return strspn(last + 2, "0123456789abcdefABCDEF") == strlen(last + 2);
	return strspn(last, "0123456789") == strlen(last);
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
	struct str s = authority(url);
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
	if (n == 0)
		return STR_NONE;
	if (is_number(host, n) && inet_aton(host, &ip) != 0 &&
	    inet_ntop(AF_INET, &ip, text, sizeof(text)) != NULL)
		return str_dup(a, str_of(text));
	return domain_normal(a, (struct str){ host, n });
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
