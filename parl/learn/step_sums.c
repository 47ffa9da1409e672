/* parl/learn/step_sums.c - sums over steps, then means. */
#include "parl/learn/step_sums.h"

#include <math.h>

parl_step_sums parl_step_sums_none(void) {
  return (parl_step_sums){.max_score = (double)NAN, .bias_range = (double)NAN};
}

void parl_step_sums_add(parl_step_sums *sums, const parl_learner_info *info) {
  if (info->sums.n_tokens <= 0) return;
  if (sums->n_steps++ == 0) {
    sums->logp_gap = info->logp_gap;
    sums->n_first_tokens = info->sums.n_tokens;
  }
  parl_objective_sums_add(&sums->objective, &info->sums);
  sums->loss = info->sums.loss;
  sums->grad_norm += info->optimizer.grad_norm;
  sums->n_clipped += info->optimizer.clipped ? 1 : 0;
  sums->n_clipped_heads += (double)info->optimizer.n_clipped_heads;
  sums->lr = info->optimizer.lr;
  sums->most += info->load.most;
  sums->unused += info->load.unused;
  sums->entropy += info->load.entropy;
  sums->balance_loss += info->balance_loss;
  sums->bias_range = info->load.bias_range;
  sums->max_score = fmax(sums->max_score, info->max_score);
  sums->n_rows += (double)info->n_rows;
}

static double get_mean(double sum, double n) {
  return n > 0 ? sum / n : (double)NAN;
}

void parl_step_sums_write(const parl_step_sums *sums, parl_metrics *out) {
  const double tokens = sums->objective.n_tokens, steps = (double)sums->n_steps;
  out->loss = sums->n_steps > 0 ? sums->loss : (double)NAN;
  out->masked = get_mean(sums->objective.masked, tokens);
  out->truncated = get_mean(sums->objective.truncated, tokens);
  out->ratio_max = sums->n_steps > 0 ? sums->objective.ratio_max : (double)NAN;
  out->kl = get_mean(sums->objective.kl, tokens);
#define X(name, end, what) \
  out->name = get_mean(sums->objective.bins[PARL_RATIO_BIN_##name], tokens);
  PARL_RATIO_BIN_LIST(X)
#undef X
  out->entropy = get_mean(sums->objective.entropy, tokens);
  out->logp_gap = get_mean(sums->logp_gap, sums->n_first_tokens);
  out->grad_norm = get_mean(sums->grad_norm, steps);
  out->lr = sums->n_steps > 0 ? sums->lr : (double)NAN;
  out->clipped = get_mean(sums->n_clipped, steps);
  out->clipped_heads = get_mean(sums->n_clipped_heads, steps);
  out->max_score = sums->max_score;
  out->expert_most = get_mean(sums->most, steps);
  out->expert_unused = get_mean(sums->unused, steps);
  out->expert_entropy = get_mean(sums->entropy, steps);
  out->balance_loss = get_mean(sums->balance_loss, steps);
  out->bias_range = sums->bias_range;
  out->train_tokens = sums->n_rows;
}
