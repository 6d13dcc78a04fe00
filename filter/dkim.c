/*
 * dkim.c - DKIM: what becomes of each signature of a message.
 *
 * What a stranger wrote is read by dkim_tags.c and dkim_key.c, strictly; the
 * signature itself, which covers the header, is libopendkim's (dkim_lib.c), but
 * for those that it judges wrongly (dkim_own.c).
 *
 * The body is hashed here, by canon.c, and compared with bh=: libopendkim takes
 * it octet by octet, twenty times as long as the hash, holds a line of any length
 * in memory, and once for each l=.  No key is needed for that; so keys are asked
 * for at the end of the headers, and waited for only when the body is over.
 */
#include "dkim_int.h"

#include <string.h>

#include "rules/arena.h"

#define HEADER_MAX	(4u << 20)	/* octets of all fields */
#define FIELDS_MAX	10000	/* each takes memory, however short */
#define SIGNATURES_MAX	1000	/* that are reported at all */
#define WORK_MAX	5000000u	/* names in h= times fields, all signatures */
#define KEY_BITS_MIN	1024	/* RFC 8301, 3.2 */

/* ---- One message ---- */

static void
end_check(void *arg)
{
	struct dkim_check *c = arg;

	for (size_t i = 0; i < c->nsig; i++)
		dns_query_free(c->sig[i].query);
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		hash_free(&b->canon.hash);
}

struct dkim_check *
dkim_begin(struct dkim_engine *e, struct resolver *r, struct arena *a, struct str id,
    unsigned max_signatures)
{
	struct dkim_check *c;

	if ((c = arena_new_object(a, struct dkim_check)) == NULL ||
	    arena_defer(a, end_check, c) == -1)
		return NULL;
	c->engine = e;
	c->resolver = r;
	c->arena = a;
	c->id = id;
	c->max = max_signatures;
	return c;
}

/* "Name: value" with the line ends that were signed. */
static struct str
join_field(struct arena *a, struct str name, struct str raw)
{
	size_t n = name.n, extra = 0, at, run;
	const char *lf;
	char *p;

	for (at = 0; at < raw.n && (lf = memchr(raw.p + at, '\n', raw.n - at)) != NULL;
	    at = (size_t)(lf - raw.p) + 1)
		extra++;
	if ((p = arena_alloc(a, name.n + raw.n + extra + 2)) == NULL)
		return STR_NONE;
	memcpy(p, name.p, name.n);
	p[n++] = ':';
	for (at = 0; at < raw.n; at += run) {
		lf = memchr(raw.p + at, '\n', raw.n - at);
		run = lf != NULL ? (size_t)(lf - raw.p) + 1 - at : raw.n - at;
		memcpy(p + n, raw.p + at, run);
		n += run;
		if (lf != NULL && (lf == raw.p || lf[-1] != '\r')) {
			p[n - 1] = '\r';
			p[n++] = '\n';
		}
	}
	return (struct str){ p, n };
}

int
dkim_add_field(struct dkim_check *c, struct str name, struct str raw)
{
	bool is_signature = str_ieq(str_trim(name), STR("DKIM-Signature"));
	struct field *f;

	/* What no signature can be judged with needn't be kept. */
	c->has_nul |= raw.n > 0 && memchr(raw.p, '\0', raw.n) != NULL;
	c->octets += name.n + raw.n;
	c->too_large |= c->octets > HEADER_MAX || c->nfields >= FIELDS_MAX;
	if (is_signature ? c->nfound == SIGNATURES_MAX : c->too_large)
		return 0;
	if ((f = arena_new_object(c->arena, struct field)) == NULL)
		return -1;
	if (!c->too_large) {
		if ((f->text = join_field(c->arena, name, raw)).p == NULL)
			return -1;
		f->f.name = (struct str){ f->text.p, name.n };
		f->f.raw = (struct str){ f->text.p + name.n + 1,
		    f->text.n - name.n - 1 };
	}
	f->is_signature = is_signature;
	f->f.at = c->nfields++;
	c->nfound += is_signature;
	*(c->fields == NULL ? &c->fields : &c->last->next) = f;
	c->last = f;
	return 0;
}

void
dkim_settle(struct signature *s, enum dkim_result r, struct str why)
{
	s->open = false;
	s->s.result = r;
	s->s.reason = why;
}

