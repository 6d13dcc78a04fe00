/*
 * test_prefilter.c - many patterns at once: the candidates are those whose
 * literals are there, and nothing that a rule or a list says depends on it.
 *
 * The patterns of SUITES/rules are held against mail of SUITES/mail: a sample,
 * or all of it with PREFILTER_ALL=1.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/literal_of.h"
#include "rules/mail.h"
#include "rules/prefilter.h"
#include "rules/regex.h"
#include "rules/rules.h"
#include "rules/tables.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define PICK(a)		((a)[below(COUNT(a))])
#define SAMPLE		25	/* messages */

static struct arena *arena;
static uint64_t seed = 3;

static int
setup(void **state)
{
	(void)state;
	prefilter_enable(true);
	return (arena = arena_new(0)) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static unsigned
below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* ---- Candidates ---- */

static const char *const words[] = {
	"viagra", "Viagra", "VIAGRA", "v-i a!gra", "kiss", "skis", "qzkj", "7-7", "x.y", "\xc3\xa4rger", "\xc3\x84rger", "\xc3\xb6\xc3\x9fin",
	"\xc5\xbf", "\xe2\x84\xaa", "s", "k", " ", "$$$", "a\nb", "zzzzzzzz", "zz", "vi", "agra", "\xe2\x82\xac", "a longer phrase of words",
	"\xff", "\xc5", "\xe2\x84", "\xbf", "\xaa", "is", "%n%s", "very very very long it is, longer than a word can be here",
};

static const struct regex *
random_regex(void)
{
	struct strbuf pattern = { 0 }, why = { 0 };
	struct regex *re;
	size_t offset;

	do {
		pattern.n = 0;
		for (unsigned k = 1 + below(3); k > 0; k--) {
			const char *w = PICK(words), *gap = below(4) ? "" : "\\W?";

			strbuf_puts(&pattern, below(5) ? "(?:" : below(3) ? ".*(?:" : "[a-z]{4,}(?:");
			for (; *w != '\0'; w++) {
				strbuf_printf(&pattern, strchr("$.%", *w) != NULL ? "\\%c" : "%c", *w);
				if ((w[0] & 0x80) == 0 && (w[1] & 0x80) == 0)
					strbuf_puts(&pattern, gap);
			}
			strbuf_puts(&pattern, below(6) ? ")" : below(2) ? "|cialis)" : ")?");
		}
		re = regex_compile(arena, strbuf_slice(&pattern), below(2) ? STR("i") : STR(""), below(3) == 0,
		    100000, &offset, &why);
	} while (re == NULL);		/* half a character */
	strbuf_free(&pattern);
	strbuf_free(&why);
	return re;
}

static void
random_subject(struct strbuf *b)
{
	unsigned long_ones = below(8) == 0 ? 4000 : 12;

	b->n = 0;
	strbuf_puts(b, "");
	for (unsigned k = below(long_ones); k > 0; k--)
		strbuf_puts(b, PICK(words));
	if (below(10) == 0)
		strbuf_putc(b, '\0');
}

static bool
is_candidate(const struct regex *re, struct str subject)
{
	return needed_in(regex_needed(re), subject);
}

static void
candidates(void **state)
{
	struct strbuf subject = { 0 };
	size_t ruled_out = 0, matched = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		const struct regex *re[200];
		size_t n = 4 + below(COUNT(re) - 4);
		struct prefilter *pf;

		for (size_t i = 0; i < n; i++)
			re[i] = random_regex();
		if ((pf = prefilter_new(arena, re, n)) == NULL)
			break;
		assert_int_equal(prefilter_words(pf), (n + 63) / 64);
		for (unsigned k = 0; k < 40; k++) {
			uint64_t set[4] = { 0 };

			random_subject(&subject);
			prefilter_scan(pf, strbuf_slice(&subject), set);
			for (size_t i = 0; i < n; i++) {
				bool yes = regex_match(re[i], strbuf_slice(&subject), NULL) == REGEX_YES;

				/* Without libhs it takes long in long ones: some of them in each. */
				if (subject.n < 1000 || (i + k) % 4 == 0)
					assert_int_equal(prefilter_has(set, i),
					    is_candidate(re[i], strbuf_slice(&subject)));
				assert_true(prefilter_has(set, i) || !yes);
				ruled_out += !prefilter_has(set, i);
				matched += yes;
			}
		}
	}
	strbuf_free(&subject);
	if (matched == 0) {
		print_message("# skipped: built without libhs, or it doesn't run here\n");
		return;
	}
	assert_true(ruled_out > matched / 10);
}

