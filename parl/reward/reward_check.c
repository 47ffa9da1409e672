/* parl/reward/reward_check.c - reward expressions tried on two episodes before anything is
 * trained. */
#include "parl/reward/reward.h"

/* Finishes in its first turn and launches nothing: every environment allows it. */
static const parl_facts at_once = {.optimum_steps = 4,
                                   .optimum_width = 3,
                                   .serial_steps = 9,
                                   .budget_steps = 6,
                                   .turns = 1,
                                   .cap_width = 4,
                                   .tokens = 1,
                                   .context = 8,
                                   .end = PARL_END_FINISH};
/* Launches three sub-agents once and solves the task. */
static const parl_facts swarm = {.r_perf = 1,
                                 .success = 1,
                                 .critical_steps = 5,
                                 .total_steps = 9,
                                 .optimum_steps = 4,
                                 .optimum_width = 3,
                                 .serial_steps = 9,
                                 .last_gain_steps = 4,
                                 .budget_steps = 6,
                                 .turns = 3,
                                 .launches = 1,
                                 .created = 1,
                                 .assigned = 3,
                                 .finished = 3,
                                 .useful = 2,
                                 .max_width = 3,
                                 .cap_width = 4,
                                 .sub_steps = 6,
                                 .sub_max_steps = 2,
                                 .tokens = 16,
                                 .context = 40,
                                 .end = PARL_END_FINISH};

parl_status parl_reward_check(const parl_reward_config *config) {
  parl_reward *reward = NULL;
  parl_reward_terms terms;
  PARL_TRY(parl_reward_create(config, &reward));
  parl_status s = parl_fail_context(parl_reward_get_terms(reward, &at_once, &terms),
                                    "for an episode that finishes at once, without sub-agents");
  if (s == PARL_STATUS_OK)
    s = parl_fail_context(parl_reward_get_terms(reward, &swarm, &terms),
                          "for an episode that launches three sub-agents");
  parl_reward_destroy(reward);
  return s;
}
