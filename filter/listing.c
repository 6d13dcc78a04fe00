/*
 * listing.c - `postern facts` and `postern actions`: the tables that the
 * language is made of, for people and for programs.
 */
#include "filter/commands.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

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
		printf("%*s  %-*s  %-8s  %s\n", name - n, "", type, shown,
		    stage_name(facts[i].stage), facts[i].manual);
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
	int code, width = 0, n;
	bool json = false;

	if ((code = read_options("actions", argc, argv, &json)) != -1)
		return code;
	if (json)
		return actions_json();
	for (size_t i = 0; i < A_COUNT; i++) {
		n = (int)(strlen(actions[i].words) +
		    strlen(action_args_manual(actions[i].args)) + 1);
		width = n > width ? n : width;
	}
	for (size_t i = 0; i < A_COUNT; i++) {
		n = printf("%s %s", actions[i].words,
		    action_args_manual(actions[i].args));
		printf("%*s  %-5s  %s\n", width - n, "",
		    actions[i].final ? "final" : "", actions[i].manual);
	}
	return EX_OK;
}
