/*
 * macrolist.c - broken lists of macros mended before libmilter sees them.
 *
 * A macro packet holds names and values by turns, each ended by NUL.  When a
 * name without value stands last, libmilter's smfi_getsymval() steps over the
 * end of the list and reads what lies behind it in memory: whoever can reach
 * the socket could end the daemon.  libmilter lets nobody see a packet
 * before, so pool.c's read() stands between and has it looked at here.
 *
 * libmilter reads a packet to its end in one thread: five octets of header
 * first, then the payload into one buffer.  So what is under way is a
 * thread's own.
 */
#include "filter/macrolist.h"

#include <string.h>

#define HEADER	sizeof(((struct packet_reader *)0)->header)
#define MACROS	'D'		/* SMFIC_MACRO */

static void
begin_payload(struct packet_reader *r)
{
	size_t length = (size_t)r->header[0] << 24 | (size_t)r->header[1] << 16 |
	    (size_t)r->header[2] << 8 | r->header[3];

	r->have = 0;
	r->left = length > 0 ? length - 1 : 0;
	r->next = NULL;
	r->macros = r->header[4] == MACROS;
	r->stage_seen = r->odd = false;
	r->last_end = NULL;
}

static void
follow_payload(struct packet_reader *r, char *buf, size_t got)
{
	for (size_t i = 0; r->macros && i < got; i++) {
		if (r->stage_seen && buf[i] == '\0') {
			r->odd = !r->odd;
			r->last_end = buf + i;
		}
		r->stage_seen = true;
	}
	r->left -= got;
	r->next = buf + got;
	if (r->left == 0 && r->odd)
		*r->last_end = ' ';
}

void
packet_follow(struct packet_reader *r, int fd, char *buf, size_t asked, size_t got)
{
	if (fd == r->fd && r->left > 0 && asked == r->left &&
	    (r->next == NULL || buf == r->next)) {
		follow_payload(r, buf, got);
		return;
	}
	/* A header, or the rest of one; a payload given up is forgotten. */
	r->left = 0;
	if (fd != r->fd || asked != HEADER - r->have)
		r->have = 0;
	if (asked != HEADER - r->have || got > asked)
		return;
	r->fd = fd;
	memcpy(r->header + r->have, buf, got);
	r->have += got;
	if (r->have == HEADER)
		begin_payload(r);
}

void
packet_forget(struct packet_reader *r, int fd)
{
	if (fd == r->fd)
		r->have = r->left = 0;
}
