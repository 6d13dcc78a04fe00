/*
 * listing.c - `postern facts` and `postern actions`: the tables that the
 * language is made of, for people and for programs.
 *
 * A row is a line, for grep(1).  Only on a terminal the last column is broken
 * into lines that fit it, below each other.
 */
#include "filter/commands.h"

#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "rules/actions.h"
#include "rules/facts.h"

/* -1: go on; otherwise the status to end with. */
static int
read_options(const char *name, int argc, char **argv, bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			*json = true;
			break;
		case 'h':
			command_help(name, stdout);
			return EX_OK;
		default:
			return command_bad_option(name, c, argv);
		}
	if (optind < argc)
		return command_usage(name, "unexpected argument '%s'", argv[optind]);
	return -1;
}

#define LEAST_TEXT	40	/* columns; with fewer beside the others it goes below them */
#define BELOW		8

/* Columns of the terminal that it is printed to, or 0: nothing is to be broken. */
static int
terminal_width(void)
{
	struct winsize w;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

/* The last column of a row that has come to column `at`, and the row's end. */
static void
print_text(const char *text, int at, int width)
{
	int used = at, indent = at;
	struct str word;

	if (width > 0 && width - at < LEAST_TEXT) {
		indent = BELOW;
		used = width;		/* so that its first word begins a line */
	}
	for (const char *p = text; *p != '\0'; p += strspn(p, " ")) {
		word = (struct str){ p, strcspn(p, " ") };
		p += word.n;
		if (width > 0 && used > indent && used + 1 + (int)utf8_count(word) > width) {
			printf("\n%*s", indent, "");
			used = indent;
		} else if (word.p > text) {
			putchar(' ');
			used++;
		}
		fwrite(word.p, 1, word.n, stdout);
		used += (int)utf8_count(word);
	}
	putchar('\n');
}

static void
member(struct strbuf *b, const char *key, const char *value)
{
	strbuf_printf(b, "\"%s\":", key);
	strbuf_json(b, str_of(value));
}

static int
write_json(struct strbuf *b)
{
	if (b->failed) {
		fprintf(stderr, "postern: out of memory\n");
		return EX_OSERR;
	}
	fwrite(b->p, 1, b->n, stdout);
	strbuf_free(b);
	return EX_OK;
}

static const char *
key_shown(const struct fact *f)
{
	return (f->flags & F_KEY) != 0 ? "[\"...\"]" : "";
}

/* "text", or "text, several": any of the values may match. */
static int
type_shown(const struct fact *f, char *out, size_t size)
{
	return snprintf(out, size, "%s%s", type_of(f->type)->name,
	    (f->flags & F_LIST) != 0 ? ", several" : "");
}

static int
facts_json(void)
{
	static const char *const scopes[] = {
		[P_CONN] = "connection", [P_MSG] = "message", [P_RCPT] = "recipient",
	};
	struct strbuf b = { 0 };

	strbuf_puts(&b, "[");
	for (size_t i = 0; i < nfacts; i++) {
		const struct fact *f = &facts[i];

		strbuf_puts(&b, i > 0 ? ",\n {" : "{");
		member(&b, "name", f->name);
		strbuf_puts(&b, ",");
		member(&b, "type", type_of(f->type)->name);
		strbuf_puts(&b, ",");
		member(&b, "stage", stage_name(f->stage));
		strbuf_puts(&b, ",");
		member(&b, "scope", scopes[f->scope]);
		strbuf_printf(&b, ",\"list\":%s,\"key\":%s,",
		    (f->flags & F_LIST) != 0 ? "true" : "false",
		    (f->flags & F_KEY) != 0 ? "true" : "false");
		member(&b, "manual", f->manual);
		strbuf_puts(&b, "}");
	}
	strbuf_puts(&b, "]\n");
	return write_json(&b);
}

int
command_facts(int argc, char **argv)
{
	int code, name = 0, type = 0, n;
	int width = terminal_width();
	bool json = false;
	char shown[64];

	if ((code = read_options("facts", argc, argv, &json)) != -1)
		return code;
	if (json)
		return facts_json();
	for (size_t i = 0; i < nfacts; i++) {
		n = (int)(strlen(facts[i].name) + strlen(key_shown(&facts[i])));
		name = n > name ? n : name;
		n = type_shown(&facts[i], shown, sizeof(shown));
		type = n > type ? n : type;
	}
	for (size_t i = 0; i < nfacts; i++) {
		n = printf("%s%s", facts[i].name, key_shown(&facts[i]));
		type_shown(&facts[i], shown, sizeof(shown));
		printf("%*s  %-*s  %-8s  ", name - n, "", type, shown, stage_name(facts[i].stage));
		print_text(facts[i].manual, name + type + 14, width);
	}
	return EX_OK;
}

static int
actions_json(void)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "[");
	for (size_t i = 0; i < A_COUNT; i++) {
		const struct action_def *a = &actions[i];

		strbuf_puts(&b, i > 0 ? ",\n {" : "{");
		member(&b, "name", a->words);
		strbuf_puts(&b, ",");
		member(&b, "arguments", action_args_manual(a->args));
		strbuf_printf(&b, ",\"final\":%s,\"edit\":%s,",
		    a->final ? "true" : "false",
		    (a->flags & ACT_EDIT) != 0 ? "true" : "false");
		member(&b, "manual", a->manual);
		strbuf_puts(&b, "}");
	}
	strbuf_puts(&b, "]\n");
	return write_json(&b);
}

int
command_actions(int argc, char **argv)
{
	int code, name = 0, n, width = terminal_width();
	bool json = false;

	if ((code = read_options("actions", argc, argv, &json)) != -1)
		return code;
	if (json)
		return actions_json();
	for (size_t i = 0; i < A_COUNT; i++) {
		n = (int)(strlen(actions[i].words) +
		    strlen(action_args_manual(actions[i].args)) + 1);
		name = n > name ? n : name;
	}
	for (size_t i = 0; i < A_COUNT; i++) {
		n = printf("%s %s", actions[i].words,
		    action_args_manual(actions[i].args));
		printf("%*s  %-5s  ", name - n, "", actions[i].final ? "final" : "");
		print_text(actions[i].manual, name + 9, width);
	}
	return EX_OK;
}
