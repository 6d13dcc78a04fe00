/*
 * watch.c - files that change while the daemon runs: those of lists, and its socket.
 *
 * A thread looks at the files of the current rules once a second, by stat(2):
 * that works on every file system, sees a rename as well as a rewrite, and costs nothing
 * on a message's way.  Connections that began under older rules keep the lists
 * of those as they were.
 *
 * A unix socket whose file was removed is a filter that no MTA finds any more, though
 * all looks well here: it is said.  So is a filter that is out of descriptors.
 *
 * What is taken and what isn't is decided in tables_live.c; here it is said
 * in the log.
 */
#include "filter/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "filter/generation.h"
#include "filter/listen.h"
#include "filter/log.h"
#include "filter/notify.h"
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

static atomic_bool ended;

/* Says it once; returns whether there is anything left to be looked at. */
static bool
look_at_socket(const struct listener *l)
{
	if (!listen_is_lost(l))
		return true;
	if (!atomic_load(&ended)) {
		log_printf(LOG_LEVEL_ERROR,
		    "the socket %s was removed: no MTA reaches this filter any more; restart postern", l->conn);
		notify("STATUS=The socket %s was removed: restart postern", l->conn);
	}
	return false;
}

/* libmilter tells only syslog that it can accept nobody, and that at each try. */
static void
look_at_descriptors(bool *out)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	bool now = fd == -1 && errno == EMFILE;
	struct rlimit limit = { 0 };

	if (fd != -1)
		close(fd);
	if (now == *out)
		return;
	*out = now;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (now)
		log_printf(LOG_LEVEL_ERROR, "all %llu descriptors are in use: new connections wait until "
		    "others end; raise the limit (LimitNOFILE)", (unsigned long long)limit.rlim_cur);
	else
		log_printf(LOG_LEVEL_NOTICE, "there are descriptors again");
}

static void *
watch_thread(void *arg)
{
	const struct timespec second = { 1, 0 };
	const struct listener *l = arg;
	bool replaced = false, socket = true, out = false;
	struct generation *g;

	for (;;) {
		nanosleep(&second, NULL);
		socket = socket && look_at_socket(l);
		look_at_descriptors(&out);
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

void
watch_end(void)
{
	atomic_store(&ended, true);
}

int
watch_start(const struct listener *l)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, watch_thread, (void *)(uintptr_t)l);

	if (error == 0)
		pthread_detach(thread);
	return error;
}
