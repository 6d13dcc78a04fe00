/*
 * negotiate.h - what an MTA is asked for.
 */
#ifndef FILTER_NEGOTIATE_H
#define FILTER_NEGOTIATE_H

struct connection;
struct smfi_str;

/*
 * Agrees with the MTA: the lesser of what the rules need (milter_prepare())
 * and what it offers; sets c->actions and c->steps, and the macros' lists.
 * Says once for each generation which rule lacks what.
 */
void negotiate(struct smfi_str *ctx, struct connection *c,
    unsigned long offered_actions, unsigned long offered_steps);

/* Does what was agreed suffice for c's generation? For a connection that comes without negotiation (SMFIC_QUIT_NC). */
int negotiate_suffices(const struct connection *c);

#endif
