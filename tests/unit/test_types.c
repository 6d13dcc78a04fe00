/* test_types.c - literals, values and comparisons of each type. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/fold.h"
#include "rules/types.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct arena *arena;

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

/* A value as the facts make them. */
static struct value
value_of(enum type_id id, const char *s)
{
	struct strbuf why = { 0 };
	struct value v = { 0 };

	if (id == T_DOMAIN)
		v.s = domain_normal(arena, str_of(s));
	else if (id == T_ADDRESS)
		v.mb = mailbox_parse(arena, str_of(s));
	else if (type_parse(id, OP_IS, arena, str_of(s), &v, &why) != 0)
		fail_msg("%s: %s", s, why.p);
	strbuf_free(&why);
	return v;
}

/* ---- Comparisons ---- */

static const struct {
	enum type_id	id;
	const char	*value;
	enum op		op;
	const char	*operand;
	bool		hit;
} tests[] = {
	{ T_NUMBER, "5", OP_IS, "5", 1 },
	{ T_NUMBER, "5", OP_LT, "6", 1 },
	{ T_NUMBER, "5", OP_LT, "5", 0 },
	{ T_NUMBER, "5", OP_LE, "5", 1 },
	{ T_NUMBER, "5", OP_GT, "-5", 1 },
	{ T_NUMBER, "5", OP_GE, "+6", 0 },
	{ T_NUMBER, "5", OP_IN_SET, "5", 1 },
	{ T_SIZE, "1048576", OP_IS, "1M", 1 },
	{ T_SIZE, "1048577", OP_GT, "1M", 1 },
	{ T_DURATION, "-3600", OP_LT, "-30m", 1 },
	{ T_DURATION, "86400", OP_IS, "1d", 1 },

	{ T_ADDR, "192.0.2.1", OP_IS, "192.0.2.1", 1 },
	{ T_ADDR, "192.0.2.1", OP_IS, "::ffff:192.0.2.1", 1 },
	{ T_ADDR, "192.0.2.1", OP_IN_NET, "192.0.2.0/24", 1 },
	{ T_ADDR, "192.0.3.1", OP_IN_NET, "192.0.2.0/24", 0 },
	{ T_ADDR, "192.0.2.255", OP_IN_SET, "192.0.2.254/31", 1 },
	{ T_ADDR, "192.0.2.253", OP_IN_SET, "192.0.2.254/31", 0 },
	{ T_ADDR, "192.0.2.1", OP_IN_NET, "0.0.0.0/0", 1 },
	{ T_ADDR, "2001:db8::1", OP_IN_NET, "0.0.0.0/0", 0 },
	{ T_ADDR, "2001:db8::1", OP_IN_NET, "::/0", 1 },
	{ T_ADDR, "192.0.2.1", OP_IN_NET, "::/0", 0 },
	{ T_ADDR, "192.0.2.1", OP_IN_NET, "::ffff:0:0/96", 1 },
	{ T_ADDR, "2001:db8:1::1", OP_IN_NET, "2001:db8::/32", 1 },
	{ T_ADDR, "2001:db9::1", OP_IN_NET, "2001:db8::/32", 0 },
	{ T_ADDR, "IPv6:2001:db8::1", OP_IN_SET, "2001:DB8::1", 1 },

	{ T_DOMAIN, "Example.ORG.", OP_IS, "example.org", 1 },
	{ T_DOMAIN, "a.example.org", OP_IS, "example.org", 0 },
	{ T_DOMAIN, "a.example.org", OP_IN_SET, ".example.org", 1 },
	{ T_DOMAIN, "a.b.example.org", OP_IN_SET, ".EXAMPLE.org.", 1 },
	{ T_DOMAIN, "example.org", OP_IN_SET, ".example.org", 0 },
	{ T_DOMAIN, ".example.org", OP_IN_SET, ".example.org", 0 },
	{ T_DOMAIN, "notexample.org", OP_IN_SET, ".example.org", 0 },
	{ T_DOMAIN, "example.org.evil.example", OP_IN_SET, ".example.org", 0 },
	{ T_DOMAIN, "M\xc3\x9cLLER.example", OP_IS, "xn--mller-kva.example", 1 },
	{ T_DOMAIN, "xn--mller-kva.example", OP_IS, "m\xc3\xbcller.example", 1 },
	{ T_DOMAIN, "XN--MLLER-KVA.example", OP_IN_SET, ".example", 1 },
	{ T_DOMAIN, "b\xff" "d.M\xc3\x9cLLER.example", OP_ENDS, ".xn--mller-kva.example", 1 },
	{ T_DOMAIN, "mail.example.org", OP_CONTAINS, "EXAMPLE", 1 },
	{ T_DOMAIN, "mail.example.org", OP_STARTS, "mail.", 1 },
	{ T_DOMAIN, "mail.example.org", OP_ENDS, "example.org", 1 },
	{ T_DOMAIN, "mail.example.org", OP_ENDS, "mail", 0 },
	{ T_DOMAIN, "[192.0.2.1]", OP_IS, "[192.0.2.1]", 1 },

	{ T_ADDRESS, "<User@Example.org>", OP_IS, "user@example.org", 1 },
	{ T_ADDRESS, "user@example.org", OP_IS, "<USER@EXAMPLE.ORG>", 1 },
	{ T_ADDRESS, "user@a.example.org", OP_IS, "user@example.org", 0 },
	{ T_ADDRESS, "\"a b\"@example.org", OP_IS, "\"a b\"@example.org", 1 },
	{ T_ADDRESS, "\"ab\"@example.org", OP_IS, "ab@example.org", 1 },
	{ T_ADDRESS, "<>", OP_IS, "<>", 1 },
	{ T_ADDRESS, "<>", OP_IN_SET, "", 1 },
	{ T_ADDRESS, "a@b.example", OP_IS, "<>", 0 },
	{ T_ADDRESS, "<>", OP_IN_SET, "@example.org", 0 },
	{ T_ADDRESS, "a@example.org", OP_IN_SET, "@EXAMPLE.org", 1 },
	{ T_ADDRESS, "a@b.example.org", OP_IN_SET, "@example.org", 0 },
	{ T_ADDRESS, "a@b.example.org", OP_IN_SET, "@.example.org", 1 },
	{ T_ADDRESS, "a@example.org", OP_IN_SET, "@.example.org", 0 },
	{ T_ADDRESS, "<@relay.example:a@example.org>", OP_IS, "a@example.org", 1 },
	{ T_ADDRESS, "\"x@evil.example\"@example.org", OP_IN_SET, "@example.org", 1 },
	{ T_ADDRESS, "\"@b", OP_IN_SET, "@b", 1 },
	{ T_ADDRESS, "Postmaster", OP_IS, "postmaster", 1 },
	{ T_ADDRESS, "\xc3\x84rger@example.org", OP_IS, "\xc3\xa4rger@example.org", 1 },
	{ T_ADDRESS, "a@M\xc3\xbcller.example", OP_IN_SET, "@xn--mller-kva.example", 1 },
	{ T_ADDRESS, "User@example.org", OP_CONTAINS, "r@EX", 1 },
	{ T_ADDRESS, "User@example.org", OP_STARTS, "user", 1 },
	{ T_ADDRESS, "User@example.org", OP_ENDS, "@example.org", 1 },
	{ T_ADDRESS, "User@example.org", OP_ENDS, "user@", 0 },

	{ T_TEXT, "Stra\xc3\x9f" "e", OP_IS, "STRA\xc3\x9f" "E", 1 },
	{ T_TEXT, "viel \xc3\x84RGER", OP_CONTAINS, "\xc3\xa4rger", 1 },
	{ T_TEXT, "viel Arger", OP_CONTAINS, "\xc3\xa4rger", 0 },
	{ T_TEXT, "\xce\xa3\xce\xb1\xcf\x82", OP_IS, "\xcf\x83\xce\x91\xcf\x83", 1 },
	{ T_TEXT, "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", OP_STARTS, "\xd0\xbf\xd1\x80", 1 },
	{ T_TEXT, "300\xe2\x84\xaa", OP_ENDS, "0k", 1 },	/* KELVIN SIGN */
	{ T_TEXT, "", OP_IS, "", 1 },
	{ T_TEXT, "abc", OP_STARTS, "abcd", 0 },
	{ T_TEXT, "abc", OP_ENDS, "zabc", 0 },
	{ T_TEXT, "aab", OP_CONTAINS, "ab", 1 },
	/* Others than ASCII that fold to it, and ASCII that is near another but no capital of it. */
	{ T_TEXT, "xx\xc3\xa9x\xe2\x84\xaaiss", OP_CONTAINS, "kISS", 1 },
	{ T_TEXT, "a ma\xc5\xbfs", OP_CONTAINS, "SS", 1 },
	{ T_TEXT, "a kis", OP_CONTAINS, "\xe2\x84\xaaI\xc5\xbf", 1 },
	{ T_TEXT, "a {b@c` [d", OP_CONTAINS, "[b", 0 },
	{ T_TEXT, "a {b@c` [d", OP_CONTAINS, "[D", 1 },
	{ T_TEXT, "abc", OP_CONTAINS, "cd", 0 },
	{ T_TEXT, "a\xff" "b", OP_CONTAINS, "\xff" "B", 1 },
	{ T_TEXT, "a\xc3\xbf", OP_ENDS, "\xbf", 0 },
	{ T_RAW, "Abc", OP_IS, "abc", 0 },
	{ T_RAW, "Abc", OP_CONTAINS, "bc", 1 },
	{ T_RAW, "Abc", OP_STARTS, "ab", 0 },
	{ T_RAW, "Abc", OP_STARTS, "Ab", 1 },
	{ T_RAW, "Abc", OP_ENDS, "bc", 1 },
	{ T_RAW, "bc", OP_ENDS, "abc", 0 },

	{ T_SPF, "fail", OP_IS, "FAIL", 1 },
	{ T_SPF, "softfail", OP_IN_SET, "fail", 0 },
	{ T_DKIM, "policy", OP_IS, "policy", 1 },
	{ T_DMARC, "temperror", OP_IN_SET, "none", 0 },
	{ T_DMARC_POLICY, "reject", OP_IS, "reject", 1 },
	{ T_ARC, "temperror", OP_IS, "fail", 0 },
	{ T_RESULT, "softfail", OP_IN_SET, "softfail", 1 },
	{ T_WEEKDAY, "monday", OP_IS, "tuesday", 0 },
	{ T_BOOL, "true", OP_IS, "true", 1 },
	{ T_BOOL, "true", OP_IS, "false", 0 },
};

