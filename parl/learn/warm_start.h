/* parl/learn/warm_start.h - the policy before reinforcement learning: imitation of a stated
 * mixture of experts.
 *
 * Thread rule: one thread per call; it uses the workers. */
#ifndef PARL_PARL_LEARN_WARM_START_H
#define PARL_PARL_LEARN_WARM_START_H
#include "core/config.h"
#include "engine/model.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/host.h"
#include "parl/swarm/rollout.h"

#define PARL_WARM_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                  \
  INT(steps, 150, 0, 1000000, "steps", "optimizer steps of imitation")                   \
  INT(episodes, 64, 1, 100000, "episodes", "demonstrations of one step")                 \
  REAL(lr, 2e-3, 0.0, 1.0, "1", "learning rate of imitation")                            \
  TEXT(mix, "serial=0.8,narrow=0.15,greedy_wide=0.05", "expert styles and their shares") \
  INT(probe, 512, 0, 1000000, "episodes", "episodes that measure the warm start and lambda*")

PARL_CONFIG_STRUCT(parl_warm_config, PARL_WARM_FIELDS);
extern const parl_section parl_warm_section;

/* What the environment can tell of warm.mix before anything is played. Fails: EINVAL naming the
 * style and the nearest one. */
parl_status parl_warm_start_check(const parl_warm_config *config, const parl_env_spec *spec);

typedef struct parl_imitation_def {
  const parl_rollout_def *rollout; /* the environment and the workers; demonstrations are whole: its
                                      budget is not read; sub-agents are its scripts, reliable */
  const parl_warm_config *warm;
  int64_t seed; /* of the demonstrations and the styles that are drawn */
  const parl_host *host;
  parl_model *model; /* learns */
} parl_imitation_def;

/* Plays warm.steps * warm.episodes demonstrations and learns from them. failures gets those that
 * failed, whatever is returned. Fails: ESTOPPED between steps, ESCRIPT as parl_failures_check. */
parl_status parl_warm_start_imitate(const parl_imitation_def *def, parl_failures *failures);

#endif
