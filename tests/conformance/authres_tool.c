/*
 * authres_tool.c - claims and fields of authres.c, for authres.py.
 *
 * Input: a line each, all values in hex.
 *	claims ID VALUE			prints yes or no
 *	write NAME=VALUE ...		prints the field's value in hex
 *	parse VALUE			prints what it states as JSON, or "broken"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/authres.h"
#include "filter/authres_parse.h"
#include "rules/arena.h"

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

static void
write_field(struct arena *a, char *words)
{
	struct spf_answer spf = { .result = SPF_R_FAIL }, helo = { .result = SPF_R_NONE };
	struct dkim_signature sig = { .result = DKIM_R_FAIL };
	struct dkim_answer dkim = { .sig = &sig, .n = 1 };
	struct authres r = { .authserv_id = STR("mx.example.org"), .spf = &spf,
	    .dkim = &dkim };
	const struct { const char *name; struct str *to; } places[] = {
		{ "smtp.mailfrom", &r.mailfrom }, { "smtp.helo", &r.helo },
		{ "header.d", &sig.domain }, { "header.i", &sig.identity },
		{ "header.b", &sig.tag }, { "header.s", &sig.selector },
		{ "reason", &sig.reason },
	};
	char *word, *value;
	struct str field;

	for (word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
		if ((value = strchr(word, '=')) == NULL)
			continue;
		*value++ = '\0';
		if (strcmp(word, "smtp.helo") == 0)
			r.spf_helo = &helo;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			if (strcmp(word, places[i].name) == 0)
				*places[i].to = unhex(a, value);
	}
	field = authres_write(a, &r);
	for (size_t i = 0; i < field.n; i++)
		printf("%02x", (unsigned char)field.p[i]);
	putchar('\n');
}

static void
add_result(struct strbuf *b, const struct authres_result *r)
{
	strbuf_puts(b, "{\"method\": ");
	strbuf_json(b, r->method);
	strbuf_puts(b, ", \"result\": ");
	strbuf_json(b, r->result);
	if (r->reason.p != NULL) {
		strbuf_puts(b, ", \"reason\": ");
		strbuf_json(b, r->reason);
	}
	if (r->version != 0)
		strbuf_printf(b, ", \"method_version\": %u", r->version);
	strbuf_puts(b, ", \"props\": [");
	for (size_t i = 0; i < r->nprops; i++) {
		strbuf_puts(b, i > 0 ? ", [" : "[");
		strbuf_json(b, r->props[i].name);
		strbuf_puts(b, ", ");
		strbuf_json(b, r->props[i].value);
		strbuf_putc(b, ']');
	}
	strbuf_puts(b, "]}");
}

static void
parse_field(struct arena *a, struct str value)
{
	struct strbuf b = { 0 };
	struct authres_field f;

	if (authres_parse(a, value, &f) == -1) {
		puts("broken");
		return;
	}
	strbuf_puts(&b, "{\"authserv_id\": ");
	strbuf_json(&b, f.id);
	strbuf_printf(&b, ", \"version\": %u, \"results\": [", f.version);
	for (size_t i = 0; i < f.n; i++) {
		strbuf_puts(&b, i > 0 ? ", " : "");
		add_result(&b, &f.results[i]);
	}
	strbuf_puts(&b, "]}");
	puts(b.failed ? "out of memory" : b.p);
	strbuf_free(&b);
}

int
main(void)
{
	struct arena *a = arena_new(0);
	char *line = NULL, *id, *value;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "write ", 6) == 0)
			write_field(a, line + 6);
		else if (strncmp(line, "parse ", 6) == 0)
			parse_field(a, unhex(a, line + 6));
		else if (strncmp(line, "claims ", 7) == 0) {
			id = line + 7;
			value = strchr(id, ' ');
			*value++ = '\0';
			puts(authres_claims(unhex(a, value), unhex(a, id)) ?
			    "yes" : "no");
		}
		arena_reset(a);
	}
	free(line);
	arena_free(a);
	return 0;
}
