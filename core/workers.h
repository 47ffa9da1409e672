/* core/workers.h - a fixed set of threads that work through numbered tasks.
 *
 * Tasks are cut by the work, never by the number of threads, and write disjoint outputs, so results
 * do not depend on how many threads there are. Idle threads sleep; they take no signals.
 * Thread rule: run(), and begin() to end(), from one thread at a time, not from a task. Reading
 * order: create, run, begin. */
#ifndef PARL_CORE_WORKERS_H
#define PARL_CORE_WORKERS_H
#include <stddef.h>

#include "core/status.h"

typedef struct parl_workers parl_workers;

/* One task; `worker` < n_threads names scratch that only this thread uses now. */
typedef parl_status (*parl_task)(void *context, size_t task, size_t worker);

/* Starts n_threads - 1 threads, n_threads >= 1: the caller of run() is one of them, worker 0.
 * *out is owned by the caller.
 * Fails: EINVAL if n_threads is 0, ENOMEM, EIO if a thread cannot start. */
parl_status parl_workers_create(size_t n_threads, parl_workers **out);

/* Ends the threads and frees; NULL is allowed. */
void parl_workers_destroy(parl_workers *workers);

/* Threads, the caller included. */
size_t parl_workers_get_count(const parl_workers *workers);

/* Runs tasks 0..n_tasks-1, taken in order, and waits. After a failure no further task starts.
 * Allocates nothing. Fails: with status and error text of the failed task of lowest number, which
 * is the same for every number of threads; ESTATE if called from a task. */
parl_status parl_workers_run(parl_workers *workers, size_t n_tasks, parl_task task, void *context);

/* run() in two halves: after begin the threads that were started work, while the caller does
 * something else; end() lets the caller take part in what is left, and waits. With one thread
 * everything is done in end(). Between them nothing else runs on these workers, and `context`
 * stays. Fails: begin ESTATE if a run is going on, end as run(), ESTATE without begin. */
parl_status parl_workers_begin(parl_workers *workers, size_t n_tasks, parl_task task,
                               void *context);
parl_status parl_workers_end(parl_workers *workers);
/* In the place of end(): no further task starts; waits for those that have. Error texts stay. */
void parl_workers_drop(parl_workers *workers);

/* Processors this process may run on, at least 1. */
size_t parl_workers_count_processors(void);

#endif
