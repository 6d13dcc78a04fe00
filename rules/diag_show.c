/*
 * diag_show.c - diagnostics for people: the source line, and a caret under it.
 *
 * The caret must stand under the right character on a terminal, so the line
 * under the source repeats its tabs and counts the columns that wide and
 * combining characters take.  The tables of those are coarse on purpose: the
 * scripts that mail policy is written in, not all of Unicode.
 *
 * A long line is shown as a window around the caret.
 */
#include "diag.h"

#include <string.h>

#include "diag_int.h"

#define SHOWN_MAX	100	/* diagnostics */
#define LINE_MAX_COLS	160	/* a longer line is cut to the window */
#define WINDOW_BEFORE	50	/* characters before the caret */
#define WINDOW_COLS	100

#define BOLD	"\033[1m"
#define RED	"\033[1;31m"
#define MAGENTA	"\033[1;35m"
#define CYAN	"\033[1;36m"
#define GREEN	"\033[1;32m"
#define PLAIN	"\033[0m"

/* Columns of a terminal that a character takes. */
static int
width(const char *s, size_t n)
{
	static const struct { uint32_t lo, hi; int width; } ranges[] = {
		{ 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 },
		{ 0x200b, 0x200f, 0 }, { 0x2e80, 0x303e, 2 },
		{ 0x3041, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 },
		{ 0xf900, 0xfaff, 2 }, { 0xfe00, 0xfe0f, 0 },
		{ 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1f64f, 2 },
		{ 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
	};
	uint32_t cp = n <= 1 ? (unsigned char)*s : utf8_decode((struct str){ s, n }, &n);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].lo && cp <= ranges[i].hi)
			return ranges[i].width;
	return 1;
}

