/*
 * readable.c - whether the daemon will be able to read what the rules name, and to
 * write its store.
 *
 * `check` is run by root, who can read everything, and a reload by the user
 * that the daemon has become: what root has found good is then refused, and
 * only the log says so.  Permissions are not worked out here but tried, by a
 * child that becomes that user as the daemon does.  Who is neither root nor that user
 * can only see whether there is a place for the store at all.
 */
#include "filter/readable.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	bool		store;		/* to be written, and made if it isn't there */
};

struct names {
	struct arena	*a;
	struct named	*v;
	size_t		 n, cap;
};

enum trouble { CANT_READ, CANT_ENTER, CANT_MAKE_DIRECTORY, CANT_WRITE_DIRECTORY, CANT_WRITE };

/* What the child says of a path; dir: octets of the directory that is the trouble. */
struct refusal {
	size_t		 which, dir;
	enum trouble	 trouble;
	int		 error;
};

static void
add(struct names *names, struct span at, char *path, bool store)
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
	names->v[names->n++] = (struct named){ at, path, store };
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
	add(names, e->at, path, false);
}

/* Every file, with the place that names it. */
static void
collect(struct names *names, const struct ast *ast)
{
	for (const struct source *s = ast->sources; s != NULL; s = s->next)
		add(names, (struct span){ s, 0, 0 }, str_cstr(names->a, s->name), false);
	for (const struct list *l = ast->lists; l != NULL; l = l->next)
		for (const struct entry *e = l->entries; e != NULL; e = e->next)
			add_entry(names, e);
	for (const struct set *s = ast->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, STR("public-suffix-list")) ||
		    str_eq(s->name.text, STR("geo-database")))
			for (const struct operand *v = s->values; v != NULL; v = v->next)
				add(names, v->at, str_cstr(names->a, v->text), false);
	for (const struct test *t = ast->tests; t != NULL; t = t->next)
		for (const struct item *i = t->items; i != NULL; i = i->next)
			if (i->kind == ITEM_MESSAGE || i->kind == ITEM_ZONE)
				add(names, i->value.at,
				    source_path(names->a, i->value.at.src, i->value.text), false);
}

/* LMDB's file, if rules need it. */
static void
collect_store(struct names *names, const struct ruleset *rs)
{
	const struct ast *ast = rules_ast(rs);
	struct str store = rules_settings(rs)->store;
	struct span at = { ast->sources, 0, 0 };

	if ((rules_needs(rs)->facts & F_STORED) == 0 || !str_istarts(store, STR("lmdb:")))
		return;
	for (const struct set *s = ast->sets; s != NULL; s = s->next)
		if (str_eq(s->name.text, STR("store")) && s->values != NULL)
			at = s->values->at;
	add(names, at, str_cstr(names->a, (struct str){ store.p + 5, store.n - 5 }), true);
}

/* ---- Trying ---- */

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

static bool
can_read(char *path, struct refusal *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd != -1) {
		close(fd);
		return true;
	}
	r->error = errno;
	r->dir = closed_directory(path);
	r->trouble = r->dir > 0 ? CANT_ENTER : CANT_READ;
	return false;
}

