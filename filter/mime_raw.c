/*
 * mime_raw.c - where HTML's comments and raw text end.
 */
#include "mime_int.h"

#include <string.h>

bool
comment_ends(struct comment_end *e, char c)
{
	if (c == '>' && (e->dashes >= 2 || e->bang))
		return true;
	e->bang = c == '!' && e->dashes >= 2 && !e->bang;
	e->dashes = c == '-' ? e->dashes + 1 : 0;
	return false;
}

void
raw_begin(struct raw *r, struct str name, bool script)
{
	memcpy(r->name, name.p, name.n);
	r->n = name.n;
	r->matched = 0;
	r->script.here = script;
	r->script.escapes = 0;
}

bool
raw_ends(struct raw *r, char c)
{
	size_t n = r->n + 2;

	if (r->matched == n && r->script.escapes < 2 && (html_is_space(c) || c == '/' || c == '>'))
		return true;
	if (r->matched < n && (r->matched == 0 ? c == '<' : r->matched == 1 ? c == '/' :
	    mime_lower(c) == r->name[r->matched - 2]))
		r->matched++;
	else
		r->matched = c == '<';
	if (r->script.here)
		script_step(&r->script, c);
	return false;
}

size_t
raw_skip(const struct raw *r, const char *p, size_t n)
{
	const char *lt;

	if (r->matched > 0 || r->script.here)
		return 0;
	return (lt = memchr(p, '<', n)) != NULL ? (size_t)(lt - p) : n;
}