static void
compares(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct value v = value_of(tests[i].id, tests[i].value), operand;
		struct strbuf why = { 0 };

		if (type_parse(tests[i].id, tests[i].op, arena,
		    str_of(tests[i].operand), &operand, &why) != 0)
			fail_msg("row %zu: %s", i, why.p);
		if (type_test(tests[i].id, tests[i].op, &v, &operand) != tests[i].hit)
			fail_msg("%s %s %s is not %d", tests[i].value,
			    op_name(tests[i].op), tests[i].operand, tests[i].hit);
		strbuf_free(&why);
	}
}

/* ---- Wrong literals ---- */

static const struct {
	enum type_id	id;
	enum op		op;
	const char	*text, *why;
} wrong[] = {
	{ T_NUMBER, OP_IS, "5K", "'5K' is not a number; write digits alone, like 5 or -5" },
	{ T_NUMBER, OP_IS, "", "'' is not a number; write digits alone, like 5 or -5" },
	{ T_NUMBER, OP_IS, "-", "'-' is not a number; write digits alone, like 5 or -5" },
	{ T_NUMBER, OP_IS, "99999999999999999999", "'99999999999999999999' is too large" },
	{ T_SIZE, OP_LT, "9223372036854775807G", "'9223372036854775807G' is too large" },
	{ T_SIZE, OP_LT, "10m", "'10m' is not a size; write octets, or a number with K, M or G, like 10M" },
	{ T_SIZE, OP_LT, "-1", "'-1' is less than nothing; a size is 0 or more" },
	{ T_DURATION, OP_LT, "1w", "'1w' is not a duration; write a number with s, m, h or d, like 30s or 2d" },
	{ T_ADDR, OP_IS, "300.1.1.1", "'300.1.1.1' is not an IP address; write one like 192.0.2.1 or 2001:db8::1" },
	{ T_ADDR, OP_IS, "192.0.2.0/24", "'192.0.2.0/24' is a network; write: in 192.0.2.0/24" },
	{ T_ADDR, OP_IN_NET, "192.0.2.7/24", "192.0.2.7/24 has host bits set; did you mean 192.0.2.0/24?" },
	{ T_ADDR, OP_IN_NET, "2001:db8::1/32", "2001:db8::1/32 has host bits set; did you mean 2001:db8::/32?" },
	{ T_ADDR, OP_IN_NET, "::ffff:192.0.2.7/120", "::ffff:192.0.2.7/120 has host bits set; did you mean ::ffff:192.0.2.0/120?" },
	{ T_ADDR, OP_IN_NET, "192.0.2.0/33", "'192.0.2.0/33' needs a prefix length from 0 to 32 after the slash" },
	{ T_ADDR, OP_IN_SET, "192.0.2.0/255.255.255.0", "'192.0.2.0/255.255.255.0' needs a prefix length from 0 to 32 after the slash" },
	{ T_ADDR, OP_IN_NET, "2001:db8::/", "'2001:db8::/' needs a prefix length from 0 to 128 after the slash" },
	{ T_ADDR, OP_IN_SET, "[::1]", "'[::1]' is not an IP address; write one like 192.0.2.1 or 2001:db8::1, without brackets" },
	{ T_ADDR, OP_IN_SET, "192.0.2", "'192.0.2' is not an IP address; write one like 192.0.2.1 or 2001:db8::1" },
	{ T_DOMAIN, OP_IS, ".example.org", "no domain name begins with a dot; for any name below it write: in { .example.org }" },
	{ T_DOMAIN, OP_IN_SET, "*.example.org", "'*.example.org' is not a domain name; for any name below it write: in { .example.org }" },
	{ T_DOMAIN, OP_IN_SET, "a@example.org", "'a@example.org' is an address, not a domain name; write what follows the @" },
	{ T_DOMAIN, OP_IN_LIST, "example..org", "'example..org' can't be a domain name: between its dots stand letters, digits and -, which neither begins nor ends a part" },
	{ T_ADDRESS, OP_IN_LIST, "u@-foo-", "'u@-foo-' can't be a domain name: between its dots stand letters, digits and -, which neither begins nor ends a part" },
	{ T_DOMAIN, OP_IS, "a b", "'a b' is not a domain name; write one like example.org" },
	{ T_DOMAIN, OP_IS, "", "'' is not a domain name; write one like example.org" },
	{ T_DOMAIN, OP_IS, "\xff.example", "'\xff.example' has no A-label form (xn--...), in which domain names are compared" },
	{ T_ADDRESS, OP_IS, "example.org", "'example.org' is not an address; write one like user@example.org, or <>" },
	{ T_ADDRESS, OP_IN_SET, "example.org", "'example.org' is not an address; write one like user@example.org; for all of a domain @example.org" },
	{ T_ADDRESS, OP_IS, "@example.org", "'@example.org' stands for all addresses of a domain; write: in { @example.org }" },
	{ T_ADDRESS, OP_IN_SET, "@a@b", "'@a@b' is not an address; write one like user@example.org, or @example.org" },
	{ T_ADDRESS, OP_IS, "user@", "'user@' is not an address; write one like user@example.org, or <>" },
	{ T_TEXT, OP_CONTAINS, "", "every text contains \"\"" },
	{ T_SPF, OP_IS, "sofftail", "'sofftail' is no spf-result; did you mean 'softfail'?" },
	{ T_DKIM, OP_IS, "zzz", "'zzz' is no dkim-result; it is one of pass temperror fail policy neutral permerror none" },
	{ T_BOOL, OP_IS, "yes", "'yes' is neither true nor false" },
};

