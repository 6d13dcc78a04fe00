/*
 * dkim_tool.c - verifies messages as the daemon would, for dkim.py.
 *
 * Input: lines "CLOCK FOLDER"; the folder holds message.eml and zone, the
 * clock is a Unix time or 0 for the real one.  Output: a line for each, the
 * signatures from the top, separated by tabs, their properties by |.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dkim.h"
#include "filter/message.h"
#include "rules/arena.h"

#define CHUNK	977	/* octets handed over at a time: line ends fall on its edges */

static struct str
read_file(struct arena *a, const char *folder, const char *name)
{
	struct str path = str_printf(a, "%s/%s", folder, name);
	struct strbuf b = { 0 };
	char buf[4096];
	struct str s;
	size_t n;
	FILE *f;

	if ((f = fopen(path.p, "rb")) == NULL) {
		perror(path.p);
		exit(2);
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	s = str_dup(a, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

static const struct dkim_answer *
verify(struct dkim_engine *e, struct resolver *r, struct arena *a, struct str text)
{
	struct message_file m;
	struct dkim_check *c;
	struct str chunk;
	size_t i;

	if (message_split(a, text, &m) == -1 ||
	    (c = dkim_begin(e, r, a, STR("test"), 100)) == NULL)
		return NULL;
	for (i = 0; i < m.nfields; i++)
		if (dkim_add_field(c, m.fields[i].name, m.fields[i].raw) == -1)
			return NULL;
	if (dkim_end_headers(c, NULL, 0) == -1)
		return NULL;
	for (i = 0; i < m.body.n; i += chunk.n) {
		chunk.p = m.body.p + i;
		chunk.n = m.body.n - i < CHUNK ? m.body.n - i : CHUNK;
		dkim_add_body(c, chunk);
	}
	return dkim_finish(c, clock_msec() + 1000);
}

static void
put(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] < ' ' || s.p[i] == '|' ? '?' : s.p[i]);
}

static void
put_parts(const struct part_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s", i > 0 ? "," : "", type_of(T_PART)->words[l->v[i].n]);
	putchar('|');
}

static void
put_signature(const struct dkim_signature *s)
{
	printf("%s|", type_of(T_DKIM)->words[s->result]);
	put(s->domain);
	putchar('|');
	put(s->selector);
	putchar('|');
	put(s->algorithm);
	printf("|%d|", s->bits);
	put_parts(&s->unsigned_parts);
	put_parts(&s->oversigned);
	put(s->reason);
}

static int
run(const char *folder, time_t now)
{
	struct arena *a = arena_new(0);
	struct strbuf why = { 0 };
	const struct dkim_answer *answer;
	struct resolver *r;
	struct dkim_engine *e = dkim_engine_new(now);
	size_t i;

	r = resolver_zone_text(read_file(a, folder, "zone"), &why);
	if (r == NULL || e == NULL) {
		fprintf(stderr, "%s: %s\n", folder, why.p != NULL ? why.p : "?");
		return 2;
	}
	answer = verify(e, r, a, read_file(a, folder, "message.eml"));
	for (i = 0; answer != NULL && i < answer->n; i++) {
		if (i > 0)
			putchar('\t');
		put_signature(&answer->sig[i]);
	}
	puts(answer == NULL ? "out of memory" : "");
	arena_free(a);
	resolver_free(r);
	dkim_engine_free(e);
	strbuf_free(&why);
	return 0;
}

int
main(void)
{
	char *line = NULL, *folder;
	size_t cap = 0;
	int r = 0;

	while (r == 0 && getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		r = run((strtoll(line, &folder, 10), folder + 1),
		    (time_t)strtoll(line, NULL, 10));
	}
	free(line);
	return r;
}
