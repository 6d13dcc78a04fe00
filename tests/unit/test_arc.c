/*
 * test_arc.c - ARC chains sealed here: what passes, what must not, and what
 * is said when a key can't be looked up.
 *
 * Fields are written in their canonical form, so that signing needs no
 * canonicalization; how odd forms are read is the suite's business
 * (tests/conformance/arc.py).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "filter/arc.h"
#include "filter/canon.h"
#include "filter/arc_tags.h"
#include "filter/authres_parse.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NOW		1700000000
#define SETS		52

static struct arena *arena;
static EVP_PKEY *rsa, *small_rsa, *edward;
static struct resolver *resolver;

static struct str
base64(const unsigned char *p, size_t n)
{
	char *out = arena_alloc(arena, n * 2 + 4);
	int len = EVP_EncodeBlock((unsigned char *)out, p, (int)n);

	return (struct str){ out, (size_t)len };
}

static struct str
publish(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	bool ed = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	struct str b64;

	assert_true(n > 32);
	b64 = ed ? base64(der + n - 32, 32) : base64(der, (size_t)n);
	OPENSSL_free(der);
	return b64;
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	if (rsa == NULL) {
		rsa = EVP_RSA_gen(1024);
		small_rsa = EVP_RSA_gen(768);
		edward = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	if (arena == NULL || rsa == NULL || small_rsa == NULL || edward == NULL)
		return -1;
	resolver = resolver_zone_text(str_printf(arena,
	    "r._domainkey.a.example TXT \"v=DKIM1; p=" STR_FMT "\"\n"
	    "r._domainkey.b.example TXT \"p=" STR_FMT "\"\n"
	    "r._domainkey.xn--mller-kva.example TXT \"p=" STR_FMT "\"\n"
	    "small._domainkey.a.example TXT \"p=" STR_FMT "\"\n"
	    "gone._domainkey.a.example TXT \"p=\"\n"
	    "dead._domainkey.a.example * SERVFAIL\n"
	    "slow._domainkey.a.example * TIMEOUT\n"
	    "e._domainkey.e.example TXT \"k=ed25519; p=" STR_FMT "\"\n",
	    STR_ARG(publish(rsa)), STR_ARG(publish(rsa)), STR_ARG(publish(rsa)),
	    STR_ARG(publish(small_rsa)),
	    STR_ARG(publish(edward))), NULL);
	return resolver != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);	/* the queries, too */
	resolver_free(resolver);
	return 0;
}

static int
drop_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(small_rsa);
	EVP_PKEY_free(edward);
	return 0;
}

/* ---- Sealing ---- */

struct field {
	struct str	name, raw;
};

static struct field chain[3 * SETS + 8];
static size_t nchain;
static const struct field letter[] = {
	{ STR("From"), STR(" a@a.example") }, { STR("Subject"), STR(" Lunch") },
};
static const char body[] = "Hello\r\nlunch?\r\n";
static struct str covered;	/* by the seals so far */

static struct str
sign(EVP_PKEY *key, struct str data)
{
	bool ed = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[32], sig[512];
	size_t n = sizeof(sig);

	assert_int_equal(EVP_Digest(data.p, data.n, digest, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, ed ? NULL : EVP_sha256(), NULL, key), 1);
	assert_int_equal(ed ? EVP_DigestSign(ctx, sig, &n, digest, 32) :
	    EVP_DigestSign(ctx, sig, &n, (const unsigned char *)data.p, data.n), 1);
	EVP_MD_CTX_free(ctx);
	return base64(sig, n);
}

struct sealing {
	const char	*domain, *selector;	/* NULL: a.example, r */
	const char	*cv;			/* NULL: as it should be */
	const char	*results;		/* NULL: "mx.a.example; dmarc=pass" */
	const char	*tags, *seal_tags;	/* more of them; NULL: none */
	const char	*h, *c;			/* NULL: From:Subject, relaxed/relaxed */
};

