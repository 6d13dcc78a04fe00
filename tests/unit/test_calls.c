/*
 * test_calls.c - what a message costs in calls: no header field costs an
 * allocation of ours, and a message has one line in the log.
 *
 * libmilter is played here, so that its callbacks are driven from negotiation to
 * close.  The linker puts our malloc(3) before the one of libc for all that is
 * postern's own, so each call is counted; what libraries do in themselves isn't.
 */
#undef _FORTIFY_SOURCE		/* syslog() and its checked kind are defined here: no inlines of them */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "filter/generation.h"
#include "filter/log.h"
#include "filter/milter.h"
#include "rules/diag.h"
#include "rules/rules.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

/* ---- Allocations ---- */

static unsigned long allocations;

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
	allocations++;
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	allocations++;
	return __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	allocations++;
	return __real_reallocarray(p, n, size);
}

/* ---- The log ---- */

static unsigned lines;
static char line[8192];		/* the last */

static void take_line(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static void
take_line(const char *fmt, va_list ap)
{
	lines++;
	vsnprintf(line, sizeof(line), fmt, ap);
}

void
syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	(void)priority;
	va_start(ap, fmt);
	take_line(fmt, ap);
	va_end(ap);
}

/* What it is with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)priority;
	(void)flag;
	va_start(ap, fmt);
	take_line(fmt, ap);
	va_end(ap);
}

/* ---- libmilter, played ---- */

static struct smfiDesc filter;
static void *private;

int
smfi_register(struct smfiDesc d)
{
	filter = d;
	return MI_SUCCESS;
}

size_t
smfi_setmaxdatasize(size_t n)
{
	return n;
}

int
smfi_setpriv(SMFICTX *ctx, void *p)
{
	(void)ctx;
	private = p;
	return MI_SUCCESS;
}

void *
smfi_getpriv(SMFICTX *ctx)
{
	(void)ctx;
	return private;
}

char *
smfi_getsymval(SMFICTX *ctx, char *name)
{
	static char id[] = "4XyZ12";

	(void)ctx;
	return strcmp(name, "i") == 0 ? id : NULL;
}

int
smfi_setsymlist(SMFICTX *ctx, int where, char *names)
{
	(void)ctx;
	(void)where;
	(void)names;
	return MI_SUCCESS;
}

int
smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
	(void)ctx;
	(void)code;
	(void)enhanced;
	(void)text;
	return MI_SUCCESS;
}

int
smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return MI_SUCCESS;
}

int
smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
	(void)index;
	return smfi_addheader(ctx, name, value);
}

int
smfi_insheader(SMFICTX *ctx, int index, char *name, char *value)
{
	(void)index;
	return smfi_addheader(ctx, name, value);
}

int
smfi_addrcpt(SMFICTX *ctx, char *rcpt)
{
	return smfi_addheader(ctx, rcpt, NULL);
}

int
smfi_delrcpt(SMFICTX *ctx, char *rcpt)
{
	return smfi_addheader(ctx, rcpt, NULL);
}

int
smfi_quarantine(SMFICTX *ctx, char *reason)
{
	return smfi_addheader(ctx, reason, NULL);
}

int
smfi_progress(SMFICTX *ctx)
{
	return smfi_addheader(ctx, NULL, NULL);
}

/* ---- A daemon without sockets ---- */

static char zone[] = "/tmp/postern-calls-XXXXXX";
static struct engines *engines;

/* The world of s.example, with a new key of DKIM's. */
static int
make_world(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(1024);
	unsigned char *der = NULL, b64[1024];
	int n = i2d_PUBKEY(key, &der), fd = mkstemp(zone);
	struct strbuf why = { 0 };
	FILE *f = fdopen(fd, "w");

	(void)state;
	if (n <= 0 || f == NULL || EVP_EncodeBlock(b64, der, n) <= 0)
		return -1;
	fprintf(f, "k._domainkey.s.example TXT \"v=DKIM1; p=%s\"\n"
	    "_dmarc.s.example TXT \"v=DMARC1; p=none\"\n"
	    "s.example TXT \"v=spf1 include:i.example -all\"\n"
	    "i.example TXT \"v=spf1 ip4:203.0.113.0/24 -all\"\n", b64);
	fclose(f);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	log_open(LOG_TO_SYSLOG);
	engines = engines_new(zone, 1700000000, &why);
	return engines != NULL && milter_register() == 0 ? 0 : -1;
}

