/*
 * check_actions.c - what a rule does is said rightly.
 *
 * A reply that the MTA calls malformed, a header field that no mailer reads
 * or an address that no one can mean would show only when a message comes, so
 * all of it is looked at here: codes (RFC 5321, 4.2; RFC 3463), texts, names
 * of header fields (RFC 5322, 2.2), and addresses.  Their form is the parser's.
 */
#include "check_types.h"

#include <string.h>

#include "check_walk.h"
#include "diag.h"
#include "settings.h"

#define REPLY_LINE	900	/* octets */
#define HEADER_LINE	998	/* octets (RFC 5322, 2.1.1) */
#define HEADER_NAME	200	/* octets of a name that anyone can mean */
#define PATH_MAX_OCTETS	254	/* RFC 5321, 4.5.3.1.3, without <> */

bool
check_header_name(struct typing *t, struct span at, struct str name)
{
	if (name.n > 1 && name.p[name.n - 1] == ':') {
		diag_error(t->d, at, "names of header fields are written without the "
		    "colon: '" STR_FMT "'", (int)name.n - 1, name.p);
		return false;
	}
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':') {
			diag_error(t->d, at, "'" STR_FMT "' can't be the name of a header "
			    "field: use letters, digits and -", STR_ARG(name));
			return false;
		}
	if (name.n == 0 || name.n > HEADER_NAME) {
		diag_error(t->d, at, name.n == 0 ? "a header field needs a name" :
		    "the name of a header field has at most %d characters", HEADER_NAME);
		return false;
	}
	return true;
}

static bool
is_word(struct str s, const char *also)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!char_is_alnum(c) && (c == '\0' || strchr(also, c) == NULL))
			return false;
	}
	return s.n > 0;
}

bool
check_key(struct typing *t, const struct fact_ref *ref)
{
	struct str key = ref->key;

	if (!check_world(t, ref))
		return false;
	if ((ref->fact->flags & F_KEY) == 0)
		return true;
	if (ref->fact->flags & F_RATE)
		return check_rate(t, ref);
	if (ref->fact->flags & F_HEADERS)
		return check_header_name(t, ref->key_at, key);
	if (strcmp(ref->fact->name, "macro") == 0) {
		if (key.n > 2 && key.p[0] == '{' && key.p[key.n - 1] == '}')
			key = (struct str){ key.p + 1, key.n - 2 };
		if (is_word(key, "_"))
			return true;
		diag_error(t->d, ref->key_at, "'" STR_FMT "' can't be the name of a macro; "
		    "write one like \"i\" or \"{daemon_name}\"", STR_ARG(ref->key));
		return false;
	}
	if (strcmp(ref->fact->name, "sender.param") == 0 && !is_word(key, "-")) {
		diag_error(t->d, ref->key_at, "'" STR_FMT "' can't be a parameter of MAIL; "
		    "write one like \"BODY\", without =", STR_ARG(key));
		return false;
	}
	return true;
}

/* ---- Replies ---- */

static void
check_codes(struct typing *t, struct action *a)
{
	int class = a->id == A_REJECT ? 5 : 4;
	const char *word = actions[a->id].words;

	if (a->code == 0) {
		a->code = class == 5 ? 550 : 451;
	} else if (a->code / 100 != class) {
		if (a->code / 100 == 9 - class)
			diag_error(t->d, a->code_at, "%d does not agree with '%s', which "
			    "takes %dxx; did you mean '%s'?", a->code, word, class,
			    class == 5 ? "tempfail" : "reject");
		else
			diag_error(t->d, a->code_at, "%d does not agree with '%s', which "
			    "takes %dxx", a->code, word, class);
		return;
	} else if (a->code / 10 % 10 > 5) {
		diag_error(t->d, a->code_at, "%d is no reply code of SMTP: the second "
		    "digit is 0 to 5 (RFC 5321, 4.2)", a->code);
		return;
	}
	if (a->enhanced.n == 0)
		a->enhanced = class == 5 ? STR("5.7.1") : STR("4.7.1");
	else if (a->enhanced.p[0] != '0' + class)
		diag_error(t->d, a->enhanced_at, "enhanced code " STR_FMT " does not agree "
		    "with %d: it must begin with %d", STR_ARG(a->enhanced), a->code, class);
}

/* ---- Texts ---- */

/* Octets that are there whatever the facts say; *bad: the first control character. */
static size_t
literal_octets(const struct text *text, const struct part **bad)
{
	size_t n = 0;

	*bad = NULL;
	for (const struct part *p = text->parts; p != NULL; p = p->next) {
		if (p->kind != PART_LITERAL)
			continue;
		n += p->text.n;
		for (size_t i = 0; i < p->text.n && *bad == NULL; i++)
			if ((unsigned char)p->text.p[i] < ' ' && p->text.p[i] != '\t')
				*bad = p;
	}
	return n;
}

static void
check_text(struct typing *t, const struct text *text, const char *what, size_t max, bool must)
{
	const struct part *bad;
	size_t n = literal_octets(text, &bad);

	if (must && text->parts == NULL)
		diag_error(t->d, text->at, "%s can't be empty", what);
	else if (bad != NULL)
		diag_error(t->d, text->at, "%s can't have line ends or control characters%s",
		    what, strcmp(what, "a line of a reply") == 0 ?
		    "; write \"one line\" \"the next\"" : "");
	else if (n > max)
		diag_error(t->d, text->at, "%s has at most %zu octets; this has %zu",
		    what, max, n);
}

