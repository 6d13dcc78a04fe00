/*
 * property.c - a stage is only an optimisation: random rules files and random
 * mail, judged stage by stage, with everything in hand, and by a naive reading
 * of the file that knows nothing of stages.
 *
 * All three must give each recipient that isn't split the same verdict, rule,
 * reply and edits, and the log the same to say; what an early reply overtook may be
 * missing there, but nothing may be false.  And mode monitor must tell of each recipient and of
 * the message what becomes of them when the file is enforced.  A case that fails is made as small as it can be and
 * printed with its seed.
 *
 *	PROPERTY_CASES=20000 PROPERTY_SEED=7 build/tests/property/property
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/eval.h"
#include "rules/mail.h"
#include "rules/rules.h"
#include "rules/tables.h"

#define MAX_RULES	9
#define MAX_RCPTS	5
#define MAX_FIELDS	4

/* ---- A case ---- */

struct testcase {
	char		 settings[1024];
	char		 rules[MAX_RULES][1024];
	int		 nrules;
	bool		 has_ip, by_smtp, auth, has_helo, helo_twice, rset_first;
	int		 ip, helo, sender, hour;
	int		 rcpts[MAX_RCPTS], nrcpts;
	int		 fields[MAX_FIELDS], field_values[MAX_FIELDS], nfields;
	int		 body;
	int		 spf, spf_helo, nsigs, sigs[2];
	int		 arc, dmarc, iprev;
	int		 dnsbl, rhsbl, country;
	unsigned	 patience;	/* bit n: the lookup n is not there before it is waited for */
	bool		 headers_cut, body_cut;
	int		 before;	/* messages that the store has counted under each key */
	unsigned	 grey;		/* who is delayed */
	bool		 store_fails;
};

static uint64_t rng;
static char database[] = "/tmp/postern-property-XXXXXX";	/* the beginning of one is enough to name it */
static bool dense;	/* few facts and many scores, so that they meet */
static bool early;	/* all is known at RCPT, where greylist is asked */

