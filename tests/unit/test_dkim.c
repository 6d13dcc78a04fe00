/*
 * test_dkim.c - DKIM signatures: what passes, what must not, and each trap of
 * libopendkim that dkim.c fences.
 *
 * Messages are signed here, with keys that are made here; the ones that no
 * signer would make are written by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <opendkim/dkim.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dkim.h"
#include "filter/dkim_tags.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NOW		1700000000

static struct arena *arena;
static struct dkim_engine *engine;
static char *secret;		/* PEM */
static struct str public_key;	/* p= */
static struct str small_key;

/* p= of a key. */
static struct str
publish(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	char *b64 = malloc((size_t)n * 2);

	n = EVP_EncodeBlock((unsigned char *)b64, der, n);
	OPENSSL_free(der);
	return (struct str){ b64, (size_t)n };
}

static int
make_keys(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(1024), *small = EVP_RSA_gen(768);
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	(void)state;
	if (key == NULL || small == NULL ||
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return -1;
	n = BIO_get_mem_data(bio, &p);
	secret = strndup(p, (size_t)n);
	BIO_free(bio);
	public_key = publish(key);
	small_key = publish(small);
	EVP_PKEY_free(key);
	EVP_PKEY_free(small);
	engine = dkim_engine_new(NOW);
	return engine != NULL ? 0 : -1;
}

static int
drop_keys(void **state)
{
	(void)state;
	dkim_engine_free(engine);
	free(secret);
	free((void *)(uintptr_t)public_key.p);
	free((void *)(uintptr_t)small_key.p);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new(0)) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* ---- Signing ---- */

struct signing {
	const char	*from, *subject, *body;	/* as it is when it is signed */
	dkim_canon_t	 canon;
	dkim_alg_t	 alg;
	ssize_t		 length;	/* l=, or -1 */
	uint64_t	 time;		/* t=, or 0 */
	uint64_t	 ttl;		/* x=, or 0 */
};

static unsigned char *
u(const char *s)
{
	return (unsigned char *)(uintptr_t)s;
}

/* The value of DKIM-Signature. */
static struct str
sign(const struct signing *s)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	unsigned flags = s->length >= 0 ? DKIM_LIBFLAGS_SIGNLEN : 0;
	struct str field, value;
	DKIM_STAT st;
	u_char *buf;
	size_t n;
	DKIM *d;

	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME,
	    &(uint64_t){ s->time }, sizeof(uint64_t));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL,
	    &(uint64_t){ s->ttl }, sizeof(uint64_t));
	d = dkim_sign(lib, u("t"), NULL, u(secret), u("sel"), u("example.com"),
	    s->canon, s->canon, s->alg, s->length, &st);
	assert_non_null(d);
	field = str_printf(arena, "From: %s", s->from);
	assert_int_equal(dkim_header(d, u(field.p), field.n), DKIM_STAT_OK);
	field = str_printf(arena, "Subject: %s", s->subject);
	assert_int_equal(dkim_header(d, u(field.p), field.n), DKIM_STAT_OK);
	assert_int_equal(dkim_eoh(d), DKIM_STAT_OK);
	if (s->body[0] != '\0')
		assert_int_equal(dkim_body(d, u(s->body), strlen(s->body)),
		    DKIM_STAT_OK);
	assert_int_equal(dkim_eom(d, NULL), DKIM_STAT_OK);
	assert_int_equal(dkim_getsighdr_d(d, 16, &buf, &n), DKIM_STAT_OK);
	value = str_dup(arena, (struct str){ (char *)buf, n });
	dkim_free(d);
	dkim_close(lib);
	return value;
}

/* ---- Verifying ---- */

struct message {
	struct str	 sig[8];
	size_t		 nsig;
	const char	*from, *subject;
	const char	*top, *bottom;	/* fields above From and below Subject */
	struct str	 author;	/* domain in From, or p NULL */
	struct str	 body;
	struct str	 zone;		/* p NULL: the good key */
	unsigned	 max;
	size_t		 chunk;		/* octets at a time, 0: all */
};

/* "Name: value" */
static void
add_field(struct dkim_check *c, const char *text)
{
	struct str s = str_of(text);
	size_t n = strcspn(text, ":");

	assert_int_equal(dkim_add_field(c, (struct str){ s.p, n },
	    (struct str){ s.p + n + 1, s.n - n - 1 }), 0);
}

static struct part_list
keep_parts(struct part_list l)
{
	struct value *v = arena_array(arena, l.n + 1, sizeof(*v));

	for (size_t i = 0; i < l.n; i++)
		v[i] = l.v[i];
	return (struct part_list){ v, l.n };
}

