/*
 * settings_file.c - settings that name something outside of the rules file,
 * which must be there when they are read.
 */
#include "settings_form.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "tz.h"

/* A database ends in its description, which begins with these octets, in its last 128 KiB. */
#define MMDB_MARK	"\xab\xcd\xefMaxMind.com"
#define MMDB_TAIL	(128 * 1024)

/* 1 if it is one, 0 if not, -1 with errno. */
static int
is_mmdb(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "re");
	int found = -1;
	size_t n;
	char *p;

	if (f == NULL)
		return -1;
	if ((p = arena_array(a, MMDB_TAIL, 1)) == NULL)
		errno = ENOMEM;
	else if (fseek(f, -(long)MMDB_TAIL, SEEK_END) == 0 || errno == EINVAL) {
		/* EINVAL: shorter than that. */
		errno = 0;
		n = fread(p, 1, MMDB_TAIL, f);
		if (!ferror(f))
			found = memmem(p, n, MMDB_MARK, sizeof(MMDB_MARK) - 1) != NULL;
	}
	fclose(f);
	return found;
}

int
settings_form_mmdb(struct str path, struct strbuf *why)
{
	struct arena *own = arena_new(0);
	char *name = own != NULL ? str_cstr(own, path) : NULL;
	int found = name != NULL ? is_mmdb(own, name) : -1;

	if (name == NULL)
		strbuf_puts(why, "out of memory");
	else if (found == -1)
		strbuf_printf(why, "cannot read '" STR_FMT "': %s", STR_ARG(path), strerror(errno));
	else if (found == 0)
		strbuf_printf(why, "'" STR_FMT "' is no MaxMind database; they end in .mmdb",
		    STR_ARG(path));
	arena_free(own);
	return found == 1 ? 0 : -1;
}

int
settings_form_zone(struct str name, struct strbuf *why)
{
	struct arena *own = arena_new(0);
	struct tz *tz = NULL;

	if (own == NULL)
		strbuf_puts(why, "out of memory");
	else
		tz = tz_load(own, name, why);
	arena_free(own);
	return tz != NULL ? 0 : -1;
}
