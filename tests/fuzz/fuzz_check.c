/*
 * fuzz_check.c - any octets as a rules file, through all passes of the checker:
 * each ends in a time that the file's length bounds, and none reads what isn't there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/diag.h"
#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Does it name files that happen to lie here? */
static bool
names_files(struct str text)
{
	static const struct str words[] = { STR("include"), STR("file"), STR("pcre"), STR("geo-database") };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_find(text, words[i]) >= 0)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct strbuf json = { 0 };
	struct diag *d = diag_new();
	FILE *f = fopen("/dev/null", "w");
	struct ruleset *rs = NULL;

	if (d == NULL || f == NULL)
		abort();
	if (!names_files(text)) {
		rs = rules_load_text(STR("fuzz"), text, "", d);
		diag_print(d, f, true);
		diag_json(d, &json);
	}
	if (rs != NULL)
		rules_release(rs);	/* after what points into it */
	strbuf_free(&json);
	fclose(f);
	diag_free(d);
	return 0;
}
