/*
 * test_zip.c - names in ZIP archives: nested, encrypted, hidden, broken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "filter/mime_int.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

/* ---- Archives as programs write them ---- */

struct archive {
	struct strbuf	files, directory;
	unsigned	n;
};

static void
le(struct strbuf *b, uint64_t v, int octets)
{
	for (; octets > 0; octets--, v >>= 8)
		strbuf_putc(b, (char)(v & 0xff));
}

static void
header(struct strbuf *b, unsigned flags, unsigned method, size_t packed, size_t size, size_t name, size_t extra)
{
	le(b, 20, 2);
	le(b, flags, 2);
	le(b, method, 2);
	le(b, 0, 8);
	le(b, packed, 4);
	le(b, size, 4);
	le(b, name, 2);
	le(b, extra, 2);
}

static struct strbuf
deflated(struct str s)
{
	struct strbuf out = { 0 };
	z_stream z = { 0 };
	unsigned char *buf = malloc(s.n + 100);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)s.p;
	z.avail_in = (unsigned)s.n;
	z.next_out = buf;
	z.avail_out = (unsigned)s.n + 100;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	strbuf_add(&out, buf, z.total_out);
	deflateEnd(&z);
	free(buf);
	return out;
}

/* A file's header and an entry of the directory, with names of their own. */
static void
add(struct archive *a, const char *in, const char *out, unsigned flags, unsigned method, struct str data)
{
	struct strbuf d = { 0 };

	if (method == 8)
		d = deflated(data);
	else
		strbuf_str(&d, data);
	strbuf_puts(&a->files, "PK\3\4");
	header(&a->files, flags, method, d.n, data.n, strlen(in), 3);
	strbuf_puts(&a->files, in);
	strbuf_puts(&a->files, "xyz");
	strbuf_str(&a->files, strbuf_slice(&d));
	strbuf_puts(&a->directory, "PK\1\2");
	le(&a->directory, 20, 2);
	header(&a->directory, flags, method, d.n, data.n, strlen(out), 0);
	le(&a->directory, 0, 14);
	strbuf_puts(&a->directory, out);
	a->n++;
	strbuf_free(&d);
}

static struct strbuf
finish(struct archive *a)
{
	strbuf_str(&a->files, strbuf_slice(&a->directory));
	strbuf_puts(&a->files, "PK\5\6");
	le(&a->files, 0, 4);
	le(&a->files, a->n, 2);
	le(&a->files, a->n, 2);
	le(&a->files, 0, 10);
	strbuf_free(&a->directory);
	*a = (struct archive){ .files = a->files };
	return a->files;
}

static struct strbuf
one(const char *name, unsigned flags, unsigned method, struct str data)
{
	struct archive a = { .n = 0 };

	add(&a, name, name, flags, method, data);
	return finish(&a);
}

/* ---- What is found ---- */

static void
put_name(void *arg, const struct zip_name *n)
{
	strbuf_printf(arg, "%s" STR_FMT " ", n->central ? "*" : "", STR_ARG(n->raw));
}

static uint64_t most = 4 << 20;

static const char *
scan(struct str s, uint64_t nested)
{
	static struct strbuf out, first;
	static const size_t pieces[] = { SIZE_MAX, 1, 3, 100 };

	for (size_t k = 0; k < COUNT(pieces); k++) {
		struct zip_budget budget = { .most = most };
		struct zip_sinks z = { .name = put_name, .arg = &out, .nested = nested, .ratio = 100, .budget = &budget };
		struct zip *zip = zip_new(&z);

		out.n = 0;
		strbuf_puts(&out, "");
		for (size_t i = 0, n; i < s.n; i += n) {
			n = s.n - i < pieces[k] ? s.n - i : pieces[k];
			zip_feed(zip, s.p + i, n);
		}
		zip_end(zip);
		zip_free(zip);
		strbuf_puts(&out, z.encrypted ? "encrypted " : "");
		for (int d = 0; d < DEFECTS; d++)
			if ((z.defects & DEFECT_BIT(d)) != 0)
				strbuf_printf(&out, "%s ", type_of(T_DEFECT)->words[d]);
		if (k == 0) {
			first.n = 0;
			strbuf_puts(&first, out.p);
		}
		assert_string_equal(out.p, first.p);
	}
	return out.p;
}

