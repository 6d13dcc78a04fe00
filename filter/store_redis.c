/*
 * store_redis.c - a store on a Redis server, which several filters share.
 *
 * Records are read, changed here, and written back by a script that does so
 * only if they are still what was read: what another filter did in between is
 * never lost, and all that is said about records stays in one place (store_record.c).
 * Whoever comes second gets the new records from the script, and tries again with
 * those until his deadline.
 *
 * Connections are kept and lent to one thread at a time, and nothing is locked while
 * the server is waited for.  A server that is away is tried once a second, so
 * that messages don't each wait for it; one whose name isn't known (store_name.c) is away, too.
 */
#include "filter/store_int.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/store_name.h"

#define DEFAULT_PORT	6379
#define NAME_AGAIN	5000		/* ms between lookups of its name */
#define NAME_WAIT	5000		/* ms that the first one may hold up the start */
#define POOL		32		/* idle connections kept */
#define AGAIN		1000		/* ms between attempts to reach a server that is away */
#define KEY_TEXT	(16 + 2 * STORE_KEY_OCTETS)

struct redis {
	struct store	 s;
	struct store_name *name;	/* NULL: it is reached by `path` */
	char		*path;		/* of its socket */
	int		 port, db;
	char		*user, *password; /* NULL: none */
	pthread_mutex_t	 lock;		/* of what follows */
	redisContext	*pool[POOL];
	size_t		 npool;
	msec		 away_until;
	char		 away_why[STORE_WHY];
};

/* KEYS, and for each the record it must be, the one it is to be ("": leave it) and its ms to live. */
static const char script[] =
    "local now = redis.call('MGET', unpack(KEYS)) "
    "for i = 1, #KEYS do now[i] = now[i] or '' end "
    "for i = 1, #KEYS do if now[i] ~= ARGV[3 * i - 2] then return now end end "
    "for i = 1, #KEYS do if ARGV[3 * i - 1] ~= '' then "
    "redis.call('SET', KEYS[i], ARGV[3 * i - 1], 'PX', ARGV[3 * i]) end end "
    "return 1";

/* ---- Connections ---- */

static int
fail(char why[STORE_WHY], const char *what)
{
	(void)snprintf(why, STORE_WHY, "%s", what);
	return -1;
}

static int
set_deadline(redisContext *c, msec deadline, char why[STORE_WHY])
{
	msec left = deadline - clock_msec();

	if (left <= 0)
		return fail(why, "the server did not answer in time");
	if (redisSetTimeout(c, (struct timeval){ left / 1000, (left % 1000) * 1000 }) != REDIS_OK)
		return fail(why, c->errstr);
	return 0;
}

/* The answer to a command, or NULL and the reason. */
static redisReply *
ask(redisContext *c, int argc, const char **argv, const size_t *len, msec deadline,
    char why[STORE_WHY])
{
	redisReply *r;

	if (set_deadline(c, deadline, why) == -1)
		return NULL;
	if ((r = redisCommandArgv(c, argc, argv, len)) == NULL) {
		(void)fail(why, c->err == REDIS_ERR_IO && clock_msec() >= deadline ?
		    "the server did not answer in time" : c->errstr);
		return NULL;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		(void)fail(why, r->str);
		freeReplyObject(r);
		return NULL;
	}
	return r;
}

/* A command whose answer says no more than that it was done. */
static int
tell(redisContext *c, const char *words[], int n, msec deadline, char why[STORE_WHY])
{
	redisReply *r = ask(c, n, words, NULL, deadline, why);

	if (r == NULL)
		return -1;
	freeReplyObject(r);
	return 0;
}

