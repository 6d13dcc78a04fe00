/*
 * listen.c - the socket that the MTA connects to.
 *
 * Made here rather than by libmilter, which replaces any unix socket that is
 * there, a live one too, gives its mode by the umask only, and does not remove
 * it at the end when started as root.
 *
 * What can be told before is told by the same code: listen_try().
 */
#include "filter/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define BACKLOG	512

static int
fail(struct strbuf *why, int code, struct str spec, const char *what,
    const char *mend)
{
	strbuf_printf(why, "cannot listen on " STR_FMT ": %s%s%s%s",
	    STR_ARG(spec), what, mend != NULL ? " (" : "",
	    mend != NULL ? mend : "", mend != NULL ? ")" : "");
	return code;
}

/* Does anybody answer on that unix socket? 1 yes, 0 no; -1: can't be told. */
static int
is_alive(const struct sockaddr_un *un)
{
	int fd, r, error;

	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return -1;
	r = connect(fd, (const struct sockaddr *)un, sizeof(*un));
	error = errno;
	close(fd);
	if (r == 0 || error == EAGAIN)		/* EAGAIN: its backlog is full */
		return 1;
	return error == ECONNREFUSED ? 0 : -1;
}

static int
unix_address(struct str path, struct str spec, struct sockaddr_un *un, struct strbuf *why)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (path.n == 0 || path.n >= sizeof(un->sun_path) ||
	    memchr(path.p, '\0', path.n) != NULL)
		return fail(why, EX_CONFIG, spec,
		    "a path of 1 to 107 octets is needed", NULL);
	memcpy(un->sun_path, path.p, path.n);
	return 0;
}

/* Can a file be made in the directory of that path? */
static int
try_directory(const struct sockaddr_un *un, struct str spec, struct strbuf *why)
{
	char dir[sizeof(un->sun_path)], what[sizeof(dir) + 64];
	const char *mend = NULL;
	struct stat st;
	char *slash;

	errno = 0;
	strcpy(dir, un->sun_path);
	if ((slash = strrchr(dir, '/')) == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	    faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno == ENOENT)
		mend = strncmp(dir, "/run/", 5) == 0 ? "create it; since /run is empty after a boot, "
		    "let systemd's RuntimeDirectory, as in postern's unit, or tmpfiles.d do that" :
		    "create it first";
	else if (errno == EACCES)
		mend = "it must be writable for the user that starts postern";
	snprintf(what, sizeof(what), "directory %s: %s", dir, strerror(errno == 0 ? ENOTDIR : errno));
	return fail(why, EX_CANTCREAT, spec, what, mend);
}

