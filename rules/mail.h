/*
 * mail.h - the message model that facts are read from.
 *
 * Whoever plays the MTA (the daemon's session, judge, a test) fills it in as
 * the SMTP dialogue goes on, through the mail_ functions, and raises `stage`.
 * What needs a library or the network is asked for through struct mail_ops,
 * once, when a rule first looks at it.
 *
 * All strings live in one of the two arenas: the connection's or the
 * message's.  mail_reset() ends a message, whatever ended it.
 */
#ifndef RULES_MAIL_H
#define RULES_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "facts.h"
#include "str.h"
#include "types.h"

struct arena;
struct mail;
struct tz;
struct reading;
struct recipient;
struct stored;

enum spf_identity { SPF_HELO, SPF_MAILFROM };

/* What SPF said.  Strings in the arena of the identity: connection for HELO, message for MAIL. */
struct spf_answer {
	enum spf_result	result;
	struct str	domain;		/* that was checked */
	struct str	mechanism;	/* that matched, as in the record; empty if none did */
	struct str	explanation;	/* with `fail`; printable ASCII */
	struct str	reason;		/* of temperror and permerror, for log and trace */
};

/* Parts of a message: values of T_PART, each once. */
struct part_list {
	const struct value *v;
	size_t		 n;
};

struct dkim_signature {
	enum dkim_result result;
	struct str	domain, selector, algorithm, reason;
	int		bits;		/* of the key, 0 if there was none */
	bool		partial;	/* l= leaves octets unsigned */
	bool		unread;		/* it was not looked at: there are too many */
	/*
	 * Of a signature that can be read, whatever its result: fields that it names less
	 * often than they are there, and a partial body; and fields that it names more
	 * often, so that one more would break it.
	 */
	struct part_list unsigned_parts, oversigned;
	struct str	identity;	/* i=, for Authentication-Results */
	struct str	tag;		/* first octets of b=, RFC 6008; for Authentication-Results */
};

/* Does it leave that part unsigned? */
static inline bool
signature_leaves(const struct dkim_signature *s, enum message_part part)
{
	for (size_t i = 0; i < s->unsigned_parts.n; i++)
		if (s->unsigned_parts.v[i].n == (int64_t)part)
			return true;
	return false;
}

struct dkim_answer {
	const struct dkim_signature *sig;
	size_t		 n;
};

/* What the client's address says of its name (RFC 8601, 2.7.3). */
struct iprev_answer {
	enum iprev_result result;
	struct str	name;		/* with pass: that leads back to the address; p NULL otherwise */
	struct str	reason;		/* of temperror and permerror, for log and trace */
};

/*
 * What DMARC said.  Of several author domains it is the one that came off
 * worst.
 */
struct dmarc_answer {
	enum dmarc_result result;
	struct str	from;		/* the author's domain; empty if there is none */
	struct str	domain;		/* where the record was found; empty without one */
	enum dmarc_policy policy;	/* published, for this domain; with has_policy */
	enum dmarc_policy asks;		/* what is to be done: with t=y one step less */
	bool		has_policy;
	bool		testing;	/* t=y; by RFC 7489, pct=0 */
	bool		spf_aligned, dkim_aligned;	/* and passing */
	bool		spf_doubt, dkim_doubt;	/* would be, had a lookup not failed */
	struct str	reason;		/* of temperror and permerror, for log and trace */
};

/* A result that somebody states of a method; words as they came. */
struct arc_stated {
	struct str	method, result;
};

/*
 * What ARC said.  All but result and reason only with ARC_R_PASS; with
 * ARC_R_TEMPERROR sealer and stated are what may be so.
 */
struct arc_answer {
	enum arc_result	result;
	struct str	reason;		/* of fail and temperror: field, instance, why */
	struct str	sealer;		/* d= of the newest seal */
	int		oldest_pass;	/* header.oldest-pass, RFC 8617, 5.2 */
	const struct arc_stated *stated; /* by the newest ARC-Authentication-Results */
	size_t		 nstated;
};

/* A file in the message, or another message. */
struct attachment {
	const struct value *names;	/* the first is what most programs show */
	size_t		 nnames;
	struct str	 type;		/* as declared, lower case */
	struct str	 magic;		/* as libmagic sees it; p NULL if not looked at */
	uint64_t	 size;		/* octets, decoded */
	bool		 encrypted;	/* an archive with something encrypted in it */
};

struct url {
	struct str	 text;		/* as it stands */
	struct str	 host;		/* normal; an IP address, too; p NULL without one */
	struct str	 domain;	/* registrable; the host if it has none */
};

/*
 * What a body holds.  What rules can't ask for may be left out.  The limits
 * among the defects (CUT_...) tell of what there may be more than was found.
 */
struct content {
	const struct str *texts, *htmls;
	size_t		 ntexts, nhtmls;
	const struct attachment *attachments;
	size_t		 nattachments;
	const struct url *urls;
	size_t		 nurls;
	const struct str *archive_names;
	size_t		 narchive_names;
	bool		 encrypted;	/* any archive */
	uint32_t	 defects;	/* DEFECT_BIT()s */
};

