/*
 * spf_macro.c - macros of SPF records and explanations (RFC 7208, 7).
 *
 * libspf2's own expander is where its known holes are, so none of it is used:
 * this file checks macro-strings to the letter and expands them.  Expansion
 * streams octets into a window of fixed size, for a record may ask for
 * thousands of copies of a long local part.
 *
 * What the letters stand for is looked up by spf_gate.c.
 */
#include "spf_macro.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "rules/arena.h"

/*
 * Of a domain-spec so many literals and macros at the end are expanded: more
 * than a name has octets, few enough that a long local part costs little.
 */
#define ITEMS_MAX	300

/* The output.  Of a domain name the end counts, of a text the beginning. */
struct window {
	char	buf[1024];
	size_t	n;
	size_t	max;		/* of a text */
	bool	tail;		/* keep the end */
};

/* "%{" letter digits "r" delimiters "}" */
struct expansion {
	char		letter;		/* in lower case */
	bool		escape;		/* it was in upper case */
	bool		reverse;
	size_t		keep;		/* parts from the right, 0: all */
	struct str	delimiters;
};

static const char delimiters[] = ".-+,/_=";

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_alnum(char c)
{
	return is_digit(c) || is_alpha(c);
}

static bool
has_char(struct str set, char c)
{
	return set.n > 0 && memchr(set.p, c, set.n) != NULL;
}

/*
 * Reads what stands at a '%'.  Returns its length, 0 if it is no
 * macro-expand; x->letter is '\0' for %%, %_ and %-.
 */
static size_t
read_expansion(struct str s, struct expansion *x)
{
	size_t i = 2, from;

	memset(x, 0, sizeof(*x));
	if (s.n < 2)
		return 0;
	if (s.p[1] == '%' || s.p[1] == '_' || s.p[1] == '-')
		return 2;
	if (s.p[1] != '{' || s.n < 4 || !is_alpha(s.p[2]))
		return 0;
	x->letter = s.p[i++];
	if (x->letter <= 'Z') {
		x->letter = (char)(x->letter - 'A' + 'a');
		x->escape = true;
	}
	for (from = i; i < s.n && is_digit(s.p[i]); i++)
		if (x->keep < 100000)
			x->keep = x->keep * 10 + (size_t)(s.p[i] - '0');
	if (i > from && x->keep == 0)
		return 0;	/* 7.1: "The DIGIT MUST be nonzero" */
	if (i < s.n && (s.p[i] == 'r' || s.p[i] == 'R')) {
		x->reverse = true;
		i++;
	}
	for (from = i; i < s.n && s.p[i] != '\0' &&
	    strchr(delimiters, s.p[i]) != NULL; i++)
		;
	x->delimiters = i > from ? (struct str){ s.p + from, i - from } :
	    STR(".");
	return i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

const char *
spf_macro_check(struct str s, enum spf_macro_place place)
{
	struct expansion x;
	size_t i, n;

	for (i = 0; i < s.n; i += n) {
		n = 1;
		if (s.p[i] == ' ' && place == SPF_IN_TEXT)
			continue;
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return "a character that is not visible ASCII";
		if (s.p[i] != '%')
			continue;
		n = read_expansion((struct str){ s.p + i, s.n - i }, &x);
		if (n == 0)
			return "a % that begins no macro";
		if (x.letter == '\0')
			continue;
		if (strchr("slodiphvcrt", x.letter) == NULL)
			return "an unknown macro letter";
		if (place == SPF_IN_TERM && strchr("crt", x.letter) != NULL)
			return "a macro that only explanations may have";
	}
	return NULL;
}

/* toplabel of 7.1: letters, digits, inner hyphens, and not digits alone. */
static bool
is_top_label(struct str s)
{
	bool digits = true;
	size_t i;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		if (!is_digit(s.p[i]))
			digits = false;
	}
	return !digits;
}

const char *
spf_domain_check(struct str s)
{
	struct expansion x;
	const char *wrong;
	size_t i, n, end = 0, dot;

	if (s.n == 0)
		return "an empty domain";
	if ((wrong = spf_macro_check(s, SPF_IN_TERM)) != NULL)
		return wrong;
	for (i = 0; i < s.n; i += n) {
		n = 1;
		if (s.p[i] == '%') {
			n = read_expansion((struct str){ s.p + i, s.n - i },
			    &x);
			end = i + n;
		}
	}
	if (end == s.n)
		return NULL;
	if (s.p[s.n - 1] == '.')
		s.n--;
	for (dot = s.n; dot > end && s.p[dot - 1] != '.'; dot--)
		;
	if (dot == end || !is_top_label((struct str){ s.p + dot, s.n - dot }))
		return "a domain that ends in no macro and no top label";
	return NULL;
}

bool
spf_macro_wants_client(struct str s)
{
	struct expansion x;
	size_t i, n;

	for (i = 0; i < s.n; i += n) {
		n = 1;
		if (s.p[i] != '%')
			continue;
		n = read_expansion((struct str){ s.p + i, s.n - i }, &x);
		if (n == 0)
			return false;
		if (x.letter == 'p')
			return true;
	}
	return false;
}

static void
put(struct window *w, char c)
{
	if (w->n == sizeof(w->buf)) {
		if (!w->tail)
			return;
		memmove(w->buf, w->buf + w->n / 2, w->n - w->n / 2);
		w->n -= w->n / 2;
	}
	w->buf[w->n++] = c;
}

