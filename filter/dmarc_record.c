/*
 * dmarc_record.c - DMARC policy records read strictly, and judged mildly.
 *
 * Many records in the DNS offend against the grammar somewhere, and the RFCs
 * say what is to be taken for what can't be read.  So one pass takes the tags
 * apart, a table says how each is read, and what is wrong is noted without
 * stopping.
 *
 * Which record applies to a message is dmarc.c's business.
 */
#include "dmarc_record.h"

#include <string.h>

/* What is being read. */
struct reading {
	struct dmarc_record *out;
	enum dmarc_spec	 spec;
	bool		 has_sp, has_np;
	bool		 no_policy;	/* p, sp or np is there, and wrong */
	bool		 reports;	/* rua names an address */
};

/* Reads a tag's value; false if it is none. */
typedef bool tag_reader(struct reading *r, struct str value);

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* WSP of RFC 5234 only. */
static struct str
trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct str){ s.p + 1, s.n - 1 };
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* What stands before the separator, trimmed; *rest goes on behind it, p NULL at the end. */
static struct str
cut(struct str *rest, char separator)
{
	const char *at = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
	struct str first = *rest;

	if (at == NULL) {
		*rest = STR_NONE;
		return trim(first);
	}
	first.n = (size_t)(at - first.p);
	*rest = (struct str){ at + 1, rest->n - first.n - 1 };
	return trim(first);
}

/* ---- Values ---- */

static bool
read_policy(struct str s, enum dmarc_policy *out)
{
	const char *const *words = type_of(T_DMARC_POLICY)->words;

	for (int i = 0; words[i] != NULL; i++)
		if (str_ieq(s, str_of(words[i]))) {
			*out = (enum dmarc_policy)i;
			return true;
		}
	return false;
}

static bool
read_p(struct reading *r, struct str s)
{
	r->no_policy |= !read_policy(s, &r->out->p);
	return !r->no_policy;
}

static bool
read_sp(struct reading *r, struct str s)
{
	r->has_sp = read_policy(s, &r->out->sp);
	r->no_policy |= !r->has_sp;
	return r->has_sp;
}

static bool
read_np(struct reading *r, struct str s)
{
	r->has_np = read_policy(s, &r->out->np);
	r->no_policy |= !r->has_np;
	return r->has_np;
}

/* The letter that the value is, of those allowed, in lower case; '\0' if it is another. */
static char
letter(struct str s, const char *allowed)
{
	for (; s.n == 1 && *allowed != '\0'; allowed++)
		if (str_ieq(s, (struct str){ allowed, 1 }))
			return *allowed;
	return '\0';
}

static bool
read_psd(struct reading *r, struct str s)
{
	char c = letter(s, "ynu");

	if (c != '\0')
		r->out->psd = c;
	return c != '\0';
}

static bool
read_t(struct reading *r, struct str s)
{
	char c = letter(s, "yn");

	r->out->testing = c == 'y';
	return c != '\0';
}

static bool
read_adkim(struct reading *r, struct str s)
{
	char c = letter(s, "rs");

	r->out->strict_dkim = c == 's';
	return c != '\0';
}

static bool
read_aspf(struct reading *r, struct str s)
{
	char c = letter(s, "rs");

	r->out->strict_spf = c == 's';
	return c != '\0';
}

/* Takes the obsolete size, "!" 1*DIGIT ["k" / "m" / "g" / "t"], off the end. */
static bool
cut_size(struct str *uri)
{
	const char *at = memchr(uri->p, '!', uri->n);
	struct str size;

	if (at == NULL)
		return true;
	size = trim((struct str){ at + 1, uri->n - (size_t)(at + 1 - uri->p) });
	*uri = trim((struct str){ uri->p, (size_t)(at - uri->p) });
	if (size.n > 1 && letter((struct str){ size.p + size.n - 1, 1 }, "kmgt") != '\0')
		size = trim((struct str){ size.p, size.n - 1 });
	for (size_t i = 0; i < size.n; i++)
		if (!is_digit(size.p[i]))
			return false;
	return size.n > 0 && size.n < 20;	/* as octets go */
}

/* RFC 3986, as far as it tells an address from a slip: scheme ":" and its characters. */
static bool
is_uri(struct str s)
{
	size_t i = 0;

	if (s.n == 0 || !is_alpha(s.p[0]) || !cut_size(&s))
		return false;
	while (i < s.n && (is_alpha(s.p[i]) || is_digit(s.p[i]) ||
	    strchr("+-.", s.p[i]) != NULL) && s.p[i] != '\0')
		i++;
	if (i + 1 >= s.n || s.p[i] != ':')
		return false;
	if (i == 6 && str_istarts(s, STR("mailto")) &&
	    memchr(s.p + i, '@', s.n - i) == NULL)
		return false;
	for (; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"<>\\^`{|}", s.p[i]) != NULL)
			return false;
	return true;
}

/* postern sends no reports: what counts is whether they are asked for. */
static bool
read_rua(struct reading *r, struct str s)
{
	while (s.p != NULL)
		r->reports |= is_uri(cut(&s, ','));
	return r->reports;
}

static bool
read_ruf(struct reading *r, struct str s)
{
	(void)r;
	return s.n > 0;
}

static bool
read_fo(struct reading *r, struct str s)
{
	(void)r;
	while (s.p != NULL)
		if (letter(cut(&s, ':'), "01ds") == '\0')
			return false;
	return true;
}