static void
sets(void **state)
{
	const struct regex *re[5] = { NULL };
	uint64_t set[3] = { 1, 0, UINT64_C(1) << 63 };

	(void)state;
	assert_int_equal(prefilter_next(set, 0, 192), 0);
	assert_int_equal(prefilter_next(set, 1, 192), 191);
	assert_int_equal(prefilter_next(set, 1, 191), 191);
	assert_int_equal(prefilter_next(set, 1, 100), 100);
	assert_int_equal(prefilter_next(set, 192, 192), 192);
	/* No literals at all, few patterns, switched off. */
	assert_null(prefilter_new(arena, re, 5));
	for (size_t i = 0; i < 5; i++)
		re[i] = random_regex();
	assert_null(prefilter_new(arena, re, 1));
	prefilter_enable(false);
	assert_null(prefilter_new(arena, re, 5));
	prefilter_enable(true);
}

/* ---- Threads, and databases that come while they run ---- */

static struct prefilter *shared[30];
static const struct regex *shared_re[COUNT(shared)][20];
static size_t nshared;
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static void *
scan_many(void *arg)
{
	intptr_t wrong = 0;

	for (unsigned k = 0; k < 2000; k++) {
		struct str subject = str_of(words[k % COUNT(words)]);
		uint64_t set[1] = { 0 };
		size_t which;

		pthread_mutex_lock(&shared_lock);
		which = (k * 7 + (unsigned)(uintptr_t)arg) % nshared;
		pthread_mutex_unlock(&shared_lock);
		prefilter_scan(shared[which], subject, set);
		for (size_t i = 0; i < COUNT(shared_re[which]); i++)
			wrong += prefilter_has(set, i) != is_candidate(shared_re[which][i], subject);
	}
	return (void *)wrong;
}

static void
threads(void **state)
{
	pthread_t t[4];
	size_t started = 0;
	void *wrong;

	(void)state;
	for (size_t p = 0; p < COUNT(shared); p++) {
		/* Larger from one to the next. */
		for (size_t i = 0; i < COUNT(shared_re[p]); i++)
			shared_re[p][i] = random_regex();
		if ((shared[p] = prefilter_new(arena, shared_re[p], COUNT(shared_re[p]))) == NULL)
			return;
		pthread_mutex_lock(&shared_lock);
		nshared = p + 1;
		pthread_mutex_unlock(&shared_lock);
		if (p % 8 == 0 && started < COUNT(t)) {
			assert_int_equal(pthread_create(&t[started], NULL, scan_many, (void *)started), 0);
			started++;
		}
	}
	while (started > 0) {
		assert_int_equal(pthread_join(t[--started], &wrong), 0);
		assert_null(wrong);
	}
}

/* ---- Lists ---- */

static const char pcre_lines[] =
    "/viagra/ one\n"
    "if /subject:/\n"
    "/v(.)agra/ two $1\n"
    "!/kiss/ three\n"
    "/kis(s)/ four $1\n"
    "endif\n"
    "if !/subject:/\n"
    "/qz(k)j/ five $1\n"
    "/cialis/ six\n"
    "endif\n"
    "!/agra/ seven\n"
    "/(x\\.y)/ eight $1\n"
    "/./ nine\n";

static struct table *
build(const char *path, struct diag *d, bool filtered)
{
	static struct source rules = { .name = { "rules", 5 }, .text = { "pcre x", 6 }, .dir = { "", 0 } };
	static const struct table_how how = { .match_limit = 100000 };
	struct entry e = { .kind = ENTRY_PCRE, .at = { &rules, 0, 4 }, .text = str_of(path) };
	struct list l = { .type = LIST_PATTERNS, .entries = &e };

	prefilter_enable(filtered);
	return table_build(&l, &how, arena, d);
}

