/*
 * dkim_tags.c - reads DKIM-Signature fields strictly.
 *
 * libopendkim's parser takes tags whose names differ in case only for one,
 * and reads past the end of an i= that ends in "=".  So it never sees a field
 * that this file hasn't passed, or has found to be beyond it, and what is
 * reported of a signature is what is read here.
 *
 * Lenient where RFC 6376 is strict and nothing hangs on it: empty names in
 * h=, upper case in a= and c=, _ in domains.
 *
 * Key records are dkim_key.c's.
 */
#include "dkim_tags.h"

#include <string.h>

#include "rules/arena.h"

#define FIELD_MAX	32768	/* libopendkim takes 65,536 with the name */
#define NAMES_MAX	4000	/* octets of h= that libopendkim gets: it cuts at 4,096 */
#define IDENTITY_MAX	250	/* octets of i=: it cuts at 256 */
#define DRIFT		300	/* seconds that clocks may differ */

static struct str
slice(struct str s, size_t from, size_t to)
{
	return (struct str){ s.p + from, to - from };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* tag-name [FWS] "=" [FWS] tag-value */
static bool
read_tag(struct str s, struct dkim_tag *t)
{
	size_t i = 0, end;

	s = str_trim(s);
	if (s.n == 0 || !is_alnum(s.p[0]) || is_digit(s.p[0]))
		return false;
	while (i < s.n && (is_alnum(s.p[i]) || s.p[i] == '_'))
		i++;
	end = i;
	while (i < s.n && is_blank(s.p[i]))
		i++;
	if (i == s.n || s.p[i] != '=')
		return false;
	t->name = slice(s, 0, end);
	t->apart = i > end;
	t->value = str_trim(slice(s, i + 1, s.n));
	for (i = 0; i < t->value.n; i++) {
		unsigned char c = (unsigned char)t->value.p[i];

		if (!is_blank((char)c) && (c <= ' ' || c == 0x7f))
			return false;
	}
	return true;
}

bool
dkim_read_list(struct str s, struct dkim_tag_list *list)
{
	const char *semi;
	size_t end, i;

	list->n = 0;
	s = str_trim(s);
	while (s.n > 0) {
		semi = memchr(s.p, ';', s.n);
		end = semi != NULL ? (size_t)(semi - s.p) : s.n;
		if (list->n == DKIM_TAGS_MAX ||
		    !read_tag(slice(s, 0, end), &list->v[list->n]))
			return false;
		for (i = 0; i < list->n; i++)
			if (str_ieq(list->v[i].name, list->v[list->n].name))
				return false;
		list->n++;
		s = semi != NULL ? str_trim(slice(s, end + 1, s.n)) :
		    slice(s, end, s.n);
	}
	return list->n > 0;
}

struct str
dkim_find_tag(const struct dkim_tag_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (str_eq(list->v[i].name, str_of(name)))
			return list->v[i].value;
	return STR_NONE;
}

void
dkim_find_value(struct str raw, struct str value, size_t *from, size_t *to)
{
	const char *semi;

	*from = (size_t)(value.p - raw.p);
	while (*from > 0 && raw.p[*from - 1] != '=')
		--*from;
	semi = memchr(raw.p + *from, ';', raw.n - *from);
	*to = semi != NULL ? (size_t)(semi - raw.p) : raw.n;
}

struct str
dkim_collapse(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t i, n = 0;

	for (i = 0; p != NULL && i < s.n; i++)
		if (!is_blank(s.p[i]))
			p[n++] = s.p[i];
	return (struct str){ p, n };
}

bool
dkim_is_eight_bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

struct str
dkim_ascii_name(struct arena *a, struct str name)
{
	return dkim_is_eight_bit(name) ? domain_normal(a, name) : name;
}

bool
dkim_is_base64(struct str s)
{
	size_t n = s.n;

	while (n > 0 && s.n - n < 2 && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
			return false;
	return n > 0 && n % 4 != 1;
}

bool
dkim_next_name(struct str *list, struct str *name)
{
	const char *colon;
	size_t end;

	if (list->n == 0)
		return false;
	colon = memchr(list->p, ':', list->n);
	end = colon != NULL ? (size_t)(colon - list->p) : list->n;
	*name = str_trim(slice(*list, 0, end));
	*list = slice(*list, colon != NULL ? end + 1 : end, list->n);
	return true;
}

bool
dkim_list_has(struct str list, const char *word)
{
	struct str name;

	while (dkim_next_name(&list, &name))
		if (str_ieq(name, str_of(word)))
			return true;
	return false;
}

bool
dkim_is_domain(struct str s, size_t labels)
{
	size_t i, from = 0, n = 0;

	for (i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
				return false;
			continue;
		}
		if (i == from || i - from > 63 || s.p[from] == '-' ||
		    s.p[i - 1] == '-')
			return false;
		from = i + 1;
		n++;
	}
	return n >= labels && s.n <= 253;
}

bool
dkim_read_number(struct str s, size_t max, uint64_t *v)
{
	size_t i;

	*v = 0;
	if (s.n == 0 || s.n > max)
		return false;
	for (i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
		*v = *v > UINT64_MAX / 10 - 1 ? UINT64_MAX :
		    *v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return true;
}

static int
hex(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* i= (quoted-printable, 2.11) must be of d= or below. */
static bool
read_identity(struct arena *a, struct str s, struct dkim_tags *t)
{
	struct str domain;
	const char *at;
	char *p;
	size_t i, n = 0;

	t->identity = s = dkim_collapse(a, s);
	if (s.p == NULL || s.n > IDENTITY_MAX ||
	    (p = arena_alloc(a, s.n + 1)) == NULL)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '=') {
			p[n++] = s.p[i];
			continue;
		}
		if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 ||
		    hex(s.p[i + 2]) < 0)
			return false;
		p[n++] = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
		i += 2;
	}
	if ((at = memchr(p, '@', n)) == NULL || memchr(p, '\0', n) != NULL)
		return false;
	domain = (struct str){ at + 1, n - (size_t)(at + 1 - p) };
	if (dkim_is_eight_bit(domain)) {
		if (!utf8_valid(domain))
			return false;
		domain = domain_normal(a, domain);
		if ((at = memchr(s.p, '@', s.n)) != NULL)
			t->identity = str_printf(a, STR_FMT "@" STR_FMT,
			    STR_ARG(slice(s, 0, (size_t)(at - s.p))), STR_ARG(domain));
	}
	t->exact = str_ieq(domain, t->domain);
	return t->exact || (dkim_is_domain(domain, 2) &&
	    domain.n > t->domain.n + 1 &&
	    str_iends(domain, t->domain) &&
	    domain.p[domain.n - t->domain.n - 1] == '.');
}

