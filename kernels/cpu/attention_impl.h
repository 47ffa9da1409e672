/* kernels/cpu/attention_impl.h - attention, one (sequence, head) at a time.
 *
 * Scores are a product with the transposed keys, k^T [D, padded rows], which all heads of a group
 * share; a few query rows at a time keep their scores in scratch. Work is done for the keys that
 * are seen only, rounded up to whole vectors, and the rounding is filled with zeros.
 * Included by ops_impl.h only. Reading order: softmax_row, forward, backward. */
#include <math.h>

enum { BACK_ROWS = 32 }; /* query rows of a block of the backward pass */

/* Two matrices as kt or vt, of the wider width, and two blocks of scores [BACK_ROWS, padded]. */
static size_t attention_scratch_floats(size_t longest, size_t D, size_t Dv) {
  return 2 * ((D > Dv ? D : Dv) + BACK_ROWS) * round_up(longest, PANEL);
}

#define LOG2_E 1.44269504f

/* s[0..n) becomes exp(scale s - max), s[n..padded) zero; returns the sum. n >= 1. */
static float softmax_row(float *s, size_t n, size_t padded, float scale, float *max) {
  const vf factor = vf_set1(scale * LOG2_E); /* powers of 2 from here on */
  vf top = vf_set1(-INFINITY), sum = vf_set1(0.0f);
  size_t i = 0;
  for (; i + W <= n; i += W) top = vf_max(top, vf_load(s + i) * factor);
  if (i < n) top = vf_max(top, vf_select(vi_first(n - i), vf_load(s + i) * factor, top));
  const vf shift = vf_set1(-vf_top(top));
  *max = -shift[0] / LOG2_E;
  for (i = 0; i + W <= n; i += W) {
    const vf e = vf_exp2(vf_fma(vf_load(s + i), factor, shift));
    vf_store(s + i, e);
    sum += e;
  }
  if (i < n) {
    const vf e = vf_exp2(vf_fma(vf_load(s + i), factor, shift));
    const vf kept = vf_select(vi_first(n - i), e, vf_set1(0.0f));
    vf_store(s + i, kept);
    sum += kept;
    i += W;
  }
  for (; i < padded; i += W) vf_store(s + i, vf_set1(0.0f));
  return vf_sum(sum);
}

static void scale_row(float *x, size_t n, float factor) {
  for (size_t i = 0; i < n; i += W) {
    const size_t width = least(W, n - i);
    vf_store_n(x + i, vf_load_n(x + i, width) * vf_set1(factor), width);
  }
}

/* s[rows, :n] = left[rows, D] . transposed[D, :n], n rounded up to whole vectors. */
static void score_rows(const float *left, size_t ld_left, size_t rows, size_t D,
                       const float *transposed, size_t padded, size_t n, float *s) {
  const gemm g = {.M = rows,
                  .N = round_up(n, W),
                  .K = D,
                  .a = left,
                  .a_row = ld_left,
                  .a_k = 1,
                  .b = transposed,
                  .ldb = padded,
                  .b_panel = PANEL,
                  .c = s,
                  .ldc = padded};
  gemm_rows(&g);
}

/* out[rows, width] = s[rows, :n] . right[n, width] */
static void mix_rows(const float *s, size_t padded, size_t rows, size_t n, const float *right,
                     size_t ld_right, size_t width, float *out, size_t ld_out) {
  const gemm g = {.M = rows,
                  .N = width,
                  .K = n,
                  .a = s,
                  .a_row = padded,
                  .a_k = 1,
                  .b = right,
                  .ldb = ld_right,
                  .b_panel = PANEL,
                  .c = out,
                  .ldc = ld_out};
  gemm_rows(&g);
}

/* to[keys, width] += s[rows, :keys]^T . right[rows, width] */
static void scatter_rows(const float *s, size_t padded, size_t rows, size_t keys,
                         const float *right, size_t ld_right, size_t width, float *to,
                         size_t ld_to) {
  const gemm g = {.M = keys,
                  .N = width,
                  .K = rows,
                  .a = s,
                  .a_row = 1,
                  .a_k = padded,
                  .b = right,
                  .ldb = ld_right,
                  .b_panel = PANEL,
                  .init = to,
                  .ld_init = ld_to,
                  .c = to,
                  .ldc = ld_to};
  gemm_columns(&g);
}

