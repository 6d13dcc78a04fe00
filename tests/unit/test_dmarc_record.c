/* test_dmarc_record.c - DMARC records, RFC 9989, 4.7 and 4.8; RFC 7489, 6.3. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dmarc_record.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum { O = DMARC_IS_OTHER, B = DMARC_IS_BROKEN, P = DMARC_IS_POLICY };

/* Kind by RFC 9989; for a policy: p, sp, np, psd, adkim, aspf, t; and what is wrong. */
static const struct {
	const char *text; int kind; const char *says, *defect;
} records[] = {
	{ "",					O, "", NULL },
	{ "v=spf1 -all",			O, "", NULL },
	{ "v=DMARC1x; p=reject",		O, "", NULL },
	{ "v=DMARC12",				O, "", NULL },
	{ "v=dmarc1; p=reject",			O, "", NULL },
	{ " v=DMARC1; p=reject",		O, "", NULL },
	{ "v:DMARC1; p=reject",			O, "", NULL },
	{ "v; p=reject",			O, "", NULL },
	{ "DMARC1; p=reject",			O, "", NULL },
	{ "p=reject; v=DMARC1",			O, "", NULL },
	{ "v=DMARC1 p=reject",			O, "", NULL },

	{ "v=DMARC1;p=none",			P, "nnn u rr n", NULL },
	{ "V\t=  DMARC1\t;\tP = Reject\t;",	P, "rrr u rr n", NULL },
	{ "v=DMARC1; p=reject; sp=none",	P, "rnn u rr n", NULL },
	{ "v=DMARC1; p=none; np=reject",	P, "nnr u rr n", NULL },
	{ "v=DMARC1; sp=quarantine; np=reject; p=none", P, "nqr u rr n", NULL },
	{ "v=DMARC1; p=quarantine; psd=Y; adkim=S; aspf=s; t=y", P, "qqq y ss y", NULL },
	{ "v=DMARC1; p=none; psd=u; adkim=r; aspf=r; t=n", P, "nnn u rr n", NULL },
	{ "v=DMARC1; p=none; psd=n",		P, "nnn n rr n", NULL },

	/* What can't be read has its default. */
	{ "v=DMARC1; p=none; psd=x",		P, "nnn u rr n", "psd= is none of y, n, u" },
	{ "v=DMARC1; p=none; adkim=strict",	P, "nnn u rr n", "adkim= is neither r nor s" },
	{ "v=DMARC1; p=none; aspf=",		P, "nnn u rr n", "aspf= is neither r nor s" },
	{ "v=DMARC1; p=none; t=yes",		P, "nnn u rr n", "t= is neither y nor n" },
	{ "v=DMARC1; p=none; fo=2",		P, "nnn u rr n", "fo= is none of 0, 1, d, s" },
	{ "v=DMARC1; p=none; rua=nowhere",	P, "nnn u rr n", "rua= has no address" },
	{ "v=DMARC1; p=reject;;",		P, "rrr u rr n", "an empty tag" },
	{ "v=DMARC1; p=reject; what",		P, "rrr u rr n", "what is no tag" },
	{ "v=DMARC1; p=reject; =s",		P, "rrr u rr n", "what is no tag" },
	{ "v=DMARC1; p=reject; 1x=s",		P, "rrr u rr n", "what is no tag" },
	{ "v=DMARC1; p=reject; foo=a=b; x_1=",	P, "rrr u rr n", NULL },
	/* Tags of RFC 7489 only, and others, mean nothing. */
	{ "v=DMARC1; p=reject; pct=500; ri=x; rf=y", P, "rrr u rr n", NULL },

	/* Nothing to follow: someone to tell makes it p=none. */
	{ "v=DMARC1",				B, "", "p= is missing" },
	{ "v=DMARC1;",				B, "", "p= is missing" },
	{ "v=DMARC1; p=",			B, "", "p= is no policy" },
	{ "v=DMARC1; p=rejected",		B, "", "p= is no policy" },
	{ "v=DMARC1; p=reject; sp=x",		B, "", "sp= is no policy" },
	{ "v=DMARC1; p=reject; np=x",		B, "", "np= is no policy" },
	{ "v=DMARC1; ruf=mailto:a@b",		B, "", "p= is missing" },
	{ "v=DMARC1; rua=mailto:a@b",		P, "nnn u rr n", "p= is missing" },
	{ "v=DMARC1; p=reject; sp=x; rua=mailto:a@b; adkim=s", P, "nnn u sr n", "sp= is no policy" },
	{ "v=DMARC1; p=reject; np=x; rua=mailto:a@b", P, "nnn u rr n", "np= is no policy" },
	{ "v=DMARC1; sp=reject; np=reject; rua=mailto:a@b", P, "nnn u rr n", "p= is missing" },

	/* RFC 6376, 3.2: no tag twice. */
	{ "v=DMARC1; p=none; p=none",		B, "", "a tag stands there twice" },
	{ "v=DMARC1; p=none; P=reject; rua=mailto:a@b", B, "", "a tag stands there twice" },
	{ "v=DMARC1; p=none; x=1; x=2",		P, "nnn u rr n", NULL },

	/* Addresses for reports. */
	{ "v=DMARC1; rua=x, mailto:a@b",	P, "nnn u rr n", "p= is missing" },
	{ "v=DMARC1; rua=mailto:a@b!10m",	P, "nnn u rr n", "p= is missing" },
	{ "v=DMARC1; rua=https://a.b/c?d%20e",	P, "nnn u rr n", "p= is missing" },
	{ "v=DMARC1; rua=mailto:",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=:a@b",			B, "", "rua= has no address" },
	{ "v=DMARC1; rua=a@b",			B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a@b!",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a@b!m",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a@b!10x",	B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a@b!99999999999999999999", B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:a b@c",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=mailto:<a@b>",		B, "", "rua= has no address" },
	{ "v=DMARC1; rua=",			B, "", "rua= has no address" },
};

static void
describe(const struct dmarc_record *r, char out[16])
{
	static const char policies[] = "nqr";

	snprintf(out, 16, "%c%c%c %c %c%c %c", policies[r->p], policies[r->sp], policies[r->np],
	    r->psd, r->strict_dkim ? 's' : 'r', r->strict_spf ? 's' : 'r', r->testing ? 'y' : 'n');
}

/* A copy of its own size, so that the sanitizers see a step too far. */
static enum dmarc_record_kind
read_copy(const char *text, enum dmarc_spec spec, struct dmarc_record *r)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);
	enum dmarc_record_kind k;

	memcpy(copy, text, n);
	k = dmarc_record_read((struct str){ copy, n }, spec, r);
	free(copy);
	return k;
}