bool
dkim_read_canonicalization(struct str s, bool *header_relaxed, bool *body_relaxed)
{
	const char *slash;
	struct str header = s, body = STR("simple");

	*header_relaxed = *body_relaxed = false;
	if (s.p == NULL)
		return true;
	if ((slash = memchr(s.p, '/', s.n)) != NULL) {
		header = slice(s, 0, (size_t)(slash - s.p));
		body = slice(s, header.n + 1, s.n);
	}
	*header_relaxed = str_ieq(header, STR("relaxed"));
	*body_relaxed = str_ieq(body, STR("relaxed"));
	return (*header_relaxed || str_ieq(header, STR("simple"))) &&
	    (*body_relaxed || str_ieq(body, STR("simple")));
}

size_t
dkim_count_names(struct str s)
{
	struct str name;
	size_t n = 0;

	while (dkim_next_name(&s, &name)) {
		for (size_t i = 0; i < name.n; i++)
			if (is_blank(name.p[i]))
				return 0;
		n += name.n > 0;
	}
	return n;
}

static enum dkim_result
permerror(struct str *why, const char *text)
{
	*why = str_of(text);
	return DKIM_R_PERMERROR;
}

/* What is reported even of a signature that is wrong in something else. */
static void
read_names(struct arena *a, const struct dkim_tag_list *list, struct dkim_tags *t)
{
	struct str b = dkim_find_tag(list, "b");

	t->domain = dkim_ascii_name(a, dkim_find_tag(list, "d"));
	t->selector = dkim_ascii_name(a, dkim_find_tag(list, "s"));
	t->algorithm = dkim_find_tag(list, "a");
	if (b.p != NULL && (b = dkim_collapse(a, b)).p != NULL)
		t->tag = slice(b, 0, b.n < 8 ? b.n : 8);
}

bool
dkim_read_algorithm(struct str s, enum dkim_algorithm *alg)
{
	static const char *const names[] = {
		[DKIM_A_RSA_SHA1] = "rsa-sha1",
		[DKIM_A_RSA_SHA256] = "rsa-sha256",
		[DKIM_A_ED25519] = "ed25519-sha256",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq(s, str_of(names[i]))) {
			*alg = (enum dkim_algorithm)i;
			return true;
		}
	}
	return false;
}

/* t=, x=, l=. */
static enum dkim_result
read_numbers(const struct dkim_tag_list *list, time_t now, struct dkim_tags *t,
    struct str *why)
{
	struct str ts = dkim_find_tag(list, "t"), xs = dkim_find_tag(list, "x");
	struct str ls = dkim_find_tag(list, "l");
	uint64_t x, clock = (uint64_t)now;

