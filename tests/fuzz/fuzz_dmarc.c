/*
 * fuzz_dmarc.c - any From, any signer and any records through DMARC.
 *
 * The input is lines: a From field, the domains that SPF and DKIM stand for,
 * and then TXT records, handed out in turn to names on the way up from
 * a.b.example.org.  By both RFCs only what aligns may pass, and a record must
 * say one of the known things.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dmarc.h"
#include "filter/dmarc_record.h"
#include "filter/message.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

#define INPUT_MAX	60000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"_dmarc.a.b.example.org", "_dmarc.b.example.org", "_dmarc.example.org",
	"_dmarc.org", "_dmarc.c.example.org",
};

static struct str
next_line(struct str *rest)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	struct str s = { rest->p, n };

	n += end != NULL;
	*rest = (struct str){ rest->p + n, rest->n - n };
	return s;
}

static const struct mailbox_list *
parse_mailboxes(struct mail *m, struct str raw)
{
	return message_mailboxes(m->arena, raw);
}

static void
check_record(struct str txt, enum dmarc_spec spec)
{
	struct dmarc_record r;
	enum dmarc_record_kind kind = dmarc_record_read(txt, spec, &r);

	if ((unsigned)r.p > DMARC_P_REJECT || (unsigned)r.sp > DMARC_P_REJECT ||
	    (unsigned)r.np > DMARC_P_REJECT || strchr("ynu", r.psd) == NULL ||
	    (kind == DMARC_IS_BROKEN && r.defect == NULL) ||
	    (kind != DMARC_IS_OTHER && (txt.n == 0 || (*txt.p != 'v' && *txt.p != 'V'))))
		abort();
}

static void
add_txt(struct strbuf *zone, const char *name, struct str txt)
{
	strbuf_printf(zone, "%s TXT \"", name);
	for (size_t i = 0; i < txt.n; i++)
		strbuf_printf(zone, "\\%03u", (unsigned char)txt.p[i]);
	strbuf_puts(zone, "\"\n");
}

static void
check_answer(const struct dmarc_answer *d)
{
	if (d == NULL || (unsigned)d->result > DMARC_R_PERMERROR ||
	    (d->result == DMARC_R_PASS) != (d->spf_aligned || d->dkim_aligned) ||
	    (d->result == DMARC_R_FAIL && !d->has_policy) ||
	    (d->has_policy && d->domain.n == 0))
		abort();
}

static void
evaluate(enum dmarc_spec spec, struct str from, struct str id, struct resolver *r)
{
	static const struct mail_ops ops = { .mailboxes = parse_mailboxes };
	struct spf_answer spf = { .result = SPF_R_PASS, .domain = id };
	struct dkim_signature sig[] = {
		{ .result = DKIM_R_PASS, .domain = STR("c.example.org") },
		{ .result = DKIM_R_TEMPERROR, .domain = id },
	};
	struct dkim_answer dkim = { sig, 2 };
	struct dmarc_authors authors;
	struct strbuf why = { 0 };
	struct suffixes *list = suffixes_new(STR(""), &why);
	struct dmarc_engine *e = dmarc_engine_new(spec, list);
	struct dmarc_check *c;
	struct mail m;

	if (list == NULL || e == NULL || mail_init(&m, &ops, NULL) == -1 ||
	    mail_header(&m, STR("From"), from) == -1 ||
	    dmarc_authors_read(&m, &authors) == -1 ||
	    (c = dmarc_begin(e, r, m.arena, &authors)) == NULL)
		abort();
	dmarc_expect(c, id);
	if (dmarc_applies(c, clock_msec() + 1000))
		check_answer(dmarc_finish(c, &spf, &dkim, clock_msec() + 1000));
	else
		check_answer(dmarc_finish(c, NULL, NULL, clock_msec() + 1000));
	mail_free(&m);
	dmarc_engine_free(e);
	suffixes_free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, from, id, txt;
	struct strbuf zone = { 0 }, why = { 0 };
	struct resolver *r;
	size_t i;

	if (size > INPUT_MAX)
		return 0;
	from = next_line(&rest);
	id = next_line(&rest);
	for (i = 0; rest.n > 0 && i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		txt = next_line(&rest);
		check_record(txt, DMARC_RFC9989);
		check_record(txt, DMARC_RFC7489);
		if (txt.n > 0)
			add_txt(&zone, names[i % (sizeof(names) / sizeof(names[0]))], txt);
	}
	if ((r = resolver_zone_text(zone.n > 0 ? strbuf_slice(&zone) : STR(""), &why)) != NULL) {
		evaluate(DMARC_RFC9989, from, id, r);
		evaluate(DMARC_RFC7489, from, id, r);
	}
	resolver_free(r);
	strbuf_free(&zone);
	strbuf_free(&why);
	return 0;
}
