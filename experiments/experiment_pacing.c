/* experiments/experiment_pacing.c - runs that pause at rungs: who may go on, and who is pruned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "experiments/experiment_internal.h"
#include "experiments/halving.h"

parl_status parl_pacing_init(parl_pacing *pace) {
  const size_t n = pace->n_rows;
  pace->results = calloc(n * pace->rungs.n + 1, sizeof *pace->results);
  pace->is_out = calloc(n + 1, sizeof *pace->is_out);
  pace->levels = calloc(n + 1, sizeof *pace->levels);
  pace->is_over = calloc(n + 1, sizeof *pace->is_over);
  if (pace->results == NULL || pace->is_out == NULL || pace->levels == NULL ||
      pace->is_over == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "pace: no memory for %zu arms", n);
  for (size_t i = 0; i < n * pace->rungs.n; i++) pace->results[i] = (double)NAN;
  for (size_t i = 0; i < n; i++) pace->levels[i] = pace->eta > 0 ? 0 : pace->level;
  return PARL_STATUS_OK;
}

void parl_pacing_deinit(parl_pacing *pace) {
  free(pace->results);
  free(pace->is_out);
  free(pace->levels);
  free(pace->is_over);
}

/* The row of a cell; n_rows: none. There is a pace. */
static size_t find_row(const experiment *x, size_t cell) {
  const parl_pacing *p = x->pace;
  const size_t arm = cell / x->plan->n_seeds;
  const bool is_one = cell < x->plan->n_trained && arm >= p->first_arm;
  return is_one && arm - p->first_arm < p->n_rows ? arm - p->first_arm : p->n_rows;
}

bool parl_experiment_is_paced(const experiment *x, size_t cell) {
  return x->pace != NULL && find_row(x, cell) < x->pace->n_rows;
}

bool parl_experiment_may_go_on(const experiment *x, size_t cell) {
  if (!parl_experiment_is_paced(x, cell)) return true;
  return x->cells[cell].next_level <= x->pace->levels[find_row(x, cell)];
}

bool parl_experiment_get_leg(const experiment *x, size_t cell, parl_leg *out) {
  if (!parl_experiment_is_paced(x, cell)) return false;
  const parl_pacing *p = x->pace;
  const size_t row = find_row(x, cell), seed = cell % x->plan->n_seeds;
  *out = (parl_leg){.rungs = &p->rungs, .level = p->levels[row]};
  if (p->forks != NULL) out->fork = p->forks[row * x->plan->n_seeds + seed];
  return true;
}

/* A row's result at a rung, of the cells of its seeds. A seed that got beyond and was not looked at
 * takes its row out; one that failed before is the row's failure there. */
static double get_result(const experiment *x, size_t row, size_t rung, bool *is_out) {
  const size_t n = x->plan->n_seeds;
  const job *jobs = &x->cells[(x->pace->first_arm + row) * n];
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    const job *j = &jobs[i];
    const bool is_looked_at = isfinite(j->rungs[rung]);
    if (j->state == JOB_FAILED && !is_looked_at) return -HUGE_VAL;
    if (!is_looked_at && (j->state == JOB_DONE || j->next_level > rung)) *is_out = true;
    sum += j->rungs[rung];
  }
  return sum / (double)n;
}

/* What is pruned is no more work. */
static void prune(experiment *x, size_t row) {
  const size_t n = x->plan->n_seeds;
  for (size_t i = 0; i < n; i++) {
    job *j = &x->cells[(x->pace->first_arm + row) * n + i];
    if (j->state != JOB_TODO) continue;
    j->state = JOB_PRUNED;
    x->all_work -= (1 - j->share) * j->work;
    j->work *= j->share;
    parl_experiment_count_done(x, j);
  }
}

parl_status parl_experiment_pace(experiment *x) {
  parl_pacing *p = x->pace;
  if (p == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; p->has_failed != NULL && i < p->n_rows * x->plan->n_seeds; i++)
    p->has_failed[i] = x->cells[p->first_arm * x->plan->n_seeds + i].state == JOB_FAILED;
  for (size_t row = 0; row < p->n_rows; row++)
    for (size_t k = 0; k < p->rungs.n; k++)
      p->results[row * p->rungs.n + k] = get_result(x, row, k, &p->is_out[row]);
  if (p->eta == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_halving_decide(p->results, p->is_out, p->n_rows, p->rungs.n, p->eta, p->levels,
                               p->is_over));
  for (size_t row = 0; row < p->n_rows; row++)
    if (p->is_over[row]) prune(x, row);
  return PARL_STATUS_OK;
}

static parl_status mark(const experiment *x, parl_store *store, size_t cell) {
  const parl_pacing *p = x->pace;
  const size_t row = find_row(x, cell), k = p->levels[row];
  const double result = p->results[row * p->rungs.n + k];
  char why[160];
  if (isfinite(result))
    snprintf(why, sizeof why,
             "after %lld updates its arm had r_perf %.4g, which is not among the best 1/%zu there",
             (long long)p->rungs.at[k], result, p->eta);
  else
    snprintf(why, sizeof why, "another seed of its arm failed");
  return parl_store_set_status(store, x->plan->cells[cell].uid, "pruned", why);
}

parl_status parl_experiment_mark_pruned(const experiment *x) {
  parl_store *store = NULL;
  if (x->pace == NULL || x->pace->eta == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_open(x->store_path, &store));
  parl_status s = parl_store_begin(store);
  if (s == PARL_STATUS_OK) {
    for (size_t i = 0; s == PARL_STATUS_OK && i < x->plan->n_trained; i++)
      if (x->cells[i].state == JOB_PRUNED) s = mark(x, store, i);
    s = parl_store_end(store, s);
  }
  parl_store_close(store);
  return s;
}