static int
greet(const struct redis *rd, redisContext *c, msec deadline, char why[STORE_WHY])
{
	const char *auth[3] = { "AUTH" }, *select[2] = { "SELECT" };
	char db[16];
	int n = 1;

	if (rd->user != NULL)
		auth[n++] = rd->user;
	if (rd->password != NULL)
		auth[n++] = rd->password;
	if (n > 1 && tell(c, auth, n, deadline, why) == -1)
		return -1;
	(void)snprintf(db, sizeof(db), "%d", rd->db);
	select[1] = db;
	return rd->db == 0 ? 0 : tell(c, select, 2, deadline, why);
}

/* Until it is tried again, nobody waits for it. */
static void
is_away(struct redis *rd, const char why[STORE_WHY])
{
	pthread_mutex_lock(&rd->lock);
	rd->away_until = clock_msec() + AGAIN;
	memcpy(rd->away_why, why, STORE_WHY);
	pthread_mutex_unlock(&rd->lock);
}

/* NULL, or a context that may have failed. */
static redisContext *
reach(struct redis *rd, msec deadline, char why[STORE_WHY])
{
	char address[STORE_ADDRESS];
	struct timeval tv;
	redisContext *c;
	msec left;

	if (rd->path == NULL && store_name_find(rd->name, deadline, address, why) == -1)
		return NULL;
	if ((left = deadline - clock_msec()) <= 0) {
		(void)fail(why, "the server did not answer in time");
		return NULL;
	}
	tv = (struct timeval){ left / 1000, (left % 1000) * 1000 };
	c = rd->path != NULL ? redisConnectUnixWithTimeout(rd->path, tv) :
	    redisConnectWithTimeout(address, rd->port, tv);
	if (c == NULL)
		(void)fail(why, "out of memory");
	else if (c->err != 0 && rd->name != NULL)
		store_name_doubt(rd->name);
	return c;
}

static redisContext *
connect_to(struct redis *rd, msec deadline, char why[STORE_WHY])
{
	redisContext *c;

	pthread_mutex_lock(&rd->lock);
	if (clock_msec() < rd->away_until) {
		memcpy(why, rd->away_why, STORE_WHY);
		pthread_mutex_unlock(&rd->lock);
		return NULL;
	}
	pthread_mutex_unlock(&rd->lock);
	if ((c = reach(rd, deadline, why)) != NULL && c->err != 0)
		(void)fail(why, c->errstr);
	else if (c != NULL && greet(rd, c, deadline, why) == 0)
		return c;
	if (c != NULL)
		redisFree(c);
	is_away(rd, why);
	return NULL;
}

static redisContext *
borrow(struct redis *rd)
{
	redisContext *c = NULL;

	pthread_mutex_lock(&rd->lock);
	if (rd->npool > 0)
		c = rd->pool[--rd->npool];
	pthread_mutex_unlock(&rd->lock);
	return c;
}

static void
give_back(struct redis *rd, redisContext *c)
{
	pthread_mutex_lock(&rd->lock);
	if (rd->npool < POOL) {
		rd->pool[rd->npool++] = c;
		c = NULL;
	}
	pthread_mutex_unlock(&rd->lock);
	if (c != NULL)
		redisFree(c);
}

/* ---- Operations ---- */

struct keys {
	size_t		 n;
	char		 text[STORE_OP_KEYS][KEY_TEXT];
};

static void
print_keys(const struct store_op *op, struct keys *k)
{
	static const char letters[STORE_KINDS] = {
		[STORE_RATE] = 'r', [STORE_TRIPLET] = 'g', [STORE_CLIENT] = 'c'
	};

	k->n = store_op_keys(op);
	for (size_t i = 0; i < k->n; i++) {
		int at = snprintf(k->text[i], KEY_TEXT, "postern:%c:", letters[op->keys[i].kind]);

		for (size_t b = 0; b < STORE_KEY_OCTETS; b++)
			at += snprintf(k->text[i] + at, KEY_TEXT - (size_t)at, "%02x",
			    op->keys[i].b[b]);
	}
}

