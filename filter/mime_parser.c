/*
 * mime_parser.c - lines, boundaries and the headers of parts (RFC 2046, 5.1).
 *
 * One parser is one message: the outermost, or one inside a part.  Multiparts
 * in it are a stack of boundaries, and a line is that of the innermost it fits,
 * so that a part that was left open can't swallow what follows.  The line end
 * before a boundary belongs to the boundary, so it is held back until the next
 * line is known.
 *
 * Before the first boundary stands a preamble, which nobody sees; but where no
 * boundary follows it is all there is, and mail programs show it as text.  So
 * it is decoded on trial.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"

#define ROOM	4096	/* octets for a header's fields that are kept from part to part */

struct level {
	char		*text;		/* of the boundaries */
	struct str	 boundaries[MIME_BOUNDARIES];	/* any of them is one */
	size_t		 n;
	bool		 digest;	/* its parts are messages unless they say otherwise */
	bool		 seen;		/* a boundary was */
	bool		 ended;		/* one of several said so; the others may go on */
};

struct mime_parser {
	struct mime	*m;
	size_t		 depth;		/* of the message in all; its multiparts come on top */
	struct level	*levels;
	size_t		 nlevels, cap;
	size_t		 longest;	/* of the boundaries */

	enum { P_HEADER, P_BODY, P_NOTHING } at;
	bool		 bol;		/* at the beginning of a line */
	bool		 holding;	/* the line may be a boundary: it is collected */
	struct strbuf	 line;
	char		 eol[3];	/* held back */
	size_t		 neol;

	struct strbuf	 field;		/* of the header, with its folds, if it's wanted */
	bool		 wanted;
	struct mime_raw	 fields[MIME_FIELDS];	/* their values stand in texts, one behind the other */
	size_t		 nfields;
	struct strbuf	 texts;
	bool		 first_line, line_cut;
	uint32_t	 defects;
	struct leaf	 leaf;
};

struct mime_parser *
parser_new(struct mime *m, size_t depth)
{
	struct mime_parser *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->m = m;
	p->depth = depth;
	p->at = P_HEADER;
	p->bol = p->first_line = true;
	return p;
}

/* Its room is for the next part, unless this one had much. */
static void
empty(struct strbuf *b)
{
	if (b->cap > ROOM || b->failed)
		strbuf_free(b);
	b->n = 0;
}

static void
forget_header(struct mime_parser *p)
{
	empty(&p->field);
	empty(&p->texts);
	p->nfields = 0;
	p->wanted = false;
	p->defects = 0;
}

void
parser_free(struct mime_parser *p)
{
	if (p == NULL)
		return;
	leaf_drop(&p->leaf);
	for (size_t i = 0; i < p->nlevels; i++)
		free(p->levels[i].text);
	free(p->levels);
	strbuf_free(&p->field);
	strbuf_free(&p->texts);
	strbuf_free(&p->line);
	free(p);
}

/* ---- Levels ---- */

static bool
push_level(struct mime_parser *p, const struct mime_head *h)
{
	struct level *v, l = { .n = h->nboundaries };
	size_t octets = 0, at = 0;

	if (p->nlevels == p->cap) {
		if ((v = realloc(p->levels, (p->cap + 4) * sizeof(*v))) == NULL)
			return false;
		p->levels = v;
		p->cap += 4;
	}
	for (size_t i = 0; i < l.n; i++)
		octets += h->boundaries[i].n;
	if ((l.text = malloc(octets)) == NULL)
		return false;
	for (size_t i = 0; i < l.n; i++) {
		struct str b = h->boundaries[i];

		memcpy(l.text + at, b.p, b.n);
		l.boundaries[i] = (struct str){ l.text + at, b.n };
		at += b.n;
		if (b.n > p->longest)
			p->longest = b.n;
	}
	l.digest = str_eq(h->type, STR("multipart/digest"));
	p->levels[p->nlevels++] = l;
	return true;
}

