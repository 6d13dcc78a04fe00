/*
 * literals.c - looking for a pattern's literals in one subject.
 *
 * Plainly, one by one: it decides only what becomes of a pattern that came to its limit
 * (regex.c).  Many at once are prefilter.c's.
 */
#include "literal_of.h"

#include <string.h>

#define LONG_S		"\xc5\xbf"
#define KELVIN		"\xe2\x84\xaa"

/* By its first octet: memmem(3) takes ten times as long where that is rare. */
static bool
has(struct str s, struct str c)
{
	const char *p;

	while (s.n >= c.n && (p = memchr(s.p, c.p[0], s.n - c.n + 1)) != NULL) {
		if (memcmp(p, c.p, c.n) == 0)
			return true;
		s = (struct str){ p + 1, s.n - (size_t)(p + 1 - s.p) };
	}
	return false;
}

bool
literals_folds(struct str subject)
{
	return has(subject, STR(LONG_S)) || has(subject, STR(KELVIN));
}

void
literals_fold(struct str subject, struct strbuf *out)
{
	for (size_t i = 0; i < subject.n; ) {
		struct str rest = { subject.p + i, subject.n - i };

		if (rest.n >= 2 && memcmp(rest.p, LONG_S, 2) == 0) {
			strbuf_putc(out, 's');
			i += 2;
		} else if (rest.n >= 3 && memcmp(rest.p, KELVIN, 3) == 0) {
			strbuf_putc(out, 'k');
			i += 3;
		} else {
			strbuf_putc(out, rest.p[0]);
			i++;
		}
	}
}

bool
literals_in(const struct literals *l, struct str subject)
{
	struct strbuf folded = { 0 };
	bool found = false;

	if (literals_folds(subject)) {
		literals_fold(subject, &folded);
		if (folded.failed) {
			strbuf_free(&folded);
			return true;
		}
		subject = strbuf_slice(&folded);
	}
	for (size_t i = 0; i < l->n && !found; i++)
		found = str_ifind(subject, l->v[i]) >= 0;
	strbuf_free(&folded);
	return found;
}