/* The records of an answer; frees it. */
static int
read_records(redisReply *r, const struct keys *k, struct record *records, char why[STORE_WHY])
{
	bool good = r->type == REDIS_REPLY_ARRAY && r->elements == k->n;

	for (size_t i = 0; good && i < k->n; i++) {
		const redisReply *e = r->element[i];

		records[i].n = 0;
		if (e->type == REDIS_REPLY_NIL)
			continue;
		if (e->type != REDIS_REPLY_STRING || e->len > RECORD_OCTETS) {
			good = false;
			continue;
		}
		records[i].n = e->len;
		memcpy(records[i].b, e->str, e->len);
	}
	freeReplyObject(r);
	return good ? 0 : fail(why, "the server holds something else under our keys");
}

static int
get_records(redisContext *c, const struct keys *k, struct record *records, msec deadline,
    char why[STORE_WHY])
{
	const char *argv[1 + STORE_OP_KEYS] = { "MGET" };
	redisReply *r;

	for (size_t i = 0; i < k->n; i++)
		argv[1 + i] = k->text[i];
	if ((r = ask(c, (int)(1 + k->n), argv, NULL, deadline, why)) == NULL)
		return -1;
	return read_records(r, k, records, why);
}

/* Writes what has changed; 1 if somebody was faster, and then `old` is what is there now. */
static int
swap_records(redisContext *c, const struct keys *k, struct record *old,
    const struct record *new, unsigned changed, int64_t now, msec deadline, char why[STORE_WHY])
{
	const char *argv[3 + 4 * STORE_OP_KEYS] = { "EVAL", script, k->n == 1 ? "1" : "2" };
	size_t len[3 + 4 * STORE_OP_KEYS] = { 4, sizeof(script) - 1, 1 }, n = 3;
	char ttl[STORE_OP_KEYS][24];
	redisReply *r;

	for (size_t i = 0; i < k->n; i++) {
		argv[n] = k->text[i];
		len[n++] = strlen(k->text[i]);
	}
	for (size_t i = 0; i < k->n; i++) {
		int64_t left = new[i].expires * 1000 - now;

		argv[n] = (const char *)old[i].b;
		len[n++] = old[i].n;
		argv[n] = (const char *)new[i].b;
		len[n++] = changed & 1u << i ? new[i].n : 0;
		len[n] = (size_t)snprintf(ttl[i], sizeof(ttl[i]), "%lld",
		    changed & 1u << i ? (long long)(left > 0 ? left : 1) : 1);
		argv[n++] = ttl[i];
	}
	if ((r = ask(c, (int)n, argv, len, deadline, why)) == NULL)
		return -1;
	if (r->type == REDIS_REPLY_INTEGER) {
		freeReplyObject(r);
		return 0;
	}
	return read_records(r, k, old, why) == -1 ? -1 : 1;
}

static int
run_on(redisContext *c, const struct keys *k, struct store_op *op, struct record *old,
    msec deadline, char why[STORE_WHY])
{
	struct record new[STORE_OP_KEYS];
	unsigned changed;
	int r;

	do {
		memcpy(new, old, sizeof(new));
		if ((changed = store_op_apply(op, new)) == 0)
			return 0;
		r = swap_records(c, k, old, new, changed, op->now, deadline, why);
	} while (r == 1);
	return r;
}

static int
redis_run(struct store *s, struct store_op *op, msec deadline, char why[STORE_WHY])
{
	struct redis *rd = (struct redis *)s;
	struct record old[STORE_OP_KEYS] = { 0 };
	struct keys k;
	redisContext *c;
	bool had;
	int r;

	print_keys(op, &k);
	do {
		c = borrow(rd);
		had = c != NULL;
		if (!had && (c = connect_to(rd, deadline, why)) == NULL)
			return -1;
		if ((r = get_records(c, &k, old, deadline, why)) == -1)
			redisFree(c);
		/* A kept connection may be one to a server that has gone; nothing was done yet. */
	} while (r == -1 && had);
	if (r == 0 && (r = run_on(c, &k, op, old, deadline, why)) == -1)
		redisFree(c);
	if (r == 0)
		give_back(rd, c);
	else
		is_away(rd, why);
	return r;
}