	if (ls.p != NULL && !dkim_read_number(ls, 76, &t->length))
		return permerror(why, "l= is no number");
	t->has_length = ls.p != NULL;
	t->has_timestamp = ts.p != NULL;
	if (ts.p != NULL && !dkim_read_number(ts, 12, &t->timestamp))
		return permerror(why, "t= is no time");
	if (xs.p != NULL && !dkim_read_number(xs, 12, &x))
		return permerror(why, "x= is no time");
	if (xs.p != NULL && ts.p != NULL && x <= t->timestamp)
		return permerror(why, "x= is not after t=");
	if (xs.p != NULL && clock > x + DRIFT) {
		*why = STR("expired");
		return DKIM_R_POLICY;
	}
	if (ts.p != NULL && t->timestamp > clock + DRIFT) {
		*why = STR("signed in the future");
		return DKIM_R_POLICY;
	}
	return DKIM_R_PASS;
}

static enum dkim_result
read_coverage(const struct dkim_tag_list *list, struct dkim_tags *t, struct str *why)
{
	struct str h = dkim_find_tag(list, "h");

	if (h.p == NULL)
		return permerror(why, "h= is missing");
	if ((t->nheaders = dkim_count_names(h)) == 0)
		return permerror(why, "h= is no list of names");
	if (!dkim_list_has(h, "from"))
		return permerror(why, "From is not signed");
	t->names = h;
	return DKIM_R_PASS;
}

/* Libopendkim finds b= by the octet before each "=".  The whole list: dkim_own.c. */
static bool
is_beyond(struct str raw, const struct dkim_tag_list *list, struct str h)
{
	struct str name;
	size_t i;

	if (h.n > NAMES_MAX || dkim_list_has(h, "dkim-signature") || dkim_is_eight_bit(raw))
		return true;
	for (i = 0; i < list->n; i++) {
		name = list->v[i].name;
		if (list->v[i].apart ? str_eq(name, STR("b")) :
		    name.n > 1 && name.p[name.n - 1] == 'b')
			return true;
	}
	return false;
}

/* One that is too long for any hash is none that matches. */
static bool
read_body_hash(struct arena *a, struct str bh, struct dkim_tags *t)
{
	unsigned char out[64];
	int n;

	if (bh.p == NULL || !dkim_is_base64(bh = dkim_collapse(a, bh)))
		return false;
	n = dkim_decode_base64(a, bh, out, sizeof(out));
	t->body_hash = n > 0 ? str_dup(a, (struct str){ (char *)out, (size_t)n }) :
	    STR_NONE;
	return true;
}

enum dkim_result
dkim_read_signature(struct arena *a, struct str raw, time_t now, struct dkim_tags *t,
    struct str *why)
{
	struct dkim_tag_list list;
	struct str v, q, b;
	enum dkim_result r;

	memset(t, 0, sizeof(*t));
	if (raw.n > FIELD_MAX) {
		*why = STR("the field is too long");
		return DKIM_R_POLICY;
	}
	if (!utf8_valid(raw) || !dkim_read_list(raw, &list))
		return permerror(why, "no list of tags");
	read_names(a, &list, t);
	v = dkim_find_tag(&list, "v");
	if (v.p == NULL || !str_eq(v, STR("1")))
		return permerror(why, v.p == NULL ? "v= is missing" :
		    "v= is not 1");
	if (t->domain.p == NULL || !dkim_is_domain(t->domain, 2))
		return permerror(why, "d= is no domain");
	if (t->selector.p == NULL || !dkim_is_domain(t->selector, 1))
		return permerror(why, "s= is no selector");
	if (!dkim_read_algorithm(t->algorithm, &t->alg))
		return permerror(why, "a= is unknown");
	if (!dkim_read_canonicalization(dkim_find_tag(&list, "c"), &t->relaxed_header,
	    &t->relaxed_body))
		return permerror(why, "c= is unknown");
	q = dkim_find_tag(&list, "q");
	if (q.p != NULL && !dkim_list_has(q, "dns/txt"))
		return permerror(why, "q= has no dns/txt");
	b = dkim_find_tag(&list, "b");
	if (t->tag.p == NULL || !dkim_is_base64(dkim_collapse(a, b)))
		return permerror(why, "b= is no base64");
	dkim_find_value(raw, b, &t->b_from, &t->b_to);
	if (!read_body_hash(a, dkim_find_tag(&list, "bh"), t))
		return permerror(why, "bh= is no base64");
	if (dkim_find_tag(&list, "i").p == NULL) {
		t->identity = str_printf(a, "@" STR_FMT, STR_ARG(t->domain));
		t->exact = true;
	} else if (!read_identity(a, dkim_find_tag(&list, "i"), t))
		return permerror(why, "i= is not within d=");
	if ((r = read_coverage(&list, t, why)) != DKIM_R_PASS)
		return r;
	t->beyond = is_beyond(raw, &list, t->names);
	return read_numbers(&list, now, t, why);
}
