/*
 * settings.c - the `set` statements, as the program reads them.
 *
 * The table of settings.def drives all of it: defaults are read by the same
 * code as what operators write, so they can't be of another form.
 */
#include "settings.h"

#include <string.h>

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "settings_form.h"
#include "types.h"

const struct setting settings_table[] = {
#define SETTING(name, field, kind, takes, dflt, reload, manual) \
	{ name, takes, dflt, manual, kind, reload, \
	    offsetof(struct settings, field) },
#include "settings.def"
#undef SETTING
};
#define NSETTINGS	(sizeof(settings_table) / sizeof(settings_table[0]))
const size_t nsettings = NSETTINGS;

#define CLASSES		"lookup dnsbl store limit"

struct reader {
	struct settings	*s;
	struct arena	*a;
	struct diag	*d;
	/* Where each was set, to tell of doubles. */
	const struct set *seen[NSETTINGS];
	/* on-error: the last is that without class. */
	const struct set *seen_class[ERR_CLASSES + 1];
	enum on_error	 policy[ERR_CLASSES + 1];
};

static void *
field(struct settings *s, const struct setting *row)
{
	return (char *)s + row->offset;
}

static const void *
const_field(const struct settings *s, const struct setting *row)
{
	return (const char *)s + row->offset;
}

static enum type_id
number_type(enum setting_kind kind)
{
	return kind == K_SIZE ? T_SIZE : kind == K_DURATION ? T_DURATION :
	    T_NUMBER;
}

static int
read_octal(struct str text, int64_t *n, struct strbuf *why)
{
	*n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7' || i > 5) {
			strbuf_puts(why, "a mode is an octal number like "
			    "0660");
			return -1;
		}
		*n = *n * 8 + (text.p[i] - '0');
	}
	return text.n > 0 ? 0 : -1;
}

static int
read_number(struct reader *r, enum setting_kind kind, struct str text,
    int64_t *n, struct strbuf *why)
{
	struct value v;

	if (kind == K_MODE)
		return read_octal(text, n, why);
	if (type_parse(number_type(kind), OP_IS, r->a, text, &v, why) == -1)
		return -1;
	/* Seconds to one reader, minutes to the next. */
	if (kind == K_DURATION && v.n != 0 && text.p[text.n - 1] <= '9') {
		strbuf_printf(why, "a duration has a unit, s, m, h or d: write " STR_FMT "s",
		    STR_ARG(text));
		return -1;
	}
	*n = v.n;
	return 0;
}

static int
read_ranged(struct reader *r, const struct setting *row, struct str text,
    int64_t *n, struct strbuf *why)
{
	const char *dots = strstr(row->takes, "..");
	struct str lo = { row->takes, (size_t)(dots - row->takes) };
	struct str hi = str_of(dots + 2);
	int64_t least, most;

	if (read_number(r, row->kind, text, n, why) == -1 ||
	    read_number(r, row->kind, lo, &least, why) == -1 ||
	    read_number(r, row->kind, hi, &most, why) == -1)
		return -1;
	if (*n >= least && *n <= most)
		return 0;
	strbuf_printf(why, "'%s' may be from " STR_FMT " to " STR_FMT,
	    row->name, STR_ARG(lo), STR_ARG(hi));
	return -1;
}

static void
wrong(struct reader *r, const struct operand *o, const struct strbuf *why)
{
	diag_error(r->d, o->at, "%s", why->failed || why->p == NULL ?
	    "this value is not understood" : why->p);
}

/* A NUL-terminated copy of a value that has the form of its setting. */
static bool
read_string(struct reader *r, const struct setting *row,
    const struct operand *first, const struct operand *o, struct str *out)
{
	struct strbuf why = { 0 };
	struct str text;
	bool ok;

	ok = settings_form(row->takes, first, o, r->a, &text, &why) == 0;
	if (ok)
		*out = str_dup(r->a, text);
	else
		wrong(r, o, &why);
	strbuf_free(&why);
	return ok;
}

