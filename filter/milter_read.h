/*
 * milter_read.h - what libmilter hands over, as the message model wants it.
 */
#ifndef FILTER_MILTER_READ_H
#define FILTER_MILTER_READ_H

#include "rules/mail.h"

struct connection;
struct smfi_str;
struct sockaddr;

/* Takes the macros of that stage (SMFIM_) that were asked for: of the connection, or of the message.  0, or -1 without memory. */
int milter_read_macros(struct smfi_str *ctx, struct connection *c, int stage);
/* A recipient's, copied into the message's arena. */
int milter_rcpt_macros(struct smfi_str *ctx, struct connection *c, struct param_list *list);

/* The client's name, if the MTA has verified it; p NULL otherwise. */
struct str milter_client_name(struct smfi_str *ctx, const char *host);

/* The address and port of an IP client; NULL if it came otherwise. */
const struct ipaddr *milter_client_address(const struct sockaddr *sa, struct ipaddr *ip, int *port);

#endif
