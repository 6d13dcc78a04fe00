/*
 * test_facts.c - every fact of the table, once known and once not, or other.
 *
 * Two messages are asked for all facts: one that has everything, one that has
 * nothing.  A row of facts.def without a row here fails.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/facts.h"
#include "rules/mail.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define NOW		1771234567	/* Mon, 16 Feb 2026 09:36:07 +0000 */

/* What each fact says of the full message, and of the bare one; values are separated by |. */
static const struct {
	const char *fact, *key, *full, *bare;
} expected[] = {
	{ "client.ip", "", "192.0.2.1", "unset" },
	{ "client.network", "", "192.0.2.0/24", "unset" },
	{ "client.name", "", "mail.example.org", "unset" },
	{ "client.ptr", "", "ptr.example.org", "unset" },
	{ "client.iprev", "", "pass", "unset" },
	{ "client.confirmed-name", "", "mail.example.org", "unset" },
	{ "client.port", "", "2525", "unset" },
	{ "dnsbl", "BL.example", "127.0.0.2|127.0.0.4", "unset" },
	{ "dnsbl.text", "bl.example", "Listed, see|https://bl.example/", "unset" },
	{ "rhsbl", "rh.example", "127.0.1.2", "unset" },
	{ "rhsbl.text", "rh.example", "A bad domain", "unset" },
	{ "geo.country", "", "DE", "unset" },
	{ "geo.asn", "", "64496", "unset" },
	{ "daemon.name", "", "smtpd", "unset" },
	{ "daemon.ip", "", "2001:db8::25", "unset" },
	{ "daemon.port", "", "25", "unset" },
	{ "tls.version", "", "TLSv1.3", "unset" },
	{ "tls.cipher", "", "TLS_AES_256_GCM_SHA384", "unset" },
	{ "tls.bits", "", "256", "unset" },
	{ "tls.verify", "", "OK", "unset" },
	{ "tls.subject", "", "mail.example.org", "unset" },
	{ "tls.issuer", "", "Example CA", "unset" },
	{ "helo", "", "[ipv6:2001:db8::1]", "unset" },
	{ "helo.ip", "", "2001:db8::1", "unset" },
	{ "spf.helo", "", "pass", "unset" },
	{ "sender", "", "User+tag@example.org", "<>" },
	{ "sender.local", "", "User+tag", "unset" },
	{ "sender.domain", "", "example.org", "unset" },
	{ "sender.size", "", "12345", "unset" },
	{ "sender.param", "body", "8BITMIME", "unset" },
	{ "auth.user", "", "alice", "unset" },
	{ "auth.method", "", "PLAIN", "unset" },
	{ "auth.author", "", "alice@example.org", "unset" },
	{ "spf", "", "fail", "unset" },
	{ "spf.domain", "", "example.org", "unset" },
	{ "spf.explanation", "", "Go away", "unset" },
	{ "spf.mechanism", "", "-all", "unset" },
	{ "rcpt", "", "bob+x+y@example.net", "unset" },
	{ "rcpt.local", "", "bob", "unset" },
	{ "rcpt.domain", "", "example.net", "unset" },
	{ "rcpt.detail", "", "x+y", "unset" },
	{ "rcpt.host", "", "next.example.net", "unset" },
	{ "rcpt.mailer", "", "relay", "unset" },
	{ "rcpt.count", "", "1", "0" },
	{ "queue.id", "", "4ABC", "unset" },
	{ "header", "x-thing", "one|two", "unset" },
	{ "raw.header", "X-Thing", " one\r\n | two", "unset" },
	{ "header.count", "X-THING", "2", "0" },
	{ "subject", "", "Hello", "unset" },
	{ "from", "", "a@example.org|B@sub.example.net|root", "unset" },
	{ "from.local", "", "a|B|root", "unset" },
	{ "from.domain", "", "example.org|sub.example.net", "unset" },
	{ "from.name", "", "Alice boss@example.com.", "unset" },
	{ "from.name-address", "", "boss@example.com", "unset" },
	{ "from.count", "", "3", "0" },
	{ "to", "", "to@example.org", "unset" },
	{ "cc", "", "cc@example.org", "unset" },
	{ "reply-to", "", "reply@example.org", "unset" },
	{ "reply-to.domain", "", "example.org", "unset" },
	{ "message-id", "", "<1@example.org>", "unset" },
	{ "date.age", "", "7s", "unset" },
	{ "list-id", "", "list.example.org", "unset" },
	{ "received.count", "", "1", "0" },
	{ "raw.body", "", "Hello\r\n", "unset" },
	{ "size", "", "347", "0" },
	{ "body", "", "Hello|seen", "unset" },
	{ "html", "", "<p>seen", "unset" },
	{ "attachment.name", "", "a.zip|b.txt|b.exe", "unset" },
	{ "attachment.type", "", "application/zip|text/plain", "unset" },
	{ "attachment.magic", "", "application/zip", "unset" },
	{ "attachment.size", "", "2000|3", "unset" },
	{ "attachment.encrypted", "", "true|false", "unset" },
	{ "attachment.count", "", "2", "unset" },
	{ "archive.name", "", "in/x.exe|y", "unset" },
	{ "archive.encrypted", "", "true", "unset" },
	{ "url", "", "http://a.example.co.uk/x|//192.0.2.1/", "unset" },
	{ "url.host", "", "a.example.co.uk|192.0.2.1", "unset" },
	{ "url.ip", "", "192.0.2.1", "unset" },
	{ "url.domain", "", "example.co.uk|192.0.2.1", "unset" },
	{ "mime.defect", "", "charset|unclosed", "unset" },
	{ "dkim", "", "pass", "unset" },
	{ "dkim.domain", "", "good.example", "unset" },
	{ "dkim.signature.result", "", "fail|pass", "unset" },
	{ "dkim.signature.domain", "", "bad.example|good.example", "unset" },
	{ "dkim.signature.selector", "", "s1|s2", "unset" },
	{ "dkim.signature.algorithm", "", "rsa-sha256|ed25519-sha256", "unset" },
	{ "dkim.signature.bits", "", "2048", "unset" },
	{ "dkim.signature.partial", "", "true|false", "unset" },
	{ "dkim.signature.unsigned", "", "from|body|subject", "unset" },
	{ "dkim.signature.oversigned", "", "to", "unset" },
	{ "dkim.signature.reason", "", "body hash differs", "unset" },
	{ "dmarc", "", "fail", "unset" },
	{ "dmarc.policy", "", "quarantine", "unset" },
	{ "dmarc.domain", "", "example.org", "unset" },
	{ "dmarc.testing", "", "true", "unset" },
	{ "dmarc.aligned-by", "", "spf|dkim", "unset" },
	{ "arc", "", "pass", "unset" },
	{ "arc.sealer", "", "list.example", "unset" },
	{ "arc.result", "DKIM", "fail|pass", "unset" },
	{ "time.hour", "", "9", "0" },
	{ "time.weekday", "", "monday", "thursday" },
	{ "macro", "{daemon_name}", "smtpd", "unset" },
};

