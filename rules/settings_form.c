/*
 * settings_form.c - the forms that values of settings have.
 *
 * A value that the program will trip over at start or, worse, when a message
 * comes, is refused where it is written: an authserv-id that is no token
 * would spoil every header field that it is put into.
 */
#include "settings_form.h"

#include <string.h>

#include "ast.h"
#include "diag.h"
#include "types.h"

#define WORDS_MAX	16
#define UNIX_PATH_MAX	107

/* Are all octets letters, digits or among `others`? */
static bool
only(struct str s, const char *others)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alnum(s.p[i]) && (s.p[i] == '\0' ||
		    strchr(others, s.p[i]) == NULL))
			return false;
	return true;
}

int
settings_word(const char *setting, const char *takes, struct str s, struct strbuf *why)
{
	struct str words[WORDS_MAX], near;
	const char *p = takes;
	size_t n = 0, len;

	while (*p != '\0' && n < WORDS_MAX) {
		len = strcspn(p, " ");
		words[n] = (struct str){ p, len };
		if (str_eq(words[n], s))
			return (int)n;
		n++;
		p += len + strspn(p + len, " ");
	}
	near = diag_nearest(s, words, n);
	strbuf_printf(why, "'%s' can't be '" STR_FMT "'", setting, STR_ARG(s));
	if (near.p != NULL) {
		strbuf_printf(why, "; did you mean '" STR_FMT "'?",
		    STR_ARG(near));
		return -1;
	}
	strbuf_puts(why, "; it is");
	for (size_t i = 0; i < n; i++)
		strbuf_printf(why, "%s " STR_FMT, i == 0 ? "" :
		    i + 1 < n ? "," : " or", STR_ARG(words[i]));
	return -1;
}

static bool
all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

static bool
is_port(struct str s)
{
	unsigned port = 0;

	if (!all_digits(s) || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++)
		port = port * 10 + (unsigned)(s.p[i] - '0');
	return port > 0 && port <= 65535;
}

/* The parts before and behind the last c; behind.p is NULL without one. */
static void
split_last(struct str s, char c, struct str *before, struct str *behind)
{
	size_t i = s.n;

	while (i > 0 && s.p[i - 1] != c)
		i--;
	*before = (struct str){ s.p, i > 0 ? i - 1 : s.n };
	*behind = i > 0 ? (struct str){ s.p + i, s.n - i } : STR_NONE;
}

