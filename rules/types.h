/*
 * types.h - the types of facts: how a literal is read, a value printed, and
 * which operators apply.
 *
 * Operators belong to types, never to facts: a new fact gets all that its
 * type can do.
 */
#ifndef RULES_TYPES_H
#define RULES_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct arena;

enum type_id {
	T_BOOL,		/* true or false; used without an operator */
	T_NUMBER,
	T_SIZE,		/* octets */
	T_DURATION,	/* seconds */
	T_ADDR,		/* IP address */
	T_DOMAIN,	/* domain name or HELO string, lower case, A-labels */
	T_ADDRESS,	/* envelope or header address */
	T_TEXT,		/* decoded text, UTF-8; case ignored */
	T_RAW,		/* octets as they came; case counts */
	T_SPF,		/* RFC 7208, 2.6 */
	T_DKIM,		/* RFC 8601, 2.7.1 */
	T_DMARC,	/* RFC 7489, 11.2 */
	T_DMARC_POLICY,	/* RFC 9989, 4.7 */
	T_DMARC_METHOD,	/* what DMARC rests on */
	T_ARC,		/* RFC 8617, 4.4, and temperror */
	T_PART,		/* of a message, signed or not */
	T_DEFECT,	/* of mime.defect */
	T_IPREV,	/* RFC 8601, 2.7.3 */
	T_RESULT,	/* of any method, RFC 8601, 2.7 */
	T_WEEKDAY,
	T_COUNT
};

/* The operators of a comparison, as written in a condition. */
enum op {
	OP_TRUE,	/* a boolean alone */
	OP_SET,		/* is set */
	OP_IS,
	OP_IN_SET,	/* in { ... } */
	OP_IN_NET,	/* in 192.0.2.0/24 */
	OP_IN_LIST,	/* in NAME */
	OP_MATCHES,	/* matches /re/ */
	OP_MATCHES_LIST,/* matches NAME */
	OP_CONTAINS, OP_STARTS, OP_ENDS,
	OP_LT, OP_LE, OP_GT, OP_GE,
	OP_COUNT
};
#define OP_BIT(op)	(1u << (op))

/* Is its operand an entry, which may stand for more than one value? */
static inline bool
op_takes_entry(enum op op)
{
	return op == OP_IN_SET || op == OP_IN_NET || op == OP_IN_LIST;
}

/* "is", "in", "starts with": the words of an operator, for messages. */
const char *op_name(enum op op);

/* Results of SPF, in the order of T_SPF's words. */
enum spf_result {
	SPF_R_NONE, SPF_R_NEUTRAL, SPF_R_PASS, SPF_R_FAIL, SPF_R_SOFTFAIL,
	SPF_R_TEMPERROR, SPF_R_PERMERROR
};

/* Results of DKIM, best first: the result of a message is the least of its signatures'. */
enum dkim_result {
	DKIM_R_PASS, DKIM_R_TEMPERROR, DKIM_R_FAIL, DKIM_R_POLICY,
	DKIM_R_NEUTRAL, DKIM_R_PERMERROR, DKIM_R_NONE
};

/*
 * What a signature may cover, in the order of T_PART's words: the fields that
 * people, their mail programs and filters go by, of each of which a message has
 * one (RFC 5322, 3.6; RFC 2045; RFC 2369, 2919, 8058), and the body.
 */
enum message_part {
	PART_FROM, PART_SENDER, PART_REPLY_TO, PART_TO, PART_CC, PART_DATE,
	PART_SUBJECT, PART_MESSAGE_ID, PART_IN_REPLY_TO, PART_REFERENCES,
	PART_MIME_VERSION, PART_CONTENT_TYPE, PART_CONTENT_TRANSFER_ENCODING,
	PART_LIST_ID, PART_LIST_UNSUBSCRIBE, PART_LIST_UNSUBSCRIBE_POST,
	PART_BODY, PARTS
};

/* Results of DMARC, in the order of T_DMARC's words. */
enum dmarc_result {
	DMARC_R_PASS, DMARC_R_FAIL, DMARC_R_NONE, DMARC_R_TEMPERROR,
	DMARC_R_PERMERROR
};

/* What a domain asks for, mildest first. */
enum dmarc_policy { DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };

enum dmarc_method { DMARC_BY_SPF, DMARC_BY_DKIM };

/*
 * Results of ARC, in the order of T_ARC's words.  RFC 8617, 5.2.1 has no word
 * for a lookup that failed: to others it is fail.
 */
enum arc_result { ARC_R_NONE, ARC_R_PASS, ARC_R_FAIL, ARC_R_TEMPERROR };

/* Results of iprev, in the order of T_IPREV's words. */
enum iprev_result {
	IPREV_R_PASS, IPREV_R_FAIL, IPREV_R_TEMPERROR, IPREV_R_PERMERROR
};

/* An address in network order; IPv4 is ::ffff:0:0/96. */
struct ipaddr {
	uint8_t b[16];
};

