/* kernels/cpu/rows_impl.h - ops that treat each row alone: norm, rope, swiglu, embedding.
 *
 * Included by ops_impl.h only. */

static float sum_of_squares(const float *x, size_t n) {
  vf sum[4] = {{0}};
  size_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    UNROLL for (size_t j = 0; j < 4; j++) {
      const vf v = vf_load(x + i + j * W);
      sum[j] = vf_fma(v, v, sum[j]);
    }
  }
  for (; i < n; i += W) {
    const vf v = vf_load_n(x + i, n - i);
    sum[0] = vf_fma(v, v, sum[0]);
  }
  return vf_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static void rmsnorm_fwd(PARL_NO_QUEUE, const parl_rmsnorm_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x;
    float *y = a->y + row * a->ld_y;
    const float r = 1.0f / sqrtf(sum_of_squares(x, a->C) / (float)a->C + a->eps);
    if (a->inv_rms) a->inv_rms[row] = r;
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf normed = vf_load_n(x + c, n) * vf_set1(r);
      vf_store_n(y + c, normed * vf_load_n(a->weight + c, n), n);
    }
  }
}

static void rmsnorm_bwd(PARL_NO_QUEUE, const parl_rmsnorm_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x, *dy = a->dy + row * a->ld_dy;
    float *dx = a->dx + row * a->ld_dx;
    const vf r = vf_set1(a->inv_rms[row]);
    vf dot = vf_set1(0.0f); /* sum of w dy (x r) */
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf normed = vf_load_n(x + c, n) * r, d = vf_load_n(dy + c, n);
      dot = vf_fma(d * vf_load_n(a->weight + c, n), normed, dot);
      vf_store_n(a->dweight + c, vf_fma(d, normed, vf_load_n(a->dweight + c, n)), n);
    }
    const vf pull = vf_set1(-vf_sum(dot) / (float)a->C);
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      const vf pushed = vf_load_n(dy + c, n) * vf_load_n(a->weight + c, n);
      const vf inner = vf_fma(vf_load_n(x + c, n) * r, pull, pushed);
      vf_store_n(dx + c, vf_fma(inner, r, vf_load_n(dx + c, n)), n);
    }
  }
}

/* Cosines twice, sines with the signs of (-, +), so that x c + swap(x) s turns every pair. */
static void spread_angles(const parl_rope_args *a, size_t at, size_t n, float *c, float *s) {
  for (size_t i = 0; i < n; i++) {
    const float sine = a->inverse ? -a->sin_table[at + i] : a->sin_table[at + i];
    c[2 * i] = c[2 * i + 1] = a->cos_table[at + i];
    s[2 * i] = -sine;
    s[2 * i + 1] = sine;
  }
}

static void rope(PARL_NO_QUEUE, const parl_rope_args *a) {
  enum { PIECE = 128 };
  float c[PIECE], s[PIECE];
  for (size_t row = 0; row < a->rows; row++)
    for (size_t d = 0; d < a->D; d += PIECE) {
      const size_t n = least(PIECE, a->D - d);
      spread_angles(a, ((size_t)a->positions[row] * a->D + d) / 2, n / 2, c, s);
      for (size_t h = 0; h < a->heads; h++) {
        float *x = a->x + row * a->ld_x + h * a->head_stride + d;
        for (size_t i = 0; i < n; i += W) {
          const vf v = vf_load_n(x + i, n - i);
          const vf swapped = vf_shuffle(v, v, lanes ^ 1) * vf_load_n(s + i, n - i);
          vf_store_n(x + i, vf_fma(v, vf_load_n(c + i, n - i), swapped), n - i);
        }
      }
    }
}

static void swiglu_fwd(PARL_NO_QUEUE, const parl_swiglu_fwd_args *a) {
  const vf one = vf_set1(1.0f);
  for (size_t row = 0; row < a->rows; row++) {
    const float *gate = a->gate_up + row * 2 * a->F, *up = gate + a->F;
    for (size_t f = 0; f < a->F; f += W) {
      const size_t n = a->F - f;
      const vf g = vf_load_n(gate + f, n), u = vf_load_n(up + f, n);
      vf_store_n(a->out + row * a->F + f, g / (one + vf_exp(-g)) * u, n);
    }
  }
}

static void swiglu_bwd(PARL_NO_QUEUE, const parl_swiglu_bwd_args *a) {
  const vf one = vf_set1(1.0f);
  for (size_t row = 0; row < a->rows; row++) {
    const float *gate = a->gate_up + row * 2 * a->F, *up = gate + a->F;
    float *dgate = a->dgate_up + row * 2 * a->F, *dup = dgate + a->F;
    for (size_t f = 0; f < a->F; f += W) {
      const size_t n = a->F - f;
      const vf g = vf_load_n(gate + f, n), u = vf_load_n(up + f, n);
      const vf d = vf_load_n(a->dout + row * a->F + f, n), e = vf_exp(-g);
      const vf sigma = one / (one + e);
      vf_store_n(dgate + f, d * u * sigma * vf_fma(g * e, sigma, one), n);
      vf_store_n(dup + f, d * g * sigma, n);
    }
  }
}

static void embedding_fwd(PARL_NO_QUEUE, const parl_embedding_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    memcpy(a->out + row * a->C, a->table + (size_t)a->tokens[row] * a->C, a->C * sizeof *a->out);
}

static void embedding_bwd(PARL_NO_QUEUE, const parl_embedding_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    float *to = a->dtable + (size_t)a->tokens[row] * a->C;
    for (size_t c = 0; c < a->C; c += W) {
      const size_t n = a->C - c;
      vf_store_n(to + c, vf_load_n(to + c, n) + vf_load_n(a->dout + row * a->C + c, n), n);
    }
  }
}
