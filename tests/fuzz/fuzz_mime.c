/*
 * fuzz_mime.c - any octets as a message: header, parts, texts, attachments.
 *
 * The same octets whole and in pieces must be the same message, all text must
 * be UTF-8, and what is kept must stay within the limits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/message.h"
#include "filter/mime.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

/* The list in libpsl; kept for all inputs. */
static const struct suffixes *
suffixes(void)
{
	static struct suffixes *list;
	struct strbuf why = { 0 };

	if (list == NULL)
		must((list = suffixes_new(STR(""), &why)) != NULL);
	return list;
}

static const struct content *
decode(struct arena *a, const struct message_file *f, size_t piece)
{
	struct mime_options o = { .want = ~0u, .text = 1 << 20, .depth = 20, .parts = 100,
	    .urls = 50, .entries = 50, .nested = 2, .ratio = 100, .inflated = 1 << 22, .suffixes = suffixes() };
	struct mime *m = mime_new(a, &o);
	struct str rest = f->body;

	must(m != NULL);
	for (size_t i = 0; i < f->nfields; i++)
		mime_field(m, f->fields[i].name, f->fields[i].raw);
	while (rest.n > 0) {
		size_t n = rest.n < piece ? rest.n : piece;

		mime_feed(m, (struct str){ rest.p, n });
		rest.p += n;
		rest.n -= n;
	}
	return mime_end(m);
}

static void
same(const struct str *a, size_t na, const struct str *b, size_t nb)
{
	must(na == nb);
	for (size_t i = 0; i < na; i++) {
		must(str_eq(a[i], b[i]));
		must(utf8_valid(a[i]));
		must(a[i].n == 0 || memchr(a[i].p, '\r', a[i].n) == NULL);
		must(a[i].n == 0 || memchr(a[i].p, '\0', a[i].n) == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	struct message_file f;
	const struct content *c, *d;

	must(message_split(a, (struct str){ (const char *)data, size }, &f) == 0);
	c = decode(a, &f, SIZE_MAX);
	d = decode(a, &f, size > 0 ? 1 + data[size - 1] % 17 : 1);
	must(c != NULL && d != NULL);
	same(c->texts, c->ntexts, d->texts, d->ntexts);
	same(c->htmls, c->nhtmls, d->htmls, d->nhtmls);
	same(c->archive_names, c->narchive_names, d->archive_names, d->narchive_names);
	must(c->defects == d->defects && c->nurls == d->nurls);
	must(c->nattachments == d->nattachments && c->nattachments <= 100);
	for (size_t i = 0; i < c->nattachments; i++) {
		const struct attachment *x = &c->attachments[i], *y = &d->attachments[i];

		must(x->size == y->size && x->nnames == y->nnames && str_eq(x->type, y->type));
		for (size_t k = 0; k < x->nnames; k++)
			must(utf8_valid(x->names[k].s) && str_eq(x->names[k].s, y->names[k].s));
	}
	for (size_t i = 0; i < c->nurls; i++)
		must(str_eq(c->urls[i].text, d->urls[i].text));
	arena_free(a);
	return 0;
}
