/*
 * fuzz_parse.c - any octets as a rules file: reading ends, and what has no
 * mistakes prints as something that reads and prints the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/parse.h"
#include "rules/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ast *
parse(struct str text, struct arena *a, struct diag *d, struct strbuf *printed)
{
	struct ast *ast = parse_text(STR("fuzz"), text, "", a, d);

	if (ast != NULL)
		print_ast(ast, printed);
	return ast;
}

static void
show(struct diag *d)
{
	struct strbuf json = { 0 };
	FILE *f = fopen("/dev/null", "w");

	if (f == NULL)
		abort();
	diag_print(d, f, true);
	fclose(f);
	diag_json(d, &json);
	strbuf_free(&json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct strbuf first = { 0 }, second = { 0 };
	struct arena *a = arena_new(0);
	struct diag *d = diag_new(), *none = diag_new();

	/* No reading of files that happen to lie here. */
	if (a == NULL || d == NULL || none == NULL)
		abort();
	if (str_find(text, STR("include")) < 0 &&
	    parse(text, a, d, &first) != NULL) {
		/* After mistakes the print is a torso, and may have some itself. */
		if (parse(strbuf_slice(&first), a, none, &second) == NULL ||
		    (diag_errors(d) == 0 && (diag_errors(none) != 0 ||
		    !str_eq(strbuf_slice(&first), strbuf_slice(&second))))) {
			diag_print(none, stderr, false);
			fprintf(stderr, "first:\n" STR_FMT "\nsecond:\n"
			    STR_FMT "\n", STR_ARG(strbuf_slice(&first)),
			    STR_ARG(strbuf_slice(&second)));
			abort();
		}
		show(d);
	}
	strbuf_free(&first);
	strbuf_free(&second);
	diag_free(d);
	diag_free(none);
	arena_free(a);
	return 0;
}
