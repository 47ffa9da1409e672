/* parl/reward/formulas.h - the built-in terms as functions of a group of rollouts.
 *
 * Thread rule: pure functions. Reading order: parl_outcome, parl_group, parl_formula. */
#ifndef PARL_PARL_REWARD_FORMULAS_H
#define PARL_PARL_REWARD_FORMULAS_H
#include "parl/reward/reward.h"

/* Raw r_<term> of rollout k of a group, 0 <= k < group->K. */
typedef double (*parl_formula)(const parl_reward_config *config, const parl_group *group, size_t k);
extern const parl_formula parl_formulas[PARL_N_TERMS];

#endif
