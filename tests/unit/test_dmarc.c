/*
 * test_dmarc.c - discovery and alignment over zones, and who the author is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/dmarc.h"
#include "filter/message.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct arena *arena;
static struct dmarc_engine *engine[2];
static struct suffixes *suffixes;

static const struct mailbox_list *
parse_mailboxes(struct mail *m, struct str raw)
{
	return message_mailboxes(m->arena, raw);
}

static const struct mail_ops ops = { .mailboxes = parse_mailboxes };

/* ---- Evaluation ---- */

/*
 * "RESULT POLICY RECORD'S-DOMAIN spf,dkim"; ids: "spf=RESULT:DOMAIN dkim=RESULT:DOMAIN ...",
 * with a ! behind the domain of a signature that leaves a From unsigned.
 */
struct evaluation {
	const char *what, *from, *zone, *ids, *expect;
};

static int
word_of(enum type_id type, const char *w, size_t n)
{
	const char *const *words = type_of(type)->words;

	for (int i = 0; words[i] != NULL; i++)
		if (strlen(words[i]) == n && strncmp(words[i], w, n) == 0)
			return i;
	fail_msg("no word of the type: %s", w);
	return -1;
}

static void
read_ids(const char *ids, struct spf_answer *spf, struct dkim_answer *dkim,
    struct dkim_signature sig[8])
{
	static const struct value from = { .n = PART_FROM };
	const char *p = ids;

	*spf = (struct spf_answer){ .result = SPF_R_NONE };
	*dkim = (struct dkim_answer){ .sig = sig };
	while (*p != '\0') {
		bool is_spf = strncmp(p, "spf=", 4) == 0;
		const char *result = p + (is_spf ? 4 : 5), *colon = strchr(result, ':');
		size_t n = strcspn(colon + 1, " ");
		struct str domain = { colon + 1, n };

		if (is_spf) {
			spf->result = (enum spf_result)word_of(T_SPF, result, (size_t)(colon - result));
			spf->domain = domain;
		} else {
			sig[dkim->n] = (struct dkim_signature){ .domain = domain,
			    .result = (enum dkim_result)word_of(T_DKIM, result, (size_t)(colon - result)) };
			if (n > 0 && domain.p[n - 1] == '!') {
				sig[dkim->n].domain.n--;
				sig[dkim->n].unsigned_parts = (struct part_list){ &from, 1 };
			}
			dkim->n++;
		}
		p = colon + 1 + n;
		p += *p == ' ';
	}
}

static struct str
describe(const struct dmarc_answer *d)
{
	const char *const *words = type_of(T_DMARC_POLICY)->words;

	return str_printf(arena, "%s %s%s%s " STR_FMT " %s%s%s", type_of(T_DMARC)->words[d->result],
	    d->has_policy ? words[d->policy] : "-", d->asks != d->policy ? ">" : "",
	    d->asks != d->policy ? words[d->asks] : "",
	    STR_ARG(d->domain.n > 0 ? d->domain : STR("-")), d->spf_aligned ? "spf" : "",
	    d->spf_aligned && d->dkim_aligned ? "," : "", d->dkim_aligned ? "dkim" : "");
}

/* On the heap. */
static struct str
evaluate(enum dmarc_spec spec, const char *from, const char *zone, const char *ids, uint64_t *asked)
{
	struct dmarc_authors authors = { .n = 0 };
	struct strbuf why = { 0 };
	struct dkim_signature sig[8];
	struct dkim_answer dkim;
	struct spf_answer spf;
	const struct dmarc_answer *d;
	struct dmarc_check *c;
	struct resolver *r;
	struct str got;
	uint64_t cached, n;

	while (*from != '\0') {
		size_t len = strcspn(from, " ");

		authors.domain[authors.n++] = (struct str){ from, len };
		from += len + (from[len] == ' ');
	}
	read_ids(ids, &spf, &dkim, sig);
	r = resolver_zone_text(str_of(zone), &why);
	assert_non_null(r);
	c = dmarc_begin(engine[spec], r, arena, &authors);
	assert_non_null(c);
	d = dmarc_finish(c, &spf, &dkim, clock_msec() + 1000);
	assert_non_null(d);
	resolver_counts(r, &cached, &n);
	if (asked != NULL)
		*asked = n;
	got = describe(d);
	got = (struct str){ strndup(got.p, got.n), got.n };
	arena_reset(arena);		/* the lookups end before their resolver */
	resolver_free(r);
	return got;
}