/* Is one of them the other, or a name below it? */
static bool
is_akin(struct str a, struct str b)
{
	if (a.n < b.n)
		return is_akin(b, a);
	return str_iends(a, b) && b.n > 0 && (a.n == b.n || a.p[a.n - b.n - 1] == '.');
}

/* Could DMARC rest on it? */
static bool
is_of_author(struct arena *a, const struct signature *s, const struct str *authors, size_t n)
{
	struct dkim_tag_list tags;
	struct str d;

	if (!dkim_read_list(s->field->f.raw, &tags))
		return false;
	d = dkim_ascii_name(a, dkim_find_tag(&tags, "d"));
	for (size_t i = 0; i < n; i++)
		if (is_akin(d, authors[i]))
			return true;
	return false;
}

/*
 * Which are looked at: those of the authors' domains before all others, so that
 * others can't be put on top to push them out; of the same kind, the topmost.
 */
static int
choose(struct dkim_check *c, const struct str *authors, size_t nauthors)
{
	size_t i, n = 0;
	bool *own;

	c->chosen = arena_array(c->arena, c->nsig, sizeof(struct signature *));
	own = arena_array(c->arena, c->nsig, sizeof(*own));
	if (c->chosen == NULL || own == NULL)
		return -1;
	for (i = 0; dkim_has_too_many(c) && i < c->nsig; i++)
		own[i] = is_of_author(c->arena, &c->sig[i], authors, nauthors);
	for (int pass = 0; pass < 2; pass++)
		for (i = 0; i < c->nsig; i++) {
			if (own[i] != (pass == 0))
				continue;
			c->sig[i].s.unread = c->too_large || n == c->max;
			if (c->sig[i].s.unread)
				dkim_settle(&c->sig[i], DKIM_R_POLICY, c->too_large ?
				    STR("the header is too large") :
				    STR("too many signatures"));
			else
				c->chosen[n++] = &c->sig[i];
		}
	c->nchosen = n;
	return 0;
}

/* Reads the signature and begins to look up its key. */
static void
begin_signature(struct dkim_check *c, struct signature *s)
{
	struct str why = STR_NONE, name;
	enum dkim_result r;

	r = dkim_read_signature(c->arena, s->field->f.raw, dkim_engine_clock(c->engine),
	    &s->tags, &why);
	s->s.domain = domain_normal(c->arena, s->tags.domain);
	s->s.selector = s->tags.selector;
	s->s.algorithm = s->tags.algorithm;
	s->s.identity = s->tags.identity;
	s->s.tag = s->tags.tag;
	if (r != DKIM_R_PASS || c->has_nul) {
		dkim_settle(s, r != DKIM_R_PASS ? r : DKIM_R_PERMERROR,
		    r != DKIM_R_PASS ? why : STR("a field holds a NUL"));
		return;
	}
	name = str_printf(c->arena, STR_FMT "._domainkey." STR_FMT,
	    STR_ARG(s->tags.selector), STR_ARG(s->tags.domain));
	s->query = resolver_ask(c->resolver, name, DNS_TXT);
	if (s->query == NULL) {
		dkim_settle(s, DKIM_R_PERMERROR, STR("the key's name is no name"));
		return;
	}
	s->open = s->well_formed = true;
}

/* libopendkim goes through all fields for each name.  Who was chosen first comes first. */
static void
limit_work(struct dkim_check *c)
{
	size_t i, work = 0;

	for (i = 0; i < c->nchosen; i++) {
		struct signature *s = c->chosen[i];

		if (!s->well_formed || s->tags.beyond)
			continue;
		work += s->tags.nheaders * c->nfields;
		if (work > WORK_MAX) {
			dkim_settle(s, DKIM_R_POLICY, STR("too many names in h="));
			s->well_formed = false;
		}
	}
}

