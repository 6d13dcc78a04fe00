/*
 * prefilter.c - what many patterns need, looked for at once.
 *
 * A thousand patterns one by one cost a body of 20 KB some 25 ms, a scan for
 * their literals some 0.05 ms, and few of them are there.  libhs is asked for
 * literals only: it compiles those in no time, and what a pattern matches remains PCRE2's
 * to say.  It scans a subject twice: as it is, and its letters and digits alone.  Each
 * literal meets a clause of some patterns; candidates are those of which all
 * clauses are met, and whose run of octets, if they need one, is there.
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

#define LACKING		0x80		/* no clause: CLAUSES_MAX is less */
#define PATTERNS_MIN	4	/* fewer aren't worth a scan */
#define LITERALS_MAX	1000000
#define LITERALS_LARGE	500	/* from so many on, compiling takes memory worth giving back */

/* A literal is there: a clause of that pattern is met. */
struct use {
	uint32_t	pattern;
	uint32_t	clause;		/* a bit */
};

/* Literals of one kind, and whose they are. */
struct finder {
	struct use	*uses;		/* by literal */
	uint32_t	*from;		/* of literal i: from[i] to from[i + 1] */
	hs_database_t	*db;		/* NULL: there are none */
	unsigned	 number;	/* of the database: scratch of that age will do */
};

/* A pattern that needs a run of octets. */
struct run_use {
	uint32_t	pattern;
	struct run	run;
};

struct prefilter {
	size_t		 n;		/* patterns */
	uint8_t		*clauses;	/* of each: those that must be met, as bits */
	bool		*text;		/* of each: it is for text, */
	bool		 texts, octets;	/* as some are, and some not */
	struct finder	 plain;		/* of subjects as they are */
	struct finder	 letters;	/* of their letters and digits */
	struct run_use	*runs;
	size_t		 nruns;
};

/* ---- Scratch ---- */

