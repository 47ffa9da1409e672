/* experiments/experiment_progress.c - how far the whole is, and how long it will take.
 *
 * Work is counted in episodes: those of an update or a warm start's step count twice, for they are
 * played and learned from; an evaluation's are played only. */
#include <math.h>
#include <time.h>

#include "core/clock.h"
#include "experiments/experiment_internal.h"

void parl_experiment_init_waiting(experiment *x) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&x->mutex, NULL);
  pthread_cond_init(&x->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

void parl_experiment_wait(experiment *x, double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)(1e9 * seconds);
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  (void)pthread_cond_timedwait(&x->changed, &x->mutex, &until);
}

static double weigh_cell(const parl_cell *c) {
  const parl_run_config *r = &c->run.config;
  const double n_tasks = (double)r->eval.tasks;
  if (c->run.scope != PARL_SCOPE_RUN) return c->run.style[0] != '\0' ? n_tasks : 2 * n_tasks;
  return 2.0 * (double)(r->train.updates * r->train.tasks * r->train.group) + 2 * n_tasks;
}

void parl_experiment_count_all(experiment *x) {
  for (size_t i = 0; i < x->plan->n_warms; i++) {
    const parl_warm_config *w = &x->plan->cells[x->plan->warms[i].cell].run.config.warm;
    x->warms[i].work = 2.0 * (double)(w->steps * w->episodes);
    x->all_work += x->warms[i].work;
  }
  for (size_t i = 0; i < x->plan->n_cells; i++) {
    x->cells[i].work = weigh_cell(&x->plan->cells[i]);
    x->all_work += x->cells[i].work;
  }
}

static void set_share(experiment *x, job *j, double share, bool found) {
  x->done_work += (share - j->share) * j->work;
  if (found) x->found_work += (share - j->share) * j->work;
  j->share = share;
}

void parl_experiment_count_done(experiment *x, job *j) {
  const bool is_warm = j >= x->warms && j < x->warms + x->plan->n_warms;
  set_share(x, j, 1, is_warm ? !j->is_reported : j->result.was_done);
}

static size_t count_done_cells(const experiment *x) {
  size_t n = 0;
  for (size_t i = 0; i < x->plan->n_cells; i++) n += x->cells[i].state >= JOB_DONE;
  return n;
}

void parl_experiment_on_progress(void *context, const parl_progress *p) {
  lane *l = context;
  experiment *x = l->x;
  job *j = l->job;
  parl_progress whole = *p;
  pthread_mutex_lock(&x->mutex);
  if (p->n > 0 && !j->is_reported) set_share(x, j, (double)(p->done - 1) / (double)p->n, true);
  j->is_reported = true;
  /* The evaluation is the rest. */
  if (p->n > 0) set_share(x, j, fmin(0.99, (double)p->done / (double)p->n), false);
  whole.n_cells = x->plan->n_cells;
  whole.n_cells_done = count_done_cells(x);
  whole.share = x->all_work > 0 ? x->done_work / x->all_work : 1;
  const double made = x->done_work - x->found_work, left = x->all_work - x->done_work;
  whole.left_s = made > 0 ? (parl_clock_s() - x->start_s) * left / made : (double)NAN;
  pthread_mutex_unlock(&x->mutex);
  x->host->progress(x->host->context, &whole);
}
