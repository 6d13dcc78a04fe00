/*
 * store_file.c - the file of a store by LMDB: opened, looked over, and found
 * to be another one later.
 *
 * The file is private to the user that the filter runs as, and while it is
 * open nobody else has a reason to touch it.  It is looked over when it is opened
 * (store_check.c), under LMDB's lock, so that another filter that has it open
 * can't write meanwhile.  A file that was removed, replaced or cut short later
 * is noticed by its name and length before each transaction, and opened anew:
 * what is counted in a file without a name is gone with the next start.
 */
#include "filter/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "filter/store_check.h"

#define MAP_PER_ENTRY	1024		/* octets; a record with its index takes 700 at most */
#define MAP_LEAST	((size_t)16 << 20)
#define ROOM		((uint64_t)128 << 10)	/* octets that a new file and its lock take */

static const char *const names[STORE_KINDS][2] = {
	[STORE_RATE] = { "rate", "rate-end" },
	[STORE_TRIPLET] = { "triplet", "triplet-end" },
	[STORE_CLIENT] = { "client", "client-end" },
};

/* ---- Errors ---- */

bool
store_file_broken(int error)
{
	return error >= MDB_KEYEXIST && error <= MDB_LAST_ERRCODE && error != MDB_MAP_FULL;
}

static bool
disk_is_full(const char *path)
{
	struct statvfs v;
	char dir[4096];
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	if ((slash = strrchr(dir, '/')) != NULL)
		slash[slash == dir] = '\0';
	return statvfs(dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < ROOM;
}

/* Has it come to the largest size that files of ours may have? */
static bool
is_at_limit(const char *path)
{
	struct rlimit limit;
	struct stat st;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    stat(path, &st) == 0 && (uint64_t)st.st_size + ROOM > limit.rlim_cur;
}

const char *
store_file_error(const struct store_file *f, int error)
{
	/* LMDB calls it an I/O error if less was written than it wanted. */
	if (error == ENOSPC || (error == EIO && disk_is_full(f->path)))
		return "the disk is full";
	if (error == EFBIG || (error == EIO && is_at_limit(f->path)))
		return "the limit on the size of files (ulimit -f) is reached";
	return mdb_strerror(error);
}

/* ---- Opening ---- */

/* LMDB writes to its lock by a mapping, where a disk without room ends the process. */
static bool
has_room(const struct store_file *f)
{
	char lock[4096];
	struct stat st;

	(void)snprintf(lock, sizeof(lock), "%s-lock", f->path);
	return (stat(lock, &st) == 0 && st.st_blocks > 0) || !disk_is_full(f->path);
}

static int
check(struct store_file *f, bool trees, struct strbuf *why)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;

	if (fd == -1)
		return 0;		/* it is made, or the reason is LMDB's to tell */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	r = store_check(fd, trees, why);
	close(fd);
	return r;
}

static int
open_env(struct store_file *f)
{
	size_t map = f->limit * MAP_PER_ENTRY * STORE_KINDS;
	struct stat st;
	int e, fd;

	if ((e = mdb_env_create(&f->env)) != 0 ||
	    (e = mdb_env_set_maxdbs(f->env, 2 * STORE_KINDS)) != 0 ||
	    (e = mdb_env_set_mapsize(f->env, map > MAP_LEAST ? map : MAP_LEAST)) != 0 ||
	    (e = mdb_env_open(f->env, f->path, MDB_NOSUBDIR | MDB_NOMETASYNC | MDB_NORDAHEAD,
	    0600)) != 0 || (e = mdb_env_get_fd(f->env, &fd)) != 0)
		return e;
	if (fstat(fd, &st) == -1)
		return errno;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->size = st.st_size;
	return 0;
}

/* -1 and the reason if it is damaged; else *e is LMDB's. */
static int
open_databases(struct store_file *f, int *e, struct strbuf *why)
{
	MDB_txn *txn;

	/* Under the lock nobody else writes. */
	if ((*e = mdb_txn_begin(f->env, NULL, 0, &txn)) != 0)
		return 0;
	if (check(f, true, why) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	for (int i = 0; i < STORE_KINDS && *e == 0; i++)
		if ((*e = mdb_dbi_open(txn, names[i][0], MDB_CREATE, &f->records[i])) == 0)
			*e = mdb_dbi_open(txn, names[i][1], MDB_CREATE, &f->ends[i]);
	if (*e == 0)
		*e = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return 0;
}

int
store_file_open(struct store_file *f, struct strbuf *why)
{
	struct strbuf damage = { 0 };
	int e = has_room(f) ? 0 : ENOSPC;

	if (e == 0 && check(f, false, &damage) == 0 && (e = open_env(f)) == 0 &&
	    open_databases(f, &e, &damage) == 0 && e == 0)
		return 0;
	strbuf_printf(why, "cannot use the store %s: %s%s", f->path,
	    damage.n > 0 ? damage.p : store_file_error(f, e),
	    damage.n > 0 || store_file_broken(e) ? "; remove it, and it is made anew" : "");
	strbuf_free(&damage);
	store_file_close(f);
	return -1;
}

void
store_file_close(struct store_file *f)
{
	if (f->env != NULL)
		mdb_env_close(f->env);
	f->env = NULL;
}

const char *
store_file_changed(struct store_file *f)
{
	struct stat st;

	if (stat(f->path, &st) == -1)
		return errno == ENOENT ? "its file was removed: it is made anew" : NULL;
	if (st.st_dev != f->dev || st.st_ino != f->ino)
		return "its file was replaced: it is opened anew";
	if (st.st_size < f->size)
		return "its file was cut short: it is opened anew";
	f->size = st.st_size;
	return NULL;
}