/* ---- Engines that know their answers ---- */

static int decoded, parsed;
static bool pending, failing;

static struct spf_answer plain_spf;	/* domain p NULL: another one */

static const struct spf_answer *
fake_spf(struct mail *m, enum spf_identity id)
{
	static const struct spf_answer helo = { .result = SPF_R_PASS };
	static const struct spf_answer from = { SPF_R_FAIL, { "example.org", 11 },
	    { "-all", 4 }, { "Go away", 7 }, { NULL, 0 } };

	(void)m;
	return pending ? NULL : id == SPF_HELO ? &helo : plain_spf.domain.p != NULL ? &plain_spf : &from;
}

static const struct dkim_answer *
fake_dkim(struct mail *m)
{
	static const struct value parts[] = {
		{ .n = PART_FROM }, { .n = PART_BODY }, { .n = PART_SUBJECT },
		{ .n = PART_TO },
	};
	static const struct dkim_signature sig[] = {
		{ .result = DKIM_R_FAIL, .domain = { "bad.example", 11 },
		  .selector = { "s1", 2 }, .algorithm = { "rsa-sha256", 10 },
		  .reason = { "body hash differs", 17 }, .bits = 2048,
		  .partial = true, .unsigned_parts = { parts, 2 } },
		{ .result = DKIM_R_PASS, .domain = { "good.example", 12 },
		  .selector = { "s2", 2 }, .algorithm = { "ed25519-sha256", 14 },
		  .unsigned_parts = { parts + 2, 1 }, .oversigned = { parts + 3, 1 } },
	};
	static const struct dkim_answer answer = { sig, 2 };

	(void)m;
	return pending ? NULL : &answer;
}

static const struct dmarc_answer *
fake_dmarc(struct mail *m)
{
	static const struct dmarc_answer answer = { .result = DMARC_R_FAIL,
	    .domain = { "example.org", 11 }, .policy = DMARC_P_REJECT, .asks = DMARC_P_QUARANTINE,
	    .has_policy = true, .testing = true, .spf_aligned = true,
	    .dkim_aligned = true };

	(void)m;
	return pending ? NULL : &answer;
}

static enum arc_result chain = ARC_R_PASS;

