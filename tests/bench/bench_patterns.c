/*
 * bench_patterns.c - what many patterns cost: to load, and a message.
 *
 *	bench_patterns [RULES.tsv...]
 *
 * 10, 100, 1,000 and 10,000 rules `raw.body matches /.../` over a body of 20 KB,
 * with and without the prefilter, and as many patterns in one list.  The
 * patterns are those of the files (scope, flags, pattern; scopes body and
 * rawbody), and beyond them, or without files, phrases that are made here.
 * Times are processor time: of loading, and the least of a message's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/diag.h"
#include "rules/mail.h"
#include "rules/prefilter.h"
#include "rules/rules.h"
#include "tests/bench/measure.h"

#define BODY	20480
#define MOST	10000

static char *patterns[MOST];
static size_t npatterns;

static uint64_t seed = 1;

static unsigned
below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* Processor time in milliseconds. */
static double
now(void)
{
	return seconds(CLOCK_PROCESS_CPUTIME_ID) * 1e3;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench_patterns: %s\n", what);
	exit(1);
}

/* "/pattern/flags" with the slashes in it escaped. */
static void
add(const char *pattern, const char *flags)
{
	struct strbuf b = { 0 };

	strbuf_putc(&b, '/');
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			strbuf_putc(&b, *p++);
		else if (*p == '/')
			strbuf_putc(&b, '\\');
		strbuf_putc(&b, *p);
	}
	strbuf_printf(&b, "/%s", flags);
	if (b.failed)
		die("out of memory");
	patterns[npatterns++] = b.p;
}

static void
read_patterns(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		die(path);
	while (getline(&line, &cap, f) > 0 && npatterns < MOST) {
		char *rest = line, *scope = strsep(&rest, "\t"), *flags = strsep(&rest, "\t"),
		    *pattern = strsep(&rest, "\t");

		if (line[0] != '#' && pattern != NULL && pattern[0] != '\0' &&
		    utf8_valid(str_of(pattern)) &&
		    (strcmp(scope, "body") == 0 || strcmp(scope, "rawbody") == 0))
			add(pattern, flags);
	}
	free(line);
	fclose(f);
}

static void
word(struct strbuf *b, unsigned letters)
{
	static const char vowels[] = "aeiou", others[] = "bcdfglmnprst";

	for (unsigned i = 0; i < letters; i++)
		strbuf_putc(b, i % 2 ? vowels[below(5)] : others[below(12)]);
}

static void
make_pattern(void)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "\\b");
	word(&b, 3 + below(4));
	strbuf_puts(&b, below(2) ? "s? " : "(?:ing|ed) ");
	word(&b, 4 + below(5));
	strbuf_puts(&b, "\\b");
	add(b.p, below(2) ? "i" : "");
	strbuf_free(&b);
}

/* A part like mail's: words in lines, some of them HTML. */
static void
make_body(struct strbuf *b)
{
	while (b->n < BODY) {
		if (below(8) == 0)
			strbuf_puts(b, "<td align=\"left\"><font size=2><a href=\"http://www.");
		word(b, 2 + below(8));
		strbuf_puts(b, below(8) == 0 ? "\r\n" : below(12) == 0 ? ".com\">" : " ");
	}
}

/* Rules of their own, or one that asks a list. */
static void
make_rules(struct strbuf *b, size_t n, bool list)
{
	if (list)
		strbuf_puts(b, "patterns many =");
	for (size_t i = 0; i < n; i++)
		if (list)
			strbuf_printf(b, "\n    %s", patterns[i]);
		else
			strbuf_printf(b, "rule r%zu\n  if raw.body matches %s\n  then score +1\n", i, patterns[i]);
	if (list)
		strbuf_puts(b, "\nrule r\n  if raw.body matches many\n  then score +1\n");
	strbuf_puts(b, "rule last\n  if score >= 100000\n  then reject \"no\"\n");
}

static double
judge(const struct ruleset *rs, struct strbuf *body)
{
	double best = 1e9;

	for (int round = 0; round < 8; round++) {
		double began = now(), took;
		struct mail m;
		struct rules_state *st;

		if (mail_init(&m, NULL, NULL) != 0)
			die("out of memory");
		mail_sender(&m, STR("<a@example.org>"), NULL, 0, 0);
		mail_rcpt(&m, STR("<b@example.com>"), '\0');
		m.body = body;
		m.body_octets = body->n;
		if ((st = rules_start(rs, &m)) == NULL || rules_advance(st, S_MESSAGE) == NULL)
			die("out of memory");
		mail_free(&m);
		took = now() - began;
		if (took < best)
			best = took;
	}
	return best;
}

static void
measure(size_t n, bool list, bool filtered, struct strbuf *body)
{
	struct strbuf text = { 0 }, out = { 0 };
	struct diag *d = diag_new();
	double began, loaded, before = resident_mb();
	struct ruleset *rs;

	prefilter_enable(filtered);
	make_rules(&text, n, list);
	began = now();
	rs = rules_load_text(STR("bench"), strbuf_slice(&text), ".", d);
	loaded = now() - began;
	if (rs == NULL) {
		diag_json(d, &out);
		die(out.p);
	}
	printf("%6zu %s %s  load %8.1f ms  message %8.3f ms  %+7.1f MB\n", n, list ? "in a list" : "rules    ",
	    filtered ? "prefilter" : "plain    ", loaded, judge(rs, body), resident_mb() - before);
	fflush(stdout);
	rules_release(rs);
	diag_free(d);
	strbuf_free(&text);
	strbuf_free(&out);
}

int
main(int argc, char **argv)
{
	struct strbuf body = { 0 };

	for (int i = 1; i < argc; i++)
		read_patterns(argv[i]);
	/* So that few of them are not all of one kind. */
	for (size_t i = npatterns; i > 1; i--) {
		size_t k = below((unsigned)i);
		char *p = patterns[k];

		patterns[k] = patterns[i - 1];
		patterns[i - 1] = p;
	}
	printf("%zu patterns from files\n", npatterns);
	while (npatterns < MOST)
		make_pattern();
	make_body(&body);
	for (size_t n = 10; n <= MOST; n *= 10)
		for (int how = 0; how < 4; how++)
			measure(n, how >= 2, how % 2 == 0, &body);
	for (size_t i = 0; i < npatterns; i++)
		free(patterns[i]);
	strbuf_free(&body);
	return 0;
}