static unsigned
rnd(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

static const char *const helos[] = { "a.example", "b.example", "[192.0.2.7]", "c.d.example" };
static const char *const senders[] = { "<x@s1.example>", "<>", "<Y@S2.example>", "<bob+d@r.example>" };
static const char *const rcpts[] = { "<bob@r.example>", "<carol@r.example>", "<postmaster@r.example>",
	"<bob+tag@q.example>", "<dave@r.example>" };
static const char *const field_names[] = { "Subject", "X-A", "From", "X-B" };
static const char *const field_values[] = { " x", " hello x\n there", " <u@s1.example>", " !limit", " y", "" };
static const char *const bodies[] = { "", "b\r\n", "plain text\r\nwith b\r\n", "zzzz" };

/* ---- Random rules ---- */

static void random_cond(char *out, size_t n, int rule, int depth);

static void
random_compare(char *out, size_t n, int rule)
{
	static const char *const leaves[] = {
		"client.ip in 192.0.2.0/24", "client.ip is set", "client.ip is not 192.0.2.1",
		"helo is a.example", "helo in { b.example .d.example }", "helo.ip is set",
		"sender is <>", "sender.domain is s1.example", "sender.local is not y",
		"auth.user is set", "spf is fail", "spf is not pass", "spf in { fail softfail }",
		"spf.helo is pass", "spf.explanation is set",
		"client.iprev is pass", "client.iprev is not fail", "client.confirmed-name is set",
		"client.confirmed-name is s1.example",
		"rcpt.local is bob", "rcpt.domain is r.example", "rcpt.detail is set",
		"rcpt in people", "sender in people", "any rcpt in people", "rcpt in away", "any rcpt in away",
		"not sender in away", "any rcpt.local is bob", "every rcpt.domain is r.example",
		"any rcpt has ( local is bob and domain is q.example )", "rcpt.count > 1",
		"subject contains \"x\"", "subject is set", "subject matches /(h.*) x/",
		"header[\"X-A\"] is x", "header[\"X-A\"] not in words", "header.count[\"X-B\"] >= 1",
		"raw.header[\"Subject\"] ends with x", "from.domain is s1.example",
		"raw.body contains \"b\"", "raw.body matches /z+/", "size > 40",
		"body contains \"b\"", "body not matches /z+/", "attachment.count > 0",
		"attachment.name is a.zip", "any attachment has ( name is a.zip and size < 100 )",
		"every attachment has ( size < 1000 )", "any url has ( domain is s1.example and host is h.s1.example )",
		"url.domain is not s1.example", "mime.defect is base64", "archive.name is set", "archive.encrypted",
		"dkim is pass", "dkim is not fail", "dkim.domain is s1.example",
		"any dkim.signature has ( result is fail and domain is s2.example )",
		"arc is pass", "arc is not fail", "arc.sealer is s1.example",
		"arc.result[\"dmarc\"] is pass", "any arc.result[\"dkim\"] is fail",
		"dmarc is fail", "dmarc is not pass", "dmarc in { fail none permerror }",
		"dmarc is temperror", "dmarc.policy is reject", "dmarc.domain is set",
		"dmarc.testing", "any dmarc.aligned-by is spf", "dmarc.aligned-by is not dkim",
		"dnsbl[\"bl.example\"] is set", "dnsbl[\"bl.example\"] is 127.0.0.2",
		"not dnsbl[\"bl.example\"] in 127.0.0.4/30", "any dnsbl[\"bl.example\"] is 127.0.0.4",
		"dnsbl.text[\"bl.example\"] contains \"l\"", "rhsbl[\"rh.example\"] is not set",
		"geo.country is DE", "geo.country not in { US FR }", "geo.asn >= 64500",
		"time.hour < 12", "macro[\"j\"] is set", "queue.id is set",
	};
	static const char *const rates[] = {
		"rate[\"${client.ip}\", 1 per 1h]", "rate[\"${client.ip}\", 2 per 1h]",
		"rate[\"${rcpt.domain}\", 2 per 1h]", "rate[\"${sender} ${rcpt.local}\", 1 per 1h]",
		"rate[\"${spf} ${rcpt.domain}\", 1 per 1h]", "rate[\"${rcpt.detail}\", 1 per 1m]",
	};
	static const char *const late_rates[] = {
		"rate[\"${subject}\", 1 per 1h]", "rate[\"${header[\"X-A\"]} ${rcpt.domain}\", 2 per 1h]",
		"rate[\"${dkim} ${rcpt.domain}\", 2 per 1h]",
	};
	static const char *const early_leaves[] = {
		"greylist", "greylist", "greylist", "client.ip in 192.0.2.0/24", "helo is a.example",
		"sender is <>", "spf is fail", "spf.helo is pass", "auth.user is set", "rcpt.local is bob",
		"rcpt.domain is r.example", "rcpt in people", "rcpt in away", "time.hour < 12",
	};
	static const char *const few[] = {
		"rcpt.local is bob", "rcpt.domain is r.example", "subject contains \"x\"",
		"header[\"X-A\"] is x", "spf is fail", "any rcpt.local is bob", "raw.body contains \"b\"",
	};

	if (rule > 0 && rnd(8) == 0)
		snprintf(out, n, "matched[\"r%u\"]", rnd((unsigned)rule));
	else if (rnd(dense ? 3 : 6) == 0)
		snprintf(out, n, "score %s %d", (const char *[]){ ">=", "<", "is", ">" }[rnd(4)],
		    (int)rnd(7) - 1);
	else if (rnd(12) == 0)
		snprintf(out, n, "%s", rates[rnd(sizeof(rates) / sizeof(rates[0]))]);
	else if (early)
		snprintf(out, n, "%s", early_leaves[rnd(sizeof(early_leaves) / sizeof(early_leaves[0]))]);
	else if (rnd(24) == 0)
		snprintf(out, n, "%s", late_rates[rnd(sizeof(late_rates) / sizeof(late_rates[0]))]);
	else if (dense)
		snprintf(out, n, "%s", few[rnd(sizeof(few) / sizeof(few[0]))]);
	else
		snprintf(out, n, "%s", leaves[rnd(sizeof(leaves) / sizeof(leaves[0]))]);
}

static void
random_cond(char *out, size_t n, int rule, int depth)
{
	char a[200], b[200];

	if (depth == 0 || rnd(2) == 0) {
		random_compare(out, n, rule);
		return;
	}
	random_cond(a, sizeof(a), rule, depth - 1);
	random_cond(b, sizeof(b), rule, depth - 1);
	switch (rnd(3)) {
	case 0:
		snprintf(out, n, "( %s ) and ( %s )", a, b);
		break;
	case 1:
		snprintf(out, n, "( %s ) or ( %s )", a, b);
		break;
	default:
		snprintf(out, n, "not ( %s )", a);
		break;
	}
}

/* What the lists of a condition say may stand in its rule's texts. */
static const char *
random_text(const char *cond)
{
	static const char *const texts[] = {
		"no", "no ${rcpt}", "no ${subject}", "score ${score}", "spf ${spf}", "${helo} ${sender}",
		"100%% ${header}", "no ${rcpt.detail}"
	};
	unsigned i = rnd(sizeof(texts) / sizeof(texts[0]));

	if (dense && rnd(2) == 0)
		return "score ${score}";
	if (strstr(cond, "in people") != NULL && rnd(2) == 0)
		return "people ${table.people}";
	if (strstr(cond, "in away") != NULL && rnd(2) == 0)
		return "away ${table.away}";
	return i == 6 ? "100% no" : texts[i];
}

static void
random_rule(char *out, size_t n, int rule)
{
	static const char *const others[] = {
		"tag subject \"[T]\"", "add header X-New \"${rcpt}\"", "add header X-New \"v\"",
		"set header X-A \"${subject}\"", "remove header X-B", "add rcpt <new@r.example>",
		"remove rcpt", "redirect <other@r.example>", "set sender <z@s.example>", "log \"l ${spf}\"",
		"log \"l ${score} ${dmarc} ${rcpt}\"",
	};
	char cond[450] = "", acts[300] = "";
	unsigned n_others = rnd(3), final = rnd(9);
	size_t len = 0;

	if (rnd(8) != 0)
		random_cond(cond, sizeof(cond), rule, 2);
	for (unsigned i = 0; i < n_others; i++) {
		if (rnd(2) == 0)
			len += (size_t)snprintf(acts + len, sizeof(acts) - len, "\n    then score %+d", (int)rnd(7) - 2);
		else
			len += (size_t)snprintf(acts + len, sizeof(acts) - len, "\n    then %s%s",
			    rnd(8) == 0 ? "would " : "", others[rnd(sizeof(others) / sizeof(others[0]))]);
	}
	switch (final) {
	case 0:
		snprintf(acts + len, sizeof(acts) - len, "\n    then accept");
		break;
	case 1:
	case 2:
		snprintf(acts + len, sizeof(acts) - len, "\n    then reject \"%s\"", random_text(cond));
		break;
	case 3:
		snprintf(acts + len, sizeof(acts) - len, "\n    then tempfail 450 4.7.0 \"a\" \"%s\"", random_text(cond));
		break;
	case 4:
		snprintf(acts + len, sizeof(acts) - len, "\n    then discard");
		break;
	case 5:
		snprintf(acts + len, sizeof(acts) - len, "\n    then quarantine \"%s\"", random_text(cond));
		break;
	case 6:
		snprintf(acts + len, sizeof(acts) - len, "\n    then would reject \"no\"");
		break;
	default:
		break;
	}
	snprintf(out, n, "rule r%d%s%s%s\n", rule, cond[0] ? "\n    if " : "", cond, acts);
}

static void
random_case(struct testcase *c)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->settings, sizeof(c->settings),
	    "set mixed-recipients %s\nset earliest-reply %s\nset on-error limit %s\nset on-error store %s\nset on-error lookup %s\n"
	    "set on-error dnsbl %s\nset geo-database %s\nset split-limit %u\n"
	    "addresses people = carol@r.example cdb \"people\"\naddresses away = lmdb \"away\" y@s1.example\nstrings words = x \"hello x there\"\n",
	    (const char *[]){ "split", "strictest", "exempt-wins" }[rnd(3)],
	    (const char *[]){ "connect", "mail", "rcpt" }[rnd(3)],
	    (const char *[]){ "tempfail", "accept", "skip" }[rnd(3)],
	    (const char *[]){ "tempfail", "accept", "skip" }[rnd(3)],
	    (const char *[]){ "tempfail", "accept", "skip" }[rnd(3)],
	    (const char *[]){ "tempfail", "accept", "skip" }[rnd(3)], database, rnd(4));
	c->nrules = 1 + (int)rnd(MAX_RULES);
	dense = rnd(2) == 0;
	early = rnd(4) == 0;
	for (int i = 0; i < c->nrules; i++)
		random_rule(c->rules[i], sizeof(c->rules[i]), i);
	c->has_ip = rnd(8) != 0;
	c->by_smtp = rnd(10) != 0;
	c->auth = rnd(6) == 0;
	c->has_helo = rnd(10) != 0;
	c->helo_twice = rnd(3) == 0;
	c->rset_first = rnd(4) == 0;
	c->ip = (int)rnd(3);
	c->helo = (int)rnd(4);
	c->sender = (int)rnd(4);
	c->hour = (int)rnd(24);
	c->nrcpts = 1 + (int)rnd(MAX_RCPTS);
	for (int i = 0; i < c->nrcpts; i++)
		c->rcpts[i] = (int)rnd(5);
	c->nfields = (int)rnd(MAX_FIELDS + 1);
	for (int i = 0; i < c->nfields; i++) {
		c->fields[i] = (int)rnd(4);
		c->field_values[i] = (int)rnd(6);
	}
	c->body = (int)rnd(4);
	c->spf = (int)rnd(7);
	c->spf_helo = (int)rnd(7);
	c->nsigs = (int)rnd(3);
	c->sigs[0] = (int)rnd(7);
	c->sigs[1] = (int)rnd(7);
	c->arc = (int)rnd(4);
	c->dmarc = (int)rnd(5 * 4);
	c->iprev = (int)rnd(4);
	c->dnsbl = (int)rnd(4);
	c->rhsbl = (int)rnd(4);
	c->country = (int)rnd(3);
	c->patience = rnd(256);
	c->headers_cut = rnd(12) == 0;
	c->body_cut = rnd(12) == 0;
	c->before = (int)rnd(3);
	c->grey = rnd(4);
	c->store_fails = rnd(8) == 0;
}

