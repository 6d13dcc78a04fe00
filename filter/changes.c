/*
 * changes.c - what the edits of a plan mean for the message that came.
 *
 * Edits are idempotent and apply in file order to the fields as they stand by
 * then, so they are played on a copy of the header first; what has changed in
 * the end is told, in the order in which libmilter and both MTAs get it right:
 * changes and removals from the last field up, since a removal renumbers those
 * below it, then new fields, recipients, and what goes to the top.
 */
#include "session_int.h"

#include <string.h>

#include "authres.h"
#include "message.h"
#include "received_spf.h"
#include "rules/arena.h"

/* A field of the delivered message. */
struct field {
	struct str	name, value;	/* value without leading blanks */
	int		index;		/* among those of its name as they came, from 1; 0: new */
	bool		changed, removed;
	bool		cut;		/* past header-limit only its beginning is kept: it could claim anything */
};

struct work {
	struct session	*s;
	struct arena	*a;
	struct field	*f;
	size_t		 n;
	struct change	*out;
	size_t		 nout, out_cap;
	bool		 failed;
};

/* There is room for as many as were there and one for each edit. */
static struct field *
new_field(struct work *w, struct str name, struct str value)
{
	struct field *f = &w->f[w->n++];

	*f = (struct field){ .name = name, .value = value };
	return f;
}

static void
tell(struct work *w, struct change c)
{
	struct change *v;

	if (w->nout == w->out_cap) {
		w->out_cap = w->out_cap * 2 + 16;
		if ((v = arena_array(w->a, w->out_cap, sizeof(*v))) == NULL) {
			w->failed = true;
			return;
		}
		if (w->nout > 0)
			memcpy(v, w->out, w->nout * sizeof(*v));
		w->out = v;
	}
	w->out[w->nout++] = c;
}

/* The header as it came; indices count the fields of one name.  -1 without memory. */
static int
take_fields(struct work *w, size_t edits)
{
	const struct mail *m = &w->s->mail;

	if ((w->f = arena_array(w->a, m->nheaders + edits, sizeof(*w->f))) == NULL)
		return -1;
	for (const struct header *h = m->headers; h != NULL; h = h->next) {
		struct str raw = h->raw;

		while (raw.n > 0 && (*raw.p == ' ' || *raw.p == '\t'))
			raw = (struct str){ raw.p + 1, raw.n - 1 };
		new_field(w, h->name, raw)->cut = m->headers_cut && h->raw.n >= LATE_OCTETS;
	}
	return 0;
}

/* Only the names that are edited need their numbers. */
static void
number_fields(struct work *w, struct str name)
{
	int n = 0;

	for (size_t i = 0; i < w->s->mail.nheaders; i++)
		if (str_ieq(w->f[i].name, name))
			w->f[i].index = ++n;
}

static bool
live(const struct field *f, struct str name)
{
	return !f->removed && str_ieq(f->name, name);
}

static bool
decoded_is(struct work *w, struct str value, struct str text)
{
	const struct str *d = message_decode(w->a, value);

	return d != NULL && str_eq(*d, text);
}

/*
 * Blanks between encoded words are lost (RFC 2047, 6.2), so that one goes into
 * the word, as the `_` of its Q encoding.
 */
static struct str
tag_and_value(struct work *w, struct str tag, struct str value)
{
	struct str plain = message_encode(w->a, tag);
	bool word = plain.n > 2 && str_iends(plain, STR("?=")) && !str_eq(plain, tag);

	if (value.n == 0 || plain.p == NULL)
		return plain;
	return str_printf(w->a, STR_FMT "%s " STR_FMT, (int)(word ? plain.n - 2 : plain.n),
	    plain.p, word ? "_?=" : "", STR_ARG(value));
}

static void
tag_subject(struct work *w, struct str tag)
{
	size_t n = w->n;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct field *f = &w->f[i];
		const struct str *d;

		if (!live(f, STR("Subject")))
			continue;
		any = true;
		if ((d = message_decode(w->a, f->value)) != NULL && str_find(*d, tag) >= 0)
			continue;
		f->value = tag_and_value(w, tag, f->value);
		f->changed = true;
	}
	if (!any)
		new_field(w, STR("Subject"), message_encode(w->a, tag));
}

static void
add_header(struct work *w, struct str name, struct str value)
{
	for (size_t i = 0; i < w->n; i++)
		if (live(&w->f[i], name) &&
		    (str_eq(str_trim(w->f[i].value), value) || decoded_is(w, w->f[i].value, value)))
			return;
	new_field(w, name, message_encode(w->a, value));
}

static void
set_header(struct work *w, struct str name, struct str value)
{
	struct field *first = NULL;

	for (size_t i = 0; i < w->n; i++) {
		struct field *f = &w->f[i];

		if (!live(f, name))
			continue;
		if (first != NULL)
			f->removed = true;
		else
			first = f;
	}
	if (first == NULL)
		new_field(w, name, message_encode(w->a, value));
	else if (!decoded_is(w, first->value, value)) {
		first->value = message_encode(w->a, value);
		first->changed = true;
	}
}

static void
remove_header(struct work *w, struct str name)
{
	for (size_t i = 0; i < w->n; i++)
		if (live(&w->f[i], name))
			w->f[i].removed = true;
}

