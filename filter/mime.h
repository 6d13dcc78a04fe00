/*
 * mime.h - a message's body as MIME (RFC 2045 to 2049), taken as it comes in
 * pieces: texts, attachments, names inside archives, URLs, and what is broken.
 */
#ifndef FILTER_MIME_H
#define FILTER_MIME_H

#include "rules/mail.h"
#include "rules/settings.h"

struct arena;
struct magic_engine;
struct mime;
struct suffixes;

struct mime_options {
	unsigned	want;		/* F_TEXT, F_HTML, F_URLS, F_MAGIC, F_ARCHIVE: what is kept */
	uint64_t	text;		/* most octets of decoded text kept */
	uint64_t	depth, parts;	/* nested multiparts and messages; parts in all */
	uint64_t	urls;
	uint64_t	entries, nested;	/* of archives: names; archives in archives */
	uint64_t	ratio, inflated;	/* and what they inflate to: times their size, octets */
	struct magic_engine *magic;	/* NULL: types aren't looked at */
	const struct suffixes *suffixes; /* NULL: a URL's domain is its host */
};

/* The limits that are settings. */
void mime_options(struct mime_options *o, const struct settings *s);

/* Ends with the arena.  o is copied.  NULL without memory. */
struct mime *mime_new(struct arena *a, const struct mime_options *o);
/* A field of the message's header; all come before the body. */
void mime_field(struct mime *m, struct str name, struct str raw);
/* There were more of those than came: header-cut. */
void mime_header_cut(struct mime *m);
void mime_feed(struct mime *m, struct str octets);
/* What was found; it lives in the arena.  NULL if memory was out at any time. */
const struct content *mime_end(struct mime *m);

#endif