static void
lists(void **state)
{
	static const char *const subjects[] = {
		"viagra", "subject: v1agra", "subject: kiss", "subject: ", "qzkj agra", "cialis agra",
		"agra x.y", "agra", "", "subject: kiss viagra", "SUBJECT: KI\xc5\xbfS", "nothing", "agra qzkj cialis",
	};
	char path[] = "/tmp/postern-prefilter-XXXXXX";
	struct diag *d = diag_new();
	int fd = mkstemp(path);
	struct table *with, *without;

	(void)state;
	assert_true(fd != -1);
	assert_int_equal(write(fd, pcre_lines, sizeof(pcre_lines) - 1), sizeof(pcre_lines) - 1);
	close(fd);
	with = build(path, d, true);
	without = build(path, d, false);
	unlink(path);
	assert_non_null(with);
	assert_non_null(without);
	assert_int_equal(diag_errors(d), 0);
	for (size_t i = 0; i < COUNT(subjects); i++) {
		struct strbuf a = { 0 }, b = { 0 };
		struct captures ca = { 0 }, cb = { 0 };

		assert_int_equal(table_match_text(with, str_of(subjects[i]), 100, &a),
		    table_match_text(without, str_of(subjects[i]), 100, &b));
		assert_true(str_eq(strbuf_slice(&a), strbuf_slice(&b)));
		assert_int_equal(table_matches(with, str_of(subjects[i]), &ca),
		    table_matches(without, str_of(subjects[i]), &cb));
		assert_int_equal(ca.n, cb.n);
		for (int k = 0; k < ca.n; k++)
			assert_true(str_eq(ca.group[k], cb.group[k]));
		strbuf_free(&a);
		strbuf_free(&b);
	}
	diag_free(d);
}

/* ---- Rules, with and without ---- */

/* A message's parts as they stand; what decodes them for real isn't needed here. */
struct message {
	struct str	 text;		/* of the file */
	struct strbuf	 body;
	struct content	 content;
	struct str	 texts[2];
	bool		 cut;
};

static const struct str *
no_decode(struct mail *m, struct str raw)
{
	struct str *s = arena_new_object(m->arena, struct str);

	*s = str_trim(raw);
	return s;
}

static const struct content *
as_is(struct mail *m)
{
	struct message *msg = m->ctx;

	msg->texts[0] = (struct str){ msg->body.p, msg->body.n / 2 };
	msg->texts[1] = (struct str){ msg->body.p + msg->body.n / 2, msg->body.n - msg->body.n / 2 };
	msg->content.texts = msg->texts;
	msg->content.ntexts = msg->body.n > 0 ? 2 : 0;
	msg->content.defects = msg->cut ? DEFECT_BIT(DEFECT_TOO_MUCH_TEXT) : 0;
	return &msg->content;
}

static const struct mail_ops ops = { .decode = no_decode, .content = as_is };

static struct str
take_line(struct str *rest)
{
	const char *nl = memchr(rest->p, '\n', rest->n);
	struct str line = { rest->p, nl != NULL ? (size_t)(nl - rest->p) + 1 : rest->n };

	rest->p += line.n;
	rest->n -= line.n;
	return line;
}

static void
put_message(struct mail *m, struct message *msg)
{
	struct str rest = msg->text;

	mail_sender(m, STR("<a@example.org>"), NULL, 0, 0);
	mail_rcpt(m, STR("<b@example.com>"), '\0');
	while (rest.n > 0) {
		struct str field = take_line(&rest);
		const char *colon = memchr(field.p, ':', field.n);

		if (str_trim(field).n == 0)
			break;
		while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t'))
			field.n += take_line(&rest).n;
		if (colon != NULL)
			mail_header(m, (struct str){ field.p, (size_t)(colon - field.p) },
			    str_trim((struct str){ colon + 1, field.n - (size_t)(colon - field.p) - 1 }));
	}
	msg->body.n = 0;
	strbuf_str(&msg->body, rest);
	m->body = &msg->body;
	m->body_octets = rest.n;
	m->body_cut = msg->cut;
}

/* Each rule's outcome, and why, in `out`. */
static void
judge(const struct ruleset *rs, struct message *msg, struct strbuf *out)
{
	struct rules_state *st;
	const struct trace_line *lines;
	struct mail m;
	size_t n;

	assert_int_equal(mail_init(&m, &ops, msg), 0);
	assert_non_null(st = rules_start(rs, &m));
	put_message(&m, msg);
	assert_non_null(rules_advance(st, S_HEADERS));
	assert_non_null(rules_advance(st, S_MESSAGE));
	assert_non_null(lines = rules_trace(st, m.rcpts[0], &n));
	for (size_t i = 0; i < n; i++)
		strbuf_printf(out, "%d %d %d " STR_FMT "\n", lines[i].rule->index, (int)lines[i].outcome,
		    (int)lines[i].stage, STR_ARG(lines[i].why));
	mail_free(&m);
}

static struct ruleset *
load(struct str text, bool filtered)
{
	struct diag *d = diag_new();
	struct strbuf why = { 0 };
	struct ruleset *rs;

	prefilter_enable(filtered);
	rs = rules_load_text(STR("rules"), text, ".", d);
	prefilter_enable(true);
	if (rs == NULL) {
		diag_json(d, &why);
		fail_msg("%s", why.p);
	}
	diag_free(d);
	return rs;
}

