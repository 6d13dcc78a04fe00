/*
 * regex.c - PCRE2, with limits that no subject can get around.
 *
 * A match that reaches a limit has no answer, and says so: counting it as "no
 * match" would let mail decide whether a rule sees it.  PCRE2's compiled code
 * is shared; match data and JIT stack belong to the running thread, since
 * libmilter moves a session from thread to thread between its callbacks.
 *
 * Where the kernel forbids memory that is writable and executable, there is no
 * JIT, and PCRE2's interpreter does the same, some times slower.
 *
 * Of thousands of patterns a message needs few (prefilter.c), so machine code
 * is made for a pattern when it is first matched, not when it is read.
 */
#include "regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "literal_of.h"

/* The largest pattern, in octets; generated ones included. */
#define PATTERN_MAX	65536

/* JIT stack of a thread, from and to, and the interpreter's heap, in KiB. */
#define STACK_MIN	(32 << 10)
#define STACK_MAX	(1 << 20)
#define HEAP_KIB	8192

/*
 * PCRE2 counts the steps from one starting point.  A subject has a million of
 * those, and from each some patterns run over all the rest, which takes
 * minutes.  So a long subject is searched by windows of starting points, with
 * a look at the clock between them.  A window is about this many starting
 * points times octets, more where that goes fast, but never so much that it
 * takes long where it suddenly doesn't.
 */
#define WORK_JIT	(1ull << 26)
#define WORK_INTERPRETER (1ull << 22)
#define WORK_GROWTH	128
#define WORK_FAST	1000000		/* nanoseconds for a window, */
#define WORK_PER_NS	10		/* or points times octets in one */

/*
 * Processor time for one search, in nanoseconds; it is counted once a search has
 * taken a while, since asking for it costs more than most searches.
 */
#define TIME_MAX	1000000000
#define TIME_WHILE	10000000

/* Steps times octets from one starting point: what lowers the match limit. */
#define STEPS_JIT	(1ull << 33)
#define STEPS_INTERPRETER (1ull << 29)
#define STEPS_MIN	1000

enum mode { MODE_NEW, MODE_JIT, MODE_INTERPRETER };

struct regex {
	pcre2_code	*code;
	struct str	 pattern;
	uint32_t	 options;
	_Atomic enum mode mode;		/* NEW: not matched yet; `code` may be another afterwards */
	struct needed	 needed;
	int		 groups;
	uint32_t	 match_limit;
	bool		 text;		/* for UTF-8 */
	bool		 whole;		/* one starting point, or \G: no windows */
	int		 needs;		/* octet without which nothing matches, or -1 */
	struct regex	*tail;		/* its later part, if that is found sooner; or NULL */
};

/* ---- What a thread needs to match ---- */

struct scratch {
	pcre2_match_data	*data;
	pcre2_match_context	*context;
	pcre2_jit_stack		*stack;
};

static pthread_once_t	once = PTHREAD_ONCE_INIT;
static pthread_key_t	key;
static int		have_key;

static void
scratch_free(void *p)
{
	struct scratch *s = p;

	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s);
}

static void
make_key(void)
{
	have_key = pthread_key_create(&key, scratch_free) == 0;
}

static struct scratch *
scratch_of_thread(void)
{
	struct scratch *s;

	if (pthread_once(&once, make_key) != 0 || !have_key)
		return NULL;
	if ((s = pthread_getspecific(key)) != NULL)
		return s;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->data = pcre2_match_data_create(REGEX_CAPTURES, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
	if (s->data == NULL || s->context == NULL || s->stack == NULL ||
	    pthread_setspecific(key, s) != 0) {
		scratch_free(s);
		return NULL;
	}
	pcre2_jit_stack_assign(s->context, NULL, s->stack);
	(void)pcre2_set_heap_limit(s->context, HEAP_KIB);
	return s;
}

/* ---- Compiling ---- */

static uint32_t
flag_of(char c)
{
	switch (c) {
	case 'i':
		return PCRE2_CASELESS;
	case 'm':
		return PCRE2_MULTILINE;
	case 's':
		return PCRE2_DOTALL;
	case 'x':
		return PCRE2_EXTENDED;
	default:
		return 0;
	}
}

static void
code_free(void *arg)
{
	struct regex *re = arg;

	pcre2_code_free(re->code);
}

static pcre2_code *
compile(struct str pattern, uint32_t options, size_t *offset, struct strbuf *why)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR words[256];
	pcre2_code *code;
	int error;

	if (context == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	(void)pcre2_set_max_pattern_length(context, PATTERN_MAX);
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);	/* literal_of.c relies on it */
	code = pcre2_compile((PCRE2_SPTR)(pattern.p != NULL ? pattern.p : ""),
	    pattern.n, options, &error, offset, context);
	pcre2_compile_context_free(context);
	if (code == NULL) {
		if (*offset > pattern.n)
			*offset = pattern.n;
		if (pcre2_get_error_message(error, words, sizeof(words)) < 0)
			strbuf_puts(why, "not a regular expression");
		else
			strbuf_puts(why, (const char *)words);
	}
	return code;
}

