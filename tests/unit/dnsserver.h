/*
 * dnsserver.h - a name server for unit tests: a thread that speaks UDP and
 * TCP on one free port of loopback.
 *
 * The first label of a name says what it does: see answer().
 */
#ifndef TESTS_UNIT_DNSSERVER_H
#define TESTS_UNIT_DNSSERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/dnswire.h"

#define BIG		20000	/* octets of the text at "big" */

static struct server {
	int		udp, tcp, stop[2];
	char		address[32];
	pthread_t	thread;
	atomic_int	questions;	/* by UDP */
	atomic_int	by_tcp;
	atomic_int	silenced;	/* "silent" ones */
	atomic_int	gated;		/* "gate" ones that were not answered */
	atomic_bool	open;		/* the "gate" ones are answered */
	atomic_int	through;	/* so are those of a smaller number: "gate2" by 3 */
} server;

static const uint8_t soa[] = "\1m\0\1r\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x1e";

static void
add(struct strbuf *b, const struct dns_name *name, enum dns_type type,
    const void *rdata, size_t n)
{
	dns_message_add(b, name, type, 300, (struct str){ rdata, n });
}

static void
add_name(struct strbuf *b, const struct dns_name *name, enum dns_type type,
    const char *prefix, size_t n, const char *text)
{
	struct strbuf rdata = { 0 };
	struct dns_name d;

	if (dns_name_parse(&d, str_of(text)) != 0)
		abort();
	strbuf_add(&rdata, prefix, n);
	strbuf_add(&rdata, d.w, d.n);
	add(b, name, type, rdata.p, rdata.n);
	strbuf_free(&rdata);
}

static void
add_text(struct strbuf *b, const struct dns_name *name, size_t n)
{
	struct strbuf rdata = { 0 };
	size_t piece;

	for (; n > 0; n -= piece) {
		piece = n < 250 ? n : 250;
		strbuf_putc(&rdata, (char)piece);
		while (rdata.n % (piece + 1) != 0)
			strbuf_putc(&rdata, 'x');
	}
	add(b, name, DNS_TXT, rdata.p, rdata.n);
	strbuf_free(&rdata);
}

