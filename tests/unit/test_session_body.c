/*
 * test_session_body.c - what a session keeps of a body, and when it decodes it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "filter/session_int.h"
#include "rules/diag.h"

#define OFF	"set authentication-results off\nset body-limit 2K\n"
#define RULE(cond) OFF "rule r\n    if   " cond "\n    then reject \"yes\"\n"

static struct strbuf body;

/* A text, 90,000 octets in base64, and a text behind it. */
static void
make_body(void)
{
	strbuf_puts(&body, "--b\r\n\r\nfirst text\r\n--b\r\nContent-Type: application/zip; name=a.zip\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	for (int i = 0; i < 2000; i++)
		strbuf_puts(&body, "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\r\n");
	strbuf_puts(&body, "--b\r\n\r\nlast text\r\n--b--\r\n");
}

/* What is said at the end; *early: the session had its fill before. */
static enum verdict
play(const char *rules, size_t piece, bool *early)
{
	struct diag *d = diag_new();
	struct ruleset *rs = rules_load_text(STR("test"), str_of(rules), ".", d);
	struct services sv = { .hostname = STR("mx.example") };
	struct session *s;
	enum verdict v;

	assert_non_null(rs);
	s = session_new(rs, &sv);
	assert_non_null(s);
	assert_non_null(session_connect(s, NULL, STR_NONE, 0, true));
	assert_int_equal(session_helo(s, STR("h.example")), 0);
	assert_non_null(session_sender(s, STR("<a@s.example>"), NULL, 0));
	assert_non_null(session_rcpt(s, STR("<b@r.example>"), NULL));
	assert_non_null(session_data(s));
	assert_int_equal(session_header(s, STR("Content-Type"), STR(" multipart/mixed; boundary=b")), 0);
	assert_non_null(session_end_headers(s));
	*early = false;
	for (size_t i = 0, n; i < body.n && !*early; i += n) {
		int r;

		n = body.n - i < piece ? body.n - i : piece;
		r = session_body(s, (struct str){ body.p + i, n });
		assert_int_not_equal(r, -1);
		*early = r == 0;
		/* Never more of it than rules can see, and room to grow. */
		assert_true(s->body.cap <= 4096);
	}
	v = session_end(s)->verdict;
	session_free(s);
	rules_release(rs);
	diag_free(d);
	return v;
}

/* Sizes and names are right however large the message is; text is what fits. */
static void
larger_than_the_limit(void **state)
{
	static const struct { const char *rules; enum verdict verdict; } v[] = {
		{ RULE("any attachment has ( name is a.zip and size is 90000 )"), V_REJECT },
		{ RULE("attachment.size > 1M"), V_ACCEPT },
		{ RULE("attachment.count is 1"), V_REJECT },
		{ RULE("body is \"first text\""), V_REJECT },
		{ RULE("body is \"last text\""), V_REJECT },
		{ RULE("body contains \"none\""), V_ACCEPT },
		{ RULE("raw.body contains \"first\""), V_REJECT },
		{ RULE("raw.body contains \"first\" and body contains \"last\""), V_REJECT },
		/* It may stand behind the limit: neither true nor false. */
		{ RULE("raw.body contains \"last\""), V_ACCEPT },
		{ RULE("not raw.body contains \"last\""), V_ACCEPT },
		{ "set on-error limit tempfail\n" RULE("raw.body contains \"last\""), V_TEMPFAIL },
	};
	static const size_t pieces[] = { SIZE_MAX, 65535, 1000, 7 };
	bool early;

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			if (play(v[i].rules, pieces[k], &early) != v[i].verdict)
				fail_msg("%s in pieces of %zu", v[i].rules, pieces[k]);
}

/* The MTA may stop sending once nobody looks any more. */
static void
takes_no_more_than_it_needs(void **state)
{
	bool early;

	(void)state;
	play(RULE("raw.body contains \"x\""), 100, &early);
	assert_true(early);
	play(RULE("body contains \"x\""), 100, &early);
	assert_false(early);
	play(RULE("sender is <>"), 100, &early);
	assert_true(early);
}

/* Sendmail hangs up after 10 s before the dot, and waits for minutes after it. */
static void
waits_no_longer_than_the_mta(void **state)
{
	static const struct { const char *rules; enum stage stage; msec least, most; } cases[] = {
		{ "set dns-timeout 60s\n", S_RCPT, 7000, 8000 },
		{ "set dns-timeout 60s\n", S_MESSAGE, 59000, 60000 },
		{ "set dns-timeout 3s\n", S_RCPT, 2000, 3000 },
		{ "set dns-timeout 3s\n", S_MESSAGE, 2000, 3000 },
	};
	struct services sv = { .hostname = STR("mx.example") };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag *d = diag_new();
		struct ruleset *rs = rules_load_text(STR("test"), str_of(cases[i].rules), ".", d);
		struct session *s;
		msec until;

		assert_non_null(rs);
		s = session_new(rs, &sv);
		assert_non_null(s);
		s->mail.stage = cases[i].stage;
		until = session_wait_begin(s) - s->wait_from;
		assert_in_range(until, cases[i].least, cases[i].most);
		/* What was waited already counts. */
		s->waited = 1000;
		assert_true(session_wait_begin(s) - s->wait_from <= cases[i].most - 1000);
		session_free(s);
		rules_release(rs);
		diag_free(d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(larger_than_the_limit),
		cmocka_unit_test(waits_no_longer_than_the_mta),
		cmocka_unit_test(takes_no_more_than_it_needs),
	};
	int failed;

	make_body();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	strbuf_free(&body);
	return failed;
}
