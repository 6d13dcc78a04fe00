/*
 * literals.c - looking for what a pattern needs in one subject.
 *
 * Plainly, one by one: it decides only what becomes of a pattern that came to its limit
 * (regex.c).  Many at once are prefilter.c's, which has letters and runs from here.
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
	const char *p = subject.p, *from = p, *end = p + subject.n;

	while (p < end) {
		size_t n = 0;

		if (*p == LONG_S[0] && end - p >= 2 && memcmp(p, LONG_S, 2) == 0)
			n = 2;
		else if (*p == KELVIN[0] && end - p >= 3 && memcmp(p, KELVIN, 3) == 0)
			n = 3;
		if (n == 0) {
			p++;
			continue;
		}
		strbuf_add(out, from, (size_t)(p - from));
		strbuf_putc(out, n == 2 ? 's' : 'k');
		from = p += n;
	}
	strbuf_add(out, from, (size_t)(end - from));
}

/* What each octet is among letters and digits; 0: none. */
static const unsigned char letters[256] = {
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
#define LETTER(upper, lower)	[upper] = (lower), [lower] = (lower)
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'),
	LETTER('E', 'e'), LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'),
	LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
	LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'),
	LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
	LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
	LETTER('Y', 'y'), LETTER('Z', 'z'),
#undef LETTER
};

size_t
letters_squeeze(struct str subject, char *out)
{
	unsigned char last = 0;
	size_t n = 0;

	for (size_t i = 0; i < subject.n; i++) {
		unsigned char c = letters[(unsigned char)subject.p[i]];

		/* Without a branch: there is no telling what comes next. */
		out[n] = (char)c;
		n += c != 0 && c != last;
		last = c != 0 ? c : last;
	}
	return n;
}

struct run
octets_of(struct str subject)
{
	struct run has = { .n = 1 };
	bool seen[256] = { false };

	for (size_t i = 0; i < subject.n; i++)
		seen[(unsigned char)subject.p[i]] = true;
	for (unsigned c = 0; c < 256; c++)
		if (seen[c])
			run_add(&has, c);
	return has;
}

unsigned
run_share(const struct run *run)
{
	unsigned sum = run->high ? 10 : 0;

	for (unsigned c = 0; c < 0x80; c++)
		if ((run->ascii[c / 64] >> (c % 64) & 1) != 0)
			sum += c == ' ' ? 150 : c == 'e' || c == 't' ? 80 : c == '\n' ? 15 :
			    c < 'a' || c > 'z' ? (c >= '0' && c <= '9' ? 5 : 3) :
			    strchr("aoinsrhl", (int)c) != NULL ? 45 : strchr("vkxjqz", (int)c) != NULL ? 6 : 20;
	return sum;
}

static bool
run_takes(const struct run *run, unsigned char c)
{
	return c < 0x80 ? (run->ascii[c / 64] >> (c % 64) & 1) != 0 : run->high;
}

/* Looked for from its end: where one octet isn't of it, it begins behind that at the earliest. */
static bool
long_run_in(const struct run *run, struct str s)
{
	size_t begin = 0, known = 0;	/* from the one to the other all are of it */

	while (s.n - begin >= run->n) {
		size_t end = begin + run->n, i = end;

		while (i > known && run_takes(run, (unsigned char)s.p[i - 1]))
			i--;
		if (i == known)
			return true;
		known = end;
		begin = i;
	}
	return false;
}

bool
run_in(const struct run *run, struct str subject, const struct run *has)
{
	if ((run->ascii[0] & has->ascii[0]) == 0 && (run->ascii[1] & has->ascii[1]) == 0 &&
	    !(run->high && has->high))
		return false;
	return run->n == 1 || long_run_in(run, subject);
}

static bool
any_in(const struct literals *l, struct str subject)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_ifind(subject, l->v[i]) >= 0)
			return true;
	return false;
}

static bool
letters_in(const struct literals *l, struct str subject)
{
	char few[LITERALS_ROOM];
	struct strbuf b = STRBUF_IN(few);
	bool found;

	found = !strbuf_reserve(&b, subject.n) ||
	    any_in(l, (struct str){ b.p, letters_squeeze(subject, b.p) });
	strbuf_free(&b);
	return found;
}

static bool
clauses_in(const struct needed *n, struct str subject)
{
	for (unsigned i = 0; i < n->n; i++) {
		const struct clause *c = &n->clauses[i];

		if (c->letters ? !letters_in(&c->words, subject) : !any_in(&c->words, subject))
			return false;
	}
	return true;
}

bool
needed_in(const struct needed *n, struct str subject)
{
	char few[LITERALS_ROOM];
	struct strbuf folded = STRBUF_IN(few);
	bool found;

	if (n->run.n > 0) {
		struct run has = octets_of(subject);

		if (!run_in(&n->run, subject, &has))
			return false;
	}
	if (!n->text || !literals_folds(subject))
		return clauses_in(n, subject);
	literals_fold(subject, &folded);
	found = folded.failed || clauses_in(n, strbuf_slice(&folded));
	strbuf_free(&folded);
	return found;
}