/* The records for a name; the response code, or -1 for no answer at all. */
static int
answer(struct strbuf *b, const struct dns_name *name, const char *label,
    unsigned type, bool tcp)
{
	char next[64];
	int n;

	if (strcmp(label, "nx") == 0)
		return DNS_RCODE_NXDOMAIN;
	if (strcmp(label, "servfail") == 0)
		return DNS_RCODE_SERVFAIL;
	if (strcmp(label, "refused") == 0)
		return DNS_RCODE_REFUSED;
	if (strcmp(label, "formerr") == 0)
		return DNS_RCODE_FORMERR;
	if (strcmp(label, "notimp") == 0)
		return DNS_RCODE_NOTIMP;
	if (strncmp(label, "silent", 6) == 0) {
		atomic_fetch_add(&server.silenced, 1);
		return -1;
	}
	if (strncmp(label, "gate", 4) == 0 && !atomic_load(&server.open) &&
	    atoi(label + 4) >= atomic_load(&server.through)) {
		atomic_fetch_add(&server.gated, 1);
		return -1;
	}
	if (sscanf(label, "chain%d", &n) == 1 && n > 0) {
		snprintf(next, sizeof(next), "chain%d.pt.example", n - 1);
		add_name(b, name, DNS_CNAME, "", 0, next);
	} else if (sscanf(label, "loop%d", &n) == 1) {
		snprintf(next, sizeof(next), "loop%d.pt.example", 1 - n);
		add_name(b, name, DNS_CNAME, "", 0, next);
	} else if (strcmp(label, "torefer") == 0) {
		add_name(b, name, DNS_CNAME, "", 0, "refer.pt.example");
	} else if (strcmp(label, "tonx") == 0) {
		add_name(b, name, DNS_CNAME, "", 0, "nx.pt.example");
	} else if (strcmp(label, "mx") == 0 && type == DNS_MX) {
		add_name(b, name, DNS_MX, "\0\12", 2, "MX1.PT.Example");
		add_name(b, name, DNS_MX, "\1\0", 2, "mx2.pt.example");
	} else if (strcmp(label, "ptr") == 0 && type == DNS_PTR) {
		add_name(b, name, DNS_PTR, "", 0, "Host.PT.example");
		add_name(b, name, DNS_PTR, "", 0, "x y.\nz.pt.example");
	} else if (strcmp(label, "six") == 0 && type == DNS_AAAA) {
		add(b, name, DNS_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	} else if (strcmp(label, "txt") == 0 && type == DNS_TXT) {
		add(b, name, DNS_TXT, "\7v=spf1 \0\4-all", 14);
		add(b, name, DNS_TXT, "\3a\0b", 4);
	} else if (strcmp(label, "big") == 0 && type == DNS_TXT && tcp) {
		add_text(b, name, BIG);
	} else if (strcmp(label, "huge") == 0 && type == DNS_TXT && tcp) {
		for (n = 0; n < 3; n++)
			add_text(b, name, BIG);
	} else if (strcmp(label, "wrongtype") == 0) {
		add(b, name, type == DNS_A ? DNS_TXT : DNS_A, "\3abc", 4);
	} else if (strcmp(label, "broken") == 0) {
		add(b, name, (enum dns_type)type, "\x7f", 1);
	} else if (strcmp(label, "nodata") != 0 && strcmp(label, "refer") != 0 && type == DNS_A) {
		add(b, name, DNS_A, "\300\0\2\1", 4);
	}
	return DNS_RCODE_OK;
}

/* The response to a question, with its id; empty for none. */
static void
respond(struct strbuf *b, const uint8_t *q, size_t n, bool tcp)
{
	static const struct dns_name root = { { 0 }, 1 };
	static const struct dns_name zone = { "\2pt\7example", 12 };
	char text[DNS_TEXT_MAX], *dot;
	struct dns_name name;
	size_t off = 12;
	unsigned type;
	int rcode;

	b->n = 0;
	if (n < 12 || dns_name_read(&name, q, n, &off) != 0 || n - off < 4)
		return;
	type = (unsigned)q[off] << 8 | q[off + 1];
	dns_name_text(&name, text);
	if ((dot = strchr(text, '.')) != NULL)
		*dot = '\0';
	dns_message_begin(b, &name, (enum dns_type)type, DNS_RCODE_OK);
	if ((rcode = answer(b, &name, text, type, tcp)) < 0) {
		b->n = 0;
		return;
	}
	memcpy(b->p, q, 2);
	dns_message_rcode(b, rcode);
	if (b->p[7] == 0) {
		/* It was appended as an answer: make it the authority. */
		if (strcmp(text, "refer") == 0)
			add_name(b, &zone, DNS_NS, "", 0, "ns.pt.example");
		else
			add(b, &root, DNS_SOA, soa, sizeof(soa) - 1);
		b->p[7] = 0;
		b->p[9] = 1;
	}
	if (!tcp && (strcmp(text, "big") == 0 || strcmp(text, "huge") == 0))
		b->p[2] |= 2;		/* cut: ask by TCP */
	if (strcmp(text, "short") == 0)
		b->n = 12;
	if (strcmp(text, "junk") == 0)
		memset(b->p + 12, 0xc0, b->n - 12);
}

static void
serve_udp(struct strbuf *b)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t q[4096];
	ssize_t n;

	n = recvfrom(server.udp, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
	if (n <= 0)
		return;
	atomic_fetch_add(&server.questions, 1);
	respond(b, q, (size_t)n, false);
	if (b->n > 0 && sendto(server.udp, b->p, b->n, 0,
	    (struct sockaddr *)&from, len) < 0)
		return;
}

static bool
read_all(int fd, uint8_t *p, size_t n)
{
	ssize_t got;

	for (; n > 0; n -= (size_t)got, p += got)
		if ((got = read(fd, p, n)) <= 0)
			return false;
	return true;
}

static void
serve_tcp(struct strbuf *b)
{
	uint8_t len[2], q[4096];
	size_t n, at;
	ssize_t put;
	int fd;

	if ((fd = accept(server.tcp, NULL, NULL)) < 0)
		return;
	if (read_all(fd, len, 2) && (n = (size_t)len[0] << 8 | len[1]) <=
	    sizeof(q) && read_all(fd, q, n)) {
		atomic_fetch_add(&server.by_tcp, 1);
		respond(b, q, n, true);
		len[0] = (uint8_t)(b->n >> 8);
		len[1] = (uint8_t)b->n;
		put = b->n > 0 ? write(fd, len, 2) : -1;
		for (at = 0; put > 0 && at < b->n; at += (size_t)put)
			put = write(fd, b->p + at, b->n - at);
	}
	close(fd);
}

static void *
serve(void *arg)
{
	struct strbuf b = { 0 };
	struct pollfd fd[3] = {
		{ .fd = server.udp, .events = POLLIN },
		{ .fd = server.tcp, .events = POLLIN },
		{ .fd = server.stop[0], .events = POLLIN },
	};

	while (poll(fd, 3, -1) >= 0 && fd[2].revents == 0) {
		if (fd[0].revents != 0)
			serve_udp(&b);
		if (fd[1].revents != 0)
			serve_tcp(&b);
	}
	strbuf_free(&b);
	return arg;
}

static int
start_server(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len;
	int tries;

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (tries = 0; tries < 20; tries++) {
		sin.sin_port = 0;
		len = sizeof(sin);
		server.udp = socket(AF_INET, SOCK_DGRAM, 0);
		server.tcp = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(server.udp, (struct sockaddr *)&sin, len) == 0 &&
		    getsockname(server.udp, (struct sockaddr *)&sin, &len) == 0 &&
		    bind(server.tcp, (struct sockaddr *)&sin, len) == 0 &&
		    listen(server.tcp, 64) == 0)
			break;
		close(server.udp);
		close(server.tcp);
	}
	snprintf(server.address, sizeof(server.address), "127.0.0.1@%d",
	    ntohs(sin.sin_port));
	if (tries == 20 || pipe(server.stop) != 0)
		return -1;
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int
stop_server(void **state)
{
	(void)state;
	if (write(server.stop[1], "", 1) != 1)
		return -1;
	pthread_join(server.thread, NULL);
	close(server.udp);
	close(server.tcp);
	close(server.stop[0]);
	close(server.stop[1]);
	return 0;
}

#endif
