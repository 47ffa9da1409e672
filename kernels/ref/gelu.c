/* kernels/ref/gelu.c - y = x P(x) and its gradient, by erf or by tanh.
 *
 *   exact:   P = (1 + erf(x / sqrt 2)) / 2,   P' = exp(-x^2 / 2) / sqrt(2 pi)
 *   by tanh: P = (1 + tanh u) / 2,            P' = (1 - tanh^2 u) u' / 2
 *            u = sqrt(2 / pi) (x + 0.044715 x^3)
 *   dx = dy (P + x P') */
#include <math.h>

#include "kernels/ref/ref_internal.h"

/* P(x), and P'(x) in *slope. */
static double gate(double x, bool exact, double *slope) {
  const double pi = acos(-1.0);
  if (exact) {
    *slope = exp(-x * x / 2.0) / sqrt(2.0 * pi);
    return 0.5 * erfc(-x / sqrt(2.0));
  }
  const double root = sqrt(2.0 / pi), t = tanh(root * (x + 0.044715 * x * x * x));
  *slope = 0.5 * (1.0 - t * t) * root * (1.0 + 3.0 * 0.044715 * x * x);
  return 0.5 * (1.0 + t);
}

void parl_ref_gelu_fwd(PARL_NO_QUEUE, const parl_gelu_fwd_args *a) {
  double slope;
  for (size_t i = 0; i < a->n; i++)
    a->y[i] = (float)((double)a->x[i] * gate((double)a->x[i], a->exact, &slope));
}

void parl_ref_gelu_bwd(PARL_NO_QUEUE, const parl_gelu_bwd_args *a) {
  for (size_t i = 0; i < a->n; i++) {
    double slope;
    const double x = (double)a->x[i], p = gate(x, a->exact, &slope);
    a->dx[i] = (float)((double)a->dy[i] * (p + x * slope));
  }
}
