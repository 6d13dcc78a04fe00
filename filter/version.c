/*
 * version.c - postern's version and those of the libraries that it runs with.
 *
 * Asked of the libraries at run time, since a report of a mistake needs what was
 * loaded, not what was built with.  Each library's header belongs to the
 * one source that uses it, so the few functions are declared here.
 */
#include "filter/version.h"

#include <openssl/crypto.h>
#include <stdint.h>

#ifndef VERSION
#define VERSION "unknown"
#endif

int smfi_version(unsigned int *, unsigned int *, unsigned int *);
void SPF_get_lib_version(int *, int *, int *);
uint32_t dkim_libversion(void);
const char *ub_version(void);
int pcre2_config_8(uint32_t, void *);

#define PCRE2_CONFIG_VERSION	11

static const char *
pcre2_version(void)
{
	static char text[64];
	int n = pcre2_config_8(PCRE2_CONFIG_VERSION, NULL);

	/* n: octets with the NUL */
	if (n <= 0 || (size_t)n > sizeof(text) ||
	    pcre2_config_8(PCRE2_CONFIG_VERSION, text) <= 0)
		return "unknown";
	return text;
}

void
version_print(FILE *out)
{
	unsigned int major = 0, minor = 0, patch = 0;
	int spf[3] = { 0, 0, 0 };
	uint32_t dkim = dkim_libversion();

	(void)smfi_version(&major, &minor, &patch);
	SPF_get_lib_version(&spf[0], &spf[1], &spf[2]);
	fprintf(out, "postern %s\n", VERSION);
	fprintf(out, "libmilter   %u.%u.%u\n", major, minor, patch);
	fprintf(out, "libspf2     %d.%d.%d\n", spf[0], spf[1], spf[2]);
	fprintf(out, "libopendkim %u.%u.%u\n", dkim >> 24 & 0xff,
	    dkim >> 16 & 0xff, dkim >> 8 & 0xff);
	fprintf(out, "libunbound  %s\n", ub_version());
	fprintf(out, "PCRE2       %s\n", pcre2_version());
	fprintf(out, "OpenSSL     %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
}
