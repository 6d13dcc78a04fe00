/*
 * settings.h - the `set` statements, as the program reads them.
 *
 * One row in settings.def adds a setting: its field here, its parsing, its
 * listing and its manual come from it.
 */
#ifndef RULES_SETTINGS_H
#define RULES_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "str.h"

enum earliest_reply { EARLIEST_CONNECT, EARLIEST_MAIL, EARLIEST_RCPT };
enum mixed_recipients { MIXED_SPLIT, MIXED_STRICTEST, MIXED_EXEMPT_WINS };
enum on_error { ON_ERROR_TEMPFAIL, ON_ERROR_ACCEPT, ON_ERROR_SKIP };
enum mode { MODE_ENFORCE, MODE_MONITOR };
enum dmarc_spec { DMARC_RFC9989, DMARC_RFC7489 };
enum on_off { SET_OFF, SET_ON };
enum log_to { LOG_TO_SYSLOG, LOG_TO_STDERR };

struct strings {
	const struct str *v;
	size_t		 n;
};

enum setting_kind {
	K_WORD, K_NUMBER, K_SIZE, K_DURATION, K_MODE, K_STRING, K_STRINGS,
	K_ON_ERROR
};

/* C types of the kinds. K_WORD fields hold the enum above of the same name. */
#define K_TYPE_K_WORD		int
#define K_TYPE_K_NUMBER		int64_t
#define K_TYPE_K_SIZE		int64_t
#define K_TYPE_K_DURATION	int64_t
#define K_TYPE_K_MODE		int64_t
#define K_TYPE_K_STRING		struct str
#define K_TYPE_K_STRINGS	struct strings
struct on_errors { enum on_error of[ERR_CLASSES]; };
#define K_TYPE_K_ON_ERROR	struct on_errors

struct settings {
#define SETTING(name, field, kind, takes, dflt, reload, manual) K_TYPE_##kind field;
#include "settings.def"
#undef SETTING
};

struct ast;
struct arena;
struct diag;

/*
 * Reads all `set` statements over the defaults; what is wrong goes to diag:
 * unknown name (with the nearest), wrong value (with the nearest), given
 * twice.  All strings live in the arena, NUL-terminated.
 */
void settings_read(struct settings *s, const struct ast *ast, struct arena *a, struct diag *d);

/*
 * Names the settings that differ between two rulesets although a reload can't
 * change them, separated by blanks, into out; returns how many.
 */
int settings_fixed_changes(const struct settings *old, const struct settings *new,
    struct strbuf *out);

/* The rows, for the manual and the nearest name. */
struct setting {
	const char	*name, *takes, *dflt, *manual;
	enum setting_kind kind;
	bool		 reload;	/* a reload may change it */
	size_t		 offset;	/* of its field in struct settings */
};
extern const struct setting settings_table[];
extern const size_t nsettings;

#endif
