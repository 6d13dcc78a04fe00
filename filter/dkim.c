/*
 * dkim.c - DKIM by libopendkim, which hashes and does the sums, and is told
 * the rest.
 *
 * Everything that a stranger wrote is read here first (dkim_tags.c for
 * signatures, dkim_key.c for keys); libopendkim gets signatures that are well
 * formed and keys that were written anew, and what it says of the others
 * isn't asked.  So the keys reach it through dkim_set_key_lookup(), and never
 * as DNS packets: by then every answer is known to be a good key, and the
 * parser of packets, which reads past the end of a bad one, has nothing to do.
 *
 * The body it never sees: it takes one octet by octet, twenty times as long as
 * the hash, holds a line of any length in memory, and once for each l=.  canon.c
 * hashes it, and bh= is compared here; libopendkim's part is the header, and the
 * signature, which covers bh=.
 *
 * Its traps, each fenced at the place named:
 *  - the array of signed fields is one too short when h= names more fields
 *    than the message has, and memory is overwritten	(add_pad)
 *  - the clock is time(3) even with a fixed time; a t= below the allowed
 *    drift is the future				(make_library)
 *  - a field is hashed up to its first NUL		(dkim_add_field)
 *  - the time grows with names in h= times fields	(limit_work)
 *  - rsa-sha1 and small keys pass			(judge)
 */
#include "dkim.h"

#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "dkim_tags.h"
#include "rules/arena.h"

#define HEADER_MAX	(4u << 20)	/* octets of all fields */
#define SIGNATURES_MAX	1000	/* that are reported at all */
#define WORK_MAX	5000000u	/* names in h= times fields, all signatures */
#define KEY_BITS_MIN	1024		/* RFC 8301, 3.2 */
#define OLD		1000000000u	/* a t= below: 9 September 2001 */

/* See make_library(). */
enum clock { CLOCK_NOW, CLOCK_OLD, CLOCKS };

struct dkim_engine {
	DKIM_LIB	*lib[CLOCKS];
	time_t		 now;
};

/* What the canonical body is hashed as; signatures that want the same share one. */
struct body {
	struct body	*next;
	struct canon_body canon;
	bool		 sha1;
	unsigned char	 digest[SHA256_OCTETS];
};

struct signature {
	struct dkim_signature s;
	struct dkim_tags tags;
	struct dns_query *query;
	struct dkim_key	 key;
	bool		 open;		/* it could still pass */
	bool		 well_formed;	/* libopendkim gets to see it */
	bool		 header_good;	/* libopendkim says so */
	struct body	*body;		/* NULL: it couldn't be verified before */
};

struct field {
	struct str	 text;		/* "Name: value", folds with CRLF */
	struct str	 raw;		/* after the colon */
	bool		 is_signature;
};

struct dkim_check {
	struct dkim_engine *engine;
	struct resolver	*resolver;
	struct arena	*arena;
	struct str	 id;
	unsigned	 max;
	struct field	*fields;
	size_t		 nfields, cap, octets;
	size_t		 nfound;	/* DKIM-Signature fields */
	struct signature *sig;		/* from dkim_end_headers() on */
	size_t		 nsig;
	bool		 has_nul, too_large, started;
	DKIM		*handle;	/* NULL where nothing is to be verified */
	DKIM_SIGINFO	**list;		/* its signatures, known from its prescreen on */
	int		 nlist;
	struct body	*bodies;
	struct dkim_answer answer;
};

/* ---- What libopendkim asks for ---- */

/* Signatures in libopendkim's list are the well-formed ones, in their order. */
static struct signature *
nth_well_formed(struct dkim_check *c, int n)
{
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].well_formed && n-- == 0)
			return &c->sig[i];
	return NULL;
}

static DKIM_CBSTAT
prescreen(DKIM *handle, DKIM_SIGINFO **list, int n)
{
	struct dkim_check *c = dkim_get_user_context(handle);
	struct signature *s;
	int i;

	c->list = list;
	c->nlist = n;
	for (i = 0; i < n; i++)
		if ((s = nth_well_formed(c, i)) == NULL || !s->open)
			dkim_sig_ignore(list[i]);
	return DKIM_CBSTAT_CONTINUE;
}