static EVP_PKEY *
key_of(const struct sealing *s)
{
	return s->selector == NULL || s->selector[0] == 'r' ? rsa :
	    s->selector[0] == 'e' ? edward : s->selector[1] == 'm' ? small_rsa : rsa;
}

static void
put_first(const char *name, struct str value)
{
	memmove(chain + 1, chain, nchain * sizeof(chain[0]));
	chain[0] = (struct field){ str_of(name), value };
	nchain++;
}

static const char *
or(const char *s, const char *other)
{
	return s != NULL ? s : other;
}

static void
seal(unsigned i, const struct sealing *s)
{
	const char *alg = key_of(s) == edward ? "ed25519-sha256" : "rsa-sha256";
	const char *d = or(s->domain, "a.example"), *sel = or(s->selector, "r");
	unsigned char digest[32];
	struct str aar, ams, as, data;

	assert_int_equal(EVP_Digest(body, sizeof(body) - 1, digest, NULL, EVP_sha256(), NULL), 1);
	aar = str_printf(arena, " i=%u; %s", i, or(s->results, "mx.a.example; dmarc=pass"));
	ams = str_printf(arena, " i=%u; a=%s; c=%s; d=%s; s=%s; h=%s;%s bh=" STR_FMT "; b=",
	    i, alg, or(s->c, "relaxed/relaxed"), d, sel, or(s->h, "From:Subject"),
	    or(s->tags, ""), STR_ARG(base64(digest, 32)));
	data = str_printf(arena, "from:a@a.example\r\nsubject:Lunch\r\n"
	    "arc-message-signature:" STR_FMT, (int)ams.n - 1, ams.p + 1);
	ams = str_printf(arena, STR_FMT STR_FMT, STR_ARG(ams), STR_ARG(sign(key_of(s), data)));
	as = str_printf(arena, " i=%u; a=%s; d=%s; s=%s; cv=%s;%s b=", i, alg, d, sel,
	    or(s->cv, i == 1 ? "none" : "pass"), or(s->seal_tags, ""));
	covered = str_printf(arena, STR_FMT "arc-authentication-results:" STR_FMT
	    "\r\narc-message-signature:" STR_FMT "\r\n", STR_ARG(covered),
	    (int)aar.n - 1, aar.p + 1, (int)ams.n - 1, ams.p + 1);
	data = str_printf(arena, STR_FMT "arc-seal:" STR_FMT, STR_ARG(covered),
	    (int)as.n - 1, as.p + 1);
	as = str_printf(arena, STR_FMT STR_FMT, STR_ARG(as), STR_ARG(sign(key_of(s), data)));
	covered = str_printf(arena, STR_FMT "arc-seal:" STR_FMT "\r\n", STR_ARG(covered),
	    (int)as.n - 1, as.p + 1);
	put_first("ARC-Authentication-Results", aar);
	put_first("ARC-Message-Signature", ams);
	put_first("ARC-Seal", as);
}

static void
new_letter(void)
{
	memcpy(chain, letter, sizeof(letter));
	nchain = COUNT(letter);
	covered = STR("");
}

static const struct arc_answer *
validate(const char *text)
{
	struct arc_check *c = arc_begin(resolver, arena, NOW);
	const struct arc_answer *a;
	size_t i, n = strlen(text);

	assert_non_null(c);
	for (i = 0; i < nchain; i++)
		assert_int_equal(arc_add_field(c, chain[i].name, chain[i].raw), 0);
	assert_int_equal(arc_end_headers(c), 0);
	for (i = 0; i < n; i++)
		arc_add_body(c, (struct str){ text + i, 1 });
	a = arc_finish(c, clock_msec() + 1000);
	assert_non_null(a);
	assert_ptr_equal(arc_finish(c, clock_msec()), a);
	return a;
}

static void
must(const struct arc_answer *a, enum arc_result result, const char *reason)
{
	bool said;

	if (a->result != result || !str_eq(a->reason, str_of(reason)))
		fail_msg("got %s, " STR_FMT "; expected %s, %s",
		    type_of(T_ARC)->words[a->result], STR_ARG(a->reason),
		    type_of(T_ARC)->words[result], reason);
	said = result == ARC_R_PASS || result == ARC_R_TEMPERROR;
	assert_true(said == (a->sealer.p != NULL));
	assert_true(said || a->nstated == 0);
}