static uint32_t
info(const pcre2_code *code, uint32_t what)
{
	uint32_t n = 0;

	(void)pcre2_pattern_info(code, what, &n);
	return n;
}

/* Is there JIT for it?  (*NO_JIT) and a kernel without W|X pages both say no. */
static bool
make_jit(pcre2_code *code)
{
	size_t n = 0;

	return pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0 &&
	    pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &n) == 0 && n > 0;
}

static pthread_once_t	jit_once = PTHREAD_ONCE_INIT;
static bool		have_jit;
static pthread_mutex_t	jit_lock = PTHREAD_MUTEX_INITIALIZER;

static void
try_jit(void)
{
	struct strbuf why = { 0 };
	size_t offset;
	pcre2_code *code = compile(STR("a"), 0, &offset, &why);

	have_jit = code != NULL && make_jit(code);
	pcre2_code_free(code);
	strbuf_free(&why);
}

/*
 * Before the first match: machine code, or what the interpreter needs, which
 * would check the whole subject at each call of code for invalid UTF-8.
 */
static enum mode
make_ready(struct regex *re)
{
	enum mode mode;

	(void)pthread_mutex_lock(&jit_lock);
	mode = atomic_load_explicit(&re->mode, memory_order_relaxed);
	if (mode == MODE_NEW) {
		mode = make_jit(re->code) ? MODE_JIT : MODE_INTERPRETER;
		if (mode == MODE_INTERPRETER && (re->options & PCRE2_MATCH_INVALID_UTF) != 0) {
			struct strbuf why = { 0 };
			size_t offset;
			pcre2_code *code = compile(re->pattern,
			    re->options & ~PCRE2_MATCH_INVALID_UTF, &offset, &why);

			strbuf_free(&why);
			if (code == NULL)
				mode = MODE_NEW;	/* no memory, this time */
			else {
				pcre2_code_free(re->code);
				re->code = code;
			}
		}
		atomic_store_explicit(&re->mode, mode, memory_order_release);
	}
	(void)pthread_mutex_unlock(&jit_lock);
	return mode;
}

static int
parse_flags(struct str flags, uint32_t *options, size_t *offset, struct strbuf *why)
{
	for (size_t i = 0; i < flags.n; i++) {
		uint32_t flag = flag_of(flags.p[i]);

		if (flag == 0 || (*options & flag) != 0) {
			*offset = i;
			strbuf_printf(why, "%s flag '%c'; there are i, m, s and x",
			    flag == 0 ? "unknown" : "doubled", flags.p[i]);
			return -1;
		}
		*options |= flag;
	}
	return 0;
}

