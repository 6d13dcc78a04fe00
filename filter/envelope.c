/*
 * envelope.c - what the edits of a plan mean for the recipients that came.
 *
 * Rules name recipients by address, clients by paths: <Bob@Example.Org> and
 * <@relay.example:bob@example.org> are bob@example.org.  So edits and recipients
 * meet here by address, without regard to case, and the MTA is told each
 * path as it came.  In which forms an MTA knows that again is apply.c's business.
 */
#include "session_int.h"

#include "rules/arena.h"

/* The addresses that the edits are about, empty for those of the header; NULL without memory. */
static struct mailbox *
addresses_of(struct arena *a, const struct plan *p)
{
	struct mailbox *v;

	if ((v = arena_array(a, p->nedits + 1, sizeof(*v))) == NULL)
		return NULL;
	for (size_t i = 0; i < p->nedits; i++) {
		v[i] = (struct mailbox){ 0 };
		if (p->edits[i].kind < EDIT_ADD_RCPT)
			continue;
		v[i] = mailbox_parse(a, path_address(a, p->edits[i].value));
		if (v[i].text.p == NULL)
			return NULL;
	}
	return v;
}

/* The address that `is` would find the same. */
static bool
same(const struct mailbox *a, const struct mailbox *b)
{
	return str_ieq(a->local, b->local) && str_ieq(a->domain, b->domain);
}

static bool
has_edit(const struct plan *p, const struct mailbox *addr, size_t n, enum edit_kind kind,
    const struct mailbox *who)
{
	for (size_t i = 0; i < n; i++)
		if (p->edits[i].kind == kind && same(&addr[i], who))
			return true;
	return false;
}

static bool
is_named(const struct recipient *r, const struct mailbox *who)
{
	return r->state == RCPT_OPEN && same(&r->addr, who);
}

static bool
is_recipient(const struct mail *m, const struct mailbox *who)
{
	for (size_t i = 0; i < m->nrcpts; i++)
		if (is_named(m->rcpts[i], who))
			return true;
	return false;
}

/* Each path that came for that address, once. */
static size_t
remove_paths(const struct mail *m, const struct edit *e, const struct mailbox *who, struct change *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nrcpts; i++) {
		bool told = false;

		if (!is_named(m->rcpts[i], who))
			continue;
		for (size_t k = 0; k < n && !told; k++)
			told = str_eq(out[k].value, m->rcpts[i]->path);
		if (!told)
			out[n++] = (struct change){ CHANGE_REMOVE_RCPT, STR_NONE,
			    m->rcpts[i]->path, 0, e };
	}
	return n;
}

/*
 * Who is added by one recipient's reading stays, whatever another's does with
 * the same address: told is only who is to go for good and who is new, so that
 * the order in which the MTA does it can lose nobody.  The last sender wins.
 */
const struct change *
envelope_changes(struct session *s, const struct plan *p, size_t *n)
{
	const struct mail *m = &s->mail;
	struct mailbox *addr = addresses_of(m->arena, p);
	const struct edit *sender = NULL;
	struct change *out = arena_array(m->arena, p->nedits + m->nrcpts + 1, sizeof(*out));

	*n = 0;
	if (addr == NULL || out == NULL)
		return NULL;
	for (size_t i = 0; i < p->nedits; i++) {
		const struct edit *e = &p->edits[i];

		if (e->kind == EDIT_SET_SENDER)
			sender = e;
		if (has_edit(p, addr, i, e->kind, &addr[i]))
			continue;
		if (e->kind == EDIT_REMOVE_RCPT &&
		    !has_edit(p, addr, p->nedits, EDIT_ADD_RCPT, &addr[i]))
			*n += remove_paths(m, e, &addr[i], out + *n);
		if (e->kind == EDIT_ADD_RCPT && !is_recipient(m, &addr[i]))
			out[(*n)++] = (struct change){ CHANGE_ADD_RCPT, STR_NONE, e->value, 0, e };
	}
	if (sender != NULL)
		out[(*n)++] = (struct change){ CHANGE_SENDER, STR_NONE, sender->value, 0, sender };
	return out;
}

bool
envelope_leaves_nobody(struct session *s, const struct plan *p, int *rule)
{
	const struct mail *m = &s->mail;
	struct mailbox *addr = addresses_of(m->arena, p);

	if (addr == NULL) {
		s->failed = true;
		return false;
	}
	for (size_t i = 0; i < p->nedits; i++)
		if (p->edits[i].kind == EDIT_ADD_RCPT)
			return false;
	for (size_t k = 0; k < m->nrcpts; k++) {
		bool removed = false;

		if (m->rcpts[k]->state != RCPT_OPEN)
			continue;
		for (size_t i = 0; i < p->nedits && !removed; i++)
			if (p->edits[i].kind == EDIT_REMOVE_RCPT &&
			    is_named(m->rcpts[k], &addr[i])) {
				*rule = p->edits[i].rule;
				removed = true;
			}
		if (!removed)
			return false;
	}
	return true;
}
