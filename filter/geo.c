/*
 * geo.c - where addresses are, by databases in MaxMind's form.
 *
 * libmaxminddb maps the file, and a file that is written over in place, as cp
 * does, would end the process (SIGBUS).  So it gets a copy in memory, which
 * nobody else can reach; where /proc is out of reach, as in a chroot, it has
 * to be the file itself.
 *
 * Databases name things in their own ways: country is a map with iso_code for
 * MaxMind and DB-IP, or the code itself; the network's number is
 * autonomous_system_number, or asn, as a number or like "AS64496".
 */
#include "geo.h"

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/arena.h"

#define SAMPLES		500	/* records that are looked at to see what a database has */

struct database {
	MMDB_s	mmdb;
	bool	country, asn;
};

struct geo {
	struct database *db;
	size_t		 n;
};

/* ---- Opening ---- */

/* A descriptor of a copy, or -1. */
static int
copy_of(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to;
	ssize_t n = 1;

	if (from == -1)
		return -1;
	if ((to = memfd_create("geo", MFD_CLOEXEC)) != -1)
		while ((n = sendfile(to, from, NULL, 1 << 20)) > 0 || (n == -1 && errno == EINTR))
			;
	close(from);
	if (to != -1 && n != 0) {
		close(to);
		to = -1;
	}
	return to;
}

static int
open_copy(const char *path, MMDB_s *mmdb)
{
	char name[64];
	int fd = copy_of(path), status;

	if (fd == -1)
		return MMDB_open(path, MMDB_MODE_MMAP, mmdb);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	status = access(name, R_OK) == 0 ? MMDB_open(name, MMDB_MODE_MMAP, mmdb) :
	    MMDB_open(path, MMDB_MODE_MMAP, mmdb);
	close(fd);	/* the mapping stays */
	return status;
}

/* ---- Reading ---- */

static bool
is_code(const char *p, size_t n)
{
	return n == 2 && (p[0] | 32) >= 'a' && (p[0] | 32) <= 'z' &&
	    (p[1] | 32) >= 'a' && (p[1] | 32) <= 'z';
}

/* The value at a path of keys, if there is one. */
static bool
value_at(MMDB_entry_s *e, const char *const *path, MMDB_entry_data_s *out)
{
	return MMDB_aget_value(e, out, path) == MMDB_SUCCESS && out->has_data;
}

static bool
find_country(MMDB_entry_s *e, char code[2])
{
	static const char *const paths[][3] = {
		{ "country", "iso_code", NULL }, { "country_code", NULL, NULL },
		{ "country", NULL, NULL },
	};
	MMDB_entry_data_s d;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (value_at(e, paths[i], &d) && d.type == MMDB_DATA_TYPE_UTF8_STRING &&
		    is_code(d.utf8_string, d.data_size)) {
			code[0] = (char)(d.utf8_string[0] & ~32);
			code[1] = (char)(d.utf8_string[1] & ~32);
			return true;
		}
	return false;
}

/* "AS64496" or "64496"; 0 if it is neither. */
static int64_t
number_of(const char *p, size_t n)
{
	int64_t asn = 0;

	if (n > 2 && (p[0] | 32) == 'a' && (p[1] | 32) == 's') {
		p += 2;
		n -= 2;
	}
	if (n > 10)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		asn = asn * 10 + (p[i] - '0');
	}
	return asn <= UINT32_MAX ? asn : 0;
}

static int64_t
find_asn(MMDB_entry_s *e)
{
	static const char *const paths[][2] = {
		{ "autonomous_system_number", NULL }, { "asn", NULL }, { "as_number", NULL },
	};
	MMDB_entry_data_s d;
	int64_t asn;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!value_at(e, paths[i], &d))
			continue;
		asn = d.type == MMDB_DATA_TYPE_UINT32 ? (int64_t)d.uint32 :
		    d.type == MMDB_DATA_TYPE_UINT16 ? d.uint16 :
		    d.type == MMDB_DATA_TYPE_UTF8_STRING ? number_of(d.utf8_string, d.data_size) : 0;
		if (asn > 0)
			return asn;
	}
	return 0;
}

