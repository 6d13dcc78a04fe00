/*
 * generation.c - a ruleset together with what its messages need.
 *
 * A reload may change the rules and the name servers at once, and a message
 * must not see half of it.  So both are one object with a count of references;
 * a connection holds the one that it negotiated with until it closes.
 *
 * The pointer to the current generation is the only thing here that changes,
 * under a lock.  How one is loaded is load.c's business, when is run.c's.
 */
#include "filter/generation.h"

#include <malloc.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/geo.h"
#include "filter/mime_magic.h"
#include "filter/stores.h"
#include "filter/suffixes.h"
#include "rules/ast.h"
#include "rules/diag.h"

struct engines {
	struct spf_engine *spf;
	struct dkim_engine *dkim;
	struct magic_engine *magic;
	struct resolver	*zone;		/* answers all, or NULL */
	struct stores	*stores;
	time_t		 now;
	char		 hostname[256];
};

struct shared_resolver {
	atomic_int	 refs;
	struct resolver	*resolver;
	bool		 borrowed;	/* the engines' zone */
};

struct counted {
	struct generation g;
	struct dmarc_engine *dmarc;
	struct suffixes	*suffixes;
	struct geo	*geo;
	atomic_int	 refs;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct generation *current;
static unsigned serials;

struct engines *
engines_new(const char *zone, time_t now, struct strbuf *why)
{
	struct engines *e;

	if ((e = calloc(1, sizeof(*e))) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	e->now = now;
	if (gethostname(e->hostname, sizeof(e->hostname) - 1) == -1 ||
	    e->hostname[0] == '\0')
		strcpy(e->hostname, "localhost");
	if (zone != NULL && (e->zone = resolver_zone_file(zone, why)) == NULL) {
		engines_free(e);
		return NULL;
	}
	e->spf = spf_engine_new();
	e->dkim = dkim_engine_new(now);
	e->magic = magic_engine_new();
	if ((e->stores = stores_new()) == NULL) {
		strbuf_puts(why, "out of memory");
		engines_free(e);
		return NULL;
	}
	if (e->spf == NULL || e->dkim == NULL || e->magic == NULL) {
		strbuf_puts(why, "the SPF or DKIM library cannot be started");
		engines_free(e);
		return NULL;
	}
	return e;
}

void
engines_free(struct engines *e)
{
	if (e == NULL)
		return;
	if (e->spf != NULL)
		spf_engine_free(e->spf);
	if (e->dkim != NULL)
		dkim_engine_free(e->dkim);
	magic_engine_free(e->magic);
	resolver_free(e->zone);
	stores_free(e->stores);
	free(e);
}

struct services
engines_services(const struct engines *e)
{
	return (struct services){
		.resolver = e->zone, .spf = e->spf, .dkim = e->dkim,
		.magic = e->magic,
		.hostname = str_of(e->hostname), .now = e->now,
	};
}

static bool
same_servers(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->v[i], b->v[i]))
			return false;
	return true;
}

static struct shared_resolver *
resolver_for(struct engines *e, const struct settings *s,
    const struct generation *old, struct strbuf *why)
{
	struct shared_resolver *r;

	if (old != NULL && (e->zone != NULL || same_servers(&s->dns_servers,
	    &rules_settings(old->ruleset)->dns_servers))) {
		atomic_fetch_add(&old->resolver->refs, 1);
		return old->resolver;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	atomic_init(&r->refs, 1);
	r->borrowed = e->zone != NULL;
	r->resolver = r->borrowed ? e->zone :
	    resolver_new(&s->dns_servers, why);
	if (r->resolver == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

static int
dmarc_for(struct counted *c, const struct ruleset *rs, struct strbuf *why)
{
	c->dmarc = dmarc_engine_new((enum dmarc_spec)rules_settings(rs)->dmarc, c->suffixes);
	if (c->dmarc == NULL)
		strbuf_puts(why, "out of memory");
	return c->dmarc != NULL ? 0 : -1;
}

struct generation *
generation_new(struct engines *e, struct ruleset *rs,
    const struct generation *old, struct strbuf *why)
{
	struct counted *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		strbuf_puts(why, "out of memory");
		return NULL;
	}
	if (((rules_needs(rs)->facts & F_MAGIC) != 0 && magic_engine_load(e->magic, why) == -1) ||
	    (c->g.resolver = resolver_for(e, rules_settings(rs), old, why)) == NULL) {
		free(c);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	c->g.ruleset = rules_retain(rs);
	if (suffixes_open(rules_settings(rs), rules_needs(rs)->facts, &c->suffixes, why) == -1 ||
	    dmarc_for(c, rs, why) == -1 || geo_open(rules_settings(rs), rules_needs(rs)->facts,
	    &c->geo, why) == -1) {
		generation_release(&c->g);
		return NULL;
	}
	c->g.serial = ++serials;
	c->g.services = engines_services(e);
	c->g.services.resolver = c->g.resolver->resolver;
	c->g.services.dmarc = c->dmarc;
	c->g.services.suffixes = c->suffixes;
	c->g.services.geo = c->geo;
	return &c->g;
}

void
engines_say(struct engines *e, void (*say)(const char *line))
{
	stores_say(e->stores, say);
}

int
generation_open_store(struct engines *e, struct generation *g, struct strbuf *why)
{
	const struct settings *s = rules_settings(g->ruleset);

	if ((rules_needs(g->ruleset)->facts & F_STORED) == 0)
		return 0;
	g->stores = e->stores;
	g->services.store = stores_get(e->stores, s->store, s->store_limit, why);
	return g->services.store != NULL ? 0 : -1;
}

void
generation_trim(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

void
generation_release(struct generation *g)
{
	struct shared_resolver *r;

	if (g == NULL || atomic_fetch_sub(&((struct counted *)g)->refs, 1) > 1)
		return;
	dmarc_engine_free(((struct counted *)g)->dmarc);
	suffixes_free(((struct counted *)g)->suffixes);
	geo_free(((struct counted *)g)->geo);
	stores_put(g->stores, g->services.store);
	rules_release(g->ruleset);
	r = g->resolver;
	if (atomic_fetch_sub(&r->refs, 1) == 1) {
		if (!r->borrowed)
			resolver_free(r->resolver);
		free(r);
	}
	for (size_t i = 0; i < sizeof(g->macros) / sizeof(g->macros[0]); i++)
		free(g->macros[i]);
	free(g);
	/* Its successor was made beside it: a reload would cost twice the memory for good. */
	generation_trim();
}

struct generation *
generation_current(void)
{
	struct generation *g;

	pthread_mutex_lock(&lock);
	if ((g = current) != NULL)
		atomic_fetch_add(&((struct counted *)g)->refs, 1);
	pthread_mutex_unlock(&lock);
	return g;
}

void
generation_swap(struct generation *g)
{
	struct generation *old;

	pthread_mutex_lock(&lock);
	old = current;
	current = g;
	pthread_mutex_unlock(&lock);
	generation_release(old);
}

void
generation_digest(const struct ruleset *rs, char out[13])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	int good;

	strcpy(out, "-");
	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return;
	good = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	for (const struct source *s = rules_ast(rs)->sources; s != NULL; s = s->next)
		good = good && EVP_DigestUpdate(ctx, s->text.p, s->text.n);
	good = good && EVP_DigestFinal_ex(ctx, sum, NULL);
	EVP_MD_CTX_free(ctx);
	for (int i = 0; good && i < 6; i++)
		sprintf(out + 2 * i, "%02x", sum[i]);
}
