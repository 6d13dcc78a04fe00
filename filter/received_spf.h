/*
 * received_spf.h - the Received-SPF field (RFC 7208, 9.1).
 */
#ifndef FILTER_RECEIVED_SPF_H
#define FILTER_RECEIVED_SPF_H

#include "rules/mail.h"

struct arena;

/* What the field says. */
struct received_spf {
	const struct spf_answer *spf;
	struct str	sender;		/* envelope sender; empty for <>: then HELO was checked */
	struct str	helo;
	struct ipaddr	client;
	struct str	receiver;	/* who checked */
};

/*
 * The field's value, folded with LF and tab, without a leading blank; p NULL
 * without memory.  Values that strangers chose are quoted, or left out where
 * no form can hold them.
 */
struct str received_spf_write(struct arena *a, const struct received_spf *r);

#endif
