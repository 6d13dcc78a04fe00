/*
 * content_tool.c - message files through a session whose rules ask for all
 * that a body holds, and what they got.
 *
 *	content_tool [--chunk N] FILE...
 *
 * Output: a JSON object a line and file.  `peak` is the most memory that the
 * message had at any time, counted at malloc(3)'s door; 0 under sanitizers.
 * --chunk: octets that the body comes in at a time, 65,535 as in the protocol.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filter/message.h"
#include "filter/mime_magic.h"
#include "filter/session.h"
#include "filter/suffixes.h"
#include "rules/arena.h"
#include "rules/diag.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

/* ---- Memory ---- */

static size_t live, peak;

#ifndef SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static void *
count(void *p)
{
	if (p != NULL && (live += malloc_usable_size(p)) > peak)
		peak = live;
	return p;
}

void *
malloc(size_t n)
{
	return count(__libc_malloc(n));
}

void *
calloc(size_t n, size_t size)
{
	return count(__libc_calloc(n, size));
}

void *
realloc(void *p, size_t n)
{
	size_t had = p != NULL ? malloc_usable_size(p) : 0;
	void *q = __libc_realloc(p, n);

	if (q != NULL)
		live -= had;
	return count(q);
}

void
free(void *p)
{
	if (p != NULL)
		live -= malloc_usable_size(p);
	__libc_free(p);
}
#endif

/* ---- What was found ---- */

static void
put_strs(struct strbuf *b, const char *name, const struct str *v, size_t n)
{
	strbuf_printf(b, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		strbuf_puts(b, i > 0 ? "," : "");
		strbuf_json(b, v[i].p != NULL ? v[i] : STR(""));
	}
	strbuf_puts(b, "]");
}

static void
put_attachments(struct strbuf *b, const struct content *c)
{
	strbuf_puts(b, ",\"attachments\":[");
	for (size_t i = 0; i < c->nattachments; i++) {
		const struct attachment *a = &c->attachments[i];

		strbuf_printf(b, "%s{\"size\":%llu,\"encrypted\":%s,\"type\":", i > 0 ? "," : "",
		    (unsigned long long)a->size, a->encrypted ? "true" : "false");
		strbuf_json(b, a->type);
		strbuf_puts(b, ",\"magic\":");
		strbuf_json(b, a->magic.p != NULL ? a->magic : STR(""));
		strbuf_puts(b, ",\"names\":[");
		for (size_t k = 0; k < a->nnames; k++) {
			strbuf_puts(b, k > 0 ? "," : "");
			strbuf_json(b, a->names[k].s);
		}
		strbuf_puts(b, "]}");
	}
	strbuf_puts(b, "]");
}

static void
put_defects(struct strbuf *b, const struct content *c)
{
	const char *before = "";

	strbuf_puts(b, ",\"defects\":[");
	for (int d = 0; d < DEFECTS; d++)
		if ((c->defects & DEFECT_BIT(d)) != 0) {
			strbuf_printf(b, "%s\"%s\"", before, type_of(T_DEFECT)->words[d]);
			before = ",";
		}
	strbuf_puts(b, "]");
}

static void
put_subjects(struct strbuf *b, struct mail *m)
{
	struct answer a = { .n = 0 };
	struct fact_arg arg = { STR_NONE };

	strbuf_puts(b, ",\"subject\":");
	if (fact_find(STR("subject"))->get(m, &arg, &a) == FACT_KNOWN)
		strbuf_json(b, a.v[0].s);
	else
		strbuf_puts(b, "null");
	memset(&a, 0, sizeof(a));
	strbuf_puts(b, ",\"from\":[");
	if (fact_find(STR("from"))->get(m, &arg, &a) == FACT_KNOWN)
		for (size_t i = 0; i < a.n; i++) {
			strbuf_puts(b, i > 0 ? "," : "");
			strbuf_json(b, a.v[i].mb.text);
		}
	strbuf_puts(b, "]");
}

/* ---- One message ---- */

static int
play(struct session *s, const struct message_file *f, size_t chunk)
{
	struct str rest = f->body;

	if (session_connect(s, NULL, STR_NONE, 25, true) == NULL ||
	    session_helo(s, STR("h.example")) != 0 ||
	    session_sender(s, STR("<a@s.example>"), NULL, 0) == NULL ||
	    session_rcpt(s, STR("<b@r.example>"), NULL) == NULL || session_data(s) == NULL)
		return -1;
	for (size_t i = 0; i < f->nfields; i++)
		if (session_header(s, f->fields[i].name, f->fields[i].raw) != 0)
			return -1;
	if (session_end_headers(s) == NULL)
		return -1;
	while (rest.n > 0) {
		size_t n = rest.n < chunk ? rest.n : chunk;

		if (session_body(s, (struct str){ rest.p, n }) == -1)
			return -1;
		rest.p += n;
		rest.n -= n;
	}
	return session_end(s) != NULL ? 0 : -1;
}

