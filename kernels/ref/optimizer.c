/* kernels/ref/optimizer.c - flat vectors [n] in segments: AdamW, y += a x, sums of squares. */
#include <math.h>

#include "kernels/ref/ref_internal.h"

static void step(const parl_adamw_args *a, size_t start, size_t end, double decay) {
  const double beta1 = (double)a->beta1, beta2 = (double)a->beta2;
  for (size_t i = start; i < end; i++) {
    const double g = (double)a->grads[i] * (double)a->grad_scale;
    const double m = beta1 * (double)a->m[i] + (1.0 - beta1) * g;
    const double v = beta2 * (double)a->v[i] + (1.0 - beta2) * g * g;
    const double change =
        m / (double)a->correction1 / (sqrt(v / (double)a->correction2) + (double)a->eps) +
        decay * (double)a->params[i];
    a->m[i] = (float)m;
    a->v[i] = (float)v;
    a->params[i] = (float)((double)a->params[i] - (double)a->lr * change);
  }
}

void parl_ref_adamw(PARL_NO_QUEUE, const parl_adamw_args *a) {
  for (size_t s = 0; s < a->n_segments; s++)
    if (a->decay[s] >= 0.0F)
      step(a, (size_t)a->starts[s], (size_t)a->starts[s + 1],
           (double)a->decay[s] * (double)a->weight_decay);
}

void parl_ref_add(PARL_NO_QUEUE, const parl_add_args *a) {
  for (size_t i = 0; i < a->n; i++)
    a->y[i] = (float)((double)a->y[i] + (double)a->a * (double)a->x[i]);
}

void parl_ref_sum_squares(PARL_NO_QUEUE, const parl_sum_squares_args *a) {
  for (size_t s = 0; s < a->n_segments; s++) {
    double sum = 0.0;
    for (int64_t i = a->starts[s]; i < a->starts[s + 1]; i++)
      sum += (double)a->x[i] * (double)a->x[i];
    a->out[s] = sum;
  }
}
