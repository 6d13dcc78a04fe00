/*
 * test_mime.c - messages decoded: parts, texts, names, defects, limits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "filter/message.h"
#include "filter/mime.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct mime_options
options(void)
{
	return (struct mime_options){ .want = F_TEXT | F_HTML | F_URLS | F_ARCHIVE, .text = 1 << 20,
	    .depth = 20, .parts = 1000, .urls = 1000, .entries = 1000, .nested = 2, .ratio = 200,
	    .inflated = 64 << 20 };
}

static const struct content *
decode(struct arena *a, struct str text, const struct mime_options *o, size_t piece)
{
	struct mime *m = mime_new(a, o);
	struct message_file f;

	assert_non_null(m);
	assert_int_equal(message_split(a, text, &f), 0);
	for (size_t i = 0; i < f.nfields; i++)
		mime_field(m, f.fields[i].name, f.fields[i].raw);
	for (size_t i = 0, n; i < f.body.n; i += n) {
		n = f.body.n - i < piece ? f.body.n - i : piece;
		mime_feed(m, (struct str){ f.body.p + i, n });
	}
	return mime_end(m);
}

/* Everything that was found, on one line. */
static const char *
describe(const struct content *c)
{
	static struct strbuf out;

	out.n = 0;
	strbuf_puts(&out, "");
	for (size_t i = 0; i < c->ntexts; i++)
		strbuf_printf(&out, "[" STR_FMT "]", STR_ARG(c->texts[i]));
	for (size_t i = 0; i < c->nattachments; i++) {
		const struct attachment *a = &c->attachments[i];

		strbuf_printf(&out, "{" STR_FMT " %d", STR_ARG(a->type), (int)a->size);
		for (size_t k = 0; k < a->nnames; k++)
			strbuf_printf(&out, " " STR_FMT, STR_ARG(a->names[k].s));
		strbuf_puts(&out, a->encrypted ? " encrypted}" : "}");
	}
	for (size_t i = 0; i < c->narchive_names; i++)
		strbuf_printf(&out, "<" STR_FMT ">", STR_ARG(c->archive_names[i]));
	for (int d = 0; d < DEFECTS; d++)
		if ((c->defects & DEFECT_BIT(d)) != 0)
			strbuf_printf(&out, " %s", type_of(T_DEFECT)->words[d]);
	return out.p;
}

struct sample {
	const char *message, *found;
};

static void
check(const struct sample *v, size_t n)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 5 };
	struct mime_options o = options();

	for (size_t i = 0; i < n * COUNT(pieces); i++) {
		struct arena *a = arena_new(0);
		const struct content *c = decode(a, str_of(v[i % n].message), &o, pieces[i / n]);
		const char *got;

		assert_non_null(c);
		got = describe(c);
		if (strcmp(got, v[i % n].found) != 0)
			fail_msg("%s\n-- is %s\n-- not %s", v[i % n].message, got, v[i % n].found);
		arena_free(a);
	}
}

