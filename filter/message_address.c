/*
 * message_address.c - address lists of header fields (RFC 5322, 3.4 and 4.4).
 *
 * The From field is where forgers work: several addresses, groups, comments,
 * quotes, addresses in display names, all so that one program sees another
 * author than the next.  So every address that can be read is given, and what
 * is no address list by the grammar, or what programs are known to read
 * differently, is called malformed.  Nothing is guessed silently.
 *
 * Own code and not GMime's InternetAddressList: of the fields that name no
 * author safely it takes "<a@b", "a@b@c" (as a@b), "x@y <a@b>" and comments
 * nested 250 deep without a word, and of "x a@b" or "<@b>" gives nothing.
 *
 * One pass makes tokens of an item (what stands between commas), another reads
 * them; nothing recurses, nothing is looked at more than a few times.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"

#define ADDRESSES_MAX	10000	/* of a field */
#define TOKENS_MAX	10000	/* of an item */
#define NESTING_MAX	50	/* of comments */
#define LINE_MAX_5322	998	/* RFC 5322, 2.1.1 */
#define TOKENS_FEW	64	/* of most items; more take memory, as do names */
#define ROOM		256	/* and addresses of more octets */

enum kind { ATOM, QUOTED, COMMENT, LITERAL, SPECIAL, END };

struct token {
	enum kind	kind;
	char		c;	/* of SPECIAL: one of < > @ , ; : . */
	bool		apart;	/* a blank or comment stands before it */
	struct str	s;	/* quotes, parentheses and brackets included */
};

struct parser {
	struct arena	*a;
	struct str	 s;
	size_t		 i;
	bool		 apart;
	bool		 open_comment, open_quote, open_literal;
	bool		 in_group, after_group, saw_group;
	bool		 malformed, failed;
	struct token	*tok;		/* of the item at hand */
	size_t		 ntok, cap;
	struct mailbox	*v;
	struct str	*names;
	size_t		 n, vcap;
	struct token	 few[TOKENS_FEW];	/* not zeroed */
};

static bool
is_special(const struct token *t, char c)
{
	return t->kind == SPECIAL && t->c == c;
}

/*
 * Offset after the closing character, or 0.  A comment may nest.
 */
static size_t
closing(struct parser *p, char open, char close)
{
	size_t i, depth = 0;

	for (i = p->i; i < p->s.n; i++) {
		if (p->s.p[i] == '\\')
			i++;
		else if (open == '(' && p->s.p[i] == '(') {
			if (++depth > NESTING_MAX)
				p->malformed = true;
		} else if (p->s.p[i] == close &&
		    (open == '(' ? --depth == 0 : i > p->i))
			return i + 1;
	}
	return 0;
}

/*
 * The token that p->i is at: a quoted string, comment or literal.  One that
 * isn't closed is read as if its first character were a letter, and the flag
 * saves the next one from looking for an end that isn't there.
 */