/* The largest of a row's n scores, never a NaN. */
static float row_top(const float *s, size_t n) {
  vf top = vf_set1(-INFINITY);
  for (size_t i = 0; i < n; i += W)
    top = vf_max(vf_select(vi_first(n - i), vf_load(s + i), top), top);
  return vf_top(top);
}

/* How many of a sequence's n rows row t sees. */
INLINE size_t count_seen(const parl_attention_fwd_args *a, size_t t, size_t n) {
  return a->both_ways ? n : t + 1;
}

/* Head h of the sequence at rows start.. of n rows. kt [D, padded], s [TILE_ROWS, padded]. */
static void forward_head(const parl_attention_fwd_args *a, size_t start, size_t n, size_t h,
                         const float *kt, float *s) {
  const size_t group = h / (a->H / a->H_kv), padded = round_up(n, PANEL);
  const float *v = a->v + start * a->ld_v + group * a->Dv;
  for (size_t t = 0; t < n; t += TILE_ROWS) {
    const size_t rows = least(TILE_ROWS, n - t), keys = count_seen(a, t + rows - 1, n);
    float *out = a->out + (start + t) * a->ld_out + h * a->Dv;
    score_rows(a->q + (start + t) * a->ld_q + h * a->D, a->ld_q, rows, a->D, kt, padded, keys, s);
    float sums[TILE_ROWS];
    for (size_t r = 0; r < rows && a->max_scores != NULL; r++) {
      const float top = row_top(s + r * padded, count_seen(a, t + r, n));
      a->max_scores[h] = fmaxf(a->max_scores[h], top * a->scale);
    }
    for (size_t r = 0; r < rows; r++) {
      const size_t seen = count_seen(a, t + r, n);
      float max;
      sums[r] = softmax_row(s + r * padded, seen, round_up(keys, W), a->scale, &max);
      a->lse[(start + t + r) * a->H + h] = max + logf(sums[r]);
    }
    mix_rows(s, padded, rows, keys, v, a->ld_v, a->Dv, out, a->ld_out);
    for (size_t r = 0; r < rows; r++) scale_row(out + r * a->ld_out, a->Dv, 1.0f / sums[r]);
  }
}

static void attention_fwd(PARL_NO_QUEUE, const parl_attention_fwd_args *a) {
  for (size_t seq = 0; seq < a->n_seqs; seq++) {
    const size_t start = (size_t)a->seq_start[seq], n = (size_t)a->seq_start[seq + 1] - start;
    const size_t heads = a->H / a->H_kv, padded = round_up(n, PANEL);
    float *kt = a->scratch, *s = kt + a->D * padded;
    for (size_t h = 0; h < a->H; h++) {
      if (h % heads == 0)
        transpose(a->k + start * a->ld_k + h / heads * a->D, n, a->D, a->ld_k, kt, padded, W);
      forward_head(a, start, n, h, kt, s);
    }
  }
}

/* p = exp(scale s - lse), ds = p (dp - delta) scale for the n keys a row sees, zero behind them. */
static void gradient_row(float *s, float *dp, size_t n, size_t padded, float scale, float lse,
                         float delta) {
  for (size_t i = 0; i < padded; i += W) {
    vf p = vf_set1(0.0f), ds = p;
    if (i < n) {
      const vi keep = vi_first(n - i);
      p = vf_exp2(vf_fma(vf_load(s + i), vf_set1(scale * LOG2_E), vf_set1(-lse * LOG2_E)));
      p = vf_select(keep, p, ds);
      ds = p * ((vf_load(dp + i) - vf_set1(delta)) * vf_set1(scale));
      ds = vf_select(keep, ds, vf_set1(0.0f));
    }
    vf_store(s + i, p);
    vf_store(dp + i, ds);
  }
}