static void
print_case(const struct testcase *c, FILE *f)
{
	fprintf(f, "%s", c->settings);
	for (int i = 0; i < c->nrules; i++)
		fputs(c->rules[i], f);
	fprintf(f, "# client %s helo %s%s sender %s%s%s%s hour %d\n# rcpts", c->has_ip ?
	    (const char *[]){ "192.0.2.1", "198.51.100.1", "2001:db8::1" }[c->ip] : "none",
	    c->has_helo ? helos[c->helo] : "none", c->helo_twice ? " (second)" : "",
	    senders[c->sender], c->auth ? " auth" : "", c->by_smtp ? "" : " not-smtp",
	    c->rset_first ? " after-rset" : "", c->hour);
	for (int i = 0; i < c->nrcpts; i++)
		fprintf(f, " %s", rcpts[c->rcpts[i]]);
	for (int i = 0; i < c->nfields; i++)
		fprintf(f, "\n# %s:%s", field_names[c->fields[i]], field_values[c->field_values[i]]);
	fprintf(f, "\n# body %d spf %d helo %d sigs %d (%d %d) arc %d dmarc %d iprev %d patience %x cut %d %d\n", c->body, c->spf,
	    c->spf_helo, c->nsigs, c->sigs[0], c->sigs[1], c->arc, c->dmarc, c->iprev, c->patience, c->headers_cut, c->body_cut);
	fprintf(f, "# dnsbl %d rhsbl %d country %d\n", c->dnsbl, c->rhsbl, c->country);
	fprintf(f, "# store %d before, delays %x%s\n", c->before, c->grey, c->store_fails ? ", fails" : "");
}

/* ---- The mail of a case ---- */

struct world {
	struct content	 content;
	const struct testcase *c;
	struct { char key[300]; uint64_t n; } counted[64];
	size_t	ncounted;
	unsigned greylisted;	/* recipients, a bit each */
	struct spf_answer spf[2];
	struct dkim_signature sigs[2];
	struct dkim_answer dkim;
	struct arc_answer arc;
	struct dmarc_answer dmarc;
	struct iprev_answer iprev;
	struct value codes[2];
	struct dnsbl_answer lists[2];
	struct geo_answer geo;
	bool	waited[8];
};

static bool
there(struct mail *m, int what)
{
	struct world *w = m->ctx;

	if (m->may_wait)
		w->waited[what] = true;
	return w->waited[what] || (w->c->patience & (1u << what)) == 0;
}

static const struct spf_answer *
fake_spf(struct mail *m, enum spf_identity id)
{
	return there(m, (int)id) ? &((struct world *)m->ctx)->spf[id] : NULL;
}

static const struct dkim_answer *
fake_dkim(struct mail *m)
{
	return there(m, 2) ? &((struct world *)m->ctx)->dkim : NULL;
}

/* By its body a message holds nothing, a text, two files, or links. */
static const struct content *
fake_content(struct mail *m)
{
	static const struct str texts[] = { { "b", 1 }, { "zzz", 3 } };
	static const struct value names[] = { { .s = { "a.zip", 5 } }, { .s = { "b.exe", 5 } } };
	static const struct attachment files[] = {
		{ names, 1, { "application/zip", 15 }, { NULL, 0 }, 5000, true },
		{ names, 2, { "a/b", 3 }, { NULL, 0 }, 50, false },
	};
	static const struct url urls[] = {
		{ { "http://s1.example/", 18 }, { "s1.example", 10 }, { "s1.example", 10 } },
		{ { "http://h.s1.example/", 20 }, { "h.s1.example", 12 }, { "s1.example", 10 } },
	};
	struct world *w = m->ctx;
	int body = w->c->body;

	w->content = (struct content){ .texts = texts, .ntexts = (size_t)body % 3,
	    .attachments = files, .nattachments = body == 2 ? 2 : body == 3 ? 1 : 0,
	    .urls = urls, .nurls = body > 0 ? 1 + (size_t)body % 2 : 0,
	    .archive_names = texts, .narchive_names = body == 3, .encrypted = body == 3,
	    .defects = (body == 1 ? DEFECT_BIT(DEFECT_BASE64) : 0) |
		(w->c->body_cut ? DEFECT_BIT(DEFECT_TOO_MANY_PARTS) : 0) };
	return &w->content;
}

static const struct arc_answer *
fake_arc(struct mail *m)
{
	return there(m, 4) ? &((struct world *)m->ctx)->arc : NULL;
}

static const struct dmarc_answer *
fake_dmarc(struct mail *m)
{
	return there(m, 5) ? &((struct world *)m->ctx)->dmarc : NULL;
}

static const struct iprev_answer *
fake_iprev(struct mail *m)
{
	return there(m, 3) ? &((struct world *)m->ctx)->iprev : NULL;
}

/* A field whose value begins with ! is at a decoder's limit. */
static const struct str *
fake_decode(struct mail *m, struct str raw)
{
	struct str *s = arena_new_object(m->arena, struct str);

	*s = str_trim(raw);
	return s->n > 0 && s->p[0] == '!' ? NULL : s;
}

static const struct mailbox_list *
fake_mailboxes(struct mail *m, struct str raw)
{
	struct mailbox_list *l = arena_new_object(m->arena, struct mailbox_list);
	struct mailbox *mb = arena_new_object(m->arena, struct mailbox);
	struct str *name = arena_new_object(m->arena, struct str);

	raw = str_trim(raw);
	if (raw.n > 0 && raw.p[0] == '!')
		return NULL;
	*mb = mailbox_parse(m->arena, raw);
	l->v = mb;
	l->names = name;
	l->n = raw.n > 0 ? 1 : 0;
	return l;
}

static enum fact_status
fake_rate(struct mail *m, const struct rate_query *q, uint64_t *count)
{
	struct world *w = m->ctx;
	size_t i;

	if (w->c->store_fails)
		return FACT_ERROR;
	if (q->key.n >= sizeof(w->counted[0].key))
		abort();
	for (i = 0; i < w->ncounted; i++)
		if (str_eq(str_of(w->counted[i].key), q->key))
			break;
	if (i == w->ncounted) {
		if (++w->ncounted > sizeof(w->counted) / sizeof(w->counted[0]))
			abort();
		memcpy(w->counted[i].key, q->key.p, q->key.n);
		w->counted[i].key[q->key.n] = '\0';
		w->counted[i].n = (uint64_t)w->c->before;
	}
	*count = ++w->counted[i].n;
	return FACT_KNOWN;
}

static bool
is_delayed(const struct testcase *c, const struct recipient *r)
{
	return (c->grey & (r->addr.text.n % 2 + 1)) != 0;
}

