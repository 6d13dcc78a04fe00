/*
 * dmarc_tool.c - DMARC records, registrable domains and whole evaluations, for
 * dmarc.py.
 *
 *	dmarc_tool [PUBLIC-SUFFIX-LIST]
 *
 * Input: a line each, words with blanks between, texts in hex, - for nothing.
 *	record SPEC TEXT		prints its kind, p, sp, np, adkim, aspf, and what is wrong
 *	registrable DOMAIN		prints the domain, or -
 *	evaluate SPEC FROM ZONE RESULT DOMAIN ...
 *					SPF's first, then DKIM's; prints result, policy,
 *					record's domain, and what aligns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dmarc_record.h"
#include "filter/dmarc.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

#define SIGNATURES	50

static struct dmarc_engine *engines[2];

static struct str
unhex(struct arena *a, const char *text)
{
	size_t i, n = strlen(text) / 2;
	char *p = arena_alloc(a, n + 1);
	unsigned v = 0;

	for (i = 0; p != NULL && i < n; i++) {
		sscanf(text + 2 * i, "%2x", &v);
		p[i] = (char)v;
	}
	return (struct str){ p, p != NULL ? n : 0 };
}

static const char *
next_word(void)
{
	const char *w = strtok(NULL, " ");

	return w == NULL || strcmp(w, "-") == 0 ? "" : w;
}

static enum dmarc_spec
next_spec(void)
{
	return strcmp(next_word(), "rfc7489") == 0 ? DMARC_RFC7489 : DMARC_RFC9989;
}

static int
word_of(enum type_id type, const char *w)
{
	const char *const *words = type_of(type)->words;

	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], w) == 0)
			return i;
	return -1;
}

static const char *
policy(enum dmarc_policy p)
{
	return type_of(T_DMARC_POLICY)->words[p];
}

static void
record(struct arena *a)
{
	static const char *const kinds[] = { "other", "broken", "policy" };
	enum dmarc_spec spec = next_spec();
	struct dmarc_record r;
	enum dmarc_record_kind k = dmarc_record_read(unhex(a, next_word()), spec, &r);

	printf("%s %s %s %s %s %s %s\n", kinds[k], policy(r.p), policy(r.sp), policy(r.np),
	    r.strict_dkim ? "strict" : "relaxed", r.strict_spf ? "strict" : "relaxed",
	    r.defect != NULL ? r.defect : "");
}

static void
print_answer(const struct dmarc_answer *d)
{
	if (d == NULL) {
		puts("memory - - - -");
		return;
	}
	printf("%s %s " STR_FMT " %s %s\n", type_of(T_DMARC)->words[d->result],
	    d->has_policy ? policy(d->policy) : "-",
	    STR_ARG(d->domain.n > 0 ? d->domain : STR("-")),
	    d->spf_aligned ? "true" : "false", d->dkim_aligned ? "true" : "false");
}

static void
evaluate(struct arena *a)
{
	enum dmarc_spec spec = next_spec();
	struct dmarc_authors authors = { .n = 1, .domain[0] = unhex(a, next_word()) };
	struct str zone = unhex(a, next_word());
	struct dkim_signature sig[SIGNATURES] = { 0 };
	struct dkim_answer dkim = { .sig = sig };
	struct strbuf why = { 0 };
	struct spf_answer spf = { .result = SPF_R_NONE };
	struct dmarc_check *c;
	struct resolver *r;
	const char *w;
	int n;

	if ((n = word_of(T_SPF, next_word())) >= 0)
		spf.result = (enum spf_result)n;
	spf.domain = unhex(a, next_word());
	while (*(w = next_word()) != '\0' && dkim.n < SIGNATURES) {
		n = word_of(T_DKIM, w);
		sig[dkim.n].result = n >= 0 ? (enum dkim_result)n : DKIM_R_NONE;
		sig[dkim.n++].domain = unhex(a, next_word());
	}
	if ((r = resolver_zone_text(zone, &why)) == NULL) {
		printf("zone: " STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
		strbuf_free(&why);
		return;
	}
	c = dmarc_begin(engines[spec], r, a, &authors);
	print_answer(c != NULL ? dmarc_finish(c, &spf, &dkim, clock_msec() + 1000) : NULL);
	arena_reset(a);
	resolver_free(r);
}

int
main(int argc, char **argv)
{
	struct strbuf why = { 0 };
	struct suffixes *list;
	struct arena *a = arena_new(0);
	char *line = NULL;
	const char *w;
	size_t cap = 0;

	list = suffixes_new(argc > 1 ? str_of(argv[1]) : STR(""), &why);
	for (int i = 0; i < 2; i++) {
		engines[i] = dmarc_engine_new((enum dmarc_spec)i, list);
		if (list == NULL || engines[i] == NULL || a == NULL) {
			fprintf(stderr, "dmarc_tool: " STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
			return 2;
		}
	}
	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		w = strtok(line, " ");
		if (w != NULL && strcmp(w, "record") == 0)
			record(a);
		else if (w != NULL && strcmp(w, "registrable") == 0) {
			struct str d = dmarc_registrable(engines[DMARC_RFC7489], a,
			    unhex(a, next_word()));

			printf(STR_FMT "\n", STR_ARG(d.p != NULL ? d : STR("-")));
		} else if (w != NULL && strcmp(w, "evaluate") == 0)
			evaluate(a);
		arena_reset(a);
	}
	free(line);
	arena_free(a);
	dmarc_engine_free(engines[0]);
	dmarc_engine_free(engines[1]);
	suffixes_free(list);
	return 0;
}
