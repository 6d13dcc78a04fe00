/*
 * arc_tags.c - reads ARC's fields strictly (RFC 8617, 4.1).
 *
 * ARC-Seal and ARC-Message-Signature are tag lists as DKIM's, so dkim_tags.c
 * reads their grammar.  What differs: v= means nothing, i= is the instance, a
 * seal has cv= and must not have h=.  Nothing else is looser than in DKIM;
 * rsa-sha1 (RFC 8301) is never taken.
 *
 * Which fields make a chain is arc.c's business.
 */
#include "arc_tags.h"

#include <string.h>

#include "authres_parse.h"
#include "rules/arena.h"

#define FIELD_MAX	32768	/* octets, as for DKIM-Signature */
#define SIGNATURE_MAX	2048	/* octets of b=: a key of 16,384 bits */
#define HASH_OCTETS	32
#define DRIFT		300	/* seconds that clocks may differ */

const char *
arc_field_name(enum arc_field f)
{
	static const char *const names[ARC_FIELDS] = {
		[ARC_RESULTS] = "ARC-Authentication-Results",
		[ARC_SIGNATURE] = "ARC-Message-Signature",
		[ARC_SEAL] = "ARC-Seal",
	};

	return names[f];
}

static unsigned
read_instance(struct str s)
{
	uint64_t v;

	return dkim_read_number(s, 2, &v) && v <= ARC_SETS_MAX ? (unsigned)v : 0;
}

/* p NULL if it is no base64, or too long. */
static struct str
decode(struct arena *a, struct str s)
{
	unsigned char out[SIGNATURE_MAX];
	int n;

	if (s.p == NULL || s.n > FIELD_MAX)
		return STR_NONE;
	s = dkim_collapse(a, s);
	if (s.p == NULL || !dkim_is_base64(s) ||
	    (n = dkim_decode_base64(a, s, out, sizeof(out))) <= 0)
		return STR_NONE;
	return str_dup(a, (struct str){ (char *)out, (size_t)n });
}

/* What both have.  False where the field has no instance, or something is wrong. */
static bool
read_common(struct arena *a, struct str raw, struct dkim_tag_list *list,
    struct arc_tags *t)
{
	struct str b;

	memset(t, 0, sizeof(*t));
	t->wrong = "no list of tags";
	if (raw.n > FIELD_MAX || !utf8_valid(raw) || !dkim_read_list(raw, list))
		return false;
	t->instance = read_instance(dkim_find_tag(list, "i"));
	t->domain = dkim_ascii_name(a, dkim_find_tag(list, "d"));
	t->selector = dkim_ascii_name(a, dkim_find_tag(list, "s"));
	b = dkim_find_tag(list, "b");
	t->signature = decode(a, b);
	if (t->instance == 0)
		t->wrong = "i= is no instance";
	else if (!dkim_is_domain(t->domain, 2))
		t->wrong = "d= is no domain";
	else if (!dkim_is_domain(t->selector, 1))
		t->wrong = "s= is no selector";
	else if (!dkim_read_algorithm(dkim_find_tag(list, "a"), &t->alg) ||
	    t->alg == DKIM_A_RSA_SHA1)
		t->wrong = "a= is unknown";
	else if (t->signature.p == NULL)
		t->wrong = "b= is no base64";
	else
		t->wrong = NULL;
	if (t->signature.p != NULL)
		dkim_find_value(raw, b, &t->b_from, &t->b_to);
	return t->wrong == NULL;
}

static bool
read_cv(struct str s, enum arc_cv *cv)
{
	if (str_ieq(s, STR("none")))
		*cv = ARC_CV_NONE;
	else if (str_ieq(s, STR("fail")))
		*cv = ARC_CV_FAIL;
	else if (str_ieq(s, STR("pass")))
		*cv = ARC_CV_PASS;
	else
		return false;
	return true;
}

