/* kernels/ref/rmsnorm.c - RMSNorm over the last axis.
 *
 * x [rows,C] · weight [C] -> y [rows,C], inv_rms [rows]
 *   r     = 1 / sqrt(mean_c x^2 + eps),   y = x r w
 *   dx   += r (w dy) - x r^3 / C * sum_c(w dy x)
 *   dw   += sum_rows dy x r                  (rows in order) */
#include <math.h>

#include "kernels/ref/ref_internal.h"

void parl_ref_rmsnorm_fwd(PARL_NO_QUEUE, const parl_rmsnorm_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x;
    float *y = a->y + row * a->ld_y;
    double sum = 0.0;
    for (size_t c = 0; c < a->C; c++) sum += (double)x[c] * (double)x[c];
    const double r = 1.0 / sqrt(sum / (double)a->C + (double)a->eps);
    if (a->inv_rms) a->inv_rms[row] = (float)r;
    for (size_t c = 0; c < a->C; c++) y[c] = (float)((double)x[c] * r * (double)a->weight[c]);
  }
}

void parl_ref_rmsnorm_bwd(PARL_NO_QUEUE, const parl_rmsnorm_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *x = a->x + row * a->ld_x, *dy = a->dy + row * a->ld_dy;
    float *dx = a->dx + row * a->ld_dx;
    const double r = (double)a->inv_rms[row];
    double dot = 0.0;
    for (size_t c = 0; c < a->C; c++) dot += (double)a->weight[c] * (double)dy[c] * (double)x[c];
    const double pull = r * r * r * dot / (double)a->C;
    for (size_t c = 0; c < a->C; c++)
      dx[c] =
          (float)((double)dx[c] + r * (double)a->weight[c] * (double)dy[c] - pull * (double)x[c]);
  }
  for (size_t c = 0; c < a->C; c++) {
    double sum = (double)a->dweight[c];
    for (size_t row = 0; row < a->rows; row++)
      sum += (double)a->dy[row * a->ld_dy + c] * (double)a->x[row * a->ld_x + c] *
             (double)a->inv_rms[row];
    a->dweight[c] = (float)sum;
  }
}