static enum fact_status
fake_greylist(struct mail *m, const struct greylist_query *q, bool *delay)
{
	struct world *w = m->ctx;

	for (size_t i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i] == q->rcpt)
			w->greylisted |= 1u << i;
	*delay = is_delayed(w->c, q->rcpt);
	return w->c->store_fails ? FACT_ERROR : FACT_KNOWN;
}

static const struct dnsbl_answer *
fake_dnsbl(struct mail *m, enum dnsbl_kind kind, struct str zone, bool texts)
{
	(void)zone;
	(void)texts;
	return there(m, 6 + (int)kind) ? &((struct world *)m->ctx)->lists[kind] : NULL;
}

static const struct geo_answer *
fake_geo(struct mail *m)
{
	return &((struct world *)m->ctx)->geo;
}

static const struct mail_ops fake_ops = { fake_spf, fake_dkim, fake_decode, fake_mailboxes,
    .arc = fake_arc, .dmarc = fake_dmarc, .iprev = fake_iprev, .dnsbl = fake_dnsbl, .geo = fake_geo,
    .rate = fake_rate, .greylist = fake_greylist, .content = fake_content };

static void
make_world(struct world *w, const struct testcase *c)
{
	static const struct arc_stated stated[] = {
		{ { "dmarc", 5 }, { "pass", 4 } }, { { "dkim", 4 }, { "fail", 4 } },
	};
	static const struct str listed = { "listed", 6 };

	memset(w, 0, sizeof(*w));
	w->c = c;
	w->spf[SPF_MAILFROM] = (struct spf_answer){ .result = (enum spf_result)c->spf,
	    .domain = STR("s1.example"), .explanation = c->spf == SPF_R_FAIL ? STR("why") : STR("") };
	w->spf[SPF_HELO] = (struct spf_answer){ .result = (enum spf_result)c->spf_helo };
	for (int i = 0; i < 2; i++) {
		w->sigs[i].result = (enum dkim_result)c->sigs[i];
		w->sigs[i].domain = i == 0 ? STR("s1.example") : STR("s2.example");
	}
	ipaddr_parse(STR("127.0.0.2"), &w->codes[0].ip);
	ipaddr_parse(STR("127.0.0.4"), &w->codes[1].ip);
	for (int i = 0; i < 2; i++) {
		int what = i == DNSBL_CLIENT ? c->dnsbl : c->rhsbl;	/* not, one, two, failed */

		w->lists[i] = (struct dnsbl_answer){ .codes = w->codes, .n = (size_t)(what % 3),
		    .texts = &listed, .ntexts = what % 3 > 0, .failed = what == 3 };
	}
	if (c->country > 0)
		w->geo = (struct geo_answer){ c->country == 1 ? STR("DE") : STR("US"), 64499 + c->country };
	w->arc = (struct arc_answer){ .result = (enum arc_result)c->arc,
	    .sealer = STR("s1.example"), .stated = stated, .nstated = 2 };
	w->dmarc = (struct dmarc_answer){ .result = (enum dmarc_result)(c->dmarc % 5),
	    .has_policy = c->dmarc / 5 > 0, .asks = c->dmarc / 5 > 1 ? DMARC_P_REJECT : DMARC_P_NONE,
	    .domain = c->dmarc / 5 > 0 ? STR("s1.example") : STR(""), .testing = c->dmarc / 5 == 3,
	    .spf_aligned = c->dmarc == 5, .dkim_aligned = c->dmarc % 5 == DMARC_R_PASS };
	w->iprev = (struct iprev_answer){ .result = (enum iprev_result)c->iprev,
	    .name = c->iprev == IPREV_R_PASS ? STR("s1.example") : STR_NONE };
	w->dkim = (struct dkim_answer){ w->sigs, (size_t)c->nsigs };
}

static void
put_connection(struct mail *m, const struct testcase *c)
{
	static const char *const ips[] = { "192.0.2.1", "198.51.100.1", "2001:db8::1" };
	struct ipaddr ip;

	ipaddr_parse(str_of(ips[c->ip]), &ip);
	mail_connect(m, c->has_ip ? &ip : NULL, STR_NONE, 25);
	mail_conn_macro(m, STR("j"), STR("mx.example"));
	m->by_smtp = c->by_smtp;
}

static void
put_helo(struct mail *m, const struct testcase *c)
{
	if (c->has_helo && c->helo_twice)
		mail_helo(m, STR("first.example"));
	if (c->has_helo)
		mail_helo(m, str_of(helos[c->helo]));
}

static void
put_sender(struct mail *m, const struct testcase *c)
{
	struct tm tm = { .tm_year = 126, .tm_mon = 5, .tm_mday = 3, .tm_hour = c->hour, .tm_isdst = -1 };

	if (c->auth)
		mail_macro(m, STR("auth_authen"), STR("user"));
	mail_sender(m, str_of(senders[c->sender]), NULL, 0, mktime(&tm));
}

static void
put_header(struct mail *m, const struct testcase *c)
{
	for (int i = 0; i < c->nfields; i++)
		mail_header(m, str_of(field_names[c->fields[i]]), str_of(field_values[c->field_values[i]]));
	m->headers_cut = c->headers_cut;
}

static void
put_body(struct mail *m, const struct testcase *c, struct strbuf *body)
{
	strbuf_puts(body, bodies[c->body]);
	m->body = body;
	m->body_octets = body->n;
	m->body_cut = c->body_cut;
}

/* ---- A naive reading ---- */

enum naive { N_FALSE, N_TEMPFAIL, N_ACCEPT, N_SKIP, N_TRUE };	/* in between: errors */

struct reader {
	const struct ruleset *rs;
	struct mail	*m;
	struct recipient *r;
	enum naive	 rules[MAX_RULES];
	int		 upto;		/* rules that were read */
	enum naive	 grey;		/* what greylist is taken for */
	bool		 grey_known, greylisted;
};

static enum naive
naive_error(const struct reader *rd, enum error_class class)
{
	switch (rd->rs->settings.on_error.of[class]) {
	case ON_ERROR_ACCEPT:
		return N_ACCEPT;
	case ON_ERROR_SKIP:
		return N_SKIP;
	default:
		return N_TEMPFAIL;
	}
}

static enum naive
naive_not(enum naive v)
{
	return v == N_TRUE ? N_FALSE : v == N_FALSE ? N_TRUE : v;
}

static enum naive
naive_and(enum naive a, enum naive b)
{
	if (a == N_FALSE || b == N_FALSE)
		return N_FALSE;
	return a < b ? a : b;
}

static enum naive
naive_or(enum naive a, enum naive b)
{
	if (a == N_TRUE || b == N_TRUE)
		return N_TRUE;
	if (a == N_FALSE || b == N_FALSE)
		return a == N_FALSE ? b : a;
	return a < b ? a : b;
}

static enum naive naive_cond(struct reader *rd, const struct cond *c, int rule);

/* The values of a key's facts for that recipient, each behind a line end. */
static enum fact_status
naive_key(struct reader *rd, const struct fact_ref *ref, struct recipient *r, struct strbuf *key,
    struct answer *a)
{
	struct recipient *saved = rd->m->rcpt;
	enum fact_status s = FACT_KNOWN;