static void
found(struct strbuf archive, uint64_t nested, const char *names)
{
	assert_string_equal(scan(strbuf_slice(&archive), nested), names);
	strbuf_free(&archive);
}

static void
plain(void **state)
{
	struct archive two = { .n = 0 }, none = { .n = 0 };

	(void)state;
	found(one("a.exe", 0, 0, STR("MZ")), 2, "a.exe *a.exe ");
	found(one("b/c.js", 0, 8, STR("alert(1) alert(1)")), 2, "b/c.js *b/c.js ");
	found(one("folder/", 0, 0, STR("")), 2, "");
	found(finish(&none), 2, "");
	add(&two, "a", "a", 0, 8, STR("one"));
	add(&two, "b", "b", 0, 8, STR("two"));
	found(finish(&two), 2, "a b *a *b ");
	assert_string_equal(scan(STR("PK is no archive, PK\3\4 neither"), 2), "");
}

static void
nested(void **state)
{
	struct strbuf inner = one("x.exe", 0, 8, STR("MZ"));
	struct strbuf middle = one("inner.zip", 0, 8, strbuf_slice(&inner));

	(void)state;
	found(one("middle.zip", 0, 8, strbuf_slice(&middle)), 2,
	    "middle.zip inner.zip x.exe *x.exe *inner.zip *middle.zip ");
	found(one("middle.zip", 0, 8, strbuf_slice(&middle)), 1,
	    "middle.zip inner.zip *inner.zip *middle.zip archive-too-deep ");
	found(one("middle.zip", 0, 8, strbuf_slice(&middle)), 0, "middle.zip *middle.zip archive-too-deep ");
	/* Stored ones stand there in the open. */
	found(one("s.zip", 0, 0, strbuf_slice(&inner)), 0, "s.zip x.exe *x.exe *s.zip ");
	strbuf_free(&inner);
	strbuf_free(&middle);
}