static void
put_str(struct window *w, struct str s, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;
	size_t i;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		/* RFC 3986, 2.3: the unreserved characters */
		if (!escape || is_alnum((char)c) ||
		    (c != '\0' && strchr("-._~", c) != NULL)) {
			put(w, (char)c);
			continue;
		}
		put(w, '%');
		put(w, hex[c >> 4]);
		put(w, hex[c & 15]);
	}
}

/* Splits at delimiters, reverses, takes parts from the right, joins by dots. */
static void
put_parts(struct window *w, struct str v, const struct expansion *x)
{
	size_t parts = 1, skip, i, from, end, k;

	for (i = 0; i < v.n; i++)
		parts += has_char(x->delimiters, v.p[i]);
	skip = x->keep > 0 && x->keep < parts ? parts - x->keep : 0;
	if (!x->reverse) {
		for (i = from = k = 0; i <= v.n; i++) {
			if (i < v.n && !has_char(x->delimiters, v.p[i]))
				continue;
			if (k++ >= skip) {
				put_str(w, (struct str){ v.p + from, i - from },
				    x->escape);
				if (i < v.n)
					put(w, '.');
			}
			from = i + 1;
		}
		return;
	}
	for (end = i = v.n, k = 0; ; i--) {
		if (i > 0 && !has_char(x->delimiters, v.p[i - 1]))
			continue;
		if (k++ >= skip) {
			put_str(w, (struct str){ v.p + i, end - i }, x->escape);
			if (i > 0)
				put(w, '.');
		}
		if (i == 0)
			break;
		end = i - 1;
	}
}

/* i: dotted octets, or dotted nibbles (7.3). */
static struct str
dotted_address(const struct ipaddr *ip, char buf[64])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, n = 0;

	if (ipaddr_is_v4(ip)) {
		inet_ntop(AF_INET, ip->b + 12, buf, 64);
		return str_of(buf);
	}
	for (i = 0; i < 16; i++) {
		buf[n++] = hex[ip->b[i] >> 4];
		buf[n++] = '.';
		buf[n++] = hex[ip->b[i] & 15];
		buf[n++] = '.';
	}
	return (struct str){ buf, n - 1 };
}

static struct str
value_of(char letter, const struct spf_macro_env *env, char buf[64])
{
	bool v4 = ipaddr_is_v4(&env->ip);

	switch (letter) {
	case 's':
		return env->sender;
	case 'l':
		return env->local;
	case 'o':
		return env->sender_domain;
	case 'd':
		return env->domain;
	case 'h':
		return env->helo;
	case 'p':
		return env->client.n > 0 ? env->client : STR("unknown");
	case 'r':
		return env->receiver.n > 0 ? env->receiver : STR("unknown");
	case 'v':
		return v4 ? STR("in-addr") : STR("ip6");
	case 'i':
		return dotted_address(&env->ip, buf);
	case 'c':
		inet_ntop(v4 ? AF_INET : AF_INET6, env->ip.b + (v4 ? 12 : 0),
		    buf, 64);
		return str_of(buf);
	case 't':
		snprintf(buf, 64, "%lld", (long long)env->now);
		return str_of(buf);
	default:
		return STR("");
	}
}

static void
expand(struct window *w, struct str s, const struct spf_macro_env *env)
{
	struct expansion x;
	char buf[64];
	size_t i, n;

	for (i = 0; i < s.n && (w->tail || w->n < w->max); i += n) {
		n = 1;
		if (s.p[i] != '%' || (n = read_expansion(
		    (struct str){ s.p + i, s.n - i }, &x)) == 0) {
			put(w, s.p[i]);
			n = 1;
		} else if (x.letter != '\0') {
			put_parts(w, value_of(x.letter, env, buf), &x);
		} else if (s.p[i + 1] == '-') {
			put_str(w, STR("%20"), false);
		} else {
			put(w, s.p[i + 1] == '_' ? ' ' : '%');
		}
	}
}

/* The length of the literal or macro that s begins with. */
static size_t
item_length(struct str s)
{
	struct expansion x;
	size_t n = s.p[0] == '%' ? read_expansion(s, &x) : 1;

	return n > 0 ? n : 1;
}

static struct str
last_items(struct str s)
{
	struct str rest = s;
	size_t n, items = 0;

	for (; rest.n > 0; items++) {
		n = item_length(rest);
		rest = (struct str){ rest.p + n, rest.n - n };
	}
	for (; items > ITEMS_MAX; items--) {
		n = item_length(s);
		s = (struct str){ s.p + n, s.n - n };
	}
	return s;
}

struct str
spf_macro_domain(struct arena *a, struct str spec,
    const struct spf_macro_env *env)
{
	struct window w = { .tail = true };
	struct str d;
	const char *dot;

	expand(&w, last_items(spec), env);
	d = (struct str){ w.buf, w.n };
	if (d.n > 0 && d.p[d.n - 1] == '.')
		d.n--;
	while (d.n > SPF_NAME_MAX && (dot = memchr(d.p, '.', d.n)) != NULL) {
		d.n -= (size_t)(dot + 1 - d.p);
		d.p = dot + 1;
	}
	return str_dup(a, d);
}

struct str
spf_macro_text(struct arena *a, struct str text,
    const struct spf_macro_env *env, size_t max)
{
	struct window w = { .tail = false };
	size_t i;

	w.max = max < sizeof(w.buf) ? max : sizeof(w.buf);
	expand(&w, text, env);
	if (w.n > w.max)
		w.n = w.max;
	for (i = 0; i < w.n; i++)
		if (w.buf[i] < 0x20 || w.buf[i] > 0x7e)
			w.buf[i] = '?';
	return str_dup(a, (struct str){ w.buf, w.n });
}
