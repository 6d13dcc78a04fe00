/*
 * mime_uu.c - files that stand uuencoded in a text, as they did before MIME.
 *
 * "begin 644 name", lines of data, "end": many mail programs still make an
 * attachment of that, so it is one here.  What is no data behind such a line is
 * text, as in a mail that explains it; and the text stays what it is
 * in any case, since other programs show it.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "rules/arena.h"

#define LINE	300	/* octets of a line that are looked at: 62 in data, the rest for names */

struct uu {
	struct mime	*m;
	struct leaf	 file;		/* open inside of a block */
	char		 begin[LINE];	/* the line before, if it may begin a block */
	size_t		 nbegin;
	char		 line[LINE];	/* one that comes in pieces */
	size_t		 nline;
};

struct uu *
uu_new(struct mime *m)
{
	struct uu *u = calloc(1, sizeof(*u));

	if (u != NULL)
		u->m = m;
	return u;
}

void
uu_free(struct uu *u)
{
	if (u != NULL)
		leaf_drop(&u->file);
	free(u);
}

/* The name in "begin 644 name"; p NULL for another line. */
static struct str
name_of(struct str line)
{
	size_t i = 6;

	if (line.n < 11 || memcmp(line.p, "begin ", 6) != 0)
		return STR_NONE;
	while (i < line.n && line.p[i] >= '0' && line.p[i] <= '7')
		i++;
	if (i < 9 || i > 10 || i >= line.n || line.p[i] != ' ')
		return STR_NONE;
	line = str_trim((struct str){ line.p + i, line.n - i });
	return line.n > 0 ? line : STR_NONE;
}

/* Is the line as long as its first octet says, blanks at its end lost perhaps? */
static bool
is_data(struct str line)
{
	size_t octets = line.n > 0 ? ((size_t)(unsigned char)*line.p - ' ') & 0x3f : 0;
	size_t chars = (octets + 2) / 3 * 4;

	if (octets == 0 || (unsigned char)*line.p > '`' || *line.p < ' ' || line.n > chars + 3)
		return false;
	for (size_t i = 1; i < line.n; i++)
		if (line.p[i] < ' ' || line.p[i] > '`')
			return false;
	return line.n + 3 > chars;
}

static void
feed_line(struct uu *u, struct str line)
{
	leaf_feed(&u->file, line.p, line.n);
	leaf_feed(&u->file, "\n", 1);
}

static void
begin_file(struct uu *u)
{
	struct str line = { u->begin, u->nbegin };
	struct mime_head h = { .type = STR("application/octet-stream"), .attached = true,
	    .encoding = ENC_UU };
	const struct str *name;

	if (!mime_next_part(u->m))
		return;
	if ((name = message_decode(u->m->scratch, name_of(line))) == NULL) {
		u->m->failed = true;
		return;
	}
	h.names[0] = *name;
	h.nnames = 1;
	leaf_begin(&u->file, u->m, &h, 0, false);
	feed_line(u, line);
	arena_reset(u->m->scratch);
}

/* A whole line, as far as it's looked at. */
static void
take_line(struct uu *u, struct str line)
{
	if (line.n > LINE)
		line.n = LINE;
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (!u->file.open && u->nbegin > 0 && is_data(line))
		begin_file(u);
	u->nbegin = 0;
	if (u->file.open) {
		feed_line(u, line);
		if (str_eq(line, STR("end")))
			leaf_end(&u->file);
	} else if (name_of(line).p != NULL) {
		memcpy(u->begin, line.p, line.n);
		u->nbegin = line.n;
	}
}

void
uu_feed(struct uu *u, const char *p, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t some = nl != NULL ? (size_t)(nl - p) + 1 : n, room = LINE - u->nline;

		if (nl != NULL && u->nline == 0)
			take_line(u, (struct str){ p, some });
		else {
			memcpy(u->line + u->nline, p, some < room ? some : room);
			u->nline += some < room ? some : room;
			if (nl != NULL) {
				take_line(u, (struct str){ u->line, u->nline });
				u->nline = 0;
			}
		}
		p += some;
		n -= some;
	}
}

void
uu_end(struct uu *u)
{
	if (u->nline > 0)
		take_line(u, (struct str){ u->line, u->nline });
	if (u->file.open)
		leaf_end(&u->file);
}