static bool
enclosed(struct parser *p, struct token *t)
{
	static const struct {
		char open, close;
		enum kind kind;
	} pairs[] = {
		{ '"', '"', QUOTED }, { '(', ')', COMMENT }, { '[', ']', LITERAL }
	};
	bool *flags[] = { &p->open_quote, &p->open_comment, &p->open_literal };
	size_t k, end;

	for (k = 0; k < 3 && p->s.p[p->i] != pairs[k].open; k++)
		;
	if (k == 3 || *flags[k])
		return false;
	if ((end = closing(p, pairs[k].open, pairs[k].close)) == 0) {
		*flags[k] = p->malformed = true;
		return false;
	}
	t->kind = pairs[k].kind;
	t->s = (struct str){ p->s.p + p->i, end - p->i };
	p->i = end;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
ends_atom(char c)
{
	return is_blank(c) || (c != '\0' && strchr("<>@,;:.\"([", c) != NULL);
}

static struct token
next_token(struct parser *p)
{
	struct token t = { .kind = END, .apart = p->apart };
	size_t from;

	while (p->i < p->s.n && is_blank(p->s.p[p->i])) {
		t.apart = true;
		p->i++;
	}
	p->apart = false;
	if (p->i >= p->s.n)
		return t;
	if (enclosed(p, &t)) {
		p->apart = t.kind == COMMENT;
		return t;
	}
	from = p->i++;
	if (p->s.p[from] != '\0' && strchr("<>@,;:.", p->s.p[from]) != NULL) {
		t.kind = SPECIAL;
		t.c = p->s.p[from];
	} else {
		t.kind = ATOM;
		while (p->i < p->s.n && !ends_atom(p->s.p[p->i]))
			p->i++;
	}
	t.s = (struct str){ p->s.p + from, p->i - from };
	return t;
}

static void
keep_token(struct parser *p, const struct token *t)
{
	bool first = p->tok == p->few;
	struct token *v;

	if (p->ntok == p->cap) {
		p->cap *= 2;
		if (p->ntok >= TOKENS_MAX || (v = realloc(first ? NULL : p->tok,
		    p->cap * sizeof(*v))) == NULL) {
			p->failed = true;
			return;
		}
		if (first)
			memcpy(v, p->few, sizeof(p->few));
		p->tok = v;
	}
	p->tok[p->ntok++] = *t;
}

/* A quoted string or comment without its marks and backslashes. */
static void
put_content(struct strbuf *out, struct str s)
{
	size_t i;

	for (i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		strbuf_putc(out, s.p[i]);
	}
}

/* The display name from the words before <, or from a comment. */
static struct str
read_name(struct parser *p, const struct token *t, size_t n, bool comments)
{
	char room[ROOM];
	struct strbuf b = STRBUF_IN(room);
	const struct str *text = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((t[i].kind == COMMENT) != comments)
			continue;
		if (t[i].apart && b.n > 0)
			strbuf_putc(&b, ' ');
		if (t[i].kind == QUOTED || t[i].kind == COMMENT)
			put_content(&b, t[i].s);
		else
			strbuf_str(&b, t[i].s);
	}
	if (b.n > 0 && !b.failed)
		text = message_decode(p->a, strbuf_slice(&b));
	if (b.failed || (b.n > 0 && text == NULL))
		p->failed = true;
	strbuf_free(&b);
	return text != NULL && text->n > 0 ? *text : STR_NONE;
}

static void
grow(struct parser *p)
{
	struct mailbox *v;
	struct str *names;
	size_t cap = p->vcap > 0 ? 4 * p->vcap : 2;

	v = arena_array(p->a, cap, sizeof(*v));
	names = arena_array(p->a, cap, sizeof(*names));
	if (v == NULL || names == NULL) {
		p->failed = true;
		return;
	}
	if (p->n > 0) {
		memcpy(v, p->v, p->n * sizeof(*v));
		memcpy(names, p->names, p->n * sizeof(*names));
	}
	p->v = v;
	p->names = names;
	p->vcap = cap;
}

/* No program agrees with the next on these in an address. */
static void
check_octets(struct parser *p, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			p->malformed = true;
	if (!utf8_valid(s) || str_find(s, STR("=?")) >= 0)
		p->malformed = true;
}

