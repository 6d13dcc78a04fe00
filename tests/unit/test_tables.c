/* test_tables.c - lists and list files: what they hold, what is wrong in them. */
#include "tests/unit/tablefile.h"

/* A list of the words, which are separated by blanks. */
static struct table *
list_of(enum list_type type, const char *words)
{
	struct list l = { .type = type };
	struct entry **tail = &l.entries;
	char *copy = str_cstr(arena, str_of(words));

	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " ")) {
		struct entry *e = arena_new_object(arena, struct entry);

		e->kind = ENTRY_WORD;
		e->at = (struct span){ &rules, 0, 4 };
		e->text = str_of(w);
		*tail = e;
		tail = &e->next;
	}
	return table_build(&l, &how, arena, diag);
}

/* What the list says of a value as facts make it. */
static bool
has(const struct table *t, enum list_type type, const char *text, bool raw)
{
	struct value v = { 0 };

	if (type == LIST_NETS)
		assert_int_equal(ipaddr_parse(str_of(text), &v.ip), 0);
	else if (type == LIST_DOMAINS)
		v.s = domain_normal(arena, str_of(text));
	else if (type == LIST_ADDRESSES)
		v.mb = mailbox_parse(arena, str_of(text));
	else
		v.s = str_of(text);
	return table_has(t, &v, raw) == TABLE_YES;
}

static const struct {
	enum list_type	type;
	const char	*entries, *value;
	bool		hit;
} cases[] = {
	{ LIST_NETS, "127.0.0.0/8 ::1 192.0.2.0/24", "192.0.2.200", 1 },
	{ LIST_NETS, "127.0.0.0/8 ::1 192.0.2.0/24", "::1", 1 },
	{ LIST_NETS, "127.0.0.0/8 ::1 192.0.2.0/24", "192.0.3.1", 0 },
	{ LIST_NETS, "192.0.2.1", "192.0.2.1", 1 },
	{ LIST_NETS, "", "192.0.2.1", 0 },
	{ LIST_DOMAINS, "brand.example .brand.example", "BRAND.example.", 1 },
	{ LIST_DOMAINS, "brand.example .brand.example", "a.b.brand.example", 1 },
	{ LIST_DOMAINS, ".brand.example", "brand.example", 0 },
	{ LIST_DOMAINS, ".brand.example", "notbrand.example", 0 },
	{ LIST_DOMAINS, "brand.example", "a.brand.example", 0 },
	{ LIST_DOMAINS, ".brand.example", ".brand.example", 0 },
	{ LIST_DOMAINS, ".brand.example", "..brand.example", 1 },
	{ LIST_DOMAINS, ".example", "a.example", 1 },
	{ LIST_DOMAINS, "m\xc3\xbcller.example", "xn--mller-kva.example", 1 },
	{ LIST_DOMAINS, ".XN--MLLER-KVA.example", "a.M\xc3\x9cLLER.example", 1 },
	{ LIST_DOMAINS, "", "a.example", 0 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "U@D.example", 1 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "v@d.example", 0 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "any@E.example", 1 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "any@x.e.example", 0 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "any@x.y.f.example", 1 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "any@f.example", 0 },
	{ LIST_ADDRESSES, "u@d.example @e.example @.f.example", "<>", 0 },
	{ LIST_ADDRESSES, "<>", "<>", 1 },
	{ LIST_ADDRESSES, "<>", "a@b.example", 0 },
	{ LIST_ADDRESSES, "postmaster", "<Postmaster>", 1 },
	{ LIST_ADDRESSES, "postmaster", "postmaster@d.example", 0 },
	{ LIST_ADDRESSES, "\"a.b\"@d.example", "a.b@d.example", 1 },
	{ LIST_ADDRESSES, "\xc3\x84@d.example", "\xc3\xa4@d.example", 1 },
	{ LIST_STRINGS, "one Two", "TWO", 1 },
	{ LIST_STRINGS, "one Two", "three", 0 },
	{ LIST_STRINGS, "\xc3\x84rger", "\xc3\xa4RGER", 1 },
	{ LIST_STRINGS, "one", "", 0 },
};

static void
lookups(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct table *t = list_of(cases[i].type, cases[i].entries);

		assert_non_null(t);
		if (has(t, cases[i].type, cases[i].value, false) != cases[i].hit)
			fail_msg("%s in { %s } is not %d", cases[i].value,
			    cases[i].entries, cases[i].hit);
	}
	assert_int_equal(diag_errors(diag), 0);
}

/* On raw facts case counts, even where a list has both. */
static void
raw_strings(void **state)
{
	struct table *t = list_of(LIST_STRINGS, "abc ABC Def abc");

	(void)state;
	assert_int_equal(table_size(t), 3);
	assert_true(has(t, LIST_STRINGS, "abc", true));
	assert_true(has(t, LIST_STRINGS, "ABC", true));
	assert_false(has(t, LIST_STRINGS, "Abc", true));
	assert_true(has(t, LIST_STRINGS, "Abc", false));
	assert_false(has(t, LIST_STRINGS, "def", true));
}

