/*
 * literal.c - reading the literals of rules files and lists, by type.
 *
 * A literal that is wrong is an operator's mistake, so each refusal says what
 * was read, why it is wrong, and what to write.
 *
 * What the values are good for is types.c's.
 */
#include "types.h"

#include <string.h>

#include "arena.h"
#include "diag.h"

/* More words than any enumeration has. */
#define WORDS_MAX	24

/* A part of a value is looked for. */
static bool
is_part(enum op op)
{
	return op == OP_CONTAINS || op == OP_STARTS || op == OP_ENDS;
}

static int
no_memory(struct strbuf *why)
{
	strbuf_puts(why, "out of memory");
	return -1;
}

/* Factor of a unit, 0 if the type has no such one. */
static int64_t
unit_of(enum type_id id, char c)
{
	if (id == T_SIZE)
		return c == 'K' ? 1 << 10 : c == 'M' ? 1 << 20 :
		    c == 'G' ? 1 << 30 : 0;
	if (id == T_DURATION)
		return c == 's' ? 1 : c == 'm' ? 60 : c == 'h' ? 3600 :
		    c == 'd' ? 86400 : 0;
	return 0;
}

static const char *
number_form(enum type_id id)
{
	return id == T_SIZE ? "a size; write octets, or a number with K, M or G, like 10M" :
	    id == T_DURATION ? "a duration; write a number with s, m, h or d, like 30s or 2d" :
	    "a number; write digits alone, like 5 or -5";
}

static int
parse_number(enum type_id id, struct str text, struct value *v, struct strbuf *why)
{
	int64_t n = 0, unit = 1;
	struct str s = text;
	bool minus = false;

	if (s.n > 0 && (s.p[0] == '+' || s.p[0] == '-')) {
		minus = s.p[0] == '-';
		s.p++;
		s.n--;
	}
	if (s.n > 1 && (s.p[s.n - 1] < '0' || s.p[s.n - 1] > '9')) {
		unit = unit_of(id, s.p[s.n - 1]);
		s.n--;
	}
	if (s.n == 0 || unit == 0)
		goto wrong;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			goto wrong;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s.p[i] - '0', &n))
			goto large;
	}
	if (__builtin_mul_overflow(n, unit, &n))
		goto large;
	if (minus && id == T_SIZE) {
		strbuf_printf(why, "'" STR_FMT "' is less than nothing; a size is 0 or more",
		    STR_ARG(text));
		return -1;
	}
	v->n = minus ? -n : n;
	return 0;
large:
	strbuf_printf(why, "'" STR_FMT "' is too large", STR_ARG(text));
	return -1;
wrong:
	strbuf_printf(why, "'" STR_FMT "' is not %s", STR_ARG(text), number_form(id));
	return -1;
}

static int
parse_word(enum type_id id, struct str text, struct value *v, struct strbuf *why)
{
	const char *const *words = type_of(id)->words;
	struct str known[WORDS_MAX], near;
	size_t n = 0;

	for (; n < WORDS_MAX && words[n] != NULL; n++) {
		known[n] = str_of(words[n]);
		if (str_ieq(text, known[n])) {
			v->n = (int64_t)n;
			return 0;
		}
	}
	strbuf_printf(why, "'" STR_FMT "' is no %s", STR_ARG(text), type_of(id)->name);
	near = diag_nearest(text, known, n);
	if (near.n > 0) {
		strbuf_printf(why, "; did you mean '" STR_FMT "'?", STR_ARG(near));
		return -1;
	}
	strbuf_puts(why, "; it is one of");
	for (size_t i = 0; i < n; i++)
		strbuf_printf(why, " %s", words[i]);
	return -1;
}

static int
parse_bool(struct str text, struct value *v, struct strbuf *why)
{
	v->b = str_ieq(text, STR("true"));
	if (v->b || str_ieq(text, STR("false")))
		return 0;
	strbuf_printf(why, "'" STR_FMT "' is neither true nor false", STR_ARG(text));
	return -1;
}

static int
wrong_ip(struct str text, struct strbuf *why)
{
	strbuf_printf(why, "'" STR_FMT "' is not an IP address; write one like "
	    "192.0.2.1 or 2001:db8::1", STR_ARG(text));
	if (text.n > 0 && text.p[0] == '[')
		strbuf_puts(why, ", without brackets");
	return -1;
}

