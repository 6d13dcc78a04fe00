/*
 * arc_tool.c - validates ARC chains as the daemon would, for arc.py.
 *
 * Input: lines "CLOCK MESSAGE ZONE", the clock a Unix time, message and zone
 * files in hex.  Output: a line for each, "result sealer oldest-pass reason".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/arc.h"
#include "filter/message.h"
#include "rules/arena.h"

#define CHUNK	97	/* octets handed over at a time: line ends fall on its edges */

static struct str
unhex(struct arena *a, const char *text)
{
	size_t i, n = strlen(text) / 2;
	char *p = arena_alloc(a, n + 1);
	static const char digits[] = "0123456789abcdef";

	for (i = 0; p != NULL && i < n; i++)
		p[i] = (char)((strchr(digits, text[2 * i]) - digits) << 4 |
		    (strchr(digits, text[2 * i + 1]) - digits));
	return (struct str){ p, p != NULL ? n : 0 };
}

static const struct arc_answer *
validate(struct resolver *r, struct arena *a, struct str text, time_t now)
{
	struct message_file m;
	struct arc_check *c;
	struct str chunk;
	size_t i;

	if (message_split(a, text, &m) == -1 || (c = arc_begin(r, a, now)) == NULL)
		return NULL;
	for (i = 0; i < m.nfields; i++) {
		/* With the blanks before the colon. */
		struct str name = { m.fields[i].name.p, (size_t)
		    (m.fields[i].raw.p - 1 - m.fields[i].name.p) };

		if (arc_add_field(c, name, m.fields[i].raw) == -1)
			return NULL;
	}
	if (arc_end_headers(c) == -1)
		return NULL;
	for (i = 0; i < m.body.n && arc_wants_body(c); i += chunk.n) {
		chunk.p = m.body.p + i;
		chunk.n = m.body.n - i < CHUNK ? m.body.n - i : CHUNK;
		arc_add_body(c, chunk);
	}
	return arc_finish(c, clock_msec() + 1000);
}

static int
run(char *line)
{
	struct arena *a = arena_new(0);
	char *clock = strtok(line, " \n"), *message = strtok(NULL, " \n");
	char *zone = strtok(NULL, " \n");
	struct strbuf why = { 0 };
	const struct arc_answer *answer;
	struct resolver *r;

	if (a == NULL || clock == NULL || message == NULL || zone == NULL)
		return 2;
	if ((r = resolver_zone_text(unhex(a, zone), &why)) == NULL) {
		fprintf(stderr, "zone: %s\n", why.p != NULL ? why.p : "?");
		return 2;
	}
	answer = validate(r, a, unhex(a, message), (time_t)strtoll(clock, NULL, 10));
	if (answer == NULL)
		puts("out of memory");
	else
		printf("%s " STR_FMT " %d " STR_FMT "\n",
		    type_of(T_ARC)->words[answer->result],
		    STR_ARG(answer->sealer.p != NULL ? answer->sealer : STR("-")),
		    answer->oldest_pass, STR_ARG(answer->reason));
	arena_free(a);
	resolver_free(r);
	strbuf_free(&why);
	return 0;
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;
	int r = 0;

	while (r == 0 && getline(&line, &cap, stdin) > 0)
		r = run(line);
	free(line);
	return r;
}
