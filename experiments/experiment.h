/* experiments/experiment.h - a whole recipe: warm starts, every (arm, seed) and the baselines.
 *
 * Runs of small models go side by side, one a thread; with fewer runs than threads a run gets
 * several. A run that fails stops no other one.
 * Thread rule: one thread per experiment. */
#ifndef PARL_EXPERIMENTS_EXPERIMENT_H
#define PARL_EXPERIMENTS_EXPERIMENT_H
#include "experiments/pacing.h"
#include "experiments/plan.h"

typedef struct parl_experiment_result {
  char uid[PARL_HASH_HEX_BYTES];  /* of all trained runs */
  char hash[PARL_HASH_HEX_BYTES]; /* of their hashes, in the order of arms and seeds */
  size_t n_runs, n_done_before;   /* trained; n_done_before: were finished by an earlier command */
  size_t n_failed;                /* of all runs, the baselines too */
  size_t n_pruned;                /* of the trained ones */
  parl_text failures;             /* "arm "a", seed 1: why" a line; owned, empty if n_failed is 0 */
  int64_t updates;                /* made in this process */
  double train_tokens_per_s;      /* of learning, summed over the runs under way at once */
  double decode_tokens_per_s;
  double wall_s;
} parl_experiment_result;

/* Trains what the plan lacks and evaluates it. Threads: run.threads, or one per processor. Any
 * number of processes may run one plan in one folder: each makes what no other has claimed, and all
 * end when the whole is made. OK also where runs failed: n_failed says so. Fails: ESTOPPED when
 * host->stop is set, everything so far being kept; EIO, ENOMEM or ESTORE, which concern every run.
 * *out is to be freed either way. */
parl_status parl_experiment_run_plan(const parl_host *host, const parl_plan *plan,
                                     parl_experiment_result *out);
/* The same, with runs that pause: of `pace`, made by init, what came out is filled in. NULL: none
 * do. Without halving it is made when all have come to their rung. */
parl_status parl_experiment_run_paced(const parl_host *host, const parl_plan *plan,
                                      parl_pacing *pace, parl_experiment_result *out);

/* Makes the plan of a recipe and runs it. Fails: as both. */
parl_status parl_experiment_run(const parl_recipe *recipe, const parl_host *host,
                                parl_experiment_result *out);

void parl_experiment_result_deinit(parl_experiment_result *result);

#endif
