/* kernels/cpu/plain_moe.c - routing: choice by repeated search for the best, as few are chosen, and
 * ties are plain; then the sort of the choices. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu_internal.h"

void parl_plain_sigmoid_fwd(PARL_NO_QUEUE, const parl_sigmoid_fwd_args *a) {
  for (size_t i = 0; i < a->n; i++) a->x[i] = (float)(1.0 / (1.0 + exp(-(double)a->x[i])));
}

void parl_plain_sigmoid_bwd(PARL_NO_QUEUE, const parl_sigmoid_bwd_args *a) {
  for (size_t i = 0; i < a->n; i++) a->dy[i] *= a->y[i] * (1.0F - a->y[i]);
}

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

static void choose(const parl_router *r, const float *scores, const float *bias, int32_t *chosen,
                   float *weights) {
  float biased[PARL_ROUTER_MAX_EXPERTS];
  bool taken[PARL_ROUTER_MAX_EXPERTS], is_chosen[PARL_ROUTER_MAX_EXPERTS];
  for (size_t i = 0; i < r->n_experts; i++) {
    biased[i] = scores[i] + bias[i];
    taken[i] = is_chosen[i] = false;
  }
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

void parl_plain_route_fwd(PARL_NO_QUEUE, const parl_route_fwd_args *a) {
  const size_t E = a->router.n_experts, K = a->router.n_chosen;
  for (size_t t = 0; t < a->rows; t++)
    choose(&a->router, a->scores + t * E, a->bias, a->chosen + t * K, a->weights + t * K);
}

/* w = c s / S:  ds = c / S (dw - sum dw s / S). */
void parl_plain_route_bwd(PARL_NO_QUEUE, const parl_route_bwd_args *a) {
  const parl_router *r = &a->router;
  memset(a->dscores, 0, a->rows * r->n_experts * sizeof *a->dscores);
  for (size_t t = 0; t < a->rows; t++) {
    const float *scores = a->scores + t * r->n_experts, *dweights = a->dweights + t * r->n_chosen;
    const int32_t *chosen = a->chosen + t * r->n_chosen;
    double sum = 1e-20, pull = 0.0;
    for (size_t k = 0; k < r->n_chosen; k++) {
      sum += (double)scores[chosen[k]];
      pull += (double)dweights[k] * (double)scores[chosen[k]];
    }
    for (size_t k = 0; k < r->n_chosen; k++) {
      double d = r->scale * (double)dweights[k];
      if (r->normalise) d = r->scale / sum * ((double)dweights[k] - pull / sum);
      a->dscores[t * r->n_experts + (size_t)chosen[k]] = (float)d;
    }
  }
}

/* The loss of one sequence of T tokens from row `start` on. */
static double balance_sequence(const parl_balance_args *a, size_t start, size_t T) {
  const size_t E = a->router.n_experts, K = a->router.n_chosen;
  const int32_t *chosen = a->chosen + start * K;
  double f[PARL_ROUTER_MAX_EXPERTS], loss = 0.0;
  const double share = (double)E / ((double)K * (double)T);
  for (size_t i = 0; i < E; i++) f[i] = 0.0;
  for (size_t i = 0; i < T * K; i++) f[chosen[i]] += share;
  for (size_t t = start; t < start + T; t++) {
    const float *s = a->scores + t * E;
    double sum = 0.0, dot = 0.0;
    for (size_t i = 0; i < E; i++) {
      sum += (double)s[i];
      dot += f[i] * (double)s[i];
    }
    if (!(sum > 0.0)) continue;
    loss += dot / sum;
    for (size_t i = 0; i < E && a->dscores != NULL; i++)
      a->dscores[t * E + i] += (float)(a->weight / (double)T * (f[i] - dot / sum) / sum);
  }
  return a->weight * loss / (double)T;
}

void parl_plain_balance(PARL_NO_QUEUE, const parl_balance_args *a) {
  for (size_t q = 0; q < a->n_seqs; q++) {
    const size_t start = (size_t)a->seq_start[q];
    *a->loss += balance_sequence(a, start, (size_t)a->seq_start[q + 1] - start);
  }
}

void parl_plain_dispatch(PARL_NO_QUEUE, const parl_dispatch_args *a) {
  const size_t n = a->rows * a->n_chosen;
  memset(a->first, 0, (a->n_experts + 1) * sizeof *a->first);
  for (size_t i = 0; i < n; i++) a->first[a->chosen[i] + 1]++;
  for (size_t e = 0; e < a->n_experts; e++) a->first[e + 1] += a->first[e];
  for (size_t t = 0, i = 0; t < a->rows; t++)
    for (size_t k = 0; k < a->n_chosen; k++, i++) {
      const int32_t place = a->first[a->chosen[i]]++;
      a->place_of[i] = place;
      a->row_of[place] = (int32_t)t;
    }
  for (size_t e = a->n_experts; e > 0; e--) a->first[e] = a->first[e - 1];
  a->first[0] = 0;
}

void parl_plain_count_load(PARL_NO_QUEUE, const parl_count_load_args *a) {
  for (size_t e = 0; e < a->n_experts; e++) a->load[e] += a->first[e + 1] - a->first[e];
}

void parl_plain_combine_bwd(PARL_NO_QUEUE, const parl_combine_bwd_args *a) {
  for (size_t t = 0, i = 0; t < a->rows; t++)
    for (size_t k = 0; k < a->n_chosen; k++, i++) {
      const size_t place = (size_t)a->place_of[i];
      const float *dout = a->dout + t * a->C, *output = a->output + place * a->C;
      float *d = a->doutput + place * a->C;
      double dot = 0.0;
      for (size_t c = 0; c < a->C; c++) {
        dot += (double)dout[c] * (double)output[c];
        d[c] = dout[c] * a->weights[i];
      }
      a->dweights[i] = (float)dot;
    }
}
