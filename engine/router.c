/* engine/router.c - choice by repeated search for the best: few are chosen, and ties are plain. */
#include "engine/router.h"

#include <math.h>
#include <string.h>

/* Sum of the two best of n >= 2 values score + bias. */
static float rank_group(const float *scores, const float *bias, size_t n) {
  float best = -INFINITY, second = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    const float x = scores[i] + bias[i];
    if (x > best) {
      second = best;
      best = x;
    } else if (x > second) {
      second = x;
    }
  }
  return best + second;
}

/* Index of the largest of n values that is not taken, the lowest on ties; a NaN only in need. */
static size_t find_best(const float *values, const bool *taken, size_t n) {
  size_t best = n;
  for (size_t i = 0; i < n; i++)
    if (!taken[i] && (best == n || values[i] > values[best])) best = i;
  return best;
}

/* taken [n_experts]: true in groups that the token may not choose from. */
static void exclude_groups(const parl_router *r, const float *scores, const float *bias,
                           bool *taken) {
  const size_t size = r->n_experts / r->n_group;
  float ranks[PARL_ROUTER_MAX_EXPERTS];
  bool chosen[PARL_ROUTER_MAX_EXPERTS] = {false};
  for (size_t g = 0; g < r->n_group; g++)
    ranks[g] = rank_group(scores + g * size, bias + g * size, size);
  for (size_t k = 0; k < r->topk_group; k++) chosen[find_best(ranks, chosen, r->n_group)] = true;
  for (size_t i = 0; i < r->n_experts; i++) taken[i] = !chosen[i / size];
}

void parl_router_choose(const parl_router *r, const float *scores, const float *bias,
                        int32_t *chosen, float *weights) {
  float biased[PARL_ROUTER_MAX_EXPERTS];
  bool taken[PARL_ROUTER_MAX_EXPERTS] = {false}, is_chosen[PARL_ROUTER_MAX_EXPERTS] = {false};
  for (size_t i = 0; i < r->n_experts; i++) biased[i] = scores[i] + bias[i];
  if (r->n_group > 1) exclude_groups(r, scores, bias, taken);
  for (size_t k = 0; k < r->n_chosen; k++) {
    const size_t best = find_best(biased, taken, r->n_experts);
    taken[best] = is_chosen[best] = true;
  }
  double sum = 1e-20;
  size_t n = 0;
  for (size_t i = 0; i < r->n_experts; i++) {
    if (!is_chosen[i]) continue;
    chosen[n++] = (int32_t)i;
    sum += (double)scores[i];
  }
  const double factor = r->normalise ? r->scale / sum : r->scale;
  for (size_t k = 0; k < n; k++) weights[k] = (float)(factor * (double)scores[chosen[k]]);
}

/* w = c s / S:  ds = c / S (dw - sum dw s / S). */
void parl_router_backward(const parl_router *r, const float *scores, const int32_t *chosen,
                          const float *dweights, float *dscores) {
  double sum = 1e-20, pull = 0.0;
  for (size_t k = 0; k < r->n_chosen; k++) {
    sum += (double)scores[chosen[k]];
    pull += (double)dweights[k] * (double)scores[chosen[k]];
  }
  for (size_t k = 0; k < r->n_chosen; k++) {
    double d = r->scale * (double)dweights[k];
    if (r->normalise) d = r->scale / sum * ((double)dweights[k] - pull / sum);
    dscores[chosen[k]] += (float)d;
  }
}

double parl_router_balance(const parl_router *r, size_t T, const float *scores,
                           const int32_t *chosen, double weight, float *dscores) {
  const size_t E = r->n_experts;
  double f[PARL_ROUTER_MAX_EXPERTS] = {0.0}, loss = 0.0;
  const double share = (double)E / ((double)r->n_chosen * (double)T);
  for (size_t i = 0; i < T * r->n_chosen; i++) f[chosen[i]] += share;
  for (size_t t = 0; t < T; t++) {
    const float *s = scores + t * E;
    double sum = 0.0, dot = 0.0;
    for (size_t i = 0; i < E; i++) {
      sum += (double)s[i];
      dot += f[i] * (double)s[i];
    }
    if (!(sum > 0.0)) continue;
    loss += dot / sum;
    for (size_t i = 0; i < E && dscores != NULL; i++)
      dscores[t * E + i] += (float)(weight / (double)T * (f[i] - dot / sum) / sum);
  }
  return weight * loss / (double)T;
}
