/*
 * parse_text.c - strings: quotes, escapes, and what ${...} stands for.
 *
 * A text is cut into parts here, once, when the file is read; what mail brings
 * is put in later and never looked at for ${ again.
 */
#include "parse_int.h"

#include <string.h>

/* The octet that a backslash and c stand for, or -1. */
static int
escaped(char c)
{
	switch (c) {
	case '"': case '\\': case '$':
		return (unsigned char)c;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	default:
		return -1;
	}
}

/*
 * Undoes the escapes of the n octets at s, which lie in the span, into the
 * arena.  The result is no longer than what was written.
 */
static bool
unescape(struct parser *p, struct span at, const char *s, size_t n,
    struct str *out)
{
	char *o = arena_alloc(p->a, n + 1);
	bool ok = true;
	size_t len = 0;
	int c;

	if (o == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\\') {
			o[len++] = s[i];
			continue;
		}
		i++;
		if (i < n && (c = escaped(s[i])) != -1) {
			o[len++] = (char)c;
			continue;
		}
		diag_error(p->d, (struct span){ at.src,
		    (size_t)(s - at.src->text.p) + i - 1, 2 }, "unknown "
		    "escape; there are \\\" \\\\ \\n \\t \\$, and a backslash "
		    "itself is written \\\\");
		ok = false;
	}
	*out = (struct str){ o, len };
	return ok;
}

static struct str
inside(const struct token *tok)
{
	return (struct str){ tok->text.p + 1, tok->text.n - 2 };
}

/* Offset of the next unescaped ${ in s, or s.n. */
static size_t
next_expansion(struct str s, size_t i)
{
	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{')
			return i;
	}
	return s.n;
}

bool
parse_string(struct parser *p, const struct token *tok, struct str *s)
{
	struct str in = inside(tok);
	size_t i = next_expansion(in, 0), n;

	if (i < in.n) {
		n = lex_expansion((struct str){ in.p + i, in.n - i });
		diag_error(p->d, (struct span){ tok->at.src,
		    tok->at.off + 1 + i, n > 0 ? n : 2 }, "${...} is filled "
		    "in only in the texts of actions; for the characters "
		    "themselves write \\${");
		return false;
	}
	return unescape(p, tok->at, in.p, in.n, s);
}

/* Reads the number between ${ and }, 0 to 99. */
static bool
read_capture(struct parser *p, struct span at, struct str s, struct part *part)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || s.n > 2) {
			diag_error(p->d, at, "a capture is a number from 0 to "
			    "99, like ${1}");
			return false;
		}
		part->capture = part->capture * 10 + (s.p[i] - '0');
	}
	part->kind = PART_CAPTURE;
	return true;
}

/* table.NAME */
static bool
read_table(struct parser *p, struct span at, struct str s, struct part *part)
{
	struct str name = { s.p + 6, s.n - 6 };

	part->kind = PART_TABLE;
	part->list_name = (struct name_ref){ { at.src, at.off + 2 + 6, name.n }, name };
	if (lex_is_name(name))
		return true;
	diag_error(p->d, at, "behind 'table.' stands the name of a list, like "
	    "${table.bad-senders}");
	return false;
}

/* What stands between ${ and }, with its place. */
static bool
read_expansion(struct parser *p, struct span at, struct str s,
    struct part *part)
{
	const char *bracket = memchr(s.p, '[', s.n);
	struct fact_ref *f = &part->fact;

	if (s.n == 0) {
		diag_error(p->d, at, "the name of a fact or the number of a "
		    "capture is missing between ${ and }");
		return false;
	}
	if (char_is_digit(s.p[0]))
		return read_capture(p, at, s, part);
	if (str_find(s, STR("table.")) == 0)
		return read_table(p, at, s, part);
	part->kind = PART_FACT;
	f->at = (struct span){ at.src, at.off + 2, s.n };
	f->name = s;
	if (bracket != NULL) {
		f->name.n = (size_t)(bracket - s.p);
		f->has_key = true;
		f->key_at = (struct span){ at.src, f->at.off + f->name.n + 1,
		    s.n - f->name.n - 2 };
		if (!unescape(p, at, bracket + 2, s.n - f->name.n - 4, &f->key))
			return false;
	}
	if (str_eq(f->name, STR("table"))) {
		diag_error(p->d, f->at, "the text that a list gives is written "
		    "${table.NAME}, like ${table.bad-senders}");
		return false;
	}
	if (!lex_is_fact(f->name)) {
		diag_error(p->d, f->at, "between ${ and } stands the name of "
		    "a fact, like ${sender}");
		return false;
	}
	return true;
}

static bool
read_part(struct parser *p, const struct token *tok, struct str in, size_t *i,
    struct part *part)
{
	size_t n, next = next_expansion(in, *i);
	struct span *at = &part->at;

	*at = (struct span){ tok->at.src, tok->at.off + 1 + *i, next - *i };
	if (next > *i) {
		part->kind = PART_LITERAL;
		n = *i;
		*i = next;
		return unescape(p, *at, in.p + n, next - n, &part->text);
	}
	n = lex_expansion((struct str){ in.p + next, in.n - next });
	if (n == 0) {
		at->n = 2;
		*i += 2;
		diag_error(p->d, *at, "after ${ stands a fact or a number and "
		    "then }, like ${sender} or ${header[\"X-Mailer\"]}; for "
		    "the characters themselves write \\${");
		return false;
	}
	at->n = n;
	*i += n;
	return read_expansion(p, *at,
	    (struct str){ in.p + next + 2, n - 3 }, part);
}

struct text *
parse_text_parts(struct parser *p, const struct token *tok)
{
	struct text *text = arena_new_object(p->a, struct text);
	struct str in = inside(tok);
	struct part **end, *part;
	bool ok = true;

	if (text == NULL)
		return NULL;
	text->at = tok->at;
	end = &text->parts;
	for (size_t i = 0; i < in.n; end = &part->next) {
		if ((part = arena_new_object(p->a, struct part)) == NULL)
			return NULL;
		ok = read_part(p, tok, in, &i, part) && ok;
		*end = part;
	}
	return ok ? text : NULL;
}
