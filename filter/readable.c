/*
 * readable.c - whether the daemon will be able to read what the rules name.
 *
 * `check` is run by root, who can read everything, and a reload by the user
 * that the daemon has become: what root has found good is then refused, and
 * only the log says so.  Permissions are not worked out here but tried, by a
 * child that becomes that user as the daemon does.
 */
#include "filter/readable.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/rules.h"
#include "rules/source.h"

#define PATHS_MAX	20000

struct named {
	struct span	at;
	char	       *path;
};

struct names {
	struct arena	*a;
	struct named	*v;
	size_t		 n, cap;
};

/* What the child says of a path that can't be read; dir: octets of the directory that can't be entered, or 0. */
struct refusal {
	size_t		 which, dir;
	int		 error;
};

static void
add(struct names *names, struct span at, char *path)
{
	char dir[4096];
	struct named *v;
	struct str whole;

	if (path == NULL || names->n == PATHS_MAX)
		return;
	/* The daemon's working directory is another. */
	if (path[0] != '/' && getcwd(dir, sizeof(dir)) != NULL) {
		whole = str_printf(names->a, "%s/%s", dir, path);
		if ((path = whole.p != NULL ? str_cstr(names->a, whole) : NULL) == NULL)
			return;
	}
	if (names->n == names->cap) {
		names->cap = names->cap * 2 + 64;
		if ((v = arena_array(names->a, names->cap, sizeof(*v))) == NULL) {
			names->cap = names->n;
			return;
		}
		if (names->n > 0)
			memcpy(v, names->v, names->n * sizeof(*v));
		names->v = v;
	}
	names->v[names->n++] = (struct named){ at, path };
}

static void
add_entry(struct names *names, const struct entry *e)
{
	char *path;

	if (entry_kind_name(e->kind) == NULL ||
	    (path = source_path(names->a, e->at.src, e->text)) == NULL)
		return;
	/* postmap(1) puts it behind the name that it is told. */
	if ((e->kind == ENTRY_CDB || e->kind == ENTRY_LMDB) && access(path, F_OK) == -1) {
		struct str whole = str_printf(names->a, "%s.%s", path, entry_kind_name(e->kind));

		path = whole.p != NULL ? str_cstr(names->a, whole) : NULL;
	}
	add(names, e->at, path);
}

/* Every file, with the place that names it. */
static void
collect(struct names *names, const struct ast *ast)
{
	for (const struct source *s = ast->sources; s != NULL; s = s->next)
		add(names, (struct span){ s, 0, 0 }, str_cstr(names->a, s->name));
	for (const struct list *l = ast->lists; l != NULL; l = l->next)
		for (const struct entry *e = l->entries; e != NULL; e = e->next)
			add_entry(names, e);
	for (const struct set *s = ast->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, STR("public-suffix-list")) && s->values != NULL)
			add(names, s->values->at, str_cstr(names->a, s->values->text));
	for (const struct test *t = ast->tests; t != NULL; t = t->next)
		for (const struct item *i = t->items; i != NULL; i = i->next)
			if (i->kind == ITEM_MESSAGE || i->kind == ITEM_ZONE)
				add(names, i->value.at,
				    source_path(names->a, i->value.at.src, i->value.text));
}

/* ---- The child ---- */

static int
become(const struct passwd *pw, const char *root)
{
	if (initgroups(pw->pw_name, pw->pw_gid) == -1)
		return -1;
	if (root[0] != '\0' && (chroot(root) == -1 || chdir("/") == -1))
		return -1;
	return setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1 ? -1 : 0;
}

/* The directory of the path that can't be entered: its length, or 0. */
static size_t
closed_directory(char *path)
{
	for (size_t i = 1; path[i] != '\0'; i++) {
		int r;

		if (path[i] != '/')
			continue;
		path[i] = '\0';
		r = access(path, X_OK);
		path[i] = '/';
		if (r == -1)
			return i;
	}
	return 0;
}

static _Noreturn void
try_all(struct names *names, int out)
{
	for (size_t i = 0; i < names->n; i++) {
		int fd = open(names->v[i].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		struct refusal r = { .which = i };

		if (fd != -1) {
			close(fd);
			continue;
		}
		r.error = errno;
		r.dir = closed_directory(names->v[i].path);
		if (write(out, &r, sizeof(r)) != sizeof(r))
			break;
	}
	_exit(0);
}

/* ---- What came of it ---- */

static void
tell(struct diag *d, const struct named *f, const struct refusal *r, struct str user,
    struct str root)
{
	if (root.n > 0)
		diag_error(d, f->at, "the daemon cannot read %s in its chroot " STR_FMT ": %s (it must "
		    "be there under the same path)", f->path, STR_ARG(root), strerror(r->error));
	else if (r->dir > 0)
		diag_error(d, f->at, "the daemon cannot read %s: user " STR_FMT " may not enter %.*s (chmod "
		    "+x it for its group or all)", f->path, STR_ARG(user), (int)r->dir, f->path);
	else
		diag_error(d, f->at, "the daemon cannot read %s as user " STR_FMT ": %s (chgrp it to a "
		    "group of that user, and chmod g+r)", f->path, STR_ARG(user),
		    strerror(r->error));
}

static void
ask(struct names *names, const struct passwd *pw, const struct settings *s, struct diag *d)
{
	char *root = str_cstr(names->a, s->chroot);
	struct refusal r;
	pid_t child;
	int fds[2];

	if (root == NULL || pipe2(fds, O_CLOEXEC) == -1)
		return;
	if ((child = fork()) == 0) {
		close(fds[0]);
		if (become(pw, root) == 0)
			try_all(names, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	while (child != -1 && read(fds[0], &r, sizeof(r)) == sizeof(r))
		if (r.which < names->n)
			tell(d, &names->v[r.which], &r, s->user, s->chroot);
	close(fds[0]);
	while (child != -1 && waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
}

void
readable_check(const struct ruleset *rs, struct diag *d)
{
	const struct settings *s = rules_settings(rs);
	struct names names = { .a = NULL };
	struct passwd *pw;
	char *user;

	if (geteuid() != 0 || s->user.n == 0 || (names.a = arena_new(0)) == NULL)
		return;
	user = str_cstr(names.a, s->user);
	if (user != NULL && (pw = getpwnam(user)) != NULL && pw->pw_uid != 0) {
		collect(&names, rules_ast(rs));
		ask(&names, pw, s, d);
	}
	arena_free(names.a);
}
