/*
 * mime_seen.c - text as a reader sees it: blanks once, nothing of no width.
 */
#include "mime_int.h"

#include <string.h>

#define WINDOW	256	/* octets of text at once */

void
seen_flush(struct seen *t)
{
	if (t->n > 0)
		t->to(t->arg, t->out, t->n);
	t->n = 0;
}

static void
put(struct seen *t, const char *p, size_t n)
{
	if (t->n + n + 1 > sizeof(t->out))
		seen_flush(t);
	if (t->before != 0 && t->any)
		t->out[t->n++] = t->before;
	t->before = 0;
	t->any = true;
	memcpy(t->out + t->n, p, n);
	t->n += n;
}

void
seen_blank(struct seen *t, char c)
{
	if (t->before != '\n')
		t->before = c;
}

void
seen_char(struct seen *t, uint32_t c)
{
	char buf[4];

	switch (html_kind(c)) {
	case HTML_BLANK:
		seen_blank(t, ' ');
		break;
	case HTML_SEEN:
		put(t, buf, utf8_encode(c, buf));
		break;
	case HTML_UNSEEN:
		break;
	}
}

static bool
is_word(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f;
}

/* Words of ASCII and single blanks between them, which are seen as they stand. */
static size_t
plain(const char *p, size_t n)
{
	size_t i = 0;

	for (;;) {
		while (i < n && is_word(p[i]))
			i++;
		if (i == 0 || i + 1 >= n || p[i] != ' ' || !is_word(p[i + 1]))
			return i;
		i += 2;
	}
}

void
seen_text(struct seen *t, const char *p, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c;

		if ((len = plain(p + i, n - i < WINDOW ? n - i : WINDOW)) > 0) {
			put(t, p + i, len);
			continue;
		}
		len = 1;
		if ((unsigned char)p[i] < 0x80) {
			seen_char(t, p[i] == '\0' ? 0xfffd : (unsigned char)p[i]);
			continue;
		}
		if ((len = utf8_len((struct str){ p + i, n - i })) == 0) {
			len = 1;	/* not from charset.c */
			continue;
		}
		c = (unsigned char)p[i] & (0xffu >> (len + 1));
		for (size_t k = 1; k < len; k++)
			c = c << 6 | ((unsigned char)p[i + k] & 0x3f);
		seen_char(t, c);
	}
}
