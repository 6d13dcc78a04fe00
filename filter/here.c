/*
 * here.c - does this machine have what the settings name?
 *
 * A rules file is checked on other machines than its own, where its user and
 * directories don't exist, so `check` asks none of this by itself: `check --here` does, and
 * `run` before it begins, so that who sets up a machine hears of all at once what he would
 * hear of one by one.  Each module tries what it will do later (privs, listen, readable);
 * here the findings get their places.
 */
#include "filter/here.h"

#include <sysexits.h>

#include "filter/listen.h"
#include "filter/privs.h"
#include "filter/readable.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/rules.h"

struct findings {
	const struct ast *ast;
	struct diag	*d;
	int		 code;
};

/* Where the setting's value stands; a default stands nowhere: then the file's beginning. */
static struct span
place_of(const struct ast *ast, const char *setting)
{
	struct span at = { ast->sources, 0, 0 };

	for (const struct set *s = ast->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, str_of(setting)) && s->values != NULL)
			at = s->values->at;
	return at;
}

static void
add(struct findings *f, const char *setting, int code, struct strbuf *why)
{
	if (code != 0)
		diag_error(f->d, place_of(f->ast, setting), STR_FMT, STR_ARG(strbuf_slice(why)));
	if (f->code == 0 || code == EX_CONFIG)
		f->code = code;
	strbuf_free(why);
}

int
here_check(const struct ruleset *rs, struct diag *d)
{
	const struct settings *s = rules_settings(rs);
	struct findings f = { .ast = rules_ast(rs), .d = d };
	struct strbuf why = { 0 };
	int errors;

	add(&f, "user", privs_try_user(s->user, &why), &why);
	add(&f, "chroot", privs_try_chroot(s->chroot, &why), &why);
	if (str_istarts(s->listen, STR("unix:")))
		add(&f, "socket-group", listen_try_group(s->socket_group, &why), &why);
	add(&f, "listen", listen_try(s->listen, &why), &why);
	if (!listen_try_reach(s->listen, s->socket_group, &why))
		diag_warning(d, place_of(f.ast, "listen"), STR_FMT, STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	errors = diag_errors(d);
	readable_store(rs, true, d);
	if (f.code == 0 && diag_errors(d) > errors)
		f.code = EX_CANTCREAT;
	return f.code;
}
