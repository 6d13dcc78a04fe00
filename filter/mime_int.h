/*
 * mime_int.h - what the parts of the MIME decoder share.  Only mime*.c
 * include it.
 *
 *	mime.c		what is found, and its limits
 *	mime_parser.c	lines, boundaries, headers of parts
 *	mime_field.c	Content-Type and its kin, mime_param.c their parameters
 *	mime_leaf.c	a part without parts: its way from octets to facts
 *	mime_encoding.c	base64, quoted-printable, uuencode
 *	mime_uu.c	uuencoded files in text
 *	mime_html.c	HTML to what is seen, mime_entity.c its entities,
 *			mime_tag.c its elements, mime_seen.c its text,
 *			mime_raw.c where comments and raw text end
 *	mime_link.c	URLs in its attributes
 *	mime_url.c	URLs in text, and their hosts
 *	mime_zip.c	names in ZIP archives
 *	mime_magic.c	libmagic
 */
#ifndef FILTER_MIME_INT_H
#define FILTER_MIME_INT_H

#include "charset.h"
#include "mime.h"

/* Where octets or text go. */
typedef void mime_put(void *arg, const char *p, size_t n);

static inline char
mime_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ---- mime_encoding.c: RFC 2045, 6 ---- */

enum mime_encoding { ENC_IDENTITY, ENC_BASE64, ENC_QP, ENC_UU, ENC_UNKNOWN };

#define QP_BLANKS	128	/* held at a line's end, that they may go */

struct mime_decoder {
	enum mime_encoding enc;
	bool		 bad;		/* broken encoding was met */
	unsigned	 acc;
	int		 bits, count, state;
	bool		 padded;
	char		 hold[QP_BLANKS];
	size_t		 nhold;
};

void mime_decoder_begin(struct mime_decoder *d, enum mime_encoding enc);
void mime_decoder_feed(struct mime_decoder *d, struct str s, mime_put *put, void *arg);
void mime_decoder_end(struct mime_decoder *d, mime_put *put, void *arg);

/* ---- mime_field.c ---- */

enum mime_header { MH_TYPE, MH_ENCODING, MH_DISPOSITION, MH_NAME, MH_COUNT };

/* Beyond each of these a part's header has DEFECT_LONG_HEADER. */
#define MIME_FIELDS	8	/* that are any of MH_... */
#define MIME_HEADER	(32 * 1024)	/* octets of them in all */
#define MIME_PARAMS	128	/* of one field, as far as their names are known here */
#define MIME_BOUNDARIES	4
#define MIME_NAMES	16	/* of one attachment: filename, name, and their odd forms */
#define MIME_NAME	4096	/* octets of a name: its end is kept */

struct mime_raw {
	enum mime_header which;
	struct str	value;
};

/* What a part says of itself; strings in the scratch arena or the field. */
struct mime_head {
	struct str	type;		/* "text/plain", lower case */
	struct str	charset;	/* p NULL without one */
	struct str	boundaries[MIME_BOUNDARIES];	/* several if that's ambiguous */
	size_t		nboundaries;
	struct str	names[MIME_NAMES];	/* the first is what most programs show */
	size_t		nnames;
	bool		attached;	/* Content-Disposition: attachment */
	bool		delsp;		/* delsp=yes, which only format=flowed has (RFC 3676) */
	enum mime_encoding encoding;
};

/* v: the fields that mime_header_of() knows, in their order.  False without memory. */
bool mime_head_read(struct arena *a, const struct mime_raw *v, size_t n,
    struct str default_type, struct mime_head *h, uint32_t *defects);
/* The name that Windows gives a file: without dots and blanks at its end. */
struct str mime_saved_name(struct str name);
/* Which of the fields is it?  MH_COUNT: none. */
enum mime_header mime_header_of(struct str name);

/* ---- mime_html.c ---- */

struct html;

struct html_sinks {
	mime_put	*text;		/* what is seen */
	mime_put	*outlook;	/* what Outlook shows besides: conditional comments */
	void		(*url)(void *arg, struct str url);	/* of href, src ...; NULL: none wanted */
	void		*arg;
};

struct html *html_new(const struct html_sinks *s);
/* UTF-8, whole characters. */
void html_feed(struct html *h, const char *p, size_t n);
void html_end(struct html *h);
void html_free(struct html *h);
/* Of "amp" or "#38"; 0: there is none of that name. */
uint32_t html_entity(struct str name);
/* Octets of the longest of the names that need no semicolon (106 of HTML 2) at the front of s. */
size_t html_entity_bare(struct str s);
enum html_kind { HTML_SEEN, HTML_BLANK, HTML_UNSEEN };
enum html_kind html_kind(uint32_t c);

/* ---- mime_tag.c ---- */

