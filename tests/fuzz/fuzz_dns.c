/*
 * fuzz_dns.c - DNS messages from a hostile server.
 *
 * The first octet picks the type, the rest is the message; the name asked
 * for is that of its question, so that records may match.
 *
 * clang -fsanitize=fuzzer; needs no seeds.
 */
#include <stdlib.h>

#include "filter/dnswire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum dns_type types[] = {
		DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX, DNS_TXT,
		DNS_AAAA
	};
	struct dns_name name, again;
	char text[DNS_TEXT_MAX];
	struct dns_answer *a;
	size_t i, off = 12, sum = 0, size = 0;
	enum dns_type type;

	if (n == 0)
		return 0;
	type = types[*p++ % 8];
	n--;
	if (n <= 12 || dns_name_read(&name, p, n, &off) != 0)
		dns_name_parse(&name, STR("a.example"));
	if (dns_name_text(&name, text) >= sizeof(text))
		abort();
	off = 0;
	if (dns_name_read(&again, name.w, name.n, &off) != 0 ||
	    !dns_name_eq(&name, &again))
		abort();
	if ((a = dns_answer_read(p, n, &name, type, true, &size)) == NULL)
		return 0;
	for (i = 0; i < a->n; i++)
		sum += a->rr[i].data.n;
	if (sum > 1 << 20 || size > n + (1 << 20) ||
	    (a->n > 0) != (a->status == DNS_OK) ||
	    (a->secure && a->status == DNS_SERVFAIL))
		abort();
	free(a);
	return 0;
}
