/*
 * dkim_lib.c - what covers the header, verified by libopendkim.
 *
 * Everything that a stranger wrote was read before (dkim_tags.c for signatures,
 * dkim_key.c for keys); libopendkim gets signatures that are well formed and
 * keys that were written anew, and what it says of the others isn't asked.  So
 * the keys reach it through dkim_set_key_lookup(), and never as DNS packets: by
 * then every answer is known to be a good key, and the parser of packets, which
 * reads past the end of a bad one, has nothing to do.
 *
 * The body it never sees (dkim.c says why); its part is the header, and the
 * signature, which covers bh=.  So it is asked once, when all keys are there,
 * and nothing of it is left when dkim_lib_verify() returns.
 *
 * Its traps, each fenced at the place named:
 *  - the array of signed fields is one too short when h= names more fields
 *    than the message has, and memory is overwritten	(add_pad)
 *  - the clock is time(3) even with a fixed time; a t= below the allowed
 *    drift is the future				(make_library)
 *  - a field is hashed up to its first NUL		(dkim.c: dkim_add_field)
 *  - the time grows with names in h= times fields	(dkim.c: limit_work)
 *  - rsa-sha1 and small keys pass			(dkim.c: judge_body)
 *  - what it hashes otherwise than the signer, or cuts, it never sees	(dkim_own.c)
 */
#include "dkim_int.h"

#include <opendkim/dkim.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"

#define OLD		1000000000u	/* a t= below: 9 September 2001 */

/* See make_library(). */
enum clock { CLOCK_NOW, CLOCK_OLD, CLOCKS };

struct dkim_engine {
	DKIM_LIB	*lib[CLOCKS];
	time_t		 now;
};

/* One message's header, while it is verified. */
struct verifying {
	struct dkim_check *check;
	DKIM		*handle;
	DKIM_SIGINFO	**list;		/* its signatures, known from its prescreen on */
	int		 nlist;
};

/* ---- What libopendkim asks for ---- */

/* Signatures in libopendkim's list are those that it was given, in their order. */
static struct signature *
nth_given(struct dkim_check *c, int n)
{
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].by_lib && n-- == 0)
			return &c->sig[i];
	return NULL;
}

static DKIM_CBSTAT
prescreen(DKIM *handle, DKIM_SIGINFO **list, int n)
{
	struct verifying *v = dkim_get_user_context(handle);

	v->list = list;
	v->nlist = n;
	return DKIM_CBSTAT_CONTINUE;
}

static DKIM_CBSTAT
look_up_key(DKIM *handle, DKIM_SIGINFO *info, u_char *buf, size_t cap)
{
	struct verifying *v = dkim_get_user_context(handle);
	struct signature *s = NULL;
	int i;

	for (i = 0; i < v->nlist; i++)
		if (v->list[i] == info)
			s = nth_given(v->check, i);
	if (s == NULL || s->key.record.p == NULL || s->key.record.n >= cap)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(buf, s->key.record.p, s->key.record.n);
	buf[s->key.record.n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* ---- The engine ---- */

/*
 * libopendkim looks at the real clock and takes t= for the future where
 * t - drift > now, in unsigned numbers.  dkim_tags.c has looked at t= and x=
 * already, so a large drift takes its clock out of the game, and messages with
 * a t= that is smaller than that go to a library without any.
 */
static DKIM_LIB *
make_library(enum clock clock)
{
	DKIM_LIB *lib;
	uint64_t drift = clock == CLOCK_NOW ? OLD : 0;
	unsigned flags = DKIM_LIBFLAGS_BADSIGHANDLES, bits = 0;

	if ((lib = dkim_init(NULL, NULL)) == NULL)
		return NULL;
	if (dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
	    sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
	    sizeof(drift)) != DKIM_STAT_OK ||
	    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
	    sizeof(bits)) != DKIM_STAT_OK ||
	    dkim_set_prescreen(lib, prescreen) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(lib, look_up_key) != DKIM_STAT_OK) {
		dkim_close(lib);
		return NULL;
	}
	return lib;
}

