/*
 * store_lmdb.c - a store in a file, by LMDB.
 *
 * LMDB lets one write at a time and writes to the disk at each commit, so
 * one thread does all of it: what has queued up while it wrote goes into its next
 * transaction together, and whoever waits may leave at his deadline.  A
 * commit is in the file before anybody is answered, so neither a restart nor
 * kill -9 loses it; a crash of the whole machine loses the last moments at most (MDB_NOMETASYNC),
 * never the file.
 *
 * Each kind has a database of its records, with the time of their end in front, and an
 * index by that time, from whose head old records are swept, and further ones
 * if there are more than `limit`.  The map is so large that it can't be full
 * before that.
 */
#include "filter/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TIME_OCTETS	8
#define MAP_PER_ENTRY	1024		/* octets; a record with its index takes 700 at most */
#define MAP_LEAST	((size_t)16 << 20)
#define BATCH		512		/* operations in one transaction */
#define SWEEP		256		/* old records removed in one transaction, at most */
#define EXCESS		(4 * BATCH)	/* and of what is too much: more than a batch brings */
#define IDLE		30		/* seconds after which it sweeps without being asked */

enum job_state { JOB_WAITING, JOB_DONE, JOB_FAILED };

/* Whoever asks and the writer have it together: the last one frees it. */
struct job {
	struct store_op	 op;
	enum job_state	 state;
	bool		 left;		/* nobody waits for it any more */
	char		 why[STORE_WHY];
	pthread_cond_t	 done;
	struct job	*next;
};

struct lmdb {
	struct store	 s;
	MDB_env		*env;
	MDB_dbi		 records[STORE_KINDS], ends[STORE_KINDS];
	size_t		 limit;
	pthread_t	 writer;
	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 work;
	struct job	*first, **last;
	bool		 stop;
};

static const char *const names[STORE_KINDS][2] = {
	[STORE_RATE] = { "rate", "rate-end" },
	[STORE_TRIPLET] = { "triplet", "triplet-end" },
	[STORE_CLIENT] = { "client", "client-end" },
};

/* ---- Records ---- */

static void
put_time(uint8_t *p, int64_t t)
{
	for (int i = TIME_OCTETS; i > 0; i--, t >>= 8)
		p[i - 1] = (uint8_t)(t & 0xff);
}

static int64_t
get_time(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < TIME_OCTETS; i++)
		v = v << 8 | p[i];
	return (int64_t)(v & INT64_MAX);
}

/* The key of the index: the end, then the record's own key. */
static MDB_val
end_key(uint8_t buf[TIME_OCTETS + STORE_KEY_OCTETS], const uint8_t *end, const void *key)
{
	memcpy(buf, end, TIME_OCTETS);
	memcpy(buf + TIME_OCTETS, key, STORE_KEY_OCTETS);
	return (MDB_val){ TIME_OCTETS + STORE_KEY_OCTETS, buf };
}

/* Reads a record, and into `end` its time as it stands there. */
static int
look(struct lmdb *m, MDB_txn *txn, const struct store_key *key, struct record *r,
    uint8_t end[TIME_OCTETS])
{
	MDB_val k = { STORE_KEY_OCTETS, (void *)(uintptr_t)key->b }, v;
	int e;

	r->n = 0;
	if ((e = mdb_get(txn, m->records[key->kind], &k, &v)) != 0)
		return e == MDB_NOTFOUND ? 0 : e;
	if (v.mv_size < TIME_OCTETS)
		return 0;
	memcpy(end, v.mv_data, TIME_OCTETS);
	if (v.mv_size - TIME_OCTETS <= sizeof(r->b)) {
		r->n = v.mv_size - TIME_OCTETS;
		memcpy(r->b, (const uint8_t *)v.mv_data + TIME_OCTETS, r->n);
	}
	return 0;
}

static int
keep(struct lmdb *m, MDB_txn *txn, const struct store_key *key, const struct record *r,
    bool had, const uint8_t old_end[TIME_OCTETS])
{
	uint8_t buf[TIME_OCTETS + RECORD_OCTETS], index[TIME_OCTETS + STORE_KEY_OCTETS];
	MDB_val k = { STORE_KEY_OCTETS, (void *)(uintptr_t)key->b };
	MDB_val v = { TIME_OCTETS + r->n, buf }, none = { 0, buf }, i;
	int e;

	put_time(buf, r->expires);
	memcpy(buf + TIME_OCTETS, r->b, r->n);
	if ((e = mdb_put(txn, m->records[key->kind], &k, &v, 0)) != 0)
		return e;
	if (had && memcmp(old_end, buf, TIME_OCTETS) == 0)
		return 0;
	if (had) {
		i = end_key(index, old_end, key->b);
		e = mdb_del(txn, m->ends[key->kind], &i, NULL);
		if (e != 0 && e != MDB_NOTFOUND)
			return e;
	}
	i = end_key(index, buf, key->b);
	return mdb_put(txn, m->ends[key->kind], &i, &none, 0);
}

