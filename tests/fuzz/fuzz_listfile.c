/*
 * fuzz_listfile.c - list files of any content, and what the lists then say.
 *
 * The first octet is the list's type, the rest the file.  Each line of it is
 * also looked up, as a fact would be.
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
#include "rules/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;
static char path[32];

/* A file that is nowhere on disk. */
static void
put(const uint8_t *data, size_t size)
{
	if (fd == -1) {
		if ((fd = memfd_create("list", MFD_CLOEXEC)) == -1)
			abort();
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

static void
ask(struct arena *a, const struct table *t, enum list_type type, struct str s)
{
	struct value v = { 0 };

	switch (type) {
	case LIST_NETS:
		if (ipaddr_parse(s, &v.ip) != 0)
			return;
		break;
	case LIST_DOMAINS:
		v.s = domain_normal(a, s);
		break;
	case LIST_ADDRESSES:
		v.mb = mailbox_parse(a, s);
		break;
	case LIST_PATTERNS:
		(void)table_matches(t, s, NULL);
		return;
	default:
		v.s = s;
	}
	/* What is equal to the octet is equal without case. */
	if (table_has(t, &v, true) == TABLE_YES && table_has(t, &v, false) != TABLE_YES)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct source rules = { .name = { "rules", 5 },
	    .text = { "file", 4 }, .dir = { "", 0 } };
	static const struct table_how how = { .match_limit = 1000 };
	struct entry e = { .kind = ENTRY_FILE, .at = { &rules, 0, 4 } };
	struct list l = { .entries = &e };
	struct arena *a;
	struct diag *d;
	struct table *t;
	struct strbuf out = { 0 };

	if (size == 0 || size > 65536)
		return 0;
	l.type = (enum list_type)(data[0] % LIST_TYPES);
	put(data + 1, size - 1);
	e.text = str_of(path);
	if ((a = arena_new(0)) == NULL || (d = diag_new()) == NULL)
		abort();
	if ((t = table_build(&l, &how, a, d)) == NULL)
		abort();
	for (size_t i = 1, from = 1; i <= size; i++)
		if (i == size || data[i] == '\n') {
			ask(a, t, l.type, (struct str){ (const char *)data + from, i - from });
			from = i + 1;
		}
	diag_json(d, &out);
	strbuf_free(&out);
	diag_free(d);
	arena_free(a);
	return 0;
}
