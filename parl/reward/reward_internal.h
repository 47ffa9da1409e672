/* parl/reward/reward_internal.h - what reward.c and reward_check.c share. */
#ifndef PARL_PARL_REWARD_REWARD_INTERNAL_H
#define PARL_PARL_REWARD_REWARD_INTERNAL_H
#include "parl/reward/reward.h"

/* As parl_reward_group; any_score: no scores are known, every one counts as 1. */
parl_status parl_reward_group_of(parl_reward *reward, const parl_group *group, bool any_score,
                                 double *out);
/* Fails: EINVAL if the definition of r_parallel needs what the optimum does not state: the width
 * (NaN), or the steps of working alone (0). */
parl_status parl_reward_check_optimum(const parl_reward_config *config, double optimum_width,
                                      double serial_steps);
/* Appends what an expression sees of stages, as JSON. Fails: ENOMEM. */
parl_status parl_reward_tell_stages(const parl_stages *stages, parl_text *out);

#endif
