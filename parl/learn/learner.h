/* parl/learn/learner.h - one optimizer step from a batch: imitation, or the policy objective.
 *
 * Owns the optimizer and everything a step needs; nothing is allocated after creation. Results
 * do not depend on the number of workers. Thread rule: one thread per learner; it uses its
 * workers. */
#ifndef PARL_PARL_LEARN_LEARNER_H
#define PARL_PARL_LEARN_LEARNER_H
#include <stdatomic.h>

#include "core/workers.h"
#include "engine/expert_balance.h"
#include "engine/optimizer.h"
#include "lua/env.h"
#include "parl/learn/batch.h"
#include "parl/reward/objective.h"

typedef struct parl_learner_def {
  parl_model *model; /* borrowed; its weights change */
  parl_workers *workers;
  const parl_optimizer_config *optimizer;
  const parl_objective_config *objective; /* NULL: only where it imitates */
  bool vision_alone;                      /* all but tower and projector stay as they are */
  bool imitate;                           /* minimise the mean of -logp; without an objective */
  size_t n_leaves;                        /* of the tree that sums gradients, engine/leaves.h */
  size_t slice_rows;                      /* of a slice, unless one sequence is longer */
  size_t max_sequences, longest, n_words; /* of a batch */
  size_t max_rows;                        /* of a batch; 0: max_sequences of the longest */
  parl_env_vision vision; /* of the environment; of one that shows nothing: width 0 */
  double temperature;     /* of the behaviour policy; 1 for imitation */
  const atomic_int *stop; /* non-zero ends a step before it changes anything; or NULL */
} parl_learner_def;
/* 4 leaves, slices of 512 rows, temperature 1: those of the warm start. Model, optimizer, sizes and
 * what to learn by are still to be set. */
parl_learner_def parl_learner_def_default(void);

typedef struct parl_learner_info {
  parl_objective_sums sums; /* over the step's tokens */
  double logp_gap; /* sum over tokens of |trainer's logp - decoder's logp|, before the step; nats */
  parl_optimizer_info optimizer;
  parl_load_stats load; /* of the step's tokens, the biases after it; NaN without sparse layers */
  double balance_loss;  /* weighted, before the step; NaN without sparse layers */
  double max_score;     /* largest attention score, before QK-Clip; NaN unless it looks */
  size_t n_rows;        /* tokens through the model */
} parl_learner_info;

typedef struct parl_learner parl_learner;
/* Fails: EINVAL if def says neither an objective nor to imitate, or both, or has a size or a
 * temperature of 0; ENOMEM. */
parl_status parl_learner_create(const parl_learner_def *def, parl_learner **out);
void parl_learner_destroy(parl_learner *learner);
/* The batch to fill: reset, add, then step. Borrowed. */
parl_batch *parl_learner_get_batch(parl_learner *learner);
parl_optimizer *parl_learner_get_optimizer(parl_learner *learner);
/* Loss and gradient of the batch without a step: *grads [n_params], borrowed, valid until the
 * next call. The loss divides by totals, which are those of the batch unless it is a part of a
 * larger one: the parts' losses and gradients then add up to the whole's. Fails: EINVAL if a
 * log-probability or gradient is not finite. */
parl_status parl_learner_gradient(parl_learner *learner, const parl_batch_totals *totals,
                                  parl_learner_info *info, float **grads);
/* The gradient of the batch as it is, out [n_params] on the host; without a choice in it zeros.
 * Fails: likewise, ESTOPPED. */
parl_status parl_learner_read_gradient(parl_learner *learner, float *out);
/* What the batch's choices are worth, without a gradient: info->sums, and likeliest [choices], of
 * the tokens that are allowed the one with the largest probability, the first of several.
 * Fails: likewise, ENOMEM. */
parl_status parl_learner_measure(parl_learner *learner, int32_t *likeliest,
                                 parl_learner_info *info);
/* Log-probabilities of the batch's choices [choices] before the last step, or as last measured.
 * Borrowed. */
const float *parl_learner_get_logp(const parl_learner *learner);
/* One step on the batch; without a single choice in it nothing happens and info is zero. Fails:
 * EINVAL if a loss or gradient is not finite, ESTOPPED; the weights are untouched then. */
parl_status parl_learner_step(parl_learner *learner, parl_learner_info *info);

#endif
