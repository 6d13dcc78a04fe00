/*
 * authres.c - the Authentication-Results field (RFC 8601).
 *
 * Two sides.  What is written holds values that strangers chose, so each is
 * written as a token, as an address, or as a quoted string, whichever comes
 * back unchanged through any reader; what none of them can hold is left out.
 * What came in is read as the most lenient reader down the line might read
 * it: a field that anybody could take for ours must go.
 *
 * Which fields are removed, and when ours is added, is changes.c's business.
 */
#include "authres.h"

#include <stdio.h>
#include <string.h>

#include "rules/arena.h"

#define VALUE_MAX	500	/* octets of a value: longer ones are left out */
#define RESULTS_MAX	20	/* signatures that are reported */
#define COLUMN_MAX	76
#define UNCLOSED_MAX	8	/* comments of a field that came in */
#define NAME_MAX_OCTETS	1024	/* of an authserv-id that came in */
#define ROOM		1024	/* where most fields are put together */

/* The field under way. */
struct writer {
	struct strbuf	b;
	size_t		line;	/* where the line at hand begins */
};

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

static bool
is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* RFC 2045, 5.1. */
static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?=", s.p[i]) != NULL)
			return false;
	return s.n > 0;
}

/* Atoms of RFC 5322, 3.2.3, or of letters, digits and - only, with dots between. */
static bool
is_dotted(struct str s, const char *others)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? dot : !is_alnum(s.p[i]) &&
		    (s.p[i] == '\0' || strchr(others, s.p[i]) == NULL))
			return false;
		dot = s.p[i] == '.';
	}
	return !dot;
}

/* [local-part] "@" domain, which a pvalue may be without quotes. */
static bool
is_address(struct str s)
{
	const char *at = s.n > 0 ? memchr(s.p, '@', s.n) : NULL;
	struct str local, domain;

	if (at == NULL)
		return false;
	local = (struct str){ s.p, (size_t)(at - s.p) };
	domain = (struct str){ at + 1, s.n - local.n - 1 };
	return (local.n == 0 || is_dotted(local, "!#$%&'*+-/=?^_`{|}~")) &&
	    is_dotted(domain, "-");
}

static void
put_quoted(struct strbuf *b, struct str s)
{
	strbuf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			strbuf_putc(b, '\\');
		strbuf_putc(b, s.p[i]);
	}
	strbuf_putc(b, '"');
}

/* " name=value", on a line of its own if this one is full; false if no form can hold the value. */
static bool
put_property(struct writer *w, const char *name, struct str value)
{
	if (value.n == 0 || value.n > VALUE_MAX || !is_printable(value))
		return false;
	if (w->b.n - w->line + strlen(name) + value.n + 4 > COLUMN_MAX) {
		strbuf_puts(&w->b, "\n\t");
		w->line = w->b.n;
	} else
		strbuf_putc(&w->b, ' ');
	strbuf_printf(&w->b, "%s=", name);
	if (is_token(value) || is_address(value))
		strbuf_str(&w->b, value);
	else
		put_quoted(&w->b, value);
	return true;
}

static void
put_method(struct writer *w, const char *method, const char *result)
{
	strbuf_puts(&w->b, ";\n\t");
	w->line = w->b.n;
	strbuf_printf(&w->b, "%s=%s", method, result);
}

static void
put_spf(struct writer *w, const struct spf_answer *spf, struct str mailfrom, struct str helo)
{
	const char *at;

	put_method(w, "spf", type_of(T_SPF)->words[spf->result]);
	put_property(w, "reason", spf->reason);
	if (mailfrom.n == 0) {
		put_property(w, "smtp.helo", helo);
		return;
	}
	/* RFC 8601, 2.7.2: the domain alone will do. */
	if (!put_property(w, "smtp.mailfrom", mailfrom) &&
	    (at = memrchr(mailfrom.p, '@', mailfrom.n)) != NULL)
		put_property(w, "smtp.mailfrom", (struct str){ at + 1,
		    mailfrom.n - (size_t)(at + 1 - mailfrom.p) });
}

