/*
 * zone_int.h - a zone in memory: between zone_read.c, which makes it, and
 * zone.c, which answers from it.
 */
#ifndef FILTER_ZONE_INT_H
#define FILTER_ZONE_INT_H

#include "zone.h"

#define ZONE_TYPE_SPF	99	/* RFC 7208, 3.1: old zones still have it */
#define ZONE_TYPE_ANY	255	/* of failures only */

/*
 * The name with its labels from the top down, each with its length: so all
 * names below one sort right behind it.
 */
struct zone_key {
	uint8_t	b[255];
	size_t	n;
};

struct zone_line {
	struct zone_key	key;
	unsigned	type;
	enum dns_status	failure;	/* DNS_OK: a record */
	size_t		number;
	uint8_t		*rdata;
	size_t		rdlen;
};

/* Both sorted by key, and then by line. */
struct zone {
	struct zone_line *record, *failure;
	size_t		nrecords, nfailures, room[2];
};

void zone_key_of(struct zone_key *k, const struct dns_name *d);
int zone_key_cmp(const struct zone_key *a, const struct zone_key *b);

#endif
