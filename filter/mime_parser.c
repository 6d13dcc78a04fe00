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

#define HEADER_MAX	(64 * 1024)	/* octets of a part's header that are read */

struct level {
	char		*boundary;
	size_t		 n;
	bool		 digest;	/* its parts are messages unless they say otherwise */
	bool		 seen;		/* a boundary was */
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

	struct strbuf	 field;		/* of the header, with its folds */
	struct strbuf	 fields[MH_COUNT];
	bool		 has[MH_COUNT];
	size_t		 header;	/* octets of it */
	bool		 first_line;
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

static void
forget_header(struct mime_parser *p)
{
	strbuf_free(&p->field);
	for (int i = 0; i < MH_COUNT; i++) {
		strbuf_free(&p->fields[i]);
		p->fields[i] = (struct strbuf){ 0 };
		p->has[i] = false;
	}
	p->field = (struct strbuf){ 0 };
	p->header = 0;
	p->defects = 0;
}

void
parser_free(struct mime_parser *p)
{
	if (p == NULL)
		return;
	leaf_drop(&p->leaf);
	for (size_t i = 0; i < p->nlevels; i++)
		free(p->levels[i].boundary);
	free(p->levels);
	forget_header(p);
	strbuf_free(&p->line);
	free(p);
}

/* ---- Levels ---- */

static bool
push_level(struct mime_parser *p, const struct mime_head *h)
{
	struct level *v, l = { .n = h->boundary.n };

	if (p->nlevels == p->cap) {
		if ((v = realloc(p->levels, (p->cap + 4) * sizeof(*v))) == NULL)
			return false;
		p->levels = v;
		p->cap += 4;
	}
	if ((l.boundary = malloc(l.n + 1)) == NULL)
		return false;
	memcpy(l.boundary, h->boundary.p, l.n);
	l.digest = str_eq(h->type, STR("multipart/digest"));
	p->levels[p->nlevels++] = l;
	if (l.n > p->longest)
		p->longest = l.n;
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
		else if (!closed)
			mime_defect(p->m, DEFECT_UNCLOSED);
		free(l->boundary);
	}
}

/* ---- Headers ---- */

/* Keeps what is wanted of the field collected. */
static void
end_field(struct mime_parser *p)
{
	struct str f = strbuf_slice(&p->field);
	const char *colon = f.n > 0 ? memchr(f.p, ':', f.n) : NULL;
	enum mime_header h;

	if (colon == NULL)
		return;
	h = mime_header_of(str_trim((struct str){ f.p, (size_t)(colon - f.p) }));
	if (h < MH_COUNT)
		parser_field(p, (struct str){ f.p, (size_t)(colon - f.p) },
		    (struct str){ colon + 1, f.n - (size_t)(colon - f.p) - 1 });
	p->field.n = 0;
}

void
parser_field(struct mime_parser *p, struct str name, struct str raw)
{
	enum mime_header h = mime_header_of(str_trim(name));

	if (h == MH_COUNT)
		return;
	if (p->has[h]) {
		p->defects |= DEFECT_BIT(DEFECT_REPEATED_FIELD);
		return;
	}
	p->has[h] = true;
	if (raw.n > HEADER_MAX)
		raw.n = HEADER_MAX;
	strbuf_str(&p->fields[h], raw);
	strbuf_puts(&p->fields[h], "");
	p->m->failed |= p->fields[h].failed;
}

/* A multipart without a usable boundary, or past the limits, is a leaf. */
static bool
begin_multipart(struct mime_parser *p, const struct mime_head *h)
{
	struct mime_head preamble = { .type = STR("text/plain") };

	if (!str_istarts(h->type, STR("multipart/")))
		return false;
	if (h->boundary.n == 0) {
		mime_defect(p->m, DEFECT_NO_BOUNDARY);
		return false;
	}
	if (p->depth + p->nlevels >= p->m->o.depth) {
		mime_defect(p->m, DEFECT_TOO_DEEP);
		p->m->c.cut = true;
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
	struct str raw[MH_COUNT], type = STR("text/plain");
	struct mime *m = p->m;
	struct mime_head h;

	end_field(p);
	p->at = P_BODY;
	p->bol = true;
	p->neol = 0;
	if (p->nlevels > 0 && p->levels[p->nlevels - 1].digest)
		type = STR("message/rfc822");
	for (int i = 0; i < MH_COUNT; i++)
		raw[i] = p->has[i] ? strbuf_slice(&p->fields[i]) : STR_NONE;
	if (m->parts++ >= m->o.parts) {
		mime_defect(m, DEFECT_TOO_MANY_PARTS);
		m->c.cut = m->stopped = true;
		return;
	}
	if (!mime_head_read(m->scratch, raw, type, &h, &p->defects))
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

static void content(struct mime_parser *p, const char *s, size_t n);

/* A whole line of a header, with its line end. */
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
	p->header += line.n;
	if (p->header > HEADER_MAX) {
		p->m->c.cut = true;	/* fields that aren't read */
		return;
	}
	if (*line.p == ' ' || *line.p == '\t') {
		strbuf_str(&p->field, line);
		p->m->failed |= p->field.failed;
		return;
	}
	if (is_field(bare)) {
		end_field(p);
		strbuf_str(&p->field, line);
		p->m->failed |= p->field.failed;
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

/* The level that the line is a boundary of, or -1; last: and its end. */
static ptrdiff_t
match_boundary(const struct mime_parser *p, struct str line, bool *last)
{
	while (line.n > 0 && strchr("\r\n\t ", line.p[line.n - 1]) != NULL && line.p[line.n - 1] != '\0')
		line.n--;
	if (line.n < 2 || line.p[0] != '-' || line.p[1] != '-')
		return -1;
	for (size_t i = p->nlevels; i > 0; i--) {
		const struct level *l = &p->levels[i - 1];
		struct str b = { l->boundary, l->n };
		struct str rest;

		/* A boundary can't end in blanks, but some do. */
		while (b.n > 0 && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
			b.n--;
		if (line.n < b.n + 2 || memcmp(line.p + 2, b.p, b.n) != 0)
			continue;
		rest = (struct str){ line.p + 2 + b.n, line.n - 2 - b.n };
		*last = rest.n == 2 && rest.p[0] == '-' && rest.p[1] == '-';
		if (rest.n == 0 || *last)
			return (ptrdiff_t)i - 1;
	}
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
	if (last)
		pop_levels(p, level, true);
	p->at = last ? P_NOTHING : P_HEADER;
	p->bol = true;
	p->first_line = false;
}

/* A line that was collected: a header's, or one that began like a boundary. */
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
}

/* Collects a line; returns the octets taken. */
static size_t
collect(struct mime_parser *p, const char *s, size_t n)
{
	const char *nl = memchr(s, '\n', n);
	size_t some = nl != NULL ? (size_t)(nl - s) + 1 : n;
	size_t most = p->at == P_HEADER ? HEADER_MAX : p->longest + 128;

	if (p->line.n + some <= most) {
		strbuf_add(&p->line, s, some);
		p->m->failed |= p->line.failed;
	} else if (p->at == P_HEADER)
		p->m->c.cut = true;
	else {
		/* Too long for a boundary. */
		p->holding = false;
		content(p, p->line.p, p->line.n);
		p->line.n = 0;
		content(p, s, some);
		return some;
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
