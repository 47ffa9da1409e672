/* engine/router.h - which experts a token goes to, with what weights, and their gradient.
 *
 * score = sigmoid(logit). A token chooses the n_chosen experts of highest score + bias, from the
 * topk_group groups whose two best sum highest; ties go to the lower index. The bias takes part in
 * the choice only. weight = scale * score, divided by the chosen scores' sum if normalised.
 * Thread rule: pure functions. Reading order: parl_router, choose, backward, balance.
 * Source: DeepSeek-V3 2024, section 2.1.2; k25 5.1. */
#ifndef PARL_ENGINE_ROUTER_H
#define PARL_ENGINE_ROUTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARL_ROUTER_MAX_EXPERTS = 4096, PARL_ROUTER_MAX_CHOSEN = 64 };

typedef struct parl_router {
  size_t n_experts, n_chosen; /* n_chosen <= experts of topk_group groups */
  size_t n_group, topk_group; /* groups of equal size, of two experts at least if several */
  bool normalise;
  double scale;
} parl_router;

/* scores [n_experts], bias [n_experts] -> chosen [n_chosen] ascending, weights [n_chosen]. */
void parl_router_choose(const parl_router *r, const float *scores, const float *bias,
                        int32_t *chosen, float *weights);
/* dscores [n_experts] += gradient of the chosen weights, dweights [n_chosen]. */
void parl_router_backward(const parl_router *r, const float *scores, const int32_t *chosen,
                          const float *dweights, float *dscores);
/* Balance loss of one sequence of T tokens, weight * sum_i f_i P_i: f_i = n_experts / (n_chosen T)
 * * tokens that chose i, P_i = mean of score_i / sum of a token's scores. scores [T, n_experts],
 * chosen [T, n_chosen]; dscores [T, n_experts] += its gradient (f is constant), unless NULL.
 * Source: DeepSeek-V3 2024, equations 17 to 20. */
double parl_router_balance(const parl_router *r, size_t T, const float *scores,
                           const int32_t *chosen, double weight, float *dscores);

#endif
