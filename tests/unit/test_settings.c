/* test_settings.c - defaults, values, and what a reload can't change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/parse.h"
#include "rules/settings.h"

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

/* Reads statements; returns the number of errors. */
static int
read_settings(const char *text, struct settings *s)
{
	struct diag *d = diag_new();
	struct ast *ast;
	int errors;

	assert_non_null(d);
	ast = parse_text(STR("t"), str_of(text), "", arena, d);
	assert_non_null(ast);
	assert_int_equal(diag_errors(d), 0);
	settings_read(s, ast, arena, d);
	errors = diag_errors(d);
	diag_free(d);
	return errors;
}

static void
test_defaults(void **state)
{
	struct settings s;

	(void)state;
	assert_int_equal(read_settings("rule r\n    then accept\n", &s), 0);
	assert_string_equal(s.listen.p, "unix:/run/postern/postern.sock");
	assert_int_equal(s.socket_mode, 0660);
	assert_int_equal(s.user.n, 0);
	assert_int_equal(s.authres.n, 1);
	assert_string_equal(s.authres.v[0].p, "auto");
	assert_int_equal(s.earliest_reply, EARLIEST_RCPT);
	assert_int_equal(s.mixed_recipients, MIXED_SPLIT);
	assert_int_equal(s.split_limit, 5);
	assert_string_equal(s.recipient_delimiter.p, "+");
	assert_int_equal(s.on_error.of[ERR_LOOKUP], ON_ERROR_TEMPFAIL);
	assert_int_equal(s.on_error.of[ERR_DNSBL], ON_ERROR_SKIP);
	assert_int_equal(s.on_error.of[ERR_STORE], ON_ERROR_TEMPFAIL);
	assert_int_equal(s.on_error.of[ERR_LIMIT], ON_ERROR_SKIP);
	assert_int_equal(s.mode, MODE_ENFORCE);
	assert_int_equal(s.dns_servers.n, 0);
	assert_int_equal(s.dns_timeout, 8);
	assert_int_equal(s.header_limit, 1 << 20);
	assert_int_equal(s.body_limit, 1 << 20);
	assert_int_equal(s.log_to, LOG_TO_SYSLOG);
}

static void
test_every_word_reads_as_its_enum(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		int value;
	} cases[] = {
#define CASE(text, field, value) { text, offsetof(struct settings, field), value }
		CASE("set earliest-reply connect\n", earliest_reply, EARLIEST_CONNECT),
		CASE("set earliest-reply mail\n", earliest_reply, EARLIEST_MAIL),
		CASE("set earliest-reply rcpt\n", earliest_reply, EARLIEST_RCPT),
		CASE("set mixed-recipients split\n", mixed_recipients, MIXED_SPLIT),
		CASE("set mixed-recipients strictest\n", mixed_recipients, MIXED_STRICTEST),
		CASE("set mixed-recipients exempt-wins\n", mixed_recipients, MIXED_EXEMPT_WINS),
		CASE("set mode enforce\n", mode, MODE_ENFORCE),
		CASE("set mode monitor\n", mode, MODE_MONITOR),
		CASE("set log syslog\n", log_to, LOG_TO_SYSLOG),
		CASE("set log stderr\n", log_to, LOG_TO_STDERR),
#undef CASE
	};
	struct settings s;
	int value;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_settings(cases[i].text, &s), 0);
		memcpy(&value, (const char *)&s + cases[i].offset,
		    sizeof(value));
		assert_int_equal(value, cases[i].value);
	}
}

static void
test_on_error_has_no_order(void **state)
{
	static const char *const texts[] = {
		"set on-error accept\nset on-error dnsbl tempfail\n",
		"set on-error dnsbl tempfail\nset on-error accept\n",
	};
	struct settings s;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(read_settings(texts[i], &s), 0);
		assert_int_equal(s.on_error.of[ERR_LOOKUP], ON_ERROR_ACCEPT);
		assert_int_equal(s.on_error.of[ERR_DNSBL], ON_ERROR_TEMPFAIL);
		assert_int_equal(s.on_error.of[ERR_STORE], ON_ERROR_ACCEPT);
		assert_int_equal(s.on_error.of[ERR_LIMIT], ON_ERROR_ACCEPT);
	}
	assert_int_equal(read_settings("set on-error store skip\n", &s), 0);
	assert_int_equal(s.on_error.of[ERR_STORE], ON_ERROR_SKIP);
	assert_int_equal(s.on_error.of[ERR_LOOKUP], ON_ERROR_TEMPFAIL);
}

