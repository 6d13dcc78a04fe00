/*
 * dns.c - `postern dns`: what the filter sees of the DNS.
 *
 * Asked through the same resolver, with the name servers and the time-out of
 * the rules, so that the answer is the one that SPF, DKIM and DMARC get: after
 * CNAMEs, strings joined, with the status that becomes none or temperror.
 */
#include "filter/commands.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/iprev.h"
#include "filter/resolver.h"
#include "filter/table_db.h"
#include "rules/arena.h"
#include "rules/diag.h"
#include "rules/rules.h"
#include "rules/types.h"
#include "rules/settings_form.h"

#define SERVERS_MAX	16
#define TIMEOUT_MAX	300	/* seconds, as dns-timeout */

struct options {
	const char	*config, *zone;
	struct str	 servers[SERVERS_MAX];
	struct strings	 server_list;	/* of those; n 0: none were named */
	long		 timeout;	/* seconds, 0: the rules' */
	bool		 json;
	struct str	 name;
	enum dns_type	 type;
};

/* What was asked, and what came of it. */
struct result {
	const struct options *o;
	const struct dns_answer *answer;
	msec		 took;
	bool		 validates;
};

static const enum dns_type types[] = {
	DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_NS, DNS_PTR, DNS_SOA, DNS_TXT,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "servers", required_argument, NULL, 's' },
	{ "zone", required_argument, NULL, 'z' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int
read_type(struct options *o, const char *word)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ieq(str_of(word), str_of(dns_type_name(types[i])))) {
			o->type = types[i];
			return -1;
		}
	return command_usage("dns", "'%s' is no type that postern asks for: A, AAAA, CNAME, MX, NS, PTR, "
	    "SOA or TXT", word);
}

/* "8" or "8s". */
static int
read_timeout(struct options *o, const char *word)
{
	char *end;

	errno = 0;
	o->timeout = strtol(word, &end, 10);
	if (errno != 0 || end == word || (*end != '\0' && strcmp(end, "s") != 0) ||
	    o->timeout < 1 || o->timeout > TIMEOUT_MAX)
		return command_usage("dns", "--timeout %s is no number of seconds from 1 to %d",
		    word, TIMEOUT_MAX);
	return -1;
}

/* "a,b" as a list in v; -1 if there are none or too many, or one is no address. */
static int
split_servers(struct str s, struct str v[SERVERS_MAX], struct strings *out, struct strbuf *why)
{
	out->v = v;
	out->n = 0;
	while (s.n > 0) {
		ptrdiff_t comma = str_find(s, STR(","));
		size_t n = comma < 0 ? s.n : (size_t)comma;

		if (n > 0 && out->n < SERVERS_MAX &&
		    settings_form_server((struct str){ s.p, n }, why) == -1)
			return -1;
		if (n > 0 && out->n++ < SERVERS_MAX)
			v[out->n - 1] = (struct str){ s.p, n };
		n += n < s.n;
		s = (struct str){ s.p + n, s.n - n };
	}
	if (out->n > 0 && out->n <= SERVERS_MAX)
		return 0;
	strbuf_printf(why, "1 to %d addresses with commas between", SERVERS_MAX);
	return -1;
}

/* -1: go on; otherwise the status to end with. */
static int
read_servers(struct options *o, const char *arg)
{
	struct strbuf why = { 0 };
	int code = -1;

	if (split_servers(str_of(arg), o->servers, &o->server_list, &why) == -1)
		code = command_usage("dns", "--servers %s: " STR_FMT, arg, STR_ARG(strbuf_slice(&why)));
	strbuf_free(&why);
	return code;
}

