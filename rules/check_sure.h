/*
 * check_sure.h - what is known of a fact before any message comes.
 */
#ifndef RULES_CHECK_SURE_H
#define RULES_CHECK_SURE_H

#include "facts.h"

/* Has every message a value of it? */
bool fact_is_sure(const struct fact *f);
/* May it be that number? */
bool fact_may_be(const struct fact *f, int64_t n);
/* The classes of errors that it may be in, a bit each: 1 << ERR_LOOKUP ... */
unsigned fact_errors(const struct fact *f);

#endif