	rd->m->rcpt = r;
	for (const struct part *p = ref->key_text->parts; p != NULL && s == FACT_KNOWN; p = p->next) {
		struct fact_arg arg = { p->fact.key };

		if (p->kind != PART_FACT)
			continue;
		memset(a, 0, sizeof(*a));
		s = p->fact.fact->get(rd->m, &arg, a);
		if (s == FACT_KNOWN && a->n == 0)
			s = FACT_UNSET;
		if (s == FACT_KNOWN)
			type_print(p->fact.fact->type, &a->v[0], key);
		strbuf_putc(key, '\n');
	}
	rd->m->rcpt = saved;
	return s;
}

/* Of those with the same key each that came before counts, and this one. */
static enum naive
naive_rate(struct reader *rd, const struct fact_ref *ref)
{
	const struct world *w = rd->m->ctx;
	struct strbuf mine = { 0 };
	struct answer a;
	int64_t n = w->c->before + 1;
	enum fact_status s = naive_key(rd, ref, rd->r, &mine, &a);

	for (size_t i = 0; ref->scope == P_RCPT && i < rd->m->nrcpts && rd->m->rcpts[i] != rd->r; i++) {
		struct strbuf key = { 0 };
		struct answer other;

		n += (rd->m->rcpts[i]->state == RCPT_OPEN || ref->stage <= S_RCPT) &&
		    naive_key(rd, ref, rd->m->rcpts[i], &key, &other) == FACT_KNOWN &&
		    s == FACT_KNOWN && str_ieq(strbuf_slice(&key), strbuf_slice(&mine));
		strbuf_free(&key);
	}
	strbuf_free(&mine);
	if (s != FACT_KNOWN)
		return s == FACT_ERROR ? naive_error(rd, a.error) : N_FALSE;
	if (w->c->store_fails)
		return naive_error(rd, ERR_STORE);
	return n > ref->limit->value.n ? N_TRUE : N_FALSE;
}

static enum naive
naive_values(struct reader *rd, const struct cond *c)
{
	struct fact_arg arg = { c->fact.key };
	struct answer a = { 0 };
	struct table_view *lists;
	enum naive v;

	if (c->fact.fact->flags & F_GREYLIST)
		return rd->grey;
	if (c->fact.fact->flags & F_RATE)
		return naive_rate(rd, &c->fact);
	switch (c->fact.fact->get(rd->m, &arg, &a)) {
	case FACT_UNSET:
		return N_FALSE;
	case FACT_ERROR:
		if (a.doubts == 0 || c->op == OP_SET)
			return naive_error(rd, a.error);
		break;
	case FACT_PENDING:
		abort();
	case FACT_KNOWN:
		break;
	}
	if (c->op == OP_SET)
		return N_TRUE;
	v = a.truncated ? naive_error(rd, ERR_LIMIT) : N_FALSE;
	lists = tables_view(rd->rs->ast->tables);
	for (size_t i = 0; i < a.n + a.doubts; i++) {
		int r = eval_compare(lists, c, &a.v[i], NULL);

		if (r > 0 && i < a.n)
			v = N_TRUE;
		else if (r > 0 && v != N_TRUE)
			v = naive_error(rd, ERR_LOOKUP);
		else if (r == COMPARE_FAILED && v == N_FALSE)
			v = naive_error(rd, ERR_LOOKUP);
	}
	table_view_release(lists);
	return v;
}

static enum naive
naive_score(struct reader *rd, const struct cond *c, int rule)
{
	int64_t sums[1 << MAX_RULES];
	size_t n = 1;
	enum naive doubt = N_TRUE;
	int hits = 0;

	sums[0] = 0;
	/* Every sum that is possible where a score's rule is in error. */
	for (int i = 0; i < rule; i++) {
		const struct crule *cr = &rd->rs->prog.rules[i];

		if (!cr->scores || rd->rules[i] == N_FALSE)
			continue;
		if (rd->rules[i] == N_TRUE) {
			for (size_t k = 0; k < n; k++)
				sums[k] += cr->score;
			continue;
		}
		doubt = naive_and(doubt, rd->rules[i]);
		/* An interval, so each step in between counts as possible. */
		for (size_t k = 0, had = n; k < had; k++)
			sums[n++] = sums[k] + cr->score;
	}
	if (n > 1) {
		int64_t lo = sums[0], hi = sums[0];

		for (size_t k = 1; k < n; k++) {
			lo = sums[k] < lo ? sums[k] : lo;
			hi = sums[k] > hi ? sums[k] : hi;
		}
		n = 0;
		for (int64_t s = lo; s <= hi; s++) {
			struct value v = { .n = s };

			hits += eval_compare(NULL, c, &v, NULL) > 0;
			n++;
		}
	} else {
		struct value v = { .n = sums[0] };

		hits = eval_compare(NULL, c, &v, NULL) > 0;
	}
	return hits == 0 ? N_FALSE : (size_t)hits == n ? N_TRUE : doubt;
}

static enum naive
naive_things(struct reader *rd, const struct cond *c, int rule)
{
	bool rcpt = c->kind == COND_CMP || c->thing == THING_RCPT;
	const struct content *content = rd->m->ops->content(rd->m);
	size_t n = rcpt ? rd->m->nrcpts : c->thing == THING_ATTACHMENT ? content->nattachments :
	    c->thing == THING_URL ? content->nurls : rd->m->ops->dkim(rd->m)->n;
	bool cut = !rcpt && c->thing != THING_SIGNATURE &&
	    (content->defects & CUT_PARTS) != 0;
	bool any = c->quant == Q_ANY, none = true;
	enum naive v = any ? N_FALSE : N_TRUE, one;
	struct recipient *saved = rd->m->rcpt;

	for (size_t i = 0; i < n; i++) {
		if (rcpt && rd->m->rcpts[i]->state == RCPT_SPLIT)
			continue;
		none = false;
		if (rcpt)
			rd->m->rcpt = rd->m->rcpts[i];
		if (c->kind == COND_HAS) {
			rd->m->thing[c->thing] = (ptrdiff_t)i;
			one = naive_cond(rd, c->child, rule);
			rd->m->thing[c->thing] = -1;
		} else
			one = naive_values(rd, c);
		v = any ? naive_or(v, one) : naive_and(v, one);
	}
	rd->m->rcpt = saved;
	if (cut && v == (any ? N_FALSE : N_TRUE))
		return naive_error(rd, ERR_LIMIT);
	return none ? N_FALSE : v;
}

static enum naive
naive_cond(struct reader *rd, const struct cond *c, int rule)
{
	enum naive v;

	switch (c->kind) {
	case COND_NOT:
		return naive_not(naive_cond(rd, c->child, rule));
	case COND_AND:
	case COND_OR:
		v = c->kind == COND_AND ? N_TRUE : N_FALSE;
		for (const struct cond *k = c->child; k != NULL; k = k->next)
			v = c->kind == COND_AND ? naive_and(v, naive_cond(rd, k, rule)) :
			    naive_or(v, naive_cond(rd, k, rule));
		return v;
	case COND_HAS:
		return naive_things(rd, c, rule);
	case COND_CMP:
		break;
	}
	if (c->fact.fact->flags & F_OWN)
		v = c->fact.fact->type == T_BOOL ? rd->rules[c->fact.rule] : naive_score(rd, c, rule);
	else if (c->quant != Q_NONE)
		v = naive_things(rd, c, rule);
	else
		v = naive_values(rd, c);
	return c->negated ? naive_not(v) : v;
}