static void
test_values(void **state)
{
	static const struct {
		const char *text;
		int errors;
	} cases[] = {
		{ "set listen unix:/x\n", 0 },
		{ "set listen local:/x\n", 0 },
		{ "set listen inet:8891\n", 0 },
		{ "set listen inet:8891@localhost\n", 0 },
		{ "set listen inet6:8891@::1\n", 0 },
		{ "set listen \"inet6:8891@[::1]\"\n", 0 },
		{ "set listen fd:3\n", 0 },
		{ "set listen inet:0\n", 1 },
		{ "set listen inet:65536\n", 1 },
		{ "set listen inet:8891@\n", 1 },
		{ "set listen fd:\n", 1 },
		{ "set listen \"\"\n", 1 },
		{ "set listen :\n", 1 },
		{ "set socket-mode 0777\n", 0 },
		{ "set socket-mode 01000\n", 1 },
		{ "set socket-mode 8\n", 1 },
		{ "set socket-mode \"\"\n", 1 },
		{ "set split-limit 0\n", 0 },
		{ "set split-limit -1\n", 1 },
		{ "set split-limit 99999999999999999999\n", 1 },
		{ "set dns-timeout 1s\n", 0 },
		{ "set dns-timeout 0s\n", 1 },
		{ "set dns-timeout 1d\n", 1 },
		{ "set body-limit 1G\n", 0 },
		{ "set body-limit 2G\n", 1 },
		{ "set recipient-delimiter \"\"\n", 0 },
		{ "set recipient-delimiter x\n", 1 },
		{ "set recipient-delimiter @\n", 1 },
		{ "set authserv-id mx.example\n", 0 },
		{ "set authserv-id mx-1_a\n", 0 },
		{ "set authserv-id \"\"\n", 1 },
		{ "set authserv-id \"mx example\"\n", 1 },
		{ "set authserv-id m\xc3\xbc\n", 1 },
		{ "set authserv-id \"\\\"mx\\\"\"\n", 1 },
		{ "set authserv-id mx;example\n", 1 },
		{ "set authserv-id \"mx\\nexample\"\n", 1 },
		{ "set authentication-results off\n", 0 },
		{ "set authentication-results spf dkim\n", 0 },
		{ "set authentication-results dmarc\n", 0 },
		{ "set dmarc rfc7489\n", 0 },
		{ "set dmarc 9989\n", 1 },
		{ "set public-suffix-list /etc/psl.dat\n", 0 },
		{ "set public-suffix-list psl.dat\n", 1 },
		{ "set authentication-results spf spf\n", 1 },
		{ "set authentication-results spf auto\n", 1 },
		{ "set dns-servers 127.0.0.1 ::1 192.0.2.1@5353 2001:db8::1@53\n", 0 },
		{ "set dns-servers 127.0.0.1@0\n", 1 },
		{ "set chroot /var/empty\n", 0 },
		{ "set chroot empty\n", 1 },
		{ "set store memory\n", 0 },
		{ "set store lmdb:/var/lib/postern/store\n", 0 },
		{ "set store redis://127.0.0.1:6379/0\n", 0 },
		{ "set store \"redis://[::1]:6379/3\"\n", 0 },
		{ "set store \"redis://[2001:db8::1]\"\n", 0 },
		{ "set store redis://:secret@redis.example\n", 0 },
		{ "set store redis://user:pw@redis.example:6380/15\n", 0 },
		{ "set store lmdb:\n", 1 },
		{ "set store lmdb:/\n", 1 },
		{ "set store lmdb:store\n", 1 },
		{ "set store disk:/x\n", 1 },
		{ "set store redis:\n", 1 },
		{ "set store redis://\n", 1 },
		{ "set store redis:///0\n", 1 },
		{ "set store redis://h:0/0\n", 1 },
		{ "set store redis://h:70000/0\n", 1 },
		{ "set store redis://h:/0\n", 1 },
		{ "set store redis://h/x\n", 1 },
		{ "set store redis://h/0/1\n", 1 },
		{ "set store redis://h/123456\n", 1 },
		{ "set store \"redis://[::1/0\"\n", 1 },
		{ "set store \"redis://[::1:6379/0\"\n", 1 },
		{ "set store \"redis://[h]:1\"\n", 1 },
		{ "set store \"redis://h,i\"\n", 1 },
		{ "set store redis://secret@\n", 1 },
		{ "set store rediss://h\n", 1 },
		{ "set nothing x\n", 1 },
		{ "set mode monitor\nset mode monitor\n", 1 },
	};
	struct settings s;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (read_settings(cases[i].text, &s) != cases[i].errors)
			fail_msg("%s", cases[i].text);
	assert_int_equal(read_settings("set listen local:/x\n", &s), 0);
	assert_string_equal(s.listen.p, "unix:/x");
}

static void
test_what_a_reload_cannot_change(void **state)
{
	struct settings a, b;
	struct strbuf names = { 0 };

	(void)state;
	assert_int_equal(read_settings("set mode monitor\nset dns-servers ::1\n", &a), 0);
	assert_int_equal(read_settings("set mode enforce\n", &b), 0);
	assert_int_equal(settings_fixed_changes(&a, &b, &names), 0);
	assert_int_equal(names.n, 0);
	assert_int_equal(read_settings("set user nobody\nset listen inet:1\n"
	    "set socket-mode 0600\n", &b), 0);
	assert_int_equal(settings_fixed_changes(&a, &b, &names), 3);
	assert_string_equal(names.p, "listen, socket-mode, user");
	strbuf_free(&names);
}

/* What the table says must be true of each row. */
static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < nsettings; i++) {
		const struct setting *row = &settings_table[i];

		assert_true(strlen(row->manual) > 10);
		assert_true(row->offset < sizeof(struct settings));
		if (row->kind == K_NUMBER || row->kind == K_SIZE ||
		    row->kind == K_DURATION || row->kind == K_MODE)
			assert_non_null(strstr(row->takes, ".."));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(row->name,
			    settings_table[k].name);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_word_reads_as_its_enum),
		cmocka_unit_test(test_on_error_has_no_order),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_a_reload_cannot_change),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