/* One result in a word of nobody's, one in an old word. */
static const struct arc_answer *
fake_arc(struct mail *m)
{
	static const struct arc_stated stated[] = {
		{ { "spf", 3 }, { "hardfail", 8 } },
		{ { "dkim", 4 }, { "fail", 4 } },
		{ { "dkim", 4 }, { "excellent", 9 } },
		{ { "dkim", 4 }, { "Pass", 4 } },
	};
	static struct arc_answer answer = { .sealer = { "list.example", 12 },
	    .stated = stated, .nstated = COUNT(stated) };

	(void)m;
	answer.result = chain;
	return pending ? NULL : &answer;
}

static enum iprev_result iprev_result;

static const struct iprev_answer *
fake_iprev(struct mail *m)
{
	static struct iprev_answer answer;

	(void)m;
	answer.result = iprev_result;
	answer.name = iprev_result == IPREV_R_PASS ? STR("own.example.org") : STR_NONE;
	return pending ? NULL : &answer;
}

static const struct str *
fake_decode(struct mail *m, struct str raw)
{
	struct str *s = arena_new_object(m->arena, struct str);

	decoded++;
	*s = str_trim(raw);
	return failing ? NULL : s;
}

static struct content content;
static uint32_t limits;		/* that the content is past */

static const struct content *
fake_content(struct mail *m)
{
	static const struct str texts[] = { { "Hello", 5 }, { "seen", 4 } };
	static const struct str htmls[] = { { "<p>seen", 7 } };
	static const struct str in_archives[] = { { "in/x.exe", 8 }, { "y", 1 } };
	static const struct value zip[] = { { .s = { "a.zip", 5 } } };
	static const struct value two[] = { { .s = { "b.txt", 5 } }, { .s = { "b.exe", 5 } } };
	static const struct attachment files[] = {
		{ zip, 1, { "application/zip", 15 }, { "application/zip", 15 }, 2000, true },
		{ two, 2, { "text/plain", 10 }, { NULL, 0 }, 3, false },
	};
	static const struct url links[] = {
		{ { "http://a.example.co.uk/x", 24 }, { "a.example.co.uk", 15 }, { "example.co.uk", 13 } },
		{ { "//192.0.2.1/", 12 }, { "192.0.2.1", 9 }, { "192.0.2.1", 9 } },
	};

	(void)m;
	content = (struct content){ texts, htmls, 2, 1, files, 2, links, 2, in_archives, 2,
	    true, DEFECT_BIT(DEFECT_CHARSET) | DEFECT_BIT(DEFECT_UNCLOSED) | limits };
	return failing ? NULL : &content;
}

/* "name=address,address"; enough for what is asked here. */
static const struct mailbox_list *
fake_mailboxes(struct mail *m, struct str raw)
{
	struct mailbox_list *l = arena_new_object(m->arena, struct mailbox_list);
	struct mailbox *v = arena_array(m->arena, 8, sizeof(*v));
	struct str *names = arena_array(m->arena, 8, sizeof(*names));
	struct str rest = str_trim(raw), one;
	const char *p;

	parsed++;
	while (rest.n > 0) {
		p = memchr(rest.p, ',', rest.n);
		one = (struct str){ rest.p, p != NULL ? (size_t)(p - rest.p) : rest.n };
		rest.p += one.n + (p != NULL);
		rest.n -= one.n + (p != NULL);
		if ((p = memchr(one.p, '=', one.n)) != NULL) {
			names[l->n] = (struct str){ one.p, (size_t)(p - one.p) };
			one.n -= names[l->n].n + 1;
			one.p = p + 1;
		}
		v[l->n++] = mailbox_parse(m->arena, one);
	}
	l->v = v;
	l->names = names;
	return failing ? NULL : l;
}

static bool list_fails, texts_fail;

static const struct dnsbl_answer *
fake_dnsbl(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts)
{
	static const struct str client[] = { { "Listed, see", 11 }, { "https://bl.example/", 19 } };
	static const struct str sender[] = { { "A bad domain", 12 } };
	static struct value codes[3];
	static struct dnsbl_answer answer[2] = {
		{ .codes = codes, .n = 2, .texts = client, .ntexts = 2 },
		{ .codes = codes + 2, .n = 1, .texts = sender, .ntexts = 1 },
	};

	(void)m;
	(void)texts;
	if (zone.n > 0)
		assert_true(str_ieq(zone, kind == DNSBL_CLIENT ? STR("bl.example") : STR("rh.example")));
	assert_int_equal(ipaddr_parse(STR("127.0.0.2"), &codes[0].ip), 0);
	assert_int_equal(ipaddr_parse(STR("127.0.0.4"), &codes[1].ip), 0);
	assert_int_equal(ipaddr_parse(STR("127.0.1.2"), &codes[2].ip), 0);
	answer[kind].failed = list_fails;
	answer[kind].texts_failed = texts_fail;
	return pending ? NULL : &answer[kind];
}