/* The pattern as code, of which nothing more is known yet. */
static struct regex *
make_regex(struct arena *a, struct str pattern, uint32_t options, unsigned match_limit,
    size_t *offset, struct strbuf *why)
{
	pcre2_code *code = compile(pattern, options, offset, why);
	struct regex *re;

	if (code == NULL)
		return NULL;
	if ((re = arena_new_object(a, struct regex)) == NULL) {
		pcre2_code_free(code);
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	re->code = code;
	re->pattern = pattern;
	re->options = options;
	re->groups = (int)info(code, PCRE2_INFO_CAPTURECOUNT);
	re->match_limit = match_limit;
	re->text = (options & PCRE2_UTF) != 0;
	re->whole = (info(code, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED) != 0 ||
	    str_find(pattern, STR("\\G")) >= 0;
	re->needs = -1;
	if (info(code, PCRE2_INFO_LASTCODETYPE) == 1 &&
	    info(code, PCRE2_INFO_LASTCODEUNIT) < 0x80)
		re->needs = (int)info(code, PCRE2_INFO_LASTCODEUNIT);
	/* A failure of arena_defer() has freed the code. */
	if (arena_defer(a, code_free, re) != 0) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	return re;
}

/* Of a thousand places in mail, at how many PCRE2 must try it. */
static unsigned
starts(const pcre2_code *code)
{
	struct run first = { .n = 1 };
	const uint8_t *map = NULL;

	if (info(code, PCRE2_INFO_FIRSTCODETYPE) == 1) {
		run_add(&first, info(code, PCRE2_INFO_FIRSTCODEUNIT));
		return run_share(&first) * 2;	/* it isn't told whether case is ignored */
	}
	if (pcre2_pattern_info(code, PCRE2_INFO_FIRSTBITMAP, &map) != 0 || map == NULL)
		return 1000;
	for (unsigned c = 0; c < 256; c++)
		if ((map[c / 8] >> (c % 8) & 1) != 0)
			run_add(&first, c);
	return run_share(&first);
}

/* What the pattern is from there on; NULL if that is in no way of use. */
static pcre2_code *
compile_tail(const struct regex *re, size_t from)
{
	struct strbuf why = { 0 };
	size_t offset;
	pcre2_code *code = compile((struct str){ re->pattern.p + from, re->pattern.n - from },
	    re->options, &offset, &why);

	strbuf_free(&why);
	return code;
}

/*
 * A pattern that can begin anywhere is slow.  If a later part of it begins
 * with something rarer, that is looked for first.
 */
static int
find_tail(struct regex *re, struct arena *a)
{
	const struct needed *need = &re->needed;
	unsigned best = starts(re->code) / 2;
	struct strbuf why = { 0 };
	size_t from = 0, offset;

	/* Towards its end it gets too short to tell anything. */
	for (unsigned i = 0; !re->whole && i * 3 < need->ncuts * 2; i++) {
		pcre2_code *code = compile_tail(re, need->cuts[i]);

		if (code != NULL && starts(code) < best) {
			best = starts(code) * 4 / 5;
			from = need->cuts[i];
		}
		pcre2_code_free(code);
	}
	if (from > 0)
		re->tail = make_regex(a, (struct str){ re->pattern.p + from, re->pattern.n - from },
		    re->options, re->match_limit, &offset, &why);
	strbuf_free(&why);
	return arena_failed(a) ? -1 : 0;
}

struct regex *
regex_compile(struct arena *a, struct str pattern, struct str flags,
    bool bytes, unsigned match_limit, size_t *offset, struct strbuf *why)
{
	uint32_t options = PCRE2_USE_OFFSET_LIMIT | (bytes ?
	    PCRE2_NEVER_UTF | PCRE2_NEVER_UCP :
	    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
	struct regex *re;

	if (parse_flags(flags, &options, offset, why) != 0) {
		*offset += pattern.n + 1;	/* past the slash */
		return NULL;
	}
	if (!bytes && pthread_once(&jit_once, try_jit) == 0 && have_jit)
		options |= PCRE2_MATCH_INVALID_UTF;
	if ((re = make_regex(a, pattern, options, match_limit, offset, why)) == NULL)
		return NULL;
	if ((re->pattern = str_dup(a, pattern)).p == NULL ||
	    literal_of(a, re->pattern, flags, bytes, &re->needed) != 0 || find_tail(re, a) != 0) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	return re;
}

int
regex_groups(const struct regex *re)
{
	return re->groups;
}

const struct needed *
regex_needed(const struct regex *re)
{
	return &re->needed;
}

/* ---- Matching ---- */

static void
take_captures(const struct scratch *s, int n, struct str subject, struct captures *caps)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(s->data);

	/* 0: more groups than places. */
	caps->n = n == 0 ? REGEX_CAPTURES : n;
	for (int i = 0; i < caps->n; i++) {
		PCRE2_SIZE from = v[2 * i], to = v[2 * i + 1];

		caps->group[i] = STR_NONE;
		if (from == PCRE2_UNSET || to == PCRE2_UNSET)
			continue;
		/* \K in a lookahead can put the end before the start. */
		caps->group[i] = (struct str){ subject.p + from,
		    to > from ? to - from : 0 };
	}
}

static int64_t
time_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A character begins here, if there are characters. */
static size_t
boundary(struct str s, size_t at)
{
	for (int i = 0; i < 3 && at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80; i++)
		at++;
	return at;
}

/*
 * How many starting points there are: up to the last octet that any match
 * needs, in either case.  PCRE2 looks for it too, but would in each window.
 */
static size_t
count_starts(const struct regex *re, struct str subject)
{
	const char *p, *q = NULL;

	if (re->needs == -1)
		return subject.n + 1;
	if (subject.p == NULL || subject.n == 0)
		return 0;
	p = memrchr(subject.p, re->needs, subject.n);
	if ((re->needs | 0x20) >= 'a' && (re->needs | 0x20) <= 'z')
		q = memrchr(subject.p, re->needs ^ 0x20, subject.n);
	if (p == NULL || (q != NULL && q > p))
		p = q;
	return p != NULL ? (size_t)(p - subject.p) + 1 : 0;
}

/* pcre2_match() over a subject that is more than a window. */
static int
search_windows(const struct regex *re, struct str subject, size_t least,
    uint32_t options, struct scratch *s)
{
	size_t starts = count_starts(re, subject), from = 0, window = least;
	int64_t began = time_of(CLOCK_MONOTONIC), before = began, now, used, used_before = -1;
	int n;

	while (from < starts) {
		if (window > starts - from)
			window = starts - from;
		(void)pcre2_set_offset_limit(s->context, from + window - 1);
		n = pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, from,
		    options, s->data, s->context);
		if (n != PCRE2_ERROR_NOMATCH)
			return n;
		from = boundary(subject, from + window);
		now = time_of(CLOCK_MONOTONIC);
		if (now - began > TIME_WHILE) {
			used = time_of(CLOCK_THREAD_CPUTIME_ID);
			if (used_before == -1)
				used_before = used;
			if (used - used_before > TIME_MAX)
				return PCRE2_ERROR_MATCHLIMIT;
		}
		if (now - before < WORK_FAST || (uint64_t)(now - before) <
		    (uint64_t)window * subject.n / WORK_PER_NS)
			window *= window < least * WORK_GROWTH ? 2 : 1;
		else
			window = window / 2 > least ? window / 2 : least;
		before = now;
	}
	return PCRE2_ERROR_NOMATCH;
}

/* pcre2_match() over all of the subject. */
static int
search(const struct regex *re, enum mode mode, struct str subject, uint32_t options,
    struct scratch *s)
{
	bool jit = mode == MODE_JIT;
	size_t window = (jit ? WORK_JIT : WORK_INTERPRETER) / (subject.n + 1) + 1;
	uint64_t steps = (jit ? STEPS_JIT : STEPS_INTERPRETER) / (subject.n + 1);

	if (steps < STEPS_MIN)
		steps = STEPS_MIN;
	(void)pcre2_set_match_limit(s->context, steps < re->match_limit ?
	    (uint32_t)steps : re->match_limit);
	if (!re->whole && window <= subject.n)
		return search_windows(re, subject, window, options, s);
	(void)pcre2_set_offset_limit(s->context, PCRE2_UNSET);
	return pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, 0, options,
	    s->data, s->context);
}