static const struct dkim_answer *
verify(const struct message *m)
{
	struct strbuf why = { 0 };
	struct str zone = m->zone, chunk;
	const struct dkim_answer *answer, *copy;
	struct dkim_signature *v;
	struct dkim_check *c;
	struct resolver *r;
	struct arena *a = arena_new(0);
	size_t i, n = m->chunk > 0 ? m->chunk : m->body.n;

	if (zone.p == NULL)
		zone = str_printf(arena, "sel._domainkey.example.com TXT "
		    "\"v=DKIM1; p=" STR_FMT "\"\n", STR_ARG(public_key));
	r = resolver_zone_text(zone, &why);
	if (r == NULL)
		fail_msg("%s", why.p);
	c = dkim_begin(engine, r, a, STR("t"), m->max > 0 ? m->max : 10);
	assert_non_null(c);
	for (i = 0; i < m->nsig; i++)
		assert_int_equal(dkim_add_field(c, STR("DKIM-Signature"),
		    str_printf(arena, " " STR_FMT, STR_ARG(m->sig[i]))), 0);
	if (m->top != NULL)
		add_field(c, m->top);
	add_field(c, str_printf(arena, "From: %s", m->from).p);
	add_field(c, str_printf(arena, "Subject: %s", m->subject).p);
	if (m->bottom != NULL)
		add_field(c, m->bottom);
	assert_int_equal(dkim_end_headers(c, &m->author, m->author.p != NULL), 0);
	for (i = 0; i < m->body.n; i += chunk.n) {
		chunk = (struct str){ m->body.p + i,
		    m->body.n - i < n ? m->body.n - i : n };
		dkim_add_body(c, chunk);
	}
	answer = dkim_finish(c, clock_msec() + 5000);
	assert_non_null(answer);
	/* What is asserted outlives the check. */
	v = arena_array(arena, answer->n + 1, sizeof(*v));
	for (i = 0; i < answer->n; i++) {
		v[i] = answer->sig[i];
		v[i].reason = str_dup(arena, v[i].reason);
		v[i].domain = str_dup(arena, v[i].domain);
		v[i].unsigned_parts = keep_parts(v[i].unsigned_parts);
		v[i].oversigned = keep_parts(v[i].oversigned);
	}
	copy = memcpy(arena_alloc(arena, sizeof(*copy)),
	    &(struct dkim_answer){ v, answer->n }, sizeof(*copy));
	arena_free(a);
	resolver_free(r);
	strbuf_free(&why);
	return copy;
}

static const struct signing plain = {
	.from = "a@example.com", .subject = "hello", .body = "one\r\ntwo \r\n\r\n",
	.canon = DKIM_CANON_RELAXED, .alg = DKIM_SIGN_RSASHA256, .length = -1,
	.time = NOW - 60,
};

static struct message
message_of(const struct signing *s)
{
	struct message m = { .nsig = 1, .from = s->from, .subject = s->subject,
	    .body = str_of(s->body) };

	m.sig[0] = sign(s);
	return m;
}

static void
expect(const struct message *m, size_t i, enum dkim_result want, const char *reason)
{
	const struct dkim_answer *got = verify(m);

	assert_true(i < got->n);
	if (got->sig[i].result != want ||
	    !str_eq(got->sig[i].reason, str_of(reason)))
		fail_msg("%s (" STR_FMT "), not %s (%s)",
		    type_of(T_DKIM)->words[got->sig[i].result],
		    STR_ARG(got->sig[i].reason), type_of(T_DKIM)->words[want],
		    reason);
}

static void
passes(void **state)
{
	static const char *const bodies[] = {
		"", "\r\n", "\r\n\r\n", "a\r\n", "a", "a\r\n\r\n\r\nb\r\n\r\n",
		" a  b\t\r\n \t\r\n", ".\r\n..\r\n", "a\r\n ",
	};
	static const size_t chunks[] = { 0, 1, 2, 3, 5 };
	const struct dkim_answer *answer;
	struct signing s = plain;
	struct message m;

	(void)state;
	for (int canon = DKIM_CANON_SIMPLE; canon <= DKIM_CANON_RELAXED; canon++) {
		s.canon = canon;
		for (size_t b = 0; b < COUNT(bodies); b++) {
			/* libopendkim signs no body without a last line end, */
			s.body = bodies[b];
			if (strlen(s.body) > 0 && s.body[strlen(s.body) - 1] != '\n')
				s.body = str_printf(arena, "%s\r\n", s.body).p;
			m = message_of(&s);
			/* but verifies what became of it. */
			m.body = str_of(bodies[b]);
			for (size_t c = 0; c < COUNT(chunks); c++) {
				m.chunk = chunks[c];
				expect(&m, 0, DKIM_R_PASS, "");
			}
		}
	}
	answer = verify(&m);
	assert_int_equal(answer->sig[0].bits, 1024);
	assert_true(str_eq(answer->sig[0].domain, STR("example.com")));
	assert_false(answer->sig[0].partial);
}

static void
fails_when_changed(void **state)
{
	struct message m = message_of(&plain);

	(void)state;
	m.subject = "hallo";
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
	m.subject = "hello";
	m.body = STR("one\r\nthree\r\n");
	expect(&m, 0, DKIM_R_FAIL, "the body hash differs");
	m.body = STR("");
	expect(&m, 0, DKIM_R_FAIL, "the body hash differs");
	/* Relaxed forgives blanks. */
	m.body = STR("one \r\ntwo\r\n");
	m.subject = "hello\r\n ";
	expect(&m, 0, DKIM_R_PASS, "");
}

static void
tells_what_is_unsigned(void **state)
{
	struct signing s = plain;
	struct message m;
	const struct dkim_answer *answer;

	(void)state;
	s.length = 5;
	m = message_of(&s);
	answer = verify(&m);
	assert_int_equal(answer->sig[0].result, DKIM_R_PASS);
	assert_true(answer->sig[0].partial);
	m.body = STR("one\r\nfree text\r\n");
	answer = verify(&m);
	assert_int_equal(answer->sig[0].result, DKIM_R_PASS);
	assert_true(answer->sig[0].partial);
	m.body = STR("one\r\n\r\n");
	answer = verify(&m);
	assert_int_equal(answer->sig[0].result, DKIM_R_PASS);
	assert_false(answer->sig[0].partial);
	m.body = STR("on");
	expect(&m, 0, DKIM_R_PERMERROR, "l= is beyond the body's end");
}