/* -1: go on; otherwise the status to end with. */
static int
read_options(int argc, char **argv, struct options *o)
{
	int c, code;

	while ((c = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 's':
			if ((code = read_servers(o, optarg)) != -1)
				return code;
			break;
		case 'z':
			o->zone = optarg;
			break;
		case 't':
			if ((code = read_timeout(o, optarg)) != -1)
				return code;
			break;
		case 'j':
			o->json = true;
			break;
		case 'h':
			command_help("dns", stdout);
			return EX_OK;
		default:
			return command_bad_option("dns", c, argv);
		}
	if (argc - optind != 2)
		return command_usage("dns", "a name and a type are needed");
	o->name = str_of(argv[optind]);
	return read_type(o, argv[optind + 1]);
}

/* The rules that say whom to ask; NULL: nobody does.  *code is set where that is an error. */
static struct ruleset *
load(const struct options *o, int *code)
{
	const char *path = o->config != NULL ? o->config : DEFAULT_RULES;
	struct ruleset *rs = NULL;
	struct diag *d;

	*code = EX_OK;
	if (o->config == NULL && (o->server_list.n > 0 || o->zone != NULL ||
	    access(path, R_OK) == -1))
		return NULL;
	if ((*code = command_readable(path)) != EX_OK)
		return NULL;
	if ((d = diag_new()) != NULL)
		rs = rules_load_with(path, &table_db_ops, d);
	if (rs == NULL && o->config == NULL) {
		fprintf(stderr, "postern: %s has mistakes; the system's name servers are asked\n", path);
	} else if (rs == NULL) {
		*code = d != NULL ? EX_CONFIG : EX_OSERR;
		if (d != NULL)
			diag_print(d, stderr, command_colour(stderr));
	}
	diag_free(d);
	return rs;
}

static struct resolver *
open_resolver(const struct options *o, const struct ruleset *rs, struct strbuf *why)
{
	if (o->zone != NULL)
		return resolver_zone_file(o->zone, why);
	return resolver_new(o->server_list.n == 0 && rs != NULL ?
	    &rules_settings(rs)->dns_servers : &o->server_list, why);
}

/* What was asked for, as the resolver wants it. */
static struct str
name_to_ask(const struct options *o, struct arena *a, char reverse[IPREV_REVERSE_MAX])
{
	struct str s = o->name;
	struct ipaddr ip;

	if (o->type == DNS_PTR && ipaddr_parse(s, &ip) == 0)
		return iprev_reverse(&ip, reverse);
	return domain_normal(a, s);
}

/* Like a zone file: octets that don't print become \DDD. */
static void
put_text(struct strbuf *b, struct str s)
{
	strbuf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c > '~')
			strbuf_printf(b, "\\%03d", c);
		else if (c == '"' || c == '\\')
			strbuf_printf(b, "\\%c", c);
		else
			strbuf_putc(b, (char)c);
	}
	strbuf_putc(b, '"');
}

/* A record, as in a zone file; in JSON as a string without the quotes of TXT. */
static void
put_record(struct strbuf *b, enum dns_type type, const struct dns_rr *rr, bool json)
{
	struct ipaddr ip = { { [10] = 0xff, [11] = 0xff } };

	switch (type) {
	case DNS_A:
		if (rr->data.n == 4)
			memcpy(ip.b + 12, rr->data.p, 4);
		ipaddr_print(&ip, b);
		break;
	case DNS_AAAA:
		if (rr->data.n == 16)
			memcpy(ip.b, rr->data.p, 16);
		ipaddr_print(&ip, b);
		break;
	case DNS_TXT:
		if (json)
			strbuf_str(b, rr->data);
		else
			put_text(b, rr->data);
		break;
	case DNS_MX:
		strbuf_printf(b, "%d ", rr->preference);
		/* FALLTHROUGH */
	default:
		strbuf_str(b, rr->data);
		if (rr->data.n == 0)
			strbuf_putc(b, '.');
	}
}

static void
show(const struct result *r, struct str name)
{
	const struct dns_answer *a = r->answer;
	const char *type = dns_type_name(r->o->type);
	struct strbuf b = { 0 };

	printf(STR_FMT " %s: %s\n", STR_ARG(name), type, dns_status_name(a->status));
	for (size_t i = 0; i < a->n; i++) {
		b.n = 0;
		put_record(&b, r->o->type, &a->rr[i], false);
		printf("  %-9s " STR_FMT "\n", type, STR_ARG(strbuf_slice(&b)));
	}
	strbuf_free(&b);
	if (a->canonical.n > 0 && !str_ieq(a->canonical, name))
		printf("  canonical " STR_FMT "\n", STR_ARG(a->canonical));
	if (a->reason.n > 0)
		printf("  reason    " STR_FMT "\n", STR_ARG(a->reason));
	if (a->status == DNS_OK)
		printf("  ttl       %lu s\n", (unsigned long)a->ttl);
	printf("  secure    %s\n", a->secure ? "yes" : r->validates ? "no" :
	    "no (nothing is validated here)");
	printf("  time      %lld ms\n", (long long)r->took);
}