static void
play_edits(struct work *w, const struct plan *p)
{
	for (size_t i = 0; i < p->nedits; i++) {
		const struct edit *e = &p->edits[i];

		if (e->kind <= EDIT_REMOVE_HEADER)
			number_fields(w, e->name);
		switch (e->kind) {
		case EDIT_TAG_SUBJECT:
			tag_subject(w, e->value);
			break;
		case EDIT_ADD_HEADER:
			add_header(w, e->name, e->value);
			break;
		case EDIT_SET_HEADER:
			set_header(w, e->name, e->value);
			break;
		case EDIT_REMOVE_HEADER:
			remove_header(w, e->name);
			break;
		default:
			break;		/* the envelope: below */
		}
	}
}

static struct str
authserv_id(const struct session *s)
{
	struct str id = rules_settings(s->rs)->authserv_id;

	return id.n > 0 ? id : s->sv->hostname;
}

static void
remove_forged(struct work *w)
{
	struct str id = authserv_id(w->s);

	number_fields(w, STR("Authentication-Results"));
	for (size_t i = 0; i < w->n; i++)
		if (live(&w->f[i], STR("Authentication-Results")) &&
		    (w->f[i].cut || authres_claims(w->f[i].value, id)))
			w->f[i].removed = true;
}

static void
tell_fields(struct work *w)
{
	for (size_t i = w->n; i-- > 0; ) {
		const struct field *f = &w->f[i];

		if (f->index == 0 || (!f->changed && !f->removed))
			continue;
		tell(w, (struct change){ CHANGE_FIELD, f->name,
		    f->removed ? STR_NONE : f->value, f->index, NULL });
	}
	for (size_t i = w->s->mail.nheaders; i < w->n; i++)
		if (!w->f[i].removed)
			tell(w, (struct change){ CHANGE_APPEND, w->f[i].name, w->f[i].value, 0, NULL });
}

static void
tell_envelope(struct work *w, const struct plan *p)
{
	const struct change *c;
	size_t n;

	if ((c = envelope_changes(w->s, p, &n)) == NULL)
		w->failed = true;
	for (size_t i = 0; c != NULL && i < n; i++)
		tell(w, c[i]);
}

/* The results that the field states: those set, and with auto those that the reading asked for. */
static void
tell_authres(struct work *w, const struct plan *p)
{
	struct session *s = w->s;
	struct mail *m = &s->mail;
	struct authres r = { .authserv_id = authserv_id(s) };
	unsigned want = s->authres_methods | (s->authres_auto ? p->asked : 0);
	char room[64];
	struct strbuf ip = STRBUF_IN(room);
	struct str value;

	m->may_wait = true;
	if (want & F_SPF)
		r.spf = m->ops->spf(m, SPF_MAILFROM);
	if (want & F_SPFHELO)
		r.spf_helo = m->ops->spf(m, SPF_HELO);
	if (want & F_DKIM)
		r.dkim = m->ops->dkim(m);
	if (want & F_DMARC)
		r.dmarc = m->ops->dmarc(m);
	if (want & F_ARC)
		r.arc = m->ops->arc(m);
	if ((want & F_IPREV) != 0 && m->has_ip)
		r.iprev = m->ops->iprev(m);
	m->may_wait = false;
	if (s->authres_auth)
		r.auth_user = mail_find_macro(m, STR("auth_authen"));
	if (r.spf == NULL && r.spf_helo == NULL && r.dkim == NULL &&
	    r.dmarc == NULL && r.arc == NULL && r.iprev == NULL && r.auth_user.n == 0)
		return;
	if (m->has_ip)
		ipaddr_print(&m->ip, &ip);
	r.remote_ip = strbuf_slice(&ip);
	r.mailfrom = m->sender.text;
	r.helo = m->helo_raw;
	value = authres_write(w->a, &r);
	strbuf_free(&ip);
	tell(w, (struct change){ CHANGE_INSERT, STR("Authentication-Results"), value, 0, NULL });
	w->failed |= value.p == NULL;
}

/* There is nothing to tell of a client without address or HELO. */
static void
tell_received_spf(struct work *w)
{
	struct mail *m = &w->s->mail;
	struct received_spf r = {
		.sender = m->sender.text, .helo = m->helo_raw,
		.client = m->ip, .receiver = w->s->sv->hostname,
	};
	struct str value;

	if (!m->has_ip || m->helo_raw.p == NULL)
		return;
	m->may_wait = true;
	r.spf = m->ops->spf(m, SPF_MAILFROM);
	m->may_wait = false;
	if (r.spf == NULL)
		return;			/* no memory: s->failed */
	value = received_spf_write(w->a, &r);
	tell(w, (struct change){ CHANGE_INSERT, STR("Received-SPF"), value, 0, NULL });
	w->failed |= value.p == NULL;
}

const struct change *
session_changes(struct session *s, const struct plan *p, size_t *n)
{
	static const struct change none;
	struct work w = { .s = s, .a = s->mail.arena };
	bool edits = p->nedits > 0 && !p->monitor;
	bool spf = session_received_spf(s);

	*n = 0;
	if (!edits && !s->authres_on && !spf)
		return &none;
	if (take_fields(&w, p->nedits) == -1)
		return NULL;
	if (edits)
		play_edits(&w, p);
	if (s->authres_on)
		remove_forged(&w);
	tell_fields(&w);
	if (edits)
		tell_envelope(&w, p);
	/* The field that is told last is the topmost. */
	if (spf)
		tell_received_spf(&w);
	if (s->authres_on)
		tell_authres(&w, p);
	if (w.failed || s->failed || arena_failed(w.a))
		return NULL;
	*n = w.nout;
	return w.nout > 0 ? w.out : &none;
}
