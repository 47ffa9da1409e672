/* kernels/cpu/vision_impl.h - what the vision tower has and the decoder has not: LayerNorm, GELU,
 * weighted sums of rows.
 *
 * Included by ops_impl.h only. Reading order: layernorm, gelu, mix_rows. */

static float row_sum(const float *x, size_t n) {
  vf sum[4] = {{0}};
  size_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W)
    UNROLL for (size_t j = 0; j < 4; j++) sum[j] += vf_load(x + i + j * W);
  for (; i < n; i += W) sum[0] += vf_load_n(x + i, n - i);
  return vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* A row's mean is `near` + `rest`: near is what f32 sums make of it, and what that misses shows in
 * the differences from it, which are exact where they matter. */
typedef struct moments {
  float near, rest, variance;
} moments;

static moments row_moments(const float *x, size_t n) {
  const float near = row_sum(x, n) / (float)n;
  vf sum[4] = {{0}}, square[4] = {{0}};
  size_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    UNROLL for (size_t j = 0; j < 4; j++) {
      const vf d = vf_load(x + i + j * W) - vf_set1(near);
      sum[j] += d;
      square[j] = vf_fma(d, d, square[j]);
    }
  }
  for (; i < n; i += W) {
    const vf loaded = vf_load_n(x + i, n - i) - vf_set1(near);
    const vf d = vf_select(vi_first(n - i), loaded, vf_set1(0.0f));
    sum[0] += d;
    square[0] = vf_fma(d, d, square[0]);
  }
  const float rest = vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)n;
  const float squares = vf_sum((square[0] + square[1]) + (square[2] + square[3])) / (float)n;
  return (moments){near, rest, squares - rest * rest};
}

static void layernorm_fwd(PARL_NO_QUEUE, const parl_layernorm_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x;
    float *y = a->y + row * a->ld_y;
    const moments m = row_moments(x, a->C);
    const float r = 1.0f / sqrtf(m.variance + a->eps);
    if (a->mean != NULL) {
      a->mean[row] = m.near + m.rest;
      a->inv_std[row] = r;
    }
    const vf near = vf_set1(m.near), rest = vf_set1(m.rest), scale = vf_set1(r);
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf normed = ((vf_load_n(x + c, n) - near) - rest) * scale;
      vf_store_n(y + c, vf_fma(normed, vf_load_n(a->weight + c, n), vf_load_n(a->bias + c, n)), n);
    }
  }
}

static void layernorm_bwd(PARL_NO_QUEUE, const parl_layernorm_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x, *dy = a->dy + row * a->ld_dy;
    float *dx = a->dx + row * a->ld_dx;
    const vf mean = vf_set1(a->mean[row]), r = vf_set1(a->inv_std[row]);
    vf sum = vf_set1(0.0f), dot = sum; /* of w dy, and of w dy n */
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf normed = (vf_load_n(x + c, n) - mean) * r, d = vf_load_n(dy + c, n);
      const vf pushed = d * vf_load_n(a->weight + c, n);
      sum += pushed;
      dot += vf_select(vi_first(n), pushed * normed, vf_set1(0.0f));
      vf_store_n(a->dweight + c, vf_fma(d, normed, vf_load_n(a->dweight + c, n)), n);
      vf_store_n(a->dbias + c, d + vf_load_n(a->dbias + c, n), n);
    }
    const vf shift = vf_set1(vf_sum(sum) / (float)a->C), pull = vf_set1(vf_sum(dot) / (float)a->C);
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf normed = (vf_load_n(x + c, n) - mean) * r;
      const vf pushed = vf_load_n(dy + c, n) * vf_load_n(a->weight + c, n);
      const vf inner = (pushed - shift) - normed * pull;
      vf_store_n(dx + c, vf_fma(inner, r, vf_load_n(dx + c, n)), n);
    }
  }
}

/* Where P is 0 or 1 in f32 it stays what it is there: no power of a larger x overflows. */
INLINE vf gelu_inside(vf x) {
  return vf_min(vf_set1(14.0f), vf_max(vf_set1(-14.0f), x));
}

/* P(x) = (1 + tanh u) / 2 = 1 / (1 + e^-2u), and x P'(x). */
INLINE vf gelu_tanh(vf x, vf *slope) {
  const vf in = gelu_inside(x), one = vf_set1(1.0f), square = in * in;
  const vf twice = vf_set1(2.0f * 0.797884561f); /* 2 sqrt(2 / pi) */
  const vf e = vf_exp(-twice * in * vf_fma(vf_set1(0.044715f), square, one));
  const vf p = one / (one + e);
  const vf steep = twice * in * vf_fma(vf_set1(3.0f * 0.044715f), square, one);
  *slope = steep * (p * (e * p));
  return p;
}