void
arc_read_seal(struct arena *a, struct str raw, struct arc_tags *t)
{
	struct dkim_tag_list list;
	struct str when;
	uint64_t v;
	bool has_cv;

	if (!read_common(a, raw, &list, t) && t->instance == 0)
		return;
	/* Even a seal that is wrong otherwise may say that the chain had failed. */
	has_cv = read_cv(dkim_find_tag(&list, "cv"), &t->cv);
	when = dkim_find_tag(&list, "t");
	if (t->wrong != NULL)
		return;
	if (!has_cv)
		t->wrong = "cv= is unknown";
	else if (dkim_find_tag(&list, "h").p != NULL)
		t->wrong = "h= is not for seals";
	else if (when.p != NULL && !dkim_read_number(when, 12, &v))
		t->wrong = "t= is no time";
}

/* t=, x=, l=. */
static const char *
read_numbers(const struct dkim_tag_list *list, time_t now, struct arc_tags *t)
{
	struct str ts = dkim_find_tag(list, "t"), xs = dkim_find_tag(list, "x");
	struct str ls = dkim_find_tag(list, "l");
	uint64_t from = 0, until = 0, clock = (uint64_t)now;

	t->has_length = ls.p != NULL;
	if (ls.p != NULL && !dkim_read_number(ls, 76, &t->length))
		return "l= is no number";
	if (ts.p != NULL && !dkim_read_number(ts, 12, &from))
		return "t= is no time";
	if (xs.p != NULL && !dkim_read_number(xs, 12, &until))
		return "x= is no time";
	if (xs.p != NULL && ts.p != NULL && until <= from)
		return "x= is not after t=";
	if (xs.p != NULL && clock > until + DRIFT)
		return "expired";
	return from > clock + DRIFT ? "signed in the future" : NULL;
}

void
arc_read_signature(struct arena *a, struct str raw, time_t now, struct arc_tags *t)
{
	struct dkim_tag_list list;
	struct str q, c;

	if (!read_common(a, raw, &list, t))
		return;
	q = dkim_find_tag(&list, "q");
	c = dkim_find_tag(&list, "c");
	t->has_canon = c.p != NULL;
	t->h = dkim_find_tag(&list, "h");
	t->body_hash = decode(a, dkim_find_tag(&list, "bh"));
	if (t->body_hash.n != HASH_OCTETS)
		t->wrong = "bh= is no hash";
	else if (!dkim_read_canonicalization(c, &t->relaxed_header,
	    &t->relaxed_body))
		t->wrong = "c= is unknown";
	else if (q.p != NULL && !dkim_list_has(q, "dns/txt"))
		t->wrong = "q= has no dns/txt";
	else if (t->h.p == NULL || dkim_count_names(t->h) == 0)
		t->wrong = "h= is no list of names";
	else if (!dkim_list_has(t->h, "from"))
		t->wrong = "From is not signed";
	else if (dkim_list_has(t->h, "arc-seal"))
		t->wrong = "h= names ARC-Seal";		/* RFC 8617, 4.1.2 */
	else
		t->wrong = read_numbers(&list, now, t);
}

/* [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";" (RFC 8617, 4.1.1) */
unsigned
arc_read_results(struct str raw, struct str *payload)
{
	size_t i = authres_skip(raw, 0), from;
	unsigned instance;

	*payload = STR_NONE;
	if (i >= raw.n || raw.p[i] != 'i')
		return 0;
	i = authres_skip(raw, i + 1);
	if (i >= raw.n || raw.p[i] != '=')
		return 0;
	from = i = authres_skip(raw, i + 1);
	while (i < raw.n && raw.p[i] >= '0' && raw.p[i] <= '9')
		i++;
	if (i >= raw.n)
		return 0;
	instance = read_instance((struct str){ raw.p + from, i - from });
	i = authres_skip(raw, i);
	if (instance == 0 || i >= raw.n || raw.p[i] != ';')
		return 0;
	*payload = (struct str){ raw.p + i + 1, raw.n - i - 1 };
	return instance;
}
