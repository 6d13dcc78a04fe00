/*
 * spf_record.c - SPF records read strictly (RFC 7208, 4.5, 4.6, 5, 6, 12).
 *
 * A syntax error anywhere in a record is a permerror (4.6), so a record is
 * read twice: once to its end by spf_record_read(), then term by term.  Terms
 * are never collected; a record of 64 KB costs time in proportion, no memory.
 *
 * Macro-strings are spf_macro.c's business.
 */
#include "spf_record.h"

#include <arpa/inet.h>
#include <string.h>

#include "spf_macro.h"

static const struct {
	const char	*name;
	enum spf_kind	 kind;
	bool		 domain;	/* takes ":" domain-spec */
	bool		 must;		/* and needs it */
	bool		 cidr;		/* dual-cidr-length */
} mechanisms[] = {
	{ "all",	SPF_ALL,	false,	false,	false },
	{ "include",	SPF_INCLUDE,	true,	true,	false },
	{ "a",		SPF_A,		true,	false,	true },
	{ "mx",		SPF_MX,		true,	false,	true },
	{ "ptr",	SPF_PTR,	true,	false,	false },
	{ "ip4",	SPF_IP4,	false,	false,	false },
	{ "ip6",	SPF_IP6,	false,	false,	false },
	{ "exists",	SPF_EXISTS,	true,	true,	false },
};
#define NMECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

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

static struct str
skip(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.n - n };
}

bool
spf_record_is(struct str txt)
{
	return str_istarts(txt, STR("v=spf1")) &&
	    (txt.n == 6 || txt.p[6] == ' ');
}

/*
 * Takes "/" number off the end of *s.  Returns 1 with the number, 0 where
 * there is none, -1 where it is above max or has a leading zero.
 */
static int
cut_cidr(struct str *s, unsigned max, uint8_t *bits)
{
	size_t i = s->n, from;
	unsigned v = 0;

	while (i > 0 && is_digit(s->p[i - 1]))
		i--;
	if (i == 0 || i == s->n || s->p[i - 1] != '/')
		return 0;
	from = i;
	if (s->p[from] == '0' && s->n - from > 1)
		return -1;
	for (; i < s->n; i++)
		if ((v = v * 10 + (unsigned)(s->p[i] - '0')) > max)
			return -1;
	*bits = (uint8_t)v;
	s->n = from - 1;
	return 1;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ] */
static const char *
cut_dual_cidr(struct str *s, struct spf_term *t)
{
	static const char wrong[] = "a wrong prefix length";
	struct str before = *s;
	uint8_t bits = 0;

	switch (cut_cidr(&before, 128, &bits)) {
	case -1:
		return wrong;
	case 0:
		return NULL;
	}
	if (before.n > 0 && before.p[before.n - 1] == '/') {
		t->bits6 = bits;
		before.n--;
		if (cut_cidr(&before, 32, &t->bits4) < 0)
			return wrong;
	} else {
		if (bits > 32)
			return wrong;
		t->bits4 = bits;
	}
	*s = before;
	return NULL;
}

/* ip4-network = qnum "." qnum "." qnum "." qnum, without leading zeros. */
static bool
read_ip4(struct str s, struct ipaddr *ip)
{
	unsigned v;
	size_t i = 0, from;
	int k;

	memset(ip->b, 0, 10);
	ip->b[10] = ip->b[11] = 0xff;
	for (k = 0; k < 4; k++) {
		if (k > 0 && (i >= s.n || s.p[i++] != '.'))
			return false;
		for (from = i, v = 0; i < s.n && is_digit(s.p[i]); i++)
			if ((v = v * 10 + (unsigned)(s.p[i] - '0')) > 255)
				return false;
		if (i == from || (s.p[from] == '0' && i - from > 1))
			return false;
		ip->b[12 + k] = (uint8_t)v;
	}
	return i == s.n;
}

static bool
read_ip6(struct str s, struct ipaddr *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET6, text, ip->b) == 1;
}

