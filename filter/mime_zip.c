/*
 * mime_zip.c - the names in ZIP archives, while they stream by (APPNOTE 6.3).
 *
 * Lengths and offsets in an archive are its maker's to choose, and programs
 * differ in which of them they believe.  So nothing is skipped by them: the
 * signatures of file headers and of directory entries are looked for wherever
 * they may be, and every name that some program could show is found; an archive
 * whose headers overlap counts as broken.  A deflated file that has such a
 * signature near its beginning, or is named like an archive, is inflated on the
 * way and looked into, to a depth, a ratio and an amount.  Memory is constant: one header
 * and, for each level, zlib's window.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define NAME_KEPT	1024	/* octets of a name: its end, which tells what it is */
#define LOCAL		30	/* APPNOTE 4.3.7 */
#define CENTRAL		46	/* 4.3.12 */
#define UNICODE_PATH	0x7075	/* 4.6.9: version, checksum, the name that counts */
#define BOMB_FROM	(1 << 20)	/* less than that inflated is no bomb */
#define LOOK	4096	/* octets in which an archive in a file begins */

struct zip {
	struct zip_sinks *s;
	uint64_t	depth;
	unsigned char	start[4];	/* the first octets of all */
	size_t		nstart;
	uint64_t	base, at;	/* octets of the message's archives before it; of it */
	bool		directory;	/* an entry of it, or its end, was seen */
	bool		told;		/* a name was found */

	/* A header, from its signature to its name. */
	unsigned char	sig[4];
	size_t		nsig;
	bool		collecting, named, central;
	bool		odd;		/* maybe just four octets of some file */
	unsigned char	head[CENTRAL + NAME_KEPT];
	size_t		nhead, want;
	size_t		skip;		/* octets of a long name that come before what is kept */

	/* A name that a signature stood in: it goes on while a new header is read. */
	struct {
		char		p[NAME_KEPT];
		size_t		n, left;	/* octets of it; that are to come */
		bool		utf8, central;
		unsigned	method;
	}		cut;

	/* Its extra field: octets to come, and its pieces (4.5.1). */
	size_t		extra;
	bool		of_central;
	unsigned	method;		/* of the header */
	unsigned char	tag[4];
	size_t		ntag, piece;
	char		path[NAME_KEPT];
	size_t		npath;

	/* A file that is inflated, after `pass` octets of name and extra field. */
	bool		armed, inflating;
	size_t		pass;
	z_stream	stream;
	uint64_t	in, out;
	struct zip     *inner;
	bool		is_zip;		/* by its name */
	unsigned char	look[LOOK];	/* its first octets */
	size_t		nlook;
};

static struct zip *
new_at(struct zip_sinks *s, uint64_t depth)
{
	struct zip *z;

	if ((z = calloc(1, sizeof(*z))) == NULL)
		return NULL;
	z->s = s;
	z->depth = depth;
	z->base = s->budget->in;
	return z;
}

struct zip *
zip_new(struct zip_sinks *s)
{
	return new_at(s, 0);
}

/* whole: all that there is was seen. */
static void
stop_inflating(struct zip *z, bool whole)
{
	if (z->inflating)
		inflateEnd(&z->stream);
	z->armed = z->inflating = false;
	if (z->inner != NULL && whole)
		zip_end(z->inner);
	zip_free(z->inner);
	z->inner = NULL;
}

void
zip_free(struct zip *z)
{
	if (z == NULL)
		return;
	if (z->inflating)
		inflateEnd(&z->stream);
	zip_free(z->inner);
	free(z);
}

static unsigned
le16(const unsigned char *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint64_t
le32(const unsigned char *p)
{
	return le16(p) | (uint64_t)le16(p + 2) << 16;
}

static void
defect(struct zip *z, enum mime_defect d)
{
	z->s->defects |= DEFECT_BIT(d);
}

/* ---- Headers ---- */

/* Not just four octets that happen to stand in some file? */
static bool
is_plausible(const struct zip *z)
{
	const unsigned char *h = z->head + (z->central ? 2 : 0);
	unsigned method = le16(h + 8);

	return h[4] <= 100 && (method <= 20 || (method >= 90 && method <= 99));
}

/* Does what was taken for a name look like one? */
static bool
is_name(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < ' ')
			return false;
	return true;
}

