/*
 * actions.c - the table of actions, from actions.def.
 */
#include "actions.h"

const struct action_def actions[A_COUNT] = {
#define ACTION(word, id, args, final, flags, manual) \
	[id] = { word, id, args, final, flags, manual },
#include "actions.def"
#undef ACTION
};

const char *
action_args_manual(enum action_args args)
{
	switch (args) {
	case ARG_NONE:
		return "";
	case ARG_REPLY:
		return "[CODE [ENHANCED]] \"TEXT\" ...";
	case ARG_TEXT:
		return "\"TEXT\"";
	case ARG_HEADER:
		return "NAME";
	case ARG_HEADER_TEXT:
		return "NAME \"TEXT\"";
	case ARG_PATH:
		return "ADDRESS";
	case ARG_PATH_OPTIONAL:
		return "[ADDRESS]";
	case ARG_SIGNED:
		return "+N|-N";
	}
	return "";
}
