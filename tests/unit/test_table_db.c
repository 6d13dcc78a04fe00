/* test_table_db.c - databases as postmap writes them, whole, cut off and damaged. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <cdb.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "filter/table_db.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
#define LONG_VALUE	9000	/* on overflow pages of an LMDB file */
#define MANY		5000	/* entries: a tree of several levels */

static char dir[] = "/tmp/postern-db-XXXXXX";
static char path[64];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/db", dir);
	return 0;
}

static int
drop_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

struct writer {
	struct cdb_make	 cdb;
	int		 fd;
	MDB_env		*env;
	MDB_txn		*txn;
	MDB_dbi		 dbi;
};

static void
begin(struct writer *w, enum table_db kind)
{
	memset(w, 0, sizeof(*w));
	(void)unlink(path);
	if (kind == TABLE_CDB) {
		assert_true((w->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) >= 0);
		assert_int_equal(cdb_make_start(&w->cdb, w->fd), 0);
		return;
	}
	assert_int_equal(mdb_env_create(&w->env), 0);
	assert_int_equal(mdb_env_set_mapsize(w->env, 64 << 20), 0);
	assert_int_equal(mdb_env_open(w->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600), 0);
	assert_int_equal(mdb_txn_begin(w->env, NULL, 0, &w->txn), 0);
	assert_int_equal(mdb_dbi_open(w->txn, NULL, 0, &w->dbi), 0);
}

static void
put(struct writer *w, const char *key, size_t nkey, const char *value, size_t nvalue)
{
	MDB_val k = { nkey, (char *)(uintptr_t)key }, v = { nvalue, (char *)(uintptr_t)value };

	if (w->env == NULL)
		assert_int_equal(cdb_make_add(&w->cdb, key, (unsigned)nkey, value, (unsigned)nvalue), 0);
	else
		assert_int_equal(mdb_put(w->txn, w->dbi, &k, &v, 0), 0);
}

static void
finish(struct writer *w)
{
	if (w->env == NULL) {
		assert_int_equal(cdb_make_finish(&w->cdb), 0);
		assert_int_equal(close(w->fd), 0);
		return;
	}
	assert_int_equal(mdb_txn_commit(w->txn), 0);
	mdb_env_close(w->env);
}

static void
write_db(enum table_db kind, size_t many)
{
	static char value[LONG_VALUE];
	struct writer w;
	char key[32];

	begin(&w, kind);
	put(&w, "plain", 5, "one", 3);
	put(&w, "nul", 4, "two", 4);	/* as dict_db writes them, and older tables */
	put(&w, "empty", 5, "", 0);
	memset(value, 'v', sizeof(value));
	put(&w, "long", 4, value, sizeof(value));
	for (size_t i = 0; i < many; i++) {
		int n = snprintf(key, sizeof(key), "key%zu@example.org", i);

		put(&w, key, (size_t)n, key + 3, (size_t)n - 3);
	}
	finish(&w);
}

/* The text of a key; NULL: there is none, "!": an error. */
static const char *
get(void *db, const char *key)
{
	static char text[LONG_VALUE + 1];
	struct str s;
	int r = table_db_ops.get(db, str_of(key), &s);

	if (r <= 0)
		return r == 0 ? NULL : "!";
	assert_true(s.n < sizeof(text));
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

static void
lookups(enum table_db kind)
{
	struct strbuf why = { 0 };
	char key[32];
	void *db;

	write_db(kind, MANY);
	db = table_db_ops.open(kind, path, &why);
	if (db == NULL)
		fail_msg("%s", why.p);
	assert_string_equal(get(db, "plain"), "one");
	assert_string_equal(get(db, "nul"), "two");
	assert_string_equal(get(db, "empty"), "");
	assert_int_equal(strlen(get(db, "long")), LONG_VALUE);
	assert_null(get(db, "none"));
	assert_null(get(db, "Plain"));
	assert_int_equal(table_db_ops.size(db), MANY + 4);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "key%d@example.org", i);
		assert_string_equal(get(db, key), key + 3);
	}
	/* What becomes of the file is nothing to what is open. */
	assert_int_equal(truncate(path, 0), 0);
	assert_string_equal(get(db, "plain"), "one");
	assert_string_equal(get(db, "key4999@example.org"), "4999@example.org");
	table_db_ops.close(db);
	strbuf_free(&why);
}

static void
cdb_lookups(void **state)
{
	(void)state;
	lookups(TABLE_CDB);
}

static void
lmdb_lookups(void **state)
{
	(void)state;
	lookups(TABLE_LMDB);
}

/* Reads what is in the file; the caller frees it. */
static char *
slurp(size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*n = (size_t)ftell(f);
	rewind(f);
	assert_non_null(p = malloc(*n + 1));
	assert_int_equal(fread(p, 1, *n, f), *n);
	(void)fclose(f);
	return p;
}

static void
spit(const char *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	(void)fclose(f);
}

/* Opens it and asks; all that counts is that it is refused with a reason, or answers. */
static bool
try(enum table_db kind)
{
	struct strbuf why = { 0 };
	void *db = table_db_ops.open(kind, path, &why);

	if (db == NULL) {
		assert_true(why.n > 0);
		strbuf_free(&why);
		return false;
	}
	(void)get(db, "plain");
	(void)get(db, "nul");
	(void)get(db, "long");
	(void)get(db, "none");
	table_db_ops.close(db);
	strbuf_free(&why);
	return true;
}

