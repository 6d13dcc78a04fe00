/*
 * print_int.h - what the files of the printer share.
 */
#ifndef RULES_PRINT_INT_H
#define RULES_PRINT_INT_H

#include <stddef.h>

#include "str.h"

struct fact_ref;
struct operand;
struct test;

/* s with escapes and quotes. */
void print_string(struct strbuf *out, struct str s);
void print_operand(struct strbuf *out, const struct operand *o);
/* With <>, unless it was written as a string. */
void print_path(struct strbuf *out, const struct operand *o);
void print_fact(struct strbuf *out, const struct fact_ref *f);

void print_test(struct strbuf *out, const struct test *t);

#endif
