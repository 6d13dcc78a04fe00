/*
 * test_tables_live.c - texts of lists, databases (a fake one), and lists whose files change: what is taken, what
 * isn't, and that nobody who looks sees two versions.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/arena.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/eval.h"
#include "rules/mail.h"
#include "rules/rules.h"
#include "rules/tables.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static char dir[] = "/tmp/postern-live-XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
drop_dir(void **state)
{
	static const char *const names[] = { "a", "b", "n" };
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

/* A database is its path: "KEY=TEXT,KEY=TEXT"; the key `broken` can't be read. */
static atomic_int open_databases;

static void *
fake_open(enum table_db kind, const char *path, struct strbuf *why)
{
	const char *slash = strrchr(path, '/');
	char *db = strdup(slash != NULL ? slash + 1 : path);

	assert_non_null(db);
	db[strlen(db) - (kind == TABLE_CDB ? 4 : 5)] = '\0';
	if (strcmp(db, "missing") == 0) {
		strbuf_puts(why, "it is away");
		free(db);
		return NULL;
	}
	open_databases++;
	return db;
}

static int
fake_get(void *db, struct str key, struct str *text)
{
	assert_int_equal(key.p[key.n], '\0');
	if (strcmp(db, "broken") == 0)
		return -1;
	for (const char *p = db; *p != '\0'; p += *p == ',') {
		size_t n = strcspn(p, "="), end = strcspn(p, ",");

		if (n == key.n && memcmp(p, key.p, n) == 0) {
			*text = (struct str){ p + n + 1, end - n - 1 };
			return 1;
		}
		p += end;
	}
	return 0;
}

static size_t
fake_size(void *db)
{
	size_t n = 0;

	for (const char *p = db; *p != '\0'; p++)
		n += *p == '=';
	return n;
}

static void
fake_close(void *db)
{
	open_databases--;
	free(db);
}

static const struct table_ops fake = { fake_open, fake_get, fake_size, fake_close };

static void
put(const char *name, const char *text)
{
	char path[64], new[80];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(new, sizeof(new), "%s.new", path);
	assert_non_null(f = fopen(new, "w"));
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(new, path), 0);
}

static struct ruleset *
load(const char *text, struct diag **d)
{
	struct ruleset *rs;

	assert_non_null(*d = diag_new());
	rs = rules_load_text_with(STR("rules"), str_of(text), dir, &fake, *d);
	return rs;
}

static struct ruleset *
load_good(const char *text)
{
	struct diag *d;
	struct ruleset *rs = load(text, &d);

	if (rs == NULL || diag_errors(d) > 0)
		diag_print(d, stdout, false);
	assert_non_null(rs);
	diag_free(d);
	return rs;
}

/* What a list says of a value, with its text: "yes text", "no", "failed". */
static const char *
says(struct ruleset *rs, const char *value, bool raw)
{
	static char out[256];
	const struct list *l = rules_ast(rs)->lists;
	struct table_view *v = tables_view(rules_ast(rs)->tables);
	struct arena *a = arena_new(0);
	struct value val = { 0 };
	struct strbuf text = { 0 };
	enum table_result r, plain;

	if (l->type == LIST_NETS)
		assert_int_equal(ipaddr_parse(str_of(value), &val.ip), 0);
	else if (l->type == LIST_ADDRESSES)
		val.mb = mailbox_parse(a, str_of(value));
	else
		val.s = l->type == LIST_DOMAINS ? domain_normal(a, str_of(value)) : str_of(value);
	strbuf_add(&text, "", 0);
	r = table_text(table_in(v, l), &val, raw, &text);
	plain = table_has(table_in(v, l), &val, raw);
	assert_int_equal(plain, r);
	(void)snprintf(out, sizeof(out), "%s%s%s", r == TABLE_YES ? "yes" : r == TABLE_NO ? "no" :
	    "failed", text.n > 0 ? " " : "", text.p);
	strbuf_free(&text);
	arena_free(a);
	table_view_release(v);
	return out;
}