/* Ends what is inside level n, which stays; closed: the innermost said that it ended. */
static void
pop_levels(struct mime_parser *p, size_t n, bool closed)
{
	while (p->nlevels > n) {
		struct level *l = &p->levels[--p->nlevels];

		if (!l->seen)
			mime_defect(p->m, DEFECT_NO_BOUNDARY);
		else if (!closed && !l->ended)
			mime_defect(p->m, DEFECT_UNCLOSED);
		free(l->text);
	}
}

/* ---- Headers ---- */

/* Keeps the field collected. */
static void
end_field(struct mime_parser *p)
{
	struct str f = strbuf_slice(&p->field), name = f;

	if (!p->wanted)
		return;
	name.n = (size_t)((const char *)memchr(f.p, ':', f.n) - f.p);
	parser_field(p, name, (struct str){ f.p + name.n + 1, f.n - name.n - 1 });
	p->field.n = 0;
	p->wanted = false;
}

void
parser_field(struct mime_parser *p, struct str name, struct str raw)
{
	enum mime_header which = mime_header_of(str_trim(name));
	size_t room = MIME_HEADER - p->texts.n;

	if (which == MH_COUNT)
		return;
	for (size_t i = 0; i < p->nfields; i++)
		if (p->fields[i].which == which)
			p->defects |= DEFECT_BIT(DEFECT_REPEATED_FIELD);
	if (raw.n > room || p->nfields == MIME_FIELDS)
		p->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	if (raw.n > room)
		raw.n = room;
	if (p->nfields == MIME_FIELDS)
		return;
	strbuf_str(&p->texts, raw);
	if (p->texts.failed) {
		p->m->failed = true;
		return;
	}
	p->fields[p->nfields++] = (struct mime_raw){ which, { NULL, raw.n } };
}

/* The header is over: the texts don't move any more. */
static void
place_values(struct mime_parser *p)
{
	const char *at = p->texts.p;

	for (size_t i = 0; i < p->nfields; i++) {
		p->fields[i].value.p = at;
		at += p->fields[i].value.n;
	}
}

/* A multipart without a usable boundary, or past the limits, is a leaf. */
static bool
begin_multipart(struct mime_parser *p, const struct mime_head *h)
{
	struct mime_head preamble = { .type = STR("text/plain") };

	if (!str_istarts(h->type, STR("multipart/")))
		return false;
	if (h->nboundaries == 0) {
		mime_defect(p->m, DEFECT_NO_BOUNDARY);
		return false;
	}
	if (p->depth + p->nlevels >= p->m->o.depth) {
		mime_defect(p->m, DEFECT_TOO_DEEP);
		return false;
	}
	/* RFC 2045, 6.4 */
	if (h->encoding != ENC_IDENTITY)
		mime_defect(p->m, DEFECT_ENCODING);
	if (!push_level(p, h)) {
		p->m->failed = true;
		return false;
	}
	preamble.charset = h->charset;
	preamble.encoding = h->encoding;
	leaf_begin(&p->leaf, p->m, &preamble, p->depth, true);
	return true;
}

static void
begin_part(struct mime_parser *p)
{
	struct str type = STR("text/plain");
	struct mime *m = p->m;
	struct mime_head h;

	end_field(p);
	p->at = P_BODY;
	p->bol = true;
	p->neol = 0;
	if (p->nlevels > 0 && p->levels[p->nlevels - 1].digest)
		type = STR("message/rfc822");
	if (!mime_next_part(m))
		return;
	place_values(p);
	if (!mime_head_read(m->scratch, p->fields, p->nfields, type, &h, &p->defects))
		m->failed = true;
	m->c.defects |= p->defects;
	if (!begin_multipart(p, &h))
		leaf_begin(&p->leaf, m, &h, p->depth + p->nlevels, false);
	forget_header(p);
	arena_reset(m->scratch);
}

void
parser_body(struct mime_parser *p)
{
	begin_part(p);
}