static void
odd(void **state)
{
	struct archive two_names = { .n = 0 };
	struct strbuf a = one("a.txt", 0, 8, STR("text"));
	struct strbuf sfx = { 0 }, hidden = { 0 }, big = { 0 };

	(void)state;
	found(one("a.doc", 1, 8, STR("secret")), 2, "a.doc *a.doc encrypted ");
	add(&two_names, "a.txt", "a.exe", 0, 0, STR("x"));
	found(finish(&two_names), 2, "a.txt *a.exe ");
	assert_string_equal(scan((struct str){ a.p, a.n - 60 }, 2), "a.txt archive ");
	strbuf_puts(&sfx, "MZ program");
	strbuf_str(&sfx, strbuf_slice(&a));
	found(sfx, 2, "a.txt *a.txt ");
	/* A name that holds another header: both are told. */
	strbuf_puts(&hidden, "PK\3\4");
	header(&hidden, 0, 0, 0, 0, 200, 0);
	strbuf_puts(&hidden, "seen");
	strbuf_str(&hidden, strbuf_slice(&a));
	found(hidden, 2, "seen a.txt *a.txt archive ");
	/* Ten megabytes of nothing. */
	strbuf_puts(&big, "PK\3\4");
	while (big.n < 10 << 20)
		strbuf_add(&big, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	found(one("bomb.zip", 0, 8, strbuf_slice(&big)), 2, "bomb.zip *bomb.zip bomb archive-unread ");
	strbuf_free(&big);
	strbuf_free(&a);
}

/* A file's name as Info-ZIP writes it where the header's can't hold it. */
static struct strbuf
with_path(const char *name, const char *path)
{
	struct archive a = { .n = 0 };
	struct strbuf extra = { 0 };

	le(&extra, 0xcafe, 2);
	le(&extra, 0, 2);
	le(&extra, 0x7075, 2);
	le(&extra, 5 + strlen(path), 2);
	le(&extra, 1, 5);
	strbuf_puts(&extra, path);
	for (int i = 0; i < 2; i++) {
		struct strbuf *b = i > 0 ? &a.directory : &a.files;

		strbuf_puts(b, i > 0 ? "PK\1\2" : "PK\3\4");
		if (i > 0)
			le(b, 20, 2);
		header(b, 0, 0, 0, 0, strlen(name), extra.n);
		if (i > 0)
			le(b, 0, 14);
		strbuf_puts(b, name);
		strbuf_str(b, strbuf_slice(&extra));
	}
	a.n = 1;
	strbuf_free(&extra);
	return finish(&a);
}

/* What some program shows is found, or that there is something is told. */
static void
hidden(void **state)
{
	struct strbuf inner = one("x.exe", 0, 8, STR("MZ")), b = { 0 }, deep = { 0 }, want = { 0 };

	(void)state;
	found(with_path("a.txt", "b.exe"), 2, "a.txt b.exe *a.txt *b.exe ");
	/* Of a long name the end is kept. */
	for (int i = 0; i < 520; i++)
		strbuf_puts(&deep, "./");
	strbuf_puts(&deep, "x.exe");
	strbuf_printf(&want, "%s *%s archive ", deep.p + deep.n - 1024, deep.p + deep.n - 1024);
	found(one(deep.p, 0, 0, STR("")), 2, want.p);
	want.n = 0;
	strbuf_printf(&want, "a %s *a *%s archive ", deep.p + deep.n - 1024, deep.p + deep.n - 1024);
	found(with_path("a", deep.p), 2, want.p);
	/* Versions and methods that there are not. */
	b = one("x.exe", 0, 50, STR(""));
	found(b, 2, "x.exe *x.exe archive archive-unread ");
	b = one("x.exe", 0, 0, STR(""));
	b.p[4] = 101;
	found(b, 2, "x.exe *x.exe archive ");
	b = one("x\1\2", 0, 50, STR(""));
	found(b, 2, "archive ");
	/* A signature in a name does not hide it. */
	found(one("PK\3\4.exe", 1, 0, STR("MZ")), 2, "PK\3\4.exe *PK\3\4.exe encrypted archive ");
	found(one("aPK\1\2.exe", 0, 8, STR("MZ")), 2, "a aPK\1\2.exe *a *aPK\1\2.exe archive ");
	found(one("a.bz2", 0, 12, STR("BZh")), 2, "a.bz2 *a.bz2 archive-unread ");
	/* An archive that doesn't begin with one. */
	b = (struct strbuf){ 0 };
	strbuf_puts(&b, "J");
	strbuf_str(&b, strbuf_slice(&inner));
	found(one("a.dat", 0, 8, strbuf_slice(&b)), 2, "a.dat x.exe *x.exe *a.dat ");
	found(one("a.dat", 0, 8, strbuf_slice(&b)), 0, "a.dat *a.dat archive-too-deep ");
	b.n = 0;
	for (int i = 0; i < 5000; i++)
		strbuf_printf(&b, "%d", i);
	strbuf_str(&b, strbuf_slice(&inner));
	found(one("a.dat", 0, 8, strbuf_slice(&b)), 2, "a.dat *a.dat ");
	found(one("a.ZIP", 0, 8, strbuf_slice(&b)), 2, "a.ZIP x.exe *x.exe *a.ZIP ");
	strbuf_free(&b);
	strbuf_free(&inner);
	strbuf_free(&deep);
	strbuf_free(&want);
}

/* Within the ratio of 100, and past the octets of all. */
static void
adds_up(void **state)
{
	struct strbuf b = { 0 }, part = { 0 }, inner;

	(void)state;
	strbuf_puts(&b, "PK\3\4");
	for (unsigned x = 1, i = 0; b.n < 1 << 20; i++) {
		x = x * 1103515245 + 12345;
		strbuf_putc(&b, i % 80 == 0 ? (char)(x >> 16) : '\0');
	}
	strbuf_str(&part, strbuf_slice(&b));
	for (int i = 1; i < 8; i++)
		strbuf_str(&b, strbuf_slice(&part));
	inner = one("y.zip", 0, 8, strbuf_slice(&b));
	most = 64 << 20;
	assert_string_equal(scan(strbuf_slice(&inner), 2), "y.zip *y.zip archive ");
	most = 4 << 20;
	found(inner, 2, "y.zip *y.zip bomb archive-unread ");
	strbuf_free(&part);
	strbuf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(nested),
		cmocka_unit_test(odd),
		cmocka_unit_test(hidden),
		cmocka_unit_test(adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