/* One operation within a transaction; 0 or LMDB's error. */
static int
apply(struct lmdb *m, MDB_txn *txn, struct store_op *op)
{
	uint8_t ends[STORE_OP_KEYS][TIME_OCTETS];
	struct record r[STORE_OP_KEYS];
	bool had[STORE_OP_KEYS];
	size_t n = store_op_keys(op);
	unsigned changed;
	int e = 0;

	for (size_t i = 0; i < n && e == 0; i++) {
		e = look(m, txn, &op->keys[i], &r[i], ends[i]);
		had[i] = r[i].n > 0;
	}
	if (e != 0)
		return e;
	changed = store_op_apply(op, r);
	for (size_t i = 0; i < n && e == 0; i++)
		if (changed & 1u << i)
			e = keep(m, txn, &op->keys[i], &r[i], had[i], ends[i]);
	return e;
}

/* ---- Sweeping ---- */

/* Removes from the head of the index what is over, and what is too much. */
static int
sweep_kind(struct lmdb *m, MDB_txn *txn, int kind, int64_t now, size_t *removed)
{
	MDB_cursor *c;
	MDB_val k, v;
	MDB_stat st;
	size_t over;
	int e;

	if ((e = mdb_stat(txn, m->ends[kind], &st)) != 0 ||
	    (e = mdb_cursor_open(txn, m->ends[kind], &c)) != 0)
		return e;
	over = st.ms_entries > m->limit ? st.ms_entries - m->limit : 0;
	if (over > EXCESS)
		over = EXCESS;
	for (size_t n = 0; n < SWEEP + over; n++) {
		MDB_val key;
		uint8_t octets[STORE_KEY_OCTETS];

		if ((e = mdb_cursor_get(c, &k, &v, MDB_FIRST)) != 0)
			break;
		if (k.mv_size == TIME_OCTETS + STORE_KEY_OCTETS) {
			if (n >= over && get_time(k.mv_data) > now)
				break;
			memcpy(octets, (const uint8_t *)k.mv_data + TIME_OCTETS, sizeof(octets));
			key = (MDB_val){ sizeof(octets), octets };
			e = mdb_del(txn, m->records[kind], &key, NULL);
			if (e != 0 && e != MDB_NOTFOUND)
				break;
		}
		if ((e = mdb_cursor_del(c, 0)) != 0)
			break;
		++*removed;
	}
	mdb_cursor_close(c);
	return e == MDB_NOTFOUND ? 0 : e;
}

static int
sweep(struct lmdb *m, MDB_txn *txn, size_t *removed)
{
	int e = 0;

	for (int kind = 0; kind < STORE_KINDS && e == 0; kind++)
		e = sweep_kind(m, txn, kind, time(NULL), removed);
	return e;
}

/* ---- The writer ---- */

static void
free_jobs(struct job *j)
{
	for (struct job *next; j != NULL; j = next) {
		next = j->next;
		pthread_cond_destroy(&j->done);
		free(j);
	}
}

/* All of them in one transaction; then they are done or failed together. */
static int
write_batch(struct lmdb *m, struct job *jobs, size_t *removed)
{
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(m->env, NULL, 0, &txn)) != 0)
		return e;
	for (struct job *j = jobs; j != NULL && e == 0; j = j->next)
		e = apply(m, txn, &j->op);
	if (e == 0)
		e = sweep(m, txn, removed);
	if (e == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return e;
}

/* Takes at most BATCH jobs that somebody still waits for; under the lock. */
static struct job *
take(struct lmdb *m)
{
	struct job *jobs = NULL, **end = &jobs, *left = NULL;
	size_t n = 0;

	while (m->first != NULL && n < BATCH) {
		struct job *j = m->first;

		m->first = j->next;
		if (j->left) {
			j->next = left;
			left = j;
			continue;
		}
		j->next = NULL;
		*end = j;
		end = &j->next;
		n++;
	}
	if (m->first == NULL)
		m->last = &m->first;
	free_jobs(left);
	return jobs;
}

/* Answers; what nobody waits for any more is freed.  Under the lock. */
static void
answer(struct job *jobs, int e)
{
	struct job *left = NULL;

	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		j->state = e == 0 ? JOB_DONE : JOB_FAILED;
		if (e != 0)
			(void)snprintf(j->why, sizeof(j->why), "%s", mdb_strerror(e));
		if (j->left) {
			j->next = left;
			left = j;
		} else
			pthread_cond_signal(&j->done);
	}
	free_jobs(left);
}

static struct timespec
deadline_of(msec at)
{
	return (struct timespec){ at / 1000, (at % 1000) * 1000000 };
}

