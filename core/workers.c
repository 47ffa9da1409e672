/* core/workers.c - threads that sleep on a condition until run() hands them a batch of tasks.
 *
 * A batch is announced by a new generation under the mutex. Task numbers are taken from one atomic
 * counter without the mutex. A failure pushes the counter to the end, so no further task starts;
 * because numbers are taken in order, every task below a failed one has started and will be heard,
 * which makes the reported failure independent of the number of threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "core/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096 };

typedef struct helper {
  parl_workers *workers;
  size_t worker; /* 1..n_threads-1; the caller is 0 */
  pthread_t thread;
} helper;

struct parl_workers {
  size_t n_threads, n_started; /* started counts helpers only */
  pthread_mutex_t mutex;
  pthread_cond_t begin, done;
  uint64_t generation; /* of the batch; below here all guarded by mutex but `next` */
  size_t n_busy;       /* helpers that have not finished the batch */
  bool running, quit;
  parl_task task;
  void *context;
  size_t n_tasks;
  atomic_size_t next; /* number of the next task */
  size_t failed_task; /* lowest so far; SIZE_MAX if none */
  parl_status failed_status;
  char failed_text[TEXT_BYTES];
  helper helpers[]; /* [n_threads - 1] */
};

static void record_failure(parl_workers *w, size_t task, parl_status s) {
  atomic_store(&w->next, w->n_tasks);
  pthread_mutex_lock(&w->mutex);
  if (task < w->failed_task) {
    w->failed_task = task;
    w->failed_status = s;
    snprintf(w->failed_text, sizeof w->failed_text, "%s", parl_error_text());
  }
  pthread_mutex_unlock(&w->mutex);
}

static void work(parl_workers *w, size_t worker) {
  for (;;) {
    const size_t task = atomic_fetch_add(&w->next, 1);
    if (task >= w->n_tasks) return;
    const parl_status s = w->task(w->context, task, worker);
    if (s != PARL_STATUS_OK) record_failure(w, task, s);
  }
}

static void *helper_main(void *argument) {
  const helper *self = argument;
  parl_workers *w = self->workers;
  uint64_t seen = 0;
  pthread_mutex_lock(&w->mutex);
  for (;;) {
    while (!w->quit && w->generation == seen) pthread_cond_wait(&w->begin, &w->mutex);
    if (w->quit) break;
    seen = w->generation;
    pthread_mutex_unlock(&w->mutex);
    work(w, self->worker);
    pthread_mutex_lock(&w->mutex);
    if (--w->n_busy == 0) pthread_cond_signal(&w->done);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

/* Signals that ask the process for something are for the caller's thread; faults stay where they
 * happen. */
static void block_signals(sigset_t *old) {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGSEGV);
  sigdelset(&set, SIGBUS);
  sigdelset(&set, SIGFPE);
  sigdelset(&set, SIGILL);
  sigdelset(&set, SIGABRT);
  sigdelset(&set, SIGTRAP);
  pthread_sigmask(SIG_BLOCK, &set, old);
}

static parl_status start_helpers(parl_workers *w) {
  sigset_t old;
  block_signals(&old);
  int error = 0;
  while (error == 0 && w->n_started + 1 < w->n_threads) {
    helper *h = &w->helpers[w->n_started];
    *h = (helper){.workers = w, .worker = w->n_started + 1};
    error = pthread_create(&h->thread, NULL, helper_main, h);
    if (error == 0) w->n_started++;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "workers: thread %zu of %zu cannot start: %s", w->n_started + 2,
                   w->n_threads, strerror(error));
}

parl_status parl_workers_create(size_t n_threads, parl_workers **out) {
  PARL_REQUIRE(n_threads >= 1);
  size_t bytes;
  parl_workers *w = NULL;
  if (!__builtin_mul_overflow(n_threads - 1, sizeof(helper), &bytes) &&
      !__builtin_add_overflow(bytes, sizeof *w, &bytes))
    w = calloc(1, bytes);
  if (w == NULL) return parl_fail(PARL_STATUS_ENOMEM, "workers: no memory for %zu", n_threads);
  w->n_threads = n_threads;
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->begin, NULL);
  pthread_cond_init(&w->done, NULL);
  const parl_status s = start_helpers(w);
  if (s != PARL_STATUS_OK) {
    parl_workers_destroy(w);
    return s;
  }
  *out = w;
  return PARL_STATUS_OK;
}

