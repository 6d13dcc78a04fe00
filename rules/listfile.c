/*
 * listfile.c - the lines of list files.
 *
 * One entry a line and no quoting, so that other programs' lists can be used
 * as they are and a script can write one.
 *
 * What an entry means is literal.c's and regex.c's; the file as a file, its
 * encoding and line ends, source.c's.
 */
#include "listfile.h"

#include <string.h>

static struct str
trim(struct str s)
{
	while (s.n > 0 && char_is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && char_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The line up to a comment: a # that is first or follows a blank. */
static struct str
without_comment(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || char_is_blank(line.p[i - 1])))
			return trim((struct str){ line.p, i });
	return trim(line);
}

static struct span
span_of(const struct source *src, struct str s)
{
	return (struct span){ src, (size_t)(s.p - src->text.p), s.n };
}

/* May this stand behind a pattern's last slash: flags, and a comment? */
static bool
ends_pattern(struct str rest)
{
	while (rest.n > 0 && strchr("imsx", rest.p[0]) != NULL) {
		rest.p++;
		rest.n--;
	}
	return rest.n == 0 || (char_is_blank(rest.p[0]) && without_comment(rest).n == 0);
}

/*
 * /regex/flags, where the regex may hold slashes and what looks like a
 * comment: it ends at the last slash behind which nothing else stands.
 */
static bool
split_pattern(const struct source *src, struct str line, struct diag *d,
    struct listfile_entry *e)
{
	size_t end = 0;

	if (line.p[0] != '/') {
		diag_error(d, span_of(src, without_comment(line)), "a pattern is "
		    "written between slashes, like /wire transfer/i");
		return false;
	}
	for (size_t i = line.n - 1; i > 0 && end == 0; i--)
		if (line.p[i] == '/' &&
		    ends_pattern((struct str){ line.p + i + 1, line.n - i - 1 }))
			end = i;
	/* Whatever follows it then is a wrong flag. */
	for (size_t i = line.n - 1; i > 0 && end == 0; i--)
		if (line.p[i] == '/')
			end = i;
	if (end == 0) {
		diag_error(d, span_of(src, line), "this pattern has no closing /");
		return false;
	}
	e->text = (struct str){ line.p + 1, end - 1 };
	e->flags = without_comment((struct str){ line.p + end + 1, line.n - end - 1 });
	e->at = span_of(src, (struct str){ line.p, end + 1 + e->flags.n });
	return true;
}

int
listfile_each(const struct source *src, bool patterns, struct diag *d,
    int (*fn)(void *arg, const struct listfile_entry *e), void *arg)
{
	struct str rest = src->text, line;
	struct listfile_entry e = { 0 };
	const char *nl;

	while (rest.n > 0) {
		nl = memchr(rest.p, '\n', rest.n);
		line = (struct str){ rest.p, nl != NULL ? (size_t)(nl - rest.p) : rest.n };
		rest.p += line.n + (nl != NULL);
		rest.n -= line.n + (nl != NULL);

		line = trim(line);
		if (without_comment(line).n == 0)
			continue;
		if (!patterns) {
			e.text = without_comment(line);
			e.at = span_of(src, e.text);
		} else if (!split_pattern(src, line, d, &e))
			continue;
		if (fn(arg, &e) != 0)
			return -1;
	}
	return 0;
}