/* greylist is asked if the condition can be true and hangs on it alone. */
static enum naive
naive_greylist(struct reader *rd, const struct cond *c, int rule)
{
	const struct testcase *tc = ((struct world *)rd->m->ctx)->c;
	enum naive delayed, passed;

	if (rd->grey_known)
		return naive_cond(rd, c, rule);
	rd->grey = N_TRUE;
	delayed = naive_cond(rd, c, rule);
	rd->grey = N_FALSE;
	passed = naive_cond(rd, c, rule);
	if (delayed == passed)
		return passed;
	if (delayed != N_TRUE && passed != N_TRUE)
		return delayed != N_FALSE ? delayed : passed;
	rd->grey_known = true;
	rd->greylisted = rd->m->by_smtp && rd->m->has_ip;
	rd->grey = !rd->greylisted ? N_FALSE : tc->store_fails ? naive_error(rd, ERR_STORE) :
	    is_delayed(tc, rd->r) ? N_TRUE : N_FALSE;
	return naive_cond(rd, c, rule);
}

/* From top to bottom, with the whole message in hand. */
static enum verdict
naive_read(struct reader *rd, int *rule)
{
	const struct program *p = &rd->rs->prog;

	rd->m->rcpt = rd->r;
	rd->m->may_wait = true;
	for (int i = 0; i < (int)p->nrules; i++) {
		const struct rule *r = p->rules[i].rule;
		enum naive v = r->cond == NULL ? N_TRUE : p->rules[i].greylists ?
		    naive_greylist(rd, r->cond, i) : naive_cond(rd, r->cond, i);

		rd->rules[i] = v;
		rd->upto = i + 1;
		*rule = i;
		if (p->rules[i].final == NULL || v == N_FALSE || v == N_SKIP)
			continue;
		if (v != N_TRUE)
			return v == N_ACCEPT ? V_ACCEPT : V_TEMPFAIL;
		switch (p->rules[i].final->id) {
		case A_REJECT:
			return V_REJECT;
		case A_TEMPFAIL:
			return V_TEMPFAIL;
		case A_DISCARD:
			return V_DISCARD;
		case A_QUARANTINE:
			return V_QUARANTINE;
		default:
			return V_ACCEPT;
		}
	}
	*rule = -1;
	return V_ACCEPT;
}

/* ---- Staged against whole ---- */

struct staged {
	struct world	w;
	struct mail	m;
	struct rules_state *st;
	struct strbuf	body;
	const struct plan *last;	/* what ended it */
	enum stage	stage;
	int		shown;		/* recipients that the MTA showed */
};

static bool
is_end(const struct plan *p)
{
	return p->verdict != V_NONE && p->verdict != V_SPLIT && p->verdict != V_ACCEPT;
}

static void
run_staged(struct staged *s, const struct testcase *c, const struct ruleset *rs)
{
	bool left = false;

	memset(s, 0, sizeof(*s));
	make_world(&s->w, c);
	mail_init(&s->m, &fake_ops, &s->w);
	put_connection(&s->m, c);
	s->st = rules_start(rs, &s->m);
	s->last = rules_advance(s->st, S_CONNECT);
	if (is_end(s->last))
		return;
	put_helo(&s->m, c);
	if (c->rset_first) {
		mail_sender(&s->m, STR("<other@s9.example>"), NULL, 0, 0);
		rules_advance(s->st, S_MAIL);
		mail_rcpt(&s->m, STR("<bob@r.example>"), '+');
		rules_advance(s->st, S_RCPT);
		mail_reset(&s->m);
		s->st = rules_start(rs, &s->m);
		memset(s->w.waited, 0, sizeof(s->w.waited));
		s->w.ncounted = 0;
		s->w.greylisted = 0;
	}
	put_sender(&s->m, c);
	s->last = rules_advance(s->st, S_MAIL);
	if (is_end(s->last) || s->last->verdict == V_ACCEPT)
		return;
	for (int i = 0; i < c->nrcpts; i++) {
		mail_rcpt(&s->m, str_of(rcpts[c->rcpts[i]]), '+');
		s->shown++;
		s->last = rules_advance(s->st, S_RCPT);
	}
	for (size_t i = 0; i < s->m.nrcpts; i++)
		left |= s->m.rcpts[i]->state == RCPT_OPEN;
	if (!left)
		return;
	mail_macro(&s->m, STR("i"), STR("QID"));
	s->last = rules_advance(s->st, S_DATA);
	if (is_end(s->last) || s->last->verdict == V_ACCEPT)
		return;
	put_header(&s->m, c);
	rules_advance(s->st, S_HEADERS);
	put_body(&s->m, c, &s->body);
	s->last = rules_advance(s->st, S_MESSAGE);
}

static bool
same_reply(const struct reply *a, const struct reply *b)
{
	if (a->code != b->code || a->nlines != b->nlines || !str_eq(a->enhanced, b->enhanced))
		return false;
	for (size_t i = 0; i < a->nlines; i++)
		if (!str_eq(a->lines[i], b->lines[i]))
			return false;
	return true;
}

/* May that line say one thing of one recipient and another of another? */
static bool
speaks_of_rcpt(const struct rule *r, const struct text *line)
{
	for (const struct part *p = line->parts; p != NULL; p = p->next)
		if (p->kind == PART_TABLE ||
		    (p->kind == PART_CAPTURE && r->capturing != NULL && r->capturing->fact.scope == P_RCPT) ||
		    (p->kind == PART_FACT && (p->fact.scope == P_RCPT || (p->fact.fact->flags & F_OWN) != 0)))
			return true;
	return false;
}

/* The same but for what lines that name the recipient say of him. */
static bool
same_for_another(const struct ruleset *rs, int rule, const struct reply *a, const struct reply *b)
{
	const struct action *final = rule >= 0 ? rs->prog.rules[rule].final : NULL;
	const struct text *line = final != NULL ? final->text : NULL;

	if (a->code != b->code || a->nlines != b->nlines || !str_eq(a->enhanced, b->enhanced))
		return false;
	for (size_t i = 0; i < a->nlines; i++, line = line != NULL ? line->next : NULL)
		if (!str_eq(a->lines[i], b->lines[i]) &&
		    (line == NULL || !speaks_of_rcpt(rs->prog.rules[rule].rule, line)))
			return false;
	return true;
}

static bool
same_edits(const struct plan *a, const struct plan *b)
{
	if (a->nedits != b->nedits)
		return false;
	for (size_t i = 0; i < a->nedits; i++)
		if (a->edits[i].kind != b->edits[i].kind || a->edits[i].rule != b->edits[i].rule ||
		    !str_eq(a->edits[i].name, b->edits[i].name) || !str_eq(a->edits[i].value, b->edits[i].value))
			return false;
	return true;
}