static const char *
words_of(struct part_list l)
{
	struct str s = STR("");

	for (size_t i = 0; i < l.n; i++)
		s = str_printf(arena, STR_FMT "%s%s", STR_ARG(s), i > 0 ? " " : "",
		    type_of(T_PART)->words[l.v[i].n]);
	return s.p;
}

static const char *
unsigned_of(const struct message *m, enum dkim_result want)
{
	const struct dkim_answer *a = verify(m);

	assert_int_equal(a->sig[0].result, want);
	return words_of(a->sig[0].unsigned_parts);
}

/* Fields that are added, above and below; and what nobody can add. */
static void
tells_which_fields_are_unsigned(void **state)
{
	struct signing s = plain;
	struct message m = message_of(&s);

	(void)state;
	assert_string_equal(unsigned_of(&m, DKIM_R_PASS), "");
	m.top = "From: evil@example.net";
	assert_string_equal(unsigned_of(&m, DKIM_R_PASS), "from");
	m.top = "SUBJECT : Win!";
	assert_string_equal(unsigned_of(&m, DKIM_R_PASS), "subject");
	m.top = "Reply-To: evil@example.net";
	m.bottom = "X-From: x";
	assert_string_equal(unsigned_of(&m, DKIM_R_PASS), "reply-to");
	m.top = NULL;
	m.bottom = "From: evil@example.net";
	assert_string_equal(unsigned_of(&m, DKIM_R_FAIL), "from");
	s.length = 3;
	m = message_of(&s);
	m.top = "To: all";
	assert_string_equal(unsigned_of(&m, DKIM_R_PASS), "to body");
	/* Of what can't be read nothing is said. */
	m.sig[0] = STR("v=1; a=rsa-sha256; h=from");
	assert_string_equal(unsigned_of(&m, DKIM_R_PERMERROR), "");
}

static void
tells_what_is_oversigned(void **state)
{
	struct message m = message_of(&plain);
	const struct dkim_answer *a;

	(void)state;
	m.nsig = 2;
	m.sig[1] = STR("v=1; a=rsa-sha256; d=example.com; s=sel; "
	    "h=From : subject:from:Reply-To:received; bh=AAAA; b=AAAA");
	a = verify(&m);
	assert_string_equal(words_of(a->sig[0].oversigned), "");
	assert_string_equal(words_of(a->sig[1].oversigned), "from reply-to");
	assert_string_equal(words_of(a->sig[1].unsigned_parts), "");
	m.top = "From: evil@example.net";
	a = verify(&m);
	assert_string_equal(words_of(a->sig[1].oversigned), "reply-to");
	assert_string_equal(words_of(a->sig[1].unsigned_parts), "");
	assert_string_equal(words_of(a->sig[0].unsigned_parts), "from");
}

static void
looks_at_the_clock(void **state)
{
	static const struct {
		uint64_t time, ttl;
		enum dkim_result result;
		const char *reason;
	} cases[] = {
		{ NOW, 0, DKIM_R_PASS, "" },
		{ NOW + 250, 0, DKIM_R_PASS, "" },
		{ NOW + 400, 0, DKIM_R_POLICY, "signed in the future" },
		{ NOW - 5000, 4000, DKIM_R_POLICY, "expired" },
		{ NOW - 5000, 4800, DKIM_R_PASS, "" },	/* clocks differ */
		{ NOW - 5000, 100000, DKIM_R_PASS, "" },
		{ 200, 0, DKIM_R_PASS, "" },	/* below libopendkim's drift */
	};
	struct signing s = plain;
	struct message m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		s.time = cases[i].time;
		s.ttl = cases[i].ttl;
		m = message_of(&s);
		expect(&m, 0, cases[i].result, cases[i].reason);
	}
}

static void
refuses_weak_algorithms(void **state)
{
	struct signing s = plain;
	struct message m;

	(void)state;
	s.alg = DKIM_SIGN_RSASHA1;
	m = message_of(&s);
	expect(&m, 0, DKIM_R_POLICY, "rsa-sha1 is not accepted");
	m.subject = "hallo";
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
}

/* KEY stands for the good key, SMALL for one of 768 bits. */
static const struct { const char *zone; enum dkim_result result; const char *reason; } keys[] = {
	{ "N TXT \"p=KEY\"", DKIM_R_PASS, "" },
	{ "N TXT \"v=DKIM1; k=rsa; h=sha1 : sha256; s=tlsrpt:email; t=y:s; n=x; p=KEY;\"", DKIM_R_PASS, "" },
	{ "N TXT \"google=abc\"\nN TXT \"v=DKIM1; p=KEY\"", DKIM_R_PASS, "" },
	{ "N TXT \"p=KEY\"\nN TXT \"p=KEY\"", DKIM_R_PASS, "" },
	{ "N TXT \"p=KEY\"\nN TXT \"p=SMALL\"", DKIM_R_PERMERROR, "there are several keys" },
	{ "N TXT \"p=SMALL\"", DKIM_R_FAIL, "the signature doesn't verify" },
	{ "x TXT \"p=KEY\"", DKIM_R_PERMERROR, "there is no key" },
	{ "N A 192.0.2.1", DKIM_R_PERMERROR, "there is no key" },
	{ "N * SERVFAIL", DKIM_R_TEMPERROR, "TXT of sel._domainkey.example.com: servfail, the zone file says SERVFAIL" },
	{ "N * TIMEOUT", DKIM_R_TEMPERROR, "TXT of sel._domainkey.example.com: timeout, the zone file says TIMEOUT" },
	{ "N TXT \"v=DKIM1; p=\"", DKIM_R_PERMERROR, "the key is revoked" },
	{ "N TXT \"v=DKIM2; p=KEY\"", DKIM_R_PERMERROR, "the key record is no key" },
	{ "N TXT \"v=spf1 -all\"", DKIM_R_PERMERROR, "the key record is no key" },
	{ "N TXT \"v=DKIM1; k=ed25519; p=KEY\"", DKIM_R_PERMERROR, "the key is of another type" },
	{ "N TXT \"h=sha1; p=KEY\"", DKIM_R_PERMERROR, "the key is not for this hash" },
	{ "N TXT \"s=tlsrpt; p=KEY\"", DKIM_R_PERMERROR, "the key is not for mail" },
	{ "N TXT \"p=KEY; p=KEY\"", DKIM_R_PERMERROR, "the key record is no key" },
	{ "N TXT \"p=%%%\"", DKIM_R_PERMERROR, "the key's p= is no base64" },
	{ "N TXT \"p=QUJD\"", DKIM_R_PERMERROR, "the key is no RSA key" },
	{ "N TXT \"\"", DKIM_R_PERMERROR, "the key record is no key" },
};

