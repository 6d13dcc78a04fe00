/*
 * store_name.h - the address of a server that a name was given for.
 */
#ifndef FILTER_STORE_NAME_H
#define FILTER_STORE_NAME_H

#include "store.h"
#include "store_int.h"

#define STORE_ADDRESS	64		/* octets of an address in figures */

struct store_name;

/*
 * An address in figures stands for itself.  again: ms from one lookup to the next.  NULL without
 * memory.
 */
struct store_name *store_name_new(struct str host, msec again);
/* A lookup under way may go on, with what it needs.  NULL is allowed. */
void store_name_free(struct store_name *n);

/* The address; while it isn't known it is waited for until the deadline.  0, or -1 and why. */
int store_name_find(struct store_name *n, msec deadline, char address[STORE_ADDRESS],
    char why[STORE_WHY]);
/* Nobody was there: it is looked up again, for those who come later. */
void store_name_doubt(struct store_name *n);

#endif