static const struct geo_answer *
fake_geo(struct mail *m)
{
	static const struct geo_answer answer = { { "DE", 2 }, 64496 };

	(void)m;
	return &answer;
}

static const struct mail_ops ops = { .spf = fake_spf, .dkim = fake_dkim, .dmarc = fake_dmarc, .arc = fake_arc,
    .decode = fake_decode, .mailboxes = fake_mailboxes, .content = fake_content,
    .iprev = fake_iprev, .dnsbl = fake_dnsbl, .geo = fake_geo };

/* ---- The two messages ---- */

static struct mail mail;
static struct strbuf body;

static void
macros(void)
{
	static const char *const conn[][2] = {
		{ "{client_ptr}", "PTR.example.org" }, { "{daemon_name}", "smtpd" },
		{ "{daemon_addr}", "[IPv6:2001:db8::25]" }, { "{daemon_port}", "25" },
		{ "{tls_version}", "TLSv1.3" }, { "{cipher}", "TLS_AES_256_GCM_SHA384" },
		{ "{cipher_bits}", "256" }, { "{verify}", "OK" },
		{ "{cert_subject}", "mail.example.org" }, { "cert_issuer", "Example CA" },
	};
	static const char *const msg[][2] = {
		{ "{auth_authen}", "alice" }, { "{auth_type}", "PLAIN" },
		{ "{auth_author}", "alice@example.org" }, { "i", "4ABC" },
	};

	for (size_t i = 0; i < COUNT(conn); i++)
		assert_int_equal(mail_conn_macro(&mail, str_of(conn[i][0]),
		    str_of(conn[i][1])), 0);
	for (size_t i = 0; i < COUNT(msg); i++)
		assert_int_equal(mail_macro(&mail, str_of(msg[i][0]),
		    str_of(msg[i][1])), 0);
}

static void
headers(void)
{
	static const char *const fields[][2] = {
		{ "Received", " from x" }, { "X-Thing", " one\r\n " },
		{ "x-thing", " two" }, { "Subject", " Hello" },
		{ "From", " Alice boss@example.com.=a@example.org,B@Sub.example.NET" }, { "FROM", "root" },
		{ "To", " to@example.org" }, { "Cc", " cc@example.org" },
		{ "Reply-To", " reply@example.org" },
		{ "Message-Id", " (a <comment>)\r\n <1@example.org>" },
		{ "Date", " Mon, 16 Feb 2026 10:36:00 +0100 (CET)" },
		{ "List-Id", " \"A <b> list\" <list.example.org>" },
	};

	for (size_t i = 0; i < COUNT(fields); i++)
		assert_int_equal(mail_header(&mail, str_of(fields[i][0]),
		    str_of(fields[i][1])), 0);
}

static int
make_full(void **state)
{
	static const struct str params[] = {
		{ "SIZE=12345", 10 }, { "BODY=8BITMIME", 13 }, { "SMTPUTF8", 8 }
	};
	struct ipaddr ip;
	struct recipient *r;

	(void)state;
	decoded = parsed = 0;
	pending = failing = false;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_int_equal(mail_init(&mail, &ops, NULL), 0);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	assert_int_equal(mail_connect(&mail, &ip, STR("Mail.Example.org."), 2525), 0);
	assert_int_equal(mail_helo(&mail, STR("[IPv6:2001:db8::1]")), 0);
	macros();
	assert_int_equal(mail_sender(&mail, STR("<User+tag@EXAMPLE.org>"), params, 3, NOW), 0);
	r = mail_rcpt(&mail, STR("<bob+x+y@Example.net>"), '+');
	assert_non_null(r);
	assert_int_equal(mail_rcpt_macro(&mail, r, STR("{rcpt_host}"), STR("next.example.net")), 0);
	assert_int_equal(mail_rcpt_macro(&mail, r, STR("{rcpt_mailer}"), STR("relay")), 0);
	mail.rcpt = r;
	headers();
	strbuf_puts(&body, "Hello\r\n");
	mail.body = &body;
	mail.body_octets = body.n;
	mail.stage = S_MESSAGE;
	return 0;
}

/* No engine, no client, no macro, no header: what is left is the null sender. */
static int
make_bare(void **state)
{
	static const struct mail_ops decoders = { .decode = fake_decode,
	    .mailboxes = fake_mailboxes };

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_int_equal(mail_init(&mail, &decoders, NULL), 0);
	assert_int_equal(mail_sender(&mail, STR("<>"), NULL, 0, 0), 0);
	mail.stage = S_MESSAGE;
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	mail_free(&mail);
	strbuf_free(&body);
	return 0;
}

/* ---- Asking ---- */

