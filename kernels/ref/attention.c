/* kernels/ref/attention.c - attention over packed sequences, its gradient, and decoding.
 *
 * q [rows, H, D] · k [rows, H_kv, D] · v [rows, H_kv, Dv] -> out [rows, H, Dv], lse [rows, H]
 * Row t of a sequence sees the rows of its sequence up to t, or all if it looks both ways; head h
 * reads group h / (H / H_kv).
 *   s = scale q.k,  lse = log sum exp s,  p = exp(s - lse),  out = sum p v
 *   dv += p dout,  dp = dout.v,  ds = p (dp - dout.out) scale,  dq += ds k,  dk += ds q */
#include <math.h>
#include <string.h>

#include "kernels/ref/ref_internal.h"

/* Scratch holds one row of scores, or the gradient sums of one key, in double; then a head's keys
 * and values of a cache. */
size_t parl_ref_attention_scratch_floats(size_t longest, size_t D, size_t Dv) {
  return 2 * (longest + D + Dv + 1) + longest * (D + Dv);
}

static double dot(const float *a, const float *b, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* Scratch as doubles; it may start at any float. */
static double *as_doubles(float *scratch) {
  return (double *)(((uintptr_t)scratch + sizeof(double) - 1) & ~(uintptr_t)(sizeof(double) - 1));
}

/* out[Dv] = softmax(scale q.k) v over `n` keys that lie ld_k (ld_v) apart; returns the lse. */
static double attend(size_t n, size_t D, size_t Dv, double scale, const float *q, const float *k,
                     size_t ld_k, const float *v, size_t ld_v, double *scores, float *out) {
  double top = -INFINITY, sum = 0.0;
  for (size_t t = 0; t < n; t++) {
    scores[t] = scale * dot(q, k + t * ld_k, D);
    top = fmax(top, scores[t]);
  }
  for (size_t t = 0; t < n; t++) {
    scores[t] = exp(scores[t] - top);
    sum += scores[t];
  }
  for (size_t d = 0; d < Dv; d++) {
    double mean = 0.0;
    for (size_t t = 0; t < n; t++) mean += scores[t] * (double)v[t * ld_v + d];
    out[d] = (float)(mean / sum);
  }
  return top + log(sum);
}

void parl_ref_attention_fwd(PARL_NO_QUEUE, const parl_attention_fwd_args *a) {
  double *scores = as_doubles(a->scratch);
  for (size_t s = 0; s < a->n_seqs; s++)
    for (size_t h = 0; h < a->H; h++) {
      const size_t group = h / (a->H / a->H_kv), start = (size_t)a->seq_start[s];
      for (size_t row = start; row < (size_t)a->seq_start[s + 1]; row++) {
        const size_t end = a->both_ways ? (size_t)a->seq_start[s + 1] : row + 1;
        const double lse = attend(
            end - start, a->D, a->Dv, (double)a->scale, a->q + row * a->ld_q + h * a->D,
            a->k + start * a->ld_k + group * a->D, a->ld_k, a->v + start * a->ld_v + group * a->Dv,
            a->ld_v, scores, a->out + row * a->ld_out + h * a->Dv);
        a->lse[row * a->H + h] = (float)lse;
        if (a->max_scores == NULL) continue;
        for (size_t t = start; t < end; t++)
          a->max_scores[h] = fmaxf(a->max_scores[h],
                                   a->scale * (float)dot(a->q + row * a->ld_q + h * a->D,
                                                         a->k + t * a->ld_k + group * a->D, a->D));
      }
    }
}

/* p and ds of query row `row` of head h against key row `key`. */
static void pair_gradient(const parl_attention_bwd_args *a, size_t row, size_t key, size_t h,
                          double *p, double *ds) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t group = h / (f->H / f->H_kv);
  const float *dout = a->dout + row * a->ld_dout + h * f->Dv;
  const double score = (double)f->scale * dot(f->q + row * f->ld_q + h * f->D,
                                              f->k + key * f->ld_k + group * f->D, f->D);
  *p = exp(score - (double)f->lse[row * f->H + h]);
  const double delta = dot(dout, f->out + row * f->ld_out + h * f->Dv, f->Dv);
  const double dp = dot(dout, f->v + key * f->ld_v + group * f->Dv, f->Dv);
  *ds = *p * (dp - delta) * (double)f->scale;
}

