/* engine/expert_balance.c - statistics over a layer's experts, then over layers. */
#include "engine/expert_balance.h"

#include <math.h>

#include "engine/model_internal.h"

/* Adds one layer; its entropy is a sum here, its unused experts a count. */
static void add_layer(size_t n, const int64_t *load, const float *bias, parl_load_stats *sum) {
  double total = 0.0, entropy = 0.0;
  float low = INFINITY, high = -INFINITY;
  for (size_t e = 0; e < n; e++) total += (double)load[e];
  for (size_t e = 0; e < n; e++) {
    const double share = (double)load[e] / total;
    sum->most = fmax(sum->most, share * (double)n);
    if (load[e] > 0)
      entropy -= share * log(share);
    else
      sum->unused += 1.0;
    low = fminf(low, bias[e]);
    high = fmaxf(high, bias[e]);
  }
  sum->entropy += n > 1 ? entropy / log((double)n) : 1.0;
  sum->bias_range = fmax(sum->bias_range, (double)high - (double)low);
}

static bool has_tokens(size_t n, const int64_t *load) {
  for (size_t e = 0; e < n; e++)
    if (load[e] > 0) return true;
  return false;
}

parl_status parl_model_measure_load(const parl_model *model, const int64_t *load,
                                    parl_load_stats *out) {
  const size_t E = model->dims.router.n_experts;
  const double none = (double)NAN;
  parl_load_stats sum = {0};
  double n = 0.0;
  for (size_t i = model->dims.first_moe; i < model->dims.L; i++, load += E) {
    if (!has_tokens(E, load)) continue;
    float bias[PARL_ROUTER_MAX_EXPERTS];
    PARL_TRY(parl_model_read(model, model->layers[i].bias, E, bias));
    add_layer(E, load, bias, &sum);
    n += 1.0;
  }
  sum.unused /= n * (double)E;
  sum.entropy /= n;
  *out = n > 0.0 ? sum : (parl_load_stats){none, none, none, none};
  return PARL_STATUS_OK;
}
