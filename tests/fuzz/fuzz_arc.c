/*
 * fuzz_arc.c - any message's ARC chain, with keys that are good, broken and
 * absent; and any field as Authentication-Results.
 *
 * The first octet also says how large the chunks of body are, and whether the
 * keys can be looked up.  A chain that passes must have a sealer; in which
 * chunks the body comes must make no difference.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/arc.h"
#include "filter/authres_parse.h"
#include "filter/message.h"
#include "rules/arena.h"

#define INPUT_MAX	60000
#define NOW		1500000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The keys that the seeds are signed with, and bad ones beside them. */
static const char keys[] =
    "r._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=\" "
    "\"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCx5SJKh39xBoEF0xOmhTPQbonQvlszCTyO\" "
    "\"4RqCHj3B5NyBHULMu15IbgkrCKmwEzGGW2INNMKki3o01OQXasCZy6btlvpqOkEXtrsOd2UR\" "
    "\"YbDMaZinO7RJyu04FW3in4uszuKcwCDlKm8EYvpTFIZEwvDDWaBeeRRtEt15aq01SwIDAQAB\"\n"
    "e._domainkey.example.org TXT \"k=ed25519; p=TCauuLg7VXS7sZZWdAL4+Ed5MsWmk97kZ3uDLnfXE7M=\"\n"
    "bad._domainkey.example.org TXT \"k=rsa; p=MIGf\"\n"
    "dead._domainkey.example.org * SERVFAIL\n";
static const char dead[] = "r._domainkey.example.org * TIMEOUT\n";

static const struct arc_answer *
validate(struct resolver *r, struct arena *a, const struct message_file *m, size_t step)
{
	struct arc_check *c = arc_begin(r, a, NOW);
	struct str chunk;
	size_t i;

	if (c == NULL)
		abort();
	for (i = 0; i < m->nfields; i++)
		if (arc_add_field(c, m->fields[i].name, m->fields[i].raw) == -1)
			abort();
	if (arc_end_headers(c) == -1)
		abort();
	for (i = 0; i < m->body.n; i += chunk.n) {
		chunk.p = m->body.p + i;
		chunk.n = m->body.n - i < step ? m->body.n - i : step;
		arc_add_body(c, chunk);
	}
	return arc_finish(c, clock_msec() + 1000);
}

static void
check_answer(const struct arc_answer *a)
{
	if (a == NULL || (unsigned)a->result > ARC_R_TEMPERROR)
		abort();
	if ((a->result == ARC_R_PASS) != (a->sealer.p != NULL))
		abort();
	if (a->result != ARC_R_PASS && a->nstated > 0)
		abort();
	if ((a->result == ARC_R_FAIL || a->result == ARC_R_TEMPERROR) &&
	    a->reason.n == 0)
		abort();
}

static void
check_field(struct arena *a, struct str value)
{
	struct authres_field f;

	if (authres_parse(a, value, &f) == -1)
		return;
	if (f.id.n == 0 || f.n > AUTHRES_RESULTS_MAX)
		abort();
	for (size_t i = 0; i < f.n; i++)
		if (f.results[i].method.n == 0 || f.results[i].result.n == 0 ||
		    f.results[i].nprops > AUTHRES_PROPERTIES_MAX)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resolver *zones[2];
	struct message_file m;
	const struct arc_answer *one, *other;
	struct resolver *r;
	struct arena *a;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	if (zones[0] == NULL) {
		zones[0] = resolver_zone_text(STR(keys), NULL);
		zones[1] = resolver_zone_text(STR(dead), NULL);
	}
	r = zones[(data[0] & 0x1f) == 0x1f];
	a = arena_new(0);
	if (r == NULL || a == NULL ||
	    message_split(a, (struct str){ (const char *)data, size }, &m) == -1)
		abort();
	one = validate(r, a, &m, 1 + data[0] % 7);
	other = validate(r, a, &m, size);
	check_answer(one);
	check_answer(other);
	if (one->result != other->result || one->oldest_pass != other->oldest_pass)
		abort();
	for (size_t i = 0; i < m.nfields; i++)
		check_field(a, m.fields[i].raw);
	check_field(a, (struct str){ (const char *)data, size });
	arena_free(a);
	return 0;
}
