/*
 * privs.c - limits and privileges of the process.
 */
#include "filter/privs.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Enough for the libraries' largest buffers; thousands of threads may wait at once. */
#define STACK	(1024 * 1024)

void
privs_raise_limits(void)
{
	pthread_attr_t attr;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	if (pthread_attr_init(&attr) == 0) {
		if (pthread_attr_setstacksize(&attr, STACK) == 0)
			(void)pthread_setattr_default_np(&attr);
		pthread_attr_destroy(&attr);
	}
}

static int
fail(struct strbuf *why, int code, const char *what, struct str name, int error)
{
	strbuf_printf(why, "cannot %s " STR_FMT ": %s", what, STR_ARG(name),
	    strerror(error));
	if (error == EPERM)
		strbuf_puts(why, " (start postern as root, or leave the setting out)");
	return code;
}

static bool
is_us(const struct passwd *pw)
{
	return pw->pw_uid == geteuid() && pw->pw_uid == getuid();
}

static int
take_groups(const struct passwd *pw, struct str user, struct strbuf *why)
{
	if (initgroups(pw->pw_name, pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1)
		return fail(why, EX_NOPERM, "take the groups of", user, errno);
	return 0;
}

static int
become(const struct passwd *pw, struct str user, struct strbuf *why)
{
	if (setuid(pw->pw_uid) == -1)
		return fail(why, EX_NOPERM, "become user", user, errno);
	/* A way back would make it all worthless. */
	if (pw->pw_uid != 0 && (setuid(0) == 0 || geteuid() != pw->pw_uid ||
	    getegid() != pw->pw_gid)) {
		strbuf_puts(why, "privileges could be taken back after dropping them");
		return EX_OSERR;
	}
	return 0;
}

void
privs_make_directory(struct str file, struct str user)
{
	char path[4096], name[256];
	const struct passwd *pw = NULL;
	char *slash;

	if (file.n >= sizeof(path) || user.n >= sizeof(name))
		return;
	memcpy(path, file.p, file.n);
	path[file.n] = '\0';
	if ((slash = strrchr(path, '/')) == NULL || slash == path)
		return;
	*slash = '\0';
	memcpy(name, user.p, user.n);
	name[user.n] = '\0';
	if ((user.n > 0 && (pw = getpwnam(name)) == NULL) || mkdir(path, 0700) == -1)
		return;
	if (pw != NULL && chown(path, pw->pw_uid, pw->pw_gid) == -1)
		(void)rmdir(path);
}

/* NULL and a code: there is no such user. */
static const struct passwd *
find_user(struct str user, int *code, struct strbuf *why)
{
	const struct passwd *pw;
	char name[256];

	*code = EX_CONFIG;
	if (user.n >= sizeof(name)) {
		(void)fail(why, EX_CONFIG, "become user", user, ENAMETOOLONG);
		return NULL;
	}
	memcpy(name, user.p, user.n);
	name[user.n] = '\0';
	if ((pw = getpwnam(name)) == NULL)
		strbuf_printf(why, "there is no user %s (create it, or leave the setting out)", name);
	else
		*code = 0;
	return pw;
}

int
privs_try_user(struct str user, struct strbuf *why)
{
	const struct passwd *pw;
	int code;

	if (user.n == 0 || (pw = find_user(user, &code, why)) == NULL)
		return user.n == 0 ? 0 : code;
	return is_us(pw) || geteuid() == 0 ? 0 : fail(why, EX_NOPERM, "become user", user, EPERM);
}

static int
root_directory(struct str root, char *dir, size_t size, struct strbuf *why)
{
	if (root.n >= size)
		return fail(why, EX_CONFIG, "change the root to", root, ENAMETOOLONG);
	memcpy(dir, root.p, root.n);
	dir[root.n] = '\0';
	return 0;
}

int
privs_try_chroot(struct str root, struct strbuf *why)
{
	struct stat st;
	char dir[4096];
	int code;

	if (root.n == 0 || (code = root_directory(root, dir, sizeof(dir), why)) != 0)
		return root.n == 0 ? 0 : code;
	if (stat(dir, &st) == -1)
		return fail(why, EX_OSERR, "change the root to", root, errno);
	if (!S_ISDIR(st.st_mode))
		return fail(why, EX_OSERR, "change the root to", root, ENOTDIR);
	return geteuid() == 0 ? 0 : fail(why, EX_NOPERM, "change the root to", root, EPERM);
}

int
privs_drop(struct str user, struct str chroot_dir, struct strbuf *why)
{
	const struct passwd *pw = NULL;
	char dir[4096];
	int code;

	/* User and groups are looked up while their files can still be reached. */
	if (user.n > 0) {
		if ((pw = find_user(user, &code, why)) == NULL)
			return code;
		if (is_us(pw))
			pw = NULL;
		else if ((code = take_groups(pw, user, why)) != 0)
			return code;
	}
	if (chroot_dir.n > 0) {
		if ((code = root_directory(chroot_dir, dir, sizeof(dir), why)) != 0)
			return code;
		if (chroot(dir) == -1 || chdir("/") == -1)
			return fail(why, errno == EPERM ? EX_NOPERM : EX_OSERR,
			    "change the root to", chroot_dir, errno);
	}
	return pw != NULL ? become(pw, user, why) : 0;
}
