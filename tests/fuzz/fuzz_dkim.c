/*
 * fuzz_dkim.c - any message and key record through dkim.c, with libopendkim
 * behind it.
 *
 * The first line is the TXT record of sel._domainkey.example.com, the rest a
 * message.  A crash within libopendkim is dkim.c's fault.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dkim.h"
#include "filter/message.h"
#include "rules/arena.h"

#define NOW		1750000000
#define SIGNATURES	5
#define CHUNK		7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct resolver *
zone_of(struct str txt)
{
	struct strbuf zone = { 0 }, why = { 0 };
	struct resolver *r;
	size_t i;

	strbuf_puts(&zone, "sel._domainkey.example.com TXT \"");
	for (i = 0; i < txt.n; i++)
		strbuf_printf(&zone, "\\%03u", (unsigned char)txt.p[i]);
	strbuf_puts(&zone, "\"\n");
	r = resolver_zone_text(strbuf_slice(&zone), &why);
	strbuf_free(&zone);
	strbuf_free(&why);
	return r;
}

static void
verify(struct dkim_engine *e, struct resolver *r, struct arena *a, struct str text)
{
	const struct dkim_answer *answer;
	struct message_file m;
	struct dkim_check *c;
	struct str chunk;
	size_t i;

	if (message_split(a, text, &m) == -1 ||
	    (c = dkim_begin(e, r, a, STR("fuzz"), SIGNATURES)) == NULL)
		abort();
	for (i = 0; i < m.nfields; i++)
		dkim_add_field(c, m.fields[i].name, m.fields[i].raw);
	if (dkim_end_headers(c, NULL, 0) == -1)
		abort();
	for (i = 0; i < m.body.n && dkim_wants_body(c); i += chunk.n) {
		chunk.p = m.body.p + i;
		chunk.n = m.body.n - i < CHUNK ? m.body.n - i : CHUNK;
		dkim_add_body(c, chunk);
	}
	if ((answer = dkim_finish(c, clock_msec() + 1000)) == NULL)
		abort();
	for (i = 0; i < answer->n; i++)
		if (answer->sig[i].result == DKIM_R_PASS &&
		    (answer->sig[i].domain.n == 0 || answer->sig[i].bits == 0))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_engine *engine;
	struct str text = { (const char *)data, size }, key = { text.p, 0 };
	struct arena *a = arena_new(0);
	struct resolver *r;
	const char *nl;

	if (engine == NULL)
		engine = dkim_engine_new(NOW);
	if (size > 0 && (nl = memchr(text.p, '\n', size)) != NULL) {
		key.n = (size_t)(nl - text.p);
		text.p += key.n + 1;
		text.n -= key.n + 1;
	}
	if (a != NULL && engine != NULL && (r = zone_of(key)) != NULL) {
		verify(engine, r, a, text);
		arena_free(a);
		resolver_free(r);
	} else
		arena_free(a);
	return 0;
}