#define TAG_LINE	1u	/* begins a line, and ends one */
#define TAG_CELL	2u	/* stands apart in its line */
#define TAG_RAW		4u	/* its content isn't text, up to its end tag */
#define TAG_SHOWN	8u	/* and this one's is nothing but text */
#define TAG_SVG		16u
#define TAG_MATH	32u
#define TAG_SVG_POINT	64u	/* in one of these HTML stands in SVG */
#define TAG_MATH_POINT	128u
#define TAG_HTML	256u	/* can be only HTML's, so it ends the two */
#define TAG_OUTLOOK_RAW	512u	/* TAG_RAW in what Outlook alone reads */
#define TAG_SCRIPT	1024u
#define TAG_FONT	2048u	/* TAG_HTML if it has attributes */
#define TAG_UNSURE	4096u	/* in it not all programs take TAG_RAW for that */

/* Of a name in lower case; 0: none of them. */
unsigned html_tag(struct str name);

/* Whose elements are those at hand? */
struct space {
	unsigned	 in;		/* TAG_SVG, TAG_MATH or 0: HTML */
	bool		 point;		/* where HTML may stand in the others */
};

/* A tag; slash: as in <svg/>. */
void space_enter(struct space *s, unsigned tag, bool closing, bool slash);
bool space_is_foreign(const struct space *s);

/* Where a script ends: not by the </script> of one in its comments. */
struct script {
	bool		 here;		/* one is read */
	char		 last[8];	/* octets */
	int		 escapes;	/* 1: in its <!--, 2: in a <script> in there */
};

void script_step(struct script *s, char c);

/* ---- mime_raw.c ---- */

struct comment_end {
	int		 dashes;
	bool		 bang;
};

/* Does the comment end with c, its next character? */
bool comment_ends(struct comment_end *e, char c);

#define HTML_NAME	16	/* tags and attributes that mean something are shorter */

static inline bool
html_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* The element whose end is looked for. */
struct raw {
	char		 name[HTML_NAME];
	size_t		 n;
	size_t		 matched;	/* octets of "</name" */
	struct script	 script;
};

/* name: in lower case, shorter than HTML_NAME. */
void raw_begin(struct raw *r, struct str name, bool script);
/* Has its end tag's name ended before c, the next character? */
bool raw_ends(struct raw *r, char c);
/* Octets before what may be the end tag, so that they needn't be looked at one by one. */
size_t raw_skip(const struct raw *r, const char *p, size_t n);

/* ---- mime_seen.c ---- */

/* A text in the making; zeroed before but for to and arg. */
struct seen {
	mime_put	*to;
	void		*arg;
	char		 before;	/* ' ' or '\n' that stands before the next character, or 0 */
	bool		 any;
	char		 out[1024];
	size_t		 n;
};

/* Whole characters of UTF-8. */
void seen_text(struct seen *t, const char *p, size_t n);
void seen_char(struct seen *t, uint32_t c);
/* A blank or a line end, if any text follows. */
void seen_blank(struct seen *t, char c);
void seen_flush(struct seen *t);

/* ---- mime_url.c ---- */

#define URL_MAX	2048	/* octets: of a longer one something is left out, but not its host */

/* A URL as it comes in; zeroed before. */
struct url_buf {
	size_t		 n;
	bool		 full;
	char		 p[URL_MAX];
};

void url_add(struct url_buf *b, const char *p, size_t n);
/* Finds http, https, ftp and file URLs, and names that begin with www., in text. */
void url_scan(struct str text, void (*found)(void *arg, struct str url), void *arg);
/* Is it of a kind that has a host? */
bool url_has_host(struct str url);
/* The host as a browser would ask for it, lower case; p NULL for none. */
struct str url_host(struct arena *a, struct str url);
/* The host's registrable domain, or the host if it has none. */
struct str url_domain(const struct suffixes *list, struct arena *a, struct str host);

/* ---- mime_link.c ---- */

/* The value of an attribute that may link to something. */
struct link {
	enum link_kind { LINK_NONE, LINK_URL, LINK_SET, LINK_REFRESH } kind;
	bool		 skip;		/* what stands between two URLs, or before one */
	bool		 time, gap;	/* a digit was before it, and a blank behind that */
	char		 quote;		/* around it, or 0 */
	struct url_buf	 url;
};

/* Names in lower case. */
void link_begin(struct link *l, struct str tag, struct str attr);
void link_put(struct link *l, const char *p, size_t n, const struct html_sinks *s);
void link_end(struct link *l, const struct html_sinks *s);

/* ---- mime_zip.c ---- */

struct zip;

/* What all archives of a message inflate to, at all levels. */
struct zip_budget {
	uint64_t	most;		/* octets */
	uint64_t	in, out;	/* octets scanned, and inflated, so far */
};

/* central: in the directory at the end, not before the file. */
struct zip_name {
	struct str	raw;		/* its last 1,024 octets */
	bool		utf8, central;
	unsigned	method;		/* APPNOTE 4.4.5 */
};

