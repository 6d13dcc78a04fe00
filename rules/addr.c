/*
 * addr.c - IP addresses, networks, domain names and mail addresses.
 *
 * All of them come from strangers as text, so each is brought to one form
 * once, and is then compared by octets: IPv4 as IPv4-mapped IPv6, domains in
 * lower case and as A-labels, local parts without their quotes.
 *
 * Which literals a rules file may hold is types.c's; addresses in header
 * fields, with their comments and groups, are taken apart elsewhere.
 */
#include "types.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "arena.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* Longest label that is handed to IDNA, in octets of UTF-8: 63 characters. */
#define LABEL_MAX	252
/* Nothing is seen of these, though IDNA takes them for letters or symbols. */
static const char *const unseen[] = {
	"\xe2\xa0\x80",		/* U+2800, a Braille pattern without dots */
	"\xf0\x96\xbf\xa4",	/* U+16FE4, a filler of Khitan */
	"\xf0\x9d\x85\x99",	/* U+1D159, a note without a head */
};
#define NAME_OCTETS	"abcdefghijklmnopqrstuvwxyz0123456789-_."

/* ---- IP ---- */

int
ipaddr_parse(struct str s, struct ipaddr *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (str_istarts(s, STR("IPv6:"))) {
		s.p += 5;
		s.n -= 5;
		if (memchr(s.p, ':', s.n) == NULL)
			return -1;
	}
	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, ip->b + 12) == 1) {
		memcpy(ip->b, mapped, sizeof(mapped));
		return 0;
	}
	return inet_pton(AF_INET6, text, ip->b) == 1 ? 0 : -1;
}

void
ipaddr_print(const struct ipaddr *ip, struct strbuf *out)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = ipaddr_is_v4(ip);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip->b + 12 : ip->b, text,
	    sizeof(text)) != NULL)
		strbuf_puts(out, text);
}

bool
ipaddr_is_v4(const struct ipaddr *ip)
{
	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

void
ipnet_clear(struct ipnet *net)
{
	for (unsigned i = net->bits; i < 128; i++)
		net->addr.b[i / 8] &= (uint8_t)~(0x80u >> i % 8);
}

bool
ipnet_has(const struct ipnet *net, const struct ipaddr *ip)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (net->bits < IPNET_V4_BITS && ipaddr_is_v4(ip))
		return false;
	if (memcmp(net->addr.b, ip->b, whole) != 0)
		return false;
	return rest == 0 ||
	    (net->addr.b[whole] ^ ip->b[whole]) >> (8 - rest) == 0;
}

/* ---- Domains ---- */

static bool
is_ascii(struct str s)
{
	return utf8_ascii_run(s) == s.n;
}

/*
 * One label as IDNA 2008 writes it in the DNS, after UTS 46's mapping (which
 * folds case); false if it is none.
 */
static bool
label_to_ascii(struct str label, struct strbuf *out)
{
	uint8_t text[LABEL_MAX + 1], *ascii = NULL;
	bool name;

	if (label.n > LABEL_MAX || memchr(label.p, '\0', label.n) != NULL)
		return false;
	memcpy(text, label.p, label.n);
	text[label.n] = '\0';
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (strstr((const char *)text, unseen[i]) != NULL)
			return false;
	/* Browsers ask for names with symbols, too, which IDNA 2008 doesn't have: only the second
	   way lets those pass. */
	if (idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK &&
	    idn2_lookup_u8(text, &ascii, IDN2_TRANSITIONAL) != IDN2_OK)
		return false;
	/*
	 * The mapping makes a blank, a slash or a bracket of wider ones; libidn2's
	 * own test for that (IDN2_USE_STD3_ASCII_RULES) drops them.
	 */
	name = ascii[strspn((const char *)ascii, NAME_OCTETS)] == '\0';
	if (name)
		strbuf_puts(out, (const char *)ascii);
	idn2_free(ascii);
	return name;
}

struct str
domain_normal(struct arena *a, struct str s)
{
	struct strbuf out = { 0 };
	struct str label, normal;
	const char *dot;

	if (s.n > 1 && s.p[s.n - 1] == '.')
		s.n--;
	if (is_ascii(s))
		return str_lower(a, s);
	for (;;) {
		dot = s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
		label.p = s.p;
		label.n = dot != NULL ? (size_t)(dot - s.p) : s.n;
		if (is_ascii(label) || !label_to_ascii(label, &out))
			strbuf_str(&out, label);
		if (dot == NULL)
			break;
		strbuf_putc(&out, '.');
		s.n -= label.n + 1;
		s.p += label.n + 1;
	}
	normal = out.failed ? STR_NONE : str_lower(a, strbuf_slice(&out));
	strbuf_free(&out);
	return normal;
}

bool
domain_matches(struct str entry, struct str domain)
{
	if (entry.n > 0 && entry.p[0] == '.')
		return domain.n > entry.n && str_iends(domain, entry);
	return str_ieq(entry, domain);
}

/* ---- Mail addresses ---- */

/* Offset of the last c outside quotes, or -1. */
static ptrdiff_t
find_last(struct str s, char c)
{
	ptrdiff_t at = -1;
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == c && !quoted)
			at = (ptrdiff_t)i;
	}
	/* A quote that is never closed quotes nothing. */
	if (quoted) {
		const char *p = memrchr(s.p, c, s.n);

		return p != NULL ? p - s.p : -1;
	}
	return at;
}

