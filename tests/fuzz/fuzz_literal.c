/*
 * fuzz_literal.c - patterns of any kind: what matches holds one of the
 * pattern's literals.
 *
 * The first octet tells the flags, then comes the pattern up to a NUL, then
 * subjects between NULs.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/literal_of.h"
#include "rules/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
take(struct str *rest)
{
	const char *nul = memchr(rest->p, '\0', rest->n);
	struct str s = { rest->p, nul != NULL ? (size_t)(nul - rest->p) : rest->n };

	rest->p += s.n + (nul != NULL);
	rest->n -= s.n + (nul != NULL);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 }, pattern;
	struct strbuf flags = { 0 }, why = { 0 };
	struct arena *a;
	struct regex *re;
	size_t offset;

	if (size < 2 || size > 4096)
		return 0;
	if ((a = arena_new(0)) == NULL)
		abort();
	pattern = take(&rest);
	for (int i = 0; i < 4; i++)
		if (data[0] >> i & 1)
			strbuf_putc(&flags, "imsx"[i]);
	re = regex_compile(a, pattern, strbuf_slice(&flags), (data[0] & 16) != 0, 1000, &offset, &why);
	while (re != NULL && rest.n > 0) {
		struct str subject = take(&rest);

		if (regex_match(re, subject, NULL) == REGEX_YES && regex_literals(re)->n > 0 &&
		    !literals_in(regex_literals(re), subject))
			abort();
	}
	strbuf_free(&flags);
	strbuf_free(&why);
	arena_free(a);
	return 0;
}
