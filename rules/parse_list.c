/*
 * parse_list.c - `set` statements and lists.
 *
 * Both are a name and plain values; what values mean is settings.c's and
 * tables.c's business, except that a regex stands in lists of patterns and
 * nowhere else, which is the grammar's.
 */
#include "parse_int.h"

#include <string.h>

bool
parse_set(struct parser *p, struct token start)
{
	static const char why[] = "write 'set NAME VALUE', without =";
	struct set *set = arena_new_object(p->a, struct set);
	struct operand **end, *o;
	struct token tok = parse_peek(p);

	if (set == NULL)
		return false;
	if (tok.kind != TOK_WORD) {
		parse_expected(p, &tok, "a setting's name");
		return true;
	}
	if (str_find(tok.text, STR("=")) >= 0) {
		diag_error(p->d, tok.at, why);
		return true;
	}
	parse_take(p, &tok);
	set->name = (struct name_ref){ tok.at, tok.text };
	for (end = &set->values; (tok = parse_peek(p)).kind != TOK_END;
	    end = &o->next) {
		if (tok_is(&tok, "=")) {
			diag_error(p->d, tok.at, why);
			return true;
		}
		if (tok.kind != TOK_WORD && tok.kind != TOK_STRING) {
			if (tok.kind == TOK_BAD)
				parse_expected(p, &tok, "a value");
			else
				diag_error(p->d, tok.at, "a value with '"
				    STR_FMT "' in it needs quotes",
				    STR_ARG(tok.text));
			return true;
		}
		if ((o = arena_new_object(p->a, struct operand)) == NULL ||
		    !parse_operand(p, o))
			return true;
		*end = o;
	}
	if (set->values == NULL) {
		diag_error(p->d, tok.at, "the value of '" STR_FMT
		    "' is missing here", STR_ARG(parse_shown(set->name.text)));
		return true;
	}
	set->at = parse_span(p, start.at);
	*p->set_end = set;
	p->set_end = &set->next;
	return true;
}

const char *
list_type_name(enum list_type t)
{
	static const char *const names[LIST_TYPES] = {
		"nets", "domains", "addresses", "strings", "patterns"
	};

	return t < LIST_TYPES ? names[t] : "?";
}

const char *
entry_kind_name(enum entry_kind k)
{
	static const char *const names[] = {
		[ENTRY_FILE] = "file", [ENTRY_CDB] = "cdb", [ENTRY_LMDB] = "lmdb",
		[ENTRY_PCRE] = "pcre"
	};

	return k < sizeof(names) / sizeof(names[0]) ? names[k] : NULL;
}

/* What the word says that a path follows; ENTRY_WORD: it is none of these. */
static enum entry_kind
kind_of_word(const struct token *tok)
{
	if (tok->kind == TOK_WORD)
		for (enum entry_kind k = ENTRY_FILE; k <= ENTRY_PCRE; k++)
			if (tok_is(tok, entry_kind_name(k)))
				return k;
	return ENTRY_WORD;
}

/* Postfix's other kinds of tables, and the word for what can be had instead. */
static const struct {
	const char	*kind, *ours;
} foreign[] = {
	{ "hash", "cdb" }, { "btree", "cdb" }, { "dbm", "cdb" }, { "sdbm", "cdb" },
	{ "texthash", "file" }, { "cidr", "file" }, { "regexp", "pcre" },
	{ "ldap", NULL }, { "mysql", NULL }, { "pgsql", NULL }, { "sqlite", NULL },
	{ "mongodb", NULL }, { "memcache", NULL }, { "socketmap", NULL }, { "tcp", NULL },
	{ "proxy", NULL }, { "unionmap", NULL }, { "pipemap", NULL }, { "nis", NULL },
};

