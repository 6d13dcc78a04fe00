/*
 * source.c - a file's text, read whole and looked over.
 *
 * All that is wrong with a file as a file is told here, once, so that the
 * lexer needs not think of it: what it gets has no NULs, and what isn't UTF-8
 * is reported already.  The text is not copied or changed after reading, since
 * every span points into it.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "lex.h"

static struct str
directory(struct arena *a, struct str path)
{
	while (path.n > 0 && path.p[path.n - 1] != '/')
		path.n--;
	return str_dup(a, path);
}

struct source *
source_text(struct arena *a, struct str name, struct str text, const char *dir)
{
	struct source *src = arena_new_object(a, struct source);
	struct str d = str_of(dir != NULL ? dir : "");

	if (src == NULL)
		return NULL;
	src->name = str_dup(a, name);
	src->text = str_dup(a, text);
	src->dir = d.n > 0 && d.p[d.n - 1] != '/' ?
	    str_printf(a, "%s/", d.p) : str_dup(a, d);
	return src->name.p != NULL && src->text.p != NULL &&
	    src->dir.p != NULL ? src : NULL;
}

char *
source_path(struct arena *a, const struct source *src, struct str path)
{
	struct str s;

	if (path.n > 0 && path.p[0] == '/')
		return str_cstr(a, path);
	s = str_printf(a, STR_FMT STR_FMT, STR_ARG(src->dir), STR_ARG(path));
	return s.p != NULL ? str_cstr(a, s) : NULL;
}

/* Tells what kept a file from being read, where it is named or by its own name. */
static void
unreadable(struct source *src, struct span at, struct diag *d,
    const char *why)
{
	if (at.src != NULL)
		diag_error(d, at, "cannot read " STR_FMT ": %s",
		    STR_ARG(src->name), why);
	else
		diag_error(d, (struct span){ src, 0, 0 },
		    "cannot read this file: %s", why);
}

/*
 * Reads fd to its end; the text goes with the arena.  Without it errno tells
 * why, EFBIG if the text is too long.
 */
static struct str
read_all(struct arena *a, int fd, size_t max)
{
	struct strbuf b = { 0 };
	char chunk[65536];
	ssize_t n;

	strbuf_add(&b, "", 0);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || b.n + (size_t)n > max) {
			errno = n == -1 ? errno : EFBIG;
			free(b.p);
			return STR_NONE;
		}
		strbuf_add(&b, chunk, (size_t)n);
	}
	if (b.failed) {
		free(b.p);
		errno = ENOMEM;
		return STR_NONE;
	}
	/* A list may be large: no second copy of it. */
	if (arena_defer(a, free, b.p) == -1) {
		errno = ENOMEM;
		return STR_NONE;
	}
	return strbuf_slice(&b);
}

struct source *
source_read(struct arena *a, const char *path, size_t max, struct span at,
    struct diag *d)
{
	struct source *src = arena_new_object(a, struct source);
	struct stat st;
	int fd;

	if (src == NULL || (src->name = str_dup(a, str_of(path))).p == NULL ||
	    (src->dir = directory(a, src->name)).p == NULL)
		return NULL;
	/* A FIFO would hold us up until somebody writes. */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		unreadable(src, at, d, strerror(errno));
		return src;
	}
	if (fstat(fd, &st) == -1)
		unreadable(src, at, d, strerror(errno));
	else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		unreadable(src, at, d, S_ISDIR(st.st_mode) ?
		    "it is a directory" : "it is no regular file");
	else if ((src->text = read_all(a, fd, max)).p == NULL)
		unreadable(src, at, d, errno != EFBIG ? strerror(errno) :
		    max == SOURCE_FILE_MAX ? "it is longer than 16M" :
		    "it is too long");
	(void)close(fd);
	return src;
}

/*
 * The octet of the line that must not stand in it, or n.  Comments may hold
 * anything; where they begin is the lexer's rule, without knowing of regexes:
 * at worst a comment behind one with a quote in it is held to the rule.
 */
static size_t
bad_octet(struct str line)
{
	bool quoted = false;
	size_t n;

	for (size_t i = 0; i < line.n; i += n) {
		unsigned char c = (unsigned char)line.p[i];

		n = utf8_len((struct str){ line.p + i, line.n - i });
		if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f)
			return i;
		if (quoted && c == '\\' && i + 1 < line.n)
			n = 1 + (line.p[i + 1] == '"' ||
			    line.p[i + 1] == '\\');
		else if (c == '"')
			quoted = !quoted;
		else if (c == '#' && !quoted &&
		    (i == 0 || lex_is_blank(line.p[i - 1])))
			return line.n;
	}
	return line.n;
}

static void
check_line(const struct source *src, struct str line, struct diag *d)
{
	size_t i, off = (size_t)(line.p - src->text.p);
	struct span at = { src, off, 1 };
	unsigned char c;

	if (line.n > SOURCE_LINE_MAX) {
		at.off += SOURCE_LINE_MAX;
		diag_error(d, at, "this line has %zu octets; a line may have "
		    "%u, so break it up into indented lines", line.n,
		    SOURCE_LINE_MAX);
		return;
	}
	if ((i = bad_octet(line)) == line.n)
		return;
	at.off += i;
	c = (unsigned char)line.p[i];
	if (c < 0x20 || c == 0x7f)
		diag_error(d, at, "control character 0x%02x; write \\n or \\t "
		    "in a string, and leave out others", c);
	else
		diag_error(d, at, "octet 0x%02x is not UTF-8; save the file "
		    "as UTF-8", c);
}

/* Binary files and UTF-16 would give an error a character. */
static bool
is_text(const struct source *src, struct diag *d)
{
	struct str t = src->text;
	const char *nul = memchr(t.p, '\0', t.n);

	if (t.n >= 2 && (memcmp(t.p, "\xff\xfe", 2) == 0 ||
	    memcmp(t.p, "\xfe\xff", 2) == 0)) {
		diag_error(d, (struct span){ src, 0, 2 },
		    "this file is UTF-16; save it as UTF-8");
		return false;
	}
	if (nul != NULL) {
		diag_error(d, (struct span){ src, (size_t)(nul - t.p), 1 },
		    "NUL octet; this is no text file, or it is UTF-16: "
		    "save it as UTF-8");
		return false;
	}
	return true;
}

bool
source_check(struct source *src, struct diag *d)
{
	struct str *t = &src->text;
	bool crlf = false, whole = true;
	size_t off, end;

	if (!is_text(src, d))
		return false;
	if (t->n >= 3 && memcmp(t->p, "\xef\xbb\xbf", 3) == 0) {
		*t = (struct str){ t->p + 3, t->n - 3 };
		diag_warning(d, (struct span){ src, 0, 0 }, "the file begins "
		    "with a byte order mark; save it as UTF-8 without one");
	}
	for (off = 0; off < t->n; off = end + 1) {
		struct str line = { t->p + off, 0 };

		line.n = (end = lex_line_end(*t, off)) - off;
		if (line.n > 0 && line.p[line.n - 1] == '\r') {
			line.n--;
			if (!crlf)
				diag_warning(d,
				    (struct span){ src, off + line.n, 1 },
				    "lines end in CR LF; save the file with "
				    "Unix line ends");
			crlf = true;
		}
		check_line(src, line, d);
		whole = whole && line.n <= SOURCE_LINE_MAX;
	}
	if (t->n == 0)
		diag_warning(d, (struct span){ src, 0, 0 },
		    "the file is empty");
	else if (t->p[t->n - 1] != '\n')
		diag_warning(d, (struct span){ src, t->n, 0 },
		    "no newline at the end of the file; was it saved whole?");
	return whole;
}