static void *
writer(void *arg)
{
	struct lmdb *m = arg;
	bool more = true;	/* old records may be left */

	pthread_mutex_lock(&m->lock);
	for (;;) {
		struct timespec until = deadline_of(clock_msec() + IDLE * 1000);
		struct job *jobs;
		size_t removed = 0;
		int e;

		while (m->first == NULL && !m->stop && !more)
			if (pthread_cond_timedwait(&m->work, &m->lock, &until) == ETIMEDOUT)
				break;
		if (m->first == NULL && m->stop)
			break;
		jobs = take(m);
		pthread_mutex_unlock(&m->lock);
		e = write_batch(m, jobs, &removed);
		more = e == 0 && removed >= SWEEP;
		pthread_mutex_lock(&m->lock);
		answer(jobs, e);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static int
lmdb_run(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY])
{
	struct lmdb *m = (struct lmdb *)s;
	struct timespec until = deadline_of(deadline);
	pthread_condattr_t monotonic;
	struct job *j;
	int r = -1, waited = 0;

	if ((j = calloc(1, sizeof(*j))) == NULL) {
		strcpy(why, "out of memory");
		return -1;
	}
	j->op = *op;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&j->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&m->lock);
	*m->last = j;
	m->last = &j->next;
	pthread_cond_signal(&m->work);
	while (j->state == JOB_WAITING && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&j->done, &m->lock, &until);
	if (j->state == JOB_WAITING) {
		j->left = true;		/* the writer frees it */
		pthread_mutex_unlock(&m->lock);
		strcpy(why, "the disk did not answer in time");
		return -1;
	}
	pthread_mutex_unlock(&m->lock);
	if (j->state == JOB_DONE) {
		*op = j->op;
		r = 0;
	} else
		memcpy(why, j->why, STORE_WHY);
	j->next = NULL;
	free_jobs(j);
	return r;
}

/* ---- Opening ---- */

static void
lmdb_free(struct lmdb *m)
{
	if (m->env != NULL)
		mdb_env_close(m->env);
	pthread_cond_destroy(&m->work);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Nobody asks any more. */
static void
lmdb_close(struct store *s)
{
	struct lmdb *m = (struct lmdb *)s;

	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->work);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->writer, NULL);
	lmdb_free(m);
}

static const struct store_backend backend = { lmdb_run, lmdb_close };

/*
 * LMDB maps the file and trusts what it says of itself: one that lost its end
 * would be the end of the process, too.
 */
static int
check_whole(struct lmdb *m)
{
	MDB_envinfo info;
	MDB_stat st;
	struct stat file;
	int fd;

	if (mdb_env_info(m->env, &info) != 0 || mdb_env_stat(m->env, &st) != 0 ||
	    mdb_env_get_fd(m->env, &fd) != 0 || fstat(fd, &file) == -1)
		return EIO;
	return (uint64_t)file.st_size < (uint64_t)(info.me_last_pgno + 1) * st.ms_psize &&
	    st.ms_entries > 0 ? MDB_CORRUPTED : 0;
}

static int
open_databases(struct lmdb *m)
{
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(m->env, NULL, 0, &txn)) != 0)
		return e;
	for (int i = 0; i < STORE_KINDS && e == 0; i++)
		if ((e = mdb_dbi_open(txn, names[i][0], MDB_CREATE, &m->records[i])) == 0)
			e = mdb_dbi_open(txn, names[i][1], MDB_CREATE, &m->ends[i]);
	if (e == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return e;
}

static int
open_env(struct lmdb *m, const char *path)
{
	size_t map = m->limit * MAP_PER_ENTRY * STORE_KINDS;
	int e;

	if ((e = mdb_env_create(&m->env)) != 0 ||
	    (e = mdb_env_set_maxdbs(m->env, 2 * STORE_KINDS)) != 0 ||
	    (e = mdb_env_set_mapsize(m->env, map > MAP_LEAST ? map : MAP_LEAST)) != 0 ||
	    (e = mdb_env_open(m->env, path, MDB_NOSUBDIR | MDB_NOMETASYNC | MDB_NORDAHEAD,
	    0600)) != 0 || (e = check_whole(m)) != 0)
		return e;
	return open_databases(m);
}

struct store *
store_lmdb_open(struct str path, int64_t limit, struct strbuf *why)
{
	struct lmdb *m = calloc(1, sizeof(*m));
	pthread_condattr_t monotonic;
	char *name = strndup(path.p, path.n);
	int e = ENOMEM;

	if (m == NULL || name == NULL) {
		strbuf_puts(why, "out of memory");
		free(m);
		free(name);
		return NULL;
	}
	m->s.backend = &backend;
	m->limit = (size_t)limit;
	m->last = &m->first;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&m->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((e = open_env(m, name)) == 0 &&
	    (e = pthread_create(&m->writer, NULL, writer, m)) == 0) {
		free(name);
		return &m->s;
	}
	strbuf_printf(why, "cannot use the store %s: %s%s", name, mdb_strerror(e),
	    e == MDB_INVALID || e == MDB_CORRUPTED || e == MDB_VERSION_MISMATCH ?
	    "; remove it, and it is made anew" : "");
	lmdb_free(m);
	free(name);
	return NULL;
}