#define MIXED	"Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static void
parts(void **state)
{
	static const struct sample v[] = {
		{ "Subject: x\r\n\r\nHello\r\nworld\r\n", "[Hello\nworld\n]" },
		{ "Subject: x\r\n\r\n", "[]" },
		{ MIXED "before\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\nafter\r\n", "[one][two\n]" },
		{ MIXED "--b  \r\n\r\none\r\n--b-- \r\n", "[one]" },
		{ MIXED "--b\n\none\n--b--\n", "[one]" },
		/* Neither is a boundary. */
		{ MIXED "--b\r\n\r\n--bc\r\n --b\r\n--b--x\r\n--b--\r\n", "[--bc\n --b\n--b--x]" },
		{ MIXED "--b\r\nContent-Type: multipart/alternative; boundary=\"b b\"\r\n\r\n"
		  "--b b\r\n\r\nin\r\n--b b--\r\n--b\r\n\r\nout\r\n--b--\r\n", "[in][out]" },
		/* The outer one ends what was left open inside. */
		{ MIXED "--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nin\r\n--b\r\n\r\nout\r\n--b--\r\n",
		  "[in][out] unclosed" },
		{ MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: i\r\nContent-Type: text/plain\r\n\r\nin\r\n--b--\r\n",
		  "[in]{message/rfc822 42}" },
		{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: i\r\n\r\nin\r\n--b--\r\n",
		  "[in]{message/rfc822 16}" },
		{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQpoaQ==\r\n",
		  "[hi]{message/rfc822 16}" },
		{ MIXED "--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.0.0\r\n--b--\r\n",
		  "[Status: 5.0.0]{message/delivery-status 13}" },
		{ MIXED "--b\r\nContent-Disposition: attachment\r\n\r\nhidden\r\n--b--\r\n", "{text/plain 6}" },
		/* What opens as a message is looked into, but is not taken for one. */
		{ "Content-Type: application/octet-stream; name=x.EML\r\n\r\nSubject: i\r\nContent-Type: a/b; name=x.exe\r\n\r\nin",
		  "{application/octet-stream 47 x.EML}{a/b 2 x.exe}" },
		{ "Content-Disposition: attachment; filename=x.mht\r\nContent-Transfer-Encoding: base64\r\n\r\nDQppbg==", "[in]{text/plain 4 x.mht}" },
		{ "Content-Type: text/plain; name=x.eml\r\n\r\nSubject: i\r\n", "[Subject: i\n]{text/plain 12 x.eml}" },
		{ "Content-Type: text/calendar\r\n\r\nDESCRIPTION:buy v\r\n iag\r\n\tra\\nnow\\, at C:\\\\x\\y\r\n",
		  "[DESCRIPTION:buy viagra\nnow, at C:\\x\\y\n]" },
		{ "Content-Type: text/plain; name=x.html\r\n\r\n<b>a</b><!-- b -->\r\n", "[<b>a</b><!-- b -->\n]{text/plain 20 x.html}" },
		{ "Content-Type: text/x-amp-html\r\n\r\nvi<b>a</b>gra", "[viagra]" },
		{ "Content-Type: text/html\r\n\r\na<!--[if mso]>b<![endif]-->c", "[ac\nb]" },
		{ "Content-Type: text/html\r\n\r\n<!--[if mso]>b<![endif]-->", "[b]" },
		{ MIXED "--b\r\nContent-Type: text/plain; name=a.txt\r\n\r\nshown\r\n--b--\r\n", "[shown]{text/plain 5 a.txt}" },
	};

	(void)state;
	check(v, COUNT(v));
}

static void
links(const char *message, size_t texts, const char *want)
{
	struct mime_options o = options();
	struct arena *a = arena_new(0);
	const struct content *c = decode(a, str_of(message), &o, SIZE_MAX);
	struct strbuf got = { 0 };

	assert_non_null(c);
	strbuf_puts(&got, "");
	for (size_t i = 0; i < c->nurls; i++)
		strbuf_printf(&got, STR_FMT "|", STR_ARG(c->urls[i].host));
	if (strcmp(got.p, want) != 0 || c->ntexts != texts || c->nhtmls > 0 || c->defects != 0)
		fail_msg("%s: links to %s", message, got.p);
	strbuf_free(&got);
	arena_free(a);
}

#define FLOWED(p)	"Content-Type: text/plain; format=flowed; delsp=" p "\r\n\r\n"

/* RFC 3676 */
static void
flowed(void **state)
{
	static const struct sample v[] = {
		{ FLOWED("yes") "http://evil.exam \r\nple/ a  \r\nb\r\nc\r\n", "[http://evil.example/ a b\nc\n]" },
		{ FLOWED("YES") "> a \r\n> b \r\n>> c \r\nd\r\n-- \r\n me \r\n  x", "[> ab\n>> c\nd\n-- \n me x]" },
		{ FLOWED("yes") "a \r\n", "[a\n]" },
		{ FLOWED("yes") "a ", "[a ]" },
		{ FLOWED("yes") " \r\n \r\n", "[\n]" },
		{ FLOWED("yes"), "[]" },
		{ FLOWED("no") "a \r\nb\r\n", "[a \nb\n]" },
		{ "Content-Type: text/html; format=flowed; delsp=yes\r\n\r\na \r\nb\r\n", "[a b]" },
	};

	(void)state;
	check(v, COUNT(v));
	/* Either may be shown. */
	links(FLOWED("yes") "http://a.exam \r\nple/\r\n", 1, "a.exam|a.example|");
}

