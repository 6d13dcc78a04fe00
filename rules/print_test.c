/*
 * print_test.c - `test` statements in canonical form: one item a line.
 */
#include "print.h"

#include "ast.h"
#include "print_int.h"

static const char *
item_word(enum item_kind kind)
{
	switch (kind) {
	case ITEM_CLIENT:
		return "client";
	case ITEM_NAME:
		return "name";
	case ITEM_HELO:
		return "helo";
	case ITEM_AUTH:
		return "auth";
	case ITEM_MESSAGE:
		return "message";
	case ITEM_ZONE:
		return "zone";
	case ITEM_TIME:
		return "time";
	case ITEM_SENDER:
		return "sender";
	case ITEM_RCPT:
		return "rcpt";
	case ITEM_HEADER:
		return "header";
	case ITEM_MACRO:
		return "macro";
	case ITEM_BODY:
		return "body";
	case ITEM_GIVEN:
		return "given";
	}
	return "?";
}

static void
print_item(struct strbuf *out, const struct item *i)
{
	strbuf_printf(out, "    %-6s ", item_word(i->kind));
	switch (i->kind) {
	case ITEM_SENDER: case ITEM_RCPT:
		print_path(out, &i->value);
		break;
	case ITEM_HEADER: case ITEM_MACRO:
		strbuf_str(out, i->name.text);
		strbuf_putc(out, ' ');
		print_operand(out, &i->value);
		break;
	case ITEM_GIVEN:
		print_fact(out, &i->fact);
		strbuf_putc(out, ' ');
		print_operand(out, &i->value);
		break;
	default:
		print_operand(out, &i->value);
		break;
	}
	strbuf_putc(out, '\n');
}

static const char *
verdict_word(enum expect_verdict v)
{
	switch (v) {
	case EXPECT_ACCEPT:
		return "accept";
	case EXPECT_REJECT:
		return "reject";
	case EXPECT_TEMPFAIL:
		return "tempfail";
	case EXPECT_DISCARD:
		return "discard";
	case EXPECT_QUARANTINE:
		return "quarantine";
	case EXPECT_SPLIT:
		return "split";
	case EXPECT_EDIT:
		break;
	}
	return "?";
}

void
print_expect(const struct expect *e, struct strbuf *out)
{
	strbuf_puts(out, "expect ");
	if (e->rcpt != NULL) {
		strbuf_puts(out, "rcpt ");
		print_path(out, e->rcpt);
		strbuf_putc(out, ' ');
	}
	if (e->verdict == EXPECT_EDIT)
		print_action(e->edit, out);
	else
		strbuf_puts(out, verdict_word(e->verdict));
	if (e->code != 0)
		strbuf_printf(out, " %d", e->code);
	if (e->by.text.p != NULL) {
		strbuf_puts(out, " by ");
		strbuf_str(out, e->by.text);
	}
	if (e->stage_name.text.p != NULL) {
		strbuf_puts(out, " at ");
		strbuf_str(out, e->stage_name.text);
	}
}

void
print_test(struct strbuf *out, const struct test *t)
{
	strbuf_puts(out, "test ");
	print_string(out, t->name);
	strbuf_putc(out, '\n');
	for (const struct item *i = t->items; i != NULL; i = i->next)
		print_item(out, i);
	for (const struct expect *e = t->expects; e != NULL; e = e->next) {
		strbuf_puts(out, "    ");
		print_expect(e, out);
		strbuf_putc(out, '\n');
	}
}
