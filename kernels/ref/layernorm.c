/* kernels/ref/layernorm.c - LayerNorm over the last axis.
 *
 * x [rows,C] · weight, bias [C] -> y [rows,C], mean, inv_std [rows]
 *   m = mean_c x,   r = 1 / sqrt(mean_c (x - m)^2 + eps),   n = (x - m) r,   y = n w + b
 *   dx += r (w dy - mean_c(w dy) - n mean_c(w dy n))
 *   dw += sum_rows dy n,   db += sum_rows dy            (rows in order) */
#include <math.h>

#include "kernels/ref/ref_internal.h"

void parl_ref_layernorm_fwd(PARL_NO_QUEUE, const parl_layernorm_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x;
    double mean = 0.0, variance = 0.0;
    for (size_t c = 0; c < a->C; c++) mean += (double)x[c] / (double)a->C;
    for (size_t c = 0; c < a->C; c++)
      variance += ((double)x[c] - mean) * ((double)x[c] - mean) / (double)a->C;
    const double r = 1.0 / sqrt(variance + (double)a->eps);
    for (size_t c = 0; c < a->C; c++)
      a->y[row * a->ld_y + c] =
          (float)(((double)x[c] - mean) * r * (double)a->weight[c] + (double)a->bias[c]);
    if (a->mean == NULL) continue;
    a->mean[row] = (float)mean;
    a->inv_std[row] = (float)r;
  }
}

/* n of element c of a row */
static double normed(const parl_layernorm_bwd_args *a, size_t row, size_t c) {
  return ((double)a->x[row * a->ld_x + c] - (double)a->mean[row]) * (double)a->inv_std[row];
}

void parl_ref_layernorm_bwd(PARL_NO_QUEUE, const parl_layernorm_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *dy = a->dy + row * a->ld_dy;
    float *dx = a->dx + row * a->ld_dx;
    double sum = 0.0, dot = 0.0;
    for (size_t c = 0; c < a->C; c++) {
      const double pushed = (double)a->weight[c] * (double)dy[c];
      sum += pushed;
      dot += pushed * normed(a, row, c);
    }
    for (size_t c = 0; c < a->C; c++) {
      const double pushed = (double)a->weight[c] * (double)dy[c];
      const double pull = (sum + normed(a, row, c) * dot) / (double)a->C;
      dx[c] = (float)((double)dx[c] + (double)a->inv_std[row] * (pushed - pull));
    }
  }
  for (size_t c = 0; c < a->C; c++) {
    double dweight = (double)a->dweight[c], dbias = (double)a->dbias[c];
    for (size_t row = 0; row < a->rows; row++) {
      dweight += (double)a->dy[row * a->ld_dy + c] * normed(a, row, c);
      dbias += (double)a->dy[row * a->ld_dy + c];
    }
    a->dweight[c] = (float)dweight;
    a->dbias[c] = (float)dbias;
  }
}
