/*
 * floor.c - the least that a libmilter filter can cost: it takes what it is
 * sent, does nothing, and adds one header field.
 *
 *	floor SOCKET [quiet|nothing]
 *
 * `quiet` asks for no replies where the protocol has that; `nothing` asks not
 * to be sent headers and body either.  postern is measured against it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

static unsigned long steps;

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long offered,
    unsigned long f2, unsigned long f3, unsigned long *want_actions,
    unsigned long *want_steps, unsigned long *want_f2, unsigned long *want_f3)
{
	(void)ctx, (void)actions, (void)f2, (void)f3;
	*want_actions = SMFIF_ADDHDRS;
	*want_steps = steps & offered;
	*want_f2 = *want_f3 = 0;
	return SMFIS_CONTINUE;
}

#define QUIET(flag)	((steps & (flag)) ? SMFIS_NOREPLY : SMFIS_CONTINUE)

static sfsistat
on_connect(SMFICTX *ctx, char *name, struct sockaddr *sa)
{
	(void)ctx, (void)name, (void)sa;
	return QUIET(SMFIP_NR_CONN);
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx, (void)name;
	return QUIET(SMFIP_NR_HELO);
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	(void)ctx, (void)argv;
	return QUIET(SMFIP_NR_MAIL);
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	(void)ctx, (void)argv;
	return QUIET(SMFIP_NR_RCPT);
}

static sfsistat
on_data(SMFICTX *ctx)
{
	(void)ctx;
	return QUIET(SMFIP_NR_DATA);
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx, (void)name, (void)value;
	return QUIET(SMFIP_NR_HDR);
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	(void)ctx;
	return QUIET(SMFIP_NR_EOH);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return QUIET(SMFIP_NR_BODY);
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	char name[] = "X-Floor", value[] = "1";

	(void)smfi_addheader(ctx, name, value);
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	static char name[] = "floor";
	struct smfiDesc d = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_ADDHDRS,
		.xxfi_connect = on_connect, .xxfi_helo = on_helo, .xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt, .xxfi_data = on_data, .xxfi_header = on_header,
		.xxfi_eoh = on_eoh, .xxfi_body = on_body, .xxfi_eom = on_eom,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc < 2) {
		fprintf(stderr, "usage: floor SOCKET [quiet|nothing]\n");
		return EX_USAGE;
	}
	if (argc > 2)
		steps = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
		    SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;
	if (argc > 2 && strcmp(argv[2], "nothing") == 0)
		steps |= SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY;
	(void)smfi_setmaxdatasize(1 << 20);
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(d) != MI_SUCCESS)
		return EX_UNAVAILABLE;
	return smfi_main() == MI_SUCCESS ? 0 : EX_SOFTWARE;
}
