/*
 * store_name.c - the address of a server that a name was given for.
 *
 * getaddrinfo(3) can't be told how long it may take, and at boot there may be
 * nobody yet whom it could ask.  So it is called by a thread of its own, one at
 * a time, which whoever needs the address waits for no longer than he can.  A
 * name that is not found is no more than a server that is away: it is looked up
 * again, and so is one whose server has gone, which may have moved.
 */
#include "filter/store_name.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct store_name {
	char		*host;
	msec		 again;
	bool		 fixed;		/* it is an address in figures */
	pthread_mutex_t	 lock;		/* of what follows */
	pthread_cond_t	 done;
	int		 refs;		/* the owner's, and the thread's */
	bool		 running;
	msec		 next;		/* no lookup before that */
	char		 address[STORE_ADDRESS];	/* "" until it is known */
	char		 why[STORE_WHY];
};

/* 0 or an error of getaddrinfo(3). */
static int
resolve(const char *host, int flags, char address[STORE_ADDRESS])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *found = NULL;
	int e = getaddrinfo(host, NULL, &hints, &found);

	if (e == 0)
		e = getnameinfo(found->ai_addr, found->ai_addrlen, address, STORE_ADDRESS, NULL, 0,
		    NI_NUMERICHOST);
	if (found != NULL)
		freeaddrinfo(found);
	return e;
}

static void
release(struct store_name *n)
{
	bool last;

	pthread_mutex_lock(&n->lock);
	last = --n->refs == 0;
	pthread_mutex_unlock(&n->lock);
	if (!last)
		return;
	pthread_cond_destroy(&n->done);
	pthread_mutex_destroy(&n->lock);
	free(n->host);
	free(n);
}

struct store_name *
store_name_new(struct str host, msec again)
{
	struct store_name *n = calloc(1, sizeof(*n));

	if (n == NULL || (n->host = strndup(host.p, host.n)) == NULL ||
	    wait_cond_init(&n->done) != 0) {
		if (n != NULL)
			free(n->host);
		free(n);
		return NULL;
	}
	n->again = again;
	n->refs = 1;
	n->fixed = resolve(n->host, AI_NUMERICHOST, n->address) == 0;
	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void
store_name_free(struct store_name *n)
{
	if (n != NULL)
		release(n);
}

static void *
look_up(void *arg)
{
	struct store_name *n = arg;
	char address[STORE_ADDRESS];
	int e = resolve(n->host, 0, address);
	int error = errno;

	pthread_mutex_lock(&n->lock);
	if (e == 0)
		memcpy(n->address, address, STORE_ADDRESS);
	else
		(void)snprintf(n->why, STORE_WHY, "cannot find the server %.100s: %s", n->host,
		    e == EAI_SYSTEM ? strerror(error) : gai_strerror(e));
	n->running = false;
	n->next = clock_msec() + n->again;
	pthread_cond_broadcast(&n->done);
	pthread_mutex_unlock(&n->lock);
	release(n);
	return NULL;
}

/* Under the lock. */
static void
start(struct store_name *n)
{
	pthread_t thread;

	if (n->fixed || n->running || clock_msec() < n->next)
		return;
	if (pthread_create(&thread, NULL, look_up, n) != 0) {
		strcpy(n->why, "out of memory");
		return;
	}
	pthread_detach(thread);
	n->running = true;
	n->refs++;
}

int
store_name_find(struct store_name *n, msec deadline, char address[STORE_ADDRESS],
    char why[STORE_WHY])
{
	const struct timespec until = { deadline / 1000, (deadline % 1000) * 1000000 };
	int waited = 0, r = 0;

	pthread_mutex_lock(&n->lock);
	if (n->address[0] == '\0')
		start(n);
	while (n->address[0] == '\0' && n->running && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&n->done, &n->lock, &until);
	if (n->address[0] != '\0')
		memcpy(address, n->address, STORE_ADDRESS);
	else {
		if (n->running)
			(void)snprintf(why, STORE_WHY, "cannot find the server %.100s in time", n->host);
		else
			memcpy(why, n->why, STORE_WHY);
		r = -1;
	}
	pthread_mutex_unlock(&n->lock);
	return r;
}

void
store_name_doubt(struct store_name *n)
{
	pthread_mutex_lock(&n->lock);
	start(n);
	pthread_mutex_unlock(&n->lock);
}
