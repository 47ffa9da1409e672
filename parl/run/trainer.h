/* parl/run/trainer.h - one run: (arm, seed) from the warm start to the last evaluation,
 * resumable at every checkpoint. Thread rule: one thread per run; several runs may be under way
 * in one process. */
#ifndef PARL_PARL_RUN_TRAINER_H
#define PARL_PARL_RUN_TRAINER_H
#include "core/workers.h"
#include "parl/run/rows.h"
#include "parl/run/run.h"
#include "parl/swarm/host.h"

typedef struct parl_train_result {
  char uid[PARL_HASH_HEX_BYTES];
  char hash
      [PARL_HASH_HEX_BYTES]; /* of all metrics but timings, all episodes, and the final weights */
  int64_t updates;           /* made in this process */
  double train_s, decode_s, train_tokens,
      decode_tokens; /* in this process; decode_s sums over threads */
  bool was_done;     /* nothing was left to do */
} parl_train_result;

/* Makes a run: trains and evaluates it, or plays a baseline, the warm start or a script. Continues
 * from the run's last checkpoint, to the same bits as a run that was never stopped; a finished run
 * is left alone. The store is <folder>/store.db, where a failure is stored with the run.
 * Fails: ESTOPPED after a checkpoint when host->stop is set; ECLAIMED if another process took the
 * run over. */
parl_status parl_train(const parl_run *run, const parl_host *host, parl_workers *workers,
                       parl_train_result *out);

/* A folder holds one configuration of an arm and seed: another one is refused, never mixed in. Runs
 * that are retired are in nobody's way, and those that were planned and not begun only if
 * `pending` says so. Fails: EINVAL naming the fields that differ; or as the store does. */
parl_status parl_run_refuse_conflict(parl_store *store, const parl_run *run, const char *uid,
                                     const char *canonical, bool pending);

#endif