struct dkim_engine *
dkim_engine_new(time_t now)
{
	struct dkim_engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->now = now;
	for (int i = 0; i < CLOCKS; i++) {
		if ((e->lib[i] = make_library((enum clock)i)) == NULL) {
			dkim_engine_free(e);
			return NULL;
		}
	}
	return e;
}

void
dkim_engine_free(struct dkim_engine *e)
{
	if (e == NULL)
		return;
	for (int i = 0; i < CLOCKS; i++)
		if (e->lib[i] != NULL)
			dkim_close(e->lib[i]);
	free(e);
}

time_t
dkim_engine_clock(const struct dkim_engine *e)
{
	return e->now != 0 ? e->now : time(NULL);
}

/* ---- Verification ---- */

/* libopendkim doesn't write to what it takes as u_char *. */
static u_char *
octets(const char *p)
{
	return (u_char *)(uintptr_t)p;
}

/*
 * A field that h= can't name, since its name has blanks: so libopendkim never
 * finds as many fields as there are, and its array is long enough.
 */
static DKIM_STAT
add_pad(DKIM *handle)
{
	static const char pad[] = "not a field: x";

	return dkim_header(handle, octets(pad), sizeof(pad) - 1);
}

static DKIM_STAT
add_fields(DKIM *handle, const struct dkim_check *c)
{
	DKIM_STAT st = add_pad(handle);
	const struct field *f;
	size_t n = 0;

	for (f = c->fields; f != NULL && st != DKIM_STAT_NORESOURCE; f = f->next) {
		if (f->is_signature && !c->sig[n++].by_lib)
			continue;
		/* Fields that it refuses have names that h= can't hold. */
		st = dkim_header(handle, octets(f->text.p), f->text.n);
	}
	return st;
}

static enum clock
clock_for(const struct dkim_check *c)
{
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].by_lib && c->sig[i].tags.has_timestamp &&
		    c->sig[i].tags.timestamp < OLD)
			return CLOCK_OLD;
	return CLOCK_NOW;
}

/* What libopendkim says of a signature that nothing was wrong with so far. */
static void
judge(struct signature *s, DKIM_SIGINFO *info)
{
	int error = dkim_sig_geterror(info);
	const char *text;

	if ((dkim_sig_getflags(info) & DKIM_SIGFLAG_PASSED) != 0 &&
	    (error == DKIM_SIGERROR_OK || error == DKIM_SIGERROR_UNKNOWN))
		s->header_good = true;
	else if (error == DKIM_SIGERROR_BADSIG)
		dkim_settle(s, DKIM_R_FAIL, STR("the signature doesn't verify"));
	else {
		text = dkim_sig_geterrorstr(error);
		dkim_settle(s, DKIM_R_NEUTRAL, str_of(text != NULL ? text :
		    "libopendkim can't verify it"));
	}
}

static int
verify(struct verifying *v)
{
	struct dkim_check *c = v->check;

	dkim_set_user_context(v->handle, v);
	if (add_fields(v->handle, c) == DKIM_STAT_NORESOURCE ||
	    dkim_eoh(v->handle) == DKIM_STAT_NORESOURCE)
		return -1;
	for (int i = 0; i < v->nlist; i++) {
		struct signature *s = nth_given(c, i);

		if (s != NULL && s->open)
			judge(s, v->list[i]);
	}
	for (size_t i = 0; i < c->nsig; i++)
		if (c->sig[i].by_lib && c->sig[i].open && !c->sig[i].header_good)
			dkim_settle(&c->sig[i], DKIM_R_NEUTRAL, STR("not verified"));
	return 0;
}

int
dkim_lib_verify(struct dkim_check *c)
{
	struct verifying v = { .check = c };
	DKIM_STAT st;
	char *id;
	int r;

	if (nth_given(c, 0) == NULL)
		return 0;
	if ((id = str_cstr(c->arena, c->id)) == NULL)
		id = str_cstr(c->arena, STR("-"));
	if (id == NULL)
		return -1;
	v.handle = dkim_verify(c->engine->lib[clock_for(c)], octets(id), NULL, &st);
	if (v.handle == NULL)
		return -1;
	r = verify(&v);
	dkim_free(v.handle);
	return r;
}
