/*
 * test_session_dmarc.c - when a session begins DMARC's lookups, and what it
 * then says: with the header where a rule still looks at the result, never
 * where none does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "filter/session.h"
#include "rules/arena.h"
#include "rules/diag.h"

static const char zone[] =
    "_dmarc.brand.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.friend.example TXT \"v=DMARC1; p=none; aspf=s\"\n"
    "brand.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "friend.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n";

#define BRAND "rule brand\n    if from.domain is brand.example and dmarc is fail\n" \
	"    then reject 550 5.7.26 \"${dmarc.domain} ${dmarc.policy}\"\n"
#define OFF "set authentication-results off\n"
#define BODY "rule raw-body\n    if raw.body contains \"x\"\n    then reject \"no\"\n"

static struct services sv;

struct dialogue {
	const char *rules, *ip, *sender, *from, *body;
	unsigned begun;		/* lookups at the end of the headers */
	unsigned asked;		/* in the end */
	enum verdict verdict;
	const char *field;	/* of Authentication-Results, a part; NULL: there is none */
};

static uint64_t
lookups(void)
{
	uint64_t cached, asked;

	resolver_counts(sv.resolver, &cached, &asked);
	return asked;
}

static void
check_field(struct session *s, const struct plan *p, const char *part)
{
	const struct change *c;
	size_t n;
	bool found = false;

	c = session_changes(s, p, &n);
	assert_non_null(c);
	for (size_t i = 0; i < n; i++) {
		if (c[i].kind != CHANGE_INSERT)
			continue;
		if (part == NULL)
			fail_msg("%.*s", STR_ARG(c[i].value));
		found |= str_find(c[i].value, str_of(part)) >= 0;
	}
	assert_true(found == (part != NULL));
}

static void
play(const struct dialogue *d)
{
	struct diag *diag = diag_new();
	struct ruleset *rs = rules_load_text(STR("test"), str_of(d->rules), ".", diag);
	struct strbuf why = { 0 };
	const struct plan *p;
	struct ipaddr ip;
	struct session *s;

	assert_non_null(rs);
	sv.resolver = resolver_zone_text(STR(zone), &why);
	s = session_new(rs, &sv);
	assert_non_null(s);
	assert_int_equal(ipaddr_parse(str_of(d->ip), &ip), 0);
	assert_non_null(session_connect(s, &ip, STR_NONE, 25, true));
	assert_int_equal(session_helo(s, STR("h.example")), 0);
	assert_non_null(session_sender(s, str_of(d->sender), NULL, 0));
	assert_non_null(session_rcpt(s, STR("<bob@r.example>"), NULL));
	assert_non_null(session_data(s));
	assert_int_equal(session_header(s, STR("From"), str_of(d->from)), 0);
	assert_int_equal(lookups(), 0);
	assert_non_null(session_end_headers(s));
	assert_int_equal(lookups(), d->begun);
	assert_int_not_equal(session_body(s, str_of(d->body)), -1);
	p = session_end(s);
	assert_non_null(p);
	assert_int_equal(p->verdict, d->verdict);
	if (p->verdict == V_ACCEPT)
		check_field(s, p, d->field);
	assert_int_equal(lookups(), d->asked);
	session_free(s);
	rules_release(rs);
	diag_free(diag);
	resolver_free(sv.resolver);
}

/* _dmarc.brand.example, _dmarc.example, and brand.example for SPF. */
static void
begins_with_the_header(void **state)
{
	static const struct dialogue all[] = {
		{ BRAND, "192.0.2.1", "<a@brand.example>", " x@brand.example", "", 3, 3, V_ACCEPT,
		  "dmarc=pass (p=reject) header.from=brand.example" },
		{ OFF BRAND, "192.0.2.2", "<a@brand.example>", " x@brand.example", "", 3, 3, V_REJECT, NULL },
		/* Below a rule that waits for the body, too. */
		{ OFF BODY BRAND, "192.0.2.2", "<a@brand.example>", " x@brand.example", "", 3, 3, V_REJECT, NULL },
		{ OFF BODY BRAND, "192.0.2.2", "<a@brand.example>", " x@brand.example", "x", 3, 3, V_REJECT, NULL },
		/* Without a record there is no need of the rest of SPF. */
		{ "rule r\n    if dmarc is pass\n    then reject \"no\"\n", "192.0.2.1", "<a@brand.example>",
		  " x@other.example", "", 4, 4, V_ACCEPT, "dmarc=none header.from=other.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		play(&all[i]);
}

static void
asks_nothing_in_vain(void **state)
{
	static const struct dialogue all[] = {
		{ OFF BRAND, "192.0.2.2", "<a@brand.example>", " x@friend.example", "", 0, 0, V_ACCEPT, NULL },
		{ BODY, "192.0.2.2", "<a@brand.example>", " x@brand.example", "", 0, 0, V_ACCEPT, NULL },
		{ "rule r\n    if sender.domain is brand.example\n    then accept\n" BRAND, "192.0.2.2",
		  "<a@brand.example>", " x@brand.example", "", 0, 0, V_ACCEPT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		play(&all[i]);
}

/* RFC 8601: for every message if it is set so. */
static void
for_the_field_alone(void **state)
{
	static const struct dialogue all[] = {
		{ "set authentication-results dmarc\n", "192.0.2.1", "<a@x.friend.example>",
		  " x@friend.example", "", 4, 4, V_ACCEPT,
		  "dmarc=fail (p=none) header.from=friend.example" },
		{ "set authentication-results dmarc\n", "192.0.2.1", "<>",
		  " a@b.example, c@", "", 3, 3, V_ACCEPT,
		  "dmarc=permerror reason=\"From is no list of addresses\"" },
		{ BRAND "set authentication-results dmarc\n", "192.0.2.2", "<a@x.friend.example>",
		  " ceo@brand.example, x", "", 5, 5, V_REJECT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		play(&all[i]);
}

static int
set_up(void **state)
{
	(void)state;
	sv.spf = spf_engine_new();
	sv.dkim = dkim_engine_new(0);
	sv.dmarc = dmarc_engine_new(DMARC_RFC9989, NULL);
	sv.hostname = STR("mx.example.org");
	return sv.spf == NULL || sv.dkim == NULL || sv.dmarc == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	spf_engine_free(sv.spf);
	dkim_engine_free(sv.dkim);
	dmarc_engine_free((struct dmarc_engine *)(uintptr_t)sv.dmarc);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(begins_with_the_header),
		cmocka_unit_test(asks_nothing_in_vain),
		cmocka_unit_test(for_the_field_alone),
	};

	return cmocka_run_group_tests(all, set_up, tear_down);
}