/* Is that how a table is named elsewhere, or ours in capitals?  Then says so. */
static bool
is_foreign_kind(struct parser *p, struct span at, struct str kind, struct str path)
{
	for (enum entry_kind k = ENTRY_FILE; k <= ENTRY_PCRE; k++)
		if (str_ieq(kind, str_of(entry_kind_name(k)))) {
			diag_error(p->d, at, "write %s \"" STR_FMT "\"", entry_kind_name(k),
			    STR_ARG(path));
			return true;
		}
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const char *ours = foreign[i].ours;

		if (!str_ieq(kind, str_of(foreign[i].kind)))
			continue;
		if (ours == NULL)
			diag_error(p->d, at, "tables of the kind '%s' are not read; there are file, "
			    "cdb, lmdb and pcre, each with a path in quotes", foreign[i].kind);
		else if (str_eq(str_of(ours), STR("cdb")))
			diag_error(p->d, at, "tables of the kind '%s' are not read; have 'postmap "
			    "cdb:" STR_FMT "' make one that is, and write cdb \"" STR_FMT "\"",
			    foreign[i].kind, STR_ARG(path), STR_ARG(path));
		else
			diag_error(p->d, at, "what is '%s' in Postfix is written %s \"" STR_FMT "\"",
			    foreign[i].kind, ours, STR_ARG(path));
		return true;
	}
	return false;
}

/* `cdb:/path` is how Postfix names a table. */
static bool
is_postfix_name(struct parser *p, const struct token *tok)
{
	struct str w = tok->text;
	ptrdiff_t colon = str_find(w, STR(":/"));

	if (tok->kind != TOK_WORD || colon <= 0)
		return false;
	w.n = (size_t)colon;
	return is_foreign_kind(p, tok->at, w,
	    (struct str){ tok->text.p + w.n + 1, tok->text.n - w.n - 1 });
}

/* `hash "/path"` */
static bool
read_foreign_table(struct parser *p, const struct list *list, const struct token *word)
{
	struct token tok = parse_peek(p);
	struct str path;

	if (word->kind != TOK_WORD || tok.kind != TOK_STRING || tok.text.n < 2)
		return false;
	path = (struct str){ tok.text.p + 1, tok.text.n - 2 };
	if (list->type == LIST_STRINGS && memchr(path.p, '/', path.n) == NULL)
		return false;
	if (!is_foreign_kind(p, word->at, word->text, path))
		return false;
	parse_take(p, &tok);
	return true;
}

/* A path without the word that makes it one, in a list that holds no such thing. */
static bool
is_bare_path(const struct list *list, struct str s)
{
	static const char *const roots[] = { "/etc/", "/var/", "/usr/", "/opt/", "/srv/", "/home/" };

	if (list->type != LIST_STRINGS)
		return s.n > 1 && s.p[0] == '/' && memchr(s.p, '@', s.n) == NULL;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (str_istarts(s, str_of(roots[i])))
			return true;
	return false;
}

/* /etc/postern/x, which reads like a regex with odd flags. */
static bool
is_path_like_regex(const struct token *tok)
{
	size_t slash = tok->text.n;

	while (slash > 0 && tok->text.p[slash - 1] != '/')
		slash--;
	for (size_t i = slash; i < tok->text.n; i++)
		if (strchr("imsx", tok->text.p[i]) == NULL)
			return true;
	return false;
}

static void
tell_path(struct parser *p, struct span at, struct str path)
{
	diag_error(p->d, at, "what a file holds is taken by file \"" STR_FMT "\"", STR_ARG(path));
}

static bool
read_file_entry(struct parser *p, struct entry *e, enum entry_kind kind)
{
	struct token tok = parse_peek(p);
	const char *name = entry_kind_name(kind);

	if (tok.kind != TOK_STRING) {
		if (tok.kind == TOK_BAD)
			parse_expected(p, &tok, "a path");
		else
			diag_error(p->d, tok.at, "after '%s' comes a path "
			    "in quotes; for the entry '%s' itself write "
			    "\"%s\"", name, name, name);
		if (tok.kind == TOK_WORD)
			parse_take(p, &tok);
		return false;
	}
	parse_take(p, &tok);
	e->kind = kind;
	return parse_string(p, &tok, &e->text);
}

