/* kernels/ref/moe.c - routing, experts and their gradients.
 *
 *   w_k = c s_k / sum s  (or c s_k);  ds_k = c / sum s (dw_k - sum_j dw_j s_j / sum s)
 *   out[t] += sum_k w_k down(silu(gate x) up x) of expert k */
#include <math.h>
#include <string.h>

#include "kernels/ref/ref_internal.h"

void parl_ref_sigmoid_fwd(PARL_NO_QUEUE, const parl_sigmoid_fwd_args *a) {
  for (size_t i = 0; i < a->n; i++) a->x[i] = (float)(1.0 / (1.0 + exp(-(double)a->x[i])));
}

void parl_ref_sigmoid_bwd(PARL_NO_QUEUE, const parl_sigmoid_bwd_args *a) {
  for (size_t i = 0; i < a->n; i++)
    a->dy[i] = (float)((double)a->dy[i] * (double)a->y[i] * (1.0 - (double)a->y[i]));
}

/* What group g of a token is worth: the sum of its two best. */
static float rank_group(const parl_router *r, const float *scores, const float *bias, size_t g) {
  const size_t size = r->n_experts / r->n_group;
  float best = -INFINITY;
  for (size_t i = g * size; i < (g + 1) * size; i++)
    for (size_t j = i + 1; j < (g + 1) * size; j++)
      best = fmaxf(best, scores[i] + bias[i] + (scores[j] + bias[j]));
  return best;
}

/* A group is left out if topk_group others come before it. */
static bool is_group_left(const parl_router *r, const float *scores, const float *bias, size_t g) {
  const float own = rank_group(r, scores, bias, g);
  size_t before = 0;
  for (size_t i = 0; i < r->n_group; i++) {
    const float other = rank_group(r, scores, bias, i);
    before += other > own || (!(other < own) && i < g);
  }
  return before >= r->topk_group;
}

static bool is_chosen(const parl_router *r, const float *scores, const float *bias,
                      const bool *is_left, size_t e) {
  const float own = scores[e] + bias[e];
  size_t before = 0;
  for (size_t i = 0; i < r->n_experts; i++)
    if (!is_left[i]) before += scores[i] + bias[i] > own || (!(scores[i] + bias[i] < own) && i < e);
  return !is_left[e] && before < r->n_chosen;
}

void parl_ref_route_fwd(PARL_NO_QUEUE, const parl_route_fwd_args *a) {
  const parl_router *r = &a->router;
  const size_t E = r->n_experts, K = r->n_chosen;
  bool is_left[PARL_ROUTER_MAX_EXPERTS];
  for (size_t t = 0; t < a->rows; t++) {
    const float *scores = a->scores + t * E;
    double sum = 1e-20;
    size_t n = 0;
    for (size_t e = 0; e < E; e++)
      is_left[e] = r->n_group > 1 && is_group_left(r, scores, a->bias, e / (E / r->n_group));
    for (size_t e = 0; e < E && n < K; e++)
      if (is_chosen(r, scores, a->bias, is_left, e)) {
        a->chosen[t * K + n++] = (int32_t)e;
        sum += (double)scores[e];
      }
    for (size_t k = 0; k < K; k++)
      a->weights[t * K + k] =
          (float)(r->scale * (double)scores[a->chosen[t * K + k]] / (r->normalise ? sum : 1.0));
  }
}

void parl_ref_route_bwd(PARL_NO_QUEUE, const parl_route_bwd_args *a) {
  const parl_router *r = &a->router;
  const size_t E = r->n_experts, K = r->n_chosen;
  for (size_t i = 0; i < a->rows * E; i++) a->dscores[i] = 0.0F;
  for (size_t t = 0; t < a->rows; t++) {
    double sum = 1e-20, pull = 0.0;
    for (size_t k = t * K; k < (t + 1) * K; k++) {
      const double s = (double)a->scores[t * E + (size_t)a->chosen[k]];
      sum += s;
      pull += s * (double)a->dweights[k];
    }
    for (size_t k = t * K; k < (t + 1) * K; k++) {
      const double d = (double)a->dweights[k];
      a->dscores[t * E + (size_t)a->chosen[k]] =
          (float)(r->normalise ? r->scale * (d * sum - pull) / (sum * sum) : r->scale * d);
    }
  }
}

void parl_ref_balance(PARL_NO_QUEUE, const parl_balance_args *a) {
  const size_t E = a->router.n_experts, K = a->router.n_chosen;
  for (size_t q = 0; q < a->n_seqs; q++) {
    const size_t start = (size_t)a->seq_start[q], end = (size_t)a->seq_start[q + 1];
    const double T = (double)(end - start);
    double loss = 0.0;
    for (size_t t = start; t < end; t++) {
      double sum = 0.0, dot = 0.0;
      for (size_t e = 0; e < E; e++) sum += (double)a->scores[t * E + e];
      if (!(sum > 0.0)) continue;
      for (int pass = 0; pass < 2; pass++)
        for (size_t e = 0; e < E; e++) {
          double f = 0.0; /* naive: counted again for every token */
          for (size_t i = start * K; i < end * K; i++) f += a->chosen[i] == (int32_t)e;
          f *= (double)E / ((double)K * T);
          if (pass == 0)
            dot += f * (double)a->scores[t * E + e] / sum;
          else if (a->dscores != NULL)
            a->dscores[t * E + e] += (float)(a->weight / T * (f - dot) / sum);
        }
      loss += dot / T;
    }
    *a->loss += a->weight * loss;
  }
}