static void
put_dkim(struct writer *w, const struct dkim_signature *s)
{
	put_method(w, "dkim", type_of(T_DKIM)->words[s->result]);
	/* What readers take a pass for, and it isn't. */
	if (s->result == DKIM_R_PASS && signature_leaves(s, PART_FROM))
		strbuf_puts(&w->b, " (a From field is not signed)");
	if (s->result == DKIM_R_PASS && s->partial)
		strbuf_puts(&w->b, " (a part of the body is not signed)");
	put_property(w, "reason", s->reason);
	put_property(w, "header.d", s->domain);
	/* i= says something only where it is not @d. */
	if (s->identity.n != s->domain.n + 1 || s->identity.p[0] != '@')
		put_property(w, "header.i", s->identity);
	put_property(w, "header.s", s->selector);
	put_property(w, "header.a", s->algorithm);
	put_property(w, "header.b", s->tag);
}

/* Those that passed, the others that were looked at, the rest: as far as there is room. */
static void
put_signatures(struct writer *w, const struct dkim_answer *a)
{
	size_t i, room = RESULTS_MAX;

	for (int rank = 0; rank < 3; rank++)
		for (i = 0; i < a->n && room > 0; i++) {
			const struct dkim_signature *s = &a->sig[i];

			if (rank != (s->result == DKIM_R_PASS ? 0 : s->unread ? 2 : 1))
				continue;
			put_dkim(w, s);
			room--;
		}
	if (a->n == 0)
		put_method(w, "dkim", "none");
}

static void
put_dmarc(struct writer *w, const struct dmarc_answer *d)
{
	put_method(w, "dmarc", type_of(T_DMARC)->words[d->result]);
	/* As everybody writes it; the registered properties have no place for it. */
	if (d->has_policy)
		strbuf_printf(&w->b, " (p=%s)", type_of(T_DMARC_POLICY)->words[d->policy]);
	put_property(w, "reason", d->reason);
	put_property(w, "header.from", d->from);
}

/* RFC 8617, 5.2.1 and 10.1: a chain that could not be looked up has failed. */
static void
put_arc(struct writer *w, const struct arc_answer *arc, struct str ip)
{
	char number[16];

	put_method(w, "arc", type_of(T_ARC)->words[arc->result == ARC_R_TEMPERROR ?
	    ARC_R_FAIL : arc->result]);
	put_property(w, "reason", arc->reason);
	if (arc->result == ARC_R_PASS) {
		snprintf(number, sizeof(number), "%d", arc->oldest_pass);
		put_property(w, "header.oldest-pass", str_of(number));
	}
	put_property(w, "smtp.remote-ip", ip);
}

/* The property is registered for it, though smtp.remote-ip says the same. */
static void
put_iprev(struct writer *w, const struct iprev_answer *p, struct str ip)
{
	put_method(w, "iprev", type_of(T_IPREV)->words[p->result]);
	put_property(w, "reason", p->reason);
	put_property(w, "policy.iprev", ip);
}

/* RFC 8601, 2.7.4. */
static void
put_auth(struct writer *w, struct str user)
{
	put_method(w, "auth", "pass");
	put_property(w, "smtp.auth", user);
}

static bool
says_nothing(const struct authres *r)
{
	return r->spf == NULL && r->spf_helo == NULL && r->dkim == NULL &&
	    r->dmarc == NULL && r->arc == NULL && r->iprev == NULL &&
	    r->auth_user.n == 0;
}

