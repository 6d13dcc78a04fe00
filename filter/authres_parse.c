/*
 * authres_parse.c - reads Authentication-Results as its grammar has it (RFC
 * 8601, 2.2), with UTF-8 (RFC 8616).
 *
 * Here somebody's results are taken at their word, so a field that is broken
 * anywhere states nothing: a value that its writer forgot to quote could
 * otherwise bring results of its own.  Looser than the grammar only in what
 * large providers write and what can't be taken for something else: a
 * semicolon at the end, _ in words, / in names, properties without a type, values of any
 * characters but blanks, quotes, parentheses and semicolons.
 *
 * Whether a field claims to be ours is another question, which authres.c
 * answers as leniently as it can.
 */
#include "authres_parse.h"

#include <string.h>

#include "rules/arena.h"

struct reader {
	struct arena	*a;
	struct str	 s;
	size_t		 i;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_keyword(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    c == '-' || c == '_';
}

size_t
authres_skip(struct str s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && !is_blank(c))
			break;
	}
	if (depth > 0)
		return s.n + 1;
	return i < s.n ? i : s.n;
}

static bool
skip(struct reader *r)
{
	r->i = authres_skip(r->s, r->i);
	return r->i <= r->s.n;
}

static bool
at(const struct reader *r, char c)
{
	return r->i < r->s.n && r->s.p[r->i] == c;
}

static bool
ended(const struct reader *r)
{
	return r->i == r->s.n || at(r, ';');
}

/* Blanks and comments, the character, blanks and comments. */
static bool
take(struct reader *r, char c)
{
	if (!skip(r) || !at(r, c))
		return false;
	r->i++;
	return skip(r);
}

static struct str
keyword(struct reader *r)
{
	size_t from = r->i;

	while (r->i < r->s.n && is_keyword(r->s.p[r->i]))
		r->i++;
	return (struct str){ r->s.p + from, r->i - from };
}

/* A version: digits alone. */
static bool
number(struct reader *r, unsigned *v)
{
	struct str s = keyword(r);

	*v = 0;
	for (size_t k = 0; k < s.n; k++) {
		if (s.p[k] < '0' || s.p[k] > '9' || *v > 9999)
			return false;
		*v = *v * 10 + (unsigned)(s.p[k] - '0');
	}
	return s.n > 0;
}

/* A quoted string, its quotes undone; p NULL if it isn't closed. */
static struct str
quoted(struct reader *r)
{
	char *p = arena_alloc(r->a, r->s.n - r->i + 1);
	size_t n = 0;

	for (r->i++; p != NULL && r->i < r->s.n; r->i++) {
		char c = r->s.p[r->i];

		if (c == '"') {
			r->i++;
			return (struct str){ p, n };
		}
		if (c == '\\' && r->i + 1 < r->s.n)
			c = r->s.p[++r->i];
		else if (c == '\r' || c == '\n')
			continue;		/* a fold; its blank stays */
		p[n++] = c;
	}
	return STR_NONE;
}

/* Anything that can't be taken for what stands around it; may be empty. */
static struct str
bare(struct reader *r, const char *others)
{
	size_t from = r->i;

	while (r->i < r->s.n && !is_blank(r->s.p[r->i]) &&
	    (r->s.p[r->i] & 0xe0) != 0 && r->s.p[r->i] != 0x7f &&
	    strchr(others, r->s.p[r->i]) == NULL)
		r->i++;
	return (struct str){ r->s.p + from, r->i - from };
}

/* p NULL if it is no value. */
static struct str
value_of(struct reader *r)
{
	struct str s, domain;

	if (!at(r, '"'))
		return bare(r, "();\"\\");
	s = quoted(r);
	if (s.p == NULL || !at(r, '@'))
		return s;
	/* A local part in quotes. */
	domain = bare(r, "();\"\\");
	return str_printf(r->a, STR_FMT STR_FMT, STR_ARG(s), STR_ARG(domain));
}

/* [ptype "."] property "=" pvalue, or reason "=" value. */
static bool
read_property(struct reader *r, struct authres_result *res, struct authres_property *p)
{
	struct str type = keyword(r), name;

	if (type.n == 0 || !skip(r))
		return false;
	p->name = type;
	if (at(r, '.')) {
		if (!take(r, '.'))
			return false;
		name = keyword(r);
		p->name = str_printf(r->a, STR_FMT "." STR_FMT, STR_ARG(type), STR_ARG(name));
		if (name.n == 0 || p->name.p == NULL)
			return false;
	}
	if (!take(r, '='))
		return false;
	p->value = value_of(r);
	if (p->value.p == NULL)
		return false;
	if (str_ieq(p->name, STR("reason")) && res->reason.p == NULL) {
		res->reason = p->value;
		p->name = STR_NONE;
	}
	return true;
}

/* method ["/" version] "=" result, and what follows it. */
static bool
read_result(struct reader *r, struct authres_result *res)
{
	struct authres_property v[AUTHRES_PROPERTIES_MAX], *copy;
	size_t n = 0;

	memset(res, 0, sizeof(*res));
	res->method = keyword(r);
	if (res->method.n == 0 || !skip(r))
		return false;
	if (at(r, '/') && (!take(r, '/') || !number(r, &res->version)))
		return false;
	if (!take(r, '='))
		return false;
	res->result = keyword(r);
	if (res->result.n == 0 ||
	    !(ended(r) || is_blank(r->s.p[r->i]) || at(r, '(')))
		return false;
	while (skip(r) && !ended(r)) {
		if (n == AUTHRES_PROPERTIES_MAX || !read_property(r, res, &v[n]))
			return false;
		n += v[n].name.p != NULL;
	}
	if (r->i > r->s.n || (copy = arena_array(r->a, n + 1, sizeof(*copy))) == NULL)
		return false;
	if (n > 0)
		memcpy(copy, v, n * sizeof(*copy));
	res->props = copy;
	res->nprops = n;
	return true;
}

/* authserv-id [version] */
static bool
read_head(struct reader *r, struct authres_field *f)
{
	f->version = 1;
	if (!skip(r))
		return false;
	f->id = at(r, '"') ? quoted(r) : bare(r, "()<>@,;:\\\"[]?=");
	if (f->id.p == NULL || f->id.n == 0 || !skip(r))
		return false;
	if (!ended(r) && (!number(r, &f->version) || !skip(r)))
		return false;
	return ended(r);
}

/* "none", and nothing else. */
static bool
is_none(const struct reader *from)
{
	struct reader r = *from;

	return str_ieq(keyword(&r), STR("none")) && skip(&r) && r.i == r.s.n;
}

int
authres_parse(struct arena *a, struct str value, struct authres_field *f)
{
	struct reader r = { .a = a, .s = value };
	struct authres_result *v;
	size_t max = 1;

	memset(f, 0, sizeof(*f));
	if (value.n > AUTHRES_FIELD_MAX || !read_head(&r, f))
		return -1;
	for (size_t i = r.i; i < value.n; i++)
		max += value.p[i] == ';';
	if (max > AUTHRES_RESULTS_MAX)
		max = AUTHRES_RESULTS_MAX;
	if ((v = arena_array(a, max, sizeof(*v))) == NULL)
		return -1;
	f->results = v;
	while (r.i < value.n) {
		if (!take(&r, ';'))
			return -1;
		if (r.i == value.n || (f->n == 0 && is_none(&r)))
			break;
		if (f->n == max || !read_result(&r, &v[f->n]))
			return -1;
		f->n++;
	}
	return 0;
}
