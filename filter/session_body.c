/*
 * session_body.c - the body of a message, as far as rules can look at it.
 *
 * A body is stored as it comes and decoded when a rule first asks for what is
 * in it, since most mail is judged without.  A large one is decoded while it
 * passes, so that it isn't held twice, and so that names and sizes of attachments are
 * right however large it is; only text past body-limit isn't seen.
 */
#include "session_int.h"

#include "mime.h"

#define STORED	(256u << 10)	/* octets, where only what is in the body is looked at */

static int
begin_mime(struct session *s)
{
	struct mail *m = &s->mail;
	struct mime_options o;

	mime_options(&o, rules_settings(s->rs));
	o.want = s->facts;
	o.magic = s->sv->magic;
	o.suffixes = s->sv->suffixes;
	if ((s->mime = mime_new(m->arena, &o)) == NULL)
		return -1;
	for (const struct header *h = m->headers; h != NULL; h = h->next)
		mime_field(s->mime, h->name, h->raw);
	if (m->headers_cut)
		mime_header_cut(s->mime);
	mime_feed(s->mime, strbuf_slice(&s->body));
	return 0;
}

int
body_add(struct session *s, struct str chunk)
{
	struct mail *m = &s->mail;
	uint64_t limit = (uint64_t)rules_settings(s->rs)->body_limit;
	bool raw = (s->facts & F_RAWBODY) != 0;
	size_t room;

	if (!raw && limit > STORED)
		limit = STORED;
	room = limit > s->body.n ? (size_t)(limit - s->body.n) : 0;
	if (s->decided || (s->facts & (F_RAWBODY | F_CONTENT)) == 0)
		return 0;
	if (s->mime == NULL && chunk.n > room && (s->facts & F_CONTENT) != 0) {
		if (begin_mime(s) == -1)
			return -1;
		if (!raw)
			strbuf_free(&s->body);
	}
	if (s->mime != NULL)
		mime_feed(s->mime, chunk);
	if (raw || s->mime == NULL)
		strbuf_add(&s->body, chunk.p, chunk.n < room ? chunk.n : room);
	if (raw) {
		m->body = &s->body;
		m->body_cut |= chunk.n > room;
	}
	return s->body.failed ? -1 : 0;
}

const struct content *
body_content(struct mail *m)
{
	struct session *s = m->ctx;

	if (s->content != NULL)
		return s->content;
	if (s->failed || (s->mime == NULL && begin_mime(s) == -1) ||
	    (s->content = mime_end(s->mime)) == NULL)
		s->failed = true;
	else if ((s->facts & F_RAWBODY) == 0)
		strbuf_free(&s->body);
	return s->content;
}