static void
tree_walk(void **state)
{
	struct dmarc_record r;
	char says[16];

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++) {
		if ((int)read_copy(records[i].text, DMARC_RFC9989, &r) != records[i].kind)
			fail_msg("%s: %d", records[i].text, records[i].kind);
		describe(&r, says);
		if (records[i].kind == P && strcmp(says, records[i].says) != 0)
			fail_msg("%s: %s, not %s", records[i].text, says, records[i].says);
		if (records[i].kind == O)
			continue;
		if ((r.defect == NULL) != (records[i].defect == NULL) ||
		    (r.defect != NULL && strcmp(r.defect, records[i].defect) != 0))
			fail_msg("%s: %s, not %s", records[i].text, r.defect != NULL ? r.defect :
			    "-", records[i].defect != NULL ? records[i].defect : "-");
	}
}

/* By RFC 7489 np, psd and t don't exist, and others do. */
static void
suffix_list(void **state)
{
	static const struct { const char *text, *says, *defect; } cases[] = {
		{ "v=DMARC1; p=none; np=reject; psd=y; t=y", "nnn u rr n", NULL },
		{ "v=DMARC1; p=none; np=bogus",		"nnn u rr n", NULL },
		{ "v=DMARC1; p=none; pct=0; ri=86400; rf=x:afrf", "nnn u rr n", NULL },
		{ "v=DMARC1; p=none; pct=101",	"nnn u rr n", "pct= is no number up to 100" },
		{ "v=DMARC1; p=none; pct=",	"nnn u rr n", "pct= is no number up to 100" },
		{ "v=DMARC1; p=none; ri=-1",	"nnn u rr n", "ri= is no number" },
		{ "v=DMARC1; p=none; rf=iodef",	"nnn u rr n", "rf= has no known format" },
		{ "v=DMARC1; sp=reject; p=none", "nrr u rr n", "p= is not the second tag" },
	};
	struct dmarc_record r;
	char says[16];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_copy(cases[i].text, DMARC_RFC7489, &r), DMARC_IS_POLICY);
		describe(&r, says);
		assert_string_equal(says, cases[i].says);
		if (cases[i].defect == NULL)
			assert_null(r.defect);
		else
			assert_string_equal(r.defect, cases[i].defect);
	}
}

static void
octets(void **state)
{
	struct dmarc_record r;

	(void)state;
	assert_int_equal(dmarc_record_read(STR("v=DMARC1; p=none\0; sp=reject"),
	    DMARC_RFC9989, &r), DMARC_IS_BROKEN);
	assert_int_equal(dmarc_record_read(STR("v=DMARC1; p=none; \0=\xff; sp=reject"),
	    DMARC_RFC9989, &r), DMARC_IS_POLICY);
	assert_int_equal(r.sp, DMARC_P_REJECT);
	assert_int_equal(dmarc_record_read(STR_NONE, DMARC_RFC9989, &r), DMARC_IS_OTHER);
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(tree_walk),
		cmocka_unit_test(suffix_list),
		cmocka_unit_test(octets),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
