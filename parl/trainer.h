/* parl/trainer.h - one run: (arm, seed) from the warm start to the last evaluation, resumable at
 * every checkpoint.
 * Thread rule: one thread per run; several runs may be under way in one process. */
#ifndef PARL_PARL_TRAINER_H
#define PARL_PARL_TRAINER_H
#include "core/store.h"
#include "core/workers.h"
#include "parl/host.h"

typedef struct parl_train_result {
  char uid[PARL_HASH_HEX_BYTES];
  char hash
      [PARL_HASH_HEX_BYTES]; /* of all metrics but timings, all episodes, and the final weights */
  int64_t updates;           /* made in this process */
  double train_s, decode_s, train_tokens,
      decode_tokens; /* in this process; decode_s sums over threads */
  bool was_done;     /* nothing was left to do */
} parl_train_result;

/* Trains and evaluates. Continues from the run's last checkpoint, to the same bits as a run that
 * was never stopped; a finished run is left alone. The store is <folder>/store.db. Fails:
 * ESTOPPED after a checkpoint when host->stop is set. */
parl_status parl_train(const parl_host *host, const parl_run_config *config, const char *arm,
                       parl_workers *workers, parl_train_result *out);

/* Plays the baselines of a seed (the untrained warm start and eval.baselines) and stores them as
 * runs. suffix is put behind the names. */
parl_status parl_train_baselines(const parl_host *host, const parl_run_config *config,
                                 const char *suffix, parl_workers *workers);

/* Before anything is trained: what the two above would refuse, each in its turn, because the folder
 * holds this arm and seed of another configuration. env: of this configuration. suffix: as above;
 * NULL: the baselines are of another run. Fails: EINVAL, naming the fields that differ; or as the
 * store does. */
parl_status parl_train_check(const parl_host *host, const parl_run_config *config,
                             const parl_env *env, const char *arm, const char *suffix);

#endif