static void
show_json(const struct result *r, struct str name)
{
	const struct dns_answer *a = r->answer;
	struct strbuf b = { 0 }, rr = { 0 };

	strbuf_puts(&b, "{\"name\":");
	strbuf_json(&b, name);
	strbuf_printf(&b, ",\"type\":\"%s\",\"status\":\"%s\",\"records\":[",
	    dns_type_name(r->o->type), dns_status_name(a->status));
	for (size_t i = 0; i < a->n; i++) {
		rr.n = 0;
		put_record(&rr, r->o->type, &a->rr[i], true);
		strbuf_puts(&b, i > 0 ? "," : "");
		strbuf_json(&b, strbuf_slice(&rr));
	}
	strbuf_puts(&b, "],\"canonical\":");
	strbuf_json(&b, a->canonical.n > 0 ? a->canonical : name);
	strbuf_puts(&b, ",\"reason\":");
	strbuf_json(&b, a->reason);
	strbuf_printf(&b, ",\"ttl\":%lu,\"secure\":%s,\"validates\":%s,\"ms\":%lld}\n",
	    (unsigned long)a->ttl, a->secure ? "true" : "false",
	    r->validates ? "true" : "false", (long long)r->took);
	if (!b.failed)
		fwrite(b.p, 1, b.n, stdout);
	strbuf_free(&rr);
	strbuf_free(&b);
}

static int
status_of(const struct dns_answer *a)
{
	switch (a->status) {
	case DNS_OK:
		return EX_OK;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return EX_NOHOST;
	default:
		return EX_TEMPFAIL;
	}
}

static int
ask(const struct options *o, struct resolver *r, msec timeout)
{
	char reverse[IPREV_REVERSE_MAX];
	struct result res = { .o = o };
	struct arena *a = arena_new(0);
	struct dns_query *q = NULL;
	struct str name;
	msec began;
	int code;

	if (a == NULL || (name = name_to_ask(o, a, reverse)).p == NULL) {
		fprintf(stderr, "postern: out of memory\n");
		arena_free(a);
		return EX_OSERR;
	}
	began = clock_msec();
	if ((q = resolver_ask(r, name, o->type)) == NULL) {
		code = command_usage("dns", "'" STR_FMT "' is no domain name", STR_ARG(o->name));
	} else {
		res.answer = dns_query_wait(q, began + timeout);
		res.took = clock_msec() - began;
		res.validates = resolver_validates(r);
		(o->json ? show_json : show)(&res, name);
		code = status_of(res.answer);
	}
	dns_query_free(q);
	arena_free(a);
	return code;
}

int
command_dns(int argc, char **argv)
{
	struct options o = { 0 };
	struct strbuf why = { 0 };
	struct ruleset *rs;
	struct resolver *r;
	int64_t seconds = 8;
	int code;

	if ((code = read_options(argc, argv, &o)) != -1)
		return code;
	rs = load(&o, &code);
	if (code != EX_OK)
		return code;
	if (rs != NULL)
		seconds = rules_settings(rs)->dns_timeout;
	if (o.timeout > 0)
		seconds = o.timeout;
	if ((r = open_resolver(&o, rs, &why)) == NULL) {
		fprintf(stderr, "postern: " STR_FMT "\n", STR_ARG(strbuf_slice(&why)));
		code = o.zone != NULL ? command_zone_status(o.zone) : EX_UNAVAILABLE;
	} else
		code = ask(&o, r, seconds * 1000);
	resolver_free(r);
	rules_release(rs);
	strbuf_free(&why);
	return code;
}
