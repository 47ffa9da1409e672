/* experiments/report_tasks.c - intervals of scripts, which have no seeds to differ in: other
 * held-out tasks would have given other scores. Every seed plays the same tasks, so that both are
 * redrawn. */
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "experiments/report_internal.h"

enum { N_DRAWS = 1000 };

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Percentiles of the finite ones of values [N_DRAWS], which it sorts; none unless all are. */
static void set_interval(double *values, parl_summary *s) {
  for (size_t i = 0; i < N_DRAWS; i++)
    if (!isfinite(values[i])) return;
  qsort(values, N_DRAWS, sizeof *values, compare_doubles);
  s->lo = values[N_DRAWS / 40];
  s->hi = values[N_DRAWS - 1 - N_DRAWS / 40];
}

/* Runs of a script that kept their episodes, all of the same number. */
typedef struct scripted {
  size_t n_runs, n_tasks;
  const parl_report_run **runs; /* [n_runs] */
} scripted;

static parl_status find_runs(const parl_report *r, size_t arm, scripted *out) {
  *out = (scripted){0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &out->runs));
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *run = &r->runs[i];
    if (run->arm != arm || !run->counted || run->n_played == 0) continue;
    if (out->n_runs > 0 && run->n_played != out->n_tasks) {
      out->n_runs = 0;
      return PARL_STATUS_OK;
    }
    out->n_tasks = run->n_played;
    out->runs[out->n_runs++] = run;
  }
  return PARL_STATUS_OK;
}

/* One redrawn table of seeds and tasks; sums [1 + n_families]. */
static void draw(const parl_report *r, const scripted *s, uint64_t index, size_t *tasks,
                 parl_mean_sums *sums) {
  parl_rng_cursor rng = {.seed = PARL_REPORT_BOOTSTRAP_SEED,
                         .stream = parl_rng_stream(PARL_PURPOSE_STATISTICS, 1, index, 0)};
  for (size_t f = 0; f <= r->n_families; f++) sums[f] = (parl_mean_sums){.n = 0};
  for (size_t t = 0; t < s->n_tasks; t++) tasks[t] = parl_rng_next_below(&rng, s->n_tasks);
  for (size_t i = 0; i < s->n_runs; i++) {
    const parl_report_run *run = s->runs[parl_rng_next_below(&rng, s->n_runs)];
    for (size_t t = 0; t < s->n_tasks; t++) {
      const parl_report_played *e = &run->played[tasks[t]];
      parl_mean_sums_add(&sums[0], &e->facts, e->failed);
      if (e->family > 0) parl_mean_sums_add(&sums[e->family], &e->facts, e->failed);
    }
  }
}

static void take_values(const parl_mean_sums *sums, double *values, size_t draw_index) {
  const parl_means means = parl_mean_sums_get(sums);
#define X(name, digits, label, meaning) \
  values[PARL_SCORE_##name * N_DRAWS + draw_index] = means.name;
  PARL_SCORE_LIST(X)
#undef X
}

static parl_status redraw(const parl_report *r, parl_report_arm *arm, const scripted *s) {
  const size_t n_families = 1 + r->n_families, n = n_families * PARL_N_SCORES * N_DRAWS;
  double *values = calloc(n, sizeof *values);
  size_t *tasks = calloc(s->n_tasks, sizeof *tasks);
  parl_mean_sums *sums = calloc(n_families, sizeof *sums);
  const bool has_memory = values != NULL && tasks != NULL && sums != NULL;
  for (size_t i = 0; i < N_DRAWS && has_memory; i++) {
    draw(r, s, i, tasks, sums);
    for (size_t f = 0; f < n_families; f++)
      take_values(&sums[f], values + f * PARL_N_SCORES * N_DRAWS, i);
  }
  for (size_t f = 0; f < n_families && has_memory; f++)
    for (size_t k = 0; k < PARL_N_SCORES; k++) {
      parl_summary *out = parl_arm_score(r, arm, PARL_DECODING_MAIN, f, (parl_score)k);
      if (out->n > 0) set_interval(values + (f * PARL_N_SCORES + k) * N_DRAWS, out);
    }
  free(values);
  free(tasks);
  free(sums);
  return has_memory ? PARL_STATUS_OK
                    : parl_fail(PARL_STATUS_ENOMEM, "no memory for %d resamples", N_DRAWS);
}

parl_status parl_report_redraw_tasks(const parl_report *r, size_t arm) {
  scripted s;
  if (!r->arms[arm].scripted) return PARL_STATUS_OK;
  PARL_TRY(find_runs(r, arm, &s));
  return s.n_runs > 0 && s.n_tasks > 1 ? redraw(r, &r->arms[arm], &s) : PARL_STATUS_OK;
}
