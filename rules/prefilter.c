/*
 * prefilter.c - the literals of many patterns, looked for at once by libhs.
 *
 * A thousand patterns one by one cost a body of 20 KB some 25 ms, a scan for
 * their literals some 0.05 ms, and few of them are there.  libhs is asked for
 * literals only: it compiles those in no time, and what a pattern matches remains PCRE2's
 * to say.
 *
 * A scan needs scratch memory.  It belongs to the thread, as in regex.c, and
 * grows with the largest database: there is one model of it, and a thread
 * whose copy is older than a database takes a new one.
 *
 * Without libhs, at build or on this CPU, there are no prefilters, and PCRE2
 * tries each pattern.
 */
#include "prefilter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "literal_of.h"
#include "regex.h"

static atomic_bool enabled = true;

void
prefilter_enable(bool on)
{
	atomic_store(&enabled, on);
}

size_t
prefilter_next(const uint64_t *set, size_t i, size_t n)
{
	while (i < n) {
		uint64_t rest = set[i / 64] >> (i % 64);

		if (rest != 0) {
			i += (size_t)__builtin_ctzll(rest);
			return i < n ? i : n;
		}
		i = (i / 64 + 1) * 64;
	}
	return n;
}

#ifdef HAVE_HS

#include <hs.h>
#include <malloc.h>
#include <pthread.h>

#define PATTERNS_MIN	4	/* fewer aren't worth a scan */
#define LITERALS_MAX	1000000
#define LITERALS_LARGE	500	/* from so many on, compiling takes memory worth giving back */

/* Patterns that need a literal. */
struct users {
	uint32_t	from, n;	/* in prefilter.users */
};

struct prefilter {
	size_t		 words;
	uint64_t	*always;	/* candidates whatever the subject */
	uint32_t	*users;		/* patterns, sorted by literal */
	struct users	*literals;
	hs_database_t	*db;
	unsigned	 number;	/* of the database: scratch of that age will do */
};

/* ---- Scratch ---- */

struct scratch {
	hs_scratch_t	*hs;
	unsigned	 age;		/* the number of the newest database that it fits */
};

static pthread_once_t	once = PTHREAD_ONCE_INIT;
static pthread_key_t	key;
static bool		usable;

static pthread_mutex_t	model_lock = PTHREAD_MUTEX_INITIALIZER;
static hs_scratch_t	*model;
static unsigned		newest;

static void
scratch_free(void *p)
{
	struct scratch *s = p;

	(void)hs_free_scratch(s->hs);
	free(s);
}

static void
begin(void)
{
	usable = hs_valid_platform() == HS_SUCCESS &&
	    pthread_key_create(&key, scratch_free) == 0;
}

/* Makes room for another database; its number, or 0 without memory. */
static unsigned
fit_model(const hs_database_t *db)
{
	unsigned number = 0;

	(void)pthread_mutex_lock(&model_lock);
	if (hs_alloc_scratch(db, &model) == HS_SUCCESS)
		number = ++newest;
	(void)pthread_mutex_unlock(&model_lock);
	return number;
}

static struct scratch *
scratch_for(const struct prefilter *pf)
{
	struct scratch *s = pthread_getspecific(key);
	hs_scratch_t *fresh = NULL;

	if (s != NULL && s->age >= pf->number)
		return s;
	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return NULL;
		if (pthread_setspecific(key, s) != 0) {
			free(s);
			return NULL;
		}
	}
	(void)pthread_mutex_lock(&model_lock);
	if (hs_clone_scratch(model, &fresh) == HS_SUCCESS) {
		(void)hs_free_scratch(s->hs);
		s->hs = fresh;
		s->age = newest;
	}
	(void)pthread_mutex_unlock(&model_lock);
	return fresh != NULL ? s : NULL;
}

/* ---- Building ---- */

/* A literal of a pattern; equal ones are one for libhs. */
struct use {
	struct str	literal;
	uint32_t	pattern;
};

static int
by_literal(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int d = str_cmp(x->literal, y->literal);

	return d != 0 ? d : (x->pattern > y->pattern) - (x->pattern < y->pattern);
}

/* What libhs is given; on the heap, for as long as that takes. */
struct build {
	struct use	*uses;
	size_t		 nuses, nliterals;
	const char	**texts;
	size_t		*lengths;
	unsigned	*flags, *ids;
};

static void
build_free(struct build *b)
{
	free(b->uses);
	free(b->texts);
	free(b->lengths);
	free(b->flags);
	free(b->ids);
}

/* All uses, sorted; patterns that have no literals are always candidates. */
static int
collect(struct build *b, struct prefilter *pf, const struct regex *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		b->nuses += patterns[i] != NULL ? regex_literals(patterns[i])->n : 0;
	if (b->nuses == 0 || b->nuses > LITERALS_MAX ||
	    (b->uses = calloc(b->nuses, sizeof(*b->uses))) == NULL)
		return -1;
	b->nuses = 0;
	for (size_t i = 0; i < n; i++) {
		const struct literals *l = patterns[i] != NULL ? regex_literals(patterns[i]) : NULL;

		if (l == NULL || l->n == 0)
			pf->always[i / 64] |= UINT64_C(1) << (i % 64);
		for (size_t k = 0; l != NULL && k < l->n; k++)
			b->uses[b->nuses++] = (struct use){ l->v[k], (uint32_t)i };
	}
	qsort(b->uses, b->nuses, sizeof(*b->uses), by_literal);
	return 0;
}

