/*
 * fuzz_zone.c - zone files, and answers from them: any octets are read or
 * refused with a line number, and every name asked for has an answer.
 *
 * clang -fsanitize=fuzzer; seeds are zone files.
 */
#include <stdlib.h>

#include "filter/resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
ask(struct resolver *r, struct str name, enum dns_type type)
{
	const struct dns_answer *a;
	struct dns_query *q;
	size_t i, sum = 0;

	if ((q = resolver_ask(r, name, type)) == NULL)
		return;
	if ((a = dns_query_poll(q)) == NULL)
		abort();
	for (i = 0; i < a->n; i++)
		sum += a->rr[i].data.n;
	if (sum > 1 << 20 || (a->n > 0) != (a->status == DNS_OK))
		abort();
	dns_query_free(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum dns_type types[] = {
		DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX, DNS_TXT,
		DNS_AAAA
	};
	struct str text = { (const char *)p, n }, name;
	struct strbuf why = { 0 };
	struct resolver *r;
	size_t i, start;
	int lines = 0;

	if ((r = resolver_zone_text(text, &why)) == NULL) {
		if (why.n == 0)
			abort();
		strbuf_free(&why);
		return 0;
	}
	/* The first word of each line is a name. */
	for (start = i = 0; i <= n && lines < 50; i++) {
		if (i < n && p[i] != '\n' && p[i] != ' ' && p[i] != '\t')
			continue;
		name = (struct str){ text.p + start, i - start };
		ask(r, name, types[lines++ % 8]);
		ask(r, name, DNS_TXT);
		while (i < n && p[i] != '\n')
			i++;
		start = i + 1;
	}
	resolver_free(r);
	strbuf_free(&why);
	return 0;
}
