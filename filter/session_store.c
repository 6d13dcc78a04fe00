/*
 * session_store.c - what a session asks of the store, for `rate` and
 * `greylist`.
 *
 * Here it is said who counts as the same: which octets make the key under
 * which somebody is remembered.  judge and the tests in a rules file have no store: what
 * isn't mail is neither counted nor delayed.
 */
#include "session_int.h"

#include <string.h>
#include <time.h>

#include "rules/fold.h"
#include "store.h"

static enum fact_status
run(const struct session *s, struct store_op *op)
{
	msec deadline = clock_msec() + rules_settings(s->rs)->store_timeout * 1000;
	struct timespec now = { s->sv->now, 0 };	/* of a test; 0: it is now */

	if (now.tv_sec == 0)
		clock_gettime(CLOCK_REALTIME, &now);
	op->now = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return store_run(s->sv->store, op, deadline) == 0 ? FACT_KNOWN : FACT_ERROR;
}

enum fact_status
session_ask_rate(struct mail *m, const struct rate_query *q, uint64_t *count)
{
	const struct session *s = m->ctx;
	struct store_op op = { .what = STORE_OP_RATE, .rate = { .window = q->window } };

	if (s->sv->store == NULL)
		return FACT_UNSET;
	if (store_make_key(STORE_RATE, q->key, &op.keys[0]) == -1 ||
	    run(s, &op) != FACT_KNOWN)
		return FACT_ERROR;
	*count = op.rate.count;
	return FACT_KNOWN;
}

/* The client: its network, or the domain that vouches for it. */
static void
print_client(const struct session *s, const struct greylist_query *q, struct strbuf *b)
{
	struct ipnet net;

	if (q->spf_domain.p != NULL) {
		strbuf_puts(b, "domain ");
		fold_add(b, q->spf_domain);
		return;
	}
	(void)mail_client_net(&s->mail, &net);
	strbuf_printf(b, "net %u ", (unsigned)net.bits);
	ipaddr_print(&net.addr, b);
}

/* No address has a line end in it. */
static void
print_part(struct str s, struct strbuf *b)
{
	strbuf_putc(b, '\n');
	fold_add(b, s);
}

enum fact_status
session_ask_greylist(struct mail *m, const struct greylist_query *q, bool *delay)
{
	const struct session *s = m->ctx;
	const struct settings *set = rules_settings(s->rs);
	struct store_op op = { .what = STORE_OP_GREYLIST, .greylist = {
		.delay = set->greylist_delay, .retry = set->greylist_retry,
		.lifetime = set->greylist_lifetime,
		.whitelist_after = set->greylist_whitelist_after,
	} };
	struct strbuf b = { 0 };
	int made;

	if (s->sv->store == NULL)
		return FACT_UNSET;
	print_client(s, q, &b);
	made = store_make_key(STORE_CLIENT, strbuf_slice(&b), &op.keys[1]);
	print_part(m->sender.text, &b);
	print_part(q->rcpt->addr.text, &b);
	if (made == 0)
		made = store_make_key(STORE_TRIPLET, strbuf_slice(&b), &op.keys[0]);
	if (b.failed)
		made = -1;
	strbuf_free(&b);
	if (made == -1 || run(s, &op) != FACT_KNOWN)
		return FACT_ERROR;
	*delay = op.greylist.delayed;
	return FACT_KNOWN;
}