/* tok[from..at) @ tok(at..to), without comments, is an address. */
static void
add_mailbox(struct parser *p, size_t from, size_t at, size_t to, struct str name)
{
	char rooms[3][ROOM];
	struct strbuf raw = STRBUF_IN(rooms[0]), local = STRBUF_IN(rooms[1]),
	    domain = STRBUF_IN(rooms[2]);
	struct mailbox m;
	size_t i;

	for (i = from; i < to; i++) {
		if (i == at || p->tok[i].kind == COMMENT)
			continue;
		check_octets(p, p->tok[i].s);
		if (i > at) {
			strbuf_str(&domain, p->tok[i].s);
			continue;
		}
		strbuf_str(&raw, p->tok[i].s);
		if (p->tok[i].kind == QUOTED)
			put_content(&local, p->tok[i].s);
		else
			strbuf_str(&local, p->tok[i].s);
	}
	m.local = str_dup(p->a, strbuf_slice(&local));
	m.domain = domain_normal(p->a, strbuf_slice(&domain));
	strbuf_putc(&raw, '@');
	strbuf_str(&raw, m.domain);
	m.text = str_dup(p->a, strbuf_slice(&raw));
	if (p->n == ADDRESSES_MAX)
		p->failed = true;
	else if (p->n == p->vcap)
		grow(p);
	if (raw.failed || local.failed || domain.failed || m.local.p == NULL ||
	    m.domain.p == NULL || m.text.p == NULL)
		p->failed = true;
	if (!p->failed) {
		p->v[p->n] = m;
		p->names[p->n++] = name;
	}
	strbuf_free(&raw);
	strbuf_free(&local);
	strbuf_free(&domain);
}

static bool
is_word(const struct token *t)
{
	return t->kind == ATOM || t->kind == QUOTED || is_special(t, '.');
}

/*
 * Is tok[from..to) one or more words with dots between?  Blanks and comments
 * around a dot are obsolete, and read in more than one way: malformed.
 */
static bool
dotted(struct parser *p, size_t from, size_t to, bool domain)
{
	size_t i, n = 0;
	bool dot = true;

	for (i = from; i < to; i++) {
		const struct token *t = &p->tok[i];

		if (t->kind == COMMENT)
			continue;
		if (domain && t->kind == LITERAL && n++ == 0) {
			dot = false;
			continue;
		}
		if (!is_word(t) || (domain && t->kind == QUOTED))
			return false;
		if (n++ > 0 && t->apart)
			p->malformed = true;
		if (is_special(t, '.')) {
			if (dot && domain)
				return false;
			dot = true;
		} else if (!dot && n > 1)
			return false;	/* two words side by side */
		else
			dot = false;
	}
	return n > 0 && !(domain && dot);
}

/* Whatever looks like an address in a broken item: all of them. */
static void
recover(struct parser *p, size_t from, size_t to)
{
	size_t i, l, r;

	p->malformed = true;
	for (i = from; i < to && !p->failed; i++) {
		if (!is_special(&p->tok[i], '@'))
			continue;
		for (l = i; l > from && is_word(&p->tok[l - 1]) &&
		    (l == i || !p->tok[l].apart); l--)
			;
		for (r = i + 1; r < to && (is_word(&p->tok[r]) ||
		    p->tok[r].kind == LITERAL) &&
		    (r == i + 1 || !p->tok[r].apart); r++)
			;
		if (l < i && r > i + 1)
			add_mailbox(p, l, i, r, STR_NONE);
		i = r - 1;
	}
}

/* addr-spec in tok[from..to). */
static void
read_address(struct parser *p, size_t from, size_t to, struct str name)
{
	size_t i, at = to;

	for (i = from; i < to && at == to; i++)
		if (is_special(&p->tok[i], '@'))
			at = i;
	if (at < to && dotted(p, from, at, false) &&
	    dotted(p, at + 1, to, true))
		add_mailbox(p, from, at, to, name);
	else
		recover(p, from, to);
}

/* What stands in <>: a route is skipped (RFC 5322, 4.4), nothing is malformed. */
static void
read_angle(struct parser *p, size_t from, size_t to, struct str name)
{
	size_t i;

	if (from < to && is_special(&p->tok[from], '@')) {
		for (i = from; i < to && !is_special(&p->tok[i], ':'); i++)
			;
		if (i < to)
			from = i + 1;
	}
	read_address(p, from, to, name);
}

