/*
 * store_record.c - the records of the store, and what an operation does to
 * them.
 *
 * Records outlive the program that wrote them, and may be shared with others,
 * so each begins with its kind and version, has its numbers in network order, and is
 * read strictly.  One that isn't understood is begun anew: to forget is
 * what a store may do, to trip over what it finds is not.
 */
#include "filter/store_record.h"

#include <string.h>

#define RATE_VERSION	0x12
#define TRIPLET_VERSION	0x21
#define CLIENT_VERSION	0x31
#define COUNT_MAX	UINT32_MAX

/* How old a client's last mail may look before it is written again. */
#define CLIENT_STALE	60

/* ---- Numbers ---- */

static void
put(uint8_t *p, size_t octets, uint64_t v)
{
	for (size_t i = octets; i > 0; i--, v >>= 8)
		p[i - 1] = (uint8_t)v;
}

static uint64_t
get(const uint8_t *p, size_t octets)
{
	uint64_t v = 0;

	for (size_t i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

/* A time of ours; -1 for what can't be one. */
static int64_t
get_time(const uint8_t *p)
{
	uint64_t v = get(p, 8);

	return v < (uint64_t)1 << 48 ? (int64_t)v : -1;
}

/* ---- Rates ---- */

/*
 * version, 4 octets of milliseconds a slot, 8 of the latest slot, then for each slot that
 * counted something its age in slots and 4 octets of count, youngest first.
 */
#define RATE_HEAD	13
#define RATE_PAIR	5

struct rate {
	int64_t		latest;		/* slot */
	uint32_t	count[RATE_SLOTS + 1];	/* by age */
};

int64_t
rate_slot(int64_t window)
{
	return (window * 1000 + RATE_SLOTS - 1) / RATE_SLOTS;
}

/* false if that is no rate of such slots. */
static bool
read_rate(const struct record *r, int64_t slot, struct rate *rate)
{
	int last = -1;

	memset(rate, 0, sizeof(*rate));
	if (r->n < RATE_HEAD || (r->n - RATE_HEAD) % RATE_PAIR != 0 || r->n > RECORD_OCTETS ||
	    r->b[0] != RATE_VERSION || get(r->b + 1, 4) != (uint64_t)slot ||
	    (rate->latest = get_time(r->b + 5)) == -1)
		return false;
	for (size_t i = RATE_HEAD; i < r->n; i += RATE_PAIR) {
		int age = r->b[i];

		if (age <= last || age >= RATE_SLOTS + 1)
			return false;
		rate->count[age] = (uint32_t)get(r->b + i + 1, 4);
		last = age;
	}
	return true;
}

static void
write_rate(struct record *r, int64_t slot, const struct rate *rate)
{
	r->b[0] = RATE_VERSION;
	put(r->b + 1, 4, (uint64_t)slot);
	put(r->b + 5, 8, (uint64_t)rate->latest);
	r->n = RATE_HEAD;
	for (int age = 0; age < RATE_SLOTS + 1; age++) {
		if (rate->count[age] == 0)
			continue;
		r->b[r->n] = (uint8_t)age;
		put(r->b + r->n + 1, 4, rate->count[age]);
		r->n += RATE_PAIR;
	}
}

/* Lets the counts grow older until `to` is the latest slot. */
static void
age_rate(struct rate *rate, int64_t to)
{
	int64_t by = to - rate->latest;

	for (int64_t age = RATE_SLOTS; age >= 0; age--)
		rate->count[age] = age >= by ? rate->count[age - by] : 0;
	rate->latest = to;
}

static unsigned
apply_rate(struct store_op *op, struct record *r)
{
	int64_t window = op->rate.window * 1000, slot = rate_slot(op->rate.window), now = op->now;
	int64_t oldest;
	struct rate rate;

	if (!read_rate(r, slot, &rate) || rate.latest > now / slot + RATE_SLOTS) {
		/* None, or one from a clock that was far ahead. */
		memset(&rate, 0, sizeof(rate));
		rate.latest = now / slot;
	}
	if (now < rate.latest * slot)
		now = rate.latest * slot;
	age_rate(&rate, now / slot);
	if (rate.count[0] < COUNT_MAX)
		rate.count[0]++;
	/* What came a whole window ago may have come a part of a millisecond later than it says. */
	oldest = now > window ? (now - window) / slot : 0;
	op->rate.count = 0;
	for (int64_t age = 0; age < RATE_SLOTS + 1; age++) {
		if (rate.latest - age < oldest)
			rate.count[age] = 0;
		op->rate.count += rate.count[age];
	}
	write_rate(r, slot, &rate);
	r->expires = ((rate.latest + 1) * slot + window) / 1000 + 1;
	return 1;
}

/* ---- Greylisting ---- */

/* version, 8 octets of when it came first, 8 of when last, whether it came again. */
#define TRIPLET_OCTETS	18
/* version, 8 octets of when it came last, 4 of how many of its mails came again. */
#define CLIENT_OCTETS	13

struct triplet {
	int64_t		first, last;
	bool		again;
};

struct client {
	int64_t		last;
	uint32_t	again;
};

static bool
read_triplet(const struct record *r, struct triplet *t)
{
	if (r->n != TRIPLET_OCTETS || r->b[0] != TRIPLET_VERSION || r->b[17] > 1)
		return false;
	t->first = get_time(r->b + 1);
	t->last = get_time(r->b + 9);
	t->again = r->b[17];
	return t->first >= 0 && t->last >= t->first;
}

static void
write_triplet(struct record *r, const struct triplet *t, const struct store_greylist *g)
{
	r->b[0] = TRIPLET_VERSION;
	put(r->b + 1, 8, (uint64_t)t->first);
	put(r->b + 9, 8, (uint64_t)t->last);
	r->b[17] = t->again;
	r->n = TRIPLET_OCTETS;
	r->expires = t->again ? t->last + g->lifetime : t->first + g->delay + g->retry;
}

static void
read_client(const struct record *r, int64_t now, int64_t lifetime, struct client *c)
{
	*c = (struct client){ .last = now };
	if (r->n != CLIENT_OCTETS || r->b[0] != CLIENT_VERSION)
		return;
	c->last = get_time(r->b + 1);
	c->again = (uint32_t)get(r->b + 9, 4);
	if (c->last == -1 || now - c->last > lifetime)
		*c = (struct client){ .last = now };
}

static void
write_client(struct record *r, const struct client *c, int64_t lifetime)
{
	r->b[0] = CLIENT_VERSION;
	put(r->b + 1, 8, (uint64_t)c->last);
	put(r->b + 9, 4, c->again);
	r->n = CLIENT_OCTETS;
	r->expires = c->last + lifetime;
}

/* Is the triplet still remembered?  Not if a clock that was far ahead wrote it. */
static bool
is_alive(const struct triplet *t, int64_t now, const struct store_greylist *g)
{
	return t->again ? now - t->last <= g->lifetime :
	    now - t->first <= g->delay + g->retry && t->first - now <= g->delay;
}

static unsigned
apply_greylist(struct store_op *op, struct record *triplet, struct record *client)
{
	struct store_greylist *g = &op->greylist;
	int64_t now = op->now / 1000;
	struct triplet t;
	struct client c;

	g->delayed = false;
	read_client(client, now, g->lifetime, &c);
	if (g->whitelist_after > 0 && c.again >= (uint64_t)g->whitelist_after) {
		if (now - c.last < CLIENT_STALE)
			return 0;
		c.last = now;
		write_client(client, &c, g->lifetime);
		return 2;
	}
	if (!read_triplet(triplet, &t) || !is_alive(&t, now, g)) {
		t = (struct triplet){ .first = now, .last = now };
		g->delayed = true;
		write_triplet(triplet, &t, g);
		return 1;
	}
	if (!t.again && now - t.first < g->delay) {
		g->delayed = true;
		return 0;
	}
	t.last = now > t.last ? now : t.last;
	if (t.again) {
		write_triplet(triplet, &t, g);
		return 1;
	}
	t.again = true;
	write_triplet(triplet, &t, g);
	c.last = now;
	if (c.again < COUNT_MAX)
		c.again++;
	write_client(client, &c, g->lifetime);
	return 3;
}

/* ---- Operations ---- */

size_t
store_op_keys(const struct store_op *op)
{
	return op->what == STORE_OP_RATE ? 1 : 2;
}

unsigned
store_op_apply(struct store_op *op, struct record records[STORE_OP_KEYS])
{
	if (op->what == STORE_OP_RATE)
		return apply_rate(op, &records[0]);
	return apply_greylist(op, &records[0], &records[1]);
}