static struct str
zone_of(const char *text)
{
	struct strbuf b = { 0 };
	struct str zone, s = str_of(text);
	ptrdiff_t at;

	while (s.n > 0) {
		if (str_find(s, STR("KEY")) == 0) {
			strbuf_str(&b, public_key);
			at = 3;
		} else if (str_find(s, STR("SMALL")) == 0) {
			strbuf_str(&b, small_key);
			at = 5;
		} else if (str_find(s, STR("N ")) == 0) {
			strbuf_puts(&b, "sel._domainkey.example.com ");
			at = 2;
		} else {
			strbuf_putc(&b, s.p[0]);
			at = 1;
		}
		s.p += at;
		s.n -= (size_t)at;
	}
	strbuf_putc(&b, '\n');
	zone = str_dup(arena, strbuf_slice(&b));
	strbuf_free(&b);
	return zone;
}

static void
reads_keys_strictly(void **state)
{
	struct message m = message_of(&plain);

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		m.zone = zone_of(keys[i].zone);
		expect(&m, 0, keys[i].result, keys[i].reason);
	}
}

#define D	"v=1; a=rsa-sha256; d=example.com; s=sel; h=from; "
#define B	"bh=AAAA; b=AAAA"

static const struct { const char *sig; enum dkim_result result; const char *reason; } fields[] = {
	{ D B, DKIM_R_FAIL, "the signature doesn't verify" },
	{ D B ";", DKIM_R_FAIL, "the signature doesn't verify" },
	/* Trap: h= names more fields than there are. */
	{ "v=1; a=rsa-sha256; d=example.com; s=sel; h=from:subject:dkim-signature:from:from:to:cc:x:y:z; " B,
	    DKIM_R_FAIL, "the signature doesn't verify" },
	/* Trap: it reads past the end of i=. */
	{ D B "; i==", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=@example.com=", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=@example.org", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=@notexample.com", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=a=40b@x.example.com", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=a@x.example.com", DKIM_R_FAIL, "the signature doesn't verify" },
	/* Trap: names that differ in case are one tag to it. */
	{ D B "; D=example.org", DKIM_R_PERMERROR, "no list of tags" },
	{ D B "; x", DKIM_R_PERMERROR, "no list of tags" },
	{ D ";" B, DKIM_R_PERMERROR, "no list of tags" },
	/* RFC 8616, 4: UTF-8 may stand there, but no other octets. */
	{ D B "; z=\xc3\xa9", DKIM_R_FAIL, "the signature doesn't verify" },
	{ D B "; z=\xe9", DKIM_R_PERMERROR, "no list of tags" },
	{ D B "; i=@\xc3\xa9.example.com", DKIM_R_FAIL, "the signature doesn't verify" },
	{ D B "; i=@\xc3\xa9.example.org", DKIM_R_PERMERROR, "i= is not within d=" },
	{ D B "; i=@=E9.example.com", DKIM_R_PERMERROR, "i= is not within d=" },
	{ "v=1; a=rsa-sha256; d=a\xe2\xa0\x80.example; s=sel; h=from; " B,
	    DKIM_R_PERMERROR, "d= is no domain" },
	{ "v=1; a=rsa-sha256; d=example.com; s=\xc2\xa0; h=from; " B,
	    DKIM_R_PERMERROR, "s= is no selector" },
	{ D B "; z=\x01", DKIM_R_PERMERROR, "no list of tags" },
	/* Trap: it leaves out all values whose tag ends in b. */
	{ D B "; xb=1", DKIM_R_FAIL, "the signature doesn't verify" },
	{ D "bh=AAAA; b =AAAA", DKIM_R_FAIL, "the signature doesn't verify" },
	/* Trap: a number above 2^63 is negative to it. */
	{ D B "; l=18446744073709551614", DKIM_R_FAIL, "the signature doesn't verify" },
	{ D B "; l=-1", DKIM_R_PERMERROR, "l= is no number" },
	{ D B "; l=", DKIM_R_PERMERROR, "l= is no number" },
	{ D B "; t=x", DKIM_R_PERMERROR, "t= is no time" },
	{ D B "; t=5; x=5", DKIM_R_PERMERROR, "x= is not after t=" },
	/* Trap: it takes keys from a file. */
	{ D B "; q=file", DKIM_R_PERMERROR, "q= has no dns/txt" },
	{ D B "; q=file:dns/txt", DKIM_R_FAIL, "the signature doesn't verify" },
	{ D B "; c=relaxed/none", DKIM_R_PERMERROR, "c= is unknown" },
	{ D "bh=AAAA", DKIM_R_PERMERROR, "b= is no base64" },
	{ D "b=AAAA", DKIM_R_PERMERROR, "bh= is no base64" },
	{ "a=rsa-sha256; d=example.com; s=sel; h=from; " B, DKIM_R_PERMERROR, "v= is missing" },
	{ "v=1; a=rsa-md5; d=example.com; s=sel; h=from; " B, DKIM_R_PERMERROR, "a= is unknown" },
	{ "v=1; a=rsa-sha256; d=com; s=sel; h=from; " B, DKIM_R_PERMERROR, "d= is no domain" },
	{ "v=1; a=rsa-sha256; d=exam ple.com; s=sel; h=from; " B, DKIM_R_PERMERROR, "d= is no domain" },
	{ "v=1; a=rsa-sha256; d=example.com; s=..; h=from; " B, DKIM_R_PERMERROR, "s= is no selector" },
	{ "v=1; a=rsa-sha256; d=example.com; s=sel; h=subject; " B, DKIM_R_PERMERROR, "From is not signed" },
	{ "v=1; a=rsa-sha256; d=example.com; s=sel; h=fr om; " B, DKIM_R_PERMERROR, "h= is no list of names" },
	{ "", DKIM_R_PERMERROR, "no list of tags" },
};

static void
reads_signatures_strictly(void **state)
{
	struct message m = { .nsig = 1, .from = "a@example.com",
	    .subject = "x", .body = STR("x\r\n") };

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		m.sig[0] = str_of(fields[i].sig);
		expect(&m, 0, fields[i].result, fields[i].reason);
	}
}

