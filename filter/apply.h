/*
 * apply.h - from a plan to libmilter's calls and return codes.
 */
#ifndef FILTER_APPLY_H
#define FILTER_APPLY_H

#include "rules/rules.h"

struct connection;
struct smfi_str;

/*
 * What to return at a stage before the end of the message.
 *
 * p		what the session said; NULL: memory is out
 * no_reply	the SMFIP_NR_ bit of the step
 *
 * Sets a reply.  What can't be said here is kept in c for the next stage that can.
 */
int apply_stage(struct smfi_str *ctx, struct connection *c,
    const struct plan *p, unsigned long no_reply);

/* The same at the end of the message: first the changes. */
int apply_end(struct smfi_str *ctx, struct connection *c, const struct plan *p);

/* What to return from a step that says nothing: a header, the end of the headers ... */
int apply_quiet(const struct connection *c, unsigned long no_reply);

/* Sets a reply of our own. */
int apply_tempfail(struct smfi_str *ctx, const char *enhanced, const char *text);

/* Does this return code end the message, so that neither end nor abort will follow? At a recipient it never does. */
bool apply_ends_message(int status);

#endif
