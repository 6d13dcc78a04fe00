/*
 * str.c - slices of octets, and a builder for them.
 *
 * Case is folded for ASCII letters only and never by the locale: what a
 * keyword, a header name or a domain is must not depend on where the daemon
 * was started.
 *
 * Case folding of other scripts, where the language promises it, is fold.c's.
 */
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

static inline unsigned char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') :
	    (unsigned char)c;
}

static bool
ieq(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

struct str
str_of(const char *s)
{
	return (struct str){ s, s != NULL ? strlen(s) : 0 };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_ieq(struct str a, struct str b)
{
	return a.n == b.n && ieq(a.p, b.p, a.n);
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c;

	if (n > 0 && (c = memcmp(a.p, b.p, n)) != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool
str_istarts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && ieq(s.p, prefix.p, prefix.n);
}

bool
str_iends(struct str s, struct str suffix)
{
	if (s.n < suffix.n)
		return false;
	return suffix.n == 0 ||
	    ieq(s.p + (s.n - suffix.n), suffix.p, suffix.n);
}

ptrdiff_t
str_find(struct str s, struct str needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	if (s.n < needle.n ||
	    (hit = memmem(s.p, s.n, needle.p, needle.n)) == NULL)
		return -1;
	return hit - s.p;
}

/*
 * Horspool's search over folded octets: the subject may be a body of a
 * megabyte and rules may be many, so octets are skipped, not tried one by one.
 */
static ptrdiff_t
ifind_long(struct str s, struct str needle)
{
	size_t shift[256], last = needle.n - 1;
	unsigned char tail = fold(needle.p[last]), c;

	for (size_t i = 0; i < 256; i++)
		shift[i] = needle.n;
	for (size_t i = 0; i < last; i++)
		shift[fold(needle.p[i])] = last - i;
	for (size_t at = 0; at <= s.n - needle.n; at += shift[c]) {
		c = fold(s.p[at + last]);
		if (c == tail && ieq(s.p + at, needle.p, last))
			return (ptrdiff_t)at;
	}
	return -1;
}

ptrdiff_t
str_ifind(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return -1;
	if (s.n > 256)
		return ifind_long(s, needle);
	for (size_t at = 0; at <= s.n - needle.n; at++)
		if (ieq(s.p + at, needle.p, needle.n))
			return (ptrdiff_t)at;
	return -1;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str
str_dup(struct arena *a, struct str s)
{
	char *p;

	if (s.n == SIZE_MAX || (p = arena_alloc(a, s.n + 1)) == NULL)
		return STR_NONE;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

struct str
str_lower(struct arena *a, struct str s)
{
	char *p;

	if (s.n == SIZE_MAX || (p = arena_alloc(a, s.n + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)fold(s.p[i]);
	return (struct str){ p, s.n };
}

char *
str_cstr(struct arena *a, struct str s)
{
	char *p;

	if (s.n == SIZE_MAX || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL) ||
	    (p = arena_alloc(a, s.n + 1)) == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

struct str
str_printf(struct arena *a, const char *fmt, ...)
{
	struct str s = STR_NONE;
	va_list ap, again;
	char room[256], *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(room, sizeof(room), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(room))
		s = str_dup(a, (struct str){ room, (size_t)n });
	else if (n >= 0 && (p = arena_alloc(a, (size_t)n + 1)) != NULL) {
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
		s = (struct str){ p, (size_t)n };
	}
	va_end(again);
	va_end(ap);
	return s;
}

#define FNV_BASIS	14695981039346656037ULL
#define FNV_PRIME	1099511628211ULL

uint64_t
str_hash(struct str s)
{
	uint64_t h = FNV_BASIS;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return h;
}

uint64_t
str_ihash(struct str s)
{
	uint64_t h = FNV_BASIS;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ fold(s.p[i])) * FNV_PRIME;
	return h;
}

bool
strbuf_reserve(struct strbuf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->failed)
		return false;
	if (n < b->cap - b->n)		/* never true of the empty one: 0 - 0 */
		return true;
	if (n > SIZE_MAX / 2 - b->n - 1) {
		b->failed = true;
		return false;
	}
	cap = b->cap > 0 ? b->cap : 64;
	/* A large one grows by a quarter, so that little of it is room. */
	while (cap <= b->n + n)
		cap += cap < 1 << 16 ? cap : cap / 4;
	if ((p = realloc(b->lent ? NULL : b->p, cap)) == NULL) {
		b->failed = true;
		return false;
	}
	if (b->lent)
		memcpy(p, b->p, b->n);
	b->lent = false;
	b->p = p;
	b->cap = cap;
	return true;
}

void
strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	if (!strbuf_reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
strbuf_str(struct strbuf *b, struct str s)
{
	strbuf_add(b, s.p, s.n);
}

void
strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void
strbuf_putc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void
strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	if (!strbuf_reserve(b, 0))
		return;
	/* What fits is written at once; what doesn't tells how long it is. */
	va_copy(again, ap);
	room = b->cap - b->n;
	if ((n = vsnprintf(b->p + b->n, room, fmt, ap)) < 0)
		b->failed = true;
	else if ((size_t)n < room)
		b->n += (size_t)n;
	else if (strbuf_reserve(b, (size_t)n)) {
		(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	} else
		b->p[b->n] = '\0';
	va_end(again);
}

void
strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
strbuf_json(struct strbuf *b, struct str s)
{
	size_t n;

	strbuf_putc(b, '"');
	for (size_t i = 0; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = utf8_len((struct str){ s.p + i, s.n - i });
		if (n == 0) {
			strbuf_puts(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			strbuf_putc(b, '\\');
			strbuf_putc(b, (char)c);
		} else if (c == '\n')
			strbuf_puts(b, "\\n");
		else if (c == '\t')
			strbuf_puts(b, "\\t");
		else if (c == '\r')
			strbuf_puts(b, "\\r");
		else if (c < 0x20 || c == 0x7f)
			strbuf_printf(b, "\\u%04x", c);
		else
			strbuf_add(b, s.p + i, n);
	}
	strbuf_putc(b, '"');
}

struct str
strbuf_slice(const struct strbuf *b)
{
	return (struct str){ b->p, b->n };
}

void
strbuf_free(struct strbuf *b)
{
	if (!b->lent)
		free(b->p);
	*b = (struct strbuf){ 0 };
}

int
str_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t
utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		n = 3;
		if (p[0] == 0xe0)
			lo = 0xa0;
		else if (p[0] == 0xed)
			hi = 0x9f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		if (p[0] == 0xf0)
			lo = 0x90;
		else if (p[0] == 0xf4)
			hi = 0x8f;
	} else
		return 0;
	if (s.n < n || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

size_t
utf8_count(struct str s)
{
	size_t count = 0, n;

	for (size_t i = 0; i < s.n; i += n) {
		n = utf8_len((struct str){ s.p + i, s.n - i });
		if (n == 0)
			n = 1;
		count++;
	}
	return count;
}

size_t
utf8_ascii_run(struct str s)
{
	uint64_t eight;
	size_t i = 0;

	for (; s.n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (i < s.n && (unsigned char)s.p[i] < 0x80)
		i++;
	return i;
}

bool
utf8_valid(struct str s)
{
	size_t n;

	for (size_t i = utf8_ascii_run(s); i < s.n; i += n + utf8_ascii_run((struct str){ s.p + i + n, s.n - i - n }))
		if ((n = utf8_len((struct str){ s.p + i, s.n - i })) == 0)
			return false;
	return true;
}

uint32_t
utf8_decode(struct str s, size_t *n)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t c = p[0];

	*n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (*n > 1)
		c &= 0xffU >> (*n + 1);
	for (size_t i = 1; i < *n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

size_t
utf8_encode(uint32_t c, char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00U >> n & 0xff) | c);
	return n;
}
