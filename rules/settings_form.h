/*
 * settings_form.h - the forms that values of settings have.
 */
#ifndef RULES_SETTINGS_FORM_H
#define RULES_SETTINGS_FORM_H

#include "str.h"

struct arena;
struct operand;

/*
 * Is the value of the form that settings.def names?  first: the first value
 * of the same setting.  *text gets the value as the program reads it, in the
 * arena; why, on failure, the reason and the mend.  0 or -1.
 */
int settings_form(const char *form, const struct operand *first,
    const struct operand *value, struct arena *a, struct str *text,
    struct strbuf *why);

/* settings_file.c: `set geo-database` and `set time-zone`.  0, or -1 and why. */
int settings_form_mmdb(struct str path, struct strbuf *why);
int settings_form_zone(struct str name, struct strbuf *why);
int settings_form_server(struct str s, struct strbuf *why);

/* Index of s in the words of `takes`, or -1 with the nearest one in why. */
int settings_word(const char *setting, const char *takes, struct str s, struct strbuf *why);

#endif
