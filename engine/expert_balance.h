/* engine/expert_balance.h - how evenly tokens are spread over the experts of sparse layers.
 *
 * Thread rule: pure functions. */
#ifndef PARL_ENGINE_EXPERT_BALANCE_H
#define PARL_ENGINE_EXPERT_BALANCE_H
#include "engine/model.h"

/* Layers without a token do not count; without any that does, all are NaN. */
typedef struct parl_load_stats {
  double most;       /* an expert's load / the mean of its layer's experts, the largest */
  double unused;     /* share of experts without a token */
  double entropy;    /* of a layer's loads / that of equal loads, mean of the layers; in [0, 1] */
  double bias_range; /* largest - smallest selection bias of a layer, the widest */
} parl_load_stats;

/* load [n_sparse_layers, n_routed_experts] counts tokens, as parl_train_step_get_load has them; the
 * biases are the model's now. Fails: as the device says. Source: ours. */
parl_status parl_model_measure_load(const parl_model *model, const int64_t *load,
                                    parl_load_stats *out);

#endif