/* What is there already: nothing, or a socket, in use or not.  Anything else is left alone. */
static int
look_at_path(const struct sockaddr_un *un, struct str spec, struct strbuf *why)
{
	struct stat st;

	if (lstat(un->sun_path, &st) == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
		    fail(why, EX_CANTCREAT, spec, strerror(errno), NULL);
	if (S_ISDIR(st.st_mode))
		return fail(why, EX_CANTCREAT, spec, "that is a directory",
		    "name a file in it, like postern.sock");
	if (!S_ISSOCK(st.st_mode))
		return fail(why, EX_CANTCREAT, spec,
		    "a file that is no socket is there",
		    "remove it, or change `set listen`");
	return 0;
}

/* Makes way for the socket: only a socket that nobody listens on is removed. */
static int
clear_path(const struct sockaddr_un *un, struct str spec, struct strbuf *why)
{
	if (access(un->sun_path, F_OK) == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	switch (is_alive(un)) {
	case 1:
		return fail(why, EX_UNAVAILABLE, spec,
		    "another process listens there",
		    "stop it first; to load new rules, reload it");
	case 0:
		break;
	default:
		return fail(why, EX_CANTCREAT, spec,
		    "the socket that is there can't be asked whether it is in use",
		    strerror(errno));
	}
	if (unlink(un->sun_path) == -1 && errno != ENOENT)
		return fail(why, EX_CANTCREAT, spec,
		    "the old socket cannot be removed", strerror(errno));
	return 0;
}

/* The group's number; it must be one that we may give a file to. */
static int
find_group(struct str group, gid_t *gid, struct strbuf *why)
{
	gid_t ours[256];
	struct group *gr;
	char name[256];
	int n;

	if (group.n >= sizeof(name)) {
		strbuf_puts(why, "the group's name is too long");
		return EX_CONFIG;
	}
	memcpy(name, group.p, group.n);
	name[group.n] = '\0';
	if ((gr = getgrnam(name)) == NULL) {
		strbuf_printf(why, "there is no group %s (create it, or name the MTA's)", name);
		return EX_CONFIG;
	}
	*gid = gr->gr_gid;
	if (geteuid() == 0 || *gid == getegid())
		return 0;
	for (n = getgroups(256, ours); n > 0; n--)
		if (ours[n - 1] == *gid)
			return 0;
	strbuf_printf(why, "only root and its members can give the socket to group %s (start postern as root)", name);
	return EX_NOPERM;
}

static int
set_group(const char *path, mode_t mode, struct str group, struct str spec,
    struct strbuf *why)
{
	gid_t gid;
	int code;

	if (group.n > 0) {
		if ((code = find_group(group, &gid, why)) != 0)
			return code;
		if (chown(path, (uid_t)-1, gid) == -1)
			return fail(why, EX_NOPERM, spec,
			    "its group cannot be set", strerror(errno));
	}
	if (chmod(path, mode) == -1)
		return fail(why, EX_NOPERM, spec, "its mode cannot be set",
		    strerror(errno));
	return 0;
}

static int
open_unix(struct str path, mode_t mode, struct str group, struct str spec,
    struct listener *l, struct strbuf *why)
{
	struct sockaddr_un un;
	struct stat st;
	mode_t mask;
	int code, r;

	if ((code = unix_address(path, spec, &un, why)) != 0 ||
	    (code = look_at_path(&un, spec, why)) != 0 ||
	    (code = try_directory(&un, spec, why)) != 0 ||
	    (code = clear_path(&un, spec, why)) != 0)
		return code;
	if ((l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return fail(why, EX_OSERR, spec, strerror(errno), NULL);
	/* Nobody gets in before mode and group are right. */
	mask = umask(0777);
	r = bind(l->fd, (struct sockaddr *)&un, sizeof(un));
	umask(mask);
	if (r == -1)
		return fail(why, EX_CANTCREAT, spec, strerror(errno), NULL);
	memcpy(l->path, un.sun_path, sizeof(l->path));
	if (lstat(l->path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	/* By the name it may be out of reach soon: another user, another root. */
	l->file = open(l->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return set_group(l->path, mode, group, spec, why);
}

/* PORT@ADDRESS into sa; -1 if it is none. */
static int
parse_inet(struct str s, int family, struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	ptrdiff_t at = str_find(s, STR("@"));
	char host[INET6_ADDRSTRLEN] = "";
	long port = 0;
	size_t i, digits = at >= 0 ? (size_t)at : s.n;

	for (i = 0; i < digits && port <= 65535; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		port = port * 10 + (s.p[i] - '0');
	}
	if (digits == 0 || port == 0 || port > 65535)
		return -1;
	if (at >= 0) {
		struct str h = { s.p + at + 1, s.n - (size_t)at - 1 };

		if (h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
			h = (struct str){ h.p + 1, h.n - 2 };
		if (str_ieq(h, STR("localhost")))
			h = family == AF_INET ? STR("127.0.0.1") : STR("::1");
		if (h.n == 0 || h.n >= sizeof(host))
			return -1;
		memcpy(host, h.p, h.n);
	} else
		strcpy(host, family == AF_INET ? "0.0.0.0" : "::");
	memset(sa, 0, sizeof(*sa));
	sa->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in->sin_port = htons((uint16_t)port);
		*len = sizeof(*in);
		return inet_pton(family, host, &in->sin_addr) == 1 ? 0 : -1;
	}
	in6->sin6_port = htons((uint16_t)port);
	*len = sizeof(*in6);
	return inet_pton(family, host, &in6->sin6_addr) == 1 ? 0 : -1;
}

static int
open_inet(struct str place, int family, struct str spec, struct listener *l,
    struct strbuf *why)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int on = 1;

	if (parse_inet(place, family, &sa, &len) == -1)
		return fail(why, EX_CONFIG, spec, "it is no PORT@ADDRESS",
		    family == AF_INET ? "like inet:8891@127.0.0.1" :
		    "like inet6:8891@::1");
	if ((l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return fail(why, EX_OSERR, spec, strerror(errno), NULL);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)		/* inet6:1@:: beside inet:1@0.0.0.0 */
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(l->fd, (struct sockaddr *)&sa, len) == -1)
		return fail(why, errno == EADDRINUSE ? EX_UNAVAILABLE :
		    errno == EACCES ? EX_NOPERM : EX_CANTCREAT, spec,
		    strerror(errno), errno == EADDRINUSE ?
		    "another process listens there: stop it, or choose another port" :
		    errno == EADDRNOTAVAIL ? "no interface has that address" : NULL);
	return 0;
}

static int
open_fd(struct str number, struct str spec, struct listener *l,
    struct strbuf *why)
{
	int fd = 0, listening = 0;
	socklen_t len = sizeof(listening);

	for (size_t i = 0; i < number.n && fd >= 0 && fd < 100000; i++)
		fd = number.p[i] < '0' || number.p[i] > '9' ? -1 :
		    fd * 10 + (number.p[i] - '0');
	if (number.n == 0 || fd < 0)
		return fail(why, EX_CONFIG, spec, "it is no fd:N", "like fd:3");
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1 ||
	    !listening)
		return fail(why, EX_UNAVAILABLE, spec,
		    "that descriptor is no listening socket",
		    "who starts postern, like systemd's socket unit, must open it");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	l->fd = fd;
	return 0;
}

enum kind { KIND_NONE, KIND_UNIX, KIND_INET, KIND_INET6, KIND_FD };

static enum kind
kind_of(struct str spec, struct str *place, struct strbuf *why)
{
	static const struct { const char *name; enum kind kind; } kinds[] = {
		{ "unix", KIND_UNIX }, { "local", KIND_UNIX }, { "inet", KIND_INET },
		{ "inet6", KIND_INET6 }, { "fd", KIND_FD },
	};
	ptrdiff_t colon = str_find(spec, STR(":"));
	struct str kind = { spec.p, colon > 0 ? (size_t)colon : 0 };

	*place = (struct str){ spec.p + kind.n + 1, spec.n - kind.n - (colon > 0) };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_eq(kind, str_of(kinds[i].name)))
			return kinds[i].kind;
	(void)fail(why, EX_CONFIG, spec,
	    "unix:PATH, inet:PORT@ADDRESS, inet6:PORT@ADDRESS or fd:N is needed", NULL);
	return KIND_NONE;
}

int
listen_open(struct str spec, mode_t mode, struct str group,
    struct listener *l, struct strbuf *why)
{
	int code = EX_CONFIG, on = 1;
	struct str place;

	memset(l, 0, sizeof(*l));
	l->fd = l->file = -1;
	switch (kind_of(spec, &place, why)) {
	case KIND_UNIX:
		code = open_unix(place, mode, group, spec, l, why);
		break;
	case KIND_INET:
		code = open_inet(place, AF_INET, spec, l, why);
		break;
	case KIND_INET6:
		code = open_inet(place, AF_INET6, spec, l, why);
		break;
	case KIND_FD:
		code = open_fd(place, spec, l, why);
		break;
	case KIND_NONE:
		break;
	}
	/*
	 * Connections take it from here (no unix socket does).  libmilter writes each edit by itself:
	 * without it all but the first would wait 40 ms for the MTA's acknowledgement.
	 */
	if (code == 0)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (code == 0 && listen(l->fd, BACKLOG) == -1)
		code = fail(why, errno == EADDRINUSE ? EX_UNAVAILABLE :
		    EX_CANTCREAT, spec, strerror(errno), NULL);
	if (code != 0) {
		listen_close(l);
		return code;
	}
	l->addrlen = sizeof(l->addr);
	getsockname(l->fd, (struct sockaddr *)&l->addr, &l->addrlen);
	snprintf(l->conn, sizeof(l->conn), STR_FMT, STR_ARG(spec));
	return 0;
}

int
listen_try(struct str spec, struct strbuf *why)
{
	struct listener l = { .fd = -1, .file = -1 };
	struct sockaddr_un un;
	int code = 0, family;
	struct str place;

	switch (kind_of(spec, &place, why)) {
	case KIND_UNIX:
		if ((code = unix_address(place, spec, &un, why)) == 0 &&
		    (code = look_at_path(&un, spec, why)) == 0)
			code = try_directory(&un, spec, why);
		break;
	case KIND_INET:
	case KIND_INET6:
		family = str_istarts(spec, STR("inet6")) ? AF_INET6 : AF_INET;
		code = open_inet(place, family, spec, &l, why);
		listen_close(&l);
		if (code == EX_UNAVAILABLE) {
			why->n = 0;
			code = 0;
		}
		break;
	case KIND_FD:
		break;
	case KIND_NONE:
		code = EX_CONFIG;
		break;
	}
	return code;
}

int
listen_try_group(struct str group, struct strbuf *why)
{
	gid_t gid;

	return group.n > 0 ? find_group(group, &gid, why) : 0;
}

/* May members of the group enter that directory?  Of owners and ACLs nothing is known: then yes. */
static bool
may_enter(const char *dir, gid_t gid)
{
	struct stat st;

	if (stat(dir, &st) == -1 || st.st_uid != 0)
		return true;
	return (st.st_mode & (st.st_gid == gid ? S_IXGRP : S_IXOTH)) != 0;
}

bool
listen_try_reach(struct str spec, struct str group, struct strbuf *why)
{
	struct strbuf unsaid = { 0 };
	struct sockaddr_un un;
	bool known, can = true;
	struct str place;
	gid_t gid;

	known = group.n > 0 && kind_of(spec, &place, &unsaid) == KIND_UNIX &&
	    unix_address(place, spec, &un, &unsaid) == 0 && find_group(group, &gid, &unsaid) == 0;
	strbuf_free(&unsaid);
	for (size_t i = 1; known && can && un.sun_path[i] != '\0'; i++)
		if (un.sun_path[i] == '/') {
			un.sun_path[i] = '\0';
			if (!(can = may_enter(un.sun_path, gid)))
				strbuf_printf(why, "group " STR_FMT " may not enter %s, so the MTA can't reach the "
				    "socket (chgrp it to that group, and chmod g+x)", STR_ARG(group), un.sun_path);
			un.sun_path[i] = '/';
		}
	return can;
}

bool
listen_is_lost(const struct listener *l)
{
	struct stat st;

	return l->file != -1 && fstat(l->file, &st) == 0 && st.st_nlink == 0;
}

/* Removes the file, if it is still the one that we made. */
static void
remove_path(struct listener *l)
{
	struct stat st;

	if (l->path[0] != '\0' && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	l->path[0] = '\0';
}

int
listen_end(struct listener *l)
{
	struct sockaddr_un nobody = { .sun_family = AF_UNIX };
	int fd, r;

	remove_path(l);
	/* Bound without a path: Linux chooses an abstract name (unix(7), autobind). */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	r = bind(fd, (struct sockaddr *)&nobody, sizeof(sa_family_t));
	if (r == 0 && (r = listen(fd, 1)) == 0)
		r = dup3(fd, l->fd, O_CLOEXEC) == -1 ? -1 : 0;
	close(fd);
	return r;
}

void
listen_close(struct listener *l)
{
	remove_path(l);
	if (l->fd != -1)
		close(l->fd);
	if (l->file != -1)
		close(l->file);
	l->fd = l->file = -1;
}
