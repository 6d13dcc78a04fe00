/*
 * watch.c - lists whose files change while the daemon runs.
 *
 * A thread looks at the files of the current rules once a second, by stat(2):
 * that works on every file system, sees a rename as well as a rewrite, and costs nothing
 * on a message's way.  Connections that began under older rules keep the lists
 * of those as they were.
 *
 * What is taken and what isn't is decided in tables_live.c; here it is said
 * in the log.
 */
#include "filter/watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "filter/generation.h"
#include "filter/log.h"
#include "rules/ast.h"
#include "rules/diag.h"
#include "rules/rules.h"
#include "rules/tables.h"

static void
log_diagnostic(void *arg, enum severity severity, struct str line)
{
	const struct list *list = arg;

	log_printf(severity == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	    "list " STR_FMT ": " STR_FMT, STR_ARG(list->name.text), STR_ARG(line));
}

static void
tell(void *arg, const struct table_news *news)
{
	struct list *list = (struct list *)(uintptr_t)news->list;
	bool *replaced = arg;

	*replaced |= news->replaced;
	diag_each(news->diag, log_diagnostic, list);
	if (news->replaced)
		log_printf(LOG_LEVEL_NOTICE, "list " STR_FMT ": its files have changed, and it is replaced: %zu entries",
		    STR_ARG(list->name.text), news->size);
	else
		log_printf(LOG_LEVEL_ERROR, "list " STR_FMT ": its files have changed, but it is not replaced: the old one goes on",
		    STR_ARG(list->name.text));
}

static void *
watch_thread(void *arg)
{
	const struct timespec second = { 1, 0 };
	struct generation *g;
	bool replaced = false;

	(void)arg;
	for (;;) {
		nanosleep(&second, NULL);
		if ((g = generation_current()) == NULL)
			continue;
		/* A second ago: messages that began with the old list are done with it. */
		if (replaced)
			generation_trim();
		replaced = false;
		rules_refresh_lists(g->ruleset, tell, &replaced);
		generation_release(g);
	}
	return NULL;
}

int
watch_start(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, watch_thread, NULL);

	if (error == 0)
		pthread_detach(thread);
	return error;
}
