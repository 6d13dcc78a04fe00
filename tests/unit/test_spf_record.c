/* test_spf_record.c - the grammar of SPF records, RFC 7208, 12. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "filter/spf_record.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct { const char *txt; bool is; } versions[] = {
	{ "v=spf1",		true },
	{ "v=spf1 -all",	true },
	{ "V=sPf1 -all",	true },
	{ "v=spf1 ",		true },
	{ "v=spf10",		false },
	{ "v=spf1-all",		false },
	{ "v=spf1\t-all",	false },
	{ " v=spf1",		false },
	{ "v=spf",		false },
	{ "",			false },
};

/* Wrong terms are told by NULL. */
static const struct { const char *txt; const char *where; } records[] = {
	{ "v=spf1",				NULL },
	{ "v=spf1   a   mx  ",			NULL },
	{ "v=spf1 a mx ptr include:a.b exists:a.b all", NULL },
	{ "v=spf1 +a -mx ~ptr ?all",		NULL },
	{ "v=spf1 A MX PTR INCLUDE:a.b ALL",	NULL },
	{ "v=spf1 --all",			"--all" },
	{ "v=spf1 *all",			"*all" },
	{ "v=spf1 - all",			"-" },
	{ "v=spf1 all.",			"all." },
	{ "v=spf1 all:",			"all:" },
	{ "v=spf1 all/8",			"all/8" },
	{ "v=spf1 a moo",			"moo" },
	{ "v=spf1 a\tmx",			"a\tmx" },
	{ "v=spf1 a:",				"a:" },
	{ "v=spf1 a:/24",			"a:/24" },
	{ "v=spf1 a/24",			NULL },
	{ "v=spf1 a/0",				NULL },
	{ "v=spf1 a//0",			NULL },
	{ "v=spf1 a/32//128",			NULL },
	{ "v=spf1 a/33",			"a/33" },
	{ "v=spf1 a//129",			"a//129" },
	{ "v=spf1 a/24/64",			"a/24/64" },
	{ "v=spf1 a/024",			"a/024" },
	{ "v=spf1 a/00",			"a/00" },
	{ "v=spf1 a/4294967296",		"a/4294967296" },
	{ "v=spf1 a//64/24",			"a//64/24" },
	{ "v=spf1 a/24//",			"a/24//" },
	{ "v=spf1 a/",				"a/" },
	{ "v=spf1 a//",				"a//" },
	{ "v=spf1 mx:a.b/24//64",		NULL },
	{ "v=spf1 a:b",				"a:b" },
	{ "v=spf1 a:b.",			"a:b." },
	{ "v=spf1 a:1.2.3.4",			"a:1.2.3.4" },
	{ "v=spf1 a:a.b-",			"a:a.b-" },
	{ "v=spf1 a:a.-b",			"a:a.-b" },
	{ "v=spf1 a:a.1-2",			NULL },
	{ "v=spf1 a:a.b.",			NULL },
	{ "v=spf1 a:a.b..",			"a:a.b.." },
	{ "v=spf1 a:foo:bar/baz.example.com",	NULL },
	{ "v=spf1 a:example.com:8080",		"a:example.com:8080" },
	{ "v=spf1 a:%{d}",			NULL },
	{ "v=spf1 a:%{d}/24",			NULL },
	{ "v=spf1 a:%{d}x",			"a:%{d}x" },
	{ "v=spf1 a:%{d}.x",			NULL },
	{ "v=spf1 a:x.%{d",			"a:x.%{d" },
	{ "v=spf1 a:x.%(d}",			"a:x.%(d}" },
	{ "v=spf1 a:x.%{c}",			"a:x.%{c}" },
	{ "v=spf1 a:x.%{z}",			"a:x.%{z}" },
	{ "v=spf1 a:x.%{d0}",			"a:x.%{d0}" },
	{ "v=spf1 a:x.%{d2r.-+,/_=}",		NULL },
	{ "v=spf1 a:x.%{dr2}",			"a:x.%{dr2}" },
	{ "v=spf1 a:x.%{d!}",			"a:x.%{d!}" },
	{ "v=spf1 ptr/24",			"ptr/24" },
	{ "v=spf1 ptr:a.b/24",			"ptr:a.b/24" },
	{ "v=spf1 include",			"include" },
	{ "v=spf1 include:",			"include:" },
	{ "v=spf1 include:a.b/24",		"include:a.b/24" },
	{ "v=spf1 exists",			"exists" },
	{ "v=spf1 exists/24",			"exists/24" },
	{ "v=spf1 ip4",				"ip4" },
	{ "v=spf1 ip4:",			"ip4:" },
	{ "v=spf1 ip4/24",			"ip4/24" },
	{ "v=spf1 ip4:1.2.3.4",			NULL },
	{ "v=spf1 ip4:1.2.3.4/0",		NULL },
	{ "v=spf1 ip4:1.2.3.4/33",		"ip4:1.2.3.4/33" },
	{ "v=spf1 ip4:1.2.3.4//32",		"ip4:1.2.3.4//32" },
	{ "v=spf1 ip4:1.2.3.4/",		"ip4:1.2.3.4/" },
	{ "v=spf1 ip4:1.2.3",			"ip4:1.2.3" },
	{ "v=spf1 ip4:1.2.3.4.5",		"ip4:1.2.3.4.5" },
	{ "v=spf1 ip4:1.2.3.256",		"ip4:1.2.3.256" },
	{ "v=spf1 ip4:1.2.3.04",		"ip4:1.2.3.04" },
	{ "v=spf1 ip4:1.2.3.4:25",		"ip4:1.2.3.4:25" },
	{ "v=spf1 ip4:::1",			"ip4:::1" },
	{ "v=spf1 ip6:::1",			NULL },
	{ "v=spf1 ip6:2001:db8::/32",		NULL },
	{ "v=spf1 ip6:::ffff:1.2.3.4/96",	NULL },
	{ "v=spf1 ip6:2001:db8::/129",		"ip6:2001:db8::/129" },
	{ "v=spf1 ip6:2001:db8::g",		"ip6:2001:db8::g" },
	{ "v=spf1 ip6:fe80::1%eth0",		"ip6:fe80::1%eth0" },
	{ "v=spf1 ip6:1.2.3.4",			"ip6:1.2.3.4" },
	{ "v=spf1 redirect=a.b",		NULL },
	{ "v=spf1 redirect=",			"redirect=" },
	{ "v=spf1 redirect:a.b",		"redirect:a.b" },
	{ "v=spf1 -redirect=a.b",		"-redirect=a.b" },
	{ "v=spf1 redirect=a.b REDIRECT=c.d",	"REDIRECT=c.d" },
	{ "v=spf1 exp=a.b exp=a.b",		"exp=a.b" },
	{ "v=spf1 exp=",			"exp=" },
	{ "v=spf1 moo.cow-far_out=man:dog/cat",	NULL },
	{ "v=spf1 moo=",			NULL },
	{ "v=spf1 moo=%{s}%%%_%-",		NULL },
	{ "v=spf1 moo=%{c}",			"moo=%{c}" },
	{ "v=spf1 moo=%abc",			"moo=%abc" },
	{ "v=spf1 1up=foo",			"1up=foo" },
	{ "v=spf1 =all",			"=all" },
	{ "v=spf1 moo/cow=man",			"moo/cow=man" },
	{ "v=spf1 \x80""all",			"\x80""all" },
	{ "v=spf1 a:\xef\xbb\xbf.example.net",	"a:\xef\xbb\xbf.example.net" },
};