/* What stands in another URL is opened by the program that it is for. */
static void
links_in_links(void **state)
{
	(void)state;
	links("Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<a href='ms-word:ofe|u|https://a.example/x.docx'>"
	    "<a href='view-source:https://b.example'><a href='cid:x@c.example'>", 0, "a.example|b.example|");
}

/* A line of an invitation is cut at 75 octets. */
static void
links_in_invitations(void **state)
{
	(void)state;
	links("Content-Type: text/calendar\r\n\r\nDESCRIPTION:https://a.exa\r\n mple\\nb\r\n", 1, "a.example|");
	links("Content-Type: text/vcard\r\n\r\nURL:https://a.exa\r\n mple\r\n", 1, "a.example|");
}

#define PAGE	"\r\n<form action='http://a.example/'>http://b.example \xe4\r\n"

/* A page to be opened is no body, but it leads somewhere. */
static void
attached_pages(void **state)
{
	(void)state;
	links("Content-Type: text/html\r\nContent-Disposition: attachment\r\n" PAGE, 0, "a.example|");
	links("Content-Type: application/octet-stream; name=x.HTM\r\n" PAGE, 0, "a.example|");
	links("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x.shtml\r\n" PAGE, 0, "a.example|");
	links("Content-Type: image/svg+xml; charset=x\r\n" PAGE, 0, "a.example|");
	links("Content-Type: application/octet-stream; name=x.html.txt\r\n" PAGE, 0, "");
	links("Content-Type: text/plain; name=x.html\r\n\r\n<a href='//a.example/'>\r\n", 1, "a.example|");
	links("Content-Type: text/plain; name=x.txt\r\n\r\n<a href='//a.example/'>\r\n", 1, "");
	links("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x.txt\r\n" PAGE, 0, "");
}

static void
broken_structure(void **state)
{
	static const struct sample v[] = {
		{ MIXED "--b\r\n\r\none\r\n", "[one\n] unclosed" },
		{ MIXED "text\r\n", "[text\n] no-boundary" },
		{ MIXED "text\r\n--b--\r\n", "[text] no-boundary" },
		{ "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n", "[--b\n\none\n] no-boundary" },
		{ MIXED "--b\r\nno field\r\n--b--\r\n", "[no field] header" },
		{ MIXED "--b\r\nContent-Type: text/html", " header unclosed" },
		{ "Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\na<b>b\r\n", "[ab] repeated-field" },
		{ "Content-Type: nonsense\r\n\r\na\r\n", "[a\n] content-type" },
		/* What programs make of it counts, and it is a defect. */
		{ "Content-Type: text/html, text/plain\r\n\r\na<b>b\r\n", "[ab] content-type" },
		{ "Content-Type: \"text/html\"\r\n\r\na<b>b\r\n", "[ab] content-type" },
		{ "Content-Type: text/html charset=iso-8859-1\r\n\r\na<b>\xe4\r\n", "[a\xc3\xa4] parameter" },
		{ "Content-Type: text/plain; charset=utf-8; charset=utf-8\r\n\r\na\r\n", "[a\n] parameter" },
		/* What is asked for nowhere may come as often as it likes. */
		{ "Content-Type: text/plain; format=flowed; format=flowed\r\n\r\na\r\n", "[a\n]" },
		{ "Content-Type: text/plain; charset=\"utf-8\r\n\r\na\r\n", "[a\n] parameter" },
		{ "Content-Transfer-Encoding: rot13\r\n\r\na\r\n", "[a\n] encoding" },
		{ "Content-Type: text/plain; charset=klingon\r\n\r\na\xe4\r\n", "[a\xef\xbf\xbd\n] charset" },
		{ "Content-Type: text/plain; charset=utf-8\r\n\r\na\xe4\r\n", "[a\xef\xbf\xbd\n] charset" },
		{ "Subject: x\r\n\r\na\xc3\xa4\r\n", "[a\xc3\xa4\n]" },
	};

	(void)state;
	check(v, COUNT(v));
}