/* ---- What libopendkim judges wrongly, signed without it: simple/simple ---- */

static struct str
rsa_sign(const char *pem, struct str data)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = (size_t)EVP_PKEY_get_size(key);
	unsigned char *sig = arena_alloc(arena, n), *b64 = arena_alloc(arena, 2 * n);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)data.p, data.n), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return (struct str){ (char *)b64, (size_t)EVP_EncodeBlock(b64, sig, (int)n) };
}

/*
 * tags		all but bh= and b=
 * b		how b= is written, without its value
 * covered	what h= names, each field with its line end
 */
static struct str
sign_by_hand(const char *pem, const char *tags, const char *b, const char *covered)
{
	unsigned char digest[32], b64[64];
	struct str value;

	/* The body is "x". */
	EVP_Digest("x\r\n", 3, digest, NULL, EVP_sha256(), NULL);
	EVP_EncodeBlock(b64, digest, sizeof(digest));
	value = str_printf(arena, "v=1; a=rsa-sha256; %s; bh=%s; %s", tags, (char *)b64, b);
	return str_printf(arena, STR_FMT STR_FMT, STR_ARG(value), STR_ARG(rsa_sign(pem,
	    str_printf(arena, "%sDKIM-Signature: " STR_FMT, covered, STR_ARG(value)))));
}

#define AUTHOR	"From: a@example.com\r\n"
#define OURS	"d=example.com; s=sel; h="

static struct message
by_hand(const char *tags, const char *b, const char *covered)
{
	struct message m = { .nsig = 1, .from = "a@example.com", .subject = "x",
	    .body = STR("x\r\n") };

	m.sig[0] = sign_by_hand(secret, tags, b, covered);
	return m;
}

/* RFC 6376, 5.4.2 and 3.5: from the bottom, and never itself. */
static void
signs_signatures(void **state)
{
	static const char *const on_top[] = {
		"v=1; a=rsa-sha256; d=list.example; s=x", "rubbish", "",
		"v=1; a=rsa-sha512; d=example.com; s=sel; h=from; " B,
		"v=1; a=rsa-sha256; d=example.com; s=sel; x=1; h=from; " B,
		"v=1; a=rsa-sha256; d=example.com; s=sel; h=from:dkim-signature; " B,
	};
	struct message m = by_hand(OURS "from", "b=", AUTHOR);
	struct str below = m.sig[0], over;

	(void)state;
	/* Alone, and with one below it. */
	m.sig[0] = sign_by_hand(secret, OURS "from:dkim-signature", "b=", AUTHOR);
	expect(&m, 0, DKIM_R_PASS, "");
	over = sign_by_hand(secret, OURS "from:dkim-signature:dkim-signature", "b=",
	    str_printf(arena, AUTHOR "DKIM-Signature: " STR_FMT "\r\n", STR_ARG(below)).p);
	m.nsig = 2;
	m.sig[0] = over;
	m.sig[1] = below;
	expect(&m, 0, DKIM_R_PASS, "");
	expect(&m, 1, DKIM_R_PASS, "");
	/* What is above is nothing to one that names as many as were there. */
	over = sign_by_hand(secret, OURS "from:dkim-signature", "b=",
	    str_printf(arena, AUTHOR "DKIM-Signature: " STR_FMT "\r\n", STR_ARG(below)).p);
	m.nsig = 3;
	m.sig[1] = over;
	m.sig[2] = below;
	for (size_t i = 0; i < COUNT(on_top); i++) {
		m.sig[0] = str_of(on_top[i]);
		expect(&m, 1, DKIM_R_PASS, "");
		expect(&m, 2, DKIM_R_PASS, "");
	}
	/* Even if those on top are more than are looked at. */
	m.nsig = 7;
	m.max = 3;
	for (size_t i = 0; i < 5; i++)
		m.sig[i] = STR("v=1; a=rsa-sha256; d=list.example; s=x; h=from; " B);
	m.sig[5] = over;
	m.sig[6] = below;
	m.author = STR("example.com");
	expect(&m, 5, DKIM_R_PASS, "");
	/* What is signed must be as it was. */
	m.sig[6] = STR("v=1; a=rsa-sha256; d=example.com; s=sel; h=from; " B);
	expect(&m, 5, DKIM_R_FAIL, "the signature doesn't verify");
}