/* Whom a list in the DNS is asked about: the client's address, or the sender's domain. */
enum dnsbl_kind { DNSBL_CLIENT, DNSBL_SENDER };

/* What it said.  reason: of a failure, or of answers that were ignored. */
struct dnsbl_answer {
	const struct value *codes;	/* addresses of 127.0.0.0/8; n 0: not listed */
	size_t		 n;
	const struct str *texts;	/* if they were asked for */
	size_t		 ntexts;
	bool		 failed, texts_failed;
	struct str	 reason;
};

/* Where an address is; what no database knows is left out. */
struct geo_answer {
	struct str	 country;	/* two capitals; p NULL: unknown */
	int64_t		 asn;		/* 0: unknown */
};

/* Addresses of a header field, in their order. */
struct mailbox_list {
	const struct mailbox *v;
	const struct str *names;	/* n decoded display names; p NULL where there is none */
	size_t		 n;
	bool		 malformed;	/* the field is no address list; v has what could be read */
};

/* `rate` counts this message under the key, which is folded and tells expressions apart. */
struct rate_query {
	struct str	key;
	int64_t		limit, window;	/* seconds */
};

/* `greylist` asks whether this recipient's mail is to be delayed, and records that it came. */
struct greylist_query {
	const struct recipient *rcpt;
	struct str	spf_domain;	/* what stands for the client's network; p NULL: nothing does */
};

/*
 * What a message is asked for.  A NULL function pointer: FACT_UNSET for its
 * facts.  A pending answer is NULL; while m->may_wait none is pending: the
 * function waits, and what does not come in time is temperror.  NULL from the
 * two decoders means memory or a limit: the fact is ERR_LIMIT.
 */
struct mail_ops {
	const struct spf_answer *(*spf)(struct mail *m, enum spf_identity id);
	const struct dkim_answer *(*dkim)(struct mail *m);
	/* RFC 2047 words decoded, folds undone, ends trimmed; UTF-8. */
	const struct str *(*decode)(struct mail *m, struct str raw);
	const struct mailbox_list *(*mailboxes)(struct mail *m, struct str raw);
	const struct arc_answer *(*arc)(struct mail *m);
	const struct iprev_answer *(*iprev)(struct mail *m);
	const struct dmarc_answer *(*dmarc)(struct mail *m);
	/* At S_MESSAGE, never pending; NULL means memory. */
	const struct content *(*content)(struct mail *m);
	/* The message has what is asked about.  What does not come in time has failed. */
	const struct dnsbl_answer *(*dnsbl)(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts);
	/* The client has an address.  Never pending nor NULL. */
	const struct geo_answer *(*geo)(struct mail *m);
	/*
	 * The two that remember, each called once a message (or recipient) for
	 * what is asked.  *count: how many came in the window, this one
	 * counted.  FACT_KNOWN, FACT_UNSET, or FACT_ERROR if the store failed.
	 */
	enum fact_status (*rate)(struct mail *m, const struct rate_query *q, uint64_t *count);
	enum fact_status (*greylist)(struct mail *m, const struct greylist_query *q, bool *delay);
};

struct header {
	struct str	name;
	struct str	raw;		/* all octets after the colon, folds included */
	const struct str *text;		/* decoded, NULL until asked for */
	const struct mailbox_list *boxes; /* parsed, NULL until asked for */
	struct header	*next;
};

struct param {			/* an ESMTP parameter, or a macro without its braces */
	struct str	name, value;
	size_t		cap;		/* room for value, that one sent again takes no more */
};

struct param_list {
	struct param	*v;
	size_t		 n, cap;
};

enum rcpt_state {
	RCPT_OPEN,		/* 250 so far */
	RCPT_REFUSED,		/* rejected or tempfailed by a verdict of ours */
	RCPT_SPLIT		/* 452, comes again in a transaction of its own */
};

struct recipient {
	struct mailbox	addr;		/* local with the detail */
	struct str	local, detail;	/* split at recipient-delimiter; detail p NULL without one */
	struct str	path;		/* as the client wrote it, with <> */
	struct param_list macros;	/* rcpt_host, rcpt_mailer, rcpt_addr and what rules name */
	enum rcpt_state	state;
	enum rcpt_state	would;		/* mode monitor, which tells the MTA nothing: what state would be */
	/* The evaluator's. */
	struct reading	*reading;	/* its way through the file; NULL until it is judged */
	struct stored	*stored;	/* what the store said about it */
};

/* Is the message for it, or would it be, if mode monitor were off? */
static inline bool
rcpt_is_left(const struct recipient *r)
{
	return r->state == RCPT_OPEN && r->would == RCPT_OPEN;
}

/* Likewise: it is for another transaction, and doesn't count in this one. */
static inline bool
rcpt_is_split(const struct recipient *r)
{
	return r->state == RCPT_SPLIT || r->would == RCPT_SPLIT;
}