/* ---- What passes ---- */

static void
none_at_all(void **state)
{
	(void)state;
	new_letter();
	must(validate(body), ARC_R_NONE, "");
}

static void
passing(void **state)
{
	static const struct sealing ed = { .domain = "E.example", .selector = "e",
	    .results = "mx.e.example; dkim=fail; dkim=pass header.d=a.example" };
	const struct arc_answer *a;

	(void)state;
	new_letter();
	seal(1, &(struct sealing){ .domain = "b.example" });
	a = validate(body);
	must(a, ARC_R_PASS, "");
	assert_true(str_eq(a->sealer, STR("b.example")));
	assert_int_equal(a->oldest_pass, 0);
	assert_int_equal(a->nstated, 1);
	assert_true(str_eq(a->stated[0].method, STR("dmarc")));
	seal(2, &ed);
	a = validate(body);
	must(a, ARC_R_PASS, "");
	assert_true(str_eq(a->sealer, STR("e.example")));
	assert_int_equal(a->nstated, 2);
	assert_true(str_eq(a->stated[1].result, STR("pass")));
	/* RFC 8617, 4.1.4: U-labels. */
	seal(3, &(struct sealing){ .domain = "m\xc3\xbcller.example" });
	a = validate(body);
	must(a, ARC_R_PASS, "");
	assert_true(str_eq(a->sealer, STR("xn--mller-kva.example")));
}

/* A sealer that changed the message: its own signature counts, theirs only tells how far back. */
static void
oldest_pass(void **state)
{
	const struct arc_answer *a;

	(void)state;
	new_letter();
	seal(1, &(struct sealing){ .h = "From:Subject:List-Id" });
	seal(2, &(struct sealing){ 0 });
	must(validate(body), ARC_R_PASS, "");
	put_first("List-Id", STR(" <l.example>"));
	seal(3, &(struct sealing){ 0 });
	a = validate(body);
	must(a, ARC_R_PASS, "");
	assert_int_equal(a->oldest_pass, 2);
}

