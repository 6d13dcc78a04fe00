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
 */
#include "regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

/* The largest pattern, in octets; generated ones included. */
#define PATTERN_MAX	65536

/* JIT stack of a thread, from and to, and the interpreter's heap, in KiB. */
#define STACK_MIN	(32 << 10)
#define STACK_MAX	(1 << 20)
#define HEAP_KIB	8192

struct regex {
	pcre2_code	*code;
	int		 groups;
	uint32_t	 match_limit;
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
code_free(void *code)
{
	pcre2_code_free(code);
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

struct regex *
regex_compile(struct arena *a, struct str pattern, struct str flags,
    bool bytes, unsigned match_limit, size_t *offset, struct strbuf *why)
{
	uint32_t options = bytes ? PCRE2_NEVER_UTF | PCRE2_NEVER_UCP :
	    PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	struct regex *re;
	pcre2_code *code;
	uint32_t groups = 0;

	*offset = 0;
	for (size_t i = 0; i < flags.n; i++) {
		uint32_t flag = flag_of(flags.p[i]);

		if (flag == 0 || (options & flag) != 0) {
			*offset = pattern.n + 1 + i;	/* past the slash */
			strbuf_printf(why, "%s flag '%c'; there are i, m, s and x",
			    flag == 0 ? "unknown" : "doubled", flags.p[i]);
			return NULL;
		}
		options |= flag;
	}
	if ((code = compile(pattern, options, offset, why)) == NULL)
		return NULL;
	/* A failure of arena_defer() has freed the code. */
	if (arena_defer(a, code_free, code) != 0 ||
	    (re = arena_new_object(a, struct regex)) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	/* Without JIT pcre2_match() interprets. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	(void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	re->code = code;
	re->groups = (int)groups;
	re->match_limit = match_limit;
	return re;
}

int
regex_groups(const struct regex *re)
{
	return re->groups;
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
	(void)pcre2_set_match_limit(s->context, re->match_limit);
	n = pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0,
	    s->data, s->context);
	if (n == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	if (n < 0)
		return REGEX_LIMIT;
	if (caps != NULL)
		take_captures(s, n, subject, caps);
	return REGEX_YES;
}