static const char *
ask(const struct fact *f, const char *key)
{
	static struct strbuf out;
	struct fact_arg arg = { str_of(key) };
	struct answer a;

	out.n = 0;
	memset(&a, 0, sizeof(a));
	strbuf_puts(&out, "");
	switch (f->get(&mail, &arg, &a)) {
	case FACT_UNSET:
		strbuf_puts(&out, "unset");
		break;
	case FACT_PENDING:
		strbuf_puts(&out, "pending");
		break;
	case FACT_ERROR:
		strbuf_printf(&out, "error %s", error_class_name(a.error));
		break;
	case FACT_KNOWN:
		assert_true(a.n > 0);
		assert_true(a.n == 1 || (f->flags & F_LIST) != 0);
		for (size_t i = 0; i < a.n; i++) {
			if (i > 0)
				strbuf_putc(&out, '|');
			type_print(f->type, &a.v[i], &out);
		}
		if (a.truncated)
			strbuf_puts(&out, " cut");
		break;
	}
	return out.p;
}

static const char *
ask_name(const char *name, const char *key)
{
	const struct fact *f = fact_find(str_of(name));

	assert_non_null(f);
	return ask(f, key);
}

static void
ask_all(bool full)
{
	for (size_t i = 0; i < nfacts; i++) {
		const struct fact *f = &facts[i];
		bool tested = (f->flags & (F_OWN | F_STORED)) != 0;	/* test_stored.c */

		for (size_t k = 0; k < COUNT(expected); k++) {
			const char *want = full ? expected[k].full : expected[k].bare;
			const char *got;

			if (strcmp(expected[k].fact, f->name) != 0)
				continue;
			tested = true;
			assert_string_not_equal(expected[k].full, expected[k].bare);
			got = ask(f, expected[k].key);
			if (strcmp(got, want) != 0)
				fail_msg("%s is '%s', not '%s'", f->name, got, want);
		}
		if (!tested)
			fail_msg("fact %s has no test", f->name);
	}
}

static void
full_message(void **state)
{
	(void)state;
	ask_all(true);
	ask_all(true);
	/* Each field once: asking again is free. */
	assert_int_equal(decoded, 3);
	assert_int_equal(parsed, 5);
}

/* Lists are made once, until the message changes. */
static void
remembers_lists(void **state)
{
	const struct fact *f = fact_find(STR("raw.header"));
	struct answer a = { .n = 0 }, b = { .n = 0 };
	struct fact_arg arg = { STR("X-Thing") }, other = { STR("x-thing") };

	(void)state;
	assert_int_equal(f->get(&mail, &arg, &a), FACT_KNOWN);
	assert_int_equal(f->get(&mail, &other, &b), FACT_KNOWN);
	assert_ptr_equal(a.v, b.v);
	assert_int_equal(mail_header(&mail, STR("X-Thing"), STR("three")), 0);
	assert_int_equal(f->get(&mail, &arg, &a), FACT_KNOWN);
	assert_int_equal(a.n, 3);
}

static void
bare_message(void **state)
{
	(void)state;
	ask_all(false);
}

static void
pending_lookups(void **state)
{
	struct str name = mail.client_name;

	(void)state;
	mail.client_name = STR_NONE;	/* else the MTA has known it all along */
	pending = true;
	for (size_t i = 0; i < nfacts; i++)
		if (facts[i].cost == C_DNS)
			assert_string_equal(ask(&facts[i], ""), "pending");
	pending = false;
	mail.client_name = name;
	assert_string_equal(ask_name("dkim.domain", ""), "good.example");
}

/* A domain that says nothing: who may not send for whom. */
static void
default_explanation(void **state)
{
	(void)state;
	plain_spf = (struct spf_answer){ .result = SPF_R_FAIL, .domain = STR("example.com") };
	assert_string_equal(ask_name("spf.explanation", ""),
	    "192.0.2.1 is not allowed to send mail for example.com");
	plain_spf.result = SPF_R_SOFTFAIL;
	assert_string_equal(ask_name("spf.explanation", ""), "unset");
	plain_spf.domain = STR_NONE;
	assert_string_equal(ask_name("spf.explanation", ""), "Go away");
}

/* Ours where the MTA has none; a lookup that failed is an error, not "no name". */
static void
confirmed_name(void **state)
{
	static const struct { enum iprev_result result; const char *name; } cases[] = {
		{ IPREV_R_PASS, "own.example.org" }, { IPREV_R_FAIL, "unset" },
		{ IPREV_R_PERMERROR, "unset" }, { IPREV_R_TEMPERROR, "error lookup" },
	};
	struct str name = mail.client_name;

	(void)state;
	mail.client_name = STR_NONE;
	for (size_t i = 0; i < COUNT(cases); i++) {
		iprev_result = cases[i].result;
		assert_string_equal(ask_name("client.confirmed-name", ""), cases[i].name);
		assert_string_equal(ask_name("client.iprev", ""),
		    type_of(T_IPREV)->words[cases[i].result]);
	}
	mail.client_name = name;
	assert_string_equal(ask_name("client.confirmed-name", ""), "mail.example.org");
	iprev_result = IPREV_R_PASS;
}

