/*
 * charset.h - octets of a named character set to UTF-8, piece by piece.
 */
#ifndef FILTER_CHARSET_H
#define FILTER_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/str.h"

/* Takes text as it comes out: well-formed UTF-8, never a part of a character. */
typedef void charset_put(void *arg, const char *p, size_t n);

#define CHARSET_CARRY	16

/* Sets that iconv(3) isn't asked for, or not by their name. */
#define CHARSET_UTF_8	"UTF-8"
#define CHARSET_JIS	"ISO-2022-JP"

/* iconv(3)'s name for what mail calls a character set; NULL for none that is known. */
const char *charset_iconv(struct str label);

/* Zeroed before the first use; charset_close() after the last. */
struct charset {
	void		*cd;		/* iconv's, kept while the set stays the same */
	const char	*cd_name;
	enum { CHARSET_UTF8, CHARSET_ICONV, CHARSET_NONE } kind;
	bool		 unknown;	/* no such set: only ASCII could be taken */
	bool		 bad;		/* octets that are none of the set were met */
	char		 carry[CHARSET_CARRY];	/* of a character that isn't all there */
	size_t		 ncarry;
	bool		shifts;		/* the set has states: it is taken octet by octet */
	bool		jis;		/* what comes is ISO-2022-JP, and becomes Shift_JIS for iconv */
	struct {
		char	set;		/* of what follows: B of ESC ( B, or $ for two octets each */
		char	esc[4];		/* of an escape sequence that isn't all there */
		size_t	nesc;
		unsigned char first;	/* of two octets, or 0 */
	}		jis_state;
};

/*
 * Begins a text.  ASCII counts as UTF-8, whose part it is.  Past begin,
 * `unknown` tells whether the name is known.
 */
void charset_begin(struct charset *c, struct str name);
/* What is no character becomes U+FFFD, an octet each. */
void charset_feed(struct charset *c, struct str octets, charset_put *put, void *arg);
void charset_end(struct charset *c, charset_put *put, void *arg);
void charset_close(struct charset *c);

#endif