/* What a rule that was read to that outcome has to say in the log: its kinds, a bit each. */
static unsigned
naive_notes(const struct ruleset *rs, int i, enum naive v)
{
	unsigned kinds = 0;

	const struct action *first = rs->prog.rules[i].rule->actions;

	if (v != N_TRUE)
		return v == N_FALSE || first == NULL ? 0 : 1u << NOTE_ERROR;
	for (const struct action *a = first; a != NULL; a = a->next)
		if (a->would || a->id == A_LOG)
			kinds |= 1u << (a->would ? NOTE_WOULD : NOTE_LOG);
	return kinds;
}

/* Those of all who are left: each rule's as the first of them has it. */
struct naive_log {
	unsigned	 kinds[MAX_RULES];
	int64_t		 score;
	bool		 any;
};

static void
naive_log_add(struct naive_log *l, const struct ruleset *rs, const struct reader *rd)
{
	int64_t score = 0;

	for (int i = 0; i < rd->upto; i++) {
		if (l->kinds[i] == 0)
			l->kinds[i] = naive_notes(rs, i, rd->rules[i]);
		if (rd->rules[i] == N_TRUE && rs->prog.rules[i].scores)
			score += rs->prog.rules[i].score;
	}
	if (!l->any || score > l->score)
		l->score = score;
	l->any = true;
}

/* Every note is right, and at the end none is missing. */
static const char *
compare_notes(const struct plan *p, const struct ruleset *rs, const struct naive_log *l)
{
	unsigned told[MAX_RULES] = { 0 };

	for (size_t i = 0; i < p->nnotes; i++) {
		const struct note *n = &p->notes[i];

		if (n->not_asked && p->stage == S_MESSAGE)
			return "a line of the log was not asked for at the end";
		if (!n->not_asked && (l->kinds[n->rule] & 1u << n->kind) == 0)
			return "the log says what isn't so";
		told[n->rule] |= 1u << n->kind;
	}
	if (p->stage != S_MESSAGE)
		return NULL;
	for (size_t i = 0; i < rs->prog.nrules; i++)
		if (told[i] != l->kinds[i])
			return "the log lacks a line";
	return p->score != l->score ? "the log has another score" : NULL;
}

/* Which comparison is to blame may hang on greylist, which only stages ask and close. */
static bool
same_notes(const struct plan *a, const struct plan *b, const struct ruleset *rs)
{
	if (a->nnotes != b->nnotes || a->score != b->score)
		return false;
	for (size_t i = 0; i < a->nnotes; i++)
		if (a->notes[i].kind != b->notes[i].kind || a->notes[i].rule != b->notes[i].rule ||
		    (!str_eq(a->notes[i].text, b->notes[i].text) &&
		    (a->notes[i].kind != NOTE_ERROR || !rs->prog.greylists)))
			return false;
	return true;
}

static const char *
compare_recipient(struct staged *s, struct rules_state *whole, struct mail *wm, const struct ruleset *rs,
    size_t i, bool agree, struct naive_log *log)
{
	const struct rcpt_verdict *w = rules_rcpt_verdict(whole, wm->rcpts[i]), *own;
	struct reader rd = { .rs = rs, .m = wm, .r = wm->rcpts[i] };
	int rule;
	enum verdict v = naive_read(&rd, &rule);

	if (w == NULL || w->verdict != v || w->rule != rule)
		return "the naive reading gives another verdict or rule";
	if (wm->rcpts[i]->state == RCPT_OPEN)
		naive_log_add(log, rs, &rd);
	if (i >= (size_t)s->shown) {	/* refused before there were recipients */
		if (s->last->verdict != w->verdict || s->last->rule != w->rule ||
		    !same_reply(&s->last->reply, &w->reply))
			return "an early verdict differs from the whole";
		return NULL;
	}
	if (((s->w.greylisted >> i) & 1) != rd.greylisted)
		return "greylist was asked where it shouldn't be, or not where it should";
	if (s->m.rcpts[i]->state == RCPT_REFUSED || s->m.rcpts[i]->state == RCPT_OPEN) {
		own = rules_rcpt_verdict(s->st, s->m.rcpts[i]);
		if (s->m.rcpts[i]->state == RCPT_OPEN && own->verdict == V_NONE)
			return NULL;	/* the message ended before; compared below */
		if (own->verdict != w->verdict || own->rule != w->rule || !same_reply(&own->reply, &w->reply))
			return "a recipient's verdict differs from the whole";
	}
	if (agree && s->m.rcpts[i]->state == RCPT_OPEN && w->verdict != V_DISCARD &&
	    (s->last->verdict != w->verdict ||
	     (w->verdict != V_ACCEPT && (s->last->rule != w->rule ||
	     !same_for_another(rs, w->rule, &s->last->reply, &w->reply)))))
		return "recipients that agreed at RCPT part in the end";
	return NULL;
}

static const char *
compare_whole(struct staged *s, const struct testcase *c, const struct ruleset *rs)
{
	struct world w;
	struct mail m;
	struct strbuf body = { 0 };
	struct rules_state *st;
	const struct plan *p;
	const char *why = NULL;
	struct naive_log log = { .any = false };
	bool left = false, agree;

	make_world(&w, c);
	mail_init(&m, &fake_ops, &w);
	put_connection(&m, c);
	put_helo(&m, c);
	put_sender(&m, c);
	for (int i = 0; i < c->nrcpts; i++) {
		struct recipient *r = mail_rcpt(&m, str_of(rcpts[c->rcpts[i]]), '+');

		if (i < s->shown)
			r->state = s->m.rcpts[i]->state;
		left |= r->state == RCPT_OPEN;
	}
	mail_macro(&m, STR("i"), STR("QID"));
	put_header(&m, c);
	put_body(&m, c, &body);
	st = rules_start(rs, &m);
	p = rules_advance(st, S_MESSAGE);
	agree = rs->settings.mixed_recipients == MIXED_SPLIT && s->shown > 0 && !s->st->strictest;
	for (size_t i = 0; i < m.nrcpts && why == NULL; i++)
		if (m.rcpts[i]->state != RCPT_SPLIT)
			why = compare_recipient(s, st, &m, rs, i, agree, &log);
	if (why == NULL && left && s->shown > 0)
		why = compare_notes(s->last, rs, &log);
	if (why == NULL && left && s->shown > 0) {
		if (p->verdict != s->last->verdict ||
		    (p->rule != s->last->rule && p->verdict != V_ACCEPT) ||
		    !same_reply(&p->reply, &s->last->reply) || !str_eq(p->reason, s->last->reason))
			why = "the message's verdict differs from the whole";
		else if (s->last->stage == S_MESSAGE ? !same_edits(p, s->last) :
		    p->nedits > 0 && p->verdict == V_ACCEPT)
			why = "the edits differ from the whole";
		else if (s->last->stage == S_MESSAGE && !same_notes(p, s->last, rs))
			why = "the log's lines differ from the whole";
	}
	mail_free(&m);
	strbuf_free(&body);
	return why;
}

/* ---- Enforced against monitored ---- */

