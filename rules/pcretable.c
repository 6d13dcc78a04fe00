/*
 * pcretable.c - the lines of a table in Postfix's pcre_table(5) form.
 *
 * Sites have such tables, and a text beside each pattern; so they are taken as
 * they are.  What Postfix warns of and skips when it uses the table is an error
 * here when the table is read: a table with a mistake never runs.  The flags
 * A, E, U and X are refused, since patterns have the same four flags
 * everywhere, and each can be said in the pattern itself.
 *
 * Compiling patterns, and what if and endif skip, is tables.c's business.
 */
#include "pcretable.h"

#include <string.h>

#include "arena.h"
#include "regex.h"

#define IF_DEPTH	32

struct reader {
	const struct source *src;
	struct arena	*a;
	struct diag	*d;
	int (*fn)(void *arg, const struct pcre_line *line);
	void		*arg;
	struct span	 open[IF_DEPTH];	/* the ifs that stand open */
	int		 depth;
};

static struct span
span_of(const struct reader *r, struct str s)
{
	return (struct span){ r->src, (size_t)(s.p - r->src->text.p), s.n };
}

static struct str
skip(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.n - n };
}

static struct str
skip_blanks(struct str s)
{
	while (s.n > 0 && char_is_blank(s.p[0]))
		s = skip(s, 1);
	return s;
}

/* May this octet stand where pcre_table(5) has a slash? */
static bool
is_delimiter(char c)
{
	return c != '\0' && strchr("/|,;:%&=@~'\"+-_.", c) != NULL;
}

/* ---- Texts ---- */

/* Reads 1, {1} or (1) at *s and goes behind it; -1 if there is no such thing. */
static int
read_group(struct str *s)
{
	char close = s->n == 0 ? '\0' : s->p[0] == '{' ? '}' : s->p[0] == '(' ? ')' : '\0';
	struct str rest = skip(*s, close != '\0');
	int n = 0;
	size_t i;

	for (i = 0; i < rest.n && i < 3 && char_is_digit(rest.p[i]); i++)
		n = n * 10 + (rest.p[i] - '0');
	if (i == 0 || n >= REGEX_CAPTURES ||
	    (close != '\0' && (i == rest.n || rest.p[i] != close)))
		return -1;
	*s = skip(rest, i + (close != '\0'));
	return n;
}

/* Cuts a text at its captures; false if it is wrong or memory is out. */
static bool
read_text(struct reader *r, struct str s, struct pcre_text **end)
{
	while (s.n > 0) {
		const char *dollar = memchr(s.p, '$', s.n);
		struct pcre_text *t = arena_new_object(r->a, struct pcre_text);
		struct str from;

		if (t == NULL)
			return false;
		*end = t;
		end = &t->next;
		t->group = -1;
		t->literal = (struct str){ s.p, dollar != NULL ? (size_t)(dollar - s.p) : s.n };
		s = skip(s, t->literal.n);
		if (dollar == NULL)
			break;
		from = s;
		s = skip(s, 1);
		if (s.n > 0 && s.p[0] == '$') {
			t->literal.n++;
			s = skip(s, 1);
			continue;
		}
		if ((t->group = read_group(&s)) == -1) {
			diag_error(r->d, span_of(r, (struct str){ from.p, 1 }), "after $ stands "
			    "the number of a group, like $1 or ${1}; a $ itself is written $$");
			return false;
		}
		t->at = span_of(r, (struct str){ from.p, from.n - s.n });
	}
	return true;
}

void
pcre_text_expand(const struct pcre_text *t, const struct captures *caps,
    size_t max, struct strbuf *out)
{
	for (; t != NULL; t = t->next) {
		struct str s = STR_NONE;

		strbuf_str(out, t->literal);
		if (t->group >= 0 && t->group < caps->n)
			s = caps->group[t->group];
		if (s.p != NULL)
			strbuf_add(out, s.p, s.n < max ? s.n : max);
	}
}

/* ---- Patterns ---- */

/* The flags behind a pattern, each of which turns what holds without it round. */
static bool
read_flags(struct reader *r, struct str *s, struct pcre_line *l)
{
	static const char all[] = "imsx";
	bool on[4] = { true, false, true, false };
	char *flags = arena_alloc(r->a, sizeof(all));
	const char *at;
	size_t n = 0;

	if (flags == NULL)
		return false;
	for (; s->n > 0 && !char_is_blank(s->p[0]); *s = skip(*s, 1)) {
		if ((at = strchr(all, s->p[0])) != NULL && *at != '\0') {
			on[at - all] = !on[at - all];
			continue;
		}
		diag_error(r->d, span_of(r, (struct str){ s->p, 1 }),
		    strchr("AEUX", s->p[0]) != NULL ? "the flag '%c' is not taken; say it in the "
		    "pattern: \\A for A, \\z for E, (?U) for U, nothing for X" :
		    "unknown flag '%c'; there are i, m, s and x, and a text stands behind a blank",
		    s->p[0]);
		return false;
	}
	for (size_t i = 0; i < 4; i++)
		if (on[i])
			flags[n++] = all[i];
	l->flags = (struct str){ flags, n };
	return true;
}