static int
drop_world(void **state)
{
	(void)state;
	generation_swap(NULL);
	engines_free(engines);
	return unlink(zone);
}

/* Said, or not waited for. */
#define GO_ON(said) do {						\
	int said_ = (said);						\
									\
	assert_true(said_ == SMFIS_CONTINUE || said_ == SMFIS_NOREPLY);	\
} while (0)

/* The daemon goes on with these rules, and a client has said HELO; false if they are not there. */
static bool
begin(const char *text, const char *path)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(50123) };
	struct diag *d = diag_new();
	struct strbuf why = { 0 };
	unsigned long actions, steps, f2, f3;
	struct generation *g;
	struct ruleset *rs;
	char host[] = "c.example", helo[] = "c.example";

	if (path != NULL && access(path, R_OK) != 0) {
		diag_free(d);
		return false;
	}
	rs = path != NULL ? rules_load(path, d) : rules_load_text(STR("test"), str_of(text), ".", d);
	if (rs == NULL)
		diag_print(d, stderr, false);
	assert_non_null(rs);
	assert_non_null(g = generation_new(engines, rs, NULL, &why));
	assert_int_equal(milter_prepare(g), 0);
	generation_swap(g);
	rules_release(rs);
	diag_free(d);
	assert_int_equal(inet_pton(AF_INET, "203.0.113.5", &sin.sin_addr), 1);
	assert_int_equal(filter.xxfi_negotiate(NULL, SMFI_CURR_ACTS, SMFI_CURR_PROT, 0, 0,
	    &actions, &steps, &f2, &f3), SMFIS_CONTINUE);
	GO_ON(filter.xxfi_connect(NULL, host, (struct sockaddr *)&sin));
	GO_ON(filter.xxfi_helo(NULL, helo));
	return true;
}

static void
end(void)
{
	assert_int_equal(filter.xxfi_close(NULL), SMFIS_CONTINUE);
	generation_swap(NULL);
}

/* Recipient number n, the first with MAIL before it: what is said to it. */
static sfsistat
envelope(size_t n, const char *rcpt)
{
	char from[] = "<a@s.example>", to[64];
	char *mail[] = { from, NULL }, *argv[] = { to, NULL };

	snprintf(to, sizeof(to), "<%s@r.example>", rcpt);
	if (n == 0)
		GO_ON(filter.xxfi_envfrom(NULL, mail));
	return filter.xxfi_envrcpt(NULL, argv);
}

static void
header(const char *name, const char *value)
{
	char n[64], v[1024];

	snprintf(n, sizeof(n), "%s", name);
	snprintf(v, sizeof(v), "%s", value);
	GO_ON(filter.xxfi_header(NULL, n, v));
}

/* The verdict at the end. */
static sfsistat
end_of_message(const char *text)
{
	unsigned char body[1024];
	size_t n = strlen(text);

	memcpy(body, text, n);
	GO_ON(filter.xxfi_eoh(NULL));
	GO_ON(filter.xxfi_body(NULL, body, n));
	return filter.xxfi_eom(NULL);
}

/* ---- Allocations of a message ---- */

#define BASE64_64	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* Fields of all kinds, by turns. */
static void
many_fields(int n)
{
	static const struct { const char *name, *value; } kinds[] = {
		{ "X-Plain", " value number %d, with\n\tanother line" },
		{ "X-Word", " =?utf-8?q?caf=C3=A9?= and =?iso-8859-1?b?6Q==?= number %d" },
		{ "To", " \"Number %d\" <to@r.example>, (comment) other@r.example" },
		{ "Received", " from c.example by r.example with ESMTP id %d" },
		{ "X-Octets", " v\xc3\xa1l\xffue of V-i.a-g  G.R.A number %d" },
		{ "List-Unsubscribe", " <https://s.example/u/%d>" },
		{ "Authentication-Results", " r.example; spf=pass; x=%d" },
	};
	char value[128];

	for (int i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(value, sizeof(value), kinds[(size_t)i % COUNT(kinds)].value, i);
#pragma GCC diagnostic pop
		header(kinds[(size_t)i % COUNT(kinds)].name, value);
	}
}