/* A result stated by a test's `given`: it comes before any getter.  One value each; several of one fact are its values. */
struct given {
	const struct fact *fact;
	struct str	   key;
	struct value	   value;
	bool		   unset;	/* the fact is: there is no value */
	bool		   failed;	/* the fact is in error, of that class */
	enum error_class   error;
};

struct mail {
	const struct mail_ops *ops;	/* may be NULL */
	void		*ctx;		/* the ops' own */
	struct arena	*conn;		/* the connection's */
	struct arena	*arena;		/* the message's */
	enum stage	 stage;		/* the last whose facts are all in */
	bool		 may_wait;	/* set by the evaluator: lookups may block now */

	/* Connection. */
	bool		 has_ip;
	struct ipaddr	 ip;
	uint8_t		 prefix, prefix6; /* bits of ip that make the client's network */
	char		 network[52];	/* that, as it reads: client.network's own */
	struct str	 client_name;	/* p NULL if not verified */
	int		 client_port;	/* 0: unknown, or not by SMTP */
	bool		 by_smtp;	/* false for mail that non_smtpd_milters brings */
	struct str	 helo;		/* normal form; p NULL before HELO */
	struct str	 helo_raw;
	struct param_list conn_macros;

	/* Message. */
	bool		 has_sender;
	struct mailbox	 sender;
	struct str	 sender_path;	/* as the client wrote it */
	struct param_list params;	/* of MAIL */
	struct param_list macros;
	time_t		 time;		/* of MAIL, or fixed by a test */
	const struct tz	*tz;		/* of time.*; NULL: the system's */
	struct recipient **rcpts;	/* all that were shown, refused and split ones too */
	size_t		 nrcpts, rcpts_cap;
	struct header	*headers, *last_header;	/* as they came */
	size_t		 nheaders;
	bool		 headers_cut;	/* header-limit was reached: what isn't found is ERR_LIMIT */
	struct strbuf	*body;		/* up to body-limit, or NULL if no rule looks at it; its maker's */
	bool		 body_cut;
	uint64_t	 header_octets, body_octets;

	/* The evaluator's: what per-recipient facts speak of, and the part inside has(). */
	struct recipient *rcpt;
	ptrdiff_t	 thing[THING_COUNT];	/* index, or -1 */

	const struct given *given;
	size_t		 ngiven;
	bool		 enforced;	/* what the rules say is obeyed, in mode monitor, too */

	/* mail.c's and facts.c's own. */
	struct strbuf	 helo_store[2];	/* what helo and helo_raw point to */
	struct memo	*memos;		/* values of facts that are lists */
};

/* Most recipients and header fields of one message that rules see. */
#define MAIL_RCPTS	10000
#define MAIL_HEADERS	10000

/*
 * A connection without client yet, by_smtp true, prefixes 24 and 64.  ctx and ops stay the
 * caller's.  0, or -1 without memory.
 */
int mail_init(struct mail *m, const struct mail_ops *ops, void *ctx);
/* Frees both arenas. */
void mail_free(struct mail *m);
/*
 * Ends the message: its arena is reset, the connection's facts and `given`
 * stay.  `body` becomes NULL: who made it ties it to the arena, or keeps it.
 */
void mail_reset(struct mail *m);

/*
 * The setters copy what they are given into the right arena.  They return 0,
 * or -1 without memory; mail_helo() forgets what was known of an earlier HELO.
 * However often a client greets, and the MTA sends a macro of the connection,
 * they take no more memory than the longest.
 *
 * mail_sender() leaves the message's macros as they are, since they come
 * before it.  mail_rcpt() returns NULL beyond MAIL_RCPTS too.  mail_header()
 * counts header_octets, line ends as CR LF; beyond MAIL_HEADERS it only counts,
 * and sets headers_cut, but keeps Authentication-Results.  Blanks around a
 * field's name are no part of it (RFC 5322, 4.5.8).  delimiter '\0': no detail.
 */
int mail_connect(struct mail *m, const struct ipaddr *ip, struct str name, int port);
int mail_helo(struct mail *m, struct str name);
int mail_sender(struct mail *m, struct str path, const struct str *params, size_t n, time_t now);
struct recipient *mail_rcpt(struct mail *m, struct str path, char delimiter);
int mail_header(struct mail *m, struct str name, struct str raw);
int mail_conn_macro(struct mail *m, struct str name, struct str value);
int mail_macro(struct mail *m, struct str name, struct str value);
int mail_rcpt_macro(struct mail *m, struct recipient *r, struct str name, struct str value);

/* The client's network, which stands for it where addresses are many; false: not over IP. */
bool mail_client_net(const struct mail *m, struct ipnet *net);

/*
 * A macro's value, braces or not in the name ("{client_ptr}", "client_ptr",
 * "i"), of the recipient at hand, the message, or the connection; p NULL if
 * the MTA didn't send it.
 */
struct str mail_find_macro(const struct mail *m, struct str name);

#endif
