/* kernels/ref/copy.c - strided copies, sums of vectors, rounding. */
#include <math.h>
#include <string.h>

#include "core/bf16.h"
#include "kernels/ref/ref_internal.h"

void parl_ref_copy2d(PARL_NO_QUEUE, const parl_copy2d_args *a) {
  for (size_t r = 0; r < a->rows; r++)
    for (size_t g = 0; g < a->groups; g++)
      for (size_t i = 0; i < a->width; i++)
        memcpy((char *)a->to + a->unit * (r * a->to_row + g * a->to_group + i),
               (const char *)a->from + a->unit * (r * a->from_row + g * a->from_group + i),
               a->unit);
}

void parl_ref_to_act(PARL_NO_QUEUE, const parl_to_act_args *a) {
  memcpy(a->y, a->x, a->n * sizeof *a->x);
}

void parl_ref_axpby(PARL_NO_QUEUE, const parl_axpby_args *a) {
  for (size_t i = 0; i < a->n; i++) {
    const double x = a->x != NULL ? (double)a->x[i] : 0.0;
    a->y[i] = (float)((double)a->a * x + (double)a->b * (double)a->y[i]);
  }
}

void parl_ref_sum_heads(PARL_NO_QUEUE, const parl_sum_heads_args *a) {
  for (size_t r = 0; r < a->rows; r++)
    for (size_t i = 0; i < a->D; i++) {
      double sum = 0.0;
      for (size_t h = a->heads; h-- > 0;) sum += (double)a->x[r * a->ld_x + h * a->head_stride + i];
      a->y[r * a->ld_y + i] = (float)sum;
    }
}

void parl_ref_normalise(PARL_NO_QUEUE, const parl_normalise_args *a) {
  for (size_t i = 0; i < a->n; i++) a->x[i] = (float)((double)a->x[i] / (sqrt(*a->squares) + 1e-7));
}

void parl_ref_round_int4(PARL_NO_QUEUE, const parl_round_int4_args *a) {
  for (size_t i = 0; i < a->rows * a->columns; i++) {
    const size_t row = i / a->columns, column = i % a->columns;
    const size_t start = row * a->columns + column / PARL_INT4_GROUP * PARL_INT4_GROUP;
    float largest = 0.0F;
    bool is_finite = true;
    for (size_t j = start; j < start + PARL_INT4_GROUP && j < (row + 1) * a->columns; j++) {
      largest = fmaxf(largest, fabsf(a->w[j]));
      is_finite = is_finite && isfinite(a->w[j]);
    }
    const float scale = parl_bf16_to_float(parl_bf16_from_float(largest / 7.0F));
    const float steps = fmaxf(-7.0F, fminf(7.0F, nearbyintf(a->w[i] / scale)));
    a->out[i] = !is_finite ? NAN : (scale > 0.0F ? steps * scale : 0.0F);
  }
}