static const struct {
	const char	*list;		/* entries; the file `a` is written first */
	const char	*file;
	const char	*value, *says;
	bool		 raw;
} cases[] = {
	/* Texts of files: the narrowest entry's. */
	{ "nets x = file \"a\"", "192.0.2.0/24 net\n192.0.2.8/29  smaller  net # c\n", "192.0.2.9", "yes smaller  net", 0 },
	{ "nets x = file \"a\"", "192.0.2.8/29 smaller\n192.0.2.0/24 net\n", "192.0.2.1", "yes net", 0 },
	{ "nets x = file \"a\"", "192.0.2.0/24 net\n192.0.2.1\n", "192.0.2.1", "yes", 0 },
	{ "nets x = file \"a\"", "192.0.2.0/24 first\n192.0.2.0/24 second\n", "192.0.2.1", "yes first", 0 },
	{ "nets x = 192.0.2.7 file \"a\"", "192.0.2.0/24 4.7.1 later\n", "192.0.2.1", "yes 4.7.1 later", 0 },
	{ "nets x = file \"a\"", "2001:db8::/32 ours\n::/0 all\n", "2001:db9::1", "yes all", 0 },
	{ "nets x = file \"a\"", "2001:db8::/32 ours\n::/0 all\n", "192.0.2.1", "no", 0 },
	{ "domains x = file \"a\"", ".example all\nb.example 550 5.7.1 exact\n.b.example below\n", "B.example", "yes 550 5.7.1 exact", 0 },
	{ "domains x = file \"a\"", ".example all\nb.example exact\n.b.example below\n", "a.b.example", "yes below", 0 },
	{ "domains x = file \"a\"", ".example all\nb.example exact\n.b.example below\n", "c.example", "yes all", 0 },
	{ "domains x = file \"a\"", ".example all\nb.example\n", "b.example", "yes", 0 },
	{ "addresses x = file \"a\"", "@.example sub\n@b.example dom\nu@b.example one\n", "U@b.example", "yes one", 0 },
	{ "addresses x = file \"a\"", "@.example sub\n@b.example dom\nu@b.example one\n", "v@b.example", "yes dom", 0 },
	{ "addresses x = file \"a\"", "@.example sub\n@b.example dom\nu@b.example one\n", "v@c.example", "yes sub", 0 },
	{ "addresses x = file \"a\"", "\"a b\"@b.example quoted text\n", "<\"a b\"@b.example>", "yes quoted text", 0 },
	{ "addresses x = file \"a\"", "<> nobody\n", "<>", "yes nobody", 0 },
	{ "strings x = file \"a\"", "one phrase\n", "one phrase", "yes", 0 },
	{ "strings x = file \"a\"", "one phrase\n", "one", "no", 0 },
	/* Databases, by each form of a key. */
	{ "addresses x = cdb \"u@d.example=U,@d.example=D,@.example=S,<>=N\"", "", "u@d.example", "yes U", 0 },
	{ "addresses x = cdb \"u@d.example=U,@d.example=D,@.example=S,<>=N\"", "", "\xc3\x84@D.example", "yes D", 0 },
	{ "addresses x = cdb \"u@d.example=U,@d.example=D,@.example=S,<>=N\"", "", "x@e.f.example", "yes S", 0 },
	{ "addresses x = cdb \"u@d.example=U,@d.example=D,@.example=S,<>=N\"", "", "<>", "yes N", 0 },
	{ "addresses x = cdb \"u@d.example=U,d.example=D\"", "", "x@d.example", "no", 0 },
	{ "addresses x = cdb \"\xc3\xa4@d.example=A\"", "", "\xc3\x84@d.example", "yes A", 0 },
	{ "addresses x = cdb \"postmaster=P\"", "", "Postmaster", "yes P", 0 },
	{ "domains x = lmdb \"d.example=D,.d.example=B,.example=\"", "", "d.example", "yes D", 0 },
	{ "domains x = lmdb \"d.example=D,.d.example=B,.example=\"", "", "a.b.d.example", "yes B", 0 },
	{ "domains x = lmdb \"d.example=D,.d.example=B,.example=\"", "", "e.example", "yes", 0 },
	{ "domains x = lmdb \"d.example=D\"", "", ".d.example", "no", 0 },
	{ "domains x = lmdb \".d.example=D\"", "", ".d.example", "no", 0 },
	{ "domains x = lmdb \"d.example=D\"", "", "", "no", 0 },
	{ "nets x = cdb \"192.0.2.1=A,192.0.2=B,10=C\"", "", "192.0.2.1", "yes A", 0 },
	{ "nets x = cdb \"192.0.2.1=A,192.0.2=B,10=C\"", "", "192.0.2.2", "yes B", 0 },
	{ "nets x = cdb \"192.0.2.1=A,192.0.2=B,10=C\"", "", "10.9.8.7", "yes C", 0 },
	{ "nets x = cdb \"192.0.2.1=A,192.0.2=B,10=C\"", "", "1.0.0.1", "no", 0 },
	{ "nets x = cdb \"2001:db8=E\"", "", "2001:db8:1::2", "yes E", 0 },
	{ "strings x = cdb \"abc=A,Def=D\"", "", "ABC", "yes A", 0 },
	{ "strings x = cdb \"abc=A,Def=D\"", "", "ABC", "no", 1 },
	{ "strings x = cdb \"abc=A,Def=D\"", "", "Def", "yes D", 1 },
	{ "strings x = cdb \"abc=A,Def=D\"", "", "Def", "no", 0 },	/* postmap folds keys */
	/* In place and files first, then databases in their order; an error only if none has it. */
	{ "strings x = lmdb \"a=1\" cdb \"a=2,b=3\" c", "", "a", "yes 1", 0 },
	{ "strings x = lmdb \"a=1\" cdb \"a=2,b=3\" c", "", "b", "yes 3", 0 },
	{ "strings x = lmdb \"a=1\" cdb \"a=2,b=3\" a", "", "a", "yes", 0 },
	{ "strings x = cdb \"broken\" cdb \"a=2\"", "", "a", "yes 2", 0 },
	{ "strings x = cdb \"a=2\" cdb \"broken\"", "", "b", "failed", 0 },
	{ "strings x = cdb \"broken\" b", "", "b", "yes", 0 },
};