/* RFC 7489, 6.3: of the formats for reports, afrf is the one there is. */
static bool
read_rf(struct reading *r, struct str s)
{
	bool known = false;

	(void)r;
	while (s.p != NULL)
		known |= str_ieq(cut(&s, ':'), STR("afrf"));
	return known;
}

static bool
is_number(struct str s, uint64_t max)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
		if ((n = n * 10 + (uint64_t)(s.p[i] - '0')) > max)
			return false;
	}
	return s.n > 0;
}

static bool
read_ri(struct reading *r, struct str s)
{
	(void)r;
	return is_number(s, UINT32_MAX);
}

static bool
read_pct(struct reading *r, struct str s)
{
	if (!is_number(s, 100))
		return false;
	r->out->pct_zero = is_number(s, 0);
	return true;
}

/* ---- Tags ---- */

#define BOTH	(1u << DMARC_RFC9989 | 1u << DMARC_RFC7489)

static const struct {
	const char	*name;
	tag_reader	*read;
	unsigned	 specs;		/* in which it means something */
	const char	*wrong;
} tags[] = {
	{ "p",	   read_p,     BOTH,		     "p= is no policy" },
	{ "sp",	   read_sp,    BOTH,		     "sp= is no policy" },
	{ "np",	   read_np,    1u << DMARC_RFC9989,  "np= is no policy" },
	{ "psd",   read_psd,   1u << DMARC_RFC9989,  "psd= is none of y, n, u" },
	{ "t",	   read_t,     1u << DMARC_RFC9989,  "t= is neither y nor n" },
	{ "adkim", read_adkim, BOTH,		     "adkim= is neither r nor s" },
	{ "aspf",  read_aspf,  BOTH,		     "aspf= is neither r nor s" },
	{ "rua",   read_rua,   BOTH,		     "rua= has no address" },
	{ "ruf",   read_ruf,   BOTH,		     "ruf= has no address" },
	{ "fo",	   read_fo,    BOTH,		     "fo= is none of 0, 1, d, s" },
	{ "rf",	   read_rf,    1u << DMARC_RFC7489,  "rf= has no known format" },
	{ "ri",	   read_ri,    1u << DMARC_RFC7489,  "ri= is no number" },
	{ "pct",   read_pct,   1u << DMARC_RFC7489,  "pct= is no number up to 100" },
};
#define NTAGS	(sizeof(tags) / sizeof(tags[0]))

static void
note(struct reading *r, const char *defect)
{
	if (r->out->defect == NULL)
		r->out->defect = defect;
}

/* tag-name of RFC 6376, 3.2. */
static bool
is_tag_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alpha(s.p[i]) && (i == 0 || (!is_digit(s.p[i]) && s.p[i] != '_')))
			return false;
	return s.n > 0;
}

/* Reads "name=value"; *seen are the known tags that stood before.  False if it is there twice. */
static bool
read_tag(struct reading *r, struct str tag, unsigned *seen, size_t nth)
{
	struct str value = tag, name = cut(&value, '=');

	if (value.p == NULL || !is_tag_name(name)) {
		note(r, tag.n == 0 ? "an empty tag" : "what is no tag");
		return true;
	}
	value = trim(value);
	for (size_t i = 0; i < NTAGS; i++) {
		if (!str_ieq(name, str_of(tags[i].name)) ||
		    (tags[i].specs & 1u << r->spec) == 0)
			continue;
		if ((*seen & 1u << i) != 0) {
			note(r, "a tag stands there twice");
			return false;
		}
		*seen |= 1u << i;
		if (!tags[i].read(r, value))
			note(r, tags[i].wrong);
		if (i == 0 && nth > 1 && r->spec == DMARC_RFC7489)
			note(r, "p= is not the second tag");
	}
	return true;
}

/* "v" "=" "DMARC1": the one tag whose value tells capitals from small letters. */
static bool
is_version(struct str tag)
{
	struct str value = tag, name = cut(&value, '=');

	return str_ieq(name, STR("v")) && str_eq(trim(value), STR("DMARC1"));
}

enum dmarc_record_kind
dmarc_record_read(struct str text, enum dmarc_spec spec, struct dmarc_record *out)
{
	struct reading r = { .out = out, .spec = spec };
	struct str rest = text, tag;
	unsigned seen = 0;
	bool twice = false;

	*out = (struct dmarc_record){ .psd = 'u' };
	if (text.n == 0 || !is_alpha(text.p[0]) || !is_version(cut(&rest, ';')))
		return DMARC_IS_OTHER;
	for (size_t nth = 1; rest.p != NULL; nth++) {
		tag = cut(&rest, ';');
		if (rest.p != NULL || tag.n > 0)	/* a last ; ends the record */
			twice |= !read_tag(&r, tag, &seen, nth);
	}
	if ((seen & 1) == 0 || r.no_policy) {
		note(&r, "p= is missing");
		out->p = out->sp = out->np = DMARC_P_NONE;
		return r.reports && !twice ? DMARC_IS_POLICY : DMARC_IS_BROKEN;
	}
	if (!r.has_sp)
		out->sp = out->p;
	if (!r.has_np)
		out->np = out->sp;
	return twice ? DMARC_IS_BROKEN : DMARC_IS_POLICY;
}
