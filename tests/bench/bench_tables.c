/*
 * bench_tables.c - how long lists of a million entries take to load, how much
 * memory they hold, and how long a question takes.
 *
 *	bench_tables [ENTRIES]
 *
 * Files are made in $TMPDIR.  Half the questions hit, and their time is processor time.  Memory is the growth of the
 * process's resident size, with the file's text and a database's copy in it.
 */
#include <cdb.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/table_db.h"
#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/tables.h"
#include "tests/bench/measure.h"

#define QUESTIONS	1000000

static char dir[256];
static size_t n;

static void
die(const char *what)
{
	fprintf(stderr, "bench_tables: %s\n", what);
	exit(1);
}

/* Spreads numbers over all of their range, each once. */
static uint32_t
scatter(uint32_t i)
{
	return i * 2654435761u;
}

/* The i-th entry of a list; odd ones are the questions that miss. */
static int
entry(enum list_type type, size_t i, char *out, size_t size)
{
	uint32_t r = scatter((uint32_t)i);

	switch (type) {
	case LIST_NETS:
		return snprintf(out, size, "%u.%u.%u.0/24", r >> 24, r >> 16 & 255, r >> 8 & 255);
	case LIST_DOMAINS:
		return snprintf(out, size, "host%zu.domain%u.example", i, r % 5000);
	case LIST_ADDRESSES:
		return snprintf(out, size, "user%zu@domain%u.example", i, r % 5000);
	default:
		return snprintf(out, size, "some words and a number %zu", i);
	}
}

static const char *
path_of(const char *suffix)
{
	static char path[300];

	(void)snprintf(path, sizeof(path), "%s/list%s", dir, suffix);
	return path;
}

static void
make_file(enum list_type type, bool with_text)
{
	FILE *f = fopen(path_of(""), "w");
	char line[128];

	if (f == NULL)
		die("cannot write");
	for (size_t i = 0; i < n; i++) {
		if (type == LIST_NETS) {
			uint32_t r = scatter((uint32_t)i);

			/* Networks of all sizes, which lie inside one another. */
			unsigned bits = 20 + (unsigned)(i % 13);
			uint32_t net = r & (0xffffffffu << (32 - bits));

			fprintf(f, "%u.%u.%u.%u/%u", net >> 24, net >> 16 & 255, net >> 8 & 255,
			    net & 255, bits);
		} else {
			entry(type, 2 * i, line, sizeof(line));
			fputs(line, f);
		}
		fputs(with_text ? " 550 5.7.1 listed\n" : "\n", f);
	}
	if (fclose(f) != 0)
		die("cannot write");
}

static void
make_db(enum table_db kind, enum list_type type)
{
	static const char text[] = "550 5.7.1 listed";
	char key[128];
	int len;

	if (kind == TABLE_CDB) {
		struct cdb_make make;
		int fd = open(path_of(".cdb"), O_RDWR | O_CREAT | O_TRUNC, 0600);

		if (fd == -1 || cdb_make_start(&make, fd) != 0)
			die("cannot write");
		for (size_t i = 0; i < n; i++) {
			len = entry(type, 2 * i, key, sizeof(key));
			if (cdb_make_add(&make, key, (unsigned)len, text, sizeof(text) - 1) != 0)
				die("cannot write");
		}
		if (cdb_make_finish(&make) != 0 || close(fd) != 0)
			die("cannot write");
		return;
	}
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 1u << 30) != 0 ||
	    mdb_env_open(env, path_of(".lmdb"), MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
		die("cannot write");
	for (size_t i = 0; i < n; i++) {
		MDB_val k = { 0, key }, v = { sizeof(text) - 1, (char *)(uintptr_t)text };

		k.mv_size = (size_t)entry(type, 2 * i, key, sizeof(key));
		if (mdb_put(txn, dbi, &k, &v, 0) != 0)
			die("cannot write");
	}
	if (mdb_txn_commit(txn) != 0)
		die("cannot write");
	mdb_env_close(env);
}