static void
tell(struct zip *z, struct str raw, bool utf8, bool central)
{
	struct zip_name n = { raw, utf8, central, z->method };

	z->told = true;
	if (raw.n > 0 && raw.p[raw.n - 1] != '/')	/* a directory's */
		z->s->name(z->s->arg, &n);
}

static void
tell_name(struct zip *z)
{
	const unsigned char *h = z->head;
	unsigned flags = le16(h + (z->central ? 8 : 6));
	size_t base = z->central ? CENTRAL : LOCAL;

	z->directory |= z->central;
	z->method = le16(h + (z->central ? 10 : 8));
	/* Bit 0: the file is; bit 13: the directory is, too. */
	if ((flags & (1u | 1u << 13)) != 0)
		z->s->encrypted = true;
	if (z->central) {
		uint64_t packed = le32(h + 20), size = le32(h + 24);

		if (size > BOMB_FROM && size / z->s->ratio > packed)
			defect(z, DEFECT_BOMB);
	}
	tell(z, (struct str){ (const char *)h + base, z->nhead - base },
	    (flags & 1u << 11) != 0, z->central);
}

/* The octets of the file follow; what is stored stands in the open. */
static void
begin_file(struct zip *z)
{
	const unsigned char *h = z->head;

	if (z->method == 0 || (le16(h + 6) & 1) != 0)
		return;
	if (z->method != 8) {
		defect(z, DEFECT_ARCHIVE_UNREAD);
		return;
	}
	/* No header stands inside another's file by accident. */
	if (z->armed)
		defect(z, DEFECT_ARCHIVE);
	if (z->inflating)
		return;
	z->armed = true;
	z->pass = le16(h + 28);
	z->is_zip = str_iends((struct str){ (const char *)h + LOCAL, z->nhead - LOCAL }, STR(".zip"));
}

static void
end_header(struct zip *z)
{
	size_t base = z->central ? CENTRAL : LOCAL;

	z->collecting = false;
	if (z->odd && !is_name(z->head + base, z->nhead - base))
		return;
	if (z->odd || z->extra > 0)
		defect(z, DEFECT_ARCHIVE);
	tell_name(z);
	z->extra = le16(z->head + (z->central ? 30 : 28));
	z->of_central = z->central;
	z->ntag = 0;
	if (!z->central)
		begin_file(z);
}

/* What was wanted of the header is there. */
static void
step_header(struct zip *z)
{
	size_t name = le16(z->head + (z->central ? 28 : 26));

	if (z->named) {
		end_header(z);
		return;
	}
	z->odd = !is_plausible(z);
	z->named = name > 0 && !(z->odd && name > NAME_KEPT);
	z->collecting = z->named;
	z->skip = z->named && name > NAME_KEPT ? name - NAME_KEPT : 0;
	z->want += name - z->skip;
	if (z->skip > 0)
		defect(z, DEFECT_ARCHIVE);
}

/* The header at hand ends in a signature: in its name, for who goes by the lengths. */
static void
cut_name(struct zip *z, size_t base)
{
	const unsigned char *h = z->head;
	unsigned flags = le16(h + (z->central ? 8 : 6));

	if (!z->named || z->skip > 0 || z->cut.left > 0)
		return;
	z->cut.n = z->nhead - base;
	memcpy(z->cut.p, h + base, z->cut.n);
	z->cut.left = z->want - z->nhead;
	z->cut.utf8 = (flags & 1u << 11) != 0;
	z->cut.central = z->central;
	z->cut.method = le16(h + (z->central ? 10 : 8));
	z->s->encrypted |= (flags & (1u | 1u << 13)) != 0;
}

static void
feed_cut(struct zip *z, const char *p, size_t n)
{
	unsigned method = z->method;

	memcpy(z->cut.p + z->cut.n, p, n);
	z->cut.n += n;
	z->cut.left -= n;
	if (z->cut.left > 0)
		return;
	z->method = z->cut.method;
	tell(z, (struct str){ z->cut.p, z->cut.n }, z->cut.utf8, z->cut.central);
	z->method = method;
}

