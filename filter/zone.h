/*
 * zone.h - answers from a file, for tests and judge: no server, no waiting.
 */
#ifndef FILTER_ZONE_H
#define FILTER_ZONE_H

#include "dnswire.h"

struct zone;

/*
 * Reads the text of a zone file.  One record a line:
 *
 *	NAME A|AAAA|CNAME|NS|PTR|MX|SOA|TXT|SPF data
 *	NAME TYPE SERVFAIL|TIMEOUT	every question of that type fails so
 *	NAME * SERVFAIL|TIMEOUT|NXDOMAIN	every question for the name
 *
 * TXT data are strings in double quotes, joined without a blank; \" \\ and
 * \DDD are escapes, in names \DDD too.  Lines that begin with # or ; are
 * comments, and so is what follows one of them after the data.
 *
 * NULL on the first wrong line, with its number in *why, or without memory.
 */
struct zone *zone_parse(struct str text, struct strbuf *why);
void zone_free(struct zone *z);

/*
 * The answer to a question, as dns_answer_read(); a name above one with
 * records exists, without data (RFC 8020, 2).  NULL without memory.
 */
struct dns_answer *zone_answer(const struct zone *z,
    const struct dns_name *name, enum dns_type type, size_t *size);

#endif
