/*
 * diag.c - the queue of diagnostics, and their plain and JSON forms.
 *
 * What is said comes from the file itself, which may hold anything: control
 * characters are made harmless when a message is queued, and its length is
 * bounded, so that no form of output needs to think of it again.  The numbers
 * of errors and warnings stay right when memory or the queue's limit ends.
 *
 * The form with source line and caret is diag_show.c's.
 */
#include "diag.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "diag_int.h"

#define KEPT_MAX	1000	/* of each severity */
#define MESSAGE_MAX	1000	/* octets */

struct diag {
	struct arena	*adopted;	/* of a load that failed */
	struct arena	*arena;
	struct diagnostic **v;
	size_t		 n, cap;
	size_t		 seq;
	struct diagnostic *last;	/* what a note belongs to; NULL: dropped */
	int		 errors, warnings;
};

struct diag *
diag_new(void)
{
	struct diag *d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	if ((d->arena = arena_new(0)) == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void
diag_free(struct diag *d)
{
	if (d == NULL)
		return;
	arena_free(d->arena);
	arena_free(d->adopted);
	free(d->v);
	free(d);
}

void
diag_adopt(struct diag *d, struct arena *a)
{
	arena_free(d->adopted);
	d->adopted = a;
}

void
diag_clean(struct strbuf *out, struct str s)
{
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = utf8_len((struct str){ s.p + i, s.n - i });
		if (n == 0 || c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)) {
			strbuf_putc(out, '?');
			n = n > 0 ? n : 1;
		} else
			strbuf_add(out, s.p + i, n);
	}
}

