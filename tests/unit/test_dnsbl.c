/*
 * test_dnsbl.c - lists in the DNS: what is asked for, and what each kind of
 * answer means.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "filter/dnsbl.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static const char zone[] =
    "2.0.0.127.bl.example A 127.0.0.2\n"
    "2.0.0.127.bl.example A 127.0.0.4\n"
    "2.0.0.127.bl.example TXT \"Listed, see https://bl.example/?127.0.0.2\"\n"
    "2.0.0.127.bl.example TXT \"caf\\195\\169\"\n"
    "2.0.0.127.bl.example TXT \"caf\\233\"\n"
    "2.0.0.127.silent.example A 127.0.0.2\n"
    "2.0.0.127.half.example A 127.0.0.2\n"
    "2.0.0.127.half.example TXT SERVFAIL\n"
    "2.0.0.127.parked.example A 192.0.2.80\n"
    "2.0.0.127.mixed.example A 192.0.2.80\n"
    "2.0.0.127.mixed.example A 127.0.0.3\n"
    "2.0.0.127.refuses.example A 127.255.255.254\n"
    "2.0.0.127.refuses.example A 127.0.0.2\n"
    "2.0.0.127.broken.example A SERVFAIL\n"
    "2.0.0.127.late.example A TIMEOUT\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example A 127.0.0.6\n"
    "bad.example.bl.example A 127.0.1.2\n";

static struct resolver *resolver;
static struct arena *a;

static int
setup(void **state)
{
	struct strbuf why = { 0 };

	(void)state;
	a = arena_new(0);
	resolver = resolver_zone_text(STR(zone), &why);
	if (resolver == NULL)
		print_error(STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	return resolver != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(a);
	resolver_free(resolver);
	return 0;
}

static struct str
reverse(const char *ip)
{
	struct ipaddr addr;

	assert_int_equal(ipaddr_parse(str_of(ip), &addr), 0);
	return dnsbl_reverse(a, &addr);
}

/* The codes, or "failed", and the reason behind a blank. */
static const char *
show(const struct dnsbl_answer *d)
{
	static struct strbuf out;

	out.n = 0;
	strbuf_puts(&out, d->failed ? "failed" : "");
	for (size_t i = 0; i < d->n; i++) {
		strbuf_puts(&out, i > 0 ? "," : "");
		ipaddr_print(&d->codes[i].ip, &out);
	}
	strbuf_puts(&out, d->reason.n > 0 ? " " : "");
	strbuf_str(&out, d->reason);
	strbuf_putc(&out, '\0');
	return out.p;
}

