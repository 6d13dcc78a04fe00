/*
 * notify.c - tells systemd how the daemon is.
 *
 * The protocol of sd_notify(3), spoken by ourselves: the socket must be found
 * before the root is changed and kept, which libsystemd doesn't do.
 */
#include "filter/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int to = -1;

void
notify_open(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	socklen_t len;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(un.sun_path))
		return;
	strcpy(un.sun_path, path);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	else
		len++;
	if ((to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	if (connect(to, (struct sockaddr *)&un, len) == -1) {
		close(to);
		to = -1;
	}
}

void
notify(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	if (to == -1)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		(void)send(to, text, (size_t)n < sizeof(text) ? (size_t)n :
		    sizeof(text) - 1, MSG_NOSIGNAL);
}