/* What the client would not see as it is written: text.c makes ? of it. */
static void
check_ascii(struct typing *t, const struct text *text)
{
	for (const struct part *p = text->parts; p != NULL; p = p->next)
		for (size_t i = 0; p->kind == PART_LITERAL && i < p->text.n; i++)
			if ((unsigned char)p->text.p[i] >= 0x80) {
				diag_warning(t->d, text->at, "replies are ASCII: the client sees "
				    "'?' for each octet that isn't");
				return;
			}
}

/*
 * "450 4.7.1 later": whoever writes access(5) tables writes it so.  "500 messages an hour" is
 * none: without an enhanced code it must be one that servers refuse mail with (RFC 5321, 4.2.3).
 */
static bool
begins_with_code(const struct text *text)
{
	static const char codes[] = "421 450 451 452 454 521 550 551 552 553 554 556 ";
	const struct part *p = text->parts;
	struct str code;

	if (p == NULL || p->kind != PART_LITERAL || p->text.n < 4 || p->text.p[3] != ' ')
		return false;
	code = (struct str){ p->text.p, 4 };
	return ((code.p[0] == '4' || code.p[0] == '5') && p->text.n > 6 && p->text.p[4] == code.p[0] &&
	    p->text.p[5] == '.' && char_is_digit(p->text.p[6])) || str_find(STR(codes), code) >= 0;
}

static void
check_reply(struct typing *t, struct action *a)
{
	check_codes(t, a);
	for (const struct text *x = a->text; x != NULL; x = x->next) {
		check_text(t, x, "a line of a reply", REPLY_LINE, true);
		check_ascii(t, x);
	}
	if (a->text != NULL && a->code_at.src == NULL && begins_with_code(a->text))
		diag_warning(t->d, a->text->at, "a code stands before the quotes, like "
		    "reject 554 5.7.1 \"no\"; in them it is text");
}

/* ---- Addresses ---- */

void
check_path(struct typing *t, const struct operand *path, bool need_domain, bool may_be_empty)
{
	struct str s = path->text;
	const char *at;

	if (s.n == 0 || path->kind == OPD_EMPTY) {
		if (!may_be_empty)
			diag_error(t->d, path->at, "<> is nobody's address; write one like "
			    "user@example.org");
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f || s.p[i] == '<' ||
		    s.p[i] == '>' || (s.p[i] == ' ' && s.p[0] != '"')) {
			diag_error(t->d, path->at, "'" STR_FMT "' is not an address; write "
			    "one like user@example.org", STR_ARG(s));
			return;
		}
	at = memrchr(s.p, '@', s.n);
	if (s.n > PATH_MAX_OCTETS)
		diag_error(t->d, path->at, "an address has at most %d octets",
		    PATH_MAX_OCTETS);
	else if (at == NULL ? need_domain && !str_ieq(s, STR("postmaster")) :
	    at == s.p || at == s.p + s.n - 1)
		diag_error(t->d, path->at, "'" STR_FMT "' is not a whole address; write "
		    "one like user@example.org", STR_ARG(s));
}

/* ---- Actions ---- */

static void
check_field(struct typing *t, const struct action *a)
{
	static const char *const fixed[] = { "Received", "Return-Path", "DKIM-Signature" };

	if (!check_header_name(t, a->header.at, a->header.text))
		return;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (str_ieq(a->header.text, str_of(fixed[i]))) {
			diag_error(t->d, a->header.at, "%s fields can't be edited: they tell "
			    "what happened to the message", fixed[i]);
			return;
		}
	if (a->text != NULL)
		check_text(t, a->text, "the value of a header field",
		    HEADER_LINE - a->header.text.n - 2, false);
}

void
check_edit(struct typing *t, struct action *a)
{
	switch (actions[a->id].args) {
	case ARG_HEADER:
	case ARG_HEADER_TEXT:
		check_field(t, a);
		break;
	case ARG_TEXT:
		check_text(t, a->text, "the tag", HEADER_LINE - strlen("Subject: "), true);
		break;
	case ARG_PATH:
	case ARG_PATH_OPTIONAL:
		if (a->path != NULL)
			check_path(t, a->path, true, a->id == A_SET_SENDER);
		break;
	default:
		break;
	}
}

static void
check_action(struct typing *t, struct action *a)
{
	if (actions[a->id].flags & ACT_EDIT)
		check_edit(t, a);
	else if (actions[a->id].args == ARG_REPLY)
		check_reply(t, a);
	else if (a->id == A_QUARANTINE)
		check_text(t, a->text, "the reason", REPLY_LINE, true);
	else if (a->id == A_LOG)
		check_text(t, a->text, "the text for the log", REPLY_LINE, true);
}

/*
 * Edits of a message that is then refused are never done, unless other
 * recipients' readings can outweigh the refusal.
 */
static void
check_vain_edits(struct typing *t, const struct rule *r)
{
	const struct action *final = rule_final(r);

	if (final == NULL || final->id == A_ACCEPT || final->id == A_QUARANTINE ||
	    t->s->mixed_recipients == MIXED_EXEMPT_WINS)
		return;
	for (const struct action *a = r->actions; a != final; a = a->next)
		if ((actions[a->id].flags & ACT_EDIT) != 0 && !a->would) {
			diag_warning(t->d, a->at, "'%s' is never done, since the rule ends in "
			    "'%s'", actions[a->id].words, actions[final->id].words);
			return;
		}
}

void
check_actions(struct typing *t, struct rule *r)
{
	for (struct action *a = r->actions; a != NULL; a = a->next)
		check_action(t, a);
	check_vain_edits(t, r);
}