/* Programs differ in which boundary they go by: parts of any count. */
static void
boundaries(void **state)
{
	static const struct sample v[] = {
		{ "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n"
		  "--a\r\n\r\none\r\n--a--\r\n--b\r\n\r\ntwo\r\n--b--\r\n", "[one][two] parameter" },
		{ "Content-Type: multipart/mixed; boundary=b; boundary*=us-ascii''a\r\n\r\n"
		  "--b\r\n\r\none\r\n--b--\r\n--a\r\n\r\ntwo\r\n--a--\r\n", "[one][two] parameter" },
		{ "Content-Type: multipart/mixed; boundary=\"a\\b\"\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n", "[one]" },
		{ "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n", "[one]" },
		/* One of them ended, and the other was left open. */
		{ "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\none\r\n", "[one\n] parameter unclosed" },
		{ "Content-Type: text/plain\r\n" MIXED "--b\r\nContent-Type: a/b; name=x.exe\r\n\r\n--b--\r\n",
		  "{a/b 0 x.exe} repeated-field" },
		{ "Content-Type: text/plain\r\n" MIXED "text\r\n", "[text\n] repeated-field no-boundary" },
		{ "Content-Type: \"multipart/mixed\"; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n", "[one] content-type" },
	};

	(void)state;
	check(v, COUNT(v));
}

#define ENC(e)	"Content-Transfer-Encoding: " e "\r\n\r\n"

static void
encodings(void **state)
{
	static const struct sample v[] = {
		{ ENC("base64") "SGVs\r\nbG8=\r\n", "[Hello]" },
		{ ENC("BASE64 ") "SGVsbG8\r\n", "[Hello] base64" },
		{ ENC("base64") "SGV*sbG8=\r\n", "[Hello] base64" },
		/* Two in one, as some programs write them: all of it counts. */
		{ ENC("base64") "SGVsbG8=SGVsbG8=\r\n", "[HelloHello] base64" },
		{ ENC("quoted-printable") "H=C3=A4 =\r\nx \t\r\ny=3D\r\n", "[H\xc3\xa4 x\ny=\n]" },
		{ ENC("quoted-printable") "a=\r\n\r\nb=20\r\n=", "[a\nb \n]" },
		{ ENC("quoted-printable") "a=zb=4", "[a=zb=4] quoted-printable" },
		{ ENC("quoted-printable") "a= \r\nb", "[ab]" },
		{ ENC("x-uuencode") "begin 644 x\r\n%2&5L;&\\ \r\n`\r\nend\r\n", "[Hello]" },
		{ ENC("x-uuencode") "begin 644 x\r\n%2&5L;&\\ \r\nend\r\n", "[Hello]" },
		{ "Content-Type: text/plain; charset=iso-8859-1\r\n" ENC("8bit") "\xe4\x80\r\n",
		  "[\xc3\xa4\xe2\x82\xac\n]" },
		{ "Content-Type: text/plain; charset=UTF-16LE\r\n" ENC("base64") "aABpAA0ACgA=\r\n", "[hi\n]" },
		{ "Content-Type: text/plain; charset=UTF-16\r\n" ENC("base64") "AGgAaQ==\r\n", "[hi]" },
		{ "Content-Type: text/plain; charset=UTF-16\r\n" ENC("base64") "/v8AaABp\r\n", "[hi]" },
		{ "Content-Type: text/plain; charset=UTF-32\r\n" ENC("base64") "//4AAGgAAABpAAAA\r\n", "[hi]" },
		{ "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3\x1b(B\r\n", "[\xe3\x81\x93\n]" },
		{ "Content-Type: text/html\r\n\r\n<meta charset=windows-1251>\xcf\r\n", "[\xd0\x9f]" },
		{ "Content-Type: text/html\r\n\r\n<!-- <meta charset=iso-8859-1> --><p class='charset=iso-8859-1'>"
		  "<meta name=x><meta charset=windows-1251>\xcf\r\n", "[\xd0\x9f]" },
	};

	(void)state;
	check(v, COUNT(v));
}