/* The body as the signature covers it, hashed from now on; NULL without memory. */
static struct body *
body_for(struct dkim_check *c, const struct dkim_tags *t)
{
	uint64_t limit = t->has_length ? t->length : UINT64_MAX;
	bool sha1 = t->alg == DKIM_A_RSA_SHA1;
	struct body *b;

	for (b = c->bodies; b != NULL; b = b->next)
		if (b->canon.relaxed == t->relaxed_body && b->sha1 == sha1 &&
		    b->canon.limit == limit)
			return b;
	if ((b = arena_new_object(c->arena, struct body)) == NULL)
		return NULL;
	b->sha1 = sha1;
	b->next = c->bodies;
	c->bodies = b;
	return canon_body_begin(&b->canon, t->relaxed_body, sha1, limit) == -1 ? NULL : b;
}

bool
dkim_has_too_many(const struct dkim_check *c)
{
	return c->nfound > c->max;
}

int
dkim_end_headers(struct dkim_check *c, const struct str *authors, size_t nauthors)
{
	size_t i, n = 0;

	if (c->nfound == 0)
		return 0;
	c->sig = arena_array(c->arena, c->nfound, sizeof(*c->sig));
	if (c->sig == NULL)
		return -1;
	c->nsig = c->nfound;
	for (const struct field *f = c->fields; f != NULL; f = f->next)
		if (f->is_signature)
			c->sig[n++].field = f;
	if (choose(c, authors, nauthors) == -1)
		return -1;
	for (i = 0; i < c->nchosen; i++)
		begin_signature(c, c->chosen[i]);
	limit_work(c);
	for (i = 0; i < c->nsig; i++)
		if (c->sig[i].open &&
		    (c->sig[i].body = body_for(c, &c->sig[i].tags)) == NULL)
			return -1;
	return arena_failed(c->arena) ? -1 : 0;
}

bool
dkim_wants_body(const struct dkim_check *c)
{
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].open)
			return true;
	return false;
}

void
dkim_add_body(struct dkim_check *c, struct str chunk)
{
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		canon_body_add(&b->canon, chunk);
}

/* ---- Verification ---- */

static void
take_keys(struct dkim_check *c, msec deadline)
{
	struct str why = STR_NONE;
	enum dkim_result r;

	for (size_t i = 0; i < c->nsig; i++) {
		struct signature *s = &c->sig[i];

		if (!s->open)
			continue;
		r = dkim_read_key(c->arena, s->query, deadline, &s->tags, &s->key, &why);
		s->s.bits = s->key.bits;
		s->untried = r == DKIM_R_POLICY;
		if (r != DKIM_R_PASS)
			dkim_settle(s, r, why);
		else
			s->by_lib = !s->tags.beyond && s->key.record.p != NULL;
	}
}

/* What is left to say once the body's hash is known. */
static void
judge_body(struct signature *s)
{
	struct str digest = { (const char *)s->body->digest,
	    s->body->sha1 ? SHA1_OCTETS : SHA256_OCTETS };

	if (s->tags.has_length && s->tags.length > s->body->canon.octets)
		dkim_settle(s, DKIM_R_PERMERROR, STR("l= is beyond the body's end"));
	else if (!str_eq(digest, s->tags.body_hash))
		dkim_settle(s, DKIM_R_FAIL, STR("the body hash differs"));
	else if (s->untried)
		return;
	else if (s->body->sha1)
		dkim_settle(s, DKIM_R_POLICY, STR("rsa-sha1 is not accepted"));
	else if (s->tags.alg != DKIM_A_ED25519 && s->key.bits < KEY_BITS_MIN)
		dkim_settle(s, DKIM_R_POLICY, STR("the key is too small"));
	else
		dkim_settle(s, DKIM_R_PASS, STR_NONE);
}

const struct dkim_answer *
dkim_finish(struct dkim_check *c, msec deadline)
{
	struct dkim_signature *v;

	take_keys(c, deadline);
	if (dkim_lib_verify(c) == -1 || dkim_own_verify(c) == -1)
		return NULL;
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		if (canon_body_end(&b->canon, b->digest) == -1)
			return NULL;
	if (dkim_cover(c) == -1)
		return NULL;
	if ((v = arena_array(c->arena, c->nsig + 1, sizeof(*v))) == NULL)
		return NULL;
	for (size_t i = 0; i < c->nsig; i++) {
		if (c->sig[i].open || c->sig[i].untried)
			judge_body(&c->sig[i]);
		v[i] = c->sig[i].s;
	}
	c->answer.sig = v;
	c->answer.n = c->nsig;
	return &c->answer;
}
