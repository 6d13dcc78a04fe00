/* test_spf_macro.c - macro expansion, RFC 7208, 7. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "filter/spf_macro.h"
#include "rules/arena.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct arena *arena;
static struct spf_macro_env env, env6;

/* The first rows are the examples of 7.4. */
static const struct { const char *spec, *name; } domains[] = {
	{ "%{s}",	"strong-bad@email.example.com" },
	{ "%{o}",	"email.example.com" },
	{ "%{d}",	"email.example.com" },
	{ "%{d4}",	"email.example.com" },
	{ "%{d3}",	"email.example.com" },
	{ "%{d2}",	"example.com" },
	{ "%{d1}",	"com" },
	{ "%{dr}",	"com.example.email" },
	{ "%{d2r}",	"example.email" },
	{ "%{l}",	"strong-bad" },
	{ "%{l-}",	"strong.bad" },
	{ "%{lr}",	"strong-bad" },
	{ "%{lr-}",	"bad.strong" },
	{ "%{l1r-}",	"strong" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
	    "3.2.0.192.in-addr.strong.lp._spf.example.com" },
	{ "%{d2}.trusted-domains.example.net",
	    "example.com.trusted-domains.example.net" },
	{ "%{h}",	"Mail.Example.COM" },
	{ "%{p}",	"unknown" },
	{ "%{d99999999999999999999}", "email.example.com" },
	{ "%{D2R}",	"example.email" },
	{ "%{dr.}",	"com.example.email" },
	{ "%{d.-}",	"email.example.com" },
	{ "%{S}",	"strong-bad%40email.example.com" },
	{ "%{l1-}.x",	"bad.x" },
	{ "%{l2-}.x",	"strong.bad.x" },
	{ "%%%_%-.x",	"% %20.x" },
	{ "a.b.",	"a.b" },
	{ "a.b..",	"a.b." },
	{ "",		"" },
};

static const struct { const char *text; bool term, explanation; } syntax[] = {
	{ "plain",	true,	true },
	{ "two words",	false,	true },
	{ "%{d}",	true,	true },
	{ "%{c}%{r}%{t}", false, true },
	{ "%{C}",	false,	true },
	{ "%{x}",	false,	false },
	{ "%{d0}",	false,	false },
	{ "%{d00}",	false,	false },
	{ "%{d10}",	true,	true },
	{ "%{dR}",	true,	true },
	{ "%{}",	false,	false },
	{ "%{d",	false,	false },
	{ "%{d2r-",	false,	false },
	{ "%d",		false,	false },
	{ "%",		false,	false },
	{ "100%",	false,	false },
	{ "%%",		true,	true },
	{ "\x7f",	false,	false },
	{ "\xc3\xa4",	false,	false },
	{ "\t",		false,	false },
	{ "%{d|}",	false,	false },	/* libspf2 has | for a delimiter */
	{ "%{d,/}",	true,	true },
};

static void
test_domains(void **state)
{
	struct str got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(domains); i++) {
		got = spf_macro_domain(arena, str_of(domains[i].spec), &env);
		if (!str_eq(got, str_of(domains[i].name)))
			fail_msg("%s: " STR_FMT, domains[i].spec,
			    STR_ARG(got));
	}
}

static void
test_ip6(void **state)
{
	struct str got;

	(void)state;
	got = spf_macro_domain(arena, STR("%{ir}.%{v}._spf.%{d2}"), &env6);
	assert_true(str_eq(got, STR("1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com")));
	got = spf_macro_text(arena, STR("%{c}"), &env6, 100);
	assert_true(str_eq(got, STR("2001:db8::cb01")));
}

static void
test_syntax(void **state)
{
	struct str s;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(syntax); i++) {
		s = str_of(syntax[i].text);
		if ((spf_macro_check(s, SPF_IN_TERM) == NULL) !=
		    syntax[i].term || (spf_macro_check(s, SPF_IN_TEXT) ==
		    NULL) != syntax[i].explanation)
			fail_msg("\"%s\"", syntax[i].text);
	}
	assert_non_null(spf_macro_check(STR("a\0b"), SPF_IN_TEXT));
	assert_non_null(spf_macro_check(STR("%{d\0}"), SPF_IN_TEXT));
}

static void
test_wants_client(void **state)
{
	(void)state;
	assert_true(spf_macro_wants_client(STR("%{d}.%{p}")));
	assert_true(spf_macro_wants_client(STR("%{P2r}")));
	assert_false(spf_macro_wants_client(STR("%{d}.p.%%{p}")));
}

/* 7.3: labels go from the left until 253 octets are left. */
static void
test_truncation(void **state)
{
	char spec[600];
	struct str got;
	size_t i;

	(void)state;
	for (i = 0; i < 590; i++)
		spec[i] = i % 10 == 9 ? '.' : (char)('0' + i / 10 % 10);
	memcpy(spec + 590, "example.x", 9);
	got = spf_macro_domain(arena, (struct str){ spec, 599 }, &env);
	assert_int_equal(got.n, 249);
	assert_memory_equal(got.p, spec + 350, 249);

	/* A single label can't be cut: it stays too long, and is no name. */
	memset(spec, 'x', sizeof(spec));
	got = spf_macro_domain(arena, (struct str){ spec, sizeof(spec) }, &env);
	assert_true(got.n > SPF_NAME_MAX);
}

/* Much macro, long values: bounded time and memory, the end still right. */
static void
test_long(void **state)
{
	struct spf_macro_env big = env;
	size_t n = 64000, i;
	char *spec = malloc(n), local[4000];
	struct str got;

	(void)state;
	assert_non_null(spec);
	for (i = 0; i + 4 <= n; i += 4)
		memcpy(spec + i, "%{S}", 4);
	memset(local, '@', sizeof(local));
	big.sender = (struct str){ local, sizeof(local) };
	memcpy(spec + n - 12, ".example.com", 12);
	got = spf_macro_domain(arena, (struct str){ spec, n }, &big);
	assert_true(str_eq(got, STR("example.com")));
	got = spf_macro_text(arena, (struct str){ spec, n }, &big, 500);
	assert_int_equal(got.n, 500);
	free(spec);
}

static void
test_text(void **state)
{
	struct spf_macro_env odd = env;
	struct str got;

	(void)state;
	got = spf_macro_text(arena, STR("See http://%{d}/why?s=%{S};i=%{C} "
	    "at %{t}, %{r}."), &env, 500);
	assert_true(str_eq(got, STR("See http://email.example.com/why?s="
	    "strong-bad%40email.example.com;i=192.0.2.3 at 1234567890, "
	    "mx.example.org.")));
	odd.local = STR("a\r\nb\0\xe4");
	got = spf_macro_text(arena, STR("%{l} %{L}"), &odd, 500);
	assert_true(str_eq(got, STR("a??b?? a%0D%0Ab%00%E4")));
	got = spf_macro_text(arena, STR("0123456789"), &env, 4);
	assert_true(str_eq(got, STR("0123")));
}

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(0);
	env = (struct spf_macro_env){
		.sender = STR("strong-bad@email.example.com"),
		.local = STR("strong-bad"),
		.sender_domain = STR("email.example.com"),
		.domain = STR("email.example.com"),
		.helo = STR("Mail.Example.COM"),
		.receiver = STR("mx.example.org"),
		.client = STR(""),
		.now = 1234567890,
	};
	env6 = env;
	return ipaddr_parse(STR("192.0.2.3"), &env.ip) != 0 ||
	    ipaddr_parse(STR("2001:db8::cb01"), &env6.ip) != 0 ||
	    arena == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_wants_client),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