/* Looks at some records below a node; returns how many. */
static int
sample(struct database *db, uint64_t node, int depth, int left)
{
	MMDB_search_node_s n;
	int seen = 0;

	if (depth > 128 || left <= 0 || (db->country && db->asn) ||
	    MMDB_read_node(&db->mmdb, (uint32_t)node, &n) != MMDB_SUCCESS)
		return 0;
	for (int side = 0; side < 2; side++) {
		uint8_t type = side == 0 ? n.left_record_type : n.right_record_type;
		uint64_t to = side == 0 ? n.left_record : n.right_record;
		MMDB_entry_s *e = side == 0 ? &n.left_record_entry : &n.right_record_entry;
		char code[2];

		if (type == MMDB_RECORD_TYPE_DATA) {
			db->country = find_country(e, code) || db->country;
			db->asn = find_asn(e) > 0 || db->asn;
			seen++;
		} else if (type == MMDB_RECORD_TYPE_SEARCH_NODE)
			seen += sample(db, to, depth + 1, left - seen);
	}
	return seen;
}

static struct geo *
read_databases(const struct strings *files, struct strbuf *why)
{
	struct geo *g = calloc(1, sizeof(*g));
	int status;
	char *path;

	if (g == NULL || (g->db = calloc(files->n + 1, sizeof(*g->db))) == NULL) {
		strbuf_puts(why, "out of memory");
		free(g);
		return NULL;
	}
	for (size_t i = 0; i < files->n; i++) {
		path = strndup(files->v[i].p, files->v[i].n);
		status = path != NULL ? open_copy(path, &g->db[g->n].mmdb) : MMDB_OUT_OF_MEMORY_ERROR;
		free(path);
		if (status != MMDB_SUCCESS) {
			strbuf_printf(why, STR_FMT ": cannot be read as a MaxMind database: %s",
			    STR_ARG(files->v[i]), MMDB_strerror(status));
			geo_free(g);
			return NULL;
		}
		(void)sample(&g->db[g->n], 0, 0, SAMPLES);
		g->n++;
	}
	return g;
}

/* Does any database have such answers at all? */
static bool
has_country(const struct geo *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->db[i].country)
			return true;
	return false;
}

static bool
has_asn(const struct geo *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->db[i].asn)
			return true;
	return false;
}

int
geo_open(const struct settings *s, unsigned needs, struct geo **out, struct strbuf *why)
{
	*out = NULL;
	if ((needs & F_GEO) == 0)
		return 0;
	if ((*out = read_databases(&s->geo_database, why)) == NULL)
		return -1;
	if ((needs & F_COUNTRY) != 0 && !has_country(*out))
		strbuf_puts(why, "geo.country: no geo-database knows countries; add one that "
		    "does, like GeoLite2-Country.mmdb");
	else if ((needs & F_ASN) != 0 && !has_asn(*out))
		strbuf_puts(why, "geo.asn: no geo-database knows networks; add one that does, "
		    "like GeoLite2-ASN.mmdb");
	else
		return 0;
	geo_free(*out);
	*out = NULL;
	return -1;
}

void
geo_free(struct geo *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++)
		MMDB_close(&g->db[i].mmdb);
	free(g->db);
	free(g);
}

/* ---- Asking ---- */

static bool
look_up(const struct database *db, const struct ipaddr *ip, MMDB_entry_s *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	MMDB_lookup_result_s r;
	const struct sockaddr *sa;
	int error;

	if (ipaddr_is_v4(ip)) {
		memcpy(&in.sin_addr, ip->b + 12, 4);
		sa = (const struct sockaddr *)&in;
	} else {
		memcpy(&in6.sin6_addr, ip->b, 16);
		sa = (const struct sockaddr *)&in6;
	}
	/* A database of IPv4 alone knows no IPv6, which is an error to it. */
	r = MMDB_lookup_sockaddr(&db->mmdb, sa, &error);
	if (error != MMDB_SUCCESS || !r.found_entry)
		return false;
	*out = r.entry;
	return true;
}

void
geo_find(const struct geo *g, const struct ipaddr *ip, struct arena *a, struct geo_answer *out)
{
	MMDB_entry_s e;
	char code[2];

	out->country = STR_NONE;
	out->asn = 0;
	for (size_t i = 0; i < g->n; i++) {
		if (!look_up(&g->db[i], ip, &e))
			continue;
		if (out->country.p == NULL && find_country(&e, code))
			out->country = str_dup(a, (struct str){ code, 2 });
		if (out->asn == 0)
			out->asn = find_asn(&e);
	}
}
