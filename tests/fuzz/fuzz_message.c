/*
 * fuzz_message.c - any octets as a message file, a header value, an address
 * list and a text to encode.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/message.h"
#include "rules/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

static void
read_value(struct arena *a, struct str raw)
{
	const struct str *text = message_decode(a, raw);
	const struct mailbox_list *list = message_mailboxes(a, raw);
	size_t i;

	must(text != NULL && utf8_valid(*text));
	must(text->n == 0 || (memchr(text->p, '\n', text->n) == NULL &&
	    memchr(text->p, '\0', text->n) == NULL));
	for (i = 0; list != NULL && i < list->n; i++) {
		must(list->v[i].domain.n > 0 || list->malformed);
		must(list->names[i].p == NULL || utf8_valid(list->names[i]));
	}
}

/* What we write must be ASCII in short words, and come back. */
static void
write_value(struct arena *a, struct str text)
{
	struct str raw = message_encode(a, text);
	const struct str *back;
	size_t i;

	must(raw.p != NULL);
	for (i = 0; i < raw.n; i++)
		must(raw.p[i] > 0 && (raw.p[i] != '\n' || raw.p[i + 1] == ' '));
	back = message_decode(a, raw);
	must(back != NULL && back->n <= 3 * text.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	struct str text = { (const char *)data, size };
	struct message_origin o;
	struct message_file m;
	size_t i;

	must(message_split(a, text, &m) == 0);
	message_origin(a, &m, &o);
	must(m.body.n <= size);
	for (i = 0; i < m.nfields && i < 50; i++)
		read_value(a, m.fields[i].raw);
	read_value(a, text);
	write_value(a, text);
	arena_free(a);
	return 0;
}