static void
test_versions(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(versions); i++)
		if (spf_record_is(str_of(versions[i].txt)) != versions[i].is)
			fail_msg("\"%s\"", versions[i].txt);
}

static void
test_grammar(void **state)
{
	struct spf_record r;
	struct str where;
	const char *wrong;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(records); i++) {
		wrong = spf_record_read(&r, str_of(records[i].txt), &where);
		if ((wrong != NULL) != (records[i].where != NULL))
			fail_msg("\"%s\": %s", records[i].txt,
			    wrong != NULL ? wrong : "taken");
		if (wrong != NULL && !str_eq(where,
		    str_of(records[i].where)))
			fail_msg("\"%s\": blames \"" STR_FMT "\"",
			    records[i].txt, STR_ARG(where));
	}
}

static void
test_terms(void **state)
{
	struct str rest = STR(" ~mx:a.b/24//64 ip6:2001:db8::/32 moo=x "
	    "-include:c.d");
	static const uint8_t net[4] = { 0x20, 0x01, 0x0d, 0xb8 };
	const char *wrong;
	struct spf_term t;

	(void)state;
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 1);
	assert_int_equal(t.kind, SPF_MX);
	assert_int_equal(t.qualifier, '~');
	assert_int_equal(t.bits4, 24);
	assert_int_equal(t.bits6, 64);
	assert_true(str_eq(t.spec, STR("a.b")));
	assert_true(str_eq(t.text, STR("~mx:a.b/24//64")));
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 1);
	assert_int_equal(t.kind, SPF_IP6);
	assert_int_equal(t.qualifier, '+');
	assert_int_equal(t.bits6, 32);
	assert_memory_equal(t.ip.b, net, sizeof(net));
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 1);
	assert_int_equal(t.kind, SPF_UNKNOWN_MODIFIER);
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 1);
	assert_int_equal(t.kind, SPF_INCLUDE);
	assert_int_equal(t.qualifier, '-');
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 0);
	assert_int_equal(spf_record_next(&rest, &t, &wrong), 0);
}

static void
test_modifiers(void **state)
{
	struct spf_record r;
	struct str where;

	(void)state;
	assert_null(spf_record_read(&r, STR("v=spf1 redirect=a.b a "
	    "exp=%{d}"), &where));
	assert_true(str_eq(r.redirect, STR("redirect=a.b")));
	assert_true(str_eq(r.redirect_spec, STR("a.b")));
	assert_true(str_eq(r.exp_spec, STR("%{d}")));
	assert_null(spf_record_read(&r, STR("v=spf1 ?all"), &where));
	assert_int_equal(r.redirect.n, 0);
}

/* A NUL is an octet like others, and ends nothing. */
static void
test_nul(void **state)
{
	struct spf_record r;
	struct str where;

	(void)state;
	assert_non_null(spf_record_read(&r, STR("v=spf1 a:foo.example.com\0"),
	    &where));
	assert_non_null(spf_record_read(&r, STR("v=spf1 all\0 a"), &where));
	assert_non_null(spf_record_read(&r, STR("v=spf1 a:%{d\0}"), &where));
	assert_non_null(spf_record_read(&r, STR("v=spf1 ip6:::1\0"), &where));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_modifiers),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
