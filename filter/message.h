/*
 * message.h - Internet messages (RFC 5322, 2047): header values decoded,
 * addresses parsed, a message file split.
 */
#ifndef FILTER_MESSAGE_H
#define FILTER_MESSAGE_H

#include "rules/mail.h"
#include "rules/str.h"

struct arena;

/* For struct mail_ops; results in the arena. NULL without memory. */
const struct str *message_decode(struct arena *a, struct str raw);
const struct mailbox_list *message_mailboxes(struct arena *a, struct str raw);

/* A message file's parts.  Slices of the text; line ends as they came. */
struct message_field {
	struct str	name;	/* up to the colon, with the blanks that may stand before it */
	struct str	raw;	/* after the colon, folds included, without the final line end */
};
struct message_file {
	struct message_field *fields;
	size_t		 nfields;
	struct str	 body;	/* after the empty line */
	struct str	 mbox_from;	/* a leading "From " line, or none */
};

/* Splits as an MTA would: a line that is no field and no continuation begins the body. 0, or -1 without memory. */
int message_split(struct arena *a, struct str text, struct message_file *out);

/*
 * What the header tells about how it came, for judge --from-headers: the
 * client of the topmost Received (RFC 5321, 4.4), its HELO, and Return-Path.
 * p NULL, or has_ip false, for what isn't there.
 */
struct message_origin {
	bool		has_ip;
	struct ipaddr	ip;
	struct str	helo, client_name, sender, rcpt;
};
void message_origin(struct arena *a, const struct message_file *f, struct message_origin *o);

/* RFC 2047 encoding of text for a header that we write; ASCII stays as it is. */
struct str message_encode(struct arena *a, struct str utf8);

#endif