static void
texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ruleset *rs;
		char text[256];

		put("a", cases[i].file[0] != '\0' ? cases[i].file : "# nothing\n");
		(void)snprintf(text, sizeof(text), "%s\n", cases[i].list);
		rs = load_good(text);
		if (strcmp(says(rs, cases[i].value, cases[i].raw), cases[i].says) != 0)
			fail_msg("%s, %s: %s, not %s", cases[i].list, cases[i].value,
			    says(rs, cases[i].value, cases[i].raw), cases[i].says);
		rules_release(rs);
	}
	assert_int_equal(open_databases, 0);
}

static void
long_keys(void **state)
{
	struct ruleset *rs = load_good("strings x = cdb \"a=A\"\n");
	char key[TABLE_KEY_MAX * 2 + 1];

	(void)state;
	memset(key, 'a', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_string_equal(says(rs, key, false), "no");
	assert_string_equal(says(rs, key, true), "no");
	assert_string_equal(says(rs, "", true), "no");
	rules_release(rs);
}

/* ---- Messages ---- */

/* The reply to a message of that sender and recipient, the plan's verdict otherwise. */
static const char *
reply(struct ruleset *rs, const char *sender, const char *rcpt)
{
	static char out[256];
	struct mail m;
	struct ipaddr ip;
	struct rules_state *st;
	const struct plan *p = NULL;

	assert_int_equal(mail_init(&m, NULL, NULL), 0);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	assert_int_equal(mail_connect(&m, &ip, STR_NONE, 25), 0);
	assert_non_null(st = rules_start(rs, &m));
	assert_non_null(rules_advance(st, S_CONNECT));
	assert_int_equal(mail_sender(&m, str_of(sender), NULL, 0, 1), 0);
	assert_non_null(rules_advance(st, S_MAIL));
	assert_non_null(mail_rcpt(&m, str_of(rcpt), '\0'));
	assert_non_null(p = rules_advance(st, S_RCPT));
	if (p->verdict == V_NONE) {
		assert_non_null(rules_advance(st, S_DATA));
		assert_non_null(p = rules_advance(st, S_MESSAGE));
	}
	if (p->verdict == V_REJECT || p->verdict == V_TEMPFAIL)
		(void)snprintf(out, sizeof(out), "%d " STR_FMT, p->reply.code, STR_ARG(p->reply.lines[0]));
	else
		(void)snprintf(out, sizeof(out), "%s", verdict_name(p->verdict));
	mail_free(&m);
	return out;
}

static const struct { const char *rules, *sender, *rcpt, *reply; } messages[] = {
	{ "addresses x = cdb \"a@b=not you\"\nrule r\n    if   sender in x\n    then reject \"${table.x}!\"\n",
	  "<a@b>", "<r@b>", "550 not you!" },
	{ "addresses x = cdb \"a@b=not you\"\nrule r\n    if   sender in x or rcpt in x\n    then reject \"${table.x}!\"\n",
	  "<c@b>", "<a@b>", "550 not you!" },
	{ "addresses x = cdb \"a@b=A,c@b=C\"\nrule r\n    if   rcpt in x or sender in x\n    then reject \"${table.x}\"\n",
	  "<a@b>", "<c@b>", "550 C" },
	{ "addresses x = cdb \"a@b=A\"\nrule r\n    if   not sender in x\n    then reject \"<${table.x}>\"\n",
	  "<c@b>", "<r@b>", "550 <>" },
	{ "addresses x = cdb \"a@b=A\"\naddresses y = lmdb \"a@b=Y\"\nrule r\n    if   sender in x and sender in y\n"
	  "    then reject \"${table.y}${table.x}\"\n", "<a@b>", "<r@b>", "550 YA" },
	{ "addresses x = cdb \"a@b=A\"\nrule r\n    if   any rcpt in x\n    then reject \"${table.x}\"\n",
	  "<c@b>", "<a@b>", "550 A" },
	/* A list that can't be read is an error of the class lookup. */
	{ "addresses x = cdb \"broken\"\nrule r\n    if   sender in x\n    then reject \"x\"\n",
	  "<a@b>", "<r@b>", "451 A check could not be completed, try again later" },
	{ "set on-error lookup skip\naddresses x = cdb \"broken\"\nrule r\n    if   sender in x\n    then reject \"x\"\n",
	  "<a@b>", "<r@b>", "accept" },
	{ "set on-error limit skip\naddresses x = cdb \"broken\"\nrule r\n    if   not sender in x\n    then reject \"x\"\n",
	  "<a@b>", "<r@b>", "451 A check could not be completed, try again later" },
	/* Another half of the condition may be true all the same. */
	{ "addresses x = cdb \"broken\"\nrule r\n    if   sender in x or rcpt in { r@b }\n    then reject \"<${table.x}>\"\n",
	  "<a@b>", "<r@b>", "550 <error>" },
};

static void
replies(void **state)
{
	struct ruleset *rs;

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		rs = load_good(messages[i].rules);
		if (strcmp(reply(rs, messages[i].sender, messages[i].rcpt), messages[i].reply) != 0)
			fail_msg("%s: %s", messages[i].rules,
			    reply(rs, messages[i].sender, messages[i].rcpt));
		rules_release(rs);
	}
	/* What a table gives is not expanded again. */
	put("a", "a@b ${sender} 100%s\n");
	rs = load_good("addresses x = file \"a\"\nrule r\n    if   sender in x\n    then reject \"${table.x}\"\n");
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "550 ${sender} 100%s");
	rules_release(rs);
}