static bool
is_ip(struct str s, bool v4)
{
	struct ipaddr ip;

	if (!v4 && s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = (struct str){ s.p + 1, s.n - 2 };
	return str_ieq(s, STR("localhost")) ||
	    (ipaddr_parse(s, &ip) == 0 && ipaddr_is_v4(&ip) == v4);
}

/* PORT[@ADDRESS] */
static int
inet_place(struct str place, bool v4, struct strbuf *why)
{
	const char *form = v4 ? "inet:PORT@ADDRESS, like inet:8891@127.0.0.1" :
	    "inet6:PORT@ADDRESS, like inet6:8891@::1";
	struct str port, host;

	split_last(place, '@', &port, &host);
	if (is_port(port) && (host.p == NULL || is_ip(host, v4)))
		return 0;
	if (host.p == NULL && str_find(place, STR(":")) >= 0) {
		/* Postfix writes it that way round. */
		split_last(place, ':', &host, &port);
		if (is_port(port) && is_ip(host, v4)) {
			strbuf_printf(why, "the port comes first: inet%s:"
			    STR_FMT "@" STR_FMT, v4 ? "" : "6", STR_ARG(port),
			    STR_ARG(host));
			return -1;
		}
	}
	if (is_port(port) && host.n > 0 && is_ip(host, !v4))
		strbuf_printf(why, "this address belongs to inet%s:",
		    v4 ? "6" : "");
	else if (is_port(port))
		strbuf_printf(why, "'" STR_FMT "' is no IPv%s address; write %s",
		    STR_ARG(host), v4 ? "4" : "6", form);
	else
		strbuf_printf(why, "the port is a number from 1 to 65535; "
		    "write %s", form);
	return -1;
}

static int
unix_place(struct str path, struct strbuf *why)
{
	if (path.n == 0 || path.p[0] != '/')
		strbuf_puts(why, "the path of a socket begins with /, like "
		    "unix:/run/postern/postern.sock");
	else if (path.n > UNIX_PATH_MAX)
		strbuf_printf(why, "the path of a socket has at most %d "
		    "octets, this one %zu", UNIX_PATH_MAX, path.n);
	else
		return 0;
	return -1;
}

static int
form_socket(struct arena *a, struct str s, struct str *text,
    struct strbuf *why)
{
	ptrdiff_t colon = str_find(s, STR(":"));
	struct str kind = { s.p, colon >= 0 ? (size_t)colon : 0 };
	struct str place = { s.p + kind.n + 1, s.n - kind.n - (colon >= 0) };

	if (str_eq(kind, STR("unix")))
		return unix_place(place, why);
	if (str_eq(kind, STR("local"))) {
		*text = str_printf(a, "unix:" STR_FMT, STR_ARG(place));
		return unix_place(place, why);
	}
	if (str_eq(kind, STR("inet")) || str_eq(kind, STR("inet6")))
		return inet_place(place, kind.n == 4, why);
	if (str_eq(kind, STR("fd"))) {
		if (all_digits(place) && place.n <= 4)
			return 0;
		strbuf_puts(why, "after fd: stands the number of a "
		    "descriptor, like fd:3");
		return -1;
	}
	if (s.n > 0 && s.p[0] == '/')
		strbuf_printf(why, "a unix socket is written unix:" STR_FMT,
		    STR_ARG(s));
	else
		strbuf_puts(why, "a socket is unix:PATH, inet:PORT@ADDRESS, "
		    "inet6:PORT@ADDRESS or fd:N");
	return -1;
}

static int
form_name(struct str s, struct strbuf *why)
{
	if (s.n > 0 && s.n <= 64 && only(s, "_.-") && s.p[0] != '-')
		return 0;
	strbuf_puts(why, "a name has letters, digits, _, - and .");
	return -1;
}

static int
form_directory(struct str s, struct strbuf *why)
{
	if (s.n > 0 && s.p[0] == '/')
		return 0;
	strbuf_puts(why, "the path of this directory begins with /");
	return -1;
}

static int
form_file(struct str s, struct strbuf *why)
{
	if (s.n > 0 && s.p[0] == '/')
		return 0;
	strbuf_puts(why, "the path of this file begins with /");
	return -1;
}

/* RFC 8601, 2.5: a value of RFC 2045; what a quoted one could hold nobody needs. */
static int
form_token(struct str s, struct strbuf *why)
{
	if (s.n > 0 && s.n <= 255 && only(s, "!#$%&'*+-.^_`{|}~"))
		return 0;
	strbuf_puts(why, "an authserv-id is one word, mostly a host name, "
	    "like mx1.example.org (RFC 8601, 2.5)");
	return -1;
}

static int
form_methods(const struct operand *first, const struct operand *value,
    struct strbuf *why)
{
	struct str s = value->text;
	const struct operand *o;

	if (settings_word("authentication-results", "auto off spf dkim dmarc arc iprev auth", s, why) == -1)
		return -1;
	if ((str_eq(s, STR("auto")) || str_eq(s, STR("off"))) &&
	    (first != value || value->next != NULL)) {
		strbuf_printf(why, "'" STR_FMT "' stands alone", STR_ARG(s));
		return -1;
	}
	for (o = first; o != value; o = o->next)
		if (str_eq(o->text, s)) {
			strbuf_printf(why, "'" STR_FMT "' is named twice",
			    STR_ARG(s));
			return -1;
		}
	return 0;
}

static int
form_delimiter(struct str s, struct strbuf *why)
{
	if (s.n == 0 || (s.n == 1 && s.p[0] > ' ' && s.p[0] < 0x7f &&
	    !char_is_alnum(s.p[0]) && strchr("@\"\\<>", s.p[0]) == NULL))
		return 0;
	strbuf_puts(why, "the delimiter is one character like + or -, or \"\" "
	    "for none");
	return -1;
}

int
settings_form_server(struct str s, struct strbuf *why)
{
	struct str address, port;
	struct ipaddr ip;

	split_last(s, '@', &address, &port);
	if (ipaddr_parse(address, &ip) == 0 && (port.p == NULL ||
	    is_port(port)))
		return 0;
	strbuf_puts(why, "a name server is ADDRESS or ADDRESS@PORT, like "
	    "127.0.0.1@53");
	return -1;
}

/* [[USER]:PASSWORD@] and unix:PATH[/DB] or HOST[:PORT][/DB] */
static bool
is_redis(struct str s)
{
	struct str db = STR("0"), user, host, name, port = STR_NONE;
	ptrdiff_t slash;

	split_last(s, '@', &user, &host);
	if (host.p != NULL)
		s = host;
	if (str_istarts(s, STR("unix:/")))
		return s.n > 6 && s.n - 5 <= UNIX_PATH_MAX && s.p[s.n - 1] != '/';
	if ((slash = str_find(s, STR("/"))) >= 0) {
		db = (struct str){ s.p + slash + 1, s.n - (size_t)slash - 1 };
		s.n = (size_t)slash;
	}
	name = host = s;
	if (host.n > 0 && host.p[host.n - 1] != ']')
		split_last(host, ':', &name, &port);
	if (!all_digits(db) || db.n > 5 || (port.p != NULL && !is_port(port)))
		return false;
	if (name.n > 2 && name.p[0] == '[')
		return is_ip(name, false);
	return name.n > 0 && name.n <= 253 && only(name, ".-_");
}

static int
form_store(struct str s, struct strbuf *why)
{
	if (str_eq(s, STR("memory")))
		return 0;
	if (str_istarts(s, STR("lmdb:"))) {
		if (s.n > 6 && s.p[5] == '/' && s.n < 4096)
			return 0;
		strbuf_puts(why, "the path of this file begins with /, like "
		    "lmdb:/var/lib/postern/store");
		return -1;
	}
	if (str_istarts(s, STR("redis://"))) {
		if (is_redis((struct str){ s.p + 8, s.n - 8 }))
			return 0;
		strbuf_puts(why, "a Redis server is redis://ADDRESS:PORT/DB, like "
		    "redis://127.0.0.1:6379/0, or redis://unix:/PATH/DB; with a password "
		    "redis://USER:PASSWORD@ADDRESS:PORT/DB");
		return -1;
	}
	if (str_istarts(s, STR("rediss://"))) {
		strbuf_puts(why, "Redis isn't asked by TLS: let a tunnel (stunnel) do that, "
		    "and name its end here by redis://");
		return -1;
	}
	strbuf_puts(why, "a store is lmdb:FILE, redis://ADDRESS:PORT/DB or memory");
	return -1;
}

int
settings_form(const char *form, const struct operand *first,
    const struct operand *value, struct arena *a, struct str *text,
    struct strbuf *why)
{
	struct str s = value->text;

	*text = s;
	if (memchr(s.p, '\n', s.n) != NULL) {
		strbuf_puts(why, "a value is of one line");
		return -1;
	}
	if (strcmp(form, "socket") == 0)
		return form_socket(a, s, text, why);
	if (strcmp(form, "name") == 0)
		return form_name(s, why);
	if (strcmp(form, "directory") == 0)
		return form_directory(s, why);
	if (strcmp(form, "file") == 0)
		return form_file(s, why);
	if (strcmp(form, "mmdb") == 0)
		return form_file(s, why) == 0 ? settings_form_mmdb(s, why) : -1;
	if (strcmp(form, "zone") == 0)
		return settings_form_zone(s, why);
	if (strcmp(form, "token") == 0)
		return form_token(s, why);
	if (strcmp(form, "methods") == 0)
		return form_methods(first, value, why);
	if (strcmp(form, "delimiter") == 0)
		return form_delimiter(s, why);
	if (strcmp(form, "store") == 0)
		return form_store(s, why);
	return settings_form_server(s, why);
}