static void
answers(void **state)
{
	static const struct { const char *ip, *zone, *want; } cases[] = {
		{ "127.0.0.2", "bl.example", "127.0.0.2,127.0.0.4" },
		{ "127.0.0.2", "BL.Example.", "127.0.0.2,127.0.0.4" },
		{ "::ffff:127.0.0.2", "bl.example", "127.0.0.2,127.0.0.4" },
		{ "127.0.0.1", "bl.example", "" },
		{ "2001:db8::1", "bl.example", "127.0.0.6" },
		{ "2001:db8::2", "bl.example", "" },
		{ "127.0.0.2", "parked.example", " parked.example: answers outside of 127.0.0.0/8, "
		    "which are no listing, were ignored" },
		{ "127.0.0.2", "mixed.example", "127.0.0.3 mixed.example: answers outside of "
		    "127.0.0.0/8, which are no listing, were ignored" },
		{ "127.0.0.2", "refuses.example", "failed refuses.example: the list refuses to answer "
		    "this resolver (127.255.255.254)" },
		{ "127.0.0.2", "broken.example", "failed A of 2.0.0.127.broken.example: servfail" },
		{ "127.0.0.2", "late.example", "failed A of 2.0.0.127.late.example: timeout" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dnsbl *l = dnsbl_begin(resolver, a, DNSBL_CLIENT, reverse(cases[i].ip),
		    str_of(cases[i].zone));
		const struct dnsbl_answer *d;

		assert_non_null(l);
		assert_non_null(d = dnsbl_answer(l, resolver, a, false, 0));
		if (strncmp(show(d), cases[i].want, strlen(cases[i].want)) != 0 ||
		    (cases[i].want[0] == '\0' && show(d)[0] != '\0'))
			fail_msg("%s in %s: '%s', not '%s'", cases[i].ip, cases[i].zone, show(d),
			    cases[i].want);
		assert_int_equal(d->ntexts, 0);
		assert_false(l->no_memory);
	}
}

/* Texts are asked for when somebody wants them, of a listing only. */
static void
texts(void **state)
{
	struct dnsbl *l = dnsbl_begin(resolver, a, DNSBL_CLIENT, reverse("127.0.0.2"), STR("bl.example"));
	const struct dnsbl_answer *d = dnsbl_answer(l, resolver, a, false, 0);
	uint64_t cached, asked, after;

	(void)state;
	assert_int_equal(d->ntexts, 0);
	resolver_counts(resolver, &cached, &asked);
	d = dnsbl_answer(l, resolver, a, true, 0);
	assert_int_equal(d->ntexts, 3);
	assert_true(str_eq(d->texts[0], STR("Listed, see https://bl.example/?127.0.0.2")));
	assert_true(str_eq(d->texts[1], STR("caf\303\251")));
	assert_true(str_eq(d->texts[2], STR("caf?")));
	(void)dnsbl_answer(l, resolver, a, true, 0);
	resolver_counts(resolver, &cached, &after);
	assert_int_equal(after, asked + 1);

	l = dnsbl_begin(resolver, a, DNSBL_CLIENT, reverse("127.0.0.1"), STR("bl.example"));
	resolver_counts(resolver, &cached, &asked);
	d = dnsbl_answer(l, resolver, a, true, 0);
	assert_int_equal(d->ntexts, 0);
	resolver_counts(resolver, &cached, &after);
	assert_int_equal(after, asked);

	l = dnsbl_begin(resolver, a, DNSBL_CLIENT, reverse("127.0.0.2"), STR("silent.example"));
	assert_int_equal(dnsbl_answer(l, resolver, a, true, 0)->ntexts, 0);
	l = dnsbl_begin(resolver, a, DNSBL_CLIENT, reverse("127.0.0.2"), STR("half.example"));
	d = dnsbl_answer(l, resolver, a, true, 0);
	assert_true(d->texts_failed);
	assert_false(d->failed);
	assert_int_equal(d->n, 1);
}

/* Domains come from strangers. */
static void
domains(void **state)
{
	static const char *const unasked[] = { "a..b", ".", "a.", "" };
	char longest[254];
	struct dnsbl *l;

	(void)state;
	l = dnsbl_begin(resolver, a, DNSBL_SENDER, STR("bad.example"), STR("bl.example"));
	assert_string_equal(show(dnsbl_answer(l, resolver, a, false, 0)), "127.0.1.2");
	l = dnsbl_begin(resolver, a, DNSBL_SENDER, STR("good.example"), STR("bl.example"));
	assert_string_equal(show(dnsbl_answer(l, resolver, a, false, 0)), "");
	for (size_t i = 0; i < COUNT(unasked); i++) {
		l = dnsbl_begin(resolver, a, DNSBL_SENDER, str_of(unasked[i]), STR("bl.example"));
		assert_string_equal(show(dnsbl_answer(l, resolver, a, true, 0)), "");
	}
	memset(longest, 'x', sizeof(longest));
	for (size_t i = 50; i < sizeof(longest); i += 50)
		longest[i] = '.';
	for (size_t n = 230; n < 253; n++) {
		l = dnsbl_begin(resolver, a, DNSBL_SENDER, (struct str){ longest, n }, STR("bl.example"));
		assert_non_null(l);
		assert_string_equal(show(dnsbl_answer(l, resolver, a, false, 0)), "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(texts, setup, teardown),
		cmocka_unit_test_setup_teardown(domains, setup, teardown),
	};

	return cmocka_run_group_tests_name("dnsbl", tests, NULL, NULL);
}