/*
 * A network: the first `bits` (0-128) bits of addr count.  One shorter than
 * IPNET_V4_BITS was written as IPv6 and holds no IPv4 address, so that ::/0 is
 * all of IPv6 and 0.0.0.0/0 all of IPv4.
 */
#define IPNET_V4_BITS	96
struct ipnet {
	struct ipaddr	addr;
	uint8_t		bits;
};

/*
 * An address split at its last @.  All empty for <>.  As an entry of a set or
 * list, local.p is NULL for any local part (@example.org), and the domain may
 * begin with a dot (@.example.org).
 */
struct mailbox {
	struct str	text;	/* local@domain, the local part as it came */
	struct str	local;	/* unquoted */
	struct str	domain;	/* lower case, A-labels; empty if there was none */
};

struct value {
	union {
		bool		b;	/* T_BOOL */
		int64_t		n;	/* T_NUMBER, T_SIZE, T_DURATION, and the word of an enumeration */
		struct ipaddr	ip;	/* T_ADDR */
		struct ipnet	net;	/* operands of `in` only */
		struct str	s;	/* T_DOMAIN, T_TEXT, T_RAW */
		struct mailbox	mb;	/* T_ADDRESS */
	};
};

struct type {
	const char	*name;		/* as in the manual: "domain" */
	unsigned	 ops;		/* OP_BIT()s */
	int		 list;		/* enum list_type that `in NAME` takes, or -1 */
	const char *const *words;	/* of an enumeration, NULL-terminated; or NULL */
	const char	*manual;	/* one line for postern-rules(5) */
};

const struct type *type_of(enum type_id id);

/*
 * Reads a literal of the type, as an operand of `op`.
 *
 * a	where what the value points to is made
 * why	gets the whole message on failure: the thing, the reason, the mend ("'300.1' is
 *	not an IP address; write one like 192.0.2.1 or 2001:db8::1")
 *
 * Text is taken as it stands.  OP_IN_SET, OP_IN_NET and OP_IN_LIST (an entry
 * of a list of the type) read networks for T_ADDR (value.net; host bits set
 * are an error that shows the right form), `.example.org` for T_DOMAIN, and
 * `@example.org`, `@.example.org` for T_ADDRESS.  Numbers may have a unit that
 * fits the type: K M G for sizes, s m h d for durations.
 *
 * Returns 0, or -1.
 */
int type_parse(enum type_id id, enum op op, struct arena *a, struct str text,
    struct value *v, struct strbuf *why);

/*
 * The value as it reads in a reply, in a trace, in the log; type_parse() reads
 * it again.  Sizes are octets, durations have the largest unit that divides
 * them.
 */
void type_print(enum type_id id, const struct value *v, struct strbuf *out);

/*
 * One value against one operand: OP_IS, OP_IN_SET (one entry), OP_IN_NET,
 * OP_CONTAINS, OP_STARTS, OP_ENDS, OP_LT to OP_GE.  Case is folded as fold.h
 * says, local parts' too, but for T_RAW; an address is searched as
 * local@domain.
 */
bool type_test(enum type_id id, enum op op, const struct value *v, const struct value *operand);

/* Equal for values that OP_IS calls equal. */
uint64_t type_hash(enum type_id id, const struct value *v);

/* Reads "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1"; -1 if it is none. */
int ipaddr_parse(struct str s, struct ipaddr *ip);
void ipaddr_print(const struct ipaddr *ip, struct strbuf *out);
bool ipaddr_is_v4(const struct ipaddr *ip);
/* Clears the bits of the address that don't count. */
void ipnet_clear(struct ipnet *net);
bool ipnet_has(const struct ipnet *net, const struct ipaddr *ip);

/*
 * A domain name or HELO string in lower case and A-label form, in the arena;
 * p NULL without memory.  A label that IDNA 2008 refuses stays as it came, with
 * ASCII in lower case.  One trailing dot goes.
 */
struct str domain_normal(struct arena *a, struct str s);
/*
 * Can a host have that normal name (RFC 1035, 2.3.4, and 2.3.1 with the underscore
 * that some have)?  [192.0.2.1] is taken for one.
 */
bool domain_is_host(struct str normal);
/* entry is exact, or ".example.org": any name below it.  Both normal. */
bool domain_matches(struct str entry, struct str domain);

/*
 * Splits an address, with or without <>, at its last @ outside quotes.
 * Anything is taken: without @ all is local.  A source route is dropped (RFC
 * 5321, 4.1.1.3).  The result lives in the arena; text.p NULL without memory.
 */
struct mailbox mailbox_parse(struct arena *a, struct str s);
/*
 * Takes one layer off a client's path: comments and <> with what is around, or
 * else a source route (RFC 5321, 4.1.1.3); Postfix and Sendmail drop them all.  What is
 * left is a slice of path or in the arena, p NULL without memory.  False:
 * there was none.
 */
bool path_unwrap(struct arena *a, struct str *path);
/* What is left of the path without any of them: the address as written. */
struct str path_address(struct arena *a, struct str path);

#endif
