/*
 * listen.h - the socket that the MTA connects to.
 */
#ifndef FILTER_LISTEN_H
#define FILTER_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "rules/str.h"

struct listener {
	int		 fd;		/* listening, close-on-exec */
	char		 path[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* of a unix socket of ours, or empty */
	int		 file;		/* that file (O_PATH), or -1 */
	dev_t		 dev;		/* of it, so that no other is removed */
	ino_t		 ino;
	char		 conn[160];	/* the place as libmilter writes it */
	struct sockaddr_storage addr;	/* as getsockname(2) says, for connections to ourselves */
	socklen_t	 addrlen;
};

/*
 * Opens and listens.  A unix socket that nobody listens on any more is
 * replaced; one that answers, or a file of another kind, never.
 *
 * spec		unix:PATH, inet:PORT@ADDRESS, inet6:PORT@ADDRESS, fd:N
 * mode, group	of a unix socket; group empty: as it comes
 *
 * Returns 0, or a sysexits(3) code with the reason and the mend in `why`;
 * then nothing is left behind.
 */
int listen_open(struct str spec, mode_t mode, struct str group,
    struct listener *l, struct strbuf *why);

/*
 * Could it be opened here, by us?  A place where somebody listens is fine: that may be the
 * filter itself.  Nothing can be told of fd:N.  The same of `set socket-group` (empty: none).
 * 0, or a sysexits(3) code with the reason and the mend in `why`.
 */
int listen_try(struct str spec, struct strbuf *why);
int listen_try_group(struct str group, struct strbuf *why);
/* Could members of the group come to that unix socket?  false: as far as modes tell, no, and why. */
bool listen_try_reach(struct str spec, struct str group, struct strbuf *why);

/* Was the file of our unix socket removed, or another put in its place?  Any thread may ask. */
bool listen_is_lost(const struct listener *l);

/*
 * From here on nobody is let in: the file goes, and a socket that no one
 * knows takes the descriptor's place, so that libmilter's accept loop has
 * something to wait on.  -1: it can't be had.
 */
int listen_end(struct listener *l);

/* Removes the file and closes. */
void listen_close(struct listener *l);

#endif
