/*
 * dkim_key.c - reads DKIM key records strictly (RFC 6376, 3.6; RFC 8463).
 *
 * libopendkim cuts a record at 1,024 octets, sees one record only, doesn't
 * look whether the key's type fits the signature, and counts bits in whole
 * octets.  So it gets a record that is written anew here: the type and the
 * key, decoded and encoded again, or none.
 */
#include "dkim_tags.h"

#include <openssl/evp.h>
#include <string.h>

#include "rsa.h"
#include "rules/arena.h"

#define RECORD_MAX	1024	/* what libopendkim takes */
#define BITS_MAX	8192	/* of an RSA key: each twice as long takes four times the time */
#define DER_MAX		8192	/* octets of a key that are looked at */
#define ED25519_OCTETS	32

static enum dkim_result
permerror(struct str *why, const char *text)
{
	*why = str_of(text);
	return DKIM_R_PERMERROR;
}

int
dkim_decode_base64(struct arena *a, struct str b64, unsigned char *out, size_t cap)
{
	size_t pad = (4 - b64.n % 4) % 4, n = b64.n + pad, trailing = 0;
	char *in;
	int len;

	if (n / 4 * 3 > cap || (in = arena_alloc(a, n + 1)) == NULL)
		return -1;
	memcpy(in, b64.p, b64.n);
	memset(in + b64.n, '=', pad);
	while (trailing < n && in[n - 1 - trailing] == '=')
		trailing++;
	len = EVP_DecodeBlock(out, (const unsigned char *)in, (int)n);
	return len < 0 || trailing > 2 ? -1 : len - (int)trailing;
}

static struct str
encode_base64(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, (s.n + 2) / 3 * 4 + 1);
	int n;

	if (out == NULL)
		return STR_NONE;
	n = EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)s.p, (int)s.n);
	return (struct str){ out, (size_t)n };
}

static enum dkim_result
read_rsa(struct arena *a, const unsigned char *der, int n, struct dkim_key *key,
    struct str *why)
{
	struct rsa_public rsa;
	struct str b64;

	if (!rsa_read((struct str){ (const char *)der, (size_t)n }, &rsa))
		return permerror(why, "the key is no RSA key");
	key->bits = rsa_bits(&rsa);
	if (key->bits > BITS_MAX) {
		*why = STR("the key is too large");
		return DKIM_R_POLICY;
	}
	key->octets = rsa_write(a, &rsa);
	b64 = key->octets.p != NULL ? encode_base64(a, key->octets) : STR_NONE;
	if (b64.p == NULL) {
		*why = STR("out of memory");
		return DKIM_R_TEMPERROR;
	}
	key->record = str_printf(a, "k=rsa; p=" STR_FMT, STR_ARG(b64));
	if (key->record.n > RECORD_MAX)
		key->record = STR_NONE;
	return DKIM_R_PASS;
}

static enum dkim_result
read_public_key(struct arena *a, struct str p, enum dkim_algorithm alg,
    struct dkim_key *key, struct str *why)
{
	unsigned char der[DER_MAX];
	int n;

	p = dkim_collapse(a, p);
	if (p.p == NULL || p.n == 0)
		return permerror(why, "the key is revoked");
	if (!dkim_is_base64(p) ||
	    (n = dkim_decode_base64(a, p, der, sizeof(der))) < 0)
		return permerror(why, "the key's p= is no base64");
	if (alg != DKIM_A_ED25519)
		return read_rsa(a, der, n, key, why);
	if (n != ED25519_OCTETS)
		return permerror(why, "the key is no Ed25519 key");
	key->bits = 8 * ED25519_OCTETS;
	key->octets = str_dup(a, (struct str){ (char *)der, ED25519_OCTETS });
	key->record = str_printf(a, "k=ed25519; p=" STR_FMT, STR_ARG(p));
	return DKIM_R_PASS;
}

/* One record; its tags are read already. */
static enum dkim_result
read_record(struct arena *a, const struct dkim_tag_list *list,
    const struct dkim_tags *t, struct dkim_key *key, struct str *why)
{
	struct str k = dkim_find_tag(list, "k"), h = dkim_find_tag(list, "h");
	struct str s = dkim_find_tag(list, "s"), f = dkim_find_tag(list, "t");
	struct str type = t->alg == DKIM_A_ED25519 ? STR("ed25519") : STR("rsa");

	if (k.p == NULL)
		k = STR("rsa");
	if (!str_ieq(k, type))
		return permerror(why, "the key is of another type");
	if (h.p != NULL && !dkim_list_has(h,
	    t->alg == DKIM_A_RSA_SHA1 ? "sha1" : "sha256"))
		return permerror(why, "the key is not for this hash");
	if (s.p != NULL && !dkim_list_has(s, "*") && !dkim_list_has(s, "email"))
		return permerror(why, "the key is not for mail");
	if (f.p != NULL && dkim_list_has(f, "s") && !t->exact)
		return permerror(why, "the key is not for names below d=");
	return read_public_key(a, dkim_find_tag(list, "p"), t->alg, key, why);
}

/* Is it a key record at all?  Other TXT records may stand beside it. */
static bool
is_key(struct str text, struct dkim_tag_list *list)
{
	struct str v;

	if (!dkim_read_list(text, list))
		return false;
	v = dkim_find_tag(list, "v");
	return (v.p == NULL || str_eq(v, STR("DKIM1"))) &&
	    dkim_find_tag(list, "p").p != NULL;
}

enum dkim_result
dkim_read_key(struct arena *a, struct dns_query *q, msec deadline,
    const struct dkim_tags *t, struct dkim_key *key, struct str *why)
{
	const struct dns_answer *answer = dns_query_wait(q, deadline);
	struct dkim_tag_list list;
	struct str text = STR_NONE;
	size_t i;

	memset(key, 0, sizeof(*key));
	switch (answer->status) {
	case DNS_OK:
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return permerror(why, "there is no key");
	default:
		*why = dns_query_failure(a, q, answer);
		return DKIM_R_TEMPERROR;
	}
	for (i = 0; i < answer->n; i++) {
		if (!is_key(answer->rr[i].data, &list))
			continue;
		if (text.p != NULL && !str_eq(text, answer->rr[i].data))
			return permerror(why, "there are several keys");
		text = answer->rr[i].data;
	}
	if (text.p == NULL || !is_key(text, &list))
		return permerror(why, "the key record is no key");
	return read_record(a, &list, t, key, why);
}