/* Reads one entry, and goes behind it whatever it is. */
static bool
read_entry(struct parser *p, const struct list *list, struct entry *e)
{
	struct token tok = lex_peek(&p->lx, LEX_REGEX);
	bool patterns = list->type == LIST_PATTERNS;
	enum entry_kind kind = kind_of_word(&tok);

	parse_take(p, &tok);
	e->at = tok.at;
	if (parse_single_quotes(p, &tok)) {
		/* 'two words': one mistake. */
		while (tok.kind == TOK_WORD && tok.text.p[tok.text.n - 1] != '\'' &&
		    (tok = parse_peek(p)).kind == TOK_WORD && !tok.first)
			parse_take(p, &tok);
		return false;
	}
	if (is_postfix_name(p, &tok) ||
	    (kind == ENTRY_WORD && read_foreign_table(p, list, &tok)))
		return false;
	if (kind != ENTRY_WORD) {
		bool ok = read_file_entry(p, e, kind);

		e->at = parse_span(p, tok.at);
		return ok;
	}
	if (tok.kind == TOK_REGEX && patterns) {
		e->kind = ENTRY_REGEX;
		return parse_regex(p, &tok, &e->regex);
	}
	if (tok.kind == TOK_REGEX && is_path_like_regex(&tok))
		tell_path(p, tok.at, tok.text);
	else if (tok.kind == TOK_REGEX)
		diag_error(p->d, tok.at, "a regex stands in a list of "
		    "patterns; for a text write it in quotes");
	else if (tok_is(&tok, ","))
		diag_error(p->d, tok.at, "entries are separated by blanks, "
		    "without commas");
	else if (patterns && (tok.kind == TOK_WORD || tok.kind == TOK_STRING))
		diag_error(p->d, tok.at, "a pattern is written between "
		    "slashes, like /wire transfer/i");
	else if (tok.kind == TOK_WORD) {
		e->kind = ENTRY_WORD;
		e->text = tok.text;
		return true;
	} else if (tok.kind == TOK_STRING) {
		e->kind = ENTRY_STRING;
		if (!parse_string(p, &tok, &e->text))
			return false;
		if (is_bare_path(list, e->text) && list->type != LIST_STRINGS) {
			tell_path(p, tok.at, e->text);
			return false;
		}
		if (is_bare_path(list, e->text))
			diag_warning(p->d, tok.at, "this is a text like others; what a file holds "
			    "is taken by file \"" STR_FMT "\"", STR_ARG(e->text));
		return true;
	} else
		parse_expected(p, &tok, "an entry");
	return false;
}

static enum list_type
type_of_word(struct str word)
{
	unsigned t;

	for (t = 0; t < LIST_TYPES; t++)
		if (str_eq(word, str_of(list_type_name((enum list_type)t))))
			break;
	return (enum list_type)t;
}

/* `=`, with or without blanks around it. */
static bool
read_equals(struct parser *p)
{
	struct token tok = parse_peek(p);

	if (tok.kind == TOK_WORD && tok.text.p[0] == '=') {
		tok.at.n = 1;
		parse_take(p, &tok);
		return true;
	}
	parse_expected(p, &tok, "'=' after the list's name");
	return false;
}

bool
parse_list(struct parser *p, struct token start)
{
	struct list *list = arena_new_object(p->a, struct list);
	struct entry **end, *e;
	struct token tok;
	bool mistakes = false;

	if (list == NULL)
		return false;
	list->type = type_of_word(start.text);
	list->at = start.at;
	if (!parse_name(p, "a list's name", true, &list->name))
		return false;
	*p->list_end = list;
	p->list_end = &list->next;
	p->ast->nlists++;
	if (!read_equals(p))
		return true;
	for (end = &list->entries; (tok = parse_peek(p)).kind != TOK_END; ) {
		if ((e = arena_new_object(p->a, struct entry)) == NULL)
			return false;
		if (!read_entry(p, list, e)) {
			mistakes = true;
			continue;
		}
		*end = e;
		end = &e->next;
	}
	if (list->entries == NULL && !mistakes)
		diag_error(p->d, tok.at, "an entry is missing here");
	list->at = parse_span(p, start.at);
	return true;
}
