/*
 * mime_param.h - what mime_param.c and mime_field.c read a field by.
 */
#ifndef FILTER_MIME_PARAM_H
#define FILTER_MIME_PARAM_H

#include <string.h>

#include "mime_int.h"

struct mime_param {
	struct str	name;
	struct str	value;		/* without quotes and escapes */
	struct str	others[2];	/* as other programs read it; p NULL where all agree */
	int		section;	/* of RFC 2231, or -1 */
	bool		extended;	/* charset and %xx */
};

struct field_reader {
	struct arena	*a;
	struct str	 s;
	size_t		 i;
	size_t		 n;
	uint32_t	*defects;
	bool		 no_comments;	/* brackets are characters like others */
	bool		 odd_comment;	/* and who reads them so finds other parameters */
	bool		 failed;
	struct mime_param v[MIME_PARAMS];	/* n of them; not zeroed */
};

static inline bool
field_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* May it stand in a token (RFC 2045, 5.1)?  Others than ASCII may not, but do. */
static inline bool
field_is_token(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Blanks and comments. */
void field_skip_blank(struct field_reader *r);
/* As far as none of the stops, trimmed. */
struct str field_until(struct field_reader *r, const char *stops);
/* The parameters from here to the end, into r->v. */
void field_params(struct field_reader *r);

/* Where a text of a parameter goes; p NULL or empty where there is none. */
typedef void take_text(struct field_reader *r, struct mime_head *h, struct str text);
/* All that the parameter may be, what most programs take first. */
void field_each(struct field_reader *r, const char *name, take_text *take, struct mime_head *h);

#endif
