/*
 * check_types.h - the parts of check_types() and what they share: conditions,
 * texts, actions, tests.  Others include check.h.
 */
#ifndef RULES_CHECK_TYPES_H
#define RULES_CHECK_TYPES_H

#include "ast.h"

struct arena;
struct diag;
struct settings;

struct typing {
	const struct settings *s;
	struct arena	*a;
	struct diag	*d;
	const struct tz	*tz;
	bool		 geo;		/* databases are set, right or wrong */
	bool		 geo_said;	/* that there is none */
};

/* Reads the operand as the fact's type, for that operator; 0, or -1 and a diagnostic. */
int check_operand(struct typing *t, const struct fact *f, enum op op, struct operand *o);
/* Is that the name of a header field (RFC 5322, 2.2)?  Says so where not. */
bool check_header_name(struct typing *t, struct span at, struct str name);
/* Can the name in header["X"], macro["x"], sender.param["X"] be one?  Says so where not. */
bool check_key(struct typing *t, const struct fact_ref *ref);
/* What lists in the DNS and databases need: a zone that can be one, a database. */
bool check_world(struct typing *t, const struct fact_ref *ref);
/* Can that fact be what the operand says?  Says so where not. */
bool check_world_operand(struct typing *t, const struct fact *f, enum op op, const struct operand *o);
/* The same for what stands in rate[...]. */
bool check_rate(struct typing *t, const struct fact_ref *ref);

/* ${n} in the rule's texts, and which comparison it means. */
void check_captures(struct typing *t, struct rule *r);

/* Codes, texts, header names and paths of a rule's actions, and their order. */
void check_actions(struct typing *t, struct rule *r);
/* The same for the edit that a test expects. */
void check_edit(struct typing *t, struct action *a);
/* An address as it stands in a path; `what` names its use. */
void check_path(struct typing *t, const struct operand *path, bool need_domain, bool may_be_empty);

void check_test(struct typing *t, struct test *test);

#endif