/* P(x) by erfc, and x P'(x): P(-|x|) = e^(-x^2 / 2) t q(t) with t = 1 / (1 + 0.3 |x|), relative
 * error below 5e-7. Coefficients: ours, least relative error on [0, 14]. */
INLINE vf gelu_exact(vf x, vf *slope) {
  const vf in = gelu_inside(x), one = vf_set1(1.0f);
  const vf size = vf_max(in, -in);
  const vf t = one / vf_fma(vf_set1(0.3f), size, one), e = vf_exp(vf_set1(-0.5f) * in * in);
  vf q = vf_set1(0.0356748775f);
  q = vf_fma(q, t, vf_set1(-0.157203496f));
  q = vf_fma(q, t, vf_set1(0.206354186f));
  q = vf_fma(q, t, vf_set1(-0.0536842421f));
  q = vf_fma(q, t, vf_set1(0.128561929f));
  q = vf_fma(q, t, vf_set1(0.0999134108f));
  q = vf_fma(q, t, vf_set1(0.120753966f));
  q = vf_fma(q, t, vf_set1(0.119629301f)) * t * e;
  *slope = in * e * vf_set1(0.398942280f); /* 1 / sqrt(2 pi) */
  return vf_select(in < vf_set1(0.0f), q, one - q);
}

INLINE void gelu_forward(const parl_gelu_fwd_args *a, bool exact) {
  for (size_t i = 0; i < a->n; i += W) {
    const vf x = vf_load_n(a->x + i, a->n - i);
    vf slope;
    vf_store_n(a->y + i, x * (exact ? gelu_exact(x, &slope) : gelu_tanh(x, &slope)), a->n - i);
  }
}

INLINE void gelu_backward(const parl_gelu_bwd_args *a, bool exact) {
  for (size_t i = 0; i < a->n; i += W) {
    const vf x = vf_load_n(a->x + i, a->n - i);
    vf slope;
    const vf p = exact ? gelu_exact(x, &slope) : gelu_tanh(x, &slope);
    vf_store_n(a->dx + i, vf_load_n(a->dy + i, a->n - i) * (p + slope), a->n - i);
  }
}

static void gelu_fwd(PARL_NO_QUEUE, const parl_gelu_fwd_args *a) {
  if (a->exact)
    gelu_forward(a, true);
  else
    gelu_forward(a, false);
}

static void gelu_bwd(PARL_NO_QUEUE, const parl_gelu_bwd_args *a) {
  if (a->exact)
    gelu_backward(a, true);
  else
    gelu_backward(a, false);
}

/* Vectors c.. of a row, `vectors` of them, which is a constant after inlining. */
INLINE void mix_taps(const parl_mix_rows_fwd_args *a, size_t row, size_t c, size_t vectors) {
  const float *weights = a->weights + row * a->taps;
  const int32_t *index = a->index + row * a->taps;
  vf sum[4] = {{0}};
  for (size_t k = 0; k < a->taps; k++) {
    const float *from = a->table + (size_t)index[k] * a->C + c;
    UNROLL for (size_t v = 0; v < vectors; v++) {
      const vf x = vf_load_n(from + v * W, vectors == 1 ? a->C - c : W);
      sum[v] = vf_fma(vf_set1(weights[k]), x, sum[v]);
    }
  }
  UNROLL for (size_t v = 0; v < vectors; v++)
      vf_store_n(a->out + row * a->C + c + v * W, sum[v], vectors == 1 ? a->C - c : W);
}

static void mix_rows_fwd(PARL_NO_QUEUE, const parl_mix_rows_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    size_t c = 0;
    for (; c + 4 * W <= a->C; c += 4 * W) mix_taps(a, row, c, 4);
    for (; c < a->C; c += W) mix_taps(a, row, c, 1);
  }
}

static void mix_rows_bwd(PARL_NO_QUEUE, const parl_mix_rows_bwd_args *a) {
  for (size_t i = 0; i < a->rows * a->taps; i++) {
    const float *from = a->dout + i / a->taps * a->C;
    float *to = a->dtable + (size_t)a->index[i] * a->C;
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf was = vf_load_n(to + c, n);
      vf_store_n(to + c, vf_fma(vf_set1(a->weights[i]), vf_load_n(from + c, n), was), n);
    }
  }
}
