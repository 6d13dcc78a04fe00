/*
 * fuzz_literal.c - patterns of any kind: what matches holds what the pattern
 * needs, and what is known of the pattern hides no match.
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

/* With a verb in it nothing is known of it. */
static struct regex *
opaque(struct arena *a, struct str pattern, struct str flags, bool bytes)
{
	struct strbuf b = { 0 }, why = { 0 };
	struct regex *re;
	size_t offset;

	strbuf_puts(&b, "(?:");
	strbuf_str(&b, pattern);
	strbuf_puts(&b, flags.n > 0 && memchr(flags.p, 'x', flags.n) != NULL ? "\n)(*MARK:x)" : ")(*MARK:x)");
	re = regex_compile(a, strbuf_slice(&b), flags, bytes, 1000, &offset, &why);
	strbuf_free(&b);
	strbuf_free(&why);
	if (re != NULL && (!needed_nothing(regex_needed(re)) || regex_needed(re)->ncuts > 0))
		abort();
	return re;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 }, pattern;
	struct strbuf flags = { 0 }, why = { 0 };
	struct regex *re, *plain;
	struct arena *a;
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
	plain = re != NULL ? opaque(a, pattern, strbuf_slice(&flags), (data[0] & 16) != 0) : NULL;
	while (plain != NULL && rest.n > 0) {
		struct str subject = take(&rest);

		if (regex_match(plain, subject, NULL) == REGEX_YES &&
		    (!needed_in(regex_needed(re), subject) || regex_match(re, subject, NULL) == REGEX_NO))
			abort();
	}
	strbuf_free(&flags);
	strbuf_free(&why);
	arena_free(a);
	return 0;
}
