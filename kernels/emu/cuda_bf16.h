/* kernels/emu/cuda_bf16.h - the few names of CUDA's header of this name that the kernels use. */
#ifndef PARL_KERNELS_EMU_CUDA_BF16_H
#define PARL_KERNELS_EMU_CUDA_BF16_H
#include <math.h>
#include <stdint.h>
#include <string.h>

struct __nv_bfloat16 {
  uint16_t bits;
};

static inline float __bfloat162float(__nv_bfloat16 x) {
  const uint32_t bits = (uint32_t)x.bits << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* To the nearest, halves to even; any NaN becomes the one that the unit gives. */
static inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x)) return {0x7fff};
  return {(uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

#endif
