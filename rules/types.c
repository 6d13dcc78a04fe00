/*
 * types.c - the types of facts: their names, their operators, their values.
 *
 * Reading literals is literal.c's; the forms of addresses and domains are
 * addr.c's, the folding of case fold.c's.
 */
#include "types.h"

#include <string.h>

#include "ast.h"
#include "fold.h"

/* ---- Descriptors ---- */

static const char *const spf_words[] = {
	"none", "neutral", "pass", "fail", "softfail", "temperror",
	"permerror", NULL
};
static const char *const dkim_words[] = {
	"pass", "temperror", "fail", "policy", "neutral", "permerror",
	"none", NULL
};
static const char *const dmarc_words[] = {
	"pass", "fail", "none", "temperror", "permerror", NULL
};
static const char *const dmarc_policy_words[] = {
	"none", "quarantine", "reject", NULL
};
static const char *const dmarc_method_words[] = { "spf", "dkim", NULL };
static const char *const arc_words[] = {
	"none", "pass", "fail", "temperror", NULL
};
static const char *const iprev_words[] = {
	"pass", "fail", "temperror", "permerror", NULL
};
static const char *const result_words[] = {
	"pass", "fail", "softfail", "neutral", "none", "policy", "temperror",
	"permerror", NULL
};
static const char *const part_words[] = {
	"from", "sender", "reply-to", "to", "cc", "date", "subject",
	"message-id", "in-reply-to", "references", "mime-version",
	"content-type", "content-transfer-encoding", "list-id",
	"list-unsubscribe", "list-unsubscribe-post", "body", NULL
};
static const char *const defect_words[] = {
	"base64", "quoted-printable", "encoding", "charset", "content-type",
	"parameter", "repeated-field", "header", "no-boundary", "unclosed",
	"archive", "bomb", "too-deep", "too-many-parts", "long-header",
	"too-much-text", "too-many-urls", "too-many-names", "archive-too-deep",
	"archive-unread", "header-cut", NULL
};
static const char *const weekday_words[] = {
	"monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
	"sunday", NULL
};

#define OPS_WORD	(OP_BIT(OP_SET) | OP_BIT(OP_IS) | OP_BIT(OP_IN_SET))
#define OPS_ORDER	(OPS_WORD | OP_BIT(OP_LT) | OP_BIT(OP_LE) | \
			    OP_BIT(OP_GT) | OP_BIT(OP_GE))
#define OPS_ADDR	(OPS_WORD | OP_BIT(OP_IN_NET) | OP_BIT(OP_IN_LIST))
#define OPS_TEXT	(OPS_WORD | OP_BIT(OP_IN_LIST) | OP_BIT(OP_MATCHES) | \
			    OP_BIT(OP_MATCHES_LIST) | OP_BIT(OP_CONTAINS) | \
			    OP_BIT(OP_STARTS) | OP_BIT(OP_ENDS))

