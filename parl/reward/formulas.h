/* parl/reward/formulas.h - the built-in terms as functions of a group of rollouts.
 *
 * Thread rule: pure functions. Reading order: parl_outcome, parl_group, parl_formula, columns. */
#ifndef PARL_PARL_REWARD_FORMULAS_H
#define PARL_PARL_REWARD_FORMULAS_H
#include "parl/reward/reward.h"

/* Raw r_<term> of rollout k of a group, 0 <= k < group->K. */
typedef double (*parl_formula)(const parl_reward_config *config, const parl_group *group, size_t k);
extern const parl_formula parl_formulas[PARL_N_TERMS];

/* Facts of many episodes, each of which is a group of its own and ended itself: [n] of every fact;
 * borrowed. */
typedef struct parl_fact_columns {
  const double *of[PARL_N_FACTS];
} parl_fact_columns;
/* The same r_<term> of each, out [n], to the same bits. */
void parl_formula_columns(const parl_reward_config *config, parl_term term,
                          const parl_fact_columns *of, size_t n, double *out);

#endif
