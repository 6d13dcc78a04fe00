/*
 * received_spf.c - the Received-SPF field (RFC 7208, 9.1), for those further
 * down who read it instead of Authentication-Results.
 *
 * Nothing in it is needed to get mail delivered, so what would need care (octets
 * beyond ASCII, values without end) is left out rather than rewritten.
 */
#include "received_spf.h"

#include <string.h>

#include "rules/arena.h"

#define VALUE_MAX	500
#define COLUMN_MAX	76

static bool
is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= VALUE_MAX;
}

/* RFC 5322, 3.2.3. */
static bool
is_dot_atom(struct str s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' ? dot : !((c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL)))
			return false;
		dot = c == '.';
	}
	return !dot;
}

/* Can it stand in a comment as it is? */
static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("()\\", s.p[i]) != NULL)
			return false;
	return is_printable(s);
}

/* "key=value", on a line of its own if this one is full. */
static void
put_pair(struct strbuf *b, size_t *line, const char *key, struct str value)
{
	if (!is_printable(value))
		return;
	strbuf_putc(b, ';');
	if (b->n - *line + strlen(key) + value.n + 4 > COLUMN_MAX) {
		strbuf_puts(b, "\n\t");
		*line = b->n;
	} else
		strbuf_putc(b, ' ');
	strbuf_printf(b, "%s=", key);
	if (is_dot_atom(value)) {
		strbuf_str(b, value);
		return;
	}
	strbuf_putc(b, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			strbuf_putc(b, '\\');
		strbuf_putc(b, value.p[i]);
	}
	strbuf_putc(b, '"');
}

/* What the result means, for people. */
static void
put_comment(struct strbuf *b, const struct received_spf *r, struct str ip)
{
	static const struct { const char *before, *after; } words[] = {
		[SPF_R_NONE] = { "domain of ", " has no SPF record" },
		[SPF_R_NEUTRAL] = { "domain of ", " says nothing of " },
		[SPF_R_PASS] = { "domain of ", " designates it as permitted sender: " },
		[SPF_R_FAIL] = { "domain of ", " does not designate it as permitted sender: " },
		[SPF_R_SOFTFAIL] = { "domain of ", " probably does not designate it as permitted sender: " },
		[SPF_R_TEMPERROR] = { "lookup failed for ", "" },
		[SPF_R_PERMERROR] = { "wrong SPF record of ", "" },
	};
	enum spf_result result = r->spf->result;

	if (!is_plain(r->spf->domain))
		return;
	strbuf_printf(b, " (%s" STR_FMT "%s", words[result].before,
	    STR_ARG(r->spf->domain), words[result].after);
	if (result != SPF_R_NONE && result != SPF_R_TEMPERROR && result != SPF_R_PERMERROR)
		strbuf_str(b, ip);
	strbuf_putc(b, ')');
}

struct str
received_spf_write(struct arena *a, const struct received_spf *r)
{
	char room[512], address[64];
	struct strbuf b = STRBUF_IN(room), ip = STRBUF_IN(address);
	struct str value = STR_NONE;
	size_t line;

	ipaddr_print(&r->client, &ip);
	strbuf_puts(&b, type_of(T_SPF)->words[r->spf->result]);
	put_comment(&b, r, strbuf_slice(&ip));
	strbuf_puts(&b, "\n\t");
	line = b.n;
	strbuf_printf(&b, "identity=%s", r->sender.n > 0 ? "mailfrom" : "helo");
	put_pair(&b, &line, "client-ip", strbuf_slice(&ip));
	put_pair(&b, &line, "helo", r->helo);
	put_pair(&b, &line, "envelope-from", r->sender);
	put_pair(&b, &line, "receiver", r->receiver);
	put_pair(&b, &line, "mechanism", r->spf->mechanism);
	put_pair(&b, &line, "problem", r->spf->reason);
	if (!b.failed && !ip.failed)
		value = str_dup(a, strbuf_slice(&b));
	strbuf_free(&b);
	strbuf_free(&ip);
	return value;
}
