/*
 * spf_tool.c - asks spf_check() the cases that spf.py hands over.
 *
 * Standard input is a sequence of netstrings ("5:hello,"): "zone" and the
 * text of a zone file, then any number of "case" and the client's address,
 * HELO, sender and receiver.  For each case one line of JSON comes out, or
 * one for a zone that can't be read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/spf.h"
#include "rules/arena.h"

#define DEADLINE	20000	/* ms */
#define FIELD_MAX	(64u << 20)

/* 0 at the end of the input. */
static int
read_field(struct arena *a, struct str *s)
{
	size_t n;
	char *p;
	int c;

	if ((c = getchar()) == EOF)
		return 0;
	ungetc(c, stdin);
	if (scanf("%zu:", &n) != 1 || n > FIELD_MAX ||
	    (p = arena_alloc(a, n + 1)) == NULL ||
	    fread(p, 1, n, stdin) != n || getchar() != ',') {
		fprintf(stderr, "spf_tool: standard input: not a netstring\n");
		exit(2);
	}
	*s = (struct str){ p, n };
	return 1;
}

static void
print_field(struct strbuf *b, const char *name, struct str s)
{
	strbuf_printf(b, ", \"%s\": ", name);
	strbuf_json(b, s);
}

static void
answer_case(struct spf_engine *e, struct resolver *r, struct arena *a)
{
	const struct type *words = type_of(T_SPF);
	const struct spf_answer *sa;
	struct strbuf out = { 0 };
	struct spf_query q;
	struct str ip;

	if (!read_field(a, &ip) || !read_field(a, &q.helo) ||
	    !read_field(a, &q.sender) || !read_field(a, &q.receiver)) {
		fprintf(stderr, "spf_tool: a case is cut short\n");
		exit(2);
	}
	if (r == NULL) {
		puts("{\"result\": \"(the zone can't be read)\"}");
		return;
	}
	if (ipaddr_parse(ip, &q.ip) != 0) {
		puts("{\"result\": \"(no address)\"}");
		return;
	}
	sa = spf_check(e, r, &q, clock_msec() + DEADLINE, a);
	if (sa == NULL) {
		puts("{\"result\": \"(no memory)\"}");
		return;
	}
	strbuf_printf(&out, "{\"result\": \"%s\"", words->words[sa->result]);
	print_field(&out, "domain", sa->domain);
	print_field(&out, "mechanism", sa->mechanism);
	print_field(&out, "explanation", sa->explanation);
	print_field(&out, "reason", sa->reason);
	printf(STR_FMT "}\n", STR_ARG(strbuf_slice(&out)));
	strbuf_free(&out);
}

int
main(void)
{
	struct spf_engine *e = spf_engine_new();
	struct arena *a = arena_new(0);
	struct resolver *r = NULL;
	struct strbuf why = { 0 };
	struct str word, zone;

	if (e == NULL || a == NULL)
		return 2;
	while (read_field(a, &word)) {
		if (str_eq(word, STR("zone")) && read_field(a, &zone)) {
			resolver_free(r);
			if ((r = resolver_zone_text(zone, &why)) == NULL) {
				fprintf(stderr, "spf_tool: zone: " STR_FMT "\n",
				    STR_ARG(strbuf_slice(&why)));
				strbuf_free(&why);
				why = (struct strbuf){ 0 };
			}
		} else {
			answer_case(e, r, a);
		}
		arena_reset(a);
	}
	resolver_free(r);
	spf_engine_free(e);
	arena_free(a);
	return 0;
}