/* Prefix length in decimal, at most `max`; -1 if it is none. */
static int
parse_bits(struct str s, int max)
{
	int n = 0;

	if (s.n == 0 || s.n > 3)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		n = n * 10 + (s.p[i] - '0');
	}
	return n <= max ? n : -1;
}

static int
parse_net(struct str text, struct value *v, struct strbuf *why)
{
	const char *slash = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
	struct str host = text, rest = STR_NONE;
	struct ipnet net = { .bits = 128 }, clean;
	int bits, max, base;

	if (slash != NULL) {
		host.n = (size_t)(slash - text.p);
		rest = (struct str){ slash + 1, text.n - host.n - 1 };
	}
	if (ipaddr_parse(host, &net.addr) != 0)
		return wrong_ip(text, why);
	if (slash != NULL) {
		max = memchr(host.p, ':', host.n) == NULL ? 32 : 128;
		base = 128 - max;
		if ((bits = parse_bits(rest, max)) < 0) {
			strbuf_printf(why, "'" STR_FMT "' needs a prefix length "
			    "from 0 to %d after the slash", STR_ARG(text), max);
			return -1;
		}
		net.bits = (uint8_t)(base + bits);
		clean = net;
		ipnet_clear(&clean);
		if (memcmp(&clean.addr, &net.addr, sizeof(net.addr)) != 0) {
			strbuf_printf(why, STR_FMT " has host bits set; did you mean ",
			    STR_ARG(text));
			if (max == 128 && ipaddr_is_v4(&clean.addr))
				strbuf_puts(why, "::ffff:");
			ipaddr_print(&clean.addr, why);
			strbuf_printf(why, "/%d?", bits);
			return -1;
		}
	}
	v->net = net;
	return 0;
}

static int
parse_ip(enum op op, struct str text, struct value *v, struct strbuf *why)
{
	if (op_takes_entry(op))
		return parse_net(text, v, why);
	if (ipaddr_parse(text, &v->ip) == 0)
		return 0;
	if (text.n > 0 && memchr(text.p, '/', text.n) != NULL) {
		strbuf_printf(why, "'" STR_FMT "' is a network; write: in " STR_FMT,
		    STR_ARG(text), STR_ARG(text));
		return -1;
	}
	return wrong_ip(text, why);
}

/* Nothing that could not come in a command or header field can ever match. */
static bool
has_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

bool
domain_is_host(struct str s)
{
	if (s.n > 253)
		return false;
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return true;
	for (size_t i = 0, start = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", s.p[i]) == NULL ||
			    s.p[i] == '\0')
				return false;
			continue;
		}
		if (i == start || i - start > 63 || s.p[start] == '-' || s.p[i - 1] == '-')
			return false;
		start = i + 1;
	}
	return true;
}

/* An entry that no name can match says something else than was meant; normal is in lower case, .x for all below x. */
static int
check_host(enum op op, struct str text, struct str normal, struct strbuf *why)
{
	if (normal.n > 1 && normal.p[0] == '.')
		normal = (struct str){ normal.p + 1, normal.n - 1 };
	if (!op_takes_entry(op) || domain_is_host(normal))
		return 0;
	strbuf_printf(why, "'" STR_FMT "' can't be a domain name: between its dots stand letters, "
	    "digits and -, which neither begins nor ends a part", STR_ARG(text));
	return -1;
}

static int
parse_domain(enum op op, struct arena *a, struct str text, struct value *v,
    struct strbuf *why)
{
	struct str s = text;

	if (s.n == 0 || has_blank(s) || (!is_part(op) && str_eq(s, STR(".")))) {
		strbuf_printf(why, "'" STR_FMT "' is not a domain name; write one "
		    "like example.org", STR_ARG(text));
		return -1;
	}
	if (!is_part(op) && memchr(s.p, '@', s.n) != NULL) {
		strbuf_printf(why, "'" STR_FMT "' is an address, not a domain name; "
		    "write what follows the @", STR_ARG(text));
		return -1;
	}
	if (!is_part(op) && s.n > 1 && s.p[0] == '*' && s.p[1] == '.') {
		strbuf_printf(why, "'" STR_FMT "' is not a domain name; for any name "
		    "below it write: in { " STR_FMT " }", STR_ARG(text),
		    (int)(s.n - 1), s.p + 1);
		return -1;
	}
	if (op == OP_IS && s.p[0] == '.') {
		strbuf_printf(why, "no domain name begins with a dot; for any name "
		    "below it write: in { " STR_FMT " }", STR_ARG(text));
		return -1;
	}
	/* The final dot of a part is a part of it: ends with "." must not become "". */
	v->s = is_part(op) && s.p[s.n - 1] == '.' ? str_lower(a, s) :
	    domain_normal(a, s);
	if (v->s.p == NULL)
		return no_memory(why);
	for (size_t i = 0; i < v->s.n; i++)
		if ((unsigned char)v->s.p[i] >= 0x80) {
			strbuf_printf(why, "'" STR_FMT "' has no A-label form (xn--...), "
			    "in which domain names are compared", STR_ARG(text));
			return -1;
		}
	return check_host(op, text, v->s, why);
}