static DKIM_CBSTAT
look_up_key(DKIM *handle, DKIM_SIGINFO *info, u_char *buf, size_t cap)
{
	struct dkim_check *c = dkim_get_user_context(handle);
	struct signature *s = NULL;
	int i;

	for (i = 0; i < c->nlist; i++)
		if (c->list[i] == info)
			s = nth_well_formed(c, i);
	if (s == NULL || s->key.record.p == NULL || s->key.record.n >= cap)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(buf, s->key.record.p, s->key.record.n);
	buf[s->key.record.n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* ---- The engine ---- */

/*
 * libopendkim looks at the real clock and takes t= for the future where
 * t - drift > now, in unsigned numbers.  dkim_tags.c has looked at t= and x=
 * already, so a large drift takes its clock out of the game, and messages with
 * a t= that is smaller than that go to a library without any.
 */
static DKIM_LIB *
make_library(enum clock clock)
{
	DKIM_LIB *lib;
	uint64_t drift = clock == CLOCK_NOW ? OLD : 0;
	unsigned flags = DKIM_LIBFLAGS_BADSIGHANDLES, bits = 0;

	if ((lib = dkim_init(NULL, NULL)) == NULL)
		return NULL;
	if (dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
	    sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
	    sizeof(drift)) != DKIM_STAT_OK ||
	    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
	    sizeof(bits)) != DKIM_STAT_OK ||
	    dkim_set_prescreen(lib, prescreen) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(lib, look_up_key) != DKIM_STAT_OK) {
		dkim_close(lib);
		return NULL;
	}
	return lib;
}

struct dkim_engine *
dkim_engine_new(time_t now)
{
	struct dkim_engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->now = now;
	for (int i = 0; i < CLOCKS; i++) {
		if ((e->lib[i] = make_library((enum clock)i)) == NULL) {
			dkim_engine_free(e);
			return NULL;
		}
	}
	return e;
}

void
dkim_engine_free(struct dkim_engine *e)
{
	if (e == NULL)
		return;
	for (int i = 0; i < CLOCKS; i++)
		if (e->lib[i] != NULL)
			dkim_close(e->lib[i]);
	free(e);
}

/* ---- One message ---- */

static void
end_check(void *arg)
{
	struct dkim_check *c = arg;

	for (size_t i = 0; i < c->nsig; i++)
		dns_query_free(c->sig[i].query);
	if (c->handle != NULL)
		dkim_free(c->handle);
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		hash_free(&b->canon.hash);
	free(c->fields);
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
	size_t i, n = 0, extra = 0;
	char *p;

	for (i = 0; i < raw.n; i++)
		extra += raw.p[i] == '\n';
	if ((p = arena_alloc(a, name.n + raw.n + extra + 2)) == NULL)
		return STR_NONE;
	memcpy(p, name.p, name.n);
	n = name.n;
	p[n++] = ':';
	for (i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
			p[n++] = '\r';
		p[n++] = raw.p[i];
	}
	return (struct str){ p, n };
}

int
dkim_add_field(struct dkim_check *c, struct str name, struct str raw)
{
	struct field *f;
	size_t cap;

	/* What no signature can be judged with needn't be kept. */
	c->has_nul |= raw.n > 0 && memchr(raw.p, '\0', raw.n) != NULL;
	c->octets += name.n + raw.n;
	c->too_large |= c->octets > HEADER_MAX;
	if (c->nfields == c->cap) {
		cap = c->cap > 0 ? 2 * c->cap : 32;
		if ((f = realloc(c->fields, cap * sizeof(*f))) == NULL)
			return -1;
		c->fields = f;
		c->cap = cap;
	}
	f = &c->fields[c->nfields];
	f->is_signature = str_ieq(str_trim(name), STR("DKIM-Signature"));
	if (f->is_signature ? c->nfound == SIGNATURES_MAX : c->too_large)
		return 0;
	f->raw = f->text = STR_NONE;
	if (!c->too_large) {
		if ((f->text = join_field(c->arena, name, raw)).p == NULL)
			return -1;
		f->raw = (struct str){ f->text.p + name.n + 1,
		    f->text.n - name.n - 1 };
	}
	c->nfields++;
	c->nfound += f->is_signature;
	return 0;
}

static void
settle(struct signature *s, enum dkim_result r, struct str why)
{
	s->open = false;
	s->s.result = r;
	s->s.reason = why;
}

