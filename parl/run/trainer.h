/* parl/run/trainer.h - one run: (arm, seed) from the warm start to the last evaluation,
 * resumable at every checkpoint. Thread rule: one thread per run; several runs may be under way
 * in one process. */
#ifndef PARL_PARL_RUN_TRAINER_H
#define PARL_PARL_RUN_TRAINER_H
#include "core/store.h"
#include "core/workers.h"
#include "parl/run/recipe.h"
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

/* Trains and evaluates. Continues from the run's last checkpoint, to the same bits as a run that
 * was never stopped; a finished run is left alone. The store is <folder>/store.db, where a failure
 * is stored with the run. Fails: ESTOPPED after a checkpoint when host->stop is set; ECLAIMED if
 * another process took the run over. */
parl_status parl_train(const parl_host *host, const parl_run_config *config, const char *arm,
                       parl_workers *workers, parl_train_result *out);

/* Plays a policy that is not trained, the warm start (style NULL) or a script, and stores it as a
 * run named `arm`; a finished one is left alone. Fails: ESTOPPED when host->stop is set. */
parl_status parl_train_baseline(const parl_host *host, const parl_run_config *config,
                                const char *arm, const char *style, parl_workers *workers,
                                parl_train_result *out);

/* --- which run this is --- */

/* Appends the paths of a's leaves that b does not have or has otherwise: "train.updates,
 * script". */
void parl_run_append_differences(const parl_json *a, const parl_json *b, parl_text *out);

/* Appends the canonical configuration and makes the uid, a hash of it and the arm's name. env: of
 * this configuration. Fails: ENOMEM. */
parl_status parl_run_get_uid(const parl_host *host, const parl_run_config *config,
                             const parl_env *env, const char *arm, parl_scope scope,
                             parl_text *canonical, char uid[PARL_HASH_HEX_BYTES]);

/* A folder holds one configuration of an arm and seed: another one is refused, never mixed in. Runs
 * that are retired are in nobody's way, and those that were planned and not begun only if
 * `pending` says so. Fails: EINVAL naming the fields that differ; or as the store does. */
parl_status parl_run_refuse_conflict(parl_store *store, const parl_host *host, const char *arm,
                                     int64_t seed, const char *uid, const char *canonical,
                                     bool pending);

/* Whether a run that failed so would fail again: the training did, not a file or the machine. */
bool parl_run_failed_for_good(parl_status s);

#endif
