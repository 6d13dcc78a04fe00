/*
 * tablefile.h - for tests of lists: an arena and diagnostics for each test,
 * and a scratch folder in which a list file of any text can stand.
 */
#ifndef TESTS_UNIT_TABLEFILE_H
#define TESTS_UNIT_TABLEFILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/regex.h"
#include "rules/tables.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct arena *arena;
static struct diag *diag;
static struct source rules;
static struct table_how how = { .match_limit = 100000 };
static char dir[] = "/tmp/postern-tables-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	diag = diag_new();
	rules.name = STR("rules");
	rules.text = STR("list x = file \"list\"\n");
	return arena != NULL && diag != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	diag_free(diag);
	arena_free(arena);
	return 0;
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
drop_dir(void **state)
{
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/list", dir);
	(void)unlink(path);
	return rmdir(dir);
}

/* The list that a file of that text makes. */
static struct table *
file_of(enum list_type type, enum entry_kind kind, const char *text, size_t n)
{
	struct entry e = { .kind = kind, .at = { &rules, 9, 11 }, .text = STR("list") };
	struct list l = { .type = type, .entries = &e };
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/list", dir);
	assert_non_null(f = fopen(path, "w"));
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	rules.dir = str_printf(arena, "%s/", dir);
	return table_build(&l, &how, arena, diag);
}

#endif