/* Numbers the literals, and notes whose each is. */
static int
number(struct build *b, struct prefilter *pf, struct arena *a)
{
	pf->users = arena_array(a, b->nuses, sizeof(*pf->users));
	pf->literals = arena_array(a, b->nuses, sizeof(*pf->literals));
	b->texts = calloc(b->nuses, sizeof(*b->texts));
	b->lengths = calloc(b->nuses, sizeof(*b->lengths));
	b->flags = calloc(b->nuses, sizeof(*b->flags));
	b->ids = calloc(b->nuses, sizeof(*b->ids));
	if (pf->users == NULL || pf->literals == NULL || b->texts == NULL ||
	    b->lengths == NULL || b->flags == NULL || b->ids == NULL)
		return -1;
	for (size_t i = 0; i < b->nuses; i++) {
		size_t k = b->nliterals;

		pf->users[i] = b->uses[i].pattern;
		if (i > 0 && str_eq(b->uses[i].literal, b->uses[i - 1].literal)) {
			pf->literals[k - 1].n++;
			continue;
		}
		pf->literals[k] = (struct users){ (uint32_t)i, 1 };
		b->texts[k] = b->uses[i].literal.p;
		b->lengths[k] = b->uses[i].literal.n;
		b->flags[k] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
		b->ids[k] = (unsigned)k;
		b->nliterals++;
	}
	return 0;
}

static void
free_database(void *arg)
{
	struct prefilter *pf = arg;

	(void)hs_free_database(pf->db);
}

static int
make_database(struct build *b, struct prefilter *pf, struct arena *a)
{
	hs_compile_error_t *error = NULL;

	if (hs_compile_lit_multi(b->texts, b->flags, b->ids, b->lengths,
	    (unsigned)b->nliterals, HS_MODE_BLOCK, NULL, &pf->db, &error) != HS_SUCCESS) {
		(void)hs_free_compile_error(error);
		return -1;
	}
#ifdef __GLIBC__
	if (b->nliterals >= LITERALS_LARGE)
		(void)malloc_trim(0);
#endif
	if (arena_defer(a, free_database, pf) != 0)
		return -1;
	return (pf->number = fit_model(pf->db)) != 0 ? 0 : -1;
}

struct prefilter *
prefilter_new(struct arena *a, const struct regex *const *patterns, size_t n)
{
	struct build b = { .nuses = 0 };
	struct prefilter *pf;
	int failed;

	if (n < PATTERNS_MIN || n > UINT32_MAX || !atomic_load(&enabled) ||
	    pthread_once(&once, begin) != 0 || !usable)
		return NULL;
	if ((pf = arena_new_object(a, struct prefilter)) == NULL)
		return NULL;
	pf->words = (n + 63) / 64;
	if ((pf->always = arena_array(a, pf->words, sizeof(*pf->always))) == NULL)
		return NULL;
	failed = collect(&b, pf, patterns, n) != 0 || number(&b, pf, a) != 0 ||
	    make_database(&b, pf, a) != 0;
	build_free(&b);
	return failed ? NULL : pf;
}

/* ---- Scanning ---- */

struct scan {
	const struct prefilter *pf;
	uint64_t	*set;
};

static int
on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	struct scan *s = arg;
	const struct users *u = &s->pf->literals[id];

	(void)from;
	(void)to;
	(void)flags;
	for (uint32_t i = 0; i < u->n; i++) {
		uint32_t pattern = s->pf->users[u->from + i];

		s->set[pattern / 64] |= UINT64_C(1) << (pattern % 64);
	}
	return 0;
}

/* Everything is a candidate: slower, but never wrong. */
static void
take_all(const struct prefilter *pf, uint64_t *set)
{
	memset(set, 0xff, pf->words * sizeof(*set));
}

static void
scan_octets(const struct prefilter *pf, struct str subject, uint64_t *set)
{
	struct scan scan = { pf, set };
	struct scratch *s;

	if (subject.n > UINT32_MAX || (s = scratch_for(pf)) == NULL ||
	    hs_scan(pf->db, subject.p, (unsigned)subject.n, 0, s->hs, on_literal, &scan) != HS_SUCCESS)
		take_all(pf, set);
}

void
prefilter_scan(const struct prefilter *pf, struct str subject, uint64_t *set)
{
	struct strbuf folded = { 0 };

	for (size_t i = 0; i < pf->words; i++)
		set[i] |= pf->always[i];
	if (subject.n == 0)
		return;
	if (!literals_folds(subject)) {
		scan_octets(pf, subject, set);
		return;
	}
	literals_fold(subject, &folded);
	if (folded.failed)
		take_all(pf, set);
	else
		scan_octets(pf, strbuf_slice(&folded), set);
	strbuf_free(&folded);
}

size_t
prefilter_words(const struct prefilter *pf)
{
	return pf->words;
}

#else

struct prefilter *
prefilter_new(struct arena *a, const struct regex *const *patterns, size_t n)
{
	(void)a;
	(void)patterns;
	(void)n;
	return NULL;
}

/* Nobody has one to ask. */
void
prefilter_scan(const struct prefilter *pf, struct str subject, uint64_t *set)
{
	(void)pf;
	(void)subject;
	(void)set;
}

size_t
prefilter_words(const struct prefilter *pf)
{
	(void)pf;
	return 0;
}

#endif