static void
list_file(void **state)
{
	static const char text[] =
	    "# comment\n"
	    "\n"
	    "one phrase   # another\n"
	    "  two#2\n"
	    "\t# third\n"
	    "three\n";
	struct table *t;

	(void)state;
	t = file_of(LIST_STRINGS, ENTRY_FILE, text, sizeof(text) - 1);
	assert_int_equal(table_size(t), 3);
	assert_true(has(t, LIST_STRINGS, "One Phrase", false));
	assert_true(has(t, LIST_STRINGS, "two#2", false));
	assert_true(has(t, LIST_STRINGS, "three", false));
	assert_int_equal(diag_errors(diag) + diag_warnings(diag), 0);

	t = file_of(LIST_NETS, ENTRY_FILE, "192.0.2.0/24\r\n::1\r\n", 19);
	assert_int_equal(table_size(t), 2);
	assert_int_equal(diag_errors(diag), 0);
	t = file_of(LIST_DOMAINS, ENTRY_FILE, "", 0);
	assert_int_equal(table_size(t), 0);
	assert_int_equal(diag_errors(diag), 0);
}

static void
pattern_file(void **state)
{
	static const struct { const char *line, *subject, *match; } lines[] = {
		{ "/wire transfer/i\n", "a WIRE transfer", "WIRE transfer" },
		{ "/a/b/  # x/y\n", "xa/b", "a/b" },
		{ "/a #b/\n", "a #b", "a #b" },
		{ "  /(x)\\/y/s\t# why\n", "x/y", "x/y" },
		{ "//\n", "x", "" },
		{ "#/a/\n", "a", NULL },
		{ "/b/\n/(a)/\n", "a", "a" },
	};
	struct captures caps;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct table *t = file_of(LIST_PATTERNS, ENTRY_FILE, lines[i].line, strlen(lines[i].line));
		enum table_result r = table_matches(t, str_of(lines[i].subject), &caps);

		if (diag_errors(diag) > 0)
			diag_print(diag, stdout, false);
		assert_int_equal(diag_errors(diag), 0);
		assert_int_equal(r, lines[i].match != NULL ? TABLE_YES : TABLE_NO);
		if (lines[i].match != NULL)
			assert_true(str_eq(caps.group[0], str_of(lines[i].match)));
		assert_int_equal(table_matches(t, str_of(lines[i].subject), NULL), r);
	}
}

/* A pattern at its limit is only an error where no other matches. */
static void
pattern_limits(void **state)
{
	static const char both[] = "/^(a+)+$/\n/b$/\n", one[] = "/^(a+)+$/\n/c$/\n";
	struct str subject = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");

	(void)state;
	assert_int_equal(table_matches(file_of(LIST_PATTERNS, ENTRY_FILE, both, sizeof(both) - 1),
	    subject, NULL), TABLE_YES);
	assert_int_equal(table_matches(file_of(LIST_PATTERNS, ENTRY_FILE, one, sizeof(one) - 1),
	    subject, NULL), TABLE_LIMIT);
}

struct lines {
	struct strbuf	text;
	size_t		strip;		/* of the directory's name */
};

static void
add_line(void *arg, enum severity sev, struct str line)
{
	struct lines *l = arg;

	(void)sev;
	if (str_istarts(line, str_of(dir))) {
		line.p += l->strip;
		line.n -= l->strip;
	}
	strbuf_str(&l->text, line);
	strbuf_putc(&l->text, '\n');
}

static const struct { enum list_type type; const char *text, *diagnostics; } wrong[] = {
	{ LIST_NETS, "192.0.2.0/24\n 192.0.2.7/24 # x\n",
	  "list:2:2: error: 192.0.2.7/24 has host bits set; did you mean 192.0.2.0/24?\n" },
	{ LIST_NETS, "192.0.2.0/24 198.51.100.7/24\n",
	  "list:1:1: error: '192.0.2.0/24 198.51.100.7/24' looks like more than one entry; a list file holds one a line, and perhaps a text behind it\n" },
	{ LIST_DOMAINS, "a.example b.example # x\n",
	  "list:1:1: error: 'a.example b.example' looks like more than one entry; a list file holds one a line, and perhaps a text behind it\n" },
	{ LIST_ADDRESSES, "a@a.example @b.example\n",
	  "list:1:1: error: 'a@a.example @b.example' looks like more than one entry; a list file holds one a line, and perhaps a text behind it\n" },
	{ LIST_ADDRESSES, "example.org\n",
	  "list:1:1: error: 'example.org' is not an address; write one like user@example.org; for all of a domain @example.org\n" },
	{ LIST_PATTERNS, "/a(b/\n",
	  "list:1:5: error: bad pattern: missing closing parenthesis\n" },
	{ LIST_PATTERNS, "\n  /ab/g # x\n",
	  "list:2:7: error: bad pattern: unknown flag 'g'; there are i, m, s and x\n" },
	{ LIST_PATTERNS, "wire transfer\n/unclosed\n",
	  "list:1:1: error: a pattern is written between slashes, like /wire transfer/i\n"
	  "list:2:1: error: this pattern has no closing /\n" },
	{ LIST_STRINGS, "a\n\xff\n",
	  "list:2:1: error: octet 0xff is not UTF-8; save the file as UTF-8\n" },
	{ LIST_STRINGS, "a",
	  "list:1:2: warning: no newline at the end of the file; was it saved whole?\n" },
	{ LIST_STRINGS, "\xef\xbb\xbf" "a\n",
	  "list:1:1: warning: the file begins with a byte order mark; save it as UTF-8 without one\n" },
};

