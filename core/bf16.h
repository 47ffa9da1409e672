/* core/bf16.h - the upper half of a float, as files and scales store it. Pure functions. */
#ifndef PARL_CORE_BF16_H
#define PARL_CORE_BF16_H
#include <stdint.h>
#include <string.h>

/* Rounds a finite float to nearest, halves to even; beyond the largest it becomes infinite. */
static inline uint16_t parl_bf16_from_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float parl_bf16_to_float(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

#endif