static void
explains(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct strbuf why = { 0 };
		struct value v;

		if (type_parse(wrong[i].id, wrong[i].op, arena, str_of(wrong[i].text),
		    &v, &why) == 0)
			fail_msg("%s was taken", wrong[i].text);
		assert_string_equal(why.p, wrong[i].why);
		strbuf_free(&why);
	}
}

/* ---- Printing ---- */

static const struct { enum type_id id; const char *text, *printed; } prints[] = {
	{ T_BOOL, "true", "true" },
	{ T_NUMBER, "+7", "7" },
	{ T_SIZE, "10M", "10485760" },
	{ T_DURATION, "90m", "90m" },
	{ T_DURATION, "48h", "2d" },
	{ T_DURATION, "-61s", "-61s" },
	{ T_DURATION, "0", "0s" },
	{ T_ADDR, "::ffff:192.0.2.1", "192.0.2.1" },
	{ T_ADDR, "2001:DB8:0:0::1", "2001:db8::1" },
	{ T_DOMAIN, "M\xc3\xbcller.Example.", "xn--mller-kva.example" },
	/* No-break space and full-width solidus would become ASCII ones. */
	{ T_DOMAIN, "a\xc2\xa0" "b.Example", "a\xc2\xa0" "b.example" },
	{ T_DOMAIN, "a.example\xef\xbc\x8f" "b", "a.example\xef\xbc\x8f" "b" },
	{ T_ADDRESS, "<User@EXAMPLE.org>", "User@example.org" },
	{ T_ADDRESS, "<>", "<>" },
	{ T_TEXT, "Text", "Text" },
	{ T_SPF, "temperror", "temperror" },
	{ T_DKIM, "none", "none" },
	{ T_DMARC, "permerror", "permerror" },
	{ T_DMARC_POLICY, "Quarantine", "quarantine" },
	{ T_DMARC_METHOD, "dkim", "dkim" },
	{ T_ARC, "Pass", "pass" },
	{ T_RESULT, "permerror", "permerror" },
	{ T_WEEKDAY, "sunday", "sunday" },
};

