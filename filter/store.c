/*
 * store.c - what is remembered from one message to the next: which store it
 * is, and what is said when it fails.
 *
 * A store that is away fails with every message; it is said once, and once when
 * it is back.  Each message's own failure is told with its rule, by whoever logs the
 * verdict.
 */
#include "filter/store.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/store_int.h"

int
store_make_key(enum store_kind kind, struct str text, struct store_key *key)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text.p != NULL ? text.p : "", text.n, sum, NULL, EVP_sha256(), NULL) != 1)
		return -1;
	key->kind = kind;
	memcpy(key->b, sum, sizeof(key->b));
	return 0;
}

/* The URL as it may stand in a log. */
static char *
shown(struct str url)
{
	ptrdiff_t slashes = str_find(url, STR("://"));
	size_t head = slashes >= 0 ? (size_t)slashes + 3 : 0, host = head;
	char *s = malloc(url.n + 1);

	if (s == NULL)
		return NULL;
	for (size_t i = head; slashes >= 0 && i < url.n; i++)
		if (url.p[i] == '@')
			host = i + 1;
	memcpy(s, url.p, head);
	memcpy(s + head, url.p + host, url.n - host);
	s[head + url.n - host] = '\0';
	return s;
}

static struct str
behind(struct str url, const char *scheme)
{
	size_t n = strlen(scheme);

	return (struct str){ url.p + n, url.n - n };
}

struct store *
store_open(struct str url, int64_t limit, void (*say)(const char *line), struct strbuf *why)
{
	struct store *s;
	char *name;

	if ((name = shown(url)) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	if (str_istarts(url, STR("lmdb:")))
		s = store_lmdb_open(behind(url, "lmdb:"), limit, why);
	else if (str_istarts(url, STR("redis://")))
		s = store_redis_open(behind(url, "redis://"), why);
	else
		s = store_memory_open(limit, why);
	if (s == NULL) {
		free(name);
		return NULL;
	}
	s->url = name;
	s->say = say;
	return s;
}

void
store_close(struct store *s)
{
	char *url;

	if (s == NULL)
		return;
	url = s->url;
	s->backend->close(s);
	free(url);
}

static void
tell(struct store *s, const char *what)
{
	char line[STORE_WHY + 400];

	if (s->say == NULL)
		return;
	(void)snprintf(line, sizeof(line), "store %.300s: %s", s->url, what);
	s->say(line);
}

int
store_run(struct store *s, struct store_op *op, msec deadline)
{
	char why[STORE_WHY] = "";
	int r;

	r = s->backend->run(s, op, deadline, why);
	if (r == -1 && !atomic_exchange(&s->failing, true))
		tell(s, why);
	else if (r == 0 && atomic_load(&s->failing) && atomic_exchange(&s->failing, false))
		tell(s, "works again");
	return r;
}