static const struct type types[T_COUNT] = {
	[T_BOOL] = { "boolean", OP_BIT(OP_TRUE), -1, NULL,
	    "true or false; stands alone, without an operator" },
	[T_NUMBER] = { "number", OPS_ORDER, -1, NULL,
	    "a whole number" },
	[T_SIZE] = { "size", OPS_ORDER, -1, NULL,
	    "octets; literals may end in K, M or G (1,024, its square, its cube)" },
	[T_DURATION] = { "duration", OPS_ORDER, -1, NULL,
	    "seconds; literals may end in s, m, h or d" },
	[T_ADDR] = { "ip", OPS_ADDR, LIST_NETS, NULL,
	    "an IPv4 or IPv6 address; sets and lists hold networks too" },
	[T_DOMAIN] = { "domain", OPS_TEXT, LIST_DOMAINS, NULL,
	    "a domain name; in sets and lists .example.org is any name below it" },
	[T_ADDRESS] = { "address", OPS_TEXT, LIST_ADDRESSES, NULL,
	    "a mail address or <>; in sets and lists @example.org is any in it, @.example.org any below" },
	[T_TEXT] = { "text", OPS_TEXT, LIST_STRINGS, NULL,
	    "decoded text; case is ignored, but by patterns" },
	[T_RAW] = { "octets", OPS_TEXT, LIST_STRINGS, NULL,
	    "octets as they came; case counts" },
	[T_SPF] = { "spf-result", OPS_WORD, -1, spf_words,
	    "a result of SPF (RFC 7208, 2.6)" },
	[T_DKIM] = { "dkim-result", OPS_WORD, -1, dkim_words,
	    "a result of DKIM (RFC 8601, 2.7.1)" },
	[T_DMARC] = { "dmarc-result", OPS_WORD, -1, dmarc_words,
	    "a result of DMARC (RFC 7489, 11.2)" },
	[T_DMARC_POLICY] = { "dmarc-policy", OPS_WORD, -1, dmarc_policy_words,
	    "what a domain asks to be done with mail that fails DMARC" },
	[T_DMARC_METHOD] = { "dmarc-method", OPS_WORD, -1, dmarc_method_words,
	    "what DMARC rests on: spf or dkim" },
	[T_ARC] = { "arc-result", OPS_WORD, -1, arc_words,
	    "a result of ARC (RFC 8617, 4.4), or temperror" },
	[T_IPREV] = { "iprev-result", OPS_WORD, -1, iprev_words,
	    "what the client's address says of its name (RFC 8601, 2.7.3)" },
	[T_RESULT] = { "result", OPS_WORD, -1, result_words,
	    "what somebody stated of a method (RFC 8601, 2.7)" },
	[T_PART] = { "part", OPS_WORD, -1, part_words,
	    "a part of a message that a signature may cover: a header field, or body" },
	[T_DEFECT] = { "defect", OPS_WORD, -1, defect_words,
	    "what is broken in a message's MIME" },
	[T_WEEKDAY] = { "weekday", OPS_WORD, -1, weekday_words,
	    "a day of the week" },
};

static const char *const op_names[OP_COUNT] = {
	[OP_TRUE] = "standing alone", [OP_SET] = "is set", [OP_IS] = "is",
	[OP_IN_SET] = "in", [OP_IN_NET] = "in", [OP_IN_LIST] = "in",
	[OP_MATCHES] = "matches", [OP_MATCHES_LIST] = "matches",
	[OP_CONTAINS] = "contains", [OP_STARTS] = "starts with",
	[OP_ENDS] = "ends with", [OP_LT] = "<", [OP_LE] = "<=",
	[OP_GT] = ">", [OP_GE] = ">=",
};

const struct type *
type_of(enum type_id id)
{
	return &types[id];
}

const char *
op_name(enum op op)
{
	return op_names[op];
}

/* ---- Values ---- */

static void
print_duration(int64_t n, struct strbuf *out)
{
	static const struct { int64_t n; char c; } units[] = {
		{ 86400, 'd' }, { 3600, 'h' }, { 60, 'm' },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n != 0 && n % units[i].n == 0) {
			strbuf_printf(out, "%lld%c", (long long)(n / units[i].n),
			    units[i].c);
			return;
		}
	strbuf_printf(out, "%llds", (long long)n);
}

void
type_print(enum type_id id, const struct value *v, struct strbuf *out)
{
	switch (id) {
	case T_BOOL:
		strbuf_puts(out, v->b ? "true" : "false");
		break;
	case T_NUMBER:
	case T_SIZE:
		strbuf_printf(out, "%lld", (long long)v->n);
		break;
	case T_DURATION:
		print_duration(v->n, out);
		break;
	case T_ADDR:
		ipaddr_print(&v->ip, out);
		break;
	case T_DOMAIN:
	case T_TEXT:
	case T_RAW:
		strbuf_str(out, v->s);
		break;
	case T_ADDRESS:
		strbuf_str(out, v->mb.text.n > 0 ? v->mb.text : STR("<>"));
		break;
	case T_SPF:
	case T_DKIM:
	case T_DMARC:
	case T_DMARC_POLICY:
	case T_DMARC_METHOD:
	case T_ARC:
	case T_PART:
	case T_DEFECT:
	case T_IPREV:
	case T_RESULT:
	case T_WEEKDAY:
		strbuf_puts(out, types[id].words[v->n]);
		break;
	case T_COUNT:
		break;
	}
}