static bool
is_field(struct str line)
{
	size_t i = 0;

	while (i < line.n && line.p[i] > ' ' && line.p[i] < 0x7f && line.p[i] != ':')
		i++;
	while (i > 0 && i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return i > 0 && i < line.n && line.p[i] == ':';
}

static bool
is_fold(struct str line)
{
	return line.n > 0 && (*line.p == ' ' || *line.p == '\t');
}

/* A field's line, with its line end: kept if the field is one that says what the part is. */
static void
field_line(struct mime_parser *p, struct str line)
{
	size_t room = 2 * MIME_HEADER - p->field.n;

	if (!is_fold(line)) {
		size_t name = (size_t)((const char *)memchr(line.p, ':', line.n) - line.p);

		end_field(p);
		p->wanted = mime_header_of(str_trim((struct str){ line.p, name })) != MH_COUNT;
	}
	if (!p->wanted)
		return;
	if (p->line_cut)
		p->defects |= DEFECT_BIT(DEFECT_LONG_HEADER);
	/* parser_field() takes less than that, and says so. */
	strbuf_add(&p->field, line.p, line.n < room ? line.n : room);
	p->m->failed |= p->field.failed;
}

static void content(struct mime_parser *p, const char *s, size_t n);

/* A line of a header, with its line end. */
static void
header_line(struct mime_parser *p, struct str line)
{
	struct str bare = line;
	bool first = p->first_line;

	p->first_line = false;
	while (bare.n > 0 && (bare.p[bare.n - 1] == '\n' || bare.p[bare.n - 1] == '\r'))
		bare.n--;
	if (bare.n == 0) {
		begin_part(p);
		return;
	}
	if (is_fold(line) || is_field(bare)) {
		field_line(p, line);
		return;
	}
	if (first && (str_istarts(bare, STR("From ")) || str_istarts(bare, STR(">From "))))
		return;
	/* As MTAs and mail programs do: what is no field begins the body. */
	p->defects |= DEFECT_BIT(DEFECT_HEADER);
	begin_part(p);
	content(p, line.p, line.n);
}

/* ---- Lines ---- */

static void
body(struct mime_parser *p, const char *s, size_t n)
{
	if (p->at == P_BODY)
		leaf_feed(&p->leaf, s, n);
}

static void
release_eol(struct mime_parser *p)
{
	if (p->neol > 0)
		body(p, p->eol, p->neol);
	p->neol = 0;
}

/* Octets that are no part of a boundary; the last line end is held back. */
static void
content(struct mime_parser *p, const char *s, size_t n)
{
	size_t eol = 0;

	if (n == 0)
		return;
	if (p->neol > 0 && !(p->neol == 1 && p->eol[0] == '\r' && !p->bol && *s == '\n'))
		release_eol(p);
	if (s[n - 1] == '\n')
		eol = n > 1 && s[n - 2] == '\r' ? 2 : 1;
	else if (s[n - 1] == '\r')
		eol = 1;
	if (n > eol)
		body(p, s, n - eol);
	memcpy(p->eol + p->neol, s + n - eol, eol);
	p->neol += eol;
	p->bol = s[n - 1] == '\n';
}

/* Is it that boundary?  last: and its end. */
static bool
is_boundary(struct str line, struct str b, bool *last)
{
	struct str rest;

	/* A boundary can't end in blanks, but some do. */
	while (b.n > 0 && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	if (line.n < b.n + 2 || memcmp(line.p + 2, b.p, b.n) != 0)
		return false;
	rest = (struct str){ line.p + 2 + b.n, line.n - 2 - b.n };
	*last = rest.n == 2 && rest.p[0] == '-' && rest.p[1] == '-';
	return rest.n == 0 || *last;
}

/* The level that the line is a boundary of, or -1. */
static ptrdiff_t
match_boundary(const struct mime_parser *p, struct str line, bool *last)
{
	while (line.n > 0 && strchr("\r\n\t ", line.p[line.n - 1]) != NULL && line.p[line.n - 1] != '\0')
		line.n--;
	if (line.n < 2 || line.p[0] != '-' || line.p[1] != '-')
		return -1;
	for (size_t i = p->nlevels; i > 0; i--)
		for (size_t k = 0; k < p->levels[i - 1].n; k++)
			if (is_boundary(line, p->levels[i - 1].boundaries[k], last))
				return (ptrdiff_t)i - 1;
	return -1;
}

static void
at_boundary(struct mime_parser *p, size_t level, bool last)
{
	struct level *l = &p->levels[level];

	if (p->at == P_HEADER) {
		p->defects |= DEFECT_BIT(DEFECT_HEADER);
		begin_part(p);
		l = &p->levels[level];
	}
	/* Before its first part stands what nobody sees. */
	if (p->nlevels == level + 1 && !l->seen && !last)
		leaf_drop(&p->leaf);
	else
		leaf_end(&p->leaf);
	if (last && !l->seen)
		mime_defect(p->m, DEFECT_NO_BOUNDARY);
	pop_levels(p, level + 1, false);
	l->seen = true;
	p->neol = 0;
	if (last && l->n > 1)
		l->ended = true;
	else if (last)
		pop_levels(p, level, true);
	p->at = last ? P_NOTHING : P_HEADER;
	p->bol = true;
	p->first_line = false;
}

/* A line that was collected: a header's, as far as it's held, or one that began like a boundary. */
static void
end_line(struct mime_parser *p)
{
	struct str line = strbuf_slice(&p->line);
	bool last;
	ptrdiff_t level = match_boundary(p, line, &last);

	p->holding = false;
	if (level >= 0)
		at_boundary(p, (size_t)level, last);
	else if (p->at == P_HEADER)
		header_line(p, line);
	else
		content(p, line.p, line.n);
	p->line.n = 0;
	p->line_cut = false;
}

/* Collects a line; returns the octets taken. */
static size_t
collect(struct mime_parser *p, const char *s, size_t n)
{
	const char *nl = memchr(s, '\n', n);
	size_t some = nl != NULL ? (size_t)(nl - s) + 1 : n, held = p->line.n;
	size_t most = p->longest + 128;

	if (p->at == P_HEADER && most < MIME_HEADER)
		most = MIME_HEADER;
	if (held + some > most && p->at == P_HEADER) {
		/* Of a field the rest is passed over; else it is none, and all of it counts. */
		strbuf_add(&p->line, s, most - held);
		p->m->failed |= p->line.failed;
		if (!p->line_cut && !is_fold(strbuf_slice(&p->line)) && !is_field(strbuf_slice(&p->line))) {
			end_line(p);
			return most - held;
		}
		p->line_cut = true;
	} else if (held + some > most) {
		/* Too long for a boundary. */
		p->holding = false;
		content(p, p->line.p, held);
		p->line.n = 0;
		content(p, s, some);
		return some;
	} else {
		strbuf_add(&p->line, s, some);
		p->m->failed |= p->line.failed;
	}
	if (nl != NULL)
		end_line(p);
	return some;
}

void
parser_feed(struct mime_parser *p, const char *s, size_t n)
{
	while (n > 0 && !p->m->stopped) {
		size_t some = n;
		const char *nl;

		if (p->at != P_HEADER && p->nlevels == 0) {
			release_eol(p);		/* no boundary can come */
			body(p, s, n);
			return;
		}
		if (p->at == P_HEADER || p->holding || (p->bol && *s == '-')) {
			p->holding = true;
			some = collect(p, s, n);
		} else {
			if ((nl = memchr(s, '\n', n)) != NULL)
				some = (size_t)(nl - s) + 1;
			content(p, s, some);
		}
		s += some;
		n -= some;
	}
}

void
parser_end(struct mime_parser *p)
{
	if (p->line.n > 0 && p->holding)
		end_line(p);
	if (p->at == P_HEADER) {
		if (p->nlevels > 0)
			p->defects |= DEFECT_BIT(DEFECT_HEADER);
		begin_part(p);
	}
	release_eol(p);
	leaf_end(&p->leaf);
	pop_levels(p, 0, false);
}
