/* engine/quantise.c - a group at a time. */
#include "engine/quantise.h"

#include <math.h>

#include "core/bf16.h"

enum { LARGEST = 7 };

/* Not finite if one of the n weights is not. */
static float find_scale(size_t n, const float *w) {
  float largest = 0.0F;
  for (size_t i = 0; i < n; i++) {
    const float size = fabsf(w[i]);
    if (size > largest || isnan(size)) largest = size;
  }
  if (!isfinite(largest)) return NAN;
  return parl_bf16_to_float(parl_bf16_from_float(largest / (float)LARGEST));
}

static float round_weight(float w, float scale) {
  float q = rintf(w / scale);
  if (q > (float)LARGEST) q = (float)LARGEST;
  if (q < -(float)LARGEST) q = -(float)LARGEST;
  return q * scale;
}

void parl_quantise_int4(size_t rows, size_t columns, const float *w, float *out) {
  for (size_t row = 0; row < rows; row++)
    for (size_t start = 0; start < columns; start += PARL_INT4_GROUP) {
      const size_t left = columns - start, n = left < PARL_INT4_GROUP ? left : PARL_INT4_GROUP;
      const size_t place = row * columns + start;
      const float scale = find_scale(n, w + place);
      for (size_t i = place; i < place + n; i++)
        out[i] = scale <= 0.0F ? 0.0F : round_weight(w[i], scale);
    }
}