static const char *const own_rules[] = {
	"raw.body matches /viagra/i", "raw.body not matches /viagra/i", "raw.body matches /\\bnow\\b/",
	"raw.body matches /cialis|levitra/", "raw.body matches /(x+x+)+y;q/", "raw.body matches /.*qq.*(a+)+;$/s",
	"raw.body matches /\\xc3\\xa4rger/", "raw.body matches /a.*z/s",
	"any body matches /kiss me/i", "every body matches /e/", "not every body matches /never seen/",
	"not body matches /never seen/", "any body matches /kis+/i", "body matches /\xc3\xa4rger/i",
	"every body matches /viagra/i", "body matches /\\w{3} \\w{4} money/",
	"subject matches /free money/i", "subject matches /\\$\\$\\$/", "subject matches /./",
	"subject matches /win(?:ner)?s? a prize/i", "not subject matches /hello/",
	"any header[\"Received\"] matches /by mx\\./", "every header[\"received\"] matches /from/",
	"header[\"Received\"] matches /unknown/", "any header[\"received\"] matches /\\[192\\.0\\.2\\.\\d+\\]/",
	"any raw.header[\"X-None\"] matches /viagra/", "any raw.header[\"X-None\"] matches /cialis/",
	"not any raw.header[\"X-None\"] matches /cialis/", "any raw.header[\"X-None\"] matches /qzkj/",
	"sender matches /example/", "sender matches /nobody/", "sender matches /^a@/", "sender matches /zebra/",
	"helo matches /mx1/", "helo matches /mx2/", "helo matches /mx3/", "helo matches /mx4/",
	"rcpt matches /mx1/", "rcpt matches /b@ex/", "any rcpt matches /mx3/", "every rcpt matches /mx4/",
	"body matches many", "subject matches many", "not any header[\"received\"] matches many", "raw.body matches many",
};

static const char *const own_mail[] = {
	"Subject: Free money\r\nReceived: from x by mx.example\r\nReceived: from [192.0.2.77]\r\n\r\nBuy viagra now, or a z\r\n",
	"Subject: hello\r\n\r\nki\xc5\xbfS me, \xc3\x84RGER, you won some money\r\n",
	"Subject: $$$ WINNER A PRIZE\r\nReceived: unknown\r\nX-None: cialis\r\n\r\n",
	"Received: from\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx qq aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa y;\r\n",
	"\r\n\xff\xfe viagra \xc3 levitra\r\n",
	"",
};

static void
compare(struct str text, struct message *msg, size_t n)
{
	struct ruleset *with = load(text, true), *without = load(text, false);

	for (size_t i = 0; i < n; i++)
		for (int cut = 0; cut < 2; cut++) {
			struct strbuf a = { 0 }, b = { 0 };

			msg[i].cut = cut;
			judge(with, &msg[i], &a);
			judge(without, &msg[i], &b);
			if (!str_eq(strbuf_slice(&a), strbuf_slice(&b)))
				fail_msg("message %zu: with the prefilter\n%s\nwithout\n%s", i, a.p, b.p);
			strbuf_free(&a);
			strbuf_free(&b);
		}
	rules_release(with);
	rules_release(without);
}

static void
own(void **state)
{
	struct message msg[COUNT(own_mail)];
	struct strbuf text = { 0 };

	(void)state;
	memset(msg, 0, sizeof(msg));
	strbuf_puts(&text, "patterns many = /viagra/ /cialis/i /\\d{7}/ /(win)ner/i /qq/ /a.*z/\n");
	for (size_t i = 0; i < COUNT(own_rules); i++)
		strbuf_printf(&text, "rule r%zu\n  if %s\n  then %s\n", i, own_rules[i], i % 3 ? "score +1" : "log \"x\"");
	strbuf_puts(&text, "rule few\n  if score in { 3 4 5 }\n  then log \"x\"\nrule many\n  if score > 9\n  then log \"x\"\n");
	for (size_t i = 0; i < COUNT(own_mail); i++)
		msg[i].text = str_of(own_mail[i]);
	compare(strbuf_slice(&text), msg, COUNT(own_mail));
	for (size_t i = 0; i < COUNT(own_mail); i++)
		strbuf_free(&msg[i].body);
	strbuf_free(&text);
}

/* ---- SUITES ---- */

/* Slashes escaped, as a rules file has them. */
static void
put_pattern(struct strbuf *b, const char *pattern, const char *flags)
{
	strbuf_putc(b, '/');
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			strbuf_putc(b, *p++);
		else if (*p == '/')
			strbuf_putc(b, '\\');
		strbuf_putc(b, *p);
	}
	strbuf_printf(b, "/%s", flags);
}