static void
read_strings(struct reader *r, const struct setting *row,
    const struct operand *values)
{
	struct strings *to = field(r->s, row);
	const struct operand *o;
	struct str *v;
	size_t n = 0;

	for (o = values; o != NULL; o = o->next)
		n++;
	if ((v = arena_array(r->a, n, sizeof(*v))) == NULL)
		return;
	n = 0;
	for (o = values; o != NULL; o = o->next)
		if (read_string(r, row, values, o, &v[n]))
			n++;
	*to = (struct strings){ v, n };
}

/* [CLASS] POLICY */
static void
read_on_error(struct reader *r, const struct setting *row,
    const struct set *set, const struct operand *values)
{
	const struct operand *policy = values->next != NULL ? values->next :
	    values;
	struct strbuf why = { 0 };
	int class = ERR_CLASSES, word;

	if (policy != values &&
	    (class = settings_word(row->name, CLASSES, values->text, &why)) == -1)
		wrong(r, values, &why);
	else if ((word = settings_word(row->name, row->takes, policy->text, &why)) == -1)
		wrong(r, policy, &why);
	else if (r->seen_class[class] != NULL) {
		diag_error(r->d, set->at, "'on-error' is set twice%s" STR_FMT,
		    policy != values ? " for " : "",
		    STR_ARG(policy != values ? values->text : STR("")));
		diag_note(r->d, r->seen_class[class]->at, "first here");
	} else {
		r->seen_class[class] = set;
		r->policy[class] = (enum on_error)word;
	}
	strbuf_free(&why);
}

static size_t
most_values(enum setting_kind kind)
{
	return kind == K_STRINGS ? SIZE_MAX : kind == K_ON_ERROR ? 2 : 1;
}

/* `set listen unix /run/x` */
static bool
is_socket_in_words(const struct setting *row, const struct operand *values)
{
	static const char *const kinds[] = { "unix", "local", "inet", "inet6", "fd" };

	if (strcmp(row->takes, "socket") != 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_eq(values->text, str_of(kinds[i])))
			return true;
	return false;
}

/* Reads the values of a statement, or of a default: then set is NULL. */
static void
read_values(struct reader *r, const struct setting *row,
    const struct set *set, const struct operand *values)
{
	const struct operand *o = values;
	struct strbuf why = { 0 };
	int word;

	for (size_t n = most_values(row->kind); o != NULL && n > 0; n--)
		o = o->next;
	if (o != NULL && is_socket_in_words(row, values)) {
		diag_error(r->d, o->at, "a socket is one word: write " STR_FMT ":" STR_FMT,
		    STR_ARG(values->text), STR_ARG(o->text));
		return;
	}
	if (o != NULL) {
		diag_error(r->d, o->at, row->kind == K_ON_ERROR ?
		    "'%s' takes at most a class and what to do" :
		    "'%s' takes one value", row->name);
		return;
	}
	switch (row->kind) {
	case K_WORD:
		word = settings_word(row->name, row->takes, values->text, &why);
		if (word == -1)
			wrong(r, values, &why);
		else
			*(int *)field(r->s, row) = word;
		break;
	case K_NUMBER: case K_SIZE: case K_DURATION: case K_MODE:
		if (read_ranged(r, row, values->text, field(r->s, row),
		    &why) == -1)
			wrong(r, values, &why);
		break;
	case K_STRING:
		(void)read_string(r, row, values, values, field(r->s, row));
		break;
	case K_STRINGS:
		read_strings(r, row, values);
		break;
	case K_ON_ERROR:
		read_on_error(r, row, set, values);
		break;
	}
	strbuf_free(&why);
}

/* The policy without class, and then pairs. */
static void
default_on_error(struct on_errors *to, const struct setting *row)
{
	const char *p = row->dflt;
	struct strbuf why = { 0 };
	int class = -1, word;

	while (*p != '\0') {
		struct str s = { p, strcspn(p, " ") };

		p += s.n + strspn(p + s.n, " ");
		word = settings_word(row->name, row->takes, s, &why);
		for (int i = 0; word >= 0 && i < ERR_CLASSES; i++)
			if (class == -1 || class == i)
				to->of[i] = (enum on_error)word;
		if (word == -1)
			class = settings_word(row->name, CLASSES, s, &why);
	}
	strbuf_free(&why);
}

