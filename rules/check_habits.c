/*
 * check_habits.c - what is written as other programs want it.
 *
 * A * in a value, the word `unknown` for a client without a name, the end of a file's
 * name for the name, encoded words where text is compared, capitals in a pattern for names that
 * are in lower case, $client.ip in a reply: each means something elsewhere, and
 * nothing here, so the rule never fires, or the text says what nobody meant.
 */
#include "check_reach.h"

#include <string.h>

#include "check_walk.h"
#include "diag.h"
#include "regex.h"

/* ---- Values with a * ---- */

struct stars {
	bool		begin, end;
	struct str	core;		/* without them */
};

/* *viagra*, as shells and other filters write it; what has many stars is decorated. */
static bool
find_stars(struct str s, struct stars *found)
{
	*found = (struct stars){ .core = s };
	found->begin = s.n > 1 && s.p[0] == '*' && s.p[1] != '*';
	found->end = s.n > 1 && s.p[s.n - 1] == '*' && s.p[s.n - 2] != '*';
	while (found->core.n > 0 && found->core.p[0] == '*') {
		found->core.p++;
		found->core.n--;
	}
	while (found->core.n > 0 && found->core.p[found->core.n - 1] == '*')
		found->core.n--;
	return found->begin || found->end;
}

static void
check_stars(struct diag *d, const struct fact *f, const struct operand *o)
{
	struct stars x, local;
	bool whole = find_stars(o->text, &x);

	/* bulk*@example.org: no part of the address says the same. */
	if (!whole && (f->type != T_ADDRESS || !find_stars(o->value.mb.local, &local)))
		return;
	if (!whole || memchr(x.core.p, '*', x.core.n) != NULL)
		diag_warning(d, o->at, "* is no wildcard: write 'matches' and a pattern");
	else
		diag_warning(d, o->at, "* is no wildcard: write '%s \"" STR_FMT "\"', or 'matches' and "
		    "a pattern", !x.begin ? "starts with" : x.end ? "contains" : "ends with",
		    STR_ARG(x.core));
}

void
check_entry_stars(struct diag *d, struct span at, struct str s)
{
	struct strbuf re = { 0 };
	struct stars x;

	if (!find_stars(s, &x))
		return;
	strbuf_puts(&re, x.begin ? "/" : "/^");
	for (size_t i = 0; i < x.core.n; i++) {
		if (x.core.p[i] == '*')
			strbuf_putc(&re, '.');
		else if (strchr("\\^$.[]|()?+{}/", x.core.p[i]) != NULL)
			strbuf_putc(&re, '\\');
		strbuf_putc(&re, x.core.p[i]);
	}
	strbuf_puts(&re, x.end ? "/i" : "$/i");
	if (!re.failed)
		diag_warning(d, at, "* is no wildcard: a list of patterns has " STR_FMT,
		    STR_ARG(strbuf_slice(&re)));
	strbuf_free(&re);
}

/* ---- Words that stand for something else ---- */

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* Postfix says so where a name can't be verified, and then there is none. */
static void
check_unknown_client(struct diag *d, const struct fact *f, struct span at, struct str s)
{
	static const char *const names[] = { "client.name", "client.ptr", NULL };

	if (str_ieq(s, STR("unknown")) && is_one_of(f->name, names))
		diag_warning(d, at, "this is never so: for a client that the MTA calls unknown "
		    "'%s is not set'", f->name);
}

/* The end of a name, where the name is compared: attachment.name in { exe } */
static void
check_extension(struct diag *d, const struct fact *f, const struct operand *o)
{
	static const char *const names[] = { "attachment.name", "archive.name", NULL };
	static const char *const known[] = {
		"7z", "ace", "arj", "bat", "cab", "chm", "cmd", "com", "cpl", "dll", "doc", "docm",
		"docx", "exe", "hta", "img", "iso", "jar", "js", "jse", "lnk", "msi", "pdf", "pif",
		"ppt", "pptm", "ps1", "rar", "reg", "scr", "vbe", "vbs", "wsf", "wsh", "xls",
		"xlsm", "xlsx", "zip",
	};
	struct str s = o->text;

	if (!is_one_of(f->name, names))
		return;
	if (s.n > 0 && s.p[0] == '.')
		s = (struct str){ s.p + 1, s.n - 1 };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_ieq(s, str_of(known[i])))
			diag_warning(d, o->at, "this is the whole name of a file; for its end write "
			    "'ends with \".%s\"', or for several 'matches /\\.(%s|...)$/i'",
			    known[i], known[i]);
}

/* ---- Encoded words ---- */

/* =?utf-8?, in a pattern =\?utf-8\? */
static bool
has_encoded_word(struct str s, const char *question)
{
	size_t n = strlen(question), k;

	for (size_t i = 0; i + 1 + n < s.n; i++) {
		if (s.p[i] != '=' || memcmp(s.p + i + 1, question, n) != 0)
			continue;
		for (k = i + 1 + n; k < s.n; k++) {
			char c = s.p[k];

			if (!char_is_alnum(c) && c != '-' && c != '_')
				break;
		}
		if (k > i + 1 + n && s.n - k >= n && memcmp(s.p + k, question, n) == 0)
			return true;
	}
	return false;
}

static void
check_encoded(struct diag *d, const struct cond *c, struct span at, struct str s, const char *question)
{
	static const struct { const char *name, *field; } decoded[] = {
		{ "subject", "Subject" }, { "from.name", "From" }, { "header", NULL },
	};

	for (size_t i = 0; i < sizeof(decoded) / sizeof(decoded[0]); i++) {
		struct str field = decoded[i].field != NULL ? str_of(decoded[i].field) : c->fact.key;

		if (strcmp(c->fact.fact->name, decoded[i].name) == 0 && has_encoded_word(s, question))
			diag_warning(d, at, "encoded words are decoded before this is compared, so only "
			    "broken ones are found; the field as it came is raw.header[\"" STR_FMT "\"]",
			    STR_ARG(field));
	}
}

