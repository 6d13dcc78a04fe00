/* test_mail.c - the message model: lifetimes, overwriting, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/mail.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct mail mail;

static int
setup(void **state)
{
	(void)state;
	return mail_init(&mail, NULL, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	mail_free(&mail);
	return 0;
}

#define assert_str(s, text)	assert_true(str_eq((s), STR(text)))

static void
copies_what_it_is_given(void **state)
{
	char name[] = "X", value[] = " one", path[] = "<a@b.example>";
	struct str param = { NULL, 0 };
	char size[] = "SIZE=1";
	struct recipient *r;

	(void)state;
	param = str_of(size);
	assert_int_equal(mail_helo(&mail, str_of(value)), 0);
	assert_int_equal(mail_sender(&mail, str_of(path), &param, 1, 7), 0);
	r = mail_rcpt(&mail, str_of(path), '+');
	assert_int_equal(mail_header(&mail, str_of(name), str_of(value)), 0);
	assert_int_equal(mail_macro(&mail, str_of(name), str_of(value)), 0);
	memset(name, '?', sizeof(name) - 1);
	memset(value, '?', sizeof(value) - 1);
	memset(path, '?', sizeof(path) - 1);
	memset(size, '?', sizeof(size) - 1);
	assert_str(mail.helo_raw, " one");
	assert_str(mail.sender.text, "a@b.example");
	assert_str(mail.sender_path, "<a@b.example>");
	assert_str(mail.params.v[0].name, "SIZE");
	assert_str(mail.params.v[0].value, "1");
	assert_str(r->path, "<a@b.example>");
	assert_str(mail.headers->name, "X");
	assert_str(mail.headers->raw, " one");
	assert_str(mail_find_macro(&mail, STR("X")), " one");
	assert_int_equal(mail.time, 7);
	/* X: one CR LF */
	assert_int_equal(mail.header_octets, 8);
}

static void
resets_the_message_only(void **state)
{
	struct ipaddr ip = { { 0 } };

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(mail_connect(&mail, &ip, STR("Client.example"), 25), 0);
		assert_int_equal(mail_helo(&mail, STR("HELO.example")), 0);
		assert_int_equal(mail_conn_macro(&mail, STR("j"), STR("mx")), 0);
		assert_int_equal(mail_macro(&mail, STR("i"), STR("4A")), 0);
		assert_int_equal(mail_sender(&mail, STR("<>"), NULL, 0, 1), 0);
		mail.rcpt = mail_rcpt(&mail, STR("<a@b>"), '+');
		assert_int_equal(mail_header(&mail, STR("A"), STR("b")), 0);
		mail.headers_cut = true;
		mail.stage = S_MESSAGE;
		mail.thing[0] = 3;

		mail_reset(&mail);
		assert_true(mail.has_ip);
		assert_str(mail.client_name, "client.example");
		assert_str(mail.helo, "helo.example");
		assert_str(mail_find_macro(&mail, STR("{j}")), "mx");
		assert_null(mail_find_macro(&mail, STR("i")).p);
		assert_false(mail.has_sender);
		assert_int_equal(mail.sender.text.n, 0);
		assert_int_equal(mail.nrcpts + mail.nheaders + mail.header_octets, 0);
		assert_null(mail.rcpt);
		assert_false(mail.headers_cut);
		assert_int_equal(mail.stage, S_CONNECT);
		assert_int_equal(mail.thing[0], -1);
	}
	mail_reset(&mail);
	mail_reset(&mail);
}

/* A client that greets all day, an MTA that tells its macros each time. */
static void
greets_all_day(void **state)
{
	char name[64];
	size_t size = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int n = snprintf(name, sizeof(name), "%.*s.example", i % 40 + 1,
		    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
		struct str s = { name, (size_t)n };

		assert_int_equal(mail_helo(&mail, s), 0);
		assert_int_equal(mail_conn_macro(&mail, STR("{tls_version}"), s), 0);
		assert_true(str_eq(mail.helo, s));
		assert_true(str_eq(mail_find_macro(&mail, STR("tls_version")), s));
		if (i == 100)
			size = arena_size(mail.conn);
	}
	assert_int_equal(arena_size(mail.conn), size);
	assert_int_equal(mail.conn_macros.n, 1);
	assert_int_equal(mail_helo(&mail, STR("x")), 0);
	assert_str(mail.helo, "x");
}

