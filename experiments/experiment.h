/* experiments/experiment.h - a whole recipe: warm starts, baselines and every (arm, seed), then the
 * report.
 *
 * Runs of small models go side by side, one a thread; with fewer runs than threads a run gets
 * several.
 * Thread rule: one thread per experiment. */
#ifndef PARL_EXPERIMENTS_EXPERIMENT_H
#define PARL_EXPERIMENTS_EXPERIMENT_H
#include "parl/host.h"
#include "parl/trainer.h"

typedef struct parl_experiment_result {
  char uid[PARL_HASH_HEX_BYTES];  /* of all runs */
  char hash[PARL_HASH_HEX_BYTES]; /* of all runs' hashes, in the order of arms and seeds */
  size_t n_runs, n_done_before;   /* n_done_before: were finished by an earlier command */
  int64_t updates;                /* made in this process */
  double train_tokens_per_s;      /* of learning, summed over the runs under way at once */
  double decode_tokens_per_s;
  double wall_s;
} parl_experiment_result;

/* Trains what is missing and evaluates it. threads = 0: run.threads, or one per processor.
 * Fails: ESTOPPED when host->stop is set, everything so far being kept; otherwise with the first
 * failing run's error. */
parl_status parl_experiment_run(const parl_host *host, parl_experiment_result *out);

#endif
