/*
 * facts.h - the table of facts: what a rule may ask of a message.
 *
 * One row in facts.def makes a fact: the listing, the manual, the checks and
 * the tests that demand a hit and a miss all come from it.
 */
#ifndef RULES_FACTS_H
#define RULES_FACTS_H

#include "str.h"
#include "types.h"

struct mail;

/*
 * When a fact is known, and when a verdict may be given, in their order.
 * What HELO and TLS tell is final at MAIL only, since a client may say EHLO again.
 */
enum stage {
	S_CONNECT, S_MAIL, S_RCPT, S_DATA,
	S_HEADERS,	/* end of the headers: comes after the dot, cannot reply */
	S_MESSAGE,	/* end of the message */
	S_COUNT
};
const char *stage_name(enum stage s);	/* "connect" ... "headers", "message" */

/* Whose a fact is: as long as it lasts. */
enum scope { P_CONN, P_MSG, P_RCPT };

/* What it takes to know it; cheap things are looked at first. */
enum cost { C_MEM, C_SCAN, C_DNS, C_STORE };

enum {
	F_LIST	= 1 << 0,	/* may have several values */
	F_MANY	= 1 << 26,	/* so may one thing's, inside has */
	F_KEY	= 1 << 1,	/* takes ["key"] */
	F_OWN	= 1 << 2,	/* the evaluator's: score, matched */
	F_SPF	= 1 << 3,	/* asks for SPF of the sender */
	F_SPFHELO = 1 << 4,	/* asks for SPF of HELO */
	F_DKIM	= 1 << 5,
	F_HEADERS = 1 << 6,	/* needs the header fields */
	F_RAWBODY = 1 << 7,	/* needs the stored body */
	F_SIZE	= 1 << 8,	/* needs body chunks to be counted */
	F_SIG	= 1 << 9,	/* a part of dkim.signature */
	F_IPREV	= 1 << 12,	/* asks for the client's confirmed name */
	F_DMARC	= 1 << 10,	/* asks for DMARC, which rests on SPF and DKIM */
	F_ARC	= 1 << 11,	/* asks for ARC */
	F_DNSBL	= 1 << 13,	/* key is a list in the DNS */
	F_COUNTRY = 1 << 14,	/* asks databases about the client's address */
	F_ASN	= 1 << 15,
	F_CONTENT = 1 << 16,	/* needs the body decoded; what of it: */
	F_TEXT	= 1 << 17,	/* text */
	F_HTML	= 1 << 18,	/* the source of HTML */
	F_URLS	= 1 << 19,
	F_MAGIC	= 1 << 20,	/* libmagic */
	F_ARCHIVE = 1 << 21,	/* names inside archives */
	F_ATTACHMENT = 1 << 22,	/* a part of attachment */
	F_URL	= 1 << 23,	/* a part of url */
	F_LOST	= 1 << 27	/* in error while the result that it is a part of is temperror */
};

/* What is remembered from one message to the next: the store is asked, and told. */
enum {
	F_RATE	= 1 << 24,	/* key with facts, and a limit */
	F_GREYLIST = 1 << 25
};

#define F_GEO		(F_COUNTRY | F_ASN)
#define F_STORED	(F_RATE | F_GREYLIST)
#define F_ON_DMARC	(F_DMARC | F_SPF | F_DKIM | F_HEADERS)

/* What `any THING has (...)` goes through. */
enum thing {
	THING_NONE = -1, THING_RCPT, THING_SIGNATURE, THING_ATTACHMENT,
	THING_URL, THING_COUNT
};
const char *thing_name(enum thing t);	/* "rcpt", "dkim.signature" */

enum fact_status { FACT_KNOWN, FACT_UNSET, FACT_PENDING, FACT_ERROR };

