/*
 * test_html.c - what is seen of HTML, and where URLs lead.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "filter/mime_int.h"
#include "filter/suffixes.h"
#include "rules/arena.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static struct strbuf text, outlook, urls;

static void
put_text(void *arg, const char *p, size_t n)
{
	(void)arg;
	strbuf_add(&text, p, n);
}

static void
put_outlook(void *arg, const char *p, size_t n)
{
	(void)arg;
	strbuf_add(&outlook, p, n);
}

static void
put_url(void *arg, struct str url)
{
	(void)arg;
	strbuf_str(&urls, url);
	strbuf_putc(&urls, '|');
}

static void
read_page(const char *s, size_t n, size_t piece)
{
	struct html_sinks sinks = { put_text, put_outlook, put_url, NULL };
	struct html *h = html_new(&sinks);

	assert_non_null(h);
	text.n = outlook.n = urls.n = 0;
	strbuf_puts(&text, "");
	strbuf_puts(&outlook, "");
	strbuf_puts(&urls, "");
	for (size_t i = 0, k; i < n; i += k) {
		/* Whole characters only. */
		for (k = n - i < piece ? n - i : piece; i + k < n &&
		    ((unsigned char)s[i + k] & 0xc0) == 0x80; k++)
			;
		html_feed(h, s + i, k);
	}
	html_end(h);
	html_free(h);
}

static void
what_is_seen(void **state)
{
	static const struct { const char *html, *seen; } v[] = {
		{ "plain", "plain" },
		{ "  a \n\t b  ", "a b" },
		{ "<b>vi</b>a<i></i>gra", "viagra" },
		{ "vi<!-- x -->agra", "viagra" },
		{ "vi&shy;a\xe2\x80\x8bgra &zwnj;now", "viagra now" },
		{ "vi\x7f" "agra \x7f now", "viagra now" },
		{ "wire&nbsp;transfer", "wire transfer" },
		{ "<p>a</p><p>b<br>c<td>d<td>e", "a\nb\nc d e" },
		{ "a<style>b</style>c<script>d < e</script >f<title>g</title>h", "acfh" },
		{ "<script>var a = \"</scrip\" + \"</script>\";x", "\";x" },
		{ "<STYLE>p{}</STYLE>a", "a" },
		{ "<style>all the rest", "" },
		{ "&lt;b&gt; &amp;amp; &#65;&#x42; &Auml;&ouml", "<b> &amp; AB \xc3\x84\xc3\xb6" },
		{ "&#128; &#0; &#xd800; &#99999999;", "\xe2\x82\xac \xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd" },
		{ "a & b &unknown; &; &#; &", "a & b &unknown; &; &#; &" },
		{ "1 < 2 <3 <>", "1 < 2 <3 <>" },
		{ "a<!-->b<!--->c<!-- - -- --!>d<!--x", "abcd" },
		{ "a<!doctype html>b<?php x ?>c</ x>d</>e", "abcde" },
		{ "<![if !mso]>a<![endif]><!--[if mso]>b<![endif]-->", "a" },
		{ "<a title=\"x>y\" b='>' c=>d", "d" },
		{ "<a\nhref=x\n>b", "b" },
		{ "<div hidden/>a", "a" },
		{ "a<b", "a" },
		{ "a<", "a<" },
		{ "a\x01" "b", "ab" },
		{ "V&#105agra &#x56iagra &#105g &#0000000000000000000000000000000000000000065;", "Viagra Viagra ig A" },
		{ "v&iacutegra &copyx &notit; &ampamp; &hellip &copy= &#xg &#x; &ampx;", "v\xc3\xadgra \xc2\xa9x \xc2\xacit; &amp; &hellip \xc2\xa9= &#xg &#x; &x;" },
		{ "vi\xf3\xa0\x81\xa1" "ag\xf3\xa0\x84\x80ra\xef\xb8\x8f", "viagra" },
		/* Only Outlook sees that; the others see on after the first end of a comment, wherever. */
		{ "vi<!--[if gte mso 9]><p>a &amp; b<1<![endif]-->agra<!--[if !mso]><!-->!<!--<![endif]-->", "viagra!" },
		{ "a<!--[if mso]><b c=\"-->d<!--[if mso]><style>--!>e<!--[if x]>f", "ade" },
		{ "a<!-- [if mso]>b-->c<!--x[if mso]>d-->e", "ace" },
		/* Nothing but text. */
		{ "a<xmp><!-- b --></c></xmp >d<textarea>&lt;<i></textarea>e", "a\n<!-- b --></c>\nd <<i> e" },
		{ "<plaintext>a<!-- b --></plaintext>c<", "a<!-- b --></plaintext>c<" },
		/* Of a template nothing can hide what follows. */
		{ "<template><a title=\"</template><!--\"></template>b<!-- -->", "b" },
		/* The end of a script, for browsers. */
		{ "<script><!--<script></script><a title=\"--></script>b<a c=\"\">d", "bd" },
		{ "<script><!--<script></script></script>b", "b" },
		{ "<script><!--></script>b<script><!--<script>--></script>c", "bc" },
		{ "<script><!--<scripts></script>b<script><script></script>c", "bc" },
		/* In SVG and MathML these aren't raw. */
		{ "<svg><style>a<b c>d</style></svg><style>e</style>f", "adf" },
		{ "<svg><style><a title=\"</style><!--\">b</a>", "b" },
		{ "<svg/><style>a</style>b<svg><desc><style>c</style></desc><style>d</style>", "bd" },
		{ "<svg><p><style>a</style>b<math><mi><style>c</style></mi><title>d", "bd" },
		{ "<!--[if mso]><svg><![endif]--><style><a b=\"</style>c<a d=\"\">", "c" },
		{ "<svg><!--[if mso]></svg><![endif]--><style>a</style></svg>b", "ab" },
		{ "<svg><![CDATA[<!-- a ]b> ]]]>c<![CDAT[d]]>e<![CDATA[f", "<!-- a b> cef" },
		{ "<svg><font><style>a</style><font color=x><style>b</style>", "a" },
		{ "<svg></math><style>a</style>", "a" },
		{ "<math><title><style>a</style></title></math>b<svg><title><style>c</style>", "ab" },
		/* Here browsers differ: what any shows is seen. */
		{ "<select><style></select>a<b>b", "</select>a<b>b" },
		{ "<select><style><a title=\"</style></select>c", "<a title=\"</style></select>c" },
		{ "<select><option>a</select><style>b</style>c<select><script>d</script>e", "ace" },
		{ "<math><annotation-xml><style></annotation-xml>a", "</annotation-xml>a" },
		{ "<svg><text><![CDATA[a]]></text></svg><![CDATA[b]]>", "a" },
	};
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 3 };

	(void)state;
	for (size_t i = 0; i < COUNT(v) * COUNT(pieces); i++) {
		const char *html = v[i % COUNT(v)].html;

		read_page(html, strlen(html), pieces[i / COUNT(v)]);
		if (strcmp(text.p, v[i % COUNT(v)].seen) != 0)
			fail_msg("'%s' is seen as '%s'", html, text.p);
	}
}

