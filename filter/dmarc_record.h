/*
 * dmarc_record.h - DMARC policy records (RFC 9989, 4.7 and 4.8; RFC 7489, 6.3).
 */
#ifndef FILTER_DMARC_RECORD_H
#define FILTER_DMARC_RECORD_H

#include <stdbool.h>

#include "rules/settings.h"
#include "rules/types.h"

enum dmarc_record_kind {
	DMARC_IS_OTHER,		/* doesn't begin with v=DMARC1: some other TXT record */
	DMARC_IS_BROKEN,	/* states no policy that could be followed, nor where to report */
	DMARC_IS_POLICY
};

struct dmarc_record {
	enum dmarc_policy p, sp, np;	/* what is left out has what stands for it */
	char		 psd;		/* 'y', 'n', or 'u' */
	bool		 strict_dkim, strict_spf;
	bool		 testing;	/* t=y */
	bool		 pct_zero;	/* by RFC 7489: pct=0 */
	const char	*defect;	/* the first offence against the grammar, or NULL */
};

/*
 * Reads one TXT record; nothing is kept of it.  Syntax errors beyond the
 * version are passed over, and noted in `defect`.  Without a valid p, or with
 * an sp (RFC 9989: or np) that is none, the policy is none if there is an
 * address to report to, else the record is broken; so it is if a tag stands
 * there twice.  What RFC 9989 has added doesn't exist by RFC 7489.
 */
enum dmarc_record_kind dmarc_record_read(struct str text, enum dmarc_spec spec,
    struct dmarc_record *out);

#endif