/* The defects of mime.defect, in the order of T_DEFECT's words. */
enum mime_defect {
	DEFECT_BASE64, DEFECT_QUOTED_PRINTABLE, DEFECT_ENCODING, DEFECT_CHARSET,
	DEFECT_CONTENT_TYPE, DEFECT_PARAMETER, DEFECT_REPEATED_FIELD, DEFECT_HEADER,
	DEFECT_NO_BOUNDARY, DEFECT_UNCLOSED, DEFECT_ARCHIVE, DEFECT_BOMB,
	DEFECT_TOO_DEEP, DEFECT_TOO_MANY_PARTS, DEFECT_LONG_HEADER, DEFECT_TOO_MUCH_TEXT,
	DEFECT_TOO_MANY_URLS, DEFECT_TOO_MANY_NAMES, DEFECT_ARCHIVE_TOO_DEEP,
	DEFECT_ARCHIVE_UNREAD, DEFECT_HEADER_CUT, DEFECTS
};
#define DEFECT_BIT(d)	(UINT32_C(1) << (d))

/* The limits among them, by what there may be more of than was found. */
#define CUT_PARTS	(DEFECT_BIT(DEFECT_TOO_DEEP) | DEFECT_BIT(DEFECT_TOO_MANY_PARTS) | \
			    DEFECT_BIT(DEFECT_HEADER_CUT))
#define CUT_NAMES	(CUT_PARTS | DEFECT_BIT(DEFECT_LONG_HEADER))
#define CUT_TEXTS	(CUT_PARTS | DEFECT_BIT(DEFECT_TOO_MUCH_TEXT))
#define CUT_URLS	(CUT_TEXTS | DEFECT_BIT(DEFECT_TOO_MANY_URLS))
#define CUT_ARCHIVES	(CUT_PARTS | DEFECT_BIT(DEFECT_TOO_MANY_NAMES) | \
			    DEFECT_BIT(DEFECT_ARCHIVE_TOO_DEEP) | DEFECT_BIT(DEFECT_ARCHIVE_UNREAD))

/* What failed, for `set on-error`. */
enum error_class { ERR_LOOKUP, ERR_DNSBL, ERR_STORE, ERR_LIMIT, ERR_CLASSES };
const char *error_class_name(enum error_class c);

/* Where a getter puts what it found. */
struct answer {
	const struct value *v;	/* n values; &one if there is one */
	size_t		 n;
	struct value	 one;
	size_t		 doubts;	/* behind the n values: those it may have, had a lookup not failed */
	bool		 truncated;	/* cut at a limit: what isn't found in it is ERR_LIMIT */
	enum error_class error;	/* with FACT_ERROR */
};

/* The key of header["X"], folded as the fact likes it; empty without one. */
struct fact_arg {
	struct str	key;
};

/* What is behind a thing. */
struct thing_def {
	const char	*name;
	const char	*word;		/* in messages: "signature" */
	enum stage	 stage;		/* at which it is known how many there are */
	enum cost	 cost;
	enum error_class error;		/* of a count that can't be had */
	/* How many; *cut: there may be more.  Answers and waits like a getter. */
	enum fact_status (*count)(struct mail *m, size_t *n, bool *cut);
};
extern const struct thing_def things[THING_COUNT];

typedef enum fact_status fact_getter(struct mail *m, const struct fact_arg *arg,
    struct answer *out);

struct fact {
	const char	*name;
	enum type_id	 type;
	enum stage	 stage;
	enum scope	 scope;
	enum cost	 cost;
	fact_getter	*get;	/* NULL for F_OWN and F_STORED */
	unsigned	 flags;
	enum thing	 thing;	/* the thing it is a part of */
	const char	*manual;
};

extern const struct fact facts[];
extern const size_t nfacts;

/*
 * When a macro is known, and whose it is in *scope; braces in the name or not.
 * What no MTA sends at a set time counts as known at MAIL.
 */
enum stage macro_stage(struct str name, enum scope *scope);

/* The fact of that name, or NULL. */
const struct fact *fact_find(struct str name);
/* The part `thing`.`name`, or the thing itself where it is a fact, for names inside has ( ... ); or NULL. */
const struct fact *fact_find_in(enum thing t, struct str name);

#endif
