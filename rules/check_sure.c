/*
 * check_sure.c - what is known of a fact before any message comes.
 *
 * That an hour is at most 23, that no count is negative, and that every
 * message has a size: so `size >= 0` is always true, and says that something
 * else was meant.  What is not in this table may have any value of its type,
 * or none.
 */
#include "check_sure.h"

#include <string.h>

static const struct {
	const char	*name;
	bool		 set;		/* never unset */
	int64_t		 lo, hi;	/* of numbers */
} known[] = {
	{ "client.port",	false,	0, 65535 },
	{ "daemon.port",	false,	0, 65535 },
	{ "tls.bits",		false,	0, INT64_MAX },
	{ "sender.size",	false,	0, INT64_MAX },
	{ "sender",		true,	0, 0 },
	{ "rcpt",		true,	0, 0 },
	{ "rcpt.count",		true,	0, INT64_MAX },
	{ "header.count",	true,	0, INT64_MAX },
	{ "from.count",		true,	0, INT64_MAX },
	{ "received.count",	true,	0, INT64_MAX },
	{ "size",		true,	0, INT64_MAX },
	{ "attachment.size",	false,	0, INT64_MAX },
	{ "attachment.count",	false,	0, INT64_MAX },
	{ "dkim.signature.bits", false,	0, INT64_MAX },
	{ "time.hour",		true,	0, 23 },
	{ "time.weekday",	true,	0, 0 },
};

static int
find(const struct fact *f)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(f->name, known[i].name) == 0)
			return (int)i;
	return -1;
}

bool
fact_is_sure(const struct fact *f)
{
	int i = find(f);

	/* `score` and `matched`, too. */
	return (f->flags & F_OWN) != 0 || (i != -1 && known[i].set);
}

bool
fact_may_be(const struct fact *f, int64_t n)
{
	int i = find(f);

	return i == -1 || (n >= known[i].lo && n <= known[i].hi);
}

/*
 * SPF, DKIM, DMARC, ARC and iprev have words for it, what they bring besides hasn't; a rate is in error if a fact
 * of its key is, `score` and `matched` if another rule is.
 */
unsigned
fact_errors(const struct fact *f)
{
	if ((f->flags & (F_OWN | F_RATE)) != 0)
		return (1u << ERR_CLASSES) - 1;
	if ((f->flags & F_GREYLIST) != 0)
		return 1u << ERR_STORE;
	if ((f->flags & F_DNSBL) != 0)
		return 1u << ERR_DNSBL;
	if (f->cost == C_DNS)
		return type_of(f->type)->words != NULL && (f->flags & F_LOST) == 0 ?
		    0 : 1u << ERR_LOOKUP;
	return (f->flags & (F_HEADERS | F_CONTENT | F_RAWBODY)) != 0 ? 1u << ERR_LIMIT : 0;
}
