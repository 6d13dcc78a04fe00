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
 *
 * The file itself, and what may become of it, is store_file.c's business.
 */
#include "filter/store_int.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filter/store_file.h"

#define TIME_OCTETS	8
#define BATCH		512		/* operations in one transaction */
#define SWEEP		256		/* old records removed in one transaction, at most */
#define EXCESS		(4 * BATCH)	/* and of what is too much: more than a batch brings */
#define IDLE		30		/* seconds after which it sweeps without being asked */
#define AGAIN		1000		/* ms between attempts to open a file that can't be used */

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
	struct store_file file;		/* the writer's, once that runs */
	msec		 again;		/* when it may be opened again, if it isn't open */
	char		 closed_why[STORE_WHY];
	pthread_t	 writer;
	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 work;
	struct job	*first, **last;
	bool		 stop;
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
	if ((e = mdb_get(txn, m->file.records[key->kind], &k, &v)) != 0)
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
	if ((e = mdb_put(txn, m->file.records[key->kind], &k, &v, 0)) != 0)
		return e;
	if (had && memcmp(old_end, buf, TIME_OCTETS) == 0)
		return 0;
	if (had) {
		i = end_key(index, old_end, key->b);
		e = mdb_del(txn, m->file.ends[key->kind], &i, NULL);
		if (e != 0 && e != MDB_NOTFOUND)
			return e;
	}
	i = end_key(index, buf, key->b);
	return mdb_put(txn, m->file.ends[key->kind], &i, &none, 0);
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

	if ((e = mdb_stat(txn, m->file.ends[kind], &st)) != 0 ||
	    (e = mdb_cursor_open(txn, m->file.ends[kind], &c)) != 0)
		return e;
	over = st.ms_entries > m->file.limit ? st.ms_entries - m->file.limit : 0;
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
			e = mdb_del(txn, m->file.records[kind], &key, NULL);
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

/* Is the file open, and still the one that it was? */
static int
ready(struct lmdb *m, char why[STORE_WHY])
{
	struct strbuf reason = { 0 };
	const char *changed;
	int r;

	if (m->file.env != NULL && (changed = store_file_changed(&m->file)) != NULL) {
		store_tell(m->s.voice, changed);
		store_file_close(&m->file);
	}
	if (m->file.env != NULL)
		return 0;
	if (clock_msec() >= m->again) {
		if ((r = store_file_open(&m->file, &reason)) == -1)
			(void)snprintf(m->closed_why, STORE_WHY, "%s",
			    reason.p != NULL ? reason.p : "out of memory");
		strbuf_free(&reason);
		if (r == 0)
			return 0;
		m->again = clock_msec() + AGAIN;
	}
	memcpy(why, m->closed_why, STORE_WHY);
	return -1;
}

static int
transact(struct lmdb *m, struct job *jobs, size_t *removed)
{
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(m->file.env, NULL, 0, &txn)) != 0)
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

/* All of them in one transaction; then they are done or failed together. */
static int
write_batch(struct lmdb *m, struct job *jobs, size_t *removed, char why[STORE_WHY])
{
	int e;

	if (ready(m, why) == -1)
		return -1;
	if ((e = transact(m, jobs, removed)) == 0)
		return 0;
	(void)snprintf(why, STORE_WHY, "%s", store_file_error(&m->file, e));
	if (store_file_broken(e))
		store_file_close(&m->file);
	return -1;
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
answer(struct job *jobs, int r, const char why[STORE_WHY])
{
	struct job *left = NULL;

	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		j->state = r == 0 ? JOB_DONE : JOB_FAILED;
		memcpy(j->why, why, STORE_WHY);
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
		char why[STORE_WHY] = "";
		struct job *jobs;
		size_t removed = 0;
		int r;

		while (m->first == NULL && !m->stop && !more)
			if (pthread_cond_timedwait(&m->work, &m->lock, &until) == ETIMEDOUT)
				break;
		if (m->first == NULL && m->stop)
			break;
		jobs = take(m);
		pthread_mutex_unlock(&m->lock);
		r = write_batch(m, jobs, &removed, why);
		more = r == 0 && removed >= SWEEP;
		pthread_mutex_lock(&m->lock);
		answer(jobs, r, why);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static int
lmdb_run(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY])
{
	struct lmdb *m = (struct lmdb *)s;
	struct timespec until = deadline_of(deadline);
	struct job *j;
	int r = -1, waited = 0;

	if ((j = calloc(1, sizeof(*j))) == NULL || wait_cond_init(&j->done) != 0) {
		free(j);
		strcpy(why, "out of memory");
		return -1;
	}
	j->op = *op;
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
	store_file_close(&m->file);
	pthread_cond_destroy(&m->work);
	pthread_mutex_destroy(&m->lock);
	free(m->file.path);
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

struct store *
store_lmdb_open(struct str path, int64_t limit, struct store_voice *voice, struct strbuf *why)
{
	struct lmdb *m = calloc(1, sizeof(*m));
	char *name = strndup(path.p, path.n);

	if (m == NULL || name == NULL || wait_cond_init(&m->work) != 0) {
		strbuf_puts(why, "out of memory");
		free(m);
		free(name);
		return NULL;
	}
	m->s = (struct store){ &backend, voice };
	m->file.path = name;
	m->file.limit = (size_t)limit;
	m->last = &m->first;
	pthread_mutex_init(&m->lock, NULL);
	if (store_file_open(&m->file, why) == 0) {
		if (pthread_create(&m->writer, NULL, writer, m) == 0)
			return &m->s;
		strbuf_puts(why, "out of memory");
	}
	lmdb_free(m);
	return NULL;
}
