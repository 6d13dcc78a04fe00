/*
 * macrolist.h - broken lists of macros mended before libmilter sees them.
 */
#ifndef FILTER_MACROLIST_H
#define FILTER_MACROLIST_H

#include <stdbool.h>
#include <stddef.h>

/* A packet that is being read, in as many pieces as it comes. */
struct packet_reader {
	int		 fd;
	size_t		 have;		/* octets of the header so far */
	unsigned char	 header[5];	/* length and command */
	size_t		 left;		/* octets of the payload that are to come */
	const char	*next;		/* where they will go; NULL: at the first of them */
	bool		 macros;
	bool		 stage_seen;
	bool		 odd;		/* strings so far */
	char		*last_end;	/* NUL of the last of them */
};

/*
 * Follows libmilter's read(2) of `asked` octets into buf, which gave `got`
 * (more than 0).  At the end of a macro packet with an odd number of strings
 * the last NUL becomes a blank, so that the name without value is no string
 * any more.
 */
void packet_follow(struct packet_reader *r, int fd, char *buf, size_t asked, size_t got);

/* The descriptor is about to be closed: what was under way on it is given up. */
void packet_forget(struct packet_reader *r, int fd);

#endif
