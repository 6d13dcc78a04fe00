/*
 * table_db.c - databases that postmap(1) writes, as lists ask them.
 *
 * Each is taken into memory when it is opened, and looked over: what becomes of its file
 * later, cut off under a mapping for one, reaches no lookup, and one that is
 * half written is refused when it is opened.  The copy lies in a memory file, which libcdb
 * maps; an LMDB file becomes a CDB there, so there is one way to look up.
 *
 * Keys are found as Postfix does it: with a NUL behind them and without.
 */
#include "filter/table_db.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "filter/table_lmdb.h"

#define CDB_HEAD	2048
#define CDB_TABLES	256
#define LOCK_TRIES	50
#define LOCK_PAUSE	20	/* ms */

struct database {
	struct cdb	 cdb;
	size_t		 nkeys;
};

static int
failed(struct strbuf *why, const char *what)
{
	strbuf_puts(why, what);
	return -1;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* The file's octets in a memory file: *size of them.  -1 and why. */
static int
copy_file(int from, size_t *size, struct strbuf *why)
{
	char *chunk = malloc(1 << 18);
	int fd = memfd_create("table", MFD_CLOEXEC);
	ssize_t n = 0;

	*size = 0;
	while (chunk != NULL && fd != -1 && *size <= TABLE_FILE_MAX &&
	    (n = read(from, chunk, 1 << 18)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || write_all(fd, chunk, (size_t)n) != 0)
			break;
		*size += (size_t)n;
	}
	free(chunk);
	if (chunk != NULL && fd != -1 && n == 0 && *size <= TABLE_FILE_MAX)
		return fd;
	strbuf_puts(why, chunk != NULL && fd != -1 && *size > TABLE_FILE_MAX ?
	    "it is too long" : strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* postmap(1) holds a lock on what it writes in place. */
static int
wait_unlocked(int fd)
{
	const struct timespec pause = { 0, LOCK_PAUSE * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -1;
}

static int
open_file(const char *path, size_t *size, struct strbuf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), copy = -1;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		strbuf_puts(why, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		strbuf_puts(why, "it is no regular file");
	else if (wait_unlocked(fd) != 0)
		strbuf_puts(why, "another program holds it locked; is it being written?");
	else
		copy = copy_file(fd, size, why);
	if (fd != -1)
		close(fd);
	return copy;
}

/* ---- CDB ---- */

static size_t
number_at(const unsigned char *p)
{
	return cdb_unpack(p);
}

/*
 * The 256 tables lie behind one another from where the records end to the end of
 * the file; a writer puts the first 2,048 octets in place last.
 */
static int
check_cdb(const struct cdb *c, size_t size, size_t *nkeys, struct strbuf *why)
{
	const unsigned char *head = cdb_get(c, CDB_HEAD, 0), *record;
	size_t end = size, total = 0, at = CDB_HEAD;

	if (head == NULL)
		return failed(why, "it is no whole CDB file (it has no beginning)");
	for (int i = 0; i < CDB_TABLES; i++) {
		size_t pos = number_at(head + 8 * i), n = number_at(head + 8 * i + 4);

		if (pos < CDB_HEAD || pos > size || n > (size - pos) / 8)
			return failed(why, pos == 0 ? "it is no whole CDB file (it isn't finished)" :
			    "it is no whole CDB file (its end is missing)");
		if (pos < end)
			end = pos;
		total += n * 8;
	}
	if (total != size - end)
		return failed(why, "it is no whole CDB file (its tables are damaged)");
	for (*nkeys = 0; at < end; ++*nkeys) {
		record = end - at >= 8 ? cdb_get(c, 8, (unsigned)at) : NULL;
		if (record == NULL)
			return failed(why, "it is no whole CDB file (a record is damaged)");
		at += 8 + number_at(record) + number_at(record + 4);
	}
	return at == end ? 0 : failed(why, "it is no whole CDB file (a record is damaged)");
}

static int
add_record(void *arg, struct str key, struct str value)
{
	/* A key twice, with a NUL and without, is found by the form that is asked first. */
	return cdb_make_add(arg, key.p, (unsigned)key.n, value.p, (unsigned)value.n);
}

/* The CDB of an LMDB file's entries, in a memory file. */
static int
convert_lmdb(int from, size_t size, struct strbuf *why)
{
	void *base = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, from, 0) : MAP_FAILED;
	int fd = memfd_create("table", MFD_CLOEXEC), r = -1;
	struct cdb_make make;

	if (size == 0)
		failed(why, "it is no whole LMDB file (it is empty)");
	else if (base == MAP_FAILED || fd == -1 || cdb_make_start(&make, fd) != 0)
		strbuf_puts(why, strerror(errno));
	else {
		r = table_lmdb_each(base, size, add_record, &make, why);
		if (cdb_make_finish(&make) != 0)
			r = -1;
		if (r != 0 && why->n == 0)
			strbuf_puts(why, strerror(errno));
	}
	if (base != MAP_FAILED)
		munmap(base, size);
	if (r == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

/* ---- As lists want it ---- */

static void
db_close(void *arg)
{
	struct database *db = arg;

	cdb_free(&db->cdb);
	free(db);
}

static void *
db_open(enum table_db kind, const char *path, struct strbuf *why)
{
	struct database *db;
	struct stat st;
	size_t size;
	int fd = open_file(path, &size, why), other;

	if (fd != -1 && kind == TABLE_LMDB) {
		other = convert_lmdb(fd, size, why);
		close(fd);
		fd = other;
	}
	if (fd == -1)
		return NULL;
	if ((db = calloc(1, sizeof(*db))) == NULL || fstat(fd, &st) == -1) {
		strbuf_puts(why, "out of memory");
		free(db);
		close(fd);
		return NULL;
	}
	if (cdb_init(&db->cdb, fd) != 0) {
		strbuf_puts(why, errno == EPROTO ? "it is no whole CDB file (it has no beginning)" :
		    strerror(errno));
		free(db);
		close(fd);
		return NULL;
	}
	close(fd);		/* the mapping stays */
	if (check_cdb(&db->cdb, (size_t)st.st_size, &db->nkeys, why) == 0)
		return db;
	db_close(db);
	return NULL;
}

/* libcdb notes in the handle where it found something: each lookup has its own. */
static int
find(const struct database *db, struct str key, struct str *text)
{
	struct cdb c = db->cdb;
	int r = cdb_find(&c, key.p, (unsigned)key.n);

	if (r <= 0)
		return r;
	text->n = cdb_datalen(&c);
	if ((text->p = cdb_getdata(&c)) == NULL)
		return -1;
	if (text->n > 0 && text->p[text->n - 1] == '\0')
		text->n--;
	return 1;
}

static int
db_get(void *arg, struct str key, struct str *text)
{
	int r = find(arg, (struct str){ key.p, key.n + 1 }, text);

	return r != 0 ? r : find(arg, key, text);
}

static size_t
db_size(void *arg)
{
	return ((const struct database *)arg)->nkeys;
}

const struct table_ops table_db_ops = { db_open, db_get, db_size, db_close };