/*
 * The interpreter, which has no code for invalid UTF-8 here, is given a NUL in
 * the place of each octet that isn't UTF-8.
 */
static int
search_repaired(const struct regex *re, struct str subject, struct scratch *s)
{
	char room[1024];
	struct strbuf copy = STRBUF_IN(room);
	size_t len;
	int n;

	for (size_t i = 0; i < subject.n; i += len) {
		len = utf8_len((struct str){ subject.p + i, subject.n - i });
		if (len == 0)
			strbuf_putc(&copy, '\0');
		else
			strbuf_add(&copy, subject.p + i, len);
		len = len > 0 ? len : 1;
	}
	n = copy.failed ? PCRE2_ERROR_NOMEMORY :
	    search(re, MODE_INTERPRETER, strbuf_slice(&copy), PCRE2_NO_UTF_CHECK, s);
	strbuf_free(&copy);
	return n;
}

static int
search_as_is(const struct regex *re, struct str subject, struct scratch *s)
{
	enum mode mode = atomic_load_explicit(&re->mode, memory_order_acquire);

	if (mode == MODE_NEW)
		mode = make_ready((struct regex *)(uintptr_t)re);
	if (mode == MODE_NEW)
		return PCRE2_ERROR_NOMEMORY;
	if (mode == MODE_JIT || !re->text)
		return search(re, mode, subject, 0, s);
	if (utf8_valid(subject))
		return search(re, mode, subject, PCRE2_NO_UTF_CHECK, s);
	return search_repaired(re, subject, s);
}

enum regex_result
regex_match(const struct regex *re, struct str subject, struct captures *caps)
{
	struct scratch *s;
	int n;

	if (caps != NULL)
		caps->n = 0;
	if (subject.p == NULL)
		subject = STR("");
	if ((s = scratch_of_thread()) == NULL)
		return REGEX_LIMIT;
	if (re->tail != NULL && search_as_is(re->tail, subject, s) == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	n = search_as_is(re, subject, s);
	if (n == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	if (n < 0)	/* without its literals it would not have been tried */
		return needed_in(&re->needed, subject) ? REGEX_LIMIT : REGEX_NO;
	if (caps != NULL)
		take_captures(s, n, subject, caps);
	return REGEX_YES;
}
