/* kernels/cpu/optimizer_impl.h - flat vectors: AdamW, y += a x, sum of squares.
 *
 * Included by ops_impl.h only. */

static void adamw_segment(const parl_adamw_args *a, size_t start, size_t end, float weight_decay) {
  const vf scale = vf_set1(a->grad_scale), beta1 = vf_set1(a->beta1), beta2 = vf_set1(a->beta2);
  const vf new1 = vf_set1(1.0f - a->beta1), new2 = vf_set1(1.0f - a->beta2);
  const vf correct1 = vf_set1(1.0f / a->correction1), correct2 = vf_set1(1.0f / a->correction2);
  const vf eps = vf_set1(a->eps), decay = vf_set1(weight_decay), rate = vf_set1(-a->lr);
  for (size_t i = start; i < end; i += W) {
    const size_t n = end - i;
    const vf g = vf_load_n(a->grads + i, n) * scale, p = vf_load_n(a->params + i, n);
    const vf m = vf_fma(beta1, vf_load_n(a->m + i, n), new1 * g);
    const vf v = vf_fma(beta2, vf_load_n(a->v + i, n), new2 * g * g);
    const vf step = m * correct1 / (vf_sqrt(v * correct2) + eps);
    vf_store_n(a->m + i, m, n);
    vf_store_n(a->v + i, v, n);
    vf_store_n(a->params + i, vf_fma(rate, vf_fma(decay, p, step), p), n);
  }
}

static void adamw(PARL_NO_QUEUE, const parl_adamw_args *a) {
  for (size_t s = 0; s < a->n_segments; s++)
    if (a->decay[s] >= 0.0f)
      adamw_segment(a, (size_t)a->starts[s], (size_t)a->starts[s + 1],
                    a->decay[s] * a->weight_decay);
}

static void add(PARL_NO_QUEUE, const parl_add_args *a) {
  for (size_t i = 0; i < a->n; i += W) {
    const size_t n = a->n - i;
    vf_store_n(a->y + i, vf_fma(vf_set1(a->a), vf_load_n(a->x + i, n), vf_load_n(a->y + i, n)), n);
  }
}

static double sum_segment(const float *x, size_t n) {
  enum { SUMS = 4, HALF = W / 2 };
  vd sum[SUMS] = {{0}};
  size_t i = 0;
  for (; i + SUMS * HALF <= n; i += SUMS * HALF) {
    UNROLL for (size_t j = 0; j < SUMS; j++) {
      vf_half narrow;
      memcpy(&narrow, x + i + j * HALF, sizeof narrow);
      const vd wide = __builtin_convertvector(narrow, vd);
      sum[j] += wide * wide;
    }
  }
  const vd all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  double total = 0.0;
  for (size_t j = 0; j < HALF; j++) total += all[j];
  for (; i < n; i++) total += (double)x[i] * (double)x[i];
  return total;
}

static void sum_squares(PARL_NO_QUEUE, const parl_sum_squares_args *a) {
  for (size_t s = 0; s < a->n_segments; s++) {
    const size_t start = (size_t)a->starts[s];
    a->out[s] = sum_segment(a->x + start, (size_t)a->starts[s + 1] - start);
  }
}
