/* kernels/cpu/ops_avx512.c - the fast backend for AVX-512; nothing where it is not the target. */
#ifdef __AVX512F__
#define VEC_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#define LEVEL_TEXT "avx512"
#define BACKEND_NAME parl_backend_cpu_avx512
#define SOFT_TEXT "avx512-bf16-soft"
#define SOFT_NAME parl_backend_cpu_avx512_bf16_soft
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_avx512(void) {
  return NULL;
}
const parl_backend *parl_backend_cpu_avx512_bf16_soft(void) {
  return NULL;
}
#endif