/* Before MIME, and after it. */
static void
uuencoded(void **state)
{
	static const struct sample v[] = {
		{ "\r\nhi\r\nbegin 644 x.exe\r\n%2&5L;&\\ \r\n`\r\nend\r\nbye\r\n",
		  "[hi\nbegin 644 x.exe\n%2&5L;&\\ \n`\nend\nbye\n]{application/octet-stream 5 x.exe}" },
		{ ENC("quoted-printable") "begin 0600 =C3=A4 b\n#35J0\nend\nbegin 644 c\n#35J0\nend",
		  "[begin 0600 \xc3\xa4 b\n#35J0\nend\nbegin 644 c\n#35J0\nend]"
		  "{application/octet-stream 3 \xc3\xa4 b}{application/octet-stream 3 c}" },
		/* Broken off. */
		{ "\r\nbegin 644 x\r\n#35J0\r\n", "[begin 644 x\n#35J0\n]{application/octet-stream 3 x} encoding" },
		/* Text. */
		{ "\r\nbegin 644 x\r\nis how it looks\r\n", "[begin 644 x\nis how it looks\n]" },
		{ "\r\nbegin 644\r\n#35J0\r\nend\r\n", "[begin 644\n#35J0\nend\n]" },
		{ "\r\nbegin at 644\r\n#35J0\r\nend\r\n", "[begin at 644\n#35J0\nend\n]" },
		/* Nobody sees it. */
		{ MIXED "begin 644 x\r\n#35J0\r\nend\r\n--b\r\n\r\n--b--\r\n", "[]" },
	};

	(void)state;
	check(v, COUNT(v));
}

#define FILE_NAMED(f)	MIXED "--b\r\nContent-Type: a/b\r\nContent-Disposition: attachment; " f "\r\n\r\n\r\n--b--\r\n"

#define PART	MIXED "--b\r\nContent-Type: a/b\r\nContent-Disposition: "

static void
names(void **state)
{
	static const struct sample v[] = {
		{ FILE_NAMED("filename=x.exe"), "{a/b 0 x.exe}" },
		{ FILE_NAMED("filename=\"a \\\"b\\\" c.exe\""), "{a/b 0 a \"b\" c.exe}" },
		{ FILE_NAMED("filename=a b.exe; x=y"), "{a/b 0 a b.exe}" },
		{ FILE_NAMED("filename=\"C:\\temp\\x.exe\""), "{a/b 0 C:\\temp\\x.exe C:tempx.exe}" },
		{ FILE_NAMED("filename=\"=?utf-8?b?w6QuZXhl?=\""), "{a/b 0 \xc3\xa4.exe}" },
		{ FILE_NAMED("filename*=utf-8''%c3%a4%20b.exe"), "{a/b 0 \xc3\xa4 b.exe}" },
		{ FILE_NAMED("filename*=iso-8859-1'de'%e4.exe"), "{a/b 0 \xc3\xa4.exe}" },
		{ FILE_NAMED("filename*0=\"a.\"; filename*1=exe"), "{a/b 0 a.exe}" },
		{ FILE_NAMED("filename*1=exe; filename*0*=utf-8''%c3%a4."), "{a/b 0 \xc3\xa4.exe}" },
		/* Which of them is shown depends on the program. */
		{ FILE_NAMED("filename=a.txt; filename*=utf-8''a.exe"), "{a/b 0 a.exe a.txt}" },
		{ MIXED "--b\r\nContent-Type: a/b; name=x.exe\r\nContent-Disposition: attachment; filename=x.txt\r\n\r\n--b--\r\n",
		  "{a/b 0 x.txt x.exe}" },
		{ FILE_NAMED("filename=\"a\x01\r\n\tb.exe\""), "{a/b 0 a\x01\tb.exe}" },
		{ FILE_NAMED("FILENAME=x; filename=y"), "{a/b 0 x y} parameter" },
		{ MIXED "--b\r\nContent-Type: image/png\r\n\r\n123\r\n--b--\r\n", "{image/png 3}" },
		{ MIXED "--b\r\nContent-Type: IMAGE / Png name=\"x.png\"\r\n\r\n\r\n--b--\r\n", "{image/png 0 x.png} parameter" },
		/* Programs differ, and each of these is opened by some. */
		{ PART "attachment (; filename=\"x.exe\"\r\n\r\n--b--\r\n", "{a/b 0 x.exe} parameter" },
		{ PART "attachment; (; filename=x.exe; )\r\n\r\n--b--\r\n", "{a/b 0 x.exe} parameter" },
		{ PART "attachment (really); filename=x.exe\r\n\r\n--b--\r\n", "{a/b 0 x.exe}" },
		{ PART "attachment; filename=\"x.exe; y=z\r\n\r\n--b--\r\n", "{a/b 0 x.exe; y=z x.exe} parameter" },
		{ PART "attachment; filename=x.exe y.txt\r\n\r\n--b--\r\n", "{a/b 0 x.exe y.txt x.exe}" },
		{ PART "attachment; filename=x.exe\"\r\n\r\n--b--\r\n", "{a/b 0 x.exe\" x.exe}" },
		{ PART "attachment; filename=x.exe)\r\n\r\n--b--\r\n", "{a/b 0 x.exe) x.exe}" },
		{ PART "attachment; filename=(x.exe\r\n\r\n--b--\r\n", "{a/b 0 (x.exe} parameter" },
		{ PART "attachment; filename *0=x; filename *1=.exe\r\n\r\n--b--\r\n", "{a/b 0 x.exe}" },
		{ PART "attachment; name=x.exe\r\n\r\n--b--\r\n", "{a/b 0 x.exe}" },
		{ PART "attachment\r\nContent-Name: x.exe\r\n\r\n--b--\r\n", "{a/b 0 x.exe}" },
		{ MIXED "--b\r\nContent-Type: a/b; filename=x.exe\r\n\r\n--b--\r\n", "{a/b 0 x.exe}" },
		/* Windows leaves that out when it writes the file. */
		{ PART "attachment; filename=\"x.exe. .\"\r\n\r\n--b--\r\n", "{a/b 0 x.exe. . x.exe}" },
	};

	(void)state;
	check(v, COUNT(v));
}

