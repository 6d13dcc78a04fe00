/*
 * include.c - `include` statements: a glob, and the files that it names.
 *
 * The order of files decides what rules do, so it must be the same whoever
 * looks: names are sorted by octets, not by the locale.  A file that lies
 * there and isn't read is worth a warning, since nobody who put it there
 * meant it to be ignored - except dot files and what editors and package
 * managers leave behind, which are never read, and get the warning only if
 * the pattern asks for them.
 */
#include "parse_int.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source.h"

#define NAMED_MAX	3	/* skipped files that one warning names */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcmp(s + n - m, end) == 0;
}

/* Is it a copy that an editor, patch(1) or a package manager made? */
static bool
is_left_behind(const char *name)
{
	static const char *const ends[] = {
		"~", ".bak", ".old", ".orig", ".rej", ".save", ".swp", ".tmp",
		".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-tmp",
		".ucf-old", ".ucf-new", ".ucf-dist", ".rpmnew", ".rpmorig",
		".rpmsave"
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(name, ends[i]))
			return true;
	return name[0] == '#';
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
by_octets(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_loop(struct parser *p, struct span at, const char *path)
{
	const struct parse_file *f;
	struct stat st;

	if (stat(path, &st) == -1)
		return false;		/* reading it will tell why */
	for (f = p->file; f != NULL; f = f->includer)
		if (f->dev == st.st_dev && f->ino == st.st_ino &&
		    f->ino != 0) {
			diag_error(p->d, at, "include loop: this file "
			    "includes %s, and is itself a part of it", path);
			return true;
		}
	return false;
}

static void
include_file(struct parser *p, struct span at, const char *path)
{
	struct parse_file file = { .includer = p->file };
	struct source *src;
	struct stat st;

	if (p->nsources >= PARSE_SOURCES_MAX) {
		diag_error(p->d, at, "more than %d files are included",
		    PARSE_SOURCES_MAX);
		p->ast->incomplete = true;
		return;
	}
	if (is_loop(p, at, path))
		return;
	src = source_read(p->a, path, SOURCE_FILE_MAX, at, p->d);
	if (src == NULL)
		return;
	src->includer = p->file->src;
	src->order = p->nsources++;
	*p->src_end = src;
	p->src_end = &src->next;
	if (src->text.p == NULL || !source_check(src, p->d)) {
		p->ast->incomplete = true;
		return;
	}
	if (stat(path, &st) == 0) {
		file.dev = st.st_dev;
		file.ino = st.st_ino;
	}
	file.src = src;
	file.depth = p->file->depth + 1;
	parse_source(p, &file);
}

struct skipped {
	char	*names[NAMED_MAX];
	size_t	 n;
};

/* Keeps the first few names by octets. */
static void
skipped_add(struct parser *p, struct skipped *s, const char *name)
{
	char *copy = str_cstr(p->a, str_of(name));
	size_t i = s->n < NAMED_MAX ? s->n : NAMED_MAX;

	s->n++;
	if (copy == NULL)
		return;
	while (i > 0 && strcmp(s->names[i - 1], copy) > 0) {
		if (i < NAMED_MAX)
			s->names[i] = s->names[i - 1];
		i--;
	}
	if (i < NAMED_MAX)
		s->names[i] = copy;
}

static void
warn_skipped(struct parser *p, struct span at, const struct skipped *s)
{
	struct strbuf b = { 0 };

	if (s->n == 0 || arena_failed(p->a))
		return;
	for (size_t i = 0; i < s->n && i < NAMED_MAX; i++)
		strbuf_printf(&b, "%s%s", i > 0 ? ", " : "", s->names[i]);
	if (s->n > NAMED_MAX)
		strbuf_printf(&b, " and %zu more", s->n - NAMED_MAX);
	if (!b.failed)
		diag_warning(p->d, at, "not included, although in that "
		    "directory: %s", b.p);
	strbuf_free(&b);
}

static bool
is_regular(const char *dir, const char *name)
{
	struct strbuf path = { 0 };
	struct stat st;
	bool yes;

	strbuf_printf(&path, "%s%s", dir, name);
	yes = !path.failed && stat(path.p, &st) == 0 && S_ISREG(st.st_mode);
	strbuf_free(&path);
	return yes;
}

/*
 * Is it the directory of the file that includes?  There lie lists and the
 * like, too: only a directory of its own is meant to be read whole.
 */
static bool
is_own_directory(const struct parser *p, const char *dir)
{
	const char *own = p->file->src->dir.n > 0 ? p->file->src->dir.p : ".";
	struct stat a, b;

	return stat(*dir != '\0' ? dir : ".", &a) == 0 && stat(own, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Looks through the pattern's directory for files that were passed over. */
static void
find_skipped(struct parser *p, struct span at, const char *pattern)
{
	const char *last = base_name(pattern);
	char *dir = str_cstr(p->a,
	    (struct str){ pattern, (size_t)(last - pattern) });
	struct skipped skipped = { .n = 0 };
	const struct dirent *e;
	bool own;
	DIR *d;

	/* Which directories a pattern in their names leaves out is no mistake. */
	if (dir == NULL || strpbrk(dir, "*?[") != NULL ||
	    (d = opendir(*dir != '\0' ? dir : ".")) == NULL)
		return;
	own = is_own_directory(p, dir);
	while ((e = readdir(d)) != NULL) {
		bool match = fnmatch(last, e->d_name, FNM_PERIOD) == 0;

		if (match == is_left_behind(e->d_name) && (match || !own) &&
		    e->d_name[0] != '.' && is_regular(dir, e->d_name))
			skipped_add(p, &skipped, e->d_name);
	}
	(void)closedir(d);
	warn_skipped(p, at, &skipped);
}

static void
include_all(struct parser *p, struct span at, const char *pattern)
{
	bool wild = strpbrk(pattern, "*?[") != NULL;
	glob_t g = { 0 };
	int rc;

	if (!wild) {
		include_file(p, at, pattern);
		return;
	}
	rc = glob(pattern, GLOB_NOSORT, NULL, &g);
	if (rc != 0 && rc != GLOB_NOMATCH)
		diag_error(p->d, at, "cannot look for %s: %s", pattern,
		    rc == GLOB_NOSPACE ? "out of memory" : strerror(errno));
	else if (rc == GLOB_NOMATCH)
		diag_warning(p->d, at, "no file matches %s", pattern);
	if (g.gl_pathc > 1)
		qsort(g.gl_pathv, g.gl_pathc, sizeof(*g.gl_pathv), by_octets);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!is_left_behind(base_name(g.gl_pathv[i])))
			include_file(p, at, g.gl_pathv[i]);
	globfree(&g);
	find_skipped(p, at, pattern);
}

bool
parse_include(struct parser *p, struct token start)
{
	struct token tok = parse_peek(p), next;
	struct str pattern;
	char *path;

	(void)start;
	if (tok.kind != TOK_STRING) {
		if (tok.kind == TOK_WORD)
			diag_error(p->d, tok.at, "the path needs quotes "
			    "around it");
		else
			parse_expected(p, &tok, "a path in quotes");
		return false;
	}
	parse_take(p, &tok);
	if (!parse_string(p, &tok, &pattern))
		return false;
	next = parse_peek(p);
	if (next.kind != TOK_END) {
		diag_error(p->d, next.at, "'include' takes one path");
		return false;
	}
	if (pattern.n == 0) {
		diag_error(p->d, tok.at, "this path is empty");
		return false;
	}
	if (p->file->depth >= PARSE_INCLUDE_DEPTH) {
		diag_error(p->d, tok.at, "files are included more than %d "
		    "deep", PARSE_INCLUDE_DEPTH);
		return false;
	}
	if ((path = source_path(p->a, p->file->src, pattern)) == NULL)
		return false;
	include_all(p, tok.at, path);
	return true;
}
