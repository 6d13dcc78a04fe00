/*
 * spf_gate.h - what libspf2 is allowed to see of SPF records and of DNS.
 *
 * spf_gate.c's head tells what the gate is; only spf.c and its tests use it.
 * One per evaluation, never shared.
 */
#ifndef FILTER_SPF_GATE_H
#define FILTER_SPF_GATE_H

#include "job.h"
#include "spf_macro.h"
#include "spf_record.h"

struct arena;

/* RFC 7208, 4.6.4. */
#define SPF_TERMS_MAX	10	/* that ask DNS, in all records together */
#define SPF_VOIDS_MAX	2	/* of them, without an answer */
#define SPF_MX_MAX	10
#define SPF_PTR_MAX	10

/* The first record, one for each include and redirect. */
#define SPF_RECORDS_MAX	(1 + SPF_TERMS_MAX)

/* Of a record: all that can be asked, one too many, and the marker. */
#define GATE_TERMS_MAX	(SPF_TERMS_MAX + 2)

/* Room for any name that the gate makes up, and for a canonical record. */
#define GATE_NAME_MAX	32
#define GATE_TEXT_MAX	512

/* GATE_PENDING: an answer is under way, after which all is to be done anew. */
enum gate_failure { GATE_OK, GATE_NONE, GATE_TEMPERROR, GATE_PERMERROR, GATE_NO_MEMORY, GATE_PENDING };

struct gate_term {
	enum spf_kind	kind;
	bool		marker;		/* no term: tells that what follows was reached */
	bool		is_void;	/* a lookup of its own found nothing */
	bool		any;		/* prefix length 0: any address matches */
	struct str	text;		/* as in the record */
	struct str	spec;
	int		child;		/* record of include and redirect, or -1 */
	size_t		nmx;
	struct str	mx[SPF_MX_MAX];
};

struct gate_record {
	struct str	domain;
	struct spf_record rec;
	struct gate_term term[GATE_TERMS_MAX];
	size_t		nterms;
	int		last;		/* the last term that was reached, or -1 */
	char		text[GATE_TEXT_MAX];	/* for libspf2 */
};

struct spf_gate {
	struct job	*job;		/* that asks DNS */
	struct arena	*arena;		/* the evaluation's */
	struct spf_macro_env env;	/* domain and client are set as need be */
	bool		 v4;
	uint8_t		 flip;		/* exclusive-or on the first octet of all addresses */

	struct gate_record *record[SPF_RECORDS_MAX];
	size_t		 nrecords;
	unsigned	 nlookups, nvoids;
	bool		 names_known, has_names;
	size_t		 nnames;
	struct str	 name[SPF_PTR_MAX];	/* the client's, validated */

	enum gate_failure failure;	/* once set it stays, and is the result */
	struct str	 reason;
};

/*
 * Makes a gate for one client, and one step of a job.  env's strings and the
 * arena live as long as the gate.
 */
void gate_init(struct spf_gate *g, struct job *j, struct arena *a,
    const struct spf_macro_env *env);

/*
 * Fetches the record of a domain (4.4, 4.5), reads it, and writes its
 * canonical form.  Its number, or -1: g->failure says why.
 */
int gate_load(struct spf_gate *g, struct str domain);

/*
 * Writes the text of a record that has been read, and is about to become
 * number g->nrecords, for libspf2, and its terms for the gate.
 */
void gate_write_record(struct spf_gate *g, struct gate_record *r);

/* What libspf2 may ask for; a record stands for TXT. */
enum gate_type { GATE_RECORD, GATE_A, GATE_AAAA, GATE_MX };

/* The answer to a question; strings live as long as the gate. */
struct gate_answer {
	enum { GATE_HAS_DATA, GATE_HAS_NONE, GATE_FAILS } status;
	size_t		 n;
	const struct dns_rr *addr;	/* A and AAAA, n of them, not yet flipped; NULL: the client's */
	const char	*text;		/* of a record */
	char		 mx[SPF_MX_MAX][GATE_NAME_MAX];
};

/*
 * libspf2 asks for a name; it knows only names that the gate made up.  After
 * a failure every answer is one that ends the evaluation.
 */
void gate_ask(struct spf_gate *g, const char *name, enum gate_type type,
    struct gate_answer *answer);

/* The name under which the first record is known. */
#define GATE_ROOT "r0.g"

/* The record that decided, after redirects, and its term that matched (empty: none). */
const struct gate_record *gate_decider(const struct spf_gate *g);
struct str gate_matched(const struct spf_gate *g);

/*
 * The explanation of a fail (6.2), at most max octets; empty where there is
 * none or anything is wrong with it.  p is NULL without memory.
 */
struct str gate_explanation(struct spf_gate *g, size_t max);

/* Is this a name that can be asked for: labels of 1 to 63 octets, 253 in all? */
bool gate_name_ok(struct str name);

#endif