/* Every name that some program may show, and a defect where they differ. */
static void
disputed_names(void **state)
{
	static const struct sample v[] = {
		{ FILE_NAMED("filename=a.txt; filename=b.exe"), "{a/b 0 a.txt b.exe} parameter" },
		{ FILE_NAMED("filename*=utf-8''a.txt; filename*=utf-8''b.exe"), "{a/b 0 a.txt b.exe} parameter" },
		{ FILE_NAMED("filename*0=a; filename*0=b; filename*1=.exe"), "{a/b 0 a.exe b.exe} parameter" },
		{ FILE_NAMED("filename*0=a; filename*1=.txt; filename*1=.exe"), "{a/b 0 a.txt a.exe} parameter" },
		{ FILE_NAMED("filename*=utf-8''b.exe; filename*0=a.txt"), "{a/b 0 a.txt b.exe} parameter" },
		{ FILE_NAMED("filename*0=a.txt; filename*=utf-8''b.exe"), "{a/b 0 a.txt b.exe} parameter" },
		{ FILE_NAMED("filename*1=b; filename*2=.exe"), "{a/b 0 b.exe}" },
		{ FILE_NAMED("filename*0=a.txt; filename*2=.exe"), "{a/b 0 a.txt a.txt.exe}" },
		{ FILE_NAMED("filename=\"b.e\\xe\""), "{a/b 0 b.e\\xe b.exe}" },
		{ FILE_NAMED("filename (y) = (z) \"b.exe\""), "{a/b 0 b.exe}" },
		{ FILE_NAMED("filename*=%62.exe%00.txt"), "{a/b 0 b.exe b.exe\xef\xbf\xbd.txt}" },
		{ FILE_NAMED("filename=a (b).exe"), "{a/b 0 a a (b).exe}" },
		{ FILE_NAMED("filename=\"b\".exe"), "{a/b 0 b b.exe} parameter" },
		{ MIXED "--b\r\nContent-Type: a/b\r\nContent-Disposition: filename=b.exe\r\n\r\n--b--\r\n",
		  "{a/b 0 b.exe} parameter" },
		{ MIXED "--b\r\nContent-Type: a/b\r\nContent-Disposition: attachment; filename=a.txt\r\n"
		  "Content-Disposition: attachment; filename=b.exe\r\n\r\n--b--\r\n", "{a/b 0 a.txt b.exe} repeated-field" },
		{ MIXED "--b\r\nContent-Type: text/plain\r\nContent-Type: a/b; name=b.exe\r\n\r\nx\r\n--b--\r\n",
		  "[x]{text/plain 1 b.exe} repeated-field" },
	};

	(void)state;
	check(v, COUNT(v));
}

