/*
 * check_tests.c - the tests in a file say something that can be.
 *
 * Whether a test passes is found by running it, elsewhere; here its values
 * are read, so that a slip of the pen isn't taken for a failing rule.
 */
#include "check_types.h"

#include <string.h>
#include <time.h>

#include "check.h"
#include "check_sure.h"
#include "check_walk.h"
#include "diag.h"
#include "tz.h"

/* Reads exactly n digits. */
static bool
digits(struct str *s, size_t n, int *out)
{
	*out = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	*s = (struct str){ s->p + n, s->n - n };
	return true;
}

static bool
one_of(struct str *s, const char *set)
{
	if (s->n == 0 || s->p[0] == '\0' || strchr(set, s->p[0]) == NULL)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

/* "Z", "+01:00", "-0500", or nothing: local time. */
static bool
read_zone(struct str *s, bool *local, int *minutes)
{
	int h, m, sign;

	*local = s->n == 0;
	*minutes = 0;
	if (s->n == 0 || one_of(s, "Zz"))
		return true;
	sign = s->p[0] == '-' ? -1 : 1;
	if (!one_of(s, "+-") || !digits(s, 2, &h))
		return false;
	(void)one_of(s, ":");
	if (!digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

int
check_time(struct str s, const struct tz *tz, time_t *out)
{
	struct tm tm = { .tm_isdst = -1 }, back;
	int year, month, minutes;
	bool local;

	if (!digits(&s, 4, &year) || !one_of(&s, "-") || !digits(&s, 2, &month) ||
	    !one_of(&s, "-") || !digits(&s, 2, &tm.tm_mday) || !one_of(&s, "Tt ") ||
	    !digits(&s, 2, &tm.tm_hour) || !one_of(&s, ":") ||
	    !digits(&s, 2, &tm.tm_min))
		return -1;
	if (one_of(&s, ":") && !digits(&s, 2, &tm.tm_sec))
		return -1;
	if (!read_zone(&s, &local, &minutes) || s.n != 0 || year < 1970 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return -1;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	back = tm;
	*out = local ? tz_time(tz, &back) : timegm(&back) - minutes * 60;
	/* The 31st of June would have become the 1st of July. */
	return back.tm_mday == tm.tm_mday && back.tm_mon == tm.tm_mon ? 0 : -1;
}

/* By what on-error class the fact fails, if it can. */
static bool
find_error(const struct fact *f, enum error_class *class)
{
	unsigned errors = (f->flags & F_RATE) != 0 ? 1u << ERR_STORE : fact_errors(f);

	for (int c = 0; c < ERR_CLASSES; c++)
		if ((errors & 1u << c) != 0) {
			*class = (enum error_class)c;
			return true;
		}
	return false;
}

static void
check_given_error(struct typing *t, struct item *i)
{
	const struct fact *f = i->fact.fact;

	if (find_error(f, &i->error))
		return;
	for (const char *const *w = type_of(f->type)->words; w != NULL && *w != NULL; w++)
		if (strcmp(*w, "temperror") == 0) {
			diag_error(t->d, i->value.at, "'%s' has a word for that; say: "
			    "given %s temperror", f->name, f->name);
			return;
		}
	diag_error(t->d, i->value.at, "'%s' is never in error; a text stands in quotes: "
	    "\"error\"", f->name);
}

static void
check_given(struct typing *t, struct item *i)
{
	const struct fact *f = i->fact.fact;

	if (f == NULL)
		return;
	if (!check_key(t, &i->fact))
		return;
	if (f->flags & F_OWN)
		diag_error(t->d, i->fact.at, "'%s' comes from the rules and can't be given",
		    f->name);
	else if (item_is_error(i))
		check_given_error(t, i);
	else if (!item_is_unset(i))
		(void)check_operand(t, f, OP_IS, &i->value);
}

static void
check_item(struct typing *t, struct item *i)
{
	struct str s = i->value.text;
	struct ipaddr ip;
	time_t when;

	switch (i->kind) {
	case ITEM_CLIENT:
		if (ipaddr_parse(s, &ip) == -1)
			diag_error(t->d, i->value.at, "'" STR_FMT "' is not an IP address; "
			    "write one like 192.0.2.1 or 2001:db8::1", STR_ARG(s));
		break;
	case ITEM_TIME:
		if (check_time(s, t->tz, &when) == -1)
			diag_error(t->d, i->value.at, "'" STR_FMT "' is not a time; write it "
			    "like \"2026-11-22 10:00\" or 2026-11-22T10:00:00Z", STR_ARG(s));
		break;
	case ITEM_SENDER:
	case ITEM_RCPT:
		check_path(t, &i->value, false, i->kind == ITEM_SENDER);
		break;
	case ITEM_HEADER:
		(void)check_header_name(t, i->name.at, i->name.text);
		break;
	case ITEM_GIVEN:
		check_given(t, i);
		break;
	case ITEM_NAME:
	case ITEM_HELO:
	case ITEM_AUTH:
	case ITEM_MESSAGE:
	case ITEM_ZONE:
	case ITEM_MACRO:
	case ITEM_BODY:
		break;
	}
}

/* What a message has once only; the body is in its file, if it has one. */
static void
check_once(struct typing *t, const struct test *test)
{
	const struct item *first[ITEM_GIVEN + 1] = { 0 };
	const struct item *body, *file;

	for (const struct item *i = test->items; i != NULL; i = i->next) {
		if (i->kind == ITEM_RCPT || i->kind == ITEM_HEADER ||
		    i->kind == ITEM_MACRO || i->kind == ITEM_GIVEN)
			continue;
		if (first[i->kind] == NULL) {
			first[i->kind] = i;
			continue;
		}
		diag_error(t->d, i->at, "a test is about one message, and this has been "
		    "said already");
		diag_note(t->d, first[i->kind]->at, "first said here");
	}
	if ((body = first[ITEM_BODY]) != NULL && (file = first[ITEM_MESSAGE]) != NULL) {
		diag_error(t->d, body->at, "the message has its body already");
		diag_note(t->d, file->at, "from here");
	}
}

/* A fact may be given several values if it can have several. */
static void
check_given_again(struct typing *t, const struct test *test, const struct item *i)
{
	const struct fact *f = i->fact.fact;

	for (const struct item *k = test->items; k != i; k = k->next) {
		bool none = item_is_unset(i) || item_is_unset(k), failed = item_is_error(i) ||
		    item_is_error(k);

		if (k->kind != ITEM_GIVEN || k->fact.fact != f || !str_ieq(k->fact.key, i->fact.key))
			continue;
		if (!none && !failed && (f->flags & F_LIST) != 0)
			continue;
		diag_error(t->d, i->at, none || failed ? "'%s' is given already, and can't be %s as well" :
		    "'%s' has one value, and that is given already", f->name,
		    none ? "unset" : "in error");
		diag_note(t->d, k->at, "first given here");
		return;
	}
}

static bool
has_rcpt(const struct test *test, struct str path)
{
	for (const struct item *i = test->items; i != NULL; i = i->next)
		if (i->kind == ITEM_RCPT && str_ieq(i->value.text, path))
			return true;
	return false;
}

static void
check_expected_code(struct typing *t, const struct expect *e)
{
	static const struct { const char *word; int low, high; } codes[] = {
		[EXPECT_ACCEPT] = { "accept", 0, 0 },
		[EXPECT_REJECT] = { "reject", 500, 599 },
		[EXPECT_TEMPFAIL] = { "tempfail", 400, 499 },
		[EXPECT_DISCARD] = { "discard", 0, 0 },
		[EXPECT_QUARANTINE] = { "quarantine", 0, 0 },
		[EXPECT_SPLIT] = { "split", 452, 452 },
		[EXPECT_EDIT] = { "an edit", 0, 0 },
	};

	if (e->code == 0)
		return;
	if (codes[e->verdict].low == 0)
		diag_error(t->d, e->code_at, "'%s' has no reply code", codes[e->verdict].word);
	else if (e->code < codes[e->verdict].low || e->code > codes[e->verdict].high)
		diag_error(t->d, e->code_at, "%d can't come with '%s', whose codes are %s",
		    e->code, codes[e->verdict].word, e->verdict == EXPECT_SPLIT ? "452" :
		    e->verdict == EXPECT_REJECT ? "5xx" : "4xx");
}

/* What is expected is compared as it stands. */
static void
check_plain(struct typing *t, const struct action *edit)
{
	for (const struct text *x = edit->text; x != NULL; x = x->next)
		for (const struct part *p = x->parts; p != NULL; p = p->next)
			if (p->kind != PART_LITERAL) {
				diag_error(t->d, p->at, "nothing is filled in here: write "
				    "the text that is expected, or \\$ for a $");
				return;
			}
}

void
check_test(struct typing *t, struct test *test)
{
	for (struct item *i = test->items; i != NULL; i = i->next)
		check_item(t, i);
	check_once(t, test);
	for (struct item *i = test->items; i != NULL; i = i->next)
		if (i->kind == ITEM_GIVEN && i->fact.fact != NULL)
			check_given_again(t, test, i);
	for (struct expect *e = test->expects; e != NULL; e = e->next) {
		check_expected_code(t, e);
		if (e->rcpt != NULL && !has_rcpt(test, e->rcpt->text))
			diag_error(t->d, e->rcpt->at, "the test has no recipient <" STR_FMT ">",
			    STR_ARG(e->rcpt->text));
		if (e->edit != NULL) {
			check_edit(t, e->edit);
			check_plain(t, e->edit);
		}
	}
}

/* ---- What is given in vain ---- */

struct asking {
	const struct item *given;
	bool		   asked;
};

static void
note_use(void *arg, const struct fact_use *u)
{
	struct asking *a = arg;

	a->asked |= u->ref->fact == a->given->fact.fact && str_ieq(u->ref->key, a->given->fact.key);
}

/* A rate with another limit, or another list, is another fact, and easily mistaken. */
void
check_givens(struct ast *ast, struct diag *d)
{
	if (ast->broken != NULL || diag_errors(d) > 0)
		return;
	for (const struct test *test = ast->tests; test != NULL; test = test->next)
		for (const struct item *i = test->items; i != NULL; i = i->next) {
			struct asking a = { i, false };

			if (i->kind != ITEM_GIVEN || (i->fact.fact->flags & (F_RATE | F_DNSBL)) == 0)
				continue;
			for (struct rule *r = ast->rules; r != NULL && !a.asked; r = r->next) {
				walk_cond(r->cond, note_use, &a);
				walk_texts(r->actions, note_use, &a);
			}
			if (!a.asked)
				diag_warning(d, i->fact.at, "no rule asks for this %s, so giving it does nothing",
				    (i->fact.fact->flags & F_RATE) != 0 ? "rate" : "list");
		}
}
