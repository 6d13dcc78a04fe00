/*
 * mime_encoding.c - transfer encodings undone, octets as they come (RFC 2045, 6).
 *
 * What is broken is decoded as far as it goes, as mail programs do, and told.
 */
#include "mime_int.h"

#include <string.h>

#define OUT	1024

/* Output collected, so that the next stage isn't called for each octet. */
struct out {
	char		 buf[OUT];
	size_t		 n;
	mime_put	*put;
	void		*arg;
};

static inline void
emit(struct out *o, char c)
{
	if (o->n == OUT) {
		o->put(o->arg, o->buf, o->n);
		o->n = 0;
	}
	o->buf[o->n++] = c;
}

static void
emit_rest(struct out *o)
{
	if (o->n > 0)
		o->put(o->arg, o->buf, o->n);
	o->n = 0;
}

void
mime_decoder_begin(struct mime_decoder *d, enum mime_encoding enc)
{
	memset(d, 0, offsetof(struct mime_decoder, hold));
	d->enc = enc;
	d->nhold = 0;
}

/* ---- base64 ---- */

enum { B64_PAD = 64, B64_BLANK, B64_BAD };

static const unsigned char *
base64_table(void)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char blanks[] = " \t\r\n";
	static _Thread_local unsigned char t[256];

	if (t['B'] == 1)
		return t;
	memset(t, B64_BAD, sizeof(t));
	for (int i = 0; i < 64; i++)
		t[(unsigned char)digits[i]] = (unsigned char)i;
	for (int i = 0; i < 4; i++)
		t[(unsigned char)blanks[i]] = B64_BLANK;
	t['='] = B64_PAD;
	return t;
}

/* Data after padding begins a new text, as where two were put together. */
static void
feed_base64(struct mime_decoder *d, struct str s, struct out *o)
{
	const unsigned char *t = base64_table();

	for (size_t i = 0; i < s.n; i++) {
		unsigned v = t[(unsigned char)s.p[i]];

		if (v < 64) {
			if (d->padded) {
				d->bad = true;
				d->padded = false;
				d->count = 0;
			}
			d->acc = d->acc << 6 | v;
			d->count++;
			if ((d->bits += 6) >= 8)
				emit(o, (char)(d->acc >> (d->bits -= 8) & 0xff));
		} else if (v == B64_PAD) {
			if (!d->padded && (d->count & 3) < 2)
				d->bad = true;
			d->padded = true;
			d->bits = 0;
		} else if (v == B64_BAD)
			d->bad = true;
	}
}

/* ---- quoted-printable ---- */

enum { QP_TEXT, QP_EQUALS, QP_HEX, QP_EQUALS_CR, QP_EQUALS_BLANK };

static void
emit_blanks(struct mime_decoder *d, struct out *o)
{
	for (size_t i = 0; i < d->nhold; i++)
		emit(o, d->hold[i]);
	d->nhold = 0;
}

static void
qp_text(struct mime_decoder *d, char c, struct out *o)
{
	if (c == ' ' || c == '\t') {
		if (d->nhold == QP_BLANKS)
			emit_blanks(d, o);
		d->hold[d->nhold++] = c;
		return;
	}
	if (c == '\r' || c == '\n')
		d->nhold = 0;	/* added on the way (6.7, 3) */
	emit_blanks(d, o);
	if (c == '=')
		d->state = QP_EQUALS;
	else
		emit(o, c);
}

/* What no "=" may stand before is shown as it is. */
static void
qp_broken(struct mime_decoder *d, const char *was, char c, struct out *o)
{
	d->bad = true;
	for (; *was != '\0'; was++)
		emit(o, *was);
	d->state = QP_TEXT;
	qp_text(d, c, o);
}

