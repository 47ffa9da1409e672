/* kernels/ref/mix_rows.c - weighted sums of a table's rows and their scatter.
 *
 * weights, index [rows,taps] · table [n,C] -> out [rows,C]
 *   out[r] = sum_k weights[r,k] table[index[r,k]]
 *   dtable[index[r,k]] += weights[r,k] dout[r]           (rows in order, taps in order) */
#include "kernels/ref/ref_internal.h"

void parl_ref_mix_rows_fwd(PARL_NO_QUEUE, const parl_mix_rows_fwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t c = 0; c < a->C; c++) {
      double sum = 0.0;
      for (size_t k = row * a->taps; k < (row + 1) * a->taps; k++)
        sum += (double)a->weights[k] * (double)a->table[(size_t)a->index[k] * a->C + c];
      a->out[row * a->C + c] = (float)sum;
    }
}

void parl_ref_mix_rows_bwd(PARL_NO_QUEUE, const parl_mix_rows_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t k = row * a->taps; k < (row + 1) * a->taps; k++)
      for (size_t c = 0; c < a->C; c++) {
        float *to = a->dtable + (size_t)a->index[k] * a->C + c;
        *to = (float)((double)*to + (double)a->weights[k] * (double)a->dout[row * a->C + c]);
      }
}
