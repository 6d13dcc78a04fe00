/*
 * rules.c - loading a rules file, and the life of a ruleset.
 *
 * The passes stand here in their order; each answers one question and is
 * found under its name.
 */
#include "eval.h"

#include "arena.h"
#include "check.h"
#include "diag.h"
#include "parse.h"
#include "tables.h"
#include "tz.h"

static struct ruleset *
ruleset_new(struct diag *d)
{
	struct arena *a = arena_new(16384);
	struct ruleset *rs = NULL;

	if (a != NULL)
		rs = arena_new_object(a, struct ruleset);
	if (rs == NULL) {
		arena_free(a);
		diag_error(d, (struct span){ 0 }, "out of memory");
		return NULL;
	}
	atomic_init(&rs->refs, 1);
	rs->arena = a;
	return rs;
}

/* A load that failed: what diag points to lives as long as diag. */
static struct ruleset *
give_up(struct ruleset *rs, struct diag *d)
{
	diag_adopt(d, rs->arena);
	return NULL;
}

/* A name that can't be was told where it was read. */
static void
load_time_zone(struct ruleset *rs, struct diag *d)
{
	struct strbuf why = { 0 };

	if (rs->settings.time_zone.n > 0 &&
	    (rs->tz = tz_load(rs->arena, rs->settings.time_zone, &why)) == NULL)
		diag_error(d, (struct span){ 0 }, STR_FMT, STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
}

/* From the tree to a ruleset; ends it if there was any error. */
static struct ruleset *
finish(struct ruleset *rs, const struct table_ops *ops, struct diag *d)
{
	struct ast *ast = rs->ast;

	if (ast == NULL)
		return give_up(rs, d);
	settings_read(&rs->settings, ast, rs->arena, d);
	load_time_zone(rs, d);
	check_names(ast, rs->arena, d);
	check_types(ast, &rs->settings, rs->tz, ops, rs->arena, d);
	check_givens(ast, d);
	check_constants(ast, d);
	check_stages(ast, d);
	check_recipients(ast, d);
	check_reachability(ast, &rs->settings, d);
	if (diag_errors(d) == 0 && (compile(rs) == -1 || arena_failed(rs->arena)))
		diag_error(d, (struct span){ 0 }, "out of memory");
	return diag_errors(d) > 0 ? give_up(rs, d) : rs;
}

struct ruleset *
rules_load(const char *path, struct diag *d)
{
	return rules_load_with(path, NULL, d);
}

struct ruleset *
rules_load_with(const char *path, const struct table_ops *ops, struct diag *d)
{
	struct ruleset *rs;

	if ((rs = ruleset_new(d)) == NULL)
		return NULL;
	rs->ast = parse_file(path, rs->arena, d);
	return finish(rs, ops, d);
}

struct ruleset *
rules_load_text(struct str name, struct str text, const char *dir, struct diag *d)
{
	return rules_load_text_with(name, text, dir, NULL, d);
}

struct ruleset *
rules_load_text_with(struct str name, struct str text, const char *dir,
    const struct table_ops *ops, struct diag *d)
{
	struct ruleset *rs;

	if ((rs = ruleset_new(d)) == NULL)
		return NULL;
	rs->ast = parse_text(name, text, dir, rs->arena, d);
	return finish(rs, ops, d);
}

struct ruleset *
rules_retain(struct ruleset *rs)
{
	atomic_fetch_add_explicit(&rs->refs, 1, memory_order_relaxed);
	return rs;
}

void
rules_release(struct ruleset *rs)
{
	if (rs != NULL &&
	    atomic_fetch_sub_explicit(&rs->refs, 1, memory_order_acq_rel) == 1)
		arena_free(rs->arena);
}

void
rules_refresh_lists(struct ruleset *rs, void (*fn)(void *arg, const struct table_news *news),
    void *arg)
{
	tables_refresh(rs->ast->tables, fn, arg);
}

const struct settings *
rules_settings(const struct ruleset *rs)
{
	return &rs->settings;
}

const struct tz *
rules_time_zone(const struct ruleset *rs)
{
	return rs->tz;
}

const struct ast *
rules_ast(const struct ruleset *rs)
{
	return rs->ast;
}

const struct needs *
rules_needs(const struct ruleset *rs)
{
	return &rs->needs;
}