/* A field of any length hides neither what follows nor what is in the part. */
static void
long_headers(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 1000 };
	struct mime_options o = options();
	struct strbuf b = { 0 }, pad = { 0 }, many = { 0 };
	static const struct { const char *before; bool params; const char *after, *found; } v[] = {
		/* One that nobody asks for. */
		{ "X-Pad: ", false, "\r\nContent-Disposition: attachment; filename=b.exe", "{a/b 2 b.exe}" },
		{ "X-Pad: ", false, "\r\n x\r\nContent-Disposition: attachment; filename=b.exe", "{a/b 2 b.exe}" },
		/* One that is read: as far as the limit. */
		{ "Content-Disposition: attachment; filename=b.exe; x=", false, "", "{a/b 2 b.exe} long-header" },
		{ "Content-Disposition: attachment; x=", false, "; filename=b.exe", "{a/b 2} long-header" },
		{ "Content-Disposition: attachment; ", true, "filename=b.exe", "{a/b 2 b.exe}" },
	};

	(void)state;
	for (int i = 0; i < 70000; i++)
		strbuf_putc(&pad, 'p');
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&many, "p%d=x; ", i);
	for (size_t i = 0; i < COUNT(v) * COUNT(pieces); i++) {
		size_t k = i % COUNT(v);
		struct arena *a = arena_new(0);
		const char *got;

		b.n = 0;
		strbuf_printf(&b, MIXED "--b\r\nContent-Type: a/b\r\n%s%s%s\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\nTVo=\r\n--b--\r\n",
		    v[k].before, v[k].params ? many.p : pad.p, v[k].after);
		got = describe(decode(a, strbuf_slice(&b), &o, pieces[i / COUNT(v)]));
		assert_string_equal(got, v[k].found);
		arena_free(a);
	}
	/* No field at all, and no line end: it is what the part holds. */
	b.n = 0;
	strbuf_printf(&b, MIXED "--b\r\n%s", pad.p);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct arena *a = arena_new(0);
		const struct content *c = decode(a, strbuf_slice(&b), &o, pieces[i]);

		assert_int_equal(c->ntexts, 1);
		assert_int_equal(c->texts[0].n, 70000);
		arena_free(a);
	}
	strbuf_free(&b);
	strbuf_free(&pad);
	strbuf_free(&many);
}

#define ZIPPED	"Content-Type: a/b\r\n" ENC("base64")

/* What stands in the two headers of a file: names, and how it's packed. */
static void
archives(void **state)
{
	static const struct sample v[] = {
		/* Stored to one who reads the file's header, deflated to one who reads the directory. */
		{ ZIPPED "UEsDBBQAAAAAAAAAIVAAAAAAAAAAAAAAAAABAAAAYVBLAQIUABQAAAAIAAAAIVAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAABhUEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\r\n", "{a/b 100}<a> archive" },
		{ ZIPPED "UEsDBBQAAAAAAAAAIVAAAAAAAAAAAAAAAAABAAAAYVBLAQIUABQAAAAAAAAAIVAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAABhUEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\r\n", "{a/b 100}<a>" },
		{ ZIPPED "UEsDBBQAAAAAAAAAIQCDFtyMAQAAAAEAAAAHAAAAeC5leGUuIHhQSwECFAMUAAAAAAAAACEAgxbcjAEAAAABAAAABwAAAAAAAAAAAAAAgAEAAAAAeC5leGUuIFBLBQYAAAAAAQABADUAAAAmAAAAAAA=\r\n", "{a/b 113}<x.exe. ><x.exe>" },
		/* At a NUL the name is at its end, or not. */
		{ ZIPPED "UEsDBBQAAAAAAAAAIVAAAAAAAAAAAAAAAAAIAAAAeC5leGUALnRQSwECFAAUAAAAAAAAACFQAAAAAAAAAAAAAAAACAAAAAAAAAAAAAAAAAAAAAAAeC5leGUALnRQSwUGAAAAAAAAAAAAAAAAAAAAAAAA\r\n", "{a/b 114}<x.exe .t><x.exe>" },
	};

	(void)state;
	check(v, COUNT(v));
}

/* Each limit cuts, and tells that it did. */
static void
limits(void **state)
{
	static const char nested[] = MIXED "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nin\r\n--c--\r\n--b--\r\n";
	struct arena *a = arena_new(0);
	struct mime_options o = options();

	(void)state;
	o.depth = 1;
	assert_string_equal(describe(decode(a, str_of(nested), &o, 9)), "[--c\n\nin\n--c--] too-deep");
	o = options();
	o.parts = 2;
	assert_string_equal(describe(decode(a, str_of(nested), &o, 9)), " unclosed too-many-parts");
	o = options();
	o.text = 3;
	assert_string_equal(describe(decode(a, STR("\r\nab\xc3\xa4\r\n"), &o, 99)), "[ab] too-much-text");
	o = options();
	o.urls = 1;
	assert_string_equal(describe(decode(a, STR("\r\nhttp://a.example/ http://b.example/\r\n"), &o, 99)),
	    "[http://a.example/ http://b.example/\n] too-many-urls");
	/* Those that stand there again take no more room. */
	assert_string_equal(describe(decode(a, STR("\r\nhttp://a.example/ http://a.example/\r\n"), &o, 99)),
	    "[http://a.example/ http://a.example/\n]");
	arena_free(a);
}