static void
hashes_what_libopendkim_does_not(void **state)
{
	struct strbuf h = { 0 };
	struct message m;

	(void)state;
	/* The blank behind the = is left out with the value, the one before it isn't. */
	m = by_hand(OURS "from", "b = ", AUTHOR);
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
	m = by_hand(OURS "from", "b =", AUTHOR);
	expect(&m, 0, DKIM_R_PASS, "");
	m = by_hand(OURS "from; fb=abc", "b=", AUTHOR);
	expect(&m, 0, DKIM_R_PASS, "");
	m.subject = "another";
	expect(&m, 0, DKIM_R_PASS, "");
	m.from = "b@example.com";
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
	strbuf_puts(&h, OURS "subject:from");
	while (h.n < 6000)
		strbuf_puts(&h, ":x-some-field");
	strbuf_puts(&h, ":bottom");
	m = by_hand(str_dup(arena, strbuf_slice(&h)).p, "b=",
	    "Subject: x\r\n" AUTHOR "Bottom:  y\r\n");
	m.bottom = "Bottom:  y";
	expect(&m, 0, DKIM_R_PASS, "");
	m.bottom = "Bottom: y";
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
	strbuf_free(&h);
	/* Nor does SHA-1 pass there. */
	m.sig[0] = STR("v=1; a=rsa-sha1; d=example.com; s=sel; h=from:dkim-signature; " B);
	expect(&m, 0, DKIM_R_POLICY, "rsa-sha1 is not accepted");
}

/* The zone with that key: a string of a TXT record has up to 255 octets. */
static struct str
zone_with(struct str key)
{
	struct str zone = STR("sel._domainkey.example.com TXT \"p=\"");

	for (size_t at = 0; at < key.n; at += 200)
		zone = str_printf(arena, STR_FMT " \"%.*s\"", STR_ARG(zone),
		    (int)(key.n - at < 200 ? key.n - at : 200), key.p + at);
	return str_printf(arena, STR_FMT "\n", STR_ARG(zone));
}

/* A key longer than libopendkim's records; of four primes, since those are soon found. */
static void
takes_long_keys(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	struct message m = by_hand(OURS "from", "b=", AUTHOR);
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = NULL;
	struct str p;
	char *pem;

	(void)state;
	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 6144);
	EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 4);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	BIO_write(bio, "", 1);
	assert_true(BIO_get_mem_data(bio, &pem) > 0);
	m.sig[0] = sign_by_hand(pem, OURS "from", "b=", AUTHOR);
	p = publish(key);
	m.zone = zone_with(p);
	expect(&m, 0, DKIM_R_PASS, "");
	m.from = "b@example.com";
	expect(&m, 0, DKIM_R_FAIL, "the signature doesn't verify");
	free((void *)(uintptr_t)p.p);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	BIO_free(bio);
}

