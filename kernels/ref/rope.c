/* kernels/ref/rope.c - rotary position embedding, interleaved pairs, in place.
 *
 * x [rows, heads, D] with a stride between heads; tables [positions, D/2]
 *   (x0, x1) <- (x0 cos - x1 sin, x0 sin + x1 cos); the inverse turns by the opposite angle. */
#include "kernels/ref/ref_internal.h"

void parl_ref_rope(PARL_NO_QUEUE, const parl_rope_args *a) {
  const size_t half = a->D / 2;
  for (size_t row = 0; row < a->rows; row++) {
    const size_t at = (size_t)a->positions[row] * half;
    for (size_t h = 0; h < a->heads; h++) {
      float *x = a->x + row * a->ld_x + h * a->head_stride;
      for (size_t i = 0; i < half; i++) {
        const double c = (double)a->cos_table[at + i];
        const double s = (double)(a->inverse ? -a->sin_table[at + i] : a->sin_table[at + i]);
        const double x0 = (double)x[2 * i], x1 = (double)x[2 * i + 1];
        x[2 * i] = (float)(x0 * c - x1 * s);
        x[2 * i + 1] = (float)(x0 * s + x1 * c);
      }
    }
  }
}