/* Stands behind all the rest, and cuts no word of it. */
static void
what_outlook_shows(void **state)
{
	static const struct { const char *html, *seen, *more; } v[] = {
		{ "vi<!--[if mso]>pay<b>al</b> &amp; now<![endif]-->agra", "viagra", "payal & now" },
		{ "<!--[if gte mso 9]>a - b -- c! > d<![endif]-->e<!--[if mso]>f<p>g-->", "e", "a - b -- c! > d\nf\ng" },
		{ "<!--[if mso]><xml><o:PixelsPerInch>96</o:PixelsPerInch></xml><style>x</style>a-->", "", "a" },
		{ "<xml>a</xml><!--[if mso]><textarea>b--><i>c</i>", "ac", "b" },
		{ "<!--[if mso]>vi\xc2\xad" "ag\xc3\xa9ra<!-->a", "a", "viag\xc3\xa9ra" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(v); i++) {
		const char *html = v[i / 2].html;

		read_page(html, strlen(html), i % 2 == 0 ? SIZE_MAX : 1);
		assert_string_equal(text.p, v[i / 2].seen);
		assert_string_equal(outlook.p, v[i / 2].more);
	}
}

static void
what_it_links_to(void **state)
{
	static const struct { const char *html, *urls; } v[] = {
		{ "<a href=\"http://a.example/?b=1&amp;c=2\">", "http://a.example/?b=1&c=2|" },
		{ "<a href='x'><img SRC=y>", "x|y|" },
		{ "<a href=http://a.example/?b=1&copy=2>", "http://a.example/?b=1&copy=2|" },
		{ "<a href=&#104;ttp://a.example>", "http://a.example|" },
		{ "<a href = \" x \">", "x|" },
		{ "<form action=x><td background=y>", "x|y|" },
		{ "<a title=\"href=x\" data-href=y>", "" },
		{ "<!-- <a href=x> --></a href=y>", "" },
		{ "<a href=", "" },
		/* As browsers do (URL standard, 4.4). */
		{ "<a href=\"h\tt&#10;tp&#9;:/\r\n/a.exam\nple\">", "http://a.example|" },
		{ "<a href='\x01\x1f http://a.example \x02'>", "http://a.example|" },
		{ "<a href='&#1;http://a.example'>", "http://a.example|" },
		{ "<a href='h&#116tp://a.example/?a&#61b'>", "http://a.example/?a=b|" },
		{ "<a href='x?a&copy=1&copyb&ltc&amp'>", "x?a&copy=1&copyb&ltc&|" },
		{ "<img srcset='a.png 1x,\nb,c.png 2x , d.png,e'>", "a.png|b,c.png|d.png,e|" },
		{ "<img srcset=' ,,a,, b 100w (x), c,'><source srcset=d><link imagesrcset=e>", "a|b|c|d|e|" },
		{ "<meta http-equiv=refresh content='0;URL=http://a.example'>", "http://a.example|" },
		{ "<meta content=' 0.5 , u\nrl = \"x\"y'><meta content='1;z'><meta content='url=y'>", "x|z|" },
		{ "<meta content='0 url=http://a.example'><meta content='5 ;url=x'><meta content='5url=y'><meta content='. \"z\"'>",
		  "http://a.example|x|z|" },
		{ "<a href='http://&escr;&Lopf;l&period;ex&afr;mpl&ee;'>", "http://\xe2\x84\xaf\xf0\x9d\x95\x83l.ex\xf0\x9d\x94\x9empl\xe2\x85\x87|" },
		{ "<meta content='text/html; charset=utf-8'><p content='0;url=x'>", "" },
		{ "<map><area href=x></map><button formaction=y><base href=z>", "x|y|z|" },
		{ "<!--[if mso]><v:rect href='x'>b</v:rect><![endif]--><a href=y>", "x|y|" },
		{ "<!--[if mso]><a href='x--><a href=y>", "y|" },
		{ "<!-- <a href=x> [if mso]> <a href=y> --><a href=z>", "z|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		read_page(v[i].html, strlen(v[i].html), 1);
		assert_string_equal(urls.p, v[i].urls);
	}
}

static void
found(void *arg, struct str url)
{
	put_url(arg, url);
}

static void
urls_in_text(void **state)
{
	static const struct { const char *text, *urls; } v[] = {
		{ "See http://a.example/b.", "http://a.example/b|" },
		{ "(https://a.example/b_(c)) HTTP://B.example,", "https://a.example/b_(c)|HTTP://B.example|" },
		{ "<http://a.example/>\"ftp://b.example\"", "http://a.example/|ftp://b.example|" },
		{ "www.a.example, xwww.b.example me@www.c.example", "www.a.example|" },
		{ "xhttp://a.example", "http://a.example|" },
		{ "http:// www. ://x gopher://a.example", "" },
		{ "http://a.example\xc2\xa0(b) www.c.example\xe3\x80\x80" "d", "http://a.example|www.c.example|" },
		{ "http://\xc3\xa4.example/\xff\xe2\x80", "http://\xc3\xa4.example/\xff\xe2\x80|" },
		{ "http://a.example/?u=http://b.example/", "http://a.example/?u=http://b.example/|" },
		{ "http://\xc3\xa4.example/\xe2\x80\xa6", "http://\xc3\xa4.example/\xe2\x80\xa6|" },
		{ "\xe2\x80\x9chttp://a.example\xe2\x80\x9d \xc2\xbbwww.a.example\xc2\xab", "http://a.example|www.a.example|" },
		{ "http://a.example\xe2\x80\x94" "b http://c.example\xe2\x80\xa6", "http://a.example|http://c.example|" },
		{ "http://a.example\xef\xbc\x8c\xe8\xb0\xa2 http://b.example\xe3\x80\x8d", "http://a.example|http://b.example|" },
		{ "http://a.example\xe8\xb0\xa2/x http://b.example:80\xe3\x81\x82", "http://a.example|http://b.example:80|" },
		{ "http://a.example\xe3\x80\x82\xe8\xb0\xa2 http://b\xe3\x80\x82" "example/", "http://a.example|http://b\xe3\x80\x82" "example/|" },
		{ "http://\xe4\xbe\x8b.\xe4\xb8\xad/\xe8\xb0\xa2 http://a\xe4\xb8\xad.example", "http://\xe4\xbe\x8b.\xe4\xb8\xad/\xe8\xb0\xa2|http://a\xe4\xb8\xad.example|" },
		{ "http://ev\xc2\xadil.ex\xe2\x80\x8b" "ample/", "http://ev\xc2\xadil.ex\xe2\x80\x8b" "ample/|" },
		{ "http://a.example&b http://c.example,www.d.example;", "http://a.example|http://c.example|www.d.example|" },
		{ "http://a&b@c.example", "http://a&b@c.example|" },
		{ "file://a.example/x FILE:///y", "file://a.example/x|FILE:///y|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		urls.n = 0;
		strbuf_puts(&urls, "");
		url_scan(str_of(v[i].text), found, NULL);
		if (strcmp(urls.p, v[i].urls) != 0)
			fail_msg("in '%s' stands '%s'", v[i].text, urls.p);
	}
}

static void
where_they_lead(void **state)
{
	static const struct { const char *url, *host, *domain; } v[] = {
		{ "http://www.Example.CO.uk:80/x", "www.example.co.uk", "example.co.uk" },
		{ "https://good.example@evil.example.org/", "evil.example.org", "example.org" },
		{ "http://good.example\\@evil.example.org/", "good.example", "good.example" },
		{ "http:\\\\evil.example\\x", "evil.example", "evil.example" },
		{ "https:///evil.example", "evil.example", "evil.example" },
		{ "//evil.example/x", "evil.example", "evil.example" },
		{ "www.a.b.example", "www.a.b.example", "b.example" },
		{ "http://ev%69l.example./", "evil.example", "evil.example" },
		{ "http://e\tvil.example?x@good.example", "evil.example", "evil.example" },
		{ "http://b\xc3\xbc" "cher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "http://i\xe2\x9d\xa4.example/", "xn--i-7iq.example", "xn--i-7iq.example" },
		{ "http://192.0.2.1/", "192.0.2.1", "192.0.2.1" },
		{ "http://0x7f000001/", "127.0.0.1", "127.0.0.1" },
		{ "http://0300.1/", "192.0.0.1", "192.0.0.1" },
		{ "http://\xef\xbc\x92" "130706433/", "127.0.0.1", "127.0.0.1" },
		{ "http://0x7f.\xef\xbc\x91\xc2\xad/", "127.0.0.1", "127.0.0.1" },
		{ "http://0xg/", "0xg", "0xg" },
		{ "http://\xe2\x84\xafv\xe2\x85\x88l.example/", "evil.example", "evil.example" },
		{ "http://[2001:DB8::1]:8080/", "2001:db8::1", "2001:db8::1" },
		{ "http://a%3fb/", NULL, NULL },
		{ "http://a%ff/", NULL, NULL },
		{ "http://[]/", NULL, NULL },
		{ "http://[evil.example]/", NULL, NULL },
		{ "http://localhost/", "localhost", "localhost" },
		{ "http://co.uk/", "co.uk", "co.uk" },
		{ "mailto:bob@a.example?subject=x@y", "a.example", "a.example" },
		{ "mailto:bob", NULL, NULL },
		{ "cid:part1@a.example", NULL, NULL },
		{ "data:text/html,http://a.example", NULL, NULL },
		{ "/relative/x", NULL, NULL },
		{ "http://", NULL, NULL },
		{ "http://%00.example/", NULL, NULL },
		{ "http://\xc2\xad/", NULL, NULL },
		{ "http://a.example.\xc2\xad/", "a.example", "a.example" },
		{ "file://a.example/x", "a.example", "a.example" },
		{ "file:////a.example/x", "a.example", "a.example" },
		{ "\\\\a.example\\x", "a.example", "a.example" },
		{ "file:///C:/x", NULL, NULL },
		{ "file:/x", NULL, NULL },
		{ "file:x", NULL, NULL },
		{ "http://a b/", NULL, NULL },
	};
	struct strbuf why = { 0 };
	struct suffixes *list = suffixes_new(STR(""), &why);
	struct arena *a = arena_new(0);

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < COUNT(v); i++) {
		struct str host = url_host(a, str_of(v[i].url));

		if (v[i].host == NULL) {
			assert_null(host.p);
			continue;
		}
		if (host.p == NULL || !str_eq(host, str_of(v[i].host)))
			fail_msg("%s leads to '" STR_FMT "'", v[i].url, STR_ARG(host));
		assert_true(str_eq(url_domain(list, a, host), str_of(v[i].domain)));
	}
	suffixes_free(list);
	arena_free(a);
}

static struct str last;

static void
keep_last(void *arg, struct str url)
{
	last = str_dup(arg, url);
}

static void
put_last(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

/* What is left out of a URL that is too long is not where it leads. */
static void
long_ones(void **state)
{
	static const struct { const char *front, *unit, *tail, *host; } v[] = {
		{ "http://good.example", "%20", "@evil.example/x", "evil.example" },
		{ "http://a", "b", ":c@ev%69l.example", "evil.example" },
		{ "http:", "/", "evil.example/x", "evil.example" },
		{ "//", "@", "evil.example:80", "evil.example" },
		{ "www.a", "b", "@evil.example", "evil.example" },
		{ "http://good.example/", "x", "@evil.example/", "good.example" },
		{ "http://good.example?", "x", "@evil.example/", "good.example" },
	};
	struct arena *a = arena_new(0);
	struct html_sinks sinks = { put_last, put_last, keep_last, a };
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(v); i++) {
		size_t k = i / 2;

		b.n = 0;
		strbuf_puts(&b, i % 2 == 0 ? "<a href='" : "");
		strbuf_puts(&b, v[k].front);
		for (int n = 0; n < 10000; n++)
			strbuf_puts(&b, v[k].unit);
		strbuf_puts(&b, v[k].tail);
		last = STR_NONE;
		if (i % 2 == 0) {
			struct html *h = html_new(&sinks);

			strbuf_puts(&b, "'>");
			assert_non_null(h);
			html_feed(h, b.p, b.n);
			html_end(h);
			html_free(h);
		} else if (*v[k].front != '/')
			url_scan(strbuf_slice(&b), keep_last, a);
		else
			continue;
		assert_true(last.n > 0 && last.n <= URL_MAX);
		if (!str_eq(url_host(a, last), str_of(v[k].host)))
			fail_msg("%s%s...%s leads to " STR_FMT, v[k].front, v[k].unit, v[k].tail, STR_ARG(url_host(a, last)));
	}
	strbuf_free(&b);
	arena_free(a);
}

/* Time is linear, and memory constant, whatever is sent. */
static void
stays_fast(void **state)
{
	static const struct { const char *front, *unit; } v[] = {
		{ "", "<" }, { "", "<!--" }, { "", "&" }, { "", "&a" }, { "", "<a href=" },
		{ "", "</" }, { "", "<script>" }, { "", "http://" }, { "", "www." },
		{ "", "(((" }, { "", "<!--[if x]>" }, { "", "<img srcset='a," },
		{ "", "<a href='http://a@" }, { "<a href='http://a/?", "&" },
		{ "<a title='", "&" }, { "<style>", "</" }, { "", "&#0" }, { "", "&copyx" },
		{ "", "www.a," }, { "http://a/", ")" }, { "http://a/", "]" },
	};
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		b.n = 0;
		strbuf_puts(&b, v[i].front);
		while (b.n < 1000000)
			strbuf_puts(&b, v[i].unit);
		read_page(b.p, b.n, SIZE_MAX);
		urls.n = 0;
		url_scan(strbuf_slice(&b), found, NULL);
	}
	strbuf_free(&b);
	strbuf_free(&text);
	strbuf_free(&outlook);
	strbuf_free(&urls);
}

/* Text is taken in windows: wherever a character stands, it comes through whole. */
static void
long_text(void **state)
{
	char html[700];

	(void)state;
	for (size_t n = 245; n < 265; n++) {
		memset(html, 'a', n);
		strcpy(html + n, "\xf0\x9f\x92\xb6 \xc3\xa9 b &");
		memset(html + strlen(html), 'c', 300);
		html[n + 310] = '\0';
		text.n = 0;
		read_page(html, strlen(html), SIZE_MAX);
		assert_string_equal(text.p, html);
	}
}

/* So are values, and what isn't shown is passed over. */
static void
long_values(void **state)
{
	char html[1600], url[700], run[300];

	(void)state;
	memset(run, 'b', sizeof(run));
	for (int n = 245; n < 265; n++) {
		int len = snprintf(html, sizeof(html), "a<i title='%.*s&\">&amp' href=\"http://a.example/%.*s&amp;'c\">"
		    "<style>%.*s<'</styl</style >d<!--[if x]><a href='%.*s&amp;'>e", n, run, n, run, n, run, n, run);

		assert_in_range(len, 0, sizeof(html) - 1);
		snprintf(url, sizeof(url), "http://a.example/%.*s&'c|%.*s&|", n, run, n, run);
		for (size_t piece = 1; piece < 2000; piece *= 7) {
			read_page(html, (size_t)len, piece);
			assert_string_equal(text.p, "ad");
			assert_string_equal(outlook.p, "e");
			assert_string_equal(urls.p, url);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_seen),
		cmocka_unit_test(what_outlook_shows),
		cmocka_unit_test(what_it_links_to),
		cmocka_unit_test(urls_in_text),
		cmocka_unit_test(where_they_lead),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(long_text),
		cmocka_unit_test(long_values),
		cmocka_unit_test(stays_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
