/*
 * canon.c - what DKIM and ARC signatures are made over (RFC 6376, 3.4;
 * RFC 8617, 5.1.1).
 *
 * libopendkim has this too, but shows it to nobody, and takes a body octet by
 * octet: twenty times what hashing takes.  Nothing is built in memory here:
 * octets go into the hash as they become known, so a body of any size, and a
 * header field of any size, costs the same few counters.
 */
#include "canon.h"

#include <openssl/evp.h>
#include <string.h>

/* ---- Hashes ---- */

int
hash_begin(struct hash *h, bool sha1)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	h->md = md;
	h->n = 0;
	h->failed = md == NULL || EVP_DigestInit_ex(md,
	    sha1 ? EVP_sha1() : EVP_sha256(), NULL) != 1;
	return h->failed ? -1 : 0;
}

static void
flush(struct hash *h)
{
	if (h->n > 0 && !h->failed && EVP_DigestUpdate(h->md, h->buf, h->n) != 1)
		h->failed = true;
	h->n = 0;
}

int
hash_copy(struct hash *to, struct hash *from)
{
	flush(from);
	to->md = EVP_MD_CTX_new();
	to->n = 0;
	to->failed = from->failed || to->md == NULL ||
	    EVP_MD_CTX_copy_ex(to->md, from->md) != 1;
	return to->failed ? -1 : 0;
}

static void
put(struct hash *h, char c)
{
	if (h->n == sizeof(h->buf))
		flush(h);
	h->buf[h->n++] = (unsigned char)c;
}

void
hash_add(struct hash *h, const char *p, size_t n)
{
	if (n > sizeof(h->buf) - h->n)
		flush(h);
	if (n <= sizeof(h->buf)) {
		memcpy(h->buf + h->n, p, n);
		h->n += n;
	} else if (!h->failed && EVP_DigestUpdate(h->md, p, n) != 1)
		h->failed = true;
}

int
hash_end(struct hash *h, unsigned char *out)
{
	flush(h);
	if (!h->failed && EVP_DigestFinal_ex(h->md, out, NULL) != 1)
		h->failed = true;
	return h->failed ? -1 : 0;
}

void
hash_free(struct hash *h)
{
	EVP_MD_CTX_free(h->md);
	h->md = NULL;
}

/* ---- Header fields ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* An MTA that hands folds over as LF alone has taken their CR away. */
static void
simple_field(struct hash *h, struct str name, struct str raw, size_t from, size_t to)
{
	hash_add(h, name.p, name.n);
	put(h, ':');
	for (size_t i = 0; i < raw.n; i++) {
		if (i >= from && i < to)
			continue;
		if (raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
			put(h, '\r');
		put(h, raw.p[i]);
	}
}

static void
relaxed_field(struct hash *h, struct str name, struct str raw, size_t from, size_t to)
{
	bool blank = false, any = false;

	name = str_trim(name);
	for (size_t i = 0; i < name.n; i++)
		put(h, name.p[i] >= 'A' && name.p[i] <= 'Z' ?
		    (char)(name.p[i] | 0x20) : name.p[i]);
	put(h, ':');
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if ((i >= from && i < to) || c == '\n' ||
		    (c == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n'))
			continue;
		if (is_blank(c)) {
			blank = true;
			continue;
		}
		if (blank && any)
			put(h, ' ');
		blank = false;
		any = true;
		put(h, c);
	}
}

void
canon_field(struct hash *h, bool relaxed, struct str name, struct str raw,
    size_t from, size_t to)
{
	if (relaxed)
		relaxed_field(h, name, raw, from, to);
	else
		simple_field(h, name, raw, from, to);
}

/* ---- Bodies ---- */

#define BLOCK	64	/* octets that are looked at together */

int
canon_body_begin(struct canon_body *b, bool relaxed, bool sha1, uint64_t limit)
{
	*b = (struct canon_body){ .relaxed = relaxed, .limit = limit };
	return hash_begin(&b->hash, sha1);
}

static void
emit(struct canon_body *b, const char *p, size_t n)
{
	uint64_t room = b->octets < b->limit ? b->limit - b->octets : 0;

	hash_add(&b->hash, p, n < room ? n : (size_t)room);
	b->octets += n;
}

/* What was held back counts, since something follows. */
static void
emit_held(struct canon_body *b)
{
	for (; b->line_ends > 0; b->line_ends--)
		emit(b, "\r\n", 2);
	if (b->blank)
		emit(b, " ", 1);
	b->blank = false;
}

/* An octet that is no part of a line end. */
static void
take(struct canon_body *b, char c)
{
	if (b->relaxed && is_blank(c)) {
		b->blank = true;
		return;
	}
	if (b->line_ends > 0 || b->blank)
		emit_held(b);
	if (b->octets++ < b->limit)
		put(&b->hash, c);
}

static void
take_any(struct canon_body *b, char c)
{
	if (b->cr && c == '\n') {
		b->cr = b->blank = false;
		b->line_ends++;
		return;
	}
	if (b->cr)
		take(b, '\r');
	b->cr = c == '\r';
	if (!b->cr)
		take(b, c);
}

/*
 * Are these octets, with the one that follows them, their own canonical form,
 * whatever comes?  So if no two stand together of which something might be
 * held back, but for CR LF.  Without a branch: compilers make few steps of it.
 */
static bool
is_canonical(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char odd = 0;

	for (size_t i = 0; i < BLOCK; i++)
		odd |= (unsigned char)((p[i] == '\t') |
		    ((p[i] <= ' ') & (p[i + 1] <= ' ') &
		    !((p[i] == '\r') & (p[i + 1] == '\n'))));
	return odd == 0;
}

/* How many octets are that. */
static size_t
canonical_run(struct str s)
{
	size_t n = 0;

	while (s.n - n > BLOCK && is_canonical(s.p + n))
		n += BLOCK;
	/* What the last octet means is for the next to say. */
	while (n > 0 && (unsigned char)s.p[n - 1] <= ' ')
		n--;
	return n;
}

void
canon_body_add(struct canon_body *b, struct str chunk)
{
	size_t n;

	for (size_t i = 0; i < chunk.n; ) {
		if (!b->cr && (n = canonical_run((struct str){ chunk.p + i, chunk.n - i })) > 0 &&
		    (unsigned char)chunk.p[i] > ' ') {
			emit_held(b);
			emit(b, chunk.p + i, n);
			i += n;
		}
		for (n = 0; n < BLOCK && i < chunk.n; n++)
			take_any(b, chunk.p[i++]);
	}
}

int
canon_body_end(struct canon_body *b, unsigned char *out)
{
	if (b->cr)
		take(b, '\r');
	b->cr = false;
	/* The last line has an end; an empty body is one to "simple", nothing to "relaxed". */
	if (b->octets > 0 || !b->relaxed)
		emit(b, "\r\n", 2);
	return hash_end(&b->hash, out);
}