static void
wrong_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct lines l = { .strip = strlen(dir) + 1 };

		diag_free(diag);
		assert_non_null(diag = diag_new());
		assert_non_null(file_of(wrong[i].type, ENTRY_FILE, wrong[i].text, strlen(wrong[i].text)));
		diag_each(diag, add_line, &l);
		assert_string_equal(l.text.p != NULL ? l.text.p : "", wrong[i].diagnostics);
		strbuf_free(&l.text);
	}
}

static void
missing_file(void **state)
{
	struct entry e = { .kind = ENTRY_FILE, .at = { &rules, 9, 11 },
	    .text = STR("/nonexistent/list") };
	struct list l = { .type = LIST_NETS, .entries = &e };
	struct lines lines = { .strip = 0 };

	(void)state;
	assert_non_null(table_build(&l, &how, arena, diag));
	diag_each(diag, add_line, &lines);
	assert_string_equal(lines.text.p, "rules:1:10: error: cannot read "
	    "/nonexistent/list: No such file or directory\n");
	strbuf_free(&lines.text);
}

/*
 * A list says what a set of the same entries says, so `in NAME` and `in { }`
 * mean one thing: small alphabets make them meet.
 */
static void
random_text(char *text, size_t max, const char *alphabet)
{
	size_t n = (size_t)rand() % max;

	for (size_t i = 0; i < n; i++)
		text[i] = alphabet[(size_t)rand() % strlen(alphabet)];
	text[n] = '\0';
}

static void
agrees_with_sets(void **state)
{
	static const struct { enum list_type list; enum type_id type; const char *alphabet; } kinds[] = {
		{ LIST_DOMAINS, T_DOMAIN, "aB.." }, { LIST_ADDRESSES, T_ADDRESS, "aB.@" },
		{ LIST_STRINGS, T_TEXT, "aAbB" },
	};
	size_t asked = 0, hits = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		size_t k = seed % COUNT(kinds), n = 0;
		char word[8], words[128] = "";
		struct value entry[8];
		struct table *t;

		srand(seed);
		arena_reset(arena);
		for (int i = 0; i < 8; i++) {
			struct strbuf why = { 0 };

			random_text(word, sizeof(word), kinds[k].alphabet);
			if (word[0] != '\0' && type_parse(kinds[k].type, OP_IN_SET, arena,
			    str_of(word), &entry[n], &why) == 0) {
				n++;
				strcat(words, word);
				strcat(words, " ");
			}
			strbuf_free(&why);
		}
		t = list_of(kinds[k].list, words);
		assert_int_equal(diag_errors(diag), 0);
		for (int i = 0; i < 50; i++) {
			struct value v = { 0 };
			bool hit = false, got;

			random_text(word, sizeof(word), kinds[k].alphabet);
			if (kinds[k].type == T_ADDRESS)
				v.mb = mailbox_parse(arena, str_of(word));
			else
				v.s = kinds[k].type == T_DOMAIN ?
				    domain_normal(arena, str_of(word)) : str_of(word);
			for (size_t e = 0; e < n; e++)
				hit |= type_test(kinds[k].type, OP_IN_SET, &v, &entry[e]);
			got = table_has(t, &v, false) == TABLE_YES;
			if (got != hit)
				fail_msg("seed %u: '%s' in { %s} is %d, list says %d",
				    seed, word, words, hit, got);
			asked++;
			hits += hit;
		}
	}
	assert_true(hits > asked / 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(list_file, setup, teardown),
		cmocka_unit_test_setup_teardown(pattern_file, setup, teardown),
		cmocka_unit_test_setup_teardown(pattern_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_files, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_file, setup, teardown),
		cmocka_unit_test_setup_teardown(agrees_with_sets, setup, teardown),
	};

	return cmocka_run_group_tests_name("tables", tests, make_dir, drop_dir);
}