/* ---- A comparison ---- */

static void
check_match(struct diag *d, const struct cond *c)
{
	const struct regex_lit *re = &c->regex;
	const struct fact *f = c->fact.fact;

	check_encoded(d, c, re->at, re->pattern, "\\?");
	if (str_eq(re->pattern, STR("^unknown$")))
		check_unknown_client(d, f, re->at, STR("unknown"));
	if (f->type == T_DOMAIN && pattern_needs_capital(re->pattern, re->flags))
		diag_warning(d, re->at, "this never matches: '%s' is in lower case, however it came; "
		    "write the pattern so, or with the flag i", f->name);
}

void
check_habits(struct diag *d, const struct cond *c)
{
	const struct fact *f = c->fact.fact;

	if (c->op == OP_MATCHES)
		check_match(d, c);
	for (const struct operand *o = c->operands; o != NULL; o = o->next) {
		check_encoded(d, c, o->at, o->text, "?");
		if ((type_of(f->type)->ops & OP_BIT(OP_CONTAINS)) == 0 ||
		    (c->op != OP_IS && c->op != OP_IN_SET))
			continue;
		check_stars(d, f, o);
		check_unknown_client(d, f, o->at, o->text);
		check_extension(d, f, o);
	}
}

/* ---- Texts ---- */

/* The most groups that a pattern of the condition has. */
static int
count_groups(const struct cond *c)
{
	int most = 0, n;

	for (; c != NULL; c = c->next) {
		n = c->kind != COND_CMP ? count_groups(c->child) :
		    c->op == OP_MATCHES && c->regex.re != NULL ? regex_groups(c->regex.re) : 0;
		most = n > most ? n : most;
	}
	return most;
}

static bool
is_digit(struct str s, size_t i)
{
	return i < s.n && char_is_digit(s.p[i]);
}

/* The number from i on, behind a $, if it may be that of one of so many groups; its octets. */
static size_t
number_length(struct str text, size_t i, int groups)
{
	struct str s = { text.p + i, text.n - i };
	size_t n = 0;
	int number = 0;

	while (n < 2 && is_digit(s, n))
		number = number * 10 + (s.p[n++] - '0');
	/* $1.50, $1,000, $1k and US$1 are prices. */
	if (is_digit(s, n) || (n < s.n && (s.p[n] == '.' || s.p[n] == ',') && is_digit(s, n + 1)) ||
	    (n < s.n && char_is_letter(s.p[n])) || (i > 1 && text.p[i - 2] >= 'A' && text.p[i - 2] <= 'Z'))
		return 0;
	return number > 0 && number <= groups ? n : 0;
}

/* The name of a fact at s, that could stand in a text; its octets. */
static size_t
fact_length(struct str s)
{
	const struct fact *f;
	size_t n = 0;

	while (n < s.n && ((s.p[n] >= 'a' && s.p[n] <= 'z') || s.p[n] == '.' || s.p[n] == '-'))
		n++;
	if (n < s.n && (is_digit(s, n) || s.p[n] == '_' || (s.p[n] >= 'A' && s.p[n] <= 'Z')))
		return 0;
	while (n > 0 && (s.p[n - 1] == '.' || s.p[n - 1] == '-'))
		n--;
	f = fact_find((struct str){ s.p, n });
	return f != NULL && (f->flags & (F_KEY | F_STORED)) == 0 ? n : 0;
}

/*
 * $client.ip, $1, $(client.ip), {client.ip}: what begins at i, with its octets, or 0.
 * *name is what should stand between ${ and }.
 */
static size_t
foreign_length(struct str s, size_t i, int groups, struct str *name)
{
	bool dollar = s.p[i] == '$', close = !dollar || (i + 1 < s.n && s.p[i + 1] == '(');
	size_t from = i + (dollar && close ? 2 : 1), end;
	struct str rest;

	if ((!dollar && s.p[i] != '{') || from >= s.n)
		return 0;
	rest = (struct str){ s.p + from, s.n - from };
	*name = (struct str){ rest.p, dollar && is_digit(rest, 0) ? number_length(s, from, groups) :
	    fact_length(rest) };
	end = from + name->n;
	if (name->n == 0 || (close && (end >= s.n || s.p[end] != (dollar ? ')' : '}'))))
		return 0;
	/* {from} may be meant so. */
	if (!dollar && memchr(name->p, '.', name->n) == NULL)
		return 0;
	return end + close - i;
}

/* In the text as it stands in the file. */
static void
check_literal(struct diag *d, const struct part *p, int groups)
{
	struct str s = { p->at.src->text.p + p->at.off, p->at.n }, name;
	size_t n;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\') {
			/* \${client.ip} is meant so. */
			i += i + 2 < s.n && s.p[i + 1] == '$' && s.p[i + 2] == '{' ? 2 : 1;
			continue;
		}
		if ((n = foreign_length(s, i, groups, &name)) > 0)
			diag_warning(d, (struct span){ p->at.src, p->at.off + i, n }, "this stays as it "
			    "stands: for the value write ${" STR_FMT "}%s", STR_ARG(name),
			    s.p[i] == '$' ? ", for a dollar sign \\$" : "");
	}
}

void
check_text_habits(struct diag *d, const struct rule *r)
{
	int groups = count_groups(r->cond);

	for (const struct action *a = r->actions; a != NULL; a = a->next)
		for (const struct text *t = a->text; t != NULL; t = t->next)
			for (const struct part *p = t->parts; p != NULL; p = p->next)
				if (p->kind == PART_LITERAL)
					check_literal(d, p, groups);
}
