/* parl/learn/gradient_shares.h - which term of the reward moves the policy, and how far.
 *
 * An advantage is a sum of contributions A_i, one a term (parl/reward/advantage.h), and the
 * gradient of the policy's loss is linear in the advantage: g = sum_i g_i. The share of term i is
 * g_i . g / |g|^2, its part of the step along the step; shares add up to 1, and one is negative
 * where its term pulls against the rest. What does not depend on the advantage (the squared
 * log-ratio, the entropy's bonus, the experts' balance) is in no g_i: each is a difference to the
 * gradient at advantage 0. Linear: k25, reinforce, tis; ppo on policy; squared, but for its own
 * term. The update's batch is taken whole, before its first optimizer step.
 * Cost: a forward and a backward pass for each term with a weight, and two more.
 * Thread rule: one thread per object; it uses the learner's workers. Source: ours. */
#ifndef PARL_PARL_LEARN_GRADIENT_SHARES_H
#define PARL_PARL_LEARN_GRADIENT_SHARES_H
#include "parl/learn/learner.h"
#include "parl/reward/advantage.h"

typedef struct parl_gradient_shares parl_gradient_shares;

/* Of at most n_groups groups and n_terms terms. Fails: ENOMEM. */
parl_status parl_gradient_shares_create(size_t n_params, size_t n_groups, size_t K, size_t n_terms,
                                        parl_gradient_shares **out);
/* NULL is allowed. */
void parl_gradient_shares_destroy(parl_gradient_shares *s);

/* Puts the update's episodes with advantages [n_groups * K] into the learner's batch. */
typedef parl_status (*parl_gradient_fill)(void *context, const float *advantage);

/* out [n of table]: the shares; 0 of a term of weight 0; NaN, all, where the gradient is 0. The
 * learner's batch is filled anew; its weights stay. Fails: as parl_learner_gradient. */
parl_status parl_gradient_shares_measure(parl_gradient_shares *s, parl_learner *learner,
                                         parl_advantage_mode mode, const parl_reward_batch *batch,
                                         parl_gradient_fill fill, void *context, double *out);

#endif
