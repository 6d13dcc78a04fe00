/*
 * report.h - the log's line of a message or of a refused recipient.
 */
#ifndef FILTER_REPORT_H
#define FILTER_REPORT_H

struct connection;
struct recipient;

/* One line about what c->said; r: the refused recipient that it is about, or NULL: the message. */
void report(const struct connection *c, struct recipient *r);

#endif