/* No file that is cut off is taken, wherever that is. */
static void
cut_off(enum table_db kind)
{
	size_t n, step;
	char *p;

	write_db(kind, 100);
	p = slurp(&n);
	step = n / 997 + 1;
	for (size_t i = 0; i < n; i += step) {
		spit(p, i);
		if (try(kind))
			fail_msg("%zu of %zu octets are taken", i, n);
	}
	spit(p, n - 1);
	assert_false(try(kind));
	spit(p, n);
	assert_true(try(kind));
	/* As a writer leaves it that has begun, or a file system after a crash. */
	memset(p, 0, 2048);
	spit(p, n);
	assert_false(try(kind));
	memset(p, 0, n);
	spit(p, n);
	assert_false(try(kind));
	free(p);
}

static void
cdb_cut_off(void **state)
{
	(void)state;
	cut_off(TABLE_CDB);
}

static void
lmdb_cut_off(void **state)
{
	(void)state;
	cut_off(TABLE_LMDB);
}

/* Whatever stands in a file, nothing worse comes of it than a refusal or a wrong answer. */
static void
damaged(enum table_db kind)
{
	size_t n;
	char *p, *q;

	write_db(kind, 100);
	p = slurp(&n);
	assert_non_null(q = malloc(n));
	srand(1);
	for (int i = 0; i < 1500; i++) {
		memcpy(q, p, n);
		for (int k = rand() % 8; k >= 0; k--) {
			/* The beginnings of pages hold what leads astray. */
			size_t at = (size_t)rand() % n;

			if (rand() % 2)
				at = at / 4096 * 4096 + (size_t)rand() % 160;
			if (at < n)
				q[at] = (char)(rand() % 3 ? rand() : 0xff);
		}
		spit(q, n);
		(void)try(kind);
	}
	free(p);
	free(q);
}

static void
cdb_damaged(void **state)
{
	(void)state;
	damaged(TABLE_CDB);
}

static void
lmdb_damaged(void **state)
{
	(void)state;
	damaged(TABLE_LMDB);
}

static void
empty(void **state)
{
	struct writer w;

	(void)state;
	for (enum table_db kind = TABLE_CDB; kind <= TABLE_LMDB; kind++) {
		struct strbuf why = { 0 };
		void *db;

		begin(&w, kind);
		finish(&w);
		if ((db = table_db_ops.open(kind, path, &why)) == NULL)
			fail_msg("%s", why.p);
		assert_null(get(db, "plain"));
		assert_int_equal(table_db_ops.size(db), 0);
		table_db_ops.close(db);
	}
}

/* Old pages of an LMDB file that was written several times are not read. */
static void
lmdb_rewritten(void **state)
{
	struct strbuf why = { 0 };
	MDB_val k = { 5, (char *)(uintptr_t)"plain" };
	void *db;

	(void)state;
	write_db(TABLE_LMDB, 500);
	for (int i = 0; i < 7; i++) {
		struct writer w = { .fd = -1 };
		char value[16];

		assert_int_equal(mdb_env_create(&w.env), 0);
		assert_int_equal(mdb_env_open(w.env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600), 0);
		assert_int_equal(mdb_txn_begin(w.env, NULL, 0, &w.txn), 0);
		assert_int_equal(mdb_dbi_open(w.txn, NULL, 0, &w.dbi), 0);
		if (i == 3)
			assert_int_equal(mdb_drop(w.txn, w.dbi, 0), 0);
		else
			(void)mdb_del(w.txn, w.dbi, &k, NULL);
		put(&w, "plain", 5, value, (size_t)snprintf(value, sizeof(value), "round %d", i));
		finish(&w);
		if ((db = table_db_ops.open(TABLE_LMDB, path, &why)) == NULL)
			fail_msg("%s", why.p);
		assert_string_equal(get(db, "plain"), value);
		assert_int_equal(table_db_ops.size(db), i < 3 ? 504 : 1);
		table_db_ops.close(db);
	}
}

static void
refused(void **state)
{
	static const struct { const char *path, *why; } cases[] = {
		{ "/nonexistent/x.cdb", "No such file or directory" },
		{ "/tmp", "it is no regular file" },
		{ "/dev/zero", "it is no regular file" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct strbuf why = { 0 };

		assert_null(table_db_ops.open(TABLE_CDB, cases[i].path, &why));
		assert_string_equal(why.p, cases[i].why);
		strbuf_free(&why);
	}
	/* One kind for another. */
	write_db(TABLE_CDB, 0);
	assert_false(try(TABLE_LMDB));
	write_db(TABLE_LMDB, 0);
	assert_false(try(TABLE_CDB));
}

/* postmap holds a lock while it writes. */
static void
locked(void **state)
{
	struct strbuf why = { 0 };
	int fd;

	(void)state;
	write_db(TABLE_LMDB, 0);
	assert_true((fd = open(path, O_RDWR)) >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_null(table_db_ops.open(TABLE_LMDB, path, &why));
	assert_string_equal(why.p, "another program holds it locked; is it being written?");
	assert_int_equal(close(fd), 0);
	assert_true(try(TABLE_LMDB));
	strbuf_free(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cdb_lookups), cmocka_unit_test(lmdb_lookups),
		cmocka_unit_test(cdb_cut_off), cmocka_unit_test(lmdb_cut_off),
		cmocka_unit_test(cdb_damaged), cmocka_unit_test(lmdb_damaged),
		cmocka_unit_test(empty), cmocka_unit_test(lmdb_rewritten),
		cmocka_unit_test(refused), cmocka_unit_test(locked),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
