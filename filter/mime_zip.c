/*
 * mime_zip.c - the names in ZIP archives, while they stream by (APPNOTE 6.3).
 *
 * Lengths and offsets in an archive are its maker's to choose, and programs
 * differ in which of them they believe.  So nothing is skipped by them: the
 * signatures of file headers and of directory entries are looked for wherever
 * they may be, and every name that some program could show is found; an archive
 * whose headers overlap counts as broken.  A file
 * that is itself a deflated archive is inflated on the way and looked into,
 * to a depth and a ratio.  Memory is constant: one header and, for each level, zlib's window.
 */
#include "mime_int.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define NAME_KEPT	1024	/* octets of a name; the rest is passed over */
#define LOCAL		30	/* APPNOTE 4.3.7 */
#define CENTRAL		46	/* 4.3.12 */
#define BOMB_FROM	(1 << 20)	/* less than that inflated is no bomb */

struct zip {
	struct zip_sinks *s;
	uint64_t	depth;
	unsigned char	start[4];	/* the first octets of all */
	size_t		nstart;
	bool		directory;	/* an entry of it, or its end, was seen */

	/* A header, from its signature to its name. */
	unsigned char	sig[4];
	size_t		nsig;
	bool		collecting, named, central;
	unsigned char	head[CENTRAL + NAME_KEPT];
	size_t		nhead, want;

	/* A file that is inflated, after `pass` octets of name and extra field. */
	bool		armed, inflating;
	size_t		pass;
	z_stream	stream;
	uint64_t	in, out;
	struct zip     *inner;
	unsigned char	look[4];	/* its first octets */
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

/* Not just four octets that happen to stand in some file? */
static bool
is_plausible(const struct zip *z)
{
	const unsigned char *h = z->head + (z->central ? 2 : 0);
	unsigned method = le16(h + 8), name = le16(z->head + (z->central ? 28 : 26));

	return h[4] <= 100 && (method <= 20 || (method >= 90 && method <= 99)) &&
	    name > 0 && name <= 32768;
}

static void
tell_name(struct zip *z)
{
	const unsigned char *h = z->head;
	unsigned flags = le16(h + (z->central ? 8 : 6));
	size_t base = z->central ? CENTRAL : LOCAL;

	z->directory |= z->central;
	/* Bit 0: the file is; bit 13: the directory is, too. */
	if ((flags & (1u | 1u << 13)) != 0)
		z->s->encrypted = true;
	if (z->central) {
		uint64_t packed = le32(h + 20), size = le32(h + 24);

		if (size > BOMB_FROM && size / z->s->ratio > packed)
			z->s->defects |= DEFECT_BIT(DEFECT_BOMB);
	}
	if (h[z->nhead - 1] != '/')	/* a directory's */
		z->s->name(z->s->arg, (struct str){ (const char *)h + base, z->nhead - base },
		    (flags & 1u << 11) != 0, z->central);
}

/* The octets of the file follow; only a deflated one hides anything. */
static void
begin_file(struct zip *z)
{
	const unsigned char *h = z->head;
	size_t name = le16(h + 26);

	if (le16(h + 8) != 8 || (le16(h + 6) & 1) != 0)
		return;
	/* No header stands inside another's file by accident. */
	if (z->armed)
		z->s->defects |= DEFECT_BIT(DEFECT_ARCHIVE);
	if (z->inflating)
		return;
	z->armed = true;
	z->pass = le16(h + 28) + (name > NAME_KEPT ? name - NAME_KEPT : 0);
}

static void
end_header(struct zip *z)
{
	z->collecting = false;
	tell_name(z);
	if (!z->central)
		begin_file(z);
}

/* What was wanted of the header is there. */
static void
step_header(struct zip *z)
{
	size_t name = le16(z->head + (z->central ? 28 : 26));

	if (z->named)
		end_header(z);
	else if (is_plausible(z)) {
		z->named = true;
		z->want += name < NAME_KEPT ? name : NAME_KEPT;
	} else
		z->collecting = false;
}

static void
begin_header(struct zip *z)
{
	/* A header inside another: no program that makes archives writes that. */
	if (z->collecting)
		z->s->defects |= DEFECT_BIT(DEFECT_ARCHIVE);
	if (z->collecting && z->named && z->nhead > (size_t)(z->central ? CENTRAL : LOCAL) + 4) {
		z->nhead -= 4;
		end_header(z);
	}
	z->central = z->sig[2] == 1;
	memcpy(z->head, z->sig, 4);
	z->nhead = 4;
	z->want = z->central ? CENTRAL : LOCAL;
	z->named = false;
	z->collecting = true;
}

/* What came out of the file; false: no need to see more of it. */
static bool
look_inside(struct zip *z, const unsigned char *p, size_t n)
{
	static const unsigned char sig[4] = { 'P', 'K', 3, 4 };

	if (z->inner == NULL) {
		while (z->nlook < 4 && n > 0) {
			z->look[z->nlook++] = *p++;
			n--;
		}
		if (memcmp(z->look, sig, z->nlook) != 0)
			return false;
		if (z->nlook < 4)
			return true;
		if (z->depth >= z->s->nested) {
			z->s->defects |= DEFECT_BIT(DEFECT_ARCHIVE_TOO_DEEP);
			return false;
		}
		if ((z->inner = new_at(z->s, z->depth + 1)) == NULL) {
			z->s->failed = true;
			return false;
		}
		zip_feed(z->inner, (const char *)z->look, 4);
	}
	zip_feed(z->inner, (const char *)p, n);
	return true;
}

static void
inflate_some(struct zip *z, const char *p, size_t n)
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
		if (z->out > BOMB_FROM && z->out / z->s->ratio > z->in) {
			z->s->defects |= DEFECT_BIT(DEFECT_BOMB) | DEFECT_BIT(DEFECT_ARCHIVE_UNREAD);
			enough = true;
		} else if (got > 0 && !look_inside(z, buf, got))
			enough = true;
		else if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			z->s->defects |= DEFECT_BIT(DEFECT_ARCHIVE);
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
	inflate_some(z, p + pass, n - pass);
}

/* Octets without the rest of a signature: to the header and the file at hand. */
static void
consume(struct zip *z, const char *p, size_t n)
{
	while (n > 0) {
		size_t some = n;

		if (z->collecting && some > z->want - z->nhead)
			some = z->want - z->nhead;
		if (z->armed)
			feed_file(z, p, some);
		if (z->collecting) {
			memcpy(z->head + z->nhead, p, some);
			z->nhead += some;
			if (z->nhead == z->want)
				step_header(z);
		}
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
	if (z->nstart == 4 && memcmp(z->start, sig, 4) == 0 && !z->directory)
		z->s->defects |= DEFECT_BIT(DEFECT_ARCHIVE);
}
