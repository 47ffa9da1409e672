/* parl/swarm/look.h - what a task is, before anybody plays it.
 *
 * Thread rule: one thread per environment. Reading order: parl_look, parl_look_at_part. */
#ifndef PARL_PARL_SWARM_LOOK_H
#define PARL_PARL_SWARM_LOOK_H
#include <stdatomic.h>

#include "parl/swarm/split.h"
#include "parl/swarm/swarm_config.h"
#include "parl/swarm/trajectory.h"

typedef struct parl_look {
  uint64_t task_seed; /* in: as of a job, and its part */
  parl_part part;
  bool failed;                    /* the script cannot make the task: nothing else is known */
  char family[PARL_FAMILY_BYTES]; /* task kind, "" if the environment has one */
  int64_t optimum_steps;          /* critical steps, as the environment states them */
} parl_look;

typedef struct parl_looks {
  parl_look *items; /* [n] */
  size_t n;
} parl_looks;

/* Makes the split of prompts if the recipe has one and *split is NULL. Fails: as
 * parl_split_create. */
parl_status parl_look_split(parl_env *env, const parl_env_config *config, parl_split **split);
/* Looks at the tasks that would be played: items first, first + step, ... With env.on_error =
 * "skip" what a script fails with is `failed`. Of env's worlds none stays. stop may be NULL.
 * Fails: as parl_look_split, parl_split_draw and parl_env_reset, ESTOPPED. */
parl_status parl_look_at_part(parl_env *env, const parl_env_config *config, const atomic_int *stop,
                              parl_split **split, parl_looks looks, size_t first, size_t step);

#endif