/* One item: name <address>, or address, and what comes instead of them. */
static void
read_item(struct parser *p)
{
	size_t i, open, words = 0, from = 0;
	bool angle = false;
	struct str name;

	for (i = 0; i < p->ntok && !p->failed; i++) {
		const struct token *t = &p->tok[i];

		if (is_special(t, '>')) {
			p->malformed = true;	/* none was open */
			from = i + 1;
			continue;
		}
		if (!is_special(t, '<')) {
			words += t->kind != COMMENT;
			continue;
		}
		name = read_name(p, p->tok + from, i - from, false);
		for (open = from; open < i; open++)
			if (p->tok[open].kind == SPECIAL &&
			    p->tok[open].c != '.')
				p->malformed = true;
		for (open = i + 1; i + 1 < p->ntok &&
		    !is_special(&p->tok[i + 1], '>'); i++)
			if (is_special(&p->tok[i + 1], '<')) {
				p->malformed = true;
				open = i + 2;
			}
		if (++i >= p->ntok)
			p->malformed = true;
		p->malformed |= angle;	/* a second one */
		read_angle(p, open, i < p->ntok ? i : p->ntok, name);
		angle = true;
		words = 0;
		from = i + 1;
	}
	if (angle)
		p->malformed |= words > 0;
	else if (words > 0 && !p->failed)
		read_address(p, 0, p->ntok,
		    read_name(p, p->tok, p->ntok, true));
	p->ntok = 0;
}

/* Does the : end a group's name?  Else something is wrong, or it ends a route. */
static void
colon(struct parser *p, const struct token *t, bool angle)
{
	size_t i;

	if (angle) {
		keep_token(p, t);
		return;
	}
	for (i = 0; i < p->ntok; i++)
		if (p->tok[i].kind == SPECIAL && p->tok[i].c != '.')
			break;
	if (i < p->ntok)
		recover(p, 0, p->ntok);
	if (p->in_group || p->ntok == 0)
		p->malformed = true;
	p->in_group = true;
	p->ntok = 0;
}

static void
read_list(struct parser *p)
{
	bool angle = false, route = false;
	struct token t;

	do {
		t = next_token(p);
		if (p->after_group && t.kind != COMMENT && t.kind != END &&
		    !is_special(&t, ','))
			p->malformed = true;
		if (t.kind != COMMENT)
			p->after_group = false;
		if (is_special(&t, ':'))
			colon(p, &t, angle);
		else if (t.kind == END || is_special(&t, ';') ||
		    (is_special(&t, ',') && !(angle && route))) {
			read_item(p);
			angle = false;
			if (t.kind == END || is_special(&t, ';')) {
				p->malformed |= p->in_group !=
				    is_special(&t, ';');
				p->after_group = p->in_group;
				p->saw_group |= p->in_group;
				p->in_group = false;
			}
		} else {
			route = angle && (route || (is_special(&t, '@') &&
			    is_special(&p->tok[p->ntok - 1], '<')));
			if (is_special(&t, '<') || is_special(&t, '>'))
				angle = t.c == '<';
			keep_token(p, &t);
		}
	} while (t.kind != END && !p->failed);
}

static bool
has_long_line(struct str s)
{
	size_t i, from = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			from = i + 1;
		if (i - from > LINE_MAX_5322 && i >= from)
			return true;
	}
	return false;
}

const struct mailbox_list *
message_mailboxes(struct arena *a, struct str raw)
{
	struct mailbox_list *list;
	struct parser p;

	memset(&p, 0, offsetof(struct parser, few));
	p.a = a;
	p.s = raw;
	p.tok = p.few;
	p.cap = TOKENS_FEW;
	p.malformed = has_long_line(raw);
	read_list(&p);
	if (p.tok != p.few)
		free(p.tok);
	if (p.failed || (list = arena_new_object(a, struct mailbox_list)) == NULL)
		return NULL;
	list->v = p.v;
	list->names = p.names;
	list->n = p.n;
	list->malformed = p.malformed || (p.n == 0 && !p.saw_group);
	return list;
}