static void
feed_qp(struct mime_decoder *d, struct str s, struct out *o)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		char was[3] = "=";

		switch (d->state) {
		case QP_TEXT:
			qp_text(d, c, o);
			break;
		case QP_EQUALS:
			if (str_hex(c) >= 0) {
				d->acc = (unsigned char)c;
				d->state = QP_HEX;
			} else if (c == '\n')
				d->state = QP_TEXT;
			else if (c == '\r')
				d->state = QP_EQUALS_CR;
			else if (c == ' ' || c == '\t')
				d->state = QP_EQUALS_BLANK;
			else
				qp_broken(d, was, c, o);
			break;
		case QP_HEX:
			was[1] = (char)d->acc;
			if (str_hex(c) < 0) {
				qp_broken(d, was, c, o);
				break;
			}
			emit(o, (char)(str_hex((char)d->acc) << 4 | str_hex(c)));
			d->state = QP_TEXT;
			break;
		case QP_EQUALS_CR:
			d->state = QP_TEXT;
			if (c != '\n')
				qp_text(d, c, o);
			break;
		case QP_EQUALS_BLANK:
			if (c == '\n')
				d->state = QP_TEXT;
			else if (c == '\r')
				d->state = QP_EQUALS_CR;
			else if (c != ' ' && c != '\t') {
				was[1] = ' ';
				qp_broken(d, was, c, o);
			}
			break;
		}
	}
}

/* ---- uuencode ---- */

enum { UU_BEFORE, UU_LINE, UU_DATA, UU_SKIP, UU_AFTER };

/* hold keeps the beginning of a line until "begin " is told from another. */
static void
feed_uu(struct mime_decoder *d, struct str s, struct out *o)
{
	for (size_t i = 0; i < s.n && d->state != UU_AFTER; i++) {
		char c = s.p[i];

		if (c == '\n') {
			if (d->state == UU_DATA && d->count > 0)
				d->bad = true;
			if (d->state == UU_BEFORE && d->nhold >= 6 &&
			    memcmp(d->hold, "begin ", 6) == 0)
				d->state = UU_LINE;
			else if (d->state != UU_BEFORE)
				d->state = UU_LINE;
			d->nhold = 0;
		} else if (c == '\r')
			continue;
		else if (d->state == UU_BEFORE) {
			if (d->nhold < QP_BLANKS)
				d->hold[d->nhold++] = c;
		} else if (d->state == UU_LINE) {
			/* Of "end", where the line of no octets was lost. */
			d->count = c == 'e' ? 0 : (c - ' ') & 0x3f;
			d->bits = 0;
			d->state = d->count > 0 ? UU_DATA : UU_AFTER;
			if (c < ' ' || (c > '`' && c != 'e'))
				d->bad = true;
		} else if (d->state == UU_DATA) {
			if (c < ' ' || c > '`')
				d->bad = true;
			d->acc = d->acc << 6 | ((unsigned)(c - ' ') & 0x3f);
			if ((d->bits += 6) < 8)
				continue;
			emit(o, (char)(d->acc >> (d->bits -= 8) & 0xff));
			if (--d->count == 0)
				d->state = UU_SKIP;
		}
	}
}

/* ---- All of them ---- */

void
mime_decoder_feed(struct mime_decoder *d, struct str s, mime_put *put, void *arg)
{
	struct out o;

	if (s.n == 0)
		return;
	if (d->enc == ENC_IDENTITY || d->enc == ENC_UNKNOWN) {
		put(arg, s.p, s.n);
		return;
	}
	o.n = 0;
	o.put = put;
	o.arg = arg;
	if (d->enc == ENC_BASE64)
		feed_base64(d, s, &o);
	else if (d->enc == ENC_QP)
		feed_qp(d, s, &o);
	else
		feed_uu(d, s, &o);
	emit_rest(&o);
}

void
mime_decoder_end(struct mime_decoder *d, mime_put *put, void *arg)
{
	char was[2] = { '=', (char)d->acc };

	if (d->enc == ENC_BASE64 && !d->padded && (d->count & 3) != 0)
		d->bad = true;
	if (d->enc == ENC_UU && d->state != UU_AFTER)
		d->bad = true;
	if (d->enc == ENC_QP && d->state == QP_HEX) {
		d->bad = true;
		put(arg, was, 2);
	}
}