static void store(float *to, const double *from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

static void clear(double *sums, size_t n) {
  for (size_t i = 0; i < n; i++) sums[i] = 0.0;
}

/* dq of one query row: a sum over the keys it sees. */
static void query_gradient(const parl_attention_bwd_args *a, size_t start, size_t end, size_t row,
                           size_t h) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t group = h / (f->H / f->H_kv);
  double *sums = as_doubles(f->scratch), p, ds;
  clear(sums, f->D);
  for (size_t key = start; key < (f->both_ways ? end : row + 1); key++) {
    pair_gradient(a, row, key, h, &p, &ds);
    for (size_t d = 0; d < f->D; d++)
      sums[d] += ds * (double)f->k[key * f->ld_k + group * f->D + d];
  }
  store(a->dq + row * a->ld_dq + h * f->D, sums, f->D);
}

/* dk and dv of one key row: a sum over the heads of its group and the queries that see it. */
static void key_gradient(const parl_attention_bwd_args *a, size_t start, size_t end, size_t key,
                         size_t group) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t heads = f->H / f->H_kv;
  double *dk = as_doubles(f->scratch), *dv = dk + f->D, p, ds;
  clear(dk, f->D + f->Dv);
  for (size_t h = group * heads; h < (group + 1) * heads; h++)
    for (size_t row = f->both_ways ? start : key; row < end; row++) {
      pair_gradient(a, row, key, h, &p, &ds);
      for (size_t d = 0; d < f->D; d++) dk[d] += ds * (double)f->q[row * f->ld_q + h * f->D + d];
      for (size_t d = 0; d < f->Dv; d++)
        dv[d] += p * (double)a->dout[row * a->ld_dout + h * f->Dv + d];
    }
  store(a->dk + key * a->ld_dk + group * f->D, dk, f->D);
  store(a->dv + key * a->ld_dv + group * f->Dv, dv, f->Dv);
}

void parl_ref_attention_bwd(PARL_NO_QUEUE, const parl_attention_bwd_args *a) {
  const parl_attention_fwd_args *f = &a->fwd;
  for (size_t s = 0; s < f->n_seqs; s++) {
    const size_t start = (size_t)f->seq_start[s], end = (size_t)f->seq_start[s + 1];
    for (size_t row = start; row < end; row++) {
      for (size_t h = 0; h < f->H; h++) query_gradient(a, start, end, row, h);
      for (size_t group = 0; group < f->H_kv; group++) key_gradient(a, start, end, row, group);
    }
  }
}

/* The nearest bf16, of two the even one; a NaN stays one. */
static uint16_t round_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widen_bf16(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float wide;
  memcpy(&wide, &bits, sizeof wide);
  return wide;
}

/* Writes x [width] at position n - 1 of a head's cache and reads all n into `out`. */
static void append_and_read(const float *x, size_t width, void *cache, size_t n, bool bf16,
                            float *out) {
  float *wide = cache;
  uint16_t *half = cache;
  for (size_t i = 0; i < width; i++) {
    if (bf16)
      half[(n - 1) * width + i] = round_bf16(x[i]);
    else
      wide[(n - 1) * width + i] = x[i];
  }
  for (size_t i = 0; i < n * width; i++) out[i] = bf16 ? widen_bf16(half[i]) : wide[i];
}

void parl_ref_attention_decode(PARL_NO_QUEUE, const parl_attention_decode_args *a) {
  const size_t heads = a->H / a->H_kv, size = a->bf16 ? sizeof(uint16_t) : sizeof(float);
  float *k = a->scratch + 2 * (a->context + 1), *v = k;
  for (size_t row = 0; row < a->rows; row++)
    for (size_t h = 0; h < a->H; h++) {
      const size_t group = h / heads, n = (size_t)a->lengths[row];
      if (n == 0) {
        for (size_t i = 0; i < a->Dv; i++) a->out[row * a->ld_out + h * a->Dv + i] = 0.0F;
        continue;
      }
      const size_t head = ((size_t)a->slots[row] * a->H_kv + group) * a->context * size;
      append_and_read(a->k + row * a->ld_k + group * a->D, a->D, (char *)a->k_cache + head * a->D,
                      n, a->bf16, k);
      if (a->v != NULL) {
        v = k + n * a->D;
        append_and_read(a->v + row * a->ld_v + group * a->Dv, a->Dv,
                        (char *)a->v_cache + head * a->Dv, n, a->bf16, v);
      }
      (void)attend(n, a->D, a->Dv, (double)a->scale, a->q + row * a->ld_q + h * a->D, k, a->D, v,
                   a->v == NULL ? a->D : a->Dv, as_doubles(a->scratch),
                   a->out + row * a->ld_out + h * a->Dv);
    }
}