static void
read_default(struct reader *r, const struct setting *row)
{
	struct operand o = { .kind = OPD_WORD, .text = str_of(row->dflt) };

	if (row->kind == K_ON_ERROR)
		default_on_error(field(r->s, row), row);
	else if (row->kind == K_STRING && *row->dflt == '\0')
		*(struct str *)field(r->s, row) = STR("");
	else if (row->kind != K_STRINGS || *row->dflt != '\0')
		read_values(r, row, NULL, &o);
}

static void
unknown(struct reader *r, const struct set *set)
{
	struct str names[NSETTINGS], near;

	for (size_t i = 0; i < NSETTINGS; i++)
		names[i] = str_of(settings_table[i].name);
	near = diag_nearest(set->name.text, names, NSETTINGS);
	diag_error(r->d, set->name.at, near.p != NULL ?
	    "unknown setting '" STR_FMT "'; did you mean '" STR_FMT "'?" :
	    "unknown setting '" STR_FMT "'", STR_ARG(set->name.text),
	    STR_ARG(near));
}

static void
read_set(struct reader *r, const struct set *set)
{
	size_t i;

	for (i = 0; i < NSETTINGS; i++)
		if (str_eq(set->name.text, str_of(settings_table[i].name)))
			break;
	if (i == NSETTINGS)
		unknown(r, set);
	else if (r->seen[i] != NULL && settings_table[i].kind != K_ON_ERROR) {
		diag_error(r->d, set->name.at, "'%s' is set twice",
		    settings_table[i].name);
		diag_note(r->d, r->seen[i]->name.at, "first here");
	} else {
		r->seen[i] = set;
		read_values(r, &settings_table[i], set, set->values);
	}
}

void
settings_read(struct settings *s, const struct ast *ast, struct arena *a,
    struct diag *d)
{
	struct reader r = { .s = s, .a = a, .d = d };

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < NSETTINGS; i++)
		read_default(&r, &settings_table[i]);
	for (const struct set *set = ast->sets; set != NULL; set = set->next)
		read_set(&r, set);
	/* Statements have no order: a class of its own wins over all classes. */
	for (int i = 0; i < ERR_CLASSES; i++) {
		if (r.seen_class[i] != NULL)
			s->on_error.of[i] = r.policy[i];
		else if (r.seen_class[ERR_CLASSES] != NULL)
			s->on_error.of[i] = r.policy[ERR_CLASSES];
	}
}

static bool
same(const struct setting *row, const struct settings *x,
    const struct settings *y)
{
	const void *a = const_field(x, row), *b = const_field(y, row);
	const struct strings *sa = a, *sb = b;

	switch (row->kind) {
	case K_WORD:
		return *(const int *)a == *(const int *)b;
	case K_NUMBER: case K_SIZE: case K_DURATION: case K_MODE:
		return *(const int64_t *)a == *(const int64_t *)b;
	case K_STRING:
		return str_eq(*(const struct str *)a, *(const struct str *)b);
	case K_STRINGS:
		if (sa->n != sb->n)
			return false;
		for (size_t i = 0; i < sa->n; i++)
			if (!str_eq(sa->v[i], sb->v[i]))
				return false;
		return true;
	case K_ON_ERROR:
		return memcmp(a, b, sizeof(struct on_errors)) == 0;
	}
	return false;
}

int
settings_fixed_changes(const struct settings *old, const struct settings *new,
    struct strbuf *out)
{
	int n = 0;

	for (size_t i = 0; i < NSETTINGS; i++) {
		const struct setting *row = &settings_table[i];

		if (row->reload || same(row, old, new))
			continue;
		strbuf_printf(out, "%s%s", n > 0 ? ", " : "", row->name);
		n++;
	}
	return n;
}