/* Reads the signature and begins to look up its key. */
static void
begin_signature(struct dkim_check *c, struct signature *s, const struct field *f,
    size_t n)
{
	time_t now = c->engine->now != 0 ? c->engine->now : time(NULL);
	struct str why = STR_NONE, name;
	enum dkim_result r;

	if (c->too_large || n >= c->max) {
		settle(s, DKIM_R_POLICY, c->too_large ?
		    STR("the header is too large") :
		    STR("too many signatures"));
		return;
	}
	r = dkim_read_signature(c->arena, f->raw, now, &s->tags, &why);
	s->s.domain = domain_normal(c->arena, s->tags.domain);
	s->s.selector = s->tags.selector;
	s->s.algorithm = s->tags.algorithm;
	s->s.identity = s->tags.identity;
	s->s.tag = s->tags.tag;
	if (r != DKIM_R_PASS || c->has_nul) {
		settle(s, r != DKIM_R_PASS ? r : DKIM_R_PERMERROR,
		    r != DKIM_R_PASS ? why : STR("a field holds a NUL"));
		return;
	}
	name = str_printf(c->arena, STR_FMT "._domainkey." STR_FMT,
	    STR_ARG(s->tags.selector), STR_ARG(s->tags.domain));
	s->query = resolver_ask(c->resolver, name, DNS_TXT);
	if (s->query == NULL) {
		settle(s, DKIM_R_PERMERROR, STR("the key's name is no name"));
		return;
	}
	s->open = s->well_formed = true;
}

/* A signature of DKIM-Signature fields needs all of them. */
static void
settle_signers_of_signatures(struct dkim_check *c)
{
	bool all = true;
	size_t i;

	for (i = 0; i < c->nsig; i++)
		all &= c->sig[i].well_formed;
	for (i = 0; !all && i < c->nsig; i++)
		if (c->sig[i].open && c->sig[i].tags.signs_signatures)
			settle(&c->sig[i], DKIM_R_NEUTRAL,
			    STR("signs a DKIM-Signature that can't be read"));
}

/* libopendkim goes through all fields for each name; the topmost signatures come first. */
static void
limit_work(struct dkim_check *c)
{
	size_t i, work = 0;

	for (i = 0; i < c->nsig; i++) {
		if (!c->sig[i].well_formed)
			continue;
		work += c->sig[i].tags.nheaders * c->nfields;
		if (work > WORK_MAX) {
			settle(&c->sig[i], DKIM_R_POLICY,
			    STR("too many names in h="));
			c->sig[i].well_formed = false;
		}
	}
}

int
dkim_end_headers(struct dkim_check *c)
{
	size_t i, n = 0;

	if (c->nfound == 0)
		return 0;
	c->sig = arena_array(c->arena, c->nfound, sizeof(*c->sig));
	if (c->sig == NULL)
		return -1;
	c->nsig = c->nfound;
	for (i = 0; i < c->nfields; i++) {
		if (c->fields[i].is_signature) {
			begin_signature(c, &c->sig[n], &c->fields[i], n);
			n++;
		}
	}
	limit_work(c);
	settle_signers_of_signatures(c);
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
		r = dkim_read_key(c->arena, dns_query_wait(s->query, deadline),
		    &s->tags, &s->key, &why);
		s->s.bits = s->key.bits;
		if (r != DKIM_R_PASS)
			settle(s, r, why);
		else if (s->tags.too_many_names)
			settle(s, DKIM_R_POLICY, STR("h= is too long"));
	}
}

/* libopendkim doesn't write to what it takes as u_char *. */
static u_char *
octets(const char *p)
{
	return (u_char *)(uintptr_t)p;
}

/*
 * A field that h= can't name, since its name has blanks: so libopendkim never
 * finds as many fields as there are, and its array is long enough.
 */
static DKIM_STAT
add_pad(DKIM *handle)
{
	static const char pad[] = "not a field: x";

	return dkim_header(handle, octets(pad), sizeof(pad) - 1);
}

static DKIM_STAT
add_fields(struct dkim_check *c)
{
	DKIM_STAT st = add_pad(c->handle);
	size_t i, n = 0;

	for (i = 0; i < c->nfields && st != DKIM_STAT_NORESOURCE; i++) {
		const struct field *f = &c->fields[i];

		if (f->is_signature && !c->sig[n++].well_formed)
			continue;
		/* Fields that it refuses have names that h= can't hold. */
		st = dkim_header(c->handle, octets(f->text.p), f->text.n);
	}
	return st;
}

static enum clock
clock_for(const struct dkim_check *c)
{
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].well_formed && c->sig[i].tags.has_timestamp &&
		    c->sig[i].tags.timestamp < OLD)
			return CLOCK_OLD;
	return CLOCK_NOW;
}