/* [!]/pattern/flags; *s is behind it then. */
static bool
read_pattern(struct reader *r, struct str *s, struct pcre_line *l)
{
	struct str from;
	size_t i = 1;

	while (s->n > 0 && s->p[0] == '!') {
		l->negated = !l->negated;
		*s = skip_blanks(skip(*s, 1));
	}
	from = *s;
	if (from.n == 0 || !is_delimiter(from.p[0])) {
		diag_error(r->d, span_of(r, (struct str){ from.p, from.n > 0 }), "a line is "
		    "/pattern/flags and a text, if /pattern/flags, or endif");
		return false;
	}
	while (i < from.n && from.p[i] != from.p[0])
		i += 1 + (from.p[i] == '\\');
	if (i >= from.n) {
		diag_error(r->d, span_of(r, from), "this pattern has no closing %c", from.p[0]);
		return false;
	}
	l->pattern = (struct str){ from.p + 1, i - 1 };
	*s = skip(from, i + 1);
	if (!read_flags(r, s, l))
		return false;
	l->at = span_of(r, (struct str){ from.p, from.n - s->n });
	return true;
}

/* ---- Lines ---- */

/* Is this the word, with a blank, a pattern or nothing behind it? */
static bool
is_word(struct str s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && str_ieq((struct str){ s.p, n }, str_of(word)) &&
	    (s.n == n || char_is_blank(s.p[n]) || s.p[n] == '!' || is_delimiter(s.p[n]));
}

static bool
nothing_behind(struct reader *r, struct str s, const char *what)
{
	s = skip_blanks(s);
	if (s.n == 0)
		return true;
	diag_error(r->d, span_of(r, s), "behind %s stands nothing", what);
	return false;
}

/* True: the line is right as it stands, `more` are the lines that go on with it. */
static bool
read_line(struct reader *r, struct str s, struct str more, struct pcre_line *l)
{
	struct str word = s;
	struct pcre_text *text = NULL, **end = &text, *blank;

	if (is_word(s, "endif")) {
		l->kind = PCRE_ENDIF;
		l->at = span_of(r, (struct str){ word.p, 5 });
		if (r->depth == 0) {
			diag_error(r->d, l->at, "this endif has no if");
			return false;
		}
		r->depth--;
		return nothing_behind(r, skip(s, 5), "endif") && nothing_behind(r, more, "endif");
	}
	if (is_word(s, "if")) {
		l->kind = PCRE_IF;
		if (r->depth == IF_DEPTH) {
			diag_error(r->d, span_of(r, (struct str){ word.p, 2 }),
			    "more than %d ifs stand open", IF_DEPTH);
			return false;
		}
		/* Also a wrong one is closed by its endif. */
		r->open[r->depth++] = span_of(r, (struct str){ word.p, 2 });
		s = skip_blanks(skip(s, 2));
		return read_pattern(r, &s, l) && nothing_behind(r, s, "if and its pattern") &&
		    nothing_behind(r, more, "if and its pattern");
	}
	l->kind = PCRE_MATCH;
	if (!read_pattern(r, &s, l) || !read_text(r, skip_blanks(s), end))
		return false;
	while (more.n > 0) {
		const char *nl = memchr(more.p, '\n', more.n);
		size_t n = nl != NULL ? (size_t)(nl - more.p) : more.n;
		struct str line = str_trim((struct str){ more.p, n });

		more = skip(more, n + (nl != NULL));
		if (line.n == 0 || line.p[0] == '#')
			continue;
		while (*end != NULL)
			end = &(*end)->next;
		if ((blank = arena_new_object(r->a, struct pcre_text)) == NULL)
			return false;
		*blank = (struct pcre_text){ .literal = STR(" "), .group = -1 };
		*end = blank;
		if (!read_text(r, line, &blank->next))
			return false;
	}
	l->text = text;
	for (; text != NULL; text = text->next)
		if (l->negated && text->group >= 0) {
			diag_error(r->d, text->at, "what does not match a pattern has no groups");
			return false;
		}
	return true;
}

/* Blank lines and comments may stand between a line and those that go on with it. */
static bool
goes_on(struct str line)
{
	struct str s = str_trim(line);

	return line.n == 0 || char_is_blank(line.p[0]) || s.n == 0 || s.p[0] == '#';
}

static struct str
take_line(struct str *rest)
{
	const char *nl = memchr(rest->p, '\n', rest->n);
	struct str line = { rest->p, nl != NULL ? (size_t)(nl - rest->p) : rest->n };

	*rest = skip(*rest, line.n + (nl != NULL));
	return line;
}

/* The lines from the first that is neither empty nor a comment. */
static struct str
from_first_text(struct str lines)
{
	while (lines.n > 0) {
		struct str peek = lines, s = str_trim(take_line(&peek));

		if (s.n > 0 && s.p[0] != '#')
			break;
		lines = peek;
	}
	return lines;
}

int
pcretable_each(const struct source *src, struct arena *a, struct diag *d,
    int (*fn)(void *arg, const struct pcre_line *line), void *arg)
{
	struct reader r = { .src = src, .a = a, .d = d };
	struct str rest = src->text;

	while (rest.n > 0) {
		struct str line = take_line(&rest), trimmed = str_trim(line), more = rest, peek;
		struct pcre_line l = { .negated = false };

		if (trimmed.n == 0 || trimmed.p[0] == '#')
			continue;
		if (char_is_blank(line.p[0])) {
			diag_error(d, span_of(&r, trimmed), "a line that begins with a blank goes on "
			    "with the line above, and there is none");
			continue;
		}
		for (peek = rest; rest.n > 0 && goes_on(take_line(&peek)); )
			rest = peek;
		more.n -= rest.n;
		more = from_first_text(more);
		if (read_line(&r, trimmed, more, &l) && fn(arg, &l) != 0)
			return -1;
	}
	while (r.depth > 0)
		diag_error(d, r.open[--r.depth], "this if has no endif; was the file saved whole?");
	return arena_failed(a) ? -1 : 0;
}