static const char *
compare_monitored_rcpt(struct staged *s, struct staged *mon, size_t i)
{
	const struct rcpt_verdict *own = rules_rcpt_verdict(s->st, s->m.rcpts[i]);
	const struct rcpt_verdict *would = rules_rcpt_verdict(mon->st, mon->m.rcpts[i]);

	if (mon->m.rcpts[i]->state != RCPT_OPEN)
		return "mode monitor refuses a recipient";
	if (mon->m.rcpts[i]->would != s->m.rcpts[i]->state)
		return "mode monitor has something else become of a recipient";
	if (s->m.rcpts[i]->state == RCPT_SPLIT)
		return would->differs != own->differs ? "mode monitor has a recipient split otherwise" : NULL;
	if (s->m.rcpts[i]->state == RCPT_REFUSED && (would->differs != NULL || own->verdict != would->verdict ||
	    own->rule != would->rule || !same_reply(&own->reply, &would->reply)))
		return "mode monitor has a recipient refused otherwise";
	return NULL;
}

/* The file in mode monitor lets everything pass, and tells what would become of it. */
static const char *
compare_monitored(struct staged *s, const struct testcase *c, struct ruleset *rs)
{
	const struct plan *p = s->last, *would;
	const char *why = NULL;
	struct staged mon;
	bool left = s->shown == 0;

	rs->settings.mode = MODE_MONITOR;
	run_staged(&mon, c, rs);
	would = mon.last;
	for (size_t i = 0; i < (size_t)s->shown && why == NULL; i++) {
		why = compare_monitored_rcpt(s, &mon, i);
		left |= s->m.rcpts[i]->state == RCPT_OPEN;
	}
	if (why == NULL && (!would->monitor || would->stage != S_MESSAGE))
		why = "mode monitor ends a transaction";
	if (why == NULL && left && (p->verdict != would->verdict ||
	    (p->rule != would->rule && p->verdict != V_ACCEPT) || !same_reply(&p->reply, &would->reply) ||
	    !str_eq(p->reason, would->reason) || (p->stage == S_MESSAGE && !same_edits(p, would))))
		why = "mode monitor tells another end";
	mail_free(&mon.m);
	strbuf_free(&mon.body);
	return why;
}

/* Two databases, one of which can't say anything of whoever begins with c. */
static void *
table_open(enum table_db kind, const char *path, struct strbuf *why)
{
	static char people, away;

	(void)path;
	(void)why;
	return kind == TABLE_CDB ? &people : &away;
}

static int
table_get(void *db, struct str key, struct str *text)
{
	(void)db;
	if (key.n > 0 && key.p[0] == 'c')
		return -1;
	*text = str_istarts(key, STR("@")) ? STR("the domain") : STR("the address");
	return str_eq(key, STR("@q.example")) || str_eq(key, STR("bob@r.example"));
}

static size_t
table_keys(void *db)
{
	(void)db;
	return 2;
}

static void
table_close(void *db)
{
	(void)db;
}

static const struct table_ops tables = { table_open, table_get, table_keys, table_close };

/* NULL: all the same; *valid false: the file didn't load. */
static const char *
run_case(const struct testcase *c, bool *valid)
{
	struct diag *d = diag_new();
	struct strbuf text = { 0 };
	struct ruleset *rs;
	struct staged s;
	const char *why;

	strbuf_puts(&text, c->settings);
	for (int i = 0; i < c->nrules; i++)
		strbuf_puts(&text, c->rules[i]);
	rs = rules_load_text_with(STR("random"), strbuf_slice(&text), ".", &tables, d);
	strbuf_free(&text);
	*valid = rs != NULL;
	if (rs == NULL && getenv("PROPERTY_SHOW") != NULL)
		diag_print(d, stderr, false);
	diag_free(d);
	if (rs == NULL)
		return NULL;
	run_staged(&s, c, rs);
	why = compare_whole(&s, c, rs);
	if (why == NULL)
		why = compare_monitored(&s, c, rs);
	mail_free(&s.m);
	strbuf_free(&s.body);
	rules_release(rs);
	return why;
}

static bool
still_fails(const struct testcase *c)
{
	bool valid;

	return run_case(c, &valid) != NULL && valid;
}

static void
drop_int(int *v, int *n, int i)
{
	memmove(v + i, v + i + 1, sizeof(*v) * (size_t)(*n - i - 1));
	(*n)--;
}

/* Leaves out what can be left out. Rules keep their names, so others may go on naming them. */
static void
shrink(struct testcase *c)
{
	struct testcase t;
	bool smaller = true;

	while (smaller) {
		smaller = false;
		for (int i = 0; i < c->nrules && !smaller; i++) {
			t = *c;
			memmove(t.rules[i], t.rules[i + 1 < MAX_RULES ? i + 1 : i],
			    sizeof(t.rules[0]) * (size_t)(t.nrules - i - 1));
			t.nrules--;
			smaller = t.nrules > 0 && still_fails(&t);
		}
		for (int i = 0; i < c->nrcpts && !smaller; i++) {
			t = *c;
			drop_int(t.rcpts, &t.nrcpts, i);
			smaller = t.nrcpts > 0 && still_fails(&t);
		}
		for (int i = 0; i < c->nfields && !smaller; i++) {
			t = *c;
			memmove(t.field_values + i, t.field_values + i + 1, sizeof(int) * (size_t)(t.nfields - i - 1));
			drop_int(t.fields, &t.nfields, i);
			smaller = still_fails(&t);
		}
		for (int k = 0; k < 6 && !smaller; k++) {
			bool *b = (bool *[]){ &t.auth, &t.helo_twice, &t.rset_first, &t.headers_cut,
			    &t.body_cut, &t.has_helo }[k];

			t = *c;
			smaller = *b;
			*b = false;
			smaller = smaller && still_fails(&t);
		}
		if (!smaller && c->patience != 0) {
			t = *c;
			t.patience = 0;
			smaller = still_fails(&t);
		}
		if (smaller)
			*c = t;
	}
}

int
main(void)
{
	const char *e = getenv("PROPERTY_CASES");
	long cases = e != NULL ? atol(e) : 20000, ran = 0;
	/* The same cases for everybody; `make property` looks for new ones. */
	uint64_t seed = (e = getenv("PROPERTY_SEED")) != NULL ? strtoull(e, NULL, 10) : 1;
	struct testcase c;
	const char *why;
	bool valid;
	int fd;

	if ((fd = mkstemp(database)) == -1 || write(fd, "\xab\xcd\xefMaxMind.com", 14) != 14)
		return 1;
	for (long i = 0; ran < cases && i < cases * 20; i++) {
		rng = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u + 1;
		for (int k = 0; k < 8; k++)
			rnd(2);
		random_case(&c);
		why = run_case(&c, &valid);
		ran += valid;
		if (why == NULL)
			continue;
		shrink(&c);
		printf("not ok 1 - staged is whole: %s\n# PROPERTY_SEED=%llu PROPERTY_CASES=1\n", why,
		    (unsigned long long)(seed + (uint64_t)i));
		print_case(&c, stdout);
		puts("1..1");
		unlink(database);
		return 1;
	}
	unlink(database);
	close(fd);
	printf("ok 1 - staged is whole is naive: %ld random files and messages, seed %llu\n1..1\n", ran,
	    (unsigned long long)seed);
	return ran < cases;
}
