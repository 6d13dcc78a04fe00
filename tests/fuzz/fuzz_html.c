/*
 * fuzz_html.c - any text as HTML: what is seen of it is UTF-8, one line end or
 * blank at a time, no longer than it was, and the same in pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/mime_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

struct page {
	struct strbuf text, outlook, urls;
};

static void
put_text(void *arg, const char *p, size_t n)
{
	strbuf_add(&((struct page *)arg)->text, p, n);
}

static void
put_outlook(void *arg, const char *p, size_t n)
{
	strbuf_add(&((struct page *)arg)->outlook, p, n);
}

static void
put_url(void *arg, struct str url)
{
	must(url.n > 0 && url.n <= URL_MAX);
	strbuf_str(&((struct page *)arg)->urls, url);
	strbuf_putc(&((struct page *)arg)->urls, '\n');
}

/* html_feed() wants whole characters: charset.c sees to that. */
static void
feed(void *arg, const char *p, size_t n)
{
	html_feed(arg, p, n);
}

static struct page
read_page(const char *p, size_t n, size_t piece)
{
	struct page page = { .text = { 0 } };
	struct html_sinks s = { put_text, put_outlook, put_url, &page };
	struct html *h = html_new(&s);
	struct charset cs = { 0 };

	must(h != NULL);
	charset_begin(&cs, STR("utf-8"));
	for (size_t i = 0, k; i < n; i += k) {
		k = n - i < piece ? n - i : piece;
		charset_feed(&cs, (struct str){ p + i, k }, feed, h);
	}
	charset_end(&cs, feed, h);
	charset_close(&cs);
	html_end(h);
	html_free(h);
	return page;
}

static void
is_right(struct str s, size_t size)
{
	must(utf8_valid(s) && s.n <= 3 * size);
	for (size_t i = 0; i + 1 < s.n; i++)
		must((s.p[i] != ' ' && s.p[i] != '\n') || (s.p[i + 1] != ' ' && s.p[i + 1] != '\n'));
	must(s.n == 0 || (memchr(s.p, '\0', s.n) == NULL && s.p[0] != ' '));
}

static void
free_page(struct page *p)
{
	strbuf_free(&p->text);
	strbuf_free(&p->outlook);
	strbuf_free(&p->urls);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page a = read_page((const char *)data, size, SIZE_MAX);
	struct page b = read_page((const char *)data, size, size > 0 ? 1 + data[0] % 7 : 1);

	must(str_eq(strbuf_slice(&a.text), strbuf_slice(&b.text)) &&
	    str_eq(strbuf_slice(&a.outlook), strbuf_slice(&b.outlook)) &&
	    str_eq(strbuf_slice(&a.urls), strbuf_slice(&b.urls)));
	is_right(strbuf_slice(&a.text), size);
	is_right(strbuf_slice(&a.outlook), size);
	free_page(&a);
	free_page(&b);
	return 0;
}