static size_t
char_len(struct str s, size_t at)
{
	size_t n = utf8_len((struct str){ s.p + at, s.n - at });

	return n > 0 ? n : 1;
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The part of the line to show: [*from, *to) around the octet `caret`. */
static void
window(struct str line, size_t caret, size_t *from, size_t *to)
{
	size_t cols, i;

	*from = 0;
	*to = line.n;
	if (line.n <= LINE_MAX_COLS)
		return;
	for (cols = 0, i = caret; i > 0 && cols < WINDOW_BEFORE; cols++) {
		i--;
		for (int k = 0; k < 3 && i > 0 && is_continuation(line.p[i]);
		    k++)
			i--;
	}
	/* Not worth an ellipsis. */
	*from = i > 3 ? i : 0;
	for (cols = 0, i = *from; i < line.n && (i < caret ||
	    cols < WINDOW_COLS); cols++)
		i += char_len(line, i);
	*to = line.n - i > 3 ? i : line.n;
}

static void
add_blanks(struct strbuf *out, int n)
{
	while (n-- > 0)
		strbuf_putc(out, ' ');
}

static void
add_source(struct strbuf *out, struct str s)
{
	const char *tab;

	while (s.n > 0 && (tab = memchr(s.p, '\t', s.n)) != NULL) {
		struct str head = { s.p, (size_t)(tab - s.p) };

		diag_clean(out, head);
		strbuf_putc(out, '\t');
		s = (struct str){ tab + 1, s.n - head.n - 1 };
	}
	diag_clean(out, s);
}

/* The line under the source, up to the end of the tildes. */
static void
add_marks(struct strbuf *out, struct str line, size_t begin, size_t end)
{
	size_t n;

	for (size_t i = 0; i < begin; i += n) {
		n = char_len(line, i);
		if (line.p[i] == '\t')
			strbuf_putc(out, '\t');
		else
			add_blanks(out, width(line.p + i, n));
	}
	strbuf_putc(out, '^');
	for (size_t i = begin; i < end; i += n) {
		n = char_len(line, i);
		if (line.p[i] == '\t' && i > begin)
			strbuf_putc(out, '\t');
		else
			for (int w = width(line.p + i, n) - (i == begin);
			    w > 0; w--)
				strbuf_putc(out, '~');
	}
}

static void
add_snippet(struct strbuf *out, struct span at, bool colour)
{
	size_t begin, end, from, to;
	struct str line, shown;
	int number, gutter;

	line = diag_line(at, &number);
	begin = at.off - (size_t)(line.p - at.src->text.p);
	begin = begin < line.n ? begin : line.n;
	end = at.n < line.n - begin ? begin + at.n : line.n;
	window(line, begin, &from, &to);
	if (end > to)
		end = to;
	shown = (struct str){ line.p + from, to - from };

	gutter = snprintf(NULL, 0, "%5d", number);
	strbuf_printf(out, "%*d | %s", gutter, number, from > 0 ? "..." : "");
	add_source(out, shown);
	strbuf_puts(out, to < line.n ? "...\n" : "\n");
	strbuf_printf(out, "%*s | %s", gutter, "", from > 0 ? "   " : "");
	strbuf_puts(out, colour ? GREEN : "");
	add_marks(out, shown, begin - from, end - from);
	strbuf_puts(out, colour ? PLAIN "\n" : "\n");
}

static void
add_one(struct strbuf *out, struct span at, const char *severity,
    const char *tint, struct str text, bool colour)
{
	struct strbuf head = { 0 };
	struct str place;

	diag_first_line(at, severity, STR_NONE, &head);
	if (colour) {
		place = strbuf_slice(&head);
		place.n -= head.failed ? 0 : strlen(severity) + 2;
		strbuf_puts(out, BOLD);
		strbuf_str(out, place);
		strbuf_printf(out, PLAIN "%s%s:" PLAIN " " BOLD, tint, severity);
	} else
		strbuf_str(out, strbuf_slice(&head));
	strbuf_free(&head);
	strbuf_str(out, text);
	strbuf_puts(out, colour ? PLAIN "\n" : "\n");
	if (diag_has_place(at))
		add_snippet(out, at, colour);
}

static void
add_diff(struct strbuf *out, char sign, const char *tint,
    const struct diag_remark *r, bool colour)
{
	for (; r != NULL; r = r->next) {
		strbuf_puts(out, colour ? tint : "");
		strbuf_printf(out, "      %c ", sign);
		strbuf_str(out, r->text);
		strbuf_puts(out, colour ? PLAIN "\n" : "\n");
	}
}

static void
add_rest(struct strbuf *out, size_t errors, size_t warnings)
{
	if (errors + warnings == 0)
		return;
	strbuf_puts(out, "and ");
	if (errors > 0)
		strbuf_printf(out, "%zu more error%s", errors,
		    errors == 1 ? "" : "s");
	if (errors > 0 && warnings > 0)
		strbuf_puts(out, " and ");
	if (warnings > 0)
		strbuf_printf(out, "%zu more warning%s", warnings,
		    warnings == 1 ? "" : "s");
	strbuf_putc(out, '\n');
}

void
diag_print(struct diag *d, FILE *out, bool colour)
{
	struct diagnostic *const *v;
	size_t n = diag_sorted(d, &v), errors = 0, warnings = 0;
	struct strbuf b = { 0 };

	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		bool error = v[i]->severity == DIAG_ERROR;

		*(error ? &errors : &warnings) += 1;
		add_one(&b, v[i]->at, diag_severity_name(v[i]->severity),
		    error ? RED : MAGENTA, v[i]->text, colour);
		add_diff(&b, '-', RED, v[i]->expected, colour);
		add_diff(&b, '+', GREEN, v[i]->got, colour);
		for (const struct diag_remark *r = v[i]->notes; r != NULL;
		    r = r->next)
			add_one(&b, r->at, "note", CYAN, r->text, colour);
	}
	add_rest(&b, (size_t)diag_errors(d) - errors,
	    (size_t)diag_warnings(d) - warnings);
	if (b.failed)
		fputs("error: out of memory for the diagnostics\n", out);
	else if (b.n > 0)
		fwrite(b.p, 1, b.n, out);
	strbuf_free(&b);
}