static bool
compiles(const char *pattern, const char *flags)
{
	struct strbuf why = { 0 };
	size_t offset;
	bool both = true;

	for (int bytes = 0; bytes < 2; bytes++)
		both = both && regex_compile(arena, str_of(pattern), str_of(flags), bytes, 100000, &offset, &why) != NULL;
	strbuf_free(&why);
	return both && utf8_valid(str_of(pattern));
}

/* A rule for the scope, and the pattern for the list. */
static void
put_rule(struct strbuf *text, struct strbuf *list, size_t i, char *line)
{
	char *rest = line, *scope = strsep(&rest, "\t"), *flags = strsep(&rest, "\t"),
	    *pattern = strsep(&rest, "\t");
	char *colon;

	if (line[0] == '#' || pattern == NULL || pattern[0] == '\0' || !compiles(pattern, flags))
		return;
	strbuf_printf(text, "rule r%zu\n  if ", i);
	if (strncmp(scope, "header:", 7) == 0) {
		if ((colon = strchr(scope + 7, ':')) != NULL)
			*colon = '\0';
		strbuf_printf(text, "any header[\"%s\"]", scope + 7);
	} else
		strbuf_puts(text, strcmp(scope, "rawbody") == 0 || strcmp(scope, "full") == 0 ? "raw.body" :
		    strcmp(scope, "body") == 0 || i % 4 == 0 ? "any body" : i % 4 == 1 ? "subject" : "any header[\"Received\"]");
	strbuf_puts(text, " matches ");
	put_pattern(text, pattern, flags);
	strbuf_puts(text, "\n  then log \"x\"\n");
	if (i % 5 == 0) {
		strbuf_puts(list, "\n  ");
		put_pattern(list, pattern, flags);
	}
}

static void
put_rules(struct strbuf *text, const glob_t *files)
{
	struct strbuf list = { 0 };
	char *line = NULL;
	size_t cap = 0, i = 0;
	ssize_t n;

	for (size_t f = 0; f < files->gl_pathc; f++) {
		FILE *in = fopen(files->gl_pathv[f], "r");

		assert_non_null(in);
		while ((n = getline(&line, &cap, in)) > 0) {
			if (line[n - 1] == '\n')
				line[n - 1] = '\0';
			put_rule(text, &list, i++, line);
		}
		fclose(in);
	}
	strbuf_puts(text, "patterns many =");
	strbuf_str(text, strbuf_slice(&list));
	strbuf_puts(text, "\nrule all\n  if any header[\"received\"] matches many\n  then log \"x\"\n"
	    "rule many-bodies\n  if every body matches many\n  then log \"x\"\n");
	strbuf_free(&list);
	free(line);
}

static struct str
read_file(const char *path)
{
	struct strbuf b = { 0 };
	char buf[65536];
	FILE *f = fopen(path, "r");
	struct str s;
	size_t n;

	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	s = str_dup(arena, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

static void
suites(void **state)
{
	const char *dir = getenv("SUITES") != NULL ? getenv("SUITES") : "../shared/suites";
	bool all = getenv("PREFILTER_ALL") != NULL;
	struct strbuf text = { 0 }, path = { 0 };
	struct message *msg;
	glob_t rules, mail;
	size_t n = 0;

	(void)state;
	strbuf_printf(&path, "%s/rules/*.tsv", dir);
	if (glob(path.p, 0, NULL, &rules) != 0) {
		print_message("# skipped: no %s\n", path.p);
		strbuf_free(&path);
		return;
	}
	put_rules(&text, &rules);
	path.n = 0;
	strbuf_printf(&path, "%s/mail/*/*.eml", dir);
	assert_int_equal(glob(path.p, 0, NULL, &mail), 0);
	assert_non_null(msg = calloc(mail.gl_pathc, sizeof(*msg)));
	for (size_t i = 0; i < mail.gl_pathc; i += all ? 1 : mail.gl_pathc / SAMPLE + 1)
		msg[n++].text = read_file(mail.gl_pathv[i]);
	compare(strbuf_slice(&text), msg, n);
	print_message("# %zu messages\n", n);
	for (size_t i = 0; i < n; i++)
		strbuf_free(&msg[i].body);
	free(msg);
	globfree(&rules);
	globfree(&mail);
	strbuf_free(&text);
	strbuf_free(&path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(candidates, setup, teardown),
		cmocka_unit_test_setup_teardown(sets, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(own, setup, teardown),
		cmocka_unit_test_setup_teardown(suites, setup, teardown),
	};

	return cmocka_run_group_tests_name("prefilter", tests, NULL, NULL);
}