/* What rules can't ask for isn't kept. */
static void
keeps_what_is_wanted(void **state)
{
	static const char text[] = "Content-Type: text/html\r\n\r\n<p>x http://a.example/\r\n";
	struct arena *a = arena_new(0);
	struct mime_options o = options();
	const struct content *c;

	(void)state;
	o.want = F_HTML;
	c = decode(a, str_of(text), &o, 7);
	assert_int_equal(c->ntexts + c->nurls, 0);
	assert_int_equal(c->nhtmls, 1);
	o.want = F_URLS;
	c = decode(a, str_of(text), &o, 7);
	assert_int_equal(c->ntexts + c->nhtmls, 0);
	assert_int_equal(c->nurls, 1);
	o.want = 0;
	c = decode(a, str_of(text), &o, 7);
	assert_int_equal(c->ntexts + c->nhtmls + c->nurls, 0);
	arena_free(a);
}

/* A message can't make itself larger: a hundred thousand parts, levels, blanks. */
static void
stays_small(void **state)
{
	struct mime_options o = options();
	struct strbuf b = { 0 };
	struct arena *a = arena_new(0);
	const struct content *c;

	(void)state;
	strbuf_puts(&b, MIXED);
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&b, "--b\r\nContent-Type: a/b\r\n\r\n");
	c = decode(a, strbuf_slice(&b), &o, 65535);
	assert_int_equal(c->nattachments, 999);
	assert_true((c->defects & DEFECT_BIT(DEFECT_TOO_MANY_PARTS)) != 0);
	assert_true(arena_size(a) < 200 * 1024);
	b.n = 0;
	arena_reset(a);
	for (int i = 0; i < 5000; i++)
		strbuf_puts(&b, "Content-Type: message/rfc822\r\n\r\n");
	c = decode(a, strbuf_slice(&b), &o, 65535);
	assert_int_equal(c->nattachments, 21);
	assert_true((c->defects & DEFECT_BIT(DEFECT_TOO_DEEP)) != 0);
	/* Nor can the ways to read one name, which is of three octets a character here. */
	b.n = 0;
	arena_reset(a);
	strbuf_puts(&b, MIXED);
	for (int i = 0; i < 200; i++) {
		strbuf_puts(&b, "--b\r\nContent-Disposition: a; filename*0=\"\\");
		for (int k = 0; k < 2000; k++)
			strbuf_putc(&b, '\x80');
		strbuf_printf(&b, "%d\"; filename*0=x\r\n\r\n", i);
	}
	c = decode(a, strbuf_slice(&b), &o, 65535);
	assert_int_equal(c->nattachments, 200);
	assert_true(arena_size(a) < b.n + 200 * 1024);
	b.n = 0;
	arena_reset(a);
	strbuf_puts(&b, "\r\n");
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&b, "begin 644 x\n#35J0\nend\n");
	c = decode(a, strbuf_slice(&b), &o, 65535);
	assert_int_equal(c->nattachments, 999);
	assert_true((c->defects & DEFECT_BIT(DEFECT_TOO_MANY_PARTS)) != 0);
	strbuf_free(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(flowed),
		cmocka_unit_test(links_in_links),
		cmocka_unit_test(links_in_invitations),
		cmocka_unit_test(attached_pages),
		cmocka_unit_test(broken_structure),
		cmocka_unit_test(boundaries),
		cmocka_unit_test(encodings),
		cmocka_unit_test(uuencoded),
		cmocka_unit_test(names),
		cmocka_unit_test(disputed_names),
		cmocka_unit_test(long_headers),
		cmocka_unit_test(archives),
		cmocka_unit_test(limits),
		cmocka_unit_test(keeps_what_is_wanted),
		cmocka_unit_test(stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
