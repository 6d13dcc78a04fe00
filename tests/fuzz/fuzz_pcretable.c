/*
 * fuzz_pcretable.c - tables of Postfix's of any content: each of their lines is
 * also looked up, with its text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/regex.h"
#include "rules/tables.h"

#define ASKED	50

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;
static char path[32];

/* A file that is nowhere on disk. */
static void
put(const uint8_t *data, size_t size)
{
	if (fd == -1) {
		if ((fd = memfd_create("table", MFD_CLOEXEC)) == -1)
			abort();
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

/* What matches gives a text, and what doesn't gives none. */
static void
ask(const struct table *t, struct str s)
{
	struct captures caps;
	struct strbuf out = { 0 };
	enum table_result r = table_matches(t, s, &caps);

	if (table_match_text(t, s, 10, &out) != r || (r != TABLE_YES && out.n > 0))
		abort();
	strbuf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct source rules = { .name = { "rules", 5 },
	    .text = { "pcre", 4 }, .dir = { "", 0 } };
	static const struct table_how how = { .match_limit = 1000 };
	struct entry e = { .kind = ENTRY_PCRE, .at = { &rules, 0, 4 } };
	struct list l = { .type = LIST_PATTERNS, .entries = &e };
	struct strbuf out = { 0 };
	struct arena *a;
	struct diag *d;
	struct table *t;
	int asked = 0;

	if (size > 16384)
		return 0;
	put(data, size);
	e.text = str_of(path);
	if ((a = arena_new(0)) == NULL || (d = diag_new()) == NULL)
		abort();
	if ((t = table_build(&l, &how, a, d)) == NULL)
		abort();
	for (size_t i = 0, from = 0; i <= size && asked < ASKED; i++)
		if (i == size || data[i] == '\n') {
			ask(t, (struct str){ (const char *)data + from, i - from });
			from = i + 1;
			asked++;
		}
	diag_json(d, &out);
	strbuf_free(&out);
	diag_free(d);
	arena_free(a);
	return 0;
}