static struct value *
make_questions(struct arena *a, enum list_type type)
{
	struct value *q = arena_array(a, QUESTIONS, sizeof(*q));
	char text[128];

	if (q == NULL)
		die("out of memory");
	for (size_t i = 0; i < QUESTIONS; i++) {
		size_t k = scatter((uint32_t)i) % (2 * n);
		int len = entry(type, k, text, sizeof(text));
		struct str s = str_dup(a, (struct str){ text, (size_t)len });

		if (type == LIST_NETS) {
			for (int b = 0; b < 16; b++)
				q[i].ip.b[b] = b < 10 ? 0 : 0xff;
			k = scatter((uint32_t)k + 12345);
			for (int b = 0; b < 4; b++)
				q[i].ip.b[12 + b] = (uint8_t)(k >> (24 - 8 * b));
		} else if (type == LIST_ADDRESSES)
			q[i].mb = mailbox_parse(a, s);
		else
			q[i].s = s;
	}
	return q;
}

static void
measure(const char *name, enum list_type type, enum entry_kind kind)
{
	static const struct source rules = { .name = { "bench", 5 }, .text = { "x", 1 } };
	static const struct table_how how = { .ops = &table_db_ops, .match_limit = 100000 };
	struct entry e = { .kind = kind, .at = { &rules, 0, 1 }, .text = str_of(path_of("")) };
	struct list l = { .type = type, .entries = &e };
	struct arena *a = arena_new(1 << 16), *qa = arena_new(1 << 20);
	struct diag *d = diag_new();
	struct strbuf text = { 0 };
	struct value *q;
	struct table *t;
	double from, load, has, with_text, before;
	size_t hits = 0;

	if (a == NULL || qa == NULL || d == NULL)
		die("out of memory");
	q = make_questions(qa, type);
	before = resident_mb();
	from = seconds(CLOCK_MONOTONIC);
	if ((t = table_build(&l, &how, a, d)) == NULL || diag_errors(d) > 0) {
		diag_print(d, stderr, false);
		die("not loaded");
	}
	load = seconds(CLOCK_MONOTONIC) - from;
	before = resident_mb() - before;
	from = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < QUESTIONS; i++)
		hits += table_has(t, &q[i], false) == TABLE_YES;
	has = seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
	from = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < QUESTIONS; i++) {
		text.n = 0;
		(void)table_text(t, &q[i], false, &text);
	}
	with_text = seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
	printf("%-22s %9zu entries  load %6.2f s  %6.1f MB  in %6.0f ns  text %6.0f ns  hits %4.1f %%\n",
	    name, table_size(t), load, before, has / QUESTIONS * 1e9, with_text / QUESTIONS * 1e9,
	    (double)hits * 100 / QUESTIONS);
	strbuf_free(&text);
	arena_free(a);
	arena_free(qa);
	diag_free(d);
}

int
main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");

	n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	if (n == 0 || n > 10000000)
		die("ENTRIES is a number up to 10000000");
	(void)snprintf(dir, sizeof(dir), "%s/postern-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		die("cannot make a directory");
	make_file(LIST_NETS, false);
	measure("nets file", LIST_NETS, ENTRY_FILE);
	make_file(LIST_NETS, true);
	measure("nets file, texts", LIST_NETS, ENTRY_FILE);
	make_file(LIST_DOMAINS, false);
	measure("domains file", LIST_DOMAINS, ENTRY_FILE);
	make_file(LIST_ADDRESSES, false);
	measure("addresses file", LIST_ADDRESSES, ENTRY_FILE);
	make_file(LIST_ADDRESSES, true);
	measure("addresses file, texts", LIST_ADDRESSES, ENTRY_FILE);
	make_file(LIST_STRINGS, false);
	measure("strings file", LIST_STRINGS, ENTRY_FILE);
	make_db(TABLE_CDB, LIST_ADDRESSES);
	measure("addresses cdb", LIST_ADDRESSES, ENTRY_CDB);
	make_db(TABLE_LMDB, LIST_ADDRESSES);
	measure("addresses lmdb", LIST_ADDRESSES, ENTRY_LMDB);
	(void)unlink(path_of(""));
	(void)unlink(path_of(".cdb"));
	(void)unlink(path_of(".lmdb"));
	(void)rmdir(dir);
	return 0;
}
