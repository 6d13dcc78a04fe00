/*
 * print.h - the canonical form of a rules file.
 *
 * Reading what was printed and printing it again gives the same text: the
 * language tests hold the printer and the parser to each other.
 */
#ifndef RULES_PRINT_H
#define RULES_PRINT_H

#include "str.h"

struct ast;
struct cond;
struct action;
struct expect;

void print_ast(const struct ast *ast, struct strbuf *out);
/* On one line, for traces and diagnostics. */
void print_cond(const struct cond *c, struct strbuf *out);
void print_action(const struct action *act, struct strbuf *out);
void print_expect(const struct expect *e, struct strbuf *out);

#endif