static struct str message(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void queue(struct diag *d, enum severity severity, struct span at,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static struct str
message(struct arena *a, const char *fmt, va_list ap)
{
	struct strbuf raw = { 0 }, clean = { 0 };
	struct str s;

	strbuf_vprintf(&raw, fmt, ap);
	s = strbuf_slice(&raw);
	if (s.n > MESSAGE_MAX) {
		s.n = MESSAGE_MAX;
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	diag_clean(&clean, s);
	if (raw.n > s.n)
		strbuf_puts(&clean, "...");
	s = raw.failed || clean.failed ? STR_NONE :
	    str_dup(a, strbuf_slice(&clean));
	strbuf_free(&raw);
	strbuf_free(&clean);
	return s.p != NULL ? s : STR("(out of memory)");
}

static struct diagnostic *
queue_slot(struct diag *d)
{
	struct diagnostic **v;
	size_t cap;

	if (d->n == d->cap) {
		cap = d->cap > 0 ? d->cap * 2 : 16;
		if ((v = realloc(d->v, cap * sizeof(*v))) == NULL)
			return NULL;
		d->v = v;
		d->cap = cap;
	}
	return arena_new_object(d->arena, struct diagnostic);
}

static void
queue(struct diag *d, enum severity severity, struct span at,
    const char *fmt, va_list ap)
{
	int *count = severity == DIAG_ERROR ? &d->errors : &d->warnings;
	struct diagnostic *e = NULL;

	if (*count < KEPT_MAX)
		e = queue_slot(d);
	++*count;
	d->last = e;
	if (e == NULL)
		return;
	e->severity = severity;
	e->at = at;
	e->text = message(d->arena, fmt, ap);
	e->seq = d->seq++;
	d->v[d->n++] = e;
}

void
diag_error(struct diag *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	queue(d, DIAG_ERROR, at, fmt, ap);
	va_end(ap);
}

void
diag_warning(struct diag *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	queue(d, DIAG_WARNING, at, fmt, ap);
	va_end(ap);
}

static void append(struct diag *d, struct diag_remark **list, struct span at,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void
append(struct diag *d, struct diag_remark **list, struct span at,
    const char *fmt, va_list ap)
{
	struct diag_remark *r;

	if ((r = arena_new_object(d->arena, struct diag_remark)) == NULL)
		return;
	r->at = at;
	r->text = message(d->arena, fmt, ap);
	while (*list != NULL)
		list = &(*list)->next;
	*list = r;
}

void
diag_note(struct diag *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (d->last != NULL)
		append(d, &d->last->notes, at, fmt, ap);
	va_end(ap);
}

void
diag_expected(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (d->last != NULL)
		append(d, &d->last->expected, (struct span){ 0 }, fmt, ap);
	va_end(ap);
}

void
diag_got(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (d->last != NULL)
		append(d, &d->last->got, (struct span){ 0 }, fmt, ap);
	va_end(ap);
}

int
diag_errors(const struct diag *d)
{
	return d->errors;
}

int
diag_warnings(const struct diag *d)
{
	return d->warnings;
}

struct str
diag_line(struct span at, int *line)
{
	struct str text = at.src->text;
	size_t off = at.off < text.n ? at.off : text.n;
	size_t from = 0, to;
	const char *nl;

	*line = 1;
	while (from < off &&
	    (nl = memchr(text.p + from, '\n', off - from)) != NULL) {
		from = (size_t)(nl - text.p) + 1;
		++*line;
	}
	to = text.n;
	if (off < text.n &&
	    (nl = memchr(text.p + off, '\n', text.n - off)) != NULL)
		to = (size_t)(nl - text.p);
	if (to > from && text.p[to - 1] == '\r')
		to--;
	return (struct str){ text.p != NULL ? text.p + from : NULL, to - from };
}

bool
diag_has_place(struct span at)
{
	return at.src != NULL && at.src->text.p != NULL;
}

/* Columns where the span begins and ends, the end on the same line. */
static void
columns(struct span at, int *line, int *from, int *to)
{
	struct str text = diag_line(at, line), before;
	size_t begin, end;

	begin = at.off - (size_t)(text.p - at.src->text.p);
	begin = begin < text.n ? begin : text.n;
	end = at.n < text.n - begin ? begin + at.n : text.n;
	before = (struct str){ text.p, begin };
	*from = (int)utf8_count(before) + 1;
	*to = *from + (int)utf8_count(
	    (struct str){ text.p + begin, end - begin });
}

void
diag_position(struct span at, int *line, int *column)
{
	int end;

	*line = *column = 1;
	if (diag_has_place(at))
		columns(at, line, column, &end);
}

void
diag_first_line(struct span at, const char *severity, struct str text,
    struct strbuf *out)
{
	int line, column;

	if (at.src != NULL) {
		diag_clean(out, at.src->name);
		if (diag_has_place(at)) {
			diag_position(at, &line, &column);
			strbuf_printf(out, ":%d:%d", line, column);
		}
		strbuf_puts(out, ": ");
	}
	strbuf_printf(out, "%s: ", severity);
	strbuf_str(out, text);
}

static int
by_place(const void *pa, const void *pb)
{
	const struct diagnostic *a = *(struct diagnostic *const *)pa;
	const struct diagnostic *b = *(struct diagnostic *const *)pb;
	int c;

	if (a->at.src != b->at.src) {
		if (a->at.src == NULL || b->at.src == NULL)
			return a->at.src == NULL ? -1 : 1;
		if (a->at.src->order != b->at.src->order)
			return a->at.src->order < b->at.src->order ? -1 : 1;
		if ((c = str_cmp(a->at.src->name, b->at.src->name)) != 0)
			return c;
	} else if (a->at.src != NULL && a->at.off != b->at.off)
		return a->at.off < b->at.off ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

size_t
diag_sorted(struct diag *d, struct diagnostic *const **v)
{
	if (d->n > 1)
		qsort(d->v, d->n, sizeof(*d->v), by_place);
	*v = d->v;
	return d->n;
}

const char *
diag_severity_name(enum severity severity)
{
	return severity == DIAG_ERROR ? "error" : "warning";
}

void
diag_each(struct diag *d, void (*fn)(void *, enum severity, struct str line),
    void *arg)
{
	struct diagnostic *const *v;
	size_t n = diag_sorted(d, &v);

	for (size_t i = 0; i < n; i++) {
		struct strbuf b = { 0 };

		diag_first_line(v[i]->at, diag_severity_name(v[i]->severity),
		    v[i]->text, &b);
		fn(arg, v[i]->severity, b.failed ? v[i]->text :
		    strbuf_slice(&b));
		strbuf_free(&b);
	}
}

static void
json_place(struct strbuf *out, struct span at)
{
	int line, from, to;

	strbuf_puts(out, "\"file\":");
	if (at.src == NULL)
		strbuf_puts(out, "null");
	else
		strbuf_json(out, at.src->name);
	if (!diag_has_place(at)) {
		strbuf_puts(out,
		    ",\"line\":null,\"column\":null,\"endColumn\":null");
		return;
	}
	columns(at, &line, &from, &to);
	strbuf_printf(out, ",\"line\":%d,\"column\":%d,\"endColumn\":%d",
	    line, from, to);
}

static void
json_texts(struct strbuf *out, const char *key, const struct diag_remark *r)
{
	strbuf_printf(out, ",\"%s\":[", key);
	for (; r != NULL; r = r->next) {
		strbuf_json(out, r->text);
		strbuf_puts(out, r->next != NULL ? "," : "");
	}
	strbuf_putc(out, ']');
}

void
diag_json(struct diag *d, struct strbuf *out)
{
	struct diagnostic *const *v;
	size_t n = diag_sorted(d, &v);

	strbuf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		const struct diagnostic *e = v[i];

		strbuf_puts(out, i > 0 ? ",\n{" : "\n{");
		json_place(out, e->at);
		strbuf_printf(out, ",\"severity\":\"%s\",\"message\":",
		    diag_severity_name(e->severity));
		strbuf_json(out, e->text);
		strbuf_puts(out, ",\"notes\":[");
		for (const struct diag_remark *r = e->notes; r != NULL;
		    r = r->next) {
			strbuf_putc(out, '{');
			json_place(out, r->at);
			strbuf_puts(out, ",\"message\":");
			strbuf_json(out, r->text);
			strbuf_puts(out, r->next != NULL ? "}," : "}");
		}
		strbuf_putc(out, ']');
		if (e->expected != NULL || e->got != NULL) {
			json_texts(out, "expected", e->expected);
			json_texts(out, "got", e->got);
		}
		strbuf_putc(out, '}');
	}
	strbuf_puts(out, n > 0 ? "\n]\n" : "]\n");
}
