/* parl/run/trainer.h - one run: (arm, seed) from the warm start to the last evaluation,
 * resumable at every checkpoint. Thread rule: one thread per run; several runs may be under way
 * in one process. */
#ifndef PARL_PARL_RUN_TRAINER_H
#define PARL_PARL_RUN_TRAINER_H
#include "core/workers.h"
#include "parl/run/rows.h"
#include "parl/run/run.h"
#include "parl/swarm/host.h"

/* Rungs: numbers of updates after which a run is looked at, and where it may pause. */
enum { PARL_MAX_RUNGS = 100 };
typedef struct parl_rungs {
  size_t n;
  int64_t at[PARL_MAX_RUNGS]; /* [n] updates, rising, from 1 to less than the run has */
  int64_t n_tasks;            /* held-out tasks of a look: others than those of the evaluation */
} parl_rungs;

/* Whose training a run goes on from where it has none of its own: what it is up to there is the
 * same to the bit, as where two differ only in what a weight is later. */
typedef struct parl_fork {
  const char *uid, *name; /* of the run, which has the same seed; uid NULL: none */
  int64_t update;         /* its checkpoint is of; of another one nothing is taken */
} parl_fork;

/* A part of a run. */
typedef struct parl_leg {
  const parl_rungs *rungs;
  size_t level; /* it pauses at rungs->at[level]; rungs->n: it goes to the end */
  parl_fork fork;
} parl_leg;

typedef struct parl_train_result {
  char uid[PARL_HASH_HEX_BYTES];
  char hash
      [PARL_HASH_HEX_BYTES]; /* of all metrics but timings, all episodes, and the final weights */
  int64_t updates;           /* made in this process */
  double train_s, decode_s, train_tokens,
      decode_tokens;            /* in this process; decode_s sums over threads */
  bool was_done;                /* nothing was left to do */
  bool is_paused;               /* at the rung of its leg */
  double rungs[PARL_MAX_RUNGS]; /* of the leg's: r_perf, unshaped, sampled; NaN: not looked at */
} parl_train_result;

/* Makes a run: trains and evaluates it, or plays a baseline, the warm start or a script. Continues
 * from the run's last checkpoint, to the same bits as a run that was never stopped; a finished run
 * is left alone. The store is <folder>/store.db, where a failure is stored with the run. leg: NULL
 * for the whole, without a look. A run that paused goes on whenever it is asked to, and ends as one
 * that never did; what it was worth at each rung that it passed is in the store, and a rung that it
 * had passed unlooked stays NaN.
 * Fails: ESTOPPED after a checkpoint when host->stop is set; ECLAIMED if another process took the
 * run over. */
parl_status parl_train(const parl_run *run, const parl_host *host, const parl_leg *leg,
                       parl_workers *workers, parl_train_result *out);

/* What a run of the store was worth at rungs; NaN where nobody looked. */
parl_status parl_train_recall_rungs(parl_store *store, int64_t run_id, const parl_rungs *rungs,
                                    double out[PARL_MAX_RUNGS]);

/* A folder holds one configuration of an arm and seed: another one is refused, never mixed in. Runs
 * that are retired are in nobody's way, and those that were planned and not begun only if
 * `pending` says so. Fails: EINVAL naming the fields that differ; or as the store does. */
parl_status parl_run_refuse_conflict(parl_store *store, const parl_run *run, const char *uid,
                                     const char *canonical, bool pending);

#endif