/* ---- Changes ---- */

struct heard {
	int		replaced, kept;
	struct strbuf	lines;
};

static void
add_line(void *arg, enum severity severity, struct str line)
{
	struct heard *h = arg;
	ptrdiff_t at;

	(void)severity;
	while ((at = str_find(line, str_of(dir))) >= 0) {
		strbuf_add(&h->lines, line.p, (size_t)at);
		line.p += (size_t)at + strlen(dir) + 1;
		line.n -= (size_t)at + strlen(dir) + 1;
	}
	strbuf_str(&h->lines, line);
	strbuf_putc(&h->lines, '\n');
}

static void
hear(void *arg, const struct table_news *news)
{
	struct heard *h = arg;

	if (news->replaced)
		h->replaced++;
	else
		h->kept++;
	diag_each(news->diag, add_line, h);
}

/* Looks until nothing moves: the second look takes what the first has seen. */
static struct heard
refresh(struct ruleset *rs)
{
	struct heard h = { .replaced = 0 };

	for (int i = 0; i < 3; i++)
		rules_refresh_lists(rs, hear, &h);
	return h;
}

#define ONE_LIST	"addresses x = file \"a\"\nrule r\n    if   sender in x\n    then reject \"${table.x}\"\n"

static void
expect_news(struct ruleset *rs, int replaced, int kept, const char *lines)
{
	struct heard h = refresh(rs);

	assert_int_equal(h.replaced, replaced);
	assert_int_equal(h.kept, kept);
	assert_string_equal(h.lines.p != NULL ? h.lines.p : "", lines);
	strbuf_free(&h.lines);
}

