/*
 * store.c - what is remembered from one message to the next: which store it
 * is, and what is said when it fails.
 *
 * A store that is away fails with every message; it is said once, when the reason is another,
 * once a minute while it lasts, and when it is back.  Each message's own failure is told with
 * its rule, by whoever logs the verdict.
 */
#include "filter/store.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/store_int.h"

#define AGAIN	60000		/* ms until the same reason is told again */

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

/* ---- What it says ---- */

bool
store_is_news(struct store_news *n, const char *why, msec now)
{
	size_t at = 0;

	for (size_t i = 0; i < STORE_TOLD; i++) {
		if (n->told[i].why[0] == '\0' || strcmp(n->told[i].why, why) == 0) {
			at = i;
			break;
		}
		if (n->told[i].at < n->told[at].at)
			at = i;
	}
	if (n->told[at].why[0] != '\0' && now - n->told[at].at < AGAIN)
		return false;
	(void)snprintf(n->told[at].why, STORE_WHY, "%s", why);
	n->told[at].at = now;
	return true;
}

void
store_tell(struct store_voice *v, const char *what)
{
	char line[STORE_WHY + 400];

	if (v->say == NULL)
		return;
	(void)snprintf(line, sizeof(line), "store %.300s: %s", v->url, what);
	v->say(line);
}

void
store_fails(struct store_voice *v, const char *why)
{
	bool news;

	pthread_mutex_lock(&v->lock);
	atomic_store(&v->failing, true);
	news = store_is_news(&v->news, why, clock_msec());
	pthread_mutex_unlock(&v->lock);
	if (news)
		store_tell(v, why);
}

static void
works(struct store_voice *v)
{
	bool again;

	if (!atomic_load(&v->failing))
		return;
	pthread_mutex_lock(&v->lock);
	again = atomic_exchange(&v->failing, false);
	memset(&v->news, 0, sizeof(v->news));
	pthread_mutex_unlock(&v->lock);
	if (again)
		store_tell(v, "works again");
}

static struct store_voice *
voice_new(struct str url, void (*say)(const char *line))
{
	struct store_voice *v = calloc(1, sizeof(*v));

	if (v == NULL || (v->url = shown(url)) == NULL) {
		free(v);
		return NULL;
	}
	v->say = say;
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

static void
voice_free(struct store_voice *v)
{
	pthread_mutex_destroy(&v->lock);
	free(v->url);
	free(v);
}

/* ---- Opening and asking ---- */

struct store *
store_open(struct str url, int64_t limit, void (*say)(const char *line), struct strbuf *why)
{
	struct store_voice *v = voice_new(url, say);
	struct store *s;

	if (v == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	if (str_istarts(url, STR("lmdb:")))
		s = store_lmdb_open(behind(url, "lmdb:"), limit, v, why);
	else if (str_istarts(url, STR("redis://")))
		s = store_redis_open(behind(url, "redis://"), v, why);
	else
		s = store_memory_open(limit, v, why);
	if (s == NULL)
		voice_free(v);
	return s;
}

void
store_close(struct store *s)
{
	struct store_voice *v;

	if (s == NULL)
		return;
	v = s->voice;
	s->backend->close(s);
	voice_free(v);
}

int
store_run(struct store *s, struct store_op *op, msec deadline)
{
	char why[STORE_WHY] = "";
	int r;

	if ((r = s->backend->run(s, op, deadline, why)) == -1)
		store_fails(s->voice, why);
	else
		works(s->voice);
	return r;
}