static void
failing_decoders(void **state)
{
	(void)state;
	failing = true;
	assert_string_equal(ask_name("subject", ""), "error limit");
	assert_string_equal(ask_name("from.domain", ""), "error limit");
	assert_string_equal(ask_name("from.count", ""), "error limit");
	assert_string_equal(ask_name("body", ""), "error limit");
	assert_string_equal(ask_name("attachment.name", ""), "error limit");
	assert_string_equal(ask_name("url.domain", ""), "error limit");
}

/* A list that fails is of its own class; without its text it is still a listing. */
static void
failing_lists(void **state)
{
	(void)state;
	texts_fail = true;
	assert_string_equal(ask_name("dnsbl", "bl.example"), "127.0.0.2|127.0.0.4");
	assert_string_equal(ask_name("dnsbl.text", "bl.example"), "error dnsbl");
	list_fails = true;
	assert_string_equal(ask_name("dnsbl", "bl.example"), "error dnsbl");
	assert_string_equal(ask_name("rhsbl", "rh.example"), "error dnsbl");
	list_fails = texts_fail = false;
}

/* Who has no domain is in no list of domains. */
static void
senders_without_domain(void **state)
{
	static const char *const paths[] = { "<>", "<postmaster>", "<x@[192.0.2.1]>" };

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		mail_reset(&mail);
		assert_int_equal(mail_sender(&mail, str_of(paths[i]), NULL, 0, NOW), 0);
		assert_string_equal(ask_name("rhsbl", "rh.example"), "unset");
	}
	mail.has_ip = false;
	assert_string_equal(ask_name("dnsbl", "bl.example"), "unset");
	assert_string_equal(ask_name("geo.country", ""), "unset");
}

/* What was cut off may have held what isn't found. */
static void
cut_headers(void **state)
{
	(void)state;
	mail.headers_cut = mail.body_cut = true;
	assert_string_equal(ask_name("subject", ""), "Hello cut");
	assert_string_equal(ask_name("header", "X-None"), "error limit");
	assert_string_equal(ask_name("raw.header", "X-None"), "error limit");
	assert_string_equal(ask_name("header.count", "X-Thing"), "error limit");
	assert_string_equal(ask_name("received.count", ""), "error limit");
	assert_string_equal(ask_name("from.count", ""), "error limit");
	assert_string_equal(ask_name("date.age", ""), "7s");
	assert_string_equal(ask_name("raw.body", ""), "Hello\r\n cut");
}

static void
one_signature(void **state)
{
	(void)state;
	mail.thing[THING_SIGNATURE] = 1;
	assert_string_equal(ask_name("dkim.signature.domain", ""), "good.example");
	assert_string_equal(ask_name("dkim.signature.result", ""), "pass");
	assert_string_equal(ask_name("dkim.signature.partial", ""), "false");
	assert_string_equal(ask_name("dkim.signature.bits", ""), "unset");
	assert_string_equal(ask_name("dkim.signature.unsigned", ""), "subject");
	assert_string_equal(ask_name("dkim.signature.oversigned", ""), "to");
	mail.thing[THING_SIGNATURE] = 0;
	assert_string_equal(ask_name("dkim.signature.unsigned", ""), "from|body");
	assert_string_equal(ask_name("dkim.signature.oversigned", ""), "unset");
	assert_string_equal(ask_name("dkim.signature.bits", ""), "2048");
}

/* A header full of addresses has an end. */
static void
many_values(void **state)
{
	struct answer a = { .n = 0 };
	struct fact_arg arg = { STR("X-Many") };

	(void)state;
	mail_reset(&mail);
	for (int i = 0; i < MAIL_HEADERS + 5; i++)
		assert_int_equal(mail_header(&mail, STR("X-Many"), STR("x")), 0);
	assert_int_equal(mail.nheaders, MAIL_HEADERS);
	assert_true(mail.headers_cut);
	assert_int_equal(fact_find(STR("raw.header"))->get(&mail, &arg, &a), FACT_KNOWN);
	assert_int_equal(a.n, MAIL_HEADERS);
	assert_true(a.truncated);
}

