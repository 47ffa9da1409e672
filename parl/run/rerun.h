/* parl/run/rerun.h - a stored episode, played again to the same bits and compared with its row.
 *
 * An episode is a function of its run's configuration, its seeds, and who played it: a script, the
 * weights of a policy, or the tokens that the orchestrator wrote, which a run keeps of the training
 * episodes that it stores (train.store_episodes). Everything else happens anew.
 * Thread rule: one thread per call; it uses the workers. Reading order: parl_rerun_def, play. */
#ifndef PARL_PARL_RUN_RERUN_H
#define PARL_PARL_RUN_RERUN_H
#include "core/workers.h"
#include "parl/run/run.h"
#include "parl/swarm/host.h"
#include "parl/swarm/observer.h"

typedef struct parl_rerun_def {
  const parl_host *host;
  parl_workers *workers;
  const parl_observer *observer; /* of the episode; or NULL */
  const char *folder;            /* of the runs */
  const char *arm;               /* name of the run; NULL: the first */
  int64_t seed;                  /* its seed; -1: the first of the arm */
  int64_t update;                /* of a training episode; -1: an evaluated one */
  int64_t episode; /* place among the update's episodes, or number of the held-out task; from 0 */
  bool greedy;     /* the greedy evaluation, not the sampled one */
  const char *env_path; /* where the environment is now; NULL: it is looked for as its run named it,
                           there and in datadir */
  const char *datadir;  /* or NULL */
} parl_rerun_def;

enum { PARL_RERUN_HOW_BYTES = 1200 };

typedef struct parl_rerun {
  parl_run run;
  parl_env *env; /* of our own: for its specification and the names of tokens */
  parl_trajectories *set;
  const parl_trajectory *trajectory; /* what was played */
  char policy[PARL_RUN_NAME_BYTES];  /* of the row */
  char decoding[16];
  char how[PARL_RERUN_HOW_BYTES]; /* "by its recorded tokens", "by the weights of FILE", ... */
  size_t n_facts;                 /* that were compared */
  bool has_stages;                /* were compared, too */
  parl_text differences;          /* "critical_steps 7 (stored: 8), ..."; "" if there are none */
} parl_rerun;

/* Finds the row, plays the episode, compares. *out is zeroed first and to be freed by deinit, also
 * after a failure. A difference is no failure.
 * Fails: EINVAL if there is no such run or row; EIO, naming what is gone: the weights that played
 * it, those of its sub-agents, the environment; EFORMAT if the script or a file that the run read
 * is another one now; as a rollout. */
parl_status parl_rerun_play(const parl_rerun_def *def, parl_rerun *out);
void parl_rerun_deinit(parl_rerun *rerun);

#endif