/* What a scanner found, and what it may still find. */
struct zip_sinks {
	void		(*name)(void *arg, const struct zip_name *n);
	void		*arg;
	uint64_t	nested, ratio;
	struct zip_budget *budget;
	uint32_t	defects;	/* DEFECT_BIT()s */
	bool		encrypted;
	bool		failed;		/* no memory */
};

struct zip *zip_new(struct zip_sinks *s);
void zip_feed(struct zip *z, const char *p, size_t n);
/* An archive that breaks off is DEFECT_ARCHIVE. */
void zip_end(struct zip *z);
void zip_free(struct zip *z);

/* ---- mime_magic.c: see mime_magic.h ---- */

#define MAGIC_HEAD	(32 * 1024)	/* octets that libmagic sees */

/* ---- mime_leaf.c ---- */

struct mime_parser;
struct uu;

struct leaf {
	struct mime	*m;
	bool		 open;
	bool		 trial;		/* what stands before a boundary: counts if none follows */
	bool		 text, html;
	bool		 links;		/* HTML to be opened, not shown: only what it links to */
	bool		 flowed;	/* with DelSp */
	bool		 folded;	/* an invitation, or a visiting card */
	bool		 by_name;	/* a message by its name only */
	ptrdiff_t	 attachment;	/* index, or -1 */
	char		 set[48];	/* the character set that the part names */
	struct str	 name;		/* the same; p NULL without one */
	uint64_t	 size;
	uint32_t	 defects;
	struct mime_decoder dec;
	struct charset	 cs;
	bool		 cs_begun;
	struct strbuf	 first;		/* octets before the charset is known */
	struct html	*page;
	struct strbuf	 seen, source;	/* text, and HTML's source */
	struct strbuf	 outlook;	/* text that it alone shows */
	bool		 cr;		/* the last character of the text was CR */
	struct strbuf	 head;		/* for libmagic */
	struct zip	*zip;
	struct zip_sinks zs;
	struct mime_parser *child;	/* of a message inside */
	struct uu	*uu;
};

/* depth: of a parser inside. */
void leaf_begin(struct leaf *l, struct mime *m, const struct mime_head *h, size_t depth,
    bool trial);
void leaf_feed(struct leaf *l, const char *p, size_t n);
void leaf_end(struct leaf *l);
/* As if it had never been. */
void leaf_drop(struct leaf *l);

/* ---- mime_uu.c ---- */

/* Makes attachments of what stands uuencoded in a text; NULL without memory. */
struct uu *uu_new(struct mime *m);
void uu_feed(struct uu *u, const char *p, size_t n);
void uu_end(struct uu *u);
void uu_free(struct uu *u);

/* ---- mime_parser.c ---- */

/* A message inside another, from its header on; NULL without memory. */
struct mime_parser *parser_new(struct mime *m, size_t depth);
/* A header field of the outermost. */
void parser_field(struct mime_parser *p, struct str name, struct str raw);
void parser_body(struct mime_parser *p);	/* the header is at its end */
void parser_feed(struct mime_parser *p, const char *s, size_t n);
void parser_end(struct mime_parser *p);
void parser_free(struct mime_parser *p);

/* ---- mime.c ---- */

struct vec {
	void		*p;
	size_t		 n, cap;
};

/* Finds elements of a vector, from one on, by the string that they begin with. */
struct index {
	size_t		*slots, n;
	size_t		 from;
};

struct mime {
	struct arena	*a;
	struct arena	*scratch;	/* of one part's header */
	struct mime_options o;
	struct mime_parser *top;
	bool		 in_body;
	struct content	 c;
	struct vec	 texts, htmls, attachments, urls, names;
	struct zip_budget inflated;
	struct index	 by_url, by_name; /* by_name: from the first of the attachment at hand */
	uint64_t	 octets, kept;	/* fed; of text */
	size_t		 parts;
	bool		 stopped;	/* past a limit nothing more is looked at */
	bool		 failed;	/* no memory */
};

/* Room for one more of `size` octets at the end, zeroed; NULL without memory. */
void *vec_push(struct mime *m, struct vec *v, size_t size);
void mime_defect(struct mime *m, enum mime_defect d);
/* One more part; false: past the limit, and all is at its end. */
bool mime_next_part(struct mime *m);
/* Appends to a text, as far as the limits allow; false: not all. */
bool mime_keep(struct mime *m, struct strbuf *b, const char *p, size_t n);
/* Adds a text and takes the buffer over. */
void mime_add_text(struct mime *m, struct vec *to, struct strbuf *b);
void mime_add_url(void *m, struct str url);
/* Index, or -1 without memory. */
ptrdiff_t mime_add_attachment(struct mime *m, const struct mime_head *h);
/* A name in the attachment at hand. */
void mime_add_name(struct mime *m, struct str name, bool central, unsigned method);
/* The attachment is at its end: do directory and files name the same? */
void mime_end_names(struct mime *m);

#endif