static void
changes(void **state)
{
	struct ruleset *rs;
	char path[64];

	(void)state;
	put("a", "a@b one\n");
	rs = load_good(ONE_LIST);
	expect_news(rs, 0, 0, "");
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "550 one");
	put("a", "a@b two\nc@b three\n");
	expect_news(rs, 1, 0, "");
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "550 two");
	assert_string_equal(reply(rs, "<c@b>", "<r@b>"), "550 three");
	/* Broken ones are said once, with their line; the old list goes on. */
	put("a", "a@b four\nc.example\n");
	expect_news(rs, 0, 1, "a:2:1: error: 'c.example' is not an address; write one like user@example.org; "
	    "for all of a domain @example.org\n");
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "550 two");
	expect_news(rs, 0, 0, "");
	put("a", "a@b four\nc@b thr");
	expect_news(rs, 0, 1, "a:2:8: error: the last line has no end; the file isn't written whole\n");
	put("a", "");
	expect_news(rs, 0, 1, "a:1:1: error: the file has become empty; a list that shall be empty holds a comment\n");
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(unlink(path), 0);
	expect_news(rs, 0, 1, "rules:1:15: error: cannot read a: No such file or directory\n");
	assert_string_equal(reply(rs, "<c@b>", "<r@b>"), "550 three");
	put("a", "# none\n");
	expect_news(rs, 1, 0, "");
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "accept");
	rules_release(rs);
}

static void
put_many(const char *name, int n)
{
	struct strbuf b = { 0 };

	for (int i = 0; i < n; i++)
		strbuf_printf(&b, "u%d@b text\n", i);
	strbuf_putc(&b, '\0');
	put(name, b.p);
	strbuf_free(&b);
}

/* What shrinks to less than a tenth is taken, but not without a word. */
static void
shrinks(void **state)
{
	struct ruleset *rs;

	(void)state;
	put_many("a", 1000);
	rs = load_good(ONE_LIST);
	put_many("a", 100);
	expect_news(rs, 1, 0, "");
	put_many("a", 9);
	expect_news(rs, 1, 0, "rules:1:1: warning: 'x' has shrunk from 100 entries to 9; are its files whole?\n");
	assert_string_equal(reply(rs, "<u9@b>", "<r@b>"), "accept");
	put_many("a", 99);
	expect_news(rs, 1, 0, "");
	put_many("a", 1);
	expect_news(rs, 1, 0, "");
	rules_release(rs);
}

/* A file that goes on changing isn't read. */
static void
rests_first(void **state)
{
	struct heard h = { .replaced = 0 };
	struct ruleset *rs;

	(void)state;
	put("a", "a@b one\n");
	rs = load_good(ONE_LIST);
	for (int i = 0; i < 5; i++) {
		put("a", i % 2 ? "a@b odd\n" : "a@b even\n");
		rules_refresh_lists(rs, hear, &h);
		assert_int_equal(h.replaced + h.kept, 0);
	}
	rules_refresh_lists(rs, hear, &h);
	assert_int_equal(h.replaced, 1);
	assert_string_equal(reply(rs, "<a@b>", "<r@b>"), "550 even");
	rules_release(rs);
}

/* A message keeps what it began with, whatever comes between its stages. */
static void
one_version(void **state)
{
	struct ruleset *rs;
	struct mail m;
	struct ipaddr ip;
	struct rules_state *st;
	const struct plan *p;

	(void)state;
	put("a", "a@b first\n");
	put("b", "a@b FIRST\n");
	rs = load_good("set earliest-reply mail\naddresses x = file \"a\"\naddresses y = file \"b\"\n"
	    "rule r\n    if   sender in x and rcpt in y\n    then reject \"${table.x} ${table.y}\"\n");
	assert_int_equal(mail_init(&m, NULL, NULL), 0);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &ip), 0);
	assert_int_equal(mail_connect(&m, &ip, STR_NONE, 25), 0);
	assert_non_null(st = rules_start(rs, &m));
	assert_non_null(rules_advance(st, S_CONNECT));
	assert_int_equal(mail_sender(&m, STR("<a@b>"), NULL, 0, 1), 0);
	assert_non_null(rules_advance(st, S_MAIL));
	put("a", "a@b second\n");
	put("b", "a@b SECOND\n");
	expect_news(rs, 2, 0, "");
	assert_non_null(mail_rcpt(&m, STR("<a@b>"), '\0'));
	assert_non_null(p = rules_advance(st, S_RCPT));
	assert_int_equal(p->verdict, V_REJECT);
	assert_true(str_eq(p->reply.lines[0], STR("first FIRST")));
	assert_string_equal(reply(rs, "<a@b>", "<a@b>"), "550 second SECOND");
	mail_free(&m);
	rules_release(rs);
}

/* ---- Threads ---- */

