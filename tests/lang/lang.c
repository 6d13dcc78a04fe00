/*
 * lang.c - the language by example: each rules file beside what comes of it.
 *
 *	build/tests/lang/lang [--accept] FILE.rules...
 *
 * NAME.rules is loaded from its own directory.  If there is anything to say
 * about it, NAME.err holds the diagnostics to the octet.  If it loads, NAME.ok
 * holds its canonical form, with a comment under each rule that tells when it
 * is known and when its verdict is given; read again, the canonical form must
 * print as itself.  A file with warnings has both.  --accept writes what comes
 * out, to be looked at by diff.
 *
 * Cases that are too large to keep are made here; their names begin with
 * "made-".
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/table_db.h"
#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/parse.h"
#include "rules/print.h"
#include "rules/rules.h"

static int count, failures;

static void
die(const char *what)
{
	fprintf(stderr, "lang: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
comment(const char *title, struct str text)
{
	printf("# %s\n", title);
	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;

		printf("#   %.*s\n", (int)n, text.p);
		text.p += n + (nl != NULL);
		text.n -= n + (nl != NULL);
	}
}

static void
result(bool ok, const char *name, const char *what)
{
	printf("%s %d - %s: %s\n", ok ? "ok" : "not ok", ++count, name, what);
	failures += !ok;
}

/* The file's text; p NULL if there is none. */
static struct str
slurp(struct arena *a, const char *path)
{
	struct strbuf b = { 0 };
	struct str s = STR_NONE;
	char chunk[4096];
	size_t n;
	FILE *f;

	if ((f = fopen(path, "r")) == NULL) {
		if (errno != ENOENT)
			die(path);
		return s;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&b, chunk, n);
	if (ferror(f) || b.failed)
		die(path);
	fclose(f);
	s = str_dup(a, strbuf_slice(&b));
	strbuf_free(&b);
	return s;
}

static void
spill(const char *path, struct str s)
{
	FILE *f;

	if ((f = fopen(path, "w")) == NULL ||
	    fwrite(s.p, 1, s.n, f) != s.n || fclose(f) != 0)
		die(path);
}

/* The file must hold exactly that; with accept it will. p NULL: there must be none. */
static void
expect(struct arena *a, const char *name, const char *path, struct str got,
    bool accept)
{
	struct str want = slurp(a, path);

	if (accept) {
		if (got.p == NULL)
			(void)unlink(path);
		else if (want.p == NULL || !str_eq(want, got)) {
			printf("# %s is new\n", path);
			spill(path, got);
		}
		return;
	}
	if (want.p == NULL && got.p == NULL)
		return;
	result((want.p == NULL) == (got.p == NULL) && str_eq(want, got), name,
	    strstr(path, ".err") != NULL ? "is told this" : "reads as this");
	if ((want.p == NULL) != (got.p == NULL) || !str_eq(want, got)) {
		comment("wanted:", want);
		comment("got:", got);
	}
}

static void
diagnostics(struct diag *d, struct strbuf *out)
{
	char *p = NULL;
	size_t n = 0;
	FILE *f;

	if ((f = open_memstream(&p, &n)) == NULL)
		die("memory");
	diag_print(d, f, false);
	if (fclose(f) != 0)
		die("memory");
	strbuf_add(out, p, n);
	free(p);
}

static void
stages_of(const struct rule *r, struct strbuf *out)
{
	strbuf_printf(out, "    # %sknown at %s", r->per_rcpt ?
	    "judged for each recipient, " : "", stage_name(r->stage));
	if (r->reply_stage != r->stage)
		strbuf_printf(out, ", told at %s", stage_name(r->reply_stage));
	if (r->holder != NULL)
		strbuf_printf(out, ", held back by " STR_FMT,
		    STR_ARG(r->holder->name.text));
	strbuf_putc(out, '\n');
}

/* The canonical form, with the stages of each rule below its name. */
static void
annotate(const struct ast *ast, struct str text, struct strbuf *out)
{
	const struct rule *r = ast->rules;

	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) + 1 : text.n;
		struct str line = { text.p, n };

		strbuf_str(out, line);
		if (r != NULL && str_istarts(line, STR("rule "))) {
			stages_of(r, out);
			r = r->next;
		}
		text.p += n;
		text.n -= n;
	}
}