static const char *
read_network(struct spf_term *t, struct str arg)
{
	bool v4 = t->kind == SPF_IP4;

	if (arg.n == 0 || arg.p[0] != ':')
		return "an address is missing";
	arg = skip(arg, 1);
	if (cut_cidr(&arg, v4 ? 32 : 128, v4 ? &t->bits4 : &t->bits6) < 0)
		return "a wrong prefix length";
	if (v4 ? !read_ip4(arg, &t->ip) : !read_ip6(arg, &t->ip))
		return v4 ? "no IPv4 network" : "no IPv6 network";
	return NULL;
}

/* arg is what follows the name. */
static const char *
read_mechanism(struct spf_term *t, struct str name, struct str arg)
{
	const char *wrong;
	size_t i;

	for (i = 0; i < NMECHANISMS; i++)
		if (str_ieq(name, str_of(mechanisms[i].name)))
			break;
	if (i == NMECHANISMS)
		return "an unknown mechanism";
	t->kind = mechanisms[i].kind;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return read_network(t, arg);
	if (mechanisms[i].cidr && (wrong = cut_dual_cidr(&arg, t)) != NULL)
		return wrong;
	if (arg.n == 0)
		return mechanisms[i].must ? "a domain is missing" : NULL;
	if (arg.p[0] != ':' || !mechanisms[i].domain)
		return "an argument that this mechanism does not take";
	t->spec = skip(arg, 1);
	return spf_domain_check(t->spec);
}

static const char *
read_modifier(struct spf_term *t, struct str name, struct str value)
{
	t->spec = value;
	if (str_ieq(name, STR("redirect")))
		t->kind = SPF_REDIRECT;
	else if (str_ieq(name, STR("exp")))
		t->kind = SPF_EXP;
	else {
		t->kind = SPF_UNKNOWN_MODIFIER;
		return spf_macro_check(value, SPF_IN_TERM);
	}
	return spf_domain_check(value);
}

/* A term is a modifier if "=" follows its name, before any ":" or "/" (4.6.1). */
static const char *
read_term(struct spf_term *t)
{
	struct str s = t->text;
	size_t n = 0;

	if (s.p[0] == '+' || s.p[0] == '-' || s.p[0] == '~' || s.p[0] == '?') {
		t->qualifier = s.p[0];
		s = skip(s, 1);
	}
	if (s.n == 0 || !is_alpha(s.p[0]))
		return "a term that begins with no letter";
	while (n < s.n && (is_alpha(s.p[n]) || is_digit(s.p[n]) ||
	    s.p[n] == '-' || s.p[n] == '_' || s.p[n] == '.'))
		n++;
	if (n < s.n && s.p[n] == '=') {
		if (t->qualifier != '\0')
			return "a modifier with a qualifier";
		return read_modifier(t, (struct str){ s.p, n },
		    skip(s, n + 1));
	}
	if (t->qualifier == '\0')
		t->qualifier = '+';
	return read_mechanism(t, (struct str){ s.p, n }, skip(s, n));
}

int
spf_record_next(struct str *rest, struct spf_term *t, const char **wrong)
{
	size_t i = 0, from;

	memset(t, 0, sizeof(*t));
	t->bits4 = 32;
	t->bits6 = 128;
	while (i < rest->n && rest->p[i] == ' ')
		i++;
	from = i;
	while (i < rest->n && rest->p[i] != ' ')
		i++;
	t->text = (struct str){ rest->p + from, i - from };
	*rest = skip(*rest, i);
	if (t->text.n == 0)
		return 0;
	if ((*wrong = read_term(t)) != NULL)
		return -1;
	return 1;
}

const char *
spf_record_read(struct spf_record *r, struct str txt, struct str *where)
{
	struct spf_term t;
	struct str rest;
	const char *wrong = NULL;
	int more;

	memset(r, 0, sizeof(*r));
	r->text = rest = skip(txt, 6);
	while ((more = spf_record_next(&rest, &t, &wrong)) > 0) {
		if (t.kind == SPF_REDIRECT) {
			if (r->redirect.n > 0)
				wrong = "a second redirect";
			r->redirect = t.text;
			r->redirect_spec = t.spec;
		} else if (t.kind == SPF_EXP) {
			if (r->exp_spec.n > 0)
				wrong = "a second exp";
			r->exp_spec = t.spec;
		}
		if (wrong != NULL)
			break;
	}
	*where = t.text;
	return wrong;
}