static int
judge(const char *path, struct ruleset *rs, const struct services *sv, struct str text, size_t chunk,
    FILE *to)
{
	struct arena *a = arena_new(0);
	struct strbuf out = { 0 };
	struct message_file f;
	struct session *s = NULL;
	struct timespec began, ended;
	const struct content *c = NULL;
	size_t before, most;

	if (a == NULL || message_split(a, text, &f) == -1 || (s = session_new(rs, sv)) == NULL)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	before = peak = live;
	if (play(s, &f, chunk) == 0)
		c = session_mail_model(s)->ops->content(session_mail_model(s));
	clock_gettime(CLOCK_MONOTONIC, &ended);
	most = peak - before;
	if (c == NULL) {
		fprintf(stderr, "content_tool: %s: no content\n", path);
		return -1;
	}
	strbuf_puts(&out, "{\"file\":");
	strbuf_json(&out, str_of(path));
	strbuf_printf(&out, ",\"size\":%zu,\"peak\":%zu,\"usec\":%ld", text.n, most,
	    (long)(ended.tv_sec - began.tv_sec) * 1000000 + (ended.tv_nsec - began.tv_nsec) / 1000);
	put_subjects(&out, session_mail_model(s));
	put_strs(&out, "texts", c->texts, c->ntexts);
	put_strs(&out, "htmls", c->htmls, c->nhtmls);
	put_strs(&out, "archive", c->archive_names, c->narchive_names);
	put_attachments(&out, c);
	strbuf_puts(&out, ",\"urls\":[");
	for (size_t i = 0; i < c->nurls; i++) {
		strbuf_puts(&out, i > 0 ? ",[" : "[");
		strbuf_json(&out, c->urls[i].text);
		strbuf_puts(&out, ",");
		strbuf_json(&out, c->urls[i].domain.p != NULL ? c->urls[i].domain : STR(""));
		strbuf_puts(&out, "]");
	}
	strbuf_puts(&out, "]");
	put_defects(&out, c);
	strbuf_puts(&out, "}");
	if (to != NULL)
		fprintf(to, "%s\n", out.failed ? "{}" : out.p);
	strbuf_free(&out);
	session_free(s);
	arena_free(a);
	return 0;
}

/* As it comes by SMTP: with CR LF. */
static int
read_file(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "rb");
	int c, last = '\0';

	if (f == NULL)
		return -1;
	out->n = 0;
	strbuf_puts(out, "");
	while ((c = getc(f)) != EOF) {
		if (c == '\n' && last != '\r')
			strbuf_putc(out, '\r');
		strbuf_putc(out, (char)c);
		last = c;
	}
	fclose(f);
	return out->failed ? -1 : 0;
}

static const char rules[] =
    "set authentication-results off\n"
    "rule all\n"
    "    if   body contains \"\\t\\tno\\t\\tsuch\\t\\ttext\" and html is set and url is set\n"
    "         and attachment.magic is set and archive.encrypted\n"
    "    then reject \"no\"\n";

int
main(int argc, char **argv)
{
	struct diag *d = diag_new();
	struct ruleset *rs = rules_load_text(STR("all"), STR(rules), ".", d);
	struct strbuf text = { 0 }, why = { 0 };
	struct suffixes *suffixes = suffixes_new(STR(""), &why);
	struct services sv = { .magic = magic_engine_new(), .suffixes = suffixes, .hostname = STR("mx.example") };
	size_t chunk = 65535;
	int i = 1, bad = 0;

	if (argc > 2 && strcmp(argv[1], "--chunk") == 0) {
		chunk = (size_t)strtoul(argv[2], NULL, 10);
		i = 3;
	}
	if (rs == NULL || chunk == 0 || sv.magic == NULL || suffixes == NULL ||
	    magic_engine_load(sv.magic, &why) != 0) {
		fprintf(stderr, "content_tool: cannot begin: " STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
		return 1;
	}
	for (; i < argc; i++)
		/* Twice: libraries keep what they load at the first time. */
		if (read_file(argv[i], &text) != 0 ||
		    judge(argv[i], rs, &sv, strbuf_slice(&text), chunk, NULL) != 0 ||
		    judge(argv[i], rs, &sv, strbuf_slice(&text), chunk, stdout) != 0)
			bad = 1;
	strbuf_free(&text);
	strbuf_free(&why);
	magic_engine_free(sv.magic);
	suffixes_free(suffixes);
	rules_release(rs);
	diag_free(d);
	return bad;
}