struct str
authres_write(struct arena *a, const struct authres *r)
{
	char room[ROOM];
	struct writer w = { .b = STRBUF_IN(room) };
	struct str value = STR_NONE;

	if (is_token(r->authserv_id))
		strbuf_str(&w.b, r->authserv_id);
	else if (is_printable(r->authserv_id))
		put_quoted(&w.b, r->authserv_id);
	else
		strbuf_puts(&w.b, "localhost");
	if (r->spf != NULL)
		put_spf(&w, r->spf, r->mailfrom, r->helo);
	if (r->spf_helo != NULL && (r->spf == NULL || r->mailfrom.n > 0))
		put_spf(&w, r->spf_helo, STR_NONE, r->helo);
	if (r->dkim != NULL)
		put_signatures(&w, r->dkim);
	if (r->dmarc != NULL)
		put_dmarc(&w, r->dmarc);
	if (r->arc != NULL)
		put_arc(&w, r->arc, r->remote_ip);
	if (r->iprev != NULL)
		put_iprev(&w, r->iprev, r->remote_ip);
	if (r->auth_user.n > 0)
		put_auth(&w, r->auth_user);
	if (says_nothing(r))
		strbuf_puts(&w.b, "; none");
	if (!w.b.failed)
		value = str_dup(a, strbuf_slice(&w.b));
	strbuf_free(&w.b);
	return value;
}

/* ---- Fields that came in ---- */

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* A value that is being read, and how many comments in it were never closed. */
struct scan {
	struct str	s;
	unsigned	unclosed;
};

/*
 * Octets at i that look like nothing, or like a blank: those of ASCII, and what
 * Unicode has of spaces, marks of direction, joiners and line ends.
 */
static size_t
blank_at(struct str s, size_t i)
{
	static const struct { const char *first, *last; } odd[] = {
		{ "\xc2\x85", "\xc2\x85" },			/* U+0085 */
		{ "\xc2\xa0", "\xc2\xa0" }, { "\xc2\xad", "\xc2\xad" },
		{ "\xe1\x9a\x80", "\xe1\x9a\x80" },		/* U+1680 */
		{ "\xe1\xa0\x8e", "\xe1\xa0\x8e" },		/* U+180E */
		{ "\xe2\x80\x80", "\xe2\x80\x8f" },		/* U+2000 to 200F */
		{ "\xe2\x80\xa8", "\xe2\x80\xaf" },		/* U+2028 to 202F */
		{ "\xe2\x81\x9f", "\xe2\x81\xaf" },		/* U+205F to 206F */
		{ "\xe2\xa0\x80", "\xe2\xa0\x80" },		/* U+2800 */
		{ "\xe3\x80\x80", "\xe3\x80\x80" },		/* U+3000 */
		{ "\xef\xbb\xbf", "\xef\xbb\xbf" },		/* U+FEFF */
	};

	if (is_blank(s.p[i]))
		return 1;
	for (size_t k = 0; k < sizeof(odd) / sizeof(odd[0]); k++) {
		size_t n = strlen(odd[k].first);

		/* UTF-8 sorts as its code points do. */
		if (s.n - i >= n && memcmp(s.p + i, odd[k].first, n) >= 0 &&
		    memcmp(s.p + i, odd[k].last, n) <= 0)
			return n;
	}
	return 0;
}

/* The last octet of the comment that begins at i; s.n if it isn't closed. */
static size_t
comment_end(struct str s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i;
	}
	return s.n;
}

/*
 * Offset after blanks and comments.  A comment that isn't closed hides
 * nothing: only its parenthesis is skipped.  Finding that out takes reading
 * the rest, so it is done UNCLOSED_MAX times for a field.
 */
static size_t
skip_cfws(struct scan *c, size_t i)
{
	unsigned before = c->unclosed;
	size_t n, end;

	while (i < c->s.n) {
		if ((n = blank_at(c->s, i)) > 0) {
			i += n;
			continue;
		}
		if (c->s.p[i] != '(')
			break;
		if (c->unclosed == before && c->unclosed <= UNCLOSED_MAX) {
			if ((end = comment_end(c->s, i)) < c->s.n)
				i = end;
			else
				c->unclosed++;
		}
		i++;
	}
	return i;
}

/* ASCII case is ignored. */
static bool
same(char a, char b)
{
	return str_ieq((struct str){ &a, 1 }, (struct str){ &b, 1 });
}

static bool
is_name_octet(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || (unsigned char)c >= 0x80;
}

/* Where some reader may take the authserv-id to end: at anything that is no part of a name. */
static bool
ends_id(struct str s, size_t i)
{
	return i >= s.n || blank_at(s, i) > 0 || (s.p[i] != '.' && !is_name_octet(s.p[i]));
}