static void
begin_header(struct zip *z)
{
	size_t base = z->central ? CENTRAL : LOCAL;

	/* A header inside another: no program that makes archives writes that. */
	if (z->collecting && !z->odd) {
		defect(z, DEFECT_ARCHIVE);
		cut_name(z, base);
		if (z->named && z->nhead > base + 4) {
			z->nhead -= 4;
			end_header(z);
			z->extra = 0;
		}
	}
	z->central = z->sig[2] == 1;
	memcpy(z->head, z->sig, 4);
	z->nhead = 4;
	z->want = z->central ? CENTRAL : LOCAL;
	z->named = z->odd = false;
	z->skip = 0;
	z->collecting = true;
}

/* Octets of a piece of the extra field: the end of a path is kept. */
static void
feed_path(struct zip *z, const char *p, size_t n)
{
	size_t all = le16(z->tag + 2), i = all - z->piece;
	size_t from = all > 5 + NAME_KEPT ? all - NAME_KEPT : 5;

	for (size_t k = 0; k < n; k++, i++)
		if (i >= from)
			z->path[z->npath++] = p[k];
	if (n < z->piece || z->npath == 0)
		return;
	if (from > 5)
		defect(z, DEFECT_ARCHIVE);
	tell(z, (struct str){ z->path, z->npath }, true, z->of_central);
}

/* A name there counts for Info-ZIP and others, and is another than the header's if they like. */
static void
feed_extra(struct zip *z, const char *p, size_t n)
{
	if (n > z->extra)
		n = z->extra;
	z->extra -= n;
	while (n > 0) {
		size_t some = 1;

		if (z->ntag < 4) {
			z->tag[z->ntag++] = (unsigned char)*p;
			z->piece = z->ntag == 4 ? le16(z->tag + 2) : 0;
			z->npath = 0;
		} else {
			some = n < z->piece ? n : z->piece;
			if (le16(z->tag) == UNICODE_PATH)
				feed_path(z, p, some);
			z->piece -= some;
		}
		if (z->ntag == 4 && z->piece == 0)
			z->ntag = 0;
		p += some;
		n -= some;
	}
}

/* ---- Archives in archives ---- */

/* False: past the depth, or no memory. */
static bool
open_inner(struct zip *z)
{
	if (z->depth >= z->s->nested) {
		defect(z, DEFECT_ARCHIVE_TOO_DEEP);
		return false;
	}
	if ((z->inner = new_at(z->s, z->depth + 1)) == NULL) {
		z->s->failed = true;
		return false;
	}
	zip_feed(z->inner, (const char *)z->look, z->nlook);
	return true;
}

/* What came out of the file; false: no need to see more of it. */
static bool
look_inside(struct zip *z, const unsigned char *p, size_t n)
{
	static const unsigned char sig[4] = { 'P', 'K', 3, 4 };

	if (z->inner == NULL) {
		size_t some = n < LOOK - z->nlook ? n : LOOK - z->nlook;
		size_t from = z->nlook > 3 ? z->nlook - 3 : 0;

		memcpy(z->look + z->nlook, p, some);
		z->nlook += some;
		p += some;
		n -= some;
		if (memmem(z->look + from, z->nlook - from, sig, 4) == NULL && (z->nlook < LOOK || !z->is_zip))
			return z->nlook < LOOK;
		if (!open_inner(z))
			return false;
	}
	zip_feed(z->inner, (const char *)p, n);
	return true;
}

/* Out of proportion: this file, or all of the message's archives at all levels. */
static bool
is_bomb(const struct zip *z)
{
	const struct zip_budget *b = z->s->budget;

	return b->out > b->most || (b->out > BOMB_FROM && b->out / z->s->ratio > b->in) ||
	    (z->out > BOMB_FROM && z->out / z->s->ratio > z->in);
}

