/*
 * store_memory.c - a store that a restart empties: for judge, for the tests in
 * a rules file, and for whoever wants no file.
 *
 * A chained hash table for each kind under one lock, which is held for no I/O.  When a
 * table is full those go first that would expire first: about a sixteenth of
 * it, found by looking at a sample, so that the next insertions are cheap again.
 */
#include "filter/store_int.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS_MIN	64
#define SAMPLE		256
#define SAMPLE_OUT	(SAMPLE / 16)

struct entry {
	struct entry	*next;
	uint8_t		 key[STORE_KEY_OCTETS];
	int64_t		 expires;
	uint16_t	 n;
	uint8_t		 b[];
};

struct kind {
	struct entry	**buckets;
	size_t		 nbuckets, n;
};

struct memory {
	struct store	 s;
	pthread_mutex_t	 lock;
	struct kind	 kinds[STORE_KINDS];
	size_t		 limit;
};

/* Keys are digests: any of their octets are as good as a hash. */
static size_t
bucket_of(const struct kind *k, const uint8_t key[STORE_KEY_OCTETS])
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	return (size_t)h & (k->nbuckets - 1);
}

static struct entry **
find(struct kind *k, const uint8_t key[STORE_KEY_OCTETS])
{
	struct entry **e = &k->buckets[bucket_of(k, key)];

	while (*e != NULL && memcmp((*e)->key, key, STORE_KEY_OCTETS) != 0)
		e = &(*e)->next;
	return e;
}

static int
grow(struct kind *k)
{
	size_t had = k->nbuckets;
	struct entry **old = k->buckets, **new;

	if (k->n < had)
		return 0;
	if ((new = calloc(had * 2, sizeof(*new))) == NULL)
		return -1;
	k->buckets = new;
	k->nbuckets = had * 2;
	for (size_t i = 0; i < had; i++)
		for (struct entry *e = old[i], *next; e != NULL; e = next) {
			struct entry **at = &k->buckets[bucket_of(k, e->key)];

			next = e->next;
			e->next = *at;
			*at = e;
		}
	free(old);
	return 0;
}

static int
compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The time before which a sixteenth of the entries expire. */
static int64_t
early(const struct kind *k)
{
	int64_t times[SAMPLE];
	size_t n = 0;

	for (size_t i = 0; i < k->nbuckets && n < SAMPLE; i++)
		for (const struct entry *e = k->buckets[i]; e != NULL && n < SAMPLE; e = e->next)
			times[n++] = e->expires;
	/* cppcheck-suppress uninitvar ; a kind that is full has entries */
	qsort(times, n, sizeof(*times), compare_times);
	return times[n / (SAMPLE / SAMPLE_OUT)];
}

static void
make_room(struct kind *k)
{
	int64_t before = early(k);
	size_t out = k->n / 16 + 1;

	for (size_t i = 0; i < k->nbuckets && out > 0; i++)
		for (struct entry **e = &k->buckets[i]; *e != NULL && out > 0; ) {
			struct entry *gone = *e;

			if (gone->expires > before) {
				e = &gone->next;
				continue;
			}
			*e = gone->next;
			free(gone);
			k->n--;
			out--;
		}
}

static int
keep(struct memory *m, const struct store_key *key, const struct record *r)
{
	struct kind *k = &m->kinds[key->kind];
	struct entry **at = find(k, key->b), *e = *at, *more;

	if (e == NULL && k->n >= m->limit) {
		make_room(k);
		at = find(k, key->b);
	}
	if ((more = realloc(e, sizeof(*e) + r->n)) == NULL)
		return -1;
	if (e == NULL) {
		memcpy(more->key, key->b, sizeof(more->key));
		more->next = NULL;
		k->n++;
	}
	*at = more;
	more->expires = r->expires;
	more->n = (uint16_t)r->n;
	memcpy(more->b, r->b, r->n);
	return grow(k);
}

static void
look(struct memory *m, const struct store_key *key, struct record *r)
{
	const struct entry *e = *find(&m->kinds[key->kind], key->b);

	r->n = e != NULL ? e->n : 0;
	if (e != NULL)
		memcpy(r->b, e->b, e->n);
}

static int
memory_run(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY])
{
	struct memory *m = (struct memory *)s;
	struct record r[STORE_OP_KEYS];
	size_t n = store_op_keys(op);
	unsigned changed;
	int done = 0;

	(void)deadline;
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < n; i++)
		look(m, &op->keys[i], &r[i]);
	changed = store_op_apply(op, r);
	for (size_t i = 0; i < n && done == 0; i++)
		if (changed & 1u << i)
			done = keep(m, &op->keys[i], &r[i]);
	pthread_mutex_unlock(&m->lock);
	if (done == -1)
		strcpy(why, "out of memory");
	return done;
}

static void
memory_close(struct store *s)
{
	struct memory *m = (struct memory *)s;

	for (int i = 0; i < STORE_KINDS; i++) {
		struct kind *k = &m->kinds[i];

		for (size_t b = 0; k->buckets != NULL && b < k->nbuckets; b++)
			for (struct entry *e = k->buckets[b], *next; e != NULL; e = next) {
				next = e->next;
				free(e);
			}
		free(k->buckets);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_backend backend = { memory_run, memory_close };

struct store *
store_memory_open(int64_t limit, struct store_voice *voice, struct strbuf *why)
{
	struct memory *m;

	if ((m = calloc(1, sizeof(*m))) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	m->s.backend = &backend;
	m->s.voice = voice;
	m->limit = (size_t)limit;
	pthread_mutex_init(&m->lock, NULL);
	for (int i = 0; i < STORE_KINDS; i++) {
		m->kinds[i].nbuckets = BUCKETS_MIN;
		m->kinds[i].buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
		if (m->kinds[i].buckets == NULL) {
			strbuf_puts(why, "out of memory");
			memory_close(&m->s);
			return NULL;
		}
	}
	return &m->s;
}
