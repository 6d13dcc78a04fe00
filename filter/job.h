/*
 * job.h - work that asks DNS in several steps, beside the callbacks.
 *
 * What SPF or the check of the client's name will ask next depends on what
 * was answered before.  So such work is a step that is run from its beginning
 * whenever an answer has come that it lacked, on one of a few threads, until
 * it lacks none.  While a name server takes its time no thread is held: any
 * number of jobs go on side by side, and nobody waits for another's.
 *
 * A job belongs to one owner, who may give it up at any time; that waits for
 * no lookup.
 */
#ifndef FILTER_JOB_H
#define FILTER_JOB_H

#include "resolver.h"

struct arena;
struct job;

/*
 * One step: true, the work is done; false, job_ask() has said that an answer
 * is under way.  It never blocks, and is on one thread at a time.  The first
 * is followed by at most one for each answer that job_ask() did not have, and
 * the last one at the deadline.
 */
typedef bool job_step(struct job *j, void *arg);

/* Does nothing yet.  resolver and arg must outlive it.  NULL without memory. */
struct job *job_new(struct resolver *r, job_step *step, void *arg);

/* The job's own memory: for its owner until job_start(), then for its steps. */
struct arena *job_arena(struct job *j);

/* Runs the first step, here; those that follow are run as the answers come. */
void job_start(struct job *j);

/* Is it done?  Never blocks. */
bool job_done(struct job *j);

/*
 * Waits until it is done.  At the deadline one last step is run, for which
 * every answer that isn't there has timed out, and no question is asked that
 * wasn't before; so after this it is done.
 * Needs no job_start() before: then all is done by this thread.
 */
void job_finish(struct job *j, msec deadline);

/* Gives it up, done or not.  NULL is allowed. */
void job_free(struct job *j);

/* ---- For steps ---- */

/*
 * The answer to a question, the same in each step; it lives as long as the
 * job.  NULL: it is under way; or memory is out, the name is no domain name,
 * or the job has asked for too much: then job_failed() is true.
 */
const struct dns_answer *job_ask(struct job *j, struct str name, enum dns_type type);

/* Begins a lookup that will be asked for. */
void job_expect(struct job *j, struct str name, enum dns_type type);

bool job_failed(const struct job *j);

/* Is this the last step, since the deadline has passed? */
bool job_late(const struct job *j);

#endif