/* What libopendkim says of a signature that nothing was wrong with so far. */
static void
judge(struct signature *s, DKIM_SIGINFO *info)
{
	int error = dkim_sig_geterror(info);
	const char *text;

	if ((dkim_sig_getflags(info) & DKIM_SIGFLAG_PASSED) != 0 &&
	    (error == DKIM_SIGERROR_OK || error == DKIM_SIGERROR_UNKNOWN))
		s->header_good = true;
	else if (error == DKIM_SIGERROR_BADSIG)
		settle(s, DKIM_R_FAIL, STR("the signature doesn't verify"));
	else {
		text = dkim_sig_geterrorstr(error);
		settle(s, DKIM_R_NEUTRAL, str_of(text != NULL ? text :
		    "libopendkim can't verify it"));
	}
}

/* Waits for the keys, and has libopendkim verify what covers the header. */
static int
verify_header(struct dkim_check *c, msec deadline)
{
	DKIM_STAT st;
	char *id;

	take_keys(c, deadline);
	if (!dkim_wants_body(c))
		return 0;
	if ((id = str_cstr(c->arena, c->id)) == NULL)
		id = str_cstr(c->arena, STR("-"));
	if (id == NULL)
		return -1;
	c->handle = dkim_verify(c->engine->lib[clock_for(c)], octets(id), NULL,
	    &st);
	if (c->handle == NULL)
		return -1;
	dkim_set_user_context(c->handle, c);
	if (add_fields(c) == DKIM_STAT_NORESOURCE ||
	    dkim_eoh(c->handle) == DKIM_STAT_NORESOURCE)
		return -1;
	for (int i = 0; i < c->nlist; i++) {
		struct signature *s = nth_well_formed(c, i);

		if (s != NULL && s->open)
			judge(s, c->list[i]);
	}
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].open && !c->sig[i].header_good)
			settle(&c->sig[i], DKIM_R_NEUTRAL, STR("not verified"));
	return 0;
}

/* The body as the signature covers it; NULL without memory. */
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

static int
start(struct dkim_check *c, msec deadline)
{
	c->started = true;
	if (verify_header(c, deadline) == -1)
		return -1;
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].open && (c->sig[i].body = body_for(c,
		    &c->sig[i].tags)) == NULL)
			return -1;
	return arena_failed(c->arena) ? -1 : 0;
}

int
dkim_add_body(struct dkim_check *c, struct str chunk, msec deadline)
{
	if (!c->started && start(c, deadline) == -1)
		return -1;
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		canon_body_add(&b->canon, chunk);
	return 0;
}

/* What is left to say once the body's hash is known. */
static void
judge_body(struct signature *s)
{
	struct str digest = { (const char *)s->body->digest,
	    s->body->sha1 ? SHA1_OCTETS : SHA256_OCTETS };

	s->s.partial = s->tags.has_length &&
	    s->tags.length < s->body->canon.octets;
	if (s->tags.has_length && s->tags.length > s->body->canon.octets)
		settle(s, DKIM_R_PERMERROR, STR("l= is beyond the body's end"));
	else if (!str_eq(digest, s->tags.body_hash))
		settle(s, DKIM_R_FAIL, STR("the body hash differs"));
	else if (s->body->sha1)
		settle(s, DKIM_R_POLICY, STR("rsa-sha1 is not accepted"));
	else if (s->tags.alg != DKIM_A_ED25519 && s->key.bits < KEY_BITS_MIN)
		settle(s, DKIM_R_POLICY, STR("the key is too small"));
	else
		settle(s, DKIM_R_PASS, STR_NONE);
}

const struct dkim_answer *
dkim_finish(struct dkim_check *c, msec deadline)
{
	struct dkim_signature *v;

	if (!c->started && start(c, deadline) == -1)
		return NULL;
	for (struct body *b = c->bodies; b != NULL; b = b->next)
		if (canon_body_end(&b->canon, b->digest) == -1)
			return NULL;
	if ((v = arena_array(c->arena, c->nsig + 1, sizeof(*v))) == NULL)
		return NULL;
	for (size_t i = 0; i < c->nsig; i++) {
		if (c->sig[i].open)
			judge_body(&c->sig[i]);
		v[i] = c->sig[i].s;
	}
	c->answer.sig = v;
	c->answer.n = c->nsig;
	return &c->answer;
}
