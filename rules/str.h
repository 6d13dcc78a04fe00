/*
 * str.h - slices of octets, and a builder for them.
 *
 * Mail data has a length, not a terminator: it may hold NULs and is never
 * copied into fixed-size arrays.  NUL-terminated strings exist only at a
 * library's door (str_cstr(), which refuses embedded NULs).
 */
#ifndef RULES_STR_H
#define RULES_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str {
	const char	*p;	/* NULL where there is none */
	size_t		 n;
};

#define STR(lit)	((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NONE	((struct str){ NULL, 0 })
#define STR_FMT		"%.*s"
#define STR_ARG(s)	(int)(s).n, ((s).p != NULL ? (s).p : "")

/* The slice of a NUL-terminated string, which it goes on pointing into. */
struct str str_of(const char *s);

/* Equality of octets, and the same with ASCII letters' case ignored. */
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);

/* Order by octets, as memcmp(3) and then length. */
int str_cmp(struct str a, struct str b);

/* ASCII case ignored. */
bool str_istarts(struct str s, struct str prefix);
bool str_iends(struct str s, struct str suffix);

/* Offset of needle in s, or -1; the second ignores ASCII case. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_ifind(struct str s, struct str needle);

/* s without blanks, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);

/* A copy in the arena, NUL-terminated past its length; p is NULL without memory. */
struct str str_dup(struct arena *a, struct str s);

/* The copy with ASCII letters in lower case. */
struct str str_lower(struct arena *a, struct str s);

/*
 * A NUL-terminated copy for a library, or NULL if s holds a NUL octet or
 * there is no memory.
 */
char *str_cstr(struct arena *a, struct str s);

/* printf(3) into the arena; p is NULL without memory. */
struct str str_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* FNV-1a, 64 bits; the second folds ASCII case. */
uint64_t str_hash(struct str s);
uint64_t str_ihash(struct str s);

/*
 * A growing string on the heap.  Once memory fails it stays failed and takes
 * nothing more; check `failed` once at the end.  A zeroed struct is empty.
 * One that is STRBUF_IN(array) begins there, and takes memory only once that is full.
 */
struct strbuf {
	char	*p;		/* NUL-terminated once something was added */
	size_t	 n, cap;
	bool	 failed;
	bool	 lent;		/* p is the owner's array */
};

#define STRBUF_IN(array) { .p = (array), .cap = sizeof(array), .lent = true }

/* Room for n octets more and a NUL, from p + n on; false without memory. */
bool strbuf_reserve(struct strbuf *b, size_t n);

void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_str(struct strbuf *b, struct str s);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* s as a JSON string with its quotes; octets that aren't UTF-8 become U+FFFD. */
void strbuf_json(struct strbuf *b, struct str s);
struct str strbuf_slice(const struct strbuf *b);
void strbuf_free(struct strbuf *b);

/* ASCII's, whatever the locale says. */
static inline bool
char_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool
char_is_letter(int c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool
char_is_alnum(int c)
{
	return char_is_digit(c) || char_is_letter(c);
}

/* Between the words of a line. */
static inline bool
char_is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* What a hexadecimal digit stands for, or -1. */
int str_hex(char c);

/* Length of the UTF-8 sequence at s, 0 if there is no well-formed one. */
size_t utf8_len(struct str s);
/* Characters in s; an octet that isn't UTF-8 counts as one. */
size_t utf8_count(struct str s);
bool utf8_valid(struct str s);
/* How many octets of ASCII it begins with: nearly always all of them. */
size_t utf8_ascii_run(struct str s);
/* The character that s begins with, and its octets in *n; s isn't empty, and is UTF-8. */
uint32_t utf8_decode(struct str s, size_t *n);
/* The character (at most 0x10ffff, no surrogate) as UTF-8; returns its octets. */
size_t utf8_encode(uint32_t c, char out[4]);

#endif
