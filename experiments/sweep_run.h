/* experiments/sweep_run.h - a sweep, run: its points, their ranking, the best ones trained anew.
 *
 * Points are trained in the sweep's folder, or in its folder `points` where the best are trained
 * anew: so runs that chose and runs that are reported never share a folder, nor a seed. All that a
 * sweep goes on from is in the stores: the same command again makes what is missing and ends with
 * the same result.
 * Thread rule: one thread per sweep. Reading order: parl_sweep_result, plan, run. */
#ifndef PARL_EXPERIMENTS_SWEEP_RUN_H
#define PARL_EXPERIMENTS_SWEEP_RUN_H
#include "experiments/experiment.h"
#include "experiments/sweep.h"

/* One arm of one point. */
typedef struct parl_sweep_row {
  parl_sweep_point point;
  char name[PARL_NAME_BYTES]; /* of its arm */
  size_t n;                   /* seeds that are done */
  double mean, lo, hi;        /* of the metric over seeds; NaN unless all seeds are done. 95 %
                               * interval by resampling seeds; NaN of one seed */
  int64_t pruned_at;          /* updates after which it was pruned; 0: it was not */
  double rung;                /* r_perf there; NaN: not pruned, or a seed failed */
} parl_sweep_row;

typedef struct parl_sweep_result {
  size_t n_rows;
  parl_sweep_row *rows; /* [n_rows] in the order in which they were drawn */
  size_t *order;        /* [n_rows] indices of rows, the best first, those without a mean last */
  size_t n_top;
  parl_sweep_row *top; /* [n_top] trained anew, in the order in which they were chosen */
  size_t n_runs, n_done_before, n_failed, n_pruned; /* trained runs */
  parl_text failures;                               /* a line each */
  void *lineage; /* where points of pbt that others go on from lie; owned */
  double wall_s;
} parl_sweep_result;

/* The folder of the points. */
parl_status parl_sweep_get_folder(const parl_sweep *sweep, char out[PARL_SWEEP_PATH_BYTES]);
/* The plan of the points that are known before anything is trained. Nothing is written. Fails: as
 * parl_plan_make; ENOMEM. */
parl_status parl_sweep_plan(const parl_sweep *sweep, const char *datadir, const parl_host *host,
                            parl_plan **out);
/* The rungs of the points in a plan of them: pbt's, early_terminate's; n = 0 without either. Fails:
 * EINVAL if the first is before the last weight of the reward has annealed, or not before the end,
 * naming both numbers; if a weight follows a metric; if points have different numbers of
 * updates. */
parl_status parl_sweep_get_rungs(const parl_sweep *sweep, const parl_plan *plan, parl_rungs *out);
/* Trains what is missing, ranks, trains the best anew; writes the reports and sweep.json of the
 * sweep's folder. OK also where runs failed: n_failed says so; bayes takes a point that failed for
 * as bad as the worst. Fails: as parl_experiment_run_plan. *out is to be freed by deinit either
 * way. */
parl_status parl_sweep_run(const parl_sweep *sweep, const char *datadir, const parl_host *host,
                           parl_sweep_result *out);
void parl_sweep_result_deinit(parl_sweep_result *result);

/* The ranking as a table for a terminal, and as JSON: what sweep.json holds. Fails: ENOMEM. */
parl_status parl_sweep_append_table(const parl_sweep *sweep, const parl_sweep_result *result,
                                    parl_text *out);
/* A line on rungs, if there are any. Fails: ENOMEM. */
parl_status parl_sweep_append_rungs(const parl_sweep *sweep, const parl_rungs *rungs,
                                    parl_text *out);
parl_status parl_sweep_append_json(const parl_sweep *sweep, const parl_sweep_result *result,
                                   parl_text *out);

#endif
