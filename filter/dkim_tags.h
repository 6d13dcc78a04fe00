/*
 * dkim_tags.h - DKIM-Signature fields and key records, by the grammar of
 * RFC 6376, 3.2, 3.5 and 3.6.1.
 */
#ifndef FILTER_DKIM_TAGS_H
#define FILTER_DKIM_TAGS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "resolver.h"
#include "rules/mail.h"

struct arena;

enum dkim_algorithm { DKIM_A_RSA_SHA1, DKIM_A_RSA_SHA256, DKIM_A_ED25519 };

/*
 * What a signature says.  Strings in the arena, without blanks and folds; p NULL where it says
 * nothing.  Domains and selectors as A-labels (RFC 8616, 4).
 */
struct dkim_tags {
	struct str	domain, selector, algorithm;
	struct str	identity;	/* i=, else @d */
	struct str	tag;		/* the first 8 octets of b= (RFC 6008) */
	enum dkim_algorithm alg;
	bool		exact;		/* i= is of d= itself, not of a name below */
	bool		relaxed_header, relaxed_body;
	size_t		b_from, b_to;	/* where the value of b= stands in the raw field */
	struct str	body_hash;	/* bh=, decoded */
	bool		has_length;
	uint64_t	length;		/* l=; UINT64_MAX for any number that large */
	bool		has_timestamp;
	uint64_t	timestamp;	/* t= */
	struct str	names;		/* h=, once it is read: names with colons between */
	size_t		nheaders;	/* names in it */
	bool		beyond;		/* libopendkim would judge it wrongly: dkim_own.c does */
};

/*
 * Reads the field's value.  DKIM_R_PASS: nothing is wrong with it at `now`;
 * otherwise the result that the signature gets, and why.  Tags read before
 * the mistake are filled in.
 */
enum dkim_result dkim_read_signature(struct arena *a, struct str raw, time_t now,
    struct dkim_tags *t, struct str *why);

struct dkim_key {
	struct str	record;		/* written anew for libopendkim: "k=...; p=..."; p NULL where it is longer than it takes */
	struct str	octets;		/* the key: SubjectPublicKeyInfo, or the 32 octets of Ed25519 */
	int		bits;		/* 0 if there was no key */
};

/*
 * The key for the signature from the answer to q, which is waited for until the
 * deadline.  DKIM_R_PASS, or the result and why, in the arena.  Of several records those count that are keys; if they
 * differ, there is none.
 */
enum dkim_result dkim_read_key(struct arena *a, struct dns_query *q, msec deadline,
    const struct dkim_tags *t, struct dkim_key *key, struct str *why);

/* ---- What ARC's fields, which have the same grammar, are read with too ---- */

/* A tag list (RFC 6376, 3.2).  Names as written, values trimmed: slices of what was read. */
struct dkim_tag {
	struct str	name, value;
	bool		apart;		/* a blank stands before the = */
};
#define DKIM_TAGS_MAX	64
struct dkim_tag_list {
	struct dkim_tag	v[DKIM_TAGS_MAX];
	size_t		 n;
};

/* False if it is none.  What there is above ASCII, for keys any octets, is the caller's to look at. */
bool dkim_read_list(struct str s, struct dkim_tag_list *list);
/* A name with U-labels (RFC 8616, 4) as A-labels; any other as it is. */
struct str dkim_ascii_name(struct arena *a, struct str name);
/* Is there an octet above ASCII? */
bool dkim_is_eight_bit(struct str s);
/* p NULL if there is no such tag. */
struct str dkim_find_tag(const struct dkim_tag_list *list, const char *name);
/* Where in raw a tag's value stands, with the blanks around it; value: as read from raw. */
void dkim_find_value(struct str raw, struct str value, size_t *from, size_t *to);
/* A copy without any blanks and folds; p NULL without memory. */
struct str dkim_collapse(struct arena *a, struct str s);
/* Base64 without blanks, not empty? */
bool dkim_is_base64(struct str s);
/* Octets decoded, or -1 if it is none or longer than cap. */
int dkim_decode_base64(struct arena *a, struct str b64, unsigned char *out, size_t cap);
/* Does the list, separated by colons, hold the word (case ignored)? */
bool dkim_list_has(struct str list, const char *word);
/* Names of letters, digits, - and _, with dots between; at least `labels` of them. */
bool dkim_is_domain(struct str s, size_t labels);
/* 1 to max digits, saturated. */
bool dkim_read_number(struct str s, size_t max, uint64_t *v);
/* c=; p NULL stands for simple/simple. */
bool dkim_read_canonicalization(struct str s, bool *header_relaxed, bool *body_relaxed);
/* a=, in any case. */
bool dkim_read_algorithm(struct str s, enum dkim_algorithm *alg);
/* Takes the first name, which may be empty, off a list with colons between.  False: no more. */
bool dkim_next_name(struct str *list, struct str *name);
/* h=: names with colons between; 0 if there is a blank in one, or none at all. */
size_t dkim_count_names(struct str s);

#endif
