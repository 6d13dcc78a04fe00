/*
 * dnswire.h - DNS messages, octet by octet (RFC 1035, 4.1): what the
 * backends of the resolver share.  Only resolver*.c and zone*.c include it.
 */
#ifndef FILTER_DNSWIRE_H
#define FILTER_DNSWIRE_H

#include "resolver.h"

/* A name at wire level, uncompressed, ASCII letters in lower case. */
struct dns_name {
	uint8_t	w[255];
	size_t	n;		/* with the root's zero octet; 0: no name */
};

/* Room for any name in text form with its NUL: each octet may become \DDD. */
#define DNS_TEXT_MAX	1024

/*
 * Reads a name in text form; every octet but the dot stands for itself, and
 * one dot at the end is allowed.  -1 if it is none: empty, an empty label,
 * a label above 63 or a name above 253 octets.
 */
int dns_name_parse(struct dns_name *d, struct str text);

/*
 * Reads the name at *off of a message, following compression, and moves *off
 * behind it.  -1 where it is broken, too long or points forward.
 */
int dns_name_read(struct dns_name *d, const uint8_t *msg, size_t n, size_t *off);

/*
 * Writes the text form without the last dot, NUL-terminated; the root is the
 * empty string.  An octet that is not printable, and a backslash, blank or
 * dot within a label, become \DDD.  Returns the length.
 */
size_t dns_name_text(const struct dns_name *d, char text[DNS_TEXT_MAX]);

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);

/* Response codes (RFC 1035, 4.1.1): anything but OK and NXDOMAIN is a failure. */
enum {
	DNS_RCODE_OK = 0, DNS_RCODE_FORMERR = 1, DNS_RCODE_SERVFAIL = 2, DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4, DNS_RCODE_REFUSED = 5
};

/* What a failure's code says, in words. */
const char *dns_rcode_reason(int rcode);

/*
 * The answer to (name, type) that a response holds: CNAMEs followed, records
 * of other names and types passed over.  What can't be read, loops, is beyond
 * a limit or only refers to other servers becomes DNS_SERVFAIL with the reason.
 *
 * One block on the heap, for free(3); NULL without memory.  *size is its
 * length in octets.
 */
struct dns_answer *dns_answer_read(const uint8_t *msg, size_t n,
    const struct dns_name *name, enum dns_type type, bool secure,
    size_t *size);

/* An answer without records. Reason (copied) is in words, or "". */
struct dns_answer *dns_answer_empty(enum dns_status status, const char *reason,
    size_t *size);

/*
 * Writes a response: header and question.  add appends one record and counts
 * it.  What becomes longer than 65,535 octets is cut by neither: it is no
 * message to send, only one to hand over within the process.
 */
void dns_message_begin(struct strbuf *b, const struct dns_name *name,
    enum dns_type type, int rcode);
void dns_message_rcode(struct strbuf *b, int rcode);
void dns_message_add(struct strbuf *b, const struct dns_name *owner,
    unsigned type, uint32_t ttl, struct str rdata);

#endif