/* A limit cuts what it's a limit of, and mime.defect tells it and is whole. */
static void
content_limits(void **state)
{
	static const struct { enum mime_defect limit; const char *cut[7]; } cases[] = {
		{ DEFECT_TOO_DEEP, { "body", "html", "attachment.name", "attachment.size", "archive.name", "url", NULL } },
		{ DEFECT_TOO_MANY_PARTS, { "body", "html", "attachment.name", "attachment.size", "archive.name", "url", NULL } },
		{ DEFECT_HEADER_CUT, { "body", "html", "attachment.name", "attachment.size", "archive.name", "url", NULL } },
		{ DEFECT_LONG_HEADER, { "attachment.name", NULL } },
		{ DEFECT_TOO_MUCH_TEXT, { "body", "html", "url", NULL } },
		{ DEFECT_TOO_MANY_URLS, { "url", NULL } },
		{ DEFECT_TOO_MANY_NAMES, { "archive.name", NULL } },
		{ DEFECT_ARCHIVE_TOO_DEEP, { "archive.name", NULL } },
		{ DEFECT_ARCHIVE_UNREAD, { "archive.name", NULL } },
		{ DEFECT_BOMB, { NULL } },
	};
	static const char *const asked[] = { "body", "html", "attachment.name", "attachment.size",
	    "archive.name", "url" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *word = type_of(T_DEFECT)->words[cases[i].limit], *got;

		mail_reset(&mail);
		mail.stage = S_MESSAGE;
		limits = DEFECT_BIT(cases[i].limit);
		for (size_t k = 0; k < COUNT(asked); k++) {
			bool want = false;

			for (size_t n = 0; cases[i].cut[n] != NULL; n++)
				want |= strcmp(cases[i].cut[n], asked[k]) == 0;
			got = ask_name(asked[k], "");
			if ((strstr(got, " cut") != NULL) != want)
				fail_msg("%s past %s: %s", asked[k], word, got);
		}
		got = ask_name("mime.defect", "");
		assert_non_null(strstr(got, word));
		assert_null(strstr(got, " cut"));
	}
	/* The name of the attachment at hand may be one that was cut. */
	limits = DEFECT_BIT(DEFECT_LONG_HEADER);
	mail.thing[THING_ATTACHMENT] = 0;
	assert_string_equal(ask_name("attachment.name", ""), "a.zip cut");
	assert_string_equal(ask_name("attachment.type", ""), "application/zip");
	mail.thing[THING_ATTACHMENT] = -1;
	limits = 0;
}

