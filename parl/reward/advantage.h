/* parl/reward/advantage.h - rewards of groups of rollouts to advantages.
 *
 * Thread rule: pure functions. Reading order: mode, advantage, shares. */
#ifndef PARL_PARL_REWARD_ADVANTAGE_H
#define PARL_PARL_REWARD_ADVANTAGE_H
#include "core/config.h"
#include "parl/reward/reward.h"

/* Order matters: it is the CHOICE order of the objective section. std is the population's: divided
 * by K, not by K - 1. */
typedef enum parl_advantage_mode {
  PARL_ADVANTAGE_NONE,     /* r */
  PARL_ADVANTAGE_MEAN,     /* r - mean of the group (k25 2.1) */
  PARL_ADVANTAGE_MEAN_STD, /* (r - mean) / (std + 1e-6), GRPO */
  PARL_ADVANTAGE_PER_TERM, /* sum over terms of weight * (term - mean) / (std + 1e-6): GDPO without
                              its last step */
  PARL_ADVANTAGE_BATCH,    /* (r - group mean) / (std of r - group mean in the batch + 1e-6) */
  PARL_ADVANTAGE_LOO,      /* r - mean of the K - 1 others = K / (K - 1) * (r - mean), RLOO; 0 if K
                              is 1 */
  PARL_ADVANTAGE_GDPO      /* per_term / (std of per_term in the batch + 1e-6) */
} parl_advantage_mode;
enum { PARL_N_ADVANTAGES = PARL_ADVANTAGE_GDPO + 1 };

/* Rewards of a batch: group g of K rollouts of one task is rows g*K .. g*K+K-1 of `terms`. */
typedef struct parl_reward_batch {
  const parl_term_table *table;
  size_t n_groups, K;
  const double *terms;   /* [n_groups * K, n of table] raw */
  const double *weights; /* [n of table] */
} parl_reward_batch;

/* By what a difference to the mean of all K is multiplied, so that it is one to the mean of the
 * others: K / (K - 1), 0 if K = 1; 1 for modes that do not leave one out. */
double parl_advantage_get_factor(parl_advantage_mode mode, size_t K);

/* Advantage of every rollout, out [n_groups * K]. std is the population's. A group without spread
 * has advantages of exactly 0 (but in mode none).
 * Fails: EINVAL if K < 1, or a term or weight is not finite; out is untouched then.
 * Source: k25 2.1; Shao 2024 (GRPO); Liu 2026, arXiv 2601.05242 (GDPO); Hu 2025 (batch, as
 * REINFORCE++ with a baseline); Kool 2019, Ahmadian 2024 (RLOO). */
parl_status parl_advantage(parl_advantage_mode mode, const parl_reward_batch *batch, double *out);

/* What every term adds to every advantage, out [n_groups * K, n of table]: the weighted term,
 * centred and divided as the mode centres and divides the whole. Fails: as parl_advantage. */
parl_status parl_advantage_get_contributions(parl_advantage_mode mode,
                                             const parl_reward_batch *batch, double *out);

/* What a difference of raw terms is worth on the scale of the advantage: the weight of each term
 * over what the mode divides it by, out [n_groups, n of table]. Fails: as parl_advantage. */
parl_status parl_advantage_get_scales(parl_advantage_mode mode, const parl_reward_batch *batch,
                                      double *out);

/* What the advantage is made of. A share is the mean |contribution| over the sum of all terms'
 * means; 0 if all are 0. */
typedef struct parl_advantage_shares {
  double share[PARL_MAX_TERMS]; /* [n of table] of |advantage|, by term */
  double zero_spread_perf;      /* share of groups whose r_perf is the same in all K */
  double zero_spread_total;     /* share of groups whose total reward is the same in all K */
  double mean_abs;              /* mean |advantage| */
  double mean_abs_shaped_only;  /* mean |advantage| in groups without r_perf spread; 0 if none */
} parl_advantage_shares;
/* As parl_advantage. All 0 if n_groups is 0. */
parl_status parl_advantage_get_shares(parl_advantage_mode mode, const parl_reward_batch *batch,
                                      parl_advantage_shares *out);
/* Whether a mode cancels a common scale of the lambdas in groups where only shaped terms vary:
 * mean_std. (per_term multiplies by lambda after it divided; batch and gdpo cancel only when no
 * group of the batch has r_perf spread.) */
bool parl_advantage_cancels_lambda(parl_advantage_mode mode);

#endif
