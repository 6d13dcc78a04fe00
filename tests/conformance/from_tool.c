/*
 * from_tool.c - reads From values, says which addresses are in them.
 *
 * Input: a value a line, in hex.  Output: "malformed" or "ok", and the
 * domains found, "-" for an empty one.  For from.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/message.h"
#include "rules/arena.h"

static struct str
unhex(struct arena *a, const char *line)
{
	size_t i, n = strspn(line, "0123456789abcdef") / 2;
	char *p = arena_alloc(a, n + 1);
	unsigned v;

	for (i = 0; p != NULL && i < n; i++) {
		sscanf(line + 2 * i, "%2x", &v);
		p[i] = (char)v;
	}
	return (struct str){ p, p != NULL ? n : 0 };
}

int
main(void)
{
	struct arena *a = arena_new(0);
	const struct mailbox_list *list;
	char *line = NULL;
	size_t cap = 0, i;

	while (getline(&line, &cap, stdin) > 0) {
		if ((list = message_mailboxes(a, unhex(a, line))) == NULL) {
			puts("limit");
			continue;
		}
		fputs(list->malformed ? "malformed" : "ok", stdout);
		for (i = 0; i < list->n; i++)
			printf(" " STR_FMT, STR_ARG(list->v[i].domain.n > 0 ?
			    list->v[i].domain : STR("-")));
		putchar('\n');
		arena_reset(a);
	}
	free(line);
	arena_free(a);
	return 0;
}