/* Sealed mail sent again with another author on top. */
static void
another_author(void **state)
{
	static const struct { const char *h, *name, *reason; } cases[] = {
		{ "From:Subject", "From", "ARC-Message-Signature 1: a From field is not signed" },
		{ "From:Subject", "fROM ", "ARC-Message-Signature 1: a From field is not signed" },
		{ "From:From:Subject", "From", "ARC-Message-Signature 1: the signature doesn't verify" },
		{ "From:Subject", "X-From", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		new_letter();
		seal(1, &(struct sealing){ .h = cases[i].h });
		must(validate(body), ARC_R_PASS, "");
		put_first(cases[i].name, STR(" ceo@bank.test"));
		must(validate(body), cases[i].reason != NULL ? ARC_R_FAIL : ARC_R_PASS,
		    or(cases[i].reason, ""));
	}
}

/* What isn't Authentication-Results states nothing, but the chain holds. */
static void
unreadable_results(void **state)
{
	const struct arc_answer *a;

	(void)state;
	new_letter();
	seal(1, &(struct sealing){ .results = "mx; dmarc=pass header.from=a b; spf" });
	a = validate(body);
	must(a, ARC_R_PASS, "");
	assert_int_equal(a->nstated, 0);
}

/* A field or a method of another version may mean anything. */
static void
versions_of_results(void **state)
{
	static const struct { const char *results; size_t n; } cases[] = {
		{ "mx; spf=pass; dmarc=pass", 2 },
		{ "mx 1; spf/1=pass; dmarc / 1 = pass", 2 },
		{ "mx; spf/2=pass; dmarc=pass", 1 },
		{ "mx; spf / (v) 2 = pass; dmarc=pass", 1 },
		{ "mx 2; spf=pass; dmarc=pass", 0 },
		{ "mx; spf/one=pass; dmarc=pass", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct arc_answer *a;

		new_letter();
		seal(1, &(struct sealing){ .results = cases[i].results });
		a = validate(body);
		must(a, ARC_R_PASS, "");
		if (a->nstated != cases[i].n)
			fail_msg("%s: %zu", cases[i].results, a->nstated);
		if (a->nstated == 1)
			assert_true(str_eq(a->stated[0].method, STR("dmarc")));
	}
}

static void
longest(void **state)
{
	unsigned i;

	(void)state;
	new_letter();
	for (i = 1; i <= 50; i++)
		seal(i, &(struct sealing){ .domain = i % 2 ? "a.example" : "b.example" });
	must(validate(body), ARC_R_PASS, "");
	seal(51, &(struct sealing){ 0 });
	must(validate(body), ARC_R_FAIL, "ARC-Seal without an instance");
}

/* ---- What must not ---- */

static void
one_set(void **state)
{
	static const struct { struct sealing s; enum arc_result result; const char *reason; } cases[] = {
		{ { .tags = " l=15;" }, ARC_R_PASS, "" },
		{ { .tags = " l=7;" }, ARC_R_FAIL, "ARC-Message-Signature 1: the body hash differs" },
		{ { .tags = " l=16;" }, ARC_R_FAIL, "ARC-Message-Signature 1: l= is not the body's length" },
		{ { .tags = " l=99999999999999999999999;" }, ARC_R_FAIL,
		  "ARC-Message-Signature 1: l= is not the body's length" },
		{ { .tags = " l=x;" }, ARC_R_FAIL, "ARC-Message-Signature 1: l= is no number" },
		{ { .tags = " v=7; q=dns/txt; zz=1;" }, ARC_R_PASS, "" },
		{ { .tags = " q=http;" }, ARC_R_FAIL, "ARC-Message-Signature 1: q= has no dns/txt" },
		{ { .tags = " x=1699999000;" }, ARC_R_FAIL, "ARC-Message-Signature 1: expired" },
		{ { .tags = " x=1699999900; t=1699999000;" }, ARC_R_PASS, "" },
		{ { .tags = " t=1700001000;" }, ARC_R_FAIL, "ARC-Message-Signature 1: signed in the future" },
		{ { .h = "Subject" }, ARC_R_FAIL, "ARC-Message-Signature 1: From is not signed" },
		{ { .h = "From:ARC-Seal:Subject" }, ARC_R_FAIL, "ARC-Message-Signature 1: h= names ARC-Seal" },
		{ { .h = " From : : Subject :From" }, ARC_R_PASS, "" },
		{ { .h = "From:Subject:ARC-Message-Signature" }, ARC_R_PASS, "" },
		{ { .c = "relaxed" }, ARC_R_PASS, "" },
		{ { .c = "relaxed/nofws" }, ARC_R_FAIL, "ARC-Message-Signature 1: c= is unknown" },
		{ { .c = "simple/simple" }, ARC_R_FAIL, "ARC-Message-Signature 1: the signature doesn't verify" },
		{ { .seal_tags = " h=from;" }, ARC_R_FAIL, "ARC-Seal 1: h= is not for seals" },
		{ { .seal_tags = " t=;" }, ARC_R_FAIL, "ARC-Seal 1: t= is no time" },
		{ { .seal_tags = " t=1;" }, ARC_R_PASS, "" },
		{ { .seal_tags = " i=1;" }, ARC_R_FAIL, "ARC-Seal without an instance" },
		{ { .cv = "pass" }, ARC_R_FAIL, "ARC-Seal 1: cv= doesn't fit" },
		{ { .cv = "fail" }, ARC_R_FAIL, "ARC-Seal 1: it says that the chain has failed" },
		{ { .cv = "maybe" }, ARC_R_FAIL, "ARC-Seal 1: cv= is unknown" },
		{ { .cv = "NONE" }, ARC_R_PASS, "" },
		{ { .domain = "example" }, ARC_R_FAIL, "ARC-Seal 1: d= is no domain" },
		{ { .selector = "r..r" }, ARC_R_FAIL, "ARC-Seal 1: s= is no selector" },
		{ { .selector = "small" }, ARC_R_FAIL, "ARC-Message-Signature 1: the key is too small" },
		{ { .selector = "none" }, ARC_R_FAIL, "ARC-Message-Signature 1: there is no key" },
		{ { .selector = "gone" }, ARC_R_FAIL, "ARC-Message-Signature 1: the key is revoked" },
		{ { .selector = "dead" }, ARC_R_TEMPERROR, "ARC-Message-Signature 1: "
		    "TXT of dead._domainkey.a.example: servfail, the zone file says SERVFAIL" },
		{ { .selector = "slow" }, ARC_R_TEMPERROR, "ARC-Message-Signature 1: "
		    "TXT of slow._domainkey.a.example: timeout, the zone file says TIMEOUT" },
		{ { .domain = "e.example", .selector = "e" }, ARC_R_PASS, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		new_letter();
		seal(1, &cases[i].s);
		must(validate(body), cases[i].result, cases[i].reason);
	}
}

/* Each field in turn with one octet changed. */
static void
changed(void **state)
{
	static const char *const reasons[] = {
		"ARC-Seal 2: the signature doesn't verify",
		"ARC-Message-Signature 2: the signature doesn't verify",
		"ARC-Seal 2: the signature doesn't verify",
		"ARC-Seal 1: the signature doesn't verify",
		"ARC-Seal 1: the signature doesn't verify",
		"ARC-Seal 1: the signature doesn't verify",
		"ARC-Message-Signature 2: the signature doesn't verify",
		"ARC-Message-Signature 2: the signature doesn't verify",
	};
	char *p;

	(void)state;
	new_letter();
	seal(1, &(struct sealing){ .results = "mx; x=y z=00" });
	seal(2, &(struct sealing){ .results = "mx; x=y z=00" });
	assert_int_equal(nchain, COUNT(reasons));
	for (size_t i = 0; i < nchain; i++) {
		struct str was = chain[i].raw;

		chain[i].raw = str_dup(arena, was);
		p = (char *)(uintptr_t)chain[i].raw.p + was.n - 4;
		*p = *p == 'A' ? 'B' : 'A';
		must(validate(body), ARC_R_FAIL, reasons[i]);
		chain[i].raw = was;
	}
	must(validate("Hello\r\nlunch!\r\n"), ARC_R_FAIL,
	    "ARC-Message-Signature 2: the body hash differs");
	must(validate("Hello \r\nlunch?  \r\n\r\n \r\n"), ARC_R_PASS, "");
	put_first("Subject", STR(" another"));
	must(validate(body), ARC_R_PASS, "");	/* h= names it once */
	new_letter();
	seal(1, &(struct sealing){ .tags = " l=15;" });
	must(validate("Hello\r\nlunch?\r\nand more\r\n"), ARC_R_FAIL,
	    "ARC-Message-Signature 1: l= is not the body's length");
}

static void
structure(void **state)
{
	static const struct { int drop, twice; const char *reason; } cases[] = {
		{ 0, -1, "ARC-Seal 2: it is missing" },
		{ 4, -1, "ARC-Message-Signature 1: it is missing" },
		{ 2, -1, "ARC-Authentication-Results 2: it is missing" },
		{ -1, 3, "ARC-Seal 1: there are two" },
		{ -1, 5, "ARC-Authentication-Results 1: there are two" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		new_letter();
		seal(1, &(struct sealing){ 0 });
		seal(2, &(struct sealing){ 0 });
		if (cases[i].drop >= 0)
			chain[cases[i].drop].name = STR("X-Gone");
		if (cases[i].twice >= 0)
			put_first(chain[cases[i].twice].name.p, chain[cases[i].twice].raw);
		must(validate(body), ARC_R_FAIL, cases[i].reason);
	}
	/* A gap, and a chain that failed before. */
	new_letter();
	seal(2, &(struct sealing){ 0 });
	must(validate(body), ARC_R_FAIL, "ARC-Authentication-Results 1: it is missing");
	new_letter();
	seal(1, &(struct sealing){ 0 });
	seal(2, &(struct sealing){ .cv = "fail" });
	seal(3, &(struct sealing){ 0 });
	must(validate(body), ARC_R_FAIL, "ARC-Seal 2: it says that the chain has failed");
}

/* What fails for certain is not put off. */
static void
fails_before_temperror(void **state)
{
	(void)state;
	new_letter();
	seal(1, &(struct sealing){ .selector = "dead" });
	seal(2, &(struct sealing){ 0 });
	must(validate(body), ARC_R_TEMPERROR, "ARC-Seal 1: "
	    "TXT of dead._domainkey.a.example: servfail, the zone file says SERVFAIL");
	chain[0].raw = str_printf(arena, STR_FMT "AAAA", (int)chain[0].raw.n - 4, chain[0].raw.p);
	must(validate(body), ARC_R_FAIL, "ARC-Seal 2: the signature doesn't verify");
}

static void
too_much(void **state)
{
	struct arc_check *c = arc_begin(resolver, arena, NOW);
	char *big = arena_alloc(arena, 1 << 20);
	int i;

	(void)state;
	memset(big, 'x', 1 << 20);
	for (i = 0; i < 5; i++)
		assert_int_equal(arc_add_field(c, STR("X"), (struct str){ big, 1 << 20 }), 0);
	assert_int_equal(arc_add_field(c, STR("arc-seal "), STR(" i=1")), 0);
	assert_int_equal(arc_end_headers(c), 0);
	assert_false(arc_wants_body(c));
	must(arc_finish(c, 0), ARC_R_FAIL, "the header is too large");
	c = arc_begin(resolver, arena, NOW);
	for (i = 0; i < 11000; i++)
		assert_int_equal(arc_add_field(c, STR("X"), STR("")), 0);
	assert_int_equal(arc_end_headers(c), 0);
	must(arc_finish(c, 0), ARC_R_NONE, "");
}

/* ---- Fields and bodies ---- */

static void
instances(void **state)
{
	static const struct { const char *raw; unsigned instance; const char *payload; } cases[] = {
		{ " i=1; mx; none", 1, " mx; none" },
		{ "(a) i (b) = (c) 50 (d) ;x", 50, "x" },
		{ " i=51; x", 0, NULL }, { " i=0; x", 0, NULL }, { " i=; x", 0, NULL },
		{ " i=001; x", 0, NULL }, { " i=1 x; y", 0, NULL }, { " i=1", 0, NULL },
		{ " I=1; x", 0, NULL }, { " (i=1; x", 0, NULL }, { "", 0, NULL }, { "i", 0, NULL },
		{ " mx; i=1;", 0, NULL }, { "i=1;", 1, "" },
	};
	struct str payload;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(arc_read_results(str_of(cases[i].raw), &payload), cases[i].instance);
		if (cases[i].payload != NULL)
			assert_true(str_eq(payload, str_of(cases[i].payload)));
	}
}

static void
bodies(void **state)
{
	static const struct { const char *body, *simple, *relaxed; } cases[] = {
		{ "", "\r\n", "" }, { "\r\n\r\n", "\r\n", "" }, { " \r\n", " \r\n", "" },
		{ "a", "a\r\n", "a\r\n" }, { "a\r", "a\r\r\n", "a\r\r\n" },
		{ " a \t b\t\r\n\r\n\r\nc\r\n\r\n", " a \t b\t\r\n\r\n\r\nc\r\n", " a b\r\n\r\n\r\nc\r\n" },
		{ "a\nb\r\n", "a\nb\r\n", "a\nb\r\n" }, { "a \rb\r\n", "a \rb\r\n", "a \rb\r\n" },
	};
	unsigned char got[SHA256_OCTETS], want[SHA256_OCTETS];
	struct canon_body b;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const char *text = i % 2 ? cases[i / 2].relaxed : cases[i / 2].simple;

		assert_int_equal(canon_body_begin(&b, i % 2, false, UINT64_MAX), 0);
		for (const char *p = cases[i / 2].body; *p != '\0'; p++)
			canon_body_add(&b, (struct str){ p, 1 });
		assert_int_equal(canon_body_end(&b, got), 0);
		hash_free(&b.hash);
		assert_int_equal(b.octets, strlen(text));
		EVP_Digest(text, strlen(text), want, NULL, EVP_sha256(), NULL);
		assert_memory_equal(got, want, sizeof(want));
	}
}

static void
header_fields(void **state)
{
	static const struct { const char *name, *raw; size_t from, to; const char *simple, *relaxed; } cases[] = {
		{ "Subject ", " A  b\r\n\tc \r\n ", 0, 0, "Subject : A  b\r\n\tc \r\n ", "subject:A b c" },
		{ "X", "\n a", 0, 0, "X:\r\n a", "x:a" },
		{ "X", " a=1; b= zz\n z ; c", 8, 15, "X: a=1; b=; c", "x:a=1; b=; c" },
		{ "X", "", 0, 0, "X:", "x:" },
	};
	unsigned char got[SHA256_OCTETS], want[SHA256_OCTETS];
	struct hash h;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const char *text = i % 2 ? cases[i / 2].relaxed : cases[i / 2].simple;

		assert_int_equal(hash_begin(&h, false), 0);
		canon_field(&h, i % 2, str_of(cases[i / 2].name), str_of(cases[i / 2].raw),
		    cases[i / 2].from, cases[i / 2].to);
		assert_int_equal(hash_end(&h, got), 0);
		hash_free(&h);
		EVP_Digest(text, strlen(text), want, NULL, EVP_sha256(), NULL);
		assert_memory_equal(got, want, sizeof(want));
	}
}

/* What real fields hold is the suite's business (tests/conformance/authres.py). */
static void
broken_results(void **state)
{
	static const char *const good[] = {
		"x", "x;", "x; none", "x 1 ; none (y)", "\"a b\"; spf=pass", "x; a=b c.d=\"e;\\\"f\" (g\\);)",
		"x; a=b smtp.mailfrom=\"a b\"@c.example", "x; a/1=b", "x; a=b reason=\"\"",
	};
	static const char *const broken[] = {
		"", ";", "=x", "x; a", "x; a=", "x; a=b c", "x; a=b c=\"", "x; a=b (c", "x y; none",
		"x; none; spf=pass", "x; spf=pass;; dkim=pass", "x; a=b.c", "x; a/=b", "x; a/b=c",
		"x; a=b c.=d", "x; a=b .c=d", "x; a=b c=d\"", "x\x01; a=b", "x; a=b c=d\x7f",
	};
	struct strbuf many = { 0 };
	struct authres_field f;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (authres_parse(arena, str_of(good[i]), &f) != 0)
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < COUNT(broken); i++)
		if (authres_parse(arena, str_of(broken[i]), &f) != -1)
			fail_msg("%s", broken[i]);
	strbuf_puts(&many, "x");
	for (int i = 0; i < AUTHRES_RESULTS_MAX; i++)
		strbuf_puts(&many, "; a=b");
	assert_int_equal(authres_parse(arena, strbuf_slice(&many), &f), 0);
	assert_int_equal(f.n, AUTHRES_RESULTS_MAX);
	strbuf_puts(&many, "; a=b");
	assert_int_equal(authres_parse(arena, strbuf_slice(&many), &f), -1);
	strbuf_free(&many);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(none_at_all), TEST(passing), TEST(oldest_pass), TEST(unreadable_results),
		TEST(none_at_all), TEST(passing), TEST(oldest_pass), TEST(versions_of_results),
		TEST(another_author),
		TEST(longest), TEST(one_set), TEST(changed), TEST(structure),
		TEST(fails_before_temperror), TEST(too_much), TEST(instances), TEST(bodies),
		TEST(header_fields), TEST(broken_results),
	};

	return cmocka_run_group_tests_name("arc", tests, NULL, drop_keys);
}
