/* parl/run/trainer_internal.h - what the files of a run share: trainer.c (its life),
 * run_identity.c, trainer_checkpoint.c, trainer_forecast.c, trainer_baselines.c,
 * trainer_failures.c, trainer_rungs.c. */
#ifndef PARL_PARL_RUN_TRAINER_INTERNAL_H
#define PARL_PARL_RUN_TRAINER_INTERNAL_H
#include "parl/learn/update.h"
#include "parl/run/forecast.h"
#include "parl/run/metric_log.h"
#include "parl/run/run_models.h"
#include "parl/run/subs.h"
#include "parl/run/trainer.h"
#include "parl/swarm/rollout.h"

typedef struct parl_trainer {
  const parl_host *host;
  const parl_run *run;
  const parl_run_config *config; /* run's */
  const char *arm;               /* run's name */
  parl_workers *workers;
  parl_env *env; /* for its specification and parameters */
  parl_store *store;
  int64_t run_id;
  char uid[PARL_HASH_HEX_BYTES];
  const char *canonical; /* configuration, borrowed */
  char checkpoint_path[1024];
  parl_model *model, *warm;
  parl_subs subs;
  parl_seats seats, next_seats; /* of training, next_seats from agents.switch_at on */
  parl_policy_ring *ring;       /* NULL: the policy that plays is the one that learns */
  parl_rollout *rollout;
  parl_workers *player_workers; /* the rollout's, with train.async; NULL: workers */
  parl_updater *updater;        /* NULL: a run that is not trained */
  parl_forecast forecast;
  parl_failures warm_failures; /* of the warm start's demonstrations */
  unsigned warned;             /* bit w: parl_warning w was said */
  const parl_leg *leg;         /* NULL: the whole */
  char fork_path[1024];        /* checkpoint of the run that it goes on from; "": its own */
  parl_metric_log log;         /* as host->metric_log asks */
  parl_train_result *result;
} parl_trainer;

/* --- run_identity.c --- */

/* Puts or updates the run's row; sets t->run_id. */
parl_status parl_trainer_put_run(parl_trainer *t, const char *canonical, const char *status,
                                 const char *hash);

/* --- trainer_checkpoint.c --- */

parl_status parl_trainer_save(parl_trainer *t);
/* A run without a checkpoint of its own gets the rows of the leg's fork, if that is where it should
 * be; resume loads its checkpoint then. */
parl_status parl_trainer_fork(parl_trainer *t);
/* Continues from the checkpoint if there is one, else from that of the leg's fork; drops what was
 * stored after it. */
parl_status parl_trainer_resume(parl_trainer *t);

/* --- trainer_rungs.c --- */

/* Fills the result's rungs with what the store has of a run that is there; *paused: the leg's last
 * one is among them. */
parl_status parl_trainer_recall_rungs(parl_trainer *t, bool *paused);
/* If the leg has a rung here: looks, unless that was done, and stores what it saw. Sets the
 * result's is_paused. */
parl_status parl_trainer_look(parl_trainer *t);

/* --- trainer_forecast.c --- */

/* Probes the warm start into t->forecast and the store; nothing if warm.probe is 0. */
parl_status parl_trainer_make_forecast(parl_trainer *t);
/* After the evaluation: stores whether launching grew beyond the noise since the warm start, and
 * whether the forecast had said so, of each part; NaN where either cannot be said. */
parl_status parl_trainer_judge_forecast(parl_trainer *t);

/* --- trainer.c --- */

/* Opens the environment and the store, names the run; refuses a conflict. */
parl_status parl_trainer_open(parl_trainer *t, parl_text *canonical);
/* Frees all that t owns, however far opening came. */
void parl_trainer_close(parl_trainer *t);
/* Looks the run up; sets t->run_id and the result's hash if it is done. */
parl_status parl_trainer_is_done(parl_trainer *t, bool *done);
/* The warm start, the models of sub-agents, and a model with the warm start's weights. */
parl_status parl_trainer_open_models(parl_trainer *t);
/* Of all rows but timings and, of a trained run, the weights. */
parl_status parl_trainer_hash_run(parl_trainer *t, char out[PARL_HASH_HEX_BYTES]);
/* The rollout and the updater, with the models that are open. */
parl_status parl_trainer_prepare(parl_trainer *t);
/* After a failure s: undoes what is open and stores "stopped" or "failed" with the error text,
 * which is kept. */
void parl_trainer_mark_stopped(parl_trainer *t, parl_status s);

/* --- trainer_baselines.c --- */

/* Plays a run that is not trained, and stores it. */
parl_status parl_trainer_play_baseline(parl_trainer *t, const char *canonical);

/* --- trainer_warnings.c --- */

/* Which warnings the store has. */
parl_status parl_trainer_recall_warnings(parl_trainer *t);
/* After an update, inside a transaction: says and stores each warning once. */
parl_status parl_trainer_warn(parl_trainer *t);

/* --- trainer_failures.c --- */

/* What failed in the updates done, as the store has it. */
parl_status parl_trainer_recall_failures(parl_trainer *t);
/* Stores the failures of the warm start and of the updates done, inside a transaction. */
parl_status parl_trainer_put_failures(parl_trainer *t);

#endif
