/* parl/learn/step_sums.h - what an update's optimizer steps add up to; means are taken once, when
 * the metrics are written.
 *
 * Sums and counts of steps add up in any grouping, means do not. Thread rule: plain data. */
#ifndef PARL_PARL_LEARN_STEP_SUMS_H
#define PARL_PARL_LEARN_STEP_SUMS_H
#include "parl/learn/learner.h"
#include "parl/learn/metrics.h"

typedef struct parl_step_sums {
  size_t n_steps; /* with a token; the others leave no trace */
  parl_objective_sums objective;
  double loss;                     /* of the last step */
  double logp_gap, n_first_tokens; /* nats, and tokens, of the first step */
  double grad_norm, n_clipped;     /* sum of norms; steps that were clipped */
  double n_clipped_heads, lr;      /* lr: of the last step */
  double most, unused, entropy;    /* of parl_load_stats, over steps; NaN without sparse layers */
  double balance_loss, bias_range; /* bias_range: after the last step */
  double max_score;                /* largest of the steps; NaN: nobody looked */
  double n_rows;
} parl_step_sums;

parl_step_sums parl_step_sums_none(void);
void parl_step_sums_add(parl_step_sums *sums, const parl_learner_info *info);
/* Writes the metrics of groups objective, optimizer, attention and experts, and train_tokens; a
 * mean over nothing is NaN. */
void parl_step_sums_write(const parl_step_sums *sums, parl_metrics *out);

#endif