/* For one message with so many fields more, from MAIL to its end. */
static unsigned long
message(int fields)
{
	unsigned long before = allocations;

	GO_ON(envelope(0, "b"));
	GO_ON(filter.xxfi_data(NULL));
	header("DKIM-Signature", " v=1; a=rsa-sha256; c=relaxed/relaxed; d=s.example; s=k;\n"
	    "\th=From:To:Subject; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;\n"
	    "\tb=" BASE64_64 BASE64_64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	header("From", " A <a@s.example>");
	header("Subject", " one of many");
	header("Date", " Tue, 14 Nov 2023 22:13:20 +0000");
	header("Content-Type", " multipart/mixed; boundary=\"x\"");
	many_fields(fields);
	assert_int_equal(end_of_message("--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	    "see https://s.example/\r\n--x\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n"
	    "text\r\n--x--\r\n"), SMFIS_ACCEPT);
	return allocations - before;
}

#define OFF	"set authentication-results off\n"
#define RULE(name, cond) "rule " name "\n    if   " cond "\n    then reject \"no\"\n"

static const struct {
	const char *what, *rules, *path;
} works[] = {
	{ "Authentication-Results", "set authentication-results spf dkim dmarc arc\n", NULL },
	{ "SPF, DKIM, DMARC, ARC", OFF RULE("r", "dkim is pass or dmarc is fail or arc is fail"), NULL },
	{ "header rules", OFF RULE("a", "subject contains \"x\"") RULE("b", "header[\"X-Plain\"] contains \"xyz\"")
	    RULE("c", "raw.header[\"X-Octets\"] contains \"xyz\"") RULE("d", "header.count[\"Received\"] > 5000"), NULL },
	{ "patterns", OFF RULE("a", "header[\"X-Plain\"] matches /x+yz/") RULE("b", "header[\"X-Word\"] matches /c.?x+yz/i")
	    RULE("c", "raw.header[\"X-Octets\"] matches /[xz]yz/"), NULL },
	{ "lists of patterns", OFF "patterns p = /one xyz/ /two\\s+xyz/i /v\\W*x\\W*i\\W*g\\W*r\\W*o/i /four.xyz/ /f[iy]ve xyz/\n"
	    RULE("a", "header[\"X-Plain\"] matches p or header[\"X-Word\"] matches p")
	    RULE("b", "raw.header[\"X-Octets\"] matches p or header[\"X-Octets\"] matches p"), NULL },
	{ "rules of patterns", OFF RULE("a", "header[\"X-Octets\"] matches /one xyz/") RULE("b", "header[\"X-Octets\"] matches /two\\s+xyz/i")
	    RULE("c", "header[\"X-Octets\"] matches /v\\W*x\\W*i\\W*g\\W*r\\W*o/i")
	    RULE("d", "header[\"X-Octets\"] matches /[A-Z]{16}/") RULE("e", "header[\"X-Octets\"] matches /four.xyz/"), NULL },
	{ "addresses", OFF "domains d = x.example .x.example\n" RULE("a", "to in { x@r.example } or from.domain in d")
	    RULE("b", "from.name-address is set"), NULL },
	{ "body", OFF RULE("a", "body contains \"xyz\" or url.host is x.example") RULE("b", "attachment.name matches /\\.exe$/"), NULL },
	{ "edits", "rule r\n    if   subject contains \"many\"\n    then remove header X-Plain\n    then add header X-Seen \"yes\"\n"
	    "    then tag subject \"[x]\"\n    then log \"${header[\"X-Word\"]}\"\n", NULL },
	{ "rules.example", NULL, "rules.example" },
};

/*
 * Memory is taken for many fields at once, and more of it each time: so much
 * less than one allocation for ten of them that it isn't one for each.
 */
static void
no_more_for_more_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(works); i++) {
		unsigned long few, many, most;

		if (!begin(works[i].rules, works[i].path)) {
			printf("# %s: skipped, it is not here\n", works[i].what);
			continue;
		}
		(void)message(1000);		/* what a thread keeps */
		few = message(20);
		many = message(200);
		most = message(1000);
		printf("# %s: %lu allocations with 20 fields, %lu with 200, %lu with 1,000\n",
		    works[i].what, few, many, most);
		assert_true(few > 0);
		assert_in_range(many, few, few + 3);
		assert_in_range(most, many, many + 8);
		assert_int_equal(message(20), few);
		end();
	}
}