/* What is printed reads as the same value again. */
static void
prints_and_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prints); i++) {
		struct strbuf out = { 0 }, again = { 0 };
		struct value v = value_of(prints[i].id, prints[i].text), w;

		type_print(prints[i].id, &v, &out);
		assert_string_equal(out.p, prints[i].printed);
		w = value_of(prints[i].id, out.p);
		type_print(prints[i].id, &w, &again);
		assert_string_equal(again.p, out.p);
		strbuf_free(&out);
		strbuf_free(&again);
	}
}

static void
describes_all(void **state)
{
	(void)state;
	for (int i = 0; i < T_COUNT; i++) {
		const struct type *t = type_of((enum type_id)i);

		assert_non_null(t->name);
		assert_non_null(t->manual);
		assert_true(t->ops != 0);
		assert_true(((t->ops & OP_BIT(OP_IN_LIST)) != 0) == (t->list >= 0));
	}
	for (int i = 0; i < OP_COUNT; i++)
		assert_non_null(op_name((enum op)i));
}

/* ---- Folding ---- */

static void
folds(void **state)
{
	(void)state;
	assert_int_equal(fold_char('A'), 'a');
	assert_int_equal(fold_char(0xc4), 0xe4);
	assert_int_equal(fold_char(0xd7), 0xd7);	/* MULTIPLICATION SIGN */
	assert_int_equal(fold_char(0x178), 0xff);
	assert_int_equal(fold_char(0x1e9e), 0xdf);	/* CAPITAL SHARP S */
	assert_int_equal(fold_char(0x130), 0x130);	/* Turkish: not simple */
	assert_int_equal(fold_char(0x10400), 0x10428);
	assert_int_equal(fold_char(0x10ffff), 0x10ffff);
	for (uint32_t c = 0; c < 0x110000; c++)
		if (fold_char(fold_char(c)) != fold_char(c))
			fail_msg("U+%04X folds twice", c);
	assert_true(fold_hash(STR("\xc3\x84" "B")) == fold_hash(STR("\xc3\xa4" "b")));
	assert_false(fold_eq(STR("\xc3"), STR("\xc3\xa4")));
}

/* Whatever comes, the parts of an address are within it. */
static void
mailboxes_of_anything(void **state)
{
	static const char alphabet[] = "ab@.\"\\<>:, \xc3\xa4";
	char text[12];

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)rand() % sizeof(text);
		struct mailbox mb;

		for (size_t k = 0; k < n; k++)
			text[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		mb = mailbox_parse(arena, (struct str){ text, n });
		assert_non_null(mb.text.p);
		assert_true(mb.local.n <= n);
		if (mb.domain.n > 0)
			assert_true(str_iends(mb.text, mb.domain));
		if (i % 1000 == 0)
			arena_reset(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test_setup_teardown(compares, setup, teardown),
		cmocka_unit_test_setup_teardown(explains, setup, teardown),
		cmocka_unit_test_setup_teardown(prints_and_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(describes_all, setup, teardown),
		cmocka_unit_test_setup_teardown(folds, setup, teardown),
		cmocka_unit_test_setup_teardown(mailboxes_of_anything, setup, teardown),
	};

	return cmocka_run_group_tests_name("types", all, NULL, NULL);
}