/* Blanks and comments around a dot, quotes and backslashes don't count. */
static bool
is_id(struct scan *c, size_t i, struct str id)
{
	struct str s = c->s;

	for (size_t k = 0; k < id.n; k++) {
		if (id.p[k] == '.' || (k > 0 && id.p[k - 1] == '.'))
			i = skip_cfws(c, i);
		while (i < s.n && (s.p[i] == '\\' || s.p[i] == '"'))
			i++;
		if (i >= s.n || !same(s.p[i], id.p[k]))
			return false;
		i++;
	}
	/* The root's dot is the same name. */
	while (i < s.n && (s.p[i] == '.' || s.p[i] == '\\'))
		i++;
	return ends_id(s, i);
}

/* The same name, where the value has it in another script than ASCII, and the id as A-labels. */
static bool
is_name(struct scan *c, size_t i, struct str id)
{
	struct str s = c->s, mine, theirs;
	char name[NAME_MAX_OCTETS];
	struct arena *a;
	bool is, ascii = true;
	size_t n = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\' || s.p[i] == '"')
			continue;
		if (s.p[i] == '.' || (n > 0 && name[n - 1] == '.') ||
		    blank_at(s, i) > 0 || s.p[i] == '(') {
			size_t next = skip_cfws(c, i);

			if (next >= s.n || (next > i && s.p[next] != '.' &&
			    (n == 0 || name[n - 1] != '.')))
				break;
			i = next;
		}
		if (ends_id(s, i))
			break;
		if (n == sizeof(name))
			return !ascii;
		ascii = ascii && (unsigned char)s.p[i] < 0x80;
		name[n++] = s.p[i];
	}
	if (ascii)
		return false;
	/* Without memory nobody knows. */
	if ((a = arena_new(0)) == NULL)
		return true;
	mine = domain_normal(a, id);
	theirs = domain_normal(a, (struct str){ name, n });
	is = arena_failed(a) || (mine.p != NULL && theirs.p != NULL && str_eq(mine, theirs));
	arena_free(a);
	return is;
}

/* Where a name may begin: after blanks, comments and what else stands before it in a broken field. */
static size_t
name_begins(struct scan *c, size_t i)
{
	for (;;) {
		i = skip_cfws(c, i);
		if (i >= c->s.n || is_name_octet(c->s.p[i]) || c->s.p[i] == '(')
			return i;
		i++;
	}
}

/* The last octet of the string in quotes that begins at i; i if it isn't closed. */
static size_t
quotes_end(struct str s, size_t i)
{
	for (size_t k = i + 1; k < s.n; k++) {
		if (s.p[k] == '\\')
			k++;
		else if (s.p[k] == '"')
			return k;
	}
	return i;
}

/*
 * After a semicolon no result begins with a name with dots: where our name
 * stands there, as in "other.example; mx.example.org; dkim=pass" or after
 * "i=1;", some reader may look for it.
 */
static bool
is_within(struct scan *c, struct str id)
{
	struct str s = c->s;
	bool open = false;
	size_t end;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' && !open) {
			open = (end = quotes_end(s, i)) == i;
			i = end;
		} else if (s.p[i] == '(' && c->unclosed <= UNCLOSED_MAX) {
			if ((end = comment_end(s, i)) < s.n)
				i = end;
			else
				c->unclosed++;
		} else if (s.p[i] == ';' && is_id(c, skip_cfws(c, i + 1), id))
			return true;
	}
	return false;
}

/*
 * A field of more comments that aren't closed than anybody reads is taken for
 * ours.  Encoded words are none here (RFC 2047, 5).
 */
bool
authres_claims(struct str value, struct str id)
{
	struct scan c = { .s = value }, all = c;
	size_t i = name_begins(&c, 0);

	if (id.n == 0)
		return false;
	return is_id(&c, i, id) || is_name(&c, i, id) || is_within(&all, id) ||
	    c.unclosed > UNCLOSED_MAX || all.unclosed > UNCLOSED_MAX;
}
