/* experiments/sweep_internal.h - what sweep.c (reading, recipes), sweep_points.c (which points),
 * sweep_run.c and sweep_pbt.c (running) share. */
#ifndef PARL_EXPERIMENTS_SWEEP_INTERNAL_H
#define PARL_EXPERIMENTS_SWEEP_INTERNAL_H
#include "experiments/sweep_run.h"

/* Combinations of the values of all parameters, at most `most`; a range has as many as there are
 * whole numbers in it, or more than anybody asks for. */
size_t parl_sweep_count_combinations(const parl_sweep *sweep, size_t most);

/* Whether early_terminate and pbt fit the rest of the sweep; fills in pbt's top. Fails: EINVAL. */
parl_status parl_sweep_check_early(const parl_sweep *sweep);
parl_status parl_sweep_check_pbt(const parl_sweep *sweep);

/* A sweep that is being made. */
typedef struct parl_sweep_runner {
  const parl_sweep *sweep;
  const char *datadir;
  const parl_host *host;
  parl_sweep_result *out;
  parl_sweep_point *points; /* [sweep->n_points] */
  size_t n_points;          /* so far */
  size_t n_fixed;           /* arms of the recipe that stay */
} parl_sweep_runner;

/* Points [n] with n_seeds seeds from first_seed on, in a folder. */
parl_status parl_sweep_plan_points(const parl_sweep_runner *r, const parl_sweep_point *points,
                                   size_t n, const char *folder, int64_t first_seed,
                                   int64_t n_seeds, parl_plan **out);
/* Trains a plan; what it counted is added. pace: or NULL. */
parl_status parl_sweep_train(const parl_sweep_runner *r, const parl_plan *plan, parl_pacing *pace);
/* Arms of the plan from n_fixed on are those of the points, arm by arm. rows [n]: from row `from`
 * on they are read. */
parl_status parl_sweep_read_rows(const parl_sweep_runner *r, const parl_plan *plan, size_t from,
                                 parl_sweep_row *rows, size_t n);
/* Makes the generations of pbt; r->out has a row for each member of the last. */
parl_status parl_sweep_run_pbt(parl_sweep_runner *r);

#endif