/* What is signed with a key that is too large is policy; but not if it can be seen to be wrong. */
static void
tries_no_larger_keys(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	struct message m = by_hand(OURS "from", "b=", AUTHOR);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;
	struct str p;

	(void)state;
	assert_int_equal(BN_rand(n, 16000, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	BN_set_word(e, 65537);
	OSSL_PARAM_BLD_push_BN(build, "n", n);
	OSSL_PARAM_BLD_push_BN(build, "e", e);
	assert_non_null(params = OSSL_PARAM_BLD_to_param(build));
	EVP_PKEY_fromdata_init(ctx);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	p = publish(key);
	m.zone = zone_with(p);
	expect(&m, 0, DKIM_R_POLICY, "the key is too large");
	m.body = STR("another\r\n");
	expect(&m, 0, DKIM_R_FAIL, "the body hash differs");
	free((void *)(uintptr_t)p.p);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
}

/* RFC 8616, 4: hashed as it stands there, looked up and compared as A-labels. */
static void
takes_internationalized_names(void **state)
{
	static const struct { const char *tags; bool passes; } cases[] = {
		{ "d=m\xc3\xbcller.example; s=sel; h=from", true },
		{ "d=M\xc3\x9cLLER.example; s=sel; h=from", true },
		{ "d=xn--mller-kva.example; s=pr\xc3\xbc""f; h=from", true },
		{ "d=m\xc3\xbcller.example; s=sel; i=j\xc3\xbcrg@m\xc3\xbcller.example; h=from", true },
		{ "d=xn--mller-kva.example; s=sel; i=@m\xc3\xbcller.example; h=from", true },
		{ "d=m\xc3\xbcller.example; s=sel; i=@post.xn--mller-kva.example; h=from", true },
		{ "d=m\xc3\xbcller.example; s=sel; i=@m=C3=BCller.example; h=from", true },
		{ "d=m\xc3\xbcller.example; s=sel; i=@m\xc3\xb6ller.example; h=from", false },
	};
	const struct dkim_answer *a;
	struct message m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		m = by_hand(cases[i].tags, "b=", AUTHOR);
		m.zone = zone_of("sel._domainkey.xn--mller-kva.example TXT \"p=KEY\"\n"
		    "xn--prf-ioa._domainkey.xn--mller-kva.example TXT \"p=KEY\"");
		expect(&m, 0, cases[i].passes ? DKIM_R_PASS : DKIM_R_PERMERROR,
		    cases[i].passes ? "" : "i= is not within d=");
		a = verify(&m);
		assert_true(str_eq(a->sig[0].domain, STR("xn--mller-kva.example")));
	}
	/* It is its author's among too many. */
	m.sig[3] = sign_by_hand(secret, cases[0].tags, "b=", AUTHOR);
	m.sig[0] = m.sig[1] = m.sig[2] = STR(D B);
	m.nsig = 4;
	m.max = 2;
	m.author = STR("xn--mller-kva.example");
	expect(&m, 3, DKIM_R_PASS, "");
}

static void
keeps_signatures_apart(void **state)
{
	struct signing s = plain;
	struct message m = message_of(&s);
	const struct dkim_answer *answer;

	(void)state;
	s.subject = "other";
	m.nsig = 5;
	m.sig[1] = sign(&s);
	m.sig[2] = STR("rubbish");
	m.sig[3] = m.sig[4] = m.sig[0];
	m.max = 4;
	answer = verify(&m);
	assert_int_equal(answer->n, 5);
	assert_int_equal(answer->sig[0].result, DKIM_R_PASS);
	assert_int_equal(answer->sig[1].result, DKIM_R_FAIL);
	assert_int_equal(answer->sig[2].result, DKIM_R_PERMERROR);
	assert_int_equal(answer->sig[3].result, DKIM_R_PASS);
	assert_int_equal(answer->sig[4].result, DKIM_R_POLICY);
}

/* Others' signatures on top don't push the author's out; nor is anything gained by names that look alike. */
static void
prefers_the_author(void **state)
{
	static const struct { const char *author, *junk; bool passes; } cases[] = {
		{ "example.com", "example.net", true },
		{ "mail.EXAMPLE.com", "example.net", true },
		{ "com", "example.net", true },
		{ "example.com", "notexample.com", true },
		{ "example.org", "example.net", false },
		{ NULL, "example.net", false },
		{ "example.com", "x.example.com", false },
	};
	struct message m = message_of(&plain);
	struct str good = m.sig[0];

	(void)state;
	m.nsig = 5;
	m.max = 3;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct dkim_answer *a;

		m.author = cases[i].author != NULL ? str_of(cases[i].author) : STR_NONE;
		for (size_t k = 0; k < 5; k++)
			m.sig[k] = str_printf(arena, "v=1; a=rsa-sha256; d=%s; s=sel; "
			    "h=from; bh=AAAA; b=AAAA", cases[i].junk);
		m.sig[3] = good;
		a = verify(&m);
		assert_int_equal(a->n, 5);
		assert_int_equal(a->sig[0].result, DKIM_R_PERMERROR);
		assert_int_equal(a->sig[1].result, DKIM_R_PERMERROR);
		assert_int_equal(a->sig[2].result, cases[i].passes ? DKIM_R_POLICY :
		    DKIM_R_PERMERROR);
		assert_int_equal(a->sig[3].result, cases[i].passes ? DKIM_R_PASS :
		    DKIM_R_POLICY);
		assert_int_equal(a->sig[4].result, DKIM_R_POLICY);
		assert_true(str_eq(a->sig[4].reason, STR("too many signatures")));
	}
}

/* libopendkim hashes a field up to its first NUL. */
static void
refuses_a_nul(void **state)
{
	struct message m = message_of(&plain);
	struct dkim_check *c;
	struct strbuf why = { 0 };
	struct resolver *r = resolver_zone_text(STR(""), &why);
	const struct dkim_answer *answer;

	(void)state;
	c = dkim_begin(engine, r, arena, STR("t"), 10);
	assert_int_equal(dkim_add_field(c, STR("DKIM-Signature"), m.sig[0]), 0);
	assert_int_equal(dkim_add_field(c, STR("From"), STR(" a@example.com")), 0);
	assert_int_equal(dkim_add_field(c, STR("Subject"), STR(" hello\0evil")), 0);
	assert_int_equal(dkim_end_headers(c, NULL, 0), 0);
	assert_false(dkim_wants_body(c));
	answer = dkim_finish(c, clock_msec());
	assert_int_equal(answer->sig[0].result, DKIM_R_PERMERROR);
	arena_reset(arena);
	resolver_free(r);
	strbuf_free(&why);
}

static void
asks_nothing_of_unsigned_mail(void **state)
{
	struct message m = { .from = "a@example.com", .subject = "x",
	    .body = STR("x\r\n") };
	struct dkim_check *c;
	const struct dkim_answer *answer;

	(void)state;
	assert_int_equal(verify(&m)->n, 0);
	c = dkim_begin(engine, NULL, arena, STR("t"), 10);
	assert_int_equal(dkim_end_headers(c, NULL, 0), 0);
	assert_false(dkim_wants_body(c));
	answer = dkim_finish(c, clock_msec());
	assert_int_equal(answer->n, 0);
	arena_reset(arena);
}