static bool
test_address(enum op op, const struct mailbox *mb, const struct mailbox *entry)
{
	switch (op) {
	case OP_CONTAINS:
		return fold_contains(mb->text, entry->text);
	case OP_STARTS:
		return fold_starts(mb->text, entry->text);
	case OP_ENDS:
		return fold_ends(mb->text, entry->text);
	default:
		/* @example.org does not stand for <>, nor for an address without domain. */
		if (entry->local.p == NULL && entry->domain.n > 0)
			return domain_matches(entry->domain, mb->domain);
		return str_ieq(mb->domain, entry->domain) &&
		    fold_eq(mb->local, entry->local);
	}
}

static bool
test_text(enum type_id id, enum op op, struct str s, struct str t)
{
	bool raw = id == T_RAW;

	switch (op) {
	case OP_CONTAINS:
		return raw ? str_find(s, t) >= 0 : fold_contains(s, t);
	case OP_STARTS:
		return raw ? s.n >= t.n && str_eq((struct str){ s.p, t.n }, t) :
		    fold_starts(s, t);
	case OP_ENDS:
		return raw ? s.n >= t.n &&
		    str_eq((struct str){ s.p + (s.n - t.n), t.n }, t) :
		    fold_ends(s, t);
	default:
		if (id == T_DOMAIN)
			return op == OP_IS ? str_ieq(s, t) : domain_matches(t, s);
		return raw ? str_eq(s, t) : fold_eq(s, t);
	}
}

static bool
test_number(enum op op, int64_t n, int64_t operand)
{
	switch (op) {
	case OP_LT:
		return n < operand;
	case OP_LE:
		return n <= operand;
	case OP_GT:
		return n > operand;
	case OP_GE:
		return n >= operand;
	default:
		return n == operand;
	}
}

bool
type_test(enum type_id id, enum op op, const struct value *v, const struct value *operand)
{
	switch (id) {
	case T_BOOL:
		return v->b == operand->b;
	case T_NUMBER:
	case T_SIZE:
	case T_DURATION:
	case T_SPF:
	case T_DKIM:
	case T_DMARC:
	case T_DMARC_POLICY:
	case T_DMARC_METHOD:
	case T_ARC:
	case T_PART:
	case T_DEFECT:
	case T_IPREV:
	case T_RESULT:
	case T_WEEKDAY:
		return test_number(op, v->n, operand->n);
	case T_ADDR:
		return op_takes_entry(op) ? ipnet_has(&operand->net, &v->ip) :
		    memcmp(&v->ip, &operand->ip, sizeof(v->ip)) == 0;
	case T_DOMAIN:
	case T_TEXT:
	case T_RAW:
		return test_text(id, op, v->s, operand->s);
	case T_ADDRESS:
		return test_address(op, &v->mb, &operand->mb);
	case T_COUNT:
		break;
	}
	return false;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	return (a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdu;
}

uint64_t
type_hash(enum type_id type, const struct value *v)
{
	switch (type) {
	case T_ADDR:
		return str_hash((struct str){ (const char *)v->ip.b, sizeof(v->ip.b) });
	case T_DOMAIN:
		return str_ihash(v->s);
	case T_ADDRESS:
		return mix(fold_hash(v->mb.local), str_ihash(v->mb.domain));
	case T_TEXT:
		return fold_hash(v->s);
	case T_RAW:
		return str_hash(v->s);
	default:
		return (uint64_t)v->n;
	}
}