void parl_ref_dispatch(PARL_NO_QUEUE, const parl_dispatch_args *a) {
  int32_t place = 0;
  for (size_t e = 0; e < a->n_experts; e++) {
    a->first[e] = place;
    for (size_t i = 0; i < a->rows * a->n_chosen; i++)
      if (a->chosen[i] == (int32_t)e) {
        a->place_of[i] = place;
        a->row_of[place++] = (int32_t)(i / a->n_chosen);
      }
  }
  a->first[a->n_experts] = place;
}

void parl_ref_count_load(PARL_NO_QUEUE, const parl_count_load_args *a) {
  for (size_t e = 0; e < a->n_experts; e++) a->load[e] += (int64_t)a->first[e + 1] - a->first[e];
}

void parl_ref_combine_fwd(PARL_NO_QUEUE, const parl_combine_fwd_args *a) {
  for (size_t i = 0; i < a->rows * a->n_chosen; i++)
    for (size_t c = 0; c < a->C; c++) {
      const double weight = a->weights != NULL ? (double)a->weights[i] : 1.0;
      float *to = &a->out[i / a->n_chosen * a->C + c];
      *to = (float)((double)*to + weight * (double)a->output[(size_t)a->place_of[i] * a->C + c]);
    }
}

void parl_ref_combine_bwd(PARL_NO_QUEUE, const parl_combine_bwd_args *a) {
  for (size_t i = 0; i < a->rows * a->n_chosen; i++) {
    const size_t place = (size_t)a->place_of[i];
    double sum = 0.0;
    for (size_t c = 0; c < a->C; c++) {
      const double d = (double)a->dout[i / a->n_chosen * a->C + c];
      sum += d * (double)a->output[place * a->C + c];
      a->doutput[place * a->C + c] = (float)(d * (double)a->weights[i]);
    }
    a->dweights[i] = (float)sum;
  }
}

/* y [rows,N] = x [rows,K] W^T of an expert. */
static void multiply(const parl_expert_weights *w, size_t e, size_t rows, size_t N, size_t K,
                     const float *x, float *y) {
  const parl_linear_fwd_args args = {.M = rows,
                                     .N = N,
                                     .K = K,
                                     .x = x,
                                     .ld_x = K,
                                     .packed = w->packed + e * w->packed_stride,
                                     .y = y,
                                     .ld_y = N};
  parl_ref_linear_fwd(NULL, &args);
}

void parl_ref_experts_fwd(PARL_NO_QUEUE, const parl_experts_fwd_args *a) {
  const size_t n = (size_t)a->first[a->E];
  for (size_t e = 0; e < a->E; e++) {
    const size_t start = (size_t)a->first[e], rows = (size_t)a->first[e + 1] - start;
    multiply(&a->gate_up, e, rows, 2 * a->F, a->C, a->input + start * a->C,
             a->inner + start * 2 * a->F);
  }
  parl_ref_swiglu_fwd(NULL, &(parl_swiglu_fwd_args){n, a->F, a->inner, a->act});
  for (size_t e = 0; e < a->E; e++) {
    const size_t start = (size_t)a->first[e], rows = (size_t)a->first[e + 1] - start;
    multiply(&a->down, e, rows, a->C, a->F, a->act + start * a->F, a->output + start * a->C);
  }
}

/* dw of an expert += dy^T x. */
static void add_weight_gradient(const parl_expert_weights *w, size_t e, size_t rows, size_t N,
                                size_t K, const float *dy, const float *x, float *dw) {
  const parl_linear_bwd_weight_args args = {.M = rows,
                                            .N = N,
                                            .K = K,
                                            .dy = dy,
                                            .ld_dy = N,
                                            .x = x,
                                            .ld_x = K,
                                            .dw = dw + e * w->dw_stride};
  parl_ref_linear_bwd_weight(NULL, &args);
}

static void multiply_back(const parl_expert_weights *w, size_t e, size_t rows, size_t N, size_t K,
                          const float *dy, float *dx) {
  const parl_linear_bwd_input_args args = {.M = rows,
                                           .N = N,
                                           .K = K,
                                           .dy = dy,
                                           .ld_dy = N,
                                           .w = w->w + e * w->w_stride,
                                           .packed = w->packed + e * w->packed_stride,
                                           .dx = dx,
                                           .ld_dx = K};
  parl_ref_linear_bwd_input(NULL, &args);
}

void parl_ref_experts_bwd(PARL_NO_QUEUE, const parl_experts_bwd_args *a) {
  const parl_experts_fwd_args *f = &a->fwd;
  const size_t n = (size_t)f->first[f->E], C = f->C, F = f->F;
  for (size_t e = 0; e < f->E; e++) {
    const size_t start = (size_t)f->first[e], rows = (size_t)f->first[e + 1] - start;
    const float *dy = a->doutput + start * C;
    float *act = f->act + start * F;
    add_weight_gradient(&f->down, e, rows, C, F, dy, act, a->ddown);
    multiply_back(&f->down, e, rows, C, F, dy, act);
  }
  parl_ref_swiglu_bwd(NULL, &(parl_swiglu_bwd_args){n, F, f->inner, f->act, f->inner});
  for (size_t e = 0; e < f->E; e++) {
    const size_t start = (size_t)f->first[e], rows = (size_t)f->first[e + 1] - start;
    const float *dy = f->inner + start * 2 * F;
    add_weight_gradient(&f->gate_up, e, rows, 2 * F, C, dy, f->input + start * C, a->dgate_up);
    multiply_back(&f->gate_up, e, rows, 2 * F, C, dy, a->dinput + start * C);
  }
}
