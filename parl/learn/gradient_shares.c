/* parl/learn/gradient_shares.c - gradients of the terms' contributions to the advantage. */
#include "parl/learn/gradient_shares.h"

#include <math.h>
#include <stdlib.h>

struct parl_gradient_shares {
  size_t n_params;
  float *none, *whole, *part; /* [n_params] at advantage 0, at the advantage, at a contribution */
  float *advantage;           /* [n_groups * K] */
  double *total;              /* [n_groups * K] */
  double *contributions;      /* [n_groups * K, n_terms] */
};

parl_status parl_gradient_shares_create(size_t n_params, size_t n_groups, size_t K, size_t n_terms,
                                        parl_gradient_shares **out) {
  parl_gradient_shares *s = calloc(1, sizeof *s);
  *out = NULL;
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "gradient shares: no memory");
  *s = (parl_gradient_shares){
      .n_params = n_params,
      .none = calloc(n_params, sizeof *s->none),
      .whole = calloc(n_params, sizeof *s->whole),
      .part = calloc(n_params, sizeof *s->part),
      .advantage = calloc(n_groups * K, sizeof *s->advantage),
      .total = calloc(n_groups * K, sizeof *s->total),
      .contributions = calloc(n_groups * K * n_terms, sizeof *s->contributions)};
  if (!s->none || !s->whole || !s->part || !s->advantage || !s->total || !s->contributions) {
    parl_gradient_shares_destroy(s);
    return parl_fail(PARL_STATUS_ENOMEM, "gradient shares: no memory for %zu parameters", n_params);
  }
  *out = s;
  return PARL_STATUS_OK;
}

void parl_gradient_shares_destroy(parl_gradient_shares *s) {
  if (s == NULL) return;
  free(s->none);
  free(s->whole);
  free(s->part);
  free(s->advantage);
  free(s->total);
  free(s->contributions);
  free(s);
}

static parl_status get_gradient(const parl_gradient_shares *s, parl_learner *learner,
                                parl_gradient_fill fill, void *context, float *out) {
  PARL_TRY(fill(context, s->advantage));
  return parl_learner_read_gradient(learner, out);
}

parl_status parl_gradient_shares_measure(parl_gradient_shares *s, parl_learner *learner,
                                         parl_advantage_mode mode, const parl_reward_batch *batch,
                                         parl_gradient_fill fill, void *context, double *out) {
  const size_t n = batch->n_groups * batch->K;
  double squares = 0;
  PARL_TRY(parl_advantage(mode, batch, s->total));
  PARL_TRY(parl_advantage_get_contributions(mode, batch, s->contributions));
  for (size_t k = 0; k < n; k++) s->advantage[k] = 0;
  PARL_TRY(get_gradient(s, learner, fill, context, s->none));
  for (size_t k = 0; k < n; k++) s->advantage[k] = (float)s->total[k];
  PARL_TRY(get_gradient(s, learner, fill, context, s->whole));
  for (size_t p = 0; p < s->n_params; p++) {
    s->whole[p] -= s->none[p];
    squares += (double)s->whole[p] * (double)s->whole[p];
  }
  for (size_t i = 0; i < batch->table->n; i++) {
    out[i] = squares > 0 ? 0 : (double)NAN;
    if (!(squares > 0) || batch->weights[i] == 0) continue;
    for (size_t k = 0; k < n; k++)
      s->advantage[k] = (float)s->contributions[k * batch->table->n + i];
    PARL_TRY(get_gradient(s, learner, fill, context, s->part));
    double along = 0;
    for (size_t p = 0; p < s->n_params; p++)
      along += ((double)s->part[p] - (double)s->none[p]) * (double)s->whole[p];
    out[i] = along / squares;
  }
  return PARL_STATUS_OK;
}