/* ---- Lines of a message ---- */

static const char talkative[] = OFF
    "rule bad\n    if   rcpt.local is bad\n    then reject \"no\"\n"
    "rule trap\n    if   rcpt.local is trap\n    then discard\n"
    "rule shadow\n    if   subject contains \"shadow\"\n    then would reject \"no\"\n"
    "rule told\n    if   subject contains \"told\"\n    then log \"one\"\n    then log \"two\"\n    then score +1\n"
    "rule marked\n    if   subject contains \"marked\"\n    then add header X-A \"a\"\n    then add header X-B \"b\"\n"
    "rule held\n    if   subject contains \"held\"\n    then quarantine \"see\"\n"
    "rule never\n    if   subject contains \"never\"\n    then reject \"no\"\n"
    "rule gone\n    if   subject contains \"gone\"\n    then discard\n";

static const struct {
	const char *rcpts[4], *subject;
	const char *last;	/* in the last line; NULL: there is none */
	unsigned refused;	/* recipients, of whom there is a line each */
} dialogues[] = {
	{ { "a" }, "plain", "verdict=accept", 0 },
	{ { "a", "b", "c" }, "plain", "rcpts=3", 0 },
	{ { "bad" }, NULL, "verdict=reject", 1 },
	{ { "a", "bad", "b", "bad" }, "plain", "verdict=accept", 2 },
	{ { "a", "trap" }, "plain", "verdict=accept", 0 },
	{ { "trap" }, "plain", "verdict=discard", 0 },
	{ { "a", "b" }, "never", "verdict=reject", 0 },
	{ { "a", "b" }, "gone", "verdict=discard", 0 },
	{ { "a" }, "held", "verdict=quarantine", 0 },
	{ { "a", "b" }, "shadow", "would=", 0 },
	{ { "a" }, "told", "log=\"told: one; told: two\"", 0 },
	{ { "a", "b" }, "told, marked, shadow", "edits=", 0 },
	{ { "a" }, NULL, NULL, 0 },		/* the client goes before the end */
};

/* Up to the verdict, or to an abort. */
static void
converse(size_t i)
{
	size_t n = 0;

	for (; n < 4 && dialogues[i].rcpts[n] != NULL; n++)
		(void)envelope(n, dialogues[i].rcpts[n]);
	assert_int_equal(lines, dialogues[i].refused);
	if (dialogues[i].subject == NULL) {
		assert_int_equal(filter.xxfi_abort(NULL), SMFIS_CONTINUE);
		return;
	}
	if (filter.xxfi_data(NULL) == SMFIS_DISCARD)
		return;
	header("Subject", dialogues[i].subject);
	(void)end_of_message("text\r\n");
}

static void
one_line(void **state)
{
	(void)state;
	assert_true(begin(talkative, NULL));
	for (size_t i = 0; i < COUNT(dialogues); i++) {
		lines = 0;
		line[0] = '\0';
		converse(i);
		if (lines != dialogues[i].refused + (dialogues[i].subject != NULL))
			fail_msg("dialogue %zu: %u lines, the last: %s", i, lines, line);
		if (dialogues[i].last != NULL)
			assert_non_null(strstr(line, dialogues[i].last));
	}
	lines = 0;
	end();
	assert_int_equal(lines, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_for_more_fields),
		cmocka_unit_test(one_line),
	};

	return cmocka_run_group_tests_name("calls", tests, make_world, drop_world);
}
