/* kernels/cpu/ops_avx2.c - the fast backend for AVX2; nothing where it is not the target. */
#ifdef __AVX2__
#define VEC_BYTES 32
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define LEVEL_TEXT "avx2"
#define BACKEND_NAME parl_backend_cpu_avx2
#define SOFT_TEXT "avx2-bf16-soft"
#define SOFT_NAME parl_backend_cpu_avx2_bf16_soft
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_avx2(void) {
  return NULL;
}
const parl_backend *parl_backend_cpu_avx2_bf16_soft(void) {
  return NULL;
}
#endif