static float row_dot(const float *x, const float *y, size_t n) {
  vf sum = vf_set1(0.0f);
  for (size_t i = 0; i < n; i += W) {
    const size_t width = least(W, n - i);
    sum = vf_fma(vf_load_n(x + i, width), vf_load_n(y + i, width), sum);
  }
  return vf_sum(sum);
}

/* What the backward pass of one sequence and group keeps in scratch. */
typedef struct backward_scratch {
  size_t n, padded; /* rows of the sequence, and rounded up */
  float *kt, *vt, *s, *dp;
} backward_scratch;

/* Rows t.. of head h: p and ds for the keys up to the block's end, or for all, then the three
 * products. */
static void backward_block(const parl_attention_bwd_args *a, const backward_scratch *w,
                           size_t start, size_t t, size_t rows, size_t h) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t group = h / (f->H / f->H_kv), padded = w->padded;
  const size_t keys = count_seen(f, t + rows - 1, w->n);
  const float *q = f->q + (start + t) * f->ld_q + h * f->D;
  const float *dout = a->dout + (start + t) * a->ld_dout + h * f->Dv;
  const float *out = f->out + (start + t) * f->ld_out + h * f->Dv;
  for (size_t i = 0; i < rows; i += TILE_ROWS) {
    const size_t height = least(TILE_ROWS, rows - i),
                 seen = count_seen(f, t + i + height - 1, w->n);
    float *s = w->s + i * padded, *dp = w->dp + i * padded;
    score_rows(q + i * f->ld_q, f->ld_q, height, f->D, w->kt, padded, seen, s);
    score_rows(dout + i * a->ld_dout, a->ld_dout, height, f->Dv, w->vt, padded, seen, dp);
    for (size_t r = 0; r < height; r++) {
      const float delta = row_dot(dout + (i + r) * a->ld_dout, out + (i + r) * f->ld_out, f->Dv);
      gradient_row(s + r * padded, dp + r * padded, count_seen(f, t + i + r, w->n),
                   round_up(keys, W), f->scale, f->lse[(start + t + i + r) * f->H + h], delta);
    }
    mix_rows(dp, padded, height, seen, f->k + start * f->ld_k + group * f->D, f->ld_k, f->D,
             a->dq + (start + t + i) * a->ld_dq + h * f->D, a->ld_dq);
  }
  scatter_rows(w->dp, padded, rows, keys, q, f->ld_q, f->D, a->dk + start * a->ld_dk + group * f->D,
               a->ld_dk);
  scatter_rows(w->s, padded, rows, keys, dout, a->ld_dout, f->Dv,
               a->dv + start * a->ld_dv + group * f->Dv, a->ld_dv);
}

static void attention_bwd(PARL_NO_QUEUE, const parl_attention_bwd_args *a) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t heads = f->H / f->H_kv;
  for (size_t seq = 0; seq < f->n_seqs; seq++) {
    const size_t start = (size_t)f->seq_start[seq], n = (size_t)f->seq_start[seq + 1] - start;
    backward_scratch w = {.n = n, .padded = round_up(n, PANEL), .kt = f->scratch};
    w.vt = w.kt + f->D * w.padded;
    w.s = w.vt + f->Dv * w.padded;
    w.dp = w.s + BACK_ROWS * w.padded;
    for (size_t t = start; t < start + n; t++) {
      memset(a->dk + t * a->ld_dk, 0, f->H_kv * f->D * sizeof(float));
      memset(a->dv + t * a->ld_dv, 0, f->H_kv * f->Dv * sizeof(float));
    }
    for (size_t h = 0; h < f->H; h++) {
      if (h % heads == 0) {
        transpose(f->k + start * f->ld_k + h / heads * f->D, n, f->D, f->ld_k, w.kt, w.padded, W);
        transpose(f->v + start * f->ld_v + h / heads * f->Dv, n, f->Dv, f->ld_v, w.vt, w.padded, W);
      }
      for (size_t t = 0; t < n; t += BACK_ROWS)
        backward_block(a, &w, start, t, least(BACK_ROWS, n - t), h);
    }
  }
}