static void
run(enum dmarc_spec spec, const struct evaluation *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str got = evaluate(spec, e[i].from, e[i].zone, e[i].ids, NULL);

		if (!str_eq(str_trim(got), str_of(e[i].expect)))
			fail_msg("%s: %.*s, not %s", e[i].what, STR_ARG(got), e[i].expect);
		free((void *)(uintptr_t)got.p);
	}
}

#define EXAMPLE	"_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n"

static const struct evaluation walks[] = {
	{ "several records count for none", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n",
	  "", "fail reject example.com" },
	{ "other records beside it don't matter", "example.com",
	  "_dmarc.example.com TXT \"other\"\n" EXAMPLE, "", "fail reject example.com" },
	{ "a broken record of its own is not passed over", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=bogus\"\n", "spf=pass:x.example.com",
	  "permerror - x.example.com" },
	{ "own record, organization above", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n", "dkim=pass:y.example.com",
	  "pass none x.example.com dkim" },
	{ "psd=n parts it from what is above", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none; psd=n\"\n", "dkim=pass:example.com",
	  "fail none x.example.com" },
	{ "and holds what is below", "a.x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none; psd=n\"\n", "dkim=pass:b.x.example.com",
	  "pass none x.example.com dkim" },
	{ "a signer with psd=n of its own is apart", "example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none; psd=n\"\n", "dkim=pass:x.example.com",
	  "fail reject example.com" },
	{ "psd=y above an organization with a record", "x.a.example",
	  "_dmarc.example TXT \"v=DMARC1; p=reject; psd=y\"\n_dmarc.a.example TXT \"v=DMARC1; p=quarantine\"\n",
	  "spf=pass:a.example", "pass quarantine a.example spf" },
	{ "psd=y is the author itself", "example",
	  "_dmarc.example TXT \"v=DMARC1; p=reject; psd=y\"\n", "dkim=pass:example",
	  "pass reject example dkim" },
	{ "psd=y and a neighbour", "a.example",
	  "_dmarc.example TXT \"v=DMARC1; p=reject; psd=y\"\n", "dkim=pass:b.example",
	  "fail reject example" },
	{ "a public suffix doesn't speak for those below it", "a.example",
	  "_dmarc.example TXT \"v=DMARC1; p=reject; psd=y\"\n", "dkim=pass:example",
	  "fail reject example" },
	{ "strict is strict, upper case or not", "x.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; adkim=s; aspf=s\"\n",
	  "spf=pass:Example.COM dkim=pass:X.example.com.", "pass none example.com dkim" },
	{ "what ends in the same letters is no part", "example.com", EXAMPLE,
	  "spf=pass:badexample.com dkim=pass:com", "fail reject example.com" },
	{ "a signer that is no domain", "example.com", EXAMPLE,
	  "dkim=pass:exa..mple.com dkim=pass:example,com dkim=pass:", "fail reject example.com" },
	{ "neutral, softfail, policy and permerror don't pass", "example.com", EXAMPLE,
	  "spf=softfail:example.com dkim=policy:example.com dkim=permerror:example.com "
	  "dkim=neutral:example.com", "fail reject example.com" },
	{ "a signature that leaves a From unsigned", "example.com", EXAMPLE,
	  "dkim=pass:example.com! dkim=temperror:example.com!", "fail reject example.com" },
	{ "and another that does not", "example.com", EXAMPLE,
	  "dkim=pass:example.com! dkim=pass:example.com", "pass reject example.com dkim" },

	/* Errors: neither pass nor fail, but where they can't matter. */
	{ "own record lost", "example.com", "_dmarc.example.com TXT SERVFAIL\n",
	  "dkim=pass:example.com", "temperror - -" },
	{ "above the own record, and not needed", "example.com", EXAMPLE "_dmarc.com TXT SERVFAIL\n",
	  "dkim=pass:example.com", "pass reject example.com dkim" },
	{ "above the own record, and needed", "example.com", EXAMPLE "_dmarc.com TXT SERVFAIL\n",
	  "dkim=pass:x.example.com", "temperror reject example.com" },
	{ "above the own record, and nothing in sight", "example.com",
	  EXAMPLE "_dmarc.com TXT SERVFAIL\n", "dkim=pass:example.net", "fail reject example.com" },
	{ "above the own record, and strict", "example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; adkim=s\"\n_dmarc.com TXT TIMEOUT\n",
	  "dkim=pass:x.example.com", "fail none example.com" },
	{ "behind psd=n", "a.x.example.com",
	  "_dmarc.x.example.com TXT \"v=DMARC1; p=none; psd=n\"\n_dmarc.example.com TXT SERVFAIL\n",
	  "dkim=pass:x.example.com", "pass none x.example.com dkim" },
	{ "between author and organization", "a.x.example.com", EXAMPLE "_dmarc.x.example.com TXT TIMEOUT\n",
	  "dkim=pass:example.com", "temperror - -" },
	{ "in the signer's walk", "example.com", EXAMPLE "_dmarc.x.example.com TXT TIMEOUT\n",
	  "dkim=pass:x.example.com", "temperror reject example.com" },
	{ "in the signer's walk, but SPF passes", "example.com",
	  EXAMPLE "_dmarc.x.example.com TXT TIMEOUT\n",
	  "spf=pass:example.com dkim=pass:x.example.com", "pass reject example.com spf" },
	{ "SPF of somebody else", "example.com", EXAMPLE, "spf=temperror:example.net",
	  "fail reject example.com" },
	{ "a key of its own", "example.com", EXAMPLE, "dkim=temperror:x.example.com",
	  "temperror reject example.com" },

	/* A domain that is testing asks for one step less. */
	{ "t=y and reject", "example.com", "_dmarc.example.com TXT \"v=DMARC1; p=reject; t=y\"\n", "",
	  "fail reject>quarantine example.com" },
	{ "t=y and quarantine", "example.com", "_dmarc.example.com TXT \"v=DMARC1; p=quarantine; t=y\"\n", "",
	  "fail quarantine>none example.com" },
	{ "t=y and none", "example.com", "_dmarc.example.com TXT \"v=DMARC1; p=none; t=y\"\n", "",
	  "fail none example.com" },
	{ "t=y and sp", "x.example.com", "_dmarc.example.com TXT \"v=DMARC1; p=none; sp=reject; t=y\"\n"
	  "x.example.com A 192.0.2.1\n", "", "fail reject>quarantine example.com" },

	/* np and whether the domain exists. */
	{ "np for what isn't there", "g.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"\n", "", "fail reject example.com" },
	{ "not for what has names below it", "g.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"\nx.g.example.com A 192.0.2.1\n",
	  "", "fail none example.com" },
	{ "unknown whether it is there", "g.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"\ng.example.com A SERVFAIL\n",
	  "", "temperror - example.com" },
	{ "unknown, but it passes", "g.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; np=reject\"\ng.example.com A SERVFAIL\n",
	  "dkim=pass:example.com", "pass - example.com dkim" },

	{ "a CNAME to what isn't there is there", "g.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n"
	  "g.example.com CNAME gone.example.net\n", "", "fail quarantine example.com" },
	{ "pct is no tag by RFC 9989", "example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=reject; pct=0\"\n", "", "fail reject example.com" },

	/* Several authors: the worst. */
	{ "one passes, one fails", "example.com example.net",
	  EXAMPLE "_dmarc.example.net TXT \"v=DMARC1; p=none\"\n", "dkim=pass:example.com",
	  "fail none example.net" },
	{ "the strictest of those that fail", "example.net example.com example.org",
	  EXAMPLE "_dmarc.example.net TXT \"v=DMARC1; p=none\"\n_dmarc.example.org TXT \"v=DMARC1; p=quarantine\"\n",
	  "", "fail reject example.com" },
	{ "nobody hides behind a domain without record", "example.com example.net", EXAMPLE,
	  "dkim=pass:example.com", "none - -" },
	{ "what could be reject is not taken for none", "example.net example.com",
	  "_dmarc.example.com TXT SERVFAIL\n_dmarc.example.net TXT \"v=DMARC1; p=quarantine\"\n",
	  "", "temperror - -" },
	{ "all pass", "example.com x.example.com", EXAMPLE, "spf=pass:example.com",
	  "pass reject example.com spf" },
	{ "no domain name", "exa_mple.com [192.0.2.1]", EXAMPLE, "", "permerror - -" },
	{ "nobody hides behind what is no name", "[192.0.2.1] example.com", EXAMPLE, "",
	  "fail reject example.com" },
	{ "nor what can't be told behind one that passes", "example.com [192.0.2.1]", EXAMPLE,
	  "dkim=pass:example.com", "permerror - -" },
	{ "nor behind one that fails and asks for less", "[192.0.2.1] example.net",
	  "_dmarc.example.net TXT \"v=DMARC1; p=quarantine\"\n", "", "permerror - -" },
	{ "nor who asks to reject behind one that is only testing it", "example.net example.com",
	  EXAMPLE "_dmarc.example.net TXT \"v=DMARC1; p=reject; t=y\"\n", "", "fail reject example.com" },
};

static const struct evaluation lists[] = {
	{ "several records end it", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n",
	  "spf=pass:example.com", "none - -" },
	{ "nothing between author and organization", "a.b.example.com",
	  EXAMPLE "_dmarc.b.example.com TXT \"v=DMARC1; p=none\"\n", "dkim=pass:c.example.com",
	  "pass reject example.com dkim" },
	{ "t means nothing", "example.com", "_dmarc.example.com TXT \"v=DMARC1; p=reject; t=y\"\n", "",
	  "fail reject example.com" },
	{ "nothing above it", "example.com", "_dmarc.com TXT \"v=DMARC1; p=reject\"\n", "", "none - -" },
	{ "psd means nothing", "x.example.com",
	  EXAMPLE "_dmarc.x.example.com TXT \"v=DMARC1; p=none; psd=n\"\n", "dkim=pass:example.com",
	  "pass none x.example.com dkim" },
	{ "a suffix is its own organization", "co.uk", "_dmarc.co.uk TXT \"v=DMARC1; p=reject\"\n",
	  "dkim=pass:a.co.uk", "fail reject co.uk" },
	{ "the organization's is lost", "x.example.com", "_dmarc.example.com TXT SERVFAIL\n", "",
	  "temperror - -" },
	{ "pct=0 is one step less", "example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=reject; pct=0\"\n", "", "fail reject>quarantine example.com" },
	{ "of quarantine, too", "x.example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=none; pct=00; sp=quarantine\"\n", "",
	  "fail quarantine>none example.com" },
	{ "no other pct is left to chance", "example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=reject; pct=1\"\n", "", "fail reject example.com" },
	{ "nor one that is none", "example.com",
	  "_dmarc.example.com TXT \"v=DMARC1; p=reject; pct=-0\"\n", "", "fail reject example.com" },
	{ "the organization's is not needed", "x.example.com",
	  "_dmarc.x.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.example.com TXT SERVFAIL\n",
	  "dkim=pass:example.com", "pass none x.example.com dkim" },
};

static void
tree_walk(void **state)
{
	(void)state;
	run(DMARC_RFC9989, walks, COUNT(walks));
}

static void
suffix_list(void **state)
{
	(void)state;
	run(DMARC_RFC7489, lists, COUNT(lists));
}

static unsigned
queries(enum dmarc_spec spec, const char *from, const char *zone, const char *ids)
{
	uint64_t asked;
	struct str got = evaluate(spec, from, zone, ids, &asked);

	free((void *)(uintptr_t)got.p);
	return (unsigned)asked;
}

/* RFC 9989, 4.10: eight at the most, whatever the name. */
static void
few_queries(void **state)
{
	static const struct { const char *from; unsigned asked; } cases[] = {
		{ "com", 1 }, { "example.com", 2 }, { "a.b.c.d.e.example.com", 7 },
		{ "a.b.c.d.e.f.example.com", 8 },
		{ "a.b.c.d.e.f.g.h.i.j.mail.example.com", 8 },
	};
	char longest[254];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(queries(DMARC_RFC9989, cases[i].from, "", ""), cases[i].asked);
	for (size_t i = 0; i < 253; i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	longest[253] = '\0';
	/* _dmarc. before it makes it longer than a name can be. */
	assert_int_equal(queries(DMARC_RFC9989, longest, "", ""), 7);
	/* A signer shares what is above both; one elsewhere is not asked about. */
	assert_int_equal(queries(DMARC_RFC9989, "example.com", EXAMPLE,
	    "dkim=pass:a.example.com dkim=pass:b.example.net dkim=fail:c.example.com"), 3);
	assert_int_equal(queries(DMARC_RFC7489, "a.b.example.com", EXAMPLE,
	    "dkim=pass:c.example.com"), 2);
}

/* ---- The author ---- */

static void
authors(void **state)
{
	static const struct { const char *from[6], *expect; } cases[] = {
		{ { "a@example.com" }, "example.com" },
		{ { "A <a@EXAMPLE.com>, b@example.com" }, "example.com" },
		{ { "a@example.com", "b@example.com" }, "example.com" },
		{ { "a@example.com, b@example.net" }, "example.com example.net" },
		{ { "a@example.com", "b@example.net" }, "example.com example.net" },
		{ { "a@b\xc3\xbc" "cher.example" }, "xn--bcher-kva.example" },
		/* What nobody sees: UTS 46 maps it to nothing (U+200B, U+00AD, and joiners that join nothing), */
		{ { "a@bank.example\xe2\x80\x8b", "a@ba\xc2\xadnk.example", "a@bank.example\xe2\x80\x8d",
		    "a@ba\xe2\x80\x8cnk.example" }, "bank.example" },
		/* or it is part of no domain (U+2066, U+200F, U+2800). */
		{ { "a@\xe2\x81\xa6" "bank.example" }, "a domain in From is no domain name" },
		{ { "a@bank.example\xe2\x80\x8f" }, "a domain in From is no domain name" },
		{ { "a@bank.example\xe2\xa0\x80" }, "a domain in From is no domain name" },
		{ { "a@ba\xe2\xa0\x80nk.example" }, "a domain in From is no domain name" },
		/* A joiner that joins, and a symbol, which can be registered. */
		{ { "a@\xe0\xb7\x81\xe0\xb7\x8a\xe2\x80\x8d\xe0\xb6\xbb.example" }, "xn--10cl1a711o.example" },
		{ { "a@\xe2\x98\x83.bank.example" }, "xn--n3h.bank.example" },
		{ { NULL }, "there is no From" },
		{ { "" }, "From is no list of addresses" },
		{ { "a@example.com", "" }, "From is no list of addresses; example.com" },
		{ { "ceo@bank.example, a@[192.0.2.1]" },
		  "a domain in From is no domain name; bank.example" },
		{ { "a@[192.0.2.1], a@[192.0.2.2], a@[192.0.2.3], a@[192.0.2.4], ceo@bank.example" },
		  "a domain in From is no domain name; bank.example" },
		{ { "ceo@bank.example, x" }, "From is no list of addresses; bank.example" },
		{ { "x, ceo@bank.example" }, "From is no list of addresses; bank.example" },
		{ { "ceo@bank.example." }, "From is no list of addresses; bank.example" },
		{ { "ceo@bank.example.." }, "From is no list of addresses; bank.example" },
		{ { "x", "ceo@bank.example" }, "From is no list of addresses; bank.example" },
		{ { "nobody" }, "From is no list of addresses" },
		{ { "a@b.example <c@d.example>" }, "From is no list of addresses; d.example" },
		{ { "a@1.example, a@2.example, a@3.example, a@4.example" },
		  "1.example 2.example 3.example 4.example" },
		{ { "a@1.example, a@2.example, a@3.example, a@4.example, a@5.example" },
		  "From names too many domains; 1.example 2.example 3.example 4.example" },
	};
	struct dmarc_authors got;
	struct strbuf b;
	struct mail m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(mail_init(&m, &ops, NULL), 0);
		mail_header(&m, STR("Sender"), STR("x@other.example"));
		for (size_t k = 0; cases[i].from[k] != NULL; k++)
			mail_header(&m, STR("from"), str_of(cases[i].from[k]));
		assert_int_equal(dmarc_authors_read(&m, &got), 0);
		b = (struct strbuf){ 0 };
		strbuf_puts(&b, got.wrong != NULL ? got.wrong : "");
		for (size_t k = 0; k < got.n; k++)
			strbuf_printf(&b, "%s" STR_FMT, k > 0 ? " " :
			    got.wrong != NULL ? "; " : "", STR_ARG(got.domain[k]));
		assert_string_equal(b.p, cases[i].expect);
		strbuf_free(&b);
		mail_free(&m);
	}
}

/* Another From may have been cut off. */
static void
cut_header(void **state)
{
	struct dmarc_authors got;
	struct mail m;

	(void)state;
	assert_int_equal(mail_init(&m, &ops, NULL), 0);
	mail_header(&m, STR("From"), STR("a@example.com"));
	m.headers_cut = true;
	assert_int_equal(dmarc_authors_read(&m, &got), 0);
	assert_non_null(got.wrong);
	mail_free(&m);
}

/* ---- The list ---- */

static void
list_file(void **state)
{
	static const struct { const char *domain, *found; } cases[] = {
		{ "a.b.c.example", "b.c.example" }, { "c.example", "-" },
		{ "B.C.Example.", "b.c.example" }, { "x.example", "x.example" },
		{ "", "-" }, { ".", "-" }, { "a..example", "-" }, { "[192.0.2.1]", "-" },
	};
	char name[] = "/tmp/postern-psl-XXXXXX";
	struct strbuf why = { 0 };
	struct settings s = { 0 };
	struct dmarc_engine *e;
	struct suffixes *own;
	struct str found;
	int fd;

	(void)state;
	assert_null(suffixes_new(STR("/nonexistent"), &why));
	assert_non_null(strstr(why.p, "/nonexistent"));
	strbuf_free(&why);
	assert_null(suffixes_new(STR("/dev/null"), &why));
	strbuf_free(&why);
	fd = mkstemp(name);
	assert_true(fd != -1 && write(fd, "example\nc.example\n", 18) == 18);
	close(fd);
	own = suffixes_new(str_of(name), &why);
	unlink(name);
	assert_non_null(own);
	assert_non_null(e = dmarc_engine_new(DMARC_RFC7489, own));
	for (size_t i = 0; i < COUNT(cases); i++) {
		found = dmarc_registrable(e, arena, str_of(cases[i].domain));
		assert_true(str_eq(found.p != NULL ? found : STR("-"), str_of(cases[i].found)));
	}
	dmarc_engine_free(e);
	suffixes_free(own);
	dmarc_engine_free(NULL);
	suffixes_free(NULL);
	/* It isn't read where it isn't used. */
	s.public_suffix_list = STR("/nonexistent");
	s.dmarc = DMARC_RFC9989;
	assert_int_equal(suffixes_open(&s, F_TEXT, &own, &why), 0);
	assert_null(own);
	assert_int_equal(suffixes_open(&s, F_TEXT | F_URLS, &own, &why), -1);
	strbuf_free(&why);
	s.dmarc = DMARC_RFC7489;
	assert_int_equal(suffixes_open(&s, 0, &own, &why), -1);
	strbuf_free(&why);
}

static int
set_up(void **state)
{
	struct strbuf why = { 0 };

	(void)state;
	arena = arena_new(0);
	suffixes = suffixes_new(STR(""), &why);
	engine[DMARC_RFC9989] = dmarc_engine_new(DMARC_RFC9989, NULL);
	engine[DMARC_RFC7489] = dmarc_engine_new(DMARC_RFC7489, suffixes);
	return arena == NULL || engine[0] == NULL || engine[1] == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	dmarc_engine_free(engine[0]);
	dmarc_engine_free(engine[1]);
	suffixes_free(suffixes);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(tree_walk),
		cmocka_unit_test(suffix_list),
		cmocka_unit_test(few_queries),
		cmocka_unit_test(authors),
		cmocka_unit_test(cut_header),
		cmocka_unit_test(list_file),
	};

	return cmocka_run_group_tests(all, set_up, tear_down);
}