static void
redis_close(struct store *s)
{
	struct redis *rd = (struct redis *)s;

	while (rd->npool > 0)
		redisFree(rd->pool[--rd->npool]);
	pthread_mutex_destroy(&rd->lock);
	store_name_free(rd->name);
	free(rd->path);
	free(rd->user);
	free(rd->password);
	free(rd);
}

/* ---- Opening ---- */

/* What stands before the first c, taken off s, or with `last` before the last one; p NULL without c. */
static struct str
cut(struct str *s, char c, bool last)
{
	struct str head;

	for (size_t i = 0; i < s->n; i++) {
		size_t at = last ? s->n - 1 - i : i;

		if (s->p[at] != c)
			continue;
		head = (struct str){ s->p, at };
		*s = (struct str){ s->p + at + 1, s->n - at - 1 };
		return head;
	}
	return STR_NONE;
}

static int
number(struct str s)
{
	int n = 0;

	for (size_t i = 0; i < s.n && i < 6; i++)
		n = n * 10 + (s.p[i] - '0');
	return n;
}

/* A number behind the last / is the database. */
static int
read_path(struct redis *rd, struct str path)
{
	struct str tail = path, head = cut(&tail, '/', true);
	bool digits;

	digits = head.n > 0 && tail.n > 0 && tail.n <= 5;
	for (size_t i = 0; i < tail.n; i++)
		digits = digits && tail.p[i] >= '0' && tail.p[i] <= '9';
	if (digits) {
		rd->db = number(tail);
		path = head;
	}
	return (rd->path = strndup(path.p, path.n)) != NULL ? 0 : -1;
}

/* HOST[:PORT][/DB] */
static int
read_host(struct redis *rd, struct str place)
{
	struct str head = cut(&place, '/', false), host;

	if (head.p != NULL) {
		rd->db = number(place);
		place = head;
	}
	rd->port = DEFAULT_PORT;
	host = place;
	if (place.n > 0 && place.p[place.n - 1] != ']') {
		head = cut(&place, ':', true);
		if (head.p != NULL) {
			host = head;
			rd->port = number(place);
		}
	}
	if (host.n > 2 && host.p[0] == '[')
		host = (struct str){ host.p + 1, host.n - 2 };
	return (rd->name = store_name_new(host, NAME_AGAIN)) != NULL ? 0 : -1;
}

/* [[USER]:PASSWORD@] and unix:PATH[/DB] or HOST[:PORT][/DB]; -1 without memory */
static int
read_place(struct redis *rd, struct str place)
{
	struct str who = cut(&place, '@', true), user;

	if (who.p != NULL) {
		user = cut(&who, ':', false);
		if (user.n > 0)
			rd->user = strndup(user.p, user.n);
		rd->password = strndup(who.p, who.n);
		if (rd->password == NULL || (user.n > 0 && rd->user == NULL))
			return -1;
	}
	if (str_istarts(place, STR("unix:/")))
		return read_path(rd, (struct str){ place.p + 5, place.n - 5 });
	return read_host(rd, place);
}

static const struct store_backend backend = { redis_run, redis_close };

struct store *
store_redis_open(struct str place, struct store_voice *voice, struct strbuf *why)
{
	struct redis *rd = calloc(1, sizeof(*rd));
	char address[STORE_ADDRESS], away[STORE_WHY];

	if (rd == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	rd->s = (struct store){ &backend, voice };
	pthread_mutex_init(&rd->lock, NULL);
	if (read_place(rd, place) == -1) {
		strbuf_puts(why, "out of memory");
		redis_close(&rd->s);
		return NULL;
	}
	if (rd->name != NULL &&
	    store_name_find(rd->name, clock_msec() + NAME_WAIT, address, away) == -1)
		store_fails(voice, away);
	return &rd->s;
}
