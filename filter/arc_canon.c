/*
 * arc_canon.c - what ARC signatures are made over (RFC 6376, 3.4; RFC 8617,
 * 5.1.1).
 *
 * libopendkim has this too, but shows it to nobody.  Nothing is built in
 * memory: octets go into SHA-256 as they become known, so a body of any size,
 * and a header field of any size, costs the same few counters.
 */
#include "arc_canon.h"

#include <openssl/evp.h>

/* ---- SHA-256 ---- */

int
hash_begin(struct hash *h)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	h->md = md;
	h->n = 0;
	h->failed = md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1;
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
	for (size_t i = 0; i < n; i++)
		put(h, p[i]);
}

int
hash_end(struct hash *h, unsigned char out[SHA256_OCTETS])
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

int
canon_body_begin(struct canon_body *b, bool relaxed, uint64_t limit)
{
	*b = (struct canon_body){ .relaxed = relaxed, .limit = limit };
	return hash_begin(&b->hash);
}

static void
emit(struct canon_body *b, char c)
{
	if (b->octets < b->limit)
		put(&b->hash, c);
	b->octets++;
}

static void
emit_line_end(struct canon_body *b)
{
	emit(b, '\r');
	emit(b, '\n');
}

/* An octet that is no part of a line end. */
static void
take(struct canon_body *b, char c)
{
	if (b->relaxed && is_blank(c)) {
		b->blank = true;
		return;
	}
	for (; b->blank_lines > 0; b->blank_lines--)
		emit_line_end(b);
	if (b->blank)
		emit(b, ' ');
	b->blank = false;
	b->in_line = true;
	emit(b, c);
}

static void
end_line(struct canon_body *b)
{
	if (b->in_line)
		emit_line_end(b);
	else
		b->blank_lines++;
	b->in_line = b->blank = false;
}

void
canon_body_add(struct canon_body *b, struct str chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		char c = chunk.p[i];

		if (b->cr && c == '\n') {
			b->cr = false;
			end_line(b);
			continue;
		}
		if (b->cr)
			take(b, '\r');
		b->cr = c == '\r';
		if (!b->cr)
			take(b, c);
	}
}

int
canon_body_end(struct canon_body *b, unsigned char out[SHA256_OCTETS])
{
	if (b->cr)
		take(b, '\r');
	b->cr = false;
	if (b->in_line)
		end_line(b);
	/* An empty body is one line end to "simple", nothing to "relaxed". */
	if (b->octets == 0 && !b->relaxed)
		emit_line_end(b);
	return hash_end(&b->hash, out);
}
