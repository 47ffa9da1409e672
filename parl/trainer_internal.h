/* parl/trainer_internal.h - what trainer.c (life of a run) and update.c (one update) share. */
#ifndef PARL_PARL_TRAINER_INTERNAL_H
#define PARL_PARL_TRAINER_INTERNAL_H
#include "parl/advantage.h"
#include "parl/learner.h"
#include "parl/metrics.h"
#include "parl/rollout.h"
#include "parl/trainer.h"
#include "parl/warm_start.h"

typedef struct parl_trainer {
  const parl_host *host;
  const parl_run_config *config;
  const char *arm;
  parl_workers *workers;
  parl_env *env; /* for its specification and parameters */
  parl_store *store;
  int64_t run_id;
  char uid[PARL_HASH_HEX_BYTES];
  char checkpoint_path[1024];
  parl_model *model, *warm, *sub_policy;
  bool owns_sub_policy;
  parl_learner *learner;
  parl_rollout *rollout;
  parl_trajectories *set;
  parl_reward *reward;
  parl_schedule *lambda1, *lambda2;
  size_t n;                 /* episodes of an update: tasks * group */
  parl_job *jobs;           /* [n] */
  parl_reward_terms *terms; /* [n], dropped groups closed up */
  size_t *kept;             /* [n] job of each entry of terms */
  double *advantage;        /* [n] */
  int64_t update;           /* updates done */
  parl_metrics metrics;     /* of the last update */
  parl_forecast forecast;
  parl_train_result *result;
} parl_trainer;

/* Makes the buffers above from `learner` on. */
parl_status parl_trainer_prepare(parl_trainer *t);
/* Plays, rewards, learns: update t->update; fills t->metrics and moves t->update on. */
parl_status parl_trainer_update(parl_trainer *t);

#endif
