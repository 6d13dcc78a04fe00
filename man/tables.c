/*
 * tables.c - the tables of facts, actions and settings as mdoc lists, and the settings that a
 * reload can't change, for the manual pages.  Built from the same rows as postern itself.
 */
#include <stdio.h>
#include <string.h>

/* mdoc takes a leading dot or quote for a request, and \ for an escape; a sentence begins a line. */
static void
text(const char *s)
{
	for (const char *p = s; *p != '\0'; p++) {
		if (*p == ' ' && p > s && p[-1] == '.' && p[1] >= 'A' && p[1] <= 'Z')
			putchar('\n');
		else if (*p == '\\')
			fputs("\\e", stdout);
		else if (*p == '-')
			fputs("\\-", stdout);
		else
			putchar(*p);
	}
	putchar('\n');
}

#define T_BOOL		"boolean"
#define T_NUMBER	"number"
#define T_SIZE		"size"
#define T_DURATION	"duration"
#define T_ADDR		"ip"
#define T_DOMAIN	"domain"
#define T_ADDRESS	"address"
#define T_TEXT		"text"
#define T_RAW		"octets"
#define T_SPF		"spf"
#define T_DKIM		"dkim"
#define T_DMARC		"dmarc"
#define T_DMARC_POLICY	"policy"
#define T_DMARC_METHOD	"method"
#define T_PART		"part"
#define T_DEFECT	"defect"
#define T_IPREV	"iprev"
#define T_ARC		"arc"
#define T_RESULT	"result"
#define T_WEEKDAY	"weekday"
#define S_CONNECT	"connect"
#define S_MAIL		"mail"
#define S_RCPT		"rcpt"
#define S_DATA		"data"
#define S_HEADERS	"headers"
#define S_MESSAGE	"message"

static void
facts(void)
{
#define FACT(name, type, stage, scope, cost, get, flags, manual) \
	printf(".It Ic %s%s Pq %s, %s%s\n", name, strstr(#flags, "F_KEY") ? "[\\(dq...\\(dq]" : "", \
	    type, stage, strstr(#flags, "F_LIST") ? ", several" : ""); \
	text(manual);
#include "rules/facts.def"
#undef FACT
}

static void
actions(void)
{
#define ARG_NONE	""
#define ARG_REPLY	" Oo Ar code Oo Ar enhanced Oc Oc \\(dq Ns Ar text Ns \\(dq ..."
#define ARG_TEXT	" \\(dq Ns Ar text Ns \\(dq"
#define ARG_HEADER	" Ar name"
#define ARG_HEADER_TEXT	" Ar name \\(dq Ns Ar text Ns \\(dq"
#define ARG_PATH	" Ar address"
#define ARG_PATH_OPTIONAL " Op Ar address"
#define ARG_SIGNED	" Ar +n | -n"
#define ACTION(words, id, args, final, flags, manual) \
	printf(".It Ic %s%s\n", words, args); \
	text(manual);
#include "rules/actions.def"
#undef ACTION
}

static void
settings(void)
{
#define SETTING(name, field, kind, takes, dflt, reload, manual) \
	printf(".It Ic %s%s%s%s\n", name, (dflt)[0] != '\0' ? " Pq default " : "", \
	    dflt, (reload) ? "" : (dflt)[0] != '\0' ? ", fixed at start" : " Pq fixed at start"); \
	text(manual);
#include "rules/settings.def"
#undef SETTING
}

/* "listen, user and chroot" */
static void
fixed(void)
{
	static const struct { const char *name; int reload; } all[] = {
#define SETTING(name, field, kind, takes, dflt, reload, manual) { name, reload },
#include "rules/settings.def"
#undef SETTING
	};
	size_t n = 0, i = 0;

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		n += !all[k].reload;
	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		if (!all[k].reload) {
			i++;
			printf(".Ic %s%s", all[k].name, i + 1 < n ? " ,\n" : i < n ? "\nand\n" : " .\n");
		}
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "facts") == 0)
		facts();
	else if (strcmp(what, "actions") == 0)
		actions();
	else if (strcmp(what, "fixed") == 0)
		fixed();
	else
		settings();
	return 0;
}
