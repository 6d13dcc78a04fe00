/*
 * dkim_cover.c - what of a message a signature covers, and what it leaves to
 * anybody.
 *
 * h= names fields, and as many of each name as it repeats it, from the bottom
 * up (RFC 6376, 5.4.2): one that was added passes for signed with those who only
 * look whether the signature verifies, and show it to their users (8.15).  A name
 * repeated once more than there are fields guards against that.  Fields of which
 * a message may have several, such as Received, are not told of.
 */
#include "dkim_int.h"

#include "rules/arena.h"

/* T_PART's word is the field's name; PART_BODY for none of them. */
static int
part_of(struct str name)
{
	const char *const *words = type_of(T_PART)->words;
	int p = 0;

	while (p < PART_BODY && (name.n == 0 || ((name.p[0] ^ words[p][0]) & 0x5f) != 0 ||
	    !str_ieq(name, str_of(words[p]))))
		p++;
	return p;
}

static void
add_part(struct value *v, struct part_list *l, int part)
{
	v[l->n++].n = part;
	l->v = v;
}

static int
cover(struct arena *a, struct signature *s, const size_t *there)
{
	size_t named[PARTS] = { 0 };
	struct str names = s->tags.names, name;
	struct value *less, *more;

	if ((less = arena_array(a, PARTS, sizeof(*less))) == NULL ||
	    (more = arena_array(a, PARTS, sizeof(*more))) == NULL)
		return -1;
	while (dkim_next_name(&names, &name))
		named[part_of(name)]++;
	for (int p = 0; p < PART_BODY; p++) {
		if (named[p] < there[p])
			add_part(less, &s->s.unsigned_parts, p);
		else if (named[p] > there[p])
			add_part(more, &s->s.oversigned, p);
	}
	s->s.partial = s->tags.has_length && s->body != NULL &&
	    s->tags.length < s->body->canon.octets;
	if (s->s.partial)
		add_part(less, &s->s.unsigned_parts, PART_BODY);
	return 0;
}

int
dkim_cover(struct dkim_check *c)
{
	size_t there[PARTS] = { 0 };

	for (const struct field *f = c->nchosen > 0 ? c->fields : NULL; f != NULL; f = f->next)
		there[part_of(str_trim(f->f.name))]++;
	for (size_t i = 0; i < c->nchosen; i++)
		if (c->chosen[i]->well_formed && cover(c->arena, c->chosen[i], there) == -1)
			return -1;
	return 0;
}