void parl_workers_destroy(parl_workers *workers) {
  if (workers == NULL) return;
  pthread_mutex_lock(&workers->mutex);
  PARL_CHECK(!workers->running);
  workers->quit = true;
  pthread_cond_broadcast(&workers->begin);
  pthread_mutex_unlock(&workers->mutex);
  for (size_t i = 0; i < workers->n_started; i++) pthread_join(workers->helpers[i].thread, NULL);
  pthread_cond_destroy(&workers->done);
  pthread_cond_destroy(&workers->begin);
  pthread_mutex_destroy(&workers->mutex);
  free(workers);
}

size_t parl_workers_get_count(const parl_workers *workers) {
  return workers->n_threads;
}

/* Puts the batch up; from `least` tasks on it is worth waking anybody. */
static parl_status announce(parl_workers *w, size_t n_tasks, size_t least, parl_task task,
                            void *context) {
  pthread_mutex_lock(&w->mutex);
  const bool was_running = w->running;
  if (!was_running) {
    w->running = true;
    w->task = task;
    w->context = context;
    w->n_tasks = n_tasks;
    w->failed_task = SIZE_MAX;
    w->failed_status = PARL_STATUS_OK;
    atomic_store(&w->next, 0);
    if (n_tasks >= least && w->n_started > 0) {
      w->n_busy = w->n_started;
      w->generation++;
      pthread_cond_broadcast(&w->begin);
    }
  }
  pthread_mutex_unlock(&w->mutex);
  if (was_running)
    return parl_fail(PARL_STATUS_ESTATE, "workers: a run is going on; run() does not nest");
  return PARL_STATUS_OK;
}

static parl_status wait_for_helpers(parl_workers *w) {
  pthread_mutex_lock(&w->mutex);
  while (w->n_busy > 0) pthread_cond_wait(&w->done, &w->mutex);
  w->running = false;
  const parl_status s = w->failed_status;
  pthread_mutex_unlock(&w->mutex);
  return s;
}

/* The caller's part of a batch, and its outcome. */
static parl_status join(parl_workers *w) {
  work(w, 0);
  const parl_status s = wait_for_helpers(w);
  return s == PARL_STATUS_OK ? s : parl_fail(s, "%s", w->failed_text);
}

parl_status parl_workers_run(parl_workers *workers, size_t n_tasks, parl_task task, void *context) {
  PARL_REQUIRE(task != NULL && n_tasks <= SIZE_MAX / 2);
  PARL_TRY(announce(workers, n_tasks, 2, task, context)); /* the caller does a single one itself */
  return join(workers);
}

parl_status parl_workers_begin(parl_workers *workers, size_t n_tasks, parl_task task,
                               void *context) {
  PARL_REQUIRE(task != NULL && n_tasks <= SIZE_MAX / 2);
  return announce(workers, n_tasks, 1, task, context);
}

parl_status parl_workers_end(parl_workers *workers) {
  pthread_mutex_lock(&workers->mutex);
  const bool running = workers->running;
  pthread_mutex_unlock(&workers->mutex);
  if (!running) return parl_fail(PARL_STATUS_ESTATE, "workers: end() without begin()");
  return join(workers);
}

void parl_workers_drop(parl_workers *workers) {
  atomic_store(&workers->next, workers->n_tasks);
  (void)wait_for_helpers(workers);
}

size_t parl_workers_count_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return (size_t)CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than a cpu_set_t has bits */
  return n > 0 ? (size_t)n : 1;
}