/* A thread's. */
struct scratch {
	hs_scratch_t	*hs;
	unsigned	 age;		/* the number of the newest database that it fits */
	uint8_t		*met;		/* clauses, by pattern */
	size_t		 nmet;
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
	free(s->met);
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
scratch_of_thread(void)
{
	struct scratch *s = pthread_getspecific(key);

	if (s != NULL || (s = calloc(1, sizeof(*s))) == NULL)
		return s;
	if (pthread_setspecific(key, s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

/* No clause of n patterns is met. */
static uint8_t *
unmet(size_t n)
{
	struct scratch *s = scratch_of_thread();
	uint8_t *more;

	if (s == NULL)
		return NULL;
	if (s->nmet < n) {
		if ((more = realloc(s->met, n)) == NULL)
			return NULL;
		s->met = more;
		s->nmet = n;
	}
	return memset(s->met, 0, n);
}

static struct scratch *
scratch_for(const struct finder *f)
{
	struct scratch *s = scratch_of_thread();
	hs_scratch_t *fresh = NULL;

	if (s == NULL || s->age >= f->number)
		return s;
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

/* A literal and its use; equal literals are one for libhs. */
struct found {
	struct str	literal;
	struct use	use;
};

static int
by_literal(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int d = str_cmp(x->literal, y->literal);

	return d != 0 ? d : (x->use.pattern > y->use.pattern) - (x->use.pattern < y->use.pattern);
}

/* What libhs is given; on the heap, for as long as that takes. */
struct build {
	struct found	*found;
	size_t		 nfound, nliterals;
	const char	**texts;
	size_t		*lengths;
	unsigned	*flags, *ids;
};

static void
build_free(struct build *b)
{
	free(b->found);
	free(b->texts);
	free(b->lengths);
	free(b->flags);
	free(b->ids);
}

/* All literals of that kind, sorted. */
static int
collect(struct build *b, bool letters, const struct regex *const *patterns, size_t n)
{
	size_t room = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			const struct needed *need = patterns[i] != NULL ? regex_needed(patterns[i]) : NULL;

			for (unsigned c = 0; need != NULL && c < need->n; c++) {
				const struct literals *l = &need->clauses[c].words;

				if (need->clauses[c].letters != letters)
					continue;
				for (size_t k = 0; pass == 1 && k < l->n; k++)
					b->found[b->nfound++] = (struct found){ l->v[k],
					    { (uint32_t)i, 1u << c } };
				room += l->n;
			}
		}
		if (pass == 0 && (room > LITERALS_MAX ||
		    (b->found = calloc(room + 1, sizeof(*b->found))) == NULL))
			return -1;
	}
	qsort(b->found, b->nfound, sizeof(*b->found), by_literal);
	return 0;
}

/* Numbers the literals, and notes whose each is. */
static int
number(struct build *b, struct finder *f, struct arena *a)
{
	f->uses = arena_array(a, b->nfound, sizeof(*f->uses));
	f->from = arena_array(a, b->nfound + 1, sizeof(*f->from));
	b->texts = calloc(b->nfound, sizeof(*b->texts));
	b->lengths = calloc(b->nfound, sizeof(*b->lengths));
	b->flags = calloc(b->nfound, sizeof(*b->flags));
	b->ids = calloc(b->nfound, sizeof(*b->ids));
	if (f->uses == NULL || f->from == NULL || b->texts == NULL ||
	    b->lengths == NULL || b->flags == NULL || b->ids == NULL)
		return -1;
	for (size_t i = 0; i < b->nfound; i++) {
		size_t k = b->nliterals;

		f->uses[i] = b->found[i].use;
		if (i > 0 && str_eq(b->found[i].literal, b->found[i - 1].literal))
			continue;
		f->from[k] = (uint32_t)i;
		b->texts[k] = b->found[i].literal.p;
		b->lengths[k] = b->found[i].literal.n;
		b->flags[k] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
		b->ids[k] = (unsigned)k;
		b->nliterals++;
	}
	f->from[b->nliterals] = (uint32_t)b->nfound;
	return 0;
}

static void
free_database(void *arg)
{
	(void)hs_free_database(arg);
}

static int
make_database(struct build *b, struct finder *f, struct arena *a)
{
	hs_compile_error_t *error = NULL;

	if (hs_compile_lit_multi(b->texts, b->flags, b->ids, b->lengths,
	    (unsigned)b->nliterals, HS_MODE_BLOCK, NULL, &f->db, &error) != HS_SUCCESS) {
		(void)hs_free_compile_error(error);
		return -1;
	}
#ifdef __GLIBC__
	if (b->nliterals >= LITERALS_LARGE)
		(void)malloc_trim(0);
#endif
	if (arena_defer(a, free_database, f->db) != 0)
		return -1;
	return (f->number = fit_model(f->db)) != 0 ? 0 : -1;
}

static int
make_finder(struct finder *f, bool letters, struct arena *a, const struct regex *const *patterns,
    size_t n)
{
	struct build b = { .nfound = 0 };
	int result = collect(&b, letters, patterns, n);

	if (result == 0 && b.nfound > 0)
		result = number(&b, f, a) != 0 || make_database(&b, f, a) != 0 ? -1 : 0;
	build_free(&b);
	return result;
}

/* What each pattern needs, whatever its literals are. */
static int
note_patterns(struct prefilter *pf, struct arena *a, const struct regex *const *patterns)
{
	pf->clauses = arena_alloc(a, pf->n);
	pf->text = arena_array(a, pf->n, sizeof(*pf->text));
	pf->runs = arena_array(a, pf->n, sizeof(*pf->runs));
	if (pf->clauses == NULL || pf->text == NULL || pf->runs == NULL)
		return -1;
	for (size_t i = 0; i < pf->n; i++) {
		const struct needed *need = patterns[i] != NULL ? regex_needed(patterns[i]) : NULL;

		if (need == NULL)
			continue;
		pf->clauses[i] = (uint8_t)((1u << need->n) - 1);
		pf->text[i] = need->text;
		pf->texts |= need->text;
		pf->octets |= !need->text;
		if (need->run.n > 0)
			pf->runs[pf->nruns++] = (struct run_use){ (uint32_t)i, need->run };
	}
	return 0;
}

struct prefilter *
prefilter_new(struct arena *a, const struct regex *const *patterns, size_t n)
{
	struct prefilter *pf;

	if (n < PATTERNS_MIN || n > UINT32_MAX || !atomic_load(&enabled) ||
	    pthread_once(&once, begin) != 0 || !usable)
		return NULL;
	if ((pf = arena_new_object(a, struct prefilter)) == NULL)
		return NULL;
	pf->n = n;
	if (note_patterns(pf, a, patterns) != 0 ||
	    make_finder(&pf->plain, false, a, patterns, n) != 0 ||
	    make_finder(&pf->letters, true, a, patterns, n) != 0)
		return NULL;
	return pf->plain.db != NULL || pf->letters.db != NULL || pf->nruns > 0 ? pf : NULL;
}

/* ---- Scanning ---- */

enum whose { ALL, OF_TEXT, OF_OCTETS };

struct scan {
	const struct prefilter *pf;
	const struct finder *f;
	enum whose	 whose;
	uint8_t		*met;
};

static int
on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	struct scan *s = arg;

	(void)from;
	(void)to;
	(void)flags;
	for (uint32_t i = s->f->from[id]; i < s->f->from[id + 1]; i++) {
		const struct use *u = &s->f->uses[i];

		if (s->whose == ALL || s->pf->text[u->pattern] == (s->whose == OF_TEXT))
			s->met[u->pattern] |= (uint8_t)u->clause;
	}
	return 0;
}

/* Notes the clauses that are met of those patterns; false if that can't be told. */
static bool
find(const struct prefilter *pf, const struct finder *f, enum whose whose, struct str text, uint8_t *met)
{
	struct scan scan = { pf, f, whose, met };
	struct scratch *s;

	if (f->db == NULL || text.n == 0)
		return true;
	return text.n <= UINT32_MAX && (s = scratch_for(f)) != NULL &&
	    hs_scan(f->db, text.p, (unsigned)text.n, 0, s->hs, on_literal, &scan) == HS_SUCCESS;
}

static bool
find_letters(const struct prefilter *pf, enum whose whose, struct str subject, uint8_t *met)
{
	char few[LITERALS_ROOM];
	struct strbuf b = STRBUF_IN(few);
	bool told;

	if (pf->letters.db == NULL || subject.n == 0)
		return true;
	told = strbuf_reserve(&b, subject.n) && find(pf, &pf->letters, whose,
	    (struct str){ b.p, letters_squeeze(subject, b.p) }, met);
	strbuf_free(&b);
	return told;
}

static bool
find_both(const struct prefilter *pf, enum whose whose, struct str subject, uint8_t *met)
{
	return find(pf, &pf->plain, whose, subject, met) && find_letters(pf, whose, subject, met);
}

/* Those for text look for their words in the subject with s and k, the others in its octets. */
static bool
find_all(const struct prefilter *pf, struct str subject, uint8_t *met)
{
	char few[LITERALS_ROOM];
	struct strbuf folded = STRBUF_IN(few);
	bool told;

	if (!pf->texts || !literals_folds(subject))
		return find_both(pf, ALL, subject, met);
	literals_fold(subject, &folded);
	told = !folded.failed && find_both(pf, OF_TEXT, strbuf_slice(&folded), met) &&
	    (!pf->octets || find_both(pf, OF_OCTETS, subject, met));
	strbuf_free(&folded);
	return told;
}

/* Unmeets a clause of those that lack their run. */
static void
look_for_runs(const struct prefilter *pf, struct str subject, uint8_t *met)
{
	struct run has = { .n = 0 };

	for (size_t i = 0; i < pf->nruns; i++) {
		const struct run_use *u = &pf->runs[i];

		if (met[u->pattern] != pf->clauses[u->pattern])
			continue;
		if (has.n == 0)
			has = octets_of(subject);
		if (!run_in(&u->run, subject, &has))
			met[u->pattern] = LACKING;
	}
}

void
prefilter_scan(const struct prefilter *pf, struct str subject, uint64_t *set)
{
	uint8_t *met = unmet(pf->n);

	if (met == NULL || !find_all(pf, subject, met)) {
		/* Everything is a candidate: slower, but never wrong. */
		memset(set, 0xff, prefilter_words(pf) * sizeof(*set));
		return;
	}
	look_for_runs(pf, subject, met);
	for (size_t i = 0; i < pf->n; i++)
		set[i / 64] |= (uint64_t)(met[i] == pf->clauses[i]) << (i % 64);
}

size_t
prefilter_words(const struct prefilter *pf)
{
	return (pf->n + 63) / 64;
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