/* The local part without quotes and what they escape. */
static struct str
unquote(struct arena *a, struct str s)
{
	bool quoted = false;
	size_t n = 0;
	char *p;

	if (s.n == 0 || memchr(s.p, '"', s.n) == NULL)
		return str_dup(a, s);
	if ((p = arena_alloc(a, s.n + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else {
			if (s.p[i] == '\\' && quoted && i + 1 < s.n)
				i++;
			p[n++] = s.p[i];
		}
	}
	return (struct str){ p, n };
}

/* RFC 5321, 4.1.1.3: a source route is to be ignored: @relay,@relay:user@host */
static struct str
skip_route(struct str s)
{
	const char *colon;

	if (s.n > 0 && s.p[0] == '@' &&
	    (colon = memchr(s.p, ':', s.n)) != NULL &&
	    memchr(colon, '@', s.n - (size_t)(colon - s.p)) != NULL) {
		s.n -= (size_t)(colon + 1 - s.p);
		s.p = colon + 1;
	}
	return s;
}

/* Where blanks and comments beside mean nothing (RFC 5322, 3.4). */
static bool
is_special(char c)
{
	return memchr("@.:,<>", c, 6) != NULL;
}

static bool
may_hold_comments(struct str s)
{
	return s.n > 0 && (memchr(s.p, '(', s.n) != NULL || memchr(s.p, ' ', s.n) != NULL ||
	    memchr(s.p, '\t', s.n) != NULL);
}

/*
 * Without comments and blanks that mean nothing; a comment that is never closed ends the path.
 * In place, since a path may have hundreds of layers.
 */
static struct str
drop_comments(struct str s)
{
	bool quoted = false, blank = false;
	size_t n = 0;
	int depth = 0;
	char *p;

	s = str_trim(s);
	if (!may_hold_comments(s))
		return s;
	p = (char *)(uintptr_t)s.p;	/* of a copy of ours */
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!quoted && (depth > 0 || c == '(' || c == ' ' || c == '\t')) {
			i += depth > 0 && c == '\\';
			depth += (c == '(') - (c == ')' && depth > 0);
			blank = true;
			continue;
		}
		if (blank && n > 0 && !is_special(p[n - 1]) && !is_special(c))
			p[n++] = ' ';
		blank = false;
		p[n++] = c;
		if (c == '\\' && i + 1 < s.n)
			p[n++] = s.p[++i];
		else if (c == '"')
			quoted = !quoted;
	}
	return (struct str){ p, n };
}

/* Behind the colon of a route, wherever in it there are literals with colons. */
static struct str
after_route(struct str s)
{
	bool quoted = false, literal = false;

	if (s.n == 0 || s.p[0] != '@')
		return s;
	for (size_t i = 1; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\')
			i++;
		else if (c == '"' && !literal)
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == ']'))
			literal = c == '[';
		else if (c == ':' && !quoted && !literal)
			return (struct str){ s.p + i + 1, s.n - i - 1 };
	}
	return s;
}

/* Takes a layer off a path whose octets may be written over. */
static bool
unwrap(struct str *path)
{
	struct str s = drop_comments(*path), rest;
	const char *end;
	ptrdiff_t at;
	bool more;

	if ((at = find_last(s, '<')) >= 0 &&
	    (end = memchr(s.p + at, '>', s.n - (size_t)at)) != NULL) {
		s.p += at + 1;
		s.n = (size_t)(end - s.p);
		s = str_trim(s);
	} else if ((rest = str_trim(after_route(s))).n > 0)
		s = rest;
	more = s.n != path->n;
	*path = s;
	return more;
}

bool
path_unwrap(struct arena *a, struct str *path)
{
	if (may_hold_comments(*path))
		*path = str_dup(a, *path);
	return unwrap(path);
}

struct str
path_address(struct arena *a, struct str path)
{
	path = str_dup(a, path);
	while (unwrap(&path))
		;
	return path;
}

static struct str
join(struct arena *a, struct str local, struct str domain)
{
	char *p;

	if ((p = arena_alloc(a, local.n + domain.n + 2)) == NULL)
		return STR_NONE;
	if (local.n > 0)
		memcpy(p, local.p, local.n);
	p[local.n] = '@';
	if (domain.n > 0)
		memcpy(p + local.n + 1, domain.p, domain.n);
	return (struct str){ p, local.n + 1 + domain.n };
}

struct mailbox
mailbox_parse(struct arena *a, struct str s)
{
	struct mailbox mb = { .text = STR(""), .local = STR(""), .domain = STR("") };
	struct str local;
	ptrdiff_t at;

	s = str_trim(s);
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>') {
		s.p++;
		s.n -= 2;
		s = str_trim(s);
	}
	s = skip_route(s);
	if (s.n == 0)
		return mb;
	if ((at = find_last(s, '@')) < 0) {
		mb.text = str_dup(a, s);
		mb.local = unquote(a, s);
		return mb;
	}
	local = (struct str){ s.p, (size_t)at };
	mb.domain = domain_normal(a,
	    (struct str){ s.p + at + 1, s.n - (size_t)at - 1 });
	mb.local = unquote(a, local);
	mb.text = join(a, local, mb.domain);
	return mb;
}