static int
wrong_address(struct str text, const char *mend, struct strbuf *why)
{
	strbuf_printf(why, "'" STR_FMT "' is not an address; write one like "
	    "user@example.org%s", STR_ARG(text), mend);
	return -1;
}

static int
parse_address(enum op op, struct arena *a, struct str text, struct value *v,
    struct strbuf *why)
{
	struct str s = str_trim(text);

	if (is_part(op)) {
		if (text.n == 0)
			return wrong_address(text, ", or a part of one", why);
		v->mb = (struct mailbox){ .text = str_dup(a, text) };
		return v->mb.text.p != NULL ? 0 : no_memory(why);
	}
	if (s.n > 1 && s.p[0] == '@') {
		if (!op_takes_entry(op)) {
			strbuf_printf(why, "'" STR_FMT "' stands for all addresses of a "
			    "domain; write: in { " STR_FMT " }", STR_ARG(s), STR_ARG(s));
			return -1;
		}
		v->mb.text = str_dup(a, s);
		v->mb.local = STR_NONE;
		v->mb.domain = domain_normal(a, (struct str){ s.p + 1, s.n - 1 });
		if (v->mb.text.p == NULL || v->mb.domain.p == NULL)
			return no_memory(why);
		return has_blank(s) || memchr(s.p + 1, '@', s.n - 1) != NULL ||
		    str_eq(v->mb.domain, STR(".")) ?
		    wrong_address(text, ", or @example.org", why) :
		    check_host(op, text, v->mb.domain, why);
	}
	v->mb = mailbox_parse(a, s);
	if (v->mb.text.p == NULL || v->mb.local.p == NULL || v->mb.domain.p == NULL)
		return no_memory(why);
	/* <postmaster> is an address without a domain (RFC 5321, 4.5.1). */
	if (v->mb.domain.n == 0 && s.n > 0 &&
	    (memchr(s.p, '@', s.n) != NULL || memchr(s.p, '.', s.n) != NULL))
		return wrong_address(text, op_takes_entry(op) ?
		    "; for all of a domain @example.org" : ", or <>", why);
	return has_blank(v->mb.domain) || memchr(v->mb.text.p, '\0', v->mb.text.n) != NULL ?
	    wrong_address(text, "", why) :
	    v->mb.domain.n > 0 ? check_host(op, text, v->mb.domain, why) : 0;
}

int
type_parse(enum type_id id, enum op op, struct arena *a, struct str text,
    struct value *v, struct strbuf *why)
{
	memset(v, 0, sizeof(*v));
	switch (id) {
	case T_BOOL:
		return parse_bool(text, v, why);
	case T_NUMBER:
	case T_SIZE:
	case T_DURATION:
		return parse_number(id, text, v, why);
	case T_ADDR:
		return parse_ip(op, text, v, why);
	case T_DOMAIN:
		return parse_domain(op, a, text, v, why);
	case T_ADDRESS:
		return parse_address(op, a, text, v, why);
	case T_TEXT:
	case T_RAW:
		if (is_part(op) && text.n == 0) {
			strbuf_printf(why, "every text %s \"\"", op_name(op));
			return -1;
		}
		v->s = str_dup(a, text);
		return v->s.p != NULL ? 0 : no_memory(why);
	case T_SPF:
	case T_DKIM:
	case T_DMARC:
	case T_DMARC_POLICY:
	case T_DMARC_METHOD:
	case T_ARC:
	case T_PART:
	case T_DEFECT:
	case T_IPREV:
	case T_RESULT:
	case T_WEEKDAY:
		return parse_word(id, text, v, why);
	case T_COUNT:
		break;
	}
	return -1;
}