/* at: octets of the archive before p. */
static void
inflate_some(struct zip *z, const char *p, size_t n, uint64_t at)
{
	unsigned char buf[4096];
	bool enough = false;
	int r;

	z->stream.next_in = (unsigned char *)(uintptr_t)p;
	z->stream.avail_in = (unsigned)n;
	do {
		size_t had = z->stream.avail_in, got;

		z->stream.next_out = buf;
		z->stream.avail_out = sizeof(buf);
		r = inflate(&z->stream, Z_NO_FLUSH);
		got = sizeof(buf) - z->stream.avail_out;
		z->in += had - z->stream.avail_in;
		z->out += got;
		z->s->budget->out += got;
		if (z->depth == 0)
			z->s->budget->in = z->base + at + n - z->stream.avail_in;
		if (is_bomb(z)) {
			defect(z, DEFECT_BOMB);
			defect(z, DEFECT_ARCHIVE_UNREAD);
			enough = true;
		} else if (got > 0 && !look_inside(z, buf, got))
			enough = true;
		else if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			defect(z, DEFECT_ARCHIVE);
	} while (!enough && r == Z_OK && (z->stream.avail_in > 0 || z->stream.avail_out == 0));
	if (enough || (r != Z_OK && r != Z_BUF_ERROR))
		stop_inflating(z, !enough);
}

static void
feed_file(struct zip *z, const char *p, size_t n)
{
	size_t pass = n < z->pass ? n : z->pass;

	z->pass -= pass;
	if (n == pass)
		return;
	if (!z->inflating) {
		memset(&z->stream, 0, sizeof(z->stream));
		if (inflateInit2(&z->stream, -MAX_WBITS) != Z_OK) {
			z->s->failed = true;
			z->armed = false;
			return;
		}
		z->inflating = true;
		z->in = z->out = 0;
		z->nlook = 0;
	}
	inflate_some(z, p + pass, n - pass, z->at + pass);
}

/* Octets of a header, and of its name as far as it's kept. */
static void
collect(struct zip *z, const char *p, size_t n)
{
	if (z->skip > 0) {
		z->skip -= n;
		return;
	}
	memcpy(z->head + z->nhead, p, n);
	z->nhead += n;
	if (z->nhead == z->want)
		step_header(z);
}

/* Octets without the rest of a signature: to the header and the file at hand. */
static void
consume(struct zip *z, const char *p, size_t n)
{
	while (n > 0) {
		size_t some = n, most = z->skip > 0 ? z->skip : z->want - z->nhead;

		if (z->collecting && some > most)
			some = most;
		if (z->cut.left > 0 && some > z->cut.left)
			some = z->cut.left;
		if (z->armed)
			feed_file(z, p, some);
		if (z->extra > 0)
			feed_extra(z, p, some);
		if (z->cut.left > 0)
			feed_cut(z, p, some);
		if (z->collecting)
			collect(z, p, some);
		z->at += some;
		p += some;
		n -= some;
	}
}

/* PK12 is an entry of the directory, PK34 a file's header, PK56 the directory's end. */
static void
match(struct zip *z, unsigned char c)
{
	bool goes_on = z->nsig == 0 ? c == 'P' : z->nsig == 1 ? c == 'K' :
	    z->nsig == 2 ? c == 1 || c == 3 || c == 5 : c == z->sig[2] + 1;

	if (!goes_on) {
		z->nsig = c == 'P';
		z->sig[0] = 'P';
		return;
	}
	z->sig[z->nsig++] = c;
	if (z->nsig < 4)
		return;
	z->nsig = 0;
	if (c == 6)
		z->directory = true;
	else
		begin_header(z);
}

void
zip_feed(struct zip *z, const char *p, size_t n)
{
	for (size_t i = 0; i < n && z->nstart < 4; i++)
		z->start[z->nstart++] = (unsigned char)p[i];
	while (n > 0) {
		const char *at = z->nsig > 0 ? p : memchr(p, 'P', n);
		size_t some = at != NULL ? (size_t)(at - p) + 1 : n;

		consume(z, p, some);
		if (at != NULL)
			match(z, (unsigned char)*at);
		p += some;
		n -= some;
	}
}

void
zip_end(struct zip *z)
{
	static const unsigned char sig[4] = { 'P', 'K', 3, 4 };

	if (z->armed)
		stop_inflating(z, true);
	if (z->nstart == 4 && memcmp(z->start, sig, 4) == 0 && !(z->directory && z->told))
		defect(z, DEFECT_ARCHIVE);
	if (z->depth == 0)
		z->s->budget->in = z->base + z->at;
}