static void
finds_the_nearest_macro(void **state)
{
	struct recipient *r;

	(void)state;
	assert_int_equal(mail_conn_macro(&mail, STR("{m}"), STR("conn")), 0);
	assert_str(mail_find_macro(&mail, STR("m")), "conn");
	assert_int_equal(mail_macro(&mail, STR("m"), STR("msg")), 0);
	assert_str(mail_find_macro(&mail, STR("{m}")), "msg");
	r = mail_rcpt(&mail, STR("a@b"), '+');
	assert_int_equal(mail_rcpt_macro(&mail, r, STR("{m}"), STR("rcpt")), 0);
	assert_str(mail_find_macro(&mail, STR("m")), "msg");
	mail.rcpt = r;
	assert_str(mail_find_macro(&mail, STR("m")), "rcpt");
	assert_null(mail_find_macro(&mail, STR("none")).p);
	/* Sent empty is sent. */
	assert_int_equal(mail_macro(&mail, STR("e"), STR("")), 0);
	assert_non_null(mail_find_macro(&mail, STR("e")).p);
	assert_null(mail_find_macro(&mail, STR("")).p);
}

static void
splits_details(void **state)
{
	static const struct {
		const char *path; char delimiter; const char *local, *detail;
	} cases[] = {
		{ "<bob+x@d>", '+', "bob", "x" },
		{ "<bob+x+y@d>", '+', "bob", "x+y" },
		{ "<bob@d>", '+', "bob", NULL },
		{ "<bob+@d>", '+', "bob", "" },
		{ "<+x@d>", '+', "+x", NULL },
		{ "<bob+x@d>", '\0', "bob+x", NULL },
		{ "<bob-x@d>", '-', "bob", "x" },
		{ "<\"bob+x\"@d>", '+', "bob", "x" },
		{ "<postmaster>", '+', "postmaster", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct recipient *r = mail_rcpt(&mail, str_of(cases[i].path),
		    cases[i].delimiter);

		assert_non_null(r);
		assert_true(str_eq(r->local, str_of(cases[i].local)));
		assert_true((r->detail.p == NULL) == (cases[i].detail == NULL));
		if (cases[i].detail != NULL)
			assert_true(str_eq(r->detail, str_of(cases[i].detail)));
	}
	assert_int_equal(mail.nrcpts, COUNT(cases));
}

static void
names_that_say_nothing(void **state)
{
	(void)state;
	assert_int_equal(mail_connect(&mail, NULL, STR("unknown"), 0), 0);
	assert_false(mail.has_ip);
	assert_null(mail.client_name.p);
	assert_int_equal(mail_connect(&mail, NULL, STR("[192.0.2.1]"), 0), 0);
	assert_null(mail.client_name.p);
	assert_int_equal(mail_connect(&mail, NULL, STR_NONE, 0), 0);
	assert_null(mail.client_name.p);
}

static void
has_limits(void **state)
{
	(void)state;
	for (int i = 0; i < MAIL_RCPTS; i++)
		assert_non_null(mail_rcpt(&mail, STR("<a@b>"), '+'));
	assert_null(mail_rcpt(&mail, STR("<a@b>"), '+'));
	assert_int_equal(mail.nrcpts, MAIL_RCPTS);
	for (int i = 0; i < MAIL_HEADERS; i++)
		assert_int_equal(mail_header(&mail, STR("A"), STR("\n")), 0);
	assert_false(mail.headers_cut);
	assert_int_equal(mail_header(&mail, STR("A"), STR("\n")), 0);
	assert_true(mail.headers_cut);
	assert_int_equal(mail.nheaders, MAIL_HEADERS);
	assert_int_equal(mail.header_octets, (MAIL_HEADERS + 1) * 6);
	/* What could be forged is seen wherever it stands. */
	assert_int_equal(mail_header(&mail, STR("authentication-Results"), STR("x")), 0);
	assert_int_equal(mail.nheaders, MAIL_HEADERS + 1);
	assert_int_equal(mail_header(&mail, STR("A"), STR("x")), 0);
	assert_int_equal(mail.nheaders, MAIL_HEADERS + 1);
}

/* A path of hundreds of routes, each with a blank behind it, is copied a few times only. */
static void
layers_take_no_memory(void **state)
{
	struct recipient *r;
	char path[2048];
	size_t n = 0, before = arena_size(mail.arena);

	(void)state;
	path[n++] = '<';
	while (n < 2000)
		n += (size_t)sprintf(path + n, "@a:");
	n += (size_t)sprintf(path + n, "\"b c\"@r.example>");
	r = mail_rcpt(&mail, (struct str){ path, n }, '+');
	assert_non_null(r);
	assert_true(str_eq(r->addr.local, STR("b c")));
	assert_true(str_eq(r->addr.domain, STR("r.example")));
	assert_in_range(arena_size(mail.arena) - before, n, 4 * n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_what_it_is_given, setup, teardown),
		cmocka_unit_test_setup_teardown(resets_the_message_only, setup, teardown),
		cmocka_unit_test_setup_teardown(greets_all_day, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_the_nearest_macro, setup, teardown),
		cmocka_unit_test_setup_teardown(splits_details, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_say_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(has_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(layers_take_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
