/*
 * fuzz_zip.c - any octets as a ZIP archive, whole and in pieces: the same names.
 */
#include <stdint.h>
#include <stdlib.h>

#include "filter/mime_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

static void
put_name(void *arg, const struct zip_name *n)
{
	struct strbuf *b = arg;

	must(n->raw.n > 0 && n->raw.n <= 1024);
	strbuf_printf(b, "%d%d %u ", n->utf8, n->central, n->method);
	strbuf_str(b, n->raw);
	strbuf_putc(b, '\n');
}

static struct strbuf
names(const char *p, size_t n, size_t piece, struct zip_sinks *s)
{
	struct zip_budget budget = { .most = 1 << 22 };
	struct strbuf out = { 0 };
	struct zip *z;

	*s = (struct zip_sinks){ .name = put_name, .arg = &out, .nested = 2, .ratio = 100, .budget = &budget };
	must((z = zip_new(s)) != NULL);
	for (size_t i = 0, k; i < n; i += k) {
		k = n - i < piece ? n - i : piece;
		zip_feed(z, p + i, k);
	}
	zip_end(z);
	zip_free(z);
	must(budget.out <= budget.most + 3 * 4096 && budget.in == n);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct zip_sinks s, t;
	struct strbuf a = names(p, size, SIZE_MAX, &s);
	struct strbuf b = names(p, size, size > 0 ? 1 + data[size - 1] % 31 : 1, &t);

	must(str_eq(strbuf_slice(&a), strbuf_slice(&b)));
	must(s.encrypted == t.encrypted && s.defects == t.defects);
	strbuf_free(&a);
	strbuf_free(&b);
	return 0;
}
