/*
 * test_allocations.c - no header field costs an allocation of ours.
 *
 * The linker puts our malloc(3) before the one of libc for all that is
 * postern's own, so each call is counted; what libraries do in themselves isn't.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/generation.h"
#include "filter/session.h"
#include "rules/diag.h"
#include "rules/rules.h"

static unsigned long count;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *
__wrap_malloc(size_t n)
{
	count++;
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	count++;
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	count++;
	return __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	count++;
	return __real_reallocarray(p, n, size);
}

/* Allocations for one message with so many fields, from MAIL to its end. */
static unsigned long
message(struct session *s, int fields)
{
	unsigned long before = count;
	char name[32], value[64];

	assert_non_null(session_sender(s, STR("<a@s.example>"), NULL, 0));
	assert_non_null(session_rcpt(s, STR("<b@r.example>"), NULL));
	assert_non_null(session_data(s));
	assert_int_equal(session_header(s, STR("From"), STR(" A <a@s.example>")), 0);
	assert_int_equal(session_header(s, STR("Subject"), STR(" one of many")), 0);
	for (int i = 0; i < fields; i++) {
		snprintf(name, sizeof(name), "X-Field-%d", i % 50);
		snprintf(value, sizeof(value), " value number %d, with\n\tanother line", i);
		assert_int_equal(session_header(s, str_of(name), str_of(value)), 0);
	}
	assert_non_null(session_end_headers(s));
	assert_int_not_equal(session_body(s, STR("a line\r\n")), -1);
	assert_non_null(session_end(s));
	session_end_message(s);
	return count - before;
}

#define OFF	"set authentication-results off\n"
#define RULE(cond) "rule r\n    if   " cond "\n    then reject \"no\"\n"

static const char *const works[] = {
	OFF,
	"set authentication-results spf dkim dmarc arc\n",
	OFF RULE("subject contains \"x\""),
	OFF RULE("header[\"X-Field-7\"] contains \"xyz\""),
	OFF RULE("header[\"X-Field-7\"] matches /x+yz/"),
	OFF RULE("dkim is fail or dmarc is fail or arc is fail"),
	OFF RULE("body contains \"xyz\""),
	"rule r\n    if   subject contains \"many\"\n    then remove header X-Field-7\n    then add header X-Seen \"yes\"\n",
};

/* Room is made for many at once: 200 fields more, each copied up to three times, are some blocks and some growing. */
static void
no_more_for_more_fields(void **state)
{
	struct strbuf why = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		struct diag *d = diag_new();
		struct ruleset *rs = rules_load_text(STR("test"), str_of(works[i]), ".", d);
		struct engines *e = engines_new("/dev/null", 1, &why);
		unsigned long few, many, most;
		struct generation *g;
		struct session *s;

		if (rs == NULL)
			diag_print(d, stderr, false);
		assert_non_null(rs);
		assert_non_null(e);
		assert_non_null(g = generation_new(e, rs, NULL, &why));
		assert_non_null(s = session_new(rs, &g->services));
		assert_non_null(session_connect(s, NULL, STR_NONE, 0, true));
		assert_int_equal(session_helo(s, STR("h.example")), 0);
		(void)message(s, 10);		/* the first of a session */
		few = message(s, 10);
		many = message(s, 200);
		most = message(s, 400);
		printf("# work %zu: %lu allocations with 10 fields, %lu with 200, %lu with 400\n",
		    i, few, many, most);
		assert_true(few > 0);
		assert_in_range(many, few, few + 20);
		assert_in_range(most, many, many + 10);
		assert_int_equal(message(s, 10), few);
		session_free(s);
		generation_release(g);
		rules_release(rs);
		engines_free(e);
		diag_free(d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_for_more_fields),
	};

	return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