struct race {
	struct ruleset	*rs;
	atomic_bool	 stop;
	atomic_int	 asked, wrong;
};

/* Both lists say the same in each version. */
static void *
ask_both(void *arg)
{
	struct race *r = arg;
	const struct list *x = rules_ast(r->rs)->lists, *y = x->next;

	while (!atomic_load(&r->stop)) {
		struct table_view *v = tables_view(rules_ast(r->rs)->tables);
		struct strbuf one = { 0 }, two = { 0 };
		struct value val = { .s = STR("key") };

		if (table_text(table_in(v, x), &val, false, &one) != TABLE_YES ||
		    table_text(table_in(v, y), &val, false, &two) != TABLE_YES ||
		    !str_eq(strbuf_slice(&one), strbuf_slice(&two)))
			atomic_fetch_add(&r->wrong, 1);
		strbuf_free(&one);
		strbuf_free(&two);
		table_view_release(v);
		atomic_fetch_add(&r->asked, 1);
	}
	return NULL;
}

static void
swaps_while_read(void **state)
{
	struct race r = { .asked = 0 };
	pthread_t threads[3];
	char text[32];

	(void)state;
	put("a", "key 0\n");
	put("b", "key 0\n");
	r.rs = load_good("domains x = file \"a\"\ndomains y = file \"b\" cdb \"z=Z\"\n");
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_both, &r), 0);
	for (int i = 1; i < 60; i++) {
		struct heard h = { .replaced = 0 };

		(void)snprintf(text, sizeof(text), "key %d\n", i);
		put("a", text);
		put("b", text);
		rules_refresh_lists(r.rs, hear, &h);
		rules_refresh_lists(r.rs, hear, &h);
		assert_int_equal(h.replaced, 2);
		strbuf_free(&h.lines);
	}
	while (atomic_load(&r.asked) < 1000)
		usleep(100);
	atomic_store(&r.stop, true);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&r.wrong), 0);
	rules_release(r.rs);
	assert_int_equal(open_databases, 0);
}

/* ---- Size ---- */

/* Longest prefix and hash, with a tenth of a million of each; bench_tables measures more. */
static void
large(void **state)
{
	struct strbuf b = { 0 };
	struct ruleset *rs;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		strbuf_printf(&b, "%u.%u.%u.0/24 n%u\n", 1 + i / 65536 * 7, i / 256 % 256, i % 256, i);
	put("n", b.p);
	rs = load_good("nets x = file \"n\" 1.0.0.0/8\n");
	assert_string_equal(says(rs, "1.0.7.9", false), "yes n7");
	assert_string_equal(says(rs, "8.0.7.9", false), "yes n65543");
	assert_string_equal(says(rs, "9.0.7.9", false), "no");
	rules_release(rs);
	b.n = 0;
	for (unsigned i = 0; i < 100000; i++)
		strbuf_printf(&b, "user%u@d%u.example n%u\n", i, i % 1000, i);
	put("n", b.p);
	rs = load_good("addresses x = file \"n\"\n");
	assert_string_equal(says(rs, "USER99999@d999.example", false), "yes n99999");
	assert_string_equal(says(rs, "user99999@d998.example", false), "no");
	rules_release(rs);
	strbuf_free(&b);
}

static void
wrong_lists(void **state)
{
	static const struct { const char *rules, *line; } wrong[] = {
		{ "strings x = cdb \"missing\"\n", "cannot read missing.cdb: it is away" },
		{ "strings x = lmdb \"missing.lmdb\"\n", "cannot read missing.lmdb: it is away" },
		{ "strings x = cdb \"\"\n", "'cdb' needs the path of a table" },
		{ "patterns x = lmdb \"a\"\n", "a database holds no patterns" },
		{ "domains x = pcre \"a\"\n", "a pcre table holds patterns, this list domains" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct heard h = { .replaced = 0 };
		struct diag *d;

		assert_null(load(wrong[i].rules, &d));
		diag_each(d, add_line, &h);
		assert_non_null(strstr(h.lines.p, wrong[i].line));
		strbuf_free(&h.lines);
		diag_free(d);
	}
	assert_int_equal(open_databases, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts), cmocka_unit_test(long_keys), cmocka_unit_test(replies),
		cmocka_unit_test(changes),
		cmocka_unit_test(shrinks), cmocka_unit_test(rests_first),
		cmocka_unit_test(one_version), cmocka_unit_test(swaps_while_read),
		cmocka_unit_test(large), cmocka_unit_test(wrong_lists),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