/* A body of any size is streamed: 64 MB cost no memory, in short lines or in one. */
static void
streams_the_body(void **state)
{
	struct message m = message_of(&plain);
	struct strbuf why = { 0 }, line = { 0 };
	struct resolver *r = resolver_zone_text(zone_of("N TXT \"p=KEY\""), &why);
	struct dkim_check *c;
	const struct dkim_answer *answer;
	size_t before;

	(void)state;
	for (int blanks = 1; blanks >= 0; blanks--) {
		struct arena *a = arena_new(0);

		c = dkim_begin(engine, r, a, STR("t"), 10);
		dkim_add_field(c, STR("DKIM-Signature"), m.sig[0]);
		dkim_add_field(c, STR("From"), STR(" a@example.com"));
		dkim_add_field(c, STR("Subject"), STR(" hello"));
		dkim_end_headers(c, NULL, 0);
		line.n = 0;
		while (line.n < 65000)
			strbuf_puts(&line, blanks ? "some words\r\n" : "noblanks");
		before = mallinfo2().uordblks;
		for (int i = 0; i < 1000; i++)
			dkim_add_body(c, strbuf_slice(&line));
		assert_true(mallinfo2().uordblks < before + 100000);
		answer = dkim_finish(c, clock_msec());
		assert_int_equal(answer->sig[0].result, DKIM_R_FAIL);
		arena_free(a);
	}
	strbuf_free(&line);
	strbuf_free(&why);
	resolver_free(r);
}

/*
 * h= names more fields than there are: libopendkim writes behind its array,
 * onto the size of the next piece of memory, and free(3) notices.
 */
static void
is_not_overrun(void **state)
{
	struct strbuf h = { 0 }, why = { 0 };
	struct resolver *r = resolver_zone_text(zone_of("N TXT \"p=KEY\""), &why);
	const struct dkim_answer *answer;

	(void)state;
	strbuf_puts(&h, "v=1; a=rsa-sha256; d=example.com; s=sel; " B
	    "; h=from:dkim-signature");
	for (int i = 0; i < 300; i++)
		strbuf_puts(&h, ":x");
	for (int n = 150; n < 156; n++) {
		struct arena *a = arena_new(0);
		struct dkim_check *c = dkim_begin(engine, r, a, STR("t"), 10);

		dkim_add_field(c, STR("DKIM-Signature"), strbuf_slice(&h));
		dkim_add_field(c, STR("From"), STR(" a@example.com"));
		for (int i = 2; i < n; i++)
			dkim_add_field(c, STR("X"), STR(" y"));
		assert_int_equal(dkim_end_headers(c, NULL, 0), 0);
		answer = dkim_finish(c, clock_msec() + 1000);
		assert_int_equal(answer->sig[0].result, DKIM_R_FAIL);
		arena_free(a);
	}
	strbuf_free(&h);
	strbuf_free(&why);
	resolver_free(r);
}

/* The work for names in h= times fields has an end. */
static void
limits_the_work(void **state)
{
	struct strbuf h = { 0 }, why = { 0 };
	struct resolver *r = resolver_zone_text(zone_of("N TXT \"p=KEY\""), &why);
	struct dkim_check *c = dkim_begin(engine, r, arena, STR("t"), 10);
	const struct dkim_answer *answer;
	msec from = clock_msec();

	(void)state;
	strbuf_puts(&h, "v=1; a=rsa-sha256; d=example.com; s=sel; " B "; h=from");
	while (h.n < 3500)
		strbuf_puts(&h, ":x");
	for (int i = 0; i < 10; i++)
		dkim_add_field(c, STR("DKIM-Signature"), strbuf_slice(&h));
	for (int i = 0; i < 9000; i++)
		dkim_add_field(c, STR("X"), STR(" y"));
	assert_int_equal(dkim_end_headers(c, NULL, 0), 0);
	answer = dkim_finish(c, clock_msec() + 1000);
	assert_int_equal(answer->n, 10);
	assert_int_equal(answer->sig[9].result, DKIM_R_POLICY);
	assert_true(str_eq(answer->sig[9].reason, STR("too many names in h=")));
	assert_true(clock_msec() - from < 10000);
	arena_reset(arena);
	strbuf_free(&h);
	strbuf_free(&why);
	resolver_free(r);
}

/* Fields take memory, however short they are. */
static void
limits_the_fields(void **state)
{
	struct dkim_check *c = dkim_begin(engine, NULL, arena, STR("t"), 10);
	struct mallinfo2 before = mallinfo2(), after;
	const struct dkim_answer *answer;

	(void)state;
	for (int i = 0; i < 1000000; i++)
		assert_int_equal(dkim_add_field(c, STR("X"), STR("")), 0);
	after = mallinfo2();
	assert_true(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + (4 << 20));
	assert_int_equal(dkim_add_field(c, STR("DKIM-Signature"), STR(" v=1")), 0);
	assert_int_equal(dkim_end_headers(c, NULL, 0), 0);
	assert_non_null(answer = dkim_finish(c, clock_msec() + 1000));
	assert_int_equal(answer->n, 1);
	assert_int_equal(answer->sig[0].result, DKIM_R_POLICY);
	assert_true(str_eq(answer->sig[0].reason, STR("the header is too large")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(passes, setup, teardown),
		cmocka_unit_test_setup_teardown(fails_when_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_what_is_unsigned, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_which_fields_are_unsigned, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_what_is_oversigned, setup, teardown),
		cmocka_unit_test_setup_teardown(looks_at_the_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_weak_algorithms, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_keys_strictly, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_signatures_strictly, setup, teardown),
		cmocka_unit_test_setup_teardown(signs_signatures, setup, teardown),
		cmocka_unit_test_setup_teardown(hashes_what_libopendkim_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_long_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(tries_no_larger_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_internationalized_names, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_signatures_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(prefers_the_author, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_nul, setup, teardown),
		cmocka_unit_test_setup_teardown(asks_nothing_of_unsigned_mail, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_the_body, setup, teardown),
		cmocka_unit_test_setup_teardown(is_not_overrun, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_the_work, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_the_fields, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