/* Octets of the directory that a path, or the first n octets of it, lie in. */
static size_t
directory_of(const char *path, size_t n)
{
	const char *slash = memrchr(path, '/', n);

	return slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

static int
try_directory(const char *path, size_t n, int mode)
{
	char dir[4096];
	struct stat st;

	if (n >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, n);
	dir[n] = '\0';
	if (stat(dir, &st) == -1)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return access(dir, mode);
}

static bool
is_written(const char *path, const char *end)
{
	char whole[4096 + 8];

	if (snprintf(whole, sizeof(whole), "%s%s", path, end) >= (int)sizeof(whole))
		return true;
	return access(whole, R_OK | W_OK) == 0 || errno == ENOENT;
}

/*
 * LMDB's file, and the one beside it that it locks, are made where they aren't
 * there.  mode F_OK: nobody knows who will write there.
 */
static bool
can_store(const char *path, bool root_makes, int mode, struct refusal *r)
{
	size_t dir = directory_of(path, strlen(path)), above = directory_of(path, dir);

	r->dir = dir;
	if (try_directory(path, dir, mode) == -1) {
		r->error = errno;
		r->trouble = CANT_WRITE_DIRECTORY;
		if (r->error != ENOENT)
			return false;
		/* The daemon makes the last one before it becomes that user. */
		r->trouble = CANT_MAKE_DIRECTORY;
		return try_directory(path, above, root_makes ? F_OK : mode) == 0;
	}
	if (mode != F_OK && (!is_written(path, "") || !is_written(path, "-lock"))) {
		r->error = errno;
		r->trouble = CANT_WRITE;
		return false;
	}
	return true;
}

static bool
try_one(const struct named *f, bool root_makes, struct refusal *r)
{
	return f->store ? can_store(f->path, root_makes, W_OK | X_OK, r) : can_read(f->path, r);
}

static _Noreturn void
try_all(struct names *names, bool root_makes, int out)
{
	for (size_t i = 0; i < names->n; i++) {
		struct refusal r = { .which = i };

		if (!try_one(&names->v[i], root_makes, &r) && write(out, &r, sizeof(r)) != sizeof(r))
			break;
	}
	_exit(0);
}

/* ---- What came of it ---- */

static void
tell_store(struct diag *d, const struct named *f, const struct refusal *r, struct str user, bool sure)
{
	void (*say)(struct diag *, struct span, const char *, ...) = sure ? diag_error : diag_warning;
	int dir = (int)r->dir;
	char who[300] = "the daemon's user";

	if (user.n > 0)
		(void)snprintf(who, sizeof(who), "user " STR_FMT, STR_ARG(user));
	if (r->trouble == CANT_MAKE_DIRECTORY)
		say(d, f->at, "there is no directory %.*s for the store, and it can't be made "
		    "(mkdir it, and chown it to %s)", dir, f->path, who);
	else if (r->trouble == CANT_WRITE_DIRECTORY)
		say(d, f->at, "the daemon cannot write the store in %.*s as %s: %s (chown it "
		    "to that user)", dir, f->path, who, strerror(r->error));
	else
		say(d, f->at, "the daemon cannot write the store %s as %s: %s (chown it, and %s-lock, "
		    "to that user)", f->path, who, strerror(r->error), f->path);
}

static void
tell(struct diag *d, const struct named *f, const struct refusal *r, struct str user,
    struct str root)
{
	if (f->store)
		tell_store(d, f, r, user, true);
	else if (root.n > 0)
		diag_error(d, f->at, "the daemon cannot read %s in its chroot " STR_FMT ": %s (it must "
		    "be there under the same path)", f->path, STR_ARG(root), strerror(r->error));
	else if (r->trouble == CANT_ENTER)
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
			try_all(names, root[0] == '\0', fds[1]);
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

/* Who isn't root can try as that user only what it is itself. */
static void
check_own_store(struct names *names, const struct settings *s, const struct passwd *pw,
    bool starts, struct diag *d)
{
	bool ours = pw != NULL ? pw->pw_uid == geteuid() : starts && s->user.n == 0;
	struct refusal r = { .which = 0 };

	if (names->n == 0 || s->chroot.n > 0)
		return;
	if (!can_store(names->v[0].path, !ours, ours ? W_OK | X_OK : F_OK, &r))
		tell_store(d, &names->v[0], &r, s->user, ours || starts);
}

/* The daemon's user, if there is one of that name. */
static const struct passwd *
daemon_user(struct names *names, const struct settings *s)
{
	char *user = s->user.n > 0 ? str_cstr(names->a, s->user) : NULL;

	return user != NULL ? getpwnam(user) : NULL;
}

static bool
can_become(const struct passwd *pw)
{
	return geteuid() == 0 && pw != NULL && pw->pw_uid != 0;
}

void
readable_files(const struct ruleset *rs, struct diag *d)
{
	const struct settings *s = rules_settings(rs);
	struct names names = { .a = arena_new(0) };
	const struct passwd *pw;

	if (names.a == NULL)
		return;
	if (can_become(pw = daemon_user(&names, s))) {
		collect(&names, rules_ast(rs));
		ask(&names, pw, s, d);
	}
	arena_free(names.a);
}

void
readable_store(const struct ruleset *rs, bool starts, struct diag *d)
{
	const struct settings *s = rules_settings(rs);
	struct names names = { .a = arena_new(0) };
	const struct passwd *pw;

	if (names.a == NULL)
		return;
	pw = daemon_user(&names, s);
	collect_store(&names, rs);
	if (names.n > 0 && can_become(pw))
		ask(&names, pw, s, d);
	else
		check_own_store(&names, s, pw, starts, d);
	arena_free(names.a);
}