/* Reads what was printed, prints it again, and compares. */
static void
check_again(const char *name, struct str printed)
{
	struct arena *a = arena_new(0);
	struct diag *d = diag_new();
	struct strbuf again = { 0 };
	struct ast *ast = NULL;

	if (a != NULL && d != NULL)
		ast = parse_text(STR("canonical"), printed, "", a, d);
	if (ast != NULL)
		print_ast(ast, &again);
	result(ast != NULL && diag_errors(d) == 0 &&
	    str_eq(printed, strbuf_slice(&again)), name,
	    "its canonical form prints as itself");
	if (!str_eq(printed, strbuf_slice(&again)))
		comment("printed again:", strbuf_slice(&again));
	strbuf_free(&again);
	diag_free(d);
	arena_free(a);
}

/* rs or d says what came of loading NAME. */
static void
judge(const char *name, struct ruleset *rs, struct diag *d, bool accept)
{
	struct strbuf err = { 0 }, printed = { 0 }, ok = { 0 }, path = { 0 };
	struct arena *a = arena_new(0);

	if (a == NULL)
		die("memory");
	diagnostics(d, &err);
	if (rs != NULL) {
		print_ast(rules_ast(rs), &printed);
		annotate(rules_ast(rs), strbuf_slice(&printed), &ok);
		if (!accept)
			check_again(name, strbuf_slice(&printed));
	}
	strbuf_printf(&path, "%s.err", name);
	expect(a, name, path.p, err.n > 0 ? strbuf_slice(&err) : STR_NONE,
	    accept);
	path.n = 0;
	strbuf_printf(&path, "%s.ok", name);
	expect(a, name, path.p, rs == NULL ? STR_NONE : ok.n > 0 ?
	    strbuf_slice(&ok) : STR(""), accept);
	strbuf_free(&err);
	strbuf_free(&printed);
	strbuf_free(&ok);
	strbuf_free(&path);
	arena_free(a);
}

static void
run_file(const char *file, bool accept)
{
	struct diag *d = diag_new();
	struct ruleset *rs;
	char name[256];

	if (d == NULL)
		die("memory");
	(void)snprintf(name, sizeof(name), "%.*s",
	    (int)(strlen(file) - strlen(".rules")), file);
	rs = rules_load_with(file, &table_db_ops, d);
	judge(name, rs, d, accept);
	rules_release(rs);
	diag_free(d);
}

static void
fill(struct strbuf *b, const char *s, size_t times)
{
	while (times-- > 0)
		strbuf_puts(b, s);
}

static void
run_text(const char *name, struct strbuf *text, bool accept)
{
	struct diag *d = diag_new();
	struct ruleset *rs;
	char shown[128];

	if (d == NULL || text->failed)
		die("memory");
	(void)snprintf(shown, sizeof(shown), "%s.rules", name);
	rs = rules_load_text(str_of(shown), strbuf_slice(text), "", d);
	judge(name, rs, d, accept);
	rules_release(rs);
	diag_free(d);
	strbuf_free(text);
}

static void
run_made(bool accept)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "rule before\n    if   spf is fial\n    then accept\n");
	strbuf_puts(&b, "strings long =");
	fill(&b, " word", 2 << 20);
	strbuf_puts(&b, "\nrule after\n    if   spf is fial\n    then accept\n");
	run_text("made-line-of-10-megabytes", &b, accept);

	fill(&b, "# a comment of thirty-two octets.\n", 1 << 19);
	run_text("made-file-over-16-megabytes", &b, accept);

	strbuf_puts(&b, "rule deep\n    if   ");
	fill(&b, "(", 50000);
	strbuf_puts(&b, "spf is fail");
	fill(&b, ")", 50000);
	strbuf_puts(&b, "\n    then accept\n");
	run_text("made-50000-parentheses", &b, accept);

	for (int i = 0; i < 2000; i++)
		strbuf_printf(&b, "rule r%d\n    if   spf is fial\n", i);
	run_text("made-2000-mistakes", &b, accept);
}

int
main(int argc, char **argv)
{
	bool accept = argc > 1 && strcmp(argv[1], "--accept") == 0;
	char dir[4096], *file;
	int i = accept ? 2 : 1;

	if (i >= argc) {
		fprintf(stderr, "usage: lang [--accept] FILE.rules...\n");
		return 64;
	}
	(void)snprintf(dir, sizeof(dir), "%s", argv[i]);
	if (chdir(dirname(dir)) == -1)
		die(argv[i]);
	for (; i < argc; i++) {
		file = strrchr(argv[i], '/');
		run_file(file != NULL ? file + 1 : argv[i], accept);
	}
	run_made(accept);
	if (!accept)
		printf("1..%d\n", count);
	return failures > 0;
}