static void
identifiers(void **state)
{
	static const struct { const char *field, *value, *fact, *want; } cases[] = {
		{ "Message-ID", " no-angles@x ", "message-id", "no-angles@x" },
		{ "Message-ID", " <a\r\n b@x>", "message-id", "<a b@x>" },
		{ "Message-ID", "<unclosed", "message-id", "<unclosed" },
		{ "Message-ID", "", "message-id", "" },
		{ "List-Id", " just words", "list-id", "unset" },
		{ "List-Id", " (x\\) <no>) < a.b >", "list-id", "a.b" },
		{ "List-Id", "<>", "list-id", "" },
		{ "Date", "yesterday", "date.age", "unset" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		mail_reset(&mail);
		assert_int_equal(mail_header(&mail, str_of(cases[i].field),
		    str_of(cases[i].value)), 0);
		assert_string_equal(ask_name(cases[i].fact, ""), cases[i].want);
	}
}

static void
sealed_results(void **state)
{
	(void)state;
	assert_string_equal(ask_name("arc.result", "spf"), "fail");
	assert_string_equal(ask_name("arc.result", "dmarc"), "unset");
}

/* Only a chain that passes states anything; one that can't be told for now, perhaps. */
static void
broken_chain(void **state)
{
	(void)state;
	chain = ARC_R_FAIL;
	assert_string_equal(ask_name("arc", ""), "fail");
	assert_string_equal(ask_name("arc.sealer", ""), "unset");
	assert_string_equal(ask_name("arc.result", "spf"), "unset");
	mail_reset(&mail);
	chain = ARC_R_TEMPERROR;
	assert_string_equal(ask_name("arc", ""), "temperror");
	assert_string_equal(ask_name("arc.sealer", ""), "error lookup");
	assert_string_equal(ask_name("arc.result", "spf"), "error lookup");
	chain = ARC_R_PASS;
}

static void
networks(void **state)
{
	static const struct {
		const char	*ip;
		uint8_t		 prefix, prefix6;
		const char	*net;
	} cases[] = {
		{ "203.0.113.9", 24, 64, "203.0.113.0/24" },
		{ "203.0.113.9", 32, 64, "203.0.113.9/32" },
		{ "203.0.113.9", 1, 64, "128.0.0.0/1" },
		{ "203.0.113.255", 29, 64, "203.0.113.248/29" },
		{ "::ffff:203.0.113.9", 24, 64, "203.0.113.0/24" },
		{ "2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::/64" },
		{ "2001:db8:1:2:3:4:5:6", 24, 128, "2001:db8:1:2:3:4:5:6/128" },
		{ "2001:db8:1:2:3:4:5:6", 24, 1, "::/1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 24, 127, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ipaddr ip;

		assert_int_equal(ipaddr_parse(str_of(cases[i].ip), &ip), 0);
		assert_int_equal(mail_connect(&mail, &ip, STR_NONE, 25), 0);
		mail.prefix = cases[i].prefix;
		mail.prefix6 = cases[i].prefix6;
		assert_string_equal(ask(fact_find(STR("client.network")), ""), cases[i].net);
	}
}

/* ---- Names ---- */

static void
names(void **state)
{
	(void)state;
	for (size_t i = 0; i < nfacts; i++) {
		const struct fact *f = &facts[i];
		bool sig = str_istarts(str_of(f->name), STR("dkim.signature."));

		assert_ptr_equal(fact_find(str_of(f->name)), f);
		assert_true((f->get == NULL) == ((f->flags & (F_OWN | F_STORED)) != 0));
		assert_true((f->thing == THING_SIGNATURE) == sig);
		assert_true((f->thing == THING_RCPT) ==
		    (f->scope == P_RCPT && (f->flags & F_STORED) == 0));
		assert_true(f->cost >= C_DNS ||
		    (f->flags & (F_SPF | F_SPFHELO | F_DKIM | F_DMARC | F_ARC)) == 0);
		assert_true(strlen(f->manual) > 10);
	}
	assert_null(fact_find(STR("spf.resullt")));
	assert_null(fact_find(STR("")));
	assert_string_equal(fact_find_in(THING_RCPT, STR("local"))->name, "rcpt.local");
	assert_null(fact_find_in(THING_RCPT, STR("count")));
	assert_string_equal(fact_find_in(THING_SIGNATURE, STR("bits"))->name,
	    "dkim.signature.bits");
	assert_null(fact_find_in(THING_NONE, STR("sender")));
	assert_string_equal(stage_name(S_HEADERS), "headers");
	assert_string_equal(thing_name(THING_SIGNATURE), "dkim.signature");
	assert_string_equal(error_class_name(ERR_LIMIT), "limit");
}

static void
macro_stages(void **state)
{
	static const struct { const char *name; enum stage stage; enum scope scope; } cases[] = {
		{ "{client_addr}", S_CONNECT, P_CONN }, { "j", S_CONNECT, P_CONN },
		{ "_", S_CONNECT, P_CONN }, { "{tls_version}", S_MAIL, P_CONN },
		{ "{verify}", S_MAIL, P_CONN }, { "auth_type", S_MAIL, P_MSG },
		{ "{mail_addr}", S_MAIL, P_MSG }, { "{rcpt_host}", S_RCPT, P_RCPT },
		{ "i", S_DATA, P_MSG }, { "{i}", S_DATA, P_MSG },
		{ "{if_name}", S_CONNECT, P_CONN }, { "{msg_id}", S_MESSAGE, P_MSG },
		{ "{jx}", S_MAIL, P_MSG }, { "", S_MAIL, P_MSG },
	};
	enum scope scope;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(macro_stage(str_of(cases[i].name), &scope), cases[i].stage);
		assert_int_equal(scope, cases[i].scope);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(full_message, make_full, drop),
		cmocka_unit_test_setup_teardown(remembers_lists, make_full, drop),
		cmocka_unit_test_setup_teardown(bare_message, make_bare, drop),
		cmocka_unit_test_setup_teardown(pending_lookups, make_full, drop),
		cmocka_unit_test_setup_teardown(default_explanation, make_full, drop),
		cmocka_unit_test_setup_teardown(confirmed_name, make_full, drop),
		cmocka_unit_test_setup_teardown(failing_decoders, make_full, drop),
		cmocka_unit_test_setup_teardown(failing_lists, make_full, drop),
		cmocka_unit_test_setup_teardown(senders_without_domain, make_full, drop),
		cmocka_unit_test_setup_teardown(cut_headers, make_full, drop),
		cmocka_unit_test_setup_teardown(one_signature, make_full, drop),
		cmocka_unit_test_setup_teardown(many_values, make_full, drop),
		cmocka_unit_test_setup_teardown(content_limits, make_full, drop),
		cmocka_unit_test_setup_teardown(identifiers, make_full, drop),
		cmocka_unit_test_setup_teardown(sealed_results, make_full, drop),
		cmocka_unit_test_setup_teardown(broken_chain, make_full, drop),
		cmocka_unit_test_setup_teardown(networks, make_full, drop),
		cmocka_unit_test(names),
		cmocka_unit_test(macro_stages),
	};

	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
